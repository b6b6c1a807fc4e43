//! What looks at the distance between two cores say of how they lie to each other.

use serde::{Deserialize, Serialize};

/// Between two looks, beyond which nobody knows what was in the meantime.
pub(crate) const BLIND: u64 = 300_000_000;
/// Nanoseconds: two hardware threads of one core take less for a round trip, and two cores with a cache in common more.
const SAME: u64 = 65;
/// Nanoseconds: cores that share a cache take less for a round trip, those of two processors or of two core complexes more.
pub(crate) const NEAR: u64 = 250;

/// Per cent of the least time for the same work, beyond which somebody else is at work on a core. Up to there calls took no longer.
const CROWDED: u64 = 110;

/// How two cores lie to each other; first what figures are taken from, where there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Placement {
    /// Two cores with a cache in common, or as near as they ever are on this machine.
    #[serde(rename = "near")]
    Near,
    /// Two such cores, and somebody else whom the host serves takes time from one of them: it has the other hardware thread.
    #[serde(rename = "crowded")]
    Crowded,
    /// Two hardware threads of one core: whoever waits on the one takes time from whoever works on the other.
    #[serde(rename = "same core")]
    SameCore,
    /// Two cores without a cache in common.
    #[serde(rename = "apart")]
    Apart,
}

impl Placement {
    /// All, in the order in which figures are taken from them.
    pub(crate) const ALL: [Placement; 4] =
        [Placement::Near, Placement::Crowded, Placement::SameCore, Placement::Apart];

    /// As tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Placement::Near => "near",
            Placement::Crowded => "crowded",
            Placement::SameCore => "same core",
            Placement::Apart => "apart",
        }
    }

    /// What it is for a single process, which has no other core to be apart from.
    pub(crate) fn of_one(placement: Option<Placement>) -> Placement {
        if placement == Some(Placement::Crowded) { Placement::Crowded } else { Placement::Near }
    }
}

/// A look at two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// When, as [`crate::clock::now`] says.
    pub(crate) at: u64,
    /// Nanoseconds that a cache line takes there and back.
    pub(crate) round: u64,
    /// Nanoseconds that each of them takes for the same work, both at once.
    pub(crate) work: [u64; 2],
}

/// The times, in nanoseconds, that part one placement from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    same: u64,
    near: u64,
    work: [u64; 2],
}

impl Limits {
    /// Those of a machine that has shown `looks`, and whose cores a host moves about or not. Where even the lowest look is far, as between
    /// two sockets, nothing is nearer. Where there is no host, nobody else is on the cores, and a quick cache line means quick cores.
    pub(crate) fn of(host: bool, looks: &[Look]) -> Limits {
        let lowest = |of: fn(&Look) -> u64| looks.iter().map(of).min().unwrap_or(0);
        let crowded = |least: u64| if host { least * CROWDED / 100 } else { u64::MAX };
        let round = lowest(|look| look.round);
        Limits {
            same: if host { SAME } else { 0 },
            near: if round < NEAR { NEAR } else { 2 * round },
            work: [crowded(lowest(|look| look.work[0])), crowded(lowest(|look| look.work[1]))],
        }
    }

    pub(crate) fn placement(self, look: &Look) -> Placement {
        match look.round {
            round if round < self.same => Placement::SameCore,
            round if round >= self.near => Placement::Apart,
            _ if look.work[0] > self.work[0] || look.work[1] > self.work[1] => Placement::Crowded,
            _ => Placement::Near,
        }
    }

    /// What `looks` say of the time from `began` to `ended`: those just before and just after it count too. Nothing when the cores were
    /// moved in the meantime, or nobody looked.
    pub(crate) fn during(self, looks: &[Look], began: u64, ended: u64) -> Option<Placement> {
        let first = looks.partition_point(|look| look.at <= began).checked_sub(1)?;
        let last = looks.partition_point(|look| look.at < ended);
        let seen = looks.get(first..=last)?;
        if seen.windows(2).any(|pair| pair[1].at - pair[0].at > BLIND) {
            return None;
        }
        let all = |lie: &[Placement]| seen.iter().all(|look| lie.contains(&self.placement(look)));
        let one = Placement::ALL.into_iter().find(|placement| all(&[*placement]));
        // Somebody else comes and goes.
        one.or_else(|| all(&[Placement::Near, Placement::Crowded]).then_some(Placement::Crowded))
    }

    /// The placement that figures are taken from: the first in order that `looks` have shown.
    pub(crate) fn wanted(self, looks: &[Look]) -> Placement {
        looks.iter().map(|look| self.placement(look)).min().unwrap_or(Placement::Near)
    }

