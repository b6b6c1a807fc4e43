//! The `Tensor` derive of tensorbridge: attributes -> checked specification -> generated code.

mod attr;
mod check;
mod diag;
mod dtype;
mod emit;
mod export;
mod fallback;
mod layout;
mod names;
mod nested;
mod parse;
mod runs;
mod spans;
mod spec;
mod types;
mod value;
mod views;

#[cfg(test)]
mod testing;

use proc_macro2::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a record that lives in shared memory: implements `Record` for it and generates its views.
///
/// The struct only declares the record and is never constructed. A struct `Image` gets the views `ImageRef`, to read,
/// and `ImageMut`, to write, with methods for each field `x`:
///
/// | field | to read | to write |
/// |---|---|---|
/// | a number | `x() -> u64` | `set_x(value)` |
/// | an array | `x() -> &[f32]`, `x_array()` | `x_mut() -> &mut [f32]`, `x_array_mut()` |
/// | a symbolic dimension `n` | `n()` | `set_n(length)` |
/// | another record, `Pose` | `x() -> &PoseRef` | `x_mut() -> &mut PoseMut` |
///
/// Records that are received together are seen through `ImageRun`, in which each field is one array with one more dimension in
/// front: `x() -> &[f32]` of all records where their values are next to each other, and `x_array()`. `ImageRunMut` is the same to
/// write, for a server that answers several requests at once: `x_mut()`, `x_array_mut()`; `set_n(length)` of all records and
/// `set_n_each(&lengths)`.
///
/// Reading an optional field gives an `Option`; writing a field marks it as present. The `_array` methods give
/// `ndarray` views of the field's shape. A leading symbolic dimension shortens the slice to the record's own length.
///
/// ```ignore
/// /// A text as token numbers.
/// #[derive(Tensor)]
/// #[tensor(name = "nlp.tokens", dims(seq = 1..=512), export = "python/nlp.py")]
/// pub struct Tokens {
///     #[tensor(shape = [seq])]
///     ids: [i64; 512],
///     #[tensor(shape = [seq], optional)]
///     mask: [i64; 512],
/// }
/// ```
///
/// # On the struct
/// - `name = "vision.image"`: the schema's name, on which programs agree; else the struct's name in snake case.
/// - `version = 2`: part of what programs must agree on; else 0.
/// - `dims(seq = 1..=512, n = ..=8)`: symbolic dimensions with their bounds. Memory is laid out for the upper one.
/// - `export = "python/vision.py"`: a test in your crate keeps this file, relative to the package, equal to the schema as
///   a Python class; `TENSORBRIDGE_EXPORT=write cargo test` writes it.
/// - `crate = path`: where the package `tensorbridge` is, if it was renamed.
///
/// # On a field
/// - `dtype = bf16`: what the elements are, where the Rust type does not tell: `u16` stores `f16` and `bf16`; `u8` stores
///   `bool`, `f8_e4m3fn` and `f8_e5m2`.
/// - `shape = [3, seq]`: the dimensions, where the Rust type is a flat array or one of them is symbolic.
/// - `required` (the default) or `optional`: whether a record may be sent without it.
/// - `align = 64`: bytes between the values of consecutive records are a multiple of this.
/// - `pad = 0`: what fills a batch beyond a record's own length.
/// - `unit = "m"`: for people. Documentation comments travel as well.
/// - `rename = "class_"`: its name in the schema and in Python.
/// - `nested`: the field is another record, whose struct has this derive too. Its fields become fields of this record,
///   `pose.position`, and its symbolic dimensions are its own, `pose.points`. With `optional` it is there or not as a
///   whole: it reads as `None` when none of its fields was written, and can be sent without any of them or with all that
///   it requires. It has to be said, because to the derive an alias of an array looks the same.
/// - `skip`: the field is not part of the record.
#[proc_macro_derive(Tensor, attributes(tensor))]
pub fn tensor(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(&parse_macro_input!(input as DeriveInput)).into()
}

/// The generated code, preceded by every error. There is code even when there are errors, so that a mistake in a struct
/// is not followed by errors wherever the struct is used.
fn expand(input: &DeriveInput) -> TokenStream {
    let mut errors = diag::Errors::default();
    let mut spec = match parse::parse(input, &mut errors) {
        Ok(spec) => spec,
        Err(private) => {
            let mut tokens = errors.into_tokens();
            tokens.extend(fallback::opaque(input, &private));
            return tokens;
        }
    };
    check::check(&mut spec, &mut errors);
    let mut tokens = errors.into_tokens();
    if spec.is_sized {
        fallback::repair(&mut spec);
        tokens.extend(emit::emit(&spec));
    }
    tokens
}
