//! Times of many repetitions.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Percentiles of one run, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
}

/// Several runs of one measurement.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) runs: Vec<Run>,
}

impl Measured {
    /// The median of the runs' medians, in nanoseconds.
    pub(crate) fn p50(&self) -> u64 {
        median(self.runs.iter().map(|run| run.p50).collect())
    }

    /// The median of the runs' 99th percentiles, in nanoseconds.
    pub(crate) fn p99(&self) -> u64 {
        median(self.runs.iter().map(|run| run.p99).collect())
    }

    /// The lowest and the highest median of a run, in nanoseconds.
    pub(crate) fn spread(&self) -> (u64, u64) {
        let medians = || self.runs.iter().map(|run| run.p50);
        (medians().min().unwrap_or(0), medians().max().unwrap_or(0))
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Times `count` calls of `step` one by one, after a tenth of them as warm-up.
pub(crate) fn time_each(count: usize, step: impl FnMut()) -> Run {
    time_each_after(count, || {}, step)
}

/// As [`time_each`]; what `prepare` does before each call is not timed.
pub(crate) fn time_each_after(count: usize, mut prepare: impl FnMut(), mut step: impl FnMut()) -> Run {
    let mut histogram =
        Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("up to a minute, three digits");
    for _ in 0..count / 10 {
        prepare();
        step();
    }
    for _ in 0..count {
        prepare();
        let start = Instant::now();
        step();
        histogram.saturating_record(start.elapsed().as_nanos() as u64);
    }
    Run { p50: histogram.value_at_quantile(0.5), p99: histogram.value_at_quantile(0.99) }
}

/// Times `step` in groups of `group`, for steps that take about as long as reading the clock; per step.
pub(crate) fn time_groups(count: usize, group: usize, mut step: impl FnMut()) -> Run {
    let run = time_each(count / group, || (0..group).for_each(|_| step()));
    Run { p50: run.p50 / group as u64, p99: run.p99 / group as u64 }
}

/// A duration as people write it.
pub(crate) fn human(nanoseconds: u64) -> String {
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.2} us", nanoseconds as f64 / 1e3),
        _ => format!("{:.1?}", Duration::from_nanos(nanoseconds)),
    }
}
