//! Times of many repetitions, all of which are kept.

use std::time::Instant;

/// The duration of each call, in nanoseconds.
pub(crate) type Run = Vec<u64>;

/// Times `count` calls of `step` one by one, after a tenth of them as warm-up.
pub(crate) fn time_each(count: usize, mut step: impl FnMut()) -> Run {
    (0..count / 10).for_each(|_| step());
    let timed = |_| {
        let start = Instant::now();
        step();
        start.elapsed().as_nanos() as u64
    };
    (0..count).map(timed).collect()
}
