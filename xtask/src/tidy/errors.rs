//! Every error code of the runtime has its line in the table for users, and no line is left over.

use super::{Offence, Tree};
use std::collections::BTreeMap;

/// The table for users: rows that begin with `| TB104 |`.
const TABLE: &str = "docs/errors.md";

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let defined = defined(tree);
    let documented = documented(tree);
    let missing = defined
        .iter()
        .filter(|(code, _)| !documented.contains_key(*code))
        .map(|(code, (path, line))| Offence::new(path, *line, format!("{code} has no row in {TABLE}")));
    let left_over = documented.iter().filter(|(code, _)| !defined.contains_key(*code)).map(|(code, line)| {
        Offence::new(TABLE, *line, format!("{code} is not an error of tensor-core: delete the row"))
    });
    missing.chain(left_over).collect()
}

/// The codes that tensor-core's sources name, with the first place of each.
fn defined(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let mut all = BTreeMap::new();
    for (file, text) in tree.texts().filter(|(file, _)| file.path.starts_with("tensor-core/src/")) {
        for (index, line) in text.lines().enumerate() {
            for code in codes(line) {
                all.entry(code).or_insert_with(|| (file.path.clone(), index + 1));
            }
        }
    }
    all
}

/// The codes that open a row of the table, with their lines.
fn documented(tree: &Tree) -> BTreeMap<String, usize> {
    let Some((_, text)) = tree.texts().find(|(file, _)| file.path == TABLE) else { return BTreeMap::new() };
    let row = |(index, line): (usize, &str)| {
        let first = line.strip_prefix('|')?.split('|').next()?;
        Some((codes(first).next()?, index + 1))
    };
    text.lines().enumerate().filter_map(row).collect()
}

/// All codes in a line: `TB` and three digits that stand alone.
fn codes(line: &str) -> impl Iterator<Item = String> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter_map(|word| {
        let digits = word.strip_prefix("TB")?;
        (digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_have_to_agree() {
        let tree = Tree::of(&[
            ("tensor-core/src/error.rs", "A => \"TB101\",\nB => \"TB102\", // not TB1023\n"),
            (
                TABLE,
                "see TB900\n| code | meaning |\n|---|---|\n| `TB101` | a, see TB103 |\n| TB104 | gone |\n",
            ),
        ]);
        let mut offences = check(&tree);
        offences.sort();
        let texts: Vec<(usize, &str)> =
            offences.iter().map(|offence| (offence.line, offence.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                (5, "TB104 is not an error of tensor-core: delete the row"),
                (2, "TB102 has no row in docs/errors.md")
            ]
        );
    }
}
