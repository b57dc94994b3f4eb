//! Two hours of all three inputs through ingest and evaluator: the lake is sound, and a falsified row of metrics is found, whichever it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::memory::InMemory;

use super::{Report, Settings};
use crate::decode::redact::{self, Redactor};
use crate::evaluate::{self, MetricRow, Query, State};
use crate::event::{Input, Record, Records, Timestamp, TopicPartition};
use crate::ingest::{self, Epoch, FeedbackScale, Ingest, Positive, TextStorage, Topic};
use crate::lake::tests::{entry, settings};
use crate::lake::{Attempt, Lake};
use crate::log::{EVALUATE, Entry, Kind};
use crate::measure::{Dimension, Inputs, Prices, Registry, measures};
use crate::score::{self, Scorer};

const TOPICS: [(&str, Input); 3] = [("g", Input::Gateway), ("f", Input::Feedback), ("p", Input::Pipeline)];
/// 2026-05-04T08:00:00Z.
const BEGIN: Timestamp = Timestamp(1_777_881_600_000_000);

fn minutes(minutes: i64) -> i64 {
    (BEGIN.0 + minutes * Timestamp::MINUTE_US) / 1_000
}

/// Records of a topic, each with its own time in minutes after the beginning; an empty value is a tombstone.
fn records(topic: &str, values: &[(i64, String)]) -> Records {
    let mut records = Records::default();
    let partition = records.partition(topic, 0);
    for (offset, (at, value)) in (0..).zip(values) {
        let start = records.bytes.len();
        records.bytes.extend_from_slice(value.as_bytes());
        let value = (!value.is_empty()).then_some(start..records.bytes.len());
        let time = Some(Timestamp(minutes(*at) * 1_000));
        records.records.push(Record {
            partition,
            offset,
            next_offset: offset + 1,
            time,
            key: None,
            value,
            headers: None,
            cut: None,
        });
    }
    records
}

