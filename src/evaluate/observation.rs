//! One metric over one stretch of time, as rules and rows read it.

use serde::{Deserialize, Serialize};

use crate::measure::Dimension;

/// One value per dimension of a query's `by`, in its order: (name, value). A group without the dimension has an empty value.
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
    pub value: Option<f64>,
    /// Values behind it.
    pub n: u64,
    /// Of these, bad ones.
    pub bad_n: u64,
    /// Events that could have had a value and had none.
    pub n_null: u64,
    /// Lower 95 % bound.
    pub lo: Option<f64>,
    /// Upper 95 % bound.
    pub hi: Option<f64>,
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Standard deviation of the values.
    pub stddev: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90 % quantile.
    pub p90: Option<f64>,
    /// 95 % quantile; none below 200 values.
    pub p95: Option<f64>,
    /// 99 % quantile; none below 1,000 values.
    pub p99: Option<f64>,
    /// The metric's own p (drift).
    pub p: Option<f64>,
    /// Factor by which the variance of `value` is greater than that of independent values; the interval is widened by it.
    pub dispersion: Option<f64>,
    /// Seconds of event time between the newest value and the end of the stretch.
    pub age: Option<f64>,
}
