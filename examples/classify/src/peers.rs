//! What the same call costs by the ways Python brings along (`peers.py`).

use crate::timing::Timing;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Why there are no measurements to compare with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeersError {
    /// Python could not be started.
    #[error("cannot start {python}: {source}")]
    Start {
        /// The interpreter.
        python: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended with an error; it has said why on stderr.
    #[error("peers.py ended with {0}")]
    Failed(std::process::ExitStatus),
    /// It printed something else than its result.
    #[error("peers.py printed {0:?}")]
    Answer(String),
}

/// Measures up to `calls` calls by each way, for up to `limit` each: a pickled array through a pipe, and JSON over
/// HTTP.
///
/// # Errors
/// [`PeersError`].
pub(crate) fn measure(
    python: &Path,
    script: &Path,
    calls: usize,
    limit: Duration,
) -> Result<[(&'static str, Timing); 2], PeersError> {
    let output = Command::new(python)
        .arg(script)
        .args(["--calls", &calls.to_string(), "--seconds", &limit.as_secs_f64().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| PeersError::Start { python: python.display().to_string(), source })?;
    if !output.status.success() {
        return Err(PeersError::Failed(output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| PeersError::Answer(text.into_owned()))
}

fn parse(text: &str) -> Option<[(&'static str, Timing); 2]> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let way = |key: &str| -> Option<Timing> {
        let way = answer.get(key)?;
        let micros = |key: &str| {
            let value = way.get(key)?.as_f64()?;
            Duration::try_from_secs_f64(value / 1e6).ok()
        };
        let calls = usize::try_from(way.get("calls")?.as_u64()?).ok()?;
        Some(Timing { median: micros("median_us")?, p99: micros("p99_us")?, calls })
    };
    Some([("pickle pipe", way("pickle_pipe")?), ("JSON over HTTP", way("json_http")?)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_peers_py_prints() {
        let text = r#"{"pickle_pipe": {"median_us": 617.5, "p99_us": 1646.75, "calls": 1000},
                       "json_http": {"median_us": 48182.0, "p99_us": 57479.7, "calls": 100}}"#;
        let [(pipe, fast), (http, slow)] = parse(text).unwrap();
        assert_eq!((pipe, http), ("pickle pipe", "JSON over HTTP"));
        assert_eq!((fast.median, fast.calls), (Duration::from_nanos(617_500), 1000));
        assert_eq!(slow.p99, Duration::from_nanos(57_479_700));
    }

    #[test]
    fn refuses_anything_else() {
        for text in ["", "{}", r#"{"pickle_pipe": {"median_us": -1, "p99_us": 1, "calls": 1}}"#, "Traceback"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn errors_name_what_failed() {
        let limit = Duration::from_secs(1);
        let error = measure(Path::new("no-such-python"), Path::new("peers.py"), 1, limit).unwrap_err();
        assert!(error.to_string().contains("no-such-python"), "{error}");
        let error = measure(Path::new("false"), Path::new("peers.py"), 1, limit).unwrap_err();
        assert!(matches!(error, PeersError::Failed(_)), "{error}");
        let error = measure(Path::new("echo"), Path::new("peers.py"), 1, limit).unwrap_err();
        assert!(matches!(error, PeersError::Answer(_)), "{error}");
    }
}
