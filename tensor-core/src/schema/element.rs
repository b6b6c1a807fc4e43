//! Which Rust types can be the elements, and which the storage, of a field.

use half::{bf16, f16};
use ndarray::{Dimension, Ix0};
use num_complex::Complex;

use super::{DType, Extent, Shape};

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that is one element of a field: plain bits, any pattern of which is a value.
pub trait Element: bytemuck::Pod + sealed::Sealed + Send + Sync {
    /// The dtype that this type stands for when none is stated.
    const DTYPE: DType;
}

/// A Rust type that can be the storage of a field: an element, or an array of storages.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot live in shared memory",
    label = "neither a number nor an array of numbers",
    note = "a field is `u8`..`u64`, `i8`..`i64`, `f32`, `f64`, `half::f16`, `half::bf16`, `Complex<f32>`, \
            `Complex<f64>`, or an array of one of these, of any nesting",
    note = "any bytes may arrive in a field, and no destructor runs on them; a struct with `#[derive(Tensor)]` \
            is a field with `#[tensor(nested)]`, and for any other struct give its fields to this one"
)]
pub trait Storage {
    /// The type at the bottom of the arrays.
    type Element: Element;
    /// The shape that the nesting of the arrays spells; rank 0 for a bare element.
    const SHAPE: Shape;
    /// Number of array levels, which may be more than a [`Shape`] can hold.
    const DEPTH: usize;
    /// Number of elements; `usize::MAX` when there are more.
    const LEN: usize;
    /// The static rank of an [`ndarray`] view of it.
    type Rank: Dimension;
    /// What reading a field gives: an element by value, an array as a slice of elements.
    type Read<'a>;

    /// Makes [`Storage::Read`] of the elements of a field, of which there is one when it has no dimensions.
    fn read(elements: &[Self::Element]) -> Self::Read<'_>;

    /// What is known of it, as one value.
    const FACTS: StorageFacts = StorageFacts {
        dtype: <Self::Element as Element>::DTYPE,
        shape: Self::SHAPE,
        depth: Self::DEPTH,
        len: Self::LEN,
    };
}

/// What a [`Storage`] is, as a value.
#[derive(Clone, Copy, Debug)]
pub struct StorageFacts {
    /// The dtype of its element.
    pub dtype: DType,
    /// [`Storage::SHAPE`].
    pub shape: Shape,
    /// [`Storage::DEPTH`].
    pub depth: usize,
    /// [`Storage::LEN`].
    pub len: usize,
}

#[diagnostic::do_not_recommend]
impl<T: Storage, const N: usize> Storage for [T; N] {
    type Element = T::Element;
    const SHAPE: Shape = T::SHAPE.nested_in(Extent::Fixed(N as u64));
    const DEPTH: usize = T::DEPTH + 1;
    const LEN: usize = T::LEN.saturating_mul(N);
    type Rank = <T::Rank as Dimension>::Larger;
    type Read<'a> = &'a [T::Element];

    fn read(elements: &[T::Element]) -> &[T::Element] {
        elements
    }
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident),* $(,)?) => {$(
        impl sealed::Sealed for $rust {}
        #[diagnostic::do_not_recommend]
        impl Element for $rust {
            const DTYPE: DType = DType::$dtype;
        }
        #[diagnostic::do_not_recommend]
        impl Storage for $rust {
            type Element = $rust;
            const SHAPE: Shape = Shape::SCALAR;
            const DEPTH: usize = 0;
            const LEN: usize = 1;
            type Rank = Ix0;
            type Read<'a> = $rust;

            fn read(elements: &[$rust]) -> $rust {
                elements[0]
            }
        }
    )*};
}

elements! {
    u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64,
    f16 => F16, bf16 => BF16, f32 => F32, f64 => F64,
    Complex<f32> => C64, Complex<f64> => C128,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_spells_the_shape() {
        let shape = <[[[f32; 224]; 200]; 3] as Storage>::SHAPE;
        assert_eq!(shape.extents(), [Extent::Fixed(3), Extent::Fixed(200), Extent::Fixed(224)]);
        assert_eq!(<[[[f32; 224]; 200]; 3] as Storage>::LEN, 3 * 200 * 224);
        assert_eq!(<u8 as Storage>::SHAPE.rank(), 0);
    }

    #[test]
    fn every_element_has_the_size_of_its_dtype() {
        fn check<E: Element>() {
            assert_eq!(size_of::<E>(), E::DTYPE.size());
        }
        check::<u8>();
        check::<i64>();
        check::<f16>();
        check::<bf16>();
        check::<Complex<f32>>();
        check::<Complex<f64>>();
    }
}
