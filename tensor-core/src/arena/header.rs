//! The first page of CONTROL: what the arena is, written once by the host before anybody attaches.

use bytemuck::{Pod, Zeroable};

use super::layout::{ABI, Layout, PARTICIPANTS, Plan};
use crate::error::Error;
use crate::memory::{precise_monotonic_ns, user_id};

const MAGIC: [u8; 8] = *b"TBARENA\n";

/// Reads back as another number on a machine of another byte order.
const BYTE_ORDER: u32 = 0x0102_0304;

/// Bit of [`Header::flags`]: workers write into requests, so a request taken may not be repeated.
pub(crate) const MUTATES_REQUEST: u32 = 1;

/// Bit of [`Header::flags`]: loans go round the ring of slots, so that concurrent requests lie side by side.
pub(crate) const RING_ORDER: u32 = 2;

/// Bit of [`Header::flags`]: memory comes into being when it is touched.
pub(crate) const SPARSE: u32 = 4;

/// What never changes in an arena.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Header {
    pub(crate) magic: [u8; 8],
    pub(crate) abi: u32,
    pub(crate) byte_order: u32,
    /// 1 for a one-way channel, 2 for a service.
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) slots: u32,
    pub(crate) participants: u32,
    pub(crate) control_size: u64,
    pub(crate) data_size: u64,
    /// Random for each arena, so that a new host of the same name is told from the old one.
    pub(crate) epoch: [u8; 16],
    pub(crate) request_fingerprint: [u8; 16],
    pub(crate) reply_fingerprint: [u8; 16],
    pub(crate) request_schema: u64,
    pub(crate) request_schema_len: u64,
    pub(crate) reply_schema: u64,
    pub(crate) reply_schema_len: u64,
    pub(crate) host_pid: u32,
    pub(crate) host_uid: u32,
    /// When it was made, in nanoseconds of the machine's monotonic clock: that of the day is set now and then.
    pub(crate) created: u64,
    /// The name of the meeting point, padded with zeros.
    pub(crate) name: [u8; 64],
    /// How many slots each client of a service may hold at once; 0 for as many as there are.
    pub(crate) slots_per_client: u32,
    pub(crate) reserved: u32,
}

impl Header {
    pub(crate) fn new(name: &str, plan: &Plan, layout: &Layout, flags: u32, epoch: [u8; 16]) -> Header {
        let mut padded = [0; 64];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        Header {
            magic: MAGIC,
            abi: ABI,
            byte_order: BYTE_ORDER,
            kind: if plan.reply.is_some() { 2 } else { 1 },
            flags,
            slots: layout.slots as u32,
            participants: PARTICIPANTS as u32,
            control_size: layout.control_size as u64,
            data_size: layout.data_size as u64,
            epoch,
            request_fingerprint: plan.request.fingerprint().to_bytes(),
            reply_fingerprint: plan.reply.as_ref().map_or([0; 16], |reply| reply.fingerprint().to_bytes()),
            request_schema: layout.request_schema as u64,
            request_schema_len: layout.request_schema_len as u64,
            reply_schema: layout.reply_schema as u64,
            reply_schema_len: layout.reply_schema_len as u64,
            host_pid: std::process::id(),
            host_uid: user_id(),
            created: precise_monotonic_ns(),
            name: padded,
            slots_per_client: 0,
            reserved: 0,
        }
    }

    /// Whether this is an arena that this build can use, before anything in it is believed.
    ///
    /// # Errors
    /// [`Error::BadSegment`], [`Error::AbiMismatch`].
    pub(crate) fn check_kind(&self) -> Result<(), Error> {
        let bad = |reason: &str| Err(Error::BadSegment { reason: reason.to_owned() });
        if self.magic != MAGIC {
            return bad("it does not begin with an arena's header");
        }
        if self.byte_order != BYTE_ORDER {
            return bad("it was made on a machine of another byte order");
        }
        if self.abi != ABI {
            return Err(Error::AbiMismatch { ours: ABI, theirs: self.abi });
        }
        if !matches!(self.kind, 1 | 2) {
            return bad(&format!("its kind is {}, expected 1 or 2", self.kind));
        }
        if !super::layout::SLOTS.contains(&(self.slots as usize)) {
            return bad(&format!("it has {} slots", self.slots));
        }
        Ok(())
    }

    /// The epoch as hexadecimal digits.
    pub(crate) fn epoch_text(&self) -> String {
        self.epoch.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The name of the meeting point.
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.name).trim_end_matches('\0').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{DType, Field, Schema, Shape};

    fn sample() -> Header {
        let request =
            Schema::new("a", 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap();
        let plan = Plan { slots: 4, request, reply: None };
        Header::new("a.b", &plan, &Layout::of(&plan).unwrap(), 0, [7; 16])
    }

    /// The offsets are the wire format: they must never change within one ABI number.
    #[test]
    fn golden_offsets() {
        assert_eq!(size_of::<Header>(), 216);
        assert_eq!(std::mem::offset_of!(Header, slots), 24);
        assert_eq!(std::mem::offset_of!(Header, epoch), 48);
        assert_eq!(std::mem::offset_of!(Header, request_schema), 96);
        assert_eq!(std::mem::offset_of!(Header, name), 144);
        assert_eq!(std::mem::offset_of!(Header, slots_per_client), 208);
    }

    #[test]
    fn foreign_headers_are_refused_by_what_is_wrong() {
        sample().check_kind().unwrap();
        assert_eq!(sample().name(), "a.b");
        let with = |change: fn(&mut Header)| {
            let mut header = sample();
            change(&mut header);
            header.check_kind().unwrap_err()
        };
        assert!(matches!(with(|h| h.abi = 9), Error::AbiMismatch { ours: ABI, theirs: 9 }));
        assert!(with(|h| h.magic[0] = 0).to_string().contains("header"));
        assert!(with(|h| h.byte_order = 0x0403_0201).to_string().contains("byte order"));
        assert!(with(|h| h.slots = 1).to_string().contains("1 slots"));
        assert!(with(|h| h.kind = 3).to_string().contains("kind"));
    }
}
