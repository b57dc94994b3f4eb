//! The thread that takes records into the open epoch and decides when to commit it.
//!
//! An epoch is cut when it is old enough, large enough, when partitions leave, or when nothing was said for a minute (a tick,
//! so that the log shows a live process). One epoch may be on its way to the log while the next one grows, never more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Until;
use super::clock::{self, Clock};
use super::reader::{Ask, Read};
use crate::event::{OutcomeCounts, Timestamp, TopicPartition};
use crate::http::{Board, Condition, Task};
use crate::ingest::{Epoch, Ingest};
use crate::log::{Health, InputHealth, Lost};
use crate::source::dead_letter::DeadLetters;
use crate::source::{self, Polled};
use crate::telemetry::{Counter, Gauge, Telemetry};

/// Longest that a commit waits for the acknowledgement of dead letters.
const FLUSH: Duration = Duration::from_secs(30);

/// When an epoch is cut.
#[derive(Clone, Copy, Debug)]
pub struct Cutting {
    /// Age at which an epoch with content is committed.
    pub interval: Duration,
    /// Size at which it is committed at once.
    pub max_bytes: usize,
    /// Age at which even an empty one is committed.
    pub tick: Duration,
    /// Event time that a partition may run ahead of the slowest while catching up, in microseconds.
    pub max_ahead_us: i64,
    /// Whether to end as soon as everything there is has been read and committed.
    pub until: Until,
}

/// An epoch on its way to the log.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) epoch: Epoch,
    pub(super) lost: Vec<Lost>,
    pub(super) health: Health,
    pub(super) written_at: Timestamp,
    /// Answered when the epoch stands in the log, for who waits for it.
    pub(super) done: Option<std::sync::mpsc::SyncSender<()>>,
    /// Held until the epoch stands.
    pub(super) permit: OwnedSemaphorePermit,
}

/// Why the taker ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Everything there is has been read.
    Drained,
    /// It was told to, or the committer is gone.
    Stopped,
    /// The source cannot go on.
    Failed(source::Error),
}

/// The taker's state.
pub(super) struct Taker {
    pub(super) ingest: Ingest,
    pub(super) clock: Clock,
    pub(super) cutting: Cutting,
    pub(super) reads: Receiver<Read>,
    pub(super) asks: Sender<Ask>,
    pub(super) cuts: mpsc::Sender<Cut>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) telemetry: Telemetry,
    pub(super) board: Board,
    pub(super) dead_letters: Option<DeadLetters>,
    /// Records handed to them since they were last acknowledged.
    pub(super) dead_sent: u64,
    pub(super) watermarks: BTreeMap<String, Timestamp>,
    pub(super) health: BTreeMap<TopicPartition, InputHealth>,
    pub(super) lost: Vec<Lost>,
    pub(super) paused: Vec<TopicPartition>,
    pub(super) stop: super::shutdown::Shutdown,
    pub(super) cut_at: Timestamp,
}

