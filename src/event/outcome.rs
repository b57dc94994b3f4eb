//! The fate of a record: every consumed record, and every event in it, has exactly one.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of a record or event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Taken into tables and metrics.
    Accepted,
    /// A producer's repeat of something already taken.
    Duplicate,
    /// Not for us, for example a span without generative-AI attributes, or a tombstone.
    Filtered,
    /// Refused; the `rejects` table and the dead-letter topic hold it.
    Rejected(Reason),
}

/// Why a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Not JSON: cut off, wrong syntax, NaN, a lone surrogate, not UTF-8.
    InvalidJson,
    /// JSON, but of no schema that is known here.
    UnknownFormat,
    /// A required field is absent.
    MissingField,
    /// A field has the wrong type or an impossible value.
    InvalidField,
    /// A key occurs twice in one object.
    DuplicateKey,
    /// More bytes, or more items in a list, than the limit.
    TooLarge,
    /// Nested deeper than the limit.
    TooDeep,
    /// The event claims to be from the future.
    ClockSkew,
    /// A schema-registry frame whose content cannot be read.
    SchemaRegistryFrame,
    /// Redaction failed, so nothing of the event may be kept.
    RedactionFailed,
}

impl Reason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::InvalidJson,
        Self::UnknownFormat,
        Self::MissingField,
        Self::InvalidField,
        Self::DuplicateKey,
        Self::TooLarge,
        Self::TooDeep,
        Self::ClockSkew,
        Self::SchemaRegistryFrame,
        Self::RedactionFailed,
    ];

    /// The name used in rows, telemetry and dead-letter headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::UnknownFormat => "unknown_format",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::DuplicateKey => "duplicate_key",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::ClockSkew => "clock_skew",
            Self::SchemaRegistryFrame => "schema_registry_frame",
            Self::RedactionFailed => "redaction_failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::Filtered => f.write_str("filtered"),
            Self::Rejected(reason) => write!(f, "rejected({})", reason.as_str()),
        }
    }
}

/// How many had which fate. The four add up to what was consumed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Taken.
    pub accepted: u64,
    /// Repeats.
    pub duplicate: u64,
    /// Not for us.
    pub filtered: u64,
    /// Refused, by [`Reason::as_str`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, u64>,
}

impl OutcomeCounts {
    /// Counts one more.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Filtered => self.filtered += 1,
            Outcome::Rejected(reason) => {
                if let Some(count) = self.rejected.get_mut(reason.as_str()) {
                    *count += 1;
                } else {
                    self.rejected.insert(reason.as_str().to_owned(), 1);
                }
            }
        }
    }

    /// Adds the counts of another part of the input.
    pub fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.filtered += other.filtered;
        for (reason, count) in &other.rejected {
            *self.rejected.entry(reason.clone()).or_default() += count;
        }
    }

    /// All that were consumed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.accepted + self.duplicate + self.filtered + self.rejected.values().sum::<u64>()
    }
}
