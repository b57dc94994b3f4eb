//! Made-up input of every kind that the service must get right: several tenants, all ways a request can end, repeats, records
//! out of order, records that are late, records that are broken. The same seed gives the same input.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::kafka::{Broker, Record};

/// 2026-05-04T08:00:00Z in milliseconds: the earliest event.
pub(crate) const START_MS: i64 = 1_777_881_600_000;

/// One made-up record of gateway logs.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) partition: i32,
    pub(crate) time_ms: i64,
    pub(crate) value: String,
}

/// Gateway logs over `minutes` of event time, in the order in which they are written.
pub(crate) fn gateway_logs(seed: u64, count: usize, partitions: i32, minutes: i64) -> Vec<Made> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut made: Vec<Made> = Vec::with_capacity(count);
    for number in 0..count {
        let partition = random.i32(0..partitions);
        let progress =
            i64::try_from(number).expect("a small number") * minutes * 60_000 / i64::try_from(count).expect("a small number");
        let time_ms = START_MS + progress + random.i64(0..2_000);
        let value = match random.u32(0..1000) {
            0..4 => "not JSON at all".to_owned(),
            4..8 => r#"{"request_id": "cut-off", "tenant": "ten"#.to_owned(),
            8..12 => format!(r#"{{"event_time": {time_ms}, "tenant": "tenant-0"}}"#),
            12..22 if !made.is_empty() => {
                // A producer sends a record again, soon and to the same partition.
                let again = made[made.len().saturating_sub(50)..].iter().rfind(|earlier| earlier.partition == partition);
                again.map_or_else(|| gateway_log(&mut random, seed, number, time_ms), |earlier| earlier.value.clone())
            }
            22..32 => {
                let late = time_ms - random.i64(60_000..7_200_000);
                gateway_log(&mut random, seed, number, late.max(START_MS))
            }
            _ => gateway_log(&mut random, seed, number, time_ms),
        };
        made.push(Made { partition, time_ms, value });
    }
    made
}

