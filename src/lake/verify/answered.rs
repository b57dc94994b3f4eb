//! Feedback by the answers it is about: what `feedback` says of the answers of one date, as far as the evaluator had put it together.
//!
//! Metrics by answer are revised once an hour of feedback, so rows of `feedback` that came since are not in them yet. The evaluations of the
//! log say up to which entry they are; the keeper's cursor at that entry says which replaced feedback had been taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

use crate::evaluate::{Cohorts, Recomputation, Settled, StoredRating, age_reached, maturity};
use crate::event::Timestamp;
use crate::ingest::{FeedbackScale, polarity};
use crate::lake::tables::columns::FEEDBACK;
use crate::lake::tables::{Columns, Position};
use crate::lake::{Error, Lake};
use crate::log::{Fold, KEEP};
use crate::measure::{AnswerFeedback, Dimension, FEEDBACK_HORIZON_US, Group, Window, billionths, hundredths, is_human, measures};

/// How far metrics by answer are.
#[derive(Clone, Debug)]
pub(super) struct Settlement {
    pub(super) settled: Settled,
    /// Where the keeper's cursor stood then.
    pub(super) kept: u64,
    /// Ids of the entries that are not in them.
    later: HashSet<String>,
}

impl Lake {
    /// What the last evaluation that closed an hour of feedback says; `None` if none did.
    pub(super) async fn settlement(&self, fold: &Fold) -> Result<Option<Settlement>, Error> {
        let (mut settled, mut kept, mut later) = (None, fold.cursor(KEEP), HashSet::new());
        for number in (self.first_entry().await?..fold.next_number()).rev() {
            // What cannot be read is found by the check of the log.
            let Ok(Some(entry)) = self.read_entry(number).await else { continue };
            settled = settled.or_else(|| entry.decisions.iter().find_map(Settled::of));
            if let Some(settled) = settled.filter(|settled: &Settled| number <= settled.entry) {
                return Ok(Some(Settlement { settled, kept, later }));
            }
            for cursor in entry.cursors.iter().filter(|cursor| cursor.input == KEEP) {
                kept = u64::try_from(cursor.from).unwrap_or_default();
            }
            later.insert(entry.id);
        }
        Ok(settled.map(|settled| Settlement { settled, kept, later }))
    }
}

/// One feedback on one answer.
#[derive(Clone, Debug)]
pub(super) struct Rating {
    request_id: Arc<str>,
    at: Timestamp,
    name: Arc<str>,
    feedback: AnswerFeedback,
    is_human: bool,
    /// Later feedback with the same id has not replaced it.
    holds: bool,
}

/// Feedback by the day of its answer ([`Timestamp::days`]).
#[derive(Debug, Default)]
pub(super) struct Ratings(BTreeMap<i32, Vec<Rating>>);

impl Ratings {
    /// Adds the feedback of one date.
    pub(super) fn add(
        &mut self,
        batches: &[Vec<ArrayRef>],
        scales: &BTreeMap<String, FeedbackScale>,
        replaced: &HashSet<Position>,
        settlement: &Settlement,
    ) -> Result<(), ArrowError> {
        let mut newest: HashMap<Position, (i64, Option<Rating>)> = HashMap::new();
        for arrays in batches {
            let columns = Columns { table: &FEEDBACK, arrays };
            for row in 0..columns.array("event_time")?.len() {
                if columns.text("log_entry_id", row)?.is_some_and(|id| settlement.later.contains(id)) {
                    continue;
                }
                let position = columns.position(row)?;
                let revision = columns.integer("revision", row)?.unwrap_or_default();
                if newest.get(&position).is_none_or(|(known, _)| *known < revision) {
                    let holds = !replaced.contains(&position);
                    newest.insert(position, (revision, rating(&columns, row, scales, holds)?));
                }
            }
        }
        for rating in newest.into_values().filter_map(|(_, rating)| rating) {
            self.0.entry(rating.at.days()).or_default().push(rating);
        }
        Ok(())
    }

    /// The feedback on answers of a day.
    pub(super) fn take(&mut self, day: i32) -> Vec<Rating> {
        self.0.remove(&day).unwrap_or_default()
    }
}

