//! The evaluator: the fold over log entries that closes windows, judges rules and decides whom to tell.
//!
//! Pure, and the same code live, in replay, in tests and after a crash. It composes `evaluate` (numbers) and `alert` (verdicts,
//! states, outbox), and keeps the text of the rules in force, so that a replay judges by the rules of that time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::alert::{self, At, Change, Claim, Diagnostic, Recipients, Rules, SendResult, Transition, Vocabulary};
use crate::evaluate::{self, MetricRow, Settled, Tick};
use crate::event::Timestamp;
use crate::log::{Entry, Kind};
use crate::measure::{PartialSet, Registry};

/// What the evaluator is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Settings of its measuring half.
    pub evaluate: evaluate::Settings,
    /// The metrics.
    pub registry: Arc<Registry>,
    /// Who is told of alerts.
    pub recipients: Recipients,
    /// A mail that could not be delivered for so long is given up, in microseconds.
    pub give_up_us: i64,
}

/// The rules in force: the text of their files, and what it says.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    files: Vec<(String, String)>,
    rules: Rules,
}

impl RuleBook {
    /// Reads rule files, given as (name, text).
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn read(files: Vec<(String, String)>, registry: &Registry, recipients: Recipients) -> Result<Self, Vec<Diagnostic>> {
        let rules = Rules::parse(&files, &Vocabulary::of(registry), recipients)?;
        Ok(Self { files, rules })
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// What one pass over entries brought.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// Rows of `metrics`.
    pub rows: Vec<MetricRow>,
    /// Rows of `alert_events`.
    pub transitions: Vec<Transition>,
    /// Decisions that a replay must repeat.
    pub decisions: Vec<Value>,
}

/// The state of the fold.
#[derive(Debug)]
pub struct Evaluator {
    settings: Settings,
    measure: evaluate::State,
    alerts: alert::State,
    book: RuleBook,
    evaluated_until: Timestamp,
}

/// Why a snapshot cannot be used. The remedy is always the same: fold the log from its start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its numbers.
    #[error(transparent)]
    Measure(#[from] evaluate::Error),
    /// Everything else.
    #[error("the evaluator's snapshot is damaged: {0}")]
    Damaged(String),
}

/// The part of a snapshot that is not numbers.
#[derive(Serialize, Deserialize)]
struct Head {
    cursor: u64,
    evaluated_until: Timestamp,
    files: Vec<(String, String)>,
    alerts: alert::State,
}

impl Evaluator {
    /// The state before the first entry, without rules.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            measure: evaluate::State::new(settings.evaluate.clone(), Arc::clone(&settings.registry)),
            settings: settings.clone(),
            alerts: alert::State::default(),
            book: RuleBook::default(),
            evaluated_until: Timestamp::default(),
        }
    }

    /// Puts rules into force, unless they are in force already. The decision is part of the evaluation, so that a replay sees
    /// the change at the same place.
    pub fn adopt(&mut self, book: &RuleBook, out: &mut Evaluation) {
        if self.book.files != book.files {
            out.decisions.push(json!({ "rules": book.files }));
            self.book = book.clone();
        }
    }

    /// Folds one entry.
    pub fn step(&mut self, entry: &Entry, partials: PartialSet, out: &mut Evaluation) {
        let Self { measure, alerts, book, evaluated_until, .. } = self;
        let settled = measure.settled();
        measure.absorb(entry, partials);
        let Evaluation { rows, transitions, .. } = out;
        measure.advance(rows, &mut |state, tick| {
            let at = At { state, tick };
            match tick {
                Tick::Minute { end, .. } => {
                    *evaluated_until = end.max(*evaluated_until);
                    alerts.step(&book.rules, &at, end, entry.written_at, transitions);
                }
                Tick::Service { end } => alerts.step_service(&book.rules, &at, end, transitions),
            }
        });
        if measure.settled() != settled
            && let Some(settled) = measure.settled()
        {
            out.decisions.retain(|decision| Settled::of(decision).is_none());
            out.decisions.push(settled.decision());
        }
    }

    /// Folds what an evaluation of the log says itself: its rules and its outbox. The entries that it covers come before.
    pub fn apply(&mut self, entry: &Entry) {
        if entry.kind == Kind::Evaluate {
            self.alerts.apply(&entry.outbox, entry.written_at);
        }
    }

    /// Puts into force the rules that an evaluation of the log was made with. They come before the entries that it covers.
    ///
    /// # Errors
    /// If this version cannot read the rules of that time; the rules before stay in force.
    pub fn apply_rules(&mut self, entry: &Entry) -> Result<(), Error> {
        for decision in &entry.decisions {
            let Some(files) = decision.get("rules") else { continue };
            let files = serde_json::from_value(files.clone()).map_err(|error| Error::Damaged(error.to_string()))?;
            self.book = RuleBook::read(files, &self.settings.registry, self.settings.recipients.clone())
                .map_err(|_| Error::Damaged(format!("the rules of entry {} cannot be read by this version", entry.number)))?;
        }
        Ok(())
    }

    /// Claims what is due to be sent. The claims belong into the entry that is about to be appended.
    pub fn claim(&mut self, now: Timestamp) -> Vec<Claim> {
        self.alerts.claim(now)
    }

    /// Records what became of a claim.
    pub fn record(&mut self, result: &SendResult, now: Timestamp) {
        self.alerts.record(result, now, self.settings.give_up_us);
    }

    /// Changes of the outbox since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.alerts.take_changes()
    }

    /// Up to where event time has been judged.
    #[must_use]
    pub const fn evaluated_until(&self) -> Timestamp {
        self.evaluated_until
    }

    /// The numbers.
    #[must_use]
    pub const fn measure(&self) -> &evaluate::State {
        &self.measure
    }

    /// The alerts.
    #[must_use]
    pub const fn alerts(&self) -> &alert::State {
        &self.alerts
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        self.book.rules()
    }

    /// The state as bytes, with the number of the last entry folded.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn to_bytes(&self, cursor: u64) -> Result<Vec<u8>, Error> {
        let head =
            Head { cursor, evaluated_until: self.evaluated_until, files: self.book.files.clone(), alerts: self.alerts.clone() };
        let head = serde_json::to_vec(&head).map_err(|error| Error::Damaged(error.to_string()))?;
        let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
        bytes.extend(head);
        bytes.extend(self.measure.to_bytes()?);
        Ok(bytes)
    }

    /// The state of bytes that [`Evaluator::to_bytes`] made, and the number of the last entry folded.
    ///
    /// # Errors
    /// [`Error`], if they are damaged or of another version.
    pub fn from_bytes(bytes: &[u8], settings: &Settings) -> Result<(Self, u64), Error> {
        let cut = || Error::Damaged("it is cut off".to_owned());
        let (length, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
        let (head, numbers) = rest.split_at_checked(length).ok_or_else(cut)?;
        let head: Head = serde_json::from_slice(head).map_err(|error| Error::Damaged(error.to_string()))?;
        let book = RuleBook::read(head.files, &settings.registry, settings.recipients.clone())
            .map_err(|_| Error::Damaged("its rules cannot be read by this version".to_owned()))?;
        let measure = evaluate::State::from_bytes(numbers, settings.evaluate.clone(), Arc::clone(&settings.registry))?;
        let state = Self { settings: settings.clone(), measure, alerts: head.alerts, book, evaluated_until: head.evaluated_until };
        Ok((state, head.cursor))
    }
}

impl Evaluation {
    /// Nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.transitions.is_empty() && self.decisions.is_empty()
    }
}
