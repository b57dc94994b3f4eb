//! Names of objects in the lake.
//!
//! Every attempt has a random id that is part of every staged and final name, so two attempts can never touch the same
//! object. A staged name also carries cursors that the attempt was built on, so that it can be told from the log alone when
//! the attempt can never become valid any more.

use object_store::path::Path;

use crate::log::{Cursor, Fold};

/// Folder of everything that is not a table.
pub const INTERNAL: &str = "_groundwire";

/// The log's entry of a number.
pub(super) fn entry(number: u64) -> Path {
    Path::from(format!("{INTERNAL}/log/{number:012}.json"))
}

/// Where the newest checkpoint is.
pub(super) fn checkpoint_hint() -> Path {
    Path::from(format!("{INTERNAL}/checkpoint.json"))
}

/// Folder of the checkpoints.
pub(super) fn checkpoints() -> Path {
    Path::from(format!("{INTERNAL}/checkpoints"))
}

/// The checkpoint after an entry.
pub(super) fn checkpoint(number: u64) -> Path {
    Path::from(format!("{INTERNAL}/checkpoints/{number:012}.json"))
}

/// Where the newest snapshot of the evaluator is.
pub(super) fn snapshot_hint() -> Path {
    Path::from(format!("{INTERNAL}/snapshot.json"))
}

/// Folder of the snapshots.
pub(super) fn snapshots() -> Path {
    Path::from(format!("{INTERNAL}/snapshots"))
}

/// The snapshot after an entry.
pub(super) fn snapshot(number: u64) -> Path {
    Path::from(format!("{INTERNAL}/snapshots/{number:012}.zst"))
}

/// The first entry that has not been pruned.
pub(super) fn first_entry() -> Path {
    Path::from(format!("{INTERNAL}/first.json"))
}

/// The first entry that has not been deleted, at most [`first_entry`].
pub(super) fn swept() -> Path {
    Path::from(format!("{INTERNAL}/swept.json"))
}

/// Folder of staged files.
pub(super) fn staging() -> Path {
    Path::from(format!("{INTERNAL}/staging"))
}

/// Key of a process's start-up probe.
pub(super) fn probe(writer: &str) -> Path {
    Path::from(format!("{INTERNAL}/probe/{}", short_hash(writer)))
}

/// Number in a name like `000000000042.json`.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    path.filename()?.split('.').next()?.parse().ok()
}

/// Cursors that a staged name carries at most; one that moves would do.
const CURSORS_IN_NAME: usize = 3;

/// One try to make an entry: its random id and the cursors it starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    id: String,
    stem: String,
}

impl Attempt {
    /// An attempt with a random id (drawn by the caller, never used twice) that will append these cursors.
    #[must_use]
    pub fn new(id: u128, cursors: &[Cursor]) -> Self {
        let id = format!("{id:032x}");
        // Cursors that this attempt moves: whoever repeats the work must move them too, so the attempt is reaped in the end.
        let mut moved: Vec<&Cursor> = cursors.iter().filter(|cursor| cursor.to > cursor.from).collect();
        if moved.is_empty() {
            moved = cursors.iter().collect();
        }
        moved.sort_by_key(|cursor| std::cmp::Reverse(cursor.to - cursor.from));
        let carried = moved.iter().take(CURSORS_IN_NAME).map(|cursor| format!("{}@{}", short_hash(&cursor.input), cursor.from));
        let stem = std::iter::once(id.clone()).chain(carried).collect::<Vec<_>>().join("-");
        Self { id, stem }
    }

    /// The id, 32 hex characters: the entry's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where a file of a table (and event date, empty for internal objects) is staged.
    pub(super) fn staged(&self, table: &str, date: &str) -> String {
        let kind = if table.starts_with('_') { "bin" } else { "parquet" };
        format!("{}/{}--{table}-{date}.{kind}", staging(), self.stem)
    }

    /// Where it is published.
    pub(super) fn published(&self, table: &str, date: &str) -> String {
        match table.strip_prefix('_') {
            Some(internal) => format!("{INTERNAL}/{internal}/{}.bin", self.id),
            None => format!("{table}/v1/date={date}/{}.parquet", self.id),
        }
    }
}

/// Whether the attempt of a staged name can never become valid any more: the log has moved past one of its cursors.
pub(super) fn overtaken(staged: &Path, fold: &Fold) -> bool {
    let Some(stem) = staged.filename().and_then(|name| name.split("--").next()) else { return false };
    let cursors: Vec<(&str, i64)> = stem
        .split('-')
        .skip(1)
        .filter_map(|part| part.split_once('@'))
        .filter_map(|(hash, from)| Some((hash, from.parse().ok()?)))
        .collect();
    fold.ends().iter().any(|(input, end)| {
        let hash = short_hash(input);
        cursors.iter().any(|(of, from)| **of == *hash && end > from)
    })
}

/// Sixteen hex characters that stand for a name of any length and alphabet.
fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;

    use super::{Attempt, overtaken};
    use crate::log::{Cursor, Entry, Fold, Kind};

    fn cursor(input: &str, from: i64, to: i64) -> Cursor {
        Cursor { input: input.into(), from, to }
    }

    fn fold_at(ends: &[Cursor]) -> Fold {
        let mut fold = Fold::default();
        let entry = Entry { number: 1, cursors: ends.to_vec(), ..Entry::new("", Kind::Ingest, "", crate::event::Timestamp(0)) };
        fold.apply(&entry).unwrap();
        fold
    }

    #[test]
    fn a_staged_name_says_when_its_attempt_is_overtaken() {
        let long_topic = format!("{}/7", "ä".repeat(200));
        let cursors = [cursor("t/0", 5, 5), cursor(&long_topic, 100, 220), cursor("t/2", 7, 9), cursor("t/3", 0, 1)];
        let attempt = Attempt::new(1, &cursors);
        let staged = attempt.staged("interactions", "2026-05-04");
        assert!(staged.rsplit('/').next().unwrap().len() <= 255, "fits a file name: {staged}");
        let staged = Path::from(staged);
        assert!(!overtaken(&staged, &fold_at(&[cursor("t/0", 0, 6), cursor(&long_topic, 0, 100)])));
        assert!(overtaken(&staged, &fold_at(&[cursor(&long_topic, 0, 101)])));
        assert!(overtaken(&staged, &fold_at(&[cursor("t/2", 0, 9)])));
        assert!(!overtaken(&staged, &Fold::default()), "an unknown input has not moved");
    }
}
