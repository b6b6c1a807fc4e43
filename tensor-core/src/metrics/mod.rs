//! What has happened in an arena, in numbers: counted by its participants while they work, read by anybody at any time.
//!
//! [`metrics`] reads those of an arena by its name; endpoints and hosts have a method of the same name. [`Metrics::since`]
//! is what happened between two readings.

mod distribution;
mod json;
mod probe;
mod residency;

use std::time::Duration;

pub use crate::tally::CopyReason;
pub use distribution::Distribution;
pub(crate) use probe::probe_if_asked;
pub use probe::{Probe, ProbeBuilder};
pub use residency::Residency;

use crate::arena::{Arena, Expected, Recoveries};
use crate::describe::{DESCRIBE_TIMEOUT, Kind, Phases, kind_of, phases_of};
use crate::error::Error;
use crate::memory::precise_monotonic_ns;
use crate::peer::{Role, attach};
use crate::tally::{Counter, Row, Scale};

/// How often an error was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorCount {
    /// Its stable code, for example `TB501`.
    pub code: &'static str,
    /// Its name: `Timeout`.
    pub name: &'static str,
    /// How often.
    pub count: u64,
}

/// What happened in an arena: since it was made, or between two readings.
///
/// Counts are exact. Of a fast stream not every record is timed, because that costs as much as half of the fastest call:
/// records more than 50 microseconds apart are all timed, of faster ones one in up to 128, which counts for those that were
/// not.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The name of the arena.
    pub name: String,
    /// Whether it is a channel or a service.
    pub kind: Kind,
    /// 32 hexadecimal digits that tell this arena from any other of the same name.
    pub epoch: String,
    /// When this was read, on the machine's monotonic clock.
    pub at: Duration,
    /// How long a time this covers.
    pub covers: Duration,
    /// How many records can exist at once.
    pub slots: usize,
    /// What the slots were doing when this was read.
    pub phases: Phases,
    /// Requests, or records of a channel, that were sent.
    pub sent: u64,
    /// Requests that were answered; records of a channel that were received and given back.
    pub answered: u64,
    /// Requests whose server's own code failed: their callers got [`Error::Remote`].
    pub failed: u64,
    /// Requests that a live server let go of without an answer; records of a channel that made room for later ones
    /// ([`WhenFull::DropOldest`](crate::channel::WhenFull::DropOldest)).
    pub dropped: u64,
    /// Requests whose caller's deadline had passed when a server found them.
    pub expired: u64,
    /// What loans, sends and calls ended with instead of success, at their callers, and records that nobody can read, at
    /// whoever read them: those that were counted, in the order of the codes. That a receiver has waited in vain is no
    /// error.
    pub errors: Vec<ErrorCount>,
    /// Lengths of the runs that servers and receivers took. One alone counts when it is done with.
    pub runs: Distribution,
    /// Nanoseconds from sending a request to having its answer.
    pub round_trip: Distribution,
    /// Nanoseconds from sending a record to its being taken.
    pub waiting: Distribution,
    /// Nanoseconds from taking a record to answering it; in a channel to giving it back.
    pub served: Distribution,
    /// Bytes that were copied on the way into and out of records, by reason, each reason once.
    pub copied: Vec<(CopyReason, u64)>,
    /// What the host did for participants that died.
    pub recoveries: Recoveries,
}

