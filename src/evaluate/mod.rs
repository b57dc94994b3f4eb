//! The evaluator's measuring half: a fold over log entries that turns partial aggregates into published rows and into numbers
//! for rules.
//!
//! [`State::absorb`] reads an entry, [`State::advance`] closes and publishes. The same log gives the same rows; however the
//! input was cut into epochs, ordered or restarted, the last revision of every row is the same. Late events are never dropped:
//! they make revisions, and what is beyond memory is counted.
//!
//! Pure: no clock, no I/O. Alerts are `alert`'s work, rows become Parquet in `lake`.

mod advance;
mod carried;
mod change;
mod comparison;
mod derive;
mod dispersion;
pub mod drift;
mod freshness;
mod groups;
pub mod interval;
mod maturity;
mod observation;
mod pane;
mod plan;
mod pooled;
mod publications;
mod publish;
mod recompute;
mod reprice;
mod row;
mod served;
mod service;
mod snapshot;
mod state;
mod watermark;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use advance::Tick;
pub use carried::Carried;
pub use drift::{Drift, Pinned, Reference};
pub use maturity::{AGES_HOURS, Cohorts, Maturity, age_reached, maturity};
pub use observation::{Filter, Keep, Labels, Observation, Query};
pub use publications::Publications;
pub use recompute::{Recomputation, StoredAnswer, StoredFeedback, StoredRating, last_revisions};
pub use reprice::Repriced;
pub use row::{MetricRow, ValueStatus};
pub use snapshot::Error;
pub use state::{Settled, State};

use crate::event::Timestamp;
use crate::measure::Inputs;

/// What the evaluator is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which inputs each topic may carry. Partitions of other topics are ignored.
    pub topics: BTreeMap<String, Inputs>,
    /// A window closes without a partition that has not passed its end this long after another did, in microseconds of the
    /// log's time. `None` under an event clock, where a partition is never stuck but only not read yet.
    pub stuck_after_us: Option<i64>,
    /// How long closed panes stay in memory: how late an event may be to correct every window it touches, in microseconds.
    pub keep_us: i64,
    /// The same for hours of metrics by answer and of daily metrics, and for feedback, which may be replaced.
    pub keep_answers_us: i64,
    /// Groups per tenant and day of event time; beyond, they are folded into `__other__`.
    pub groups_per_tenant: usize,
    /// Memory of closed panes, in bytes; beyond, the oldest minutes, then quarters, then hours are
    /// forgotten early.
    pub closed_bytes_max: usize,
    /// What drift is measured against.
    pub reference: Reference,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            topics: BTreeMap::new(),
            stuck_after_us: Some(3 * Timestamp::MINUTE_US),
            keep_us: 26 * Timestamp::HOUR_US,
            keep_answers_us: 8 * Timestamp::DAY_US,
            groups_per_tenant: 1_000,
            closed_bytes_max: 256 << 20,
            reference: Reference::Trailing,
        }
    }
}

/// What the evaluator counts about its own work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Partials that came after their pane had closed and corrected it.
    pub late: u64,
    /// Of these, partials too late to correct every window they touch.
    pub beyond_memory: u64,
    /// Partials whose group was folded into `__other__`.
    pub folded: u64,
    /// Hours of closed panes forgotten early for lack of memory.
    pub evicted_hours: u64,
    /// Groups in memory.
    pub groups: u64,
    /// Bytes of closed panes in memory.
    pub closed_bytes: u64,
    /// Cells of open panes in memory.
    pub open_cells: u64,
    /// Minute of the log's time at which rules on the service were last judged.
    pub(crate) service_minute: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
