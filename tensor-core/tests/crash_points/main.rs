//! A process is killed at every step that others can see, one after the other, and everybody else goes on.
//!
//! `--cfg tensorbridge_crash` counts these steps: each write to a shared word, each wake, each message, each change of a
//! name. Every operation of every role is done by a process of its own, which is killed before its first step, then before
//! its second, until it gets through. `cargo xtask crash` runs it and prints how many steps were walked.

#![cfg(tensorbridge_crash)]

mod channel;
mod host;
mod service;
mod victim;
mod world;

use victim::Victim;

/// Slots of an arena without hints and of one with hints.
const SIZES: [usize; 2] = [4, 20];

/// A way is at most this long; more means that it does not end.
const LONGEST: u64 = 1000;

/// Repeats `attempt`, in which a process is killed before its step number 1, 2, ..., until it gets through, which is when
/// it tells the number of its steps.
fn walk(operation: &str, slots: usize, mut attempt: impl FnMut(u64) -> Option<u64>) {
    for fatal in 1..LONGEST {
        if let Some(steps) = attempt(fatal) {
            assert!(steps < fatal, "it survived its end: step {fatal} of {steps}");
            println!("killed at each of {steps:>3} steps: {operation}, {slots} slots");
            return;
        }
    }
    panic!("{operation} does not end");
}
