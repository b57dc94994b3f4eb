use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{EVALUATE, Fenced, Fold, KEEP};
use crate::event::Timestamp;
use crate::log::{Checkpoint, Cursor, Entry, FORMAT, File, Kind, Lost};

fn entry(number: u64, kind: Kind, cursors: &[(&str, i64, i64)]) -> Entry {
    Entry {
        number,
        cursors: cursors.iter().map(|(input, from, to)| Cursor { input: (*input).into(), from: *from, to: *to }).collect(),
        ..Entry::new(format!("{number:032x}"), kind, "a", Timestamp(number.cast_signed()))
    }
}

fn file(table: &str, name: &str) -> File {
    let date = "2026-05-04";
    let place = if table.starts_with('_') { format!("_groundwire/{table}") } else { format!("{table}/v1/date={date}") };
    File {
        table: table.into(),
        date: date.into(),
        staged: format!("_groundwire/staging/{name}"),
        r#final: format!("{place}/{name}"),
        rows: 3,
        bytes: 7,
        sha256: String::new(),
    }
}

#[test]
fn a_partition_starts_anywhere_and_then_only_where_it_ended() {
    let mut fold = Fold::default();
    fold.apply(&entry(1, Kind::Ingest, &[("t/0", 40, 50)])).unwrap();
    assert_eq!(fold.end("t/0"), Some(50));
    for from in [40, 49, 51] {
        let refused = fold.apply(&entry(2, Kind::Ingest, &[("t/0", from, from + 10)]));
        assert_eq!(refused, Err(Fenced::Moved { input: "t/0".into(), end: 50, from }));
    }
    fold.apply(&entry(2, Kind::Ingest, &[("t/0", 50, 50), ("t/1", 0, 1)])).unwrap();
    assert_eq!((fold.end("t/1"), fold.end("t/2"), fold.next_number()), (Some(1), None, 3));
}

#[test]
fn a_cursor_over_the_log_starts_at_zero_and_never_passes_its_end() {
    let mut fold = Fold::default();
    fold.apply(&entry(1, Kind::Ingest, &[("t/0", 0, 5)])).unwrap();
    assert!(matches!(fold.check(&entry(2, Kind::Evaluate, &[(EVALUATE, 1, 1)])), Err(Fenced::Moved { .. })));
    assert!(matches!(fold.check(&entry(2, Kind::Evaluate, &[(EVALUATE, 0, 2)])), Err(Fenced::Ahead { .. })));
    fold.apply(&entry(2, Kind::Evaluate, &[(EVALUATE, 0, 1)])).unwrap();
    assert_eq!((fold.cursor(EVALUATE), fold.cursor(KEEP)), (1, 0));
    assert!(matches!(fold.check(&entry(3, Kind::Evaluate, &[(EVALUATE, 0, 1)])), Err(Fenced::Moved { .. })));
}

#[test]
fn a_loss_joins_the_old_end_to_the_new_start_even_backwards() {
    let mut fold = Fold::default();
    fold.apply(&entry(1, Kind::Ingest, &[("t/0", 0, 100)])).unwrap();
    let mut gap = entry(2, Kind::Ingest, &[("t/0", 150, 160)]);
    assert!(fold.check(&gap).is_err());
    gap.lost.push(Lost { input: "t/0".into(), from: 100, to: 150 });
    fold.apply(&gap).unwrap();
    let mut anew = entry(3, Kind::Ingest, &[("t/0", 0, 10)]);
    anew.lost.push(Lost { input: "t/0".into(), from: 160, to: 0 });
    fold.apply(&anew).unwrap();
    assert_eq!(fold.end("t/0"), Some(10));
}