impl Taker {
    /// Runs until the source fails, everything is read, or the end is requested.
    pub(super) fn run(mut self) -> Ended {
        self.cut_at = clock::wall();
        loop {
            self.board.beat(Task::Ingest);
            match self.reads.recv_timeout(self.until_due()) {
                Ok(Read::Polled(polled)) => {
                    if let Err(error) = self.take(polled) {
                        return Ended::Failed(error);
                    }
                }
                Ok(Read::Leaving(answer)) => {
                    if !self.ingest.is_empty() {
                        self.commit_and_wait();
                    }
                    // The reader may have stopped waiting.
                    let _gone = answer.try_send(()).is_err();
                }
                Ok(Read::Failed(error)) => {
                    self.commit(None);
                    return Ended::Failed(error);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ended::Stopped,
            }
            let drained = self.cutting.until == Until::Drained && self.is_drained();
            if self.stop.is_requested() || drained {
                let committed = self.commit_and_wait();
                return if drained && committed { Ended::Drained } else { Ended::Stopped };
            }
            if self.is_due() && !self.commit(None) {
                return Ended::Stopped;
            }
        }
    }

    fn take(&mut self, polled: Polled) -> Result<(), source::Error> {
        match polled {
            Polled::Records(records) => {
                let dead = self.ingest.push(&records, self.clock.now());
                if let Some(newest) = self.ingest.newest_event() {
                    self.clock.saw(newest);
                }
                if let Some(dead_letters) = &mut self.dead_letters {
                    self.dead_sent += dead.len() as u64;
                    for letter in &dead {
                        if let Some(record) = records.records.get(letter.record) {
                            dead_letters.send(&records, record, letter.reason, &letter.detail)?;
                        }
                    }
                }
                self.telemetry.set(Gauge::UncommittedBytes, &[], self.ingest.bytes() as f64);
                self.balance();
            }
            Polled::Assigned(partitions) => {
                self.board.met(Condition::Source);
                tracing::info!(partitions = partitions.len(), "partitions assigned");
                self.telemetry.add(Counter::Rebalances, &[], 1);
                for (partition, position) in partitions {
                    let watermark = self.watermarks.get(&partition.to_string()).copied();
                    self.ingest.assign(partition.clone(), position, watermark);
                    self.health.entry(partition).or_default();
                }
                self.tell_assigned();
            }
            Polled::Lost(lost) => {
                for gap in lost {
                    tracing::warn!(input = gap.input, from = gap.from, to = gap.to, "input was gone before it could be read");
                    if let Some(partition) = self.health.keys().find(|partition| partition.to_string() == gap.input) {
                        self.ingest.skip(partition, gap.to);
                    }
                    let topic = gap.input.rsplit_once('/').map_or(gap.input.as_str(), |(topic, _)| topic);
                    self.telemetry.add(Counter::LostRecords, &[topic], gap.to.saturating_sub(gap.from).unsigned_abs());
                    self.lost.push(gap);
                }
            }
            Polled::State(states) => {
                let now = self.clock.now();
                for (partition, health) in states {
                    self.ingest.observe(&partition, &health, now);
                    if let Some(lag) = health.lag {
                        let number = partition.partition.to_string();
                        self.telemetry.set(Gauge::ConsumerLag, &[&partition.topic, &number], lag as f64);
                    }
                    self.health.insert(partition, health);
                }
                self.balance();
            }
            Polled::Revoked(partitions) => {
                tracing::info!(partitions = partitions.len(), "partitions revoked");
                self.telemetry.add(Counter::Rebalances, &[], 1);
                for partition in &partitions {
                    self.ingest.revoke(partition);
                    self.health.remove(partition);
                }
                self.tell_assigned();
            }
            Polled::Idle => {}
        }
        Ok(())
    }

    /// The right to hand an epoch over, once the one before it stands. That takes as long as the store takes no writes, so
    /// this thread is not taken for stuck meanwhile.
    fn wait_for_slot(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(permit);
        }
        self.telemetry.set(Gauge::InputPaused, &["store"], 1.0);
        self.board.rest(Task::Ingest);
        let permit = self.runtime.block_on(Arc::clone(&self.slots).acquire_owned());
        self.board.beat(Task::Ingest);
        self.telemetry.set(Gauge::InputPaused, &["store"], 0.0);
        permit.ok()
    }

    /// Tells which partitions this process reads, and forgets the lag of the others.
    fn tell_assigned(&self) {
        let mut by_topic: BTreeMap<&str, u32> = BTreeMap::new();
        for partition in self.health.keys() {
            *by_topic.entry(&partition.topic).or_default() += 1;
        }
        self.telemetry.retain(Gauge::PartitionsAssigned, |labels| labels.iter().all(|topic| by_topic.contains_key(topic.as_str())));
        for (topic, count) in by_topic {
            self.telemetry.set(Gauge::PartitionsAssigned, &[topic], f64::from(count));
        }
        let mine: BTreeMap<String, InputHealth> = self.health.iter().map(|(id, health)| (id.to_string(), health.clone())).collect();
        self.telemetry.retain(Gauge::ConsumerLag, |labels| mine.contains_key(&labels.join("/")));
        super::show::assigned(&self.board, &mine, &self.watermarks);
    }

    /// Cuts the epoch and waits until it stands; `false` if it does not.
    fn commit_and_wait(&mut self) -> bool {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        self.commit(Some(done)) && wait.recv().is_ok()
    }

