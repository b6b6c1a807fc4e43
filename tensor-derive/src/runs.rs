//! The view of a run: several records as one batch, each field an array with one more dimension in front.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::emit::unraw;
use crate::names::snake_case;
use crate::nested;
use crate::spans::{record, storage};
use crate::spec::{Field, Spec, Store};
use crate::views::{Methods, lints};

impl Spec {
    /// The view of several records.
    pub(crate) fn run_ident(&self) -> Ident {
        format_ident!("{}Run", self.ident)
    }
}

/// The type, beside the struct and as visible as it is.
pub(crate) fn declare(spec: &Spec) -> TokenStream {
    let Spec { ident, vis, private, .. } = spec;
    let run_ident = spec.run_ident();
    let name = unraw(ident);
    let doc =
        format!("A run of records of `{name}`: for each field an array with one more dimension in front.");
    let odd_name = name.contains('_') || name.starts_with(char::is_lowercase);
    let lints = lints(odd_name.then_some("non_camel_case_types"));
    quote! {
        #[doc = #doc]
        #lints
        #vis struct #run_ident<__Tail: ?#private::core::marker::Sized = [()]> {
            inner: #private::RawRun<#ident, __Tail>,
        }
    }
}

/// Its methods.
pub(crate) fn implement(spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let run_ident = spec.run_ident();
    let methods = spec.fields.iter().enumerate().map(|(at, field)| methods(at, field, spec));
    let odd_name = spec.fields.iter().map(|field| unraw(&field.ident)).any(|name| name != snake_case(&name));
    let lints = lints(odd_name.then_some("non_snake_case"));
    quote! {
        #lints
        #[allow(clippy::type_complexity)]
        impl<__Tail: ?#private::core::marker::Sized> #run_ident<__Tail> {
            #(#methods)*
        }
        #[automatically_derived]
        impl<__Tail: ?#private::core::marker::Sized> #private::core::fmt::Debug for #run_ident<__Tail> {
            fn fmt(&self, __f: &mut #private::core::fmt::Formatter<'_>) -> #private::core::fmt::Result {
                #private::core::fmt::Debug::fmt(&self.inner, __f)
            }
        }
    }
}

/// What the `Record` of the struct says of its runs.
pub(crate) fn of_record(spec: &Spec) -> TokenStream {
    let (private, run_ident) = (&spec.private, spec.run_ident());
    let made = nested::located(&run_ident, spec);
    let store = quote_spanned! {nested::span(spec)=>
        fn __run_store(__raw: #private::RawRun<Self, [(); 0]>) -> Self::RunStore {
            #made { inner: __raw }
        }
    };
    quote! {
        type Run = #run_ident;
        type RunStore = #run_ident<[(); 0]>;
        #store
        fn __as_run(__store: &Self::RunStore) -> &Self::Run {
            __store
        }
        fn __as_run_mut(__store: &mut Self::RunStore) -> &mut Self::Run {
            __store
        }
        fn __raw_run(__store: &Self::RunStore) -> &#private::RawRun<Self, [(); 0]> {
            &__store.inner
        }
    }
}

/// The same for a struct that cannot have views.
pub(crate) fn of_nothing(private: &TokenStream) -> TokenStream {
    quote! {
        type Run = ();
        type RunStore = ();
        fn __run_store(_: #private::RawRun<Self, [(); 0]>) {}
        fn __as_run(__store: &()) -> &() {
            __store
        }
        fn __as_run_mut(__store: &mut ()) -> &mut () {
            __store
        }
        fn __raw_run(_: &()) -> &#private::RawRun<Self, [(); 0]> {
            #private::core::unreachable!()
        }
    }
}

