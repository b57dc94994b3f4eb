//! What can go wrong with a lake.

use object_store::path::Path;

use crate::log::Fenced;

/// What can go wrong with a lake. Being overtaken is not among it: that is [`super::Appended::Fenced`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The location cannot be used.
    #[error("lake `{location}`: {reason}; give a folder, or a URL with s3://, az:// or gs://")]
    Location {
        /// As configured.
        location: String,
        /// Why not.
        reason: String,
    },
    /// The store lets a key be created twice.
    #[error(
        "lake `{location}`: the store does not honour create-if-absent, so two processes could write the same log entry; \
         use a store that supports conditional writes, or switch them on"
    )]
    NoConditionalCreate {
        /// As configured.
        location: String,
    },
    /// The store failed.
    #[error("cannot {action} `{path}`: {source}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// With which object.
        path: String,
        /// What the store said.
        source: Box<object_store::Error>,
    },
    /// An object does not hold what it should.
    #[error("`{path}` is damaged: {reason}; restore it from a backup, `groundwire verify` shows what else is affected")]
    Damaged {
        /// Name of the object.
        path: String,
        /// What was found.
        reason: String,
    },
    /// An object that the log names is not there.
    #[error("`{path}` of log entry {entry} is missing; `groundwire verify` shows what else is affected")]
    Missing {
        /// Name of the object.
        path: String,
        /// Entry that names it.
        entry: u64,
    },
    /// An entry in the log breaks the log's rule.
    #[error("log entry {number} is not valid: {source}; `groundwire log` shows it")]
    Invalid {
        /// Its number.
        number: u64,
        /// Why.
        source: Fenced,
    },
    /// Written by a newer program.
    #[error("`{path}` has format {format}, this program knows up to {known}; use the newer program")]
    Newer {
        /// Name of the object.
        path: String,
        /// Its format.
        format: u32,
        /// The newest that this program reads.
        known: u32,
    },
    /// Rows could not be written as Parquet, or not read back.
    #[error("cannot {action} Parquet of `{table}`: {reason}")]
    Parquet {
        /// encode or decode.
        action: &'static str,
        /// Table.
        table: String,
        /// What the library said.
        reason: String,
    },
    /// Another process has done the same work first.
    #[error("another repricing was first ({0}); run the command again, it goes on where that one ended")]
    Overtaken(Fenced),
    /// A background computation ended early.
    #[error("a background task of the lake ended early: {0}")]
    Task(String),
}

impl Error {
    /// Turns the store's error into one that says what was tried.
    pub(super) fn store(action: &'static str, path: &Path) -> impl FnOnce(object_store::Error) -> Self {
        move |source| Self::Store { action, path: path.to_string(), source: Box::new(source) }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            Self::Store { source, .. } => !matches!(
                **source,
                object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. }
                    | object_store::Error::InvalidPath { .. }
                    | object_store::Error::NotImplemented { .. }
                    | object_store::Error::UnknownConfigurationKey { .. }
            ),
            Self::Task(_) => true,
            _ => false,
        }
    }
}
