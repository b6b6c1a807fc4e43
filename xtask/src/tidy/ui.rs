//! Compile-fail tests come in pairs: a `.rs` and the `.stderr` it has to produce.

use super::{Offence, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in &tree.files {
        let path = file.path.as_str();
        if !path.contains("tests/ui/") {
            continue;
        }
        if let Some(stem) = path.strip_suffix(".stderr") {
            if !tree.has(&format!("{stem}.rs")) {
                offences.push(Offence::new(path, 0, "the test it belongs to is gone: delete it"));
            } else if stem.contains("/pass/") {
                offences.push(Offence::new(path, 0, "a test under pass/ expects no error: delete it"));
            }
        } else if let Some(stem) = path.strip_suffix(".rs")
            && !stem.contains("/pass/")
            && !tree.has(&format!("{stem}.stderr"))
        {
            offences.push(Offence::new(
                path,
                0,
                "no .stderr beside it: run the test once with TRYBUILD=overwrite",
            ));
        }
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_needs_the_other() {
        let tree = Tree::of(&[
            ("tests/ui/dims/good.rs", ""),
            ("tests/ui/dims/good.stderr", ""),
            ("tests/ui/dims/orphan.stderr", ""),
            ("tests/ui/dims/silent.rs", ""),
            ("tests/ui/pass/fine.rs", ""),
            ("tests/ui.rs", ""),
        ]);
        let paths: Vec<String> = check(&tree).into_iter().map(|offence| offence.path).collect();
        assert_eq!(paths, ["tests/ui/dims/orphan.stderr", "tests/ui/dims/silent.rs"]);
    }
}
