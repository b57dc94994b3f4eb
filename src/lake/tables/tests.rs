use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columns::TABLES;
use super::{Part, internal};
use crate::alert::Transition;
use crate::evaluate::{MetricRow, ValueStatus};
use crate::event::Timestamp;
use crate::ingest::{
    AnswerIds, Cells, ContextRow, Epoch, FeedbackRow, INTEGER_COLUMNS, Interaction, PipelineRow, Rated, RejectRow, SCORE_COLUMNS,
    SYMBOL_COLUMNS, SentenceRow, Span, TEXT_COLUMNS, column,
};
use crate::join::{IdHash, Scored};
use crate::measure::{Group, Measure, Partial, PartialRow, PartialSet};

fn read(part: &Part) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone()).unwrap().with_batch_size(1 << 20);
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

pub(in crate::lake) fn interaction(epoch: &mut Epoch, time: i64, tenant: Option<&str>, id: &str) {
    let interactions = &mut epoch.rows.interactions;
    let mut row = Interaction {
        event_time: Timestamp(time),
        symbols: [None; SYMBOL_COLUMNS.len()],
        texts: [None; TEXT_COLUMNS.len()],
        integers: Cells::default(),
        floats: [Some(1.5), None, None].into(),
        scores: Cells::default(),
        refusal: Some(false),
        contexts: (0, 0),
        sentences: (0, 0),
        safety: (0, 0),
        compared: None,
    };
    row.symbols[column(&SYMBOL_COLUMNS, "tenant")] = tenant.map(|tenant| interactions.symbols.intern(tenant));
    row.integers.set(column(&INTEGER_COLUMNS, "source_offset"), Some(7));
    row.scores.set(column(&SCORE_COLUMNS, "groundedness"), Some(123_456_789));
    let start = u32::try_from(interactions.text.len()).unwrap();
    interactions.text.push_str(id);
    row.texts[column(&TEXT_COLUMNS, "request_id")] = Some(Span::new(start, u32::try_from(id.len()).unwrap()));
    interactions.rows.push(row);
}

fn epoch() -> Epoch {
    let mut epoch = Epoch::default();
    let day = Timestamp::DAY_US;
    interaction(&mut epoch, day + 5, Some("b"), "first");
    interaction(&mut epoch, day + 4, Some("a"), "second");
    interaction(&mut epoch, day + 3, Some("b"), "dritt €");
    interaction(&mut epoch, 9, None, "day before");
    let interactions = &mut epoch.rows.interactions;
    interactions.contexts.push(ContextRow {
        id: None,
        text: interactions.rows[0].texts[0],
        score: Some(0.5),
        source: None,
        rank: Some(1),
        relevance: Some(250_000_000),
        utilization: None,
    });
    interactions.rows[0].contexts = (0, 1);
    interactions.sentences.push(SentenceRow { start: 0, end: 5, verdict: "supported" });
    interactions.rows[0].sentences = (0, 1);
    epoch.rows.feedback.push(FeedbackRow { event_time: Timestamp(day), name: "thumbs".into(), ..FeedbackRow::default() });
    epoch.rows.pipeline_events.push(PipelineRow { event_time: Timestamp(day), ..PipelineRow::default() });
    epoch.rows.rejects.push(RejectRow { time: Timestamp(day), reason: "too_deep", ..RejectRow::default() });
    epoch
}

#[test]
fn rows_come_back_by_date_sorted_by_tenant_and_time() {
    let parts = super::epoch(&epoch(), "0a").unwrap();
    let places: Vec<_> = parts.iter().map(|part| (part.table, part.date.as_str(), part.rows)).collect();
    assert_eq!(
        places,
        [
            ("interactions", "1970-01-01", 1),
            ("interactions", "1970-01-02", 3),
            ("feedback", "1970-01-02", 1),
            ("pipeline_events", "1970-01-02", 1),
            ("rejects", "1970-01-02", 1),
        ]
    );
    let rows = read(&parts[1]);
    let text = |name: &str| -> Vec<_> { rows[name].as_string::<i32>().iter().map(Option::unwrap).map(str::to_owned).collect() };
    assert_eq!(text("tenant"), ["a", "b", "b"]);
    assert_eq!(text("request_id"), ["second", "dritt €", "first"]);
    assert_eq!(text("log_entry_id"), ["0a", "0a", "0a"]);
    let times = rows["event_time"].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values().to_vec(), [4, 3, 5].map(|us| Timestamp::DAY_US + us));
    assert_eq!(rows["groundedness"].as_primitive::<Float64Type>().value(0), 0.123456789);
    assert_eq!(rows["source_offset"].as_primitive::<Int64Type>().value(2), 7);
    assert_eq!(rows["answer_relevance"].null_count(), 3);
    let contexts = rows["contexts"].as_list::<i32>();
    assert_eq!((0..3).map(|at| contexts.is_null(at)).collect::<Vec<_>>(), [true, true, false]);
    let context = contexts.value(2);
    assert_eq!(context.as_struct()["text"].as_string::<i32>().value(0), "first");
    assert_eq!(context.as_struct()["relevance"].as_primitive::<Float64Type>().value(0), 0.25);
}

