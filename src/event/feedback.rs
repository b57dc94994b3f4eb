//! `groundwire.user_feedback.v1`: what a person, a judge or a program said of an answer.

use super::{Attribute, Text, Timestamp};

/// One piece of feedback.
#[derive(Clone, Debug, Default)]
pub struct UserFeedback<'a> {
    /// When it was given.
    pub event_time: Timestamp,
    /// Its id: a later event with the same id replaces an earlier one.
    pub feedback_id: Option<Text<'a>>,
    /// The answer it is about.
    pub target: Target<'a>,
    /// What was asked for: thumbs, rating, correction, resolved, …
    pub name: Text<'a>,
    /// The score; a boolean counts as 0 or 1.
    pub score: Option<f64>,
    /// The chosen label.
    pub label: Option<Text<'a>>,
    /// Free text.
    pub comment: Option<Text<'a>>,
    /// The answer as it should have been.
    pub correction: Option<Text<'a>>,
    /// Who says so.
    pub source: Option<FeedbackSource>,
    /// The user as the producer names them; only a keyed hash is ever stored.
    pub user_id: Option<Text<'a>>,
    /// Customer, where the producer knows it; otherwise taken from the answer.
    pub tenant: Option<Text<'a>>,
    /// Application, where the producer knows it; otherwise taken from the answer.
    pub app: Option<Text<'a>>,
    /// `attributes` and every field that is not in the schema, as raw JSON.
    pub attributes: Vec<Attribute<'a>>,
}

/// The ids by which feedback names its answer; at least one is present.
#[derive(Clone, Debug, Default)]
pub struct Target<'a> {
    /// The gateway's id of the request.
    pub request_id: Option<Text<'a>>,
    /// W3C trace id.
    pub trace_id: Option<Text<'a>>,
    /// Span id within the trace.
    pub span_id: Option<Text<'a>>,
    /// The provider's id of the response.
    pub response_id: Option<Text<'a>>,
    /// Conversation or session.
    pub conversation_id: Option<Text<'a>>,
}

/// Who gave the feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackSource {
    /// A person.
    Human,
    /// A language model used as a judge.
    LlmJudge,
    /// A program.
    Code,
}
