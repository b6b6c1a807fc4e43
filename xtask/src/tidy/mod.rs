//! The repository's own rules, as code. Each rule is one file; each offence is one line that says where, what
//! and what to do.

mod code;
mod errors;
mod layers;
mod length;
mod links;
mod paths;
mod provoked;
mod ui;
mod unsafety;

use crate::failure::Failure;
use crate::repository;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that git knows or would add, read once.
struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

/// One file; its path is relative to the root and has `/` between its parts.
struct File {
    path: String,
    /// `None` when it is not UTF-8: a photo, say.
    text: Option<String>,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offence {
    path: String,
    /// Counted from 1; 0 for the file as a whole.
    line: usize,
    text: String,
}

impl Offence {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

pub(crate) fn run() -> Result<(), Failure> {
    let tree = Tree::read(repository::root())?;
    let rules = [
        length::check,
        ui::check,
        unsafety::check,
        errors::check,
        layers::check,
        provoked::check,
        paths::check,
        links::check,
    ];
    let mut offences: Vec<Offence> = rules.iter().flat_map(|rule| rule(&tree)).collect();
    offences.sort();
    for offence in &offences {
        match offence.line {
            0 => eprintln!("{}: {}", offence.path, offence.text),
            line => eprintln!("{}:{line}: {}", offence.path, offence.text),
        }
    }
    match offences.len() {
        0 => Ok(()),
        1 => Err(Failure::new("tidy found one place that breaks a rule")),
        count => Err(Failure::new(format!("tidy found {count} places that break a rule"))),
    }
}

impl Tree {
    fn read(root: PathBuf) -> Result<Self, Failure> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .map_err(|error| Failure::new("cannot run git").found(error.to_string()))?;
        if !output.status.success() {
            return Err(Failure::new("git cannot list the repository's files")
                .found(String::from_utf8_lossy(&output.stderr).trim().to_owned())
                .expected("a git checkout"));
        }
        let list = String::from_utf8_lossy(&output.stdout);
        let mut paths: Vec<&str> = list.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let read = |path: &str| {
            // A file that was deleted but not yet committed is no file.
            let bytes = fs::read(root.join(path)).ok()?;
            Some(File { path: path.to_owned(), text: String::from_utf8(bytes).ok() })
        };
        let files = paths.into_iter().filter_map(read).collect();
        Ok(Self { root, files })
    }

    fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.root.join(path).exists()
    }

    /// All files that are text.
    fn texts(&self) -> impl Iterator<Item = (&File, &str)> {
        self.files.iter().filter_map(|file| Some((file, file.text.as_deref()?)))
    }

    /// A tree made up for a test.
    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: Some((*text).to_owned()) })
            .collect();
        Self { root: PathBuf::from("no-such-root"), files }
    }
}
