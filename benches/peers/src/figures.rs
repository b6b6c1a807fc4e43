//! What a measurement gives: a histogram of its durations, and what the processes used.

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a measuring program prints for each case.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) table: Table,
    pub(crate) touched: bool,
    client_cpu_ns: u64,
    server_cpu_ns: u64,
    client: Memory,
    server: Memory,
    processes: u32,
    /// A file of 64-bit words: nanoseconds of each call.
    durations: String,
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

/// One run. Times are nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) calls: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) highest: u64,
    pub(crate) client_cpu: u64,
    pub(crate) server_cpu: u64,
    pub(crate) client_memory: Memory,
    pub(crate) server_memory: Memory,
    pub(crate) processes: u32,
    /// Load of the machine in the last minute, when the run ended.
    pub(crate) load: f64,
    /// The raw data: an HDR histogram (V2, deflated, base64), in nanoseconds.
    pub(crate) histogram: String,
}

impl Told {
    /// Reads one line that a measuring program printed, or nothing when the line is about something else.
    pub(crate) fn parse(line: &str) -> Option<Told> {
        serde_json::from_str(line).ok()
    }

    /// The figures of the run, with the durations that lie in `directory`.
    pub(crate) fn run(&self, directory: &Path, load: f64) -> Result<Run, String> {
        let path = directory.join(&self.durations);
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let histogram = histogram(&bytes);
        if histogram.is_empty() {
            return Err(format!("{} is empty", path.display()));
        }
        Ok(Run {
            calls: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            highest: histogram.max(),
            client_cpu: self.client_cpu_ns,
            server_cpu: self.server_cpu_ns,
            client_memory: self.client,
            server_memory: self.server,
            processes: self.processes,
            load,
            histogram: encode(&histogram),
        })
    }
}

fn histogram(bytes: &[u8]) -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("up to a minute, three digits");
    for word in bytes.as_chunks::<8>().0 {
        histogram.saturating_record(u64::from_le_bytes(*word));
    }
    histogram
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

    const LINE: &str = r#"{"table": "written", "touched": true, "client_cpu_ns": 7, "server_cpu_ns": 9,
        "client": {"rss": 2, "pss": 1}, "server": {"rss": 4, "pss": 3}, "processes": 2, "durations": "d"}"#;

    #[test]
    fn a_run_has_the_percentiles_of_its_durations_and_keeps_all_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (1..=1000u64).flat_map(u64::to_le_bytes).collect();
        std::fs::write(directory.path().join("d"), bytes).unwrap();
        let told = Told::parse(LINE).unwrap();
        assert_eq!((told.table, told.touched), (Table::Written, true));
        let run = told.run(directory.path(), 0.5).unwrap();
        assert_eq!((run.calls, run.p50, run.p90, run.p99, run.p999), (1000, 500, 900, 990, 999));
        assert_eq!((run.client_cpu, run.server_cpu, run.server_memory.pss, run.processes), (7, 9, 3, 2));
        let raw = base64::engine::general_purpose::STANDARD.decode(run.histogram).unwrap();
        let kept: Histogram<u64> = Deserializer::new().deserialize(&mut raw.as_slice()).unwrap();
        assert_eq!((kept.len(), kept.value_at_quantile(0.5)), (1000, 500));
    }

    #[test]
    fn what_else_a_program_prints_is_no_case() {
        for line in ["", "INFO: started", "{}", "{\"table\": \"other\"}"] {
            assert!(Told::parse(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_run_without_durations_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let told = Told::parse(LINE).unwrap();
        assert!(told.run(directory.path(), 0.0).is_err());
        std::fs::write(directory.path().join("d"), "").unwrap();
        assert!(told.run(directory.path(), 0.0).unwrap_err().contains("empty"));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3, 1, 2]), Some(2));
        assert_eq!(median([2.5, 0.5]), Some(2.5));
        assert_eq!(median(Vec::<u64>::new()), None);
    }
}
