//! `unsafe` lives in a few named places. That each block has its SAFETY note is clippy's business.

use super::code::only_code;
use super::{Offence, Tree};

/// Where unsafe code may be: the modules that touch shared memory, the border to C, the code that generates
/// calls into them (its tokens), and tests and benchmarks.
const ALLOWED: [&str; 6] = [
    "tensor-core/src/memory/",
    "tensor-core/src/arena/",
    "tensor-core/src/view/",
    "tensor-derive/",
    "tensor-py/src/",
    "/tests/",
];

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, text) in tree.texts() {
        let path = format!("/{}", file.path);
        let allowed = ALLOWED.iter().any(|place| path.contains(place)) || path.starts_with("/benches/");
        if !file.is_rust() || allowed {
            continue;
        }
        for (index, line) in only_code(text).lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| word == "unsafe") {
                let text = "`unsafe` outside memory/, arena/ and view/: build on what those offer";
                offences.push(Offence::new(&file.path, index + 1, text));
            }
        }
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_in_the_wrong_place_offends() {
        let tree = Tree::of(&[
            ("tensor-core/src/view/lease.rs", "unsafe { f() }"),
            (
                "tensor-core/src/channel/mod.rs",
                "// unsafe\nlet x = \"unsafe\";\nunsafe { f() }\nunsafe_op();",
            ),
        ]);
        let offences = check(&tree);
        assert_eq!(offences.len(), 1);
        assert_eq!((offences[0].path.as_str(), offences[0].line), ("tensor-core/src/channel/mod.rs", 3));
    }
}
