"""Worker processes: how they start, answer, fail, and end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tensorbridge as tb
from conftest import PROGRAMS, Hosts, Program, eventually
from records import Number

Run = Callable[..., Program]


@pytest.fixture
def serve(run: Run, name: str, tmp_path: Path) -> Callable[..., Program]:
    """Starts `services.py`."""

    def start(
        workers: int = 1, *, kind: str = "worker", module: bool = False, ready: bool = True, restarts: int = 10
    ) -> Program:
        env = {"TEST_SERVICE": name, "TEST_NOTES": str(tmp_path / "notes"), "TEST_RESTARTS": str(restarts)}
        if module:
            program = run("-m", "tensorbridge", "serve", "services:Worker", "--workers", str(workers), env=env)
        else:
            program = run("services.py", kind, str(workers), env=env)
        if ready:
            program.until("serving")
        return program

    return start


def notes(tmp_path: Path, kind: str) -> list[int]:
    path = tmp_path / "notes"
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == kind]


def is_gone(pid: int) -> bool:
    """Whether a process that is no child of this one has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("module", [False, True])
def test_two_workers_share_the_calls(serve: Run, name: str, tmp_path: Path, module: bool) -> None:
    program = serve(workers=2, module=module)
    answers: set[int] = set()
    with tb.Client(name, Number, Number) as client:

        def call() -> None:
            until = time.monotonic() + 30
            for _ in range(50):
                answers.add(int(client.call(value=0).value))
            while len(answers) < 2 and time.monotonic() < until:
                answers.add(int(client.call(value=0).value))

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert int(client.call(value=9).value) == 0, "the worker's own children are no workers"
        assert client.slots == 8
    assert answers == set(notes(tmp_path, "made"))
    assert program.process.pid not in answers, "the parent runs no code of the class"
    program.signal(signal.SIGTERM)
    status, _, errors = program.finish()
    assert status == 0, errors
    assert f"serving {name!r} with 2 workers" in errors
    assert all(is_gone(pid) for pid in answers)


def test_clients_in_processes(serve: Run, run: Run, name: str) -> None:
    program = serve(workers=2)
    code = (
        "import sys, tensorbridge as tb\n"
        "with tb.Client(sys.argv[1]) as client:\n"
        "    assert all(client.call(value=0).value.item() > 0 for _ in range(200))"
    )
    clients = [run("-c", code, name) for _ in range(4)]
    for client in clients:
        status, _, errors = client.finish()
        assert status == 0, errors
    program.signal(signal.SIGINT)
    assert program.finish()[0] == 0


def test_a_worker_that_dies_has_its_request_answered_and_is_started_again(
    serve: Run, name: str, tmp_path: Path
) -> None:
    program = serve(workers=1)
    with tb.Client(name, Number, Number) as client:
        (first,) = notes(tmp_path, "made")
        second = int(client.call(value=2).value)
        assert notes(tmp_path, "made") == [first, second]
        os.kill(second, signal.SIGKILL)
        third = int(client.call(value=0).value)
        assert third not in (first, second) and is_gone(first) and is_gone(second)
        program.signal(signal.SIGTERM)
        status, _, errors = program.finish()
    assert status == 0 and errors.count("SIGKILL") == 2 and errors.count("is started again") == 2, errors
    assert is_gone(third)


def test_a_request_that_kills_every_worker_is_given_up(serve: Run, name: str, tmp_path: Path) -> None:
    program = serve(workers=1)
    with tb.Client(name, Number, Number) as client:
        with pytest.raises(tb.WorkerDied) as caught:
            client.call(value=6)
        assert caught.value.attempts == 3
        assert int(client.call(value=0).value) in notes(tmp_path, "made")
        assert len(notes(tmp_path, "made")) == 4
    program.signal(signal.SIGTERM)
    assert program.finish()[0] == 0


def test_when_no_worker_is_left_the_service_ends(serve: Run, name: str) -> None:
    program = serve(workers=1, restarts=0)
    with tb.Client(name, Number, Number) as client, pytest.raises(tb.Error) as caught:
        client.call(value=2)
    assert caught.value.code == "TB502"
    status, _, errors = program.finish()
    assert status == 1 and "WorkerExited" in errors and "SIGKILL" in errors


def test_a_worker_that_cannot_start_again_is_tried_so_often(serve: Run, name: str) -> None:
    program = serve(workers=1, kind="second", restarts=2)
    with tb.Client(name, Number, Number) as client:
        os.kill(int(client.call(value=0).value), signal.SIGKILL)
        status, _, errors = program.finish()
    assert status == 1 and errors.count("is started again") == 2, errors
    # Once as it was said, and once in the error that ends the service.
    assert errors.count("RuntimeError: not again") == 3 and "before it was ready" in errors


def test_a_worker_that_cannot_start_is_an_error(serve: Run) -> None:
    program = serve(2, kind="broken", ready=False)
    status, _, errors = program.finish()
    assert status == 1
    assert "RuntimeError: no weights" in errors and "WorkerExited" in errors and "before it was ready" in errors


