//! What is measured over something: the size of a request, the number of clients.

use crate::catalogue::Program;
use crate::figures::median;
use serde::{Deserialize, Serialize};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Nanoseconds; less is better.
    Time,
    /// In a second; more is better.
    Rate,
    /// Bytes; less is better.
    Bytes,
}

/// Lines over one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve {
    /// What `--only` calls it, and the program that measures it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What the axis counts.
    pub(crate) axis: &'static str,
    pub(crate) unit: Unit,
    /// What the program is told to measure; for each, whether the program is in Rust.
    pub(crate) lines: &'static [Program],
}

use Program::{Python, Rust};

const BUFFERS: &[Program] =
    &[Rust("tensorbridge"), Rust("a pool behind a mutex"), Rust("allocated for each call")];

pub(crate) const CURVES: &[Curve] = &[
    Curve {
        name: "rate",
        title: "Small records, one way, between two processes in Rust: records in a second",
        axis: "bytes",
        unit: Unit::Rate,
        lines: &[Rust("tensorbridge"), Rust("tensorbridge, receive_many"), Rust("iceoryx2")],
    },
    Curve {
        name: "sizes",
        title: "A call between two processes in Rust, spinning, by the size of its request; W of memcpy is a fill",
        axis: "bytes",
        unit: Unit::Time,
        lines: &[Rust("tensorbridge"), Rust("iceoryx2"), Rust("memcpy")],
    },
    Curve {
        name: "pool",
        title: "10,000 calls at once, of 64 threads of one process: time to take a buffer, write a byte and give it back",
        axis: "bytes of a buffer",
        unit: Unit::Time,
        lines: BUFFERS,
    },
    Curve {
        name: "allocated",
        title: "What is allocated for these 10,000 calls, beyond what was there before the first of them",
        axis: "bytes of a buffer",
        unit: Unit::Bytes,
        lines: BUFFERS,
    },
    Curve {
        name: "clients",
        title: "Requests of 602,112 bytes, written anew, from many processes to one server in Python: calls in a second",
        axis: "clients",
        unit: Unit::Rate,
        lines: &[
            Python("tensorbridge"),
            Python("tensorbridge, blocking"),
            Python("iceoryx2"),
            Python("ZeroMQ"),
            Python("raw HTTP, uvicorn"),
            Python("gRPC"),
            Python("Mosec"),
            Python("JSON, FastAPI with orjson"),
        ],
    },
    Curve {
        name: "resnet",
        title: "ResNet-50 (random weights) behind each way to call it, one image a call",
        axis: "threads of the model",
        unit: Unit::Time,
        lines: &[
            Python("the model alone"),
            Python("tensorbridge"),
            Python("embedded interpreter, copying"),
            Python("embedded interpreter, list"),
            Python("JSON, FastAPI with orjson"),
            Python("JSON, FastAPI as its tutorial"),
        ],
    },
];

/// What a measuring program prints: a point of a line.
#[derive(Debug, Deserialize)]
pub(crate) struct Point {
    line: String,
    x: f64,
    value: f64,
}

impl Point {
    /// Reads one printed line, or nothing when it is about something else.
    pub(crate) fn parse(line: &str) -> Option<Point> {
        serde_json::from_str(line).ok()
    }
}

/// The values of all runs at a place of the axis.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Values {
    pub(crate) x: f64,
    pub(crate) runs: Vec<f64>,
}

impl Values {
    pub(crate) fn median(&self) -> f64 {
        median(self.runs.iter().copied()).unwrap_or(f64::NAN)
    }

    /// The lowest and the highest run.
    pub(crate) fn spread(&self) -> (f64, f64) {
        self.runs.iter().fold((f64::INFINITY, 0.0), |(low, high), run| (run.min(low), run.max(high)))
    }
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) values: Vec<Values>,
}

/// A curve as it was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Drawn {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) axis: String,
    pub(crate) unit: Unit,
    pub(crate) lines: Vec<Line>,
}

impl Drawn {
    pub(crate) fn new(curve: &Curve) -> Drawn {
        let own = |text: &str| text.to_owned();
        let (name, title, axis) = (own(curve.name), own(curve.title), own(curve.axis));
        Drawn { name, title, axis, unit: curve.unit, lines: Vec::new() }
    }

    /// Adds a point to its line.
    pub(crate) fn add(&mut self, point: Point) {
        let line = match self.lines.iter().position(|line| line.name == point.line) {
            Some(at) => &mut self.lines[at],
            None => {
                self.lines.push(Line { name: point.line, values: Vec::new() });
                self.lines.last_mut().expect("just pushed")
            }
        };
        match line.values.iter_mut().find(|values| values.x == point.x) {
            Some(values) => values.runs.push(point.value),
            None => line.values.push(Values { x: point.x, runs: vec![point.value] }),
        }
    }

    /// Every place of the axis, in order.
    pub(crate) fn places(&self) -> Vec<f64> {
        let mut places: Vec<f64> =
            self.lines.iter().flat_map(|line| line.values.iter().map(|v| v.x)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_several_runs_come_together_by_line_and_place() {
        let mut drawn = Drawn::new(&CURVES[0]);
        for (line, x, value) in
            [("a", 64.0, 3.0), ("b", 64.0, 9.0), ("a", 8.0, 1.0), ("a", 64.0, 1.0), ("a", 64.0, 2.0)]
        {
            let text = format!(r#"{{"line": "{line}", "x": {x}, "value": {value}}}"#);
            drawn.add(Point::parse(&text).unwrap());
        }
        assert_eq!(drawn.places(), [8.0, 64.0]);
        let values = &drawn.lines[0].values[0];
        assert_eq!((values.x, values.median(), values.spread()), (64.0, 2.0, (1.0, 3.0)));
        assert_eq!(drawn.lines[1].values[0].runs, [9.0]);
        assert!(Point::parse("compiling").is_none());
    }
}
