//! The ticket of a record: when it was sent, and by whom.
//!
//! ```text
//! bits 0..10    the participant that sent it
//! bits 10..14   0, or n + 1 when the record is timed and stands for 2^n records
//! bits 14..64   a number, larger for whatever is sent later
//! ```
//!
//! Tickets order records, nothing more: a ticket that no honest peer writes changes the order.

use super::word::{ID_BITS, ParticipantId};

/// Bits that say whether a record is timed.
const TIMED_BITS: u32 = 4;

const TIMED_MASK: u64 = (1 << TIMED_BITS) - 1;

/// What a slot's ticket word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u64);

impl Ticket {
    /// What the counter of tickets is increased by.
    pub(crate) const STEP: u64 = 1 << (ID_BITS + TIMED_BITS);

    /// The ticket of a record that `sender` sends when the counter says `counter`. A record that is timed stands for
    /// `2^timed` records.
    #[inline]
    pub(crate) const fn new(counter: u64, sender: ParticipantId, timed: Option<u32>) -> Ticket {
        let timed = match timed {
            Some(shift) => (shift as u64 + 1) & TIMED_MASK,
            None => 0,
        };
        Ticket(counter & !(Ticket::STEP - 1) | timed << ID_BITS | sender as u64)
    }

    /// Whose records it is in order with.
    #[inline]
    pub(crate) const fn sender(self) -> u64 {
        self.0 & ((1 << ID_BITS) - 1)
    }

    /// How many tickets were drawn when the counter says `counter`.
    pub(crate) const fn drawn(counter: u64) -> u64 {
        counter / Ticket::STEP
    }

    /// How many records it stands for, if it is timed.
    #[inline]
    pub(crate) const fn stands_for(self) -> Option<u64> {
        match self.0 >> ID_BITS & TIMED_MASK {
            0 => None,
            timed => Some(1 << (timed - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_ticket_is_larger_whoever_sends() {
        let first = Ticket::new(0, 1023, Some(6));
        let second = Ticket::new(Ticket::STEP, 1, None);
        assert!(second.0 > first.0);
        assert_eq!((first.sender(), second.sender()), (1023, 1));
        assert_eq!((first.stands_for(), second.stands_for()), (Some(64), None));
        assert_eq!(Ticket::drawn(Ticket::STEP * 3), 3);
    }
}
