//! Everything that one commit of input makes true.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Rows, Span};
use crate::event::{Timestamp, TopicPartition};
use crate::join::{IdHash, Scored};
use crate::log::Outcomes;
use crate::measure::PartialSet;

/// One epoch: the rows, partial aggregates, ids and counts of a stretch of input, and the positions it covers.
#[derive(Debug, Default)]
pub struct Epoch {
    /// Rows for the tables.
    pub rows: Rows,
    /// Partial aggregates for the evaluator.
    pub partials: PartialSet,
    /// Ids of the answers, for feedback that comes later and for a restart.
    pub ids: Vec<AnswerIds>,
    /// Scorers of the answers' scores.
    pub scorers: Vec<Arc<str>>,
    /// Answers that were counted as rated.
    pub rated: Vec<Rated>,
    /// Hashes by which repeats of the feedback are known, with its time.
    pub repeats: Vec<(u128, Timestamp)>,
    /// Positions covered, by partition: `[from, to)`.
    pub offsets: BTreeMap<TopicPartition, (i64, i64)>,
    /// Watermark of each partition at the end of the epoch.
    pub watermarks: BTreeMap<TopicPartition, Timestamp>,
    /// One outcome per record and per event.
    pub outcomes: Outcomes,
}

/// The ids by which feedback can name an answer, and by which a repeat of it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerIds {
    /// End of the request.
    pub event_time: Timestamp,
    /// Index into [`PartialSet::groups`] of the answer's group.
    pub group: u32,
    /// The request id as stored, a stretch of `rows.interactions.text`.
    pub request_id: Span,
    /// Hash of (topic, tenant, request id).
    pub repeat: u128,
    /// Hashes of the ids, in the order of `join::IdKind`: request, span, response, trace, conversation.
    pub ids: [Option<IdHash>; 5],
    /// Its score, by a scorer of [`Epoch::scorers`].
    pub scored: Option<Scored>,
}

/// A note that an answer was counted as rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rated {
    /// Time of the answer.
    pub event_time: Timestamp,
    /// Index into [`PartialSet::groups`] of the answer's group.
    pub group: u32,
    /// Hash that tells answers apart.
    pub note: u128,
}
