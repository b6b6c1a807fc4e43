//! Nothing in the repository points at the machine it was written on.

use super::{Offence, Tree};

/// Top directories of a person's or a machine's own.
const PRIVATE: [&str; 4] = ["home", "Users", "root", "work"];

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(directory) = PRIVATE.iter().find(|directory| names(line, directory)) {
                let text = format!("a path under /{directory} exists on one machine only");
                offences.push(Offence::new(&file.path, index + 1, text));
            }
        }
    }
    offences
}

/// True when `line` has an absolute path that begins with `directory` and goes on below it.
fn names(line: &str, directory: &str) -> bool {
    let needle = format!("/{directory}/");
    line.match_indices(&needle).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + needle.len()..].chars().next();
        // `a/home/b` and `https://host/home/b` are not absolute paths of this machine.
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/})".contains(c))
            && after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_offend_and_relative_ones_do_not() {
        let line = |directory: &str| format!("see \"/{directory}/anna/x.py\"");
        assert!(names(&line("home"), "home"));
        assert!(!names("docs/home/anna", "home"));
        assert!(!names("$ROOT/home/anna", "home"));
        assert!(!names("/homework/x", "home"));
    }
}
