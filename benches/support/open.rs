//! What opening a field costs in Python, beside what each framework itself takes.

use std::process::Command;

use serde_json::Value;

use super::stats::{Measured, Run};

/// The frameworks, and what their figures are compared with.
pub(crate) const FRAMEWORKS: [(&str, &str); 4] = [
    ("torch", "a capsule that is ready"),
    ("tf", "a capsule that is ready"),
    ("jax", "a capsule that is ready"),
    ("numpy", "a buffer that is described"),
];

/// Opening a field with this framework, letting go of it, and the floors of both.
pub(crate) fn measure(
    python: &str,
    (framework, floor): (&str, &str),
    runs: usize,
    scale: usize,
) -> [Measured; 4] {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/open_field.py");
    let rounds = (200 / scale).max(10).to_string();
    let output = Command::new(python)
        .args([script, framework, "--runs", &runs.to_string(), "--rounds", &rounds])
        .env("TF_CPP_MIN_LOG_LEVEL", "3")
        .output()
        .expect("the interpreter starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    let run = |run: &Value, name: &str| {
        let part = |percentile: &str| run[name][percentile].as_u64().expect("nanoseconds");
        Run { p50: part("p50"), p99: part("p99") }
    };
    let row = |name: String, key: &str| Measured {
        name,
        runs: told.as_array().expect("a list of runs").iter().map(|told| run(told, key)).collect(),
    };
    [
        row(opened(framework), "open"),
        row(bare(framework, floor), "floor_open"),
        row(format!("let go of record.field.{framework}()"), "let_go"),
        row(format!("bare {framework}: let go"), "floor_let_go"),
    ]
}

/// The name of the row for opening a field.
pub(crate) fn opened(framework: &str) -> String {
    format!("record.field.{framework}()")
}

/// The name of the row for what the framework itself takes.
pub(crate) fn bare(framework: &str, floor: &str) -> String {
    format!("bare {framework}: {floor}")
}
