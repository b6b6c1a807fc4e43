//! How many small records go from one process to another, one way.

use crate::clock::now;
use crate::iceoryx::{Answering, wait_to_go};
use crate::measure::SLICES;
use crate::point;
use crate::support::peer::{Peer, pin};
use crate::{CurveOptions, pinned};
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use std::time::{Duration, Instant};
use tensorbridge::{Channel, Receiver, Sender, Tensor, WaitStrategy};

/// 64 bytes: a number that counts up, and what else a small record holds.
#[derive(Tensor)]
#[tensor(name = "peers.small")]
struct Small {
    words: [u64; 8],
}

const WORDS: usize = 8;
/// Records under way at most.
const DEPTH: usize = 128;
/// The number of the last record.
const END: u64 = u64::MAX;
/// The number of a record that says that the two are connected.
const HELLO: u64 = u64::MAX - 1;
/// Records of a run at most, where a receiver can take several.
const MANY: usize = 64;
const BYTES: f64 = 64.0;

/// Counts records from the first one to the last, sees that none is missing, and tells how many came in each part of the time.
struct Count<'a> {
    line: &'a str,
    /// Nanoseconds of a part.
    part: u64,
    next: u64,
    /// The first record of the part, and when it came.
    first: u64,
    began: u64,
}

impl<'a> Count<'a> {
    fn new(options: &'a CurveOptions) -> Count<'a> {
        let part = (options.seconds / SLICES as f64 * 1e9) as u64;
        Count { line: &options.line, part, next: 0, first: 0, began: now() }
    }

    /// Takes one more; false when it was the last.
    fn take(&mut self, number: u64) -> bool {
        if number == END {
            return false;
        }
        assert_eq!(number, self.next, "a record is missing");
        if number == 0 {
            self.began = now();
        }
        self.next += 1;
        // The clock takes as long as a record.
        if self.next.is_multiple_of(1024) {
            self.look();
        }
        true
    }

    fn look(&mut self) {
        let ended = now();
        if ended - self.began < self.part {
            return;
        }
        let rate = (self.next - self.first) as f64 / ((ended - self.began) as f64 / 1e9);
        point::tell_when(self.line, BYTES, rate, self.began, ended);
        (self.first, self.began) = (self.next, now());
    }
}

pub(crate) fn measure(options: &CurveOptions) {
    pin(pinned().then_some(0));
    match options.line.as_str() {
        "iceoryx2" => iceoryx(options),
        "tensorbridge" => ours(options, 1),
        _ => ours(options, MANY),
    }
}

/// The other process sends for a while.
pub(crate) fn send(system: &str, name: &str, seconds: &str) {
    let time = Duration::from_secs_f64(seconds.parse().expect("seconds"));
    if system == "iceoryx2" { iceoryx_sends(name, time) } else { ours_sends(name, time) }
}

/// Calls `one` with numbers that count up, and at the end with the last.
fn stream(time: Duration, mut one: impl FnMut(u64)) {
    let start = Instant::now();
    let mut number = 0;
    // The clock is read now and then: it takes as long as a record.
    while number % 1024 != 0 || start.elapsed() < time {
        one(number);
        number += 1;
    }
    one(END);
}

fn ours(options: &CurveOptions, many: usize) {
    let name = format!("peers.rate.p{}", std::process::id());
    let channel = Channel::<Small>::builder(&name).slots(DEPTH).ring_order(true).create();
    let _channel = channel.expect("a fresh name");
    let receiver = Receiver::<Small>::builder(&name).wait(WaitStrategy::Spin).connect().expect("the host");
    let _sender = Peer::start(&["rate", "ours", &name, &options.seconds.to_string()], pinned());
    let mut count = Count::new(options);
    if many == 1 {
        while count.take(receiver.receive().expect("a record").words()[0]) {}
    } else {
        'all: loop {
            let run = receiver.receive_many(many).expect("records");
            for words in run.words().as_chunks::<WORDS>().0 {
                if !count.take(words[0]) {
                    break 'all;
                }
            }
        }
    }
}

fn ours_sends(name: &str, time: Duration) {
    let sender =
        Sender::<Small>::builder(name).wait(WaitStrategy::Spin).connect().expect("the host is there");
    stream(time, |number| {
        let mut record = sender.loan().expect("a free slot");
        record.words_mut().fill(number);
        record.send().expect("complete");
    });
    // The host ends this process once it has everything.
    loop {
        std::thread::park();
    }
}

fn topic(node: &Node<ipc::Service>, name: &str) -> PortFactory<ipc::Service, [u64; WORDS], ()> {
    let builder = node.service_builder(&name.try_into().expect("a name")).publish_subscribe::<[u64; WORDS]>();
    let builder = builder.enable_safe_overflow(false).subscriber_max_buffer_size(DEPTH);
    builder.open_or_create().expect("a service")
}

fn iceoryx(options: &CurveOptions) {
    let name = format!("peers/rate/{}", std::process::id());
    let node = crate::iceoryx::node();
    let service = topic(&node, &name);
    let subscriber = service.subscriber_builder().buffer_size(DEPTH).create().expect("a subscriber");
    let mut sender = Answering::peer(&["rate", "iceoryx2", &name, &options.seconds.to_string()]);
    // A subscriber connects to a publisher when it looks for samples. Until then what does not fit its buffer is dropped, whatever
    // the strategy is, so nothing is counted before the first sample is here.
    while subscriber.receive().expect("a sample").is_none() {}
    sender.go();
    let mut count = Count::new(options);
    loop {
        if let Some(sample) = subscriber.receive().expect("a sample")
            && !count.take(sample[0])
        {
            break;
        }
    }
    sender.end();
}

fn iceoryx_sends(name: &str, time: Duration) {
    let node = crate::iceoryx::node();
    let service = topic(&node, name);
    let publisher = service
        .publisher_builder()
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()
        .expect("a publisher");
    println!("ready");
    let send = |number: u64| {
        let sample = publisher.loan_uninit().expect("a sample");
        sample.write_payload([number; WORDS]).send().expect("a subscriber");
    };
    send(HELLO);
    wait_to_go();
    stream(time, send);
}
