//! The only names that generated code uses. Nothing here is for people.

mod check;
mod opaque;
mod text;

pub use core;
pub use ndarray;

pub use crate::error::Error;
pub use crate::schema::export_file::check_export;
pub use crate::schema::nested::{Part, dims, dims_before, fields, fields_before, names, names_len};
pub use crate::schema::{DType, Dim, Element, Extent, Field, Pad, Schema, Shape, Storage};
pub use crate::view::nested::{Here, Nested, There};
pub use crate::view::{RawRun, RawView, Record};
pub use check::{
    at_most_dims, at_most_fields, check_dtype, check_extent, check_field, check_layout, check_pad,
    check_part, check_shape, check_target, padding,
};
pub use opaque::{ArrayIn, Fits, LaidOut, NestedLayout, NoView, ScalarIn, pad, record_size};

/// Of the target that is compiled for.
pub const LITTLE_ENDIAN: bool = cfg!(target_endian = "little");
