//! Every parser of bytes that come from another process, as one function each from bytes to whether they were accepted.
//!
//! A fuzzer runs them (`fuzz/`), and so do the tests here: over the corpus that is kept beside the fuzzer, and over
//! mutations of it. None may panic, whatever the bytes are; what is accepted has to make sense.

use std::sync::{Arc, LazyLock, Mutex};

use crate::arena::{Arena, Half, Plan, Status};
use crate::channel::{Descriptor, is_whole};
use crate::error::Error;
use crate::schema::{DType, Dim, Extent, Field, Schema, Shape};
use crate::wait::Look;

pub use crate::arena::fuzz::slot_word;
pub use crate::peer::fuzz::handshake;

/// Takes bytes as they come from a peer; whether they were accepted.
pub type Target = fn(&[u8]) -> bool;

/// Every target and the name of its corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("schema", schema),
    ("header", header),
    ("slot_word", slot_word),
    ("handshake", handshake),
    ("block", block),
    ("descriptor", descriptor),
];

/// The wire form of a schema.
#[must_use]
pub fn schema(bytes: &[u8]) -> bool {
    let Ok(schema) = Schema::decode(bytes) else { return false };
    assert_eq!(schema.encode(), bytes, "two forms of one schema");
    schema.validate().expect("what was decoded keeps the rules");
    let _ = (schema.to_string(), schema.fingerprint(), schema.columns(3, 0));
    assert_eq!(schema.difference(&schema), None);
    true
}

fn plan() -> Plan {
    let of = |name: &'static str| {
        let ids = Field::new("ids", DType::I64, Shape::new(&[Extent::Dim(0)]));
        let mask = Field::new("mask", DType::U8, Shape::new(&[Extent::Dim(0), Extent::Dim(1)])).optional();
        let dims = vec![Dim::new("seq", 1, 8), Dim::new("rows", 0, 4)];
        Schema::new(name, 0, "", dims, vec![ids, mask]).expect("it keeps the rules")
    };
    Plan { slots: 20, request: of("fuzz.request"), reply: Some(of("fuzz.reply")) }
}

/// A host, a client and a worker; what fuzzes them takes turns.
type Arenas = Mutex<[Arc<Arena>; 3]>;

fn arenas() -> Arenas {
    Mutex::new(crate::arena::fuzz::attached(plan(), 0, 3))
}

/// Header and schemas of an arena, as whoever attaches reads them: the bytes replace the header and, after its 208 bytes,
/// the schemas.
#[must_use]
pub fn header(bytes: &[u8]) -> bool {
    static HOST: LazyLock<Arena> =
        LazyLock::new(|| Arena::create("fuzz", plan(), 0, 0, &mut || Ok(())).expect("memory for an arena"));
    match crate::arena::fuzz::attach_with(&HOST, bytes) {
        Ok(attached) => {
            assert!(attached.has_layout_of(&HOST));
            true
        }
        Err(error) => {
            let typed = matches!(
                error,
                Error::BadSegment { .. }
                    | Error::AbiMismatch { .. }
                    | Error::SchemaForm(_)
                    | Error::InvalidSchema(_)
                    | Error::OutOfMemory { .. }
            );
            assert!(typed, "{error}");
            false
        }
    }
}

