//! What the derive says about mistakes. `tests/ui/<topic>/<mistake>.rs` has to fail with the text in the `.stderr` beside
//! it, `tests/ui/pass/*.rs` has to compile and run. `TRYBUILD=overwrite cargo test --test ui` writes the texts anew.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "tests/ui";

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).expect("the tests run in the package's directory");
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths
}

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    for topic in entries(Path::new(ROOT)) {
        let files = topic.join("*.rs");
        match topic.ends_with("pass") {
            true => cases.pass(files),
            false => cases.compile_fail(files),
        }
    }
}

#[test]
fn every_text_belongs_to_a_test_and_every_test_has_one() {
    for topic in entries(Path::new(ROOT)) {
        for path in entries(&topic) {
            let source = path.with_extension("rs");
            assert!(source.exists(), "{} is left over: delete it", path.display());
            let has_text = path.with_extension("stderr").exists();
            let passes = topic.ends_with("pass");
            assert!(
                has_text != passes,
                "{}: a test that fails has a .stderr, and no other",
                source.display()
            );
        }
    }
}
