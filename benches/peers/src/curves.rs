//! What is measured over something: the size of a request, the number of clients.

use crate::catalogue::Program;
use crate::classes::Placement;
use crate::figures::median;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// How the names of our lines begin, and those of what the machine allows.
const OURS: &str = "tensorbridge";
const LIMITS: [&str; 2] = ["memcpy", "the model alone"];

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
        title: "10,000 buffers at once, in the hands of 64 threads of one process: time to take one, write a byte and give it back",
        axis: "bytes of a buffer",
        unit: Unit::Time,
        lines: BUFFERS,
    },
    Curve {
        name: "allocated",
        title: "What is allocated for these 10,000 buffers, beyond what was there before the first of them",
        axis: "bytes of a buffer",
        unit: Unit::Bytes,
        lines: BUFFERS,
    },
    Curve {
        name: "clients",
        title: "Requests of 602,112 bytes, written anew, from many processes to one server in Python, none of them pinned: calls in a second",
        axis: "clients",
        unit: Unit::Rate,
        lines: &[
            Python("tensorbridge, adaptive"),
            Python("tensorbridge, blocking"),
            Python("iceoryx2, blocking"),
            Python("ZeroMQ"),
            Python("raw HTTP, uvicorn"),
            Python("gRPC"),
            Python("Mosec"),
            Python("JSON, FastAPI with orjson"),
        ],
    },
    Curve {
        name: "resnet",
        title: "ResNet-50 (random weights) behind each way to call it, one image a call, not pinned",
        axis: "threads of the model",
        unit: Unit::Time,
        lines: &[
            Python("the model alone"),
            Python("tensorbridge, adaptive"),
            Python("embedded interpreter, copying"),
            Python("embedded interpreter, list"),
            Python("JSON, FastAPI with orjson"),
            Python("JSON, FastAPI as its tutorial"),
        ],
    },
];

/// What a measuring program prints: a point of a line, or a part of one.
#[derive(Debug, Deserialize)]
pub(crate) struct Point {
    line: String,
    x: f64,
    value: f64,
    /// When it was measured, where it matters how the cores lay: see [`crate::clock::now`].
    began: Option<u64>,
    ended: Option<u64>,
}

impl Point {
    /// Reads one printed line, or nothing when it is about something else.
    pub(crate) fn parse(line: &str) -> Option<Point> {
        serde_json::from_str(line).ok()
    }
}

/// All points of a run of a line, in one attempt or more, by how the cores lay.
#[derive(Default)]
pub(crate) struct Taken {
    places: Vec<Place>,
}

/// What a run has at a place of an axis.
struct Place {
    line: String,
    x: f64,
    placed: BTreeMap<Placement, Vec<f64>>,
}

impl Taken {
    /// Adds what a program printed; `placement` says how the cores lay from one time to another.
    pub(crate) fn add(&mut self, point: Point, placement: impl Fn(u64, u64) -> Option<Placement>) {
        let Point { line, x, value, began, ended } = point;
        let at =
            self.places.iter().position(|place| place.line == line && place.x == x).unwrap_or_else(|| {
                self.places.push(Place { line, x, placed: BTreeMap::new() });
                self.places.len() - 1
            });
        let when = began.zip(ended);
        if let Some(placement) = when.map_or(Some(Placement::Near), |(began, ended)| placement(began, ended))
        {
            self.places[at].placed.entry(placement).or_default().push(value);
        }
    }

    /// Whether every place was measured on cores that lay as `wanted`, or where that does not matter.
    pub(crate) fn is_enough(&self, wanted: Placement) -> bool {
        let enough =
            |place: &Place| place.placed.contains_key(&wanted) || place.placed.contains_key(&Placement::Near);
        self.places.iter().all(enough)
    }
}

/// The values of all runs at a place of the axis.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Values {
    pub(crate) x: f64,
    /// One value for each run, by how the cores lay; near where that does not matter.
    pub(crate) placed: BTreeMap<Placement, Vec<f64>>,
}

impl Values {
    /// How the cores lay when its values were taken; nothing where there are none.
    pub(crate) fn placement(&self) -> Option<Placement> {
        self.placed.keys().next().copied()
    }

    fn shown(&self) -> &[f64] {
        self.placed.values().next().map_or(&[], Vec::as_slice)
    }

    /// The median of the runs, where there is one.
    pub(crate) fn median(&self) -> Option<f64> {
        median(self.shown().iter().copied())
    }

