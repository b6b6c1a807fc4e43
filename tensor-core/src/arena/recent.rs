//! Which slots each thread of this process gave back last: their lines are in the cache of its core.
//!
//! Several threads may have the same place here, and the same slot may be at several places or be another's by now: what is found is
//! where a loan looks first, and the slot's word decides.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::hints::SMALL;

/// Threads that have a place of their own.
const THREADS: usize = 64;

/// Slots that are remembered of each.
const MOST: usize = 256;

/// The slots that threads gave back; of none in a small arena, all of which is warm.
pub(super) struct Recent {
    threads: Box<[Stack]>,
}

/// Alone on its line, for one thread writes it all the time.
#[repr(align(128))]
struct Stack {
    /// How many were pushed and not popped; the oldest are overwritten.
    top: AtomicU32,
    /// One more than the slot; 0 for none.
    slots: Box<[AtomicU32]>,
}

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The place of this thread.
#[inline]
fn place() -> usize {
    let place = PLACE.get();
    if place == usize::MAX { choose_place() } else { place }
}

#[cold]
fn choose_place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let place = NEXT.fetch_add(1, Ordering::Relaxed) % THREADS;
    PLACE.set(place);
    place
}

impl Recent {
    pub(super) fn new(slots: usize) -> Recent {
        let threads = if slots > SMALL { THREADS } else { 0 };
        let most = slots.next_power_of_two().min(MOST);
        let stack =
            || Stack { top: AtomicU32::new(0), slots: (0..most).map(|_| AtomicU32::new(0)).collect() };
        Recent { threads: (0..threads).map(|_| stack()).collect() }
    }

    /// Notes that this thread gave a slot back.
    #[inline]
    pub(super) fn push(&self, slot: usize) {
        let Some(stack) = self.threads.get(place()) else { return };
        let top = stack.top.load(Ordering::Relaxed);
        stack.at(top).store(slot as u32 + 1, Ordering::Relaxed);
        stack.top.store(top.wrapping_add(1), Ordering::Relaxed);
    }

    /// The slot that this thread gave back last, of those that it has not had from here since.
    #[inline]
    pub(super) fn pop(&self) -> Option<usize> {
        let stack = self.threads.get(place())?;
        let last = stack.top.load(Ordering::Relaxed).wrapping_sub(1);
        let place = stack.at(last);
        let slot = (place.load(Ordering::Relaxed) as usize).checked_sub(1)?;
        place.store(0, Ordering::Relaxed);
        stack.top.store(last, Ordering::Relaxed);
        Some(slot)
    }
}

impl Stack {
    #[inline]
    fn at(&self, place: u32) -> &AtomicU32 {
        &self.slots[place as usize & (self.slots.len() - 1)]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_gave_back_last_comes_first_and_each_once() {
        let recent = Recent::new(100);
        [3, 99, 7].into_iter().for_each(|slot| recent.push(slot));
        assert_eq!([recent.pop(), recent.pop()], [Some(7), Some(99)]);
        recent.push(5);
        assert_eq!([recent.pop(), recent.pop(), recent.pop(), recent.pop()], [Some(5), Some(3), None, None]);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let recent = Recent::new(1000);
        (0..1000).for_each(|slot| recent.push(slot));
        assert!(std::iter::from_fn(|| recent.pop()).eq((1000 - MOST..1000).rev()));
    }

    #[test]
    fn another_thread_has_a_place_of_its_own() {
        let recent = Recent::new(100);
        recent.push(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(recent.pop(), None);
                recent.push(2);
            });
        });
        assert_eq!([recent.pop(), recent.pop()], [Some(1), None]);
    }
}
