//! 64 threads that take 10,000 buffers of 4 KB at once and give them back: slots of four processes, and beside them a pool
//! of one process behind a mutex.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Barrier, Mutex};

use tensorbridge::{Channel, Sender, Tensor};

use super::crowd::{Lent, SLOTS, Shared, THREADS, rounds, together};
use super::stats::Run;

/// 4 KB.
#[derive(Tensor)]
#[tensor(name = "bench.page")]
struct Page {
    bytes: [u8; 4096],
}

const PROCESSES: usize = 4;

fn run_of(mut times: Vec<u64>) -> Run {
    times.sort_unstable();
    Run { p50: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
}

/// The pool of one process: a list of boxes behind a mutex.
pub(crate) fn mutex(count: usize) -> Run {
    let pool: Shared<[u8; 4096]> = Mutex::new((0..SLOTS).map(|_| Box::new([0; 4096])).collect());
    let start = Barrier::new(THREADS);
    run_of(together(THREADS, &start, |start| {
        rounds(count, start, || Lent::take(&pool), |lent| lent.buffer()[0] = 1)
    }))
}

/// Slots of an arena, from threads of four processes.
pub(crate) fn slots(name: &str, count: usize) -> Run {
    let _pool = Channel::<Page>::builder(name).slots(SLOTS).create().expect("a fresh name, and memory");
    let mut peers: Vec<(Child, BufReader<_>)> = (0..PROCESSES)
        .map(|_| {
            let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
                .args(["--peer", "free", "pool", name, &count.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("this program starts");
            let mut says = BufReader::new(child.stdout.take().expect("piped"));
            let mut ready = String::new();
            says.read_line(&mut ready).expect("it says that it is ready");
            (child, says)
        })
        .collect();
    for (peer, _) in &mut peers {
        writeln!(peer.stdin.as_mut().expect("piped"), "go").expect("it listens");
    }
    let mut times = Vec::new();
    for (mut peer, says) in peers {
        times.extend(says.lines().map(|line| line.expect("text").parse::<u64>().expect("a number")));
        let _ = peer.wait();
    }
    run_of(times)
}

/// One of the four processes: says that it is ready, waits for a line, and prints its times.
pub(crate) fn peer(name: &str, count: &str) {
    let count = count.parse().expect("a number");
    let sender = Sender::<Page>::builder(name).connect().expect("the host is there");
    let start = Barrier::new(THREADS / PROCESSES);
    println!("ready");
    std::io::stdin().lines().next();
    let times = together(THREADS / PROCESSES, &start, |start| {
        rounds(count, start, || sender.loan().expect("enough for all"), |loan| loan.bytes_mut()[0] = 1)
    });
    times.iter().for_each(|time| println!("{time}"));
}
