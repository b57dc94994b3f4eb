//! Records from Kafka, as a member of a consumer group.
//!
//! Kafka only assigns partitions: every partition starts at the position that the log names, and offsets are committed for
//! lag tools alone. The client is polled on the caller's thread, through one queue. Records of partitions that were revoked
//! never appear, not even from a batch that was under way; a position that no longer exists is found and reported as lost.
//!
//! Deliberately not used: the client's own offset store and reset policy (they would skip in silence), split partition
//! queues and the async consumer (a lost wake-up can stop them for ever), Kafka's transactions, and dropping a client to shut
//! down (it can hang while the broker is gone).

mod batch;
mod context;
mod fault;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{Error, OnLoss, Polled, Positions, Source, Start};
use crate::event::{Records, TopicPartition};
use crate::log::{InputHealth, Lost};
use batch::Batch;
use context::{Change, Context};
use fault::Fault;

/// Called before partitions are let go: blocks until nothing of them is in flight, but no longer than it is told. The log
/// fences whatever comes later.
pub type BeforeRevoke = Box<dyn Fn(&[TopicPartition], Duration) + Send>;

/// How Kafka is read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Properties of librdkafka: addresses, security, and whatever else is wished.
    pub client: Vec<(String, String)>,
    /// Consumer group; all processes of a lake share one.
    pub group: String,
    /// Topics to read.
    pub topics: Vec<String>,
    /// Where a partition that the log does not know starts.
    pub start: Start,
    /// What to do when the next position no longer exists.
    pub on_loss: OnLoss,
    /// Bytes of a value that are held; of longer ones only the start is.
    pub max_value_bytes: usize,
    /// Records after which a batch is handed over.
    pub batch_records: usize,
    /// Bytes after which a batch is handed over.
    pub batch_bytes: usize,
    /// Longest time that letting go of partitions may block; half the session timeout, so that the group does not lose us.
    pub revoke_wait: Duration,
    /// Silence, in spite of lag, after which the client is made anew.
    pub silence: Duration,
}

impl Settings {
    /// Settings for a cluster, a group and topics, everything else as usual.
    #[must_use]
    pub fn new(client: Vec<(String, String)>, group: String, topics: Vec<String>) -> Self {
        Self {
            client,
            group,
            topics,
            start: Start::Beginning,
            on_loss: OnLoss::Stop,
            max_value_bytes: 1 << 20,
            batch_records: 8_192,
            batch_bytes: 4 << 20,
            revoke_wait: Duration::from_millis(7_500),
            silence: Duration::from_mins(1),
        }
    }

    fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // May be changed by the operator's properties.
        config
            .set("client.id", "groundwire")
            .set("session.timeout.ms", "15000")
            .set("queued.max.messages.kbytes", "16384")
            // The default of a second leaves the queue empty for most of it (librdkafka's throttle after a full queue).
            .set("fetch.queue.backoff.ms", "20")
            .set("partition.assignment.strategy", "cooperative-sticky");
        for (name, value) in &self.client {
            config.set(name, value);
        }
        // Correctness depends on these.
        config
            .set("group.id", &self.group)
            .set("group.protocol", "classic")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("allow.auto.create.topics", "false")
            .set("statistics.interval.ms", "500");
        config
    }

    fn brokers(&self) -> String {
        let brokers = self.client.iter().find(|(name, _)| name == "bootstrap.servers");
        brokers.map_or_else(|| "(no bootstrap.servers)".to_owned(), |(_, value)| value.clone())
    }
}

/// A partition that is being read.
#[derive(Debug)]
struct Reading {
    id: TopicPartition,
    /// The next offset.
    next: i64,
    /// Greatest offset at which the end was reached.
    end_reached: i64,
    /// End that the client saw last.
    end: Option<i64>,
    /// State that was told last.
    told: Option<InputHealth>,
}

impl Reading {
    fn health(&self) -> InputHealth {
        // The notice of the end is lost when a partition is paused there; the end that the client saw tells as well.
        let caught_up = self.end_reached >= self.next || self.end.is_some_and(|end| self.next >= end);
        let end = self.end.map(|end| end.max(self.next));
        // Marks of transactions lie between the last record and the end, so that the difference need not become 0.
        let lag = if caught_up { Some(0) } else { end.map(|end| end - self.next) };
        InputHealth { end, lag, caught_up }
    }
}

