//! What ingest needs to know, as plain values; `config` builds it.

use std::collections::BTreeMap;

use crate::decode::Limits;
use crate::event::{Input, Timestamp};
use crate::measure::{Dimension, Prices};

/// How much of the text of a topic's events is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextStorage {
    /// Redacted text.
    #[default]
    Full,
    /// A keyed hash of the redacted text.
    Hash,
    /// Nothing.
    None,
}

/// One topic.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// What its events are; `None` where each event names its schema.
    pub input: Option<Input>,
    /// How much of their text is kept.
    pub text: TextStorage,
}

/// What the scores of one name of feedback mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeedbackScale {
    /// Least score.
    pub lowest: f64,
    /// Greatest score.
    pub highest: f64,
    /// Scores that count as positive.
    pub positive: Positive,
}

/// Which scores count as positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Positive {
    /// This one and greater ones.
    From(f64),
    /// This one and smaller ones.
    UpTo(f64),
}

/// Settings of ingest.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Topics that are read.
    pub topics: BTreeMap<String, Topic>,
    /// Limits of the decoder.
    pub limits: Limits,
    /// Out-of-orderness to wait for, in microseconds, by [`Input`].
    pub lateness_us: [i64; 3],
    /// An event may be this far ahead of its record's own time.
    pub max_ahead_of_record_us: i64,
    /// An event of a record without a time may be this far ahead of the clock; `None` does not check.
    pub max_ahead_of_clock_us: Option<i64>,
    /// Window of event time in which a producer's repeat is dropped.
    pub dedup_window_us: i64,
    /// Most request ids remembered for that.
    pub dedup_capacity: usize,
    /// Most answers remembered for matching feedback.
    pub recent_capacity: usize,
    /// Dimensions that gateway metrics are grouped by.
    pub group_by: Vec<Dimension>,
    /// Most groups of one tenant in one epoch; what is beyond goes to `__other__`.
    pub groups_per_tenant: usize,
    /// Known names of feedback.
    pub feedback: BTreeMap<String, FeedbackScale>,
    /// What tokens cost.
    pub prices: Prices,
    /// The lake's key, for ids.
    pub key: [u8; 32],
}

impl Settings {
    /// The bound of a partition of a topic: its input's, or the greatest where the topic carries any.
    #[must_use]
    pub fn lateness_us(&self, topic: &str) -> i64 {
        match self.topics.get(topic).and_then(|topic| topic.input) {
            Some(input) => self.lateness_us[input as usize],
            None => self.lateness_us.into_iter().max().unwrap_or(30 * Timestamp::SECOND_US),
        }
    }
}
