//! The service as a user runs it. What needs Python runs with the one that `TENSORBRIDGE_PYTHON` names, when that has the
//! packages; `cargo xtask test` provides it.

use reqwest::{Client, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

fn photo_service(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_photo-service");
    Command::new(program).args(arguments).output().expect("the service starts")
}

/// Whether there is no Python with everything that the service needs.
fn python_is_missing() -> bool {
    imagenet::python_is_missing("tensorbridge, torch, efficientnet_lite_pytorch, opentelemetry.sdk.trace")
}

#[test]
fn a_killed_worker_costs_no_request_and_the_spans_of_both_processes_are_one_trace() {
    if python_is_missing() {
        return;
    }
    let few = ["load", "--requests", "40", "--warm-up", "8", "--clients", "8", "--workers", "1", "--json"];
    let output = photo_service(&few);
    let log = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{log}"));
    assert!(output.status.success(), "{report:#}\n{log}");

    let phases = report["phases"].as_array().expect("there are phases");
    for (phase, kills) in phases.iter().zip([0, 1]) {
        assert_eq!((&phase["answered"], &phase["kills"]), (&40.into(), &kills.into()), "{report:#}");
    }
    assert_eq!((phases.len(), &report["restarts"]), (2, &1.into()), "{report:#}");
    assert!(report["redelivered"].as_u64() >= Some(1), "{report:#}");
    assert_eq!(report["unreturned_slots"], 0, "{report:#}");

    let trace = report["trace"].as_array().expect("there are spans");
    let span = |name: &str| {
        let mut found = trace.iter().filter(|span| span["name"] == name);
        match (found.next(), found.next()) {
            (Some(span), None) => span,
            _ => panic!("not one span `{name}`: {report:#}"),
        }
    };
    let parents = [
        ("loan", "POST /classify"),
        ("decode", "POST /classify"),
        ("call", "POST /classify"),
        ("serve", "call"),
        ("network", "serve"),
    ];
    assert_eq!(trace.len(), parents.len() + 1, "{report:#}");
    for (name, parent) in parents {
        assert_eq!(span(name)["parent"], span(parent)["span"], "{name} of {parent}: {report:#}");
        assert_eq!(span(name)["trace"], span("POST /classify")["trace"]);
    }
    let process = |name: &str| &span(name)["process"];
    assert_eq!(process("decode"), process("call"));
    assert_eq!(process("serve"), process("network"));
    assert_ne!(process("call"), process("serve"));
    assert_eq!(span("call")["attributes"]["slot"], span("serve")["attributes"]["slot"]);
}

/// The service, which is killed if the test fails.
struct Served {
    process: Child,
    url: String,
}

impl Served {
    fn start() -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photo-service"));
        command.args(["serve", "--port", "0", "--workers", "1"]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the service starts");
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Served { process, url: url.trim_end().to_owned() }
    }

    async fn post(&self, content: Vec<u8>) -> Response {
        let client = Client::builder().no_proxy().build().unwrap();
        client.post(&self.url).body(content).send().await.unwrap()
    }

    /// Asks it to stop, as a supervisor does; its exit status.
    fn stop(mut self) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn what_is_no_photo_is_refused_by_its_kind_and_a_photo_is_named() {
    if python_is_missing() {
        return;
    }
    let served = Served::start();
    let photo = std::fs::read(&imagenet::photos()[1].0).unwrap();
    let too_large = vec![0; (16 << 20) + 1];
    for (content, status, code) in [
        (b"no photo".to_vec(), 415, "photo"),
        (photo[..photo.len() / 2].to_vec(), 422, "photo"),
        (Vec::new(), 415, "photo"),
        (too_large, 413, "body"),
    ] {
        let response = served.post(content).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.json::<Value>().await.unwrap()["code"], code);
    }
    // More refusals than slots have cost none of them.
    for _ in 0..40 {
        assert_eq!(served.post(b"no photo".to_vec()).await.status(), 415);
    }
    let answer: Value = served.post(photo).await.json().await.unwrap();
    assert_eq!(answer["labels"][0]["label"], "espresso", "{answer:#}");
    assert_eq!(answer["labels"].as_array().map(Vec::len), Some(5));
    assert_eq!(served.stop(), Some(0));
}