/// Reads topics as a member of a group.
pub struct KafkaSource {
    settings: Settings,
    consumer: Arc<BaseConsumer<Context>>,
    reading: Vec<Reading>,
    paused: BTreeSet<TopicPartition>,
    pending: std::collections::VecDeque<Polled>,
    /// An error that waits until the records before it are handed over.
    failed: Option<Error>,
    /// Time waited without a record.
    quiet: Duration,
}

impl KafkaSource {
    /// Joins the group. Returns before the brokers were reached: trouble with them comes from `poll`.
    ///
    /// # Errors
    /// [`Error::Settings`] if the client does not accept its properties.
    pub fn new(settings: Settings, positions: Positions, before_revoke: BeforeRevoke) -> Result<Self, Error> {
        let context = Context::new(positions, before_revoke, settings.start, settings.revoke_wait, settings.brokers());
        let consumer = join(&settings, context)?;
        Ok(Self {
            settings,
            consumer,
            reading: Vec::new(),
            paused: BTreeSet::new(),
            pending: std::collections::VecDeque::new(),
            failed: None,
            quiet: Duration::ZERO,
        })
    }

    /// Polls the client until a batch is full or nothing more is there.
    fn fill(&mut self, max_wait: Duration) -> Records {
        let mut records = Records::default();
        let mut batch = Batch::default();
        let mut wait = max_wait;
        loop {
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    self.quiet = Duration::ZERO;
                    batch.take(&message, &mut self.reading, self.settings.max_value_bytes, &mut records);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    // The event does not name the topic. If several have this partition, the next statistics tell.
                    let mut same = self.reading.iter_mut().filter(|reading| reading.id.partition == partition);
                    if let (Some(only), None) = (same.next(), same.next()) {
                        only.end_reached = only.next;
                        only.end = only.end.max(Some(only.next));
                        self.observe();
                    }
                }
                Some(Err(error)) => {
                    self.failed = self.handle(&error).err();
                    // What was lost is told before the records that come after it.
                    break;
                }
                None => {
                    self.quiet += wait;
                    break;
                }
            }
            if records.records.len() >= self.settings.batch_records || records.bytes.len() >= self.settings.batch_bytes {
                break;
            }
            wait = Duration::ZERO;
        }
        records
    }

    /// Takes in what the client's callbacks noted. Returns whether partitions were revoked.
    fn apply_changes(&mut self) -> bool {
        let mut revoked_some = false;
        for change in self.consumer.context().take_changes() {
            match change {
                Change::Assigned(assigned) => {
                    for (id, next) in &assigned {
                        self.forget(std::slice::from_ref(id));
                        let id = id.clone();
                        self.reading.push(Reading { id, next: *next, end_reached: -1, end: None, told: None });
                    }
                    self.quiet = Duration::ZERO;
                    self.pending.push_back(Polled::Assigned(assigned));
                }
                Change::Revoked(revoked) => {
                    revoked_some = true;
                    self.forget(&revoked);
                    self.pending.push_back(Polled::Revoked(revoked));
                }
                Change::Failed(error) => self.failed = Some(error),
                Change::Ends(ends) => {
                    for reading in &mut self.reading {
                        if let Some((_, end, reached)) = ends.iter().find(|(id, _, _)| *id == reading.id) {
                            reading.end = Some(*end).filter(|end| *end >= 0).or(reading.end);
                            reading.end_reached = reading.end_reached.max(*reached);
                        }
                    }
                    self.observe();
                }
            }
        }
        revoked_some
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.reading.retain(|reading| !partitions.contains(&reading.id));
        for partition in partitions {
            self.paused.remove(partition);
        }
    }

    /// Tells states that differ from those told before.
    fn observe(&mut self) {
        let mut changed = Vec::new();
        for reading in &mut self.reading {
            let health = reading.health();
            if reading.told.as_ref() != Some(&health) {
                reading.told = Some(health.clone());
                changed.push((reading.id.clone(), health));
            }
        }
        if !changed.is_empty() {
            self.pending.push_back(Polled::State(changed));
        }
    }

    /// Decides by its code what an error of the client means.
    fn handle(&mut self, error: &KafkaError) -> Result<(), Error> {
        let ever_assigned = self.consumer.context().ever_assigned();
        match fault::classify(error) {
            Fault::Passing => {
                tracing::debug!(%error, "the Kafka client reports a passing problem");
                Ok(())
            }
            Fault::Position => self.find_lost(),
            Fault::Topic => fault::missing_topic(&self.consumer, &self.settings.topics).map_or(Ok(()), Err),
            Fault::Denied => Err(fault::denied(error, &self.settings)),
            // A broker that restarts may refuse us for a moment.
            Fault::Authentication | Fault::Unreachable if ever_assigned => {
                tracing::warn!(%error, "the Kafka brokers are lost, trying again");
                Ok(())
            }
            Fault::Authentication => Err(Error::Authentication { cause: self.consumer.context().last_reason(error) }),
            Fault::Unreachable => {
                Err(Error::Unreachable { brokers: self.settings.brokers(), cause: self.consumer.context().last_reason(error) })
            }
            Fault::Fatal => Err(Error::Client { cause: error.to_string() }),
        }
    }

    /// Asks the brokers which of our positions no longer exist.
    fn find_lost(&mut self) -> Result<(), Error> {
        let mut lost = Vec::new();
        for reading in &mut self.reading {
            let TopicPartition { topic, partition } = &reading.id;
            let (low, high) =
                self.consumer.fetch_watermarks(topic, *partition, WAIT_FOR_BROKER).map_err(|error| Error::Unreachable {
                    brokers: self.settings.brokers(),
                    cause: format!("cannot ask for the ends of {}: {error}", reading.id),
                })?;
            if reading.next < low || reading.next > high {
                lost.push(Lost { input: reading.id.to_string(), from: reading.next, to: low });
                reading.next = low;
                reading.end_reached = -1;
            }
        }
        if self.settings.on_loss == OnLoss::Stop && !lost.is_empty() {
            return Err(Error::Lost(lost));
        }
        // The client has stopped where it failed, and does not say where. It takes no seek there, only a new assignment.
        self.reassign()?;
        if !lost.is_empty() {
            self.pending.push_back(Polled::Lost(lost));
        }
        Ok(())
    }

    /// Assigns again what is being read, at the next positions.
    fn reassign(&self) -> Result<(), Error> {
        let failed = |error: KafkaError| Error::Client { cause: format!("cannot change the assignment: {error}") };
        let mut list = TopicPartitionList::new();
        let mut paused = TopicPartitionList::new();
        for Reading { id, next, .. } in &self.reading {
            list.add_partition_offset(&id.topic, id.partition, Offset::Offset(*next)).map_err(failed)?;
            if self.paused.contains(id) {
                paused.add_partition(&id.topic, id.partition);
            }
        }
        if matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
            self.consumer.incremental_unassign(&list).map_err(failed)?;
            self.consumer.incremental_assign(&list).map_err(failed)?;
        } else {
            self.consumer.assign(&list).map_err(failed)?;
        }
        self.consumer.pause(&paused).map_err(failed)
    }

    /// Makes the client anew if it fell silent although there is something to read.
    fn watch(&mut self) -> Result<(), Error> {
        let waiting = self.reading.iter().any(|r| !self.paused.contains(&r.id) && r.health().lag.is_some_and(|lag| lag > 0));
        if self.quiet < self.settings.silence || !waiting {
            return Ok(());
        }
        tracing::warn!(seconds = self.quiet.as_secs(), "the Kafka client is silent although there is lag: making a new one");
        self.quiet = Duration::ZERO;
        let context = self.consumer.context().successor();
        let new = join(&self.settings, context)?;
        leave(std::mem::replace(&mut self.consumer, new));
        let revoked: Vec<TopicPartition> = self.reading.drain(..).map(|reading| reading.id).collect();
        self.paused.clear();
        self.pending.push_back(Polled::Revoked(revoked));
        Ok(())
    }

    fn list<'r>(&self, partitions: &'r [TopicPartition]) -> (TopicPartitionList, Vec<&'r TopicPartition>) {
        let ours: Vec<&TopicPartition> = partitions.iter().filter(|id| self.reading.iter().any(|r| r.id == **id)).collect();
        let mut list = TopicPartitionList::new();
        for id in &ours {
            list.add_partition(&id.topic, id.partition);
        }
        (list, ours)
    }
}

