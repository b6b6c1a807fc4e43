//! What an arena says of itself to whoever asks by name.

#![cfg(not(tensorbridge_unsupported))]

use std::time::Duration;

use tensor_core::Error;
use tensor_core::describe::{Description, Kind, describe, describe_timeout};
use tensor_core::dynamic::{
    DynClient, DynHost, DynReceiver, DynSender, DynServer, EndpointOptions, HostSettings, LookAround,
};
use tensor_core::schema::{DType, Dim, Extent, Field, Schema, Shape};

fn tokens() -> Schema {
    let ids = Field::new("ids", DType::I64, Shape::new(&[Extent::Dim(0)]));
    let kind = Field::new("kind", DType::U8, Shape::SCALAR);
    Schema::new("test.tokens", 2, "A text.", vec![Dim::new("seq", 1, 8)], vec![ids, kind]).unwrap()
}

fn score() -> Schema {
    let field = Field::new("score", DType::F32, Shape::SCALAR).described("1", "How good it is.");
    Schema::new("test.score", 0, "", vec![], vec![field]).unwrap()
}

fn unique(name: &str) -> String {
    format!("described.{name}.p{}", std::process::id())
}

fn settings(name: &str, slots: usize) -> HostSettings {
    HostSettings { slots, ..HostSettings::new(name) }
}

fn connect<T>(
    name: &str,
    endpoint: impl FnOnce(EndpointOptions, LookAround<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let options = EndpointOptions { timeout: Some(Duration::from_secs(30)), ..EndpointOptions::new(name) };
    endpoint(options, &mut || Ok(()))
}

/// The roles of those attached; the host notes an arrival a moment after the arrived has gone on.
fn roles(name: &str, wanted: &[&str]) {
    let roles = || -> Vec<&'static str> {
        describe(name).unwrap().participants.iter().map(|participant| participant.role).collect()
    };
    let soon = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        roles() == wanted
    });
    assert!(soon, "found {:?}, expected {wanted:?}", roles());
}

#[test]
fn a_channel_is_described_and_keeps_all_its_slots() {
    let name = unique("channel");
    let _host = DynHost::create(&settings(&name, 4), tokens(), None, &mut || Ok(())).unwrap();
    let sender = connect(&name, DynSender::connect).unwrap();
    let receiver = connect(&name, DynReceiver::connect).unwrap();
    roles(&name, &["host", "sender", "receiver"]);
    let loan = sender.loan(None, &mut || Ok(())).unwrap();
    let seen = describe(&name).unwrap();
    let Description { kind, request, reply, slots, host_pid, .. } = &seen;
    assert_eq!((*kind, kind.name(), *slots, *host_pid), (Kind::Channel, "channel", 4, std::process::id()));
    assert!(*request == tokens() && request.doc() == "A text." && reply.is_none());
    assert_eq!((seen.request_bytes, seen.reply_bytes), (8 * 8 + 1, 0));
    assert!(seen.bytes > 4 * (8 * 8 + 1) && !seen.sparse && !seen.mutates_request && !seen.ring_order);
    assert_eq!((seen.phases.free, seen.phases.loaned), (3, 1));
    assert_eq!(
        (seen.pins.len(), seen.pins[0].how, seen.pins[0].pid),
        (1, "loaned", Some(std::process::id()))
    );
    assert_eq!((seen.holders.len(), seen.holders[0].slots), (1, 1));
    assert!(seen.participants.iter().all(|participant| participant.pid == std::process::id()));
    drop(loan);
    assert_eq!(describe(&name).unwrap().phases.free, 4);
    drop((sender, receiver));
    roles(&name, &["host"]);
}

#[test]
fn a_service_is_described_with_its_reply() {
    let name = unique("service");
    let settings =
        HostSettings { sparse: true, mutates_request: true, ring_order: true, ..settings(&name, 2) };
    let host = DynHost::create(&settings, tokens(), Some(score()), &mut || Ok(())).unwrap();
    let _client = connect(&name, DynClient::connect).unwrap();
    let _server = connect(&name, DynServer::connect).unwrap();
    roles(&name, &["host", "client", "server"]);
    let seen = describe(&name).unwrap();
    assert_eq!((seen.kind, seen.reply_bytes, seen.slots), (Kind::Service, 4, 2));
    assert!(seen.sparse && seen.mutates_request && seen.ring_order);
    assert_eq!(seen.reply.unwrap().fields()[0].doc(), "How good it is.");
    drop(host);
    let _again = DynHost::create(&settings, tokens(), Some(score()), &mut || Ok(())).unwrap();
    assert_ne!(describe(&name).unwrap().epoch, seen.epoch, "it is another arena");
}

#[test]
fn a_name_without_a_host_and_a_name_that_is_none_are_typed_errors() {
    let error = describe_timeout(&unique("absent"), Duration::ZERO).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let error = describe("Not A Name").unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
}
