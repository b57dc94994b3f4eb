use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::{DEFAULT_SEED, Incident, Line, Scenario, TopicWriter};

const START: i64 = 1_780_000_020_000_000;

fn scenario() -> Scenario {
    Scenario::new(DEFAULT_SEED, START)
}

/// All lines, made once for all tests.
static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| scenario().steps().flat_map(|step| step.lines).collect());
/// All gateway logs with the time they were written.
static REQUESTS: LazyLock<Vec<(i64, Value)>> = LazyLock::new(|| {
    let lines = LINES.iter().filter(|line| line.topic == "gateway-logs");
    lines.filter_map(|line| Some((line.written_us, serde_json::from_str(&line.text).ok()?))).collect()
});

/// Requests of one application within a span of event time.
fn requests(app: &str, from_us: i64, to_us: i64) -> impl Iterator<Item = &'static Value> {
    REQUESTS.iter().filter(move |(at, request)| (from_us..to_us).contains(at) && request["app"] == app).map(|(_, request)| request)
}

fn incident(name: &str) -> Incident {
    scenario().incidents().into_iter().find(|incident| incident.name == name).unwrap()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    assert!(count >= 200, "only {count} values");
    sum / f64::from(count)
}

/// The mean of a number over the requests of an incident, and over the hour before it.
fn during_and_before(name: &str, number: impl Fn(&Value) -> Option<f64>) -> (f64, f64) {
    let incident = incident(name);
    let during = requests(incident.app, incident.start_us + 120_000_000, incident.end_us);
    let before = requests(incident.app, incident.start_us - 3_600_000_000, incident.start_us);
    (mean(during.filter_map(&number)), mean(before.filter_map(&number)))
}

/// Share of the answer's sentences that stand word for word in one of the contexts.
fn verbatim_share(request: &Value) -> Option<f64> {
    let answer = request["response"].as_str()?;
    let contexts: Vec<&str> = request["contexts"].as_array()?.iter().filter_map(|context| context["text"].as_str()).collect();
    let sentences: Vec<&str> = answer.split_inclusive(". ").map(str::trim).collect();
    let found = sentences.iter().filter(|sentence| contexts.iter().any(|text| text.contains(*sentence))).count();
    Some(found as f64 / sentences.len() as f64)
}

/// Share of the longer words of the question that stand in one of the contexts.
fn covered_share(request: &Value) -> Option<f64> {
    let question = request["prompt"].as_str()?.to_lowercase();
    let contexts = request["contexts"].to_string().to_lowercase();
    let words: Vec<&str> = question.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 4).collect();
    (!words.is_empty()).then(|| words.iter().filter(|word| contexts.contains(*word)).count() as f64 / words.len() as f64)
}

#[test]
fn one_seed_gives_one_stream_and_another_seed_another() {
    assert!(scenario().steps().flat_map(|step| step.lines).eq(LINES.iter().cloned()));
    assert!(scenario().steps().take(3).ne(Scenario::new(DEFAULT_SEED + 1, START).steps().take(3)));
    assert_eq!(scenario().steps().last().unwrap().minute + 1, scenario().minutes());
}

#[test]
fn every_line_but_the_cut_off_ones_is_an_event_of_a_known_schema() {
    let mut schemas = BTreeMap::<String, u32>::new();
    let mut cut_off = 0;
    for line in LINES.iter() {
        let Ok(event) = serde_json::from_str::<Value>(&line.text) else {
            cut_off += 1;
            continue;
        };
        for required in match line.topic {
            "gateway-logs" => &["request_id", "tenant", "app", "prompt"][..],
            "user-feedback" => &["feedback_id", "target", "name"],
            _ => &["run_id", "job", "state"],
        } {
            assert!(!event[required].is_null(), "{required} in {}", line.text);
        }
        assert!(event["event_time"].as_str().and_then(crate::event::Timestamp::parse).is_some());
        *schemas.entry(event["schema"].to_string()).or_default() += 1;
    }
    assert_eq!(cut_off, 4);
    assert!((20_000..35_000).contains(&schemas["\"groundwire.gateway_log.v1\""]));
    assert!(schemas["\"groundwire.user_feedback.v1\""] > 3_000);
    assert!(schemas["\"groundwire.pipeline_event.v1\""] > 25);
    assert_eq!(schemas.len(), 3);
}

#[test]
fn lines_are_in_order_of_time_and_within_their_minute() {
    for step in scenario().steps() {
        assert!(step.lines.is_sorted_by_key(|line| line.written_us));
        assert!(step.lines.iter().all(|line| (step.start_us..step.start_us + 60_000_000).contains(&line.written_us)));
    }
}

