//! Records received together: one array a field, each sender's order, and what becomes of a run whose receiver is killed.

#[path = "support/players.rs"]
mod players;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use players::{Player, part, play};
use support::unique;
use tensorbridge::{Channel, Error, Receiver, Sender, Tensor};

/// A small picture.
#[derive(Tensor)]
#[tensor(name = "runs.image")]
struct Image {
    pixels: [[f32; 16]; 3],
    id: u64,
    /// One byte, a cache line apart.
    #[tensor(align = 64)]
    flag: u8,
    #[tensor(optional)]
    label: [u16; 4],
}

/// A text of any length up to 8.
#[derive(Tensor)]
#[tensor(name = "runs.text", dims(seq = 1..=8))]
struct Text {
    #[tensor(shape = [seq], pad = -100)]
    ids: [i64; 8],
    #[tensor(shape = [2, seq, 3])]
    grid: [f32; 48],
    #[tensor(shape = [seq], optional, pad = true, dtype = bool)]
    mask: [u8; 8],
}

const PATIENCE: Duration = Duration::from_secs(20);

/// After so long a receiver looks whether another one has received the last.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn meet<R: tensorbridge::Record>(test: &str, slots: usize) -> (Channel<R>, Sender<R>, Receiver<R>) {
    let name = unique(test);
    let channel = Channel::builder(&name).slots(slots).ring_order(true).create().unwrap();
    let sender = Sender::builder(&name).timeout(PATIENCE).connect().unwrap();
    let receiver = Receiver::builder(&name).timeout(PATIENCE).connect().unwrap();
    (channel, sender, receiver)
}

fn send(sender: &Sender<Image>, id: u64) {
    let mut image = sender.loan().unwrap();
    image.pixels_mut().fill(id as f32);
    image.set_id(id);
    image.set_flag(id as u8);
    image.send().unwrap();
}

#[test]
fn each_field_of_a_run_is_one_array() {
    let (channel, sender, receiver) = meet::<Image>("runs_fields", 8);
    (0..6).for_each(|id| send(&sender, id));
    let alone = receiver.receive().unwrap();
    let first = alone.pixels().as_ptr();
    let run = receiver.receive_many(4).unwrap();
    assert_eq!(run.len(), 4);
    assert_eq!(run.id(), [1, 2, 3, 4]);
    // The same memory that the sender wrote, one record behind the other.
    assert_eq!(run.pixels().as_ptr(), first.wrapping_add(48));
    assert_eq!(run.pixels().len(), 4 * 48);
    assert!(
        run.pixels().chunks(48).zip(1..).all(|(chunk, id)| chunk.iter().all(|pixel| *pixel == id as f32))
    );
    let pixels = run.pixels_array();
    assert_eq!((pixels.shape(), pixels.strides()), (&[4, 3, 16][..], &[48, 16, 1][..]));
    let flags = run.flag_array();
    assert_eq!((flags.strides(), flags.to_vec()), (&[64][..], vec![1, 2, 3, 4]));
    assert_eq!(run.label().unwrap(), None);
    assert_eq!((run[2].id(), run[2].pixels()[0]), (3, 3.0));
    assert!(run.iter().map(|image| image.id()).eq(1..5));
    assert_eq!(run.filled_bytes(), 0);
    assert_eq!(receiver.receive_many(4).unwrap().id(), [5]);
    assert!(receiver.try_receive_many(4).unwrap().is_none());
    let error = receiver.receive_many_timeout(4, Duration::ZERO).map(drop).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    drop((run, alone));
    assert_eq!(channel.free_slots(), 8);
}

#[test]
fn a_field_that_some_records_lack_is_an_error_until_it_is_filled() {
    let (_channel, sender, receiver) = meet::<Image>("runs_optional", 4);
    for id in 0..3 {
        let mut image = sender.loan().unwrap();
        image.pixels_mut().fill(0.0);
        image.set_id(id);
        image.set_flag(0);
        if id == 1 {
            image.label_mut().fill(7);
        }
        image.send().unwrap();
    }
    let mut run = receiver.receive_many(8).unwrap();
    let error = run.label_array().map(drop).unwrap_err();
    assert!(
        matches!(&error, Error::PartlyPresent { field, absent: 2, records: 3 } if field == "label"),
        "{error}"
    );
    run.fill_label(9);
    assert_eq!(run.label().unwrap().unwrap(), [9, 9, 9, 9, 7, 7, 7, 7, 9, 9, 9, 9]);
    assert_eq!(run.filled_bytes(), 16);
    // Alone, a record is what was sent.
    let present: Vec<bool> = run.iter().map(|image| image.label().is_some()).collect();
    assert_eq!(present, [false, true, false]);
}

