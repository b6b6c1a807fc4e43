//! Links between the documents of the repository lead somewhere.

use super::{Offence, Tree};
use std::path::Path;

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, text) in tree.texts().filter(|(file, _)| file.path.ends_with(".md")) {
        let directory = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            for target in targets(line) {
                if !tree.exists(&directory.join(target)) {
                    offences.push(Offence::new(
                        &file.path,
                        index + 1,
                        format!("the link to `{target}` leads nowhere"),
                    ));
                }
            }
        }
    }
    offences
}

/// The files that a line of Markdown links to: `[text](file#part)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#']).next()?;
        let elsewhere = target.is_empty() || target.contains(':');
        (!elsewhere).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_files_and_leaves_the_rest() {
        let line = "see [a](docs/a.md#part), [b](https://b.example), [c](#here) and [d](d.md)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["docs/a.md", "d.md"]);
    }
}
