//! Who holds the slots of an arena.

use std::time::Duration;

use super::Arena;
use super::shared::Shared;
use super::word::{ParticipantId, Phase, Word};
use crate::error::Holder;
use crate::memory::monotonic_ns;
use crate::schema::Schema;
use crate::sync::Ordering;

impl Arena {
    /// Everybody who holds slots, most slots first. A picture of a moment: holds change while it is taken.
    pub(crate) fn holders(&self) -> Vec<Holder> {
        self.holders_among(|_| true)
    }

    /// What this participant holds.
    pub(crate) fn held_here(&self) -> Vec<Holder> {
        self.holders_among(|id| id == self.me)
    }

    fn holders_among(&self, wanted: impl Fn(ParticipantId) -> bool) -> Vec<Holder> {
        let now = monotonic_ns();
        let mut holders: Vec<Holder> = Vec::new();
        for slot in 0..self.control().slots() {
            let word = Word(self.control().word(slot).load(Ordering::Acquire));
            let block = self.control().block(slot);
            let age = Duration::from_nanos(now.saturating_sub(block.since.load(Ordering::Relaxed)));
            let sender_fields = block.sender_fields.load(Ordering::Relaxed);
            let receiver_fields = block.receiver_fields.load(Ordering::Relaxed);
            let mut note = |id: ParticipantId, how: &'static str, fields: u64| {
                if !wanted(id) {
                    return;
                }
                // Of others it is known what they said when they sent or answered.
                let here = id == self.me;
                let fields = if here { self.aliased[slot].load(Ordering::Relaxed) } else { fields };
                let (pid, fields) = (self.pid_of(id), self.field_names(fields));
                match holders.iter_mut().find(|holder| holder.pid == pid && holder.how == how) {
                    Some(holder) => {
                        holder.slots += 1;
                        holder.oldest = holder.oldest.max(age);
                        holder.fields.extend(fields);
                    }
                    None => holders.push(Holder { pid, how, slots: 1, oldest: age, fields }),
                }
            };
            match word.phase() {
                Some(Phase::Loaned) => note(word.sender(), "loaned", 0),
                Some(Phase::Ready) => note(word.sender(), "waiting to be received", sender_fields),
                Some(Phase::Taken) => {
                    note(word.receiver(), "received", 0);
                    if word.sender() != 0 && sender_fields != 0 {
                        note(word.sender(), "an alias of a sent record", sender_fields);
                    }
                }
                Some(Phase::Done) => {
                    if word.sender() != 0 {
                        note(word.sender(), "a reply or an alias of a sent record", sender_fields);
                    }
                    if word.receiver() != 0 {
                        note(word.receiver(), "an alias of a received record", receiver_fields);
                    }
                }
                Some(Phase::Free) | None => {}
            }
        }
        for holder in &mut holders {
            holder.fields.sort();
            holder.fields.dedup();
        }
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.slots));
        holders
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
        let names =
            |schema: &Schema| schema.fields().iter().map(|field| field.name().to_owned()).collect::<Vec<_>>();
        let mut all = names(&self.request().schema);
        all.extend(self.reply().map(|part| names(&part.schema)).unwrap_or_default());
        all.into_iter()
            .enumerate()
            .filter(|(bit, _)| *bit < 64 && mask >> bit & 1 == 1)
            .map(|(_, name)| name)
            .collect()
    }
}