#[test]
fn incidents_follow_a_baseline_and_can_be_told_apart() {
    let scenario = scenario();
    let incidents = scenario.incidents();
    assert_eq!(incidents.len(), 5);
    assert!(incidents[0].start_us - scenario.start_us >= 90 * 60_000_000);
    for pair in incidents.windows(2) {
        assert!(pair[1].start_us - pair[0].end_us >= 15 * 60_000_000);
    }
    assert!(scenario.end_us() - incidents[4].end_us >= 15 * 60_000_000);
}

#[test]
fn the_bad_prompt_leaves_the_contexts_and_the_other_answers_do_not() {
    let (during, before) = during_and_before("bad-prompt", verbatim_share);
    assert!(before > 0.6, "{before}");
    assert!(during < 0.25, "{during}");
}

#[test]
fn the_bad_prompt_is_disliked_a_little_later() {
    let incident = incident("bad-prompt");
    let positive = |from: i64, to: i64| {
        let thumbs = LINES.iter().filter(|line| line.topic == "user-feedback" && (from..to).contains(&line.written_us));
        let events: Vec<Value> = thumbs.map(|line| serde_json::from_str(&line.text).unwrap()).collect();
        let thumbs: Vec<f64> =
            events.iter().filter(|event| event["name"] == "thumbs").filter_map(|event| event["score"].as_f64()).collect();
        assert!(thumbs.len() >= 60, "{}", thumbs.len());
        thumbs.iter().sum::<f64>() / thumbs.len() as f64
    };
    assert!(positive(incident.start_us - 3_600_000_000, incident.start_us) > 0.78);
    assert!(positive(incident.start_us + 600_000_000, incident.end_us) < 0.4);
}

#[test]
fn the_outage_fails_requests_of_one_application_only() {
    let failed = |request: &Value| {
        let status = request["http_status"].as_u64()?;
        Some(if status == 429 || status >= 500 { 1.0 } else { 0.0 })
    };
    let (during, before) = during_and_before("provider-outage", failed);
    assert!(before < 0.03, "{before}");
    assert!(during > 0.4, "{during}");
    let outage = incident("provider-outage");
    let others = requests("support-bot", outage.start_us, outage.end_us);
    assert!(mean(others.filter_map(failed)) < 0.03);
}

#[test]
fn the_stale_index_serves_contexts_that_do_not_fit_and_recovers() {
    let (during, before) = during_and_before("stale-index", covered_share);
    assert!(during < before - 0.15, "{during} against {before}");
    let end = incident("stale-index").end_us;
    let after = requests("support-bot", end, end + 1_800_000_000);
    let after = mean(after.filter_map(covered_share));
    assert!((after - before).abs() < 0.05, "{after} against {before}");
    let failed = LINES.iter().filter(|line| line.topic == "pipeline-events" && line.text.contains("\"FAIL\"")).count();
    assert_eq!(failed, 2);
}

#[test]
fn the_spike_multiplies_the_input_tokens_by_six() {
    let (during, before) = during_and_before("token-spike", |request| request["usage"]["input_tokens"].as_f64());
    assert!((5.7..6.3).contains(&(during / before)), "{during} against {before}");
}

#[test]
fn the_launch_makes_questions_longer_while_answers_stay_grounded() {
    let (during, before) = during_and_before("question-shift", |request| Some(request["prompt"].as_str()?.len() as f64));
    assert!(during > 1.6 * before, "{during} against {before}");
    let (during, before) = during_and_before("question-shift", verbatim_share);
    assert!((during - before).abs() < 0.06, "{during} against {before}");
}

#[test]
fn quiet_hours_look_alike() {
    let hour = |from: i64| requests("support-bot", START + from * 60_000_000, START + (from + 45) * 60_000_000);
    for number in [verbatim_share, covered_share, |request: &Value| Some(request["prompt"].as_str()?.len() as f64 / 100.0)] {
        let (first, second) = (hour(0), hour(46));
        let (first, second) = (mean(first.filter_map(number)), mean(second.filter_map(number)));
        assert!((first - second).abs() < 0.05, "{first} against {second}");
    }
}

#[test]
fn an_alert_is_explained_only_by_its_rule_application_and_time() {
    let outage = incident("provider-outage");
    assert!(outage.explains("ErrorRateRise", Some("translation"), outage.start_us + 1));
    assert!(!outage.explains("ErrorRateRise", Some("support-bot"), outage.start_us + 1));
    assert!(!outage.explains("TokenSpike", Some("translation"), outage.start_us + 1));
    assert!(!outage.explains("ErrorRateRise", None, outage.start_us - 1));
}

