//! What fills a batch where a record ends before others do.

use super::DType;

/// What fills the rows of a batch beyond a record's own length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pad {
    /// For integer and bool fields.
    Int(i128),
    /// For floating-point fields.
    Float(f64),
}

impl Default for Pad {
    fn default() -> Pad {
        Pad::Int(0)
    }
}

impl Pad {
    /// One element of it in memory; as many of the bytes as the dtype has.
    #[must_use]
    pub fn to_bytes(self, dtype: DType) -> [u8; 16] {
        let float = match self {
            Pad::Int(value) => value as f64,
            Pad::Float(value) => value,
        };
        match (dtype, self) {
            // The real part, which comes first; the imaginary part is 0.
            (DType::C64, _) => DType::F32.encode_float(float).unwrap_or_default(),
            (DType::C128, _) => DType::F64.encode_float(float).unwrap_or_default(),
            // The least significant bytes first: arenas are mapped on such machines only.
            (_, Pad::Int(value)) if !dtype.is_float() => value.to_le_bytes(),
            (_, Pad::Float(value)) if !dtype.is_float() => (value as i128).to_le_bytes(),
            _ => dtype.encode_float(float).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pad_is_an_element_of_the_fields_dtype() {
        let bytes = |pad: Pad, dtype: DType| pad.to_bytes(dtype)[..dtype.size()].to_vec();
        assert_eq!(bytes(Pad::Int(-100), DType::I64), (-100i64).to_ne_bytes());
        assert_eq!(bytes(Pad::Int(1), DType::Bool), [1]);
        assert_eq!(bytes(Pad::Float(0.5), DType::F32), 0.5f32.to_ne_bytes());
        assert_eq!(bytes(Pad::Int(2), DType::F64), 2f64.to_ne_bytes());
        assert_eq!(bytes(Pad::Float(0.5), DType::C64), [0.5f32.to_ne_bytes(), [0; 4]].concat());
        assert_eq!(bytes(Pad::Float(f64::NEG_INFINITY), DType::BF16), [0x80, 0xFF]);
        for dtype in DType::ALL {
            assert_eq!(bytes(Pad::default(), dtype), vec![0; dtype.size()]);
        }
    }
}
