//! The completeness ledger: how many records of each input had which fate, by minute.
//!
//! Every record has one fate, so the fates of a window add up to the records consumed. Records that came late are counted once
//! more, beside their fate. Which minute a record belongs to is the caller's to say. A record costs one addition.

use hashbrown::HashMap;

use super::{AnswerState, Category, Measure, Partial, measures};
use crate::event::{Input, Outcome, Reason, Timestamp};

/// Names of the fates and of [`LATE`]: categories of the ledger's measures.
const NAMES: [&str; 21] = [
    "accepted",
    "scored",
    "no_claims",
    "abstained",
    "no_context",
    "too_long",
    "language_mismatch",
    "unscored",
    "duplicate",
    "filtered",
    "invalid_json",
    "unknown_format",
    "missing_field",
    "invalid_field",
    "duplicate_key",
    "too_large",
    "too_deep",
    "clock_skew",
    "schema_registry_frame",
    "redaction_failed",
    "late",
];

const ACCEPTED: u8 = 0;
const FIRST_STATE: u8 = 1;
const UNSCORED: u8 = 7;
const DUPLICATE: u8 = 8;
const FILTERED: u8 = 9;
const FIRST_REASON: u8 = 10;
/// Beside the fate: the event came after its partition's watermark had passed it.
const LATE: usize = 20;

/// What became of one record: its outcome, for an answer with the state that scoring found it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate(u8);

impl Fate {
    /// Of an accepted gateway log: the state of its answer, if there was one to score.
    #[must_use]
    pub const fn answered(state: Option<AnswerState>) -> Self {
        match state {
            Some(state) => Self(FIRST_STATE + state as u8),
            None => Self(UNSCORED),
        }
    }

    /// Of anything else.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        Self(match outcome {
            Outcome::Accepted => ACCEPTED,
            Outcome::Duplicate => DUPLICATE,
            Outcome::Filtered => FILTERED,
            Outcome::Rejected(reason) => FIRST_REASON + reason as u8,
        })
    }

    /// The outcome.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self.0 {
            DUPLICATE => Outcome::Duplicate,
            FILTERED => Outcome::Filtered,
            FIRST_REASON.. => {
                Reason::ALL.get(usize::from(self.0 - FIRST_REASON)).map_or(Outcome::Filtered, |r| Outcome::Rejected(*r))
            }
            _ => Outcome::Accepted,
        }
    }

    /// Its name among the categories of the ledger's measures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        NAMES[self.0 as usize]
    }
}

/// The name of a category of the ledger's measures; `None` for any other.
#[must_use]
pub fn category_name(category: Category) -> Option<&'static str> {
    NAMES.into_iter().find(|name| Category::of(name) == Some(category))
}

/// The measure that counts an input's records.
#[must_use]
pub const fn measure(input: Input) -> Measure {
    match input {
        Input::Gateway => measures::LEDGER_GATEWAY,
        Input::Feedback => measures::LEDGER_FEEDBACK,
        Input::Pipeline => measures::LEDGER_PIPELINE,
    }
}

/// Counts of one epoch.
#[derive(Debug, Default)]
pub struct Ledger {
    numbers: HashMap<(i64, Input), usize>,
    counts: Vec<((i64, Input), [u32; NAMES.len()])>,
    /// Index into `counts` of the last record's: most records are of the same minute as the one before.
    last: usize,
}

impl Ledger {
    /// Counts a record in the minute of `at`.
    #[inline]
    pub fn count(&mut self, input: Input, at: Timestamp, fate: Fate) {
        self.add(input, at, usize::from(fate.0));
    }

    /// Notes that a record counted in the minute of `at` came late.
    pub fn count_late(&mut self, input: Input, at: Timestamp) {
        self.add(input, at, LATE);
    }

