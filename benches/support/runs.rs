//! What a batch costs: taking neighbouring records and giving them back, beside copying them into one tensor.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tensorbridge::{
    Channel, Client, ReceivedRun, Receiver, Records, RequestRun, Sender, Server, Service, WaitStrategy,
};

use super::peer::pin;
use super::stats::{Run, time_each_after};
use crate::{Kilobyte, Number, Photo, Report, Untouched, unique};

/// The slots of the ring: two runs of the longest.
const SLOTS: usize = 128;

pub(crate) fn measure(report: &mut Report, scale: usize) {
    for records in [1, 8, 32, 64] {
        batches::<Kilobyte>(report, "1 KB", records, 20_000 / scale);
        batches::<Photo>(report, "602 KB", records, 2_000 / scale);
    }
    println!("\nmean length of runs of at most 32, one sender that fills 1 KB, 64 slots");
    for ring in [true, false] {
        let order = if ring { "ring order" } else { "first free slot" };
        println!("{order:<58} {:.1}", mean_length(ring, 200_000 / scale));
    }
    println!();
}

fn batches<R: Untouched>(report: &mut Report, size: &str, records: usize, rounds: usize) {
    report.measure(&format!("take {records} of {size} sent by another core, untouched"), || {
        between_cores::<R, OneWay<R>>(records, rounds, Step::Take)
    });
    report.measure(&format!("take {records} calls with {size}, untouched"), || {
        between_cores::<R, Calls<R>>(records, rounds / 4, Step::Take)
    });
    report.measure(&format!("give {records} of {size} back, untouched"), || {
        between_cores::<R, OneWay<R>>(records, rounds, Step::GiveBack)
    });
    let bytes = R::SCHEMA.field_size(0).expect("it fits");
    let mut tensor = vec![0u8; records * bytes];
    let rounds = (rounds / records).max(10);
    report.measure(&format!("copy {records} of {size} into one tensor"), || {
        between_cores::<R, OneWay<R>>(records, rounds, Step::Copy(&mut tensor))
    });
    report.measure(&format!("copy {records} calls with {size} into one tensor"), || {
        between_cores::<R, Calls<R>>(records, rounds, Step::Copy(&mut tensor))
    });
}

/// What is timed.
enum Step<'a> {
    Take,
    GiveBack,
    /// Reads the records one by one and writes them one behind the other, as a gather does.
    Copy(&'a mut [u8]),
}

/// An arena and the side that takes.
trait Taker<R: Untouched>: Sized {
    /// Records that were taken together.
    type Taken;

    fn start(name: &str) -> Self;

    /// Sends so many records and leaves them to be taken, each time it is called.
    fn sender(name: &str, records: usize) -> impl FnMut();

    fn take(&self, records: usize) -> Self::Taken;

    fn records(taken: &Self::Taken) -> &Records<R>;
}

struct OneWay<R: Untouched> {
    _channel: Channel<R>,
    receiver: Receiver<R>,
}

impl<R: Untouched> Taker<R> for OneWay<R> {
    type Taken = ReceivedRun<R>;

    fn start(name: &str) -> Self {
        let channel = Channel::builder(name).slots(SLOTS).ring_order(true).create().expect("a fresh name");
        let receiver = Receiver::builder(name).wait(WaitStrategy::Spin).connect().expect("the host");
        OneWay { _channel: channel, receiver }
    }

    fn sender(name: &str, records: usize) -> impl FnMut() {
        let sender = Sender::<R>::builder(name).connect().expect("the host");
        move || {
            for _ in 0..records {
                let mut record = sender.loan().expect("a free slot");
                R::first_byte(&mut record)[0] = 1;
                record.send().expect("complete");
            }
        }
    }

    fn take(&self, records: usize) -> ReceivedRun<R> {
        self.receiver.receive_many(records).expect("just sent")
    }

    fn records(taken: &ReceivedRun<R>) -> &Records<R> {
        taken
    }
}

struct Calls<R: Untouched> {
    _service: Service<R, Number>,
    server: Server<R, Number>,
}

impl<R: Untouched> Taker<R> for Calls<R> {
    type Taken = RequestRun<R, Number>;

    fn start(name: &str) -> Self {
        let service = Service::builder(name).slots(SLOTS).ring_order(true).create().expect("a fresh name");
        let server = Server::builder(name).wait(WaitStrategy::Spin).connect().expect("the host");
        Calls { _service: service, server }
    }

