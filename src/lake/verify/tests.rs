use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::{Report, Settings};
use crate::evaluate::{MetricRow, Settled};
use crate::event::{OutcomeCounts, Timestamp};
use crate::ingest::{Epoch, FeedbackRow, FeedbackScale, Positive, SYMBOL_COLUMNS, column};
use crate::lake::tables::tests::{interaction, metric};
use crate::lake::tests::{entry, settings};
use crate::lake::{Attempt, Lake};
use crate::log::{EVALUATE, Entry, Fold, Kind};
use crate::measure::Dimension;

/// One epoch of two requests, one evaluation that says that there were `requests` in their hour.
async fn lake(requests: i64) -> (Lake, Fold, Vec<Entry>) {
    let lake = Lake::on(Arc::new(InMemory::new()), &settings("memory"));
    let mut fold = lake.load().await.unwrap();
    let mut epoch = Epoch::default();
    interaction(&mut epoch, Timestamp::HOUR_US + 5, Some("a"), "r1");
    interaction(&mut epoch, Timestamp::HOUR_US + 6, Some("a"), "r2");
    let counts = OutcomeCounts { accepted: 2, ..OutcomeCounts::default() };
    let mut first = entry(1, Kind::Ingest, &[("t/0", 0, 2)]);
    first.outcomes.records.insert("gateway".to_owned(), counts.clone());
    first.outcomes.events.insert("gateway".to_owned(), counts);
    first.files = lake.stage_epoch(&Attempt::new(1, &first.cursors), &Arc::new(epoch)).await.unwrap();
    lake.append(&mut fold, &mut first).await.unwrap();
    lake.publish(&first).await.unwrap();
    let mut second = entry(2, Kind::Evaluate, &[(EVALUATE, 0, 1)]);
    let row = counted("requests", requests);
    second.files = lake.stage_evaluation(&Attempt::new(2, &second.cursors), &Arc::new(vec![row]), &Arc::default()).await.unwrap();
    lake.append(&mut fold, &mut second).await.unwrap();
    lake.publish(&second).await.unwrap();
    (lake, fold, vec![first, second])
}

/// The row of a count in the hour.
fn counted(name: &str, n: i64) -> MetricRow {
    let group = metric(name, "a", 60).group;
    let row = MetricRow::of_rate(&name.into(), (Timestamp(Timestamp::HOUR_US), 3_600), &group, n, None);
    MetricRow { sum: n as f64, sum_sq: n as f64, value: Some(n as f64), ..row }
}

async fn problems(lake: &Lake) -> (Report, Vec<String>) {
    let report = lake.verify(&Settings::default()).await.unwrap();
    let problems = report.findings.iter().map(|finding| format!("{}: {}", finding.check, finding.problem)).collect();
    (report, problems)
}

#[tokio::test]
async fn a_sound_lake_has_no_findings() {
    let (lake, _, _) = lake(2).await;
    let (report, problems) = problems(&lake).await;
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!((report.entries, report.files, report.rows["interactions"], report.metrics_compared), (2, 2, 2, 1));
    assert_eq!(report.records["accepted"], 2);
}

#[tokio::test]
async fn a_metric_that_does_not_follow_from_the_rows_is_found() {
    let (lake, _, _) = lake(3).await;
    let (_, problems) = problems(&lake).await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("numbers: recomputed Some(Numbers { n: 2,"), "{problems:?}");
}

/// One feedback on one of two answers, and an evaluation that put it together, with these rows.
async fn rated_lake(rows: Vec<MetricRow>) -> Lake {
    let lake = Lake::on(Arc::new(InMemory::new()), &settings("memory"));
    let mut fold = lake.load().await.unwrap();
    let mut epoch = Epoch::default();
    for (at, id) in [(5, "r1"), (6, "r2")] {
        interaction(&mut epoch, Timestamp::HOUR_US + at, Some("a"), id);
    }
    let interactions = &mut epoch.rows.interactions;
    interactions.rows[0].symbols[column(&SYMBOL_COLUMNS, "scorer")] = Some(interactions.symbols.intern("s1"));
    epoch.rows.feedback.push(FeedbackRow {
        event_time: Timestamp(Timestamp::HOUR_US + 10_000_000),
        name: "thumbs".to_owned(),
        score: Some(1.0),
        r#match: "matched".to_owned(),
        answer_request_id: Some("r1".to_owned()),
        answer_event_time: Some(Timestamp(Timestamp::HOUR_US + 5)),
        source_topic: "f".to_owned(),
        ..FeedbackRow::default()
    });
    let mut first = entry(1, Kind::Ingest, &[("t/0", 0, 2), ("f/0", 0, 1)]);
    for (input, accepted) in [("gateway", 2), ("feedback", 1)] {
        let counts = OutcomeCounts { accepted, ..OutcomeCounts::default() };
        first.outcomes.records.insert(input.to_owned(), counts.clone());
        first.outcomes.events.insert(input.to_owned(), counts);
    }
    first.files = lake.stage_epoch(&Attempt::new(1, &first.cursors), &Arc::new(epoch)).await.unwrap();
    lake.append(&mut fold, &mut first).await.unwrap();
    lake.publish(&first).await.unwrap();
    let mut second = entry(2, Kind::Evaluate, &[(EVALUATE, 0, 1)]);
    second.decisions.push(Settled { entry: 1, through: Timestamp(3 * Timestamp::HOUR_US) }.decision());
    second.files = lake.stage_evaluation(&Attempt::new(2, &second.cursors), &Arc::new(rows), &Arc::default()).await.unwrap();
    lake.append(&mut fold, &mut second).await.unwrap();
    lake.publish(&second).await.unwrap();
    lake
}

