//! What the tests of this module share.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::word::ParticipantId;
use super::{Arena, Expected, Plan};
use crate::memory::Process;
use crate::schema::{DType, Field, Schema, Shape};

pub(super) const SENDER: ParticipantId = 2;
pub(super) const RECEIVER: ParticipantId = 3;

fn schema(name: &'static str) -> Schema {
    Schema::new(name, 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap()
}

/// A host, a sender and a receiver, as three processes see the arena. It has more slots than can do without hints.
pub(super) fn three(reply: bool, flags: u32) -> [Arc<Arena>; 3] {
    let reply = reply.then(|| schema("recovery.reply"));
    let plan = Plan { slots: 20, request: schema("recovery.request"), reply };
    let host = Arena::create("recovery", plan, flags).unwrap();
    let attach = |me| {
        host.enter(me, std::process::id(), 1);
        let [control, data] = host.fds().map(|fd| fd.try_clone_to_owned().unwrap());
        let pidfd = Process::this().unwrap().as_fd().try_clone_to_owned().unwrap();
        Arc::new(Arena::attach(control, data, pidfd, me, &Expected::default(), true).unwrap())
    };
    let (sender, receiver) = (attach(SENDER), attach(RECEIVER));
    [Arc::new(host), sender, receiver]
}
