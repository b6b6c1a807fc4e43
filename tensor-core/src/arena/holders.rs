//! Who holds the slots of an arena.

use std::collections::HashMap;
use std::time::Duration;

use super::Arena;
use super::claim::Side;
use super::mapped::in_ms;
use super::shared::Shared;
use super::word::{ParticipantId, Phase, Word};
use crate::error::Holder;
use crate::memory::{command_of, monotonic_ns};
use crate::schema::Schema;
use crate::sync::Ordering;

/// A hold on one side of a slot, at the moment when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pin {
    /// The slot.
    pub slot: usize,
    /// `sender`, which includes callers, or `receiver`, which includes workers.
    pub side: &'static str,
    /// The process; `None` for a record that was sent one way and not received yet, which nobody holds.
    pub pid: Option<u32>,
    /// The command line of that process, shortened; empty where the system does not say.
    pub command: String,
    /// What it holds the slot as: `loaned`, `waiting to be received`, `received`, an alias.
    pub how: &'static str,
    /// For how long this side has been held.
    pub held: Duration,
    /// The fields that are aliased: at this moment where the process is this one, else when the record was handed over.
    pub fields: Vec<String>,
}

const ALIAS_OF_SENT: &str = "an alias of a sent record";

impl Arena {
    /// Every hold on a slot, in the order of the slots. A picture of a moment: holds change while it is taken.
    pub(crate) fn pins(&self) -> Vec<Pin> {
        self.pins_among(|_| true)
    }

    /// What this participant holds.
    pub(crate) fn pins_here(&self) -> Vec<Pin> {
        self.pins_among(|id| id == self.me)
    }

    fn pins_among(&self, wanted: impl Fn(ParticipantId) -> bool) -> Vec<Pin> {
        let mut pins = Vec::new();
        let mut commands: HashMap<u32, String> = HashMap::new();
        for slot in 0..self.control().slots() {
            self.pins_of(slot, &mut |id, side, how| {
                if !wanted(id) {
                    return;
                }
                let pid = (id != 0).then(|| self.pid_of(id));
                let command = pid.map(|pid| commands.entry(pid).or_insert_with(|| command_of(pid)).clone());
                pins.push(Pin {
                    slot,
                    side: match side {
                        Side::Sender => "sender",
                        Side::Receiver => "receiver",
                    },
                    pid,
                    command: command.unwrap_or_default(),
                    how,
                    held: self.held_since(slot, side),
                    fields: self.field_names(self.aliased_fields(slot, id, side)),
                });
            });
        }
        pins
    }