pub(in crate::lake) fn metric(metric: &str, tenant: &str, minute: i64) -> MetricRow {
    let mut group = Group::default();
    group.0[0] = Some(tenant.into());
    MetricRow {
        metric: metric.into(),
        window_start: Timestamp(minute * Timestamp::MINUTE_US),
        window_s: 60,
        group: Arc::new(group),
        n: 4,
        n_null: 1,
        sum: 2.0,
        sum_sq: 1.5,
        min: Some(0.25),
        max: None,
        bad_n: 0,
        value: Some(0.5),
        value_status: ValueStatus::Thin,
        p: None,
        expected: None,
        reference_n: None,
        dispersion: None,
        lo: None,
        hi: None,
        p50: Some(0.5),
        p90: None,
        p95: None,
        p99: None,
        hist_edges: vec![0.25, 0.75],
        hist_counts: vec![1, 3],
        revision: 0,
        is_final: true,
        coverage: 1.0,
        as_of: Timestamp(7),
        scorer: None,
    }
}

fn evaluation() -> Vec<Part> {
    let metrics = [metric("b", "x", 1), metric("a", "y", 2), metric("a", "x", 3), metric("a", "x", 2), metric("a", "x", 1440)];
    let transition = Transition {
        event_time: Timestamp(60_000_000),
        rule: "errors".into(),
        fingerprint: "0123456789abcdef".into(),
        incident: None,
        from_state: "inactive".into(),
        to_state: "pending".into(),
        reason: "breach".into(),
        verdict: "bad".into(),
        value: Some(0.5),
        n: 9,
        lo: None,
        hi: None,
        baseline: None,
        baseline_n: None,
        limits: None,
        severity: "page".into(),
        labels: vec![("tenant".into(), "x\"y".into())],
    };
    super::evaluation(&metrics, &[transition], "0a").unwrap()
}

#[test]
fn metric_rows_come_back_by_date_sorted_by_metric_tenant_and_window() {
    let parts = evaluation();
    let places: Vec<_> = parts.iter().map(|part| (part.table, part.date.as_str(), part.rows)).collect();
    assert_eq!(places, [("metrics", "1970-01-01", 4), ("metrics", "1970-01-02", 1), ("alert_events", "1970-01-01", 1)]);
    let rows = read(&parts[0]);
    let text = |name: &str| -> Vec<_> { rows[name].as_string::<i32>().iter().map(Option::unwrap).map(str::to_owned).collect() };
    assert_eq!(text("metric"), ["a", "a", "a", "b"]);
    assert_eq!(text("tenant"), ["x", "x", "y", "x"]);
    assert_eq!(text("value_status"), ["thin"; 4]);
    let minutes = rows["window_start"].as_primitive::<TimestampMicrosecondType>().values().to_vec();
    assert_eq!(minutes, [2, 3, 2, 1].map(|minute| minute * Timestamp::MINUTE_US));
    assert_eq!(rows["hist_counts"].as_list::<i32>().value(3).as_primitive::<Int64Type>().values().to_vec(), [1, 3]);
    assert_eq!(read(&parts[2])["labels"].as_string::<i32>().value(0), r#"{"tenant":"x\"y"}"#);
}

#[test]
fn a_file_says_what_its_columns_mean_and_where_it_comes_from() {
    for part in super::epoch(&epoch(), "0a").unwrap().into_iter().chain(evaluation()) {
        let table = TABLES.iter().find(|table| table.name == part.table).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone()).unwrap();
        assert_eq!(builder.schema().fields(), table.schema().fields(), "{}", table.name);
        let footer = builder.metadata().file_metadata().key_value_metadata().unwrap();
        let value = |key: &str| footer.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone());
        assert_eq!(value("groundwire.table").as_deref(), Some(table.name));
        assert_eq!(value("groundwire.schema_version").as_deref(), Some("1"));
        assert_eq!(value("groundwire.log_entry_id").as_deref(), Some("0a"));
        assert!(value("groundwire.producer_version").is_some());
        for column in builder.metadata().row_group(0).columns() {
            assert!(column.offset_index_offset().is_some(), "page index of {}", column.column_path());
            let key =
                matches!(column.column_path().string().as_str(), "request_id" | "feedback_id" | "run_id" | "answer_request_id");
            assert_eq!(column.bloom_filter_offset().is_some(), key, "{}", column.column_path());
        }
    }
}

