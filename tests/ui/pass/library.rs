//! A library's public records have documented views; a lint level of the user's is not touched.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code, unused_qualifications)]

/// Records.
pub mod records {
    use tensorbridge::Tensor;

    type Stamp = u64;

    /// A photo.
    #[derive(Tensor, Debug, Clone, Copy)]
    pub struct Image {
        /// The planes.
        pub pixels: [[f32; 4]; 3],
        /// When.
        pub(crate) stamp: Stamp,
        id: u64,
    }

    /// Only for this crate.
    #[derive(Tensor)]
    #[repr(C, packed)]
    pub(crate) struct Packed {
        small: u8,
        large: u64,
    }
}

use records::{ImageMut, ImageRef, Packed};

fn copy(from: &ImageRef, to: &mut ImageMut) {
    to.pixels_mut().copy_from_slice(from.pixels());
    to.set_stamp(from.stamp());
    to.set_id(from.id());
}

fn main() {
    let _: fn(&ImageRef, &mut ImageMut) = copy;
    let mut packed = tensorbridge::view::Owned::<Packed>::zeroed();
    packed.set_large(3);
    assert_eq!((packed.small(), packed.large()), (0, 3));
}
