use super::{Engine, print};
use crate::event::Timestamp;
use crate::lake::tests::entry;
use crate::log::{Fold, Kind};

#[test]
fn a_topic_is_complete_through_its_slowest_partition() {
    let mut fold = Fold::default();
    let mut first = entry(1, Kind::Ingest, &[]);
    first.number = 1;
    for (input, time) in [("a/0", 60), ("a/1", 30), ("b/0", 90)] {
        first.watermarks.insert(input.to_owned(), Timestamp(time * 1_000_000));
    }
    fold.apply(&first).unwrap();
    let sql = print(Engine::Duckdb, "/data/", &fold);
    assert!(sql.contains("(VALUES ('a', TIMESTAMPTZ '1970-01-01T00:00:30Z'), ('b', TIMESTAMPTZ '1970-01-01T00:01:30Z'))"), "{sql}");
    let python = print(Engine::Polars, "/data/", &fold);
    assert!(python.contains("\"a\": datetime.fromtimestamp(30000000 / 1_000_000, timezone.utc)"), "{python}");
}

#[test]
fn a_table_without_files_is_an_empty_view_with_its_columns() {
    let sql = print(Engine::Duckdb, "s3://bucket/lake", &Fold::default());
    assert!(sql.contains("LOAD httpfs;"));
    assert!(sql.contains("CREATE OR REPLACE VIEW alert_events AS\nSELECT NULL::TIMESTAMPTZ AS \"event_time\""), "{sql}");
    assert!(!sql.contains("read_parquet"));
}
