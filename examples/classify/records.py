"""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb


# Rust: `Number` in src/records.rs
class Number(tb.Record, name="classify.number"):
    """The answer of the worker that only reads one number."""

    value = tb.f32(doc="The first of the photo's pixels.")


# Rust: `Photo` in src/records.rs
class Photo(tb.Record, name="classify.photo"):
    """A photo ready for the network."""

    pixels = tb.f32(
        3, 224, 224, doc="RGB planes, normalised with ImageNet's mean and deviation."
    )
    nonce = tb.i64(doc="A number that the worker has torch change and send back.")


# Rust: `Scores` in src/records.rs
class Scores(tb.Record, name="classify.scores"):
    """What the network says about a photo, and what its worker saw."""

    logits = tb.f32(1000, doc="One logit for each of ImageNet's classes.")
    network_seconds = tb.f64(unit="s", doc="Time in the network.")
    copied_bytes = tb.u64(
        unit="byte", doc="Bytes that opening the photo's fields as tensors copied."
    )
    stored_bytes = tb.u64(
        unit="byte",
        doc="Bytes of the network's result, which assigning it to `logits` stored.",
    )
    same_answer = tb.bool_(
        doc="Whether a private copy of the pixels gives bitwise the same logits."
    )
    inode = tb.u64(doc="Inode of the memory that the worker sees the pixels in.")
    offset = tb.u64(unit="byte", doc="Where in that memory.")
    echo = tb.i64(doc="The photo's nonce plus one.")
