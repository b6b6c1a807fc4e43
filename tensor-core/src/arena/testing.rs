//! What the tests of this module share.

use std::sync::Arc;

use super::word::ParticipantId;
use super::{Arena, MAX_ATTEMPTS, Plan};
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
    super::fuzz::attached(plan, flags, max_attempts)
}

impl Arena {
    /// What the end of a process does to its own table of claims; here the process goes on.
    pub(super) fn forget_claim(&self, slot: usize) {
        self.claimed[slot].store(0, Ordering::Release);
    }
}
