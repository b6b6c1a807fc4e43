//! How far the two cores of a measurement are from each other, and whether somebody else is on them. The host of a virtual machine moves
//! them about, and what two processes do together takes several times as long when no cache is shared between them.

use crate::classes::{BLIND, Limits, Look, NEAR, Placement};
use crate::clock::now;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// Cores of the client and of the server.
const CORES: [usize; 2] = [0, 1];
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a look waits for the other core.
const PATIENCE: Duration = Duration::from_millis(1);
/// Round trips that are timed together, and how often: the lowest of these times tells the distance.
const ROUNDS: u64 = 8;
const TIMES: u64 = 8;
/// Numbers of a look: one that wakes, those that are timed, and one at which both do the same work.
const TURN: u64 = ROUNDS * TIMES + 2;
/// How often each core does the work, of which the fastest counts, and the sums of it.
const GOES: usize = 6;
const SUMS: usize = 16;
/// How long the first look at near cores is waited for.
const CALIBRATION: Duration = Duration::from_secs(10);
/// How long the fastest work is looked for at first.
const ALONE: Duration = Duration::from_secs(2);

/// Looks at them twenty times a second, while somebody measures.
pub(crate) struct Watcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Whether a host moves the cores about.
    host: bool,
}

#[derive(Default)]
struct Shared {
    looks: Mutex<Vec<Look>>,
    watching: AtomicBool,
    over: AtomicBool,
}

impl Shared {
    fn looks(&self) -> MutexGuard<'_, Vec<Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    /// Starts it and has a first look; nothing where there are no two cores to look at.
    pub(crate) fn start() -> Option<Watcher> {
        let shared = Arc::new(Shared::default());
        let looking = shared.clone();
        let thread = Some(std::thread::spawn(move || look_on(&looking)));
        let watcher = Watcher { shared, thread, host: crate::machine::is_virtual() };
        watcher.await_look(CALIBRATION, |look| look.round < NEAR);
        if watcher.shared.looks().is_empty() {
            return None;
        }
        // How fast the cores are when nobody else is there.
        watcher.watch(|| std::thread::sleep(ALONE));
        Some(watcher)
    }

    /// Waits until the cores lie as wanted, but not longer than `patience`: those of an idle machine come together again by themselves.
    pub(crate) fn await_wanted(&self, patience: Duration) {
        let (limits, wanted) = (self.limits(), self.wanted());
        self.await_look(patience, |look| limits.placement(look) == wanted);
    }

    fn await_look(&self, patience: Duration, is_good: impl Fn(&Look) -> bool) {
        let (begin, deadline) = (now(), Instant::now() + patience);
        let is_good = |look: &Look| look.at >= begin && is_good(look);
        self.watch(|| {
            while Instant::now() < deadline
                && self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
                && !self.shared.looks().last().is_some_and(is_good)
            {
                std::thread::sleep(PAUSE);
            }
        });
    }

    fn limits(&self) -> Limits {
        Limits::of(self.host, &self.shared.looks())
    }

    /// Does `work` and watches, from before it to after it.
    pub(crate) fn watch<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(thread) = &self.thread else { return work() };
        self.shared.watching.store(true, Ordering::Release);
        thread.thread().unpark();
        let done = work();
        let end = now();
        // The look after the end, which may fail now and then.
        while !thread.is_finished()
            && now() < end + BLIND
            && self.shared.looks().last().is_none_or(|look| look.at <= end)
        {
            std::thread::sleep(PAUSE / 10);
        }
        self.shared.watching.store(false, Ordering::Release);
        done
    }

    /// How the cores lay from `began` to `ended`; nothing when they were moved in the meantime, or nobody looked.
    pub(crate) fn placement(&self, began: u64, ended: u64) -> Option<Placement> {
        self.limits().during(&self.shared.looks(), began, ended)
    }

    /// The placement that figures are taken from, as far as this machine has shown it.
    pub(crate) fn wanted(&self) -> Placement {
        self.limits().wanted(&self.shared.looks())
    }

    /// What was seen, in words.
    pub(crate) fn summary(&self) -> String {
        self.limits().summary(&self.shared.looks())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Where the two threads that look meet. Each has a word of its own, and the words are in lines of their own.
#[derive(Default)]
struct Meeting {
    asked: Line,
    answered: Line,
    /// Nanoseconds that the other thread took for the work.
    worked: Line,
}

#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// Looks until it is over, with a thread on the other core; returns at once where one of the two cores is not to be had.
fn look_on(shared: &Shared) {
    let meeting = Meeting::default();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let there = pin(CORES[1]);
            while there && !shared.over.load(Ordering::Acquire) {
                answer(&meeting);
                std::thread::park();
            }
        });
        let mut turn = 0;
        if pin(CORES[0]) {
            while !shared.over.load(Ordering::Acquire) && !other.is_finished() {
                if !shared.watching.load(Ordering::Acquire) {
                    std::thread::park();
                    continue;
                }
                turn += TURN;
                if let Some(look) = look(&meeting, turn, other.thread()) {
                    shared.looks().push(look);
                }
                std::thread::sleep(PAUSE);
            }
        }
        shared.over.store(true, Ordering::Release);
        other.thread().unpark();
    });
}