#[test]
fn the_writer_appends_each_step_to_the_files_of_its_topics() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = TopicWriter::new(directory.path());
    let steps: Vec<_> = scenario().steps().take(3).collect();
    for step in &steps {
        writer.write(step).unwrap();
    }
    for (topic, partition) in [("gateway-logs", 0), ("gateway-logs", 1), ("user-feedback", 0), ("pipeline-events", 0)] {
        let text = std::fs::read_to_string(directory.path().join(format!("{topic}/{partition}.jsonl"))).unwrap();
        let wanted = steps.iter().flat_map(|step| &step.lines).filter(|line| line.topic == topic && line.partition == partition);
        assert!(text.ends_with('\n') && text.lines().eq(wanted.map(|line| line.text.as_str())));
    }
}

#[test]
fn the_service_accepts_every_line_but_the_cut_off_ones_and_knows_all_their_fields() {
    let limits = crate::decode::Limits::default();
    let mut refused = Vec::new();
    for line in LINES.iter() {
        let unknown = match crate::decode::decode(line.text.as_bytes(), None, &limits) {
            Ok(crate::decode::Event::Gateway(event)) => event.attributes.iter().filter(|field| &*field.name != "region").count(),
            Ok(crate::decode::Event::Feedback(event)) => event.attributes.len(),
            Ok(crate::decode::Event::Pipeline(event)) => event.attributes.len(),
            Err(rejected) => {
                refused.push(rejected.reason);
                0
            }
        };
        assert_eq!(unknown, 0, "{}", line.text);
    }
    assert_eq!(refused, [crate::event::Reason::InvalidJson; 4]);
}

#[test]
fn the_services_scores_see_the_bad_prompt_and_the_stale_index_and_nothing_else() {
    let mut scorer = crate::score::Scorer::new(crate::score::Settings::default());
    let mut scores = crate::score::Scores::default();
    let mut score = |request: &Value| {
        let contexts: Vec<_> =
            request["contexts"].as_array().into_iter().flatten().filter_map(|context| context["text"].as_str()).collect();
        let contexts: Vec<_> = contexts.iter().map(|text| crate::score::Context { id: None, text }).collect();
        let answer = crate::score::Answer {
            prompt: request["prompt"].as_str(),
            response: request["response"].as_str(),
            contexts: &contexts,
        };
        scorer.score(&answer, &mut scores);
        (scores.groundedness.map(crate::score::Score::share), scores.context_relevance.map(crate::score::Score::share))
    };
    let mut means = |name: &str| {
        let incident = incident(name);
        let hour = 3_600_000_000;
        let [before, during] = [(incident.start_us - hour, incident.start_us), (incident.start_us + 120_000_000, incident.end_us)]
            .map(|(from, to)| requests("support-bot", from, to).step_by(3).map(&mut score).unzip::<_, _, Vec<_>, Vec<_>>());
        let of = |values: &Vec<Option<f64>>| mean(values.iter().copied().flatten());
        (of(&during.0) - of(&before.0), of(&during.1) - of(&before.1))
    };
    let (groundedness, relevance) = means("bad-prompt");
    assert!(groundedness < -0.3 && relevance.abs() < 0.05, "{groundedness} {relevance}");
    let (groundedness, relevance) = means("stale-index");
    assert!(groundedness.abs() < 0.1 && relevance < -0.15, "{groundedness} {relevance}");
    let (groundedness, relevance) = means("question-shift");
    assert!(groundedness.abs() < 0.1 && relevance.abs() < 0.1, "{groundedness} {relevance}");
}

#[test]
fn a_writer_goes_on_to_the_byte_where_an_earlier_one_was_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let steps: Vec<_> = scenario().steps().take(4).collect();
    let mut first = TopicWriter::new(directory.path());
    for step in &steps {
        assert!(first.write(step).unwrap());
    }
    let path = directory.path().join("gateway-logs/0.jsonl");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2 + 3]).unwrap();
    let mut second = TopicWriter::new(directory.path());
    let wrote: Vec<_> = steps.iter().map(|step| second.write(step).unwrap()).collect();
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    assert!(!wrote[0] && wrote[3]);
    assert_eq!(second.lengths()["gateway-logs/0"], whole.len() as u64);
    assert_eq!(second.lengths(), first.lengths());
}
