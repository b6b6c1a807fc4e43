//! What a measurement gives: a histogram of its durations, and what the processes used.

use crate::classes::Placement;
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Slices with the cores as wanted that are enough for a case.
const ENOUGH: usize = 3;

/// What a measuring program prints for each case.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) table: Table,
    pub(crate) touched: bool,
    slices: Vec<Slice>,
    client: Memory,
    server: Memory,
    processes: u32,
    /// A file of 64-bit words: nanoseconds of each call, one slice after the other.
    durations: String,
}

/// A part of a case. Times are nanoseconds, of the clock that [`crate::clock::now`] reads or of the processor.
#[derive(Debug, Deserialize)]
struct Slice {
    began: u64,
    ended: u64,
    calls: usize,
    client_cpu_ns: u64,
    server_cpu_ns: u64,
}

/// The two tables, which are never mixed, and what stands beside both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Table {
    /// The request already lies where the system wants it.
    Ready,
    /// The request is written anew for each call.
    Written,
    /// What the machine allows.
    Limit,
}

/// Bytes of all processes of a side.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) rss: u64,
    pub(crate) pss: u64,
}

/// What some of the calls of a run gave. Times are nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) highest: u64,
    pub(crate) client_cpu: u64,
    pub(crate) server_cpu: u64,
    /// The raw data: an HDR histogram (V2, deflated, base64), in nanoseconds.
    pub(crate) histogram: String,
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The calls by how the cores lay; near are all of a system that runs on no two cores of its own.
    pub(crate) placed: BTreeMap<Placement, Figures>,
    /// Calls that are nowhere, for the cores were moved meanwhile.
    pub(crate) moved: u64,
    /// How often it was measured, until enough was measured on cores that lay as wanted.
    pub(crate) attempts: u32,
    pub(crate) client_memory: Memory,
    pub(crate) server_memory: Memory,
    pub(crate) processes: u32,
    /// Load of the machine in the last minute, when the run ended.
    pub(crate) load: f64,
}

impl Told {
    /// Reads one line that a measuring program printed, or nothing when the line is about something else.
    pub(crate) fn parse(line: &str) -> Option<Told> {
        serde_json::from_str(line).ok()
    }
}

/// Calls that were made while the cores lay in the same way.
struct Part {
    slices: usize,
    histogram: Histogram<u64>,
    client_cpu: u64,
    server_cpu: u64,
}

impl Part {
    fn new() -> Part {
        let histogram =
            Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("up to a minute, three digits");
        Part { slices: 0, histogram, client_cpu: 0, server_cpu: 0 }
    }

    fn add(&mut self, slice: &Slice, durations: &[u64]) {
        self.slices += 1;
        durations.iter().for_each(|duration| self.histogram.saturating_record(*duration));
        self.client_cpu += slice.client_cpu_ns;
        self.server_cpu += slice.server_cpu_ns;
    }

    fn figures(&self) -> Option<Figures> {
        let calls = self.histogram.len();
        if calls == 0 {
            return None;
        }
        let quantile = |quantile| self.histogram.value_at_quantile(quantile);
        Some(Figures {
            calls,
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            highest: self.histogram.max(),
            client_cpu: self.client_cpu / calls,
            server_cpu: self.server_cpu / calls,
            histogram: encode(&self.histogram),
        })
    }
}

/// A case in all attempts of a run: its slices, by how the cores lay.
pub(crate) struct Case {
    pub(crate) table: Table,
    pub(crate) touched: bool,
    parts: BTreeMap<Placement, Part>,
    moved: u64,
    attempts: u32,
    client: Memory,
    server: Memory,
    processes: u32,
    load: f64,
}

impl Case {
    /// A case that `told` is about, without its slices.
    pub(crate) fn new(told: &Told) -> Case {
        Case {
            table: told.table,
            touched: told.touched,
            parts: BTreeMap::new(),
            moved: 0,
            attempts: 0,
            client: Memory::default(),
            server: Memory::default(),
            processes: 0,
            load: 0.0,
        }
    }

    /// Adds an attempt, with the durations that lie in `directory`; `placement` says how the cores lay from one time to another.
    pub(crate) fn add(
        &mut self,
        told: &Told,
        directory: &Path,
        load: f64,
        placement: impl Fn(u64, u64) -> Option<Placement>,
    ) -> Result<(), String> {
        let path = directory.join(&told.durations);
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let durations: Vec<u64> =
            bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let mut rest = durations.as_slice();
        for slice in &told.slices {
            let Some((these, after)) = rest.split_at_checked(slice.calls) else { break };
            rest = after;
            let mut placed = placement(slice.began, slice.ended);
            if told.processes == 1 {
                placed = Some(Placement::of_one(placed));
            }
            match placed {
                Some(placement) => self.parts.entry(placement).or_insert_with(Part::new).add(slice, these),
                None => self.moved += these.len() as u64,
            }
        }
        let told_of: usize = told.slices.iter().map(|slice| slice.calls).sum();
        if durations.is_empty() || durations.len() != told_of {
            return Err(format!("{} has {} calls, not {told_of}", path.display(), durations.len()));
        }
        self.attempts += 1;
        (self.client, self.server, self.processes, self.load) =
            (told.client, told.server, told.processes, load);
        Ok(())
    }

    /// Whether enough of it was measured on cores that lay as `wanted`; one process alone lies on one core.
    pub(crate) fn is_enough(&self, wanted: Placement) -> bool {
        let wanted = if self.processes == 1 { Placement::of_one(Some(wanted)) } else { wanted };
        self.parts.get(&wanted).is_some_and(|part| part.slices >= ENOUGH)
    }

