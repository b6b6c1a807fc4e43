//! The only names that generated code uses. Nothing here is for people.

pub use core;
pub use ndarray;

pub use crate::error::Error;
pub use crate::schema::{DType, Dim, Element, Extent, Field, Pad, Schema, Shape, Storage};
pub use crate::view::{RawView, Record};
