use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::decode::redact;
use crate::event::Record;
use crate::measure::{Dimension, Group, Prices, measures};
use crate::score;

const MINUTE: i64 = Timestamp::MINUTE_US;

pub(super) fn settings() -> Settings {
    let topic = |input| Topic { input: Some(input), text: TextStorage::Full };
    let thumbs = FeedbackScale { lowest: 0.0, highest: 1.0, positive: Positive::From(1.0) };
    Settings {
        topics: BTreeMap::from([
            ("gateway-logs".to_owned(), topic(Input::Gateway)),
            ("user-feedback".to_owned(), topic(Input::Feedback)),
            ("pipeline-events".to_owned(), topic(Input::Pipeline)),
            ("secret-logs".to_owned(), Topic { input: Some(Input::Gateway), text: TextStorage::None }),
        ]),
        limits: decode::Limits::default(),
        lateness_us: [30 * Timestamp::SECOND_US; 3],
        max_ahead_of_record_us: 5 * MINUTE,
        max_ahead_of_clock_us: None,
        dedup_window_us: Timestamp::HOUR_US,
        dedup_capacity: 10_000,
        recent_capacity: 10_000,
        group_by: vec![Dimension::Tenant, Dimension::App],
        groups_per_tenant: 100,
        feedback: BTreeMap::from([("thumbs".to_owned(), thumbs)]),
        prices: Prices::default(),
        key: [7; 32],
    }
}

fn ingest() -> Ingest {
    let redactor = Redactor::new(&redact::Settings { key: [7; 32], patterns: Vec::new() }).unwrap();
    let mut ingest = Ingest::new(settings(), redactor, Scorer::new(score::Settings::default()));
    for topic in ["gateway-logs", "user-feedback", "pipeline-events", "secret-logs"] {
        ingest.assign(TopicPartition { topic: topic.into(), partition: 0 }, 0, None);
    }
    ingest
}

fn records(topic: &str, first: i64, values: &[&str]) -> Records {
    let mut records = Records::default();
    let partition = records.partition(topic, 0);
    for (offset, value) in (first..).zip(values) {
        let start = records.bytes.len();
        records.bytes.extend_from_slice(value.as_bytes());
        let value = Some(start..records.bytes.len());
        records.records.push(Record {
            partition,
            offset,
            next_offset: offset + 1,
            time: None,
            key: None,
            value,
            headers: None,
            cut: None,
        });
    }
    records
}

fn answer(id: &str, time: &str) -> String {
    format!(
        r#"{{"event_time":"2026-05-04T{time}Z","request_id":"{id}","tenant":"acme","app":"bot","http_status":200,"latency_ms":12.5,
        "prompt":"How long is the warranty of the kettle?","response":"The kettle has a warranty of two years.",
        "contexts":[{{"id":"doc-1","text":"Every kettle has a warranty of two years from the day of purchase."}}],
        "usage":{{"input_tokens":10,"output_tokens":8}}}}"#
    )
}

#[test]
fn every_record_has_exactly_one_outcome_and_the_rest_goes_on() {
    let mut ingest = ingest();
    let good = answer("a", "08:00:10");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let values = [
        good.as_str(),
        "not json",
        r#"{"event_time":"2026-05-04T08:00:11Z"}"#,
        &good,
        r#"{"event_time":"2026-05-04T08:00:11Z","request_id":"x","request_id":"y"}"#,
        &deep,
        "{",
    ];
    let dead = ingest.push(&records("gateway-logs", 0, &values), Timestamp(0));
    let epoch = ingest.cut();
    let counts = &epoch.outcomes.records["gateway"];
    assert_eq!((counts.accepted, counts.duplicate, counts.total()), (1, 1, 7));
    assert_eq!(epoch.outcomes.events, epoch.outcomes.records);
    assert_eq!(dead.len(), 5);
    assert_eq!(epoch.rows.rejects.len(), 5);
    let reasons: Vec<_> = epoch.rows.rejects.iter().map(|row| row.reason).collect();
    assert_eq!(reasons, ["invalid_json", "missing_field", "duplicate_key", "too_deep", "invalid_json"]);
    assert_eq!(epoch.rows.interactions.rows.len(), 1);
    let partition = TopicPartition { topic: "gateway-logs".into(), partition: 0 };
    assert_eq!(epoch.offsets[&partition], (0, 7));
}

#[test]
fn what_was_read_before_is_skipped_and_not_a_repeat() {
    let mut ingest = ingest();
    let (a, b) = (answer("a", "08:00:10"), answer("b", "08:00:20"));
    ingest.push(&records("gateway-logs", 0, &[&a]), Timestamp(0));
    ingest.push(&records("gateway-logs", 0, &[&a, &b]), Timestamp(0));
    let counts = ingest.cut().outcomes.records["gateway"].clone();
    assert_eq!((counts.accepted, counts.duplicate), (2, 0));
}

