//! The README's examples are the programs of this package, word for word, and they run.
//!
//! Running them takes a Python that has tensorbridge and torch. `TENSORBRIDGE_PYTHON` names it; `cargo xtask test` does
//! that. Without it the Rust example is still compiled.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// `<!-- example: worker.py -->` stands above the block that is the file `worker.py`.
const MARK: &str = "<!-- example: ";

/// Longer than importing torch takes on a busy machine. What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the README shows, relative to this package.
const FILES: [&str; 3] = ["client.py", "src/main.rs", "worker.py"];

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// The marked blocks of the README: name and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let parts = include_str!("../../../README.md").split(MARK).skip(1);
    let block = |part: &'static str| {
        let (name, rest) = part.split_once(" -->\n```").expect("a block follows the mark");
        let (_language, rest) = rest.split_once('\n').expect("a block has lines");
        let (text, _) = rest.split_once("```\n").expect("a block ends");
        (name, text)
    };
    parts.map(block).collect()
}

#[test]
fn the_readme_shows_the_examples_word_for_word() {
    let blocks = blocks();
    let mut shown: Vec<&str> = blocks.iter().map(|(name, _)| *name).collect();
    shown.sort_unstable();
    assert_eq!(shown, FILES);
    for (name, text) in blocks {
        let file = fs::read_to_string(Path::new(PACKAGE).join(name)).expect("it is there");
        assert!(file == text, "examples/readme/{name} is not what README.md shows: make them the same");
    }
}

/// The interpreter, if it has what the examples need; else says what is skipped.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("TENSORBRIDGE_PYTHON").map(PathBuf::from).filter(|python| {
        let imports = Command::new(python).args(["-c", "import tensorbridge, torch"]).status();
        imports.is_ok_and(|status| status.success())
    });
    if python.is_none() {
        // Written past the test runner, which hides what passing tests print.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: TENSORBRIDGE_PYTHON names no Python with tensorbridge and torch (see `cargo xtask test`)"
        );
    }
    python
}

/// A process that is asked to stop when the test is done with it.
struct Process {
    child: Child,
}

impl Process {
    /// Starts it among the examples; it meets others in `meeting`.
    fn start(command: &mut Command, meeting: &Meeting) -> Process {
        command
            .current_dir(PACKAGE)
            .env("TENSORBRIDGE_DIR", meeting.path())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        Process { child }
    }

    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            match self.child.try_wait().expect("it is our child") {
                Some(status) => return status,
                None if start.elapsed() > PATIENCE => panic!("it still runs after {PATIENCE:?}"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Waits for its end and returns what it printed.
    fn output(mut self) -> String {
        let status = self.wait();
        let mut text = String::new();
        self.child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("it is text");
        assert!(status.success(), "{status}; it printed: {text}");
        text
    }

    /// Asks it to stop.
    fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is our child");
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the processes of one test meet, and nobody else: the first of them makes the directory, private.
struct Meeting {
    outer: tempfile::TempDir,
}

impl Meeting {
    fn new() -> Meeting {
        Meeting { outer: tempfile::tempdir().expect("there is room") }
    }

    fn path(&self) -> PathBuf {
        self.outer.path().join("meeting")
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        let left = fs::read_dir(self.path()).map_or(0, Iterator::count);
        assert!(left == 0 || std::thread::panicking(), "a socket is left behind");
    }
}

/// The numbers that a list of numbers shows.
fn numbers(text: &str) -> Vec<f32> {
    let list = text.trim().trim_start_matches('[').trim_end_matches(']');
    let words = list.split([',', ' ', '\n']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().unwrap_or_else(|_| panic!("{word:?} is no number in {text}"))).collect()
}

#[test]
fn a_rust_program_calls_a_python_worker() {
    let Some(python) = python() else { return };
    let meeting = Meeting::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_readme"));
    let printed = Process::start(command.env("TENSORBRIDGE_PYTHON", python), &meeting).output();
    let logits = numbers(&printed);
    assert!(logits.len() == 10 && logits.iter().all(|logit| logit.is_finite()), "{printed}");
}

#[test]
fn a_python_program_calls_a_python_worker() {
    let Some(python) = python() else { return };
    let meeting = Meeting::new();
    let worker = Process::start(Command::new(&python).arg("worker.py"), &meeting);
    let printed = Process::start(Command::new(&python).arg("client.py"), &meeting).output();
    let logits = numbers(&printed);
    assert!(logits.len() == 10 && logits.iter().all(|logit| logit.is_finite()), "{printed}");
    let status = worker.stop();
    assert!(status.success(), "the worker ended with {status}");
}
