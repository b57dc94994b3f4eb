use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Appended, Attempt, Lake, Settings};
use crate::event::Timestamp;
use crate::log::{Cursor, Entry, Fenced, File, Fold, Kind};

pub(super) fn entry(id: u128, kind: Kind, cursors: &[(&str, i64, i64)]) -> Entry {
    Entry {
        cursors: cursors.iter().map(|(input, from, to)| Cursor { input: (*input).into(), from: *from, to: *to }).collect(),
        ..Entry::new(format!("{id:032x}"), kind, "a", Timestamp(1_000_000))
    }
}

pub(super) fn settings(location: &str) -> Settings {
    Settings { location: location.into(), writer: "a".into(), ..Settings::default() }
}

async fn lakes() -> Vec<(Lake, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let local = Lake::open(&settings(folder.path().to_str().unwrap())).await.unwrap();
    vec![(local, Some(folder)), (Lake::on(Arc::new(InMemory::new()), &settings("memory")), None)]
}

async fn stage(lake: &Lake, attempt: &Attempt, bytes: &'static [u8]) -> File {
    let (table, date) = ("interactions", "2026-05-04");
    let file = File {
        table: table.into(),
        date: date.into(),
        staged: attempt.staged(table, date),
        r#final: attempt.published(table, date),
        rows: 1,
        bytes: bytes.len() as u64,
        sha256: String::new(),
    };
    lake.store.put(&Path::from(file.staged.as_str()), bytes.into()).await.unwrap();
    file
}

async fn names(lake: &Lake) -> Vec<String> {
    use futures_util::TryStreamExt;
    let mut names: Vec<String> = lake.store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

fn committed(number: u64) -> Appended {
    Appended::Committed { number, checkpoint_due: false }
}

#[tokio::test]
async fn a_commit_becomes_visible_whole_and_only_when_published() {
    for (lake, _folder) in lakes().await {
        let mut fold = lake.load().await.unwrap();
        let mut first = entry(1, Kind::Ingest, &[("t/0", 0, 10)]);
        let attempt = Attempt::new(1, &first.cursors);
        first.files.push(stage(&lake, &attempt, b"rows").await);
        assert_eq!(lake.append(&mut fold, &mut first).await.unwrap(), committed(1));
        let published = first.files[0].r#final.clone();
        assert!(!names(&lake).await.contains(&published));
        lake.publish(&first).await.unwrap();
        lake.publish(&first).await.unwrap();
        assert_eq!(names(&lake).await, ["_groundwire/log/000000000001.json".to_owned(), published]);
        assert_eq!(lake.load().await.unwrap(), fold);
    }
}

#[tokio::test]
async fn whoever_lost_the_race_is_fenced_and_the_same_entry_again_is_not() {
    for (lake, _folder) in lakes().await {
        let (mut mine, mut theirs) = (Fold::default(), Fold::default());
        let mut winner = entry(1, Kind::Ingest, &[("t/0", 0, 10)]);
        let mut loser = entry(2, Kind::Ingest, &[("t/0", 0, 7)]);
        let mut other = entry(3, Kind::Ingest, &[("t/1", 0, 7)]);
        assert_eq!(lake.append(&mut mine, &mut winner).await.unwrap(), committed(1));
        let fenced = lake.append(&mut theirs, &mut loser).await.unwrap();
        assert_eq!(fenced, Appended::Fenced(Fenced::Moved { input: "t/0".into(), end: 10, from: 0 }));
        assert_eq!(lake.append(&mut theirs, &mut other).await.unwrap(), committed(2));
        let mut late = Fold::default();
        assert_eq!(lake.append(&mut late, &mut winner).await.unwrap(), committed(1), "an answer that was lost");
    }
}

#[tokio::test]
async fn a_dead_writers_files_are_published_by_whoever_comes_next() {
    for (lake, _folder) in lakes().await {
        let mut fold = lake.load().await.unwrap();
        let mut dead = entry(1, Kind::Ingest, &[("t/0", 0, 10)]);
        dead.files.push(stage(&lake, &Attempt::new(1, &dead.cursors), b"rows").await);
        lake.append(&mut fold, &mut dead).await.unwrap();
        let next = lake.load().await.unwrap();
        lake.finish_publications(&next).await.unwrap();
        assert!(names(&lake).await.contains(&dead.files[0].r#final));
    }
}

#[tokio::test]
async fn a_start_from_a_checkpoint_equals_a_start_from_the_first_entry() {
    for (lake, _folder) in lakes().await {
        let mut fold = Fold::default();
        for at in 0..503 {
            let mut next = entry(at, Kind::Ingest, &[("t/0", i64::try_from(at).unwrap(), i64::try_from(at + 1).unwrap())]);
            let appended = lake.append(&mut fold, &mut next).await.unwrap();
            let due = next.number.is_multiple_of(500);
            assert_eq!(appended, Appended::Committed { number: next.number, checkpoint_due: due });
            if due {
                lake.checkpoint(&fold, Timestamp(2_000_000)).await.unwrap();
            }
        }
        let mut slow = Fold::default();
        assert_eq!(lake.refresh(&mut slow).await.unwrap().len(), 503);
        assert_eq!(slow, fold);
        lake.store.delete(&Path::from("_groundwire/log/000000000001.json")).await.unwrap();
        assert_eq!(lake.load().await.unwrap(), fold);
    }
}

#[tokio::test]
async fn a_hint_never_moves_back() {
    for (lake, _folder) in lakes().await {
        for (number, state) in [(7, vec![7; 9]), (5, vec![5; 9]), (9, vec![9; 9])] {
            lake.save_snapshot(number, state).await.unwrap();
            let (saved, state) = lake.load_snapshot().await.unwrap().unwrap();
            assert_eq!((saved, &state[..]), (number.max(7), &[u8::try_from(number.max(7)).unwrap(); 9][..]));
        }
    }
}

#[tokio::test]
async fn a_newer_programs_log_is_refused_and_called_so() {
    let lake = Lake::on(Arc::new(InMemory::new()), &settings("memory"));
    lake.store.put(&Path::from("_groundwire/log/000000000001.json"), r#"{"format":2,"new":1}"#.into()).await.unwrap();
    assert_eq!(
        lake.load().await.unwrap_err().to_string(),
        "`_groundwire/log/000000000001.json` has format 2, this program knows up to 1; use the newer program"
    );
}
