//! Where errors about generated code point. A stable compiler joins no spans, but it underlines from the first token of
//! an expression to its last: so generated tokens begin with the span of the user's first token and end with that of
//! the last.

use proc_macro2::{Delimiter, Group, Spacing, Span, TokenStream, TokenTree};
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
        let mut goes_on = true;
        let start = |mut token: TokenTree| {
            if goes_on {
                token.set_span(self.first);
            }
            // `::` are two tokens, one for the compiler.
            goes_on &= matches!(&token, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
            token
        };
        tokens.into_iter().map(start).collect()
    }
}

/// Tokens as a person would write them.
pub(crate) fn shown(tokens: impl ToTokens) -> String {
    let spaced = tokens.into_token_stream().to_string();
    let tight = [
        (" :: ", "::"),
        (":: ", "::"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        ("* const", "*const"),
    ];
    let shown = tight.into_iter().fold(spaced, |text, (loose, tight)| text.replace(loose, tight));
    shown
        .replace("* mut", "*mut")
        .replace(" ,", ",")
        .replace(" ;", ";")
        .replace("->", " ->")
        .replace("  ", " ")
}

/// `<ty as Storage>::item`, an error about which points at `ty`.
pub(crate) fn storage(ty: &Type, private: &TokenStream, item: &str) -> TokenStream {
    item_of(ty, private, "Storage", item)
}

/// `<ty as Record>::item`, an error about which points at `ty`.
pub(crate) fn record(ty: &Type, private: &TokenStream, item: &str) -> TokenStream {
    item_of(ty, private, "Record", item)
}

fn item_of(ty: &Type, private: &TokenStream, of: &str, item: &str) -> TokenStream {
    let ends = Ends::of(ty);
    let of = proc_macro2::Ident::new(of, ends.last);
    let item = proc_macro2::Ident::new(item, ends.last);
    let tail = quote_spanned!(ends.last=> as #private::#of>::#item);
    ends.begin(quote!(<#ty #tail))
}

/// `(arguments)`, which end where `ty` ends.
pub(crate) fn arguments(ty: &Type, arguments: TokenStream) -> TokenTree {
    let mut group = Group::new(Delimiter::Parenthesis, arguments);
    group.set_span(Ends::of(ty).last);
    group.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_as_they_are_written() {
        for text in ["&'static mut [half::f16; 4]", "Vec<Option<f32>>", "*const u8", "(f32, u8)"] {
            let ty: Type = syn::parse_str(text).unwrap();
            assert_eq!(shown(ty), text);
        }
    }
}
