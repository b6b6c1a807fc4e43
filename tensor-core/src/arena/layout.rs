//! Where everything is in CONTROL and DATA, computed from the slots and the schemas alone.
//!
//! Whoever attaches computes it again and compares, so nothing in shared memory ever says where to look.

use super::hints::SMALL;
use crate::error::Error;
use crate::schema::{COLUMN_ALIGN, Column, Schema};
use crate::tally::{ROW_SIZE, ROWS};

/// Changes whenever the meaning of a byte in CONTROL or DATA, or of the handshake, changes
/// between releases; nothing is released yet.
pub(crate) const ABI: u32 = 1;

/// Bytes before the participants' table.
pub(crate) const HEADER_SIZE: usize = 4096;

/// Rows of the participants' table; row 0 stands for nobody.
pub(crate) const PARTICIPANTS: usize = super::word::MAX_PARTICIPANT as usize + 1;

/// Bytes of a row of the participants' table.
pub(crate) const PARTICIPANT_SIZE: usize = 64;

/// Two cache lines, which some processors fetch as a pair.
pub(crate) const LINE_PAIR: usize = 128;

/// Bytes of a slot's block before its dimensions: the hot line and the cold line.
pub(crate) const BLOCK_FIXED: usize = 128;

/// Bytes of the space in which a worker explains a failure, for each slot of a service.
pub(crate) const FAILURE_SIZE: usize = 4096;

/// The least and the most slots of an arena.
pub(crate) const SLOTS: std::ops::RangeInclusive<usize> = 2..=1 << 20;

/// What an arena carries, which decides its layout.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) slots: usize,
    pub(crate) request: Schema,
    /// `None` for a one-way channel.
    pub(crate) reply: Option<Schema>,
}

/// Byte offsets in CONTROL and DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) slots: usize,
    pub(crate) participants: usize,
    pub(crate) tallies: usize,
    pub(crate) free_hints: usize,
    pub(crate) ready_hints: usize,
    pub(crate) answered_hints: usize,
    pub(crate) hint_words: usize,
    pub(crate) blocks: usize,
    pub(crate) block_size: usize,
    pub(crate) request_schema: usize,
    pub(crate) request_schema_len: usize,
    pub(crate) reply_schema: usize,
    pub(crate) reply_schema_len: usize,
    pub(crate) control_size: usize,
    pub(crate) request_columns: Box<[Column]>,
    pub(crate) reply_columns: Box<[Column]>,
    pub(crate) failures: usize,
    pub(crate) data_size: usize,
}

impl Layout {
    pub(crate) fn of(plan: &Plan) -> Result<Layout, Error> {
        let Plan { slots, request, reply } = plan;
        let slots = *slots;
        let dims = request.dims().len() + reply.as_ref().map_or(0, |reply| reply.dims().len());
        let block_size = (BLOCK_FIXED + 8 * dims).next_multiple_of(LINE_PAIR);
        let hint_words = if slots <= SMALL { 0 } else { slots.div_ceil(64) };
        let hints_size = (8 * hint_words).next_multiple_of(LINE_PAIR);
        let tallies = HEADER_SIZE + PARTICIPANTS * PARTICIPANT_SIZE;
        let free_hints = tallies + ROWS * ROW_SIZE;
        let ready_hints = free_hints + hints_size;
        let answered_hints = ready_hints + hints_size;
        let blocks = answered_hints + hints_size;
        let request_schema = blocks + slots * block_size;
        let request_schema_len = request.encode().len();
        let reply_schema = (request_schema + request_schema_len).next_multiple_of(LINE_PAIR);
        let reply_schema_len = reply.as_ref().map_or(0, |reply| reply.encode().len());
        let control_size = (reply_schema + reply_schema_len).next_multiple_of(COLUMN_ALIGN);

        let (request_columns, end) = request.columns(slots, 0)?;
        let (reply_columns, failures) = match reply {
            Some(reply) => reply.columns(slots, end)?,
            None => (Vec::new(), end),
        };
        let data_size = if reply.is_some() { failures + slots * FAILURE_SIZE } else { failures };
        Ok(Layout {
            slots,
            participants: HEADER_SIZE,
            tallies,
            free_hints,
            ready_hints,
            answered_hints,
            hint_words,
            blocks,
            block_size,
            request_schema,
            request_schema_len,
            reply_schema,
            reply_schema_len,
            control_size,
            request_columns: request_columns.into(),
            reply_columns: reply_columns.into(),
            failures,
            data_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{DType, Dim, Extent, Field, Shape};

    #[test]
    fn nothing_overlaps_and_everything_is_aligned() {
        let request = Schema::new(
            "a",
            0,
            "",
            vec![Dim::new("n", 0, 7)],
            vec![Field::new("x", DType::F32, Shape::new(&[Extent::Dim(0)]))],
        );
        let reply = Schema::new("b", 0, "", vec![], vec![Field::new("y", DType::U8, Shape::SCALAR)]);
        let plan = Plan { slots: 130, request: request.unwrap(), reply: Some(reply.unwrap()) };
        let layout = Layout::of(&plan).unwrap();
        assert_eq!(layout.hint_words, 3);
        assert_eq!(layout.block_size, 256);
        assert_eq!(layout.tallies, 4096 + 1024 * 64);
        assert_eq!(layout.free_hints, layout.tallies + ROWS * ROW_SIZE);
        assert_eq!(layout.free_hints % LINE_PAIR, 0);
        assert!(layout.ready_hints >= layout.free_hints + 24);
        assert!(layout.answered_hints >= layout.ready_hints + 24);
        assert!(layout.blocks >= layout.answered_hints + 24);
        assert_eq!(layout.blocks % LINE_PAIR, 0);
        assert!(layout.request_schema >= layout.blocks + 130 * 256);
        assert!(layout.control_size >= layout.reply_schema + layout.reply_schema_len);
        assert_eq!(layout.reply_columns[0].offset % COLUMN_ALIGN, 0);
        assert!(layout.reply_columns[0].offset >= layout.request_columns[0].offset + 130 * 28);
        assert_eq!(layout.data_size, layout.failures + 130 * FAILURE_SIZE);
    }
}
