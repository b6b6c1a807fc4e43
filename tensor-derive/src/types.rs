//! What the tokens of a field's type tell: how it is stored, and that it cannot be stored at all.
//!
//! Tokens are not types: an alias tells nothing and is left to the compiler, which knows by the trait `Storage`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, PathSegment, Type, TypePath, parse_quote};

use crate::diag::Errors;
use crate::spans::shown;
use crate::spec::Store;

/// Names of types that are elements. A type that only shares the name is refused by the compiler later.
const ELEMENTS: [&str; 13] =
    ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "f16", "bf16", "Complex"];

/// The type with the struct's own name for `Self`, which means something else in the generated code.
pub(crate) fn without_self(ty: &Type, ident: &Ident) -> Type {
    syn::parse2(replace_self(ty.to_token_stream(), ident)).unwrap_or_else(|_| ty.clone())
}

fn replace_self(tokens: TokenStream, ident: &Ident) -> TokenStream {
    let replaced = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => {
            let mut ident = ident.clone();
            ident.set_span(word.span());
            TokenTree::Ident(ident)
        }
        TokenTree::Group(group) => {
            let mut replaced = Group::new(group.delimiter(), replace_self(group.stream(), ident));
            replaced.set_span(group.span());
            TokenTree::Group(replaced)
        }
        other => other,
    });
    replaced.collect()
}

/// How a field of this type is stored, as far as the tokens tell.
pub(crate) fn store(ty: &Type) -> Store {
    let (innermost, depth) = innermost(ty);
    let is_element =
        last_segment(innermost).is_some_and(|last| ELEMENTS.iter().any(|name| last.ident == name));
    let element = is_element.then(|| innermost.to_token_stream());
    match (depth, element) {
        (0, Some(element)) => Store::Scalar(element),
        (0, None) => Store::Opaque,
        (depth, Some(element)) => Store::Array { element: Some(element), rank: Some(depth) },
        (_, None) => Store::Array { element: None, rank: None },
    }
}

/// The type below all arrays.
pub(crate) fn element(ty: &Type) -> &Type {
    innermost(ty).0
}

/// Whether the type is, by its tokens, the struct itself.
pub(crate) fn is_struct(ty: &Type, ident: &Ident) -> bool {
    match peel(ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path.is_ident(ident),
        _ => false,
    }
}

/// The type below all arrays, and how many arrays there are.
fn innermost(ty: &Type) -> (&Type, usize) {
    let (mut ty, mut depth) = (peel(ty), 0);
    while let Type::Array(array) = ty {
        ty = peel(&array.elem);
        depth += 1;
    }
    (ty, depth)
}

/// The type without parentheses and without the invisible groups that `macro_rules!` makes.
fn peel(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            ty => return ty,
        };
    }
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else { return None };
    path.segments.last()
}

/// The last segment of a path that, by its tokens, leads into the standard library: `Vec`, `std::vec::Vec`.
fn std_segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else { return None };
    let first = &path.segments.first()?.ident;
    let is_std = path.segments.len() == 1 || ["std", "core", "alloc"].iter().any(|root| first == root);
    is_std.then(|| path.segments.last()).flatten()
}

/// Reports a type that cannot be stored and says what stands in for it, so that the rest of the struct still works.
pub(crate) fn refuse(ty: &Type, private: &TokenStream, errors: &mut Errors) -> Option<Type> {
    let (innermost, _) = innermost(ty);
    let refused = Refused::of(innermost, private)?;
    let message = refused.message;
    match refused.help {
        Some(help) => errors.help(innermost, message, help),
        None => errors.at(innermost, message),
    }
    Some(with_innermost(ty, refused.stand_in))
}

/// Whether a struct that ends with this type has no size of its own. Then it cannot be a record at all.
pub(crate) fn is_unsized(ty: &Type) -> bool {
    let is_str = |ty| std_segment(ty).is_some_and(|segment| segment.ident == "str");
    matches!(peel(ty), Type::Slice(_) | Type::TraitObject(_)) || is_str(peel(ty))
}

