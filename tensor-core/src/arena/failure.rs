//! How a worker's failure reaches its caller: type, message and traceback in the slot's failure space.

use super::Arena;
use super::layout::FAILURE_SIZE;
use crate::error::RemoteError;

/// Bytes of the three lengths in front of a failure's texts.
const FAILURE_HEAD: usize = 12;

impl Arena {
    fn failure_space(&self, slot: usize) -> *mut u8 {
        assert!(slot < self.slots() && self.reply.is_some());
        let offset = self.control.layout().failures + slot * FAILURE_SIZE;
        self.data.base().as_ptr().wrapping_add(offset)
    }

    /// Writes type, message and traceback, as much of them as fits: the end of the traceback rather than its beginning.
    pub(super) fn write_failure(&self, slot: usize, failure: &RemoteError) {
        let room = FAILURE_SIZE - FAILURE_HEAD;
        let cut = |text: &str, room: usize| text[..text.floor_char_boundary(room)].to_owned();
        let type_name = cut(&failure.type_name, 200);
        let message = cut(&failure.message, room / 2);
        let left = room - type_name.len() - message.len();
        let skip = failure.traceback.len().saturating_sub(left);
        let traceback = &failure.traceback[failure.traceback.ceil_char_boundary(skip)..];
        let mut bytes = Vec::with_capacity(FAILURE_SIZE);
        for text in [type_name.as_str(), message.as_str(), traceback] {
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        }
        for text in [type_name.as_str(), message.as_str(), traceback] {
            bytes.extend_from_slice(text.as_bytes());
        }
        self.write_failure_bytes(slot, &bytes);
    }

    /// Writes as many of the bytes as there is room for.
    pub(super) fn write_failure_bytes(&self, slot: usize, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(FAILURE_SIZE)];
        // SAFETY: the space of this slot is FAILURE_SIZE bytes inside DATA by the layout, the bytes fit it, and the worker
        // that holds the slot is the only one that writes it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.failure_space(slot), bytes.len()) };
    }

    pub(super) fn read_failure(&self, slot: usize) -> RemoteError {
        let mut bytes = [0; FAILURE_SIZE];
        // SAFETY: the space of this slot is FAILURE_SIZE bytes inside DATA by the layout; a peer that writes meanwhile
        // changes which bytes are copied, not where.
        unsafe { std::ptr::copy_nonoverlapping(self.failure_space(slot), bytes.as_mut_ptr(), FAILURE_SIZE) };
        let (head, mut texts) = bytes.split_at(FAILURE_HEAD);
        let mut text = |index: usize| {
            let length = u32::from_le_bytes([
                head[4 * index],
                head[4 * index + 1],
                head[4 * index + 2],
                head[4 * index + 3],
            ]);
            let (text, rest) = texts.split_at((length as usize).min(texts.len()));
            texts = rest;
            String::from_utf8_lossy(text).into_owned()
        };
        RemoteError { type_name: text(0), message: text(1), traceback: text(2) }
    }
}
