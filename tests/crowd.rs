//! One to 64 clients of several processes call several workers that take runs, and think and fill for as long as they like:
//! every reply is the caller's own, by a sum of integers.

#[path = "support/players.rs"]
mod players;
mod support;

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use players::{Player, part, play};
use support::unique;
use tensorbridge::{Batching, Client, PythonWorker, Server, Service, Tensor};

#[derive(Tensor)]
#[tensor(name = "crowd.terms")]
struct Terms {
    caller: u64,
    number: u64,
    terms: [u64; 32],
}

#[derive(Tensor)]
#[tensor(name = "crowd.total")]
struct Total {
    caller: u64,
    number: u64,
    total: u64,
}

const PATIENCE: Duration = Duration::from_secs(60);

type Calls = Client<Terms, Total>;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// Gives way a few times, does nothing for up to 300 us, or goes on at once.
    fn dawdle(&mut self) {
        match self.roll(6) {
            0 => std::thread::sleep(Duration::from_micros(self.roll(300))),
            1 => (0..self.roll(5)).for_each(|_| std::thread::yield_now()),
            _ => {}
        }
    }
}

/// What the terms come to, in the order in which they are: another order, or another row's terms, come to something else.
fn checksum(caller: u64, number: u64, terms: &[u64]) -> u64 {
    terms.iter().fold(caller.wrapping_mul(31).wrapping_add(number), |sum, term| {
        sum.rotate_left(5).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(*term)
    })
}

/// Calls `times` times and checks each reply; keeps it for a while, but not until the next: all may ask for more at once.
fn call(client: &Calls, caller: u64, times: u64) {
    let mut dice = Dice(caller.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1);
    for number in 0..times {
        dice.dawdle();
        let mut loan = client.loan().unwrap();
        loan.set_caller(caller);
        loan.set_number(number);
        let terms: Vec<u64> = (0..32).map(|_| dice.roll(u64::MAX)).collect();
        let (first, second) = loan.terms_mut().split_at_mut(16);
        first.copy_from_slice(&terms[..16]);
        dice.dawdle();
        second.copy_from_slice(&terms[16..]);
        let expected = checksum(caller, number, &terms);
        let reply = loan.call().unwrap();
        assert_eq!((reply.caller(), reply.number(), reply.total()), (caller, number, expected));
        dice.dawdle();
        drop(reply);
    }
}

/// `threads` of them share a client, or each has its own.
fn call_from(name: &str, threads: u64, times: u64, first: u64) {
    let connect = || Calls::builder(name).timeout(PATIENCE).connect().unwrap();
    let shared = connect();
    std::thread::scope(|scope| {
        for caller in first..first + threads {
            let (shared, connect) = (&shared, &connect);
            scope.spawn(move || match caller % 2 {
                0 => call(shared, caller, times),
                _ => call(&connect(), caller, times),
            });
        }
    });
}

fn be_crowd(argument: &str) {
    let mut words = argument.split(' ');
    let name = words.next().unwrap();
    let mut number = || words.next().unwrap().parse().unwrap();
    call_from(name, number(), number(), number());
}

/// Answers until the service is gone; how many.
fn answer(name: &str, batching: Batching) -> u64 {
    let server = Server::<Terms, Total>::builder(name).timeout(PATIENCE).connect().unwrap();
    let mut answered = 0;
    let ended = server.serve_many(batching, |asked, replies| {
        for (row, terms) in asked.iter().enumerate() {
            let mut reply = replies.row_mut(row);
            reply.set_caller(terms.caller());
            reply.set_number(terms.number());
            reply.set_total(checksum(terms.caller(), terms.number(), terms.terms()));
        }
        answered += asked.len() as u64;
        Ok::<_, String>(())
    });
    ended.unwrap();
    answered
}

const TEST: &str = "every_reply_is_its_callers_own";

#[test]
fn every_reply_is_its_callers_own() {
    if let Some((_, argument)) = part() {
        return be_crowd(&argument);
    }
    // Threads here, and threads in each of some other processes: 1, 8, 64 clients.
    for (here, processes, there, times) in [(1, 0, 0, 1000), (2, 2, 3, 200), (16, 3, 16, 40)] {
        for slots in [6, 80] {
            let name = unique(&format!("crowd.n{here}.s{slots}"));
            let service =
                Service::<Terms, Total>::builder(&name).slots(slots).ring_order(true).create().unwrap();
            let served = AtomicU64::new(0);
            let serve = |batching: Batching| {
                served.fetch_add(answer(&name, batching), Ordering::Relaxed);
            };
            std::thread::scope(|scope| {
                let batchings = [
                    Batching::up_to(8),
                    Batching::up_to(32).max_wait(Duration::from_micros(500)),
                    Batching::up_to(1),
                ];
                let serve = &serve;
                for batching in batchings {
                    scope.spawn(move || serve(batching));
                }
                let others: Vec<_> = (1..=processes)
                    .map(|process| play(TEST, "crowd", &format!("{name} {there} {times} {}", process * 100)))
                    .collect();
                call_from(&name, here, times, 1000);
                others.into_iter().for_each(Player::succeed);
                assert_eq!(service.free_slots(), slots);
                drop(service);
            });
            assert_eq!(served.into_inner(), (here + processes * there) * times);
        }
    }
}

#[test]
fn so_is_every_reply_when_callers_and_workers_are_of_both_languages() {
    let Some(python) = std::env::var_os("TENSORBRIDGE_PYTHON") else {
        println!("skipped: a crowd of both languages needs TENSORBRIDGE_PYTHON");
        return;
    };
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/crowd.py");
    for slots in [6, 24] {
        let name = unique(&format!("crowd.both.s{slots}"));
        let service = Service::<Terms, Total>::builder(&name).slots(slots).ring_order(true).create().unwrap();
        let worker = |max: &str, wait: &str| {
            service.spawn(PythonWorker::new(SCRIPT).arg("serve").arg(max).arg(wait)).unwrap()
        };
        let workers = [worker("8", "0.0005"), worker("3", "0")];
        std::thread::scope(|scope| {
            scope.spawn(|| answer(&name, Batching::up_to(8)));
            let others = [100, 200].map(|first: u64| {
                let mut command = Command::new(&python);
                Player::start(command.arg(SCRIPT).args(["call", &name, "4", "100", &first.to_string()]))
            });
            call_from(&name, 8, 150, 1000);
            others.into_iter().for_each(Player::succeed);
            assert_eq!(service.free_slots(), slots);
            drop(workers);
            drop(service);
        });
    }
}
