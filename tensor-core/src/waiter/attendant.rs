//! The thread that waits for all asynchronous operations of the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Instant;

use super::Waits;
use crate::error::Error;
use crate::memory::PerProcess;
use crate::sync::{Ordering, fence};
use crate::wait::{Bell, ExpectedWord, MOST_WORDS, NAP, SLICE, futex_wait_any};

/// A connection's part of a sleep.
pub(super) struct Watched {
    /// What to sleep on, while it is attended.
    pub(super) words: Vec<ExpectedWord>,
    /// When to look again at the latest.
    pub(super) next_look: Instant,
    /// Whether to look again at all.
    pub(super) attended: bool,
}

struct Attendant {
    /// Rung when there is something that no arena's bell tells.
    kick: Bell,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: bool,
    /// Connections that something waits for since the last look.
    arrived: Vec<Weak<Waits>>,
}

/// The attendant of this process. A forked child has none until it waits for something itself.
static ATTENDANT: PerProcess<Attendant> = PerProcess::new();

fn attendant() -> Result<&'static Attendant, Error> {
    ATTENDANT.get(|| Attendant { kick: Bell::new(), state: Mutex::default() })
}

/// Has a connection looked at from now on. The thread is started if nothing waited until now.
///
/// # Errors
/// [`Error::Io`] when it cannot be.
pub(super) fn attend(waits: &Arc<Waits>) -> Result<(), Error> {
    let attendant = attendant()?;
    let mut state = attendant.lock();
    if !state.running {
        let thread = std::thread::Builder::new().name("tensorbridge-async".to_owned());
        thread.spawn(|| attendant.run()).map_err(|source| Error::Io {
            what: "starting the thread that waits for asynchronous calls",
            source,
        })?;
        state.running = true;
    }
    state.arrived.push(Arc::downgrade(waits));
    drop(state);
    kick();
    Ok(())
}

/// Makes the attendant look at everything that is attended.
pub(super) fn kick() {
    if let Ok(attendant) = attendant() {
        fence(Ordering::SeqCst);
        attendant.kick.ring();
    }
}

impl Attendant {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until nothing has waited for a while.
    fn run(&self) {
        let mut attended: Vec<Weak<Waits>> = Vec::new();
        let mut wakers = Vec::new();
        loop {
            let kicked = self.kick.prepare();
            attended.append(&mut self.lock().arrived);
            let now = Instant::now();
            let mut words = vec![(std::ptr::from_ref(self.kick.word()), kicked)];
            let mut until = now + SLICE;
            attended.retain(|waits| {
                // Held for the look alone: when the program lets go of a connection, its memory goes with it.
                let Some(waits) = waits.upgrade() else { return false };
                let watched = waits.attend(now, &mut wakers);
                if watched.attended {
                    words.extend(watched.words);
                    until = until.min(watched.next_look);
                }
                watched.attended
            });
            wakers.drain(..).for_each(wake);
            if attended.is_empty() {
                let mut state = self.lock();
                if state.arrived.is_empty() {
                    state.running = false;
                    return;
                }
                continue;
            }
            let mut timeout = until.saturating_duration_since(Instant::now());
            if words.len() > MOST_WORDS {
                // More connections than the kernel watches at once: none is overlooked for long.
                timeout = timeout.min(NAP);
            }
            futex_wait_any(&words, timeout);
        }
    }
}

/// A waker is the program's code; one that panics must not take this thread, or their wake-up, from all others.
pub(super) fn wake(waker: Waker) {
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        tracing::error!(target: "tensorbridge", "a waker panicked");
    }
}
