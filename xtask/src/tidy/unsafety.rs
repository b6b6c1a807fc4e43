//! `unsafe` lives in a few named places. That each block has its SAFETY note is clippy's business.

use super::code::only_code;
use super::{Offence, Tree};

/// Where unsafe code may be: the modules that touch shared memory; those that turn a claim into a view and vouch for a
/// schema compared at attaching; the system calls that have no safe form; the border to C; the code that generates calls
/// into them (its tokens); tests, and what fuzzing drives.
const ALLOWED: [&str; 11] = [
    "tensor-core/src/memory/",
    "tensor-core/src/arena/",
    "tensor-core/src/view/",
    "tensor-core/src/channel/",
    "tensor-core/src/service/",
    "tensor-core/src/dynamic/",
    "tensor-core/src/fuzz.rs",
    "tensor-core/src/peer/socket.rs",
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
                let text = "`unsafe` where it has no business: build on what memory/, arena/ and view/ offer";
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
            ("tensor-core/src/wait/mod.rs", "// unsafe\nlet x = \"unsafe\";\nunsafe { f() }\nunsafe_op();"),
        ]);
        let offences = check(&tree);
        assert_eq!(offences.len(), 1);
        assert_eq!((offences[0].path.as_str(), offences[0].line), ("tensor-core/src/wait/mod.rs", 3));
    }
}
