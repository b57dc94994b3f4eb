//! What analysts see: `groundwire views` with the real DuckDB and Polars, over a lake with revisions and missing tables.

use std::sync::Arc;

use groundwire::evaluate::{MetricRow, ValueStatus};
use groundwire::event::Timestamp;
use groundwire::ingest::{Cells, Epoch, FeedbackRow, Interaction, SYMBOL_COLUMNS, Span, TEXT_COLUMNS, column};
use groundwire::lake::{Attempt, Lake, Settings};
use groundwire::log::{Cursor, EVALUATE, Entry, Kind};
use groundwire::measure::Group;

use crate::support::{python, scratch, service};

const DAY: i64 = Timestamp::DAY_US;

fn entry(id: u128, kind: Kind, input: &str, from: i64, to: i64) -> Entry {
    Entry {
        cursors: vec![Cursor { input: input.to_owned(), from, to }],
        watermarks: [("answers/0".to_owned(), Timestamp(2 * DAY))].into(),
        ..Entry::new(format!("{id:032x}"), kind, "test", Timestamp(3 * DAY))
    }
}

fn interaction(epoch: &mut Epoch, time: i64, tenant: &str, id: &str) {
    let interactions = &mut epoch.rows.interactions;
    let mut row = Interaction {
        event_time: Timestamp(time),
        symbols: [None; SYMBOL_COLUMNS.len()],
        texts: [None; TEXT_COLUMNS.len()],
        integers: Cells::default(),
        floats: [Some(12.5), None, None].into(),
        scores: Cells::default(),
        refusal: None,
        contexts: (0, 0),
        sentences: (0, 0),
        safety: (0, 0),
        compared: None,
    };
    row.symbols[column(&SYMBOL_COLUMNS, "tenant")] = Some(interactions.symbols.intern(tenant));
    let start = u32::try_from(interactions.text.len()).unwrap();
    interactions.text.push_str(id);
    row.texts[column(&TEXT_COLUMNS, "request_id")] = Some(Span::new(start, u32::try_from(id.len()).unwrap()));
    interactions.rows.push(row);
}

fn feedback(epoch: &mut Epoch, id: Option<&str>, offset: i64, score: f64, verdict: &str, revision: i64) {
    epoch.rows.feedback.push(FeedbackRow {
        event_time: Timestamp(DAY + 1_000_000),
        feedback_id: id.map(str::to_owned),
        name: "thumbs".to_owned(),
        score: Some(score),
        r#match: verdict.to_owned(),
        revision,
        source_topic: "feedback".to_owned(),
        source_offset: offset,
        ..FeedbackRow::default()
    });
}

fn metric(value: f64, revision: i64) -> MetricRow {
    MetricRow {
        metric: "groundedness".into(),
        window_start: Timestamp(DAY),
        window_s: 3_600,
        group: Arc::new(Group::default()),
        n: 4,
        n_null: 0,
        sum: 4.0 * value,
        sum_sq: value,
        min: None,
        max: None,
        bad_n: 0,
        value: Some(value),
        value_status: ValueStatus::Ok,
        p: None,
        expected: None,
        reference_n: None,
        dispersion: None,
        lo: None,
        hi: None,
        p50: None,
        p90: None,
        p95: None,
        p99: None,
        hist_edges: vec![0.5],
        hist_counts: vec![4],
        revision,
        is_final: revision > 0,
        coverage: 1.0,
        as_of: Timestamp(2 * DAY + revision),
        scorer: Some("lexical-1".into()),
    }
}

/// Two epochs and two evaluations; no pipeline event, no alert, no reject.
async fn small_lake(folder: &str) {
    let settings = Settings { location: folder.to_owned(), writer: "test".to_owned(), ..Settings::default() };
    let lake = Lake::open(&settings).await.unwrap();
    let mut fold = lake.load().await.unwrap();
    let mut first = Epoch::default();
    interaction(&mut first, DAY + 2, "it's", "r1");
    interaction(&mut first, 2 * DAY, "acme", "r2");
    feedback(&mut first, Some("f1"), 0, 1.0, "pending", 0);
    feedback(&mut first, None, 1, 0.0, "pending", 0);
    let mut second = Epoch::default();
    feedback(&mut second, Some("f1"), 0, 1.0, "matched", 1);
    for (number, epoch) in [first, second].into_iter().enumerate() {
        let from = i64::try_from(number).unwrap();
        let mut next = entry(number as u128, Kind::Ingest, "answers/0", from, from + 1);
        next.files = lake.stage_epoch(&Attempt::new(number as u128, &next.cursors), &Arc::new(epoch)).await.unwrap();
        lake.append(&mut fold, &mut next).await.unwrap();
        lake.publish(&next).await.unwrap();
    }
    for (id, row) in [(7, metric(0.5, 0)), (8, metric(0.75, 1))] {
        let at = i64::try_from(fold.cursor(EVALUATE)).unwrap();
        let mut next = entry(id, Kind::Evaluate, EVALUATE, at, at + 1);
        next.files = lake.stage_evaluation(&Attempt::new(id, &next.cursors), &Arc::new(vec![row]), &Arc::default()).await.unwrap();
        lake.append(&mut fold, &mut next).await.unwrap();
        lake.publish(&next).await.unwrap();
    }
}