#[test]
fn feedback_counts_by_its_own_time_and_by_the_time_of_its_answer() {
    let mut ingest = ingest();
    ingest.push(&records("gateway-logs", 0, &[&answer("a", "08:00:10")]), Timestamp(0));
    let feedback = |id: &str, score: u8| {
        format!(
            r#"{{"event_time":"2026-05-04T08:07:00Z","feedback_id":"{id}","target":{{"request_id":"a"}},"name":"thumbs","score":{score}}}"#
        )
    };
    let unknown = r#"{"event_time":"2026-05-04T08:07:00Z","target":{"request_id":"nobody"},"name":"thumbs","score":true}"#;
    ingest.push(&records("user-feedback", 0, &[&feedback("f1", 1), &feedback("f2", 0), &feedback("f1", 1), unknown]), Timestamp(0));
    let epoch = ingest.cut();
    let counts = &epoch.outcomes.records["feedback"];
    assert_eq!((counts.accepted, counts.duplicate), (3, 1));
    let matches: Vec<_> = epoch.rows.feedback.iter().map(|row| (row.r#match.as_str(), row.app.as_deref())).collect();
    assert_eq!(matches, [("matched", Some("bot")), ("matched", Some("bot")), ("pending", None)]);
    let sum = |measure, minute: &str| -> (u64, u64) {
        let pane = Timestamp::parse(&format!("2026-05-04T{minute}:00Z")).unwrap();
        let rows = epoch.partials.rows.iter().filter(|row| row.measure == measure && row.pane == pane);
        rows.fold((0, 0), |(n, bad), row| (n + row.partial.n, bad + row.partial.bad_n))
    };
    assert_eq!(sum(measures::FEEDBACK, "08:07"), (3, 0));
    assert_eq!(sum(measures::FEEDBACK_POSITIVE, "08:07"), (3, 2));
    assert_eq!(sum(measures::ANSWER_POSITIVE, "08:00"), (2, 1));
    assert_eq!(sum(measures::ANSWER_RATED, "08:00"), (1, 0));
}

#[test]
fn after_a_restart_a_repeat_of_feedback_is_known_and_answers_keep_their_scorer() {
    let feedback = |id: &str, minute: u32, more: &str| {
        format!(
            r#"{{"event_time":"2026-05-04T08:0{minute}:00Z","feedback_id":"{id}","target":{{"request_id":"a"}},"name":"thumbs","score":1{more}}}"#
        )
    };
    let mut before = ingest();
    before.push(&records("gateway-logs", 0, &[&answer("a", "08:00:10")]), Timestamp(0));
    before.push(&records("user-feedback", 0, &[&feedback("f1", 5, "")]), Timestamp(0));
    let epoch = before.cut();
    let (ids, note) = (epoch.ids[0], epoch.rated[0].note);
    let hundredths = ids.scored.unwrap().hundredths;

    let mut after = ingest();
    let scorer: Arc<str> = "an earlier one".into();
    after.remember(&PastAnswer {
        event_time: ids.event_time,
        group: &epoch.partials.groups[0],
        request_id: "a",
        repeat: ids.repeat,
        ids: &ids.ids,
        scored: Some((&scorer, hundredths)),
    });
    after.remember_rated(note);
    for (repeat, at) in &epoch.repeats {
        after.remember_feedback(*repeat, *at);
    }
    let judged = feedback("f3", 7, r#","source":"llm_judge""#);
    after.push(&records("user-feedback", 0, &[&feedback("f1", 5, ""), &feedback("f2", 6, ""), &judged]), Timestamp(0));
    let epoch = after.cut();
    let counts = &epoch.outcomes.records["feedback"];
    assert_eq!((counts.accepted, counts.duplicate, epoch.rated.len()), (2, 1, 0));
    // The score counts under the scorer that made it, and only as a human rated it.
    assert_eq!(epoch.partials.scorer, None);
    let labels = &epoch.partials.of_scorers[&scorer];
    assert_eq!((labels.len(), labels[0].measure, labels[0].partial.n), (1, measures::ANSWER_PRAISED_GROUNDEDNESS, 1));
    assert_eq!(labels[0].partial.hist, [(u16::from(hundredths), 1)]);
    let praised: u64 =
        epoch.partials.rows.iter().filter(|row| row.measure == measures::ANSWER_PRAISED).map(|row| row.partial.n).sum();
    assert_eq!(praised, 2);
}

#[test]
fn no_secret_survives_and_text_is_kept_as_the_topic_says() {
    let mut ingest = ingest();
    let secret = "jane.doe@example.com";
    let log = format!(
        r#"{{"event_time":"2026-05-04T08:00:00Z","request_id":"r1","user_id":"{secret}","app":"{secret}","prompt":"I am {secret}",
        "response":"Hello {secret}.","contexts":[{{"id":"c","text":"{secret}"}}],"note":{{"deep":["jane.doe\u0040example.com"]}}}}"#
    );
    let broken = format!(r#"{{"request_id":"r2","prompt":"{secret} and jane.doe\u0040example.com"}}"#);
    ingest.push(&records("gateway-logs", 0, &[&log, &broken]), Timestamp(0));
    ingest.push(&records("secret-logs", 0, &[&log.replace("r1", "r3"), &broken]), Timestamp(0));
    let epoch = ingest.cut();
    assert_eq!(epoch.rows.interactions.rows.len(), 2);
    let everything = format!("{epoch:?}");
    assert!(!everything.contains("jane.doe"), "{everything}");
    let prompt = column(&TEXT_COLUMNS, "prompt");
    assert!(epoch.rows.interactions.rows[0].texts[prompt].is_some());
    assert!(epoch.rows.interactions.rows[1].texts[prompt].is_none());
    assert_eq!(epoch.rows.rejects.iter().map(|row| row.excerpt.is_some()).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn an_event_from_the_future_is_refused_and_moves_no_watermark() {
    let mut ingest = ingest();
    let mut batch = records("gateway-logs", 0, &[&answer("a", "08:00:10"), &answer("b", "09:00:00")]);
    for record in &mut batch.records {
        record.time = Timestamp::parse("2026-05-04T08:00:11Z");
    }
    ingest.push(&batch, Timestamp(0));
    let epoch = ingest.cut();
    assert_eq!(epoch.outcomes.records["gateway"].rejected["clock_skew"], 1);
    let partition = TopicPartition { topic: "gateway-logs".into(), partition: 0 };
    assert_eq!(epoch.watermarks[&partition], Timestamp::parse("2026-05-04T07:59:40Z").unwrap());
}

#[test]
fn an_answer_with_a_reference_or_a_label_is_compared_and_others_cost_nothing() {
    let line = |id: &str, more: &str| {
        format!(r#"{{"event_time":"2026-05-04T10:00:00Z","request_id":"{id}","tenant":"t","app":"a"{more}}}"#)
    };
    let plain = line("1", r#","response":"The cat sat on the mat.""#);
    let referenced = line("2", r#","response":"The cat sat on the mat.","reference":"The cat sat on a mat.""#);
    let unanswered = line("3", r#","reference":"The cat sat on a mat.""#);
    let labelled = line("4", r#","label":"b","prediction":"a","probability":{"a":0.75,"b":0.25}"#);
    let of = |lines: &[&str]| {
        let mut ingest = ingest();
        ingest.push(&records("gateway-logs", 0, lines), Timestamp(0));
        let epoch = ingest.cut();
        let sum = |measure: crate::measure::Measure| {
            let row = epoch.partials.rows.iter().find(|row| row.measure == measure)?;
            Some((row.partial.n, row.partial.bad_n, row.partial.sum))
        };
        let known = [measures::BLEU_MATCHED_2, measures::BLEU_REFERENCE_LENGTH, measures::EXACT_MATCH, measures::CLASSIFIED];
        (known.map(sum), epoch.rows.interactions.compared.len(), sum(measures::CALIBRATION_8), sum(measures::CROSS_ENTROPY))
    };
    assert_eq!(of(&[&plain, &unanswered]), ([None; 4], 0, None, None));
    let (sums, compared, calibration, cross_entropy) = of(&[&plain, &referenced, &unanswered, &labelled]);
    // the cat, cat sat, sat on and mat . of six pairs; seven tokens with the full stop.
    assert_eq!(sums, [Some((1, 0, 4)), Some((1, 0, 7)), Some((1, 1, 1)), Some((1, 0, 1))]);
    assert_eq!((compared, calibration, cross_entropy), (1, Some((1, 0, 750_000_000)), Some((1, 0, 1_386_294_361))));
}

/// One record of a made-up partition, in minutes after the first.
#[derive(Clone, Debug)]
enum Sent {
    Answer { id: u8, minute: i64, scored: bool },
    Broken,
    Deep,
    Tombstone,
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        6 => (0_u8..12, 0_i64..60, any::<bool>()).prop_map(|(id, minute, scored)| Sent::Answer { id, minute, scored }),
        1 => Just(Sent::Broken),
        1 => Just(Sent::Deep),
        1 => Just(Sent::Tombstone),
    ]
}

/// 2026-05-04T08:00:00Z.
const EIGHT: Timestamp = Timestamp(1_777_881_600_000_000);

/// The records, one a minute by the broker's clock, two hours after their events.
fn batch(all: &[Sent], stretch: std::ops::Range<usize>) -> Records {
    let values: Vec<String> = all
        .iter()
        .map(|sent| match sent {
            Sent::Answer { id, minute, scored } => {
                let response = if *scored { r#","response":"The kettle has a warranty.""# } else { "" };
                format!(r#"{{"event_time":{},"request_id":"{id}"{response}}}"#, EIGHT.plus(minute * MINUTE).0 / 1_000)
            }
            Sent::Broken => "{".to_owned(),
            Sent::Deep => format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
            Sent::Tombstone => String::new(),
        })
        .collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let mut records = records("gateway-logs", 0, &values);
    for (at, record) in (0..).zip(&mut records.records) {
        record.time = Some(EIGHT.plus((120 + at) * MINUTE));
        record.value = record.value.clone().filter(|value| !value.is_empty());
    }
    records.records = records.records[stretch].to_vec();
    records
}

/// The ledger of all epochs: counts by minute and name, late ones apart.
fn ledger(epochs: &[Epoch]) -> BTreeMap<(Timestamp, u16), u32> {
    let mut found = BTreeMap::new();
    for row in epochs.iter().flat_map(|epoch| &epoch.partials.rows).filter(|row| row.measure == measures::LEDGER_GATEWAY) {
        assert_eq!(
            row.partial.n,
            row.partial.hist.iter().filter(|(bin, _)| *bin != bin_of("late")).map(|(_, n)| u64::from(*n)).sum::<u64>()
        );
        for (bin, count) in &row.partial.hist {
            *found.entry((row.pane, *bin)).or_default() += *count;
        }
    }
    found
}

fn bin_of(name: &str) -> u16 {
    crate::measure::Category::of(name).unwrap().bin()
}

/// The same counts, record by record.
fn slow_ledger(all: &[Sent]) -> BTreeMap<(Timestamp, u16), u32> {
    let mut found = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut newest = i64::MIN;
    for (at, sent) in (0..).zip(all) {
        let own = 120 + at;
        let (minute, name) = match sent {
            Sent::Answer { id, minute, scored } => {
                // All of them lie within the hour in which a repeat is known.
                let is_repeat = !taken.insert(*id);
                if !is_repeat && newest != i64::MIN && minute * 2 < newest * 2 - 1 {
                    *found.entry((EIGHT.plus(minute * MINUTE), bin_of("late"))).or_default() += 1;
                }
                newest = newest.max(*minute);
                let state = if *scored { "no_context" } else { "unscored" };
                (*minute, if is_repeat { "duplicate" } else { state })
            }
            Sent::Broken => (own, "invalid_json"),
            Sent::Deep => (own, "too_deep"),
            Sent::Tombstone => (own, "filtered"),
        };
        *found.entry((EIGHT.plus(minute * MINUTE), bin_of(name))).or_default() += 1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_is_the_same_however_the_input_is_cut_read_again_or_restarted(
        all in prop::collection::vec(sent(), 1..40), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0_usize..5), 0..6),
    ) {
        let mut ends: Vec<(usize, bool, usize)> = cuts.iter().map(|(at, restarts, again)| (at.index(all.len()), *restarts, *again)).collect();
        ends.push((all.len(), false, 0));
        ends.sort_unstable();
        let mut epochs: Vec<Epoch> = Vec::new();
        let mut ingest = ingest();
        let mut from = 0;
        for (end, restarts, again) in ends {
            ingest.push(&batch(&all, from..end), Timestamp(0));
            let lost = restarts && again == 0;
            if restarts {
                // What was not cut is gone; what was cut is remembered from the log.
                let mut next = self::ingest();
                if !lost {
                    epochs.push(ingest.cut());
                }
                let partition = TopicPartition { topic: "gateway-logs".into(), partition: 0 };
                let (position, watermark) = epochs.last().map_or((0, None), |epoch| {
                    (epoch.offsets[&partition].1, epoch.watermarks.get(&partition).copied())
                });
                for epoch in &epochs {
                    for answer in &epoch.ids {
                        let (repeat, ids, event_time) = (answer.repeat, &answer.ids, answer.event_time);
                        next.remember(&PastAnswer { repeat, ids, event_time, request_id: "", group: &Group::default(), scored: None });
                    }
                }
                next.assign(partition, position, watermark);
                from = usize::try_from(position).unwrap();
                ingest = next;
            } else {
                epochs.push(ingest.cut());
                // Some of it comes once more.
                from = end.saturating_sub(again);
            }
            if lost {
                ingest.push(&batch(&all, from..end), Timestamp(0));
                from = end;
            }
        }
        epochs.push(ingest.cut());
        prop_assert_eq!(ledger(&epochs), slow_ledger(&all));
    }
}