    /// The lowest and the highest run.
    pub(crate) fn spread(&self) -> (f64, f64) {
        self.shown().iter().fold((f64::INFINITY, 0.0), |(low, high), run| (run.min(low), run.max(high)))
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

    /// Adds a run of a line, of which every place has one value.
    pub(crate) fn add(&mut self, taken: Taken) {
        for Place { line, x, placed } in taken.places {
            let line = match self.lines.iter().position(|known| known.name == line) {
                Some(at) => &mut self.lines[at],
                None => {
                    self.lines.push(Line { name: line, values: Vec::new() });
                    self.lines.last_mut().expect("just pushed")
                }
            };
            let at = line.values.iter().position(|values| values.x == x).unwrap_or_else(|| {
                line.values.push(Values { x, placed: BTreeMap::new() });
                line.values.len() - 1
            });
            for (placement, parts) in placed {
                line.values[at].placed.entry(placement).or_default().extend(median(parts));
            }
        }
    }

    /// Where another line is better than the best of ours, limits of the machine aside: its name, the place, its value and ours.
    pub(crate) fn lost(&self) -> Vec<(&str, f64, f64, f64)> {
        let at = |line: &Line, x: f64| line.values.iter().find(|values| values.x == x)?.median();
        // A curve of both tables says at the end of a name which it is.
        let table =
            |name: &str| name.rsplit_once(", ").map(|(_, table)| table.to_owned()).filter(|t| t.len() == 1);
        let better = |one: f64, other: f64| if self.unit == Unit::Rate { one > other } else { one < other };
        let (ours, others): (Vec<&Line>, Vec<&Line>) =
            self.lines.iter().partition(|line| line.name.starts_with(OURS));
        let limit = |line: &&Line| LIMITS.iter().any(|limit| line.name.starts_with(limit));
        let mut lost = Vec::new();
        for line in others.into_iter().filter(|line| !limit(line)) {
            let beside = ours
                .iter()
                .filter(|mine| table(&mine.name) == table(&line.name) || table(&line.name).is_none());
            let beside: Vec<&&Line> = beside.collect();
            for x in line.values.iter().map(|values| values.x) {
                let mine = beside
                    .iter()
                    .filter_map(|mine| at(mine, x))
                    .reduce(|a, b| if better(a, b) { a } else { b });
                if let (Some(theirs), Some(mine)) = (at(line, x), mine)
                    && better(theirs, mine)
                {
                    lost.push((line.name.as_str(), x, theirs, mine));
                }
            }
        }
        lost
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

    fn point(line: &str, x: u32, value: u32, when: &str) -> Point {
        Point::parse(&format!(r#"{{"line": "{line}", "x": {x}, "value": {value}{when}}}"#)).unwrap()
    }

    #[test]
    fn points_of_several_runs_come_together_by_line_and_place() {
        let mut drawn = Drawn::new(&CURVES[0]);
        for (line, x, value) in [("a", 64, 3), ("b", 64, 9), ("a", 8, 1), ("a", 64, 1), ("a", 64, 2)] {
            let mut taken = Taken::default();
            taken.add(point(line, x, value, ""), |_, _| Some(Placement::Apart));
            assert!(
                taken.is_enough(Placement::SameCore),
                "where it does not say when, the cores do not matter"
            );
            drawn.add(taken);
        }
        assert_eq!(drawn.places(), [8.0, 64.0]);
        let values = &drawn.lines[0].values[0];
        assert_eq!((values.x, values.median(), values.spread()), (64.0, Some(2.0), (1.0, 3.0)));
        assert_eq!(drawn.lines[1].values[0].placed[&Placement::Near], [9.0]);
        assert!(Point::parse("compiling").is_none());
    }

    #[test]
    fn a_run_has_the_middle_of_its_parts_by_how_the_cores_lay() {
        let placed = |began, _| match began {
            0 => Some(Placement::Near),
            1 => Some(Placement::Apart),
            2 => Some(Placement::SameCore),
            _ => None,
        };
        let parts = [(0, 10), (0, 11), (0, 12), (1, 50), (2, 20), (3, 90)];
        let when = |began| format!(r#", "began": {began}, "ended": 9"#);
        let mut taken = Taken::default();
        parts.iter().for_each(|(began, value)| taken.add(point("a", 64, *value, &when(*began)), placed));
        assert!(taken.is_enough(Placement::Near));
        taken.add(point("a", 8, 70, &when(1)), placed);
        assert!(!taken.is_enough(Placement::Near), "one place is still to come");
        let mut drawn = Drawn::new(&CURVES[0]);
        drawn.add(taken);
        let [many, few] = drawn.lines[0].values.as_slice() else { panic!("two places") };
        assert!(many.placed.values().eq(&[[11.0], [20.0], [50.0]]), "{many:?}");
        assert_eq!((many.placement(), many.median()), (Some(Placement::Near), Some(11.0)));
        assert_eq!((few.placement(), few.median()), (Some(Placement::Apart), Some(70.0)));
    }

    #[test]
    fn a_better_line_is_told_with_its_place_and_limits_are_not() {
        let mut drawn = Drawn::new(&CURVES[1]);
        let lines = [
            ("tensorbridge, R", 64, 3),
            ("tensorbridge, W", 64, 9),
            ("iceoryx2, R", 64, 4),
            ("iceoryx2, W", 64, 7),
            ("memcpy, W", 64, 1),
            ("iceoryx2, W", 8, 1),
        ];
        for (line, x, value) in lines {
            let mut taken = Taken::default();
            taken.add(point(line, x, value, ""), |_, _| None);
            drawn.add(taken);
        }
        assert_eq!(drawn.lost(), [("iceoryx2, W", 64.0, 7.0, 9.0)]);
        drawn.unit = Unit::Rate;
        assert_eq!(drawn.lost(), [("iceoryx2, R", 64.0, 4.0, 3.0)]);
    }

    #[test]
    fn a_place_that_was_never_still_has_no_value() {
        let mut taken = Taken::default();
        taken.add(point("a", 64, 1, r#", "began": 1, "ended": 2"#), |_, _| None);
        let mut drawn = Drawn::new(&CURVES[0]);
        drawn.add(taken);
        let values = &drawn.lines[0].values[0];
        assert_eq!((values.median(), values.placement()), (None, None));
    }
}
