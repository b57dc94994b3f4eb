//! Deleting what dead attempts left in the staging folder.
//!
//! Never by age: an attempt's staged name carries cursors it was built on, and it goes only when the log has moved past one
//! of them (it can never become valid any more) and its entry is not one that still waits to be published.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use object_store::path::Path;

use crate::lake::{Error, Lake, names, store};
use crate::log::Fold;

impl Lake {
    /// Deletes staged files that nobody can need; says how many.
    pub async fn reap(&self, fold: &mut Fold) -> Result<u64, Error> {
        let staging = names::staging();
        let listed = self.store.list(Some(&staging)).map_ok(|meta| meta.location);
        let staged: Vec<Path> = listed.try_collect().await.map_err(Error::store("list", &staging))?;
        let half_written = store::half_written(&self.settings().location, &staging);
        // The log is read after the list: an attempt whose file was seen has either an entry by now or can be judged by the ends.
        self.refresh(fold).await?;
        let mut awaited = BTreeSet::new();
        for number in fold.unpublished() {
            if let Some(entry) = self.read_entry(number).await? {
                awaited.extend(entry.files.into_iter().map(|file| file.staged));
            }
        }
        let mut reaped = 0;
        for path in staged {
            if names::overtaken(&path, fold) && !awaited.contains(path.as_ref()) {
                self.delete(&path).await?;
                reaped += 1;
            }
        }
        // A writer that still lives and was overtaken finds its file gone, and then that it is fenced.
        for (file, path) in half_written {
            if names::overtaken(&path, fold) && std::fs::remove_file(&file).is_ok() {
                reaped += 1;
            }
        }
        Ok(reaped)
    }
}
