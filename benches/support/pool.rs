//! 64 threads that take 10,000 buffers of 4 KB at once and give them back: slots of four processes, and beside them a pool
//! of one process behind a mutex.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Barrier, Mutex};
use std::time::Instant;

use tensorbridge::{Channel, Sender, Tensor};

use super::stats::Run;

/// 4 KB.
#[derive(Tensor)]
#[tensor(name = "bench.page")]
struct Page {
    bytes: [u8; 4096],
}

const SLOTS: usize = 10_240;
const PROCESSES: usize = 4;
const THREADS: usize = 64;
/// What each thread holds at once.
const SHARE: usize = 10_000 / THREADS;

/// Nanoseconds for a buffer, taken, touched and given back, in each of `rounds` in which a thread takes its share.
fn rounds<T>(rounds: usize, start: &Barrier, take: impl Fn() -> T, touch: impl Fn(&mut T)) -> Vec<u64> {
    let mut held = Vec::with_capacity(SHARE);
    let mut times = Vec::with_capacity(rounds);
    start.wait();
    for _ in 0..rounds {
        let begin = Instant::now();
        for _ in 0..SHARE {
            let mut buffer = take();
            touch(&mut buffer);
            held.push(buffer);
        }
        held.clear();
        times.push(begin.elapsed().as_nanos() as u64 / SHARE as u64);
    }
    times
}

/// The times of `threads` threads that run at once.
fn together(threads: usize, start: &Barrier, body: impl Fn(&Barrier) -> Vec<u64> + Sync) -> Vec<u64> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| body(start))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it runs through")).collect()
    })
}

fn run_of(mut times: Vec<u64>) -> Run {
    times.sort_unstable();
    Run { p50: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
}

/// The pool of one process: a list of boxes behind a mutex.
pub(crate) fn mutex(count: usize) -> Run {
    let pool: Mutex<Vec<Box<[u8; 4096]>>> = Mutex::new((0..SLOTS).map(|_| Box::new([0; 4096])).collect());
    struct Lent<'a>(&'a Mutex<Vec<Box<[u8; 4096]>>>, Option<Box<[u8; 4096]>>);
    impl Drop for Lent<'_> {
        fn drop(&mut self) {
            self.0.lock().expect("nobody panics").extend(self.1.take());
        }
    }
    let start = Barrier::new(THREADS);
    run_of(together(THREADS, &start, |start| {
        rounds(
            count,
            start,
            || Lent(&pool, Some(pool.lock().expect("nobody panics").pop().expect("enough for all"))),
            |lent| lent.1.as_mut().expect("not given back")[0] = 1,
        )
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
