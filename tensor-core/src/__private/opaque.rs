//! What generated code needs where only the compiler knows whether a field is a number or an array: an alias.

use crate::schema::{DType, Element, Pad, Storage};

/// A storage that is a single element. `T` only makes the bound depend on a parameter, so that a method with it may
/// exist, uncallable, where it does not hold.
#[diagnostic::on_unimplemented(
    message = "this field has dimensions",
    note = "write it through its `_mut()` method"
)]
pub trait ScalarIn<T: ?Sized>: Storage {}

impl<E: Element + Storage, T: ?Sized> ScalarIn<T> for E {}

/// A storage that is an array; `T` as in [`ScalarIn`].
#[diagnostic::on_unimplemented(
    message = "this field has no dimensions",
    note = "write it through its `set_` method"
)]
pub trait ArrayIn<T: ?Sized>: Storage {}

impl<S: Storage, const N: usize, T: ?Sized> ArrayIn<T> for [S; N] {}

/// What reading a field gives: an element by value, an array as a slice of elements.
pub trait StorageRead: Storage {
    /// `E`, or `&[E]`.
    type Read<'a>;

    /// Makes it from the slice, which has one element for a field without dimensions.
    fn read(elements: &[Self::Element]) -> Self::Read<'_>;
}

impl<E: Element + Storage<Element = E>> StorageRead for E {
    type Read<'a> = E;

    fn read(elements: &[E]) -> E {
        elements[0]
    }
}

impl<S: Storage, const N: usize> StorageRead for [S; N] {
    type Read<'a> = &'a [S::Element];

    fn read(elements: &[S::Element]) -> &[S::Element] {
        elements
    }
}

/// Chooses the Rust type of a field for the layout, if its bytes fit the address space. Where they do not, the error
/// has been reported, and the compiler shall not report it once more.
pub struct Fits<const FITS: bool>;

/// See [`Fits`].
pub trait LaidOut<T> {
    /// `T` or a stand-in.
    type Type;
}

impl<T> LaidOut<T> for Fits<true> {
    type Type = T;
}

impl<T> LaidOut<T> for Fits<false> {
    type Type = u8;
}

/// The pad for a field of `dtype`, stated as an integer or as a float.
#[must_use]
pub const fn pad(dtype: DType, stated: Pad) -> Pad {
    match stated {
        Pad::Int(value) if dtype.is_float() => Pad::Float(value as f64),
        stated => stated,
    }
}
