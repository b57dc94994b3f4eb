//! What is true after a prefix of the log.
//!
//! The fold holds the one rule that replaces leases and transactions (CO-1): an entry is valid only if every `from` equals
//! the end that the entries before it recorded. It also keeps the live files, the watermarks, the sums of the outcomes, and
//! which entries may not be published yet. It does not know how entries are stored and never judges what they mean to the
//! evaluator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, FORMAT, File, Kind, Outcomes};
use crate::event::Timestamp;

/// Name of the evaluator's cursor: the number of the last entry it absorbed.
pub const EVALUATE: &str = "evaluate";
/// Name of the keeper's cursor: the number of the last entry it has taken care of (published, joined late feedback).
pub const KEEP: &str = "keep";
/// Name of the cursor of repricing: the number of the last entry whose rows it has looked at.
pub const RECOMPUTE: &str = "recompute";

/// Why an entry is not valid here. Its writer has been overtaken: it drops its work and reloads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fenced {
    /// The log has moved on, or never stood there.
    #[error("`{input}` stands at {end}, the entry starts at {from}")]
    Moved {
        /// Partition or cursor.
        input: String,
        /// Where the log stands.
        end: i64,
        /// Where the entry wants to start.
        from: i64,
    },
    /// A cursor runs backwards.
    #[error("`{input}` runs from {from} back to {to}")]
    Backwards {
        /// Partition or cursor.
        input: String,
        /// Start.
        from: i64,
        /// End.
        to: i64,
    },
    /// A cursor over the log claims entries that do not exist yet.
    #[error("`{input}` claims entry {to}, the log ends at {last}")]
    Ahead {
        /// `evaluate`, `keep` or `recompute`.
        input: String,
        /// Claimed.
        to: i64,
        /// Last entry.
        last: u64,
    },
    /// Files of a table may be taken away by the keeper alone, each once.
    #[error("`{name}` is not a live file")]
    NotLive {
        /// Final name.
        name: String,
    },
    /// A file of that name is there already.
    #[error("`{name}` is a live file already")]
    Exists {
        /// Final name.
        name: String,
    },
    /// The entry carries another number than its place.
    #[error("entry {number} stands at place {place}")]
    Misplaced {
        /// What it says.
        number: u64,
        /// Where it is.
        place: u64,
    },
    /// The number had been used and pruned long ago.
    #[error("entry {number} was written where the log had been pruned up to {first}")]
    Pruned {
        /// Number of the entry.
        number: u64,
        /// First entry that the log still has.
        first: u64,
    },
    /// Written by a newer program.
    #[error("entry has format {format}, this program knows up to {FORMAT}; use the newer program")]
    Newer {
        /// Its format.
        format: u32,
    },
}

/// A file that is part of a table now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFile {
    /// Rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, lowercase hex.
    pub sha256: String,
    /// Number of the entry that added it.
    pub entry: u64,
}

/// The state of the log. Equal prefixes give equal folds (CO-2); a checkpoint is a fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    next_number: u64,
    ends: BTreeMap<String, i64>,
    watermarks: BTreeMap<String, Timestamp>,
    outcomes: Outcomes,
    rows_added: BTreeMap<String, u64>,
    files: BTreeMap<String, BTreeMap<String, BTreeMap<String, LiveFile>>>,
    unpublished: BTreeMap<String, u64>,
    written_at: Timestamp,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            next_number: 1,
            ends: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            outcomes: Outcomes::default(),
            rows_added: BTreeMap::new(),
            files: BTreeMap::new(),
            unpublished: BTreeMap::new(),
            written_at: Timestamp(0),
        }
    }
}

impl Fold {
    /// Number that the next entry gets.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Where an input stands: a partition by `topic/partition`. `None` if the log does not know it.
    #[must_use]
    pub fn end(&self, input: &str) -> Option<i64> {
        self.ends.get(input).copied()
    }

    /// Where a cursor over the log stands: [`EVALUATE`], [`KEEP`] or [`RECOMPUTE`]; 0 before its first entry.
    #[must_use]
    pub fn cursor(&self, name: &str) -> u64 {
        self.ends.get(name).copied().and_then(|end| u64::try_from(end).ok()).unwrap_or(0)
    }

    /// Ends of all inputs and cursors.
    #[must_use]
    pub fn ends(&self) -> &BTreeMap<String, i64> {
        &self.ends
    }

    /// Watermarks of all partitions.
    #[must_use]
    pub fn watermarks(&self) -> &BTreeMap<String, Timestamp> {
        &self.watermarks
    }

    /// Sums of the outcomes of all entries.
    #[must_use]
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// Rows that ingest and evaluate entries ever added, by table; compaction and expiry do not count.
    #[must_use]
    pub fn rows_added(&self) -> &BTreeMap<String, u64> {
        &self.rows_added
    }

