//! Pruning: old entries go with their internal objects, old checkpoints and snapshots with them.
//!
//! An entry goes only when the newest checkpoint, the newest snapshot, and the cursors of evaluator and keeper are past it,
//! and it is old enough. Before the first is deleted, the new beginning of the log is written down: whoever later manages to
//! create an entry before it learns that it is outside the log.

use futures_util::TryStreamExt;
use object_store::path::Path;

use crate::event::Timestamp;
use crate::lake::names;
use crate::lake::{Error, Lake};
use crate::log::{EVALUATE, Entry, Fold, KEEP};

impl Lake {
    /// Prunes entries written before `before`; says how many. `followed_to` is the number of the last entry that every
    /// follower has read, if there are followers.
    pub async fn prune(&self, fold: &mut Fold, before: Timestamp, followed_to: Option<u64>) -> Result<u64, Error> {
        self.refresh(fold).await?;
        let checkpoint = self.read_hint(&names::checkpoint_hint()).await?;
        let snapshot = self.read_hint(&names::snapshot_hint()).await?;
        let followed_to = followed_to.unwrap_or(u64::MAX);
        let last = checkpoint.min(snapshot).min(fold.cursor(EVALUATE)).min(fold.cursor(KEEP)).min(followed_to);
        let mut first = self.first_entry().await?;
        while first <= last {
            match self.read_entry(first).await? {
                Some(entry) if entry.written_at >= before => break,
                _ => first += 1,
            }
        }
        let swept = self.read_hint(&names::swept()).await?.max(1);
        if first > swept {
            self.move_hint(&names::first_entry(), first).await?;
            for number in swept..first {
                if let Some(entry) = self.read_entry(number).await? {
                    self.delete_entry(&entry).await?;
                }
            }
            self.move_hint(&names::swept(), first).await?;
        }
        self.forget(names::checkpoints(), checkpoint).await?;
        self.forget(names::snapshots(), snapshot).await?;
        Ok(first.saturating_sub(swept))
    }

    async fn delete_entry(&self, entry: &Entry) -> Result<(), Error> {
        for file in entry.files.iter().filter(|file| file.table.starts_with('_')) {
            self.delete(&Path::from(file.r#final.as_str())).await?;
        }
        self.delete(&names::entry(entry.number)).await
    }

    /// Deletes all numbered objects before the newest but one: whoever reads the hint just before it moves still finds its object.
    async fn forget(&self, folder: Path, newest: u64) -> Result<(), Error> {
        let listed = self.store.list(Some(&folder)).map_ok(|meta| meta.location);
        let mut objects: Vec<Path> = listed.try_collect().await.map_err(Error::store("list", &folder))?;
        objects.retain(|path| names::number_of(path).is_some_and(|number| number < newest));
        objects.sort();
        objects.pop();
        for path in objects {
            self.delete(&path).await?;
        }
        Ok(())
    }
}
