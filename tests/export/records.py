"""Records that tensorbridge generated from Rust: do not edit.

`TENSORBRIDGE_EXPORT=write cargo test` writes them again after a change in Rust.
"""

import tensorbridge as tb


# Rust: `Image` in tests/export.rs
class Image(tb.Record, name="vision.image", version=3):
    """A photo ready for the classifier.

    Normalised as "ImageNet" says.
    """

    pixels = tb.bf16(3, 8, 8, doc="RGB planes, normalised.")
    id = tb.u64(doc="The caller's number for this photo.")
    distance = tb.f32(
        optional=True,
        align=64,
        pad=-1.0,
        unit="m",
        doc="How far the camera was away; unknown for\nmost photos.",
    )


# Rust: `Pose` in tests/export.rs
class Pose(tb.Record, name="geometry.pose"):
    """Where something is."""

    points = tb.Dim(1, 8)
    position = tb.f32(3, unit="m", doc="In the world.")
    outline = tb.f32(points, 2, optional=True)


# Rust: `Scene` in tests/export.rs
class Scene(tb.Record, name="vision.scene"):
    """Two things that were seen."""

    class RobotPose(tb.Record, name="vision.scene.robot_pose"):
        points = tb.Dim(1, 8)
        position = tb.f32(3, unit="m", doc="In the world.")
        outline = tb.f32(points, 2, optional=True)

    class Image(tb.Record, name="vision.scene.image"):
        pixels = tb.bf16(3, 8, 8, doc="RGB planes, normalised.")
        id = tb.u64(doc="The caller's number for this photo.")
        distance = tb.f32(
            optional=True,
            align=64,
            pad=-1.0,
            unit="m",
            doc="How far the camera was away; unknown for\nmost photos.",
        )

    class Inner(tb.Record, name="vision.scene.inner"):
        class Pose(tb.Record, name="vision.scene.inner.pose"):
            points = tb.Dim(1, 8)
            position = tb.f32(3, unit="m", doc="In the world.")
            outline = tb.f32(points, 2, optional=True)

        pose = tb.nested(Pose, optional=True)
        id = tb.u64()

    n = tb.Dim(0, 2)
    robot_pose = tb.nested(RobotPose)
    weights = tb.f32(n)
    image = tb.nested(Image, optional=True)
    inner = tb.nested(Inner)


# Rust: `Scores` in tests/export.rs
class Scores(tb.Record, name="vision.scores"):
    """What the classifier thinks."""

    k = tb.Dim(1, 5)
    logits = tb.f32(1000)
    class_ = tb.i64(k, optional=True)
    sure = tb.bool_(2, k, optional=True, pad=True)
