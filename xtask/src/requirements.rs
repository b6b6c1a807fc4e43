//! The pinned packages of a task (`xtask/requirements/<task>.txt`) and their installation.

use crate::command::{self, heading, note};
use crate::failure::Failure;
use crate::python::{Owner, Python, normalise};
use crate::repository;
use std::collections::BTreeMap;
use std::path::Path;

/// Downloads worth a warning, and what they come to with everything they need.
const LARGE: [(&str, &str); 2] =
    [("torch", "about 5 GB with its CUDA libraries"), ("tensorflow-cpu", "about 1 GB on the disk")];

/// Packages that another one stands for as well, in an environment that is not ours.
const INSTEAD: [(&str, &str); 1] = [("tensorflow-cpu", "tensorflow")];

/// One line of a requirements file: `name==version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// As written; what the installer is given.
    text: String,
    /// Normalised.
    name: String,
    version: String,
}

/// Installs what the task `name` needs and the environment lacks; runs nothing when it lacks nothing.
///
/// # Errors
/// When a requirements file is wrong or the installer fails.
pub(crate) fn install(python: &mut Python, name: &str) -> Result<(), Failure> {
    let wanted = read(&repository::requirements().join(format!("{name}.txt")))?;
    let missing = missing(&wanted, python.owner, |package| python.version_of(package).map(str::to_owned));
    if missing.is_empty() {
        return Ok(());
    }
    let texts: Vec<&str> = missing.iter().map(|requirement| requirement.text.as_str()).collect();
    let mut installer = installer(python)?;
    heading(&format!("installing into {}: {}", python.prefix().display(), texts.join(" ")));
    for (package, size) in LARGE {
        if missing.iter().any(|requirement| requirement.name == package) {
            note(&format!("{package} is a large download: {size}. It is made once."));
            note(
                "Another build (torch for the CPU only, tensorflow) will do as well: interrupt this, activate",
            );
            note("the virtual environment that has it, and start again.");
        }
    }
    command::prepare(installer.args(texts)).map_err(|failure| {
        failure.remedy("see the installer's own message above; what was already downloaded is kept")
    })?;
    python.refresh()
}

fn installer(python: &Python) -> Result<std::process::Command, Failure> {
    if !python.is_isolated() {
        return Err(Failure::new("packages are missing, and they would go into the system's Python")
            .found(python.to_string())
            .expected("a virtual environment")
            .remedy(format!(
                "unset {} (then .venv is used), or name the Python of a virtual environment",
                crate::python::VARIABLE
            )));
    }
    let mut command = python.command();
    if python.version_of("pip").is_some() {
        command.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    } else {
        // Environments made by uv have no pip of their own.
        command = std::process::Command::new("uv");
        command.args(["pip", "install", "--python"]).arg(&python.program);
    }
    Ok(command)
}

/// What is not there. In the user's own environment any version will do.
fn missing(
    wanted: &[Requirement],
    owner: Owner,
    installed: impl Fn(&str) -> Option<String>,
) -> Vec<Requirement> {
    let instead = |name: &str| INSTEAD.iter().find(|(package, _)| *package == name).map(|(_, other)| *other);
    let satisfied = |requirement: &Requirement| match (installed(&requirement.name), owner) {
        (None, Owner::User) => instead(&requirement.name).and_then(&installed).is_some(),
        (None, Owner::Repository) => false,
        (Some(_), Owner::User) => true,
        // `2.15.0+cpu` is a build of `2.15.0`.
        (Some(version), Owner::Repository) => version.split('+').next() == Some(requirement.version.as_str()),
    };
    wanted.iter().filter(|requirement| !satisfied(requirement)).cloned().collect()
}

fn read(path: &Path) -> Result<Vec<Requirement>, Failure> {
    let mut all = BTreeMap::new();
    collect(path, &mut all)?;
    Ok(all.into_values().collect())
}

fn collect(path: &Path, all: &mut BTreeMap<String, Requirement>) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    for (index, line) in text.lines().enumerate() {
        match parse(line) {
            Ok(None) => {}
            Ok(Some(Line::Include(other))) => collect(&path.with_file_name(other), all)?,
            Ok(Some(Line::Package(requirement))) => {
                all.insert(requirement.name.clone(), requirement);
            }
            Err(()) => {
                return Err(Failure::new(format!(
                    "{}:{}: not a pinned requirement",
                    path.display(),
                    index + 1
                ))
                .found(line)
                .expected("`name==version` or `-r other.txt`"));
            }
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Include(String),
    Package(Requirement),
}

fn parse(line: &str) -> Result<Option<Line>, ()> {
    let text = line.split('#').next().unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(other) = text.strip_prefix("-r ") {
        return Ok(Some(Line::Include(other.trim().to_owned())));
    }
    let (name, version) = text.split_once("==").ok_or(())?;
    let bare = name.split('[').next().unwrap_or(name);
    let plain = |part: &str, more: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !plain(bare, "-_.") || !plain(version, ".+!") {
        return Err(());
    }
    Ok(Some(Line::Package(Requirement {
        text: text.to_owned(),
        name: normalise(bare),
        version: version.to_owned(),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(line: &str) -> Requirement {
        match parse(line) {
            Ok(Some(Line::Package(requirement))) => requirement,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn reads_packages_comments_and_includes() {
        assert_eq!(parse("  # nothing"), Ok(None));
        assert_eq!(parse("-r build.txt # first"), Ok(Some(Line::Include("build.txt".to_owned()))));
        let requirement = package("Some_Name[extra]==1.2.0  # why");
        assert_eq!((requirement.name.as_str(), requirement.version.as_str()), ("some-name", "1.2.0"));
        assert_eq!(requirement.text, "Some_Name[extra]==1.2.0");
    }

    #[test]
    fn refuses_what_is_not_pinned() {
        for line in ["torch", "torch>=2", "torch==", "==1.0", "torch==2.*", "torch==2; python_version<'3.12'"]
        {
            assert_eq!(parse(line), Err(()), "{line}");
        }
    }

    #[test]
    fn our_environment_is_held_to_the_pins_and_the_users_is_not() {
        let wanted =
            ["torch==2.15.0", "numpy==2.4.6", "maturin==1.16.0", "tensorflow-cpu==2.21.0"].map(package);
        let installed = |name: &str| match name {
            "torch" => Some("2.15.0+cpu".to_owned()),
            "numpy" => Some("1.26.0".to_owned()),
            "tensorflow" => Some("2.20.0".to_owned()),
            _ => None,
        };
        let names = |owner| -> Vec<String> {
            missing(&wanted, owner, installed).into_iter().map(|requirement| requirement.name).collect()
        };
        assert_eq!(names(Owner::Repository), ["numpy", "maturin", "tensorflow-cpu"]);
        assert_eq!(names(Owner::User), ["maturin"]);
    }

    #[test]
    fn every_requirements_file_reads() {
        for entry in std::fs::read_dir(repository::requirements()).unwrap() {
            let path = entry.unwrap().path();
            assert!(!read(&path).unwrap().is_empty(), "{}", path.display());
        }
    }
}