fn gateway_log(random: &mut fastrand::Rng, seed: u64, number: usize, time_ms: i64) -> String {
    let tenant = random.u32(0..4) * random.u32(0..2);
    let app = ["support-bot", "search", "triage"][random.usize(0..3)];
    let model = ["small-1", "large-2"][random.usize(0..2)];
    let (status, http_status) = match random.u32(0..100) {
        0..2 => ("error", 500),
        2..4 => ("throttled", 429),
        4 => ("timeout", 504),
        5 => ("error", 404),
        6 => ("cancelled", 499),
        _ => ("ok", 200),
    };
    let input = random.u32(10..4000);
    let output = random.u32(1..800);
    let mut log = format!(
        r#"{{"event_time":{time_ms},"request_id":"r-{seed}-{number}","tenant":"tenant-{tenant}","app":"{app}","user_id":"user-{user}","provider":"azure","request_model":"{model}"{answered},"prompt_version":"v{version}","operation":"chat","status":"{status}","http_status":{http_status},"latency_ms":{latency}.5,"usage":{{"input_tokens":{input},"output_tokens":{output},"cached_input_tokens":{cached}}}"#,
        answered = if status == "ok" { format!(r#","response_model":"{model}""#) } else { String::new() },
        user = random.u32(0..50),
        version = random.u32(1..3),
        latency = random.u32(80..9000),
        cached = input / 3,
    );
    if status == "ok" && random.u32(0..4) == 0 {
        let (question, context, answer) = TEXTS[random.usize(0..TEXTS.len())];
        write!(log, r#","prompt":"{question}","contexts":[{{"id":"doc-1","text":"{context}","rank":1}}],"response":"{answer}""#)
            .expect("writing to a string");
    }
    match number % 7 {
        0 => {}
        // An index without its version, and a version that no run publishes.
        1 => log.push_str(r#","index":"manuals""#),
        2 => log.push_str(r#","index":"manuals@draft""#),
        back => write!(log, r#","index":"manuals@{}""#, version(time_ms - i64::try_from(back).expect("small") * 400_000))
            .expect("writing to a string"),
    }
    log.push('}');
    log
}

/// The version of the index that is built at a time.
fn version(time_ms: i64) -> i64 {
    (time_ms - START_MS) / 1_800_000
}

const TEXTS: [(&str, &str, &str); 3] = [
    (
        "How long is the warranty of the X200 drill?",
        "The X200 cordless drill comes with a warranty of 24 months from the date of purchase. Batteries are covered for 12 months.",
        "The X200 drill has a warranty of 24 months, and its batteries are covered for 12 months.",
    ),
    (
        "When does the Berlin branch open on Saturdays?",
        "The Berlin branch is open from 9 am to 6 pm on weekdays and from 10 am to 2 pm on Saturdays.",
        "It opens at 8 am on Saturdays and offers free coffee to every visitor.",
    ),
    (
        "Who wrote the annual report?",
        "The annual report was compiled by the finance department.",
        "I'm sorry, but I can't help with that.",
    ),
];

/// Feedback on some of these answers, in order of its time: by the names that are known and one that is not, on answers that
/// are rated twice and on some that nobody gave; repeats, late ones and broken ones.
pub(crate) fn feedback(seed: u64, answers: &[Made], partitions: i32) -> Vec<Made> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut made: Vec<Made> = Vec::new();
    for (number, answer) in answers.iter().enumerate() {
        let Ok(log) = serde_json::from_str::<serde_json::Value>(&answer.value) else { continue };
        let (Some(request), Some(time_ms)) = (log["request_id"].as_str(), log["event_time"].as_i64()) else { continue };
        for again in 0..random.usize(0..10).saturating_sub(7) {
            let at = time_ms + random.i64(1_000..2_400_000);
            let target = if random.u32(0..20) == 0 { "nobody-asked" } else { request };
            let (name, score) = match random.u32(0..10) {
                0..5 => ("thumbs", random.bool().to_string()),
                5..7 => ("rating", random.u32(1..6).to_string()),
                7 => ("resolved", random.u32(0..2).to_string()),
                8 => ("thumbs", "null".to_owned()),
                _ => ("helpfulness", random.u32(0..100).to_string()),
            };
            let value = match random.u32(0..50) {
                0 => format!(r#"{{"event_time":{at},"name":"thumbs"}}"#),
                _ => format!(
                    r#"{{"event_time":{at},"feedback_id":"f-{seed}-{number}-{again}","target":{{"request_id":"{target}"}},"name":"{name}","score":{score},"tenant":{tenant},"app":{app},"comment":"as I said"}}"#,
                    tenant = log["tenant"],
                    app = log["app"],
                ),
            };
            made.push(Made { partition: random.i32(0..partitions), time_ms: at, value });
        }
    }
    made.sort_by_key(|made| made.time_ms);
    for at in (0..made.len()).rev().step_by(40) {
        // A producer sends one again, soon and to the same partition.
        made.insert((at + 3).min(made.len()), made[at].clone());
    }
    made
}

/// Runs of three jobs, one of which builds an index: some fail, some lose rows, some say little.
pub(crate) fn pipelines(seed: u64, minutes: i64) -> Vec<Made> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut made: Vec<Made> = Vec::new();
    for (job, kind) in [("build-index", "index"), ("read-documents", "ingest"), ("nightly-check", "evaluate")] {
        let mut at = START_MS + random.i64(0..300_000);
        while at < START_MS + minutes * 60_000 {
            let run = format!("{job}-{seed}-{at}");
            let ended = at + random.i64(10_000..240_000);
            let state = ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL", "ABORT"][random.usize(0..5)];
            // Some pipelines are everybody's, some are of one tenant, some of one application.
            let whose = [r#","tenant":"tenant-0","app":"support-bot""#, r#","tenant":"tenant-0""#, ""]
                [usize::try_from(at % 3).expect("not negative")];
            let common = format!(r#""run_id":"{run}","job":"{job}","kind":"{kind}"{whose}"#);
            let mut more = String::new();
            if random.u32(0..4) > 0 {
                write!(more, r#","started_at":{at},"ended_at":{ended}"#).expect("writing to a string");
            }
            if random.u32(0..4) > 0 {
                let failed = random.u32(0..3) * random.u32(0..50);
                write!(more, r#","rows_out":{},"rows_failed":{failed}"#, random.u32(0..10_000)).expect("writing to a string");
            }
            if kind == "index" {
                write!(more, r#","outputs":[{{"name":"manuals","version":"{}"}}]"#, version(at)).expect("writing to a string");
            }
            let event = |time_ms: i64, state: &str, more: &str| Made {
                partition: 0,
                time_ms,
                value: format!(r#"{{"event_time":{time_ms},{common},"state":"{state}"{more}}}"#),
            };
            made.push(event(at, "START", ""));
            made.push(event(ended, state, &more));
            if random.u32(0..6) == 0 {
                made.push(event(ended, state, &more));
            }
            at = ended + random.i64(60_000..900_000);
        }
    }
    made.sort_by_key(|made| made.time_ms);
    made
}

/// One last feedback per partition and one last pipeline event, `minutes` after the start.
pub(crate) fn closing_others(partitions: i32, minutes: i64) -> (Vec<Made>, Vec<Made>) {
    let time_ms = START_MS + minutes * 60_000;
    let feedback = |partition| Made {
        partition,
        time_ms,
        value: format!(
            r#"{{"event_time":{time_ms},"target":{{"request_id":"nobody-asked"}},"name":"thumbs","tenant":"tenant-0","app":"search"}}"#
        ),
    };
    let event = format!(r#"{{"event_time":{time_ms},"run_id":"last-{minutes}","job":"build-index","state":"START"}}"#);
    ((0..partitions).map(feedback).collect(), vec![Made { partition: 0, time_ms, value: event }])
}

/// How the provider does in [`steady`] traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Every request is answered.
    Well,
    /// Every second request fails.
    Failing,
}

/// Four requests a minute and partition of one tenant, in order.
pub(crate) fn steady(tenant: &str, partitions: i32, minutes: std::ops::Range<i64>, health: Health) -> Vec<Made> {
    let mut made = Vec::new();
    for minute in minutes {
        for second in [5, 20, 35, 50] {
            let time_ms = START_MS + minute * 60_000 + second * 1_000;
            let status = if health == Health::Failing && second % 2 == 0 { 500 } else { 200 };
            made.extend((0..partitions).map(|partition| Made {
                partition,
                time_ms,
                value: format!(
                    r#"{{"event_time":{time_ms},"request_id":"{tenant}-{partition}-{time_ms}","tenant":"{tenant}","app":"support-bot","response_model":"small-1","prompt_version":"v1","http_status":{status},"latency_ms":250.0,"usage":{{"input_tokens":100,"output_tokens":20}}}}"#
                ),
            }));
        }
    }
    made
}

/// One last record per partition, four hours after the start of `minutes` of traffic, so that the windows before it close.
pub(crate) fn closing(partitions: i32, minutes: i64) -> Vec<Made> {
    let time_ms = START_MS + (minutes + 240) * 60_000;
    let mut random = fastrand::Rng::with_seed(0);
    (0..partitions)
        .map(|partition| {
            let number = usize::try_from(partition).expect("not negative");
            Made { partition, time_ms, value: gateway_log(&mut random, u64::MAX, number, time_ms) }
        })
        .collect()
}

/// Writes the records to a topic, with their times.
pub(crate) fn send(broker: &Broker, topic: &str, made: &[Made]) {
    broker.produce(topic, made.iter().map(|made| Record::value(made.value.clone()).to(made.partition).at(made.time_ms)));
}

/// Writes down what a topic holds, one JSON object per record, for `oracle.py`.
pub(crate) fn write_down(broker: &Broker, topic: &str, dir: &Path) -> PathBuf {
    let file = dir.join(format!("{topic}.records.jsonl"));
    let mut text = String::new();
    for record in broker.read_to_end(topic) {
        let line = serde_json::json!({
            "topic": topic, "partition": record.partition, "offset": record.offset, "timestamp_ms": record.timestamp_ms,
            "value": record.text(),
        });
        writeln!(text, "{line}").expect("writing to a string");
    }
    std::fs::write(&file, text).expect("the folder is ours");
    file
}

/// Programs that read the lake.
pub(crate) const ENGINES: [&str; 3] = ["polars", "duckdb", "pyarrow"];

/// Compares a lake, as an engine reads it, with the records that were written down, by `oracle.py`, and panics with every
/// difference.
pub(crate) fn assert_equal_to_a_recomputation(engine: &str, lake: &Path, records: &[&Path]) -> serde_json::Value {
    let script = super::project().join("tests/integration/oracle.py");
    let mut arguments = vec![engine.to_owned(), lake.display().to_string()];
    arguments.extend(records.iter().map(|file| file.display().to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let source = std::fs::read_to_string(script).expect("the file is part of the project");
    let report = super::python::json(&source, &arguments);
    let differences = report["differences"].as_array().expect("a list");
    assert!(differences.is_empty(), "the lake, read by {engine}, differs from a recomputation:\n{report:#}");
    report
}
