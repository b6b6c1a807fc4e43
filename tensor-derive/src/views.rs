//! The views: what a loan or a received record dereferences to. The one to write dereferences to the one to read.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use crate::emit::unraw;
use crate::names::snake_case;
use crate::nested;
use crate::spans::{Ends, arguments, record, storage};
use crate::spec::{DimDecl, Extent, Field, Spec, Store};

/// The two view types, beside the struct and as visible as it is.
pub(crate) fn declare(spec: &Spec) -> TokenStream {
    let Spec { ident, vis, private, .. } = spec;
    let (ref_ident, mut_ident) = (spec.ref_ident(), spec.mut_ident());
    let name = unraw(ident);
    let ref_doc = format!("A record of `{name}`, to read.");
    let mut_doc = format!("A record of `{name}`, to write; it dereferences to [`{ref_ident}`], to read.");
    let odd_name = name.contains('_') || name.starts_with(char::is_lowercase);
    let lints = lints(odd_name.then_some("non_camel_case_types"));
    quote! {
        #[doc = #ref_doc]
        #lints
        #vis struct #ref_ident<__Tail: ?#private::core::marker::Sized = [()]> {
            inner: #private::RawView<#ident, __Tail>,
        }
        #[doc = #mut_doc]
        #lints
        #vis struct #mut_ident<__Tail: ?#private::core::marker::Sized = [()]> {
            inner: #ref_ident<__Tail>,
        }
    }
}

/// Their methods.
pub(crate) fn implement(spec: &Spec) -> TokenStream {
    let private = &spec.private;
    let (ref_ident, mut_ident) = (spec.ref_ident(), spec.mut_ident());
    let fields = || spec.fields.iter().enumerate().map(|(at, field)| Methods::new(at, field, spec));
    let readers = fields().map(|methods| methods.readers());
    let writers = fields().map(|methods| methods.writers());
    let dims = || spec.dims.iter().enumerate();
    let lengths = dims().map(|(at, dim)| length(at, dim, spec));
    let settings = dims().map(|(at, dim)| setting(at, dim, spec));
    let odd_name = spec
        .fields
        .iter()
        .map(|field| unraw(&field.ident))
        .chain(spec.dims.iter().map(|dim| unraw(&dim.ident)));
    let lints = lints(odd_name.into_iter().any(|name| name != snake_case(&name)).then_some("non_snake_case"));
    quote! {
        #lints
        impl<__Tail: ?#private::core::marker::Sized> #ref_ident<__Tail> {
            #(#readers)*
            #(#lengths)*
        }
        #lints
        impl<__Tail: ?#private::core::marker::Sized> #mut_ident<__Tail> {
            #(#writers)*
            #(#settings)*
        }
        #[automatically_derived]
        impl<__Tail: ?#private::core::marker::Sized> #private::core::ops::Deref for #mut_ident<__Tail> {
            type Target = #ref_ident<__Tail>;
            fn deref(&self) -> &#ref_ident<__Tail> {
                &self.inner
            }
        }
        #[automatically_derived]
        impl<__Tail: ?#private::core::marker::Sized> #private::core::fmt::Debug for #ref_ident<__Tail> {
            fn fmt(&self, __f: &mut #private::core::fmt::Formatter<'_>) -> #private::core::fmt::Result {
                #private::core::fmt::Debug::fmt(&self.inner, __f)
            }
        }
        #[automatically_derived]
        impl<__Tail: ?#private::core::marker::Sized> #private::core::fmt::Debug for #mut_ident<__Tail> {
            fn fmt(&self, __f: &mut #private::core::fmt::Formatter<'_>) -> #private::core::fmt::Result {
                #private::core::fmt::Debug::fmt(&self.inner, __f)
            }
        }
    }
}

/// No program uses every method, and a name the user chose is the user's business: one warning for it is enough.
pub(crate) fn lints(more: Option<&str>) -> TokenStream {
    let more = more.map(|lint| format_ident!("{lint}"));
    quote!(#[allow(dead_code, #more)])
}

/// The methods of one field.
pub(crate) struct Methods<'a> {
    pub(crate) field: &'a Field,
    pub(crate) private: &'a TokenStream,
    pub(crate) vis: &'a syn::Visibility,
    /// Where it is in the schema.
    pub(crate) at: TokenStream,
    /// Which of the nested records it is, if it is one.
    pub(crate) pick: TokenStream,
    /// The element's type: as the user wrote it where that can be seen, so that documentation shows `&[f32]`.
    pub(crate) element: TokenStream,
    pub(crate) kind: Store,
}

