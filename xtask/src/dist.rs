//! `cargo xtask dist`: what is published for Python, and the proof that it can be installed.

use crate::command::{self, heading, note};
use crate::failure::Failure;
use crate::python::Python;
use crate::{extension, repository, requirements};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the wheel promises to run on: the C library 2.17 and anything newer. maturin refuses to build a wheel that needs
/// more; `tests/test_wheel.py` and [`try_out`] show that it works.
const COMPATIBILITY: &str = "manylinux2014";

pub(crate) fn run() -> Result<(), Failure> {
    let mut python = Python::find()?;
    requirements::install(&mut python, "dist")?;
    let target = repository::root().join("dist");
    // What an earlier version left there would be published with this one.
    remove(&target)?;
    heading(&format!("building the source archive, and the wheel from it, into {}", target.display()));
    let mut maturin = extension::maturin(&python);
    maturin.args(["build", "--release", "--sdist", "--zig", "--compatibility", COMPATIBILITY]);
    maturin.arg("--interpreter").arg(&python.program).arg("--out").arg(&target);
    // From nothing: all files of the archive have one old date, by which cargo would take what it built earlier for current.
    let scratch = std::env::temp_dir().join(format!("tensorbridge-dist-{}", std::process::id()));
    let outcome = command::check(maturin.env("CARGO_TARGET_DIR", scratch.join("target")))
        .and_then(|()| finish(&python, &target, &scratch));
    remove(&scratch)?;
    outcome
}

/// Tries out what was built into `target`, and lists it.
fn finish(python: &Python, target: &Path, scratch: &Path) -> Result<(), Failure> {
    let (mut wheels, mut archives) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(target).map_err(|error| Failure::io("list", target, &error))?.flatten() {
        let path = entry.path();
        let is_wheel = path.extension().is_some_and(|extension| extension == "whl");
        if is_wheel { wheels.push(path) } else { archives.push(path) }
    }
    let ([wheel], [archive]) = (wheels.as_slice(), archives.as_slice()) else {
        let found = format!("{} wheels and {} archives", wheels.len(), archives.len());
        return Err(Failure::new("the build made something else than it should").found(found));
    };
    heading("using the wheel in an environment with nothing else but NumPy");
    try_out(python, wheel, &scratch.join("environment"))?;
    for path in [wheel, archive] {
        let size = fs::metadata(path).map_err(|error| Failure::io("read", path, &error))?.len();
        note(&format!("{} ({} KB)", path.display(), size.div_ceil(1000)));
    }
    Ok(())
}

/// Installs the wheel into a new environment, with nothing else but what the wheel asks for, and uses it.
fn try_out(python: &Python, wheel: &Path, environment: &Path) -> Result<(), Failure> {
    command::prepare(python.command().args(["-m", "venv"]).arg(environment))?;
    let program = environment.join("bin/python");
    let mut pip = Command::new(&program);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).arg(wheel);
    command::prepare(&mut pip)?;
    let example = repository::extension().join("tests/programs/installed.py");
    let mut installed = Command::new(&program);
    installed.arg(example).current_dir(environment).env("TENSORBRIDGE_DIR", environment.join("meeting"));
    command::prepare(&mut installed)
}

/// Removes a directory, if it is there.
fn remove(directory: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io("remove", directory, &error))
        }
        _ => Ok(()),
    }
}
