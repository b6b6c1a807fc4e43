//! Which Python the tasks use.
//!
//! In this order: the interpreter named by `TENSORBRIDGE_PYTHON`; an active virtual environment (or Conda
//! environment) that already has torch; `.venv` in the repository, which is made when it is missing. The first
//! two belong to the user: packages that are missing there are added, nothing that is there is replaced.

use crate::command::{self, heading};
use crate::failure::Failure;
use crate::repository;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The interpreters the extension module supports, as minor versions of Python 3.
const SUPPORTED: std::ops::RangeInclusive<u32> = 11..=13;

/// Names the interpreter, for our tasks and for the programs they start.
pub(crate) const VARIABLE: &str = "TENSORBRIDGE_PYTHON";

/// Prints, line by line, what [`parse_report`] reads.
const PROBE: &str = "
import importlib.metadata, sys, sysconfig
print('version', *sys.version_info[:3])
print('prefix', sys.prefix)
print('base', sys.base_prefix)
print('threads', 'free' if sysconfig.get_config_var('Py_GIL_DISABLED') else 'gil')
for package in importlib.metadata.distributions():
    name = package.metadata['Name']
    if name: print('package', name, package.version)
";

/// Prints where packages of pure Python are installed.
const PLACE: &str = "import sysconfig; print(sysconfig.get_path('purelib'))";

/// Whose environment it is, and so whether packages in it may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// `.venv`, made by these tasks: held to the pinned versions.
    Repository,
    /// Somebody else's: used as it is.
    User,
}

/// An interpreter that runs, and what is installed for it.
#[derive(Debug)]
pub(crate) struct Python {
    /// The interpreter.
    pub(crate) program: PathBuf,
    /// Whose it is.
    pub(crate) owner: Owner,
    report: Report,
}

/// What an interpreter says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    version: [u32; 3],
    prefix: PathBuf,
    base: PathBuf,
    free_threaded: bool,
    /// Normalised name to version.
    packages: BTreeMap<String, String>,
}

impl Python {
    /// Finds the interpreter, making `.venv` when there is no other.
    ///
    /// # Errors
    /// When none fits, or the one that was asked for does not.
    pub(crate) fn find() -> Result<Self, Failure> {
        if let Some(program) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            let program = PathBuf::from(program);
            return Self::open(&program, Owner::User).map_err(|failure| {
                failure.remedy(format!("unset {VARIABLE}, or let it name a Python 3.11 to 3.13"))
            });
        }
        for variable in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
            let Some(prefix) = std::env::var_os(variable).map(PathBuf::from) else { continue };
            match Self::open(&interpreter_of(&prefix), Owner::User) {
                _ if prefix == repository::own_environment() => {}
                Ok(python) if python.version_of("torch").is_some() => return Ok(python),
                Ok(_) => command::note(&format!(
                    "the active environment {} has no torch: using .venv",
                    prefix.display()
                )),
                Err(_) => command::note(&format!(
                    "the active environment {} does not fit: using .venv",
                    prefix.display()
                )),
            }
        }
        Self::own()
    }

    fn own() -> Result<Self, Failure> {
        let prefix = repository::own_environment();
        let program = interpreter_of(&prefix);
        if !program.exists() {
            let base = base_interpreter()?;
            heading(&format!("making .venv with Python {}", base.report.version_text()));
            command::prepare(Command::new(&base.program).args(["-m", "venv"]).arg(&prefix)).map_err(|failure| {
                failure.remedy("on Debian and Ubuntu the module `venv` is the package python3-venv; install it, then try again")
            })?;
        }
        Self::open(&program, Owner::Repository)
            .map_err(|failure| failure.remedy("delete .venv and try again; it will be made anew"))
    }

    /// Another environment at `prefix`, made when it is missing: it sees the packages of this one, and this one nothing of it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn beside(&self, prefix: &Path) -> Result<Self, Failure> {
        let program = interpreter_of(prefix);
        if !program.exists() {
            heading(&format!("making {}", prefix.display()));
            command::prepare(self.command().args(["-m", "venv"]).arg(prefix))?;
        }
        let places = command::output(Command::new(&program).args(["-c", PLACE]))?;
        let here = command::output(self.command().args(["-c", PLACE]))?;
        let link = Path::new(places.trim()).join("beside.pth");
        // What lies in it is read after the environment's own packages, which therefore come first.
        let line = format!("import site; site.addsitedir({:?})\n", here.trim());
        std::fs::write(&link, line).map_err(|error| Failure::io("write", &link, &error))?;
        Self::open(&program, Owner::Repository)
    }

    fn open(program: &Path, owner: Owner) -> Result<Self, Failure> {
        let unusable = |found: String| {
            Failure::new(format!("cannot use the Python {}", program.display()))
                .found(found)
                .expected("CPython 3.11, 3.12 or 3.13 with a GIL")
        };
        let output = Command::new(program)
            .args(["-c", PROBE])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| unusable(error.to_string()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(unusable(text.lines().next().unwrap_or("it ended without a word").to_owned()));
        }
        let report = parse_report(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| unusable("its answer makes no sense".to_owned()))?;
        if report.version[0] != 3 || !SUPPORTED.contains(&report.version[1]) || report.free_threaded {
            let kind = if report.free_threaded { " without a GIL" } else { "" };
            return Err(unusable(format!("Python {}{kind}", report.version_text())));
        }
        Ok(Self { program: program.to_owned(), owner, report })
    }

    /// Asks the interpreter again, after packages were installed.
    ///
    /// # Errors
    /// As [`Python::find`].
    pub(crate) fn refresh(&mut self) -> Result<(), Failure> {
        *self = Self::open(&self.program, self.owner)?;
        Ok(())
    }

    /// The environment's root directory.
    pub(crate) fn prefix(&self) -> &Path {
        &self.report.prefix
    }

    /// True unless packages would be installed into the system's Python.
    pub(crate) fn is_isolated(&self) -> bool {
        self.report.prefix != self.report.base || self.report.prefix.join("conda-meta").is_dir()
    }

    /// The version of an installed package, by its normalised name.
    pub(crate) fn version_of(&self, package: &str) -> Option<&str> {
        self.report.packages.get(package).map(String::as_str)
    }

    /// A command that runs this interpreter.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.program)
    }
}

