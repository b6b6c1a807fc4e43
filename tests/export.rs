//! Generated Python modules: the files in `tests/export/` are what the derive's own tests in this file compare.

use tensorbridge::Tensor;
use tensorbridge::view::Record;

/// A photo ready for the classifier.
///
/// Normalised as "ImageNet" says.
#[derive(Tensor)]
#[tensor(name = "vision.image", version = 3, export = "tests/export/records.py")]
struct Image {
    /// RGB planes, normalised.
    #[tensor(dtype = bf16, shape = [3, 8, 8])]
    pixels: [u16; 3 * 8 * 8],
    /// The caller's number for this photo.
    id: u64,
    /// How far the camera was away; unknown for
    /// most photos.
    #[tensor(optional, unit = "m", align = 64, pad = -1.0)]
    distance: f32,
}

/// What the classifier thinks.
#[derive(Tensor)]
#[tensor(name = "vision.scores", dims(k = 1..=5), export = "tests/export/records.py")]
struct Scores {
    logits: [f32; 1000],
    #[tensor(shape = [k], optional, rename = "class_")]
    class: [i64; 5],
    #[tensor(shape = [2, k], dtype = bool, optional, pad = true)]
    sure: [u8; 10],
}

/// Where something is.
#[derive(Tensor)]
#[tensor(name = "geometry.pose", dims(points = 1..=8), export = "tests/export/records.py")]
struct Pose {
    /// In the world.
    #[tensor(unit = "m")]
    position: [f32; 3],
    #[tensor(shape = [points, 2], optional)]
    outline: [[f32; 2]; 8],
}

/// Two things that were seen.
#[derive(Tensor)]
#[tensor(name = "vision.scene", dims(n = ..=2), export = "tests/export/records.py")]
struct Scene {
    #[tensor(nested)]
    robot_pose: Pose,
    #[tensor(shape = [n])]
    weights: [f32; 2],
    #[tensor(nested, optional)]
    image: Image,
    #[tensor(nested)]
    inner: Inner,
}

/// It has a nested record itself.
#[derive(Tensor)]
#[tensor(name = "vision.inner")]
struct Inner {
    #[tensor(nested, optional)]
    pose: Pose,
    id: u64,
}

#[test]
fn a_class_can_be_had_at_run_time() {
    let module = Image::SCHEMA.python_module("Image");
    let file = std::fs::read_to_string("tests/export/records.py").expect("the tests run in the package");
    let class = Image::SCHEMA.python_class("Image");
    assert!(module.ends_with(&class) && file.contains(&class), "{class}");
    assert!(file.contains(&Scores::SCHEMA.python_class("Scores")));
}
