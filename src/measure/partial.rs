//! Partial aggregates of one measure in one pane (a minute of event time) and group.

use serde::{Deserialize, Serialize};

use super::Group;
use crate::event::Timestamp;

/// A measure that ingest aggregates: an index into the registry of measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Measure(pub u16);

/// Exact sums over the values of one measure. Values are integers in the measure's unit (billionths for scores and money,
/// microseconds for times, one for counts), so `merge` is associative and commutative (ME-1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Values seen.
    pub n: u64,
    /// Events that could have had a value and had none.
    pub n_null: u64,
    /// Sum of the values.
    pub sum: i128,
    /// Sum of the squares.
    pub sum_sq: i128,
    /// Least value; meaningless when `n` is 0.
    pub min: i64,
    /// Greatest value; meaningless when `n` is 0.
    pub max: i64,
    /// Values that count as bad (for a rate: its numerator).
    pub bad_n: u64,
    /// Counts by bin of the measure's fixed edges: (bin, count), ascending, no zero counts.
    pub hist: Vec<(u16, u32)>,
}

/// One partial with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialRow {
    /// Start of the pane.
    pub pane: Timestamp,
    /// Index into [`PartialSet::groups`].
    pub group: u32,
    /// What was measured.
    pub measure: Measure,
    /// The sums.
    pub partial: Partial,
}

/// The partials of one epoch, sorted by (pane, group, measure), each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSet {
    /// Groups that occur, each once.
    pub groups: Vec<Group>,
    /// The partials.
    pub rows: Vec<PartialRow>,
}
