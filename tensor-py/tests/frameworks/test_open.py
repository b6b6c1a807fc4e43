"""Opening a field of every dtype: on the record's memory, or a copy that is counted and that `strict` refuses.

What is seen goes into a file, for the table in `docs/frameworks.md`.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
from conftest import Hosts, answering
from framework import DTYPES, FRAMEWORK

KINDS = {
    "full": "fields whose size per record is a multiple of 64 bytes",
    "odd": "fields of any other size",
    "cut": "fields with a symbolic dimension that is shorter than its capacity and not the first",
}


def declare() -> type[tb.Record]:
    """A record with a field of every dtype and of every kind."""
    seq = tb.Dim(1, 16)
    fields: dict[str, Any] = {"seq": seq}
    for name in DTYPES:
        dtype = getattr(tb, name)
        fields |= {f"{name}_full": dtype(8, 8), f"{name}_odd": dtype(3), f"{name}_cut": dtype(2, seq, optional=True)}
    return type(tb.Record)("Kinds", (tb.Record,), fields, name="test.kinds")


Kinds = declare()


def fill(record: tb.Record) -> dict[str, int]:
    """Ones everywhere; gives the address of each field."""
    record.seq = 5  # type: ignore[attr-defined]
    for name in record:
        record[name] = 1
    return {name: field.data_ptr for name, field in record.items() if field is not None}


def loan_elsewhere(loan: Callable[[], Any], stack: ExitStack, field: str = "f32_odd") -> Any:
    """A loan of a slot other than the first, which is where every field begins a page. The others are held for as long."""
    for _ in range(3):
        record = loan()
        if record[field].data_ptr % 4096:
            return record
        stack.callback(record.release)
    raise AssertionError("no slot is where it should be")


def see(field: tb.Field, place: int) -> str:
    """Opens a field of ones whose memory can be written at `place`, and says what it got."""
    size = getattr(tb, field.dtype).itemsize
    before = tb.copied()
    try:
        tensor = FRAMEWORK.open(field)
    except tb.Error as error:
        return f"error {error.code}"
    copied = {reason: now - before[reason] for reason, now in tb.copied().items() if now != before[reason]}
    assert tuple(tensor.shape) == field.shape
    assert (FRAMEWORK.numbers(tensor) == 1).all()
    ctypes.memset(place, 0, size)
    left = np.asarray(FRAMEWORK.numbers(tensor)).ravel()[0]
    if FRAMEWORK.address(tensor) == field.data_ptr:
        assert copied == {}, "an alias copies nothing"
        assert left == 0, "an alias shows what is written"
        return "alias"
    assert left == 1, "a copy is one"
    assert set(copied.values()) == {field.nbytes}, "every byte that is copied is counted"
    with pytest.raises(tb.NeedsCopy) as caught:
        FRAMEWORK.open(field, strict=True)
    assert caught.value.code == "TB409" and field.name in str(caught.value) and FRAMEWORK.label in str(caught.value)
    assert FRAMEWORK.may_copy
    return f"copied ({', '.join(copied)})"


def seen_in_a_record(hosts: Hosts, name: str) -> dict[str, str]:
    hosts.channel(name, Kinds, slots=3)
    with tb.Sender(name) as sender, tb.Receiver(name, Kinds) as receiver:
        with ExitStack() as stack:
            record = loan_elsewhere(sender.loan, stack)
            places = fill(record)
            record.send()
        with receiver.receive() as got:
            return {key: see(field, places[key]) for key, field in got.items() if field is not None}


def seen_in_a_run(hosts: Hosts, name: str) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = {key: set() for key in Kinds.empty(1)}
    places: dict[str, int] = {}

    def handler(request: tb.Record, reply: tb.Record) -> None:
        with context():
            for key, field in request.items():
                assert field is not None
                seen[key].add(see(field, places[key]))
        fill(reply)

    context = CONTEXT[0]
    hosts.service(name, Kinds, Kinds, slots=3)
    with answering(name, handler), tb.Client(name, Kinds, Kinds) as client, ExitStack() as stack:
        request = loan_elsewhere(client.loan, stack)
        places |= fill(request)
        request.call().release()
    run = Kinds.empty(3)
    places |= fill(run)
    for key, field in run.items():
        assert field is not None
        seen[key].add(see(field, places[key]))
    return seen


def worse(cell: str) -> tuple[bool, int]:
    """A key that is largest for what copies most."""
    return cell != "alias", len(cell)


CONTEXT: list[Any] = [nullcontext]
"""What the framework is used in; each thread enters it for itself."""


def contexts() -> dict[str, Any]:
    if FRAMEWORK.label != "JAX":
        return {FRAMEWORK.label: nullcontext}
    import jax

    def x64() -> AbstractContextManager[Any]:
        entered: AbstractContextManager[Any] = jax.enable_x64(True)
        return entered

    return {"JAX": nullcontext, "JAX with x64": x64}


@pytest.mark.parametrize("label", list(contexts()))
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")
def test_every_dtype_is_an_alias_or_a_counted_copy(hosts: Hosts, name: str, label: str) -> None:
    # A check of requests would find what this test writes into them.
    os.environ["TENSORBRIDGE_CHECK_REQUESTS"] = "0"
    context = contexts()[label]
    CONTEXT[0] = context
    with ExitStack() as stack:
        stack.callback(os.environ.__setitem__, "TENSORBRIDGE_CHECK_REQUESTS", "1")
        stack.enter_context(context())
        record = seen_in_a_record(hosts, f"{name}.record")
        run = seen_in_a_run(hosts, f"{name}.run")
    # A run that begins anywhere does as well as the worst of these.
    rows = {
        f"{dtype}_{kind}": [record[f"{dtype}_{kind}"], max(run[f"{dtype}_{kind}"], key=worse)]
        for kind in KINDS
        for dtype in DTYPES
    }
    if not FRAMEWORK.may_copy:
        assert {cell for cells in rows.values() for cell in cells} == {"alias"}
    assert all(rows[f"{dtype}_full"][0] == "alias" for dtype in ("u8", "f32", "bf16", "bool", "c64"))
    if directory := os.environ.get("TENSORBRIDGE_SEEN"):
        (Path(directory) / f"{label}.json").write_text(json.dumps(rows))


def test_a_strict_endpoint_refuses_copies(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Kinds, slots=3)
    with tb.Sender(name, strict=True) as sender, tb.Receiver(name, Kinds, strict=True) as receiver:
        with ExitStack() as stack:
            record = loan_elsewhere(sender.loan, stack)
            fill(record)
            record.send()
        with receiver.receive() as got:
            full, odd, cut = got["f32_full"], got["f32_odd"], got["f32_cut"]
            assert full is not None and odd is not None and cut is not None
            assert FRAMEWORK.address(FRAMEWORK.open(full)) == full.data_ptr
            for field, words in ((odd, "align=64"), (cut, "rows are apart")):
                if not FRAMEWORK.may_copy:
                    FRAMEWORK.open(field)
                    continue
                before = tb.copied()
                with pytest.raises(tb.NeedsCopy, match=words) as caught:
                    FRAMEWORK.open(field)
                assert isinstance(caught.value, BufferError)
                assert tb.copied() == before
                assert (FRAMEWORK.numbers(FRAMEWORK.open(field, strict=False)) == 1).all()


def test_a_small_field_that_is_aligned_is_no_copy(hosts: Hosts, name: str) -> None:
    class Aligned(tb.Record, name="test.aligned"):
        value = tb.f32(3, align=64)

    hosts.channel(name, Aligned, slots=3)
    with tb.Sender(name, strict=True) as sender, tb.Receiver(name, Aligned, strict=True) as receiver:
        with ExitStack() as stack:
            record = loan_elsewhere(sender.loan, stack, "value")
            record.value = [1.0, 2.0, 3.0]
            record.send()
        with receiver.receive() as got:
            tensor = FRAMEWORK.open(got.value)
            assert FRAMEWORK.address(tensor) == got.value.data_ptr
            assert FRAMEWORK.numbers(tensor).tolist() == [1, 2, 3]


def test_a_dict_of_a_record() -> None:
    class Two(tb.Record, name="test.two"):
        value = tb.f32(3, 16)
        other = tb.i32(16, optional=True)

    record = Two.empty(2)
    record.value = 2
    tensors = FRAMEWORK.open_all(record)
    assert list(tensors) == ["value", "other"]
    assert (FRAMEWORK.numbers(tensors["value"]) == 2).all() and tuple(tensors["other"].shape) == (2, 16)


def test_shapes_of_every_rank() -> None:
    class Shapes(tb.Record, name="test.shapes"):
        none = tb.f32()
        seven = tb.f32(1, 2, 1, 2, 1, 2, 2)

    record = Shapes.empty(1)
    record.none = 2.0
    record.seven = np.arange(16, dtype=np.float32).reshape(1, 1, 2, 1, 2, 1, 2, 2)
    assert FRAMEWORK.numbers(FRAMEWORK.open(record.none)).tolist() == [2]
    assert FRAMEWORK.numbers(FRAMEWORK.open(record.seven)).ravel().tolist() == list(range(16))


def test_a_record_that_is_gone_cannot_be_opened() -> None:
    class One(tb.Record, name="test.one"):
        value = tb.f32(16)

    record = One.empty(1)
    field = record.value
    tensor = FRAMEWORK.open(field)
    record.release()
    with pytest.raises(tb.Released):
        FRAMEWORK.open(field)
    assert (FRAMEWORK.numbers(tensor) == 0).all(), "an alias outlives the record"