#[test]
fn only_the_keeper_takes_files_away_and_each_once() {
    let mut fold = Fold::default();
    let mut first = entry(1, Kind::Ingest, &[]);
    first.files = vec![file("interactions", "a.parquet"), file("_partials", "p.parquet")];
    fold.apply(&first).unwrap();
    assert_eq!(fold.files().len(), 1, "internal objects are not listed");

    let name = first.files[0].r#final.clone();
    let mut swap = entry(2, Kind::Ingest, &[]);
    swap.files = vec![file("interactions", "b.parquet")];
    swap.remove = vec![name.clone()];
    assert!(matches!(fold.check(&swap), Err(Fenced::NotLive { .. })));
    swap.kind = Kind::Keep;
    fold.apply(&swap).unwrap();
    assert!(fold.file("interactions", "2026-05-04", &name).is_none());
    assert_eq!(fold.rows_added()["interactions"], 3, "a swap adds no rows");
    swap.number = 3;
    assert!(fold.check(&swap).is_err());
}

#[test]
fn the_last_entry_of_each_writer_and_kind_may_be_unpublished_until_the_keeper_passes_it() {
    let mut fold = Fold::default();
    for (number, writer, kind) in [(1, "a", Kind::Ingest), (2, "b", Kind::Ingest), (3, "a", Kind::Ingest), (4, "a", Kind::Evaluate)]
    {
        let mut next = entry(number, kind, &[]);
        next.writer = writer.into();
        next.files = vec![file("interactions", &format!("{number}.parquet"))];
        fold.apply(&next).unwrap();
    }
    assert_eq!(fold.unpublished(), [2, 3, 4]);
    fold.apply(&entry(5, Kind::Keep, &[(KEEP, 0, 3)])).unwrap();
    assert_eq!(fold.unpublished(), [4]);
}

#[test]
fn a_newer_format_and_a_wrong_place_are_refused() {
    let fold = Fold::default();
    let mut newer = entry(1, Kind::Ingest, &[]);
    newer.format = FORMAT + 1;
    assert_eq!(fold.check(&newer), Err(Fenced::Newer { format: FORMAT + 1 }));
    assert!(matches!(fold.check(&entry(2, Kind::Ingest, &[])), Err(Fenced::Misplaced { .. })));
}

/// What several writers might try, in any order: (writer's partition, where it believes it stands, how far it goes).
fn attempts() -> impl Strategy<Value = Vec<(usize, i64, i64)>> {
    prop::collection::vec((0_usize..3, 0_i64..12, 0_i64..5), 1..60)
}

proptest! {
    /// CO-1: whatever is tried, the accepted stretches of each partition are contiguous and never overlap.
    #[test]
    fn accepted_stretches_are_contiguous(attempts in attempts()) {
        let mut fold = Fold::default();
        let mut accepted: BTreeMap<usize, Vec<(i64, i64)>> = BTreeMap::new();
        for (partition, from, length) in attempts {
            let name = format!("t/{partition}");
            let tried = entry(fold.next_number(), Kind::Ingest, &[(&name, from, from + length)]);
            let before = fold.clone();
            if fold.apply(&tried).is_ok() {
                accepted.entry(partition).or_default().push((from, from + length));
            } else {
                prop_assert_eq!(&before, &fold, "a refused entry changes nothing");
            }
        }
        for stretches in accepted.values() {
            for pair in stretches.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0);
            }
        }
    }

    /// CO-2: a checkpoint in the middle, written and read, changes nothing.
    #[test]
    fn a_checkpoint_is_the_fold(attempts in attempts(), cut in 0_usize..60) {
        let mut whole = Fold::default();
        let mut resumed = Fold::default();
        for (at, (partition, from, length)) in attempts.into_iter().enumerate() {
            let name = format!("t/{partition}");
            let mut tried = entry(whole.next_number(), Kind::Ingest, &[(&name, from, from + length)]);
            tried.files = vec![file("interactions", &format!("{at}.parquet"))];
            tried.watermarks.insert(name, Timestamp(from * 1_000_000));
            prop_assert_eq!(whole.apply(&tried).is_ok(), resumed.apply(&tried).is_ok());
            if at == cut && let Some(checkpoint) = Checkpoint::of(&resumed, Timestamp(0)) {
                let text = serde_json::to_string(&checkpoint).unwrap();
                resumed = serde_json::from_str::<Checkpoint>(&text).unwrap().fold;
            }
        }
        prop_assert_eq!(whole, resumed);
    }
}
