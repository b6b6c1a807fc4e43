//! What is promised when processes meet, seen through records whose schema is known at run time.

#![cfg(not(tensorbridge_unsupported))]

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use tensor_core::Error;
use tensor_core::dynamic::{
    Copied, DynClient, DynHost, DynReceiver, DynSender, DynServer, EndpointOptions, HostSettings,
};
use tensor_core::schema::{DType, Dim, Extent, Field, Schema, Shape};

fn image() -> Schema {
    let pixels = Field::new("pixels", DType::F32, Shape::new(&[Extent::Fixed(3), Extent::Fixed(5)]));
    Schema::new("test.image", 0, "", vec![], vec![pixels, Field::new("id", DType::U64, Shape::SCALAR)])
        .unwrap()
}

fn tokens() -> Schema {
    let ids = Field::new("ids", DType::I64, Shape::new(&[Extent::Dim(0)]));
    Schema::new("test.tokens", 0, "", vec![Dim::new("seq", 1, 8)], vec![ids]).unwrap()
}

fn unique(name: &str) -> String {
    format!("{name}.p{}", std::process::id())
}

fn settings(name: &str, slots: usize) -> HostSettings {
    HostSettings { slots, ..HostSettings::new(name) }
}

fn options(name: &str) -> EndpointOptions {
    EndpointOptions { timeout: Some(Duration::from_secs(1)), ..EndpointOptions::new(name) }
}

fn socket_of(name: &str) -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let directory =
        std::env::var_os("TENSORBRIDGE_DIR").map(PathBuf::from).unwrap_or_else(|| match runtime {
            Some(dir) => PathBuf::from(dir).join("tensorbridge"),
            None => format!("/tmp/tensorbridge-{}", rustix::process::getuid().as_raw()).into(),
        });
    directory.join(format!("{name}.sock"))
}

fn nothing() -> Result<(), Error> {
    Ok(())
}

#[test]
fn a_record_goes_from_sender_to_receiver_in_the_same_memory() {
    let name = unique("channel");
    let host = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
    let sender = DynSender::connect(options(&name), &mut nothing).unwrap();
    let receiver = DynReceiver::connect(options(&name), &mut nothing).unwrap();
    for round in 0..10u64 {
        let mut record = sender.loan(None, &mut nothing).unwrap();
        let id = record.field(1).unwrap();
        // SAFETY: `id` is one aligned u64 of a slot that this thread holds.
        unsafe { id.ptr().cast::<u64>().write(round) };
        drop(id);
        record.mark_present(0);
        record.mark_present(1);
        sender.send(record, true).map_err(|failed| failed.0).unwrap();
        let received = receiver.receive(None, &mut nothing).unwrap();
        assert!(received.is_present(1) && !received.is_writable());
        // SAFETY: as above, and nobody writes a received record.
        let seen = unsafe { received.field(1).unwrap().ptr().cast::<u64>().read() };
        assert_eq!(seen, round);
        assert_eq!(host.free_slots(), 1);
        drop(received);
        assert_eq!(host.free_slots(), 2);
    }
}

/// A record that was sent one way is nobody's to count: a budget, which is for calls, does not run out.
#[test]
fn a_sender_with_a_budget_goes_on_sending() {
    let name = unique("budget");
    let _host = DynHost::create(&settings(&name, 4), image(), None, &mut nothing).unwrap();
    let thrifty = EndpointOptions { max_slots: Some(2), ..options(&name) };
    let sender = DynSender::connect(thrifty, &mut nothing).unwrap();
    let receiver = DynReceiver::connect(options(&name), &mut nothing).unwrap();
    for _ in 0..5 {
        let mut record = sender.loan(None, &mut nothing).unwrap();
        record.mark_present(0);
        record.mark_present(1);
        sender.send(record, true).map_err(|failed| failed.0).unwrap();
        receiver.receive(None, &mut nothing).map(drop).unwrap();
    }
}

