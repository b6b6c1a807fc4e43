//! The two 8-bit floats, as numbers.

/// What tells one 8-bit float from the other.
#[derive(Clone, Copy)]
pub(super) struct Form {
    mantissa_bits: u32,
    bias: i32,
    /// The code of the largest finite number.
    max_code: u8,
    /// The code that stands for what is larger.
    overflow: u8,
    nan: u8,
}

/// 4 exponent bits, finite numbers and NaN only.
pub(super) const E4M3FN: Form = Form { mantissa_bits: 3, bias: 7, max_code: 0x7E, overflow: 0x7F, nan: 0x7F };

/// 5 exponent bits, as IEEE 754 would have it.
pub(super) const E5M2: Form = Form { mantissa_bits: 2, bias: 15, max_code: 0x7B, overflow: 0x7C, nan: 0x7E };

impl Form {
    /// The number that a code stands for.
    pub(super) fn decode(self, code: u8) -> f64 {
        let magnitude = code & 0x7F;
        let number = if magnitude <= self.max_code {
            self.positive(magnitude)
        } else if magnitude == self.overflow && self.overflow != self.nan {
            f64::INFINITY
        } else {
            f64::NAN
        };
        if code & 0x80 == 0 { number } else { -number }
    }

    fn positive(self, magnitude: u8) -> f64 {
        let exponent = i32::from(magnitude >> self.mantissa_bits);
        let mantissa = f64::from(magnitude & ((1 << self.mantissa_bits) - 1));
        let unit = f64::from(1 << self.mantissa_bits);
        match exponent {
            0 => mantissa / unit * f64::powi(2.0, 1 - self.bias),
            _ => (1.0 + mantissa / unit) * f64::powi(2.0, exponent - self.bias),
        }
    }

    /// The code of the nearest number, the even one of two that are equally near.
    pub(super) fn encode(self, value: f64) -> u8 {
        let sign = if value.is_sign_negative() { 0x80 } else { 0 };
        if value.is_nan() {
            return sign | self.nan;
        }
        let magnitude = value.abs();
        // Codes of positive numbers are in the order of the numbers; the last one is where rounding overflows.
        let (mut below, mut above) = (0, self.max_code + 1);
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            if self.positive(middle) <= magnitude { below = middle } else { above = middle }
        }
        let middle = (self.positive(below) + self.positive(above)) / 2.0;
        let up = magnitude > middle || (magnitude == middle && below & 1 == 1);
        let code = if up { above } else { below };
        sign | if code > self.max_code { self.overflow } else { code }
    }
}