impl fmt::Display for Python {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Python {} in {}", self.report.version_text(), self.report.prefix.display())
    }
}

impl Report {
    fn version_text(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}")
    }
}

fn interpreter_of(prefix: &Path) -> PathBuf {
    prefix.join("bin").join("python")
}

/// A Python to make `.venv` with: the default one if it fits, else the newest.
fn base_interpreter() -> Result<Python, Failure> {
    let mut names = vec!["python3".to_owned()];
    names.extend(SUPPORTED.rev().map(|minor| format!("python3.{minor}")));
    let mut found = Vec::new();
    for name in names {
        match Python::open(Path::new(&name), Owner::Repository) {
            Ok(python) => return Ok(python),
            Err(failure) => found.push(failure.reason(&name)),
        }
    }
    Err(Failure::new("no Python fits")
        .found(found.join("\n"))
        .expected("CPython 3.11, 3.12 or 3.13 on the PATH")
        .remedy(format!(
            "install one, activate an environment that has torch, or set {VARIABLE} to an interpreter"
        )))
}

/// Package names compare by this form: lower case, and one hyphen for any run of `-`, `_` and `.`.
pub(crate) fn normalise(name: &str) -> String {
    let words: Vec<&str> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    words.join("-").to_lowercase()
}

fn parse_report(text: &str) -> Option<Report> {
    let mut report = Report::default();
    for line in text.lines() {
        // A start-up file of the user's may print lines of its own: what we do not know, we skip.
        let Some((key, value)) = line.split_once(' ') else { continue };
        match key {
            "version" => {
                let mut numbers = value.split(' ').map(str::parse);
                for slot in &mut report.version {
                    *slot = numbers.next()?.ok()?;
                }
            }
            "prefix" => report.prefix = PathBuf::from(value),
            "base" => report.base = PathBuf::from(value),
            "threads" => report.free_threaded = value == "free",
            "package" => {
                let (name, version) = value.split_once(' ')?;
                // The first one on the path is the one that is imported.
                report.packages.entry(normalise(name)).or_insert_with(|| version.to_owned());
            }
            _ => {}
        }
    }
    (report.version[0] != 0).then_some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_as_package_indexes_do() {
        assert_eq!(normalise("efficientnet_lite.PyTorch"), "efficientnet-lite-pytorch");
        assert_eq!(normalise("ruamel.-_yaml"), "ruamel-yaml");
    }

    #[test]
    fn reads_what_the_probe_prints() {
        let report = parse_report(
            "hello from sitecustomize\nversion 3 12 4\nprefix /env dir\nbase /usr\nthreads gil\n\
             package Torch 2.15.0+cpu\npackage torch 1.0\n",
        )
        .unwrap();
        assert_eq!(report.version, [3, 12, 4]);
        assert_eq!(report.prefix, Path::new("/env dir"));
        assert!(!report.free_threaded);
        assert_eq!(report.packages["torch"], "2.15.0+cpu");
    }

    #[test]
    fn refuses_an_answer_without_a_version() {
        assert_eq!(parse_report("prefix /usr\n"), None);
        assert_eq!(parse_report("version 3 x 1\n"), None);
    }

    #[test]
    fn a_missing_interpreter_says_what_is_expected() {
        let failure = Python::open(Path::new("no-such-python"), Owner::User).unwrap_err().to_string();
        assert!(failure.contains("no-such-python") && failure.contains("3.11"), "{failure}");
    }
}
