//! What unit tests share.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::DeriveInput;

use crate::diag::Errors;
use crate::spec::Spec;
use crate::{check, parse};

/// What is read out of a struct, after all checks, and the errors.
pub(crate) fn spec(source: &str) -> (Option<Spec>, Vec<String>) {
    let input: DeriveInput = syn::parse_str(source).expect("the test is a struct");
    let mut errors = Errors::default();
    let mut spec = parse::parse(&input, &mut errors).ok();
    if let Some(spec) = &mut spec {
        check::check(spec, &mut errors);
    }
    (spec, errors.texts())
}

/// The errors about a struct with these keys and these fields; each up to the first line that helps.
pub(crate) fn told(keys: &str, fields: &str) -> Vec<String> {
    let keys = if keys.is_empty() { String::new() } else { format!("#[tensor({keys})]") };
    let (_, errors) = spec(&format!("{keys} struct Image {{ {fields} }}"));
    errors.iter().map(|error| error.lines().next().unwrap_or_default().to_owned()).collect()
}

/// The generated code as text.
pub(crate) fn expansion(source: &str) -> String {
    let input: DeriveInput = syn::parse_str(source).expect("the test is a struct");
    let mut printer = Printer { out: String::new(), depth: 0 };
    printer.print(crate::expand(&input), true);
    printer.out
}

/// Prints tokens so that a person can read them: an item, a statement and an attribute each on a line.
struct Printer {
    out: String,
    depth: usize,
}

impl Printer {
    fn print(&mut self, tokens: TokenStream, breaks: bool) {
        let mut previous: Option<TokenTree> = None;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            if self.out.ends_with('\n') {
                self.out.push_str(&"    ".repeat(self.depth));
            } else if previous.as_ref().is_some_and(|previous| is_apart(previous, &token, &self.out)) {
                self.out.push(' ');
            }
            match &token {
                TokenTree::Group(group) => self.group(group.delimiter(), group.stream()),
                other => self.out.push_str(&other.to_string()),
            }
            let is = |token: &TokenTree, c| matches!(token, TokenTree::Punct(punct) if punct.as_char() == c);
            let ends_attribute = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
                && previous.as_ref().is_some_and(|previous| is(previous, '#'));
            let ends_block = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
                && !tokens.peek().is_some_and(|next| is(next, ';'));
            if breaks && (is(&token, ';') || ends_attribute || ends_block) {
                self.out.push('\n');
            }
            previous = Some(token);
        }
    }

    fn group(&mut self, delimiter: Delimiter, tokens: TokenStream) {
        let (open, close) = match delimiter {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::None => ("", ""),
        };
        self.out.push_str(open);
        if delimiter == Delimiter::Brace {
            self.out.push('\n');
            self.depth += 1;
            self.print(tokens, true);
            self.depth -= 1;
            if !self.out.ends_with('\n') {
                self.out.push('\n');
            }
            self.out.push_str(&"    ".repeat(self.depth));
        } else {
            self.print(tokens, false);
        }
        self.out.push_str(close);
    }
}

/// Whether there is a space between two tokens.
fn is_apart(previous: &TokenTree, next: &TokenTree, so_far: &str) -> bool {
    let follows_path = so_far.ends_with("::");
    let is_arrow = so_far.ends_with("->") || so_far.ends_with("=>");
    match (previous, next) {
        (_, TokenTree::Punct(punct)) if ",;.?:!>".contains(punct.as_char()) => false,
        (TokenTree::Punct(punct), _) if punct.spacing() == Spacing::Joint => false,
        (TokenTree::Punct(punct), _) if ".&<!#?'".contains(punct.as_char()) || follows_path => false,
        (TokenTree::Ident(_), TokenTree::Punct(punct)) if punct.as_char() == '<' => false,
        (TokenTree::Punct(punct), TokenTree::Group(group)) if punct.as_char() == '>' => {
            is_arrow || group.delimiter() == Delimiter::Brace
        }
        (TokenTree::Ident(word), TokenTree::Group(group)) => {
            group.delimiter() == Delimiter::Brace || word == "mut" || word == "in"
        }
        _ => true,
    }
}