    /// Cuts the epoch and hands it to the committer, waiting for the one before it; `false` if the committer is gone.
    fn commit(&mut self, done: Option<std::sync::mpsc::SyncSender<()>>) -> bool {
        // The order matters: a dead letter is safe before the entry that covers it is appended.
        let flushed = self.dead_letters.as_mut().map_or(Ok(()), |dead_letters| dead_letters.flush(FLUSH));
        let result = if flushed.is_ok() { "sent" } else { "failed" };
        self.telemetry.add(Counter::DeadLetters, &[result], std::mem::take(&mut self.dead_sent));
        if let Err(error) = flushed {
            tracing::warn!(%error, "dead letters not acknowledged; their records are read again");
            return false;
        }
        crate::lake::failpoint::hit("dead_letter");
        let Some(permit) = self.wait_for_slot() else { return false };
        let epoch = self.ingest.cut();
        self.watermarks.extend(epoch.watermarks.iter().map(|(partition, time)| (partition.to_string(), *time)));
        self.count(&epoch);
        let cut = Cut {
            lost: std::mem::take(&mut self.lost),
            health: Health {
                connected: !self.health.is_empty(),
                inputs: self.health.iter().map(|(partition, health)| (partition.to_string(), health.clone())).collect(),
                oldest_unsent_secs: None,
            },
            written_at: self.clock.now(),
            epoch,
            done,
            permit,
        };
        self.cut_at = clock::wall();
        self.cuts.blocking_send(cut).is_ok()
    }

    fn until_due(&self) -> Duration {
        let age = Duration::from_micros(clock::wall().0.saturating_sub(self.cut_at.0).unsigned_abs());
        self.cutting.interval.saturating_sub(age).clamp(Duration::from_millis(1), Duration::from_millis(250))
    }

    fn is_due(&self) -> bool {
        let age = Duration::from_micros(clock::wall().0.saturating_sub(self.cut_at.0).unsigned_abs());
        age >= self.cutting.tick
            || !self.ingest.is_empty() && (age >= self.cutting.interval || self.ingest.bytes() >= self.cutting.max_bytes)
    }

    fn is_drained(&self) -> bool {
        !self.health.is_empty() && self.health.values().all(|health| health.caught_up)
    }

    /// Pauses partitions whose event time runs away from the slowest one that still has something to read.
    fn balance(&mut self) {
        let slowest = self
            .ingest
            .watermarks()
            .into_iter()
            .filter(|(partition, _)| self.health.get(*partition).is_some_and(|health| !health.caught_up))
            .filter_map(|(_, watermark)| watermark)
            .min();
        let ahead: Vec<TopicPartition> = match slowest {
            Some(slowest) => self
                .ingest
                .watermarks()
                .into_iter()
                .filter(|(_, watermark)| watermark.is_some_and(|watermark| watermark > slowest.plus(self.cutting.max_ahead_us)))
                .map(|(partition, _)| partition.clone())
                .collect(),
            None => Vec::new(),
        };
        if ahead == self.paused {
            return;
        }
        let resume: Vec<_> = self.paused.iter().filter(|partition| !ahead.contains(partition)).cloned().collect();
        let pause: Vec<_> = ahead.iter().filter(|partition| !self.paused.contains(partition)).cloned().collect();
        self.telemetry.set(Gauge::InputPaused, &["skew"], if ahead.is_empty() { 0.0 } else { 1.0 });
        // A reader that is gone needs no telling.
        if !pause.is_empty() {
            drop(self.asks.send(Ask::Pause(pause)));
        }
        if !resume.is_empty() {
            drop(self.asks.send(Ask::Resume(resume)));
        }
        self.paused = ahead;
    }

    fn count(&self, epoch: &Epoch) {
        for (counter, by_input) in [(Counter::Records, &epoch.outcomes.records), (Counter::Events, &epoch.outcomes.events)] {
            for (input, counts) in by_input {
                let OutcomeCounts { accepted, duplicate, filtered, rejected } = counts;
                self.telemetry.add(counter, &[input, "accepted"], *accepted);
                self.telemetry.add(counter, &[input, "duplicate"], *duplicate);
                self.telemetry.add(counter, &[input, "filtered"], *filtered);
                self.telemetry.add(counter, &[input, "rejected"], rejected.values().sum());
                if counter == Counter::Records {
                    for (reason, n) in rejected {
                        self.telemetry.add(Counter::Rejects, &[reason], *n);
                    }
                }
            }
        }
        let feedback = &epoch.rows.feedback;
        let hits = feedback.iter().filter(|row| row.r#match == "matched").count();
        self.telemetry.add(Counter::RecentLookups, &["hit"], hits as u64);
        self.telemetry.add(Counter::RecentLookups, &["miss"], (feedback.len() - hits) as u64);
        for (input, n) in &epoch.outcomes.late {
            self.telemetry.add(Counter::LateEvents, &[input], *n);
        }
    }
}
