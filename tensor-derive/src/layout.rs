//! The layout of an owned record, and the checks of what only the compiler knows: types, sizes, offsets. A check fails
//! as a panic in a constant, at the tokens that are at fault, with the numbers in the text.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use crate::emit::{dtype_of, shape_of, unraw};
use crate::nested;
use crate::spans::{self, Ends, shown, storage};
use crate::spec::{Extent, Field, Health, Spec};

/// The owned record as the compiler lays it out, compared with the schema's own offsets.
pub(crate) fn record(spec: &Spec) -> TokenStream {
    let (private, schema) = (&spec.private, spec.schema());
    let count = spec.fields.len();
    let types: Vec<_> = (0..count).map(|at| format_ident!("__TensorField{at}")).collect();
    let names: Vec<_> = (0..count).map(|at| format_ident!("__field{at}")).collect();
    let gaps = (0..count).map(|at| format_ident!("__padding{at}"));
    let storages = spec.fields.iter().map(|field| {
        if field.nested.is_none() {
            return field.ty.to_token_stream();
        }
        let inner = spans::record(&field.ty, private, "SCHEMA");
        quote!(#private::NestedLayout<{ #private::record_size(#inner) }>)
    });
    let firsts = (0..count).map(|at| nested::index(spec, at));
    let end = nested::count(spec);
    quote! {
        const __FITS: #private::core::primitive::bool = #schema.record_offset(#end).is_some();
        #(type #types =
            <#private::Fits<__FITS> as #private::LaidOut<#storages>>::Type;)*
        #[allow(dead_code)]
        #[repr(C, align(64))]
        struct __TensorLayout {
            #(#names: #types,
            #gaps: [#private::core::primitive::u8; #private::padding(#private::core::mem::size_of::<#types>())],)*
        }
        const _: () = #private::check_layout(
            #schema,
            #private::core::mem::align_of::<__TensorLayout>(),
            #private::core::mem::size_of::<__TensorLayout>(),
            &[#((
                #firsts,
                #private::core::mem::size_of::<#types>(),
                #private::core::mem::offset_of!(__TensorLayout, #names),
            )),*],
        );
    }
}

/// One constant for each thing that can be wrong, so that all that is wrong shows in one run.
pub(crate) fn checks(spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let sound = spec.fields.iter().enumerate().filter(|(_, field)| field.health == Health::Sound);
    let calls = sound.flat_map(|(at, field)| field_checks(at, field, spec));
    let target = quote!(#private::check_target(#private::LITTLE_ENDIAN));
    quote!(const _: () = #target; #(const _: () = #calls;)*)
}

fn field_checks(at: usize, field: &Field, spec: &Spec) -> Vec<TokenStream> {
    let (private, schema) = (&spec.private, spec.schema());
    let name = unraw(&field.ident);
    let part = Literal::usize_unsuffixed(at);
    let limits = quote!(__DIMS, __PARTS, #part);
    if field.nested.is_some() {
        return vec![call(&field.ty, private, "check_part", limits)];
    }
    let at = nested::index(spec, at);
    let facts = storage(&field.ty, private, "FACTS");
    let rust = shown(&field.ty);
    let mut checks = vec![call(&field.ty, private, "check_field", quote!(#schema, #at, #facts, __FITS))];
    if spec.has_nested() {
        checks.push(call(&field.ident, private, "check_part", limits));
    }
    if let Some(dtype) = &field.dtype {
        let stated = dtype_of(field, private);
        checks.push(call(dtype, private, "check_dtype", quote!(#name, #rust, #stated, #facts.dtype)));
    }
    if let Some(shape) = &field.shape {
        let stated = shape_of(shape, spec);
        let arguments = quote!(#name, #rust, &#stated, #schema.dims(), #facts);
        checks.push(call(&shape.list, private, "check_shape", arguments.clone()));
        for (axis, extent) in shape.extents.iter().enumerate() {
            let axis = Literal::usize_unsuffixed(axis);
            let tokens = match extent {
                Extent::Fixed(_, tokens) => tokens.clone(),
                Extent::Dim(dim) => dim.to_token_stream(),
            };
            checks.push(call(tokens, private, "check_extent", quote!(#arguments, #axis)));
        }
    }
    if let Some(pad) = &field.pad {
        checks.push(call(&pad.tokens, private, "check_pad", quote!(#schema, #at)));
    }
    checks
}

/// `private::function(arguments)`, a panic in which points at `tokens`.
fn call(tokens: impl ToTokens, private: &TokenStream, function: &str, arguments: TokenStream) -> TokenStream {
    let ends = Ends::of(tokens);
    let function = proc_macro2::Ident::new(function, ends.last);
    ends.begin(quote_spanned!(ends.last=> #private::#function(#arguments)))
}