    #[inline]
    fn add(&mut self, input: Input, at: Timestamp, what: usize) {
        let key = (at.0.div_euclid(Timestamp::MINUTE_US), input);
        if self.counts.get(self.last).is_none_or(|(known, _)| *known != key) {
            self.last = *self.numbers.entry(key).or_insert_with(|| {
                self.counts.push((key, [0; NAMES.len()]));
                self.counts.len() - 1
            });
        }
        if let Some(count) = self.counts.get_mut(self.last).and_then(|(_, counts)| counts.get_mut(what)) {
            *count += 1;
        }
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counts.len() * 140
    }

    /// The counts by minute and measure, in no particular order; empties the ledger.
    pub fn take(&mut self) -> Vec<(Timestamp, Measure, Partial)> {
        self.numbers.clear();
        self.last = 0;
        let partial = |((minute, input), counts): ((i64, Input), [u32; NAMES.len()])| {
            (Timestamp(minute * Timestamp::MINUTE_US), measure(input), partial(&counts))
        };
        self.counts.drain(..).map(partial).collect()
    }
}

/// Every record counts 1; bad are the refused.
fn partial(counts: &[u32; NAMES.len()]) -> Partial {
    let sum = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
    let n = sum(&counts[..LATE]);
    let mut hist: Vec<(u16, u32)> = NAMES
        .iter()
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .filter_map(|(name, count)| Some((Category::of(name)?.bin(), *count)))
        .collect();
    hist.sort_unstable();
    let bad_n = sum(&counts[usize::from(FIRST_REASON)..LATE]);
    Partial { n, n_null: 0, sum: i128::from(n), sum_sq: i128::from(n), min: 1, max: 1, bad_n, hist }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_those_of_states_and_reasons_and_no_two_share_a_bin() {
        for (state, name, _) in AnswerState::ALL {
            assert_eq!(Fate::answered(Some(state)).as_str(), name);
        }
        for reason in Reason::ALL {
            let fate = Fate::of(Outcome::Rejected(reason));
            assert_eq!((fate.as_str(), fate.outcome()), (reason.as_str(), Outcome::Rejected(reason)));
        }
        for (fate, outcome) in [
            (Fate::answered(None), Outcome::Accepted),
            (Fate::answered(Some(AnswerState::LanguageMismatch)), Outcome::Accepted),
            (Fate::of(Outcome::Accepted), Outcome::Accepted),
            (Fate::of(Outcome::Duplicate), Outcome::Duplicate),
            (Fate::of(Outcome::Filtered), Outcome::Filtered),
        ] {
            assert_eq!(fate.outcome(), outcome, "{}", fate.as_str());
        }
        let bins: BTreeSet<u16> = NAMES.iter().map(|name| Category::of(name).unwrap().bin()).collect();
        assert_eq!(bins.len(), NAMES.len());
    }

    #[test]
    fn the_fates_of_a_minute_add_up_and_late_ones_are_counted_beside() {
        let mut ledger = Ledger::default();
        let at = Timestamp(5 * Timestamp::MINUTE_US + 7);
        for fate in [Fate::answered(Some(AnswerState::Scored)), Fate::of(Outcome::Duplicate), Fate::answered(None)] {
            ledger.count(Input::Gateway, at, fate);
        }
        ledger.count(Input::Feedback, at, Fate::of(Outcome::Accepted));
        ledger.count(Input::Gateway, at, Fate::of(Outcome::Rejected(Reason::TooDeep)));
        ledger.count_late(Input::Gateway, at);
        let mut found = ledger.take();
        found.sort_by_key(|(_, measure, _)| *measure);
        let seen: Vec<_> =
            found.iter().map(|(pane, measure, partial)| (pane.0, measure.info().name, partial.n, partial.bad_n)).collect();
        assert_eq!(seen, [(300_000_000, "ledger.gateway", 4, 1), (300_000_000, "ledger.feedback", 1, 0)]);
        assert_eq!(found[0].2.hist.len(), 5);
        assert!(ledger.take().is_empty());
    }
}
