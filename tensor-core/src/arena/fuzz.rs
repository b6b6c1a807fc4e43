//! What a fuzzer does to an arena.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

use super::control::Control;
use super::header::Header;
use super::mapped::{Expected, Half};
use super::shared::Shared;
use super::word::{MAX_PARTICIPANT, Word};
use super::{Arena, Plan};
use crate::error::Error;
use crate::memory::Process;
use crate::sync::Ordering;

/// Bytes of a header.
const HEADER: usize = size_of::<Header>();

/// A slot's word under every transition: refused, or a word that makes sense. The bytes are the word and a participant.
#[must_use]
pub fn slot_word(bytes: &[u8]) -> bool {
    let Some((word, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let word = Word(u64::from_le_bytes(*word));
    let number = rest.first_chunk::<2>().map_or(1, |bytes| u16::from_le_bytes(*bytes));
    let me = number % MAX_PARTICIPANT + 1;
    let results = [
        word.loan(me),
        word.send(me, false),
        word.send(me, true),
        word.take(me),
        word.mark_not_repeatable(me),
        word.finish(me, false),
        word.finish(me, true),
        word.release_receiver(me),
        word.leave(me),
        word.release_sender(me, false),
        word.release_sender(me, true),
        word.redeliver(me),
    ];
    for next in results.into_iter().flatten() {
        assert!(next.phase().is_some(), "{word:?} became {next:?}");
        let freed = next.phase() == Some(super::word::Phase::Free);
        assert!(next.generation() == word.generation() || freed, "{word:?} became {next:?}");
        assert!(!freed || (next.sender() == 0 && next.receiver() == 0), "{word:?} became {next:?}");
    }
    let _ = format!("{word:?}");
    word.phase().is_some()
}

/// Memory with this content that nobody can resize.
pub(super) fn sealed(bytes: &[u8]) -> OwnedFd {
    let fd = memfd_create("fuzz", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("a descriptor");
    ftruncate(&fd, bytes.len() as u64).expect("memory");
    rustix::io::pwrite(&fd, bytes, 0).expect("memory");
    fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL).expect("a memfd");
    fd
}

/// The bytes of a host's CONTROL.
pub(super) fn control_of(host: &Arena) -> Vec<u8> {
    let segment = host.control.segment();
    Control::read_bytes(segment, 0, segment.len() as u64).expect("all of it")
}

/// Attaches to a copy of the host's CONTROL in which `bytes` replace the header and then the schemas.
pub(crate) fn attach_with(host: &Arena, bytes: &[u8]) -> Result<Arena, Error> {
    let mut control = control_of(host);
    let (header, schemas) = bytes.split_at(bytes.len().min(HEADER));
    control[..header.len()].copy_from_slice(header);
    let place = &mut control[host.control.layout().request_schema..];
    let length = schemas.len().min(place.len());
    place[..length].copy_from_slice(&schemas[..length]);
    let data = host.fds()[1].try_clone_to_owned().expect("a descriptor");
    let life = Process::this()?.as_fd().try_clone_to_owned().expect("a descriptor");
    Arena::attach(sealed(&control), data, life, 2, &Expected::default(), false)
}

impl Arena {
    /// Whether everything is where it is in `other`.
    pub(crate) fn has_layout_of(&self, other: &Arena) -> bool {
        self.control.layout() == other.control.layout()
    }
}

/// A host and two participants, numbers 2 and 3, as three processes see the arena.
pub(crate) fn attached(plan: Plan, flags: u32, max_attempts: u32) -> [Arc<Arena>; 3] {
    let host = Arena::create("fuzz", plan, flags, 0, &mut || Ok(()))
        .expect("memory for an arena")
        .with_max_attempts(max_attempts);
    let attach = |me| {
        host.enter(me, std::process::id(), 1);
        let [control, data] = host.fds().map(|fd| fd.try_clone_to_owned().expect("a descriptor"));
        let life = Process::this().expect("a pidfd").as_fd().try_clone_to_owned().expect("a descriptor");
        Arc::new(Arena::attach(control, data, life, me, &Expected::default(), true).expect("an honest host"))
    };
    let (sender, receiver) = (attach(2), attach(3));
    [Arc::new(host), sender, receiver]
}

/// What a peer states of a record: presence, status, then lengths, a word each.
pub(crate) fn state(arena: &Arena, slot: usize, half: Half, bytes: &[u8]) {
    let mut words =
        bytes.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
    let mut next = || words.next().unwrap_or_default();
    let block = arena.control.block(slot);
    let (presence, status) = (next(), next());
    let first = match half {
        Half::Request => {
            block.request_presence.store(presence, Ordering::Relaxed);
            0
        }
        Half::Reply => {
            block.reply_presence.store(presence, Ordering::Relaxed);
            block.status.store(status as u32, Ordering::Relaxed);
            arena.part(Half::Request).schema.dims().len()
        }
    };
    for dim in 0..arena.part(half).schema.dims().len() {
        arena.control.dim(slot, first + dim).store(next(), Ordering::Relaxed);
    }
    // So that the next look at the words is at these.
    arena.control.word(slot).fetch_add(0, Ordering::AcqRel);
}

/// The bytes of a failure.
pub(crate) fn explain(arena: &Arena, slot: usize, bytes: &[u8]) {
    arena.write_failure_bytes(slot, bytes);
}

/// The header and schemas of this arena.
#[cfg(test)]
pub(crate) fn golden_header(host: &Arena) -> Vec<u8> {
    let control = control_of(host);
    let layout = host.control.layout();
    let end = layout.reply_schema + layout.reply_schema_len;
    [&control[..HEADER], &control[layout.request_schema..end]].concat()
}

/// A request taken by 1023, called with by 3.
#[cfg(test)]
pub(crate) fn golden_word() -> Vec<u8> {
    let word = 3u64 | 3 << 5 | 1023 << 15 | 7 << 25;
    [&word.to_le_bytes()[..], &3u16.to_le_bytes()].concat()
}
