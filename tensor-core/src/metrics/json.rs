//! Metrics as JSON, for programs: one object on one line.

use std::fmt::Write;

use super::{Distribution, Metrics};

/// The quantiles that are written, and their names.
const QUANTILES: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

/// Writes the members of an object.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Object {
        Object { text: String::from("{") }
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push_str(", ");
        }
        let _ = write!(self.text, "\"{name}\": ");
    }

    pub(super) fn number(mut self, name: &str, number: impl std::fmt::Display) -> Object {
        self.name(name);
        let _ = write!(self.text, "{number}");
        self
    }

    /// A number of seconds.
    pub(super) fn seconds(self, name: &str, seconds: f64) -> Object {
        self.number(name, format_args!("{seconds:.6}"))
    }

    /// A number, or null.
    fn maybe(self, name: &str, number: Option<u64>) -> Object {
        match number {
            Some(number) => self.number(name, number),
            None => self.number(name, "null"),
        }
    }

    pub(super) fn text(mut self, name: &str, text: &str) -> Object {
        self.name(name);
        self.text.push('"');
        // An arena's name is what its host wrote.
        for character in text.chars() {
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                control if control.is_control() => drop(write!(self.text, "\\u{:04x}", u32::from(control))),
                other => self.text.push(other),
            }
        }
        self.text.push('"');
        self
    }

    pub(super) fn object(mut self, name: &str, object: Object) -> Object {
        self.name(name);
        self.text.push_str(&object.end());
        self
    }

    /// Its text.
    pub(super) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// A distribution of nanoseconds, or of lengths.
pub(super) fn distribution(seen: &Distribution) -> Object {
    let object =
        Object::new().number("count", seen.count()).number("mean", format_args!("{:.3}", seen.mean()));
    let object = QUANTILES
        .iter()
        .fold(object, |object, (quantile, name)| object.maybe(name, seen.quantile(*quantile)));
    object.maybe("min", seen.min()).maybe("max", seen.max())
}

impl Metrics {
    /// All of it as one JSON object on one line. Times are in nanoseconds where the name says `_ns`, else in seconds.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.members().end()
    }

    pub(super) fn members(&self) -> Object {
        let phases = Object::new()
            .number("free", self.phases.free)
            .number("loaned", self.phases.loaned)
            .number("ready", self.phases.ready)
            .number("taken", self.phases.taken)
            .number("done", self.phases.done);
        let errors =
            self.errors.iter().fold(Object::new(), |object, error| object.number(error.code, error.count));
        let copied = self
            .copied
            .iter()
            .fold(Object::new(), |object, (reason, bytes)| object.number(reason.name(), bytes));
        let recoveries = Object::new()
            .number("deaths", self.recoveries.deaths)
            .number("redelivered", self.recoveries.redelivered)
            .number("given_up", self.recoveries.given_up);
        Object::new()
            .text("name", &self.name)
            .text("kind", self.kind.name())
            .text("epoch", &self.epoch)
            .seconds("at", self.at.as_secs_f64())
            .seconds("covers", self.covers.as_secs_f64())
            .number("slots", self.slots)
            .object("phases", phases)
            .number("sent", self.sent)
            .number("answered", self.answered)
            .number("failed", self.failed)
            .number("dropped", self.dropped)
            .number("expired", self.expired)
            .object("errors", errors)
            .object("runs", distribution(&self.runs))
            .object("round_trip_ns", distribution(&self.round_trip))
            .object("waiting_ns", distribution(&self.waiting))
            .object("served_ns", distribution(&self.served))
            .object("copied_bytes", copied)
            .object("recoveries", recoveries)
    }
}