#[test]
fn records_of_different_lengths_are_padded_to_the_longest() {
    let (_channel, sender, receiver) = meet::<Text>("runs_pad", 4);
    let lengths = [3, 5, 1];
    // Twice round the ring, so that there is something of an earlier record wherever nothing is written.
    for round in 0..2 {
        for length in lengths {
            let mut text = sender.loan().unwrap();
            text.set_seq(8).unwrap();
            text.ids_mut().fill(77);
            text.grid_mut().fill(77.0);
            text.set_seq(length).unwrap();
            text.ids_mut().fill(length as i64);
            text.grid_array_mut().fill(length as f32);
            if length != 1 {
                text.mask_mut().fill(0);
            }
            text.send().unwrap();
        }
        if round == 0 {
            let mut left = 3;
            while left > 0 {
                left -= receiver.receive_many(left).unwrap().len();
            }
        }
    }
    let mut run = receiver.receive_many(8).unwrap();
    // Three from slot 3 on: the ring ends after one.
    assert_eq!(run.len(), 1);
    assert_eq!((run.ids_array().shape(), run.filled_bytes()), (&[1, 3][..], 0));
    run = receiver.receive_many(8).unwrap();
    assert_eq!(run.iter().map(|text| text.seq()).collect::<Vec<_>>(), [5, 1]);
    let ids = run.ids_array();
    assert_eq!((ids.shape(), ids.strides()), (&[2, 5][..], &[8, 1][..]));
    assert_eq!(ids.iter().copied().collect::<Vec<_>>(), [5, 5, 5, 5, 5, 1, -100, -100, -100, -100]);
    let grid = run.grid_array();
    assert_eq!((grid.shape(), grid.strides()), (&[2, 2, 5, 3][..], &[48, 24, 3, 1][..]));
    for ((record, _, at, _), value) in grid.indexed_iter() {
        let expected = [5.0, if at < 1 { 1.0 } else { 0.0 }][record];
        assert_eq!(*value, expected);
    }
    assert_eq!(run.filled_bytes(), 4 * 8 + 2 * 4 * 3 * 4);
    run.fill_mask(3);
    let mask: Vec<u8> = run.mask_array().unwrap().unwrap().iter().copied().collect();
    assert_eq!(mask, [0, 0, 0, 0, 0, 3, 3, 3, 3, 3]);
    // Beyond its own length a record alone has nothing.
    assert_eq!((run[1].ids(), run[1].mask()), (&[1][..], None));
}

#[test]
fn runs_keep_the_order_of_every_sender_and_lose_nothing() {
    const TEST: &str = "runs_keep_the_order_of_every_sender_and_lose_nothing";
    const EACH: u64 = 2000;
    if let Some((sender, name)) = part() {
        let sender_id = sender.parse::<u64>().unwrap() << 32;
        let sender = Sender::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
        (0..EACH).for_each(|number| send(&sender, sender_id | number));
        return;
    }
    for ring in [true, false] {
        let name = unique(if ring { "runs_order_ring" } else { "runs_order_warm" });
        let channel = Channel::<Image>::builder(&name).slots(80).ring_order(ring).create().unwrap();
        let senders = ["1", "2", "3"].map(|id| play(TEST, id, &name));
        let left = AtomicU64::new(3 * EACH);
        let receive = |max| {
            let receiver = Receiver::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
            let mut seen = Vec::new();
            let start = Instant::now();
            // Two receivers share what comes.
            while left.load(Ordering::Relaxed) > 0 && start.elapsed() < PATIENCE {
                let Ok(run) = receiver.receive_many_timeout(max, LOOK_AGAIN) else { continue };
                assert!(run.pixels().chunks(48).zip(run.id()).all(|(pixels, id)| pixels[47] == *id as f32));
                seen.extend_from_slice(run.id());
                left.fetch_sub(run.len() as u64, Ordering::Relaxed);
            }
            seen
        };
        let seen: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let threads = [scope.spawn(|| receive(32)), scope.spawn(|| receive(5))];
            threads.map(|thread| thread.join().unwrap()).into()
        });
        senders.into_iter().for_each(Player::succeed);
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        for one in &seen {
            for sender in 1..=3 {
                let numbers: Vec<u64> = one.iter().copied().filter(|id| id >> 32 == sender).collect();
                assert!(numbers.is_sorted(), "a receiver saw the records of a sender out of order");
            }
            one.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
        }
        assert_eq!(counts.len(), 3 * EACH as usize, "lost");
        assert!(counts.values().all(|count| *count == 1), "doubled");
        assert_eq!(channel.free_slots(), 80);
    }
}

#[test]
fn a_run_in_the_hand_of_a_killed_receiver_is_received_by_another() {
    const TEST: &str = "a_run_in_the_hand_of_a_killed_receiver_is_received_by_another";
    let name = part().map_or_else(|| unique("runs_killed"), |(_, name)| name);
    if part().is_some() {
        let receiver = Receiver::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
        let run = receiver.receive_many(16).unwrap();
        let note = Sender::<Image>::builder(&format!("{name}.note")).timeout(PATIENCE).connect().unwrap();
        send(&note, run.len() as u64);
        std::thread::sleep(PATIENCE);
        drop(run);
        return;
    }
    let channel = Channel::<Image>::builder(&name).slots(32).ring_order(true).create().unwrap();
    let notes = format!("{name}.note");
    let _notes = Channel::<Image>::builder(&notes).slots(2).create().unwrap();
    let note = Receiver::<Image>::builder(&notes).timeout(PATIENCE).connect().unwrap();
    let sender = Sender::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
    (0..20).for_each(|id| send(&sender, id));
    let victim = play(TEST, "victim", &name);
    assert_eq!(note.receive().unwrap().id(), 16);
    let held = channel.pins().iter().filter(|pin| pin.pid == Some(victim.id())).count();
    assert_eq!(held, 16);
    victim.kill();
    let receiver = Receiver::<Image>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let mut ids = Vec::new();
    while ids.len() < 20 {
        ids.extend_from_slice(receiver.receive_many(32).unwrap().id());
    }
    // What the victim had not taken may be received before its end is noticed.
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..20));
    assert_eq!(channel.free_slots(), 32);
}