fn pin(core: usize) -> bool {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).is_ok()
}

/// Wakes the other thread, times how a number comes back and how fast both work at once; nothing when it is not there in time.
fn look(meeting: &Meeting, turn: u64, other: &Thread) -> Option<Look> {
    let deadline = Instant::now() + PATIENCE;
    let ask = |number: u64| {
        meeting.asked.0.store(number, Ordering::Release);
        until(&meeting.answered, deadline, |answered| answered == number)
    };
    other.unpark();
    let mut number = turn;
    // The other thread may be asleep still.
    ask(number)?;
    let mut lowest = u64::MAX;
    for _ in 0..TIMES {
        let begin = Instant::now();
        for _ in 0..ROUNDS {
            number += 1;
            ask(number)?;
        }
        lowest = lowest.min(begin.elapsed().as_nanos() as u64 / ROUNDS);
    }
    meeting.asked.0.store(number + 1, Ordering::Release);
    let mine = work();
    until(&meeting.answered, Instant::now() + PATIENCE, |answered| answered == number + 1)?;
    Some(Look { at: now(), round: lowest, work: [mine, meeting.worked.0.load(Ordering::Relaxed)] })
}

/// Nanoseconds that this core takes for some work at best: sums that keep it as busy as a core can be, of what its nearest cache holds.
fn work() -> u64 {
    static NUMBERS: [u64; 2048] = [1; 2048];
    let time = |_| {
        let begin = Instant::now();
        for _ in 0..SUMS {
            std::hint::black_box(std::hint::black_box(&NUMBERS).iter().sum::<u64>());
        }
        begin.elapsed().as_nanos() as u64
    };
    (0..GOES).map(time).min().unwrap_or(0)
}

/// Gives back numbers as they come, until none comes, and works at the last.
fn answer(meeting: &Meeting) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answered = meeting.answered.0.load(Ordering::Relaxed);
        let Some(asked) = until(&meeting.asked, deadline, |asked| asked != answered) else { return };
        let last = asked % TURN == TURN - 1;
        if last {
            meeting.worked.0.store(work(), Ordering::Relaxed);
        }
        meeting.answered.0.store(asked, Ordering::Release);
        if last {
            return;
        }
    }
}

/// Waits until a word is as wanted, and gives it back.
fn until(line: &Line, deadline: Instant, wanted: impl Fn(u64) -> bool) -> Option<u64> {
    loop {
        // The clock takes a part of a round trip, and is read now and then.
        for _ in 0..64 {
            let found = line.0.load(Ordering::Acquire);
            if wanted(found) {
                return Some(found);
            }
            std::hint::spin_loop();
        }
        if Instant::now() > deadline {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_meet_look_after_look() {
        let meeting = Meeting::default();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    answer(&meeting);
                    std::thread::park();
                }
            });
            let (mut turn, mut met) = (0, Vec::new());
            // On a busy machine one of them is late now and then.
            while met.len() < 3 {
                turn += TURN;
                met.extend(look(&meeting, turn, other.thread()));
            }
            over.store(true, Ordering::Release);
            other.thread().unpark();
            assert!(
                met.is_sorted_by(|a, b| a.at < b.at)
                    && met.iter().all(|look| look.round > 0 && look.work.iter().all(|work| *work > 0)),
                "{met:?}"
            );
        });
    }
}
