//! The view of a run: several records as one batch, each field an array with one more dimension in front.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::emit::unraw;
use crate::names::snake_case;
use crate::nested;
use crate::spans::{record, storage};
use crate::spec::{DimDecl, Field, Spec, Store};
use crate::views::{Methods, lints};

impl Spec {
    /// The view of several records.
    pub(crate) fn run_ident(&self) -> Ident {
        format_ident!("{}Run", self.ident)
    }

    /// The same to write.
    fn run_mut_ident(&self) -> Ident {
        format_ident!("{}RunMut", self.ident)
    }
}

/// The two types, beside the struct and as visible as it is.
pub(crate) fn declare(spec: &Spec) -> TokenStream {
    let Spec { ident, vis, private, .. } = spec;
    let (run_ident, run_mut_ident) = (spec.run_ident(), spec.run_mut_ident());
    let name = unraw(ident);
    let doc =
        format!("A run of records of `{name}`: for each field an array with one more dimension in front.");
    let doc_mut =
        format!("A run of records of `{name}`, to write; it dereferences to [`{run_ident}`], to read.");
    let odd_name = name.contains('_') || name.starts_with(char::is_lowercase);
    let lints = lints(odd_name.then_some("non_camel_case_types"));
    quote! {
        #[doc = #doc]
        #lints
        #vis struct #run_ident<__Tail: ?#private::core::marker::Sized = [()]> {
            inner: #private::RawRun<#ident, __Tail>,
        }
        #[doc = #doc_mut]
        #lints
        #vis struct #run_mut_ident<__Tail: ?#private::core::marker::Sized = [()]> {
            inner: #run_ident<__Tail>,
        }
    }
}

/// Its methods.
pub(crate) fn implement(spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let (run_ident, run_mut_ident) = (spec.run_ident(), spec.run_mut_ident());
    let fields = || spec.fields.iter().enumerate();
    let methods = fields().map(|(at, field)| methods(at, field, spec));
    let writers = fields().map(|(at, field)| writers(at, field, spec));
    let settings = spec.dims.iter().enumerate().map(|(at, dim)| settings(at, dim, spec));
    let names = spec.fields.iter().map(|field| &field.ident).chain(spec.dims.iter().map(|dim| &dim.ident));
    let odd_name = names.map(unraw).any(|name| name != snake_case(&name));
    let lints = lints(odd_name.then_some("non_snake_case"));
    quote! {
        #lints
        #[allow(clippy::type_complexity)]
        impl<__Tail: ?#private::core::marker::Sized> #run_ident<__Tail> {
            #(#methods)*
        }
        #lints
        #[allow(clippy::type_complexity)]
        impl<__Tail: ?#private::core::marker::Sized> #run_mut_ident<__Tail> {
            #(#writers)*
            #(#settings)*
        }
        #[automatically_derived]
        impl<__Tail: ?#private::core::marker::Sized> #private::core::ops::Deref for #run_mut_ident<__Tail> {
            type Target = #run_ident<__Tail>;
            fn deref(&self) -> &#run_ident<__Tail> {
                &self.inner
            }
        }
        #[automatically_derived]
        impl<__Tail: ?#private::core::marker::Sized> #private::core::fmt::Debug for #run_mut_ident<__Tail> {
            fn fmt(&self, __f: &mut #private::core::fmt::Formatter<'_>) -> #private::core::fmt::Result {
                #private::core::fmt::Debug::fmt(&self.inner, __f)
            }
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
    let (private, run_ident, run_mut_ident) = (&spec.private, spec.run_ident(), spec.run_mut_ident());
    let (made, made_mut) = (nested::located(&run_ident, spec), nested::located(&run_mut_ident, spec));
    let store = quote_spanned! {nested::span(spec)=>
        fn __run_store(__raw: #private::RawRun<Self, [(); 0]>) -> Self::RunStore {
            #made { inner: __raw }
        }
        fn __run_mut_store(__raw: #private::RawRun<Self, [(); 0]>) -> Self::RunMutStore {
            #made_mut { inner: #made { inner: __raw } }
        }
    };
    quote! {
        type Run = #run_ident;
        type RunMut = #run_mut_ident;
        type RunStore = #run_ident<[(); 0]>;
        type RunMutStore = #run_mut_ident<[(); 0]>;
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
        fn __raw_run_mut(__store: &mut Self::RunStore) -> &mut #private::RawRun<Self, [(); 0]> {
            &mut __store.inner
        }
        fn __run_of(__store: &Self::RunMutStore) -> &Self::RunStore {
            &__store.inner
        }
        fn __run_of_mut(__store: &mut Self::RunMutStore) -> &mut Self::RunStore {
            &mut __store.inner
        }
        fn __as_run_to_fill(__store: &Self::RunMutStore) -> &Self::RunMut {
            __store
        }
        fn __as_run_to_fill_mut(__store: &mut Self::RunMutStore) -> &mut Self::RunMut {
            __store
        }
    }
}