fn gateway() -> Vec<(i64, String)> {
    let mut lines = Vec::new();
    for number in 0..80_i64 {
        let at = number * 3 / 2;
        // Version 2 is published 20 minutes in; version 9 never is; some name no version, some no index.
        let index = match number % 8 {
            0 => "",
            1 => r#","index":"kb@9""#,
            2 => r#","index":"kb""#,
            3 | 4 => r#","index":"kb@1""#,
            _ => r#","index":"kb@2""#,
        };
        let status = if number % 9 == 0 { 503 } else { 200 };
        let answer =
            if number % 5 == 0 { "" } else { r#","response":"The kettle has a warranty of two years.","prompt":"How long?""# };
        let (tenant, time) = (if number % 3 == 0 { "globex" } else { "acme" }, minutes(at));
        let line = format!(
            r#"{{"event_time":{time},"request_id":"r{number}","tenant":"{tenant}","app":"bot","http_status":{status},"latency_ms":{number}.5{index}{answer}}}"#
        );
        if number % 10 == 0 {
            lines.push((at, line.clone()));
        }
        lines.push((at, line));
    }
    lines.extend([(31, "{".to_owned()), (95, "[]".to_owned()), (96, String::new())]);
    // An hour late.
    lines.push((
        119,
        format!(r#"{{"event_time":{},"request_id":"late","tenant":"acme","app":"bot","http_status":200}}"#, minutes(44)),
    ));
    lines.push((600, format!(r#"{{"event_time":{},"request_id":"last","http_status":200}}"#, minutes(600))));
    lines
}

fn feedback() -> Vec<(i64, String)> {
    let mut lines: Vec<(i64, String)> = (0..30)
        .map(|number| {
            let (at, score) = (10 + number * 3, number % 2);
            (
                at,
                format!(
                    r#"{{"event_time":{},"name":"thumbs","score":{score},"target":{{"request_id":"r{number}"}}}}"#,
                    minutes(at)
                ),
            )
        })
        .collect();
    lines.push((50, "{}".to_owned()));
    lines.push((600, format!(r#"{{"event_time":{},"name":"thumbs","score":1,"target":{{"request_id":"x"}}}}"#, minutes(600))));
    lines
}

fn pipelines() -> Vec<(i64, String)> {
    let run = |at: i64, id: &str, state: &str, more: &str| {
        let (time, start) = (minutes(at), minutes(at - 7));
        (
            at,
            format!(
                r#"{{"event_time":{time},"run_id":"{id}","job":"build","kind":"index","state":"{state}","started_at":{start}{more}}}"#
            ),
        )
    };
    let output = |version: &str| format!(r#","rows_out":90,"rows_failed":0,"outputs":[{{"name":"kb","version":"{version}"}}]"#);
    vec![
        run(-10, "a", "COMPLETE", &(output("1") + r#","tenant":"acme","app":"bot""#)),
        run(-5, "b", "COMPLETE", &output("1")),
        run(12, "c", "START", ""),
        run(20, "c", "COMPLETE", &output("2")),
        run(40, "d", "FAIL", r#","outputs":[{"name":"kb","version":"9"}]"#),
        run(45, "e", "COMPLETE", r#","rows_out":80,"rows_failed":10,"outputs":[{"name":"kb","version":"9"}]"#),
        run(70, "f", "COMPLETE", &output("2")),
        (71, "null".to_owned()),
        run(600, "z", "START", ""),
    ]
}

/// All of it, read in the order given.
fn epoch(order: [usize; 3]) -> Epoch {
    let topic = |input| Topic { input: Some(input), text: TextStorage::Full };
    let settings = ingest::Settings {
        topics: TOPICS.map(|(name, input)| (name.to_owned(), topic(input))).into(),
        limits: crate::decode::Limits::default(),
        lateness_us: [30 * Timestamp::SECOND_US; 3],
        max_ahead_of_record_us: 5 * Timestamp::MINUTE_US,
        max_ahead_of_clock_us: None,
        dedup_window_us: Timestamp::HOUR_US,
        dedup_capacity: 10_000,
        recent_capacity: 10_000,
        group_by: vec![Dimension::Tenant, Dimension::App],
        groups_per_tenant: 100,
        feedback: scales(),
        prices: Prices::default(),
        key: [7; 32],
    };
    let redactor = Redactor::new(&redact::Settings { key: [7; 32], patterns: Vec::new() }).unwrap();
    let mut ingest = Ingest::new(settings, redactor, Scorer::new(score::Settings::default()));
    for (topic, _) in TOPICS {
        ingest.assign(TopicPartition { topic: topic.into(), partition: 0 }, 0, None);
    }
    let all = [records("g", &gateway()), records("f", &feedback()), records("p", &pipelines())];
    for number in order {
        ingest.push(&all[number], Timestamp(0));
    }
    ingest.cut()
}

fn scales() -> BTreeMap<String, FeedbackScale> {
    BTreeMap::from([("thumbs".to_owned(), FeedbackScale { lowest: 0.0, highest: 1.0, positive: Positive::From(1.0) })])
}

fn ingested(epoch: &Epoch) -> Entry {
    let cursors: Vec<(String, i64, i64)> =
        epoch.offsets.iter().map(|(partition, (from, to))| (partition.to_string(), *from, *to)).collect();
    let cursors: Vec<(&str, i64, i64)> = cursors.iter().map(|(name, from, to)| (name.as_str(), *from, *to)).collect();
    let mut first = entry(1, Kind::Ingest, &cursors);
    first.outcomes = epoch.outcomes.clone();
    first.watermarks = epoch.watermarks.iter().map(|(partition, time)| (partition.to_string(), *time)).collect();
    first
}

fn evaluated(entry: &Entry, epoch: &Epoch) -> Vec<MetricRow> {
    played(entry, epoch).1
}

fn played(entry: &Entry, epoch: &Epoch) -> (State, Vec<MetricRow>) {
    let topics = TOPICS.map(|(name, input)| (name.to_owned(), Inputs::of(input))).into();
    let settings = evaluate::Settings { topics, ..evaluate::Settings::default() };
    let mut state = State::new(settings, Arc::new(Registry::builtin().unwrap()));
    state.absorb(entry, epoch.partials.clone());
    let mut rows = Vec::new();
    state.advance(&mut rows, &mut |_, _| {});
    (state, rows)
}

async fn verified(epoch: &Arc<Epoch>, rows: Vec<MetricRow>) -> Report {
    let lake = Lake::on(Arc::new(InMemory::new()), &settings("memory"));
    let mut fold = lake.load().await.unwrap();
    let mut first = ingested(epoch);
    first.files = lake.stage_epoch(&Attempt::new(1, &first.cursors), epoch).await.unwrap();
    lake.append(&mut fold, &mut first).await.unwrap();
    lake.publish(&first).await.unwrap();
    let mut second = entry(2, Kind::Evaluate, &[(EVALUATE, 0, 1)]);
    second.files = lake.stage_evaluation(&Attempt::new(2, &second.cursors), &Arc::new(rows), &Arc::default()).await.unwrap();
    lake.append(&mut fold, &mut second).await.unwrap();
    lake.publish(&second).await.unwrap();
    lake.verify(&Settings { feedback: scales(), ..Settings::default() }).await.unwrap()
}

#[tokio::test]
async fn a_falsified_row_of_any_metric_is_found() {
    let epoch = Arc::new(epoch([0, 1, 2]));
    let rows = evaluated(&ingested(&epoch), &epoch);
    let report = verified(&epoch, rows.clone()).await;
    assert_eq!(report.findings, []);
    let of_signals = report.without_rows.iter().any(|metrics| metrics.starts_with("service."));
    assert!(of_signals && report.metrics_compared > 200, "{report:?}");

    let mut passed_over = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.metric.starts_with("drift.") && seen.insert(row.metric.clone()))
    {
        let mut falsified = rows.clone();
        falsified[at].n += 1;
        if verified(&epoch, falsified).await.findings.is_empty() {
            passed_over.insert(row.metric.to_string());
        }
    }
    // Of feedback by the time of its answer not all is recomputed; `left_out` says so.
    let registry = Registry::builtin().unwrap();
    passed_over.retain(|metric| {
        let metric = registry.get(metric).unwrap();
        let is_by_answer = metric.measures.iter().any(|measure| measures::is_by_answer(*measure));
        !(is_by_answer || metric.inputs.contains(Input::Feedback) && metric.inputs.contains(Input::Gateway))
    });
    assert_eq!(passed_over, BTreeSet::new());

    for metric in ["index.age_at_answer_s", "index.freshness_s", "pipeline.duration_s"] {
        let at = rows.iter().position(|row| &*row.metric == metric && row.n > 0).unwrap();
        let falsify: [fn(&mut MetricRow); 4] =
            [|row| row.sum += 0.5, |row| row.n_null += 1, |row| row.max = row.max.map(|max| max + 1.0), |row| row.value = None];
        for falsify in falsify {
            let mut falsified = rows.clone();
            falsify(&mut falsified[at]);
            assert_ne!(verified(&epoch, falsified).await.findings, [], "{metric}");
        }
        let missing = rows.iter().enumerate().filter(|(number, _)| *number != at).map(|(_, row)| row.clone()).collect();
        assert_ne!(verified(&epoch, missing).await.findings, [], "{metric}");
    }
}

#[test]
fn ages_at_answers_and_the_ledger_are_what_the_records_say_in_any_order() {
    let mut found = Vec::new();
    for order in [[0, 1, 2], [2, 0, 1]] {
        let epoch = epoch(order);
        let (state, rows) = played(&ingested(&epoch), &epoch);
        let mut lines = Vec::new();
        for row in rows.iter().filter(|row| row.window_s == 3_600 && row.window_start == BEGIN) {
            let tenant = row.group.get(Dimension::Tenant).map_or("", |tenant| tenant);
            if &*row.metric == "index.age_at_answer_s" {
                lines.push((format!("{} {tenant}", row.metric), row.n, row.n_null, row.value));
            } else if row.metric.starts_with("ledger.gateway") {
                lines.push((row.metric.to_string(), row.n, row.n_null, row.value));
            }
        }
        // What a rule reads over the same hour.
        let hour = (BEGIN, BEGIN.plus(Timestamp::HOUR_US));
        for (metric, by) in [("index.age_at_answer_s", Some(Dimension::Tenant)), ("ledger.gateway.rejected_ratio", None)] {
            let query = Query { metric: metric.to_owned(), filter: Vec::new(), by: by.into_iter().collect() };
            for (labels, seen) in state.pooled(&query, hour.0, hour.1) {
                let tenant = labels.first().map_or("", |(_, tenant)| tenant);
                let name = format!("{metric} {tenant}").trim_end().to_owned();
                let row = lines.iter().find(|line| line.0 == name).unwrap_or_else(|| panic!("{name} in {lines:?}"));
                assert_eq!(
                    (i64::try_from(seen.n).unwrap(), i64::try_from(seen.n_null).unwrap(), seen.value),
                    (row.1, row.2, row.3)
                );
                lines.push((format!("pooled {name}"), row.1, row.2, row.3));
            }
        }
        assert_eq!(lines.iter().filter(|line| line.0.starts_with("pooled")).count(), 3);
        lines.sort_by(|left, right| left.0.cmp(&right.0));
        found.push(lines);
    }
    assert_eq!(found[0], found[1]);
    let value = |name: &str| found[0].iter().find(|line| line.0 == name).map(|line| (line.1, line.2, line.3));
    // Recomputed by hand: minutes of the answers with status 200 of each version, less those of its publication.
    let (mut ages, mut unknown) = ([Vec::new(), Vec::new()], [0, 0]);
    for number in (0..40_i64).filter(|number| number % 9 != 0 && number % 8 != 0) {
        let (whose, at) = (usize::from(number % 3 == 0), number * 3 / 2);
        match number % 8 {
            1 | 2 => unknown[whose] += 1,
            // Of version 1, acme has its own.
            3 | 4 => ages[whose].push(at + if whose == 0 { 10 } else { 5 }),
            _ => ages[whose].push(at - 20),
        }
    }
    for (whose, tenant) in ["acme", "globex"].into_iter().enumerate() {
        let n = i64::try_from(ages[whose].len()).unwrap();
        let mean = ages[whose].iter().sum::<i64>() as f64 * 60.0 / n as f64;
        assert_eq!(value(&format!("index.age_at_answer_s {tenant}")), Some((n, unknown[whose], Some(mean))), "{tenant}");
    }
    let count = |name: &str| value(&format!("ledger.gateway.{name}")).map(|(n, ..)| n);
    assert_eq!(
        [count("consumed"), count("accepted"), count("duplicate"), count("filtered"), count("rejected"), count("late")],
        [Some(46), Some(41), Some(4), Some(0), Some(1), Some(1)]
    );
    assert_eq!([count("rejected.invalid_json"), count("rejected.too_deep")], [Some(1), None]);
}
