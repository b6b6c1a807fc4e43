//! What the demo claims, as checks that can fail.

use crate::maps::Place;

/// A claim, and whether it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// Which of the demo's claims it belongs to.
    pub(crate) topic: &'static str,
    /// Whether it held.
    pub(crate) held: bool,
    /// What was seen, with its numbers.
    pub(crate) seen: String,
}

/// What a worker reports of one call, beside the logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Witness {
    /// Where the pixels lie, as the worker sees it.
    pub(crate) place: Place,
    /// What torch computed from the caller's number and wrote into the reply.
    pub(crate) echo: i64,
    /// Whether the network gave bitwise the same logits for a private copy of the pixels.
    pub(crate) same_answer: bool,
    /// Bytes that handing tensors over copied, as the worker's bridge counts them.
    pub(crate) copied: u64,
    /// Bytes of the network's result that the worker stored into the reply.
    pub(crate) stored: u64,
}

/// What this side knows of the same call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Caller {
    /// Where the pixels lie, as this process sees it; `None` when they lie in no file.
    pub(crate) place: Option<Place>,
    /// The number that was sent along.
    pub(crate) nonce: i64,
    /// Bytes of the pixels.
    pub(crate) bytes: u64,
}

/// What is left of an ended exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    /// Slots that are not free while nobody uses one.
    pub(crate) slots: usize,
    /// Open file descriptors more than before it began.
    pub(crate) descriptors: usize,
    /// Files in the meeting directory more than before it began.
    pub(crate) files: usize,
}

/// The worker answers the caller's number plus this.
pub(crate) const ECHO_STEP: i64 = 1;

/// Both sides looked at the same memory, the answer is the network's, and nothing was copied on the way.
pub(crate) fn of_call(caller: &Caller, worker: &Witness) -> Vec<Check> {
    let here = caller.place.map_or_else(|| "private memory".to_owned(), |place| place.to_string());
    let echo = caller.nonce.wrapping_add(ECHO_STEP);
    vec![
        Check {
            topic: "the same memory",
            held: caller.place == Some(worker.place),
            seen: format!("the pixels lie at {here} for Rust, and at {} for PyTorch", worker.place),
        },
        Check {
            topic: "the same memory",
            held: worker.echo == echo,
            seen: format!("torch was to write {echo}; Rust reads {}", worker.echo),
        },
        Check {
            topic: "the same answer",
            held: worker.same_answer,
            seen: format!(
                "the network's logits for the shared tensor and for a private copy of it are {}",
                if worker.same_answer { "the same, bit by bit" } else { "different" }
            ),
        },
        Check {
            topic: "what was copied",
            held: worker.copied == 0,
            seen: format!(
                "{} of {} bytes were copied on the way; the network's result is {} bytes, which it stored once",
                worker.copied, caller.bytes, worker.stored
            ),
        },
    ]
}

/// Nothing stays behind.
pub(crate) fn of_remains(remains: &Remains) -> Vec<Check> {
    let Remains { slots, descriptors, files } = *remains;
    vec![Check {
        topic: "what is left",
        held: *remains == Remains::default(),
        seen: format!("slots in use: {slots}, file descriptors: {descriptors}, files: {files}"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: Caller =
        Caller { place: Some(Place { inode: 7, offset: 4096 }), nonce: 41, bytes: 602_112 };
    const WORKER: Witness = Witness {
        place: Place { inode: 7, offset: 4096 },
        echo: 42,
        same_answer: true,
        copied: 0,
        stored: 4000,
    };

    fn failing(caller: Caller, worker: Witness) -> Vec<&'static str> {
        of_call(&caller, &worker).into_iter().filter(|check| !check.held).map(|check| check.topic).collect()
    }

    #[test]
    fn an_honest_call_passes() {
        assert_eq!(failing(CALLER, WORKER), [""; 0]);
        assert!(of_remains(&Remains::default()).iter().all(|check| check.held));
    }

    #[test]
    fn each_check_can_fail() {
        let memory = ["the same memory"];
        assert_eq!(failing(Caller { place: None, ..CALLER }, WORKER), memory);
        assert_eq!(failing(CALLER, Witness { place: Place { inode: 8, offset: 4096 }, ..WORKER }), memory);
        assert_eq!(failing(CALLER, Witness { place: Place { inode: 7, offset: 0 }, ..WORKER }), memory);
        assert_eq!(failing(CALLER, Witness { echo: 41, ..WORKER }), memory);
        assert_eq!(failing(CALLER, Witness { same_answer: false, ..WORKER }), ["the same answer"]);
        assert_eq!(failing(CALLER, Witness { copied: 1, ..WORKER }), ["what was copied"]);
        let left = Remains { slots: 0, descriptors: 1, files: 0 };
        assert!(of_remains(&left).iter().any(|check| !check.held));
    }
}
