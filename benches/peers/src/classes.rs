//! What looks at the distance between two cores say of how they lie to each other.

use serde::{Deserialize, Serialize};

/// Between two looks, beyond which nobody knows what was in the meantime.
pub(crate) const BLIND: u64 = 300_000_000;
/// Nanoseconds: two hardware threads of one core take less for a round trip, and two cores with a cache in common more.
const SAME: u64 = 65;
/// Nanoseconds: cores that share a cache take less for a round trip, those of two processors or of two core complexes more.
const NEAR: u64 = 250;

/// How two cores lie to each other; first what figures are taken from, where there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Placement {
    /// Two cores with a cache in common, or as near as they ever are on this machine.
    #[serde(rename = "near")]
    Near,
    /// Two hardware threads of one core: whoever waits on the one takes time from whoever works on the other.
    #[serde(rename = "same core")]
    SameCore,
    /// Two cores without a cache in common.
    #[serde(rename = "apart")]
    Apart,
}

impl Placement {
    /// All, in the order in which figures are taken from them.
    pub(crate) const ALL: [Placement; 3] = [Placement::Near, Placement::SameCore, Placement::Apart];

    /// As tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Placement::Near => "near",
            Placement::SameCore => "same core",
            Placement::Apart => "apart",
        }
    }
}

/// A look at the distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// When, as [`crate::clock::now`] says.
    pub(crate) at: u64,
    /// Nanoseconds that a cache line takes there and back.
    pub(crate) round: u64,
}

/// The round trips, in nanoseconds, that part one placement from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    same: u64,
    near: u64,
}

impl Limits {
    /// Those of a machine whose cores are moved about by a host, or are not. Where none is, how they lie to each other stays, and a
    /// quick round trip means quick cores.
    pub(crate) fn of(moved: bool) -> Limits {
        Limits { same: if moved { SAME } else { 0 }, near: NEAR }
    }

    /// With `lowest` as the lowest look. Where even that is far, as between two sockets, nothing is nearer.
    pub(crate) fn with(self, lowest: u64) -> Limits {
        Limits { near: if lowest < NEAR { NEAR } else { 2 * lowest }, ..self }
    }

    pub(crate) fn placement(self, look: &Look) -> Placement {
        match look.round {
            round if round < self.same => Placement::SameCore,
            round if round < self.near => Placement::Near,
            _ => Placement::Apart,
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
        let mut placements = seen.iter().map(|look| self.placement(look));
        let placement = placements.next()?;
        placements.all(|other| other == placement).then_some(placement)
    }

    /// The placement that figures are taken from: the first in order that `looks` have shown.
    pub(crate) fn wanted(self, looks: &[Look]) -> Placement {
        looks.iter().map(|look| self.placement(look)).min().unwrap_or(Placement::Near)
    }

    /// What `looks` have shown, in words.
    pub(crate) fn summary(self, looks: &[Look]) -> String {
        let lies = |placement: Placement| {
            let rounds: Vec<u64> = looks
                .iter()
                .filter(|look| self.placement(look) == placement)
                .map(|look| look.round)
                .collect();
            let share = 100.0 * rounds.len() as f64 / looks.len().max(1) as f64;
            let median = crate::figures::median(rounds)?;
            Some(format!("{} in {share:.0} % of them, mostly {median} ns", placement.name()))
        };
        let all: Vec<String> = Placement::ALL.into_iter().filter_map(lies).collect();
        let below = if self.same > 0 {
            format!("below {} ns is the same core, below {} ns near", self.same, self.near)
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

    /// A look every 50 ms, from 50 ms on.
    fn looks(rounds: &[u64]) -> Vec<Look> {
        let at = |number: usize| (number as u64 + 1) * 50 * MILLISECOND;
        rounds.iter().enumerate().map(|(number, round)| Look { at: at(number), round: *round }).collect()
    }

    fn seen(looks: &[Look], began: u64, ended: u64) -> Option<Placement> {
        Limits::of(true).with(41).during(looks, began * MILLISECOND, ended * MILLISECOND)
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
        looks.push(Look { at: 150 * MILLISECOND + BLIND, round: 100 });
        assert_eq!(seen(&looks, 60, 200), Some(Placement::Near));
        looks.push(Look { at: 151 * MILLISECOND + 2 * BLIND, round: 100 });
        assert_eq!(seen(&looks, 160, 460), None);
    }

    #[test]
    fn where_cores_are_always_far_from_each_other_that_is_near() {
        let limits = Limits::of(true);
        assert_eq!(limits.with(400).wanted(&looks(&[420, 600, 900])), Placement::Near);
        assert_eq!(limits.with(41), limits.with(100));
    }

    #[test]
    fn where_no_host_moves_them_quick_cores_are_no_threads_of_one() {
        assert_eq!(Limits::of(false).wanted(&looks(&[40, 40])), Placement::Near);
    }

    #[test]
    fn what_a_machine_never_shows_is_not_wanted() {
        let wanted = |rounds: &[u64]| Limits::of(true).wanted(&looks(rounds));
        assert_eq!(wanted(&[41, 420]), Placement::SameCore);
        assert_eq!(wanted(&[41, 420, 100]), Placement::Near);
        assert_eq!(wanted(&[420]), Placement::Apart);
        assert_eq!(wanted(&[]), Placement::Near);
    }

    #[test]
    fn a_summary_has_what_was_seen() {
        let summary = Limits::of(true).summary(&looks(&[41, 40, 42, 400]));
        assert!(summary.starts_with("4 looks at"), "{summary}");
        assert!(summary.contains("same core in 75 % of them, mostly 41 ns; apart in 25 %"), "{summary}");
        assert!(
            summary.contains("below 65 ns is the same core") && !summary.contains("near in"),
            "{summary}"
        );
    }
}
