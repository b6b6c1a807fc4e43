//! A trace as a tree, for people.

use crate::spans::SpanRecord;
use std::fmt;

/// The attributes worth a place in a line.
const SHOWN: [&str; 5] = ["bytes", "slot", "requests", "attempt", "redelivered"];

/// Spans of one trace, by when they began. A span whose parent is not among them is at the top.
pub(crate) struct Tree<'a>(pub(crate) &'a [SpanRecord]);

impl Tree<'_> {
    fn children(&self, parent: Option<&SpanRecord>) -> Vec<&SpanRecord> {
        let is_child = |span: &&SpanRecord| match parent {
            Some(parent) => span.parent.as_ref() == Some(&parent.span),
            None => !self.0.iter().any(|other| span.parent.as_ref() == Some(&other.span)),
        };
        self.0.iter().filter(is_child).collect()
    }

    fn branch(&self, f: &mut fmt::Formatter<'_>, parent: Option<&SpanRecord>, indent: &str) -> fmt::Result {
        let children = self.children(parent);
        for (at, span) in children.iter().enumerate() {
            let (twig, more) = match (parent, at + 1 == children.len()) {
                (None, _) => ("", ""),
                (_, false) => ("├─ ", "│  "),
                (_, true) => ("└─ ", "   "),
            };
            self.line(f, span, &format!("{indent}{twig}{}", span.name))?;
            self.branch(f, Some(span), &format!("{indent}{more}"))?;
        }
        Ok(())
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, span: &SpanRecord, name: &str) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        let first = self.0.first().map_or(0, |first| first.start);
        let (after, took) = (ms(span.start.saturating_sub(first)), ms(span.end.saturating_sub(span.start)));
        write!(f, "{name:<24} {after:>9.3} ms {took:>9.3} ms  process {}", span.process)?;
        for key in SHOWN {
            if let Some(value) = span.attributes.get(key) {
                write!(f, "  {key}={value}")?;
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24} {:>12} {:>12}", "span", "begins", "takes")?;
        self.branch(f, None, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(name: &str, span: &str, parent: Option<&str>, start: u64) -> SpanRecord {
        SpanRecord {
            name: name.to_owned(),
            trace: String::new(),
            span: span.to_owned(),
            parent: parent.map(str::to_owned),
            process: 7,
            start,
            end: start + 1_000_000,
            attributes: [("slot".to_owned(), 3.into())].into_iter().collect(),
        }
    }

    #[test]
    fn children_are_below_their_parent_and_a_stranger_s_child_at_the_top() {
        let spans = [
            span("request", "a", Some("of another program"), 0),
            span("loan", "b", Some("a"), 1),
            span("call", "c", Some("a"), 2),
            span("serve", "d", Some("c"), 3),
        ];
        let text = Tree(&spans).to_string();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let begins = ["request ", "├─ loan ", "└─ call ", "   └─ serve "];
        assert_eq!(lines.len(), begins.len(), "{text}");
        for (line, begin) in lines.iter().zip(begins) {
            assert!(line.starts_with(begin) && line.contains("1.000 ms  process 7  slot=3"), "{text}");
        }
    }
}
