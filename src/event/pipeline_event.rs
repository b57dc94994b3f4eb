//! `groundwire.pipeline_event.v1`: a step in the life of the data, indexes, models and prompts behind the answers.

use super::{Attribute, Text, Timestamp};

/// A change of state of one run.
#[derive(Clone, Debug, Default)]
pub struct PipelineEvent<'a> {
    /// When the state changed.
    pub event_time: Timestamp,
    /// The run.
    pub run_id: Text<'a>,
    /// The run that started this one.
    pub parent_run_id: Option<Text<'a>>,
    /// Name of the job.
    pub job: Text<'a>,
    /// Where the job lives.
    pub namespace: Option<Text<'a>>,
    /// What it does: ingest, chunk, embed, index, train, evaluate, deploy, …
    pub kind: Option<Text<'a>>,
    /// The state it is in now.
    pub state: PipelineState,
    /// Start of the run.
    pub started_at: Option<Timestamp>,
    /// End of the run.
    pub ended_at: Option<Timestamp>,
    /// What was read.
    pub inputs: Vec<Dataset<'a>>,
    /// What was written.
    pub outputs: Vec<Dataset<'a>>,
    /// Rows read.
    pub rows_in: Option<i64>,
    /// Rows written.
    pub rows_out: Option<i64>,
    /// Rows that failed.
    pub rows_failed: Option<i64>,
    /// Bytes written.
    pub bytes: Option<i64>,
    /// How fresh the data is.
    pub data_watermark: Option<Timestamp>,
    /// Kind of error.
    pub error_type: Option<Text<'a>>,
    /// Message of the error.
    pub error: Option<Text<'a>>,
    /// How texts were cut.
    pub chunking: Option<Text<'a>>,
    /// Model that made the embeddings.
    pub embedding_model: Option<Text<'a>>,
    /// Deployment that changed.
    pub deployment: Option<Text<'a>>,
    /// Model that changed.
    pub model: Option<Text<'a>>,
    /// Prompt version that changed.
    pub prompt_version: Option<Text<'a>>,
    /// Customer, where the producer knows it.
    pub tenant: Option<Text<'a>>,
    /// Application, where the producer knows it.
    pub app: Option<Text<'a>>,
    /// `attributes` and every field that is not in the schema, as raw JSON.
    pub attributes: Vec<Attribute<'a>>,
}

/// State of a run, in `OpenLineage`'s words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PipelineState {
    /// It began.
    #[default]
    Start,
    /// It goes on.
    Running,
    /// It ended well.
    Complete,
    /// It ended badly.
    Fail,
    /// It was stopped.
    Abort,
}

impl PipelineState {
    /// The name in events and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

/// A dataset or index with its version.
#[derive(Clone, Debug, Default)]
pub struct Dataset<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// Its version.
    pub version: Option<Text<'a>>,
}
