//! The records that the service and its Python workers share.

use imagenet::labels::CLASSES;
use imagenet::preprocess::ELEMENTS;
use tensorbridge::Tensor;

/// A photo ready for the network.
#[derive(Tensor)]
#[tensor(name = "photo_service.photo", export = "records.py")]
pub(crate) struct Photo {
    /// RGB planes, normalised with ImageNet's mean and deviation.
    #[tensor(shape = [3, 224, 224])]
    pixels: [f32; ELEMENTS],
}

/// What the network says about a photo.
#[derive(Tensor)]
#[tensor(name = "photo_service.scores", export = "records.py")]
pub(crate) struct Scores {
    /// One logit for each of ImageNet's classes.
    logits: [f32; CLASSES],
}
