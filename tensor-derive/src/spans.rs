//! Where errors about generated code point. A stable compiler joins no spans, but it underlines from the first token of
//! an expression to its last: so generated tokens begin with the span of the user's first token and end with that of
//! the last.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

/// The spans of the first and the last of some tokens.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    first: Span,
    pub(crate) last: Span,
}

impl Ends {
    pub(crate) fn of(tokens: impl ToTokens) -> Ends {
        let mut spans = tokens.into_token_stream().into_iter().map(|token| token.span());
        let first = spans.next().unwrap_or_else(Span::call_site);
        Ends { first, last: spans.last().unwrap_or(first) }
    }

    /// The same tokens, the first of which is where these begin. They have to end at `self.last` already.
    pub(crate) fn begin(self, tokens: TokenStream) -> TokenStream {
        let mut tokens = tokens.into_iter();
        let first = tokens.next().map(|mut token: TokenTree| {
            token.set_span(self.first);
            token
        });
        first.into_iter().chain(tokens).collect()
    }
}

/// `<ty as Storage>::item`, an error about which points at `ty`.
pub(crate) fn storage(ty: &Type, private: &TokenStream, item: &str) -> TokenStream {
    let ends = Ends::of(ty);
    let item = proc_macro2::Ident::new(item, ends.last);
    let tail = quote_spanned!(ends.last=> as #private::Storage>::#item);
    ends.begin(quote!(<#ty #tail))
}
