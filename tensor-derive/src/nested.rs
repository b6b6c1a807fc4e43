//! Records within records: their fields come in the place of the field that nests them, so where a field is in the schema
//! is known to the compiler only.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};

use crate::emit::{descriptor, dims};
use crate::spans::{Ends, record};
use crate::spec::{Field, Spec};

/// The constants that the rest of the code uses in a record that has nested ones: the parts, and where each begins.
pub(crate) fn parts(spec: &Spec) -> TokenStream {
    if !spec.has_nested() {
        return TokenStream::new();
    }
    let private = &spec.private;
    let dims = dims(spec);
    let parts = spec.fields.iter().map(|field| part(field, spec));
    let places = spec.fields.iter().enumerate().map(|(at, field)| {
        let (first_field, first_dim) = (format_ident!("__FIELD{at}"), format_ident!("__DIM{at}"));
        let at = Literal::usize_unsuffixed(at);
        let size = quote!(#private::core::primitive::usize);
        let dim = field
            .nested
            .as_ref()
            .map(|_| quote!(const #first_dim: #size = #private::dims_before(__DIMS, __PARTS, #at);));
        quote!(const #first_field: #size = #private::fields_before(__PARTS, #at); #dim)
    });
    quote! {
        const __DIMS: &[#private::Dim] = #dims;
        const __PARTS: &[#private::Part] = &[#(#parts),*];
        #(#places)*
    }
}

fn part(field: &Field, spec: &Spec) -> TokenStream {
    let private = &spec.private;
    if field.nested.is_none() {
        let field = descriptor(field, spec);
        return quote!(#private::Part::Field(#field));
    }
    let (name, optional) = (&field.name.value, field.is_optional());
    let schema = record(&field.ty, private, "SCHEMA");
    quote!(#private::Part::Nested { name: #name, schema: #schema, optional: #optional })
}

/// Expressions for all dimensions and fields of the schema.
pub(crate) fn dims_and_fields(spec: &Spec) -> (TokenStream, TokenStream) {
    let private = &spec.private;
    let end = Literal::usize_unsuffixed(spec.fields.len());
    let names = quote!(&#private::names::<{ #private::names_len(__PARTS) }>(__PARTS));
    let dims = quote! {
        &#private::dims::<{ #private::at_most_dims(#private::dims_before(__DIMS, __PARTS, #end)) }>(
            __DIMS, __PARTS, #names,
        )
    };
    let fields = quote! {
        &#private::fields::<{ #private::at_most_fields(#private::fields_before(__PARTS, #end)) }>(
            __DIMS, __PARTS, #names,
        )
    };
    (dims, fields)
}

/// The type that lists the nested records.
pub(crate) fn types(spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let nested = spec.fields.iter().enumerate().filter(|(_, field)| field.nested.is_some());
    nested.rev().fold(quote!(()), |rest, (at, field)| {
        let (ty, first_field, first_dim) =
            (&field.ty, format_ident!("__FIELD{at}"), format_ident!("__DIM{at}"));
        // An error about the type points at it, wherever in this the compiler sees it.
        let ends = Ends::of(ty);
        let last = ends.last;
        let open = ends.begin(quote_spanned!(last=> #private::Nested<));
        let close = quote_spanned!(last=> , #first_field, #first_dim>);
        let mut list = Group::new(Delimiter::Parenthesis, quote!(#open #ty #close, #rest));
        list.set_span(last);
        TokenTree::Group(list).into()
    })
}

/// The type that says which of the nested records the one in field `at` is.
pub(crate) fn pick(spec: &Spec, at: usize) -> TokenStream {
    let private = &spec.private;
    let before = spec.fields[..at].iter().filter(|field| field.nested.is_some());
    before.fold(quote!(#private::Here), |pick, _| quote!(#private::There<#pick>))
}

/// Where code about the whole record stands. What is wrong with the type of a nested record the compiler finds there
/// again: at the same place it is one error.
pub(crate) fn span(spec: &Spec) -> Span {
    let first = spec.fields.iter().find(|field| field.nested.is_some());
    first.map_or_else(Span::call_site, |field| Ends::of(&field.ty).last)
}

/// The same name at that place.
pub(crate) fn located(ident: &Ident, spec: &Spec) -> Ident {
    Ident::new(&ident.to_string(), ident.span().located_at(span(spec)))
}

/// Where the field that the struct declares as number `at` begins in the schema.
pub(crate) fn index(spec: &Spec, at: usize) -> TokenStream {
    if spec.has_nested() {
        let index = format_ident!("__FIELD{at}");
        return quote!(#index);
    }
    let index = Literal::usize_unsuffixed(at);
    quote!(#index)
}

/// How many fields the schema has.
pub(crate) fn count(spec: &Spec) -> TokenStream {
    let count = Literal::usize_unsuffixed(spec.fields.len());
    if !spec.has_nested() {
        return quote!(#count);
    }
    let private = &spec.private;
    quote!(#private::at_most_fields(#private::fields_before(__PARTS, #count)))
}
