//! The names of the dtypes, as the runtime has them.

use proc_macro2::Ident;

use crate::diag::{Errors, did_you_mean, list};

/// Each name and the variant of the runtime's `DType` that it stands for.
const DTYPES: [(&str, &str); 17] = [
    ("bool", "Bool"),
    ("u8", "U8"),
    ("u16", "U16"),
    ("u32", "U32"),
    ("u64", "U64"),
    ("i8", "I8"),
    ("i16", "I16"),
    ("i32", "I32"),
    ("i64", "I64"),
    ("f16", "F16"),
    ("bf16", "BF16"),
    ("f32", "F32"),
    ("f64", "F64"),
    ("c64", "C64"),
    ("c128", "C128"),
    ("f8_e4m3fn", "F8E4M3FN"),
    ("f8_e5m2", "F8E5M2"),
];

/// How other languages begin the same names.
const ELSEWHERE: [(&str, &str); 5] =
    [("bfloat", "bf"), ("float", "f"), ("uint", "u"), ("int", "i"), ("complex", "c")];

/// The variant of the runtime's `DType` that `name` stands for.
pub(crate) fn variant(name: &Ident) -> Option<Ident> {
    let (_, variant) = DTYPES.iter().find(|(known, _)| name == known)?;
    Some(Ident::new(variant, name.span()))
}

/// Reports a name that is no dtype.
pub(crate) fn unknown(name: &Ident, errors: &mut Errors) {
    let known = || DTYPES.iter().map(|(name, _)| *name);
    let found = name.to_string();
    let translated = ELSEWHERE.iter().find_map(|(theirs, ours)| {
        let guess = format!("{ours}{}", found.strip_prefix(theirs)?);
        known().any(|name| name == guess).then(|| format!("; did you mean `{guess}`?"))
    });
    let close = translated.unwrap_or_else(|| did_you_mean(&found, known()));
    errors.help(
        name,
        format_args!("unknown dtype `{found}`{close}"),
        format_args!("supported: {}", list(known())),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> String {
        let mut errors = Errors::default();
        unknown(&Ident::new(name, proc_macro2::Span::call_site()), &mut errors);
        errors.texts().concat()
    }

    #[test]
    fn names_of_other_languages_are_understood() {
        assert!(told("float32").starts_with("unknown dtype `float32`; did you mean `f32`?"));
        assert!(told("uint8").starts_with("unknown dtype `uint8`; did you mean `u8`?"));
        assert!(told("flt16").starts_with("unknown dtype `flt16`; did you mean `f16`?"));
        assert!(told("string").starts_with("unknown dtype `string`\nhelp: supported: `bool`"));
    }
}
