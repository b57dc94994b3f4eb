//! The lengths of published windows.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

/// Length of a published window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Window {
    /// One minute: one pane.
    #[serde(rename = "1m")]
    Minute,
    /// Fifteen minutes.
    #[serde(rename = "15m")]
    Quarter,
    /// One hour.
    #[serde(rename = "1h")]
    Hour,
    /// One day in UTC.
    #[serde(rename = "1d")]
    Day,
}

impl Window {
    /// All lengths, ascending.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    /// Length in microseconds.
    #[must_use]
    pub const fn us(self) -> i64 {
        match self {
            Self::Minute => Timestamp::MINUTE_US,
            Self::Quarter => 15 * Timestamp::MINUTE_US,
            Self::Hour => Timestamp::HOUR_US,
            Self::Day => Timestamp::DAY_US,
        }
    }

    /// Length in seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.us() / Timestamp::SECOND_US
    }

    /// As written in the registry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }
}
