//! The tasks of one process, and the only clock.
//!
//! ```text
//! reader ─▶ taker ─▶ committer ─▶ journal ─▶ evaluating ─▶ sending
//! (thread)  (thread)                 ▲           │  ▲          │
//!                                    └─ keeping  │  └─ results ┘
//!                                                ▼
//!                                             journal
//! ```
//!
//! The process ends in order: the reader stops, the taker's epoch is committed, the evaluator folds it, what is being sent is
//! finished, the state is saved. After ten seconds it ends anyway; nothing is lost by that, since only the log is true.

pub mod assemble;
pub mod clock;
mod evaluating;
pub mod ingesting;
pub mod journal;
mod keeping;
mod reader;
mod reload;
mod sending;
mod show;
pub mod shutdown;
mod taker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::clock::Clock;
use self::evaluating::Evaluating;
use self::ingesting::{Finished, Ingesting, Standing};
use self::journal::Journal;
use self::keeping::Keeping;
use self::reload::RuleFiles;
use self::sending::Sending;
use self::shutdown::Shutdown;
use crate::config::{Config, Secrets};
use crate::decode::redact;
use crate::http::{Board, Condition, Server};
use crate::lake::Lake;
use crate::measure::Registry;
use crate::telemetry::Telemetry;
use crate::{http, lake, measure, notify};

