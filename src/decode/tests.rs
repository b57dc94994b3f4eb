use proptest::prelude::*;

use super::{Event, Limits, Rejected, decode, decode_answer};
use crate::event::{FeedbackSource, GatewayLog, Input, PipelineEvent, PipelineState, Reason, Status, UsageSource, UserFeedback};

const REQUIRED: &str = r#""event_time":"2026-05-04T08:00:00.25Z","request_id":"r-1""#;

fn with(fields: &str) -> String {
    if fields.is_empty() { format!("{{{REQUIRED}}}") } else { format!("{{{REQUIRED},{fields}}}") }
}

fn gateway(json: &str) -> GatewayLog<'_> {
    match decode(json.as_bytes(), Some(Input::Gateway), &Limits::default()) {
        Ok(Event::Gateway(log)) => log,
        other => panic!("{json}: {other:?}"),
    }
}

fn feedback(json: &str) -> UserFeedback<'_> {
    match decode(json.as_bytes(), Some(Input::Feedback), &Limits::default()) {
        Ok(Event::Feedback(feedback)) => feedback,
        other => panic!("{json}: {other:?}"),
    }
}

fn pipeline(json: &str) -> PipelineEvent<'_> {
    match decode(json.as_bytes(), Some(Input::Pipeline), &Limits::default()) {
        Ok(Event::Pipeline(event)) => event,
        other => panic!("{json}: {other:?}"),
    }
}

fn rejected(bytes: &[u8], format: Option<Input>) -> Rejected {
    decode(bytes, format, &Limits::default()).expect_err("should be rejected")
}

#[track_caller]
fn refuses(fields: &str, reason: Reason, said: &[&str]) {
    let rejected = rejected(with(fields).as_bytes(), Some(Input::Gateway));
    assert_eq!(rejected.reason, reason, "{fields}: {}", rejected.detail);
    for part in said {
        assert!(rejected.detail.contains(part), "{fields}: `{part}` is not in `{}`", rejected.detail);
    }
}