/// The row, if it counts by an answer.
fn rating(
    columns: &Columns<'_>,
    row: usize,
    scales: &BTreeMap<String, FeedbackScale>,
    holds: bool,
) -> Result<Option<Rating>, ArrowError> {
    let (Some("matched"), Some(request_id)) = (columns.text("match", row)?, columns.text("answer_request_id", row)?) else {
        return Ok(None);
    };
    let at = columns.time("answer_event_time", row)?;
    let name = columns.text("name", row)?.unwrap_or_default();
    let score = columns.float("score", row)?;
    let feedback = AnswerFeedback {
        score: score.map(billionths),
        polarity: polarity(scales.get(name).copied(), score),
        delay_us: columns.time("event_time", row)?.0 - at.0,
        groundedness: None,
    };
    let is_human = is_human(columns.text("source", row)?);
    Ok(Some(Rating { request_id: request_id.into(), at, name: name.into(), feedback, is_human, holds })
        .filter(|_| feedback.is_in_time()))
}

/// What is needed to recompute metrics by answer of one date.
#[derive(Debug)]
pub(super) struct Answered {
    /// Feedback on the date's answers.
    pub(super) ratings: Vec<Rating>,
    /// Delays of feedback on the answers of earlier dates.
    pub(super) cohorts: Cohorts,
    /// Up to when windows are closed.
    pub(super) through: Timestamp,
}

/// An answer that feedback is about.
#[derive(Debug)]
struct Known {
    group: Group,
    scorer: Option<Arc<str>>,
    groundedness: Option<u8>,
}

/// The date's answers that feedback is about.
#[derive(Debug)]
pub(super) struct Rated<'a> {
    wanted: HashMap<&'a str, HashSet<Timestamp>>,
    known: HashMap<(&'a str, Timestamp), Known>,
}

impl Answered {
    /// Looks for the answers.
    pub(super) fn rated(&self) -> Rated<'_> {
        let mut wanted: HashMap<&str, HashSet<Timestamp>> = HashMap::new();
        for rating in &self.ratings {
            wanted.entry(&rating.request_id).or_default().insert(rating.at);
        }
        Rated { wanted, known: HashMap::new() }
    }

    /// Adds the feedback to a recomputation; returns the cohorts with those of this date.
    pub(super) fn add(&self, rated: &Rated<'_>, recomputation: &mut Recomputation) -> Cohorts {
        let mut cohorts = self.cohorts.clone();
        let mut numbers: HashMap<(&str, Timestamp), u128> = HashMap::new();
        for rating in &self.ratings {
            let key = (&*rating.request_id, rating.at);
            let Some(known) = rated.known.get(&key) else { continue };
            let next = numbers.len() as u128;
            let feedback = AnswerFeedback { groundedness: known.groundedness.filter(|_| rating.is_human), ..rating.feedback };
            let stored = StoredRating {
                at: rating.at,
                group: &known.group,
                answer: *numbers.entry(key).or_insert(next),
                scorer: known.scorer.as_ref(),
                name: &rating.name,
                feedback,
            };
            recomputation.rated(&stored);
            if rating.holds {
                recomputation.rating(&stored);
                let app = app(&recomputation.folded(rating.at, &known.group));
                let delay = (feedback.delay_us + Timestamp::SECOND_US - 1) / Timestamp::SECOND_US;
                cohorts.add(rating.at, &Arc::new(app), &[(measures::ANSWER_DELAY.info().edges.bin(delay), 1)]);
            }
        }
        cohorts
    }

    /// The maturity that a window must have: (n, sum, value, bounds).
    pub(super) fn maturity(&self, start: Timestamp, window: Window, app: &Group) -> Option<crate::evaluate::Maturity> {
        let age = age_reached(start.plus(window.us()), self.through)?;
        let cohorts = self.cohorts.of(start);
        Some(maturity(cohorts.get(app).map_or(&[][..], Vec::as_slice), window.us(), age))
    }
}

impl Rated<'_> {
    /// Looks at a row of `interactions`.
    pub(super) fn see(
        &mut self,
        columns: &Columns<'_>,
        row: usize,
        at: Timestamp,
        (group, scorer): (&Group, Option<&Arc<str>>),
    ) -> Result<(), ArrowError> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let request_id = columns.text("request_id", row)?.unwrap_or_default();
        if let Some((request_id, times)) = self.wanted.get_key_value(request_id)
            && times.contains(&at)
        {
            let groundedness = columns.float("groundedness", row)?.map(|score| hundredths(billionths(score)));
            self.known.insert((*request_id, at), Known { group: group.clone(), scorer: scorer.cloned(), groundedness });
        }
        Ok(())
    }
}

/// The tenant and application of a group.
pub(super) fn app(group: &Group) -> Group {
    let mut app = Group::default();
    for dimension in [Dimension::Tenant, Dimension::App] {
        app.0[dimension as usize] = group.get(dimension).cloned();
    }
    app
}

/// Days after an answer on which feedback on it may have been given.
pub(super) const LAST_DAY: i64 = FEEDBACK_HORIZON_US / Timestamp::DAY_US;
