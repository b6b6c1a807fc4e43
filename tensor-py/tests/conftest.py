"""Fixtures: names of one's own, hosts that check that every slot came back, and an eye on what a test leaves behind."""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tensorbridge as tb
from environments import build_wheel

TESTS = Path(__file__).parent
PROGRAMS = TESTS / "programs"

# The tests in `frameworks/` are about one framework each time, in a process of their own: `test_frameworks.py` starts them.
FRAMEWORK = os.environ.get("TENSORBRIDGE_FRAMEWORK")
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
collect_ignore = ["frameworks"] if FRAMEWORK is None else []
collect_ignore += [f"frameworks/test_{other}.py" for other in FRAMEWORKS if other != FRAMEWORK]
importlib.import_module(FRAMEWORK or "torch")

_numbers = itertools.count()

# A runner that was started in the background ignores Ctrl-C, and would hand that down to the programs that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What the frameworks made while they were imported is there to stay; without it a collection takes a moment only."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def meeting_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of this session's own, so that sessions do not meet; requests are checked."""
    directory = tmp_path_factory.mktemp("meet")
    directory.chmod(0o700)
    before = {name: os.environ.get(name) for name in ("TENSORBRIDGE_DIR", "TENSORBRIDGE_CHECK_REQUESTS")}
    os.environ["TENSORBRIDGE_DIR"] = str(directory)
    os.environ["TENSORBRIDGE_CHECK_REQUESTS"] = "1"
    yield directory
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    assert not [path.name for path in directory.iterdir() if path.is_socket()], "a socket was left behind"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that users install, built from these sources."""
    pytest.importorskip("maturin")
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"test{os.getpid()}.n{next(_numbers)}"


def open_files() -> dict[str, str]:
    """What every file descriptor of this process leads to."""
    found = {}
    for path in Path("/proc/self/fd").iterdir():
        try:
            found[path.name] = str(path.readlink())
        except FileNotFoundError:
            continue
    return {
        number: target
        for number, target in found.items()
        if any(kind in target for kind in ("tensorbridge", "pidfd", "eventfd", "eventpoll", "socket"))
    }


def mappings() -> int:
    """How many mappings of arenas this process has."""
    return Path("/proc/self/maps").read_text().count("memfd:tensorbridge")


def settle() -> None:
    """Collects garbage, so that only what is really held is left."""
    for _ in range(3):
        gc.collect()


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something becomes true soon: another process or thread may have to do it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fails a test that leaves file descriptors, mappings or threads behind."""
    settle()
    files, maps, threads = open_files(), mappings(), threading.active_count()
    yield
    settle()
    assert eventually(lambda: threading.active_count() <= threads), threading.enumerate()
    assert eventually(lambda: mappings() <= maps), "an arena stayed mapped"
    assert eventually(lambda: set(open_files().values()) <= set(files.values())), open_files()
    if FRAMEWORK is not None:
        # What a framework compiled for the test, and keeps.
        gc.freeze()


class Hosts:
    """Makes hosts, and checks at the end that every slot is free again."""

    def __init__(self) -> None:
        self.hosts: list[tuple[tb.Channel | tb.Service, int]] = []

    def channel(self, name: str, record: type[tb.Record], slots: int = 4, **options: Any) -> tb.Channel:
        host = tb.Channel(name, record, slots=slots, **options)
        self.hosts.append((host, slots))
        return host

    def service(
        self,
        name: str,
        request: type[tb.Record],
        reply: type[tb.Record],
        slots: int = 4,
        **options: Any,
    ) -> tb.Service:
        host = tb.Service(name, request, reply, slots=slots, **options)
        self.hosts.append((host, slots))
        return host

    def finish(self) -> None:
        settle()
        for host, slots in self.hosts:
            if host._host.closed:
                continue
            free = eventually(lambda host=host, slots=slots: host.free_slots == slots)
            pins = host.pins()
            host.close()
            assert free, f"slots did not come back: {pins}"


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Makes hosts that are closed at the end."""
    made = Hosts()
    yield made
    made.finish()


@contextmanager
def answering(
    name: str,
    handler: Callable[[Any, Any], object],
    request: type[tb.Record] | None = None,
    reply: type[tb.Record] | None = None,
    **options: Any,
) -> Iterator[tb.Server[Any, Any]]:
    """A server of this process, in a thread."""
    server: tb.Server[Any, Any] = tb.Server(name, request, reply)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve, args=(handler,), kwargs=options)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()
        server.close()


class Program:
    """A Python program in a process of its own."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None, **options: Any) -> None:
        self.said = ""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(PROGRAMS), **(env or {})}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROGRAMS,
            **options,
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def until(self, words: str) -> None:
        """Reads what it says on stderr up to a line with these words."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline()):
            self.said += line
            assert line, f"the program ended before it said {words!r}\n{self.said}"
        self.said += line

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """Stops it until it is sent SIGCONT; once this returns, none of its threads runs."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def finish(self, timeout: float = 60.0) -> tuple[int, str, str]:
        """Waits for its end: status, output, errors."""
        try:
            output, errors = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            output, errors = self.process.communicate()
            pytest.fail(f"the program did not end\n{output}\n{errors}")
        return self.process.returncode, output, self.said + errors


@pytest.fixture
def run() -> Iterator[Callable[..., Program]]:
    """Starts Python programs; what is still running at the end is killed."""
    programs: list[Program] = []

    def start(*arguments: str, **options: Any) -> Program:
        program = Program(*arguments, **options)
        programs.append(program)
        return program

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.process.send_signal(signal.SIGKILL)
        program.process.communicate()
