//! Running other programs: shown before they run, and never with a silent failure.
//!
//! What the tasks themselves say goes to stderr, so that stdout belongs to the program a task is about
//! (`cargo xtask demo -- --json` prints JSON and nothing else).

use crate::failure::Failure;
use std::io;
use std::process::{Command, ExitStatus, Stdio};

/// Announces a step.
pub(crate) fn heading(text: &str) {
    eprintln!("==> {text}");
}

/// A line that belongs to the last heading.
pub(crate) fn note(text: &str) {
    eprintln!("    {text}");
}

/// Runs a step of preparation; its output goes to stderr.
///
/// # Errors
/// When the program cannot be started or does not end with status 0.
pub(crate) fn prepare(command: &mut Command) -> Result<(), Failure> {
    command.stdout(Stdio::from(io::stderr()));
    check(command)
}

/// Runs the program a task is about; its output is the task's output.
///
/// # Errors
/// When the program cannot be started or does not end with status 0.
pub(crate) fn check(command: &mut Command) -> Result<(), Failure> {
    let status = status(command)?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure::new(format!("this command failed: {}", line(command))).found(status.to_string()).code(code))
}

/// What the program prints.
///
/// # Errors
/// When the program cannot be started or does not end with status 0.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::new(format!("this command failed: {}", line(command))).found(words))
}

/// Runs the program and gives its status back, whatever it is.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, Failure> {
    command.status().map_err(|error| cannot_start(command, &error))
}

fn cannot_start(command: &Command, error: &io::Error) -> Failure {
    Failure::new(format!("cannot start: {}", line(command)))
        .found(error.to_string())
        .expected("the program to be on the PATH and executable")
}

/// The `cargo` that runs us, so that the toolchain stays the same.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(crate::repository::root());
    cargo
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_keeps_its_status() {
        let failure = check(Command::new("sh").args(["-c", "exit 7"])).unwrap_err();
        assert!(failure.to_string().contains("sh -c exit 7"), "{failure}");
        assert_eq!(format!("{:?}", failure.exit_code()), format!("{:?}", std::process::ExitCode::from(7)));
    }

    #[test]
    fn a_missing_program_is_named() {
        let failure = check(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(failure.to_string().contains("cannot start: no-such-program-here"), "{failure}");
    }
}
