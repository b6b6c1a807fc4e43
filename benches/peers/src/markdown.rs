//! The tables, as Markdown.

use crate::catalogue::Kind;
use crate::classes::Placement;
use crate::curves::{Drawn, Unit};
use crate::figures::{Figures, Table};
use crate::report::{Report, Row};
use std::fmt::Write as _;

/// A duration as people write it.
pub(crate) fn human(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..100_000 => format!("{:.1} µs", value / 1e3),
        100_000..1_000_000 => format!("{:.0} µs", value / 1e3),
        1_000_000..100_000_000 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.0} ms", value / 1e6),
    }
}

/// Everything, as a page.
pub(crate) fn page(report: &Report) -> String {
    let mut page = String::from("# Side by side with what people use today\n\n");
    let _ = writeln!(page, "{INTRODUCTION}");
    let _ = writeln!(page, "{}\n", lines(&report.machine));
    let _ = writeln!(page, "Versions: {}.\n", list(&report.versions));
    section(&mut page, report, Table::Limit, "What the machine allows");
    section(&mut page, report, Table::Ready, "Table R: the request already lies where the system wants it");
    section(&mut page, report, Table::Written, "Table W: the request is written anew for each call");
    report.curves.iter().for_each(|curve| over(&mut page, curve));
    lost(&mut page, report);
    if !report.missing.is_empty() {
        page.push_str("## Not measured\n\n");
        for missing in &report.missing {
            let _ = writeln!(page, "- {}: {}", missing.what, missing.reason);
        }
    }
    page
}

const INTRODUCTION: &str = "A request of 602,112 bytes (f32, 3 × 224 × 224) goes to another process, which answers with one number; every answer is
checked. Times are medians of the runs, with the lowest and the highest median of a run in brackets. CPU is the time of the processor for one call,
of the client and of everything else that the system runs. RSS and PSS are those of all its processes together. A percentile of fewer calls than it takes
to see one beyond it is left out. \"Ours\" says how many times as long the row takes as tensorbridge does between the same languages when it waits the same way, in the same run; below 1, tensorbridge is slower.
Client and server have a core each, where it does not say otherwise.

The host of a virtual machine moves its cores about, and others whom it serves run on the other hardware threads of its cores. So two more threads look twenty times
a second how long a cache line takes between the two cores, and some work on each. The cores are \"near\" when they share a cache and nobody else is on them,
\"crowded\" when somebody is, the \"same core\" when they are two hardware threads of one, and \"apart\" when they share no cache. The figures of a row, as those
of \"ours\", are what was measured while they were near. What was measured while they lay in another way stands in the column \"p50 elsewhere\", and what was
measured while they were moved nowhere. A row that never met near cores says so, and is compared with what others took on cores that lay in the same way.
";

fn lines(pairs: &std::collections::BTreeMap<String, String>) -> String {
    pairs.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect()
}

fn list(pairs: &std::collections::BTreeMap<String, String>) -> String {
    pairs.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn section(page: &mut String, report: &Report, table: Table, title: &str) {
    if [false, true].iter().all(|touched| report.table(table, *touched).is_empty()) {
        return;
    }
    let _ = writeln!(page, "## {title}\n");
    for touched in [false, true] {
        let rows = report.table(table, touched);
        if rows.is_empty() {
            continue;
        }
        if table != Table::Limit {
            let what =
                if touched { "The server reads the whole request." } else { "The server reads one number." };
            let _ = writeln!(page, "{what}\n");
        }
        page.push_str("| system | languages | waits | p50 | p90 | p99 | p99.9 | p50 elsewhere | CPU client + server | RSS | PSS | processes | ours |\n");
        page.push_str("|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
        for row in rows {
            let _ = writeln!(page, "{}", line(report, row));
        }
        page.push('\n');
    }
}

fn line(report: &Report, row: &Row) -> String {
    let (low, high) = row.spread();
    let megabytes = |of: fn(&crate::figures::Memory) -> u64| {
        let bytes = row.processes(|run| of(&run.client_memory) + of(&run.server_memory));
        format!("{:.0} MB", bytes as f64 / 1e6)
    };
    let ours = report.counterpart(row).filter(|_| row.kind == Kind::Peer);
    let ratio = ours.and_then(|ours| row.beside(ours)).map(|(placement, theirs, ours)| {
        let ratio = theirs as f64 / ours as f64;
        let times = if ratio < 10.0 { format!("{ratio:.2} ×") } else { format!("{ratio:.0} ×") };
        format!("{}{times}", unusual(Some(placement)))
    });
    // What happens once in so many calls is not known from fewer.
    let rare = |calls: u64, of: fn(&Figures) -> u64| {
        if row.median(|figures| figures.calls) < calls { "–".to_owned() } else { human(row.median(of)) }
    };
    let elsewhere: Vec<String> = row
        .elsewhere()
        .into_iter()
        .map(|(placement, p50, calls)| format!("{}: {} ({calls} calls)", placement.name(), human(p50)))
        .collect();
    format!(
        "| {} | {} | {} | {}{} ({} – {}) | {} | {} | {} | {} | {} + {} | {} | {} | {} | {} |",
        row.title,
        if row.kind == Kind::Limit { "" } else { &row.pair },
        row.wait,
        unusual(row.placement()),
        human(row.p50()),
        human(low),
        human(high),
        human(row.median(|figures| figures.p90)),
        rare(100, |figures| figures.p99),
        rare(1000, |figures| figures.p999),
        elsewhere.join("; "),
        human(row.median(|figures| figures.client_cpu)),
        human(row.median(|figures| figures.server_cpu)),
        megabytes(|memory| memory.rss),
        megabytes(|memory| memory.pss),
        row.processes(|run| u64::from(run.processes)),
        ratio.unwrap_or_default(),
    )
}

/// What stands before figures of cores that did not lie near each other.
fn unusual(placement: Option<Placement>) -> String {
    match placement {
        None | Some(Placement::Near) => String::new(),
        Some(placement) => format!("**{}:** ", placement.name()),
    }
}

/// A value as people write it.
pub(crate) fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Time => human(value as u64),
        Unit::Rate if value >= 1e6 => format!("{:.2} M/s", value / 1e6),
        Unit::Rate if value >= 1e4 => format!("{:.1} k/s", value / 1e3),
        Unit::Rate => format!("{value:.0} /s"),
        Unit::Bytes if value >= 1e6 => format!("{:.0} MB", value / 1e6),
        Unit::Bytes => format!("{value:.0} B"),
    }
}

