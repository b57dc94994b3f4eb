//! What the simulated gateway, feedback widget and pipelines write: one JSON object a line, in the schemas
//! `groundwire.gateway_log.v1`, `groundwire.user_feedback.v1` and `groundwire.pipeline_event.v1`.
//!
//! Written by hand against the schemas and not from the service's own types, so that the demo also tests the decoder.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::Timestamp;

/// One request with its answer.
#[expect(clippy::struct_field_names, reason = "the schema's names")]
#[derive(Clone, Default, Serialize)]
pub(super) struct Request {
    pub(super) schema: &'static str,
    pub(super) event_time: Timestamp,
    pub(super) request_id: String,
    pub(super) trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conversation_id: Option<String>,
    pub(super) tenant: &'static str,
    pub(super) app: &'static str,
    pub(super) route: &'static str,
    pub(super) user_id: String,
    pub(super) environment: &'static str,
    pub(super) gateway: &'static str,
    pub(super) provider: &'static str,
    pub(super) deployment: &'static str,
    pub(super) request_model: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_model: Option<&'static str>,
    pub(super) operation: &'static str,
    pub(super) prompt_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<String>,
    pub(super) status: &'static str,
    pub(super) http_status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<&'static str>,
    pub(super) latency_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_to_first_token_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost_usd: Option<f64>,
    pub(super) quota: Quota,
    pub(super) prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) contexts: Vec<Passage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prediction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) probability: BTreeMap<&'static str, f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) safety: Vec<Finding>,
    pub(super) attributes: BTreeMap<&'static str, &'static str>,
}

/// Token counts, cached ones inside the input.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Usage {
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) cached_input_tokens: i64,
    pub(super) source: &'static str,
}

/// Rate-limit headers.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Quota {
    pub(super) limit_tokens: i64,
    pub(super) remaining_tokens: i64,
    pub(super) limit_requests: i64,
    pub(super) remaining_requests: i64,
}

/// A passage that the model was given.
#[derive(Clone, Serialize)]
pub(super) struct Passage {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) score: f64,
    pub(super) source: &'static str,
    pub(super) rank: u8,
}

/// A finding of the content-safety check.
#[derive(Clone, Serialize)]
pub(super) struct Finding {
    pub(super) category: &'static str,
    pub(super) severity: &'static str,
    pub(super) filtered: bool,
    pub(super) stage: &'static str,
}

/// What a user or a person in the back office said of an answer.
#[expect(clippy::struct_field_names, reason = "the schema's names")]
#[derive(Clone, Serialize)]
pub(super) struct Feedback {
    pub(super) schema: &'static str,
    pub(super) event_time: Timestamp,
    pub(super) feedback_id: String,
    pub(super) target: Target,
    pub(super) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<&'static str>,
    pub(super) source: &'static str,
    pub(super) user_id: String,
    pub(super) tenant: &'static str,
    pub(super) app: &'static str,
}

/// The answer that feedback is about.
#[derive(Clone, Serialize)]
pub(super) struct Target {
    pub(super) request_id: String,
}

/// A change of state of a pipeline run, or a deployment.
#[derive(Clone, Default, Serialize)]
pub(super) struct PipelineRun {
    pub(super) schema: &'static str,
    pub(super) event_time: Timestamp,
    pub(super) run_id: String,
    pub(super) job: &'static str,
    pub(super) namespace: &'static str,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) inputs: Vec<Dataset>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<Dataset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows_out: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows_failed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data_watermark: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) embedding_model: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompt_version: Option<&'static str>,
    pub(super) tenant: &'static str,
    pub(super) app: &'static str,
}

/// A dataset or index with its version.
#[derive(Clone, Serialize)]
pub(super) struct Dataset {
    pub(super) name: &'static str,
    pub(super) version: String,
}

/// One line of JSON.
pub(super) fn line<T: Serialize>(value: &T) -> String {
    // Plain structs with string keys: `serde_json` can fail only on maps with other keys.
    serde_json::to_string(value).unwrap_or_default()
}