#[test]
fn analysts_types_are_few_and_every_column_has_a_meaning() {
    for table in TABLES {
        for field in table.schema().fields() {
            assert!(!field.metadata()["description"].is_empty());
            let known = matches!(
                field.data_type(),
                DataType::Timestamp(..)
                    | DataType::Date32
                    | DataType::Int64
                    | DataType::Float64
                    | DataType::Utf8
                    | DataType::Boolean
            ) || matches!(field.data_type(), DataType::List(_));
            assert!(known, "{}.{}", table.name, field.name());
        }
        assert!(table.sorted_by.iter().all(|name| table.position(name).is_some()));
    }
}

#[test]
fn partials_come_back_as_they_were_and_never_from_damaged_bytes() {
    let partial = Partial { n: 2, sum: -7, sum_sq: 1 << 80, min: -9, max: 2, hist: vec![(3, 2)], ..Partial::default() };
    let rows = vec![PartialRow { pane: Timestamp(Timestamp::DAY_US), group: 0, measure: Measure(1), partial }];
    let set = PartialSet { scorer: Some(Arc::from("s1")), groups: vec![Group::default()], rows, ..PartialSet::default() };
    let part = internal::partials(&set).unwrap().unwrap();
    assert_eq!(super::decode_partials("p", &part.bytes).unwrap(), set);
    for cut in 0..part.bytes.len() {
        assert!(super::decode_partials("p", &part.bytes[..cut]).is_err());
    }
}

#[test]
fn ids_come_back_as_they_were() {
    let mut epoch = epoch();
    epoch.partials.groups = vec![Group::default()];
    let span = epoch.rows.interactions.rows[2].texts[0].unwrap();
    let ids = [Some(IdHash::MAX), None, IdHash::new(3), None, Some(IdHash::MIN)];
    epoch.ids = vec![AnswerIds { event_time: Timestamp(-5), group: 0, request_id: span, repeat: 1 << 100, ids, scored: None }; 2];
    epoch.scorers = vec!["s1".into()];
    epoch.ids[1].scored = Some(Scored { scorer: 0, hundredths: 73 });
    epoch.rated = vec![Rated { event_time: Timestamp(7), group: 0, note: 5 }];
    epoch.repeats = vec![(1 << 90, Timestamp(-9))];
    let part = internal::ids(&epoch).unwrap().unwrap();
    let back = super::decode_ids("i", &part.bytes).unwrap();
    assert_eq!((back.answers.len(), back.groups.len()), (2, 1));
    let answer = &back.answers[1];
    assert_eq!((answer.request_id.as_str(), answer.repeat, answer.ids), ("dritt €", 1 << 100, ids));
    assert_eq!(answer.event_time, Timestamp(-5));
    assert_eq!(back.past().map(|answer| answer.scored).collect::<Vec<_>>(), [None, Some((&Arc::from("s1"), 73))]);
    assert_eq!((back.rated, back.repeats), (epoch.rated, epoch.repeats));
}

#[test]
fn the_data_dictionary_is_what_the_columns_say() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/data-dictionary.md");
    let text = super::dictionary::markdown();
    if std::env::var_os("GROUNDWIRE_UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let current = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(current == text, "docs/data-dictionary.md is stale: run the tests once with GROUNDWIRE_UPDATE_DOCS=1");
}
