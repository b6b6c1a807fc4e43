//! The clients, and a worker: processes that are started again when they are killed, and what they say.

use crate::{Failure, package};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What clients have said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// Calls that were answered, and rightly.
    pub(crate) answered: u64,
    /// Calls whose worker died and that may not be repeated.
    pub(crate) died: u64,
    /// Calls that their callers gave up, at a deadline or before.
    pub(crate) given_up: u64,
    /// What is wrong.
    pub(crate) wrong: Vec<String>,
}

pub(crate) type Ledger = Arc<Mutex<Said>>;

/// Who plays.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    RustClient,
    PythonClient,
    RustWorker,
}

/// A process that this one starts again when it was killed.
pub(crate) struct Player {
    child: Child,
    /// Ends with the run.
    stdin: Option<ChildStdin>,
    listener: Option<JoinHandle<()>>,
    /// Whether it has said anything yet.
    plays: Arc<AtomicBool>,
    role: Role,
}

impl Player {
    pub(crate) fn start(
        role: Role,
        python: &Path,
        run: &str,
        seed: u64,
        ledger: &Ledger,
    ) -> Result<Player, Failure> {
        let mut command = match role {
            Role::RustClient | Role::RustWorker => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(if matches!(role, Role::RustClient) { "client" } else { "worker" });
                command
            }
            Role::PythonClient => {
                let mut command = Command::new(python);
                command.arg(package().join("client.py")).env("PYTHONUNBUFFERED", "1");
                command
            }
        };
        command.args([run, &seed.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let plays = Arc::new(AtomicBool::new(false));
        let listener = stdout.map(|stdout| {
            let (ledger, plays) = (Arc::clone(ledger), Arc::clone(&plays));
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            std::thread::spawn(move || {
                listen(lines.inspect(|_| plays.store(true, Ordering::Relaxed)), &ledger)
            })
        });
        Ok(Player { child, stdin, listener, plays, role })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is in the middle of its calls.
    pub(crate) fn plays(&self) -> bool {
        self.plays.load(Ordering::Relaxed)
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// How it ended, if it has.
    pub(crate) fn try_wait(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Tells it that the run is over.
    pub(crate) fn tell(&mut self) {
        self.stdin = None;
    }

    /// Waits until all that it said is in the ledger.
    pub(crate) fn hear_out(&mut self) {
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hear_out();
    }
}

/// Adds up what one client says: its counts so far, or what is wrong.
fn listen(lines: impl Iterator<Item = String>, ledger: &Ledger) {
    let mut before = [0u64; 3];
    for line in lines {
        let mut said = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let counts: Option<Vec<u64>> = line.split(' ').map(|count| count.parse().ok()).collect();
        match counts.and_then(|counts| <[u64; 3]>::try_from(counts).ok()) {
            Some(counts) => {
                let [answered, died, given_up] = counts;
                said.answered += answered - before[0];
                said.died += died - before[1];
                said.given_up += given_up - before[2];
                before = counts;
            }
            // A line that was cut off by a kill begins with a number too.
            None if line.starts_with(|first: char| first.is_ascii_digit()) => {}
            None => said.wrong.push(line),
        }
    }
}
