"""One-way channels between endpoints of this process."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorbridge as tb
from conftest import Hosts
from records import Image, Number


def test_a_record_arrives_as_it_was_sent(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image)
    planes = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        with sender.loan() as image:
            image.pixels[:] = planes
            image.id = 7
            image.send()
        with receiver.receive() as got:
            assert np.array_equal(got.pixels.numpy(), planes)
            assert int(got.id) == 7 and got.id.item() == 7
            assert got.present == {"pixels": True, "id": True}


def test_records_arrive_in_the_order_sent_and_each_once(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, slots=8)
    got: list[int] = []
    lock = threading.Lock()

    def receive() -> None:
        with tb.Receiver(name, Number) as receiver:
            mine = []
            while (value := receiver.receive().value.item()) >= 0:
                mine.append(value)
        assert mine == sorted(mine)
        with lock:
            got.extend(mine)

    threads = [threading.Thread(target=receive) for _ in range(3)]
    for thread in threads:
        thread.start()
    with tb.Sender(name, Number) as sender:
        for value in [*range(500), -1, -1, -1]:
            sender.send(value=value)
        for thread in threads:
            thread.join()
    assert sorted(got) == list(range(500))


def test_an_unsent_loan_is_given_back(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Number, slots=2)
    with tb.Sender(name, Number) as sender:
        with sender.loan() as record:
            assert channel.free_slots == 1
        assert channel.free_slots == 2
        with pytest.raises(tb.Released, match="released"):
            record.send()


def test_a_full_channel_names_who_holds_it(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, slots=2)
    with tb.Sender(name, Number) as sender:
        held = [sender.loan(), sender.loan()]
        assert sender.try_loan() is None
        with pytest.raises(tb.Full) as caught:
            sender.loan(timeout=0.05)
        assert caught.value.code == "TB303" and isinstance(caught.value, TimeoutError)
        (holder,) = caught.value.holders
        assert holder.how == "loaned" and holder.slots == 2
        for record in held:
            record.release()
        loan = sender.try_loan()
        assert loan is not None
        loan.release()


def test_an_empty_channel_times_out(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    with tb.Receiver(name, Number) as receiver:
        assert receiver.try_receive() is None
        with pytest.raises(tb.Timeout, match="a record") as caught:
            receiver.receive(timeout=0.05)
        assert caught.value.code == "TB501" and caught.value.after == pytest.approx(0.05)


def test_a_record_that_lacks_something_can_be_repaired(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        image = sender.loan()
        image.id = 1
        with pytest.raises(tb.MissingField, match="pixels"):
            image.send()
        image.pixels = 0.5
        image.send()
        with pytest.raises(tb.Released, match="sent"):
            image.send()
        with pytest.raises(tb.Released, match="sent"):
            _ = image.pixels.shape
        with receiver.receive() as got:
            assert got.pixels.numpy().min() == 0.5


def test_received_records_are_read_only(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    with tb.Sender(name, Number) as sender, tb.Receiver(name, Number) as receiver:
        sender.send(value=1)
        with receiver.receive() as got:
            assert not got.value.writable and not got.value.numpy().flags.writeable
            with pytest.raises(tb.ReadOnly, match="value"):
                got.value = 2
            with pytest.raises(tb.ReadOnly, match="value"):
                got["value"] = 2
            assert memoryview(got.value).readonly
            with pytest.raises(tb.WrongKind, match="loaned"):
                got.send()


def test_without_classes_python_opens_any_channel(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image)
    with tb.Sender(name) as sender, tb.Receiver(name) as receiver:
        with sender.loan() as image:
            image.pixels = 1.5
            image.id = 3
            image.send()
        with receiver.receive() as got:
            assert type(got).__name__ == "Image"
            assert got.schema == Image.schema
            assert got["id"].item() == 3 and got.pixels.shape == (3, 4, 5)


def test_endpoints_of_the_wrong_kind_are_refused(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    with pytest.raises(tb.WrongKind, match="one-way"):
        tb.Client(name, Number, Number)
    with pytest.raises(tb.SchemaMismatch, match="id: u64") as caught:
        tb.Sender(name, Image)
    assert caught.value.code == "TB103" and isinstance(caught.value, TypeError)
    assert "test.number" in caught.value.theirs


def test_the_timeout_of_an_endpoint_is_chosen_when_it_is_made(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    with tb.Sender(name, Number, timeout=2.0) as sender:
        with pytest.raises(AttributeError):
            sender.timeout = 1.0  # type: ignore[misc]
        assert sender.timeout == 2.0


def test_a_closed_endpoint_says_so(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    with tb.Sender(name, Number) as sender:
        record = sender.loan()
    assert sender.closed
    with pytest.raises(tb.Closed, match="sender"):
        sender.loan()
    with pytest.raises(tb.Closed):
        record.set(value=1).send()
    record.release()


def test_closing_ends_the_waits_of_other_threads(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    receiver = tb.Receiver(name, Number, timeout=None)
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            receiver.receive()
        except tb.Closed as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    receiver.close()
    thread.join(5)
    assert not thread.is_alive() and failed


def test_the_end_of_the_host_ends_what_waits_for_it(name: str) -> None:
    channel = tb.Channel(name, Number, slots=2)
    sender, receiver = tb.Sender(name, Number), tb.Receiver(name, Number)
    sender.send(value=1)
    sender.send(value=2)
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(record.value.item() for record in receiver))
    thread.start()
    while len(got) < 2:
        pass
    channel.close()
    thread.join(5)
    assert not thread.is_alive() and got == [1, 2], "iterating ends quietly"
    held = [sender.loan(timeout=1.0), sender.loan(timeout=1.0)]
    with pytest.raises(tb.HostDied, match="closed it") as caught:
        sender.loan()
    assert caught.value.code == "TB502" and isinstance(caught.value, ConnectionError)
    for record in held:
        record.release()
    sender.close()
    receiver.close()