    fn sender(name: &str, records: usize) -> impl FnMut() {
        let client = Client::<R, Number>::builder(name).connect().expect("the host");
        let mut calls: Vec<Pin<Box<dyn Future<Output = bool>>>> = Vec::with_capacity(records);
        move || {
            let mut context = Context::from_waker(Waker::noop());
            // The server let go of the last ones, without an answer.
            for mut call in calls.drain(..) {
                while call.as_mut().poll(&mut context).is_pending() {
                    std::hint::spin_loop();
                }
            }
            for _ in 0..records {
                let mut request = client.loan().expect("a free slot");
                R::first_byte(&mut request)[0] = 1;
                let call = request.call_async();
                calls.push(Box::pin(async { call.await.is_ok() }));
                let sent = calls.last_mut().expect("just pushed").as_mut().poll(&mut context);
                assert!(sent == Poll::Pending, "nobody answers");
            }
        }
    }

    fn take(&self, records: usize) -> RequestRun<R, Number> {
        self.server.receive_many(records).expect("just sent")
    }

    fn records(taken: &RequestRun<R, Number>) -> &Records<R> {
        taken.requests()
    }
}

fn between_cores<R: Untouched, T: Taker<R>>(records: usize, rounds: usize, mut timed: Step<'_>) -> Run {
    let name = unique("runs");
    let taker = T::start(&name);
    let (asked, sent) = (AtomicU64::new(0), AtomicU64::new(0));
    let held: Cell<Option<T::Taken>> = Cell::new(None);
    let wait_for = |count: &AtomicU64, value| {
        while count.load(Ordering::Acquire) != value {
            std::hint::spin_loop();
        }
    };
    let mut round = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(Some(1));
            let mut send = T::sender(&name, records);
            let mut round = 0;
            loop {
                round += 1;
                while asked.load(Ordering::Acquire) != round {
                    if asked.load(Ordering::Relaxed) == u64::MAX {
                        return;
                    }
                    std::hint::spin_loop();
                }
                send();
                sent.store(round, Ordering::Release);
            }
        });
        pin(Some(0));
        let take = || {
            let run = taker.take(records);
            assert_eq!(T::records(&run).len(), records);
            run
        };
        let mut prepare = || {
            drop(held.take());
            round += 1;
            asked.store(round, Ordering::Release);
            wait_for(&sent, round);
        };
        let run = match &mut timed {
            Step::Take => time_each_after(rounds, prepare, || held.set(Some(take()))),
            Step::GiveBack => time_each_after(
                rounds,
                || {
                    prepare();
                    held.set(Some(take()));
                },
                || drop(held.take()),
            ),
            Step::Copy(tensor) => time_each_after(
                rounds,
                || {
                    prepare();
                    held.set(Some(take()));
                },
                || {
                    let run = held.take().expect("just taken");
                    let rows = tensor.chunks_exact_mut(tensor.len() / records);
                    let copied = rows.zip(T::records(&run).iter());
                    copied.for_each(|(row, record)| row.copy_from_slice(R::bytes(record)));
                    std::hint::black_box(&tensor);
                    held.set(Some(run));
                },
            ),
        };
        asked.store(u64::MAX, Ordering::Release);
        held.take();
        pin(None);
        run
    })
}

/// How long runs are while a sender and a receiver work at their own pace: what interrupts them are holes, and the ring's end.
fn mean_length(ring: bool, records: usize) -> f64 {
    let name = unique("lengths");
    let _channel =
        Channel::<Kilobyte>::builder(&name).slots(64).ring_order(ring).create().expect("a fresh name");
    let receiver = Receiver::<Kilobyte>::builder(&name).connect().expect("the host");
    let mut runs = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let sender = Sender::<Kilobyte>::builder(&name).connect().expect("the host");
            for _ in 0..records {
                let mut record = sender.loan().expect("a free slot");
                record.bytes_mut().fill(1);
                record.send().expect("complete");
            }
        });
        let mut left = records;
        while left > 0 {
            let run = receiver.receive_many(32).expect("more are sent");
            left -= run.len();
            runs += 1;
            // Work on a batch takes a while, in which the next one comes together.
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(20) {
                std::hint::spin_loop();
            }
        }
    });
    records as f64 / f64::from(runs)
}
