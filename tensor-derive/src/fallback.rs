//! What is generated for a struct with errors, so that the rest of the user's crate shows no errors because of it.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::DeriveInput;
use syn::ext::IdentExt;

use crate::spec::{Health, MAX_DIMS, MAX_RANK, Spec};
use crate::{dtype, names, runs};

/// Takes out of `spec` what was reported and cannot be printed. Changes nothing in a spec without errors.
pub(crate) fn repair(spec: &mut Spec) {
    if !names::is_schema_name(&spec.name.value) {
        spec.name.value = "invalid".to_owned();
    }
    let mut seen: Vec<Ident> = Vec::new();
    spec.dims.retain(|dim| {
        let first = !seen.contains(&dim.ident) && seen.len() < MAX_DIMS;
        seen.push(dim.ident.clone());
        first
    });
    for dim in &mut spec.dims {
        dim.max = dim.max.max(dim.min).max(1);
    }
    spec.fields.retain(|field| field.health != Health::Dropped);
    let declared: Vec<Ident> = spec.dims.iter().map(|dim| dim.ident.clone()).collect();
    for field in &mut spec.fields {
        if field.dtype.as_ref().is_some_and(|name| dtype::variant(name).is_none()) {
            field.dtype = None;
        }
        let known = field.dims().all(|dim| declared.contains(dim));
        if field.shape.as_ref().is_some_and(|shape| !known || shape.extents.len() > MAX_RANK) {
            field.shape = None;
        }
    }
}

/// An implementation for what is no struct with named fields, or is generic: it has no fields.
pub(crate) fn opaque(input: &DeriveInput, private: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let bounds = where_clause.map(|clause| &clause.predicates);
    let name = names::snake_case(&ident.unraw().to_string());
    let of_runs = runs::of_nothing(private);
    quote! {
        const _: () = {
            #[automatically_derived]
            impl #impl_generics #private::Record for #ident #ty_generics where Self: 'static, #bounds {
                const SCHEMA: &'static #private::Schema = &#private::Schema::from_static(#name, 0, "", &[], &[]);
                type Ref = ();
                type Mut = #private::NoView;
                type Nested = ();
                type RefStore = ();
                type MutStore = #private::NoView;
                fn __ref_store(_: #private::RawView<Self, [(); 0]>) {}
                fn __mut_store(_: #private::RawView<Self, [(); 0]>) -> #private::NoView {
                    #private::NoView
                }
                fn __as_ref(__store: &()) -> &() {
                    __store
                }
                fn __as_mut_ref(__store: &#private::NoView) -> &#private::NoView {
                    __store
                }
                fn __as_mut(__store: &mut #private::NoView) -> &mut #private::NoView {
                    __store
                }
                fn __raw_of_ref(_: &()) -> &#private::RawView<Self, [(); 0]> {
                    #private::core::unreachable!()
                }
                fn __raw(_: &#private::NoView) -> &#private::RawView<Self, [(); 0]> {
                    #private::core::unreachable!()
                }
                #of_runs
            }
        };
    }
}
