//! Expiry: files of dates beyond a table's retention are taken away by one entry and deleted.

use std::collections::BTreeMap;

use super::cursor_stays;
use crate::event::Timestamp;
use crate::lake::{Appended, Attempt, Error, Lake};
use crate::log::Fold;

/// Files that one entry takes away at most, so that entries stay small.
const FILES_PER_ENTRY: usize = 1_000;

/// Days that the rows of a table are kept; a table that is not named is kept for ever.
pub type Retention = BTreeMap<String, u32>;

/// What has expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Files taken away.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
}

impl Lake {
    /// Takes expired files away, at most some thousand; call again (with another random id) while it finds any.
    pub async fn expire(&self, fold: &mut Fold, retention: &Retention, id: u128, now: Timestamp) -> Result<Expired, Error> {
        self.refresh(fold).await?;
        let mut expired = Expired::default();
        let mut remove = Vec::new();
        for (table, days) in retention {
            let oldest = now.plus(-i64::from(*days) * Timestamp::DAY_US).date();
            let Some(dates) = fold.files().get(table) else { continue };
            for (name, file) in dates.range(..oldest).flat_map(|(_, files)| files).take(FILES_PER_ENTRY) {
                remove.push(name.clone());
                expired.files += 1;
                expired.rows += file.rows;
            }
        }
        if remove.is_empty() {
            return Ok(expired);
        }
        let cursors = cursor_stays(fold);
        let mut entry = self.keep_entry(&Attempt::new(id, &cursors), cursors, now);
        entry.remove = remove;
        match self.append(fold, &mut entry).await? {
            Appended::Committed { .. } => self.publish(&entry).await.map(|()| expired),
            Appended::Fenced(_) => Ok(Expired::default()),
        }
    }
}