#[tokio::test]
async fn a_metric_by_answer_that_does_not_follow_from_the_feedback_is_found() {
    let row = |name: &str, n: i64, sum: f64, value: Option<f64>| {
        let mut row = metric(name, "a", 60);
        row.window_s = 3_600;
        (row.n, row.sum, row.value) = (n, sum, value);
        row
    };
    let named = |mut row: MetricRow| {
        let mut group = (*row.group).clone();
        group.0[Dimension::FeedbackName as usize] = Some("thumbs".into());
        row.group = Arc::new(group);
        row
    };
    let scored = |mut row: MetricRow| {
        row.scorer = Some("s1".into());
        row
    };
    let mut response = row("feedback.response_rate_by_answer", 2, 1.0, Some(0.5));
    // statsmodels proportion_confint(1, 2, method="wilson")
    (response.bad_n, response.lo, response.hi) = (1, Some(0.094_531_205_734_230_74), Some(0.905_468_794_265_769_3));
    let right = [
        counted("requests", 2),
        named(row("feedback.mean_rating_by_answer", 1, 1.0, Some(1.0))),
        response,
        row("feedback.delay_by_answer_s", 1, 10.0, Some(10.0)),
        scored(row("feedback.groundedness_of_praised", 1, 0.13, Some(0.13))),
        MetricRow { bad_n: 0, ..scored(row("feedback.groundedness_agreement", 1, 0.0, None)) },
        row("feedback.maturity", 0, 0.0, None),
    ];
    let scale = FeedbackScale { lowest: 0.0, highest: 1.0, positive: Positive::From(1.0) };
    let settings = Settings { feedback: [("thumbs".to_owned(), scale)].into(), ..Settings::default() };
    for wrong in 0..=right.len() {
        let mut rows = right.to_vec();
        if let Some(row) = rows.get_mut(wrong) {
            (row.n, row.value) = (row.n + 1, Some(0.25));
        }
        let report = rated_lake(rows).await.verify(&settings).await.unwrap();
        let found: Vec<&str> = report.findings.iter().map(|finding| finding.place.split(' ').next().unwrap_or_default()).collect();
        let expected: Vec<&str> = right.get(wrong).map(|row| &*row.metric).into_iter().collect();
        assert_eq!((found, report.metrics_compared, report.left_out.len()), (expected, 7, 0), "{:?}", report.findings);
    }
}

#[tokio::test]
async fn missing_changed_and_foreign_files_are_found() {
    let (lake, _, entries) = lake(2).await;
    let name = Path::from(entries[0].files[0].r#final.as_str());
    let bytes = lake.read(&name).await.unwrap().unwrap();
    let mut changed = bytes.to_vec();
    changed[9] ^= 1;
    lake.store.put(&name, changed.into()).await.unwrap();
    lake.store.put(&Path::from("rejects/v1/date=1970-01-01/foreign.parquet"), "x".into()).await.unwrap();
    lake.store.delete(&Path::from(entries[1].files[0].r#final.as_str())).await.unwrap();
    let (_, problems) = problems(&lake).await;
    for expected in ["files: no entry of the log lists this file", "files: SHA-256 is", "files: the file of log entry 2 is missing"]
    {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected} in {problems:?}");
    }
}

#[tokio::test]
async fn a_missing_entry_and_a_false_checkpoint_are_found() {
    let (lake, fold, _) = lake(2).await;
    let mut wrong = fold.clone();
    let mut third = entry(3, Kind::Ingest, &[("t/0", 2, 3)]);
    third.number = 3;
    wrong.apply(&third).unwrap();
    lake.checkpoint(&wrong, Timestamp(0)).await.unwrap();
    let (_, found) = problems(&lake).await;
    assert!(found.iter().any(|problem| problem == "log: the entry is missing"), "{found:?}");
    third.cursors[0].to = 4;
    third.outcomes.records.insert("gateway".to_owned(), OutcomeCounts { filtered: 9, ..OutcomeCounts::default() });
    lake.write_json(&crate::lake::names::entry(3), &third).await.unwrap();
    let (_, found) = problems(&lake).await;
    assert!(found.iter().any(|problem| problem == "log: the checkpoint differs from what the entries fold to"), "{found:?}");
    assert!(
        found.iter().any(|problem| problem == "ledger: 9 records have outcomes, but only 2 positions are covered"),
        "{found:?}"
    );
}
