//! Running a measuring program: with a deadline, and so that nothing of it stays behind.

use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs `command` and gives back what it printed, or why it did not end well.
///
/// Its words go through files in `directory`: a process that it leaves behind would hold a pipe open.
pub(crate) fn run(mut command: Command, directory: &Path, limit: Duration) -> Result<String, String> {
    let (told, complained) = (directory.join("stdout"), directory.join("stderr"));
    let create = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
    command.stdin(Stdio::null()).stdout(create(&told)?).stderr(create(&complained)?).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot start: {error}"))?;
    let group = Pid::from_child(&child);
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => break Err(format!("not done after {limit:?}")),
            Err(error) => break Err(error.to_string()),
        }
    };
    // Servers that outlived their client, or a program that is late with all of them.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
    let read = |path: &Path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let words = read(&complained).unwrap_or_default();
    let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim();
    match status {
        Ok(status) if status.success() => read(&told).map_err(|error| error.to_string()),
        Ok(status) => Err(format!("{status}: {last}")),
        Err(late) => Err(format!("{late}: {last}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, directory.path(), limit)
    }

    #[test]
    fn a_program_is_heard_and_its_failure_is_told_with_its_last_words() {
        let patience = Duration::from_secs(30);
        assert_eq!(shell("echo figures", patience).unwrap(), "figures\n");
        let failure = shell("echo first >&2; echo why >&2; exit 3", patience).unwrap_err();
        assert!(failure.contains('3') && failure.ends_with(": why"), "{failure}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let failure = shell("sleep 600 & sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(failure.contains("not done after 50ms"), "{failure}");
        // One that left a child behind does not keep us waiting either.
        assert_eq!(shell("sleep 600 & echo done", Duration::from_secs(30)).unwrap(), "done\n");
    }
}
