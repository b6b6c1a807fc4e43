//! Texts put together at compile time, for panics that name numbers.

const CAPACITY: usize = 512;

/// A text of at most [`CAPACITY`] bytes; what does not fit is cut off.
pub(super) struct Text {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Text {
    pub(super) const fn new() -> Text {
        Text { bytes: [0; CAPACITY], len: 0 }
    }

    pub(super) const fn str(mut self, text: &str) -> Text {
        let bytes = text.as_bytes();
        let mut fits = if bytes.len() < CAPACITY - self.len { bytes.len() } else { CAPACITY - self.len };
        while !text.is_char_boundary(fits) {
            fits -= 1;
        }
        let mut at = 0;
        while at < fits {
            self.bytes[self.len] = bytes[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    pub(super) const fn number(self, number: u64) -> Text {
        let mut digits = [0; 20];
        let mut first = digits.len();
        let mut rest = number;
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        match core::str::from_utf8(digits.split_at(first).1) {
            Ok(digits) => self.str(digits),
            Err(_) => self,
        }
    }

    /// `1 byte`, `2 bytes`.
    pub(super) const fn counted(self, number: u64, noun: &str) -> Text {
        self.number(number).str(" ").str(noun).str(if number == 1 { "" } else { "s" })
    }

    pub(super) const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_follow_each_other() {
        let text = Text::new().str("a ").number(0).str(" b ").number(u64::MAX);
        assert_eq!(text.as_str(), "a 0 b 18446744073709551615");
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let text = Text::new().str("x").str(&"é".repeat(CAPACITY)).str("y");
        assert_eq!(text.as_str(), format!("x{}y", "é".repeat(CAPACITY / 2 - 1)));
    }
}
