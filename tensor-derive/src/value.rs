//! The values of the keys, each by its own small grammar. A value of another form is reported and is no value.

use proc_macro2::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Lit, LitStr, Path};

use crate::attr::{Entry, Form, at_commas};
use crate::diag::Errors;
use crate::spec::{DimDecl, Extent, Health, Pad, PadValue, Shape, Text};

/// `key`, and nothing after it.
pub(crate) fn flag(entry: &Entry, errors: &mut Errors) -> Option<Ident> {
    match &entry.form {
        Form::Flag => Some(entry.key.clone()),
        _ => {
            errors.at(entry, format_args!("`{}` takes no value: write it alone", entry.name()));
            None
        }
    }
}

/// `key = "text"`.
pub(crate) fn text(entry: &Entry, example: &str, errors: &mut Errors) -> Option<LitStr> {
    if let Some(TokenTree::Literal(literal)) = single(entry)
        && let Lit::Str(text) = Lit::new(literal)
    {
        return Some(text);
    }
    let name = entry.name();
    errors.at(entry, format_args!("expected a text, for example `{name} = \"{example}\"`"));
    None
}

/// `key = "text"` as a name.
pub(crate) fn name(entry: &Entry, example: &str, errors: &mut Errors) -> Option<Text> {
    let text = text(entry, example, errors)?;
    Some(Text { value: text.value(), tokens: text.token().into() })
}

/// `key = 3`.
pub(crate) fn number(entry: &Entry, example: u32, errors: &mut Errors) -> Option<(u32, Literal)> {
    if let Some(TokenTree::Literal(literal)) = single(entry)
        && let Lit::Int(int) = Lit::new(literal.clone())
        && let ("", Ok(number)) = (int.suffix(), int.base10_parse())
    {
        return Some((number, literal));
    }
    let name = entry.name();
    errors.at(entry, format_args!("expected a whole number, for example `{name} = {example}`"));
    None
}

/// `key = path`.
pub(crate) fn path(entry: &Entry, errors: &mut Errors) -> Option<Path> {
    if let Form::Value(value) = &entry.form
        && let Ok(path) = syn::parse::Parser::parse2(Path::parse_mod_style, value.clone())
    {
        return Some(path);
    }
    let name = entry.name();
    errors.at(entry, format_args!("expected a path, for example `{name} = ::tensorbridge`"));
    None
}

/// `dtype = f32`.
pub(crate) fn dtype(entry: &Entry, errors: &mut Errors) -> Option<Ident> {
    match single(entry) {
        Some(TokenTree::Ident(dtype)) => return Some(dtype),
        Some(TokenTree::Literal(literal)) if matches!(Lit::new(literal.clone()), Lit::Str(_)) => {
            let name = literal.to_string();
            let bare = name.trim_matches('"');
            errors.at(entry, format_args!("dtypes are identifiers: write `{bare}`, not `{name}`"));
        }
        _ => errors.at(entry, "expected the name of a dtype, for example `dtype = f32`"),
    }
    None
}

/// `pad = -100`, `pad = 0.5`, `pad = true`.
pub(crate) fn pad(entry: &Entry, errors: &mut Errors) -> Option<Pad> {
    if let Form::Value(tokens) = &entry.form
        && let Some(value) = pad_value(tokens)
    {
        return Some(Pad { value, tokens: tokens.clone() });
    }
    errors.at(entry, "expected a number, for example `pad = -100`");
    None
}

fn pad_value(tokens: &TokenStream) -> Option<PadValue> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let (negative, value) = match tokens.as_slice() {
        [TokenTree::Punct(minus), value] if minus.as_char() == '-' => (true, value),
        [value] => (false, value),
        _ => return None,
    };
    let literal = match value {
        TokenTree::Ident(word) if !negative && word == "true" => return Some(PadValue::Int(1)),
        TokenTree::Ident(word) if !negative && word == "false" => return Some(PadValue::Int(0)),
        TokenTree::Literal(literal) => Lit::new(literal.clone()),
        _ => return None,
    };
    let sign = if negative { "-" } else { "" };
    match literal {
        Lit::Int(int) if int.suffix().is_empty() => {
            format!("{sign}{}", int.base10_digits()).parse().ok().map(PadValue::Int)
        }
        Lit::Float(float) if float.suffix().is_empty() => {
            format!("{sign}{}", float.base10_digits()).parse().ok().map(PadValue::Float)
        }
        _ => None,
    }
}

/// `shape = [3, 224, seq]`; `field` is the field's name, for messages.
pub(crate) fn shape(entry: &Entry, field: &str, errors: &mut Errors) -> Option<Shape> {
    let list = match single(entry) {
        Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Bracket => list,
        _ => {
            errors.at(entry, "expected a list of dimensions, for example `shape = [3, 224, 224]`");
            return None;
        }
    };
    let parts = at_commas(list.stream());
    if parts.is_empty() {
        let message = format_args!("the shape of `{field}` is empty");
        errors.help(&list, message, "for a scalar, remove `shape`");
        return None;
    }
    let all = parts.len();
    let each = parts.into_iter().enumerate();
    let extents: Vec<Extent> =
        each.filter_map(|(axis, part)| extent(axis, &part, field, &list, errors)).collect();
    (extents.len() == all).then_some(Shape { list, extents })
}