/// The same arrays around another type.
fn with_innermost(ty: &Type, innermost: Type) -> Type {
    match peel(ty) {
        Type::Array(array) => {
            let elem = with_innermost(&array.elem, innermost);
            let len = &array.len;
            parse_quote!([#elem; #len])
        }
        _ => innermost,
    }
}

struct Refused {
    message: String,
    help: Option<String>,
    stand_in: Type,
}

impl Refused {
    fn of(ty: &Type, private: &TokenStream) -> Option<Refused> {
        let text = shown(ty);
        let primitive = |name: &str| {
            let name = proc_macro2::Ident::new(name, proc_macro2::Span::call_site());
            parse_quote!(#private::core::primitive::#name)
        };
        let refused = |message: String, help: &str, stand_in: Type| {
            let help = (!help.is_empty()).then(|| help.to_owned());
            Some(Refused { message, help, stand_in })
        };
        let points = format!("`{text}` points into this process and cannot be shared");
        match ty {
            Type::Reference(reference) => {
                let target = peel(&reference.elem);
                let stand_in =
                    Refused::of(target, private).map_or(target.clone(), |refused| refused.stand_in);
                return refused(points, "store the values themselves, in an array", stand_in);
            }
            Type::Ptr(_) | Type::FnPtr(_) | Type::TraitObject(_) | Type::ImplTrait(_) => {
                return refused(points, "", primitive("u8"));
            }
            Type::Slice(slice) => {
                let element = &slice.elem;
                let help = format!("write `[{}; N]`", shown(element));
                return refused(format!("`{text}` has no fixed size"), &help, parse_quote!([#element; 1]));
            }
            Type::Tuple(_) => {
                let help = "use an array, or a field for each part";
                return refused(format!("`{text}` has no stable layout"), help, primitive("u8"));
            }
            _ => {}
        }
        let segment = std_segment(ty)?;
        let name = segment.ident.to_string();
        let argument = first_argument(segment);
        let heap = format!("`{text}` cannot live in shared memory: it points into this process");
        let any_byte = format!("any byte may arrive here, but `{text}` allows only some values");
        match (name.as_str(), argument) {
            ("usize" | "isize", None) => {
                let fixed = if name == "usize" { "u64" } else { "i64" };
                let message = format!("`{name}` has no fixed width");
                refused(message, &format!("use `{fixed}`"), primitive(fixed))
            }
            ("u128" | "i128", None) => {
                refused(format!("`{name}` has no dtype in any framework"), "use two fields", primitive("u64"))
            }
            ("bool", None) => refused(any_byte, "use `u8` with `#[tensor(dtype = bool)]`", primitive("u8")),
            ("char", None) => refused(any_byte, "use `u32`", primitive("u32")),
            ("String" | "CString" | "OsString" | "PathBuf", None) => {
                let help = "use `[u8; MAX]` with `shape = [n]` and `dims(n = ..=MAX)` on the struct";
                refused(heap, help, parse_quote!([#private::core::primitive::u8; 1]))
            }
            ("Vec" | "VecDeque", Some(element)) => {
                let help = format!(
                    "use `[{}; MAX]` with `shape = [n]` and `dims(n = ..=MAX)` on the struct",
                    shown(element)
                );
                refused(heap, &help, parse_quote!([#element; 1]))
            }
            ("HashMap" | "HashSet" | "BTreeMap" | "BTreeSet" | "BinaryHeap" | "LinkedList", Some(_)) => {
                refused(heap, "", primitive("u8"))
            }
            ("Box" | "Rc" | "Arc" | "Cow" | "NonNull" | "Weak", _) if has_arguments(segment) => {
                refused(points, "store the values themselves, in an array", primitive("u8"))
            }
            ("Option", Some(value)) => {
                let help = format!("write `{}` with `#[tensor(optional)]`", shown(value));
                let stand_in =
                    Refused::of(peel(value), private).map_or(value.clone(), |refused| refused.stand_in);
                refused(format!("`{text}` has no stable layout"), &help, stand_in)
            }
            _ => {
                let number = non_zero(&name, argument)?;
                refused(any_byte, &format!("use `{number}`"), primitive(&number))
            }
        }
    }
}

/// `u8` for `NonZeroU8` and for `NonZero<u8>`.
fn non_zero(name: &str, argument: Option<&Type>) -> Option<String> {
    let number = match (name.strip_prefix("NonZero")?, argument) {
        ("", Some(argument)) => argument.to_token_stream().to_string(),
        (number, None) => number.to_ascii_lowercase(),
        _ => return None,
    };
    ELEMENTS.contains(&number.as_str()).then_some(number)
}

fn has_arguments(segment: &PathSegment) -> bool {
    matches!(segment.arguments, PathArguments::AngleBracketed(_))
}

fn first_argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn told(ty: Type) -> Option<(String, String)> {
        let mut errors = Errors::default();
        let stand_in = refuse(&ty, &quote!(p), &mut errors)?;
        Some((errors.texts().concat(), stand_in.to_token_stream().to_string()))
    }

    #[test]
    fn aliases_are_left_to_the_compiler() {
        assert!(matches!(store(&parse_quote!(Stamp)), Store::Opaque));
        assert!(matches!(store(&parse_quote!([Row; 3])), Store::Array { element: None, rank: None }));
        assert!(matches!(store(&parse_quote!((f32))), Store::Scalar(_)));
        assert!(matches!(store(&parse_quote!([[half::bf16; 4]; 3])), Store::Array { rank: Some(2), .. }));
        assert!(told(parse_quote!(Stamp)).is_none());
        assert!(told(parse_quote!(my::Vec<f32>)).is_none());
    }

    #[test]
    fn what_cannot_be_stored_has_a_stand_in() {
        let (message, stand_in) = told(parse_quote!([Option<f32>; 4])).unwrap();
        assert!(message.ends_with("has no stable layout\nhelp: write `f32` with `#[tensor(optional)]`"));
        assert_eq!(stand_in, "[f32 ; 4]");
        let (_, stand_in) = told(parse_quote!(&[f32])).unwrap();
        assert_eq!(stand_in, "[f32 ; 1]");
        let (message, _) = told(parse_quote!(NonZero<u16>)).unwrap();
        assert!(message.ends_with("help: use `u16`"));
    }
}