    /// What a measuring program calls it.
    pub(crate) fn name(&self) -> String {
        let table = match self.table {
            Table::Ready => "ready",
            Table::Written => "written",
            Table::Limit => "limit",
        };
        format!("{table}-{}", if self.touched { "touched" } else { "untouched" })
    }

    /// The figures of the run.
    pub(crate) fn run(&self) -> Run {
        Run {
            placed: self
                .parts
                .iter()
                .filter_map(|(placement, part)| Some((*placement, part.figures()?)))
                .collect(),
            moved: self.moved,
            attempts: self.attempts,
            client_memory: self.client,
            server_memory: self.server,
            processes: self.processes,
            load: self.load,
        }
    }
}

fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("a vector takes everything");
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The middle of several values; the upper one of the two in the middle.
pub(crate) fn median<T: PartialOrd + Copy>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;

    /// Three slices of 400, 500 and 100 calls, a second each.
    fn told(processes: u32) -> Told {
        let slice = |second: u64, calls: u64| {
            format!(
                r#"{{"began": {second}, "ended": {}, "calls": {calls}, "client_cpu_ns": {}, "server_cpu_ns": {}}}"#,
                second + 1,
                7 * calls,
                9 * calls
            )
        };
        let slices = [slice(1, 400), slice(2, 500), slice(3, 100)].join(", ");
        let line = format!(
            r#"{{"table": "written", "touched": true, "slices": [{slices}], "client": {{"rss": 2, "pss": 1}},
            "server": {{"rss": 4, "pss": 3}}, "processes": {processes}, "durations": "d"}}"#
        );
        Told::parse(&line).unwrap()
    }

    /// Durations of 1 to 1000 ns.
    fn durations() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (1..=1000u64).flat_map(u64::to_le_bytes).collect();
        std::fs::write(directory.path().join("d"), bytes).unwrap();
        directory
    }

    fn case(processes: u32, placement: impl Fn(u64, u64) -> Option<Placement>) -> Case {
        let (told, directory) = (told(processes), durations());
        let mut case = Case::new(&told);
        case.add(&told, directory.path(), 0.5, placement).unwrap();
        case
    }

    #[test]
    fn a_run_has_the_percentiles_of_its_durations_and_keeps_all_of_them() {
        let case = case(2, |_, _| Some(Placement::Near));
        assert_eq!(
            (case.table, case.touched, case.name().as_str()),
            (Table::Written, true, "written-touched")
        );
        assert!(case.is_enough(Placement::Near) && !case.is_enough(Placement::SameCore));
        let run = case.run();
        let near = &run.placed[&Placement::Near];
        assert_eq!((near.calls, near.p50, near.p90, near.p99, near.p999), (1000, 500, 900, 990, 999));
        assert_eq!((near.client_cpu, near.server_cpu, run.server_memory.pss, run.processes), (7, 9, 3, 2));
        assert_eq!((run.placed.len(), run.moved), (1, 0));
        let raw = base64::engine::general_purpose::STANDARD.decode(&near.histogram).unwrap();
        let kept: Histogram<u64> = Deserializer::new().deserialize(&mut raw.as_slice()).unwrap();
        assert_eq!((kept.len(), kept.value_at_quantile(0.5)), (1000, 500));
    }

    #[test]
    fn slices_are_told_apart_by_how_the_cores_lay() {
        let placed = |began, _| [Some(Placement::Apart), Some(Placement::Near), None][began as usize - 1];
        let mut case = case(2, placed);
        let run = case.run();
        let (near, apart) = (&run.placed[&Placement::Near], &run.placed[&Placement::Apart]);
        assert_eq!((near.calls, near.p50, near.highest, near.client_cpu), (500, 650, 900, 7));
        assert_eq!((apart.calls, apart.p50, apart.highest, apart.server_cpu), (400, 200, 400, 9));
        assert_eq!((run.placed.len(), run.moved, run.attempts), (2, 100, 1));
        assert!(!case.is_enough(Placement::Near));
        let directory = durations();
        case.add(&told(2), directory.path(), 0.5, |_, _| Some(Placement::SameCore)).unwrap();
        assert!(!case.is_enough(Placement::Near) && case.is_enough(Placement::SameCore));
        case.add(&told(2), directory.path(), 0.5, |_, _| Some(Placement::Near)).unwrap();
        assert!(case.is_enough(Placement::Near));
        let run = case.run();
        let calls: Vec<u64> = run.placed.values().map(|figures| figures.calls).collect();
        assert_eq!((calls, run.attempts), (vec![1500, 1000, 400], 3));
    }

    #[test]
    fn one_process_alone_has_no_other_core_to_be_apart_from() {
        assert!(case(1, |_, _| Some(Placement::Apart)).is_enough(Placement::SameCore));
    }

    #[test]
    fn a_run_has_no_figures_of_what_it_never_met() {
        let run = case(2, |_, _| Some(Placement::Apart)).run();
        assert!(run.placed.keys().eq(&[Placement::Apart]));
        assert!(case(2, |_, _| None).run().placed.is_empty());
    }

    #[test]
    fn what_else_a_program_prints_is_no_case() {
        for line in ["", "INFO: started", "{}", "{\"table\": \"other\"}"] {
            assert!(Told::parse(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_run_without_its_durations_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let told = told(2);
        let mut case = Case::new(&told);
        let mut add = || case.add(&told, directory.path(), 0.0, |_, _| Some(Placement::Near));
        assert!(add().is_err());
        std::fs::write(directory.path().join("d"), [0; 16]).unwrap();
        assert!(add().unwrap_err().contains("has 2 calls, not 1000"));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3, 1, 2]), Some(2));
        assert_eq!(median([2.5, 0.5]), Some(2.5));
        assert_eq!(median(Vec::<u64>::new()), None);
    }
}
