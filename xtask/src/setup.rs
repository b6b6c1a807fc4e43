//! Preparing the environment of a task.

use crate::command::heading;
use crate::failure::Failure;
use crate::python::Python;
use crate::{extension, requirements};
use std::fs::File;

/// The interpreter, with the packages of the task `name` and the extension module.
///
/// Two tasks that start at once prepare one after the other.
///
/// # Errors
/// When any of the three cannot be had.
pub(crate) fn prepare(name: &str) -> Result<Python, Failure> {
    let mut python = Python::find()?;
    let path = python.prefix().join(".tensorbridge-lock");
    let lock = File::create(&path).map_err(|error| Failure::io("write", &path, &error))?;
    if lock.try_lock().is_err() {
        heading("waiting for another task that prepares this environment");
        lock.lock().map_err(|error| Failure::io("lock", &path, &error))?;
        python.refresh()?;
    }
    requirements::install(&mut python, name)?;
    extension::ensure(&mut python)?;
    Ok(python)
}

/// `cargo xtask setup`: everything the other tasks need; prints the interpreter.
pub(crate) fn run() -> Result<(), Failure> {
    let python = prepare("test")?;
    println!("{}", python.program.display());
    Ok(())
}
