//! The folded log as an object of its own, so that a start reads one checkpoint and the entries after it.
//!
//! A checkpoint replaces the entries up to its number; the hint says where the newest checkpoint is. Neither is a source of
//! truth: a lost checkpoint costs time, as long as the entries are there.

use serde::{Deserialize, Serialize};

use super::{FORMAT, Fold};
use crate::event::Timestamp;

/// The state of the log after entry [`Checkpoint::number`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Version of this format.
    pub format: u32,
    /// Number of the last entry folded in.
    pub number: u64,
    /// When it was written.
    pub written_at: Timestamp,
    /// What is true after that entry.
    pub fold: Fold,
}

impl Checkpoint {
    /// The checkpoint of a fold; `None` before the first entry.
    #[must_use]
    pub fn of(fold: &Fold, written_at: Timestamp) -> Option<Self> {
        let number = fold.next_number().checked_sub(1).filter(|number| *number > 0)?;
        Some(Self { format: FORMAT, number, written_at, fold: fold.clone() })
    }
}

/// The number of an entry in an object of a fixed name: where the newest checkpoint or snapshot is, or the log begins. It only
/// ever grows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// Version of this format.
    pub format: u32,
    /// The number.
    pub number: u64,
}
