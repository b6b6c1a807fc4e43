//! What generated code needs where only the compiler knows whether a field is a number or an array: an alias.

use crate::schema::{DType, Element, Pad, Schema, Storage};

/// A field type that is a single element. `T` only makes the bound depend on a parameter, so that a method with it may
/// exist, out of reach, where it does not hold. For the same reason it has no supertrait.
#[diagnostic::on_unimplemented(
    message = "this field has dimensions",
    note = "write it through its `_mut()` method"
)]
pub trait ScalarIn<T: ?Sized> {
    /// The type itself.
    type Element: Element;

    /// The value itself.
    fn element(self) -> Self::Element;
}

#[diagnostic::do_not_recommend]
impl<E: Element, T: ?Sized> ScalarIn<T> for E {
    type Element = E;

    fn element(self) -> E {
        self
    }
}

/// A field type that is an array; `T` as in [`ScalarIn`].
#[diagnostic::on_unimplemented(
    message = "this field has no dimensions",
    note = "write it through its `set_` method"
)]
pub trait ArrayIn<T: ?Sized> {}

#[diagnostic::do_not_recommend]
impl<S: Storage, const N: usize, T: ?Sized> ArrayIn<T> for [S; N] {}

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

/// The writable view of what is no record, which was reported.
pub struct NoView;

impl core::ops::Deref for NoView {
    type Target = ();

    fn deref(&self) -> &() {
        &()
    }
}

/// The place of a nested record of `SIZE` bytes in the layout.
#[repr(C, align(64))]
pub struct NestedLayout<const SIZE: usize>([u8; SIZE]);

/// The bytes of an owned record; 0 when they exceed the address space, which is reported where it was declared.
#[must_use]
pub const fn record_size(schema: &Schema) -> usize {
    match schema.record_offset(schema.fields().len()) {
        Some(size) => size,
        None => 0,
    }
}

/// The pad for a field of `dtype`, stated as an integer or as a float.
#[must_use]
pub const fn pad(dtype: DType, stated: Pad) -> Pad {
    match stated {
        Pad::Int(value) if dtype.is_float() => Pad::Float(value as f64),
        stated => stated,
    }
}
