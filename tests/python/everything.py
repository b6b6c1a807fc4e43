"""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb


# Rust: `Everything` in tests/python.rs
class Everything(tb.Record, name="python.everything"):
    """A field of every dtype."""

    bool_ = tb.bool_(3)
    u8 = tb.u8(3)
    u16 = tb.u16(3)
    u32 = tb.u32(3)
    u64 = tb.u64(3)
    i8 = tb.i8(3)
    i16 = tb.i16(3)
    i32 = tb.i32(3)
    i64 = tb.i64(3)
    f16 = tb.f16(3)
    bf16 = tb.bf16(3)
    f32 = tb.f32(3)
    f64 = tb.f64(3)
    c64 = tb.c64(3)
    c128 = tb.c128(3)
    f8_e4m3fn = tb.f8_e4m3fn(3)
    f8_e5m2 = tb.f8_e5m2(3)


# Rust: `Scene` in tests/python.rs
class Scene(tb.Record, name="python.scene"):
    """Something, and where it is and was."""

    class Pose(tb.Record, name="python.scene.pose"):
        points = tb.Dim(1, 4)
        position = tb.f32(3)
        outline = tb.f32(points, 2, optional=True)

    class Last(tb.Record, name="python.scene.last"):
        points = tb.Dim(1, 4)
        position = tb.f32(3)
        outline = tb.f32(points, 2, optional=True)

    id = tb.u64()
    pose = tb.nested(Pose)
    last = tb.nested(Last, optional=True)


# Rust: `Seen` in tests/python.rs
class Seen(tb.Record, name="python.seen"):
    """What a worker saw of a text."""

    inode = tb.u64()
    offset = tb.u64()
    length = tb.u64()
    total = tb.i64()
    numpy_is_torch = tb.bool_()
    copied = tb.u64(doc="Bytes that an export copied.")


# Rust: `Text` in tests/python.rs
class Text(tb.Record, name="python.text"):
    """A text of tokens."""

    seq = tb.Dim(1, 512)
    ids = tb.i64(seq)


# Rust: `Word` in tests/python.rs
class Word(tb.Record, name="python.word"):
    """Four numbers."""

    value = tb.f32(4)
