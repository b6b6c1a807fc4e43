//! The ticket of a record: when it was sent, and by whom.
//!
//! ```text
//! bits 0..10    the participant that sent it
//! bits 10..64   a number, larger for whatever is sent later
//! ```
//!
//! Tickets order records, nothing more: a ticket that no honest peer writes changes the order.

use super::word::{ID_BITS, ParticipantId};

/// What a slot's ticket word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u64);

impl Ticket {
    /// What the counter of tickets is increased by.
    pub(crate) const STEP: u64 = 1 << ID_BITS;

    /// The ticket of a record that `sender` sends when the counter says `counter`.
    #[inline]
    pub(crate) const fn new(counter: u64, sender: ParticipantId) -> Ticket {
        Ticket(counter & !(Ticket::STEP - 1) | sender as u64)
    }

    /// Whose records it is in order with.
    #[inline]
    pub(crate) const fn sender(self) -> u64 {
        self.0 & (Ticket::STEP - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_ticket_is_larger_whoever_sends() {
        let first = Ticket::new(0, 1023);
        let second = Ticket::new(Ticket::STEP, 1);
        assert!(second.0 > first.0);
        assert_eq!((first.sender(), second.sender()), (1023, 1));
    }
}