/// First wait after the store failed; doubled up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Longest wait between two tries of the store.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// When the process ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is told to.
    Told,
    /// When everything there is has been read, committed and evaluated.
    Drained,
}

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules cannot be read.
    #[error("the alert rules cannot be used:\n{0}")]
    Rules(String),
    /// What drift is measured against cannot be read.
    #[error("what drift is measured against cannot be read:\n{0}")]
    Reference(String),
    /// A pattern to hide is not a regular expression.
    #[error("[privacy] patterns: {0}")]
    Pattern(redact::Error),
    /// The registry of metrics that is part of the program.
    #[error(transparent)]
    Registry(#[from] measure::registry::Error),
    /// The lake.
    #[error(transparent)]
    Lake(#[from] lake::Error),
    /// The pages.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Mail.
    #[error(transparent)]
    Notify(#[from] notify::Error),
    /// The input.
    #[error(transparent)]
    Ingest(#[from] ingesting::Error),
    /// The evaluator.
    #[error(transparent)]
    Evaluate(#[from] evaluating::Error),
    /// A signal handler cannot be installed.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    /// A task ended without a word.
    #[error("a task ended unexpectedly ({0}); this is a bug, please report the log lines before")]
    Task(String),
}

impl Error {
    /// Whether the configuration is at fault, and not the world around it.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Rules(_) | Self::Reference(_) | Self::Pattern(_) | Self::Notify(_))
    }
}

/// What a caller may watch and do while the service runs.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Ends the service in order.
    pub shutdown: Shutdown,
    /// The latest state, as the pages show it.
    pub board: Board,
    /// Number of the last entry that was evaluated.
    pub evaluated: watch::Receiver<u64>,
    /// Where the pages are.
    pub address: std::net::SocketAddr,
}

/// Runs the service until it ends. `started` is called once everything runs.
///
/// # Errors
/// [`Error`]: what could not be started, or what no retry could mend.
pub async fn run(
    config: &Config,
    secrets: &Secrets,
    until: Until,
    telemetry: Telemetry,
    started: impl FnOnce(Handle) + Send,
) -> Result<(), Error> {
    let registry = Arc::new(Registry::builtin()?);
    let settings = assemble::evaluator(config, Arc::clone(&registry))?;
    let files = RuleFiles { config: config.clone(), registry, recipients: settings.recipients.clone() };
    let book = files.read().map_err(Error::Rules)?;
    let plan = assemble::plan(config, secrets, until)?;
    let mailer = config.mailer(secrets)?;
    let lake = Lake::open(&config.lake(&assemble::writer(config))).await?;
    let journal = Arc::new(Journal::open(lake, telemetry.clone()).await?);
    let newest = journal.fold().await?.watermarks().values().max().copied();
    let clock = Clock::new(assemble::clock(config), newest.unwrap_or(assemble::BEGINNING));
    let server = Server::bind(config.http.listen).await?;
    let address = server.address();

    let shutdown = Shutdown::default();
    let input_ended = Shutdown::default();
    let board = Board::new(clock::wall);
    board.update(|status| {
        status.instance = assemble::instance(config);
        status.started_at = clock::wall();
    });
    // Its log was read a moment ago.
    board.met(Condition::Lake);
    let standing = Arc::new(Standing::default());
    show::rules(&board, &telemetry, book.rules());
    let (rules_in, rules) = watch::channel(Arc::new(book));
    let (to_send, claims) = mpsc::unbounded_channel();
    let (results_in, results) = mpsc::unbounded_channel();
    let (seen, evaluated) = watch::channel(0);

    let mut tasks: JoinSet<Result<(), Error>> = JoinSet::new();
    let evaluating = Evaluating {
        journal: Arc::clone(&journal),
        clock: clock.clone(),
        settings,
        rules,
        snapshot_interval: config.lake.snapshot_interval,
        standing: Arc::clone(&standing),
        to_send,
        results,
        board: board.clone(),
        telemetry: telemetry.clone(),
        shutdown: shutdown.clone(),
        input_ended: input_ended.clone(),
        seen,
    };
    tasks.spawn(async move { evaluating.run().await.map_err(Error::from) });
    if let Some(mailer) = mailer {
        let sending = Sending {
            mailer: Arc::new(mailer),
            mail: Arc::new(config.render()),
            results: results_in,
            telemetry: telemetry.clone(),
            shutdown: shutdown.clone(),
        };
        tasks.spawn(async move {
            sending.run(claims).await;
            Ok(())
        });
    }
    let keeping = Keeping {
        ingest: plan.ingest.clone(),
        retention: config.retention(),
        journal: Arc::clone(&journal),
        clock: clock.clone(),
        board: board.clone(),
        telemetry: telemetry.clone(),
        shutdown: shutdown.clone(),
        input_ended: input_ended.clone(),
    };
    tasks.spawn(async move {
        keeping.run().await;
        Ok(())
    });
    let pages = server.run(board.clone(), telemetry.clone(), {
        let input_ended = input_ended.clone();
        async move { input_ended.requested().await }
    });
    tasks.spawn(async move { pages.await.map_err(Error::from) });
    let mut signals = JoinSet::new();
    signals.spawn(reload::signals(files, rules_in, shutdown.clone(), board.clone(), telemetry.clone()).map_err(Error::Signals)?);
    tracing::info!(%address, lake = config.lake.url.0, "groundwire is running");
    started(Handle { shutdown: shutdown.clone(), board: board.clone(), evaluated, address });

    let ingesting = Ingesting { plan, journal, clock, standing, board, telemetry, shutdown: shutdown.clone() };
    let result = tokio::select! {
        finished = ingesting.run() => finished.map_err(Error::from),
        failed = first_failure(&mut tasks) => Err(failed),
        () = shutdown.overdue() => {
            tracing::warn!("the input did not end in time; what was not committed is read again at the next start");
            Ok(Finished::Stopped)
        }
    };
    // Whatever ended, the rest ends in order.
    if !matches!(result, Ok(Finished::Drained)) {
        shutdown.request();
    }
    input_ended.request();
    let failed = all_ended(&mut tasks, &shutdown).await;
    let finished = result?;
    failed?;
    tracing::info!(?finished, "groundwire has ended");
    Ok(())
}

/// Waits until all tasks have ended, or for as long as a process that is told to end may wait.
///
/// # Errors
/// That of the first task that failed.
async fn all_ended(tasks: &mut JoinSet<Result<(), Error>>, shutdown: &Shutdown) -> Result<(), Error> {
    let mut failed = Ok(());
    loop {
        let ended = tokio::select! {
            ended = tasks.join_next() => ended,
            () = shutdown.overdue() => {
                tracing::warn!("not everything ended in time; what does not stand in the log is done again at the next start");
                None
            }
        };
        let Some(ended) = ended else { return failed };
        let ended = ended.unwrap_or_else(|error| Err(Error::Task(error.to_string())));
        failed = if failed.is_ok() { ended } else { failed };
    }
}

/// Waits for a task that fails; tasks that end well have nothing to say.
async fn first_failure(tasks: &mut JoinSet<Result<(), Error>>) -> Error {
    loop {
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => return error,
            Some(Err(error)) => return Error::Task(error.to_string()),
            None => std::future::pending().await,
        }
    }
}

/// Waits before the store is tried again; `false` if the process must end instead.
async fn wait_for_store(error: &lake::Error, wait: &mut Duration, shutdown: &Shutdown) -> bool {
    tracing::warn!(%error, retry_in_ms = wait.as_millis(), "lake not writable");
    tokio::select! {
        () = tokio::time::sleep(*wait) => {}
        () = shutdown.deadline_passed() => return false,
    }
    *wait = (*wait * 2).min(LONGEST_WAIT);
    true
}

/// A random id: of an attempt, never used twice.
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws ids")]
#[must_use]
pub fn random_id() -> u128 {
    fastrand::u128(..)
}
