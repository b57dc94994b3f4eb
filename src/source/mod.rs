//! Where records come from: Kafka, files, or memory, behind one trait.
//!
//! A source delivers the records of its partitions in order, from the positions that the log names, and tells what it knows
//! of their ends. It decides nothing about records, and it stores no progress: the log does.

pub mod dead_letter;
pub mod files;
pub mod kafka;
pub mod memory;

use std::path::PathBuf;
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
    /// Input that no longer exists and was skipped, as configured. `to` is where reading goes on; it lies before `from` if the
    /// topic was made anew.
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

/// Where a partition that the log does not know starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that exists.
    #[default]
    Beginning,
    /// At what comes from now on.
    End,
}

/// What to do where the next position no longer exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// End with [`Error::Lost`], so that a person decides.
    #[default]
    Stop,
    /// Report it and go on with the oldest record that exists.
    Continue,
}

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A topic is not there.
    #[error("topic `{topic}` does not exist; create it, or correct `topics` in the configuration")]
    UnknownTopic {
        /// Its name.
        topic: String,
    },
    /// The broker refuses access.
    #[error("not allowed: {what}; grant {remedy}")]
    Denied {
        /// What was refused, on what.
        what: String,
        /// The access that is needed.
        remedy: String,
    },
    /// The broker does not accept who we are.
    #[error("the broker refuses the credentials: {cause}; check `username`, the password file and `mechanism`")]
    Authentication {
        /// What the client says.
        cause: String,
    },
    /// No broker answers.
    #[error("no broker answers at {brokers}: {cause}; check the address, the network, and `security`")]
    Unreachable {
        /// The addresses tried.
        brokers: String,
        /// What the client says.
        cause: String,
    },
    /// Settings that the client does not accept.
    #[error("the client refuses its settings: {cause}")]
    Settings {
        /// What the client says.
        cause: String,
    },
    /// The client has failed for good.
    #[error("the client failed: {cause}")]
    Client {
        /// What the client says.
        cause: String,
    },
    /// Input is gone before it could be read, and the configuration says to stop.
    #[error("input no longer exists: {}; set `on_loss = \"continue\"` to go on without it", ranges(.0))]
    Lost(
        /// What is gone.
        Vec<Lost>,
    ),
    /// A file or folder cannot be read.
    #[error("{path}: {cause}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Two files claim to be one partition.
    #[error("{first} and {second} are the same partition, expected one of them", first = .first.display(), second = .second.display())]
    Ambiguous {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

fn ranges(lost: &[Lost]) -> String {
    let ranges: Vec<String> = lost.iter().map(|l| format!("{} from {} to {}", l.input, l.from, l.to)).collect();
    ranges.join(", ")
}

impl Error {
    /// Whether a new source may succeed without anyone changing anything here.
    #[must_use]
    pub const fn retry(&self) -> bool {
        match self {
            Self::UnknownTopic { .. } | Self::Denied { .. } | Self::Unreachable { .. } | Self::Client { .. } | Self::Io { .. } => {
                true
            }
            Self::Authentication { .. } | Self::Settings { .. } | Self::Lost(_) | Self::Ambiguous { .. } => false,
        }
    }
}
