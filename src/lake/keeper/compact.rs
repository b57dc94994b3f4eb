//! Compaction: many small files of one table and date become one sorted file.
//!
//! The swap is one entry, so readers that use the log's live files are exact. Readers that glob see input and output together
//! for the moment between publishing the one and deleting the others. Files are merged in memory, so a merge is bounded in
//! bytes and a large day ends as several files.

use std::collections::BTreeMap;

use super::cursor_stays;
use crate::event::Timestamp;
use crate::lake::tables;
use crate::lake::{Appended, Attempt, Error, Lake};
use crate::log::{Fold, LiveFile};
use object_store::path::Path;

/// Bytes of all files of one merge: some 200 MB of rows in memory.
const MERGE_BYTES: u64 = 24 << 20;
/// A file of this size is left alone.
const DONE_BYTES: u64 = 12 << 20;
/// So many small files of a date are merged even while the date is written to.
const MANY: usize = 30;
/// A date is closed this long after its end, and quiet this long after its last file.
const CLOSED_AFTER_US: i64 = 2 * Timestamp::HOUR_US;

/// What was merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Table.
    pub table: String,
    /// Event date.
    pub date: String,
    /// Files that went in.
    pub files: u64,
    /// Rows of the file that came out.
    pub rows: u64,
}

impl Lake {
    /// Merges the small files of one table and date, if there is anything worth merging; call again (with another random id)
    /// while it finds any.
    pub async fn compact(&self, fold: &mut Fold, id: u128, now: Timestamp) -> Result<Option<Compacted>, Error> {
        self.refresh(fold).await?;
        let Some((table, date, names)) = worth_merging(fold, now) else { return Ok(None) };
        let cursors = cursor_stays(fold);
        let attempt = Attempt::new(id, &cursors);
        let mut inputs = Vec::with_capacity(names.len());
        for name in &names {
            match self.read(&Path::from(name.as_str())).await? {
                Some(bytes) => inputs.push(bytes),
                None => return Err(Error::Missing { path: name.clone(), entry: entry_of(fold, &table, &date, name) }),
            }
        }
        let (of, day, log_entry) = (table.clone(), date.clone(), attempt.id().to_owned());
        let merge = move || tables::merge(&of, &day, &log_entry, inputs).map(|part| vec![part]);
        let files = self.stage(&attempt, merge).await?;
        let mut entry = self.keep_entry(&attempt, cursors, now);
        let rows = files.iter().map(|file| file.rows).sum();
        entry.files = files;
        entry.remove = names;
        match self.append(fold, &mut entry).await? {
            Appended::Committed { .. } => {
                self.publish(&entry).await?;
                Ok(Some(Compacted { table, date, files: entry.remove.len() as u64, rows }))
            }
            // Another keeper was faster.
            Appended::Fenced(_) => Ok(None),
        }
    }
}

fn entry_of(fold: &Fold, table: &str, date: &str, name: &str) -> u64 {
    fold.file(table, date, name).map_or(0, |file| file.entry)
}

/// Table, date and names of files that should become one.
fn worth_merging(fold: &Fold, now: Timestamp) -> Option<(String, String, Vec<String>)> {
    // Files that may still be on their way to their final names are left for the next time.
    let unpublished = fold.unpublished();
    let closed_before = now.plus(-CLOSED_AFTER_US).date();
    for (table, dates) in fold.files() {
        for (date, files) in dates {
            let small = small(files, &unpublished);
            if small.len() >= MANY || small.len() > 1 && *date < closed_before {
                return Some((table.clone(), date.clone(), small));
            }
        }
    }
    None
}

/// The smallest files, as many as one merge may hold.
fn small(files: &BTreeMap<String, LiveFile>, unpublished: &[u64]) -> Vec<String> {
    let settled = |file: &LiveFile| file.bytes < DONE_BYTES && !unpublished.contains(&file.entry);
    let mut small: Vec<(&String, &LiveFile)> = files.iter().filter(|(_, file)| settled(file)).collect();
    small.sort_by_key(|(name, file)| (file.bytes, *name));
    let mut bytes = 0;
    let fits = |(name, file): (&String, &LiveFile)| {
        bytes += file.bytes;
        (bytes <= MERGE_BYTES).then(|| name.clone())
    };
    small.into_iter().map_while(fits).collect()
}
