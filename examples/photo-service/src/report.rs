//! What a load test saw, for people or for programs.

use crate::spans::SpanRecord;
use crate::tree::Tree;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;
use tensorbridge::Metrics;

/// A part of the test.
pub(crate) struct Phase {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
    /// Of the requests that were answered, in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Why each request failed that did.
    pub(crate) failures: Vec<String>,
    /// How many workers were killed meanwhile.
    pub(crate) kills: u64,
}

/// All of it.
pub(crate) struct Report {
    pub(crate) phases: Vec<Phase>,
    /// How often workers were started again, so far.
    pub(crate) restarts: u32,
    /// How many requests were handed to another worker.
    pub(crate) redelivered: u64,
    pub(crate) metrics: Metrics,
    /// The spans of one request.
    pub(crate) trace: Vec<SpanRecord>,
    /// Slots that did not come back.
    pub(crate) unreturned: usize,
}

impl Phase {
    fn ms(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e3
    }

    fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    fn json(&self) -> Value {
        json!({
            "requests": self.requests,
            "answered": self.latencies.len(),
            "failures": self.failures,
            "kills": self.kills,
            "per_second": self.per_second(),
            "p50_ms": self.ms(0.5),
            "p99_ms": self.ms(0.99),
            "p99.9_ms": self.ms(0.999),
            "max_ms": self.ms(1.0),
        })
    }
}

impl Report {
    /// Whether every request had the right answer, and every slot came back.
    pub(crate) fn held(&self) -> bool {
        self.unreturned == 0 && self.phases.iter().all(|phase| phase.latencies.len() == phase.requests)
    }

    /// Prints it.
    ///
    /// # Errors
    /// When the output is gone.
    pub(crate) fn print(&self, json: bool) -> Result<(), crate::Failure> {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        match json {
            true => writeln!(out, "{:#}", self.json())?,
            false => write!(out, "{self}")?,
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "phases": self.phases.iter().map(Phase::json).collect::<Vec<_>>(),
            "restarts": self.restarts,
            "redelivered": self.redelivered,
            "mean_batch": self.metrics.runs.mean(),
            "unreturned_slots": self.unreturned,
            "trace": self.trace,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "", "answered", "failed", "photos/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms"
        )?;
        for phase in &self.phases {
            let name = match phase.kills {
                0 => "undisturbed".to_owned(),
                kills => format!("kill -9 of {kills}"),
            };
            write!(f, "{name:<20} {:>9} {:>7}", phase.latencies.len(), phase.failures.len())?;
            let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|quantile| phase.ms(quantile));
            writeln!(f, " {:>9.1} {p50:>9.1} {p99:>9.1} {p999:>9.1} {max:>9.1}", phase.per_second())?;
        }
        for failure in self.phases.iter().flat_map(|phase| &phase.failures) {
            writeln!(f, "failed: {failure}")?;
        }
        writeln!(f, "\nmean batch {:.2}", self.metrics.runs.mean())?;
        let (restarts, redelivered) = (self.restarts, self.redelivered);
        writeln!(f, "workers started again {restarts}, requests handed to another worker {redelivered}")?;
        writeln!(f, "slots that did not come back {}", self.unreturned)?;
        writeln!(f, "\none request, in two processes:\n{}", Tree(&self.trace))
    }
}
