use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::memory::InMemory;

use super::Retention;
use crate::event::Timestamp;
use crate::ingest::{Epoch, FeedbackRow};
use crate::lake::tests::{entry, settings};
use crate::lake::{Appended, Attempt, Lake};
use crate::log::{EVALUATE, Entry, Fold, KEEP, Kind};

const DAY: i64 = Timestamp::DAY_US;

fn lake() -> Lake {
    Lake::on(Arc::new(InMemory::new()), &settings("memory"))
}

fn feedback(times: &[i64]) -> Arc<Epoch> {
    let mut epoch = Epoch::default();
    for time in times {
        let row = FeedbackRow { event_time: Timestamp(*time), tenant: Some(format!("t{}", time % 2)), ..FeedbackRow::default() };
        epoch.rows.feedback.push(row);
    }
    Arc::new(epoch)
}

async fn names(lake: &Lake, folder: &str) -> Vec<String> {
    let listed = lake.store.list(Some(&folder.into()));
    let mut names: Vec<String> = listed.map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

/// Stages and appends an epoch of feedback over `[from, from + 1)` of one partition.
async fn append(lake: &Lake, fold: &mut Fold, id: u128, from: i64, times: &[i64]) -> Entry {
    let mut next = entry(id, Kind::Ingest, &[("t/0", from, from + 1)]);
    let attempt = Attempt::new(id, &next.cursors);
    next.files = lake.stage_epoch(&attempt, &feedback(times)).await.unwrap();
    assert!(matches!(lake.append(fold, &mut next).await.unwrap(), Appended::Committed { .. }));
    next
}

#[tokio::test]
async fn reaping_takes_the_overtaken_and_leaves_the_possible_and_the_unpublished() {
    let lake = lake();
    let mut fold = lake.load().await.unwrap();
    let cursors = |from| entry(0, Kind::Ingest, &[("t/0", from, from + 1)]).cursors;
    let overtaken = lake.stage_epoch(&Attempt::new(1, &cursors(0)), &feedback(&[5])).await.unwrap();
    let unpublished = append(&lake, &mut fold, 2, 0, &[5]).await;
    let possible = lake.stage_epoch(&Attempt::new(3, &cursors(1)), &feedback(&[5])).await.unwrap();
    assert_eq!(lake.reap(&mut fold).await.unwrap(), 1);
    let mut left = vec![unpublished.files[0].staged.clone(), possible[0].staged.clone()];
    left.sort();
    assert_eq!(names(&lake, "_groundwire/staging").await, left);
    assert!(!left.contains(&overtaken[0].staged));
}

#[tokio::test]
async fn a_closed_dates_files_become_one_sorted_file_with_the_same_rows() {
    let lake = lake();
    let mut fold = lake.load().await.unwrap();
    for (id, times) in [(1, [10, 30]), (2, [20, 5]), (3, [DAY + 1, 7])] {
        let next = append(&lake, &mut fold, id, i64::try_from(id).unwrap() - 1, &times).await;
        lake.publish(&next).await.unwrap();
    }
    assert_eq!(lake.compact(&mut fold, 9, Timestamp(DAY + 5)).await.unwrap(), None, "the date has only just ended");
    let compacted = lake.compact(&mut fold, 9, Timestamp(2 * DAY)).await.unwrap().unwrap();
    // The third entry is the writer's last: it may not be published yet, so it is left for the next time.
    assert_eq!((compacted.date.as_str(), compacted.files, compacted.rows), ("1970-01-01", 2, 4));
    let next = append(&lake, &mut fold, 4, 3, &[2 * DAY]).await;
    lake.publish(&next).await.unwrap();
    let compacted = lake.compact(&mut fold, 10, Timestamp(2 * DAY)).await.unwrap();
    assert_eq!(compacted, None, "the keeper's own swap is its last entry");
    lake.append(&mut fold, &mut entry(11, Kind::Keep, &[(KEEP, 0, 5)])).await.unwrap();
    let compacted = lake.compact(&mut fold, 12, Timestamp(2 * DAY)).await.unwrap().unwrap();
    assert_eq!((compacted.files, compacted.rows), (2, 5));
    let live: Vec<&String> = fold.files()["feedback"]["1970-01-01"].keys().collect();
    assert_eq!(names(&lake, "feedback/v1/date=1970-01-01").await, live.into_iter().cloned().collect::<Vec<_>>());

    let bytes = lake.read(&names(&lake, "feedback/v1/date=1970-01-01").await[0].as_str().into()).await.unwrap().unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let mut times = Vec::new();
    for batch in reader {
        use arrow::array::AsArray;
        let batch = batch.unwrap();
        times.extend(batch["event_time"].as_primitive::<arrow::datatypes::TimestampMicrosecondType>().values().to_vec());
        let ids: Vec<&str> = batch["log_entry_id"].as_string::<i32>().iter().flatten().collect();
        assert!(ids.contains(&format!("{:032x}", 1).as_str()), "a row keeps the entry that made it true: {ids:?}");
    }
    assert_eq!(times, [10, 20, 30, 5, 7], "by tenant, then time");
}

#[tokio::test]
async fn what_has_expired_is_taken_away_and_deleted() {
    let lake = lake();
    let mut fold = lake.load().await.unwrap();
    let next = append(&lake, &mut fold, 1, 0, &[5, 3 * DAY, 4 * DAY]).await;
    lake.publish(&next).await.unwrap();
    let retention = Retention::from([("feedback".to_owned(), 1), ("metrics".to_owned(), 1)]);
    let expired = lake.expire(&mut fold, &retention, 2, Timestamp(4 * DAY)).await.unwrap();
    assert_eq!((expired.files, expired.rows), (1, 1));
    assert_eq!(names(&lake, "feedback").await.len(), 2);
    assert_eq!(lake.expire(&mut fold, &retention, 3, Timestamp(4 * DAY)).await.unwrap().files, 0);
    assert_eq!(lake.load().await.unwrap(), fold);
}

#[tokio::test]
async fn pruning_waits_for_everybody_and_a_writer_from_before_is_fenced() {
    let lake = lake();
    let mut fold = lake.load().await.unwrap();
    let mut asleep = Fold::default();
    for at in 1..=6_u64 {
        let from = i64::try_from(at).unwrap();
        let mut next = entry(at.into(), Kind::Ingest, &[("t/0", from, from + 1)]);
        next.written_at = Timestamp(from * 1_000_000);
        lake.append(&mut fold, &mut next).await.unwrap();
        if at == 2 {
            asleep = fold.clone();
        }
    }
    let before = Timestamp(5_000_000);
    assert_eq!(lake.prune(&mut fold, before, None).await.unwrap(), 0, "no checkpoint, no snapshot, no cursor");
    lake.append(&mut fold, &mut entry(7, Kind::Evaluate, &[(EVALUATE, 0, 6)])).await.unwrap();
    lake.append(&mut fold, &mut entry(8, Kind::Keep, &[(KEEP, 0, 7)])).await.unwrap();
    lake.checkpoint(&fold, Timestamp(9_000_000)).await.unwrap();
    assert_eq!(lake.prune(&mut fold, before, None).await.unwrap(), 0, "no snapshot");
    lake.save_snapshot(6, vec![1]).await.unwrap();
    assert_eq!(lake.prune(&mut fold, before, Some(2)).await.unwrap(), 2, "as far as the followers have read");
    assert_eq!(lake.prune(&mut fold, before, None).await.unwrap(), 2, "and as old as wanted");
    assert_eq!(lake.first_entry().await.unwrap(), 5);
    assert_eq!(lake.load().await.unwrap(), fold);

    let mut zombie = entry(99, Kind::Ingest, &[("t/0", 3, 4)]);
    let appended = lake.append(&mut asleep, &mut zombie).await.unwrap();
    assert!(matches!(appended, Appended::Fenced(crate::log::Fenced::Pruned { number: 3, first: 5 })), "{appended:?}");
    assert_eq!(lake.read_entry(3).await.unwrap(), None, "and its entry is gone again");
}
