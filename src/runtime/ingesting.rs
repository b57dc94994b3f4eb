//! The ingest side of the process: a reader, a taker and a committer, rebuilt from the log whenever the log says so.
//!
//! A session begins with what the log knows and ends when it is fenced, when the source fails, or when the process ends. There
//! is one way to recover from anything: drop the session and begin the next one from the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::Instrument;

use super::clock::{self, Clock};
use super::journal::{Journal, NotCommitted};
use super::reader::{self, Ask};
use super::show;
use super::shutdown::Shutdown;
use super::taker::{Cut, Cutting, Ended, Taker};
use crate::decode::redact::Redactor;
use crate::event::{OutcomeCounts, Timestamp, TopicPartition};
use crate::http::{Board, Condition, Task};
use crate::ingest::{self, Epoch, Ingest};
use crate::lake::{self, Attempt};
use crate::log::{Cursor, Entry, File, Fold, Kind};
use crate::score::{self, Scorer};
use crate::source::dead_letter::DeadLetters;
use crate::source::kafka::BeforeRevoke;
use crate::source::{self, Positions, Source};
use crate::telemetry::{Counter, Histogram, Telemetry};

/// Makes a source that starts where the log says. Called on the reader's thread; it may block.
pub type MakeSource = Arc<dyn Fn(Positions, BeforeRevoke) -> Result<Box<dyn Source>, source::Error> + Send + Sync>;
/// Makes the producer of dead letters, if there is a topic for them.
pub type MakeDeadLetters = Arc<dyn Fn() -> Result<Option<DeadLetters>, source::Error> + Send + Sync>;

/// Batches that may wait between reader and taker.
const QUEUE: usize = 4;
/// First wait after a session failed; doubled up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait between two sessions.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Everything a session is built from.
#[derive(Clone)]
pub struct Plan {
    /// Settings of ingest.
    pub ingest: ingest::Settings,
    /// Redacts texts.
    pub redactor: Redactor,
    /// Settings of the scorer.
    pub score: score::Settings,
    /// When epochs are cut.
    pub cutting: Cutting,
    /// Makes the source.
    pub source: MakeSource,
    /// Makes the producer of dead letters.
    pub dead_letters: MakeDeadLetters,
}

/// How ingest ended for good.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    /// Everything there is has been read and committed.
    Drained,
    /// The process was told to end.
    Stopped,
}

