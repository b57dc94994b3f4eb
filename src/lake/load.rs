//! Reading the log: hint, checkpoint, then entry after entry. Also the checkpoints and the evaluator's snapshots themselves.

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, UpdateVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Lake, failpoint, names};
use crate::event::Timestamp;
use crate::log::{Checkpoint, Entry, FORMAT, Fenced, Fold, Hint};

/// Entries read at once when catching up.
const READ_AHEAD: u64 = 8;
/// Times that a checkpoint is looked for anew, since its place may change while it is read.
const HINT_ATTEMPTS: usize = 3;
/// Compression of snapshots: they are written every few minutes and read once.
const SNAPSHOT_ZSTD_LEVEL: i32 = 3;

impl Lake {
    /// What is true now.
    pub async fn load(&self) -> Result<Fold, Error> {
        let mut fold = self.load_checkpoint().await?.map_or_else(Fold::default, |checkpoint| checkpoint.fold);
        self.refresh(&mut fold).await?;
        Ok(fold)
    }

    /// Folds the entries that came since, and returns them.
    pub async fn refresh(&self, fold: &mut Fold) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut ahead = 1;
        loop {
            let first = fold.next_number();
            for entry in join_all((first..first + ahead).map(|number| self.read_entry(number))).await {
                let Some(entry) = entry? else { return Ok(entries) };
                apply(fold, &entry)?;
                entries.push(entry);
            }
            ahead = READ_AHEAD;
        }
    }

    /// One entry; `None` if it has not been written (or was pruned).
    pub async fn read_entry(&self, number: u64) -> Result<Option<Entry>, Error> {
        self.read_json(&names::entry(number), "entry").await
    }

    /// Number of the first entry that has not been pruned.
    pub async fn first_entry(&self) -> Result<u64, Error> {
        Ok(self.read_hint(&names::first_entry()).await?.max(1))
    }

    /// The newest checkpoint, if there is one.
    pub(super) async fn load_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let mut missing = names::checkpoint_hint();
        let mut number = 0;
        for _ in 0..HINT_ATTEMPTS {
            number = self.read_hint(&names::checkpoint_hint()).await?;
            if number == 0 {
                return Ok(None);
            }
            missing = names::checkpoint(number);
            if let Some(checkpoint) = self.read_json(&missing, "checkpoint").await? {
                return Ok(Some(checkpoint));
            }
        }
        Err(Error::Missing { path: missing.to_string(), entry: number })
    }

    /// The number that a hint gives; 0 if it has not been written.
    pub(super) async fn read_hint(&self, path: &Path) -> Result<u64, Error> {
        Ok(self.read_json::<Hint>(path, "hint").await?.map_or(0, |hint| hint.number))
    }

    /// Writes the checkpoint of a fold, then the hint. Any process may, at any time.
    pub async fn checkpoint(&self, fold: &Fold, now: Timestamp) -> Result<(), Error> {
        let Some(checkpoint) = Checkpoint::of(fold, now) else { return Ok(()) };
        failpoint::hit("checkpoint");
        self.write_json(&names::checkpoint(checkpoint.number), &checkpoint).await?;
        self.move_hint(&names::checkpoint_hint(), checkpoint.number).await
    }

    /// Moves a hint forwards; where it is further already, it stays.
    pub(super) async fn move_hint(&self, path: &Path, number: u64) -> Result<(), Error> {
        let hint = Bytes::from(to_json(path, &Hint { format: FORMAT, number })?);
        loop {
            let known = match self.store.get(path).await {
                Ok(known) => known,
                Err(object_store::Error::NotFound { .. }) => {
                    match self.store.put_opts(path, hint.clone().into(), PutMode::Create.into()).await {
                        Err(object_store::Error::AlreadyExists { .. }) => continue,
                        other => return other.map(drop).map_err(Error::store("create", path)),
                    }
                }
                Err(error) => return Err(Error::store("read", path)(error)),
            };
            let version = UpdateVersion { e_tag: known.meta.e_tag.clone(), version: known.meta.version.clone() };
            let bytes = known.bytes().await.map_err(Error::store("read", path))?;
            if from_json::<Hint>(path, "hint", &bytes)?.number >= number {
                return Ok(());
            }
            match self.store.put_opts(path, hint.clone().into(), PutMode::Update(version).into()).await {
                Ok(_) => return Ok(()),
                Err(object_store::Error::Precondition { .. }) => {}
                // A folder has no conditional update; there the window between reading and renaming is left.
                Err(object_store::Error::NotImplemented { .. }) => {
                    return self.store.put(path, hint.into()).await.map(drop).map_err(Error::store("write", path));
                }
                Err(error) => return Err(Error::store("write", path)(error)),
            }
        }
    }

    /// Saves the evaluator's state after the entry of that number.
    pub async fn save_snapshot(&self, number: u64, state: Vec<u8>) -> Result<(), Error> {
        failpoint::hit("snapshot");
        let path = names::snapshot(number);
        let compressed = tokio::task::spawn_blocking(move || zstd::bulk::compress(&state, SNAPSHOT_ZSTD_LEVEL)).await;
        let compressed = compressed
            .map_err(|error| Error::Task(error.to_string()))?
            .map_err(|error| Error::Damaged { path: path.to_string(), reason: error.to_string() })?;
        self.store.put(&path, compressed.into()).await.map_err(Error::store("write", &path))?;
        self.move_hint(&names::snapshot_hint(), number).await
    }

    /// The newest saved state of the evaluator, with the number of the last entry in it.
    pub async fn load_snapshot(&self) -> Result<Option<(u64, Bytes)>, Error> {
        let number = self.read_hint(&names::snapshot_hint()).await?;
        if number == 0 {
            return Ok(None);
        }
        let path = names::snapshot(number);
        let Some(bytes) = self.read(&path).await? else {
            return Err(Error::Missing { path: path.to_string(), entry: number });
        };
        let state = tokio::task::spawn_blocking(move || zstd::stream::decode_all(bytes.as_ref())).await;
        let state = state
            .map_err(|error| Error::Task(error.to_string()))?
            .map_err(|error| Error::Damaged { path: path.to_string(), reason: error.to_string() })?;
        Ok(Some((number, state.into())))
    }

    /// The object's bytes; `None` if there is none.
    pub(super) async fn read(&self, path: &Path) -> Result<Option<Bytes>, Error> {
        let found = match self.store.get(path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::store("read", path)(error)),
        }
    }

    async fn read_json<T: DeserializeOwned>(&self, path: &Path, what: &'static str) -> Result<Option<T>, Error> {
        let Some(bytes) = self.read(path).await? else { return Ok(None) };
        from_json(path, what, &bytes).map(Some)
    }

    /// Writes an object whatever was there.
    pub(super) async fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), Error> {
        let bytes = to_json(path, value)?;
        self.store.put(path, bytes.into()).await.map(drop).map_err(Error::store("write", path))
    }
}

/// Folds an entry that stands in the log. There it must be valid: every writer checked it against the entries before.
pub(super) fn apply(fold: &mut Fold, entry: &Entry) -> Result<(), Error> {
    fold.apply(entry).map_err(|source| match source {
        Fenced::Newer { format } => Error::Newer { path: names::entry(entry.number).to_string(), format, known: FORMAT },
        source => Error::Invalid { number: entry.number, source },
    })
}

pub(super) fn to_json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Damaged { path: path.to_string(), reason: error.to_string() })
}

/// The format is looked at first, so that a newer program's object is called newer and not damaged.
fn from_json<T: DeserializeOwned>(path: &Path, what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        format: u32,
    }
    let damaged = |error: serde_json::Error| Error::Damaged { path: path.to_string(), reason: format!("not {what}: {error}") };
    let Versioned { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format > FORMAT {
        return Err(Error::Newer { path: path.to_string(), format, known: FORMAT });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}
