//! The table of errors for users says what the runtime's own table says.

use super::{Offence, Tree};
use std::collections::BTreeMap;

/// Lines like `Full => "TB303", "TimeoutError";`.
pub(super) const SOURCE: &str = "tensor-core/src/error.rs";

/// Rows like ``| TB303 | `Full` | `TimeoutError` | when ... |``.
const TABLE: &str = "docs/errors.md";

/// Line, name of the variant, builtin exception.
type Row<'a> = (usize, &'a str, &'a str);

/// Line and name of every error that the runtime defines.
pub(super) fn defined(tree: &Tree) -> impl Iterator<Item = (usize, &str)> {
    rows(text_of(tree, SOURCE), definition).into_values().map(|(line, name, _)| (line, name))
}

fn text_of<'a>(tree: &'a Tree, path: &str) -> &'a str {
    tree.texts().find(|(file, _)| file.path == path).map_or("", |(_, text)| text)
}

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let defined = rows(text_of(tree, SOURCE), definition);
    let documented = rows(text_of(tree, TABLE), row);
    let mut offences = Vec::new();
    for (code, &(line, name, builtin)) in &defined {
        match documented.get(code) {
            None => offences.push(Offence::new(SOURCE, line, format!("{code} has no row in {TABLE}"))),
            Some(&(line, other, inherits)) if (name, builtin) != (other, inherits) => {
                offences.push(Offence::new(
                    TABLE,
                    line,
                    format!("{code} is `{name}` and inherits `{builtin}`: correct the row"),
                ))
            }
            Some(_) => {}
        }
    }
    for (code, &(line, ..)) in &documented {
        if !defined.contains_key(code) {
            offences.push(Offence::new(TABLE, line, format!("{code} is not in {SOURCE}: delete the row")));
        }
    }
    offences
}

fn rows<'a>(
    text: &'a str,
    parse: impl Fn(&'a str) -> Option<(&'a str, &'a str, &'a str)>,
) -> BTreeMap<&'a str, Row<'a>> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            parse(line).map(|(code, name, builtin)| (code, (index + 1, name, builtin)))
        })
        .collect()
}

fn definition(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.trim().split_once(" => \"")?;
    let (code, rest) = rest.split_once("\", \"")?;
    is_code(code).then_some((code, name, rest.strip_suffix("\";")?))
}

fn row(line: &str) -> Option<(&str, &str, &str)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(|cell| cell.trim().trim_matches('`'));
    let code = cells.next()?;
    is_code(code).then_some((code, cells.next()?, cells.next()?))
}

fn is_code(text: &str) -> bool {
    text.strip_prefix("TB")
        .is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_have_to_agree() {
        let source =
            "codes! {\n    A => \"TB101\", \"X\";\n    B => \"TB102\", \"Y\";\n    C => \"TB103\", \"Z\";\n}";
        let table = "see TB900\n| code | name |\n|---|---|\n| TB101 | `A` | `X` | text |\n\
                     | TB103 | `C` | `Q` | text |\n| TB104 | `D` | `Q` | gone |";
        let tree = Tree::of(&[(SOURCE, source), (TABLE, table)]);
        let mut offences = check(&tree);
        offences.sort();
        let found: Vec<String> =
            offences.iter().map(|Offence { line, text, .. }| format!("{line}: {text}")).collect();
        assert_eq!(
            found,
            [
                "5: TB103 is `C` and inherits `Z`: correct the row",
                "6: TB104 is not in tensor-core/src/error.rs: delete the row",
                "3: TB102 has no row in docs/errors.md",
            ]
        );
    }
}
