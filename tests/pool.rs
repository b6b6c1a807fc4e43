//! Ten thousand loans at once, from 64 threads of four processes: nothing is allocated, nobody waits for anybody who
//! stands still, and every slot comes back.

#[path = "support/allocations.rs"]
mod allocations;
#[path = "support/players.rs"]
mod players;
mod support;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use allocations::allocations;
use players::{Player, part, play};
use rustix::process::{Pid, Signal, kill_process};
use support::unique;
use tensorbridge::{Channel, Loan, Receiver, Sender, Tensor};

/// 4 KB.
#[derive(Tensor)]
#[tensor(name = "pool.page")]
struct Page {
    bytes: [u8; 4096],
}

/// Says how far everybody has got, or may go.
#[derive(Tensor)]
#[tensor(name = "pool.signal")]
struct Go {
    step: u64,
}

const SLOTS: usize = 10_240;
const PROCESSES: usize = 4;
const THREADS: usize = 16;
/// Loans of each process at once: 10,000 of all four.
const HELD: usize = 2_500;
/// Loans that each thread takes and gives back while others do.
const ROUNDS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// Loans `share` slots, marks them, and sees that nobody else has them.
fn hold(sender: &Sender<Page>, loans: &mut Vec<Loan<Page>>, share: usize, mark: u8) {
    for _ in 0..share {
        let mut loan = sender.loan_timeout(PATIENCE).unwrap();
        loan.bytes_mut().fill(mark);
        loans.push(loan);
    }
}

/// Loans and gives back, holding nothing meanwhile.
fn churn(sender: &Sender<Page>, mark: u8) {
    for _ in 0..ROUNDS {
        let mut loan = sender.loan_timeout(PATIENCE).unwrap();
        loan.bytes_mut()[..8].fill(mark);
        assert_eq!(loan.bytes()[..8], [mark; 8]);
    }
}

/// One of the four processes.
fn be_holder(name: &str) {
    let sender = Sender::<Page>::builder(name).timeout(PATIENCE).connect().unwrap();
    let go = Receiver::<Go>::builder(&format!("{name}.go")).timeout(PATIENCE).connect().unwrap();
    let held = Sender::<Go>::builder(&format!("{name}.held")).timeout(PATIENCE).connect().unwrap();
    let report = |step| {
        let mut signal = held.loan().unwrap();
        signal.set_step(step);
        signal.send().unwrap();
    };
    let barrier = Barrier::new(THREADS + 1);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (sender, barrier) = (&sender, &barrier);
            let share = HELD / THREADS + usize::from(thread < HELD % THREADS);
            let mark = (std::process::id() as usize * THREADS + thread) as u8;
            scope.spawn(move || {
                let mut loans = Vec::with_capacity(share);
                // What a thread does for the first time may allocate.
                churn(sender, mark);
                let before = allocations();
                hold(sender, &mut loans, share, mark);
                assert_eq!(allocations() - before, 0, "a loan allocated");
                barrier.wait();
                // Until the host has counted.
                barrier.wait();
                let before = allocations();
                for loan in &loans {
                    assert!(loan.bytes().iter().all(|byte| *byte == mark), "a slot is owned twice");
                }
                loans.clear();
                churn(sender, mark);
                assert_eq!(allocations() - before, 0, "a loan, or giving it back, allocated");
            });
        }
        barrier.wait();
        report(1);
        go.receive().unwrap();
        barrier.wait();
    });
    report(2);
    // Churns on until it is stopped or killed.
    loop {
        churn(&sender, 1);
    }
}

#[test]
fn ten_thousand_loans_of_sixty_four_threads_are_out_at_once_and_all_come_back() {
    const TEST: &str = "ten_thousand_loans_of_sixty_four_threads_are_out_at_once_and_all_come_back";
    if let Some((_, name)) = part() {
        return be_holder(&name);
    }
    let name = unique("pool");
    let pool = Channel::<Page>::builder(&name).slots(SLOTS).create().unwrap();
    let _go = Channel::<Go>::builder(&format!("{name}.go")).slots(8).create().unwrap();
    let _held = Channel::<Go>::builder(&format!("{name}.held")).slots(8).create().unwrap();
    let go = Sender::<Go>::builder(&format!("{name}.go")).connect().unwrap();
    let held = Receiver::<Go>::builder(&format!("{name}.held")).timeout(PATIENCE).connect().unwrap();
    let holders: Vec<Player> = (0..PROCESSES).map(|_| play(TEST, "holder", &name)).collect();
    let wait_for_all = |step: u64| {
        for _ in 0..PROCESSES {
            assert_eq!(held.receive().unwrap().step(), step);
        }
    };
    wait_for_all(1);
    assert_eq!(pool.free_slots(), SLOTS - PROCESSES * HELD, "10,000 loans are out");
    for _ in 0..PROCESSES {
        let mut signal = go.loan().unwrap();
        signal.set_step(1);
        signal.send().unwrap();
    }
    wait_for_all(2);

    // Three of them stand still, wherever they are; nobody needs them to go on.
    let sender = Sender::<Page>::builder(&name).timeout(PATIENCE).connect().unwrap();
    for holder in &holders[1..] {
        let process = Pid::from_raw(holder.id() as i32).unwrap();
        kill_process(process, Signal::STOP).unwrap();
    }
    let start = Instant::now();
    churn(&sender, 2);
    assert!(start.elapsed() < PATIENCE);
    drop(holders);
    let start = Instant::now();
    while pool.free_slots() < SLOTS {
        assert!(start.elapsed() < PATIENCE, "{} slots are lost", SLOTS - pool.free_slots());
        std::thread::sleep(Duration::from_millis(1));
    }
    let all: Vec<_> = (0..SLOTS).map(|_| sender.try_loan().unwrap().expect("a slot is lost")).collect();
    assert!(sender.try_loan().unwrap().is_none(), "a slot is owned twice");
    drop(all);
    assert_eq!(pool.free_slots(), SLOTS);
}
