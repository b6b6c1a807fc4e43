"""What becomes of records when a process that has to do with them is killed."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable

import pytest
import tensorbridge as tb
from conftest import Hosts, Program, answering, eventually
from records import Number

Run = Callable[..., Program]


@pytest.fixture
def doom(run: Run, name: str) -> Callable[[str], Program]:
    """Starts a part of `doomed.py` and waits until it is in the middle of it."""

    def start(part: str) -> Program:
        program = run("doomed.py", part, name)
        assert program.line() == "ready"
        return program

    return start


def kill(program: Program) -> None:
    program.signal(signal.SIGKILL)
    program.process.wait()


def double(number: Number, answer: Number) -> None:
    answer.value = number.value.numpy() * 2


def kill_with_request(doom: Callable[[str], Program]) -> None:
    """A worker takes what is asked next, and is killed with it."""
    worker = doom("worker")
    assert worker.line() == "ready"  # in the middle of the call
    kill(worker)


class Call(threading.Thread):
    """A call in a thread of its own."""

    def __init__(self, client: tb.Client[Number, Number], value: int) -> None:
        super().__init__()
        self.client, self.value = client, value
        self.result: int | tb.Error | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = int(self.client.call(value=self.value).value)
        except tb.Error as error:
            self.result = error

    def end(self) -> int | tb.Error | None:
        self.join(60)
        return self.result


def test_a_killed_workers_request_is_answered_by_the_next(
    hosts: Hosts, doom: Callable[[str], Program], name: str
) -> None:
    hosts.service(name, Number, Number, slots=2)
    with tb.Client(name, Number, Number) as client:
        call = Call(client, 21)
        kill_with_request(doom)
        with answering(name, double, Number, Number):
            assert call.end() == 42


def test_a_request_that_may_have_been_changed_is_not_repeated(
    hosts: Hosts, doom: Callable[[str], Program], name: str
) -> None:
    service = hosts.service(name, Number, Number, slots=2, mutates_request=True)
    with tb.Client(name, Number, Number) as client:
        call = Call(client, 21)
        kill_with_request(doom)
        error = call.end()
        assert isinstance(error, tb.WorkerDied) and error.attempts == 1 and "not repeated" in error.reason
        assert eventually(lambda: service.free_slots == 2)


def test_a_request_that_kills_its_workers_is_given_up(hosts: Hosts, doom: Callable[[str], Program], name: str) -> None:
    hosts.service(name, Number, Number, slots=2, max_attempts=2)
    with tb.Client(name, Number, Number) as client:
        call = Call(client, 21)
        kill_with_request(doom)
        kill_with_request(doom)
        error = call.end()
        assert isinstance(error, tb.WorkerDied) and error.attempts == 2 and "each worker" in error.reason


def test_a_killed_clients_slots_come_back(hosts: Hosts, doom: Callable[[str], Program], name: str) -> None:
    service = hosts.service(name, Number, Number, slots=4)
    with answering(name, double, Number, Number):
        client = doom("client")
        assert service.free_slots == 2
        pins = {pin.how: pin for pin in service.pins()}
        assert {pin.pid for pin in pins.values()} == {client.process.pid}
        assert "doomed.py client" in pins["loaned"].command
        kill(client)
        assert eventually(lambda: service.free_slots == 4)


def test_a_tensor_keeps_its_slot_whoever_else_dies(hosts: Hosts, doom: Callable[[str], Program], name: str) -> None:
    service = hosts.service(name, Number, Number, slots=4)
    with tb.Client(name, Number, Number) as client:
        with answering(name, double, Number, Number):
            held = client.call(value=5).value.numpy()
            kill(doom("client"))
        call = Call(client, 6)
        kill_with_request(doom)
        assert eventually(lambda: service.free_slots == 2)
        assert held.item() == 10
        # The call may be waiting for the next worker already.
        (pin,) = [pin for pin in tb.pins() if pin.fields]
        assert pin.fields == ("value",) and pin.how.startswith("a reply")
        with answering(name, double, Number, Number):
            assert call.end() == 12
        del held
        assert not tb.pins()


def test_reconnecting_finds_the_next_host(doom: Callable[[str], Program], name: str) -> None:
    old = doom("host")
    with tb.Client(name, Number, Number) as client:
        assert client.connected
        client.reconnect()
        with answering(name, double, Number, Number):
            held, loan = client.call(value=5).value.numpy(), client.loan()
            kill(old)
        assert not client.connected
        with pytest.raises(tb.HostDied):
            client.call(value=5)
        with pytest.raises(tb.NotFound):
            client.reconnect(timeout=0.1)
        new = doom("host")
        threads = [threading.Thread(target=client.reconnect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.connected
        with answering(name, double, Number, Number):
            assert int(client.call(value=6).value) == 12
        # The old arena's memory is there for as long as something leads to it, and is not the new one's.
        loan.value = 3
        assert held.item() == 10 and int(loan.value) == 3
        loan.release()
        del held, loan
        kill(new)
    with pytest.raises(tb.Closed):
        client.reconnect()
    with pytest.raises(tb.NotFound):
        tb.Client(name, timeout=0.1)  # which clears the dead host's socket away


def test_the_command_line_says_who_holds_what(
    hosts: Hosts, run: Run, doom: Callable[[str], Program], name: str
) -> None:
    hosts.service(name, Number, Number, slots=4)
    assert "nobody holds a slot" in run("-m", "tensorbridge", "pins", name).finish()[1]
    with answering(name, double, Number, Number):
        client = doom("client")
    status, output, errors = run("-m", "tensorbridge", "pins", name).finish()
    assert status == 0 and errors == ""
    (loan,) = [line for line in output.splitlines() if "loaned" in line]
    assert str(client.process.pid) in loan.split() and "doomed.py client" in loan
    pins = json.loads(run("-m", "tensorbridge", "pins", name, "--json").finish()[1])
    assert [pin["pid"] for pin in pins] == [client.process.pid] * 2
    assert sorted(pin._asdict()["how"] for pin in tb.pins(name)) == sorted(pin["how"] for pin in pins)
    kill(client)