fn extent(axis: usize, part: &[TokenTree], field: &str, list: &Group, errors: &mut Errors) -> Option<Extent> {
    let tokens: TokenStream = part.iter().cloned().collect();
    match part {
        [] => errors.at(list, format_args!("dimension {axis} of `{field}` is missing")),
        [TokenTree::Ident(dim)] => return Some(Extent::Dim(dim.clone())),
        [TokenTree::Literal(literal)] => match Lit::new(literal.clone()) {
            Lit::Int(int) if int.suffix().is_empty() => match int.base10_parse() {
                Ok(0) => not_positive(axis, field, tokens, errors),
                Ok(size) => return Some(Extent::Fixed(size, tokens)),
                Err(error) => errors.push(error),
            },
            Lit::Str(name) => {
                let bare = name.value();
                let message =
                    format_args!("dimension names are identifiers: write `{bare}`, not `{literal}`");
                errors.at(tokens, message);
            }
            _ => not_plain(literal, errors),
        },
        [TokenTree::Punct(minus), TokenTree::Literal(_)] if minus.as_char() == '-' => {
            not_positive(axis, field, tokens, errors);
        }
        _ => not_plain(tokens, errors),
    }
    None
}

fn not_positive(axis: usize, field: &str, tokens: TokenStream, errors: &mut Errors) {
    let found = tokens.to_string().replace(' ', "");
    let message =
        format_args!("dimension {axis} of `{field}` is {found}; every dimension must be at least 1");
    errors.help(&tokens, message, "for a scalar, remove `shape`");
}

fn not_plain(tokens: impl ToTokens, errors: &mut Errors) {
    let tokens = tokens.into_token_stream();
    let message = format!("a dimension must be a plain integer, found `{tokens}`");
    errors.help(tokens, message, "or the name of a symbolic dimension, declared with `dims(...)`");
}

/// `dims(seq = 1..=512, n = ..=8)`.
pub(crate) fn dims(entry: &Entry, errors: &mut Errors) -> Vec<DimDecl> {
    let Form::List(list) = &entry.form else {
        errors.at(entry, "expected a list of dimensions, for example `dims(seq = 1..=512)`");
        return Vec::new();
    };
    let parts = at_commas(list.stream());
    if parts.is_empty() {
        errors.at(list, "expected at least one dimension, for example `dims(seq = 1..=512)`");
    }
    parts.into_iter().filter_map(|part| dim(&part, list, errors)).collect()
}

/// `seq = 1..=512`; with a name but without usable bounds, a broken dimension.
fn dim(part: &[TokenTree], list: &Group, errors: &mut Errors) -> Option<DimDecl> {
    let tokens: TokenStream = part.iter().cloned().collect();
    let Some((TokenTree::Ident(ident), rest)) = part.split_first() else {
        let at = if part.is_empty() { list.to_token_stream() } else { tokens };
        errors.at(at, "expected the name of a dimension, for example `seq = 1..=512`");
        return None;
    };
    let mut decl =
        DimDecl { ident: ident.clone(), min: 0, max: 1, bounds: tokens.clone(), health: Health::Broken };
    let bounds = match rest {
        [TokenTree::Punct(eq), bounds @ ..] if eq.as_char() == '=' => bounds,
        _ => &[],
    };
    let written: TokenStream = bounds.iter().cloned().collect();
    match Bounds::parse(bounds) {
        Some(Bounds::Inclusive(min, max)) => {
            decl = DimDecl { min, max, bounds: written, health: Health::Sound, ..decl };
        }
        Some(Bounds::Exclusive(end)) => {
            let message = format_args!("the bounds of `{ident}` are inclusive");
            errors.help(written, message, format_args!("end them with `..={}`", end.saturating_sub(1)));
        }
        Some(Bounds::Single(max)) => {
            let message = format_args!("`{ident}` needs bounds, found a single number");
            errors.help(written, message, format_args!("write `{ident} = ..={max}`"));
        }
        None => {
            let message = format_args!("expected the bounds of `{ident}`, for example `{ident} = 1..=512`");
            errors.at(tokens, message);
        }
    }
    Some(decl)
}

/// The forms in which people write bounds.
enum Bounds {
    Inclusive(u64, u64),
    Exclusive(u64),
    Single(u64),
}

impl Bounds {
    fn parse(tokens: &[TokenTree]) -> Option<Bounds> {
        let is =
            |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == c);
        let Some(dots) = tokens.iter().position(|token| is(token, '.')) else {
            return bound(tokens).map(Bounds::Single);
        };
        let (low, high) = tokens.split_at(dots);
        let min = if low.is_empty() { 0 } else { bound(low)? };
        match high {
            [_, second, eq, high @ ..] if is(second, '.') && is(eq, '=') => {
                Some(Bounds::Inclusive(min, bound(high)?))
            }
            [_, second, high @ ..] if is(second, '.') => bound(high).map(Bounds::Exclusive),
            _ => None,
        }
    }
}

/// A plain integer.
fn bound(tokens: &[TokenTree]) -> Option<u64> {
    let [TokenTree::Literal(literal)] = tokens else { return None };
    match Lit::new(literal.clone()) {
        Lit::Int(int) if int.suffix().is_empty() => int.base10_parse().ok(),
        _ => None,
    }
}

/// The one token after `key =`.
fn single(entry: &Entry) -> Option<TokenTree> {
    let Form::Value(value) = &entry.form else { return None };
    let mut tokens = value.clone().into_iter();
    let token = tokens.next()?;
    tokens.next().is_none().then_some(token)
}
