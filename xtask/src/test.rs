//! `cargo xtask test`: all tests, in both languages, with the extension module built.

use crate::command::{self, heading};
use crate::failure::Failure;
use crate::python::{self, Python};
use crate::{repository, setup};

/// A Python test that takes longer than this, in seconds, hangs.
const PYTHON_TEST_TIMEOUT: u32 = 300;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the tests written in Rust
    #[arg(long)]
    rust: bool,
    /// Only the tests written in Python
    #[arg(long)]
    python: bool,
    /// For the test runner that is chosen with --rust or --python
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if !options.arguments.is_empty() && options.rust == options.python {
        return Err(Failure::new("arguments after `--` are for one test runner, and there are two")
            .remedy("say which: `cargo xtask test --rust -- ...` or `cargo xtask test --python -- ...`"));
    }
    let both = options.rust == options.python;
    let python = setup::prepare("test")?;
    // One runner's failure does not hide the other's.
    let rust = if both || options.rust { rust_tests(&python, &options.arguments) } else { Ok(()) };
    if let (Err(failure), true) = (&rust, both) {
        eprintln!("{failure}");
    }
    let pytest = if both || options.python { python_tests(&python, &options.arguments) } else { Ok(()) };
    rust.and(pytest)
}

fn rust_tests(python: &Python, arguments: &[String]) -> Result<(), Failure> {
    heading("cargo test");
    let mut test = command::cargo();
    // The extension module is left out: it can only be linked into an interpreter, and pytest tests it there.
    test.args(["test", "--workspace", "--exclude", "tensor-py", "--no-fail-fast"]).args(arguments);
    command::check(test.env(python::VARIABLE, &python.program))
}

fn python_tests(python: &Python, arguments: &[String]) -> Result<(), Failure> {
    heading("pytest");
    let mut pytest = python.command();
    pytest.current_dir(repository::extension()).env(python::VARIABLE, &python.program);
    pytest.args(["-m", "pytest", "-p", "no:cacheprovider", &format!("--timeout={PYTHON_TEST_TIMEOUT}")]);
    command::check(pytest.arg("tests").args(arguments))
}
