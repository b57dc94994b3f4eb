//! Moving the files of an entry from staging to their final names.
//!
//! Idempotent and open to everybody: the writer does it, and the next owner or the keeper does it again for what a dead
//! writer left. A file that is at neither name has been taken away by a later entry, or is missing.

use futures_util::future::try_join_all;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{Error, Lake, failpoint};
use crate::log::{Entry, File, Fold};

impl Lake {
    /// Publishes the entry's files, then deletes what the entry takes away.
    pub async fn publish(&self, entry: &Entry) -> Result<(), Error> {
        failpoint::hit("publish");
        try_join_all(entry.files.iter().map(|file| self.publish_file(file, entry.number))).await?;
        failpoint::hit("published");
        for name in &entry.remove {
            self.delete(&Path::from(name.as_str())).await?;
        }
        Ok(())
    }

    /// Publishes what any writer may have left unpublished. To be called once after [`Lake::load`], and by the keeper.
    pub async fn finish_publications(&self, fold: &Fold) -> Result<(), Error> {
        for number in fold.unpublished() {
            if let Some(entry) = self.read_entry(number).await? {
                self.publish(&entry).await?;
            }
        }
        Ok(())
    }

    async fn publish_file(&self, file: &File, entry: u64) -> Result<(), Error> {
        let staged = Path::from(file.staged.as_str());
        let published = Path::from(file.r#final.as_str());
        // The order matters: between the two looks somebody else may move the file.
        for _ in 0..2 {
            if self.stands(&published, file.bytes).await? {
                // After copy + delete, the copy may have succeeded alone.
                return self.delete(&staged).await;
            }
            // Rename on a folder, copy + delete on a bucket.
            match self.store.rename(&staged, &published).await {
                Ok(()) if self.stands(&published, file.bytes).await? => return Ok(()),
                Ok(()) => {
                    return Err(Error::Damaged { path: published.to_string(), reason: "not complete after its move".to_owned() });
                }
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(Error::store("publish", &published)(error)),
            }
        }
        if self.stands(&published, file.bytes).await? {
            return Ok(());
        }
        if file.table.starts_with('_') || self.load().await?.file(&file.table, &file.date, &file.r#final).is_none() {
            // A later entry has taken it away, or it was pruned with its entry.
            return Ok(());
        }
        Err(Error::Missing { path: published.to_string(), entry })
    }

    /// Whether the object is there in full.
    async fn stands(&self, path: &Path, bytes: u64) -> Result<bool, Error> {
        match self.store.head(path).await {
            Ok(meta) => Ok(meta.size == bytes),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(Error::store("look at", path)(error)),
        }
    }

    /// Deletes an object, whether it is there or not.
    pub(super) async fn delete(&self, path: &Path) -> Result<(), Error> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::store("delete", path)(error)),
        }
    }
}