impl<'a> Methods<'a> {
    pub(crate) fn new(at: usize, field: &'a Field, spec: &'a Spec) -> Methods<'a> {
        let private = &spec.private;
        let kind = field.kind();
        let element = match &kind {
            Store::Scalar(element) | Store::Array { element: Some(element), .. } => element.clone(),
            _ => storage(&field.ty, private, "Element"),
        };
        let (at, pick) = (nested::index(spec, at), nested::pick(spec, at));
        Methods { field, private, vis: &spec.vis, at, pick, element, kind }
    }

    /// `pose()` of a nested record.
    fn record_reader(&self) -> TokenStream {
        let Methods { private, vis, pick, .. } = self;
        let ident = &self.field.ident;
        let view = record(&self.field.ty, private, "Ref");
        let docs =
            self.docs(self.field.is_optional().then_some("`None` when none of its fields is present."));
        let (view, get) = match self.field.is_optional() {
            true => (quote!(#private::core::option::Option<&#view>), quote!(nested_if_present)),
            false => (quote!(&#view), quote!(nested)),
        };
        let view = self.spanned(view);
        quote! {
            #docs
            #[must_use]
            #vis fn #ident(&self) -> #view {
                self.inner.#get::<#pick>()
            }
        }
    }

    /// `pose_mut()` of a nested record.
    fn record_writer(&self) -> TokenStream {
        let Methods { private, vis, pick, .. } = self;
        let name = format_ident!("{}_mut", self.field.ident, span = self.field.ident.span());
        let view = record(&self.field.ty, private, "Mut");
        let view = self.spanned(quote!(&mut #view));
        let docs =
            self.docs(Some("To be written; marks each of its fields as present when that is written."));
        quote! {
            #docs
            #vis fn #name(&mut self) -> #view {
                self.inner.inner.nested_mut::<#pick>()
            }
        }
    }

    fn readers(&self) -> TokenStream {
        if matches!(self.kind, Store::Record) {
            return self.record_reader();
        }
        let Methods { private, vis, at, element, .. } = self;
        let (ident, ty) = (&self.field.ident, &self.field.ty);
        let docs = self.docs(self.field.is_optional().then_some("`None` when the record has none."));
        let (read, value) = match &self.kind {
            Store::Scalar(_) => (element.clone(), quote!(self.inner.value::<#element, #at>())),
            Store::Array { .. } => (self.slice(&quote!(&)), quote!(self.inner.slice::<#element, #at>())),
            Store::Opaque | Store::Record => {
                let (read, read_fn) = (storage(ty, private, "Read"), storage(ty, private, "read"));
                let ends = Ends::of(ty);
                let elements = Ident::new("__elements", ends.last);
                let argument = arguments(ty, ends.begin(quote_spanned!(ends.last=> &*#elements)));
                let slice = quote!(self.inner.slice::<#element, #at>());
                (self.spanned(quote!(#read<'_>)), quote!(match #slice { #elements => #read_fn #argument }))
            }
        };
        let (read, body) = self.maybe(read, value);
        let tracked = self.tracked(Access::Slice);
        let reader = quote! {
            #docs
            #[must_use]
            #tracked
            #vis fn #ident(&self) -> #read {
                #body
            }
        };
        if matches!(self.kind, Store::Scalar(_)) {
            return reader;
        }
        let array = format_ident!("{}_array", ident, span = ident.span());
        let docs = self.array_docs("`None` when the record has none.", self.field.is_optional());
        let tracked = self.tracked(Access::Array);
        let (view, rank) = (self.array("ArrayView"), self.rank());
        let (ty, body) = self.maybe(view, quote!(self.inner.array::<#element, #rank, #at>()));
        let only = self.only("ArrayIn");
        quote! {
            #reader
            #docs
            #[must_use]
            #tracked
            #vis fn #array(&self) -> #ty #only {
                #body
            }
        }
    }

    fn writers(&self) -> TokenStream {
        if matches!(self.kind, Store::Record) {
            return self.record_writer();
        }
        let scalar = (!matches!(self.kind, Store::Array { .. })).then(|| self.scalar_writer());
        let array = (!matches!(self.kind, Store::Scalar(_))).then(|| self.array_writers());
        quote!(#scalar #array)
    }

    fn scalar_writer(&self) -> TokenStream {
        let Methods { private, vis, at, .. } = self;
        let ident = &self.field.ident;
        let ty = &self.field.ty;
        let (value, write) = match &self.kind {
            Store::Scalar(element) => (element.clone(), quote!(set_value::<#element, #at>(value))),
            _ => {
                let scalar = quote!(<#ty as #private::ScalarIn<__Tail>>);
                (ty.to_token_stream(), quote!(set_value::<#scalar::Element, #at>(#scalar::element(value))))
            }
        };
        let set = format_ident!("set_{}", ident, span = ident.span());
        let docs = self.docs(Some("Writes it and marks it as present."));
        let only = self.only("ScalarIn");
        quote! {
            #docs
            #vis fn #set(&mut self, value: #value) #only {
                self.inner.inner.#write
            }
        }
    }

    fn array_writers(&self) -> TokenStream {
        let Methods { vis, at, element, .. } = self;
        let ident = &self.field.ident;
        let (slice_mut, array_mut) = (
            format_ident!("{}_mut", ident, span = ident.span()),
            format_ident!("{}_array_mut", ident, span = ident.span()),
        );
        let slice_docs = self.docs(Some("To be written; marks it as present."));
        let array_docs = self.array_docs("To be written; marks it as present.", true);
        let (slice, view, rank) = (self.slice(&quote!(&mut)), self.array("ArrayViewMut"), self.rank());
        let only = self.only("ArrayIn");
        let (slice_tracked, array_tracked) = (self.tracked(Access::Slice), self.tracked(Access::Array));
        quote! {
            #slice_docs
            #slice_tracked
            #vis fn #slice_mut(&mut self) -> #slice #only {
                self.inner.inner.slice_mut::<#element, #at>()
            }
            #array_docs
            #array_tracked
            #vis fn #array_mut(&mut self) -> #view #only {
                self.inner.inner.array_mut::<#element, #rank, #at>()
            }
        }
    }

    /// `ty` and the expression for it, or both as an option.
    fn maybe(&self, ty: TokenStream, value: TokenStream) -> (TokenStream, TokenStream) {
        let Methods { private, at, .. } = self;
        if !self.field.is_optional() {
            return (ty, value);
        }
        let option = quote!(#private::core::option::Option);
        let body = quote! {
            if self.inner.is_present::<#at>() { #option::Some(#value) } else { #option::None }
        };
        (self.spanned(quote!(#option<#ty>)), body)
    }

    pub(crate) fn slice(&self, reference: &TokenStream) -> TokenStream {
        let element = &self.element;
        let slice = quote_spanned!(Ends::of(&self.field.ty).last=> [#element]);
        self.spanned(quote!(#reference #slice))
    }

    fn array(&self, view: &str) -> TokenStream {
        let Methods { private, element, .. } = self;
        let (view, rank) = (format_ident!("{view}"), self.rank());
        self.spanned(quote!(#private::ndarray::#view<'_, #element, #rank>))
    }

    /// The static rank as a type of `ndarray`, which has names up to six.
    fn rank(&self) -> TokenStream {
        let private = self.private;
        match &self.kind {
            Store::Array { rank: Some(rank @ 0..=6), .. } => {
                let rank = format_ident!("Ix{rank}");
                quote!(#private::ndarray::#rank)
            }
            Store::Array { rank: Some(_), .. } => quote!(#private::ndarray::IxDyn),
            _ => storage(&self.field.ty, private, "Rank"),
        }
    }

    /// Where only the compiler knows whether the field is an array: the condition under which a method can be called.
    fn only(&self, bound: &str) -> TokenStream {
        if !matches!(self.kind, Store::Opaque) {
            return TokenStream::new();
        }
        let (private, ty, bound) = (self.private, &self.field.ty, format_ident!("{bound}"));
        quote!(where #ty: #private::#bound<__Tail>)
    }

    /// A panic because a dimension is not set points at the caller.
    fn tracked(&self, access: Access) -> Option<TokenStream> {
        self.needed_dim(access).map(|_| quote!(#[track_caller]))
    }

    /// The tokens of a type, an error about which points at the field's own type.
    pub(crate) fn spanned(&self, tokens: TokenStream) -> TokenStream {
        let ends = Ends::of(&self.field.ty);
        let last = ends.last;
        let mut tokens: Vec<_> = tokens.into_iter().collect();
        if let Some(token) = tokens.last_mut() {
            token.set_span(last);
        }
        ends.begin(tokens.into_iter().collect())
    }

    /// The user's own documentation, or else the field's name; then what this method does.
    pub(crate) fn docs(&self, more: Option<&str>) -> TokenStream {
        let docs = &self.field.docs;
        let own = docs.is_empty().then(|| format!("The field `{}`.", unraw(&self.field.ident))).into_iter();
        let more = more.map(str::to_owned).into_iter().chain(self.panics(Access::Slice));
        quote!(#(#docs)* #(#[doc = #own])* #(#[doc = ""] #[doc = #more])*)
    }

    fn array_docs(&self, more: &str, applies: bool) -> TokenStream {
        let own = format!("`{}` as an array of its shape in this record.", unraw(&self.field.ident));
        let more = applies.then(|| more.to_owned()).into_iter().chain(self.panics(Access::Array));
        quote!(#[doc = #own] #(#[doc = ""] #[doc = #more])*)
    }

    fn panics(&self, access: Access) -> Option<String> {
        self.needed_dim(access).map(|dim| format!("# Panics\nIf `{dim}` is not set."))
    }

    /// A symbolic dimension without whose length a method cannot work.
    fn needed_dim(&self, access: Access) -> Option<&Ident> {
        let extents = &self.field.shape.as_ref()?.extents;
        let needed = match access {
            Access::Slice => &extents[..extents.len().min(1)],
            Access::Array => extents,
        };
        needed.iter().find_map(|extent| match extent {
            Extent::Dim(dim) => Some(dim),
            Extent::Fixed(..) => None,
        })
    }
}

/// How a method gives access to an array: a slice depends on the leading dimension only.
#[derive(Clone, Copy)]
enum Access {
    Slice,
    Array,
}

/// `seq()` of the view to read. A received record has it set when a required field names it.
fn length(at: usize, dim: &DimDecl, spec: &Spec) -> TokenStream {
    let Spec { vis, private, .. } = spec;
    let (ident, at) = (&dim.ident, Literal::usize_unsuffixed(at));
    let name = unraw(ident);
    let is_required = |field: &Field| !field.is_optional() && field.dims().any(|used| used == ident);
    let doc = format!("The length of dimension `{name}` in this record.");
    if spec.fields.iter().any(is_required) {
        let unset = format!("dimension `{name}` is not set");
        return quote! {
            #[doc = #doc]
            #[must_use]
            #[track_caller]
            #vis fn #ident(&self) -> #private::core::primitive::usize {
                self.inner.dim::<#at>().expect(#unset)
            }
        };
    }
    let unset = "`None` when it is not set.";
    quote! {
        #[doc = #doc]
        #[doc = #unset]
        #[must_use]
        #vis fn #ident(&self) -> #private::core::option::Option<#private::core::primitive::usize> {
            self.inner.dim::<#at>()
        }
    }
}

/// `seq()` and `set_seq()` of the view to write.
fn setting(at: usize, dim: &DimDecl, spec: &Spec) -> TokenStream {
    let Spec { vis, private, .. } = spec;
    let (ident, at) = (&dim.ident, Literal::usize_unsuffixed(at));
    let name = unraw(ident);
    let set: Ident = format_ident!("set_{}", ident, span = ident.span());
    let doc = format!("The length of dimension `{name}` in this record; `None` before it is set.");
    let set_doc =
        format!("Sets the length of dimension `{name}` in this record, {} to {}.", dim.min, dim.max);
    let clears = "Changing it makes the fields that name it absent again.";
    let error = "# Errors\n`DimOutOfRange`.";
    quote! {
        #[doc = #doc]
        #[must_use]
        #vis fn #ident(&self) -> #private::core::option::Option<#private::core::primitive::usize> {
            self.inner.inner.dim::<#at>()
        }
        #[doc = #set_doc]
        #[doc = #clears]
        #[doc = ""]
        #[doc = #error]
        #vis fn #set(
            &mut self,
            length: #private::core::primitive::usize,
        ) -> #private::core::result::Result<(), #private::Error> {
            self.inner.inner.set_dim::<#at>(length)
        }
    }
}
