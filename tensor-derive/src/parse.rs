//! From tokens to [`Spec`]. Nothing here returns early: whatever is wrong with one field or one key is reported, and
//! the rest is read as if it had not been written.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Fields};

use crate::attr::{Place, entries};
use crate::diag::Errors;
use crate::names::snake_case;
use crate::spec::{Field, Health, Spec, Text};
use crate::{types, value};

/// The struct as a specification; `None`, reported, when it is nothing that a schema could be made of.
pub(crate) fn parse(input: &DeriveInput, errors: &mut Errors) -> Option<Spec> {
    let fields = named_fields(input, errors);
    for param in &input.generics.params {
        let name = match param {
            syn::GenericParam::Type(ty) => ty.ident.to_token_stream(),
            syn::GenericParam::Lifetime(lifetime) => lifetime.lifetime.to_token_stream(),
            syn::GenericParam::Const(constant) => constant.ident.to_token_stream(),
        };
        errors.help(
            &name,
            format_args!("a schema cannot be generic over `{name}`: its descriptor needs one layout"),
            "derive on a concrete struct",
        );
    }
    let mut spec = Spec::named_like(&input.ident);
    spec.vis = input.vis.clone();
    spec.docs = docs(&input.attrs);
    struct_keys(&mut spec, &input.attrs, errors);
    for field in fields? {
        spec.is_sized &= !types::is_unsized(&field.ty);
        if let Some(ident) = &field.ident {
            match parse_field(field, ident, &spec.private, errors) {
                Some(parsed) => spec.fields.push(parsed),
                None => spec.skipped.push(ident.clone()),
            }
        }
    }
    input.generics.params.is_empty().then_some(spec)
}

impl Spec {
    fn named_like(ident: &Ident) -> Spec {
        Spec {
            name: Text { value: snake_case(&ident.unraw().to_string()), tokens: ident.clone().into() },
            ident: ident.clone(),
            vis: syn::Visibility::Inherited,
            version: 0,
            docs: Vec::new(),
            dims: Vec::new(),
            export: None,
            private: quote!(::tensorbridge::__private),
            fields: Vec::new(),
            is_sized: true,
            skipped: Vec::new(),
        }
    }
}

fn named_fields<'a>(
    input: &'a DeriveInput,
    errors: &mut Errors,
) -> Option<impl Iterator<Item = &'a syn::Field> + use<'a>> {
    let ident = &input.ident;
    let needs_names = "`Tensor` needs named fields: field names become Python attributes";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields.named.iter()),
            Fields::Unnamed(fields) => errors.at(fields, needs_names),
            Fields::Unit => errors.at(ident, needs_names),
        },
        Data::Enum(data) => errors.help(
            data.enum_token,
            "`Tensor` can only be derived for structs",
            format_args!("store `{ident}` in a `u8` field and convert in an accessor"),
        ),
        Data::Union(data) => errors.help(
            data.union_token,
            "`Tensor` can only be derived for structs",
            "give each reading of the bytes a field of its own",
        ),
    }
    None
}

fn struct_keys(spec: &mut Spec, attrs: &[Attribute], errors: &mut Errors) {
    for entry in entries(attrs, Place::Struct(&spec.ident), errors) {
        match entry.name().as_str() {
            "name" => {
                if let Some(name) = value::name(&entry, "vision.image", errors) {
                    spec.name = name;
                }
            }
            "version" => {
                if let Some((version, _)) = value::number(&entry, 2, errors) {
                    spec.version = version;
                }
            }
            "dims" => spec.dims = value::dims(&entry, errors),
            "export" => spec.export = value::text(&entry, "python/vision.py", errors),
            "crate" => {
                if let Some(path) = value::path(&entry, errors) {
                    spec.private = quote!(#path::__private);
                }
            }
            _ => {}
        }
    }
}

/// The field; `None` when it is not part of the record.
fn parse_field(
    field: &syn::Field,
    ident: &Ident,
    private: &TokenStream,
    errors: &mut Errors,
) -> Option<Field> {
    let so_far = errors.count();
    let name = ident.unraw().to_string();
    let mut parsed = Field {
        ident: ident.clone(),
        ty: field.ty.clone(),
        docs: docs(&field.attrs),
        name: Text { value: name.clone(), tokens: ident.clone().into() },
        dtype: None,
        shape: None,
        required: None,
        optional: None,
        align: None,
        pad: None,
        unit: String::new(),
        store: types::store(&field.ty),
        health: Health::Sound,
    };
    let mut skip = None;
    let entries = entries(&field.attrs, Place::Field(ident), errors);
    for entry in &entries {
        match entry.name().as_str() {
            "dtype" => parsed.dtype = value::dtype(entry, errors),
            "shape" => parsed.shape = value::shape(entry, &name, errors),
            "required" => parsed.required = value::flag(entry, errors),
            "optional" => parsed.optional = value::flag(entry, errors),
            "align" => parsed.align = value::number(entry, 64, errors),
            "pad" => parsed.pad = value::pad(entry, errors),
            "unit" => {
                parsed.unit = value::text(entry, "m", errors).map_or_else(String::new, |text| text.value())
            }
            "rename" => {
                if let Some(name) = value::name(entry, "class_", errors) {
                    parsed.name = name;
                }
            }
            "skip" => skip = value::flag(entry, errors),
            _ => {}
        }
    }
    if let Some((_, default)) = &field.default {
        errors.help(
            default,
            "field defaults are not read from Rust syntax",
            "a fresh record holds whatever was there before: set the field when you fill the record",
        );
    }
    if let Some(skip) = skip {
        if entries.len() > 1 {
            errors.at(skip, format_args!("`{name}` is skipped: nothing else can be said about it"));
        }
        return None;
    }
    if let Some(stand_in) = types::refuse(&field.ty, private, errors) {
        parsed.store = types::store(&stand_in);
        parsed.ty = stand_in;
    }
    if errors.count() > so_far {
        parsed.health = Health::Broken;
    }
    Some(parsed)
}

fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect()
}

/// The text of documentation comments, without the space after each `///`.
pub(crate) fn doc_text(docs: &[Attribute]) -> Literal {
    let lines = docs.iter().filter_map(|doc| {
        let syn::Meta::NameValue(pair) = &doc.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        let text = text.value();
        let strip = |line: &str| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned();
        Some(text.split('\n').map(strip).collect::<Vec<_>>().join("\n"))
    });
    Literal::string(lines.collect::<Vec<_>>().join("\n").trim())
}
