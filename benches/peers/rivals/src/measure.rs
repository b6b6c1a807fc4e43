//! Four cases of a system: the request lies ready or is written anew, and the server reads one number of it or all.

use crate::clock::now;
use crate::{Options, pinned, processes, support::peer::pin};
use std::io::Write;
use std::ops::RangeInclusive;
use std::time::Instant;

/// What the first number of a request is, in turns; negative when the server has to read all of them.
const VALUES: [f32; 4] = [1.0, 2.0, 3.0, 4.0];
/// Numbers of a request.
pub(crate) const COUNT: usize = 3 * 224 * 224;
/// Parts of a case, of equal length.
pub(crate) const SLICES: usize = 20;
/// Calls of a case at most.
const MOST: usize = 200_000;
/// Calls at least before them.
const WARMING: usize = 5;

/// The two ways to call. Both take the first number of the request and give the server's answer.
pub(crate) trait Calls {
    /// The request already lies where the system wants it.
    fn ready(&mut self, value: f32) -> f64;
    /// The request is written anew.
    fn written(&mut self, value: f32) -> f64;
}

/// A part of a case: whoever reads it knows how the machine was in the meantime.
pub(crate) struct Slice {
    began: u64,
    ended: u64,
    calls: usize,
    /// Nanoseconds of the processor for all of them.
    client_cpu: u64,
    server_cpu: u64,
}

/// The durations of all calls of a case, one slice after the other.
pub(crate) struct Timed {
    durations: Vec<u64>,
    slices: Vec<Slice>,
}

/// What every server answers: the first number, or when it is negative the sum of all.
pub(crate) fn answer(pixels: &[f32]) -> f64 {
    if pixels[0] >= 0.0 {
        return f64::from(pixels[0]);
    }
    // Sixteen sums at once, which the compiler turns into vectors; all are small whole numbers, so that nothing is rounded.
    let mut sums = [0.0f32; 16];
    let (chunks, rest) = pixels.as_chunks::<16>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    f64::from(sums.iter().chain(rest).sum::<f32>())
}

fn expected(value: f32, written: bool) -> f64 {
    match (value >= 0.0, written) {
        (true, _) => f64::from(value),
        (false, true) => f64::from(value) * COUNT as f64,
        (false, false) => f64::from(value) + (COUNT - 1) as f64,
    }
}

/// Measures the four cases, or those that are asked for, and tells each as a line of JSON.
pub(crate) fn cases(options: &Options, calls: &mut impl Calls) {
    pin(pinned().then_some(0));
    for written in [false, true] {
        for touched in [false, true] {
            let table = if written { "written" } else { "ready" };
            if !options.case.is_empty() && !options.case.contains(&case(table, touched)) {
                continue;
            }
            let values = VALUES.map(|value| if touched { -value } else { value });
            let mut call = |value| if written { calls.written(value) } else { calls.ready(value) };
            let timed = timed(&values, |value| expected(value, written), options.seconds, &mut call);
            tell(options, table, touched, &timed);
        }
    }
}

/// What `--case` calls it.
fn case(table: &str, touched: bool) -> String {
    format!("{table}-{}", if touched { "touched" } else { "untouched" })
}

/// Times calls one by one after some that warm up, and what both sides use for them.
pub(crate) fn timed(
    values: &[f32],
    expected: impl Fn(f32) -> f64,
    seconds: f64,
    call: &mut impl FnMut(f32) -> f64,
) -> Timed {
    let mut turns = values.iter().copied().cycle();
    repeat(&mut turns, &expected, seconds / 4.0, WARMING..=MOST, call);
    let others = processes::descendants(std::process::id());
    let used =
        || (processes::cpu(std::process::id()), others.iter().map(|pid| processes::cpu(*pid)).sum::<u64>());
    let mut timed = Timed { durations: Vec::with_capacity(MOST), slices: Vec::with_capacity(SLICES) };
    for _ in 0..SLICES {
        let (before, began) = (used(), now());
        let part = repeat(&mut turns, &expected, seconds / SLICES as f64, 1..=MOST / SLICES, call);
        let (ended, after) = (now(), used());
        timed.slices.push(Slice {
            began,
            ended,
            calls: part.len(),
            client_cpu: after.0 - before.0,
            server_cpu: after.1 - before.1,
        });
        timed.durations.extend(part);
    }
    timed
}

/// Times as many calls as `count` allows, one by one, and checks every answer.
pub(crate) fn repeat(
    turns: &mut impl Iterator<Item = f32>,
    expected: impl Fn(f32) -> f64,
    seconds: f64,
    count: RangeInclusive<usize>,
    call: &mut impl FnMut(f32) -> f64,
) -> Vec<u64> {
    let mut durations = Vec::with_capacity(*count.end());
    let begin = Instant::now();
    for value in turns.take(*count.end()) {
        let start = Instant::now();
        let answer = call(value);
        durations.push(start.elapsed().as_nanos() as u64);
        assert_eq!(answer, expected(value), "the answer to {value}");
        if durations.len() >= *count.start() && (start - begin).as_secs_f64() > seconds {
            break;
        }
    }
    durations
}

/// Writes the durations into a file, and a line of JSON that names it.
pub(crate) fn tell(options: &Options, table: &str, touched: bool, timed: &Timed) {
    let name = format!("{}.durations", case(table, touched));
    let bytes: Vec<u8> = timed.durations.iter().flat_map(|duration| duration.to_le_bytes()).collect();
    std::fs::write(options.into.join(&name), bytes).expect("the durations can be written");
    let others = processes::descendants(std::process::id());
    let slice = |slice: &Slice| {
        serde_json::json!({
            "began": slice.began,
            "ended": slice.ended,
            "calls": slice.calls,
            "client_cpu_ns": slice.client_cpu,
            "server_cpu_ns": slice.server_cpu,
        })
    };
    let line = serde_json::json!({
        "table": table,
        "touched": touched,
        "slices": timed.slices.iter().map(slice).collect::<Vec<_>>(),
        "client": processes::memory(&[std::process::id()]),
        "server": processes::memory(&others),
        "processes": 1 + others.len(),
        "durations": name,
    });
    writeln!(std::io::stdout(), "{line}").expect("somebody reads");
}
