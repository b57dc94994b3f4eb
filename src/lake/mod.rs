//! The lake: the commit log and the tables on a folder or bucket.
//!
//! Order of a commit: **stage** the files, **append** the entry, **publish** the files to their final names. An entry is
//! appended or it is not; everything before is an orphan in the staging folder, everything after can be repeated by anybody.
//! Start-up reads the checkpoint hint, the checkpoint and the entries after it, one by one: it never lists.
//!
//! The lake knows no clock and draws no random numbers: both are arguments. It does not decide what an entry says.

mod append;
mod error;
pub mod failpoint;
mod keeper;
mod load;
mod names;
mod publish;
pub mod reprice;
mod stage;
mod store;
pub mod tables;
pub mod verify;
pub mod views;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

pub use append::Appended;
pub use error::Error;
pub use keeper::{Compacted, Expired, Retention};
pub use names::{Attempt, INTERNAL};

/// Wait before a failed append is tried again.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Where the lake is and who writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A local path, or a URL: `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`.
    pub location: String,
    /// Options of the store by the names that `object_store` gives them (`aws_endpoint`, `aws_region`, …); they win over the
    /// environment variables of the same names.
    pub options: BTreeMap<String, String>,
    /// Name of this process, unlike that of any other process that lives at the same time.
    pub writer: String,
}

/// A lake that is open.
#[derive(Clone, Debug)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    settings: Arc<Settings>,
    /// Wait before a failed append is tried again; doubled for each further try.
    first_wait: Duration,
}

impl Lake {
    /// Opens a lake to write, making the folder if need be, and probes that the store can create a key only once.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        store::make(&settings.location)?;
        let lake = Self::open_to_read(settings)?;
        store::probe(lake.store.as_ref(), settings).await?;
        Ok(lake)
    }

    /// Opens a lake that is there, without writing to it.
    pub fn open_to_read(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { first_wait: FIRST_WAIT, ..Self::on(store::open(settings)?, settings) })
    }

    /// A lake on a store that is given, without waits, for tests.
    #[must_use]
    pub fn on(store: Arc<dyn ObjectStore>, settings: &Settings) -> Self {
        Self { store, settings: Arc::new(settings.clone()), first_wait: Duration::ZERO }
    }

    /// Where the lake is and who writes.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[cfg(test)]
mod lying;
#[cfg(test)]
mod tests;