/// Longest time for one answer of a broker.
const WAIT_FOR_BROKER: Duration = Duration::from_secs(5);

fn join(settings: &Settings, context: Context) -> Result<Arc<BaseConsumer<Context>>, Error> {
    let refused = |error: KafkaError| Error::Settings { cause: error.to_string() };
    let consumer: BaseConsumer<Context> = settings.client_config().create_with_context(context).map_err(refused)?;
    let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(refused)?;
    Ok(Arc::new(consumer))
}

/// Lets a client go on a thread of its own once nobody else holds it, because that can hang.
fn leave(consumer: Arc<BaseConsumer<Context>>) {
    consumer.context().silence();
    let left = std::thread::Builder::new().name("kafka-leave".to_owned()).spawn(move || {
        while Arc::strong_count(&consumer) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(consumer);
    });
    if let Err(error) = left {
        tracing::warn!(%error, "cannot start a thread to leave the consumer group");
    }
}

fn seek(consumer: &BaseConsumer<Context>, reading: &Reading) -> Result<(), Error> {
    let TopicPartition { topic, partition } = &reading.id;
    consumer
        .seek(topic, *partition, Offset::Offset(reading.next), WAIT_FOR_BROKER)
        .map_err(|error| Error::Client { cause: format!("cannot go to offset {} of {}: {error}", reading.next, reading.id) })
}

