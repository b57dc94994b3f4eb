//! However records are cut into batches and epochs, interleaved, repeated or read after a restart: the sums of the epochs are
//! those of one epoch that reads each record once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::decode::redact;
use crate::event::Record;
use crate::measure::{Group, Measure, Partial, measures};
use crate::score;

/// Topics and their partitions.
const PARTITIONS: [(&str, i32); 4] = [("gateway-logs", 0), ("gateway-logs", 1), ("user-feedback", 0), ("pipeline-events", 0)];
const STATES: [&str; 3] = ["COMPLETE", "FAIL", "ABORT"];

/// Lines of each partition, with something for every base measure.
fn lines(partition: usize) -> Vec<String> {
    let minute = |number: usize| 1_777_881_600_000 + i64::try_from(number).unwrap() * 61_000;
    let line = |number: usize| match partition {
        0 | 1 => {
            let id = number * 2 + partition;
            let http = [200, 200, 200, 503, 429, 504, 422, 499, 400, 200][id % 10];
            let (prompt, contexts, response) = (
                "How long is the warranty of the kettle?",
                r#"[{"id":"a","text":"Every kettle has a warranty of two years from the day of purchase."}]"#,
                [
                    "It is two years.",
                    "I'm sorry, but I can't help with that.",
                    "Hello!",
                    "Der Wasserkocher hat zwei Jahre Garantie ab dem Kauf.",
                ][id % 4],
            );
            let text = if http == 200 {
                let contexts = if id.is_multiple_of(7) { String::new() } else { format!(r#","contexts":{contexts}"#) };
                format!(
                    r#","prompt":"{prompt}"{contexts},"response":"{response}","reference":"It is two years.","embedding":[1,0.5,0.{id}]"#
                )
            } else {
                String::new()
            };
            let severity = ["\"low\"", "\"high\"", "4", "\"safe\""][id % 4];
            let category = ["hate", "self_harm", "sexual", "violence", "jailbreak", "other"][id % 6];
            let stage = ["prompt", "response"][id / 6 % 2];
            // Known, without a price, without counts.
            let counts = format!(
                r#""usage":{{"input_tokens":{id},"output_tokens":9,"cached_input_tokens":1,"cache_write_tokens":1,"reasoning_tokens":2}},"#
            );
            let cost = [format!(r#""cost_usd":0.00{id},{counts}"#), counts, String::new()][id % 3].clone();
            let sure = id % 10;
            format!(
                r#"{{"event_time":{},"request_id":"r{id}","tenant":"t{}","app":"a","http_status":{http},"finish_reason":"content_filter",
                "response_model":"m","index":"i@{}","latency_ms":{},"time_to_first_token_ms":10.5,{cost}
                "quota":{{"limit_tokens":100,"remaining_tokens":{},"limit_requests":60,"remaining_requests":9}},
                "safety":[{{"category":"{category}","severity":{severity},"stage":"{stage}"}}],
                "prediction":"x","label":"{}","probability":{{"x":0.{sure}5,"y":0.1}}{text}}}"#,
                minute(number),
                id % 2,
                id % 3,
                100 + id,
                100 - id,
                ["x", "y"][id % 2],
            )
        }
        2 => format!(
            r#"{{"event_time":{},"feedback_id":"f{number}","target":{{"request_id":"r{number}"}},"name":"{}","score":{},"tenant":"t0","app":"a"}}"#,
            minute(number) + 100_000,
            ["thumbs", "rating"][number % 2],
            number % 3,
        ),
        _ => format!(
            r#"{{"event_time":{},"run_id":"run{number}","job":"j","kind":"index","state":"{}","started_at":{},"rows_out":5,"rows_failed":{},
            "tenant":"t0","app":"a","outputs":[{{"name":"i","version":{}}}]}}"#,
            minute(number),
            STATES[number % 3],
            minute(number) - 1_000,
            number % 2,
            number % 3,
        ),
    };
    (0..[24, 24, 12, 8][partition]).map(line).collect()
}

fn ingest(positions: [i64; 4]) -> Ingest {
    let redactor = Redactor::new(&redact::Settings { key: [7; 32], patterns: Vec::new() }).unwrap();
    let mut ingest = Ingest::new(tests::settings(), redactor, Scorer::new(score::Settings::default()));
    for ((topic, partition), position) in PARTITIONS.into_iter().zip(positions) {
        ingest.assign(TopicPartition { topic: topic.into(), partition }, position, None);
    }
    ingest
}

fn push(ingest: &mut Ingest, place: usize, first: i64, values: &[&str]) {
    let (topic, number) = PARTITIONS[place];
    let mut records = Records::default();
    let partition = records.partition(topic, number);
    for (offset, value) in (first..).zip(values) {
        let start = records.bytes.len();
        records.bytes.extend_from_slice(value.as_bytes());
        let value = Some(start..records.bytes.len());
        let (next_offset, time, key, headers, cut) = (offset + 1, None, None, None, None);
        records.records.push(Record { partition, offset, next_offset, time, key, value, headers, cut });
    }
    ingest.push(&records, Timestamp(0));
}

