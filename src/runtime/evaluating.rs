//! The evaluator's task: folds entry after entry, appends what follows from them, and hands over what is to be sent.
//!
//! Nothing is believed before it stands in the log: rows, transitions and claims of a pass are one entry, and only after its
//! append are the claims sent. A pass that is fenced is forgotten, and the state is loaded again from snapshot and log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use super::clock::{self, Clock};
use super::ingesting::Standing;
use super::journal::{Journal, NotCommitted, Step};
use super::show;
use super::shutdown::Shutdown;
use crate::alert::{Claim, SendResult};
use crate::evaluator::{self, Evaluation, Evaluator, RuleBook, Settings};
use crate::event::Timestamp;
use crate::http::{Board, Condition, Task};
use crate::lake::{self, Attempt};
use crate::log::{Cursor, EVALUATE, Entry, File, Fold, Kind};
use crate::telemetry::{Counter, Gauge, Histogram, Telemetry};

/// Another process evaluates; when its cursor stands still for so long, this one steps in.
const STEP_IN_US: i64 = 30 * Timestamp::SECOND_US;
/// Longest wait between two looks at the outbox.
const LOOK: Duration = Duration::from_secs(1);
/// Entries folded in one pass, so that one pass stays small in memory while catching up.
const MOST_ENTRIES: u64 = 16;

/// Why the evaluator cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lake holds something that cannot be read.
    #[error(transparent)]
    Lake(#[from] lake::Error),
    /// The saved state or the rules of the log.
    #[error(transparent)]
    State(#[from] evaluator::Error),
    /// The saved state cannot be read, and the log does not reach back to its beginning.
    #[error(
        "{cause}; the log begins with entry {first}, so the state cannot be made anew: restore `_groundwire/snapshots` from a \
         backup, or run the version that wrote it"
    )]
    Lost {
        /// Why it cannot be read.
        cause: Box<Error>,
        /// The first entry that the log still has.
        first: u64,
    },
}

/// What the task needs.
pub(super) struct Evaluating {
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) rules: watch::Receiver<Arc<RuleBook>>,
    pub(super) snapshot_interval: Duration,
    pub(super) standing: Arc<Standing>,
    pub(super) to_send: mpsc::UnboundedSender<Claim>,
    pub(super) results: mpsc::UnboundedReceiver<SendResult>,
    pub(super) board: Board,
    pub(super) telemetry: Telemetry,
    pub(super) shutdown: Shutdown,
    /// Requested when ingest has ended: what it brought is evaluated, then the task ends.
    pub(super) input_ended: Shutdown,
    /// Number of the last entry evaluated, for who waits for it.
    pub(super) seen: watch::Sender<u64>,
}

/// The state with its place in the log.
struct State {
    evaluator: Evaluator,
    /// Entries up to here are folded.
    cursor: u64,
    /// Number of the last evaluation in it.
    applied: u64,
    /// Claims handed over whose results are not known yet.
    under_way: usize,
}

/// How a pass ended.
enum Pass {
    /// It stands in the log.
    Done,
    /// There was nothing to say.
    Idle,
    /// Another process was first.
    Fenced,
    /// The process must end.
    Ending,
}

