//! What one feedback adds by the time of the answer it is about. The one place that says what counts, for whoever finds the answer.

use super::observe::observe_rating;
use super::{CellsAt, Edges, Polarity, measures};
use crate::event::Timestamp;

/// Feedback that comes later than this after its answer counts by its own time only, so that a window by answer is complete some day.
pub const FEEDBACK_HORIZON_US: i64 = 7 * Timestamp::DAY_US;

/// One feedback and the answer it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerFeedback {
    /// Its score in billionths.
    pub score: Option<i64>,
    /// What its score means.
    pub polarity: Polarity,
    /// Time from the answer to the feedback, microseconds.
    pub delay_us: i64,
    /// Groundedness of the answer ([`hundredths`]), where it was scored and a human gave the feedback.
    pub groundedness: Option<u8>,
}

impl AnswerFeedback {
    /// Whether it counts by the time of its answer.
    #[must_use]
    pub const fn is_in_time(&self) -> bool {
        0 <= self.delay_us && self.delay_us <= FEEDBACK_HORIZON_US
    }

    /// Adds it in the answer's group with the feedback's name.
    pub fn observe_named(&self, mut cells: CellsAt<'_>) {
        observe_rating([measures::ANSWER_POSITIVE, measures::ANSWER_SCORE], self.score, self.polarity, &mut cells);
    }

    /// Adds it, whatever its name, in the answer's own group. ([`measures::ANSWER_RATED`] is counted apart, at the first feedback of an
    /// answer.)
    pub fn observe(&self, mut cells: CellsAt<'_>) {
        if self.polarity == Polarity::Positive {
            cells.count(measures::ANSWER_PRAISED);
        }
        cells.add(measures::ANSWER_DELAY, (self.delay_us + Timestamp::SECOND_US - 1) / Timestamp::SECOND_US);
    }

    /// Adds what the answer's scorer said of it, in the answer's own group; nothing without a label by a human and a score.
    pub fn observe_scored(&self, mut cells: CellsAt<'_>) {
        let measure = match self.polarity {
            Polarity::Positive => measures::ANSWER_PRAISED_GROUNDEDNESS,
            Polarity::Negative => measures::ANSWER_RATED_DOWN_GROUNDEDNESS,
            Polarity::Unknown => return,
        };
        if let Some(bin) = self.groundedness {
            cells.add(measure, Edges::Linear.range(u16::from(bin)).1);
        }
    }

    /// Whether [`Self::observe_scored`] adds anything.
    #[must_use]
    pub fn is_label(&self) -> bool {
        self.groundedness.is_some() && self.polarity != Polarity::Unknown
    }
}

/// A score in whole hundredths, rounded up: its bin in [`Edges::Linear`]. All that is remembered of the score of an answer.
#[must_use]
pub fn hundredths(billionths: i64) -> u8 {
    u8::try_from(Edges::Linear.bin(billionths)).unwrap_or(u8::MAX)
}

/// Whether a `source` of feedback is a human; so is one that is not named.
#[must_use]
pub fn is_human(source: Option<&str>) -> bool {
    source.is_none_or(|source| source == "human")
}