#[test]
fn a_slot_is_used_again_only_after_the_last_alias_on_either_side() {
    let name = unique("alias");
    let host = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
    let sender = DynSender::connect(options(&name), &mut nothing).unwrap();
    let receiver = DynReceiver::connect(options(&name), &mut nothing).unwrap();
    let mut record = sender.loan(None, &mut nothing).unwrap();
    record.mark_present(0);
    record.mark_present(1);
    let kept = record.field(0).unwrap();
    let (error, record) = *sender.send(record, true).unwrap_err();
    assert!(matches!(&error, Error::Aliased { field, aliases: 1 } if field == "pixels"), "{error}");
    sender.send(record.unwrap(), false).map_err(|failed| failed.0).unwrap();
    let received = receiver.receive(None, &mut nothing).unwrap();
    let also_kept = received.field(1).unwrap();
    drop(received);
    drop(sender);
    drop(receiver);
    assert_eq!(host.free_slots(), 1);
    let pins = host.pins();
    assert_eq!((pins[0].pid, pins.len()), (Some(std::process::id()), 2));
    drop(kept);
    assert_eq!(host.free_slots(), 1);
    drop(also_kept);
    assert_eq!(host.free_slots(), 2);
}

#[test]
fn a_call_is_answered_in_its_own_slot() {
    let name = unique("call");
    let host = DynHost::create(&settings(&name, 4), image(), Some(tokens()), &mut nothing).unwrap();
    let client = DynClient::connect(options(&name), &mut nothing).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = DynServer::connect(options(&name), &mut nothing).unwrap();
            for _ in 0..100 {
                let mut exchange = server.receive(Some(Duration::from_secs(10)), &mut nothing).unwrap();
                assert_eq!(exchange.request.field(0).unwrap().shape(), [1, 3, 5]);
                exchange.reply.set_dim(0, 3).unwrap();
                exchange.reply.mark_present(0);
                exchange.answer(&mut Copied::default()).unwrap();
            }
            let exchange = server.receive(Some(Duration::from_secs(10)), &mut nothing).unwrap();
            exchange.answer(&mut Copied::default()).unwrap();
            drop(server.receive(Some(Duration::from_secs(10)), &mut nothing).unwrap());
        });
        let call = || {
            let mut record = client.loan(None, &mut nothing).unwrap();
            record.mark_present(0);
            record.mark_present(1);
            let timeout = Some(Duration::from_secs(10));
            let call = client.call(record, false, timeout).map_err(|failed| failed.0)?;
            client.answer(call, timeout, &mut nothing)
        };
        for _ in 0..100 {
            let reply = call().unwrap();
            assert_eq!(reply.field(0).unwrap().shape(), [3]);
        }
        let missing = call().map(drop).unwrap_err();
        assert!(matches!(&missing, Error::Remote(remote) if remote.type_name == "DimUnset"), "{missing}");
        let dropped = call().map(drop).unwrap_err();
        assert!(matches!(dropped, Error::WorkerDied { .. }), "{dropped}");
    });
    assert_eq!(host.free_slots(), 4);
}

#[test]
fn what_is_incomplete_is_given_back_with_what_is_missing() {
    let name = unique("incomplete");
    let _host = DynHost::create(&settings(&name, 2), tokens(), None, &mut nothing).unwrap();
    let sender = DynSender::connect(options(&name), &mut nothing).unwrap();
    let record = sender.loan(None, &mut nothing).unwrap();
    let (error, record) = *sender.send(record, false).unwrap_err();
    assert!(matches!(&error, Error::DimUnset { dim, .. } if dim == "seq"), "{error}");
    let mut record = record.unwrap();
    let error = record.set_dim(0, 9).unwrap_err();
    assert!(matches!(error, Error::DimOutOfRange { found: 9, min: 1, max: 8, .. }));
    record.set_dim(0, 8).unwrap();
    record.mark_present(0);
    record.set_dim(0, 7).unwrap();
    let (error, _) = *sender.send(record, false).unwrap_err();
    assert!(matches!(&error, Error::MissingField { field, .. } if field == "ids"), "{error}");
}

