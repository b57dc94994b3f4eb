//! `groundwire.gateway_log.v1`: one request to a language model with its answer.

use serde_json::value::RawValue;

use super::{Text, Timestamp};

/// One request with its answer. `None` means unknown and is never turned into zero.
#[derive(Clone, Debug, Default)]
pub struct GatewayLog<'a> {
    /// End of the request.
    pub event_time: Timestamp,
    /// The gateway's id of the request.
    pub request_id: Text<'a>,
    /// W3C trace id.
    pub trace_id: Option<Text<'a>>,
    /// Span id within the trace.
    pub span_id: Option<Text<'a>>,
    /// The provider's id of the response.
    pub response_id: Option<Text<'a>>,
    /// Conversation or session.
    pub conversation_id: Option<Text<'a>>,
    /// Customer, business unit or team.
    pub tenant: Option<Text<'a>>,
    /// Application.
    pub app: Option<Text<'a>>,
    /// Route at the gateway.
    pub route: Option<Text<'a>>,
    /// User as the producer names them; only a keyed hash is ever stored.
    pub user_id: Option<Text<'a>>,
    /// Deployment environment (prod, test, …).
    pub environment: Option<Text<'a>>,
    /// The gateway that wrote this.
    pub gateway: Option<Text<'a>>,
    /// Model provider.
    pub provider: Option<Text<'a>>,
    /// Deployment of the model at the provider.
    pub deployment: Option<Text<'a>>,
    /// Model asked for.
    pub request_model: Option<Text<'a>>,
    /// Model that answered.
    pub response_model: Option<Text<'a>>,
    /// Service tier that served the request: standard, priority, batch, flex, …
    pub service_tier: Option<Text<'a>>,
    /// Operation in OpenTelemetry's words: chat, `text_completion`, embeddings, …
    pub operation: Option<Text<'a>>,
    /// Version of the prompt template.
    pub prompt_version: Option<Text<'a>>,
    /// Variant of a canary or A/B test.
    pub variant: Option<Text<'a>>,
    /// Grounding index and version that served the contexts, as name@version.
    pub index: Option<Text<'a>>,
    /// How the request ended, as the producer says.
    pub status: Option<Status>,
    /// HTTP status of the provider's reply.
    pub http_status: Option<i64>,
    /// Kind of error, if any.
    pub error_type: Option<Text<'a>>,
    /// Why generation stopped.
    pub finish_reason: Option<Text<'a>>,
    /// Whole duration in milliseconds, ≥ 0 and finite.
    pub latency_ms: Option<f64>,
    /// Time to the first token in milliseconds, ≥ 0 and finite.
    pub time_to_first_token_ms: Option<f64>,
    /// Token counts.
    pub usage: Usage,
    /// Cost in US dollars as the producer says, ≥ 0 and finite.
    pub cost_usd: Option<f64>,
    /// Rate-limit headers.
    pub quota: Quota,
    /// What was asked.
    pub prompt: Option<Text<'a>>,
    /// What was answered.
    pub response: Option<Text<'a>>,
    /// Expected answer, where one exists.
    pub reference: Option<Text<'a>>,
    /// What the model was given to answer from.
    pub contexts: Vec<Context<'a>>,
    /// Predicted class, for classification.
    pub prediction: Option<Text<'a>>,
    /// True class, where known.
    pub label: Option<Text<'a>>,
    /// Class probabilities, as the JSON object that came.
    pub probability: Option<&'a RawValue>,
    /// Findings of content-safety checks.
    pub safety: Vec<Safety<'a>>,
    /// Embedding of the prompt, as the JSON list of numbers that came.
    pub embedding: Option<&'a RawValue>,
    /// `attributes` and every field that is not in the schema, as raw JSON.
    pub attributes: Vec<Attribute<'a>>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Answered.
    Ok,
    /// Failed at the provider.
    Error,
    /// Stopped by a content filter.
    Filtered,
    /// The client went away.
    Cancelled,
    /// Refused for lack of quota.
    Throttled,
    /// No answer in time.
    Timeout,
}

/// Token counts in OpenTelemetry's inclusive convention: cached tokens are inside input, reasoning inside output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the input, cached ones included.
    pub input_tokens: Option<i64>,
    /// Tokens of the output, reasoning included.
    pub output_tokens: Option<i64>,
    /// Input tokens read from the provider's cache.
    pub cached_input_tokens: Option<i64>,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: Option<i64>,
    /// Of these, the ones that the provider keeps for an hour.
    pub cache_write_1h_tokens: Option<i64>,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: Option<i64>,
    /// Whether the provider reported the counts or someone estimated them.
    pub source: Option<UsageSource>,
}

/// Where token counts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageSource {
    /// The provider's own counts.
    Reported,
    /// A guess.
    Estimated,
}

/// Rate-limit state after the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Tokens per period.
    pub limit_tokens: Option<i64>,
    /// Requests per period.
    pub limit_requests: Option<i64>,
    /// Tokens left.
    pub remaining_tokens: Option<i64>,
    /// Requests left.
    pub remaining_requests: Option<i64>,
}

/// One passage the model was given.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    /// Id of the passage.
    pub id: Option<Text<'a>>,
    /// Its text.
    pub text: Option<Text<'a>>,
    /// The retriever's score.
    pub score: Option<f64>,
    /// Where it comes from.
    pub source: Option<Text<'a>>,
    /// Rank in the result, 1 = first.
    pub rank: Option<i64>,
}

/// One finding of a content-safety check.
#[derive(Clone, Debug, Default)]
pub struct Safety<'a> {
    /// Category, for example hate, `self_harm`, jailbreak.
    pub category: Text<'a>,
    /// Severity as the checker names it (safe, low, medium, high, or a number).
    pub severity: Option<Text<'a>>,
    /// The content was withheld.
    pub filtered: Option<bool>,
    /// The content was found to be of this category.
    pub detected: Option<bool>,
    /// Which side was checked.
    pub stage: Option<SafetyStage>,
}

/// The side of a request that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafetyStage {
    /// What was asked.
    Prompt,
    /// What was answered.
    Response,
}

/// A field outside the schema.
#[derive(Clone, Debug)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// Its value as it came.
    pub value: &'a RawValue,
}