fn methods(at: usize, field: &Field, spec: &Spec) -> TokenStream {
    let methods = Methods::new(at, field, spec);
    let Methods { private, vis, at, element, .. } = &methods;
    let ident = &field.ident;
    if matches!(methods.kind, Store::Record) {
        return record_methods(&methods);
    }
    let name = unraw(ident);
    // Next to each other for sure: nothing between the records' values, nothing beyond their lengths.
    let is_compact = field.align.is_none() && field.dims().next().is_none();
    let is_scalar = matches!(methods.kind, Store::Scalar(_));
    let slice = is_compact.then(|| {
        let docs = methods.docs(Some("Of all records, one after the other."));
        let (ty, body) =
            whole(&methods, methods.slice(&quote!(&)), quote!(self.inner.slice::<#element, #at>()));
        quote! {
            #docs
            #[must_use]
            #vis fn #ident(&self) -> #ty {
                #body
            }
        }
    });
    let array = (!is_scalar || !is_compact).then(|| {
        let array = format_ident!("{}_array", ident, span = ident.span());
        let doc = format!(
            "`{name}` of all records as one array: the records in front, then the field's shape, symbolic dimensions at \
             the longest."
        );
        let rank = rank(&methods);
        let view = methods.spanned(quote!(#private::ndarray::ArrayView<'_, #element, #rank>));
        let (ty, body) = whole(&methods, view, quote!(self.inner.array::<#element, #rank, #at>()));
        quote! {
            #[doc = #doc]
            #[must_use]
            #vis fn #array(&self) -> #ty {
                #body
            }
        }
    });
    let fill = field.is_optional().then(|| {
        let fill = format_ident!("fill_{}", ident, span = ident.span());
        let doc = format!("Writes `value` to every element of `{name}` of the records that lack it.");
        quote! {
            #[doc = #doc]
            #vis fn #fill(&mut self, value: #element) {
                self.inner.fill::<#element, #at>(value)
            }
        }
    });
    quote!(#slice #array #fill)
}

/// `pose()` and `pose_mut()` of a nested record: its fields, of all records.
fn record_methods(methods: &Methods<'_>) -> TokenStream {
    let Methods { private, vis, pick, field, .. } = methods;
    let (ident, name) = (&field.ident, &field.name.value);
    let ident_mut = format_ident!("{}_mut", ident, span = ident.span());
    let view = record(&field.ty, private, "Run");
    let docs = methods.docs(Some("Of all records."));
    let (ty, body) = match field.is_optional() {
        true => {
            let option = quote!(#private::core::option::Option<&#view>);
            let ty = quote!(#private::core::result::Result<#option, #private::Error>);
            (ty, quote!(self.inner.nested_run_if_present::<#pick>(#name)))
        }
        false => (quote!(&#view), quote!(self.inner.nested_run::<#pick>())),
    };
    let (ty, ty_mut) = (methods.spanned(ty), methods.spanned(quote!(&mut #view)));
    let doc = format!("`{name}` of all records, to fill what some of them lack.");
    quote! {
        #docs
        #[must_use]
        #vis fn #ident(&self) -> #ty {
            #body
        }
        #[doc = #doc]
        #vis fn #ident_mut(&mut self) -> #ty_mut {
            self.inner.nested_run_mut::<#pick>()
        }
    }
}

/// The type of what an optional field gives, and the expression for it: `None` when no record has it, an error when only some
/// have.
fn whole(methods: &Methods<'_>, ty: TokenStream, value: TokenStream) -> (TokenStream, TokenStream) {
    let Methods { private, at, field, .. } = methods;
    if !field.is_optional() {
        return (ty, value);
    }
    let (option, result) = (quote!(#private::core::option::Option), quote!(#private::core::result::Result));
    let body = quote! {
        #result::Ok(if self.inner.is_present::<#at>()? { #option::Some(#value) } else { #option::None })
    };
    (methods.spanned(quote!(#result<#option<#ty>, #private::Error>)), body)
}

/// The static rank, one more than the field's, as a type of `ndarray`, which has names up to six.
fn rank(methods: &Methods<'_>) -> TokenStream {
    let Methods { private, field, .. } = methods;
    match &methods.kind {
        Store::Scalar(_) => quote!(#private::ndarray::Ix1),
        Store::Array { rank: Some(rank @ 0..=5), .. } => {
            let rank = format_ident!("Ix{}", rank + 1);
            quote!(#private::ndarray::#rank)
        }
        Store::Array { rank: Some(_), .. } => quote!(#private::ndarray::IxDyn),
        _ => {
            let rank = storage(&field.ty, private, "Rank");
            quote!(<#rank as #private::ndarray::Dimension>::Larger)
        }
    }
}
