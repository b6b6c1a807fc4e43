//! The generated code. It names nothing but what the user wrote, `__private`, and names of its own that begin with two
//! underscores; it has no `use` and no `unsafe`.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::parse::doc_text;
use crate::spans::storage;
use crate::spec::{Extent, Field, PadValue, Shape, Spec};
use crate::{dtype, export, layout, nested, runs, views};

pub(crate) fn emit(spec: &Spec) -> TokenStream {
    let views = views::declare(spec);
    let methods = views::implement(spec);
    let parts = nested::parts(spec);
    let (run, run_methods) = (runs::declare(spec), runs::implement(spec));
    let record = record(spec);
    let layout = layout::record(spec);
    let touched = touch_fields(spec);
    let checks = layout::checks(spec);
    let export = export::test(spec);
    quote! {
        #views
        #run
        const _: () = {
            #parts
            #methods
            #run_methods
            #record
            #layout
            #checks
            #touched
        };
        #export
    }
}

impl Spec {
    /// The view to read.
    pub(crate) fn ref_ident(&self) -> Ident {
        format_ident!("{}Ref", self.ident)
    }

    /// The view to write.
    pub(crate) fn mut_ident(&self) -> Ident {
        format_ident!("{}Mut", self.ident)
    }

    /// An expression for the schema.
    pub(crate) fn schema(&self) -> TokenStream {
        let (private, ident) = (&self.private, &self.ident);
        quote!(<#ident as #private::Record>::SCHEMA)
    }
}

fn record(spec: &Spec) -> TokenStream {
    let Spec { ident, private, .. } = spec;
    let (ref_ident, mut_ident) = (spec.ref_ident(), spec.mut_ident());
    let (name, version, doc) =
        (&spec.name.value, Literal::u32_unsuffixed(spec.version), doc_text(&spec.docs));
    let (dims, fields) = if spec.has_nested() {
        nested::dims_and_fields(spec)
    } else {
        let fields = spec.fields.iter().map(|field| descriptor(field, spec));
        (dims(spec), quote!(&[#(#fields),*]))
    };
    let nested = nested::types(spec);
    let of_runs = runs::of_record(spec);
    let (made_ref, made_mut) = (nested::located(&ref_ident, spec), nested::located(&mut_ident, spec));
    let stores = quote_spanned! {nested::span(spec)=>
        fn __ref_store(__raw: #private::RawView<Self, [(); 0]>) -> Self::RefStore {
            #made_ref { inner: __raw }
        }
        fn __mut_store(__raw: #private::RawView<Self, [(); 0]>) -> Self::MutStore {
            #made_mut { inner: #made_ref { inner: __raw } }
        }
    };
    quote! {
        #[automatically_derived]
        impl #private::Record for #ident {
            const SCHEMA: &'static #private::Schema = {
                const DIMS: &[#private::Dim] = #dims;
                const FIELDS: &[#private::Field] = #fields;
                &#private::Schema::from_static(#name, #version, #doc, DIMS, FIELDS)
            };
            type Ref = #ref_ident;
            type Mut = #mut_ident;
            type Nested = #nested;
            type RefStore = #ref_ident<[(); 0]>;
            type MutStore = #mut_ident<[(); 0]>;
            #stores
            fn __as_ref(__store: &Self::RefStore) -> &Self::Ref {
                __store
            }
            fn __as_mut_ref(__store: &Self::MutStore) -> &Self::Mut {
                __store
            }
            fn __as_mut(__store: &mut Self::MutStore) -> &mut Self::Mut {
                __store
            }
            fn __raw_of_ref(__store: &Self::RefStore) -> &#private::RawView<Self, [(); 0]> {
                &__store.inner
            }
            fn __raw(__store: &Self::MutStore) -> &#private::RawView<Self, [(); 0]> {
                &__store.inner.inner
            }
            #of_runs
        }
    }
}

/// The struct's own symbolic dimensions.
pub(crate) fn dims(spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let dims = spec.dims.iter().map(|dim| {
        let name = unraw(&dim.ident);
        let (min, max) = (Literal::u64_unsuffixed(dim.min), Literal::u64_unsuffixed(dim.max));
        quote!(#private::Dim::from_static(#name, #min, #max))
    });
    quote!(&[#(#dims),*])
}

/// `Field::from_static(...)` with what was stated.
pub(crate) fn descriptor(field: &Field, spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let (name, unit, doc) = (&field.name.value, &field.unit, doc_text(&field.docs));
    let dtype = dtype_of(field, private);
    let shape = match &field.shape {
        Some(shape) => shape_of(shape, spec),
        None => storage(&field.ty, private, "SHAPE"),
    };
    let optional = field.is_optional().then(|| quote!(.optional()));
    let align = field.align.as_ref().map(|(align, _)| {
        let align = Literal::u32_unsuffixed(*align);
        quote!(.with_align(#align))
    });
    let pad = field.pad.as_ref().map(|pad| {
        let stated = match pad.value {
            PadValue::Int(value) => {
                let value = Literal::i128_suffixed(value);
                quote!(Int(#value))
            }
            PadValue::Float(value) => {
                let bits = Literal::u64_unsuffixed(value.to_bits());
                quote!(Float(#private::core::primitive::f64::from_bits(#bits)))
            }
        };
        quote!(.with_pad(#private::pad(#dtype, #private::Pad::#stated)))
    });
    quote!(#private::Field::from_static(#name, #dtype, #shape, #unit, #doc) #optional #align #pad)
}

/// The dtype of a field, stated or of its type.
pub(crate) fn dtype_of(field: &Field, private: &TokenStream) -> TokenStream {
    match field.dtype.as_ref().and_then(dtype::variant) {
        Some(variant) => quote!(#private::DType::#variant),
        None => {
            let facts = storage(&field.ty, private, "FACTS");
            quote!(#facts.dtype)
        }
    }
}

/// A stated shape.
pub(crate) fn shape_of(shape: &Shape, spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let extents = shape.extents.iter().map(|extent| match extent {
        Extent::Fixed(size, _) => {
            let size = Literal::u64_unsuffixed(*size);
            quote!(#private::Extent::Fixed(#size))
        }
        Extent::Dim(dim) => {
            let index = spec.dim_index(dim).unwrap_or(0);
            let index = Literal::usize_unsuffixed(index);
            quote!(#private::Extent::Dim(#index))
        }
    });
    quote!(#private::Shape::new(&[#(#extents),*]))
}

/// The struct is never constructed and its fields are never read, of which the compiler would warn.
fn touch_fields(spec: &Spec) -> TokenStream {
    let ident = &spec.ident;
    let fields = spec.fields.iter().map(|field| &field.ident).chain(&spec.skipped);
    quote! {
        const _: fn(&#ident) = |__record| {
            #(let _ = &raw const __record.#fields;)*
        };
    }
}

pub(crate) fn unraw(ident: &Ident) -> String {
    syn::ext::IdentExt::unraw(ident).to_string()
}

#[cfg(test)]
mod tests {
    use crate::testing::expansion;

    /// What the whole derive makes of one struct, so that a change of the generated code is seen in review.
    /// `UPDATE_EXPECT=1 cargo test -p tensor-derive` writes the file anew.
    #[test]
    fn expansion_of_a_struct() {
        let found = expansion(
            "/// A text.
            #[tensor(name = \"nlp.text\", dims(seq = 1..=512), export = \"nlp.py\", crate = tb)]
            pub struct Text {
                /// Its tokens.
                #[tensor(shape = [seq])]
                ids: [i64; 512],
                #[tensor(optional)]
                stamp: Stamp,
            }",
        );
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expand/text.expected.rs");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(file, &found).expect("the file can be written");
        }
        let expected = std::fs::read_to_string(file).expect("the file is under version control");
        assert!(found == expected, "the expansion changed:\n{found}");
    }

    #[test]
    fn nothing_unsafe_is_generated() {
        let code = expansion("struct A { x: f32, y: [[u8; 2]; 3], z: Alias }");
        assert!(!code.contains("unsafe"), "{code}");
    }
}