def test_sigterm_lets_the_call_finish(serve: Run, name: str, tmp_path: Path) -> None:
    program = serve(workers=1)
    with tb.Client(name, Number, Number) as client:
        replies: list[int] = []
        thread = threading.Thread(target=lambda: replies.append(int(client.call(value=1).value)))
        thread.start()
        assert eventually(lambda: bool(notes(tmp_path, "slow")))
        program.signal(signal.SIGTERM)
        thread.join()
        status, _, errors = program.finish()
    assert replies == notes(tmp_path, "slow done") and status == 0, errors


def test_a_worker_that_is_stuck_is_killed_in_the_end(serve: Run, name: str, tmp_path: Path) -> None:
    program = serve(workers=1)
    with tb.Client(name, Number, Number) as client:
        with pytest.raises(tb.Timeout):
            client.call(value=3, timeout=2.0)
        (worker,) = notes(tmp_path, "stuck")
        program.signal(signal.SIGTERM)
        status, _, errors = program.finish()
    assert status == 0 and "is killed" in errors
    assert is_gone(worker)


@pytest.mark.parametrize("value", [0, 3])
def test_workers_end_when_their_host_is_killed(serve: Run, name: str, tmp_path: Path, value: int) -> None:
    program = serve(workers=2)
    with tb.Client(name, Number, Number, timeout=5.0) as client:
        failed: list[str] = []

        def call() -> None:
            try:
                client.call(value=value)
            except tb.Error as error:
                failed.append(error.code)

        thread = threading.Thread(target=call)
        thread.start()
        if value == 3:
            assert eventually(lambda: bool(notes(tmp_path, "stuck")))
        else:
            thread.join()
        program.signal(signal.SIGKILL)
        start = time.monotonic()
        assert eventually(lambda: all(is_gone(pid) for pid in notes(tmp_path, "made")), 8)
        thread.join()
        if value == 3:
            assert failed == ["TB502"] and time.monotonic() - start < 8
        with pytest.raises(tb.HostDied):
            client.call(value=0)
    with pytest.raises(tb.NotFound):
        tb.Client(name, Number, Number, timeout=0.1)  # which clears the dead host's socket away


def test_a_worker_ends_with_its_host_when_nobody_reads_what_it_says(
    serve: Run, name: str, tmp_path: Path
) -> None:
    program = serve()
    with tb.Client(name, Number, Number) as client, ThreadPoolExecutor(1) as threads:
        call = threads.submit(client.call, value=3)
        assert eventually(lambda: bool(notes(tmp_path, "stuck")))
        [worker] = notes(tmp_path, "made")
        program.stop()
        # As a process has it that the host forked.
        pipe = os.open(f"/proc/{worker}/fd/2", os.O_RDWR | os.O_NONBLOCK)
        try:
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(pipe, bytes(4096))
            program.signal(signal.SIGKILL)
            assert eventually(lambda: is_gone(worker))
        finally:
            os.close(pipe)
        with pytest.raises(tb.HostDied):
            call.result()
    with pytest.raises(tb.NotFound):
        tb.Client(name, Number, Number, timeout=0.1)  # which clears the dead host's socket away


def test_a_worker_of_a_host_elsewhere(hosts: Hosts, run: Run, name: str, tmp_path: Path) -> None:
    service = hosts.service(name, Number, Number, slots=2)
    env = {"TEST_SERVICE": "another.name", "TENSORBRIDGE_SERVICE": name, "TEST_NOTES": str(tmp_path / "notes")}
    worker = run("services.py", "worker", "7", env=env)
    with tb.Client(name, Number, Number) as client:
        assert int(client.call(value=0).value) == worker.process.pid
        assert [int(client.call(value=5).value) for _ in range(3)] == [2, 3, 4], "one instance answers all"
        with pytest.raises(tb.Remote, match="ValueError: four"):
            client.call(value=4)
        assert service._host.is_attached(worker.process.pid)
    worker.signal(signal.SIGTERM)
    status, _, errors = worker.finish()
    assert (status, errors) == (0, "")


def test_a_worker_ends_quietly_with_its_host(run: Run, name: str, tmp_path: Path) -> None:
    with tb.Service(name, Number, Number, slots=2):
        env = {"TEST_SERVICE": name, "TENSORBRIDGE_SERVICE": name, "TEST_NOTES": str(tmp_path / "notes")}
        worker = run("services.py", "worker", "1", env=env)
        with tb.Client(name, Number, Number) as client:
            client.call(value=0)
    assert worker.finish() == (0, "", "")


def test_a_name_is_taken_once(serve: Run, name: str, tmp_path: Path) -> None:
    first = serve(workers=1)
    second = serve(workers=1, ready=False)
    status, _, errors = second.finish()
    assert status == 1 and "NameTaken" in errors and str(first.process.pid) in errors
    first.signal(signal.SIGTERM)
    assert first.finish()[0] == 0


