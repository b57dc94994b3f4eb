//! What alerts need to know: the numbers of a metric, pooled over a stretch of event time.
//!
//! `evaluate` answers for live traffic and history alike; tests answer from a table.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::measure::Dimension;

/// One value per dimension of a rule's `by`, in its order.
pub type Labels = Vec<(String, String)>;

/// A condition on one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The dimension.
    pub dimension: Dimension,
    /// Values to keep, or to leave out.
    pub values: Vec<String>,
    /// What to do with the values.
    pub keep: Keep,
}

/// What a filter does with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Keeps only them.
    Only,
    /// Leaves them out.
    Others,
}

/// Which numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Name in the registry of metrics.
    pub metric: String,
    /// Which groups take part; all conditions must hold.
    pub filter: Vec<Filter>,
    /// One result per distinct tuple of these.
    pub by: Vec<Dimension>,
}

/// A metric over one stretch of time and one tuple of labels. A name without a value there is `None`, never 0 and never NaN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The metric's value (a re-aggregation, never a mean of means).
    #[serde(with = "super::exact")]
    pub value: Option<f64>,
    /// Values behind it.
    pub n: u64,
    /// Of these, bad ones.
    pub bad_n: u64,
    /// Events that could have had a value and had none.
    pub n_null: u64,
    /// Lower 95 % bound.
    #[serde(with = "super::exact")]
    pub lo: Option<f64>,
    /// Upper 95 % bound.
    #[serde(with = "super::exact")]
    pub hi: Option<f64>,
    /// Least value.
    #[serde(with = "super::exact")]
    pub min: Option<f64>,
    /// Greatest value.
    #[serde(with = "super::exact")]
    pub max: Option<f64>,
    /// Standard deviation of the values.
    #[serde(with = "super::exact")]
    pub stddev: Option<f64>,
    /// Median.
    #[serde(with = "super::exact")]
    pub p50: Option<f64>,
    /// 90 % quantile.
    #[serde(with = "super::exact")]
    pub p90: Option<f64>,
    /// 95 % quantile.
    #[serde(with = "super::exact")]
    pub p95: Option<f64>,
    /// 99 % quantile.
    #[serde(with = "super::exact")]
    pub p99: Option<f64>,
    /// The metric's own p (drift).
    #[serde(with = "super::exact")]
    pub p: Option<f64>,
    /// Seconds of event time between the newest value and the end of the stretch.
    #[serde(with = "super::exact")]
    pub age: Option<f64>,
}

/// The source of numbers.
pub trait Measurements {
    /// The metric in `[from, to)`, one result per tuple that has anything there, ordered by labels.
    fn pooled(&self, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)>;
}