#[test]
fn a_full_arena_names_its_holders() {
    let name = unique("full");
    let _host = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
    let sender = DynSender::connect(options(&name), &mut nothing).unwrap();
    let _held = [sender.loan(None, &mut nothing).unwrap(), sender.loan(None, &mut nothing).unwrap()];
    let start = Instant::now();
    let error = sender.loan(Some(Duration::from_millis(50)), &mut nothing).map(drop).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5));
    let Error::Full(full) = error else { panic!("{error}") };
    assert_eq!((full.slots, full.holders[0].slots, full.holders[0].how), (2, 2, "loaned"));
    assert_eq!(full.holders[0].pid, Some(std::process::id()));
}

#[test]
fn a_call_that_is_dropped_before_its_answer_is_left() {
    let name = unique("left");
    let host = DynHost::create(&settings(&name, 2), image(), Some(tokens()), &mut nothing).unwrap();
    let client = DynClient::connect(options(&name), &mut nothing).unwrap();
    let mut record = client.loan(None, &mut nothing).unwrap();
    record.mark_present(0);
    record.mark_present(1);
    drop(client.call(record, false, None).map_err(|failed| failed.0).unwrap());
    assert_eq!(host.free_slots(), 2);
}

#[test]
fn a_call_that_is_too_slow_times_out_and_its_slot_comes_back() {
    let name = unique("slow");
    let host = DynHost::create(&settings(&name, 2), image(), Some(tokens()), &mut nothing).unwrap();
    let client = DynClient::connect(options(&name), &mut nothing).unwrap();
    let mut record = client.loan(None, &mut nothing).unwrap();
    record.mark_present(0);
    record.mark_present(1);
    let kept = record.field(0).unwrap();
    let timeout = Some(Duration::from_millis(30));
    let call = client.call(record, false, timeout).map_err(|failed| failed.0).unwrap();
    let error = client.answer(call, timeout, &mut nothing).map(drop).unwrap_err();
    assert!(matches!(error, Error::Timeout { what: "the reply", .. }), "{error}");
    // Nobody had taken it; a server that comes now must not see it.
    let server = DynServer::connect(options(&name), &mut nothing).unwrap();
    assert!(server.receive(Some(Duration::from_millis(20)), &mut nothing).is_err());
    assert_eq!(host.free_slots(), 1);
    drop(kept);
    assert_eq!(host.free_slots(), 2);
}

#[test]
fn a_name_has_one_living_host_and_nobody_waits_for_ever_for_none() {
    let name = unique("name");
    let start = Instant::now();
    let error = DynSender::connect(options(&name), &mut nothing).map(drop).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!((Duration::from_millis(200)..Duration::from_secs(5)).contains(&start.elapsed()));

    let host = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
    let error = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).map(drop).unwrap_err();
    assert!(matches!(error, Error::NameTaken { pid, .. } if pid == std::process::id()), "{error}");
    assert!(socket_of(&name).exists());
    drop(host);
    assert!(!socket_of(&name).exists());
    DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();

    for wrong in ["No Name", "", &"a".repeat(100)] {
        let error = DynHost::create(&settings(wrong, 2), image(), None, &mut nothing).map(drop).unwrap_err();
        assert!(matches!(error, Error::InvalidName { .. }), "{error}");
    }
}

#[test]
fn an_endpoint_may_come_before_its_host() {
    let name = unique("early");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let patient = EndpointOptions { timeout: Some(Duration::from_secs(10)), ..options(&name) };
            DynReceiver::connect(patient, &mut nothing).unwrap();
        });
        std::thread::sleep(Duration::from_millis(50));
        let _host = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    });
}

#[test]
fn a_mismatch_shows_both_schemas_and_the_first_difference() {
    let name = unique("mismatch");
    let _host = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
    let other = Schema::new("test.image", 0, "", vec![], vec![Field::new("id", DType::U32, Shape::SCALAR)]);
    let expecting = EndpointOptions { request: Some(other.unwrap()), ..options(&name) };
    let error = DynSender::connect(expecting, &mut nothing).map(drop).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::SchemaMismatch(_)), "{text}");
    for part in ["first difference: field id: `id: u32` here, `pixels: f32[3, 5]` there", "id: u64"] {
        assert!(text.contains(part), "{text}");
    }
    let wrong_kind = DynClient::connect(options(&name), &mut nothing).map(drop).unwrap_err();
    assert!(
        matches!(&wrong_kind, Error::WrongKind { reason, .. } if reason.contains("Sender")),
        "{wrong_kind}"
    );
}

