//! Mapping an arena that another process made, after checking everything that can be checked.

use std::os::fd::OwnedFd;

use super::control::Control;
use super::header::{Header, SPARSE};
use super::layout::{Layout, Plan};
use super::mapped::{Arena, Expected};
use super::word::ParticipantId;
use crate::error::{Error, SchemaMismatch};
use crate::memory::{Process, Segment, SegmentOptions};
use crate::schema::Schema;

impl Arena {
    /// Maps an arena that a host handed over, after checking everything that can be checked.
    ///
    /// # Errors
    /// [`Error::BadSegment`], [`Error::AbiMismatch`], [`Error::SchemaForm`], [`Error::SchemaMismatch`],
    /// [`Error::OutOfMemory`].
    pub(crate) fn attach(
        control: OwnedFd,
        data: OwnedFd,
        host: OwnedFd,
        me: ParticipantId,
        expected: &Expected,
    ) -> Result<Arena, Error> {
        let bad = |reason: String| Error::BadSegment { reason };
        let control = Segment::open(control, None, SegmentOptions::default())?;
        let header =
            Control::read_header(&control).ok_or_else(|| bad("it is smaller than a header".into()))?;
        header.check_kind()?;
        if !Control::is_ready(&control) {
            return Err(bad("its host has not finished it".into()));
        }
        let schema = |offset, len| {
            let bytes = Control::read_bytes(&control, offset, len)
                .ok_or_else(|| bad("its schema lies outside it".into()))?;
            Ok::<Schema, Error>(Schema::decode(&bytes)?)
        };
        let request = schema(header.request_schema, header.request_schema_len)?;
        let reply = match header.kind {
            2 => Some(schema(header.reply_schema, header.reply_schema_len)?),
            _ => None,
        };
        let plan = Plan { slots: header.slots as usize, request, reply };
        check_expected(&header.name(), &plan, expected)?;
        let layout = Layout::of(&plan)?;
        // The host's numbers are not used, but numbers that differ mean another layout, so nothing would be where it is
        // looked for.
        let recomputed = Header {
            host_pid: header.host_pid,
            host_uid: header.host_uid,
            created: header.created,
            name: header.name,
            ..Header::new("", &plan, &layout, header.flags, header.epoch)
        };
        if recomputed != header {
            return Err(bad("its header does not describe its contents".into()));
        }
        if control.len() != layout.control_size {
            let (found, expected) = (control.len(), layout.control_size);
            return Err(bad(format!("CONTROL has {found} bytes instead of {expected}")));
        }
        let options = SegmentOptions { sparse: header.flags & SPARSE != 0 };
        let data = Segment::open(data, Some(layout.data_size), options)?;
        Arena::assemble(Control::new(control, layout), data, header, plan, me, Some(Process::new(host)))
    }
}

fn check_expected(name: &str, plan: &Plan, expected: &Expected) -> Result<(), Error> {
    let what = if plan.reply.is_some() { "request" } else { "record" };
    compare(name, what, expected.request.as_ref(), &plan.request)?;
    match (&expected.reply, &plan.reply) {
        (Some(ours), Some(theirs)) => compare(name, "reply", Some(ours), theirs),
        (None, _) => Ok(()),
        (Some(_), None) => Err(Error::Refused {
            name: name.to_owned(),
            reason: "it is a one-way channel, not a service: use a Sender or a Receiver".to_owned(),
        }),
    }
}

fn compare(arena: &str, what: &'static str, ours: Option<&Schema>, theirs: &Schema) -> Result<(), Error> {
    let Some(ours) = ours else { return Ok(()) };
    let Some(difference) = ours.difference(theirs) else { return Ok(()) };
    Err(Error::SchemaMismatch(Box::new(SchemaMismatch {
        arena: arena.to_owned(),
        what,
        ours: ours.to_string(),
        ours_fingerprint: ours.fingerprint().to_string(),
        theirs: theirs.to_string(),
        theirs_fingerprint: theirs.fingerprint().to_string(),
        difference,
    })))
}