fn printed(engine: &str, folder: &str) -> String {
    let output = service::output(["views", "--engine", engine, "--lake", folder]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What both engines must answer.
fn expected() -> serde_json::Value {
    serde_json::json!({
        "interactions": [["r1", "it's", 12.5], ["r2", "acme", 12.5]],
        "one day": [["r2"]],
        "feedback": [["f1", "matched"], [null, "pending"]],
        "feedback revisions": 3,
        "metrics": [[0.75, 1, [4]]],
        "metrics revisions": 2,
        "empty": [0, 0, 0],
        "complete": [["answers", 172_800]],
    })
}

#[test]
fn duckdb_reads_the_views() {
    let folder = scratch("views");
    let folder = folder.path().to_str().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(small_lake(folder));
    let script = r#"
import duckdb, json, sys
db = duckdb.connect()
db.execute(sys.argv[1])
rows = lambda sql: [list(row) for row in db.execute(sql).fetchall()]
one = lambda sql: rows(sql)[0][0]
print(json.dumps({
    "interactions": rows("SELECT request_id, tenant, latency_ms FROM interactions ORDER BY 1"),
    "one day": rows("SELECT request_id FROM interactions WHERE date = DATE '1970-01-03'"),
    "feedback": rows("SELECT feedback_id, match FROM feedback ORDER BY source_offset"),
    "feedback revisions": one("SELECT count(*) FROM feedback_revisions"),
    "metrics": rows("SELECT value, revision, hist_counts FROM metrics"),
    "metrics revisions": one("SELECT count(*) FROM metrics_revisions"),
    "empty": [one(f"SELECT count(*) FROM {table}") for table in ("pipeline_events", "alert_events", "rejects")],
    "complete": rows("SELECT source_topic, epoch(complete_through)::BIGINT FROM complete_through"),
}))
"#;
    assert_eq!(python::json(script, &[&printed("duckdb", folder)]), expected());
}

#[test]
fn polars_reads_the_views() {
    let folder = scratch("views");
    let folder = folder.path().to_str().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(small_lake(folder));
    let script = r#"
import json, sys
views = {}
exec(sys.argv[1], views)
pl = views["pl"]
rows = lambda frame, *columns: [list(row) for row in frame.select(*columns).collect().rows()]
count = lambda name: views[name].select(pl.len()).collect().item()
interactions = views["interactions"]
print(json.dumps({
    "interactions": rows(interactions.sort("request_id"), "request_id", "tenant", "latency_ms"),
    "one day": rows(interactions.filter(pl.col("date") == pl.date(1970, 1, 3)), "request_id"),
    "feedback": rows(views["feedback"].sort("source_offset"), "feedback_id", "match"),
    "feedback revisions": count("feedback_revisions"),
    "metrics": rows(views["metrics"], "value", "revision", "hist_counts"),
    "metrics revisions": count("metrics_revisions"),
    "empty": [count(name) for name in ("pipeline_events", "alert_events", "rejects")],
    "complete": [[topic, int(time.timestamp())] for topic, time in views["complete_through"].items()],
}))
"#;
    assert_eq!(python::json(script, &[&printed("polars", folder)]), expected());
}

#[test]
fn verify_and_log_speak_of_the_same_lake() {
    let folder = scratch("verify");
    let folder = folder.path().to_str().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(small_lake(folder));
    let log = service::output(["log", "--lake", folder, "--json"]);
    let entries: Vec<serde_json::Value> =
        String::from_utf8(log.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.iter().map(|entry| entry["number"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);

    // The outcomes of this lake were left empty, so its ledger does not add up.
    let report = service::output(["verify", "--lake", folder, "--json"]);
    assert_eq!(report.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["entries"], &report["files"], &report["rows"]["interactions"]), (&4.into(), &6.into(), &2.into()));
    let ledger: Vec<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["problem"].as_str()).collect();
    assert!(ledger.contains(&"0 events of gateway accepted, but 2 rows in interactions"), "{ledger:?}");
}
