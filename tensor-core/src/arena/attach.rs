//! Mapping an arena that another process made, after checking everything that can be checked.

use std::os::fd::OwnedFd;

use super::control::Control;
use super::header::{Header, SPARSE};
use super::layout::{Layout, Plan};
use super::mapped::{Arena, Expected, HOST};
use super::word::{MAX_PARTICIPANT, ParticipantId};
use crate::error::{Error, SchemaMismatch};
use crate::memory::{Process, Segment, SegmentOptions};
use crate::schema::Schema;

impl Arena {
    /// Maps an arena that a host handed over, after checking everything that can be checked. With `populate` the records
    /// are mapped so that touching them is fast from the first time on.
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
        populate: bool,
    ) -> Result<Arena, Error> {
        let bad = |reason: String| Error::BadSegment { reason };
        if !(HOST + 1..=MAX_PARTICIPANT).contains(&me) {
            return Err(bad(format!("its host gives out the participant number {me}")));
        }
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
            slots_per_client: header.slots_per_client,
            ..Header::new("", &plan, &layout, header.flags, header.epoch)
        };
        if recomputed != header {
            return Err(bad("its header does not describe its contents".into()));
        }
        if control.len() != layout.control_size {
            let (found, expected) = (control.len(), layout.control_size);
            return Err(bad(format!("CONTROL has {found} bytes instead of {expected}")));
        }
        if populate {
            control.populate()?;
        }
        let options = SegmentOptions { sparse: header.flags & SPARSE != 0 || !populate };
        let data = Segment::open(data, Some(layout.data_size), options)?;
        Arena::assemble(Control::new(control, layout), data, header, plan, me, Some(Process::new(host)))
    }
}

fn check_expected(name: &str, plan: &Plan, expected: &Expected) -> Result<(), Error> {
    let what = if plan.reply.is_some() { "request" } else { "record" };
    compare(name, what, expected.request.as_ref(), &plan.request)?;
    match &plan.reply {
        Some(theirs) => compare(name, "reply", expected.reply.as_ref(), theirs),
        None => Ok(()),
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::Arc;

    use super::*;
    use crate::arena::fuzz::{control_of, sealed};
    use crate::arena::layout::HEADER_SIZE;
    use crate::arena::shared::Shared;
    use crate::schema::{DType, Dim, Extent, Field, Shape};
    use crate::wait::Look;
    use proptest::prelude::*;

    fn schema(name: &'static str) -> Schema {
        let ids = Field::new("ids", DType::I64, Shape::new(&[Extent::Dim(0)]));
        Schema::new(name, 0, "", vec![Dim::new("seq", 1, 8)], vec![ids]).unwrap()
    }

    fn host() -> Arena {
        let plan = Plan { slots: 20, request: schema("attach.request"), reply: Some(schema("attach.reply")) };
        Arena::create("attach", plan, 0, 0, &mut || Ok(())).unwrap()
    }

    fn attach(control: OwnedFd, data: OwnedFd) -> Result<Arena, Error> {
        attach_as(2, control, data)
    }

    fn attach_as(me: ParticipantId, control: OwnedFd, data: OwnedFd) -> Result<Arena, Error> {
        let host = Process::this().unwrap().as_fd().try_clone_to_owned().unwrap();
        Arena::attach(control, data, host, me, &Expected::default(), true)
    }

    fn data_of(host: &Arena) -> OwnedFd {
        host.fds()[1].try_clone_to_owned().unwrap()
    }

    #[test]
    fn what_a_host_made_can_be_attached() {
        let host = host();
        let control = host.fds()[0].try_clone_to_owned().unwrap();
        let arena = attach(control, data_of(&host)).unwrap();
        assert_eq!((arena.name(), arena.slots(), arena.free_slots()), ("attach", 20, 20));
        assert_eq!(*arena.request().schema, schema("attach.request"));
        assert_eq!(*arena.reply().unwrap().schema, schema("attach.reply"));
    }

    #[test]
    fn another_abi_another_size_and_no_arena_are_told_apart() {
        let host = host();
        let bytes = control_of(&host);
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            attach(sealed(&bytes), data_of(&host)).map(drop).unwrap_err()
        };
        let abi = with(&|bytes| bytes[8] = 200);
        assert!(matches!(abi, Error::AbiMismatch { theirs: 200, .. }), "{abi}");
        for (error, part) in [
            (with(&|bytes| bytes.truncate(100)), "smaller than a header"),
            (with(&|bytes| bytes[0] = b'X'), "does not begin with an arena's header"),
            (with(&|bytes| bytes.truncate(HEADER_SIZE)), "schema lies outside"),
            (with(&|bytes| bytes.extend([0; 4096])), "bytes instead of"),
            (with(&|bytes| bytes[1024 + 4 * 128] = 0), "has not finished"),
            (with(&|bytes| bytes[24] = 19), "does not describe its contents"),
        ] {
            assert!(matches!(error, Error::BadSegment { .. }) && error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn data_of_another_size_is_refused() {
        let host = host();
        let error = attach(sealed(&control_of(&host)), sealed(&[0; 4096])).map(drop).unwrap_err();
        assert!(matches!(&error, Error::BadSegment { reason } if reason.contains("4096 bytes")), "{error}");
    }

    #[test]
    fn a_participant_number_that_fits_no_word_is_refused() {
        let host = host();
        for me in [0, HOST, MAX_PARTICIPANT + 1, u16::MAX] {
            let control = host.fds()[0].try_clone_to_owned().unwrap();
            let error = attach_as(me, control, data_of(&host)).map(drop).unwrap_err();
            assert!(matches!(&error, Error::BadSegment { reason } if reason.contains("number")), "{error}");
        }
    }

    #[test]
    fn hints_at_slots_that_are_not_there_lead_nowhere() {
        let host = Arc::new(host());
        let control = host.control();
        let (free, ready) = (control.free_hints(), control.ready_hints());
        // 20 slots have a word of 64 hints.
        (20..64).for_each(|slot| free.set(slot));
        (20..64).for_each(|slot| ready.set(slot));
        let claims: Vec<_> = std::iter::from_fn(|| host.try_loan(Look::Hints).unwrap()).collect();
        assert_eq!(claims.len(), 20);
        assert!(host.try_take(Look::Hints).unwrap().is_none());
    }

    proptest! {
        /// Whatever a hostile host writes into one byte of header and schemas: refused, or the same arena.
        #[test]
        fn a_hostile_byte_is_refused_or_harmless(at in 0usize..2048, value: u8) {
            let host = host();
            let mut bytes = control_of(&host);
            let schemas = host.control.layout().request_schema;
            let at = if at < 1024 { at } else { (schemas + at - 1024) % bytes.len() };
            bytes[at] = value;
            if let Ok(arena) = attach(sealed(&bytes), data_of(&host)) {
                prop_assert_eq!(arena.control.layout(), host.control.layout());
            }
        }
    }
}
