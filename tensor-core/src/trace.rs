//! What joins the spans of two processes: a W3C trace context.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Which trace a record belongs to, and under which span: a [W3C trace context](https://www.w3.org/TR/trace-context/). It
/// travels in the slot, beside the record, and stays there when the record is handed to another worker.
///
/// Its text is that of a `traceparent` header:
///
/// ```
/// # use tensor_core::trace::TraceContext;
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let trace: TraceContext = text.parse()?;
/// assert_eq!(trace.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
/// assert!(trace.is_sampled());
/// assert_eq!(trace.to_string(), text);
/// # Ok::<_, tensor_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

/// The bit of the last word that tells a context from none.
const PRESENT: u64 = 1 << 8;

/// The bit of the flags that says that the caller may have recorded its spans.
const SAMPLED: u8 = 1;

/// The flags with a meaning: sampled, and that the trace id is random. Others are sent as zero.
const KNOWN: u8 = 0b11;

impl TraceContext {
    /// A trace and a span of it; `None` when either is 0, which stands for none.
    #[must_use]
    pub fn new(trace_id: u128, parent_id: u64, sampled: bool) -> Option<TraceContext> {
        TraceContext::with_flags(trace_id, parent_id, u8::from(sampled))
    }

    fn with_flags(trace_id: u128, parent_id: u64, flags: u8) -> Option<TraceContext> {
        (trace_id != 0 && parent_id != 0).then_some(TraceContext {
            trace_id,
            parent_id,
            flags: flags & KNOWN,
        })
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The span that sent the record: the parent of those on the other side.
    #[must_use]
    pub fn parent_id(self) -> u64 {
        self.parent_id
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// As it lies in a slot.
    pub(crate) fn to_words(self) -> [u64; 4] {
        [(self.trace_id >> 64) as u64, self.trace_id as u64, self.parent_id, PRESENT | u64::from(self.flags)]
    }

    /// What lies in a slot, whatever a peer wrote there.
    pub(crate) fn from_words([high, low, parent_id, last]: [u64; 4]) -> Option<TraceContext> {
        if last & PRESENT == 0 {
            return None;
        }
        TraceContext::with_flags(u128::from(high) << 64 | u128::from(low), parent_id, last as u8)
    }

    /// The parts of the text, or what is wrong with it.
    fn read(text: &str) -> Result<TraceContext, &'static str> {
        let bytes = text.as_bytes();
        if bytes.len() < 55 {
            return Err("it is shorter than 55 characters");
        }
        if [bytes[2], bytes[35], bytes[52]] != *b"---" {
            return Err("its four parts are not separated by `-`");
        }
        let version = hex(&bytes[..2]).ok_or("its version is no lower-case hexadecimal number")?;
        match (version, bytes.get(55)) {
            (0xff, _) => return Err("version ff is forbidden"),
            (0, Some(_)) => return Err("version 00 is of 55 characters and no more"),
            (_, None | Some(b'-')) => {}
            _ => return Err("what follows its flags is not separated by `-`"),
        }
        let trace_id = hex(&bytes[3..35]).ok_or("its trace id is no lower-case hexadecimal number")?;
        let parent_id = hex(&bytes[36..52]).ok_or("its parent id is no lower-case hexadecimal number")?;
        let flags = hex(&bytes[53..55]).ok_or("its flags are no lower-case hexadecimal number")? as u8;
        // Of a version to come only the flag that this one knows is understood.
        let flags = if version == 0 { flags } else { flags & SAMPLED };
        TraceContext::with_flags(trace_id, parent_id as u64, flags)
            .ok_or("its trace id or its parent id is all zeros")
    }
}

/// The number that lower-case hexadecimal digits make.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

impl FromStr for TraceContext {
    type Err = Error;