impl Source for KafkaSource {
    fn poll(&mut self, max_wait: Duration) -> Result<Polled, Error> {
        if let Some(polled) = self.pending.pop_front() {
            return Ok(polled);
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.watch()?;
        let mut records = self.fill(max_wait);
        if self.apply_changes() {
            let ours = |at: u32| records.partitions.get(at as usize).is_some_and(|id| self.reading.iter().any(|r| r.id == *id));
            let kept: Vec<bool> = (0..records.partitions.len()).map(|at| u32::try_from(at).is_ok_and(ours)).collect();
            records.records.retain(|record| kept.get(record.partition as usize) == Some(&true));
        }
        if !records.records.is_empty() {
            return Ok(Polled::Records(records));
        }
        match (self.pending.pop_front(), self.failed.take()) {
            (Some(polled), failed) => {
                self.failed = failed;
                Ok(polled)
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Polled::Idle),
        }
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        let (list, ours) = self.list(partitions);
        self.consumer.pause(&list).map_err(|error| Error::Client { cause: format!("cannot pause: {error}") })?;
        self.paused.extend(ours.into_iter().cloned());
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        // Resuming a partition that is not paused would make the client go back.
        let (_, ours) = self.list(partitions);
        let mut list = TopicPartitionList::new();
        for id in ours {
            if self.paused.remove(id) {
                if let Some(reading) = self.reading.iter().find(|reading| reading.id == *id) {
                    seek(&self.consumer, reading)?;
                }
                list.add_partition(&id.topic, id.partition);
            }
        }
        self.consumer.resume(&list).map_err(|error| Error::Client { cause: format!("cannot resume: {error}") })
    }

    fn acknowledge(&mut self, ends: &[(TopicPartition, i64)]) {
        let mut list = TopicPartitionList::new();
        for (id, end) in ends.iter().filter(|(id, _)| self.reading.iter().any(|reading| reading.id == *id)) {
            if let Err(error) = list.add_partition_offset(&id.topic, id.partition, Offset::Offset(*end)) {
                tracing::debug!(%error, %id, "offset cannot be committed");
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "offsets were not committed; only lag tools notice");
        }
    }

    fn close(&mut self) {
        // Unsubscribing tells the group at once; the client itself is never waited for.
        self.consumer.context().silence();
        self.consumer.unsubscribe();
        for _ in 0..20 {
            self.consumer.poll(Duration::from_millis(100));
            let gone = self.consumer.context().take_changes().iter().any(|change| matches!(change, Change::Revoked(_)));
            if gone || self.reading.is_empty() {
                break;
            }
        }
        self.reading.clear();
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        leave(self.consumer.clone());
    }
}
