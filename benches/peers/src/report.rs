//! The report: every row with every run. It is what the tables and the pictures are made from.

use crate::catalogue::{Kind, System};
use crate::classes::Placement;
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
    /// How the cores lay when its figures were taken: near, where any run met that. Nothing where it was never told.
    pub(crate) fn placement(&self) -> Option<Placement> {
        self.runs.iter().filter_map(|run| run.placed.keys().next().copied()).min()
    }

    /// The figures of its runs while the cores lay so.
    fn placed(&self, placement: Placement) -> impl Iterator<Item = &Figures> {
        self.runs.iter().filter_map(move |run| run.placed.get(&placement))
    }

    /// The figures of its runs, all of one placement.
    fn figures(&self) -> Vec<&Figures> {
        self.placement().into_iter().flat_map(|placement| self.placed(placement)).collect()
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

    /// The median while the cores lay so, and the number of calls that were measured then.
    fn median_when(&self, placement: Placement) -> Option<(u64, u64)> {
        let p50 = median(self.placed(placement).map(|figures| figures.p50))?;
        Some((p50, self.placed(placement).map(|figures| figures.calls).sum()))
    }

    /// What was measured while the cores lay in other ways than for its figures: how, the median, the number of calls.
    pub(crate) fn elsewhere(&self) -> Vec<(Placement, u64, u64)> {
        let told = |placement| self.median_when(placement).map(|(p50, calls)| (placement, p50, calls));
        let others = Placement::ALL.into_iter().filter(|placement| self.placement() != Some(*placement));
        others.filter_map(told).collect()
    }

    /// How the cores lay when both this row and `other` were measured, and the medians of the two then.
    pub(crate) fn beside(&self, other: &Row) -> Option<(Placement, u64, u64)> {
        let both =
            |placement| Some((placement, self.median_when(placement)?.0, other.median_when(placement)?.0));
        Placement::ALL.into_iter().find_map(both)
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
