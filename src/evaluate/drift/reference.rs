//! What a window is compared with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::event::Timestamp;
use crate::measure::registry::{Statistic, Value};
use crate::measure::{Dimension, Group, Measure, Partial, Registry, Window};

/// What the windows of drift are compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// The 24 hours before a window, the 7 days before a whole day.
    #[default]
    Trailing,
    /// The same hours of the 7 days before.
    SameHours,
    /// Always the same values.
    Pinned(Arc<Pinned>),
}

/// Days that a reference reaches back at most.
const DAYS: i64 = 7;

impl Reference {
    /// The stretches that the window `[from, to)` is compared with, in whole hours; none for pinned values.
    pub(in crate::evaluate) fn stretches(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let start = from.floor(Timestamp::HOUR_US);
        let end = to.plus(Timestamp::HOUR_US - 1).floor(Timestamp::HOUR_US);
        let back = |days: i64| -days * Timestamp::DAY_US;
        match self {
            Self::Pinned(_) => Vec::new(),
            Self::Trailing if to.0 - from.0 < Timestamp::DAY_US => vec![(start.plus(back(1)), start)],
            Self::Trailing => vec![(start.plus(back(DAYS)), start)],
            Self::SameHours if to.0 - from.0 >= Timestamp::DAY_US => vec![(start.plus(back(DAYS)), start)],
            Self::SameHours => (1..=DAYS).rev().map(|days| (start.plus(back(days)), end.plus(back(days)))).collect(),
        }
    }

    /// Windows of a length that an hour is part of the reference of.
    pub(in crate::evaluate) fn followers(&self, hour: Timestamp, window: Window) -> Vec<Timestamp> {
        let later = |steps: i64, step_us: i64| (0..=steps).map(|step| hour.floor(window.us()).plus(step * step_us)).collect();
        match (self, window) {
            (Self::Pinned(_), _) => vec![hour.floor(window.us())],
            (_, Window::Day) => later(DAYS, Timestamp::DAY_US),
            (Self::Trailing, _) => later(24, Timestamp::HOUR_US),
            (Self::SameHours, _) => later(DAYS, Timestamp::DAY_US),
        }
    }

    /// How far the reference of an hour reaches back, in microseconds.
    pub(in crate::evaluate) const fn reach_us(&self) -> i64 {
        match self {
            Self::Trailing => Timestamp::DAY_US,
            Self::SameHours => DAYS * Timestamp::DAY_US,
            Self::Pinned(_) => 0,
        }
    }
}

/// Why a file of pinned values cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PinnedError {
    /// Where.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub problem: String,
}

/// Values that never change: one distribution per tenant, application, measure and scorer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned(BTreeMap<Key, Partial>);

/// Group of tenant and application, measure, scorer.
type Key = (Group, Measure, Option<Arc<str>>);

#[derive(Deserialize)]
struct Line {
    metric: String,
    tenant: Option<Arc<str>>,
    app: Option<Arc<str>>,
    scorer: Option<Arc<str>>,
    n: u64,
    #[serde(default)]
    n_null: u64,
    sum: f64,
    sum_sq: f64,
    hist_edges: Vec<f64>,
    hist_counts: Vec<u32>,
}

impl Pinned {
    /// Reads rows of `drift.….psi` of the `metrics` table, one JSON object a line, with at least the columns metric, tenant, app,
    /// scorer, n, sum, `sum_sq`, `hist_edges` and `hist_counts`. Rows of one tenant, application, metric and scorer add up.
    ///
    /// # Errors
    /// [`PinnedError`], naming the line.
    pub fn parse(text: &str, registry: &Registry) -> Result<Self, PinnedError> {
        let mut all: BTreeMap<Key, Partial> = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let mistaken = |problem: String| PinnedError { line: number + 1, problem };
            let row: Line = serde_json::from_str(line).map_err(|error| mistaken(error.to_string()))?;
            let Some(Value::Drift { of, statistic: Statistic::Psi }) = registry.get(&row.metric).map(|metric| &metric.value) else {
                return Err(mistaken(format!("{} has no histogram to compare with; expected rows of drift.….psi", row.metric)));
            };
            let mut group = Group::default();
            group.0[Dimension::Tenant as usize].clone_from(&row.tenant);
            group.0[Dimension::App as usize].clone_from(&row.app);
            let partial = row.partial(*of).map_err(mistaken)?;
            let scorer = row.scorer.filter(|_| of.info().scored);
            all.entry((group, *of, scorer)).or_default().merge(&partial);
        }
        Ok(Self(all))
    }

    /// The values of one series, of those groups that are wanted.
    pub(in crate::evaluate) fn of(
        &self,
        measure: Measure,
        scorer: Option<&Arc<str>>,
        wanted: impl Fn(&Group) -> bool,
    ) -> Option<Partial> {
        let mut sum: Option<Partial> = None;
        for ((group, of, by), partial) in &self.0 {
            if *of == measure && by.as_ref() == scorer && wanted(group) {
                sum.get_or_insert_default().merge(partial);
            }
        }
        sum
    }
}

