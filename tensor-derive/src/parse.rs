//! From tokens to [`Spec`]. Nothing here returns early: whatever is wrong with one field or one key is reported, and
//! the rest is read as if it had not been written.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DataStruct, DeriveInput, Fields};

use crate::attr::{Entry, Place, entries};
use crate::diag::Errors;
use crate::names::snake_case;
use crate::spans::shown;
use crate::spec::{Field, Health, Spec, Store, Text};
use crate::{types, value};

/// The struct as a specification. When it is nothing that a schema could be made of, which is reported, only the path of
/// the runtime's `__private`.
pub(crate) fn parse(input: &DeriveInput, errors: &mut Errors) -> Result<Spec, TokenStream> {
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
    for field in fields.into_iter().flatten() {
        spec.is_sized &= !types::is_unsized(&field.ty);
        if let Some(ident) = &field.ident {
            match parse_field(field, ident, &spec, errors) {
                Some(parsed) => spec.fields.push(parsed),
                None => spec.skipped.push(ident.clone()),
            }
        }
    }
    match &input.data {
        Data::Struct(DataStruct { fields: Fields::Named(_), .. }) if input.generics.params.is_empty() => {
            Ok(spec)
        }
        _ => Err(spec.private),
    }
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
fn parse_field(field: &syn::Field, ident: &Ident, spec: &Spec, errors: &mut Errors) -> Option<Field> {
    let so_far = errors.count();
    let ty = types::without_self(&field.ty, &spec.ident);
    let name = ident.unraw().to_string();
    let mut parsed = Field {
        ident: ident.clone(),
        store: types::store(&ty),
        ty,
        docs: docs(&field.attrs),
        name: Text { value: name.clone(), tokens: ident.clone().into() },
        dtype: None,
        shape: None,
        required: None,
        optional: None,
        align: None,
        pad: None,
        unit: String::new(),
        nested: None,
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
            "nested" => {
                value::flag(entry, errors);
                parsed.nested = Some(entry.key.clone());
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
    if let Some(stand_in) = types::refuse(&parsed.ty, &spec.private, errors) {
        parsed.store = types::store(&stand_in);
        parsed.ty = stand_in;
        parsed.nested = parsed.nested.filter(|_| matches!(parsed.store, Store::Opaque));
    }
    if parsed.nested.is_some() {
        nested(&mut parsed, &entries, spec, errors);
    }
    if errors.count() > so_far && parsed.health == Health::Sound {
        parsed.health = Health::Broken;
    }
    Some(parsed)
}

/// The rules of a field that is another record.
fn nested(field: &mut Field, entries: &[Entry], spec: &Spec, errors: &mut Errors) {
    let (name, ty) = (field.ident.unraw(), shown(&field.ty));
    for entry in entries {
        let key = entry.name();
        if ["dtype", "shape", "align", "pad", "unit"].contains(&key.as_str()) {
            let message = format_args!("`{key}` says nothing about the nested record `{name}`");
            errors.help(&entry.key, message, format_args!("state it on a field of `{ty}`"));
        }
    }
    match types::store(&field.ty) {
        Store::Array { element: None, .. } => {
            let record = shown(types::element(&field.ty));
            let message = format_args!("`{ty}`: arrays of records are not supported");
            let help = format_args!(
                "give the fields of `{record}` one more dimension, as in `position: [[f32; 3]; 4]`, or nest `{record}` once \
                 for each, in fields of their own"
            );
            errors.help(&field.ty, message, help);
            // One of them stands in, so that the rest of the struct still works.
            field.ty = types::element(&field.ty).clone();
        }
        Store::Array { .. } | Store::Scalar(_) => {
            errors.help(&field.ty, format_args!("`{ty}` is not a record"), "remove `nested`");
            field.nested = None;
        }
        Store::Opaque | Store::Record => {}
    }
    if types::is_struct(&field.ty, &spec.ident) {
        let message = format_args!("`{}` cannot contain itself", spec.ident.unraw());
        errors.help(&field.ty, message, "a record has a fixed size: refer to another record by a number");
        field.health = Health::Dropped;
    }
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

#[cfg(test)]
mod tests {
    use crate::spec::{Extent, PadValue, Store};
    use crate::testing::{spec, told};

    #[test]
    fn everything_that_is_stated_is_read() {
        let (spec, errors) = spec(
            "#[tensor(name = \"nlp.tokens\", version = 3, dims(seq = 1..=512, n = ..=8), export = \"a.py\", crate = x::y)]
            pub struct Tokens {
                /// The ids.
                #[tensor(shape = [seq, 2], optional, align = 64, pad = -100, unit = \"m\", rename = \"ids_\")]
                ids: [i64; 1024],
                #[tensor(dtype = bf16, shape = [n])]
                weights: [u16; 8],
                #[tensor(skip)]
                note: String,
            }",
        );
        let spec = spec.unwrap();
        assert_eq!(errors, [""; 0]);
        assert_eq!(
            (spec.name.value.as_str(), spec.version, spec.private.to_string().as_str()),
            ("nlp.tokens", 3, "x :: y :: __private")
        );
        assert_eq!((spec.dims[0].min, spec.dims[0].max, spec.dims[1].min), (1, 512, 0));
        assert_eq!(spec.export.unwrap().value(), "a.py");
        let ids = &spec.fields[0];
        assert_eq!((ids.name.value.as_str(), ids.unit.as_str(), ids.is_optional()), ("ids_", "m", true));
        assert_eq!(ids.pad.as_ref().unwrap().value, PadValue::Int(-100));
        assert!(matches!(&ids.shape.as_ref().unwrap().extents[..], [Extent::Dim(_), Extent::Fixed(2, _)]));
        assert!(matches!(ids.kind(), Store::Array { rank: Some(2), .. }));
        assert_eq!((spec.fields.len(), spec.skipped.len()), (2, 1));
    }

    #[test]
    fn one_mistake_does_not_hide_another() {
        let errors = told(
            "nam = \"x\", version = -1",
            "#[tensor(shape = 3, pad = x)] a: [f32; 3], #[tensor(=)] b: Vec<u8>",
        );
        let expected = [
            "unknown tensor attribute `nam`; did you mean `name`?",
            "expected a whole number, for example `version = 2`",
            "expected a list of dimensions, for example `shape = [3, 224, 224]`",
            "expected a number, for example `pad = -100`",
            "expected the name of a tensor attribute, found `=`",
            "`Vec<u8>` cannot live in shared memory: it points into this process",
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn numbers_are_plain() {
        for wrong in ["3u64", "-3", "3.5", "\"3\"", "1 + 2", "[3]"] {
            let errors = told("", &format!("#[tensor(shape = [{wrong}])] a: [f32; 3]"));
            assert_eq!(errors.len(), 1, "{wrong}: {errors:?}");
        }
        for fine in ["3", "0x3", "1_0"] {
            assert_eq!(told("", &format!("#[tensor(shape = [{fine}])] a: [f32; 3]")), [""; 0]);
        }
    }

    #[test]
    fn documentation_keeps_its_paragraphs() {
        let (spec, _) = spec("/// One.\n///\n///  Two.  \nstruct A { x: f32 }");
        assert_eq!(super::doc_text(&spec.unwrap().docs).to_string(), "\"One.\\n\\n Two.\"");
    }
}
