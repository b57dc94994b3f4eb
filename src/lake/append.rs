//! Appending an entry: the one moment in which something becomes true.
//!
//! Guarantees (AP-1) that an entry stands in the log at most once and only where the fold allows it, (AP-2) that a lost
//! answer is resolved by reading the number back, (AP-3) that a writer whose number was pruned long ago learns of it, and
//! (AP-4) that the keeper's cursor passes only what is published.

use object_store::PutMode;

use super::load::{apply, to_json};
use super::{Error, Lake, failpoint, names};
use crate::log::{Entry, Fenced, Fold, KEEP};

/// Entries after which a checkpoint is due.
const CHECKPOINT_EVERY: u64 = 500;
/// Tries at one number before the store counts as down.
const ATTEMPTS: u32 = 6;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is true now.
    Committed {
        /// Its number.
        number: u64,
        /// The newest checkpoint is old: write one.
        checkpoint_due: bool,
    },
    /// Somebody else has moved what it starts from; it will never be true. Drop the work and load again.
    Fenced(Fenced),
}

impl Lake {
    /// Folds what came since, and appends the entry at the next number if it is still valid; sets its number.
    ///
    /// After an error it is not known whether the entry stands: call again with the same entry and fold (an entry that turns
    /// out to stand is reported as committed), or drop both and load again (what was dropped may then turn out to be true,
    /// and the next attempt to be fenced).
    pub async fn append(&self, fold: &mut Fold, entry: &mut Entry) -> Result<Appended, Error> {
        let mut tries = 0;
        let mut wait = self.first_wait;
        loop {
            for other in self.refresh(fold).await? {
                if other.id == entry.id {
                    entry.number = other.number;
                    return self.appended(entry).await;
                }
            }
            entry.number = fold.next_number();
            if let Err(fenced) = fold.check(entry) {
                return Ok(Appended::Fenced(fenced));
            }
            // Beyond the keeper's cursor nobody looks for files that a dead writer left unpublished, so it never leaves any behind.
            if entry.cursors.iter().any(|cursor| cursor.input == KEEP && cursor.to > cursor.from) {
                self.finish_publications(fold).await?;
            }
            let path = names::entry(entry.number);
            let bytes = to_json(&path, entry)?;
            failpoint::hit("append");
            let created = self.store.put_opts(&path, bytes.into(), PutMode::Create.into()).await;
            failpoint::hit("appended");
            match created {
                Ok(_) => {
                    apply(fold, entry)?;
                    return self.appended(entry).await;
                }
                // Mine by a lost answer, another's, or a 409 without an object: whatever stands there decides, by the refresh
                // above. Another's entry is progress, so only fruitless tries count.
                Err(error) => {
                    if self.read_entry(entry.number).await?.is_some() {
                        tries = 0;
                        wait = self.first_wait;
                        continue;
                    }
                    tries += 1;
                    if tries == ATTEMPTS {
                        return Err(Error::store("create", &path)(error));
                    }
                }
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    /// The entry stands at its number. If entries up to there had been pruned, that place is outside the log.
    ///
    /// The checkpoint hint alone would not do: another process may rightly have folded the entry into a checkpoint by now.
    async fn appended(&self, entry: &Entry) -> Result<Appended, Error> {
        let first = self.first_entry().await?;
        if entry.number < first {
            let path = names::entry(entry.number);
            self.delete(&path).await?;
            return Ok(Appended::Fenced(Fenced::Pruned { number: entry.number, first }));
        }
        Ok(Appended::Committed { number: entry.number, checkpoint_due: entry.number.is_multiple_of(CHECKPOINT_EVERY) })
    }
}
