//! Numbers as the bytes of a floating-point dtype, and back.

use half::{bf16, f16};

use super::DType;
use super::float8::{E4M3FN, E5M2};

impl DType {
    /// The bytes of a number in one of the real floating-point dtypes, as many of them as the dtype has; `None` for another
    /// dtype.
    #[must_use]
    pub fn encode_float(self, value: f64) -> Option<[u8; 16]> {
        fn pack<const N: usize>(element: [u8; N]) -> [u8; 16] {
            let mut bytes = [0; 16];
            bytes[..N].copy_from_slice(&element);
            bytes
        }
        Some(match self {
            DType::F16 => pack(f16::from_f64(value).to_ne_bytes()),
            DType::BF16 => pack(bf16::from_f64(value).to_ne_bytes()),
            DType::F32 => pack((value as f32).to_ne_bytes()),
            DType::F64 => pack(value.to_ne_bytes()),
            DType::F8E4M3FN => pack([E4M3FN.encode(value)]),
            DType::F8E5M2 => pack([E5M2.encode(value)]),
            _ => return None,
        })
    }

    /// The number that the bytes of a real floating-point dtype stand for; `None` for another dtype.
    #[must_use]
    pub fn decode_float(self, bytes: &[u8; 16]) -> Option<f64> {
        fn first<const N: usize>(bytes: &[u8; 16]) -> [u8; N] {
            std::array::from_fn(|index| bytes[index])
        }
        Some(match self {
            DType::F16 => f16::from_ne_bytes(first(bytes)).to_f64(),
            DType::BF16 => bf16::from_ne_bytes(first(bytes)).to_f64(),
            DType::F32 => f32::from_ne_bytes(first(bytes)).into(),
            DType::F64 => f64::from_ne_bytes(first(bytes)),
            DType::F8E4M3FN => E4M3FN.decode(bytes[0]),
            DType::F8E5M2 => E5M2.decode(bytes[0]),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_real_floating_point_dtype_goes_there_and_back() {
        for dtype in DType::ALL {
            let real = dtype.is_float() && !matches!(dtype, DType::C64 | DType::C128);
            let there_and_back = dtype.encode_float(-1.5).and_then(|bytes| dtype.decode_float(&bytes));
            assert_eq!(there_and_back, real.then_some(-1.5), "{dtype}");
        }
    }
}
