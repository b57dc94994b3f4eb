//! Everything that one commit of input makes true.

use std::collections::BTreeMap;

use super::Rows;
use crate::event::{Timestamp, TopicPartition};
use crate::log::Outcomes;
use crate::measure::PartialSet;

/// One epoch: the rows, partial aggregates, ids and counts of a stretch of input, and the positions it covers.
#[derive(Debug, Default)]
pub struct Epoch {
    /// Rows for the tables.
    pub rows: Rows,
    /// Partial aggregates for the evaluator.
    pub partials: PartialSet,
    /// Ids of the answers, for feedback that comes later: (hash of the id, kind of id, index into `rows.interactions`).
    pub ids: Vec<AnswerId>,
    /// Positions covered, by partition: `[from, to)`.
    pub offsets: BTreeMap<TopicPartition, (i64, i64)>,
    /// Watermark of each partition at the end of the epoch.
    pub watermarks: BTreeMap<TopicPartition, Timestamp>,
    /// One outcome per record and per event.
    pub outcomes: Outcomes,
}

/// An id by which feedback can name an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerId {
    /// Keyed hash of (kind of id, tenant-independent id text).
    pub hash: u128,
    /// End of the request.
    pub event_time: Timestamp,
    /// Index into [`PartialSet::groups`] of the answer's group.
    pub group: u32,
    /// Keyed hash of the answer's request id, equal for all ids of one answer.
    pub answer: u128,
}
