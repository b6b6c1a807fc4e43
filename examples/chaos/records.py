"""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb


# Rust: `Answer` in src/model.rs
class Answer(tb.Record, name="chaos.answer"):
    """Numbers that follow from the question's."""

    id = tb.u64()
    numbers = tb.u64(256, doc="Each number of the question, changed.")
    sum = tb.u64(doc="Of the question's numbers, each times its place.")


# Rust: `Question` in src/model.rs
class Question(tb.Record, name="chaos.question"):
    """Numbers that follow from the id, so that whoever has the question can tell whether it is whole."""

    id = tb.u64()
    numbers = tb.u64(256)
