//! Durations of many calls, as the two numbers that are shown.

use std::time::Duration;

/// How long calls took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    /// Half of the calls took at most this.
    pub(crate) median: Duration,
    /// 99 of 100 calls took at most this.
    pub(crate) p99: Duration,
    /// How many calls were measured.
    pub(crate) calls: usize,
}

impl Timing {
    /// `None` when nothing was measured.
    pub(crate) fn of(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        let calls = durations.len();
        // The smallest duration that at least this share of the calls did not exceed.
        let at_most =
            |percent: usize| durations.get((calls * percent).div_ceil(100).checked_sub(1)?).copied();
        Some(Self { median: at_most(50)?, p99: at_most(99)?, calls })
    }
}

/// A duration with three digits or so and its unit: `9.1 us`, `43 ms`.
pub(crate) fn short(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        m if m < 1_000.0 => (m, "us"),
        m if m < 1_000_000.0 => (m / 1_000.0, "ms"),
        m => (m / 1_000_000.0, "s"),
    };
    if value < 99.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_p99_are_measured_values() {
        let timing = Timing::of((1..=200).rev().map(Duration::from_micros).collect()).unwrap();
        assert_eq!(timing.median, Duration::from_micros(100));
        assert_eq!(timing.p99, Duration::from_micros(198));
        assert_eq!(timing.calls, 200);
        assert_eq!(Timing::of(vec![Duration::from_micros(7)]).unwrap().p99, Duration::from_micros(7));
        assert_eq!(Timing::of(Vec::new()), None);
    }

    #[test]
    fn durations_are_short() {
        let text = |nanos| short(Duration::from_nanos(nanos));
        assert_eq!(text(840), "0.8 us");
        assert_eq!(text(9_130), "9.1 us");
        assert_eq!(text(412_000), "412 us");
        assert_eq!(text(42_700_000), "42.7 ms");
        assert_eq!(text(1_500_000_000), "1.5 s");
    }
}
