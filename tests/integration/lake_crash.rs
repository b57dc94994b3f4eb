//! A writer that dies at every named point of a commit, again and again: nothing is lost, nothing is there twice.
//!
//! The writer is this test program itself, started anew with an armed fail point; it aborts there, so no destructor runs.

use std::process::{Command, ExitStatus};
use std::sync::Arc;

use groundwire::event::{OutcomeCounts, Timestamp};
use groundwire::ingest::{Epoch, FeedbackRow};
use groundwire::lake::{Appended, Attempt, Lake, Settings, failpoint, verify};
use groundwire::log::{Cursor, Entry, Kind, Outcomes};

use crate::support::scratch;

const FOLDER: &str = "GROUNDWIRE_TEST_LAKE";
const RECORDS: i64 = 40;
const INPUT: &str = "feedback/0";

fn writer(folder: &str, armed: Option<&str>) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lake_crash::writer_that_dies", "--nocapture"]).env(FOLDER, folder).env_remove(failpoint::VARIABLE);
    if let Some(armed) = armed {
        command.env(failpoint::VARIABLE, armed);
    }
    command.output().unwrap().status
}

/// Not a test of its own: the body of the process that [`writer`] starts.
#[test]
fn writer_that_dies() {
    if let Ok(folder) = std::env::var(FOLDER) {
        tokio::runtime::Runtime::new().unwrap().block_on(write_all(&folder));
    }
}

async fn write_all(folder: &str) {
    let writer = format!("writer-{}", std::process::id());
    let lake = Lake::open(&Settings { location: folder.to_owned(), writer: writer.clone(), ..Settings::default() }).await.unwrap();
    let mut fold = lake.load().await.unwrap();
    lake.finish_publications(&fold).await.unwrap();
    loop {
        let from = fold.end(INPUT).unwrap_or(0);
        if from >= RECORDS {
            return;
        }
        let to = (from + 3).min(RECORDS);
        let epoch = epoch(from, to);
        let cursors = vec![Cursor { input: INPUT.to_owned(), from, to }];
        let attempt = Attempt::new(fastrand::u128(..), &cursors);
        let mut entry = Entry {
            cursors,
            outcomes: epoch.outcomes.clone(),
            files: lake.stage_epoch(&attempt, &epoch).await.unwrap(),
            ..Entry::new(attempt.id(), Kind::Ingest, writer.clone(), Timestamp(from))
        };
        let appended = lake.append(&mut fold, &mut entry).await.unwrap();
        assert!(matches!(appended, Appended::Committed { .. }));
        lake.checkpoint(&fold, Timestamp(from)).await.unwrap();
        lake.publish(&entry).await.unwrap();
        lake.save_snapshot(entry.number, vec![0; 9]).await.unwrap();
        lake.reap(&mut fold).await.unwrap();
    }
}

fn epoch(from: i64, to: i64) -> Arc<Epoch> {
    let mut epoch = Epoch::default();
    for offset in from..to {
        // Two dates, so that an epoch stages more than one file.
        let event_time = Timestamp(offset % 2 * Timestamp::DAY_US);
        epoch.rows.feedback.push(FeedbackRow { event_time, source_offset: offset, ..FeedbackRow::default() });
    }
    let counts = OutcomeCounts { accepted: (to - from).unsigned_abs(), ..OutcomeCounts::default() };
    epoch.outcomes = Outcomes {
        records: [("feedback".to_owned(), counts.clone())].into(),
        events: [("feedback".to_owned(), counts)].into(),
        ..Outcomes::default()
    };
    Arc::new(epoch)
}

#[test]
fn a_writer_killed_at_any_point_of_a_commit_leaves_a_lake_that_the_next_one_completes() {
    let points = ["stage", "staged", "append", "appended", "publish", "published", "checkpoint", "snapshot"];
    for point in points {
        let folder = scratch("crash");
        let folder = folder.path().to_str().unwrap();
        for passage in [1, 2, 1, 3] {
            let status = writer(folder, Some(&format!("{point}:{passage}")));
            assert!(!status.success(), "{point}:{passage} was not passed");
        }
        assert!(writer(folder, None).success());
        tokio::runtime::Runtime::new().unwrap().block_on(complete(folder, point));
    }
}

async fn complete(folder: &str, point: &str) {
    let settings = Settings { location: folder.to_owned(), writer: "checker".to_owned(), ..Settings::default() };
    let lake = Lake::open_to_read(&settings).unwrap();
    let report = lake.verify(&verify::Settings::default()).await.unwrap();
    assert_eq!(report.findings, [], "after {point}");
    assert_eq!(report.rows["feedback"], RECORDS.unsigned_abs(), "after {point}");
    assert_eq!(report.records["accepted"], RECORDS.unsigned_abs(), "after {point}");
    let mut fold = lake.load().await.unwrap();
    // As a death in the middle of a write leaves it.
    let staged = lake.read_entry(1).await.unwrap().unwrap().files.first().unwrap().staged.clone();
    std::fs::write(std::path::Path::new(folder).join(format!("{staged}#1")), "half").unwrap();
    lake.reap(&mut fold).await.unwrap();
    let staging = std::path::Path::new(folder).join("_groundwire/staging");
    let left: Vec<_> = std::fs::read_dir(staging).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "staged files of the dead are reaped after {point}: {left:?}");
}
