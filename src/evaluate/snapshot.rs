//! The evaluator's memory as bytes, for a quick start.

use std::sync::Arc;

use super::Settings;
use super::plan::Plan;
use super::state::{Kept, State};
use crate::measure::Registry;

/// Why bytes are not a snapshot of this version. The remedy is always the same: fold the log from the start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Written by another version.
    #[error(
        "the evaluator's snapshot has format {found}, expected {VERSION}: fold the log from an earlier snapshot or from its start"
    )]
    Version {
        /// The format found.
        found: u8,
    },
    /// Cut off or changed, or it could not be written.
    #[error("the evaluator's snapshot cannot be read or written ({0}): fold the log from an earlier snapshot or from its start")]
    Damaged(#[from] postcard::Error),
}

const VERSION: u8 = 4;

impl State {
    /// The memory as bytes; settings and registry are not part of it.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        Ok(postcard::to_extend(&self.kept, vec![VERSION])?)
    }

    /// The memory of bytes that [`State::to_bytes`] made.
    ///
    /// # Errors
    /// [`Error`], if the bytes are of another version or damaged.
    pub fn from_bytes(bytes: &[u8], settings: Settings, registry: Arc<Registry>) -> Result<Self, Error> {
        let (version, rest) = bytes.split_first().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        if *version != VERSION {
            return Err(Error::Version { found: *version });
        }
        let mut kept: Kept = postcard::from_bytes(rest)?;
        kept.groups.restore();
        Ok(Self { settings, plan: Arc::new(Plan::new(registry)), kept })
    }
}
