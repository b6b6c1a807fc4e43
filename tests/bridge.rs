//! Records and calls between threads and processes, in Rust.

#[path = "support/players.rs"]
mod players;
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use players::{Player, part, play};
use support::unique;
use tensorbridge::{Channel, Client, Error, Receiver, Sender, Server, Service, Tensor, WaitStrategy};

/// A photo ready for the classifier.
#[derive(Tensor)]
#[tensor(name = "bridge.image")]
struct Image {
    /// RGB planes, normalised.
    pixels: [[[f32; 224]; 224]; 3],
    /// The caller's number for this photo.
    id: u64,
}

/// What the classifier says.
#[derive(Tensor)]
#[tensor(name = "bridge.scores")]
struct Scores {
    sum: f64,
    id: u64,
    #[tensor(optional)]
    note: [u8; 8],
}

#[derive(Tensor)]
#[tensor(name = "bridge.tokens", dims(seq = 1..=512))]
struct Tokens {
    #[tensor(shape = [seq])]
    ids: [i64; 512],
    #[tensor(shape = [seq], optional)]
    mask: [i64; 512],
}

const PATIENCE: Duration = Duration::from_secs(20);

/// After so long a receiver looks whether another one has received the last.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[test]
fn a_photo_crosses_a_process_boundary_and_its_answer_comes_back() {
    const TEST: &str = "a_photo_crosses_a_process_boundary_and_its_answer_comes_back";
    if let Some((_, name)) = part() {
        let server = Server::<Image, Scores>::builder(&name).timeout(PATIENCE).connect().unwrap();
        server
            .serve(|image, scores| {
                if image.id() == 13 {
                    return Err("thirteen is not for me");
                }
                scores.set_sum(image.pixels().iter().map(|&value| f64::from(value)).sum());
                scores.set_id(image.id());
                Ok(())
            })
            .unwrap();
        return;
    }
    let name = unique("cross");
    let service = Service::<Image, Scores>::builder(&name).slots(4).create().unwrap();
    let peers = [play(TEST, "server", &name), play(TEST, "server", &name)];
    let client = Client::<Image, Scores>::builder(&name).timeout(PATIENCE).connect().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let client = &client;
            scope.spawn(move || {
                for round in 0..20u64 {
                    let id = 100 * (thread + 1) + round;
                    let mut image = client.loan().unwrap();
                    image.pixels_mut().fill(id as f32);
                    image.set_id(id);
                    let scores = image.call().unwrap();
                    assert_eq!(scores.id(), id);
                    assert_eq!(scores.sum(), id as f64 * 150_528.0);
                    assert_eq!(scores.note(), None);
                }
            });
        }
    });
    let mut image = client.loan().unwrap();
    image.pixels_mut()[0] = 0.0;
    image.set_id(13);
    let error = image.call().map(drop).unwrap_err().into_error();
    assert!(matches!(&error, Error::Remote(remote) if remote.message == "thirteen is not for me"), "{error}");
    assert_eq!(service.free_slots(), 4);
    drop(service);
    // The end of the host ends the servers.
    peers.into_iter().for_each(Player::succeed);
}

#[test]
fn records_of_every_sender_arrive_once_and_in_order() {
    const TEST: &str = "records_of_every_sender_arrive_once_and_in_order";
    const EACH: u64 = 500;
    if let Some((sender_id, name)) = part() {
        let sender = Sender::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
        for number in 0..EACH {
            let mut image = sender.loan().unwrap();
            image.pixels_mut()[0] = 1.0;
            image.set_id(sender_id.parse::<u64>().unwrap() << 32 | number);
            image.send().unwrap();
        }
        return;
    }
    let name = unique("order");
    // More than 64 slots, so that the hints are more than one word.
    let channel = Channel::<Image>::builder(&name).slots(80).create().unwrap();
    let senders = ["1", "2"].map(|id| play(TEST, id, &name));
    let left = AtomicU64::new(2 * EACH);
    let receive = || {
        let receiver = Receiver::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
        let mut seen = Vec::new();
        let start = Instant::now();
        // Two receivers share what comes.
        while left.load(Ordering::Relaxed) > 0 && start.elapsed() < PATIENCE {
            let Ok(image) = receiver.receive_timeout(LOOK_AGAIN) else { continue };
            seen.push(image.id());
            left.fetch_sub(1, Ordering::Relaxed);
        }
        seen
    };
    let seen: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let threads = [scope.spawn(receive), scope.spawn(receive)];
        threads.map(|thread| thread.join().unwrap()).into()
    });
    senders.into_iter().for_each(Player::succeed);
    for one in &seen {
        for sender in [1, 2] {
            let numbers: Vec<u64> = one.iter().copied().filter(|id| id >> 32 == sender).collect();
            assert!(numbers.is_sorted(), "a receiver saw the records of a sender out of order");
        }
    }
    let all: BTreeSet<u64> = seen.iter().flatten().copied().collect();
    assert_eq!(seen.iter().map(Vec::len).sum::<usize>(), 2 * EACH as usize, "lost or doubled");
    assert_eq!(all.len(), 2 * EACH as usize);
    assert_eq!(channel.free_slots(), 80);
}

#[test]
fn an_incomplete_loan_comes_back_to_be_completed() {
    let name = unique("incomplete");
    let _channel = Channel::<Image>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Image>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Image>::builder(&name).connect().unwrap();
    let mut image = sender.loan().unwrap();
    image.pixels_mut().fill(1.0);
    let error = image.send().unwrap_err();
    assert!(matches!(error.error(), Error::MissingField { field, .. } if field == "id"), "{error}");
    let mut image = error.into_loan().unwrap();
    image.set_id(5);
    image.send().unwrap();
    let image = receiver.receive().unwrap();
    assert_eq!((image.id(), image.pixels()[7]), (5, 1.0));
}

