//! Who is attached to an arena and what its slots are doing.

use super::Arena;
use super::mapped::HOST_ROLE;
use super::shared::Shared;
use super::word::{MAX_PARTICIPANT, ParticipantId, Word};
use crate::error::Error;
use crate::sync::Ordering;

/// A row of the participants' table that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) pid: u32,
    /// 1 sender or client, 2 receiver or server, 3 host, 4 observer.
    pub(crate) role: u32,
}

impl Arena {
    /// Everybody who has attached, the host first, but for this participant. A picture of a moment.
    pub(crate) fn attached(&self) -> Vec<Attached> {
        let row = |id: ParticipantId| {
            let row = self.control().participant(id)?;
            let state = row.state.load(Ordering::Acquire);
            let (pid, role) = (row.pid.load(Ordering::Relaxed), row.role.load(Ordering::Relaxed));
            // Those that the host let in and that have not mapped the arena yet may still turn back.
            (state == 2 || state == 1 && role == HOST_ROLE).then_some(Attached { pid, role })
        };
        (1..=MAX_PARTICIPANT).filter(|id| self.host.is_none() || *id != self.me).filter_map(row).collect()
    }

    /// How many slots are in each phase, in the order of [`Phase`](super::word::Phase); words that no honest peer writes are left out.
    pub(crate) fn phases(&self) -> [usize; 5] {
        let mut counts = [0; 5];
        for slot in 0..self.control().slots() {
            let word = Word(self.control().word(slot).load(Ordering::Acquire));
            if let Some(phase) = word.phase() {
                counts[phase as usize] += 1;
            }
        }
        counts
    }

    /// The inodes of CONTROL and DATA.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn inodes(&self) -> Result<[u64; 2], Error> {
        Ok([self.control.segment().inode()?, self.data.inode()?])
    }

    /// Bytes of shared memory: CONTROL and DATA.
    pub(crate) fn bytes(&self) -> usize {
        self.control.segment().len() + self.data.len()
    }
}