    /// # Errors
    /// [`Error::BadTraceparent`] says what is wrong: the standard is taken at its word.
    fn from_str(text: &str) -> Result<TraceContext, Error> {
        TraceContext::read(text).map_err(|reason| Error::BadTraceparent { found: text.to_owned(), reason })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

#[cfg(feature = "opentelemetry")]
mod opentelemetry_api {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::TraceContext;

    impl TraceContext {
        /// The same in OpenTelemetry's words; `None` when it stands for no span.
        #[must_use]
        pub fn from_span_context(context: &SpanContext) -> Option<TraceContext> {
            let trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
            let parent_id = u64::from_be_bytes(context.span_id().to_bytes());
            TraceContext::with_flags(trace_id, parent_id, context.trace_flags().to_u8())
        }

        /// The span of another process that it names, in OpenTelemetry's words.
        #[must_use]
        pub fn to_span_context(self) -> SpanContext {
            let (trace_id, parent_id) = (TraceId::from(self.trace_id), SpanId::from(self.parent_id));
            SpanContext::new(trace_id, parent_id, TraceFlags::new(self.flags), true, TraceState::default())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_the_standard_forbids_is_refused_with_the_reason() {
        let cases = [
            ("", "shorter"),
            (&TEXT[..54], "shorter"),
            (&format!("{TEXT}-"), "55 characters"),
            (&format!(" {TEXT}"), "separated"),
            (&TEXT.to_uppercase(), "lower-case"),
            (&TEXT.replacen("00-", "ff-", 1), "forbidden"),
            (&TEXT.replacen("00-", "0x-", 1), "version"),
            (&TEXT.replace('-', "_"), "separated"),
            (&TEXT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)), "zeros"),
            (&TEXT.replace("b7ad6b7169203331", &"0".repeat(16)), "zeros"),
            (&TEXT.replace("-01", "-0g"), "flags"),
            (&TEXT.replace("b7ad", "b+ad"), "parent id"),
            (&format!("{}x", TEXT.replacen("00-", "01-", 1)), "follows"),
            (&TEXT.replace("0af", "0ä"), "trace id"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<TraceContext>().unwrap_err();
            assert!(matches!(&error, Error::BadTraceparent { found, .. } if found == text), "{error:?}");
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_version_to_come_is_read_as_far_as_it_is_known() {
        for rest in ["", "-", "-what comes then"] {
            let text = format!("{}{rest}", TEXT.replacen("00-", "cc-", 1).replace("-01", "-ff"));
            assert_eq!(text.parse::<TraceContext>().unwrap().to_string(), TEXT);
        }
    }

    #[test]
    fn flags_without_a_meaning_are_not_passed_on() {
        let text = TEXT.replace("-01", "-fe");
        let trace: TraceContext = text.parse().unwrap();
        assert!(!trace.is_sampled());
        assert_eq!(trace.to_string(), TEXT.replace("-01", "-02"));
    }

    proptest! {
        #[test]
        fn a_context_survives_its_text_and_its_words(trace_id: u128, parent_id: u64, flags: u8) {
            match TraceContext::with_flags(trace_id, parent_id, flags) {
                None => prop_assert!(trace_id == 0 || parent_id == 0),
                Some(trace) => {
                    prop_assert_eq!(trace.to_string().parse::<TraceContext>().unwrap(), trace);
                    prop_assert_eq!(TraceContext::from_words(trace.to_words()), Some(trace));
                }
            }
        }

        #[test]
        fn what_is_accepted_is_what_the_standard_writes(text in "[0-9a-fA-F-]{50,60}|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|\\PC{0,80}") {
            if let Ok(trace) = text.parse::<TraceContext>() {
                let again = trace.to_string();
                // The ids are read as they stand; version and flags as far as they are known.
                prop_assert_eq!(&text[2..53], &again[2..53]);
            }
        }

        #[test]
        fn no_words_of_a_peer_make_a_context_that_is_none(words: [u64; 4]) {
            if let Some(trace) = TraceContext::from_words(words) {
                prop_assert!(trace.trace_id() != 0 && trace.parent_id() != 0);
                prop_assert_eq!(trace.to_string().parse::<TraceContext>().unwrap(), trace);
            }
        }
    }
}
