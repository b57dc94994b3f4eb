//! Signals: SIGTERM and SIGINT end the process in order, SIGHUP reads the rules again.
//!
//! New rules are checked whole before anything changes; a mistake leaves the rules in force as they are. They take effect with
//! the next evaluation that stands in the log.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::shutdown::Shutdown;
use crate::alert::Recipients;
use crate::config::Config;
use crate::evaluator::RuleBook;
use crate::http::Board;
use crate::measure::Registry;
use crate::telemetry::{Counter, Telemetry};

/// Where rules come from and what they may name.
#[derive(Clone, Debug)]
pub(super) struct RuleFiles {
    pub(super) config: Config,
    pub(super) registry: Arc<Registry>,
    pub(super) recipients: Recipients,
}

impl RuleFiles {
    /// Reads the rules.
    ///
    /// # Errors
    /// All mistakes, for a person.
    pub(super) fn read(&self) -> Result<RuleBook, String> {
        let files = self.config.rule_files().map_err(|mistakes| text(&mistakes))?;
        RuleBook::read(files, &self.registry, self.recipients.clone()).map_err(|mistakes| text(&mistakes))
    }
}

fn text(mistakes: &[impl ToString]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<String>().trim_end().to_owned()
}

/// Handles signals until the end is requested.
///
/// # Errors
/// If a handler cannot be installed.
pub(super) fn signals(
    files: RuleFiles,
    rules: watch::Sender<Arc<RuleBook>>,
    shutdown: Shutdown,
    board: Board,
    telemetry: Telemetry,
) -> io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => match files.read() {
                    Ok(book) => {
                        let number = book.rules().rules.len();
                        tracing::info!(rules = number, "rules read again; they take effect with the next evaluation");
                        telemetry.add(Counter::Reloads, &["applied"], 1);
                        super::show::rules(&board, &telemetry, book.rules());
                        rules.send_replace(Arc::new(book));
                    }
                    Err(mistakes) => {
                        tracing::warn!(mistakes, "rules refused; those in force stay");
                        telemetry.add(Counter::Reloads, &["refused"], 1);
                        board.update(|status| status.reload_refused = Some(mistakes));
                    }
                },
            }
        }
        tracing::info!("told to end: committing what is in flight");
        shutdown.request();
    })
}
