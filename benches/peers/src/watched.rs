//! Measuring again what was not measured on cores that lie as wanted, for a while.

use crate::classes::Placement;
use crate::placement::Watcher;
use crate::program;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How often something is measured at most, until enough of it was measured on cores that lie as wanted.
const ATTEMPTS: u32 = 4;
/// How long such cores are waited for before it is measured again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where the two cores of the measuring programs lie, and how long may be measured again for it.
pub(crate) struct Watched {
    watcher: Option<Watcher>,
    budget: Budget,
}

/// Time that every measurement has an equal share of. What it does not need is there for those that follow.
struct Budget {
    share: Duration,
    granted: Duration,
    spent: Duration,
}

impl Budget {
    fn new(whole: Duration, measurements: usize) -> Budget {
        let share = whole / u32::try_from(measurements.max(1)).unwrap_or(u32::MAX);
        Budget { share, granted: Duration::ZERO, spent: Duration::ZERO }
    }

    fn grant(&mut self) {
        self.granted += self.share;
    }

    fn is_left(&self) -> bool {
        self.spent < self.granted
    }
}

/// One go at a measurement; nobody watches those that are not pinned.
pub(crate) struct Attempt<'a> {
    watcher: Option<&'a Watcher>,
}

impl Watched {
    /// Starts to watch when the run is `pinned`. All that is measured again takes about `again`, of which each of so many measurements
    /// has its share.
    pub(crate) fn new(pinned: bool, again: Duration, measurements: usize) -> Watched {
        let watcher = if pinned { Watcher::start() } else { None };
        Watched { watcher, budget: Budget::new(again, measurements) }
    }

    /// Calls `attempt` until it says that it has enough, or there were enough of them; for what is not `pinned` once.
    pub(crate) fn until_enough(
        &mut self,
        pinned: bool,
        mut attempt: impl FnMut(&Attempt<'_>) -> Result<bool, std::io::Error>,
    ) -> Result<(), std::io::Error> {
        self.budget.grant();
        let watcher = self.watcher.as_ref().filter(|_| pinned);
        let one = Attempt { watcher };
        let mut enough = attempt(&one)?;
        let Some(watcher) = watcher else { return Ok(()) };
        for _ in 1..ATTEMPTS {
            if enough || !self.budget.is_left() {
                break;
            }
            let begin = Instant::now();
            watcher.await_wanted(PATIENCE);
            enough = attempt(&one)?;
            self.budget.spent += begin.elapsed();
        }
        Ok(())
    }

    /// What was seen, in words.
    pub(crate) fn summary(&self) -> String {
        self.watcher.as_ref().map_or_else(|| "not looked at".to_owned(), Watcher::summary)
    }
}

impl Attempt<'_> {
    /// Runs a measuring program as [`program::run`] does, and watches meanwhile.
    pub(crate) fn run(&self, command: Command, directory: &Path, limit: Duration) -> Result<String, String> {
        let run = || program::run(command, directory, limit);
        match self.watcher {
            Some(watcher) => watcher.watch(run),
            None => run(),
        }
    }

    /// How the cores lay from `began` to `ended`; near where nobody watches.
    pub(crate) fn placement(&self, began: u64, ended: u64) -> Option<Placement> {
        self.watcher.map_or(Some(Placement::Near), |watcher| watcher.placement(began, ended))
    }

    /// The placement of which enough is to be measured; near where nobody watches.
    pub(crate) fn wanted(&self) -> Placement {
        self.watcher.map_or(Placement::Near, Watcher::wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measurement_has_a_share_of_the_time_and_what_others_left() {
        let mut budget = Budget::new(Duration::from_secs(30), 10);
        assert!(!budget.is_left());
        budget.grant();
        assert!(budget.is_left());
        budget.spent += Duration::from_secs(8);
        budget.grant();
        assert!(!budget.is_left(), "those before took more than theirs");
        budget.grant();
        assert!(budget.is_left());
    }

    #[test]
    fn what_nobody_watches_is_measured_once_and_counts() {
        let mut watched = Watched::new(false, Duration::from_secs(60), 1);
        let mut attempts = 0;
        let measured = watched.until_enough(true, |attempt| {
            attempts += 1;
            assert_eq!((attempt.placement(1, 2), attempt.wanted()), (Some(Placement::Near), Placement::Near));
            Ok(false)
        });
        assert!(measured.is_ok() && attempts == 1);
        assert_eq!(watched.summary(), "not looked at");
    }
}
