//! How a wait proceeds: spin a little, then sleep in slices that look around.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::sync::{Bug, planted};

/// How hard to look before saying that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// At the hints only: while spinning.
    Hints,
    /// At every slot word: before a verdict.
    Words,
}

/// No sleep is longer than this: then deadlines, signals and the host's life are looked at again, so that a wake-up
/// lost with a killed process costs one slice and no more.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// How long a sleep is from which nobody can wake.
#[cfg(not(loom))]
pub(crate) const NAP: Duration = Duration::from_millis(1);

/// What a wait does before it lets the kernel put the thread to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitStrategy {
    /// Spin for up to this long, giving way to other threads every few hundred nanoseconds, then sleep. The default,
    /// with 50 microseconds: longer than waking a sleeping thread on another core takes.
    Adaptive(Duration),
    /// Spin and never sleep: the lowest latency, for a core of one's own. Deadlines still hold.
    Spin,
    /// Sleep at once: no CPU time is spent on waiting.
    Block,
}

impl Default for WaitStrategy {
    fn default() -> WaitStrategy {
        WaitStrategy::Adaptive(Duration::from_micros(50))
    }
}

/// How long to wait, how, and what to look at meanwhile.
pub(crate) struct Patience<'a> {
    pub(crate) what: &'static str,
    /// `None` waits for ever.
    pub(crate) timeout: Option<Duration>,
    pub(crate) strategy: WaitStrategy,
    /// Called once per slice, and not before the first one is over unless the whole wait is shorter than that; its error
    /// ends the wait.
    pub(crate) look_around: &'a mut dyn FnMut() -> Result<(), Error>,
}

/// Something a thread can sleep on without missing a wake-up.
pub(crate) trait Sleep {
    /// Announces the sleep. What is looked at after this and found missing will wake the sleeper when it comes.
    fn prepare(&self) -> u32;
    /// Sleeps until woken, interrupted by a signal, or `timeout`.
    fn sleep(&self, prepared: u32, timeout: Duration);
}

impl Sleep for super::Bell {
    fn prepare(&self) -> u32 {
        super::Bell::prepare(self)
    }
    fn sleep(&self, prepared: u32, timeout: Duration) {
        super::Bell::sleep(self, prepared, timeout);
    }
}

/// A bell for a sleeper that could also do with something for which nobody rings it: it sleeps in naps.
#[cfg(not(loom))]
pub(crate) struct Often<'a>(pub(crate) &'a super::Bell);

#[cfg(not(loom))]
impl Sleep for Often<'_> {
    fn prepare(&self) -> u32 {
        self.0.prepare()
    }
    fn sleep(&self, prepared: u32, timeout: Duration) {
        self.0.sleep(prepared, timeout.min(NAP));
    }
}

/// Polls between two looks at the clock or two yields.
const POLLS: u32 = 24;

/// How long a few polls and a yield take when others want the core: the kernel gives them a slice of a millisecond or more.
const CROWDED: Duration = Duration::from_micros(50);

/// What a thread knows of the core that it spins on.
#[derive(Clone, Copy, Default)]
struct Crowd {
    /// How many of the next waits do not spin.
    skip: u32,
    /// How many did not, the last time.
    skipped: u32,
}

thread_local! {
    /// Whoever yields to a stranger waits for the stranger's whole slice; whoever sleeps gets the core back when it is woken. So
    /// a thread that had to wait for its core sleeps at once for a while, and longer each time it finds the core still wanted.
    static CROWD: Cell<Crowd> = const { Cell::new(Crowd { skip: 0, skipped: 0 }) };
}

impl Crowd {
    const FEWEST: u32 = 16;
    const MOST: u32 = 1024;

    /// After a yield that took long.
    fn grown(self) -> Crowd {
        let skipped = (self.skipped * 2).clamp(Crowd::FEWEST, Crowd::MOST);
        Crowd { skip: skipped, skipped }
    }

    /// Whether the next wait may spin, and what is known then.
    fn next(self) -> (bool, Crowd) {
        (self.skip == 0, Crowd { skip: self.skip.saturating_sub(1), ..self })
    }
}

/// Repeats `attempt` until it finds something, its error, or the end of the patience. It looks at hints while it spins,
/// and at every word before it lets the thread sleep.
pub(crate) fn wait_for<T>(
    patience: &mut Patience<'_>,
    place: &impl Sleep,
    mut attempt: impl FnMut(Look) -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    if let Some(found) = attempt(Look::Hints)? {
        return Ok(found);
    }
    let start = Instant::now();
    if let Some(found) = spin(patience, start, &mut attempt)? {
        return Ok(found);
    }
    let mut slept = false;
    loop {
        let prepared = place.prepare();
        let look = if planted(Bug::SleepsOnHints) { Look::Hints } else { Look::Words };
        if let Some(found) = attempt(look)? {
            return Ok(found);
        }
        let left = time_left(patience, start)?;
        // Looking around costs as much as the sleep itself, and most sleeps are over long before the slice is.
        if slept || left < SLICE {
            (patience.look_around)()?;
        }
        // Whoever was woken announces itself again before it looks: others may sleep still, and see nobody ring.
        place.sleep(prepared, left.min(SLICE));
        slept = true;
    }
}

