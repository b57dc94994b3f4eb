//! What alerts need to know: the numbers of a metric, pooled over a stretch of event time.
//!
//! `evaluate` answers for live traffic and history alike; tests answer from a table.

pub use crate::evaluate::{Filter, Keep, Labels, Observation, Query};
use crate::evaluate::{State, Tick};
use crate::event::Timestamp;

/// The source of numbers.
pub trait Measurements {
    /// The metric in `[from, to)`, one result per tuple that has anything there, ordered by labels.
    fn pooled(&self, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)>;

    /// Whether a rule on this metric is to be judged now: its numbers have just become complete up to the moment.
    fn is_due(&self, metric: &str) -> bool;
}

/// The evaluator's memory at one moment. A rule whose metric is not complete up to it yet is judged at a later one.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The memory.
    pub state: &'a State,
    /// The moment.
    pub tick: Tick,
}

impl Measurements for At<'_> {
    fn pooled(&self, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)> {
        self.state.pooled(query, from, to)
    }

    fn is_due(&self, metric: &str) -> bool {
        self.state.is_due(metric, self.tick)
    }
}
