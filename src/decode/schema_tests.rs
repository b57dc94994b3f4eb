//! The JSON Schemas and examples in `schemas/` say what is decoded here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::object::Object;
use super::{Event, Limits, decode, schema_name};
use crate::event::{
    Context, Dataset, FeedbackSource, GatewayLog, Input, PipelineEvent, PipelineState, Quota, Safety, SafetyStage, Status, Target,
    Text, Usage, UsageSource, UserFeedback,
};

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn short(input: Input) -> &'static str {
    schema_name(input).trim_start_matches("groundwire.")
}

fn schema(input: Input) -> Value {
    let path = schemas().join(format!("{}.schema.json", short(input)));
    serde_json::from_str(&fs::read_to_string(path).expect("the schema is part of the project")).expect("JSON")
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("examples are part of the project");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    let name = |path: &Path| path.file_stem().expect("a file").to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), fs::read(path).expect("readable"))).collect()
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[track_caller]
fn agrees<'de, T: Object<'de>>(schema: &Value, beside: &[&str]) {
    let properties = schema["properties"].as_object().expect("properties").keys().cloned();
    let fields = T::FIELDS.iter().chain(beside).map(|name| (*name).to_owned());
    assert_eq!(sorted(properties), sorted(fields));
    let required = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().expect("a name").to_owned());
    assert_eq!(sorted(required), sorted(T::REQUIRED.iter().map(|name| (*name).to_owned())));
}

#[test]
fn the_schemas_list_exactly_the_fields_that_are_read() {
    let gateway = schema(Input::Gateway);
    agrees::<GatewayLog<'_>>(&gateway, &["schema"]);
    agrees::<Usage>(&gateway["properties"]["usage"], &[]);
    agrees::<Quota>(&gateway["properties"]["quota"], &[]);
    agrees::<Context<'_>>(&gateway["properties"]["contexts"]["items"], &[]);
    agrees::<Safety<'_>>(&gateway["properties"]["safety"]["items"], &[]);
    let feedback = schema(Input::Feedback);
    agrees::<UserFeedback<'_>>(&feedback, &["schema"]);
    agrees::<Target<'_>>(&feedback["properties"]["target"], &[]);
    let pipeline = schema(Input::Pipeline);
    agrees::<PipelineEvent<'_>>(&pipeline, &["schema"]);
    agrees::<Dataset<'_>>(&pipeline["properties"]["inputs"]["items"], &[]);
    agrees::<Dataset<'_>>(&pipeline["properties"]["outputs"]["items"], &[]);
    let limits = Limits::default();
    assert_eq!(gateway["properties"]["contexts"]["maxItems"], limits.max_contexts);
    assert_eq!(gateway["properties"]["safety"]["maxItems"], limits.max_items);
    assert_eq!(gateway["properties"]["embedding"]["maxItems"], limits.max_embedding);
    assert_eq!(gateway["properties"]["request_id"]["maxLength"], limits.max_name_bytes);
    for (input, schema) in [(Input::Gateway, gateway), (Input::Feedback, feedback), (Input::Pipeline, pipeline)] {
        assert_eq!(schema["properties"]["schema"]["const"], schema_name(input));
    }
}

#[test]
fn rejected_examples_are_rejected_for_the_reason_in_their_name() {
    for input in Input::ALL {
        for (name, bytes) in files(&schemas().join("examples").join(short(input)).join("rejected")) {
            let rejected = decode(&bytes, Some(input), &Limits::default()).expect_err(&name);
            assert_eq!(name.split('-').next(), Some(rejected.reason.as_str()), "{name}: {}", rejected.detail);
        }
    }
}

#[test]
fn accepted_examples_give_every_field_as_it_was_written() {
    for input in Input::ALL {
        for (name, bytes) in files(&schemas().join("examples").join(short(input))) {
            let event = decode(&bytes, Some(input), &Limits::default()).unwrap_or_else(|rejected| panic!("{name}: {rejected:?}"));
            let written: Value = serde_json::from_slice(&bytes).expect("JSON");
            assert_eq!(shown(&event), expected(&written), "{name}");
        }
    }
}

