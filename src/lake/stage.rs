//! Writing an attempt's files to the staging folder, and reading internal objects back.

use std::sync::Arc;

use futures_util::future::try_join_all;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::tables::{self, Ids, Part};
use super::{Attempt, Error, Lake, failpoint};
use crate::alert::Transition;
use crate::evaluate::MetricRow;
use crate::ingest::{Epoch, FeedbackRow};
use crate::log::{Entry, File};
use crate::measure::PartialSet;

impl Lake {
    /// Writes an epoch's rows, partials and ids to the staging folder; returns the files for the entry.
    pub async fn stage_epoch(&self, attempt: &Attempt, epoch: &Arc<Epoch>) -> Result<Vec<File>, Error> {
        let (id, epoch) = (attempt.id().to_owned(), Arc::clone(epoch));
        self.stage(attempt, move || tables::epoch(&epoch, &id)).await
    }

    /// Writes an evaluation's rows of `metrics` and `alert_events` to the staging folder; returns the files for the entry.
    pub async fn stage_evaluation(
        &self,
        attempt: &Attempt,
        metrics: &Arc<Vec<MetricRow>>,
        transitions: &Arc<Vec<Transition>>,
    ) -> Result<Vec<File>, Error> {
        let (id, metrics, transitions) = (attempt.id().to_owned(), Arc::clone(metrics), Arc::clone(transitions));
        self.stage(attempt, move || tables::evaluation(&metrics, &transitions, &id)).await
    }

    /// Encodes on a thread that may block, then writes all files at once.
    pub(super) async fn stage<F>(&self, attempt: &Attempt, encode: F) -> Result<Vec<File>, Error>
    where
        F: FnOnce() -> Result<Vec<Part>, Error> + Send + 'static,
    {
        let parts = tokio::task::spawn_blocking(encode).await.map_err(|error| Error::Task(error.to_string()))??;
        try_join_all(parts.into_iter().map(|part| self.put(attempt, part))).await
    }

    async fn put(&self, attempt: &Attempt, part: Part) -> Result<File, Error> {
        let file = File {
            table: part.table.to_owned(),
            staged: attempt.staged(part.table, &part.date),
            r#final: attempt.published(part.table, &part.date),
            date: part.date,
            rows: part.rows,
            bytes: part.bytes.len() as u64,
            sha256: part.sha256,
        };
        failpoint::hit("stage");
        let path = Path::from(file.staged.as_str());
        self.store.put(&path, part.bytes.into()).await.map_err(Error::store("stage", &path))?;
        failpoint::hit("staged");
        Ok(file)
    }

    /// The partial aggregates of an entry; none for an entry without.
    pub async fn read_partials(&self, entry: &Entry) -> Result<PartialSet, Error> {
        match self.read_internal(entry, tables::PARTIALS).await? {
            Some((path, bytes)) => decode(move || tables::decode_partials(&path, &bytes)).await,
            None => Ok(PartialSet::default()),
        }
    }

    /// The ids of an entry's answers; none for an entry without.
    pub async fn read_ids(&self, entry: &Entry) -> Result<Ids, Error> {
        match self.read_internal(entry, tables::IDS).await? {
            Some((path, bytes)) => decode(move || tables::decode_ids(&path, &bytes)).await,
            None => Ok(Ids::default()),
        }
    }

    /// The feedback rows of a file, each with the id of the entry that it came with; none if the file was merged into another one
    /// meanwhile.
    pub async fn read_feedback(&self, file: &str) -> Result<Vec<(String, FeedbackRow)>, Error> {
        match self.read(&Path::from(file)).await? {
            Some(bytes) => {
                let path = file.to_owned();
                decode(move || tables::decode_feedback(&path, bytes)).await
            }
            None => Ok(Vec::new()),
        }
    }

    /// An internal object of an entry, wherever it is: it may be moved to its final name between two looks.
    async fn read_internal(&self, entry: &Entry, table: &str) -> Result<Option<(String, bytes::Bytes)>, Error> {
        let Some(file) = entry.files.iter().find(|file| file.table == table) else { return Ok(None) };
        for name in [&file.r#final, &file.staged, &file.r#final] {
            if let Some(bytes) = self.read(&Path::from(name.as_str())).await? {
                return Ok(Some((name.clone(), bytes)));
            }
        }
        Err(Error::Missing { path: file.r#final.clone(), entry: entry.number })
    }
}

async fn decode<T: Send + 'static>(decode: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(decode).await.map_err(|error| Error::Task(error.to_string()))?
}