#[test]
fn every_field_of_a_gateway_log_arrives() {
    let json = with(
        r#""schema":"groundwire.gateway_log.v1","tenant":"acme","status":"throttled","http_status":429,"latency_ms":12.5,
        "usage":{"input_tokens":7,"cached_input_tokens":3.0,"source":"estimated"},"quota":{"remaining_tokens":0},
        "prompt":"a\"b","contexts":[{"id":"c1","text":"t","score":-0.5,"source":"kb","rank":1},{}],
        "probability":{"yes":0.75,"no":0.25},"safety":[{"category":"hate","severity":2,"filtered":true,"stage":"response"}],
        "embedding":[1,2.5e-1,-3],"cost_usd":0.001,"attributes":{"region":"eu","nested":{"a":[1]}},"zone":"z1""#,
    );
    let log = gateway(&json);
    assert_eq!(log.event_time.to_string(), "2026-05-04T08:00:00.250000Z");
    assert_eq!((log.request_id.as_str(), log.tenant.as_deref()), ("r-1", Some("acme")));
    assert_eq!((log.status, log.http_status, log.latency_ms), (Some(Status::Throttled), Some(429), Some(12.5)));
    assert_eq!((log.usage.input_tokens, log.usage.cached_input_tokens, log.usage.output_tokens), (Some(7), Some(3), None));
    assert_eq!((log.usage.source, log.quota.remaining_tokens), (Some(UsageSource::Estimated), Some(0)));
    assert_eq!(log.prompt.as_deref(), Some("a\"b"));
    assert_eq!(log.contexts.len(), 2);
    assert_eq!((log.contexts[0].score, log.contexts[0].rank), (Some(-0.5), Some(1)));
    assert_eq!(log.safety[0].severity.as_deref(), Some("2"));
    assert_eq!(log.probability.map(serde_json::value::RawValue::get), Some(r#"{"yes":0.75,"no":0.25}"#));
    assert_eq!(log.embedding.map(serde_json::value::RawValue::get), Some("[1,2.5e-1,-3]"));
    let attributes: Vec<_> = log.attributes.iter().map(|a| (a.name.as_str(), a.value.get())).collect();
    assert_eq!(attributes, [("region", "\"eu\""), ("nested", r#"{"a":[1]}"#), ("zone", "\"z1\"")]);
}

#[test]
fn text_is_borrowed_from_the_record() {
    let json = with(r#""tenant":"acme","prompt":"plain""#);
    let log = gateway(&json);
    for text in [log.tenant, log.prompt, Some(log.request_id)] {
        assert!(matches!(text.expect("present").0, std::borrow::Cow::Borrowed(_)));
    }
}

#[test]
fn absent_and_null_are_unknown_and_never_zero() {
    for fields in
        ["", r#""tenant":null,"latency_ms":null,"usage":null,"contexts":null,"safety":null,"attributes":null,"cost_usd":null"#]
    {
        let json = with(fields);
        let log = gateway(&json);
        assert_eq!((log.tenant, log.latency_ms, log.cost_usd), (None, None, None));
        assert_eq!((log.usage.input_tokens, log.contexts.len(), log.attributes.len()), (None, 0, 0));
    }
}

#[test]
fn fields_unknown_inside_objects_are_kept_under_their_path() {
    let json = with(r#""usage":{"audio_tokens":4},"contexts":[{},{"page":"7"}]"#);
    let attributes: Vec<_> = gateway(&json).attributes.iter().map(|a| (a.name.to_string(), a.value.get())).collect();
    assert_eq!(attributes, [("usage.audio_tokens".to_owned(), "4"), ("contexts[1].page".to_owned(), "\"7\"")]);
}

#[test]
fn feedback_scores_may_be_booleans_and_targets_must_name_an_answer() {
    let head = r#"{"event_time":1777881600000,"name":"thumbs","target":"#;
    let json = format!(r#"{head}{{"trace_id":"t"}},"score":true,"source":"llm_judge","page":2}}"#);
    let event = feedback(&json);
    assert_eq!(
        (event.score, event.source, event.target.trace_id.as_deref()),
        (Some(1.0), Some(FeedbackSource::LlmJudge), Some("t"))
    );
    assert_eq!(event.event_time.to_string(), "2026-05-04T08:00:00Z");
    assert_eq!(event.attributes[0].name.as_str(), "page");
    for target in ["{}", "null", r#"{"request_id":""}"#, r#"{"answer":"a"}"#] {
        let rejected = rejected(format!("{head}{target}}}").as_bytes(), Some(Input::Feedback));
        assert_eq!(rejected.reason, Reason::MissingField, "{}", rejected.detail);
        assert!(rejected.detail.contains("target"), "{}", rejected.detail);
    }
}

#[test]
fn pipeline_events_arrive() {
    let json = r#"{"event_time":"2026-05-04T08:00:00Z","run_id":"r","job":"j","state":"FAIL","rows_in":9,
        "outputs":[{"name":"kb","version":17}],"data_watermark":"2026-05-03T00:00:00+02:00"}"#;
    let event = pipeline(json);
    assert_eq!((event.state, event.rows_in, event.outputs[0].version.as_deref()), (PipelineState::Fail, Some(9), Some("17")));
    assert_eq!(event.data_watermark.map(|time| time.to_string()).as_deref(), Some("2026-05-02T22:00:00Z"));
}

#[test]
fn wrong_fields_are_named_with_value_and_expectation() {
    refuses(r#""latency_ms":"fast""#, Reason::InvalidField, &["`latency_ms`", "fast", "a number"]);
    refuses(r#""latency_ms":-1"#, Reason::InvalidField, &["`latency_ms`", "-1", "0 or more"]);
    refuses(r#""http_status":99999"#, Reason::InvalidField, &["`http_status`", "99999"]);
    refuses(r#""status":"OK""#, Reason::InvalidField, &["`status`", "`OK`", "ok, error"]);
    refuses(r#""usage":{"input_tokens":1.5}"#, Reason::InvalidField, &["`usage.input_tokens`", "1.5", "whole"]);
    refuses(r#""usage":{"input_tokens":99999999999999999999}"#, Reason::InvalidField, &["`usage.input_tokens`"]);
    refuses(r#""usage":[]"#, Reason::InvalidField, &["`usage`", "input_tokens"]);
    refuses(r#""contexts":[{},{"score":"x"}]"#, Reason::InvalidField, &["`contexts[1].score`"]);
    refuses(r#""contexts":[null]"#, Reason::InvalidField, &["`contexts[0]`"]);
    refuses(r#""contexts":{"id":1}"#, Reason::InvalidField, &["`contexts`", "list"]);
    refuses(r#""safety":[{}]"#, Reason::MissingField, &["`safety[0]`", "category"]);
    refuses(r#""probability":{"a":2}"#, Reason::InvalidField, &["`probability`", "`a`", "0 to 1"]);
    refuses(r#""embedding":[1,"x"]"#, Reason::InvalidField, &["`embedding`"]);
    refuses(r#""tenant":7"#, Reason::InvalidField, &["`tenant`", "7", "a string"]);
    refuses(r#""latency_ms":1e999"#, Reason::InvalidField, &["`latency_ms`", "out of range"]);
    refuses(r#""attributes":[]"#, Reason::InvalidField, &["`attributes`"]);
    let missing = rejected(br#"{"event_time":"2026-05-04T08:00:00Z"}"#, Some(Input::Gateway));
    assert_eq!((missing.reason, missing.detail.contains("request_id")), (Reason::MissingField, true));
    let empty = rejected(br#"{"event_time":"2026-05-04T08:00:00Z","request_id":""}"#, Some(Input::Gateway));
    assert_eq!(empty.reason, Reason::InvalidField);
}

#[test]
fn times_in_the_wrong_unit_or_without_a_zone_are_refused() {
    for time in ["1777881600", "1777881600000000", "\"2026-05-04T08:00:00\"", "true", "1.5"] {
        let json = format!(r#"{{"event_time":{time},"request_id":"r"}}"#);
        let rejected = rejected(json.as_bytes(), Some(Input::Gateway));
        assert_eq!(rejected.reason, Reason::InvalidField, "{time}: {}", rejected.detail);
        assert!(rejected.detail.contains("`event_time`"), "{}", rejected.detail);
    }
}

#[test]
fn repeated_keys_are_refused_at_every_level() {
    refuses(r#""request_id":"r-2""#, Reason::DuplicateKey, &["`request_id`"]);
    refuses(r#""usage":{"input_tokens":1,"input_tokens":2}"#, Reason::DuplicateKey, &["usage", "`input_tokens`"]);
    refuses(r#""zone":1,"zone":2"#, Reason::DuplicateKey, &["`zone`"]);
    refuses(r#""zone":1,"attributes":{"zone":2}"#, Reason::DuplicateKey, &["`zone`"]);
    refuses(r#""x":{"y":[{"k":1,"k":2}]}"#, Reason::DuplicateKey, &["`x`", "`k`"]);
    refuses(r#""probability":{"a":0.5,"a":0.5}"#, Reason::DuplicateKey, &["`a`"]);
    refuses(r#""schema":"groundwire.gateway_log.v1","schema":"groundwire.gateway_log.v1""#, Reason::DuplicateKey, &["schema"]);
    let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":0")).collect();
    refuses(&format!(r#""x":{{{},"k77":1}}"#, many.join(",")), Reason::DuplicateKey, &["`k77`"]);
}

#[test]
fn what_is_not_json_is_invalid_json() {
    let whole = with(r#""tenant":"acme","latency_ms":5"#);
    for end in 1..whole.len() {
        let cut = rejected(&whole.as_bytes()[..end], Some(Input::Gateway));
        assert_eq!(cut.reason, Reason::InvalidJson, "cut at {end}: {}", cut.detail);
    }
    let nan = with(r#""latency_ms":NaN"#);
    let lone = with(r#""prompt":"\ud800""#);
    let lone_low = with(r#""prompt":"\udc00x""#);
    let lone_attribute = with(r#""zone":"\ud83dx""#);
    let raw_control = with("\"prompt\":\"a\u{1}b\"");
    let raw_nul = with("\"prompt\":\"a\u{0}b\"");
    let trailing = format!("{whole} {whole}");
    let texts = [&*nan, &*lone, &*lone_low, &*lone_attribute, &*raw_control, &*raw_nul, &*trailing, "", " ", "hello", "{\"a\":1,}"];
    for text in texts {
        for format in [Some(Input::Gateway), None] {
            let rejected = rejected(text.as_bytes(), format);
            let unknown = format.is_none() && text.starts_with('{') && text != "{\"a\":1,}";
            let expected = if unknown { rejected.reason } else { Reason::InvalidJson };
            assert_eq!(rejected.reason, expected, "{text}: {}", rejected.detail);
        }
    }
    assert_eq!(rejected(b"{\"a\":\"\xff\"}", Some(Input::Gateway)).reason, Reason::InvalidJson);
}

#[test]
fn paired_surrogates_and_escaped_nul_are_text() {
    let json = with(r#""prompt":"\ud83d\ude00","response":"a\u0000b","zone":"\\ud800""#);
    let log = gateway(&json);
    assert_eq!((log.prompt.as_deref(), log.response.as_deref()), (Some("\u{1f600}"), Some("a\0b")));
}

#[test]
fn depth_is_limited_wherever_it_is_and_however_it_ends() {
    let deep = "[".repeat(10_000);
    let closed = format!("{deep}{}", "]".repeat(10_000));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    for value in [&deep, &closed, &objects] {
        for format in [Some(Input::Gateway), None] {
            assert_eq!(rejected(value.as_bytes(), format).reason, Reason::TooDeep);
        }
    }
    for field in ["zone", "prompt", "contexts", "usage", "attributes"] {
        refuses(&format!("\"{field}\":{closed}"), Reason::TooDeep, &[]);
    }
    let level = |levels: usize| format!("\"zone\":{}{}", "[".repeat(levels), "]".repeat(levels));
    gateway(&with(&level(31)));
    refuses(&level(32), Reason::TooDeep, &["32"]);
    gateway(&with(&format!("\"prompt\":\"{}\"", "[{".repeat(1_000))));
}

#[test]
fn sizes_are_limited() {
    let limits = Limits::default();
    let large = vec![b' '; 50 << 20];
    let refused = decode(&large, None, &limits).expect_err("too large");
    assert_eq!((refused.reason, refused.detail.contains("52428800")), (Reason::TooLarge, true));
    refuses(&format!("\"contexts\":[{}{{}}]", "{},".repeat(4_096)), Reason::TooLarge, &["contexts", "4096"]);
    refuses(&format!("\"embedding\":[{}0]", "0,".repeat(16_384)), Reason::TooLarge, &["embedding"]);
    refuses(&format!("\"tenant\":\"{}\"", "x".repeat(1_025)), Reason::TooLarge, &["tenant", "1025"]);
    let many: Vec<String> = (0..1_025).map(|n| format!("\"k{n}\":0")).collect();
    refuses(&many.join(","), Reason::TooLarge, &["1024"]);
    gateway(&with(&format!("\"prompt\":\"{}\"", "x".repeat(1_000_000))));
}

#[test]
fn details_are_short_whatever_the_value() {
    for value in ["\"é\"".replace('é', &"é".repeat(100_000)), "9".repeat(300_000)] {
        let refused = rejected(with(&format!("\"latency_ms\":{value}")).as_bytes(), Some(Input::Gateway));
        assert!(refused.detail.len() <= Rejected::MAX_DETAIL_BYTES + 3, "{}", refused.detail.len());
    }
}

#[test]
fn the_schema_field_decides_where_no_format_is_pinned() {
    let limits = Limits::default();
    let json = r#"{"a":{"b":1},"schema":"groundwire.user_feedback.v1","event_time":"2026-05-04T08:00:00Z","name":"thumbs","target":{"span_id":"s"}}"#;
    assert!(matches!(decode(json.as_bytes(), None, &limits), Ok(Event::Feedback(_))));
    let unknown = rejected(with(r#""tenant":"a""#).as_bytes(), None);
    assert_eq!(unknown.reason, Reason::UnknownFormat);
    assert!(unknown.detail.contains("event_time, request_id, tenant"), "{}", unknown.detail);
    let later = rejected(br#"{"schema":"groundwire.gateway_log.v9"}"#, None);
    assert!(later.reason == Reason::UnknownFormat && later.detail.contains("v9"), "{}", later.detail);
    let other = rejected(json.as_bytes(), Some(Input::Gateway));
    assert!(other.reason == Reason::UnknownFormat && other.detail.contains("user_feedback"), "{}", other.detail);
    for value in ["[]", "null", "7", "\"text\""] {
        for format in [None, Some(Input::Feedback)] {
            assert_eq!(rejected(value.as_bytes(), format).reason, Reason::UnknownFormat, "{value}");
        }
    }
    let number = rejected(br#"{"schema":7}"#, None);
    assert!(matches!(number.reason, Reason::UnknownFormat | Reason::InvalidField));
}

#[test]
fn schema_registry_frames_are_stripped_from_json_and_refused_otherwise() {
    let limits = Limits::default();
    let framed = [&[0, 0, 0, 0, 7][..], with("").as_bytes()].concat();
    assert!(matches!(decode(&framed, Some(Input::Gateway), &limits), Ok(Event::Gateway(_))));
    let avro = [0, 0, 0, 1, 2, 0x10, b'a', 0xff];
    let broken = [&[0, 0, 0, 0, 7][..], b"{\"event_time"].concat();
    for frame in [&avro[..], &broken[..], &[0, 0, 0, 1, 2]] {
        assert_eq!(rejected(frame, Some(Input::Gateway)).reason, Reason::SchemaRegistryFrame);
    }
    assert_eq!(rejected(&[0, 0], Some(Input::Gateway)).reason, Reason::InvalidJson);
}

#[test]
fn answers_for_scoring_need_no_time_and_no_id() {
    let log = decode_answer(br#"{"response":"yes"}"#, &Limits::default()).expect("readable");
    assert_eq!((log.response.as_deref(), log.request_id.as_str()), (Some("yes"), ""));
    assert_eq!(decode_answer(br#"{"latency_ms":"x"}"#, &Limits::default()).map(|_| ()).unwrap_err().reason, Reason::InvalidField);
}

#[test]
fn serde_reads_a_gateway_log_as_decode_does() {
    let json = with(r#""tenant":"acme","zone":1"#);
    let log: GatewayLog<'_> = serde_json::from_slice(json.as_bytes()).expect("readable");
    assert_eq!((log.tenant.as_deref(), log.attributes.len()), (Some("acme"), 1));
}

proptest! {
    #[test]
    fn any_bytes_give_an_outcome(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in [None, Some(Input::Gateway), Some(Input::Feedback), Some(Input::Pipeline)] {
            drop(decode(&bytes, format, &Limits::default()));
        }
    }

    #[test]
    fn any_change_of_one_byte_gives_an_outcome(at in 0_usize..200, byte: u8) {
        let mut bytes = with(r#""usage":{"input_tokens":1},"contexts":[{"id":"a","score":1e3}],"zone":{"k":["\u00e9",1.5]},"probability":{"a":1}"#)
            .into_bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        for format in [None, Some(Input::Gateway), Some(Input::Feedback), Some(Input::Pipeline)] {
            drop(decode(&bytes, format, &Limits::default()));
        }
    }
}

#[test]
fn a_detail_without_quotes_names_fields_of_the_schema_and_nothing_else() {
    let unquoted = |json: &str| rejected(json.as_bytes(), Some(Input::Gateway)).unquoted;
    let hidden =
        |column: usize| format!("not shown, as no text of this topic is kept, at line 1 column {column}; the dead letter has it");
    assert_eq!(unquoted(r#"{"latency_ms":"mine"}"#), format!("field `latency_ms`: {}", hidden(20)));
    assert_eq!(unquoted(r#"{"embedding":[1,"mine"]}"#).split(':').next(), Some("field `embedding`"));
    assert!(!unquoted(r#"{"mine":1,"mine":2}"#).contains("mine"));
    assert!(!unquoted(r#"{"mine":{"inner":1,"inner":2}}"#).contains("inner"));
    assert_eq!(unquoted("{}"), "field `event_time` is missing at line 1 column 2");
    assert!(!unquoted(r#"{"event_time":1,"mine"#).contains("mine"));
}
