//! Rust source without its comments and literals, so that rules look at code only.

/// The same text with every comment, string and character literal blanked out. Lines stay where they are.
pub(super) fn only_code(source: &str) -> String {
    let mut rest = source;
    let mut out = String::with_capacity(source.len());
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest)
            .or_else(|| raw_string(rest, out.chars().next_back()))
            .or_else(|| quoted(rest, '"'))
            .or_else(|| character(rest));
        if let Some(length) = skipped {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The length of the comment that `text` begins with. Block comments nest.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

/// The length of the raw string (`r"..."`, `r#"..."#`) that `text` begins with.
fn raw_string(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() && c != 'b' && c != 'c' || c == '_') {
        return None;
    }
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// The length of the literal between two `mark`s that `text` begins with.
fn quoted(text: &str, mark: char) -> Option<usize> {
    let body = text.strip_prefix(mark)?;
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == mark {
            return Some(at + 2);
        }
    }
    Some(text.len())
}

/// The length of the character literal that `text` begins with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let mut body = text.strip_prefix('\'')?.chars();
    match (body.next()?, body.next()?) {
        ('\\', _) | (_, '\'') => quoted(text, '\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::only_code;

    fn words(source: &str) -> String {
        only_code(source).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn blanks_comments() {
        assert_eq!(words("a // unsafe\nb /* x /* y */ unsafe */ c"), "a b c");
        assert_eq!(only_code("a /* 1\n2 */\nb").lines().count(), 3);
    }

    #[test]
    fn blanks_literals() {
        assert_eq!(words(r#"f("unsafe \" {", 'x', '\'', '"', b"q") g"#), "f( , , , , b ) g");
        assert_eq!(words("r#\"unsafe \" {\"# x br\"a\" y"), "x b y");
    }

    #[test]
    fn leaves_lifetimes_and_names() {
        assert_eq!(words("fn f<'a>(x: &'a str, r: u8) {}"), "fn f<'a>(x: &'a str, r: u8) {}");
        assert_eq!(words("var\"s\""), "var");
    }
}