#[test]
fn lengths_travel_with_the_record() {
    let name = unique("lengths");
    let _channel = Channel::<Tokens>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Tokens>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Tokens>::builder(&name).connect().unwrap();
    for length in [1, 37, 512] {
        let mut text = sender.loan().unwrap();
        text.set_seq(length).unwrap();
        text.ids_mut().fill(length as i64);
        text.send().unwrap();
        let text = receiver.receive().unwrap();
        assert_eq!((text.seq(), text.ids().len(), text.ids()[length - 1]), (length, length, length as i64));
        assert_eq!(text.mask(), None);
    }
    let mut text = sender.loan().unwrap();
    assert!(matches!(text.set_seq(513), Err(Error::DimOutOfRange { found: 513, max: 512, .. })));
    drop(text);
    let error = sender.loan().unwrap().send().unwrap_err();
    assert!(matches!(error.error(), Error::DimUnset { dim, .. } if dim == "seq"), "{error}");
}

#[test]
fn unwinding_gives_the_slot_back_unsent() {
    let name = unique("unwind");
    let channel = Channel::<Image>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Image>::builder(&name).connect().unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut image = sender.loan().unwrap();
        image.set_id(1);
        std::panic::resume_unwind(Box::new("a bug of the program's"));
    }));
    assert!(result.is_err());
    assert_eq!(channel.free_slots(), 2);
}

#[test]
fn a_fresh_loan_can_be_zeroed_and_is_otherwise_no_clean_sheet() {
    let name = unique("fresh");
    let _channel = Channel::<Image>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Image>::builder(&name).connect().unwrap();
    let mut image = sender.loan().unwrap();
    image.pixels_mut().fill(3.0);
    drop(image);
    let zeroed = sender.loan_zeroed().unwrap();
    assert!(zeroed.pixels().iter().all(|&value| value == 0.0));
    drop(zeroed);
    if cfg!(debug_assertions) {
        let poisoned = sender.loan().unwrap();
        assert_eq!(poisoned.pixels()[0].to_bits(), 0xA5A5_A5A5);
    }
}

#[test]
fn every_way_to_wait_gets_its_answer() {
    for strategy in [WaitStrategy::Spin, WaitStrategy::Block, WaitStrategy::default()] {
        let name = unique(match strategy {
            WaitStrategy::Spin => "spin",
            WaitStrategy::Block => "block",
            _ => "adaptive",
        });
        let service = Service::<Image, Scores>::builder(&name).slots(2).create().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let server = Server::<Image, Scores>::builder(&name).wait(strategy).connect().unwrap();
                for _ in 0..50 {
                    let mut request = server.receive_timeout(PATIENCE).unwrap();
                    let id = request.request().id();
                    request.reply_mut().set_id(id);
                    request.reply_mut().set_sum(0.0);
                    request.reply().unwrap();
                }
            });
            let client =
                Client::<Image, Scores>::builder(&name).wait(strategy).timeout(PATIENCE).connect().unwrap();
            for id in 0..50 {
                let mut image = client.loan().unwrap();
                image.pixels_mut()[0] = 0.0;
                image.set_id(id);
                assert_eq!(image.call().unwrap().id(), id);
            }
        });
        assert_eq!(service.free_slots(), 2);
    }
}

#[test]
fn a_server_that_drops_a_request_tells_the_caller() {
    let name = unique("dropped");
    let service = Service::<Image, Scores>::builder(&name).slots(2).create().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = Server::<Image, Scores>::builder(&name).connect().unwrap();
            drop(server.receive_timeout(PATIENCE).unwrap());
            let request = server.receive_timeout(PATIENCE).unwrap();
            request.reply().unwrap();
        });
        let client = Client::<Image, Scores>::builder(&name).timeout(PATIENCE).connect().unwrap();
        let call = || {
            let mut image = client.loan().unwrap();
            image.pixels_mut()[0] = 0.0;
            image.set_id(1);
            image.call().map(drop).unwrap_err().into_error()
        };
        let dropped = call();
        assert!(matches!(dropped, Error::WorkerDied { .. }), "{dropped}");
        let incomplete = call();
        assert!(
            matches!(&incomplete, Error::Remote(remote) if remote.type_name == "MissingField"),
            "{incomplete}"
        );
    });
    assert_eq!(service.free_slots(), 2);
}

#[test]
fn the_death_of_the_host_ends_every_wait_and_spares_what_is_held() {
    const TEST: &str = "the_death_of_the_host_ends_every_wait_and_spares_what_is_held";
    if let Some((_, name)) = part() {
        let _channel = Channel::<Image>::builder(&name).slots(2).create().unwrap();
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let name = unique("mortal");
    let host = play(TEST, "host", &name);
    let sender = Sender::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let receiver = Receiver::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let mut held = sender.loan().unwrap();
    let waiting = std::thread::spawn(move || receiver.receive().map(drop).unwrap_err());
    std::thread::sleep(Duration::from_millis(50));
    let pid = host.id();
    host.kill();
    let start = Instant::now();
    let error = waiting.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "long before its own timeout");
    assert!(matches!(error, Error::HostDied { pid: found, .. } if found == pid), "{error}");
    held.pixels_mut().fill(2.0);
    assert_eq!(held.pixels()[150_527], 2.0);
    // A new host takes the name over while a record of the old one is still held.
    let _new = Channel::<Image>::builder(&name).slots(2).create().unwrap();
    Sender::<Image>::builder(&name).connect().unwrap();
    drop(held);
}
