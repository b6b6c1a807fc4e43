"""Record classes and their schemas."""

from __future__ import annotations

import pytest
import tensorbridge as tb
from records import Image, Tokens


def test_a_class_is_a_schema() -> None:
    schema = Tokens.schema
    assert (schema.name, schema.version, schema.doc) == ("test.tokens", 0, "A text of any length up to 16.")
    assert schema.dims == [("seq", 1, 16)]
    ids, mask, grid = schema.fields
    assert (ids.name, ids.dtype, ids.shape, ids.optional) == ("ids", "i64", ("seq",), False)
    assert mask.dtype == tb.bool_ == tb.bool == "bool" and mask.optional
    assert grid.shape == (2, "seq", 3)
    assert str(schema) == (
        "test.tokens\n  seq = 1..=16\n  ids: i64[seq]\n  mask: bool[seq], optional\n  grid: f32[2, seq, 3], optional"
    )


def test_the_fingerprint_is_that_of_rust() -> None:
    """The same schema, and the same number, as in tensor-core's test of golden bytes."""

    class Golden(tb.Record, name="a.b", version=2):
        n = tb.Dim(1, 4)
        x = tb.f32(n, 3, optional=True)

    assert Golden.schema.fingerprint == "72cf7d1b2e66a546ead2456a23f87e18"


def test_annotations_travel_and_do_not_count() -> None:
    class Plain(tb.Record, name="test.same"):
        x = tb.u8(3)

    class Annotated(tb.Record, name="test.same"):
        """Documented."""

        x = tb.u8(3, unit="m", doc="Where.", pad=7)

    assert Plain.schema == Annotated.schema and hash(Plain.schema) == hash(Annotated.schema)
    (field,) = tb.Schema.decode(Annotated.schema.encode()).fields
    assert (field.unit, field.doc, field.pad, field.align) == ("m", "Where.", 7, 0)
    assert tb.Schema.decode(Annotated.schema.encode()).doc == "Documented."


def test_a_difference_is_named() -> None:
    class Other(tb.Record, name="test.image"):
        pixels = tb.f32(3, 4, 6)
        id = tb.u64()

    assert Image.schema.difference(Image.schema) is None
    assert Image.schema.difference(Other.schema) == (
        "field pixels: `pixels: f32[3, 4, 5]` here, `pixels: f32[3, 4, 6]` there"
    )
    assert Image.schema != Other.schema and Image.schema != "test.image"


def test_every_dtype_makes_fields() -> None:
    for name, size in tb._core.dtypes():
        dtype = getattr(tb, name)
        assert isinstance(dtype, tb.DType) and dtype == name and dtype.itemsize == size
        assert repr(dtype) == f"tb.{name}"
        one = type("One", (tb.Record,), {"x": dtype(2)}, name="test.one")
        record = one.empty(3)
        assert record.x.dtype == dtype and record.x.nbytes == 6 * size


def test_what_breaks_a_rule_is_an_error() -> None:
    with pytest.raises(tb.InvalidSchema, match="Bad Name") as caught:
        type("X", (tb.Record,), {"x": tb.u8()}, name="Bad Name")
    assert caught.value.code == "TB101" and isinstance(caught.value, ValueError)
    with pytest.raises(tb.InvalidSchema, match="must be at least 1"):
        type("X", (tb.Record,), {"x": tb.u8(0)}, name="x")
    with pytest.raises(tb.InvalidSchema, match="0 fields"):
        type("X", (tb.Record,), {}, name="x")
    with pytest.raises(tb.InvalidSchema, match="no field uses it"):
        type("X", (tb.Record,), {"n": tb.Dim(1, 2), "x": tb.u8()}, name="x")
    with pytest.raises(tb.InvalidSchema, match="power of two"):
        type("X", (tb.Record,), {"x": tb.u8(align=48)}, name="x")
    with pytest.raises(tb.InvalidSchema, match="1 to 64"):
        type("X", (tb.Record,), {f"x{number}": tb.u8() for number in range(65)}, name="x")
    with pytest.raises(tb.WrongDType, match="a pad of 300"):
        type("X", (tb.Record,), {"x": tb.u8(pad=300)}, name="x")
    with pytest.raises(tb.WrongShape, match="at most 8 dimensions"):
        type("X", (tb.Record,), {"x": tb.u8(*[1] * 9)}, name="x")
    with pytest.raises(tb.SchemaForm):
        tb.Schema.decode(b"nonsense")


def test_what_is_no_declaration_is_an_error() -> None:
    with pytest.raises(TypeError, match="needs a name"):
        type("X", (tb.Record,), {"x": tb.u8()})
    with pytest.raises(TypeError, match="does not declare"):
        type("X", (tb.Record,), {"x": tb.u8(tb.Dim(1, 2))}, name="x")
    with pytest.raises(TypeError, match="expected a number"):
        type("X", (tb.Record,), {"x": tb.u8("3")}, name="x")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="expected a number"):
        type("X", (tb.Record,), {"x": tb.u8(-3)}, name="x")
    shared = tb.u8()
    type("X", (tb.Record,), {"x": shared}, name="x")
    with pytest.raises(TypeError, match="belongs to another record"):
        type("Y", (tb.Record,), {"x": shared}, name="y")
    with pytest.raises(TypeError, match="cannot extend"):
        type("Z", (Image,), {"x": tb.u8()}, name="z")
    with pytest.raises(TypeError, match=r"Image\.empty\(n\)"):
        Image()


def test_a_class_may_have_methods_of_its_own() -> None:
    class Bright(Image):
        def brighten(self) -> None:
            self.pixels[:] = self.pixels.numpy() + 1

    record = Bright.empty(1)
    record.brighten()
    assert Bright.schema is Image.schema and record.pixels[0, 0, 0, 0] == 1.0


def test_fields_called_like_methods_are_items() -> None:
    record_class = type("X", (tb.Record,), {"values": tb.u8(2), "send": tb.u8(), "_handle": tb.u8()}, name="x")
    record = record_class.empty(1)
    record["values"], record["send"], record["_handle"] = [[1, 2]], 3, 4
    assert [int(field) for field in (record["send"], record["_handle"])] == [3, 4]
    assert callable(record.send) and len(list(record.values())) == 3
    with pytest.raises(AttributeError):
        record.values = 1
    record.set(values=[[5, 6]])
    assert record["values"].tolist() == [[5, 6]]