fn spin<T>(
    patience: &mut Patience<'_>,
    start: Instant,
    attempt: &mut impl FnMut(Look) -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let (budget, give_way) = match patience.strategy {
        WaitStrategy::Block => return Ok(None),
        WaitStrategy::Adaptive(budget) => (Some(budget), true),
        WaitStrategy::Spin => (None, false),
    };
    if give_way {
        let (may_spin, crowd) = CROWD.get().next();
        CROWD.set(crowd);
        if !may_spin {
            return Ok(None);
        }
    }
    let (mut looked, mut round) = (start, start);
    loop {
        for _ in 0..POLLS {
            std::hint::spin_loop();
            if let Some(found) = attempt(Look::Hints)? {
                CROWD.set(Crowd::default());
                return Ok(Some(found));
            }
        }
        if give_way {
            // A peer on this very core can only make progress when this thread lets it.
            std::thread::yield_now();
        }
        let now = Instant::now();
        if give_way && now - round >= CROWDED {
            CROWD.set(CROWD.get().grown());
            return Ok(None);
        }
        round = now;
        if budget.is_some_and(|budget| now - start >= budget) {
            return Ok(None);
        }
        if now - looked >= SLICE {
            looked = now;
            (patience.look_around)()?;
            if let Some(found) = attempt(Look::Words)? {
                return Ok(Some(found));
            }
        }
        if let Err(up) = time_left(patience, start) {
            // A hint may be late or missing; nothing is called full or empty before all words were looked at.
            return attempt(Look::Words)?.map(Some).ok_or(up);
        }
    }
}

fn time_left(patience: &Patience<'_>, start: Instant) -> Result<Duration, Error> {
    let Some(timeout) = patience.timeout else { return Ok(Duration::MAX) };
    match timeout.checked_sub(start.elapsed()) {
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(Error::Timeout { what: patience.what, after: timeout }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bell;
    use super::*;

    fn patience(
        timeout: Duration,
        strategy: WaitStrategy,
        look: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Patience<'_> {
        Patience { what: "the test", timeout: Some(timeout), strategy, look_around: look }
    }

    #[test]
    fn before_the_time_is_up_all_words_are_looked_at() {
        let bell = Bell::new();
        for strategy in [WaitStrategy::default(), WaitStrategy::Spin, WaitStrategy::Block] {
            let mut look = || Ok(());
            let mut patience = patience(Duration::from_micros(1), strategy, &mut look);
            let found = wait_for(&mut patience, &bell, |look| Ok((look == Look::Words).then_some(7)));
            assert_eq!(found.expect("no hint told of it"), 7, "{strategy:?}");
        }
    }

    #[test]
    fn every_strategy_ends_at_its_deadline() {
        let bell = Bell::new();
        for strategy in [WaitStrategy::default(), WaitStrategy::Spin, WaitStrategy::Block] {
            let timeout = Duration::from_millis(30);
            let mut look = || Ok(());
            let start = Instant::now();
            let result: Result<(), Error> =
                wait_for(&mut patience(timeout, strategy, &mut look), &bell, |_| Ok(None));
            assert!(matches!(result, Err(Error::Timeout { .. })));
            assert!(start.elapsed() >= timeout);
        }
    }

    #[test]
    fn what_is_seen_around_ends_the_wait() {
        let bell = Bell::new();
        for strategy in [WaitStrategy::default(), WaitStrategy::Spin, WaitStrategy::Block] {
            let mut look = || Err(Error::Forked);
            let result: Result<(), Error> =
                wait_for(&mut patience(Duration::from_secs(60), strategy, &mut look), &bell, |_| Ok(None));
            assert!(matches!(result, Err(Error::Forked)));
        }
    }

    #[test]
    fn only_a_sleep_that_lasts_a_slice_looks_around() {
        let bell = Bell::new();
        for (timeout, looks) in [(Duration::from_secs(60), 0), (SLICE / 2, 1)] {
            let looked = Cell::new(0);
            let mut look = || {
                looked.set(looked.get() + 1);
                Ok(())
            };
            let sleeps = Cell::new(0);
            // Found at the look that follows the first sleep.
            let mut attempt = |_| {
                sleeps.set(sleeps.get() + 1);
                Ok((sleeps.get() == 3).then_some(()))
            };
            wait_for(&mut patience(timeout, WaitStrategy::Block, &mut look), &bell, &mut attempt).unwrap();
            assert_eq!(looked.get(), looks);
        }
    }

    #[test]
    fn a_thread_whose_core_others_want_sleeps_at_once_for_a_while_and_longer_each_time() {
        let mut crowd = Crowd::default();
        let mut skips = Vec::new();
        for _ in 0..9 {
            let (may_spin, now) = crowd.next();
            assert!(may_spin);
            crowd = now.grown();
            let mut skipped = 0;
            while let (false, now) = crowd.next() {
                (crowd, skipped) = (now, skipped + 1);
            }
            skips.push(skipped);
        }
        assert_eq!(skips, [16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
    }

    #[test]
    fn a_ring_wakes_a_sleeper() {
        let bell = Bell::new();
        let ready = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                ready.store(true, std::sync::atomic::Ordering::Release);
                bell.ring();
            });
            let mut look = || Ok(());
            let mut patience = patience(Duration::from_secs(60), WaitStrategy::Block, &mut look);
            wait_for(&mut patience, &bell, |_| {
                Ok(ready.load(std::sync::atomic::Ordering::Acquire).then_some(()))
            })
            .unwrap();
        });
    }
}