/// A line for each line, a column for each place of the axis.
fn over(page: &mut String, curve: &Drawn) {
    let places = curve.places();
    let _ = writeln!(page, "## {}\n", curve.title);
    let heads: String = places.iter().map(|place| format!(" {place} |")).collect();
    let _ = writeln!(page, "| {} |{heads}\n|---|{}", curve.axis, "--:|".repeat(places.len()));
    for line in &curve.lines {
        let _ = write!(page, "| {} |", line.name);
        for place in &places {
            let Some(values) = line.values.iter().find(|values| values.x == *place) else {
                page.push_str(" |");
                continue;
            };
            let Some(median) = values.median() else {
                page.push_str(" |");
                continue;
            };
            let (low, high) = values.spread();
            let text = |number| value(curve.unit, number);
            let unusual = unusual(values.placement());
            let _ = write!(page, " {unusual}{} ({} – {}) |", text(median), text(low), text(high));
        }
        page.push('\n');
    }
    page.push('\n');
}

/// Says plainly where a peer was faster.
fn lost(page: &mut String, report: &Report) {
    let faster = |row: &Row| {
        let ours = report.counterpart(row).filter(|_| row.kind == Kind::Peer)?;
        row.beside(ours).filter(|(_, theirs, ours)| theirs < ours)
    };
    let rows: Vec<(&Row, (Placement, u64, u64))> =
        report.rows.iter().filter_map(|row| faster(row).map(|medians| (row, medians))).collect();
    if rows.is_empty() && report.curves.iter().all(|curve| curve.lost().is_empty()) {
        return;
    }
    page.push_str("## Where a peer was faster\n\n");
    for (row, (placement, theirs, ours)) in rows {
        let table = if row.table == Table::Ready { "R" } else { "W" };
        let read = if row.touched { "whole request read" } else { "one number read" };
        let _ = writeln!(
            page,
            "- table {table}, {read}: {}, {}, {}: {}{} against our {}",
            row.title,
            row.pair,
            row.wait,
            unusual(Some(placement)),
            human(theirs),
            human(ours)
        );
    }
    for curve in &report.curves {
        for (line, x, theirs, ours) in curve.lost() {
            let (name, axis, text) = (&curve.name, &curve.axis, |number| value(curve.unit, number));
            let _ =
                writeln!(page, "- {name}: {line}, {axis}: {x}: {} against our {}", text(theirs), text(ours));
        }
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::Placement::{Apart, Near, SameCore};
    use super::*;
    use crate::catalogue::{Program, System};
    use crate::figures::{Memory, Run};

    fn figures(p50: u64) -> Figures {
        Figures {
            calls: 1000,
            p50,
            p90: 2 * p50,
            p99: 3 * p50,
            p999: 4 * p50,
            highest: 5 * p50,
            client_cpu: 11,
            server_cpu: 12,
            histogram: String::new(),
        }
    }

    fn placed(p50s: &[(Placement, u64)]) -> Run {
        let memory = Memory { rss: 3_000_000, pss: 2_000_000 };
        Run {
            placed: p50s.iter().map(|(placement, p50)| (*placement, figures(*p50))).collect(),
            moved: 0,
            attempts: 1,
            client_memory: memory,
            server_memory: memory,
            processes: 2,
            load: 0.0,
        }
    }

    fn run(p50: u64) -> Run {
        placed(&[(Near, p50)])
    }

    fn system(title: &'static str, kind: Kind) -> System {
        let program = Program::Rust("x");
        System {
            name: "x",
            title,
            kind,
            pair: "Rust-Rust",
            program,
            waits: &["spinning"],
            unpinned: false,
            plain: false,
        }
    }

    fn report(peer: u64) -> Report {
        let mut report = Report::default();
        for p50 in [2_000, 1_000, 3_000] {
            report.add(&system("bridge", Kind::Ours), "spinning", true, Table::Ready, false, run(p50));
        }
        report.add(&system("other", Kind::Peer), "spinning", true, Table::Ready, false, run(peer));
        report.add(&system("other", Kind::Peer), "spinning", true, Table::Written, true, run(7));
        report
    }

    #[test]
    fn a_row_has_the_median_of_its_runs_their_spread_and_the_ratio_to_ours() {
        let page = page(&report(50_000));
        let ours = "| bridge | Rust-Rust | spinning | 2.0 µs (1.0 µs – 3.0 µs) | 4.0 µs | 6.0 µs | 8.0 µs |  | 11 ns + 12 ns | 6 MB | 4 MB | 2 |  |";
        assert!(page.contains(ours), "{page}");
        assert!(page.contains("| other | Rust-Rust | spinning | 50.0 µs (50.0 µs – 50.0 µs) |"), "{page}");
        assert!(page.contains("| 25 × |"), "{page}");
        assert!(!page.contains("faster\n"), "{page}");
    }

    #[test]
    fn a_percentile_is_told_of_as_many_calls_as_it_takes_to_see_it() {
        let mut report = Report::default();
        let mut few = run(1_000);
        few.placed.values_mut().for_each(|figures| figures.calls = 999);
        report.add(&system("few", Kind::Peer), "spinning", true, Table::Ready, false, few);
        let page = page(&report);
        assert!(page.contains("(1.0 µs – 1.0 µs) | 2.0 µs | 3.0 µs | – |"), "{page}");
    }

    #[test]
    fn what_was_measured_elsewhere_stands_beside_and_like_is_compared_with_like() {
        let mut report = Report::default();
        let mut add = |title, kind, p50s: &[(Placement, u64)]| {
            report.add(&system(title, kind), "spinning", true, Table::Ready, false, placed(p50s));
        };
        add("bridge", Kind::Ours, &[(Near, 2_000), (Apart, 20_000)]);
        add("bridge", Kind::Ours, &[(SameCore, 3_000), (Apart, 24_000)]);
        add("both", Kind::Peer, &[(Near, 8_000), (SameCore, 9_000)]);
        add("threads", Kind::Peer, &[(SameCore, 6_000), (Apart, 12_000)]);
        add("never", Kind::Peer, &[(Apart, 12_000)]);
        let page = page(&report);
        let line = |title: &str| {
            let start = format!("| {title} |");
            page.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{title} in {page}"))
        };
        let has = |title, parts: &[&str]| {
            parts.iter().for_each(|part| assert!(line(title).contains(part), "{part} in {}", line(title)));
        };
        let elsewhere = "| same core: 3.0 µs (1000 calls); apart: 24.0 µs (2000 calls) |";
        has("bridge", &["| 2.0 µs (2.0 µs – 2.0 µs) | 4.0 µs | 6.0 µs | 8.0 µs ", elsewhere]);
        has("both", &["| 8.0 µs (8.0 µs – 8.0 µs) |", "| same core: 9.0 µs (1000 calls) |", "| 4.00 × |"]);
        has(
            "threads",
            &[
                "| **same core:** 6.0 µs (6.0 µs – 6.0 µs) |",
                "| apart: 12.0 µs (1000 calls) |",
                "| **same core:** 2.00 × |",
            ],
        );
        has("never", &["| **apart:** 12.0 µs (12.0 µs – 12.0 µs) |", "| **apart:** 0.50 × |"]);
        assert!(page.contains(": **apart:** 12.0 µs against our 24.0 µs"), "{page}");
    }

    #[test]
    fn the_tables_are_apart_and_the_fastest_row_is_first() {
        let page = page(&report(1_000));
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} in {page}"));
        assert!(at("## Table R") < at("| other") && at("| other") < at("| bridge"));
        assert!(at("| bridge") < at("## Table W"));
        assert!(at("## Table W") < at("The server reads the whole request."));
    }

    #[test]
    fn a_row_that_is_lost_and_a_system_that_is_missing_are_said() {
        let mut report = report(1_000);
        report.miss(&system("absent", Kind::Peer), "blocking", "no such package".to_owned());
        report.miss(&system("absent", Kind::Peer), "blocking", "no such package".to_owned());
        let page = page(&report);
        assert!(
            page.contains(
                "- table R, one number read: other, Rust-Rust, spinning: 1.0 µs against our 2.0 µs"
            )
        );
        assert_eq!(page.matches("- absent, Rust-Rust, blocking: no such package").count(), 1);
    }
}