    /// What `looks` have shown, in words.
    pub(crate) fn summary(self, looks: &[Look]) -> String {
        let told = |placement: Placement| {
            let rounds: Vec<u64> = looks
                .iter()
                .filter(|look| self.placement(look) == placement)
                .map(|look| look.round)
                .collect();
            let share = 100.0 * rounds.len() as f64 / looks.len().max(1) as f64;
            let median = crate::figures::median(rounds)?;
            Some(format!("{} in {share:.0} % of them, mostly {median} ns", placement.name()))
        };
        let all: Vec<String> = Placement::ALL.into_iter().filter_map(told).collect();
        let below = if self.same > 0 {
            format!(
                "below {} ns is the same core, below {} ns near, over {} % of the least time for some work crowded",
                self.same, self.near, CROWDED
            )
        } else {
            format!("below {} ns is near", self.near)
        };
        format!(
            "{} looks at how long a cache line takes there and back: {}; {below}",
            looks.len(),
            all.join("; ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// A look every 50 ms, from 50 ms on, while nobody else is at work.
    fn looks(rounds: &[u64]) -> Vec<Look> {
        let at = |number: usize| (number as u64 + 1) * 50 * MILLISECOND;
        let look =
            |(number, round): (usize, &u64)| Look { at: at(number), round: *round, work: [1000, 1100] };
        rounds.iter().enumerate().map(look).collect()
    }

    fn seen(looks: &[Look], began: u64, ended: u64) -> Option<Placement> {
        Limits::of(true, looks).during(looks, began * MILLISECOND, ended * MILLISECOND)
    }

    #[test]
    fn a_time_has_the_placement_that_all_looks_around_it_say() {
        let looks = looks(&[90, 100, 110, 420, 430, 420, 41, 50, 64, 65]);
        assert_eq!(seen(&looks, 60, 140), Some(Placement::Near));
        assert_eq!(seen(&looks, 60, 160), None, "apart before the next look");
        assert_eq!(seen(&looks, 160, 190), None);
        assert_eq!(seen(&looks, 210, 290), Some(Placement::Apart));
        assert_eq!(seen(&looks, 290, 310), None);
        assert_eq!(seen(&looks, 360, 440), Some(Placement::SameCore));
        assert_eq!(seen(&looks, 360, 460), None, "two cores at the next look");
    }

    #[test]
    fn nobody_knows_what_was_before_the_first_look_after_the_last_and_in_a_long_gap() {
        let mut looks = looks(&[100, 100, 100]);
        assert_eq!(seen(&looks, 40, 90), None);
        assert_eq!(seen(&looks, 60, 160), None);
        assert_eq!(seen(&[], 60, 160), None);
        looks.push(Look { at: 150 * MILLISECOND + BLIND, ..looks[0] });
        assert_eq!(seen(&looks, 60, 200), Some(Placement::Near));
        looks.push(Look { at: 151 * MILLISECOND + 2 * BLIND, ..looks[0] });
        assert_eq!(seen(&looks, 160, 460), None);
    }

    #[test]
    fn near_cores_are_crowded_when_the_same_work_takes_longer_on_one_of_them() {
        let mut looks = looks(&[100, 100, 100, 100, 100, 420, 420]);
        (looks[1].work, looks[2].work, looks[5].work) = ([1000, 1500], [1101, 1100], [2000, 2000]);
        assert_eq!(seen(&looks, 110, 140), Some(Placement::Crowded));
        assert_eq!(seen(&looks, 60, 90), Some(Placement::Crowded), "somebody came");
        assert_eq!(seen(&looks, 210, 240), Some(Placement::Near));
        assert_eq!(seen(&looks, 160, 260), None, "moved, whoever was there");
        assert_eq!(seen(&looks, 310, 340), Some(Placement::Apart));
        looks[2].work = [1100, 1210];
        assert_eq!(seen(&looks, 160, 190), Some(Placement::Near), "a little longer is nobody");
        assert_eq!(
            Limits::of(false, &looks).during(&looks, 60 * MILLISECOND, 90 * MILLISECOND),
            Some(Placement::Near)
        );
    }

    #[test]
    fn a_single_process_is_crowded_or_near() {
        assert_eq!(Placement::of_one(Some(Placement::Crowded)), Placement::Crowded);
        for placement in [None, Some(Placement::Near), Some(Placement::SameCore), Some(Placement::Apart)] {
            assert_eq!(Placement::of_one(placement), Placement::Near);
        }
    }

    fn wanted(host: bool, rounds: &[u64]) -> Placement {
        let looks = looks(rounds);
        Limits::of(host, &looks).wanted(&looks)
    }

    #[test]
    fn where_cores_are_always_far_from_each_other_that_is_near() {
        assert_eq!(wanted(true, &[420, 600, 800]), Placement::Near);
        let looks = looks(&[420, 600, 840, 900]);
        assert_eq!(
            (seen(&looks, 60, 90), seen(&looks, 160, 190)),
            (Some(Placement::Near), Some(Placement::Apart))
        );
    }

    #[test]
    fn where_no_host_moves_them_quick_cores_are_no_threads_of_one() {
        assert_eq!(wanted(false, &[40, 40]), Placement::Near);
    }

    #[test]
    fn what_a_machine_never_shows_is_not_wanted() {
        assert_eq!(wanted(true, &[41, 420]), Placement::SameCore);
        assert_eq!(wanted(true, &[41, 420, 100]), Placement::Near);
        assert_eq!(wanted(true, &[]), Placement::Near);
    }

    #[test]
    fn a_summary_has_what_was_seen() {
        let looks = looks(&[41, 40, 42, 400]);
        let summary = Limits::of(true, &looks).summary(&looks);
        assert!(summary.starts_with("4 looks at"), "{summary}");
        assert!(summary.contains("same core in 75 % of them, mostly 41 ns; apart in 25 %"), "{summary}");
        assert!(
            summary.contains("below 65 ns is the same core") && !summary.contains("near in"),
            "{summary}"
        );
    }
}
