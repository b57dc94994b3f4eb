//! The own schemas, field by field. The JSON Schemas in `schemas/` say the same; a test compares the two.

use serde::de::{Deserialize, DeserializeSeed, Deserializer};

use super::Limits;
use super::object::{Object, ObjectSeed, Required, object};
use super::reader::{Reader, Word};
use crate::event::{
    Attribute, Context, Dataset, FeedbackSource, GatewayLog, PipelineEvent, PipelineState, Quota, Reason, Safety, SafetyStage,
    Status, Target, Usage, UsageSource, UserFeedback,
};

/// An event as a whole.
pub(super) trait OwnEvent<'de>: Object<'de> + Default {
    /// Takes the fields outside the schema.
    fn keep(&mut self, attributes: Vec<Attribute<'de>>);
}

impl<'de> OwnEvent<'de> for GatewayLog<'de> {
    fn keep(&mut self, attributes: Vec<Attribute<'de>>) {
        self.attributes = attributes;
    }
}

impl<'de> OwnEvent<'de> for UserFeedback<'de> {
    fn keep(&mut self, attributes: Vec<Attribute<'de>>) {
        self.attributes = attributes;
    }
}

impl<'de> OwnEvent<'de> for PipelineEvent<'de> {
    fn keep(&mut self, attributes: Vec<Attribute<'de>>) {
        self.attributes = attributes;
    }
}

object! { GatewayLog<'de>,
    required: [event_time, request_id],
    event_time: required_time,
    request_id: required_name,
    trace_id: name,
    span_id: name,
    response_id: name,
    conversation_id: name,
    tenant: name,
    app: name,
    route: name,
    user_id: name,
    environment: name,
    gateway: name,
    provider: name,
    deployment: name,
    request_model: name,
    response_model: name,
    service_tier: name,
    operation: name,
    prompt_version: name,
    variant: name,
    index: name,
    status: word,
    http_status: http_status,
    error_type: name,
    finish_reason: name,
    latency_ms: amount,
    time_to_first_token_ms: amount,
    usage: object,
    cost_usd: amount,
    quota: object,
    prompt: text,
    response: text,
    reference: text,
    contexts: contexts,
    prediction: name,
    label: name,
    probability: probability,
    safety: list,
    embedding: embedding,
    attributes: attributes,
}

object! { Usage,
    required: [],
    input_tokens: count,
    output_tokens: count,
    cached_input_tokens: count,
    cache_write_tokens: count,
    cache_write_1h_tokens: count,
    reasoning_tokens: count,
    source: word,
}

object! { Quota,
    required: [],
    limit_tokens: count,
    limit_requests: count,
    remaining_tokens: count,
    remaining_requests: count,
}

object! { Context<'de>,
    required: [],
    id: name,
    text: text,
    score: number,
    source: name,
    rank: count,
}

object! { Safety<'de>,
    required: [category],
    category: required_name,
    severity: name_or_number,
    filtered: boolean,
    detected: boolean,
    stage: word,
}

object! { UserFeedback<'de>,
    required: [event_time, target, name],
    event_time: required_time,
    feedback_id: name,
    target: object,
    name: required_name,
    score: score,
    label: name,
    comment: text,
    correction: text,
    source: word,
    user_id: name,
    tenant: name,
    app: name,
    attributes: attributes,
}

object! { Target<'de>,
    required: [],
    check: |target, reader| {
        let ids = [&target.request_id, &target.trace_id, &target.span_id, &target.response_id, &target.conversation_id];
        if ids.into_iter().flatten().any(|id| !id.is_empty()) {
            return Ok(());
        }
        let expected = "expected at least one of request_id, trace_id, span_id, response_id, conversation_id";
        Err(reader.refuse(Reason::MissingField, format_args!("names no answer, {expected}")))
    },
    request_id: name,
    trace_id: name,
    span_id: name,
    response_id: name,
    conversation_id: name,
}

object! { PipelineEvent<'de>,
    required: [event_time, run_id, job, state],
    event_time: required_time,
    run_id: required_name,
    parent_run_id: name,
    job: required_name,
    namespace: name,
    kind: name,
    state: required_word,
    started_at: time,
    ended_at: time,
    inputs: list,
    outputs: list,
    rows_in: count,
    rows_out: count,
    rows_failed: count,
    bytes: count,
    data_watermark: time,
    error_type: name,
    error: text,
    chunking: text,
    embedding_model: name,
    deployment: name,
    model: name,
    prompt_version: name,
    tenant: name,
    app: name,
    attributes: attributes,
}

object! { Dataset<'de>,
    required: [name],
    name: required_name,
    version: name_or_number,
}

impl Word for Status {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("ok", Self::Ok),
        ("error", Self::Error),
        ("filtered", Self::Filtered),
        ("cancelled", Self::Cancelled),
        ("throttled", Self::Throttled),
        ("timeout", Self::Timeout),
    ];
}

impl Word for UsageSource {
    const WORDS: &'static [(&'static str, Self)] = &[("reported", Self::Reported), ("estimated", Self::Estimated)];
}

impl Word for SafetyStage {
    const WORDS: &'static [(&'static str, Self)] = &[("prompt", Self::Prompt), ("response", Self::Response)];
}

impl Word for FeedbackSource {
    const WORDS: &'static [(&'static str, Self)] = &[("human", Self::Human), ("llm_judge", Self::LlmJudge), ("code", Self::Code)];
}

impl Word for PipelineState {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("START", Self::Start),
        ("RUNNING", Self::Running),
        ("COMPLETE", Self::Complete),
        ("FAIL", Self::Fail),
        ("ABORT", Self::Abort),
    ];
}

impl<'de> Deserialize<'de> for GatewayLog<'de> {
    /// Within the default limits. Needs a deserializer of borrowed JSON.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limits = Limits::default();
        let reader = Reader::new(&limits, Some(super::schema_name(crate::event::Input::Gateway)));
        let mut log = Self::default();
        ObjectSeed::event(&reader, Required::Schema, &mut log).deserialize(deserializer)?;
        log.attributes = reader.into_attributes();
        Ok(log)
    }
}