/// An example as `shown` would show it: without what is unknown, with times as microseconds and attributes in one place.
fn expected(written: &Value) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    flatten("", written, &mut flat);
    let attributes: Vec<String> = flat.keys().filter(|key| key.starts_with("attributes.")).cloned().collect();
    for key in attributes {
        let value = flat.remove(&key).expect("there");
        flat.insert(key.trim_start_matches("attributes.").to_owned(), value);
    }
    flat.remove("schema");
    for (key, value) in &mut flat {
        if key.ends_with("_time") || key.ends_with("_at") || key == "data_watermark" {
            let micros = match value.as_str() {
                Some(text) => text.parse::<jiff::Timestamp>().expect("RFC 3339").as_microsecond(),
                None => value.as_i64().expect("milliseconds") * 1_000,
            };
            *value = micros.into();
        }
        if value.is_boolean() && key == "score" {
            *value = f64::from(u8::from(value == &Value::Bool(true))).into();
        }
        if key.ends_with(".version") || key.ends_with(".severity") {
            *value = value.as_str().map_or_else(|| value.to_string(), str::to_owned).into();
        }
        if let Some(number) = value.as_f64() {
            *value = number.into();
        }
    }
    flat
}

fn flatten(path: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, flat);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{number}]"), value, flat);
            }
        }
        scalar => {
            flat.insert(path.to_owned(), scalar.clone());
        }
    }
}

/// The known fields of an event by their path in JSON.
#[derive(Default)]
struct Shown(BTreeMap<String, Value>);

impl Shown {
    fn put(&mut self, path: &str, value: impl Into<Value>) {
        self.0.insert(path.to_owned(), value.into());
    }

