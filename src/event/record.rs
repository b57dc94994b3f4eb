//! Records as a source hands them over: bytes with a position, many in one buffer.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// One partition of one topic, written as `topic/partition`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Number of the partition.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// The three kinds of input. Each has a watermark of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Requests with their answers.
    Gateway,
    /// What users said of an answer.
    Feedback,
    /// Index builds, data jobs, deploys.
    Pipeline,
}

impl Input {
    /// All inputs, in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Feedback, Self::Pipeline];

    /// The name used in configuration, rows and telemetry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Feedback => "feedback",
            Self::Pipeline => "pipeline",
        }
    }
}

/// A header of a record; the value is whatever bytes the producer put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name.
    pub key: String,
    /// Value, if any.
    pub value: Option<Vec<u8>>,
}

/// Where one record stands, and where its bytes lie in [`Records::bytes`].
#[derive(Clone, Debug)]
pub struct Record {
    /// Index into [`Records::partitions`].
    pub partition: u32,
    /// Position of the record: Kafka offset, or byte offset in a file.
    pub offset: i64,
    /// Position after the record, from which reading goes on (`offset + 1` in Kafka).
    pub next_offset: i64,
    /// The record's own time, where the source has one (Kafka), else `None` (files).
    pub time: Option<Timestamp>,
    /// Key bytes within [`Records::bytes`], if the record has a key.
    pub key: Option<Range<usize>>,
    /// Value bytes within [`Records::bytes`]. `None` for a tombstone.
    pub value: Option<Range<usize>>,
    /// Index into [`Records::headers`], if the record has headers.
    pub headers: Option<u32>,
    /// Index into [`Records::cut`], if the source held only the start of the value because it is too large to hold.
    pub cut: Option<u32>,
}

/// What a value was that is too large to be held whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its bytes.
    pub length: u64,
    /// SHA-256 of all of them.
    pub sha256: [u8; 32],
}

/// A batch of records of any partitions, in the order of each partition. One allocation holds all bytes.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Keys and values.
    pub bytes: Vec<u8>,
    /// Partitions that occur.
    pub partitions: Vec<TopicPartition>,
    /// Header lists that occur.
    pub headers: Vec<Vec<Header>>,
    /// Values that are not here whole.
    pub cut: Vec<Cut>,
    /// The records.
    pub records: Vec<Record>,
}

impl Records {
    /// The value's bytes of a record of this batch; empty for a tombstone.
    #[must_use]
    pub fn value(&self, record: &Record) -> &[u8] {
        record.value.clone().and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }

    /// The key's bytes of a record of this batch.
    #[must_use]
    pub fn key(&self, record: &Record) -> Option<&[u8]> {
        record.key.clone().and_then(|range| self.bytes.get(range))
    }

    /// The headers of a record of this batch.
    #[must_use]
    pub fn headers(&self, record: &Record) -> &[Header] {
        record.headers.and_then(|at| self.headers.get(at as usize)).map_or(&[], Vec::as_slice)
    }

    /// What the whole value was, if only its start is here.
    #[must_use]
    pub fn cut(&self, record: &Record) -> Option<Cut> {
        record.cut.and_then(|at| self.cut.get(at as usize)).copied()
    }

    /// Index of a partition in [`Self::partitions`], added if it is new.
    #[expect(clippy::cast_possible_truncation, reason = "a consumer has far fewer than 2^32 partitions")]
    pub fn partition(&mut self, topic: &str, partition: i32) -> u32 {
        let known = self.partitions.iter().position(|p| p.partition == partition && &*p.topic == topic);
        known.unwrap_or_else(|| {
            self.partitions.push(TopicPartition { topic: topic.into(), partition });
            self.partitions.len() - 1
        }) as u32
    }
}
