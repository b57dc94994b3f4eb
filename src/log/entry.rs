//! One entry of the commit log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{OutcomeCounts, Timestamp};

/// What wrote the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An epoch of input.
    Ingest,
    /// A step of the evaluator.
    Evaluate,
    /// Upkeep: compaction, retention, late matches.
    Keep,
}

/// Progress over one input: valid only if `from` is where the log before this entry stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// `topic/partition`, or `evaluate` or `keep` for progress over the log itself.
    pub input: String,
    /// Where the log stood.
    pub from: i64,
    /// Where it stands with this entry.
    pub to: i64,
}

/// A file that becomes part of a table, or an internal object (`table` starts with `_`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Table, for example `interactions`; `_partials` and `_ids` for internal ones.
    pub table: String,
    /// Event date in UTC, `YYYY-MM-DD`; empty for internal objects.
    pub date: String,
    /// Where it was staged.
    pub staged: String,
    /// Where it is published.
    pub r#final: String,
    /// Rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, lowercase hex.
    pub sha256: String,
}

/// Outcome counts of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Of records, by input (`gateway`, `feedback`, `pipeline`).
    pub records: BTreeMap<String, OutcomeCounts>,
    /// Of events, by input.
    pub events: BTreeMap<String, OutcomeCounts>,
    /// Events that came after their window was closed, by input.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<String, u64>,
}

/// A stretch of input that was gone before it could be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// `topic/partition`.
    pub input: String,
    /// First missing position.
    pub from: i64,
    /// First position that exists again.
    pub to: i64,
}

/// State of one partition as its reader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputHealth {
    /// End of the partition (high watermark), if known.
    pub end: Option<i64>,
    /// Records (Kafka) or bytes (files) between position and end.
    pub lag: Option<i64>,
    /// Read to its end when the entry was written.
    pub caught_up: bool,
}

/// What the writer knew of itself, so that rules on the service are decided from the log alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Connected to the source.
    pub connected: bool,
    /// Partitions assigned, with their state.
    pub inputs: BTreeMap<String, InputHealth>,
    /// Age in seconds of the oldest notification not yet delivered, if any.
    pub oldest_unsent_secs: Option<i64>,
}

/// One entry. Its number is its place in the log and its name (twelve digits).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this format.
    pub format: u32,
    /// Place in the log, from 1.
    pub number: u64,
    /// Random id of the attempt, 32 hex characters.
    pub id: String,
    /// What wrote it.
    pub kind: Kind,
    /// Name of the process that wrote it.
    pub writer: String,
    /// Wall clock when it was written (under an event clock: that clock).
    pub written_at: Timestamp,
    /// Progress.
    pub cursors: Vec<Cursor>,
    /// Watermark of each partition after this entry, by `topic/partition`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub watermarks: BTreeMap<String, Timestamp>,
    /// Outcomes of the epoch.
    #[serde(default)]
    pub outcomes: Outcomes,
    /// Files that this entry adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Final names of files that this entry takes away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Input that was lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// Transitions of alerts: written and read by `alert`, opaque here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<serde_json::Value>,
    /// Changes of the outbox (new, claimed, result), acknowledgements, new rules: written and read by `alert`, opaque here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<serde_json::Value>,
    /// Decisions that a replay must repeat (for example partitions left out of a window): read by `evaluate`, opaque here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<serde_json::Value>,
    /// State of the writer.
    #[serde(default)]
    pub health: Health,
}

impl Entry {
    /// An entry that says nothing yet. Its number is given when it is appended.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: Kind, writer: impl Into<String>, written_at: Timestamp) -> Self {
        Self {
            format: super::FORMAT,
            number: 0,
            id: id.into(),
            kind,
            writer: writer.into(),
            written_at,
            cursors: Vec::new(),
            watermarks: BTreeMap::new(),
            outcomes: Outcomes::default(),
            files: Vec::new(),
            remove: Vec::new(),
            lost: Vec::new(),
            transitions: Vec::new(),
            outbox: Vec::new(),
            decisions: Vec::new(),
            health: Health::default(),
        }
    }
}
