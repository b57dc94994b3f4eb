//! Where records come from: Kafka, files, or memory, behind one trait.
//!
//! A source delivers the records of its partitions in order, from the positions that the log names, and tells what it knows
//! of their ends. It decides nothing about records, and it stores no progress: the log does.

use std::time::Duration;

use crate::event::{Records, TopicPartition};
use crate::log::{InputHealth, Lost};

/// Where reading starts: for each partition the end that the log has for it, or `None` if the log does not know it (then the
/// configured start decides). Asked whenever partitions are assigned.
pub type Positions = Box<dyn Fn(&[TopicPartition]) -> Vec<Option<i64>> + Send>;

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    /// Records.
    Records(Records),
    /// Partitions that are read from now on, each with the position it starts at.
    Assigned(Vec<(TopicPartition, i64)>),
    /// Partitions that are not read any more.
    Revoked(Vec<TopicPartition>),
    /// Input that no longer exists and was skipped, as configured.
    Lost(Vec<Lost>),
    /// Ends, lag, and whether partitions are read to their end: whenever that changes, and else about every second.
    State(Vec<(TopicPartition, InputHealth)>),
    /// Nothing within the time.
    Idle,
}

/// A source of records. All calls come from one thread and may block.
pub trait Source: Send {
    /// Waits at most `max_wait` for something to happen.
    ///
    /// # Errors
    /// What the source cannot mend by itself; [`Error::retry`] says whether a new source may succeed.
    fn poll(&mut self, max_wait: Duration) -> Result<Polled, Error>;

    /// Stops the delivery of partitions until [`Source::resume`]; polling goes on, so that the source stays a member.
    ///
    /// # Errors
    /// As for [`Source::poll`].
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), Error>;

    /// Delivers paused partitions again, from where they stopped.
    ///
    /// # Errors
    /// As for [`Source::poll`].
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), Error>;

    /// Tells lag tools how far the log is. Best effort: nothing depends on it.
    fn acknowledge(&mut self, ends: &[(TopicPartition, i64)]);

    /// Leaves the group and lets go of everything, within a few seconds.
    fn close(&mut self);
}

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What failed, where, and what to do about it.
    pub message: String,
    /// Whether trying again may help.
    pub transient: bool,
}

impl Error {
    /// Whether a new source may succeed.
    #[must_use]
    pub const fn retry(&self) -> bool {
        self.transient
    }
}
