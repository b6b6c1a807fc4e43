"""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb


# Rust: `Field` in tests/hygiene.rs
class Field(tb.Record, name="field"):
    """A class of the module `hygiene.py`."""

    id = tb.u64()
