//! `cargo xtask dist`: what is published for Python.

use crate::failure::Failure;
use crate::python::Python;
use crate::{command, extension, repository, requirements};

pub(crate) fn run() -> Result<(), Failure> {
    let mut python = Python::find()?;
    requirements::install(&mut python, "build")?;
    let target = repository::root().join("dist");
    command::heading(&format!("building the wheel and the source archive into {}", target.display()));
    let mut maturin = extension::maturin(&python);
    maturin.args(["build", "--release", "--sdist", "--interpreter"]).arg(&python.program);
    command::check(maturin.arg("--out").arg(&target))?;
    let entries = std::fs::read_dir(&target).map_err(|error| Failure::io("list", &target, &error))?;
    for entry in entries.flatten() {
        command::note(&entry.path().display().to_string());
    }
    Ok(())
}
