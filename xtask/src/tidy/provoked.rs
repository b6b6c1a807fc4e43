//! Every error of the table is provoked by a test that says so: in Rust `Error::Name` in an assertion, in Python `Name` in
//! a `pytest.raises`.

use super::code::only_code;
use super::errors::{SOURCE, defined};
use super::{Offence, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let tests: Vec<String> = tree
        .texts()
        .filter_map(|(file, text)| match file.path.rsplit_once('.')?.1 {
            "rs" => Some(rust_tests(&file.path, text)),
            "py" if is_test(&file.path) => Some(text.to_owned()),
            _ => None,
        })
        .collect();
    let provoked = |name: &str| tests.iter().flat_map(|text| text.lines()).any(|line| provokes(line, name));
    defined(tree)
        .filter(|(_, name)| !provoked(name))
        .map(|(line, name)| {
            Offence::new(SOURCE, line, format!("no test provokes `{name}` and asserts that it came"))
        })
        .collect()
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

/// The code of tests in a Rust file: all of one in `tests/`, else what follows its `#[cfg(test)]`.
fn rust_tests(path: &str, text: &str) -> String {
    let code = only_code(text);
    if is_test(path) {
        return code;
    }
    let start = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| code.find(mark)).min();
    start.map(|start| code[start..].to_owned()).unwrap_or_default()
}

fn provokes(line: &str, name: &str) -> bool {
    let rust = ["assert", "matches!", "let Error::"].iter().any(|word| line.contains(word))
        && words_after(line, "Error::").any(|word| word == name);
    let python = line.contains("raises(") && words_after(line, ".").any(|word| word == name);
    rust || python
}

/// The words that directly follow `prefix` in the line.
fn words_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_no_test_provokes_offends() {
        let source = "codes! {\n    A => \"TB101\", \"X\";\n    B => \"TB102\", \"Y\";\n    C => \"TB103\", \"Z\";\n    D => \"TB104\", \"Z\";\n}";
        let code = "fn f() { return Err(Error::C); }\n#[cfg(test)]\nmod tests { fn g() { assert!(matches!(e, Error::A)); } }";
        let tree = Tree::of(&[
            (SOURCE, source),
            ("src/lib.rs", code),
            ("python/tests/test_x.py", "with pytest.raises(tb.B, match='x'):"),
            ("tests/d.rs", "// assert!(matches!(e, Error::D))\nlet d = Error::D;"),
        ]);
        let mut offences = check(&tree);
        offences.sort();
        let lines: Vec<usize> = offences.iter().map(|offence| offence.line).collect();
        assert_eq!(lines, [4, 5]);
    }
}