    /// Live files: table → event date → final name.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, BTreeMap<String, BTreeMap<String, LiveFile>>> {
        &self.files
    }

    /// One live file.
    #[must_use]
    pub fn file(&self, table: &str, date: &str, name: &str) -> Option<&LiveFile> {
        self.files.get(table)?.get(date)?.get(name)
    }

    /// When the last entry was written; 1970 before the first.
    #[must_use]
    pub fn written_at(&self) -> Timestamp {
        self.written_at
    }

    /// Entries whose files may not be at their final names yet: the last one of each writer and kind that the keeper has not
    /// passed. A writer publishes an entry before it appends the next of the same kind, so no other can be unpublished.
    #[must_use]
    pub fn unpublished(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.unpublished.values().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Says whether the entry may come next.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn check(&self, entry: &Entry) -> Result<(), Fenced> {
        if entry.format > FORMAT {
            return Err(Fenced::Newer { format: entry.format });
        }
        if entry.number != self.next_number {
            return Err(Fenced::Misplaced { number: entry.number, place: self.next_number });
        }
        self.moved(entry)?;
        for (at, name) in entry.remove.iter().enumerate() {
            let (table, date) = place(name);
            let known = self.file(table, date, name).is_some();
            if !known || entry.kind != Kind::Keep || entry.remove[..at].contains(name) {
                return Err(Fenced::NotLive { name: name.clone() });
            }
        }
        for file in entry.files.iter().filter(|file| !file.table.starts_with('_')) {
            if self.file(&file.table, &file.date, &file.r#final).is_some() {
                return Err(Fenced::Exists { name: file.r#final.clone() });
            }
        }
        Ok(())
    }

    /// The ends that the entry's cursors and losses lead to.
    fn moved(&self, entry: &Entry) -> Result<BTreeMap<String, i64>, Fenced> {
        let mut ends: BTreeMap<String, i64> = BTreeMap::new();
        let last = self.next_number - 1;
        for lost in &entry.lost {
            let end = ends.get(&lost.input).or_else(|| self.ends.get(&lost.input)).copied();
            if let Some(end) = end.filter(|end| *end != lost.from) {
                return Err(Fenced::Moved { input: lost.input.clone(), end, from: lost.from });
            }
            // A topic that was made anew starts below the old end, so a loss may lead backwards.
            ends.insert(lost.input.clone(), lost.to);
        }
        for cursor in &entry.cursors {
            let over_log = [EVALUATE, KEEP, RECOMPUTE].contains(&cursor.input.as_str());
            let known = ends.get(&cursor.input).or_else(|| self.ends.get(&cursor.input)).copied();
            // The first entry of a partition defines where it starts; a cursor over the log starts before entry 1.
            let end = known.unwrap_or(if over_log { 0 } else { cursor.from });
            if cursor.from != end {
                return Err(Fenced::Moved { input: cursor.input.clone(), end, from: cursor.from });
            }
            if cursor.to < cursor.from {
                return Err(Fenced::Backwards { input: cursor.input.clone(), from: cursor.from, to: cursor.to });
            }
            if over_log && !u64::try_from(cursor.to).is_ok_and(|to| to <= last) {
                return Err(Fenced::Ahead { input: cursor.input.clone(), to: cursor.to, last });
            }
            ends.insert(cursor.input.clone(), cursor.to);
        }
        Ok(ends)
    }

    /// Takes the entry in. On an error nothing has changed.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Fenced> {
        self.check(entry)?;
        let ends = self.moved(entry)?;
        self.ends.extend(ends);
        for (input, watermark) in &entry.watermarks {
            let known = self.watermarks.entry(input.clone()).or_insert(*watermark);
            *known = (*known).max(*watermark);
        }
        merge(&mut self.outcomes, &entry.outcomes);
        for name in &entry.remove {
            self.take_away(name);
        }
        for file in &entry.files {
            if entry.kind != Kind::Keep {
                *self.rows_added.entry(file.table.clone()).or_default() += file.rows;
            }
            self.add(file, entry.number);
        }
        if entry.kind == Kind::Keep {
            let kept = self.cursor(KEEP);
            self.unpublished.retain(|_, number| *number > kept);
        }
        let slot = format!("{}/{:?}", entry.writer, entry.kind);
        if entry.files.is_empty() && entry.remove.is_empty() {
            self.unpublished.remove(&slot);
        } else {
            self.unpublished.insert(slot, entry.number);
        }
        self.written_at = self.written_at.max(entry.written_at);
        self.next_number += 1;
        Ok(())
    }

    fn add(&mut self, file: &File, entry: u64) {
        // Internal objects live and die with their entry, so they are not listed here.
        if file.table.starts_with('_') {
            return;
        }
        let live = LiveFile { rows: file.rows, bytes: file.bytes, sha256: file.sha256.clone(), entry };
        let dates = self.files.entry(file.table.clone()).or_default();
        dates.entry(file.date.clone()).or_default().insert(file.r#final.clone(), live);
    }

    fn take_away(&mut self, name: &str) {
        let (table, date) = place(name);
        let Some(dates) = self.files.get_mut(table) else { return };
        if let Some(files) = dates.get_mut(date) {
            files.remove(name);
            if files.is_empty() {
                dates.remove(date);
            }
        }
        if dates.is_empty() {
            self.files.remove(table);
        }
    }
}

/// Table and event date of a final name, `<table>/v1/date=YYYY-MM-DD/<file>`; empty where the name is of another form.
fn place(name: &str) -> (&str, &str) {
    let mut parts = name.split('/');
    let table = parts.next().unwrap_or_default();
    let date = parts.nth(1).and_then(|part| part.strip_prefix("date=")).unwrap_or_default();
    (table, date)
}

fn merge(into: &mut Outcomes, from: &Outcomes) {
    for (input, counts) in &from.records {
        into.records.entry(input.clone()).or_default().merge(counts);
    }
    for (input, counts) in &from.events {
        into.events.entry(input.clone()).or_default().merge(counts);
    }
    for (input, count) in &from.late {
        *into.late.entry(input.clone()).or_default() += count;
    }
}

#[cfg(test)]
mod tests;
