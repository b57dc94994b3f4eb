//! Upkeep, open to any process: reaping, compaction, expiry, pruning.
//!
//! Everything here is safe beside writers, readers and other keepers: what changes a table is one entry of the log, what
//! deletes objects proves first, from the log, that nobody can need them any more. Nothing here is needed for results.

mod compact;
mod prune;
mod reap;
mod retain;

pub use compact::Compacted;
pub use retain::{Expired, Retention};

use crate::event::Timestamp;
use crate::lake::{Attempt, Lake};
use crate::log::{Cursor, Entry, Fold, KEEP, Kind};

impl Lake {
    /// An entry of the keeper that leaves its cursor where it is: what it changes is guarded by the files it takes away.
    pub(in crate::lake) fn keep_entry(&self, attempt: &Attempt, cursors: Vec<Cursor>, now: Timestamp) -> Entry {
        Entry { cursors, ..Entry::new(attempt.id(), Kind::Keep, self.settings.writer.clone(), now) }
    }
}

/// The keeper's cursor, not moved.
fn cursor_stays(fold: &Fold) -> Vec<Cursor> {
    let at = fold.end(KEEP).unwrap_or(0);
    vec![Cursor { input: KEEP.to_owned(), from: at, to: at }]
}

#[cfg(test)]
mod tests;
