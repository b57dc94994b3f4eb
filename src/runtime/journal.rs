//! The log as the tasks of one process share it: one fold, one append at a time, and the last entries at hand.
//!
//! An entry is published before the next one is appended. While the store is down, a commit waits and tries again; what it
//! holds up is the input, which is paused by its full queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, watch};

use super::shutdown::Shutdown;
use crate::event::Timestamp;
use crate::lake::{self, Appended, Lake};
use crate::log::{Entry, Fenced, Fold};
use crate::measure::PartialSet;
use crate::telemetry::{Counter, Telemetry};

/// Entries kept in memory, so that the evaluator need not read what this process has just written.
const KEPT: usize = 64;

/// An entry with the partial aggregates it carries.
#[derive(Debug)]
pub struct Step {
    /// The entry.
    pub entry: Arc<Entry>,
    /// Its partials; empty for entries without.
    pub partials: PartialSet,
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum NotCommitted {
    /// Another process has moved what the work starts from.
    #[error("fenced: {0}")]
    Fenced(Fenced),
    /// The process is told to end and the store does not answer.
    #[error("the store does not answer and the process ends: {0}")]
    ShuttingDown(lake::Error),
}

/// The shared log.
#[derive(Debug)]
pub struct Journal {
    lake: Lake,
    fold: AsyncMutex<Fold>,
    kept: Mutex<BTreeMap<u64, Step>>,
    end: watch::Sender<u64>,
    telemetry: Telemetry,
}

impl Journal {
    /// Loads what is true now, and finishes what a dead writer left unpublished.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(lake: Lake, telemetry: Telemetry) -> Result<Self, lake::Error> {
        let fold = lake.load().await?;
        lake.finish_publications(&fold).await?;
        let (end, _) = watch::channel(fold.next_number());
        Ok(Self { lake, fold: AsyncMutex::new(fold), kept: Mutex::default(), end, telemetry })
    }

    /// The lake.
    #[must_use]
    pub const fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A copy of what is true now, with what other processes have appended.
    ///
    /// # Errors
    /// The store's.
    pub async fn fold(&self) -> Result<Fold, lake::Error> {
        let mut fold = self.fold.lock().await;
        self.lake.refresh(&mut fold).await?;
        self.tell(&fold);
        Ok(fold.clone())
    }

    /// Number that the next entry will have, as far as this process knows; changes wake the receiver.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Wakes who waits for entries, but only if there are new ones.
    fn tell(&self, fold: &Fold) {
        self.end.send_if_modified(|end| std::mem::replace(end, fold.next_number()) != fold.next_number());
    }

    /// Appends an entry and publishes its files. Tries until it stands, is fenced, or the process must end.
    ///
    /// # Errors
    /// [`NotCommitted`]; then nothing of the entry is true.
    pub async fn commit(&self, mut entry: Entry, partials: PartialSet, shutdown: &Shutdown) -> Result<Arc<Entry>, NotCommitted> {
        let mut fold = self.fold.lock().await;
        let mut wait = super::FIRST_WAIT;
        let checkpoint_due = loop {
            match self.lake.append(&mut fold, &mut entry).await {
                Ok(Appended::Committed { checkpoint_due, .. }) => break checkpoint_due,
                Ok(Appended::Fenced(fenced)) => {
                    self.tell(&fold);
                    return Err(NotCommitted::Fenced(fenced));
                }
                Err(error) => self.unwritable("append", error, &mut wait, shutdown).await?,
            }
        };
        while let Err(error) = self.lake.publish(&entry).await {
            self.unwritable("publish", error, &mut wait, shutdown).await?;
        }
        if checkpoint_due && let Err(error) = self.lake.checkpoint(&fold, entry.written_at).await {
            // A missing checkpoint only makes the next start slower; the next one will be due.
            tracing::warn!(%error, "checkpoint not written");
        }
        let entry = Arc::new(entry);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(entry.number, Step { entry: Arc::clone(&entry), partials });
        while kept.len() > KEPT {
            kept.pop_first();
        }
        drop(kept);
        self.tell(&fold);
        Ok(entry)
    }

    async fn unwritable(
        &self,
        step: &str,
        error: lake::Error,
        wait: &mut Duration,
        shutdown: &Shutdown,
    ) -> Result<(), NotCommitted> {
        self.telemetry.add(Counter::LakeErrors, &[step], 1);
        if super::wait_for_store(&error, wait, shutdown).await { Ok(()) } else { Err(NotCommitted::ShuttingDown(error)) }
    }

    /// An entry of the log with its partials: those of this process once from memory, and else from the store.
    ///
    /// # Errors
    /// The store's; an entry that was pruned is `None`.
    pub async fn read(&self, number: u64) -> Result<Option<Step>, lake::Error> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        if kept.is_some() {
            return Ok(kept);
        }
        let Some(entry) = self.lake.read_entry(number).await? else { return Ok(None) };
        let partials = self.lake.read_partials(&entry).await?;
        Ok(Some(Step { entry: Arc::new(entry), partials }))
    }

    /// An entry of this process without content; the caller adds what it says.
    #[must_use]
    pub fn entry(&self, attempt: &lake::Attempt, kind: crate::log::Kind, written_at: Timestamp) -> Entry {
        Entry::new(attempt.id(), kind, self.lake.settings().writer.clone(), written_at)
    }
}