def test_the_command_line_names_mistakes(run: Run) -> None:
    for target, words in [
        ("services", "module:Class"),
        ("services:Nothing", "has no Nothing"),
        ("nothing.here:X", "No module"),
    ]:
        status, _, errors = run("-m", "tensorbridge", "serve", target, env={"TEST_SERVICE": "x"}).finish()
        assert status == 1 and words in errors, errors
    status, output, _ = run("-m", "tensorbridge", "errors").finish()
    assert status == 0 and "TB504  Remote" in output
    assert run("-m", "tensorbridge", "--version").finish()[1].startswith("tensorbridge ")


def test_only_services_are_served(name: str) -> None:
    class Plain:
        pass

    with pytest.raises(TypeError, match=r"@tb\.service"):
        tb.serve(Plain)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Record class"):
        tb.service(name, int, Number)  # type: ignore[type-var, arg-type]
    nothing = float("nan")
    for options in ({"slots": 1}, {"max_attempts": 0}, {"max_batch": 0}, {"max_wait": -1.0}, {"max_wait": nothing}):
        [named] = options
        with pytest.raises(ValueError, match=named):
            tb.service(name, Number, Number, **options)  # type: ignore[arg-type]
        if named in ("slots", "max_attempts"):
            with pytest.raises(ValueError, match=named):
                tb.Service(name, Number, Number, **options)  # type: ignore[arg-type]
    decorated = tb.service(name, Number, Number)(Plain)
    assert decorated is Plain
    with pytest.raises(ValueError, match="at least 1 worker"):
        tb.serve(decorated, workers=0)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="slots is at least 2; found 0"):
        tb.serve(decorated, slots=0)  # type: ignore[type-var]
    with pytest.raises(tb.InvalidName):
        tb.serve(decorated, name="")  # type: ignore[type-var]


def test_serving_twice_from_a_shell_leaves_nothing(name: str, tmp_path: Path) -> None:
    """The whole way, as a user does it: a script, Ctrl-C at the terminal, which reaches every process of its group."""
    env = {**os.environ, "TEST_SERVICE": name, "TEST_NOTES": str(tmp_path / "notes")}
    for _ in range(2):
        program = subprocess.Popen(
            [sys.executable, "services.py", "worker", "2"],
            cwd=PROGRAMS,
            env=env,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with tb.Client(name, Number, Number) as client:
            assert int(client.call(value=0).value) > 0
        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=30)
        assert program.returncode == 0 and "Traceback" not in errors, errors
    assert all(is_gone(pid) for pid in notes(tmp_path, "made"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_not_ready_yet_ends_with_its_supervisor(
    serve: Run, name: str, tmp_path: Path, how: signal.Signals
) -> None:
    program = serve(workers=1, kind="slow", ready=False)
    assert eventually(lambda: bool(notes(tmp_path, "made")))
    program.signal(how)
    program.process.wait()
    assert eventually(lambda: all(is_gone(pid) for pid in notes(tmp_path, "made")), 30)
    with pytest.raises(tb.NotFound):
        tb.Client(name, timeout=0.1)  # which clears the dead host's socket away


def test_a_stopped_worker_is_ended_with_the_service(serve: Run, name: str, tmp_path: Path) -> None:
    program = serve(workers=2)
    (first, _) = notes(tmp_path, "made")
    os.kill(first, signal.SIGSTOP)
    assert eventually(lambda: ") T " in Path(f"/proc/{first}/stat").read_text())
    with tb.Client(name, Number, Number) as client:
        answers = [int(client.call(value=0).value) for _ in range(3)]
        assert first not in answers, "slow is not dead: the other one answers"
    program.signal(signal.SIGTERM)
    status, _, errors = program.finish()
    assert status == 0 and "is killed" in errors and is_gone(first)


def test_a_service_spawns_workers_and_says_how_they_are_doing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SERVICE", name)
    monkeypatch.setenv("TEST_NOTES", str(tmp_path / "notes"))
    command = [sys.executable, str(PROGRAMS / "services.py")]
    with tb.Service(name, Number, Number, slots=4) as service:
        with pytest.raises(tb.WorkerExited, match="RuntimeError: no weights"):
            service.spawn([*command, "broken", "1"])
        # The thread that asks for it may end.
        thread = threading.Thread(target=service.spawn, args=([*command, "worker", "1"],), kwargs={"backoff": 0.01})
        thread.start()
        thread.join()
        (health,) = service.workers()
        assert health == tb.WorkerHealth("ready", health.pid, 0, None)
        with tb.Client(name, Number, Number) as client:
            assert int(client.call(value=2).value) != health.pid, "the first one dies of it"
        (again,) = service.workers()
        assert again.restarts == 1
        assert eventually(lambda: service.workers()[0].state == "ready"), "it answers a moment before that is noticed"
        assert again.last_end is not None and "SIGKILL" in again.last_end
    assert again.pid is not None and is_gone(again.pid)
