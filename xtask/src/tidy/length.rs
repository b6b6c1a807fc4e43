//! No source file grows past what one reads in a sitting.

use super::{Offence, Tree};

/// The most lines a source file may have.
const LIMIT: usize = 700;

pub(super) fn check(tree: &Tree) -> Vec<Offence> {
    tree.texts()
        .filter(|(file, _)| [".rs", ".py", ".pyi", ".c", ".h"].iter().any(|end| file.path.ends_with(end)))
        .filter_map(|(file, text)| {
            let lines = text.lines().count();
            (lines > LIMIT).then(|| {
                Offence::new(&file.path, 0, format!("{lines} lines; at most {LIMIT}: split it by idea"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_sources_offend() {
        let long = "x\n".repeat(LIMIT + 1);
        let fits = "x\n".repeat(LIMIT);
        let tree = Tree::of(&[("src/a.rs", &long), ("src/b.rs", &fits), ("Cargo.lock", &long)]);
        let paths: Vec<String> = check(&tree).into_iter().map(|offence| offence.path).collect();
        assert_eq!(paths, ["src/a.rs"]);
    }
}