    fn texts<const N: usize>(&mut self, fields: [(&str, &Option<Text<'_>>); N]) {
        for (path, text) in fields {
            if let Some(text) = text {
                self.put(path, text.as_str());
            }
        }
    }

    fn numbers<const N: usize>(&mut self, fields: [(&str, Option<f64>); N]) {
        for (path, number) in fields {
            if let Some(number) = number {
                self.put(path, number);
            }
        }
    }

    fn json(&mut self, path: &str, json: &str) {
        let mut flat = BTreeMap::new();
        flatten(path, &serde_json::from_str(json).expect("JSON"), &mut flat);
        let exact = |value: Value| value.as_f64().map_or(value, Value::from);
        self.0.extend(flat.into_iter().map(|(path, value)| (path, exact(value))));
    }
}

fn shown(event: &Event<'_>) -> BTreeMap<String, Value> {
    match event {
        Event::Gateway(log) => gateway(log),
        Event::Feedback(feedback) => user_feedback(feedback),
        Event::Pipeline(event) => pipeline(event),
    }
}

fn integer(value: Option<i64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn gateway(log: &GatewayLog<'_>) -> BTreeMap<String, Value> {
    let mut shown = Shown::default();
    shown.put("event_time", log.event_time.0 as f64);
    shown.put("request_id", log.request_id.as_str());
    shown.texts([
        ("trace_id", &log.trace_id),
        ("span_id", &log.span_id),
        ("response_id", &log.response_id),
        ("conversation_id", &log.conversation_id),
        ("tenant", &log.tenant),
        ("app", &log.app),
        ("route", &log.route),
        ("user_id", &log.user_id),
        ("environment", &log.environment),
        ("gateway", &log.gateway),
        ("provider", &log.provider),
        ("deployment", &log.deployment),
        ("request_model", &log.request_model),
        ("response_model", &log.response_model),
        ("service_tier", &log.service_tier),
        ("operation", &log.operation),
        ("prompt_version", &log.prompt_version),
        ("variant", &log.variant),
        ("index", &log.index),
        ("error_type", &log.error_type),
        ("finish_reason", &log.finish_reason),
        ("prompt", &log.prompt),
        ("response", &log.response),
        ("reference", &log.reference),
        ("prediction", &log.prediction),
        ("label", &log.label),
    ]);
    shown.numbers([
        ("http_status", integer(log.http_status)),
        ("latency_ms", log.latency_ms),
        ("time_to_first_token_ms", log.time_to_first_token_ms),
        ("cost_usd", log.cost_usd),
        ("usage.input_tokens", integer(log.usage.input_tokens)),
        ("usage.output_tokens", integer(log.usage.output_tokens)),
        ("usage.cached_input_tokens", integer(log.usage.cached_input_tokens)),
        ("usage.cache_write_tokens", integer(log.usage.cache_write_tokens)),
        ("usage.cache_write_1h_tokens", integer(log.usage.cache_write_1h_tokens)),
        ("usage.reasoning_tokens", integer(log.usage.reasoning_tokens)),
        ("quota.limit_tokens", integer(log.quota.limit_tokens)),
        ("quota.limit_requests", integer(log.quota.limit_requests)),
        ("quota.remaining_tokens", integer(log.quota.remaining_tokens)),
        ("quota.remaining_requests", integer(log.quota.remaining_requests)),
    ]);
    match log.status {
        Some(Status::Ok) => shown.put("status", "ok"),
        Some(Status::Throttled) => shown.put("status", "throttled"),
        Some(other) => panic!("no example has {other:?}"),
        None => {}
    }
    match log.usage.source {
        Some(UsageSource::Reported) => shown.put("usage.source", "reported"),
        Some(UsageSource::Estimated) => shown.put("usage.source", "estimated"),
        None => {}
    }
    for (number, context) in log.contexts.iter().enumerate() {
        let at = |name: &str| format!("contexts[{number}].{name}");
        shown.texts([(&at("id"), &context.id), (&at("text"), &context.text), (&at("source"), &context.source)]);
        shown.numbers([(&at("score"), context.score), (&at("rank"), integer(context.rank))]);
    }
    for (number, safety) in log.safety.iter().enumerate() {
        let at = |name: &str| format!("safety[{number}].{name}");
        shown.put(&at("category"), safety.category.as_str());
        shown.texts([(&at("severity"), &safety.severity)]);
        for (name, flag) in [("filtered", safety.filtered), ("detected", safety.detected)] {
            if let Some(flag) = flag {
                shown.put(&at(name), flag);
            }
        }
        match safety.stage {
            Some(SafetyStage::Prompt) => shown.put(&at("stage"), "prompt"),
            Some(SafetyStage::Response) => shown.put(&at("stage"), "response"),
            None => {}
        }
    }
    for (name, raw) in [("probability", log.probability), ("embedding", log.embedding)] {
        if let Some(raw) = raw {
            shown.json(name, raw.get());
        }
    }
    for attribute in &log.attributes {
        shown.json(&attribute.name, attribute.value.get());
    }
    shown.0
}

fn user_feedback(feedback: &UserFeedback<'_>) -> BTreeMap<String, Value> {
    let mut shown = Shown::default();
    shown.put("event_time", feedback.event_time.0 as f64);
    shown.put("name", feedback.name.as_str());
    shown.texts([
        ("feedback_id", &feedback.feedback_id),
        ("target.request_id", &feedback.target.request_id),
        ("target.trace_id", &feedback.target.trace_id),
        ("target.span_id", &feedback.target.span_id),
        ("target.response_id", &feedback.target.response_id),
        ("target.conversation_id", &feedback.target.conversation_id),
        ("label", &feedback.label),
        ("comment", &feedback.comment),
        ("correction", &feedback.correction),
        ("user_id", &feedback.user_id),
        ("tenant", &feedback.tenant),
        ("app", &feedback.app),
    ]);
    shown.numbers([("score", feedback.score)]);
    match feedback.source {
        Some(FeedbackSource::Human) => shown.put("source", "human"),
        Some(FeedbackSource::LlmJudge) => shown.put("source", "llm_judge"),
        Some(FeedbackSource::Code) => shown.put("source", "code"),
        None => {}
    }
    for attribute in &feedback.attributes {
        shown.json(&attribute.name, attribute.value.get());
    }
    shown.0
}

fn pipeline(event: &PipelineEvent<'_>) -> BTreeMap<String, Value> {
    let mut shown = Shown::default();
    shown.put("event_time", event.event_time.0 as f64);
    shown.put("run_id", event.run_id.as_str());
    shown.put("job", event.job.as_str());
    shown.put(
        "state",
        match event.state {
            PipelineState::Start => "START",
            PipelineState::Running => "RUNNING",
            PipelineState::Complete => "COMPLETE",
            PipelineState::Fail => "FAIL",
            PipelineState::Abort => "ABORT",
        },
    );
    shown.texts([
        ("parent_run_id", &event.parent_run_id),
        ("namespace", &event.namespace),
        ("kind", &event.kind),
        ("error_type", &event.error_type),
        ("error", &event.error),
        ("chunking", &event.chunking),
        ("embedding_model", &event.embedding_model),
        ("deployment", &event.deployment),
        ("model", &event.model),
        ("prompt_version", &event.prompt_version),
        ("tenant", &event.tenant),
        ("app", &event.app),
    ]);
    shown.numbers([
        ("started_at", integer(event.started_at.map(|time| time.0))),
        ("ended_at", integer(event.ended_at.map(|time| time.0))),
        ("data_watermark", integer(event.data_watermark.map(|time| time.0))),
        ("rows_in", integer(event.rows_in)),
        ("rows_out", integer(event.rows_out)),
        ("rows_failed", integer(event.rows_failed)),
        ("bytes", integer(event.bytes)),
    ]);
    for (field, datasets) in [("inputs", &event.inputs), ("outputs", &event.outputs)] {
        for (number, dataset) in datasets.iter().enumerate() {
            shown.put(&format!("{field}[{number}].name"), dataset.name.as_str());
            shown.texts([(&format!("{field}[{number}].version"), &dataset.version)]);
        }
    }
    for attribute in &event.attributes {
        shown.json(&attribute.name, attribute.value.get());
    }
    shown.0
}