/// What adds up: sums by minute, group and measure, scores by request, accepted records by input.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    partials: BTreeMap<(Timestamp, Group, Measure), Partial>,
    scores: BTreeMap<String, Vec<Option<i64>>>,
    accepted: BTreeMap<String, u64>,
}

impl Sums {
    fn add(&mut self, epoch: &Epoch) {
        for row in &epoch.partials.rows {
            // Whether its answer was at hand when feedback was read decides who counts it; and the ledger counts repeats.
            if measures::is_by_answer(row.measure) || row.measure.info().name.starts_with("ledger.") {
                continue;
            }
            let key = (row.pane, epoch.partials.groups[row.group as usize].clone(), row.measure);
            self.partials.entry(key).or_default().merge(&row.partial);
        }
        let interactions = &epoch.rows.interactions;
        for row in &interactions.rows {
            let seen = (0..SCORE_COLUMNS.len()).map(|at| row.scores.get(at)).collect();
            let id = row.texts[0].expect("a request has an id").of(&interactions.text).to_owned();
            assert_eq!(self.scores.insert(id, seen), None, "no request is taken twice");
        }
        for (input, counts) in &epoch.outcomes.events {
            *self.accepted.entry(input.clone()).or_default() += counts.accepted;
        }
    }
}

/// Takes the epoch, and after a restart an ingest that remembers it.
fn cut(ingest: &mut Ingest, sums: &mut Sums, past: &mut Vec<Epoch>, restart: Option<[i64; 4]>) {
    let epoch = ingest.cut();
    sums.add(&epoch);
    past.push(epoch);
    let Some(positions) = restart else { return };
    *ingest = self::ingest(positions);
    for epoch in past {
        for answer in &epoch.ids {
            let scored = answer.scored.map(|scored| (&epoch.scorers[usize::from(scored.scorer)], scored.hundredths));
            ingest.remember(&PastAnswer {
                event_time: answer.event_time,
                group: &epoch.partials.groups[answer.group as usize],
                request_id: answer.request_id.of(&epoch.rows.interactions.text),
                repeat: answer.repeat,
                ids: &answer.ids,
                scored,
            });
        }
        for (repeat, at) in &epoch.repeats {
            ingest.remember_feedback(*repeat, *at);
        }
    }
}

/// One move: so many records of a partition, then perhaps an earlier one of it again, the end of the epoch, a restart.
type Move = (usize, usize, Option<prop::sample::Index>, bool, bool);

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_interleaving_repeat_or_restart_adds_up_to_the_same(
        moves in prop::collection::vec(
            (0_usize..4, 1_usize..9, prop::option::of(any::<prop::sample::Index>()), any::<bool>(), any::<bool>()), 0..30,
        ),
    ) {
        let all: Vec<Vec<String>> = (0..4).map(lines).collect();
        let mut whole = Sums::default();
        let mut once = ingest([0; 4]);
        for (place, lines) in all.iter().enumerate() {
            push(&mut once, place, 0, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        whole.add(&once.cut());

        let (mut found, mut past) = (Sums::default(), Vec::new());
        let (mut taken, mut positions) = ([0_usize; 4], [0_i64; 4]);
        let mut cutting = ingest([0; 4]);
        let rest = (0..4).map(|place| -> Move { (place, usize::MAX, None, true, false) });
        for (place, count, again, ends, restarts) in moves.into_iter().chain(rest) {
            let lines = &all[place];
            let from = taken[place];
            taken[place] = from.saturating_add(count).min(lines.len());
            let mut values: Vec<&str> = lines[from..taken[place]].iter().map(String::as_str).collect();
            // Repeats of pipeline events are known to the process that read them.
            let earliest = if place == 3 { from } else { 0 };
            if let Some(again) = again.filter(|_| taken[place] > earliest) {
                values.push(&lines[earliest + again.index(taken[place] - earliest)]);
            }
            push(&mut cutting, place, positions[place], &values);
            positions[place] += i64::try_from(values.len()).unwrap();
            if ends {
                cut(&mut cutting, &mut found, &mut past, restarts.then_some(positions));
            }
        }
        prop_assert_eq!(&found, &whole);
    }
}

#[test]
fn the_lines_measure_nearly_everything() {
    let mut ingest = ingest([0; 4]);
    for place in 0..4 {
        let lines = lines(place);
        push(&mut ingest, place, 0, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let epoch = ingest.cut();
    assert!(epoch.rows.rejects.is_empty(), "{:?}", epoch.rows.rejects);
    let seen: std::collections::BTreeSet<&str> = epoch.partials.rows.iter().map(|row| row.measure.info().name).collect();
    let missing: Vec<&str> = measures::ALL.iter().map(|info| info.name).filter(|name| !seen.contains(name)).collect();
    // Left out are a price table, long texts, labels of scored answers, versions of an index.
    assert!(missing.len() * 10 < measures::COUNT, "{missing:?}");
}
