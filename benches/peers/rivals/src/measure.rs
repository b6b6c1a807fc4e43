//! Four cases of a system: the request lies ready or is written anew, and the server reads one number of it or all.

use crate::{Options, pinned, processes, support::peer::pin};
use std::io::Write;
use std::time::Instant;

/// What the first number of a request is, in turns; negative when the server has to read all of them.
const VALUES: [f32; 4] = [1.0, 2.0, 3.0, 4.0];
/// Numbers of a request.
pub(crate) const COUNT: usize = 3 * 224 * 224;
const MOST: usize = 200_000;
const LEAST: usize = 5;

/// The two ways to call. Both take the first number of the request and give the server's answer.
pub(crate) trait Calls {
    /// The request already lies where the system wants it.
    fn ready(&mut self, value: f32) -> f64;
    /// The request is written anew.
    fn written(&mut self, value: f32) -> f64;
}

/// Nanoseconds of the processor for a call.
pub(crate) struct Used {
    client: u64,
    server: u64,
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

/// Measures the four cases and tells each as a line of JSON.
pub(crate) fn cases(options: &Options, calls: &mut impl Calls) {
    pin(pinned().then_some(0));
    for written in [false, true] {
        for touched in [false, true] {
            let values = VALUES.map(|value| if touched { -value } else { value });
            let mut call = |value| if written { calls.written(value) } else { calls.ready(value) };
            let expected = |value| expected(value, written);
            let (durations, used) = timed(&values, expected, options.seconds, &mut call);
            tell(options, if written { "written" } else { "ready" }, touched, &durations, &used);
        }
    }
}

/// Times calls one by one after some that warm up, and what both sides use for each.
pub(crate) fn timed(
    values: &[f32],
    expected: impl Fn(f32) -> f64,
    seconds: f64,
    call: &mut impl FnMut(f32) -> f64,
) -> (Vec<u64>, Used) {
    repeat(values, &expected, seconds / 4.0, call);
    let others = processes::descendants(std::process::id());
    let used =
        || (processes::cpu(std::process::id()), others.iter().map(|pid| processes::cpu(*pid)).sum::<u64>());
    let before = used();
    let durations = repeat(values, &expected, seconds, call);
    let (after, count) = (used(), durations.len() as u64);
    (durations, Used { client: (after.0 - before.0) / count, server: (after.1 - before.1) / count })
}

/// Times calls one by one, and checks every answer.
pub(crate) fn repeat(
    values: &[f32],
    expected: impl Fn(f32) -> f64,
    seconds: f64,
    call: &mut impl FnMut(f32) -> f64,
) -> Vec<u64> {
    let mut durations = Vec::with_capacity(MOST);
    let begin = Instant::now();
    for value in values.iter().cycle().take(MOST) {
        let start = Instant::now();
        let answer = call(*value);
        durations.push(start.elapsed().as_nanos() as u64);
        assert_eq!(answer, expected(*value), "the answer to {value}");
        if durations.len() >= LEAST && (start - begin).as_secs_f64() > seconds {
            break;
        }
    }
    durations
}

/// Writes the durations into a file, and a line of JSON that names it.
pub(crate) fn tell(options: &Options, table: &str, touched: bool, durations: &[u64], used: &Used) {
    let name = format!("{table}-{}.durations", if touched { "touched" } else { "untouched" });
    let bytes: Vec<u8> = durations.iter().flat_map(|duration| duration.to_le_bytes()).collect();
    std::fs::write(options.into.join(&name), bytes).expect("the durations can be written");
    let others = processes::descendants(std::process::id());
    let line = serde_json::json!({
        "table": table,
        "touched": touched,
        "client_cpu_ns": used.client,
        "server_cpu_ns": used.server,
        "client": processes::memory(&[std::process::id()]),
        "server": processes::memory(&others),
        "processes": 1 + others.len(),
        "durations": name,
    });
    writeln!(std::io::stdout(), "{line}").expect("somebody reads");
}