#[test]
fn what_is_no_tensorbridge_socket_is_named() {
    let name = unique("foreign");
    let other = unique("first");
    // Makes the directory.
    let _host = DynHost::create(&settings(&other, 2), image(), None, &mut nothing).unwrap();
    let _listener = UnixListener::bind(socket_of(&name)).unwrap();
    let error = DynSender::connect(options(&name), &mut nothing).map(drop).unwrap_err();
    assert!(matches!(&error, Error::NotTensorbridge { .. }), "{error}");
    let error = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).map(drop).unwrap_err();
    assert!(matches!(&error, Error::NotTensorbridge { .. }), "{error}");
    std::fs::remove_file(socket_of(&name)).unwrap();

    std::fs::write(socket_of(&name), "somebody's notes").unwrap();
    let error = DynSender::connect(options(&name), &mut nothing).map(drop).unwrap_err();
    assert!(matches!(&error, Error::NotTensorbridge { .. }), "{error}");
    let error = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).map(drop).unwrap_err();
    assert!(matches!(&error, Error::NotTensorbridge { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(socket_of(&name)).unwrap(), "somebody's notes");
    std::fs::remove_file(socket_of(&name)).unwrap();
}

#[test]
fn slot_numbers_out_of_range_and_memory_that_is_not_there_are_typed() {
    let error =
        DynHost::create(&settings(&unique("one"), 1), image(), None, &mut nothing).map(drop).unwrap_err();
    assert!(matches!(error, Error::InvalidSlots { found: 1, min: 2, .. }), "{error}");
    let huge = Field::new("x", DType::U8, Shape::new(&[Extent::Fixed(1 << 44)]));
    let huge = Schema::new("huge", 0, "", vec![], vec![huge]).unwrap();
    let error =
        DynHost::create(&settings(&unique("huge"), 2), huge, None, &mut nothing).map(drop).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
}

#[test]
fn whoever_cannot_use_the_arena_gives_its_number_back() {
    let name = unique("numbers");
    let _host = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
    // More than there are numbers.
    for _ in 0..1100 {
        let expecting = EndpointOptions { request: Some(tokens()), ..options(&name) };
        let error = DynSender::connect(expecting, &mut nothing).map(drop).unwrap_err();
        assert!(matches!(error, Error::SchemaMismatch(_)), "{error}");
    }
    DynSender::connect(options(&name), &mut nothing).map(drop).unwrap();
}

#[test]
fn a_host_that_does_not_answer_keeps_nobody_beyond_the_timeout() {
    let name = unique("mute");
    let other = unique("meets");
    // Makes the directory.
    let _host = DynHost::create(&settings(&other, 2), image(), None, &mut nothing).unwrap();
    let path = socket_of(&name);
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 1).unwrap();
    // The first connections wait in its queue; for the others there is no room.
    for _ in 0..4 {
        let start = Instant::now();
        let error = DynSender::connect(options(&name), &mut nothing).map(drop).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. } | Error::NotFound { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
    let interrupted = EndpointOptions { timeout: None, ..options(&name) };
    let error = DynSender::connect(interrupted, &mut || Err(Error::Interrupted)).map(drop).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_host_that_closes_while_somebody_connects_is_waited_for() {
    let name = unique("closing");
    let other = unique("meets2");
    let _host = DynHost::create(&settings(&other, 2), image(), None, &mut nothing).unwrap();
    let path = socket_of(&name);
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 8).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let patient = EndpointOptions { timeout: Some(Duration::from_secs(10)), ..options(&name) };
            DynReceiver::connect(patient, &mut nothing).unwrap();
        });
        // Closed with a hello in its queue, as by a host that ends; another one follows.
        std::thread::sleep(Duration::from_millis(50));
        drop(listener);
        let _new = DynHost::create(&settings(&name, 2), image(), None, &mut nothing).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    });
}
