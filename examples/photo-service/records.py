"""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb


# Rust: `Photo` in src/records.rs
class Photo(tb.Record, name="photo_service.photo"):
    """A photo ready for the network."""

    pixels = tb.f32(
        3, 224, 224, doc="RGB planes, normalised with ImageNet's mean and deviation."
    )


# Rust: `Scores` in src/records.rs
class Scores(tb.Record, name="photo_service.scores"):
    """What the network says about a photo."""

    logits = tb.f32(1000, doc="One logit for each of ImageNet's classes.")
