//! What Groundwire consumes: the three events, the records that carry them, and the fate of each record.
//!
//! These are plain data. Parsing lives in `decode`, and nothing here knows where a record came from or where it goes.
//! Text is borrowed from the record where JSON allows it, so that decoding does not copy.

mod feedback;
mod gateway_log;
mod outcome;
mod pipeline_event;
mod record;
mod text;
mod timestamp;

pub use feedback::{FeedbackSource, Target, UserFeedback};
pub use gateway_log::{Attribute, Context, GatewayLog, Quota, Safety, SafetyStage, Status, Usage, UsageSource};
pub use outcome::{Outcome, OutcomeCounts, Reason};
pub use pipeline_event::{Dataset, PipelineEvent, PipelineState};
pub use record::{Cut, Header, Input, Record, Records, TopicPartition};
pub use text::Text;
pub use timestamp::Timestamp;