/// What the other side states of a record and of the end of a call: presence, lengths, status, the text of a failure.
/// The bytes are eight words for the request, eight for the reply, and then the failure.
#[must_use]
pub fn block(bytes: &[u8]) -> bool {
    static ARENAS: LazyLock<Arenas> = LazyLock::new(arenas);
    let arenas = ARENAS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let [host, client, worker] = &*arenas;
    let (request, rest) = bytes.split_at(bytes.len().min(64));
    let (reply, failure) = rest.split_at(rest.len().min(64));

    let call = client.try_loan(Look::Words).expect("honest words").expect("a free slot");
    call.publish(0, |_| None, true, 0, None).expect("honest words");
    crate::arena::fuzz::state(client, call.slot(), Half::Request, request);
    let taken = worker.try_take(Look::Words).expect("honest words").expect("a request");
    let asked = is_whole(&taken, Half::Request);
    taken.answer(0, |_| None, false, 0).expect("honest words");
    crate::arena::fuzz::state(worker, call.slot(), Half::Reply, reply);
    crate::arena::fuzz::explain(worker, call.slot(), failure);
    let answered = match call.outcome() {
        Ok(Some(Status::Answered)) => is_whole(&call, Half::Reply),
        Ok(Some(Status::Failed)) => {
            let failure = call.failure();
            // A byte that is not UTF-8 becomes three.
            assert!(failure.type_name.len() + failure.message.len() + failure.traceback.len() <= 3 * 4096);
            true
        }
        Ok(Some(_)) => true,
        Ok(None) => unreachable!("the word says DONE"),
        Err(Error::Corrupt { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    drop((taken, call));
    assert_eq!(host.free_slots(), host.slots());
    asked && answered
}

/// A descriptor of a field of a record that is there. The arena and the generation are put right, or nothing would pass.
#[must_use]
pub fn descriptor(bytes: &[u8]) -> bool {
    static ARENAS: LazyLock<Arenas> = LazyLock::new(arenas);
    let Ok(mut described) = Descriptor::from_bytes(bytes) else { return false };
    assert_eq!(Descriptor::from_bytes(&described.to_bytes()).ok(), Some(described));
    let arenas = ARENAS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let [_, client, _] = &*arenas;
    let held = client.try_loan(Look::Words).expect("honest words").expect("a free slot");
    described.arena = client.header().epoch;
    described.generation = held.generation();
    match described.open(client) {
        Ok(field) => {
            let room = client.data().len();
            let read = match field.dtype() {
                DType::I64 => field.read::<i64>().map(|values| values.len() * 8),
                _ => field.read::<u8>().map(|values| values.len()),
            };
            assert!(read.expect("the record is there") <= room);
            true
        }
        Err(Error::BadDescriptor { .. } | Error::StaleDescriptor { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    /// Mutations of the corpus for each target.
    const CASES: u32 = 1500;

    fn corpus(target: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
    }

    fn entries(target: &str) -> Vec<(String, Vec<u8>)> {
        let directory = corpus(target);
        let mut entries: Vec<(String, Vec<u8>)> = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
            })
            .collect();
        entries.sort();
        entries
    }

    /// What peers of this ABI write, to be written down once: `TENSORBRIDGE_TEST_WRITE_CORPUS=1`.
    fn golden(target: &str) -> Vec<u8> {
        match target {
            "schema" => plan().request.encode(),
            "header" => crate::arena::fuzz::golden_header(
                &Arena::create("fuzz", plan(), 0, 0, &mut || Ok(())).unwrap(),
            ),
            "slot_word" => crate::arena::fuzz::golden_word(),
            "handshake" => crate::peer::fuzz::golden(),
            "block" => {
                // Presence, status, two lengths; twice.
                let half = [1u64, 0, 3, 2, 0, 0, 0, 0].map(u64::to_le_bytes).concat();
                let failure = [&[1u8, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0][..], b"TMMbbb"].concat();
                [half.clone(), half, failure].concat()
            }
            "descriptor" => golden_descriptor().to_bytes().to_vec(),
            other => panic!("there is no {other}"),
        }
    }

    /// Three numbers of the slot that a client of number 2 loans first.
    fn golden_descriptor() -> Descriptor {
        let [_, client, _] = crate::arena::fuzz::attached(plan(), 0, 3);
        let held = client.try_loan(Look::Words).unwrap().unwrap();
        let column = client.request().columns[0];
        let mut described: Descriptor = bytemuck::Zeroable::zeroed();
        (described.form, described.dtype, described.rank) = (1, DType::I64 as u8, 1);
        (described.shape[0], described.strides[0], described.nbytes) = (3, 1, 24);
        described.slot = held.slot() as u32;
        described.offset = (column.offset + held.slot() * column.stride) as u64;
        described
    }

    #[test]
    fn what_peers_of_this_abi_write_is_accepted() {
        for (name, target) in TARGETS {
            let path = corpus(name).join("golden");
            if std::env::var_os("TENSORBRIDGE_TEST_WRITE_CORPUS").is_some() {
                std::fs::create_dir_all(corpus(name)).unwrap();
                std::fs::write(&path, golden(name)).unwrap();
            }
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(target(&bytes), "{} is not accepted", path.display());
        }
    }

    #[test]
    fn the_whole_corpus_is_taken_without_a_panic() {
        for (name, target) in TARGETS {
            for (file, bytes) in entries(name) {
                eprintln!("{name}/{file}");
                let _ = target(&bytes);
                for end in [0, 1, bytes.len() / 2, bytes.len().saturating_sub(1)] {
                    let _ = target(&bytes[..end.min(bytes.len())]);
                }
            }
        }
    }

    /// An entry of the corpus with some bytes changed, cut off, or put in.
    fn mutated(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
        let entries: Vec<Vec<u8>> = entries(target).into_iter().map(|(_, bytes)| bytes).collect();
        let value = prop_oneof![Just(0u8), Just(0xFF), Just(0x7F), Just(1), any::<u8>()];
        let edits = proptest::collection::vec((any::<prop::sample::Index>(), value, 0u8..8), 0..12);
        (prop::sample::select(entries), edits).prop_map(|(mut bytes, edits)| {
            for (at, value, kind) in edits {
                if bytes.is_empty() {
                    bytes.push(value);
                }
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, value),
                    2 => drop(bytes.remove(at)),
                    3 => bytes[at] = bytes[at].wrapping_add(value),
                    _ => bytes[at] = value,
                }
            }
            bytes
        })
    }

    fn survives(target: &'static str) {
        let run = TARGETS.iter().find(|(name, _)| *name == target).expect("a target").1;
        let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(bytes in mutated(target))| { let _ = run(&bytes); });
    }

    #[test]
    fn mutated_schemas_are_taken_without_a_panic() {
        survives("schema");
    }

    #[test]
    fn mutated_headers_are_taken_without_a_panic() {
        survives("header");
    }

    #[test]
    fn mutated_slot_words_are_taken_without_a_panic() {
        survives("slot_word");
    }

    #[test]
    fn mutated_handshakes_are_taken_without_a_panic() {
        survives("handshake");
    }

    #[test]
    fn mutated_descriptors_are_taken_without_a_panic() {
        survives("descriptor");
    }

    #[test]
    fn mutated_blocks_are_taken_without_a_panic() {
        survives("block");
    }
}