impl Line {
    fn partial(&self, measure: Measure) -> Result<Partial, String> {
        let info = measure.info();
        let scale = info.scale as f64;
        if self.hist_edges.len() != self.hist_counts.len() {
            return Err(format!("{} edges and {} counts; expected as many", self.hist_edges.len(), self.hist_counts.len()));
        }
        let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
        for (edge, count) in self.hist_edges.iter().zip(&self.hist_counts) {
            let bin = info.edges.bin_of_edge(whole(edge * scale));
            *counts.entry(bin).or_default() += count;
        }
        if counts.values().map(|count| u64::from(*count)).sum::<u64>() != self.n {
            return Err(format!("the counts do not add up to n = {}", self.n));
        }
        Ok(Partial {
            n: self.n,
            n_null: self.n_null,
            sum: wide(self.sum * scale),
            sum_sq: wide(self.sum_sq * scale * scale),
            hist: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            ..Partial::default()
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what an absurd value deserves")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what an absurd value deserves")]
fn wide(value: f64) -> i128 {
    value.round() as i128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::measures;

    #[test]
    fn pinned_values_are_rows_of_the_metrics_table() {
        let registry = Registry::builtin().unwrap();
        let line = |app: &str, edges: &str, counts: &str, n: u64| {
            format!(
                r#"{{"metric":"drift.prompt_length_tokens.psi","tenant":"t","app":"{app}","scorer":null,"n":{n},"sum":30.0,"sum_sq":300.0,"hist_edges":{edges},"hist_counts":{counts},"revision":3}}"#
            )
        };
        let text = [line("a", "[5.0,131.0]", "[2,3]", 5), line("a", "[131.0]", "[1]", 1), line("b", "[7]", "[9]", 9)].join("\n\n");
        let pinned = Pinned::parse(&text, &registry).unwrap();
        let of_a = pinned.of(measures::PROMPT_LENGTH, None, |group| group.get(Dimension::App).is_some_and(|app| &**app == "a"));
        let of_a = of_a.unwrap();
        assert_eq!((of_a.n, of_a.sum, of_a.hist.as_slice()), (6, 60, [(5, 2), (129, 4)].as_slice()));
        assert_eq!(pinned.of(measures::PROMPT_LENGTH, None, |_| true).unwrap().n, 15);
        assert_eq!(pinned.of(measures::ANSWER_LENGTH, None, |_| true), None);
        for (text, problem) in [
            ("{", "line 1"),
            (line("a", "[5.0]", "[2,3]", 5).as_str(), "1 edges and 2 counts"),
            (line("a", "[5.0]", "[2]", 5).as_str(), "do not add up"),
            (line("a", "[5.0]", "[2]", 2).replace("psi", "js").as_str(), "expected rows of drift"),
        ] {
            let found = Pinned::parse(text, &registry).unwrap_err().to_string();
            assert!(found.contains(problem), "{found}");
        }
    }

    #[test]
    fn an_hour_is_part_of_the_reference_of_those_windows_that_name_it() {
        let hour = Timestamp(100 * Timestamp::DAY_US + 5 * Timestamp::HOUR_US);
        for reference in [Reference::Trailing, Reference::SameHours] {
            for window in [Window::Hour, Window::Day] {
                for follower in reference.followers(hour, window) {
                    let own = follower == hour.floor(window.us());
                    let stretches = reference.stretches(follower, follower.plus(window.us()));
                    let named = stretches.iter().any(|(from, to)| *from <= hour && hour < *to);
                    assert!(own != named, "{reference:?} {window:?} {follower:?}");
                }
            }
        }
    }
}
