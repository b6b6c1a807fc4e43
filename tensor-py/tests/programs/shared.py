"""Records that several tests use."""

from __future__ import annotations

import tensorbridge as tb


class Image(tb.Record, name="test.image"):
    """A small picture."""

    pixels = tb.f32(3, 4, 5, doc="RGB planes.", unit="nit")
    id = tb.u64(doc="The caller's number.")


class Scores(tb.Record, name="test.scores"):
    """What is thought of a picture."""

    logits = tb.f32(10)
    best = tb.i32()


class Number(tb.Record, name="test.number"):
    """One number."""

    value = tb.i64()


class Tokens(tb.Record, name="test.tokens"):
    """A text of any length up to 16."""

    seq = tb.Dim(1, 16)
    ids = tb.i64(seq)
    mask = tb.bool_(seq, optional=True)
    grid = tb.f32(2, seq, 3, optional=True)
