//! Copies of the test program that play a part.

use std::process::{Child, Command, Stdio};

/// Says to a copy of the test program which part it plays.
const PART: &str = "TENSORBRIDGE_TEST_PART";

/// The part this process plays, if it is a copy that [`play`] started, and its argument.
pub(crate) fn part() -> Option<(String, String)> {
    let value = std::env::var(PART).ok()?;
    let (part, argument) = value.split_once('=')?;
    Some((part.to_owned(), argument.to_owned()))
}

/// Another process that runs the test `test` of this program with a part to play.
pub(crate) fn play(test: &str, part: &str, argument: &str) -> Player {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(PART, format!("{part}={argument}"))
        .stdout(Stdio::null());
    Player::start(&mut command)
}

/// Killed and reaped when dropped.
pub(crate) struct Player {
    child: Child,
}

impl Player {
    /// Any other program that plays a part.
    pub(crate) fn start(command: &mut Command) -> Player {
        Player { child: command.stdin(Stdio::null()).spawn().unwrap() }
    }

    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `SIGSTOP`; when this returns, none of its threads runs.
    #[allow(dead_code, reason = "not every test stops")]
    pub(crate) fn stop(&self) {
        use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).unwrap();
        waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED).unwrap();
    }

    /// Waits for a good end.
    #[allow(dead_code, reason = "not every test waits")]
    pub(crate) fn succeed(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the other process ended with {status}");
    }

    /// `SIGKILL`, and reaped.
    #[allow(dead_code, reason = "not every test kills")]
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
