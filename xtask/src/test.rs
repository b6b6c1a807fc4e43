//! `cargo xtask test`: all tests, in both languages, with the extension module built.

use crate::command::{self, heading};
use crate::failure::Failure;
use crate::python::{self, Python};
use crate::{repository, setup, variant};

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
    let mut failures = Failures::default();
    if both || options.rust {
        failures.note(rust_tests(&python, &options.arguments));
        // Arguments choose among the tests of the usual build.
        if options.arguments.is_empty() {
            failures.note(variant::LOOM.test());
            failures.note(variant::CRASH.test());
            failures.note(variant::UNSUPPORTED.test());
        }
    }
    if both || options.python {
        failures.note(python_tests(&python, &options.arguments));
    }
    failures.end()
}

/// One runner's failure does not hide another's.
#[derive(Default)]
struct Failures {
    last: Option<Failure>,
}

impl Failures {
    fn note(&mut self, outcome: Result<(), Failure>) {
        let Err(failure) = outcome else { return };
        if let Some(earlier) = self.last.replace(failure) {
            eprintln!("{earlier}");
        }
    }

    fn end(self) -> Result<(), Failure> {
        self.last.map_or(Ok(()), Err)
    }
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
