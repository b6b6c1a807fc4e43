//! Many threads that take buffers at once and give them back, and a pool behind a mutex that they may take them from.

use std::sync::{Barrier, Mutex};
use std::time::Instant;

/// A few more than are taken at once.
pub(crate) const SLOTS: usize = 10_240;
pub(crate) const THREADS: usize = 64;
/// What each thread holds at once.
const SHARE: usize = 10_000 / THREADS;

/// Nanoseconds for a buffer, taken, touched and given back, in each of `count` rounds in which a thread takes its share. Nobody gives
/// one back before all have theirs.
pub(crate) fn rounds<T>(
    count: usize,
    all: &Barrier,
    take: impl Fn() -> T,
    touch: impl Fn(&mut T),
) -> Vec<u64> {
    let mut held = Vec::with_capacity(SHARE);
    let mut times = Vec::with_capacity(count);
    all.wait();
    for _ in 0..count {
        let begin = Instant::now();
        for _ in 0..SHARE {
            let mut buffer = take();
            touch(&mut buffer);
            held.push(buffer);
        }
        let taking = begin.elapsed();
        all.wait();
        let begin = Instant::now();
        held.clear();
        times.push((taking + begin.elapsed()).as_nanos() as u64 / SHARE as u64);
    }
    times
}

/// The times of `threads` threads that run at once.
pub(crate) fn together(
    threads: usize,
    start: &Barrier,
    body: impl Fn(&Barrier) -> Vec<u64> + Sync,
) -> Vec<u64> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| body(start))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it runs through")).collect()
    })
}

/// The pool of one process: a list of boxes behind a mutex.
pub(crate) type Shared<T> = Mutex<Vec<Box<T>>>;

/// A box that goes back to its pool.
pub(crate) struct Lent<'a, T>(&'a Shared<T>, Option<Box<T>>);

impl<T> Lent<'_, T> {
    pub(crate) fn take(pool: &Shared<T>) -> Lent<'_, T> {
        Lent(pool, Some(pool.lock().expect("nobody panics").pop().expect("enough for all")))
    }

    pub(crate) fn buffer(&mut self) -> &mut T {
        self.1.as_mut().expect("not given back")
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.0.lock().expect("nobody panics").extend(self.1.take());
    }
}
