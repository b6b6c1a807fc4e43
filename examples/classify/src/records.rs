//! The records that the Rust program and its Python workers share.

use crate::labels::CLASSES;
use crate::preprocess::ELEMENTS;
use tensorbridge::Tensor;

/// A photo ready for the network.
#[derive(Tensor)]
#[tensor(name = "classify.photo", export = "records.py")]
pub(crate) struct Photo {
    /// RGB planes, normalised with ImageNet's mean and deviation.
    #[tensor(shape = [3, 224, 224])]
    pixels: [f32; ELEMENTS],
    /// A number that the worker has torch change and send back.
    nonce: i64,
}

/// What the network says about a photo, and what its worker saw.
#[derive(Tensor)]
#[tensor(name = "classify.scores", export = "records.py")]
pub(crate) struct Scores {
    /// One logit for each of ImageNet's classes.
    logits: [f32; CLASSES],
    /// Time in the network.
    #[tensor(unit = "s")]
    network_seconds: f64,
    /// Bytes that opening the photo's fields as tensors copied.
    #[tensor(unit = "byte")]
    copied_bytes: u64,
    /// Bytes of the network's result, which assigning it to `logits` stored.
    #[tensor(unit = "byte")]
    stored_bytes: u64,
    /// Whether a private copy of the pixels gives bitwise the same logits.
    #[tensor(dtype = bool)]
    same_answer: u8,
    /// Inode of the memory that the worker sees the pixels in.
    inode: u64,
    /// Where in that memory.
    #[tensor(unit = "byte")]
    offset: u64,
    /// The photo's nonce plus one.
    echo: i64,
}

/// The answer of the worker that only reads one number.
#[derive(Tensor)]
#[tensor(name = "classify.number", export = "records.py")]
pub(crate) struct Number {
    /// The first of the photo's pixels.
    value: f32,
}
