//! Why a task stopped, in the three things a person wants to know: what was found, what was expected, what to do.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// A task's only error. Built up fluently and printed once, by `main`.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    found: Option<String>,
    expected: Option<String>,
    remedy: Option<String>,
    code: u8,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), found: None, expected: None, remedy: None, code: 1 }
    }

    /// An operation of the file system that failed on `path`.
    pub(crate) fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {doing} {}", path.display())).found(error.to_string())
    }

    pub(crate) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The status this process ends with; 1 unless said otherwise.
    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// One line: `who`, and what was found there.
    pub(crate) fn reason(&self, who: &str) -> String {
        format!("{who}: {}", self.found.as_deref().unwrap_or(&self.what))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "error: {}", self.what)?;
        let notes = [("found", &self.found), ("expected", &self.expected), ("to do", &self.remedy)];
        for (label, note) in notes {
            let Some(note) = note else { continue };
            for (index, line) in note.lines().enumerate() {
                let label = if index == 0 { label } else { "" };
                write!(out, "\n  {label:<9} {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_every_note_in_its_own_column() {
        let failure =
            Failure::new("no Python").found("python3 is 3.9\npython3.12 is missing").remedy("install one");
        assert_eq!(
            failure.to_string(),
            "error: no Python\n  found     python3 is 3.9\n            python3.12 is missing\n  to do     install one"
        );
    }
}