/// The same for a struct that cannot have views.
pub(crate) fn of_nothing(private: &TokenStream) -> TokenStream {
    quote! {
        type Run = ();
        type RunMut = #private::NoView;
        type RunStore = ();
        type RunMutStore = #private::NoView;
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
        fn __raw_run_mut(_: &mut ()) -> &mut #private::RawRun<Self, [(); 0]> {
            #private::core::unreachable!()
        }
        fn __run_mut_store(_: #private::RawRun<Self, [(); 0]>) -> #private::NoView {
            #private::NoView
        }
        fn __run_of(_: &#private::NoView) -> &() {
            &()
        }
        fn __run_of_mut(_: &mut #private::NoView) -> &mut () {
            #private::core::unreachable!()
        }
        fn __as_run_to_fill(__store: &#private::NoView) -> &#private::NoView {
            __store
        }
        fn __as_run_to_fill_mut(__store: &mut #private::NoView) -> &mut #private::NoView {
            __store
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
    let slice = is_compact(field).then(|| {
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
    let array = has_array(&methods).then(|| {
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

/// Whether the values are next to each other for sure: nothing between the records', nothing beyond their lengths.
fn is_compact(field: &Field) -> bool {
    field.align.is_none() && field.dims().next().is_none()
}

/// Whether there is more to say than the slice does.
fn has_array(methods: &Methods<'_>) -> bool {
    !matches!(methods.kind, Store::Scalar(_)) || !is_compact(methods.field)
}

/// `x_mut()` and `x_array_mut()` of all records.
fn writers(at: usize, field: &Field, spec: &Spec) -> TokenStream {
    let methods = Methods::new(at, field, spec);
    let Methods { private, vis, at, element, pick, .. } = &methods;
    let ident_mut = format_ident!("{}_mut", field.ident, span = field.ident.span());
    if matches!(methods.kind, Store::Record) {
        let view = record(&field.ty, private, "RunMut");
        let view = methods.spanned(quote!(&mut #view));
        let docs = methods.docs(Some("Of all records, to be written."));
        return quote! {
            #docs
            #vis fn #ident_mut(&mut self) -> #view {
                self.inner.inner.nested_run_to_fill::<#pick>()
            }
        };
    }
    let slice = is_compact(field).then(|| {
        let docs = methods
            .docs(Some("Of all records, one after the other, to be written; marks it as present in each."));
        let ty = methods.slice(&quote!(&mut));
        quote! {
            #docs
            #vis fn #ident_mut(&mut self) -> #ty {
                self.inner.inner.slice_mut::<#element, #at>()
            }
        }
    });
    let array = has_array(&methods).then(|| {
        let array = format_ident!("{}_array_mut", field.ident, span = field.ident.span());
        let doc = format!(
            "`{}` of all records as one array, to be written: the records in front, then the field's shape, symbolic \
             dimensions at the longest. Marks it as present in each.",
            unraw(&field.ident)
        );
        let unset = field.dims().next().map(|dim| format!("# Panics\nIf no record has a length for `{}`.", unraw(dim)));
        let unset = unset.into_iter();
        let tracked = field.dims().next().map(|_| quote!(#[track_caller]));
        let rank = rank(&methods);
        let view = methods.spanned(quote!(#private::ndarray::ArrayViewMut<'_, #element, #rank>));
        quote! {
            #[doc = #doc]
            #(#[doc = ""] #[doc = #unset])*
            #tracked
            #vis fn #array(&mut self) -> #view {
                self.inner.inner.array_mut::<#element, #rank, #at>()
            }
        }
    });
    quote!(#slice #array)
}

/// `set_seq()` and `set_seq_each()`.
fn settings(at: usize, dim: &DimDecl, spec: &Spec) -> TokenStream {
    let Spec { vis, private, .. } = spec;
    let (ident, at) = (&dim.ident, Literal::usize_unsuffixed(at));
    let name = unraw(ident);
    let set = format_ident!("set_{}", ident, span = ident.span());
    let set_each = format_ident!("set_{}_each", ident, span = ident.span());
    let doc = format!("Sets the length of dimension `{name}` of every record, {} to {}.", dim.min, dim.max);
    let each = format!(
        "Sets the length of dimension `{name}` of each record to one of its own, {} to {}.",
        dim.min, dim.max
    );
    let clears = "Where that changes it, the fields that name it are absent again.";
    let error = "# Errors\n`DimOutOfRange`.";
    let panics = "# Panics\nIf there is not one length for each record.";
    let size = quote!(#private::core::primitive::usize);
    let result = quote!(#private::core::result::Result<(), #private::Error>);
    quote! {
        #[doc = #doc]
        #[doc = #clears]
        #[doc = ""]
        #[doc = #error]
        #vis fn #set(&mut self, length: #size) -> #result {
            self.inner.inner.set_dim::<#at>(length)
        }
        #[doc = #each]
        #[doc = #clears]
        #[doc = ""]
        #[doc = #error]
        #[doc = ""]
        #[doc = #panics]
        #[track_caller]
        #vis fn #set_each(&mut self, lengths: &[#size]) -> #result {
            self.inner.inner.set_dims::<#at>(lengths)
        }
    }
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
