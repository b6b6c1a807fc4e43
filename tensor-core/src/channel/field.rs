//! A field as address, dtype, shape and strides, by its name.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::arena::{Claim, Half};
use crate::error::Error;
use crate::schema::{DType, MAX_RANK, Schema};
use crate::view::{Owned, RawParts, Record};

/// A record whose fields can be asked for by name.
pub(crate) trait Fields {
    fn schema(&self) -> &'static Schema;

    fn parts(&self) -> RawParts;

    /// Whether a field that is absent has a value nevertheless: what is to be written.
    const IS_WRITABLE: bool;
}

/// One of them that is in a slot.
pub(crate) trait InSlot: Fields {
    fn claim(&self) -> &Claim;

    fn half(&self) -> Half;
}

impl<R: Record> Fields for Owned<R> {
    fn schema(&self) -> &'static Schema {
        R::SCHEMA
    }

    fn parts(&self) -> RawParts {
        Owned::parts_of(self)
    }

    const IS_WRITABLE: bool = true;
}

/// Says of a type that its `record` is in a slot.
macro_rules! in_slot {
    ($name:ident, $holder:ty, $record:ident, [$($parameter:ident $(: $bound:ident)?),+], $writable:literal) => {
        impl<$($parameter $(: $bound)?),+> $crate::channel::Fields for $holder {
            fn schema(&self) -> &'static $crate::schema::Schema {
                $record::SCHEMA
            }

            fn parts(&self) -> $crate::view::RawParts {
                self.record.parts()
            }

            const IS_WRITABLE: bool = $writable;
        }

        impl<$($parameter $(: $bound)?),+> $crate::channel::InSlot for $holder {
            fn claim(&self) -> &$crate::arena::Claim {
                self.record.claim()
            }

            fn half(&self) -> $crate::arena::Half {
                self.record.half()
            }
        }

        /// In which slot it is and which fields are present, never their values.
        impl<$($parameter $(: $bound)?),+> std::fmt::Debug for $holder {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let slot = self.record.claim().slot();
                f.debug_struct(stringify!($name)).field("slot", &slot).field("record", &self.record).finish()
            }
        }
    };
}

pub(crate) use in_slot;

/// What a loan offers to name its trace.
macro_rules! set_trace_method {
    ($verb:literal) => {
        #[doc = concat!("Says which trace this ", $verb, " belongs to; the other side reads it with `trace()`.")]
        ///
        /// With the feature `opentelemetry` it is by default the trace of the current span.
        pub fn set_trace(&mut self, trace: Option<$crate::trace::TraceContext>) {
            self.record.claim().set_trace(trace);
        }
    };
}

pub(crate) use set_trace_method;

/// Where a field of a record is: address, dtype, shape and strides. It borrows the record.
///
/// For code that takes memory as a pointer. The views have typed methods for each field, `pixels()` and `pixels_array()`.
///
/// ```
/// # use tensor_core::{channel::{FieldRef, Received}, view::Record};
/// # fn example<Image: Record>(image: Received<Image>) -> Result<(), tensor_core::Error> {
/// let pixels = FieldRef::of(&image, "pixels")?;
/// println!("{:p}: {} of {:?}", pixels.as_ptr(), pixels.dtype(), pixels.shape());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct FieldRef<'a> {
    ptr: NonNull<u8>,
    dtype: DType,
    extents: Extents,
    record: PhantomData<&'a ()>,
}

// SAFETY: an address, which this type never follows, and plain numbers.
unsafe impl Send for FieldRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for FieldRef<'_> {}

impl<'a> FieldRef<'a> {
    /// Field `field` of a [`Loan`](super::Loan), a [`CallLoan`](crate::service::CallLoan), a
    /// [`Received`](super::Received) or an [`Owned`] record; `pose.position` for one of a
    /// nested record.
    ///
    /// # Errors
    /// [`Error::UnknownField`]; [`Error::MissingField`] when a received record lacks it; [`Error::DimUnset`] while a
    /// dimension that it names is not set.
    #[allow(private_bounds, reason = "only this crate's records are in memory that it knows")]
    pub fn of<F: Fields>(record: &'a F, field: &str) -> Result<FieldRef<'a>, Error> {
        FieldRef::at(record, field_index(record.schema(), field)?, &record.parts())
    }

    pub(super) fn at<F: Fields>(
        record: &'a F,
        field: usize,
        parts: &RawParts,
    ) -> Result<FieldRef<'a>, Error> {
        let schema = record.schema();
        let declared = &schema.fields()[field];
        if !F::IS_WRITABLE && parts.presence() >> field & 1 == 0 {
            let (schema, field) = (schema.name().to_owned(), declared.name().to_owned());
            return Err(Error::MissingField { schema, field });
        }
        let shape = parts.field_shape(schema, field).ok_or_else(|| parts.unset_dim(schema, field))?;
        Ok(FieldRef {
            ptr: parts.field_ptr(schema, field),
            dtype: declared.dtype(),
            extents: Extents::new(&shape, &schema.element_strides(field)),
            record: PhantomData,
        })
    }

    /// The first element; valid for the elements that shape and strides reach while the record is borrowed.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.ptr.as_ptr()
    }

    /// The type of an element.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        self.extents.shape()
    }

    /// The distance from one element to the next along each dimension, in elements. It follows the capacities of symbolic
    /// dimensions, not their lengths.
    #[must_use]
    pub fn strides(&self) -> &[i64] {
        self.extents.strides()
    }

    pub(super) fn extents(&self) -> Extents {
        self.extents
    }
}

impl fmt::Debug for FieldRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldRef")
            .field("dtype", &self.dtype)
            .field("shape", &self.shape())
            .field("strides", &self.strides())
            .finish()
    }
}

pub(super) fn field_index(schema: &Schema, field: &str) -> Result<usize, Error> {
    schema.field_index(field).ok_or_else(|| Error::UnknownField {
        schema: schema.name().to_owned(),
        field: field.to_owned(),
        known: schema.fields().iter().map(|field| field.name()).collect::<Vec<_>>().join(", "),
    })
}

/// Shape and strides, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extents {
    pub(super) rank: usize,
    pub(super) shape: [i64; MAX_RANK],
    pub(super) strides: [i64; MAX_RANK],
}

impl Extents {
    fn new(shape: &[usize], strides: &[usize]) -> Extents {
        let mut extents = Extents { rank: shape.len(), shape: [0; MAX_RANK], strides: [0; MAX_RANK] };
        for axis in 0..shape.len() {
            extents.shape[axis] = shape[axis] as i64;
            extents.strides[axis] = strides[axis] as i64;
        }
        extents
    }

    pub(super) fn shape(&self) -> &[i64] {
        &self.shape[..self.rank]
    }

    pub(super) fn strides(&self) -> &[i64] {
        &self.strides[..self.rank]
    }

    /// The number of elements.
    pub(super) fn len(&self) -> Option<usize> {
        self.shape().iter().try_fold(1usize, |len, length| len.checked_mul(usize::try_from(*length).ok()?))
    }

    /// How many elements lie between the first byte of the first and the last byte of the last; `None` for negative or
    /// excessive numbers.
    pub(super) fn reach(&self) -> Option<usize> {
        if self.len()? == 0 {
            return Some(0);
        }
        let mut reach = 1usize;
        for (length, stride) in self.shape().iter().zip(self.strides()) {
            let steps = usize::try_from(length - 1).ok()?;
            reach = reach.checked_add(steps.checked_mul(usize::try_from(*stride).ok()?)?)?;
        }
        Some(reach)
    }
}
