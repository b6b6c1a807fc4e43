//! What the demo claims, as checks that can fail.

use crate::exchange::Unreturned;
use crate::leftovers::Traces;
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

/// What is left of the demo's services after they have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    /// What they did not give back.
    pub(crate) unreturned: Unreturned,
    /// What this process and the meeting directory have more than before.
    pub(crate) traces: Traces,
}

impl Remains {
    /// Of several services together.
    pub(crate) fn new(services: &[Unreturned], traces: Traces) -> Remains {
        let slots = services.iter().map(|one| one.slots).sum();
        let workers = services.iter().map(|one| one.workers).sum();
        Remains { unreturned: Unreturned { slots, workers }, traces }
    }
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

/// One list of checks for several calls: of each check the first that failed, else the first.
pub(crate) fn of_calls(calls: &[Vec<Check>]) -> Vec<Check> {
    let count = calls.first().map_or(0, Vec::len);
    let one = |index: usize| {
        let mut same = calls.iter().map(|checks| &checks[index]);
        let first = same.clone().next();
        same.find(|check| !check.held).or(first).cloned()
    };
    (0..count).filter_map(one).collect()
}

/// The worker was killed in the middle of a call, and its request was answered.
pub(crate) fn of_kill(killed: bool, (restarts, redelivered): (u32, u64)) -> Check {
    Check {
        topic: "what a kill did",
        held: killed && restarts > 0 && redelivered > 0,
        seen: format!(
            "the worker was {}killed with a request in hand; started again: {restarts}, requests handed out again: {redelivered}",
            if killed { "" } else { "not " }
        ),
    }
}

/// Nothing stays behind. `during` is what there was while the services lived: when that shows nothing either, the
/// count looks at the wrong place.
pub(crate) fn of_remains(remains: &Remains, during: &Traces) -> Vec<Check> {
    let Remains { unreturned: Unreturned { slots, workers }, traces } = remains;
    let seen_before = during.descriptors > 0 && during.files > 0 && during.mappings > 0;
    vec![
        Check {
            topic: "what is left",
            held: *slots == 0 && *workers == 0,
            seen: format!(
                "slots in use after the last call: {slots}; workers that did not end in order: {workers}"
            ),
        },
        Check {
            topic: "what is left",
            held: *traces == Traces::default() && seen_before,
            seen: format!("{traces} (while it ran: {during})"),
        },
    ]
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

    const DURING: Traces = Traces { descriptors: 9, files: 1, mappings: 4 };

    fn failing(caller: Caller, worker: Witness) -> Vec<&'static str> {
        of_call(&caller, &worker).into_iter().filter(|check| !check.held).map(|check| check.topic).collect()
    }

    #[test]
    fn an_honest_call_passes() {
        assert_eq!(failing(CALLER, WORKER), [""; 0]);
        assert!(of_remains(&Remains::default(), &DURING).iter().all(|check| check.held));
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
        let traces = Traces::default();
        for left in [
            Remains::new(&[Unreturned { slots: 1, workers: 0 }], traces),
            Remains::new(&[Unreturned::default(), Unreturned { slots: 0, workers: 1 }], traces),
            Remains::new(&[], Traces { descriptors: 1, ..traces }),
            Remains::new(&[], Traces { files: 1, ..traces }),
            Remains::new(&[], Traces { mappings: 1, ..traces }),
        ] {
            assert!(of_remains(&left, &DURING).iter().any(|check| !check.held), "{left:?}");
        }
        let blind = of_remains(&Remains::default(), &Traces { files: 0, ..DURING });
        assert!(blind.iter().any(|check| !check.held), "a count that never sees anything proves nothing");
    }

    #[test]
    fn one_bad_call_among_several_shows() {
        let good = of_call(&CALLER, &WORKER);
        let bad = of_call(&CALLER, &Witness { copied: 7, ..WORKER });
        assert_eq!(of_calls(&[good.clone(), good.clone()]), good);
        assert_eq!(of_calls(&[good.clone(), bad.clone()]), bad);
        assert_eq!(of_calls(&[]), []);
    }
}
