//! What the tests of this module share.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::word::ParticipantId;
use super::{Arena, Expected, MAX_ATTEMPTS, Plan};
use crate::memory::Process;
use crate::schema::{DType, Field, Schema, Shape};
use crate::sync::Ordering;

pub(super) const SENDER: ParticipantId = 2;
pub(super) const RECEIVER: ParticipantId = 3;

fn schema(name: &'static str) -> Schema {
    Schema::new(name, 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap()
}

/// A host, a sender and a receiver, as three processes see the arena. It has more slots than can do without hints.
pub(super) fn three(reply: bool, flags: u32) -> [Arc<Arena>; 3] {
    three_with(reply, flags, MAX_ATTEMPTS)
}

/// As [`three`], with a bound on how many receivers may die with a request.
pub(super) fn three_with(reply: bool, flags: u32, max_attempts: u32) -> [Arc<Arena>; 3] {
    let reply = reply.then(|| schema("recovery.reply"));
    let plan = Plan { slots: 20, request: schema("recovery.request"), reply };
    let host = Arena::create("recovery", plan, flags).unwrap().with_max_attempts(max_attempts);
    let attach = |me| {
        host.enter(me, std::process::id(), 1);
        let [control, data] = host.fds().map(|fd| fd.try_clone_to_owned().unwrap());
        let pidfd = Process::this().unwrap().as_fd().try_clone_to_owned().unwrap();
        Arc::new(Arena::attach(control, data, pidfd, me, &Expected::default(), true).unwrap())
    };
    let (sender, receiver) = (attach(SENDER), attach(RECEIVER));
    [Arc::new(host), sender, receiver]
}

impl Arena {
    /// What the end of a process does to its own table of claims; here the process goes on.
    pub(super) fn forget_claim(&self, slot: usize) {
        self.claimed[slot].store(0, Ordering::Release);
    }
}
