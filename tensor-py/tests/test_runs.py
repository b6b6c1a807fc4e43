"""Runs: records received together, each field one tensor on the memory that the senders wrote."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, Program, eventually, settle
from records import Image, Number


class Text(tb.Record, name="test.text"):
    """A text of any length up to 8."""

    seq = tb.Dim(1, 8)
    ids = tb.i64(seq, pad=-100)
    grid = tb.f32(2, seq, 3)
    mask = tb.bool_(seq, optional=True, pad=True)
    note = tb.i32(optional=True)


@contextmanager
def meeting(
    hosts: Hosts, name: str, record: type[Any], slots: int = 8, **options: Any
) -> Iterator[tuple[tb.Channel, tb.Sender[Any], tb.Receiver[Any]]]:
    channel = hosts.channel(name, record, slots=slots, ring_order=True)
    with tb.Sender(name, record) as sender, tb.Receiver(name, record, **options) as receiver:
        yield channel, sender, receiver


def send_images(sender: tb.Sender[Image], ids: range) -> None:
    for number in ids:
        sender.send(pixels=np.full((3, 4, 5), number, np.float32), id=number)


def test_each_field_of_a_run_is_one_tensor_without_a_copy(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Image) as (_, sender, receiver):
        send_images(sender, range(5))
        copied = tb.copied()
        alone = receiver.receive()
        run = receiver.receive_many(4)
        assert (run.records, len(run), alone.records) == (4, 2, None)
        pixels, ids = run.pixels, run.id
        assert (pixels.shape, pixels.strides, ids.shape) == ((4, 3, 4, 5), (60, 20, 5, 1), (4,))
        # The records lie where they were sent, one behind the other.
        assert pixels.data_ptr == alone.pixels.data_ptr + 240
        tensor, array = pixels.torch(), pixels.numpy()
        assert tensor.data_ptr() == array.ctypes.data == pixels.data_ptr
        assert tensor.is_contiguous() and tensor.shape == (4, 3, 4, 5)
        assert torch.from_dlpack(pixels).data_ptr() == pixels.data_ptr
        assert memoryview(ids).tolist() == [1, 2, 3, 4]
        assert (array == np.arange(1, 5).reshape(4, 1, 1, 1)).all()
        assert not array.flags.writeable
        assert tb.copied() == copied
        with pytest.raises(tb.ReadOnly):
            run.id = 7
        assert receiver.try_receive_many(4) is None
        with pytest.raises(tb.Timeout):
            receiver.receive_many(4, timeout=0)
        for nonsense in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                receiver.receive_many(nonsense)


def test_one_record_received_as_a_run_has_a_leading_dimension_too(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Number) as (_, sender, receiver):
        sender.send(value=3)
        run = receiver.receive_many(9)
        assert (run.records, run.value.shape, run.value.tolist()) == (1, (1,), [3])
        assert run.value.present.tolist() == [True]


def test_a_row_is_a_record_of_its_own_and_keeps_the_run(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Image) as (channel, sender, receiver):
        send_images(sender, range(3))
        run = receiver.receive_many(8)
        row = run.row(-1)
        assert isinstance(row, Image)
        assert (row.records, row.id.item(), row.pixels.shape) == (None, 2, (3, 4, 5))
        assert row.pixels.data_ptr == run.pixels.data_ptr + 480
        with pytest.raises(IndexError, match="row 3 of a run of 3"):
            run.row(3)
        with pytest.raises(tb.WrongKind, match="record alone"):
            row.row(0)
        run.release()
        assert channel.free_slots == 5
        assert row.id.item() == 2
        with pytest.raises(tb.Released):
            run.row(0)
        row.release()
        assert channel.free_slots == 8


def test_one_alias_keeps_every_slot_of_a_run(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Image) as (channel, sender, receiver):
        send_images(sender, range(4))
        run = receiver.receive_many(4)
        last = run.pixels.torch()[3]
        run.release()
        assert [(pin.how, pin.fields) for pin in channel.pins()] == [("an alias of a received record", ("pixels",))] * 4
        assert last[0, 0, 0] == 3
        # The ring goes on to the other slots, and then there is none.
        send_images(sender, range(4, 8))
        with pytest.raises(tb.Full):
            sender.loan(timeout=0)
        assert receiver.receive_many(8).id.tolist() == [4, 5, 6, 7]
        del last
        settle()
        assert channel.free_slots == 8


def test_records_of_different_lengths_are_padded_and_counted(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Text, slots=4) as (_, sender, receiver):
        # What was there before must not be seen.
        for _ in range(4):
            sender.send(seq=8, ids=[77] * 8, grid=77.0, mask=[True] * 8)
        receiver.receive_many(4).release()
        lengths = [3, 5, 1, 5]
        for length in lengths:
            sender.send(seq=length, ids=[length] * length, grid=float(length), mask=[False] * length)
        before = tb.copied()["padded"]
        run = receiver.receive_many(4)
        assert run.dims["seq"].tolist() == lengths
        assert run.dims["seq"].dtype == np.int64
        assert (run.seq, run.ids.shape, run.ids.strides) == (5, (4, 5), (8, 1))
        assert run.ids.tolist() == [[length] * length + [-100] * (5 - length) for length in lengths]
        own = np.arange(5) < np.array(lengths)[:, None]
        expected = np.where(own[:, None, :, None], np.array(lengths)[:, None, None, None], 0)
        assert (run.grid.numpy() == np.broadcast_to(expected, (4, 2, 5, 3))).all()
        assert (run.grid.torch() == torch.from_numpy(run.grid.numpy().copy())).all()
        assert (run.mask.numpy() == ~own).all()
        missing = sum(5 - length for length in lengths)
        assert tb.copied()["padded"] - before == missing * (8 + 2 * 3 * 4 + 1)
        assert run.row(2).ids.tolist() == [1]
        assert (run.row(2).seq, run.row(2).dims) == (1, {"seq": 1})


def test_an_optional_field_is_none_when_no_record_has_it(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Text) as (_, sender, receiver):
        for _ in range(2):
            sender.send(seq=1, ids=[1], grid=0.0)
        run = receiver.receive_many(2)
        assert run.mask is None
        assert run["note"] is None
        assert run.present == {"ids": True, "grid": True, "mask": False, "note": False}
        assert run.torch()["mask"] is None


def test_an_optional_field_that_some_records_lack_is_an_error_unless_filled(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Text) as (_, sender, receiver):
        for _ in range(3):
            sender.send(seq=4, ids=[9] * 4, grid=9.0, mask=[True] * 4, note=77)
        receiver.receive_many(3).release()
        for length in (2, 3, 1):
            optional = {"mask": [False] * length, "note": 5} if length == 2 else {}
            sender.send(seq=length, ids=[1] * length, grid=0.0, **optional)
        run = receiver.receive_many(3)
        assert run.note is not None and run.mask is not None
        assert run.note.present.tolist() == [True, False, False]
        assert run.present["note"] is False
        for use in (run.note.numpy, run.note.torch, lambda: memoryview(run.note), run.numpy):
            with pytest.raises(tb.PartlyPresent, match="`note` is absent in 2 of 3 records|`mask`"):
                use()
        before = tb.copied()["padded"]
        assert run.note.filled(-1).tolist() == [5, -1, -1]
        assert tb.copied()["padded"] - before == 8
        # It stays so for this run, and nowhere else.
        assert run.note.numpy().tolist() == [5, -1, -1]
        assert run.note.present.tolist() == [True, False, False]
        assert run.row(1).note is None
        assert run.mask.filled(True).tolist() == [[False, False, True], [True] * 3, [True] * 3]
        with pytest.raises(tb.WrongDType):
            run.note.filled(0.5)
        with pytest.raises(TypeError, match="one number"):
            run.note.filled([1, 2, 3])
        assert run.ids.filled(0).tolist() == [[1, 1, -100], [1, 1, 1], [1, -100, -100]]


def test_batches_go_on_until_the_host_is_gone(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Number, slots=16) as (channel, sender, receiver):
        for value in range(10):
            sender.send(value=value)
        seen: list[int] = []
        for batch in receiver.batches(4):
            assert batch.records is not None and batch.records <= 4
            seen += batch.value.tolist()
            batch.release()
            if len(seen) == 10:
                channel.close()
        assert seen == list(range(10))


def test_runs_keep_the_order_of_every_sender_between_threads(hosts: Hosts, name: str) -> None:
    each, senders = 500, 3
    with meeting(hosts, name, Number, slots=24) as (_, _sender, receiver):
        seen: list[list[int]] = []

        def send(number: int) -> None:
            with tb.Sender(name, Number) as sender:
                for value in range(each):
                    sender.send(value=number << 32 | value)

        def receive(most: int) -> None:
            values: list[int] = []
            until = time.monotonic() + 30
            seen.append(values)
            with tb.Receiver(name, Number) as receiver:
                while sum(map(len, seen)) < each * senders and time.monotonic() < until:
                    with suppress(tb.Timeout):
                        values += receiver.receive_many(most, timeout=0.02).value.tolist()

        threads = [threading.Thread(target=send, args=(number,)) for number in range(senders)]
        threads += [threading.Thread(target=receive, args=(most,)) for most in (16, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert receiver.try_receive_many(1) is None
        for values in seen:
            for number in range(senders):
                own = [value for value in values if value >> 32 == number]
                assert own == sorted(own)
        counts = Counter(value for values in seen for value in values)
        assert len(counts) == each * senders and set(counts.values()) == {1}


def test_a_run_in_the_hand_of_a_killed_receiver_comes_back(
    hosts: Hosts, name: str, run: Callable[..., Program]
) -> None:
    with meeting(hosts, name, Image) as (channel, sender, receiver):
        send_images(sender, range(8))
        hoard = run("hoard.py", name)
        assert hoard.line() == "8"
        assert receiver.try_receive_many(8) is None
        hoard.signal(signal.SIGKILL)
        hoard.finish()
        batch = receiver.receive_many(8)
        ids = batch.id.tolist()
        while len(ids) < 8:
            ids += receiver.receive_many(8).id.tolist()
        assert sorted(ids) == list(range(8))
        assert (batch.pixels.numpy()[:, 0, 0, 0] == batch.id.numpy()).all()
        batch.release()
        assert eventually(lambda: channel.free_slots == 8)


def test_a_run_is_shown_with_its_number_and_longest_lengths(hosts: Hosts, name: str) -> None:
    with meeting(hosts, name, Text) as (_, sender, receiver):
        for length in (2, 4):
            sender.send(seq=length, ids=[0] * length, grid=0.0)
        shown = repr(receiver.receive_many(2))
        assert "a run of 2, received" in shown
        assert "[2, seq=4]" in shown
