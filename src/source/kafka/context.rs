//! What happens in the client's callbacks, on the thread that polls: partitions come and go, statistics arrive.
//!
//! Callbacks only note changes; the source takes them in after the poll that ran them. An assignment is made once, with
//! explicit positions, and letting go waits for what is in flight.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::{BeforeRevoke, WAIT_FOR_BROKER};
use crate::event::TopicPartition;
use crate::source::{Error, Positions, Start};

/// Something that a callback noted.
#[derive(Debug)]
pub(super) enum Change {
    /// Partitions, each with the position it starts at.
    Assigned(Vec<(TopicPartition, i64)>),
    /// Partitions that were let go.
    Revoked(Vec<TopicPartition>),
    /// Partition, its end, and the greatest offset at which the end was reached.
    Ends(Vec<(TopicPartition, i64, i64)>),
    /// Something the source must report.
    Failed(Error),
}

struct Hooks {
    positions: Positions,
    before_revoke: BeforeRevoke,
}

/// The callbacks of one client.
pub(super) struct Context {
    hooks: Arc<Mutex<Hooks>>,
    start: Start,
    revoke_wait: Duration,
    brokers: String,
    changes: Mutex<Vec<Change>>,
    last_reason: Mutex<Option<String>>,
    ever_assigned: AtomicBool,
    silent: AtomicBool,
}

impl Context {
    pub(super) fn new(
        positions: Positions,
        before_revoke: BeforeRevoke,
        start: Start,
        revoke_wait: Duration,
        brokers: String,
    ) -> Self {
        Self::with(Arc::new(Mutex::new(Hooks { positions, before_revoke })), start, revoke_wait, brokers)
    }

    fn with(hooks: Arc<Mutex<Hooks>>, start: Start, revoke_wait: Duration, brokers: String) -> Self {
        Self {
            hooks,
            start,
            revoke_wait,
            brokers,
            changes: Mutex::default(),
            last_reason: Mutex::default(),
            ever_assigned: AtomicBool::new(false),
            silent: AtomicBool::new(false),
        }
    }

    /// The callbacks of a client that takes this one's place.
    pub(super) fn successor(&self) -> Self {
        Self::with(self.hooks.clone(), self.start, self.revoke_wait, self.brokers.clone())
    }

    /// From now on nobody is asked before partitions are let go.
    pub(super) fn silence(&self) {
        self.silent.store(true, Ordering::Release);
    }

    pub(super) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Partitions were assigned at least once, so addresses and credentials are right.
    pub(super) fn ever_assigned(&self) -> bool {
        self.ever_assigned.load(Ordering::Acquire)
    }

    /// What the client last gave as the reason of an error, else the error itself.
    pub(super) fn last_reason(&self, error: &KafkaError) -> String {
        let last = self.last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().unwrap_or_else(|| error.to_string())
    }

    fn note(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, ids: &[TopicPartition]) -> KafkaResult<()> {
        let known = (self.hooks.lock().unwrap_or_else(PoisonError::into_inner).positions)(ids);
        let mut list = TopicPartitionList::new();
        let mut assigned = Vec::new();
        for (id, known) in ids.iter().zip(known) {
            let next = match known {
                Some(next) => next,
                None => match self.first_position(consumer, id) {
                    Ok(next) => next,
                    Err(error) => {
                        let cause = format!("cannot ask for the ends of {id}: {error}");
                        self.note(Change::Failed(Error::Unreachable { brokers: self.brokers.clone(), cause }));
                        continue;
                    }
                },
            };
            list.add_partition_offset(&id.topic, id.partition, Offset::Offset(next))?;
            assigned.push((id.clone(), next));
        }
        if matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
            consumer.incremental_assign(&list)?;
        } else {
            consumer.assign(&list)?;
        }
        self.ever_assigned.store(true, Ordering::Release);
        if !assigned.is_empty() {
            self.note(Change::Assigned(assigned));
        }
        Ok(())
    }

    /// The position of a partition that the log does not know.
    fn first_position(&self, consumer: &BaseConsumer<Self>, id: &TopicPartition) -> KafkaResult<i64> {
        let mut tries = 0;
        loop {
            match consumer.fetch_watermarks(&id.topic, id.partition, WAIT_FOR_BROKER) {
                Ok((low, high)) => return Ok(if self.start == Start::End { high } else { low }),
                Err(error) if tries == 2 => return Err(error),
                Err(_) => tries += 1,
            }
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, ids: &[TopicPartition], list: &TopicPartitionList) -> KafkaResult<()> {
        // Taken from us already: what is in flight meets the log's fence.
        let wait = if consumer.assignment_lost() { Duration::ZERO } else { self.revoke_wait };
        if !self.silent.load(Ordering::Acquire) {
            (self.hooks.lock().unwrap_or_else(PoisonError::into_inner).before_revoke)(ids, wait);
        }
        self.note(Change::Revoked(ids.to_vec()));
        if matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
            consumer.incremental_unassign(list)
        } else {
            consumer.unassign()
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::warn!(facility, "Kafka client: {message}");
            }
            // Lost connections are reported once per broker and attempt; what matters comes as an error of the poll.
            _ => tracing::debug!(facility, "Kafka client: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // That all brokers are down says nothing of why.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        *self.last_reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    fn stats(&self, statistics: Statistics) {
        let mut ends = Vec::new();
        for (name, topic) in statistics.topics {
            let shared: Arc<str> = name.into();
            for (number, partition) in topic.partitions {
                if number >= 0 && partition.desired {
                    let id = TopicPartition { topic: shared.clone(), partition: number };
                    // Under read_committed the last stable offset is the end; it is unknown until the first fetch.
                    let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
                    // The client meets the end long before its queue is emptied: only then was everything before it handed over.
                    let reached = if partition.fetchq_cnt == 0 { partition.eof_offset } else { -1 };
                    ends.push((id, end, reached));
                }
            }
        }
        ends.sort();
        self.note(Change::Ends(ends));
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let ids: Vec<TopicPartition> =
            list.elements().iter().map(|e| TopicPartition { topic: e.topic().into(), partition: e.partition() }).collect();
        let done = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, &ids),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(consumer, &ids, list),
            _ => consumer.unassign(),
        };
        if let Err(error) = done {
            self.note(Change::Failed(Error::Client { cause: format!("cannot change the assignment: {error}") }));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "offsets were not committed; only lag tools notice");
        }
    }
}