impl Evaluating {
    /// Runs until the input has ended and everything it brought is evaluated and told.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut end = self.journal.watch();
        let mut state = self.restore().await?;
        let mut saved_at = clock::wall();
        let mut results: Vec<SendResult> = Vec::new();
        loop {
            self.board.beat(Task::Evaluate);
            let last = self.input_ended.is_requested();
            while let Ok(result) = self.results.try_recv() {
                state.under_way = state.under_way.saturating_sub(1);
                show::sent(&self.board, &self.telemetry, &state.evaluator, &result);
                results.push(result);
            }
            let fold = self.journal.fold().await?;
            let turn = self.is_my_turn(&fold);
            self.telemetry.set(Gauge::Evaluating, &[], if turn { 1.0 } else { 0.0 });
            if !turn && !last {
                self.board.met(Condition::Evaluator);
                self.wait(&mut end).await;
                continue;
            }
            if fold.cursor(EVALUATE) != state.cursor {
                // Another process has evaluated meanwhile.
                state = self.restore().await?;
            }
            match self.pass(&mut state, &fold, &mut results).await? {
                Pass::Done => {
                    let wall = clock::wall();
                    if wall.0 - saved_at.0 >= super::assemble::micros(self.snapshot_interval) {
                        self.save(&state).await;
                        saved_at = wall;
                    }
                }
                Pass::Fenced => state = self.restore().await?,
                Pass::Ending => return Ok(()),
                Pass::Idle => {
                    self.board.met(Condition::Evaluator);
                    if last && (state.under_way == 0 || self.shutdown.is_late()) {
                        self.save(&state).await;
                        self.board.rest(Task::Evaluate);
                        return Ok(());
                    }
                    self.wait(&mut end).await;
                }
            }
        }
    }

    /// Folds the next entries and appends what follows.
    async fn pass(&mut self, state: &mut State, fold: &Fold, results: &mut Vec<SendResult>) -> Result<Pass, Error> {
        let began = clock::wall();
        let from = state.cursor;
        let before = (state.evaluator.evaluated_until(), state.evaluator.measure().counters().folded);
        let last = (fold.next_number() - 1).min(from + MOST_ENTRIES);
        let mut steps = Vec::new();
        for number in from + 1..=last {
            let step = self.journal.read(number).await?;
            steps.push(step.ok_or_else(|| lake::Error::Missing { path: format!("log entry {number}"), entry: number })?);
        }
        // Evaluations follow from other entries: alone they are no reason to say anything.
        if steps.iter().all(|step| step.entry.kind == Kind::Evaluate) && steps.len() < usize::try_from(MOST_ENTRIES).unwrap_or(0) {
            steps.clear();
        }
        let upto = from + steps.len() as u64;
        let written_at = steps.iter().map(|step| step.entry.written_at).max().unwrap_or_default().max(self.clock.now());
        let newest = steps.last().map(|step| step.entry.written_at);
        let mut evaluation = Evaluation::default();
        let book = Arc::clone(&self.rules.borrow());
        if !steps.is_empty() {
            state.evaluator.adopt(&book, &mut evaluation);
        }
        for step in steps {
            state.evaluator.step(&step.entry, step.partials, &mut evaluation);
        }
        let now = self.notice_time(&state.evaluator);
        for result in results.drain(..) {
            state.evaluator.record(&result, now);
        }
        let claims = state.evaluator.claim(now);
        let changes = state.evaluator.take_changes();
        if upto == from && changes.is_empty() {
            return Ok(Pass::Idle);
        }
        let cursors = vec![Cursor { input: EVALUATE.to_owned(), from: position(from), to: position(upto) }];
        let attempt = Attempt::new(super::random_id(), &cursors);
        let mut entry = self.journal.entry(&attempt, Kind::Evaluate, written_at);
        entry.cursors = cursors;
        entry.transitions = evaluation.transitions.iter().filter_map(|transition| serde_json::to_value(transition).ok()).collect();
        entry.outbox = changes.iter().filter_map(|change| serde_json::to_value(change).ok()).collect();
        entry.decisions = std::mem::take(&mut evaluation.decisions);
        entry.health.connected = true;
        entry.health.oldest_unsent_secs = state.evaluator.alerts().oldest_unsent_secs(now);
        show::evaluation(&self.telemetry, &evaluation);
        // While the store takes no writes this waits, and is not stuck.
        self.board.rest(Task::Evaluate);
        let span = tracing::info_span!("evaluate", entries = upto - from);
        let staged = self.stage(&attempt, evaluation).instrument(tracing::info_span!(parent: &span, "stage")).await;
        let Some(files) = staged else { return Ok(Pass::Ending) };
        entry.files = files;
        if !claims.is_empty() {
            lake::failpoint::hit("claim");
        }
        let append = tracing::info_span!(parent: &span, "append");
        match self.journal.commit(entry, crate::measure::PartialSet::default(), &self.shutdown).instrument(append).await {
            Ok(entry) => {
                state.cursor = upto;
                state.applied = entry.number;
                state.under_way += claims.len();
                if !claims.is_empty() {
                    lake::failpoint::hit("claimed");
                }
                for claim in claims {
                    // The receiver lives as long as this task's sender.
                    drop(self.to_send.send(claim));
                }
                show::progress(&self.telemetry, &state.evaluator, before);
                if let Some(newest) = newest {
                    let delay = self.clock.now().0.saturating_sub(newest.0).max(0);
                    self.telemetry.set(Gauge::EvaluatorDelay, &[], delay as f64 / 1e6);
                }
                self.tell(state, &entry, clock::wall().0.saturating_sub(began.0));
                self.seen.send_replace(upto);
                Ok(Pass::Done)
            }
            Err(NotCommitted::Fenced(fenced)) => {
                tracing::warn!(%fenced, "another process evaluates; this one loads its state again");
                Ok(Pass::Fenced)
            }
            Err(NotCommitted::ShuttingDown(error)) => {
                tracing::warn!(%error, "the last evaluation could not be committed; it is done again at the next start");
                Ok(Pass::Ending)
            }
        }
    }

    /// The time that notifications go by. Under the event clock it is how far event time was judged, so that nothing is held
    /// back for being long ago.
    fn notice_time(&self, evaluator: &Evaluator) -> Timestamp {
        match self.clock.kind() {
            clock::Kind::Wall => clock::wall(),
            clock::Kind::Events => evaluator.evaluated_until(),
        }
    }

    async fn stage(&self, attempt: &Attempt, evaluation: Evaluation) -> Option<Vec<File>> {
        let (rows, transitions) = (Arc::new(evaluation.rows), Arc::new(evaluation.transitions));
        let mut wait = super::FIRST_WAIT;
        loop {
            match self.journal.lake().stage_evaluation(attempt, &rows, &transitions).await {
                Ok(files) => return Some(files),
                Err(error) => {
                    self.telemetry.add(Counter::LakeErrors, &["stage"], 1);
                    self.board.unmet(Condition::Lake, error.to_string());
                    if !super::wait_for_store(&error, &mut wait, &self.shutdown).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Loads the snapshot and folds on to the last committed evaluation, with all effects suppressed.
    async fn restore(&self) -> Result<State, Error> {
        let fold = self.journal.fold().await?;
        let (mut evaluator, mut cursor, mut applied) = self.load().await?;
        // Entries wait until the evaluation that covers them comes: its rules come before them, its outbox after.
        let mut waiting: VecDeque<(u64, Step)> = VecDeque::new();
        let upto = fold.cursor(EVALUATE);
        for number in cursor + 1..fold.next_number() {
            let step = self.journal.read(number).await?;
            let step = step.ok_or_else(|| lake::Error::Missing { path: format!("log entry {number}"), entry: number })?;
            let covers = step.entry.cursors.iter().find(|moved| moved.input == EVALUATE).map(|moved| moved.to.unsigned_abs());
            let entry = Arc::clone(&step.entry);
            if number <= upto {
                waiting.push_back((number, step));
            }
            if let Some(covers) = covers.filter(|_| number > applied) {
                evaluator.apply_rules(&entry)?;
                let mut suppressed = Evaluation::default();
                while let Some((_, step)) = waiting.pop_front_if(|(number, _)| *number <= covers) {
                    evaluator.step(&step.entry, step.partials, &mut suppressed);
                }
                evaluator.apply(&entry);
                (cursor, applied) = (covers, number);
            }
        }
        self.seen.send_replace(cursor);
        show::standing(&self.board, &self.telemetry, &evaluator, &self.clock);
        tracing::info!(entry = cursor, "evaluator restored");
        Ok(State { evaluator, cursor, applied, under_way: 0 })
    }

    /// The saved state, with the last entry in it and the entry that it was saved after. Where it cannot be read, for instance
    /// because an earlier version wrote it, the state before the first entry serves as well, while the log still has that entry.
    async fn load(&self) -> Result<(Evaluator, u64, u64), Error> {
        let error: Error = match self.journal.lake().load_snapshot().await {
            Ok(None) => return Ok((Evaluator::new(&self.settings), 0, 0)),
            Ok(Some((number, bytes))) => match Evaluator::from_bytes(&bytes, &self.settings) {
                Ok((evaluator, cursor)) => return Ok((evaluator, cursor, number)),
                Err(error) => error.into(),
            },
            Err(error @ (lake::Error::Missing { .. } | lake::Error::Damaged { .. })) => error.into(),
            Err(error) => return Err(error.into()),
        };
        let first = self.journal.lake().first_entry().await?;
        if first > 1 {
            return Err(Error::Lost { cause: Box::new(error), first });
        }
        tracing::warn!(%error, "snapshot not read; the whole log is folded instead");
        Ok((Evaluator::new(&self.settings), 0, 0))
    }

    async fn save(&self, state: &State) {
        let saved = match state.evaluator.to_bytes(state.cursor) {
            Ok(bytes) => self.journal.lake().save_snapshot(state.applied, bytes).await.map_err(Error::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = saved {
            self.telemetry.add(Counter::LakeErrors, &["snapshot"], 1);
            tracing::warn!(%error, "snapshot not written; the next start replays more of the log");
        }
    }

    /// The owner of the lowest partition evaluates; another steps in when the evaluator has been silent for a while.
    fn is_my_turn(&self, fold: &Fold) -> bool {
        // Progress over the log itself stands among the ends; a partition has a slash.
        let lowest = fold.ends().keys().find(|input| input.contains('/'));
        let owner = match (lowest, self.standing.assigned.lock()) {
            (Some(lowest), Ok(assigned)) => assigned.contains(lowest),
            _ => true,
        };
        let behind = fold.next_number().saturating_sub(fold.cursor(EVALUATE)) > 2;
        owner || behind && clock::wall().0 - fold.written_at().0 > STEP_IN_US
    }

    fn tell(&self, state: &State, entry: &Entry, took_us: i64) {
        self.telemetry.add(Counter::LogEntries, &["evaluate"], 1);
        self.telemetry.observe(Histogram::EvaluateDuration, &[], took_us as f64 / 1e6);
        show::state(&self.board, &self.telemetry, &state.evaluator, &self.clock, entry);
    }

    async fn wait(&self, end: &mut watch::Receiver<u64>) {
        tokio::select! {
            changed = end.changed() => if changed.is_err() { tokio::time::sleep(LOOK).await },
            () = tokio::time::sleep(LOOK) => {}
            () = self.input_ended.requested() => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn position(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
