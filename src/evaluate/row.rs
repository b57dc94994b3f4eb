//! One row of the `metrics` table.

use std::sync::Arc;

use crate::event::Timestamp;
use crate::measure::Group;

/// What a row's value is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueStatus {
    /// Enough values.
    Ok,
    /// Too few values to decide anything by.
    Thin,
    /// Nothing it could be computed from.
    NotApplicable,
}

impl ValueStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Thin, Self::NotApplicable];

    /// The name in the `value_status` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Thin => "thin",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// One metric of one group in one window. Revisions of the same key (metric, `window_start`, `window_s`, group, scorer) replace
/// each other: the one with the greatest revision holds.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRow {
    /// Name in the registry.
    pub metric: Arc<str>,
    /// Start of the window, a multiple of its length since 1970.
    pub window_start: Timestamp,
    /// Length of the window in seconds.
    pub window_s: i64,
    /// The group.
    pub group: Arc<Group>,
    /// Values; for a rate or ratio its denominator.
    pub n: i64,
    /// Events that could have had a value and had none.
    pub n_null: i64,
    /// Sum of the values in the metric's unit; for a rate or ratio its numerator. The nearest `f64` to the exact sum.
    pub sum: f64,
    /// Sum of the squares, likewise.
    pub sum_sq: f64,
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Bad values; for a rate its numerator.
    pub bad_n: i64,
    /// The value.
    pub value: Option<f64>,
    /// What it is worth.
    pub value_status: ValueStatus,
    /// Probability of at least this difference to the reference if nothing had changed (drift).
    pub p: Option<f64>,
    /// What the value would be on average without drift.
    pub expected: Option<f64>,
    /// Values of the reference or of the window before.
    pub reference_n: Option<i64>,
    /// Factor by which the variance is greater than that of independent values; the interval is widened by it. None where it was
    /// not measured.
    pub dispersion: Option<f64>,
    /// Lower 95 % bound.
    pub lo: Option<f64>,
    /// Upper 95 % bound.
    pub hi: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90 % quantile.
    pub p90: Option<f64>,
    /// 95 % quantile; none below 200 values.
    pub p95: Option<f64>,
    /// 99 % quantile; none below 1,000 values.
    pub p99: Option<f64>,
    /// Greatest value of each non-empty bin of the histogram, ascending, in the metric's unit.
    pub hist_edges: Vec<f64>,
    /// Values in these bins.
    pub hist_counts: Vec<i64>,
    /// 0 when first published; a later revision is greater.
    pub revision: i64,
    /// Every partition had passed the window's end. Late events can still bring a further revision.
    pub is_final: bool,
    /// Share of the partitions that had passed the window's end.
    pub coverage: f64,
    /// Time of the log entry that made this row.
    pub as_of: Timestamp,
    /// The scorer that made the values, for scored metrics.
    pub scorer: Option<Arc<str>>,
}

impl MetricRow {
    /// A final row of a rate whose numerator is nothing, in a window given by its start and length in seconds.
    #[must_use]
    pub fn of_rate(
        metric: &Arc<str>,
        (window_start, window_s): (Timestamp, i64),
        group: &Group,
        n: i64,
        bounds: Option<(f64, f64)>,
    ) -> Self {
        Self {
            metric: Arc::clone(metric),
            window_start,
            window_s,
            group: Arc::new(group.clone()),
            n,
            n_null: 0,
            sum: 0.0,
            sum_sq: 0.0,
            min: None,
            max: None,
            bad_n: 0,
            value: (n > 0).then_some(0.0),
            p: None,
            expected: None,
            reference_n: None,
            dispersion: None,
            value_status: if n > 0 { ValueStatus::Ok } else { ValueStatus::NotApplicable },
            lo: bounds.map(|(lo, _)| lo),
            hi: bounds.map(|(_, hi)| hi),
            p50: None,
            p90: None,
            p95: None,
            p99: None,
            hist_edges: Vec::new(),
            hist_counts: Vec::new(),
            revision: 0,
            is_final: true,
            coverage: 1.0,
            as_of: Timestamp::default(),
            scorer: None,
        }
    }
}
