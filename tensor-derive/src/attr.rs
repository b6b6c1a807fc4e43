//! `#[tensor(...)]` taken apart into keys and their tokens, whatever is wrong with one of them.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, MacroDelimiter, Meta};

use crate::diag::{Errors, did_you_mean, list};

pub(crate) const STRUCT_KEYS: [&str; 5] = ["name", "version", "dims", "export", "crate"];
pub(crate) const FIELD_KEYS: [&str; 10] =
    ["dtype", "shape", "required", "optional", "align", "pad", "unit", "rename", "nested", "skip"];

/// One `key`, `key = value` or `key(...)`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) form: Form,
}

/// What follows a key.
pub(crate) enum Form {
    Flag,
    Value(TokenStream),
    List(Group),
}

impl Entry {
    /// The key as it is written in a table of keys.
    pub(crate) fn name(&self) -> String {
        self.key.unraw().to_string()
    }
}

/// The value where there is one, else the key: what an error about the value points at.
impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.form {
            Form::Flag => self.key.to_tokens(tokens),
            Form::Value(value) => value.to_tokens(tokens),
            Form::List(list) => list.to_tokens(tokens),
        }
    }
}

/// Where an attribute stands.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Struct(&'a Ident),
    Field(&'a Ident),
}

impl Place<'_> {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Place::Struct(_) => &STRUCT_KEYS,
            Place::Field(_) => &FIELD_KEYS,
        }
    }
}

/// The entries of all `#[tensor(...)]` among `attrs`. Unknown, misplaced and repeated keys are reported and left out.
pub(crate) fn entries(attrs: &[Attribute], place: Place<'_>, errors: &mut Errors) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("tensor")) {
        for entry in split(attr, errors) {
            if !is_known(&entry, place, errors) {
                continue;
            }
            if let Some(first) = entries.iter().find(|first| first.name() == entry.name()) {
                errors.at(&entry.key, format_args!("duplicate tensor attribute `{}`", entry.name()));
                errors.at(&first.key, "first given here");
                continue;
            }
            entries.push(entry);
        }
    }
    entries
}

fn split(attr: &Attribute, errors: &mut Errors) -> Vec<Entry> {
    let list = match &attr.meta {
        Meta::List(list) if matches!(list.delimiter, MacroDelimiter::Paren(_)) && !list.tokens.is_empty() => {
            list
        }
        _ => {
            errors.help(
                &attr.meta,
                "expected arguments: `#[tensor(...)]`",
                "remove the attribute if there is nothing to say",
            );
            return Vec::new();
        }
    };
    let parts = at_commas(visible(list.tokens.clone()));
    parts.into_iter().filter_map(|part| entry(part, errors)).collect()
}

fn entry(part: Vec<TokenTree>, errors: &mut Errors) -> Option<Entry> {
    let mut tokens = part.into_iter();
    let key = match tokens.next()? {
        TokenTree::Ident(key) => key,
        other => {
            errors.at(&other, format_args!("expected the name of a tensor attribute, found `{other}`"));
            return None;
        }
    };
    let rest: Vec<TokenTree> = tokens.collect();
    let form = match rest.as_slice() {
        [] => Form::Flag,
        [TokenTree::Group(list)] if list.delimiter() == Delimiter::Parenthesis => Form::List(list.clone()),
        [TokenTree::Punct(eq), value @ ..] if eq.as_char() == '=' && !value.is_empty() => {
            Form::Value(value.iter().cloned().collect())
        }
        _ => {
            let rest: TokenStream = rest.into_iter().collect();
            let key = key.unraw();
            errors.at(rest, format_args!("expected `{key}`, `{key} = ...` or `{key}(...)`"));
            return None;
        }
    };
    Some(Entry { key, form })
}

fn is_known(entry: &Entry, place: Place<'_>, errors: &mut Errors) -> bool {
    let name = entry.name();
    let keys = place.keys();
    if keys.contains(&name.as_str()) {
        return true;
    }
    let message = match place {
        Place::Field(field) if STRUCT_KEYS.contains(&name.as_str()) => {
            format!("`{name}` belongs on the struct, not on field `{}`", field.unraw())
        }
        Place::Struct(record) if FIELD_KEYS.contains(&name.as_str()) => {
            format!("`{name}` belongs on a field, not on the struct `{}`", record.unraw())
        }
        _ => {
            let close = did_you_mean(&name, keys.iter().copied());
            let expected = list(keys.iter().copied());
            format!("unknown tensor attribute `{name}`{close}\nhelp: expected one of {expected}")
        }
    };
    errors.at(&entry.key, message);
    false
}

/// The parts between commas; an empty last one is no part.
pub(crate) fn at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match &token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => parts.push(Vec::new()),
            _ => parts.last_mut().expect("there is always a last part").push(token),
        }
    }
    if parts.last().is_some_and(Vec::is_empty) {
        parts.pop();
    }
    parts
}

/// The same tokens without the invisible groups that `macro_rules!` puts around a fragment.
pub(crate) fn visible(tokens: TokenStream) -> TokenStream {
    let open = |token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => visible(group.stream()),
        TokenTree::Group(group) => {
            let mut opened = Group::new(group.delimiter(), visible(group.stream()));
            opened.set_span(group.span());
            TokenTree::Group(opened).into()
        }
        other => other.into(),
    };
    tokens.into_iter().map(open).collect::<Vec<TokenStream>>().into_iter().collect()
}
