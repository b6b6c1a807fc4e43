//! The element types a field can have.

use std::fmt;

/// The type of one element of a field.
///
/// The discriminants are part of the wire format of a schema and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum DType {
    /// One byte: 0 is false, anything else is true. Stored as `u8` in Rust, because any byte may arrive.
    Bool = 1,
    /// 8-bit unsigned integer.
    U8 = 2,
    /// 16-bit unsigned integer.
    U16 = 3,
    /// 32-bit unsigned integer.
    U32 = 4,
    /// 64-bit unsigned integer.
    U64 = 5,
    /// 8-bit signed integer.
    I8 = 6,
    /// 16-bit signed integer.
    I16 = 7,
    /// 32-bit signed integer.
    I32 = 8,
    /// 64-bit signed integer.
    I64 = 9,
    /// IEEE 754 half precision, `half::f16` in Rust.
    F16 = 10,
    /// bfloat16, `half::bf16` in Rust.
    BF16 = 11,
    /// IEEE 754 single precision.
    F32 = 12,
    /// IEEE 754 double precision.
    F64 = 13,
    /// Complex number of two `f32`.
    C64 = 14,
    /// Complex number of two `f64`.
    C128 = 15,
    /// 8-bit float with 4 exponent bits, finite only; stored as `u8` in Rust.
    F8E4M3FN = 16,
    /// 8-bit float with 5 exponent bits; stored as `u8` in Rust.
    F8E5M2 = 17,
}

impl DType {
    /// Every dtype, in the order of the wire format.
    pub const ALL: [DType; 17] = [
        DType::Bool,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
        DType::C64,
        DType::C128,
        DType::F8E4M3FN,
        DType::F8E5M2,
    ];

    /// Size of one element in bytes; also its alignment, except for the complex types, whose alignment is half.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::U8 | DType::I8 | DType::F8E4M3FN | DType::F8E5M2 => 1,
            DType::U16 | DType::I16 | DType::F16 | DType::BF16 => 2,
            DType::U32 | DType::I32 | DType::F32 => 4,
            DType::U64 | DType::I64 | DType::F64 | DType::C64 => 8,
            DType::C128 => 16,
        }
    }

    /// The name used in `#[tensor(dtype = ...)]`, in Python and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::C64 => "c64",
            DType::C128 => "c128",
            DType::F8E4M3FN => "f8_e4m3fn",
            DType::F8E5M2 => "f8_e5m2",
        }
    }

    /// The dtype called `name`, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// The dtype with this discriminant, if there is one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| *dtype as u8 == code)
    }

    /// Whether elements are floating-point or complex numbers.
    #[must_use]
    pub const fn is_float(self) -> bool {
        self.integer_range().is_none()
    }

    /// The smallest and the largest integer of this dtype; `None` for a floating-point dtype.
    #[must_use]
    pub const fn integer_range(self) -> Option<(i128, i128)> {
        Some(match self {
            DType::Bool => (0, 1),
            DType::U8 => (0, u8::MAX as i128),
            DType::U16 => (0, u16::MAX as i128),
            DType::U32 => (0, u32::MAX as i128),
            DType::U64 => (0, u64::MAX as i128),
            DType::I8 => (i8::MIN as i128, i8::MAX as i128),
            DType::I16 => (i16::MIN as i128, i16::MAX as i128),
            DType::I32 => (i32::MIN as i128, i32::MAX as i128),
            DType::I64 => (i64::MIN as i128, i64::MAX as i128),
            _ => return None,
        })
    }

    /// Whether Rust may hold elements of this dtype as elements of `store`: the same dtype, or, for the types
    /// that are views of raw bits, an unsigned integer of the same width.
    #[must_use]
    pub const fn can_be_stored_as(self, store: DType) -> bool {
        if self as u8 == store as u8 {
            return true;
        }
        let raw_bits = matches!(store, DType::U8 | DType::U16 | DType::U32 | DType::U64);
        let relabelled =
            matches!(self, DType::Bool | DType::F16 | DType::BF16 | DType::F8E4M3FN | DType::F8E5M2);
        raw_bits && relabelled && self.size() == store.size()
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_lead_back_to_the_dtype() {
        for dtype in DType::ALL {
            assert_eq!(DType::from_name(dtype.name()), Some(dtype));
            assert_eq!(DType::from_code(dtype as u8), Some(dtype));
        }
        assert_eq!(DType::from_name("float32"), None);
        assert_eq!(DType::from_code(0), None);
    }

    #[test]
    fn only_raw_bits_of_the_same_width_can_be_relabelled() {
        assert!(DType::BF16.can_be_stored_as(DType::U16));
        assert!(DType::Bool.can_be_stored_as(DType::U8));
        assert!(DType::F32.can_be_stored_as(DType::F32));
        assert!(!DType::F32.can_be_stored_as(DType::U32));
        assert!(!DType::BF16.can_be_stored_as(DType::U32));
        assert!(!DType::F64.can_be_stored_as(DType::F32));
    }
}