/// Why ingest cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be opened or read, and trying again does not help.
    #[error(transparent)]
    Source(source::Error),
    /// The lake holds something that cannot be read.
    #[error(transparent)]
    Lake(#[from] lake::Error),
    /// A thread ended without a word.
    #[error("the {0} thread ended unexpectedly; this is a bug, please report the log lines before")]
    Thread(&'static str),
}

/// What the runtime knows of the ingest side, for the evaluator's turn and the pages.
#[derive(Debug, Default)]
pub struct Standing {
    /// Partitions this process reads.
    pub assigned: std::sync::Mutex<Vec<String>>,
}

/// The ingest side.
pub(super) struct Ingesting {
    pub(super) plan: Plan,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Clock,
    pub(super) standing: Arc<Standing>,
    pub(super) board: Board,
    pub(super) telemetry: Telemetry,
    pub(super) shutdown: Shutdown,
}

enum SessionEnd {
    Finished(Finished),
    Again(String),
}

impl Ingesting {
    /// Runs sessions until ingest is finished.
    pub(super) async fn run(self) -> Result<Finished, Error> {
        let mut wait = FIRST_WAIT;
        loop {
            let began = clock::wall();
            match self.session().await? {
                SessionEnd::Finished(finished) => return Ok(finished),
                SessionEnd::Again(reason) => {
                    if self.shutdown.is_requested() {
                        return Ok(Finished::Stopped);
                    }
                    if clock::wall().0 - began.0 > Timestamp::MINUTE_US {
                        wait = FIRST_WAIT;
                    }
                    self.board.unmet(Condition::Source, reason.clone());
                    tracing::warn!(reason, retry_in_ms = wait.as_millis(), "input is read again from where the log stands");
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.shutdown.requested() => return Ok(Finished::Stopped),
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    async fn session(&self) -> Result<SessionEnd, Error> {
        let Self { plan, journal, clock, board, telemetry, shutdown, .. } = self;
        let fold = journal.fold().await?;
        let mut ingest = Ingest::new(plan.ingest.clone(), plan.redactor.clone(), Scorer::new(plan.score));
        remember(&mut ingest, journal, &fold, &plan.ingest).await?;

        let (reads_in, reads) = blocking::sync_channel(QUEUE);
        let (asks, asks_in) = blocking::channel();
        let (cuts, cuts_in) = mpsc::channel(1);
        let runtime = tokio::runtime::Handle::current();
        let reader = {
            let make = Arc::clone(&plan.source);
            let (journal, runtime) = (Arc::clone(journal), runtime.clone());
            spawn_thread("reader", move || {
                let positions = positions(journal, runtime);
                match make(positions, reader::before_revoke(reads_in.clone())) {
                    Ok(source) => reader::run(source, &reads_in, &asks_in),
                    // The taker hears of it; if it is gone already, there is nobody to tell.
                    Err(error) => drop(reads_in.send(reader::Read::Failed(error))),
                }
            })
        };
        let taker = {
            let make = Arc::clone(&plan.dead_letters);
            let taker = Taker {
                ingest,
                clock: clock.clone(),
                cutting: plan.cutting,
                reads,
                asks: asks.clone(),
                cuts,
                slots: Arc::new(Semaphore::new(1)),
                runtime,
                telemetry: telemetry.clone(),
                board: board.clone(),
                dead_letters: None,
                dead_sent: 0,
                watermarks: fold.watermarks().clone(),
                health: BTreeMap::new(),
                lost: Vec::new(),
                paused: Vec::new(),
                stop: shutdown.clone(),
                cut_at: clock::wall(),
            };
            spawn_thread("taker", move || match make() {
                Ok(dead_letters) => Taker { dead_letters, ..taker }.run(),
                Err(error) => Ended::Failed(error),
            })
        };
        let committed = self.commit_all(cuts_in, &asks).await;
        // The committer has ended, so the taker ends, so the reader ends.
        drop(asks);
        let ended = taker.await.map_err(|_| Error::Thread("taker"))?;
        board.rest(Task::Ingest);
        reader.await.map_err(|_| Error::Thread("reader"))?;
        Ok(match (committed, ended) {
            (Err(NotCommitted::Fenced(fenced)), _) => {
                telemetry.add(Counter::Epochs, &["fenced"], 1);
                SessionEnd::Again(fenced.to_string())
            }
            (Err(NotCommitted::ShuttingDown(error)), _) => {
                tracing::warn!(%error, "the last epoch could not be committed; its input is read again at the next start");
                SessionEnd::Finished(Finished::Stopped)
            }
            (Ok(()), Ended::Drained) => SessionEnd::Finished(Finished::Drained),
            (Ok(()), Ended::Stopped) if shutdown.is_requested() => SessionEnd::Finished(Finished::Stopped),
            (Ok(()), Ended::Stopped) => SessionEnd::Again("the input stopped".to_owned()),
            (Ok(()), Ended::Failed(error)) => {
                telemetry.add(Counter::SourceErrors, &[], 1);
                if !error.retry() {
                    return Err(Error::Source(error));
                }
                SessionEnd::Again(error.to_string())
            }
        })
    }
}

/// Runs `work` on a thread of its own and gives its result when it ends.
fn spawn_thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, result) = oneshot::channel();
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || drop(done.send(work())));
    if let Err(error) = spawned {
        // The receiver then sees a thread that ended without a word.
        tracing::error!(%error, name, "thread not started");
    }
    result
}

/// Asks the log, at the moment of the assignment: another process may have moved on since this session began.
fn positions(journal: Arc<Journal>, runtime: tokio::runtime::Handle) -> Positions {
    Box::new(move |partitions: &[TopicPartition]| {
        let mut wait = FIRST_WAIT;
        loop {
            match runtime.block_on(journal.fold()) {
                Ok(fold) => return partitions.iter().map(|partition| fold.end(&partition.to_string())).collect(),
                Err(error) => {
                    tracing::warn!(%error, "the log cannot be read; no partition starts before it can");
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    })
}

/// Remembers the answers of the last epochs, so that a restart neither counts a repeat nor misses a match.
async fn remember(ingest: &mut Ingest, journal: &Journal, fold: &Fold, settings: &ingest::Settings) -> Result<(), lake::Error> {
    let newest = fold.watermarks().values().max().copied();
    let mut entries = Vec::new();
    let mut answers = 0;
    let mut number = fold.next_number();
    // Backwards until the window of repeats is covered and the memory is full.
    while number > 1 && answers < settings.recent_capacity {
        number -= 1;
        let Some(entry) = journal.lake().read_entry(number).await? else { break };
        // The keeper's entries tell which answers were rated late.
        if entry.kind == Kind::Evaluate {
            continue;
        }
        let of_entry: u64 = entry.files.iter().filter(|file| file.table == "_ids").map(|file| file.rows).sum();
        answers += usize::try_from(of_entry).unwrap_or(usize::MAX);
        let reached = entry.watermarks.values().max().copied();
        let covered =
            matches!((reached, newest), (Some(reached), Some(newest)) if reached < newest.plus(-2 * settings.dedup_window_us));
        if of_entry > 0 {
            entries.push(entry);
        }
        if covered {
            break;
        }
    }
    for entry in entries.iter().rev() {
        let ids = journal.lake().read_ids(entry).await?;
        for answer in ids.past() {
            ingest.remember(&answer);
        }
        for rated in &ids.rated {
            ingest.remember_rated(rated.note);
        }
        for (repeat, at) in &ids.repeats {
            ingest.remember_feedback(*repeat, *at);
        }
    }
    Ok(())
}

impl Ingesting {
    /// Commits epoch after epoch until the taker ends or one cannot be committed.
    async fn commit_all(&self, mut cuts: mpsc::Receiver<Cut>, asks: &blocking::Sender<Ask>) -> Result<(), NotCommitted> {
        let Self { journal, standing, board, telemetry, shutdown, .. } = self;
        while let Some(cut) = cuts.recv().await {
            let Cut { epoch, lost, health, written_at, done, permit } = cut;
            let cursors: Vec<Cursor> = epoch
                .offsets
                .iter()
                .map(|(partition, (from, to))| Cursor { input: partition.to_string(), from: *from, to: *to })
                .collect();
            let ends: Vec<_> = epoch.offsets.iter().map(|(partition, (_, to))| (partition.clone(), *to)).collect();
            if let Ok(mut assigned) = standing.assigned.lock() {
                // Not only those that moved: a quiet partition is read too.
                *assigned = health.inputs.keys().cloned().collect();
            }
            let attempt = Attempt::new(super::random_id(), &cursors);
            let began = clock::wall();
            let span = tracing::info_span!("commit", partitions = cursors.len());
            let epoch = Arc::new(epoch);
            let mut entry = journal.entry(&attempt, Kind::Ingest, written_at);
            entry.files = self.stage(&attempt, &epoch).instrument(tracing::info_span!(parent: &span, "stage")).await?;
            let staged = clock::wall();
            telemetry.observe(Histogram::EpochDuration, &["stage"], staged.0.saturating_sub(began.0) as f64 / 1e6);
            // The rows are in the staging folder now: their memory goes before the append waits for anything.
            let Some(epoch) = Arc::into_inner(epoch) else { unreachable!("staging has ended") };
            let Epoch { partials, watermarks, outcomes, .. } = epoch;
            entry.cursors = cursors;
            entry.watermarks = watermarks.into_iter().map(|(partition, time)| (partition.to_string(), time)).collect();
            entry.outcomes = outcomes;
            entry.lost = lost;
            entry.health = health;
            let append = tracing::info_span!(parent: &span, "append");
            let entry = journal.commit(entry, partials, shutdown).instrument(append).await?;
            drop((permit, span));
            telemetry.observe(Histogram::EpochDuration, &["append"], clock::wall().0.saturating_sub(staged.0) as f64 / 1e6);
            let took = Duration::from_micros(clock::wall().0.saturating_sub(began.0).unsigned_abs());
            show::committed(board, telemetry, &entry);
            log_line(&entry, took);
            // A reader that is gone needs no telling.
            drop(asks.send(Ask::Acknowledge(ends)));
            lake::failpoint::hit("acknowledge");
            if let Some(done) = done {
                let _gone = done.send(()).is_err();
            }
        }
        Ok(())
    }

    /// Stages an epoch, trying until the store takes it or the process must end.
    async fn stage(&self, attempt: &Attempt, epoch: &Arc<Epoch>) -> Result<Vec<File>, NotCommitted> {
        let mut wait = super::FIRST_WAIT;
        loop {
            match self.journal.lake().stage_epoch(attempt, epoch).await {
                Ok(files) => return Ok(files),
                Err(error) => {
                    self.telemetry.add(Counter::LakeErrors, &["stage"], 1);
                    self.board.unmet(Condition::Lake, error.to_string());
                    if !super::wait_for_store(&error, &mut wait, &self.shutdown).await {
                        return Err(NotCommitted::ShuttingDown(error));
                    }
                }
            }
        }
    }
}

/// One log line per epoch.
fn log_line(entry: &Entry, took: Duration) {
    let rows: u64 = entry.files.iter().map(|file| file.rows).sum();
    let bytes: u64 = entry.files.iter().map(|file| file.bytes).sum();
    let records: u64 = entry.outcomes.records.values().map(OutcomeCounts::total).sum();
    let rejected: u64 = entry.outcomes.records.values().flat_map(|counts| counts.rejected.values()).sum();
    tracing::info!(entry = entry.number, records, rejected, rows, bytes, ms = took.as_millis(), "epoch committed");
}
