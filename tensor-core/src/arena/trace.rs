//! The trace context in a slot.

use super::claim::Claim;
use super::control::RECEIVER_DIED;
use crate::sync::Ordering;
use crate::trace::TraceContext;

impl Claim {
    /// The trace that the slot's record belongs to.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        let words = &self.arena().control().block(self.slot()).trace;
        TraceContext::from_words(words.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }

    /// Says which trace the record of a loaned slot belongs to. Every loan begins without one.
    pub(crate) fn set_trace(&self, trace: Option<TraceContext>) {
        let words = trace.map_or([0; 4], TraceContext::to_words);
        for (word, value) in self.arena().control().block(self.slot()).trace.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Which attempt at the request this is, takes in a run with others being counted once, and whether a worker died with
    /// it.
    pub(crate) fn attempt(&self) -> (u32, bool) {
        let block = self.arena().control().block(self.slot());
        (block.attempts.load(Ordering::Relaxed).saturating_add(1), block.has(RECEIVER_DIED))
    }
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::testing::{RECEIVER, three};
    use super::*;
    use crate::wait::Look;

    #[test]
    fn a_request_that_is_handed_to_another_worker_keeps_its_trace_and_the_next_one_has_none() {
        let [host, client, worker] = three(true, 0);
        let trace = TraceContext::new(7, 8, true);
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        assert_eq!(call.trace(), None);
        call.set_trace(trace);
        call.publish(1, |_| None, true, 0, None).unwrap();
        for attempt in [(1, false), (2, true)] {
            let taken = worker.try_take(Look::Words).unwrap().unwrap();
            assert_eq!((taken.trace(), taken.attempt()), (trace, attempt));
            // The process goes on, so its own table has to forget what died with it.
            std::mem::forget(taken);
            worker.forget_claim(call.slot());
            host.enter(RECEIVER, std::process::id(), 2);
            host.recover(RECEIVER);
        }
        let slot = call.slot();
        drop(call);
        let again = client.try_loan(Look::Words).unwrap().unwrap();
        assert_eq!((again.slot(), again.trace()), (slot, None));
    }

    #[test]
    fn words_that_are_no_context_are_none() {
        let [_host, client, _] = three(true, 0);
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        client.control().block(call.slot()).trace[3].store(u64::MAX, Ordering::Relaxed);
        assert_eq!(call.trace(), None);
    }
}