    /// Everybody who holds slots, most slots first.
    pub(crate) fn holders(&self) -> Vec<Holder> {
        let mut holders: Vec<Holder> = Vec::new();
        for Pin { pid, command, how, held, fields, .. } in self.pins() {
            match holders.iter_mut().find(|holder| holder.pid == pid && holder.how == how) {
                Some(holder) => {
                    holder.slots += 1;
                    holder.oldest = holder.oldest.max(held);
                    holder.fields.extend(fields);
                }
                None => holders.push(Holder { pid, command, how, slots: 1, oldest: held, fields }),
            }
        }
        for holder in &mut holders {
            holder.fields.sort();
            holder.fields.dedup();
        }
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.slots));
        holders
    }

    /// Calls `note` with each hold on this slot.
    fn pins_of(&self, slot: usize, note: &mut impl FnMut(ParticipantId, Side, &'static str)) {
        let word = Word(self.control().word(slot).load(Ordering::Acquire));
        let sent_aliases = self.control().block(slot).sender_fields.load(Ordering::Relaxed) != 0;
        match word.phase() {
            Some(Phase::Loaned) => note(word.sender(), Side::Sender, "loaned"),
            Some(Phase::Ready) => {
                note(word.sender(), Side::Sender, "waiting to be received");
            }
            Some(Phase::Taken) => {
                note(word.receiver(), Side::Receiver, "received");
                if word.sender() != 0 && sent_aliases {
                    note(word.sender(), Side::Sender, ALIAS_OF_SENT);
                }
            }
            Some(Phase::Done) => {
                if word.sender() != 0 {
                    let reply = self.reply().is_some();
                    let how = if reply { "a reply or an alias of its request" } else { ALIAS_OF_SENT };
                    note(word.sender(), Side::Sender, how);
                }
                if word.receiver() != 0 {
                    note(word.receiver(), Side::Receiver, "an alias of a received record");
                }
            }
            Some(Phase::Free) | None => {}
        }
    }

    fn held_since(&self, slot: usize, side: Side) -> Duration {
        let block = self.control().block(slot);
        let since = match side {
            Side::Sender => &block.sender_since,
            Side::Receiver => &block.receiver_since,
        };
        Duration::from_millis(in_ms(monotonic_ns()).wrapping_sub(since.load(Ordering::Relaxed)).into())
    }

    /// The fields that views lead to, one bit each. Of others it is known what they said when they sent or answered.
    fn aliased_fields(&self, slot: usize, id: ParticipantId, side: Side) -> u64 {
        if id == self.me {
            return self.aliased[slot].load(Ordering::Relaxed);
        }
        let word = Word(self.control().word(slot).load(Ordering::Acquire));
        let block = self.control().block(slot);
        match side {
            Side::Sender if word.is(Phase::Loaned) => 0,
            Side::Sender => block.sender_fields.load(Ordering::Relaxed),
            Side::Receiver if word.is(Phase::Taken) => 0,
            Side::Receiver => block.receiver_fields.load(Ordering::Relaxed),
        }
    }

    /// How many slots are free.
    pub(crate) fn free_slots(&self) -> usize {
        (0..self.control().slots())
            .filter(|&slot| Word(self.control().word(slot).load(Ordering::Acquire)).is(Phase::Free))
            .count()
    }

    fn pid_of(&self, id: ParticipantId) -> u32 {
        self.control().participant(id).map_or(0, |row| row.pid.load(Ordering::Relaxed))
    }

    /// The names of the fields in a mask: bits of the request's fields first, then of the reply's.
    fn field_names(&self, mask: u64) -> Vec<String> {
        if mask == 0 {
            return Vec::new();
        }
        let reply = self.reply().map(|part| &*part.schema);
        let schemas: [Option<&Schema>; 2] = [Some(&self.request().schema), reply];
        let fields = schemas.into_iter().flatten().flat_map(Schema::fields).take(64).enumerate();
        fields.filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, field)| field.name().to_owned()).collect()
    }
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::testing::three;
    use crate::wait::Look;

    #[test]
    fn a_record_sent_one_way_is_nobodys_until_it_is_received() {
        let [host, sender, receiver] = three(false, 0);
        sender.try_loan(Look::Words).unwrap().unwrap().publish(1, |_| None, false, 0, None).unwrap();
        let [pin] = &host.pins()[..] else { panic!("{:?}", host.pins()) };
        assert_eq!((pin.pid, pin.how, pin.side), (None, "waiting to be received", "sender"));
        assert_eq!(host.holders()[0].pid, None);
        let taken = receiver.try_take(Look::Words).unwrap().unwrap();
        let [pin] = &host.pins()[..] else { panic!("{:?}", host.pins()) };
        assert_eq!((pin.pid, pin.how, pin.slot), (Some(std::process::id()), "received", taken.slot()));
        assert!(!pin.command.is_empty());
        drop(taken);
        assert_eq!(host.pins(), []);
    }

    #[test]
    fn each_side_has_its_own_since() {
        let [host, client, worker] = three(true, 0);
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        call.publish(1, |_| None, true, 1, None).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(60));
        let taken = worker.try_take(Look::Words).unwrap().unwrap();
        let pins = host.pins();
        let held = |side: &str| pins.iter().find(|pin| pin.side == side).unwrap().held;
        assert!(held("sender") >= held("receiver") + std::time::Duration::from_millis(40), "{pins:?}");
        drop((call, taken));
    }
}
