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

use std::collections::BTreeMap;

use crate::event::Timestamp;
use crate::lake::{Attempt, Lake};
use crate::log::{Cursor, Entry, FORMAT, Fold, Health, KEEP, Kind, Outcomes};

impl Lake {
    /// An entry of the keeper that leaves its cursor where it is: what it changes is guarded by the files it takes away.
    pub(in crate::lake) fn keep_entry(&self, attempt: &Attempt, cursors: Vec<Cursor>, now: Timestamp) -> Entry {
        Entry {
            format: FORMAT,
            number: 0,
            id: attempt.id().to_owned(),
            kind: Kind::Keep,
            writer: self.settings.writer.clone(),
            written_at: now,
            cursors,
            watermarks: BTreeMap::new(),
            outcomes: Outcomes::default(),
            files: Vec::new(),
            remove: Vec::new(),
            lost: Vec::new(),
            transitions: Vec::new(),
            outbox: Vec::new(),
            decisions: Vec::new(),
            health: Health::default(),
        }
    }
}

/// The keeper's cursor, not moved.
fn cursor_stays(fold: &Fold) -> Vec<Cursor> {
    let at = fold.end(KEEP).unwrap_or(0);
    vec![Cursor { input: KEEP.to_owned(), from: at, to: at }]
}

#[cfg(test)]
mod tests;
