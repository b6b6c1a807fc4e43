//! The report: every row with every run. It is what the tables and the pictures are made from.

use crate::catalogue::{Kind, System};
use crate::curves::Drawn;
use crate::figures::{Figures, Run, Table, median};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One system, in one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What `--only` calls it.
    pub(crate) system: String,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    /// The language of the client and of the server.
    pub(crate) pair: String,
    pub(crate) wait: String,
    pub(crate) pinned: bool,
    pub(crate) table: Table,
    pub(crate) touched: bool,
    pub(crate) runs: Vec<Run>,
}

impl Row {
    /// Whether no run of it met near cores, so that its figures are those of cores that are apart.
    pub(crate) fn is_apart(&self) -> bool {
        self.runs.iter().all(|run| run.near.is_none())
    }

    /// The figures of its runs: those of near cores, where there are any.
    fn figures(&self) -> Vec<&Figures> {
        let apart = self.is_apart();
        self.runs
            .iter()
            .filter_map(|run| if apart { run.apart.as_ref() } else { run.near.as_ref() })
            .collect()
    }

    pub(crate) fn median(&self, of: impl Fn(&Figures) -> u64) -> u64 {
        median(self.figures().into_iter().map(of)).unwrap_or(0)
    }

    /// What its processes have, as the runs say.
    pub(crate) fn processes(&self, of: impl Fn(&Run) -> u64) -> u64 {
        median(self.runs.iter().map(of)).unwrap_or(0)
    }

    pub(crate) fn p50(&self) -> u64 {
        self.median(|figures| figures.p50)
    }

    /// The lowest and the highest median of a run.
    pub(crate) fn spread(&self) -> (u64, u64) {
        let figures = self.figures();
        let medians = || figures.iter().map(|figures| figures.p50);
        (medians().min().unwrap_or(0), medians().max().unwrap_or(0))
    }

    /// The median while the cores were apart, and the number of calls that were measured so.
    pub(crate) fn apart(&self) -> Option<(u64, u64)> {
        let figures = || self.runs.iter().filter_map(|run| run.apart.as_ref());
        let p50 = median(figures().map(|figures| figures.p50))?;
        Some((p50, figures().map(|figures| figures.calls).sum()))
    }

    /// The medians of this row and of `other` where both were measured on cores that lay in the same way.
    pub(crate) fn beside(&self, other: &Row) -> Option<(u64, u64)> {
        if !self.is_apart() && !other.is_apart() {
            return Some((self.p50(), other.p50()));
        }
        Some((self.apart()?.0, other.apart()?.0))
    }
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) reason: String,
}

/// A whole run of the comparison.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: BTreeMap<String, String>,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) curves: Vec<Drawn>,
    pub(crate) missing: Vec<Missing>,
}

impl Report {
    /// Adds a run to its row.
    pub(crate) fn add(
        &mut self,
        system: &System,
        wait: &str,
        pinned: bool,
        table: Table,
        touched: bool,
        run: Run,
    ) {
        let same = |row: &&mut Row| {
            row.title == system.title
                && row.pair == system.pair
                && row.wait == wait
                && row.table == table
                && row.touched == touched
        };
        if let Some(row) = self.rows.iter_mut().find(same) {
            row.runs.push(run);
            return;
        }
        self.rows.push(Row {
            system: system.name.to_owned(),
            title: system.title.to_owned(),
            kind: system.kind,
            pair: system.pair.to_owned(),
            wait: wait.to_owned(),
            pinned,
            table,
            touched,
            runs: vec![run],
        });
    }

    /// Notes once why a system has no row, or fewer runs than others.
    pub(crate) fn miss(&mut self, system: &System, wait: &str, reason: String) {
        self.lack(format!("{}, {}, {wait}", system.title, system.pair), reason);
    }

    /// Notes once why something was not measured.
    pub(crate) fn lack(&mut self, what: String, reason: String) {
        let missing = Missing { what, reason };
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }

    /// The rows of a table, the fastest first.
    pub(crate) fn table(&self, table: Table, touched: bool) -> Vec<&Row> {
        let mut rows: Vec<&Row> =
            self.rows.iter().filter(|row| row.table == table && row.touched == touched).collect();
        rows.sort_by_key(|row| row.p50());
        rows
    }

    /// Our row that `row` is to be compared with: the same languages, the same case, the same way to wait.
    pub(crate) fn counterpart(&self, row: &Row) -> Option<&Row> {
        let same = |ours: &&Row| {
            ours.kind == Kind::Ours
                && (ours.pair == row.pair && ours.wait == row.wait)
                && (ours.table == row.table && ours.touched == row.touched)
        };
        self.rows.iter().find(same)
    }
}