impl Metrics {
    pub(crate) fn read(arena: &Arena) -> Metrics {
        let header = arena.header();
        let rows: Vec<Row<'_>> = arena.tallies().collect();
        let sum =
            |of: &dyn Fn(Row<'_>) -> u64| rows.iter().fold(0u64, |sum, row| sum.saturating_add(of(*row)));
        let counted = |counter| sum(&|row| row.counted(counter));
        let distribution = |scale: Scale| {
            let mut seen = Distribution::empty(scale.buckets());
            rows.iter().for_each(|row| seen.add(row.measured(scale)));
            seen
        };
        let alone = counted(Counter::EndedAlone);
        let mut runs = distribution(Scale::Runs);
        runs.add_value(1, alone);
        let errors = Error::TABLE.iter().map(|(code, name, _)| ErrorCount {
            code,
            name,
            count: sum(&|row| row.errors(code)),
        });
        let at = Duration::from_nanos(precise_monotonic_ns());
        Metrics {
            name: arena.name().to_owned(),
            kind: kind_of(arena),
            epoch: header.epoch_text(),
            at,
            covers: at.saturating_sub(Duration::from_nanos(header.created)),
            slots: arena.slots(),
            phases: phases_of(arena),
            sent: arena.sent(),
            answered: alone.saturating_add(counted(Counter::EndedInRun)),
            failed: counted(Counter::Failed),
            dropped: counted(Counter::Dropped),
            expired: counted(Counter::Expired),
            errors: errors.filter(|error| error.count > 0).collect(),
            runs,
            round_trip: distribution(Scale::RoundTrip),
            waiting: distribution(Scale::Waiting),
            served: distribution(Scale::Served),
            copied: CopyReason::ALL.map(|reason| (reason, sum(&|row| row.copied(reason)))).into(),
            recoveries: Recoveries {
                deaths: counted(Counter::Deaths),
                redelivered: counted(Counter::Redelivered),
                given_up: counted(Counter::GivenUp),
            },
        }
    }

    /// What happened after `earlier`, an earlier reading of the same arena. Of another arena, which a later host of the name
    /// made, everything did.
    #[must_use]
    pub fn since(&self, earlier: &Metrics) -> Metrics {
        if self.epoch != earlier.epoch {
            return self.clone();
        }
        let errors = self.errors.iter().map(|error| {
            let before = earlier.errors.iter().find(|other| other.code == error.code);
            ErrorCount { count: error.count.saturating_sub(before.map_or(0, |other| other.count)), ..*error }
        });
        let copied = self.copied.iter().map(|(reason, bytes)| {
            let before = earlier.copied.iter().find(|(other, _)| other == reason);
            (*reason, bytes.saturating_sub(before.map_or(0, |(_, bytes)| *bytes)))
        });
        let (then, now) = (earlier.recoveries, self.recoveries);
        Metrics {
            covers: self.at.saturating_sub(earlier.at),
            sent: self.sent.saturating_sub(earlier.sent),
            answered: self.answered.saturating_sub(earlier.answered),
            failed: self.failed.saturating_sub(earlier.failed),
            dropped: self.dropped.saturating_sub(earlier.dropped),
            expired: self.expired.saturating_sub(earlier.expired),
            errors: errors.filter(|error| error.count > 0).collect(),
            runs: self.runs.since(&earlier.runs),
            round_trip: self.round_trip.since(&earlier.round_trip),
            waiting: self.waiting.since(&earlier.waiting),
            served: self.served.since(&earlier.served),
            copied: copied.collect(),
            recoveries: Recoveries {
                deaths: now.deaths.saturating_sub(then.deaths),
                redelivered: now.redelivered.saturating_sub(then.redelivered),
                given_up: now.given_up.saturating_sub(then.given_up),
            },
            ..self.clone()
        }
    }

    /// How many of `count` there were in a second of the time that this covers.
    #[must_use]
    pub fn per_second(&self, count: u64) -> f64 {
        if self.covers.is_zero() { 0.0 } else { count as f64 / self.covers.as_secs_f64() }
    }

    /// Bytes that were copied for `reason`.
    #[must_use]
    pub fn copied(&self, reason: CopyReason) -> u64 {
        self.copied.iter().find(|(other, _)| *other == reason).map_or(0, |(_, bytes)| *bytes)
    }

    /// How often an error with this code was counted.
    #[must_use]
    pub fn errors(&self, code: &str) -> u64 {
        self.errors.iter().find(|error| error.code == code).map_or(0, |error| error.count)
    }
}

/// What has happened in the arena called `name`, which takes no slot of it. Waits for its host for up to
/// [`DESCRIBE_TIMEOUT`].
///
/// # Errors
/// As [`describe`](crate::describe::describe).
pub fn metrics(name: &str) -> Result<Metrics, Error> {
    metrics_with(name, Some(DESCRIBE_TIMEOUT), &mut || Ok(()))
}

/// As [`metrics`], for bindings to other languages: `look_around` is called while waiting and ends it with its error.
///
/// # Errors
/// As [`metrics`].
#[doc(hidden)]
pub fn metrics_with(
    name: &str,
    timeout: Option<Duration>,
    look_around: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Metrics, Error> {
    let arena = attach(name, Role::Observer, &Expected::default(), timeout, look_around)?;
    Ok(Metrics::read(&arena))
}

#[cfg(all(test, connects))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arena::{Plan, fuzz::attached};
    use crate::schema::{DType, Field, Schema, Shape};
    use crate::wait::Look;

    fn plan() -> Plan {
        let schema = |name: &'static str| {
            Schema::new(name, 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap()
        };
        Plan { slots: 4, request: schema("metrics.request"), reply: Some(schema("metrics.reply")) }
    }

    /// A clock that somebody sets would make rates of a first reading wrong.
    #[test]
    fn a_first_reading_covers_the_time_since_the_arena_was_made_by_the_clock_it_was_read_by() {
        let [host, client, _] = attached(plan(), 0, 3);
        let readings = [&host, &client, &host].map(|arena| Metrics::read(arena));
        let made = readings.each_ref().map(|seen| seen.at - seen.covers);
        assert!(made[0] > Duration::ZERO && made.iter().all(|moment| *moment == made[0]), "{made:?}");
        assert!(readings[0].covers > Duration::ZERO);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Whatever peers write into the rows: they are read, shown and subtracted, and calls go on.
        #[test]
        fn garbage_in_the_rows_spoils_numbers_and_nothing_else(seed: u64, mask: u64) {
            let [host, client, worker] = attached(plan(), 0, 3);
            let before = Metrics::read(&host);
            let mut state = seed;
            for row in host.tallies() {
                row.scribble(|| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state ^ state >> 29) & mask
                });
            }
            let seen = Metrics::read(&host);
            for other in [&seen.since(&before), &before.since(&seen), &seen] {
                let json: serde_json::Value = serde_json::from_str(&other.to_json()).unwrap();
                prop_assert_eq!(json["slots"].as_u64(), Some(4));
                let quantiles = [0.0, 0.5, 1.0].map(|quantile| other.served.quantile(quantile));
                prop_assert!(quantiles.is_sorted());
            }
            let call = client.try_loan(Look::Words).unwrap().unwrap();
            call.publish(1, |_| None, true, 0, None).unwrap();
            let taken = worker.try_take(Look::Words).unwrap().unwrap();
            taken.answer(1, |_| None, false, 0).unwrap();
            drop((taken, call));
            prop_assert_eq!(host.free_slots(), 4);
        }
    }
}
