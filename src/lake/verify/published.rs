//! The rows of `metrics` of one date, in their latest revision, and what is compared of a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::error::ArrowError;

use crate::evaluate::{MetricRow, ValueStatus};
use crate::event::{Input, Timestamp};
use crate::lake::tables::Columns;
use crate::measure::{Dimension, Group, Metric};

/// Relative difference that the rounding of sums explains.
const TOLERANCE: f64 = 1e-9;
/// Metric, window, its length, group, scorer.
pub(super) type Key = (Arc<str>, Timestamp, i64, Group, Option<Arc<str>>);

/// What is compared of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) n: i64,
    pub(super) n_null: i64,
    pub(super) bad_n: i64,
    pub(super) sum: f64,
    sum_sq: f64,
    /// Those of [`FLOATS`].
    floats: [Option<f64>; FLOATS.len()],
    reference_n: Option<i64>,
    status: Option<ValueStatus>,
    /// Hash of the histogram.
    hist: u64,
}

/// Columns of [`Numbers::floats`].
const FLOATS: [&str; 12] = ["value", "lo", "hi", "p", "expected", "dispersion", "min", "max", "p50", "p90", "p95", "p99"];

/// Of these, the first that every metric is compared by.
const VALUE_AND_BOUNDS: usize = 6;

/// How much of a row is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything that follows from the rows of the tables.
    Whole,
    /// Counts, sum, value and interval: for feedback, whose rows may have been corrected since.
    Value,
}

impl Depth {
    /// That of a metric.
    pub(super) fn of(metric: &Metric) -> Self {
        if metric.inputs.contains(Input::Feedback) { Self::Value } else { Self::Whole }
    }
}

impl Numbers {
    pub(super) fn of(row: &MetricRow) -> Self {
        let floats =
            [row.value, row.lo, row.hi, row.p, row.expected, row.dispersion, row.min, row.max, row.p50, row.p90, row.p95, row.p99];
        Self {
            n: row.n,
            n_null: row.n_null,
            bad_n: row.bad_n,
            sum: row.sum,
            sum_sq: row.sum_sq,
            floats,
            reference_n: row.reference_n,
            status: Some(row.value_status),
            hist: hash(&row.hist_edges, &row.hist_counts),
        }
    }

    /// Whether both say the same.
    pub(super) fn agrees(&self, other: &Self, depth: Depth) -> bool {
        let close = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0);
        let compared = if depth == Depth::Whole { FLOATS.len() } else { VALUE_AND_BOUNDS };
        let mut floats = self.floats.iter().zip(&other.floats).take(compared);
        let same = floats.all(|(ours, theirs)| match (ours, theirs) {
            (Some(a), Some(b)) => close(*a, *b),
            (a, b) => a.is_none() && b.is_none(),
        });
        let counts = |of: &Self| (of.n, of.bad_n, of.reference_n);
        let rest = |of: &Self| (of.n_null, of.status, of.hist);
        let whole = depth == Depth::Value || rest(self) == rest(other) && close(self.sum_sq, other.sum_sq);
        counts(self) == counts(other) && close(self.sum, other.sum) && same && whole
    }
}

/// A hash of a histogram, by FNV-1a over its words.
fn hash(edges: &[f64], counts: &[i64]) -> u64 {
    let words = edges.iter().map(|edge| edge.to_bits()).chain(counts.iter().map(|count| count.cast_unsigned()));
    words.fold(0xcbf2_9ce4_8422_2325, |hash: u64, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29))
}

/// The numbers of a row of `metrics`.
fn published(columns: &Columns<'_>, row: usize) -> Result<Numbers, ArrowError> {
    let whole = |name: &str| columns.integer(name, row).map(Option::unwrap_or_default);
    let float = |name: &str| columns.float(name, row).map(Option::unwrap_or_default);
    let mut floats = [None; FLOATS.len()];
    for (number, name) in floats.iter_mut().zip(FLOATS) {
        *number = columns.float(name, row)?;
    }
    let status = columns.text("value_status", row)?;
    let edges = columns.array("hist_edges")?.as_list::<i32>().value(row);
    let counts = columns.array("hist_counts")?.as_list::<i32>().value(row);
    Ok(Numbers {
        n: whole("n")?,
        n_null: whole("n_null")?,
        bad_n: whole("bad_n")?,
        sum: float("sum")?,
        sum_sq: float("sum_sq")?,
        floats,
        reference_n: columns.integer("reference_n", row)?,
        status: ValueStatus::ALL.into_iter().find(|known| Some(known.as_str()) == status),
        hist: hash(edges.as_primitive::<Float64Type>().values(), counts.as_primitive::<Int64Type>().values()),
    })
}

/// The latest revisions.
#[derive(Debug, Default)]
pub(super) struct Published(BTreeMap<Key, (i64, Numbers)>);

impl Published {
    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, columns: &Columns<'_>) -> Result<(), ArrowError> {
        for row in 0..columns.array("metric")?.len() {
            let group = columns.group(&Dimension::ALL, row)?;
            let whole = |name: &str| columns.integer(name, row).map(Option::unwrap_or_default);
            let metric: Arc<str> = columns.text("metric", row)?.unwrap_or_default().into();
            let scorer = columns.text("scorer", row)?.map(Arc::from);
            let key = (metric, columns.time("window_start", row)?, whole("window_s")?, group, scorer);
            let numbers = published(columns, row)?;
            let revision = whole("revision")?;
            let known = self.0.entry(key).or_insert((i64::MIN, numbers));
            if revision > known.0 {
                *known = (revision, numbers);
            }
        }
        Ok(())
    }

    /// The rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Numbers)> {
        self.0.iter().map(|(key, (_, numbers))| (key, numbers))
    }

    /// Whether there is a row.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }
}

/// A row for people.
pub(super) fn place((metric, start, window_s, group, _): &Key) -> String {
    let values: Vec<&str> = group.0.iter().flatten().map(|value| &**value).collect();
    format!("{metric} at {start} over {window_s} s of [{}]", values.join(", "))
}
