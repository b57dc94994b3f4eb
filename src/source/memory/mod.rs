//! Records from memory: a source for tests, driven by a handle from any thread.
//!
//! It behaves like Kafka: positions are offsets, partitions are assigned and revoked, old records can be trimmed away.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Error, OnLoss, Polled, Positions, Source, Start};
use crate::event::{Header, Record, Records, Timestamp, TopicPartition};
use crate::log::{InputHealth, Lost};

/// Records after which a batch is handed over.
const BATCH_RECORDS: usize = 1_000;

/// A record to push.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<Header>,
    /// The record's own time.
    pub time: Option<Timestamp>,
}

impl Message {
    /// A record with a value and nothing else.
    #[must_use]
    pub fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}

#[derive(Default)]
struct Topics {
    partitions: BTreeMap<TopicPartition, Kept>,
    acknowledged: BTreeMap<TopicPartition, i64>,
    closed: bool,
}

#[derive(Default)]
struct Kept {
    /// Offset of the first message.
    low: i64,
    messages: VecDeque<Message>,
    assigned: bool,
}

impl Kept {
    fn end(&self) -> i64 {
        self.low.saturating_add(i64::try_from(self.messages.len()).unwrap_or(i64::MAX))
    }
}

#[derive(Default)]
struct Shared {
    topics: Mutex<Topics>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fills and steers a [`MemorySource`].
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Adds a record; a new partition is assigned at once. Returns the offset.
    #[expect(clippy::must_use_candidate, reason = "most callers do not need the offset")]
    pub fn push(&self, topic: &str, partition: i32, message: Message) -> i64 {
        let mut topics = self.0.lock();
        let id = TopicPartition { topic: topic.into(), partition };
        let kept = topics.partitions.entry(id).or_insert_with(|| Kept { assigned: true, ..Kept::default() });
        let offset = kept.end();
        kept.messages.push_back(message);
        self.0.changed.notify_all();
        offset
    }

    /// Makes a partition without records.
    pub fn create(&self, topic: &str, partition: i32) {
        let id = TopicPartition { topic: topic.into(), partition };
        self.0.lock().partitions.entry(id).or_insert_with(|| Kept { assigned: true, ..Kept::default() });
        self.0.changed.notify_all();
    }

    /// Takes a partition away from the source, or gives it back.
    pub fn assign(&self, partition: &TopicPartition, assignment: Assignment) {
        if let Some(kept) = self.0.lock().partitions.get_mut(partition) {
            kept.assigned = assignment == Assignment::Ours;
        }
        self.0.changed.notify_all();
    }

    /// Forgets records before an offset, as retention does.
    pub fn trim(&self, partition: &TopicPartition, to: i64) {
        if let Some(kept) = self.0.lock().partitions.get_mut(partition) {
            while kept.low < to && kept.messages.pop_front().is_some() {
                kept.low += 1;
            }
        }
        self.0.changed.notify_all();
    }

    /// Ends that the source was told.
    #[must_use]
    pub fn acknowledged(&self) -> BTreeMap<TopicPartition, i64> {
        self.0.lock().acknowledged.clone()
    }

    /// The source was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.lock().closed
    }
}

/// Whose a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// The source's.
    Ours,
    /// Another member's.
    Elsewhere,
}

/// Reads what a [`Handle`] pushes.
pub struct MemorySource {
    shared: Arc<Shared>,
    positions: Positions,
    start: Start,
    on_loss: OnLoss,
    reading: BTreeMap<TopicPartition, i64>,
    paused: BTreeSet<TopicPartition>,
    told: BTreeMap<TopicPartition, InputHealth>,
}

impl MemorySource {
    /// An empty source and its handle.
    #[must_use]
    pub fn new(start: Start, on_loss: OnLoss, positions: Positions) -> (Self, Handle) {
        let shared = Arc::<Shared>::default();
        let handle = Handle(shared.clone());
        let (reading, paused, told) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        (Self { shared, positions, start, on_loss, reading, paused, told }, handle)
    }

    fn step(&mut self, topics: &Topics) -> Result<Option<Polled>, Error> {
        let ours = |id: &TopicPartition| topics.partitions.get(id).is_some_and(|kept| kept.assigned);
        let revoked: Vec<TopicPartition> = self.reading.keys().filter(|id| !ours(id)).cloned().collect();
        if !revoked.is_empty() {
            for id in &revoked {
                self.reading.remove(id);
                self.paused.remove(id);
                self.told.remove(id);
            }
            return Ok(Some(Polled::Revoked(revoked)));
        }
        let new: Vec<TopicPartition> =
            topics.partitions.keys().filter(|id| ours(id) && !self.reading.contains_key(*id)).cloned().collect();
        if !new.is_empty() {
            let positions = (self.positions)(&new);
            let start = |id: &TopicPartition| {
                topics.partitions.get(id).map_or(0, |kept| if self.start == Start::End { kept.end() } else { kept.low })
            };
            let assigned: Vec<(TopicPartition, i64)> =
                new.into_iter().zip(positions).map(|(id, known)| (id.clone(), known.unwrap_or_else(|| start(&id)))).collect();
            self.reading.extend(assigned.iter().cloned());
            return Ok(Some(Polled::Assigned(assigned)));
        }
        let mut lost = Vec::new();
        for (id, position) in &mut self.reading {
            let Some(kept) = topics.partitions.get(id) else { continue };
            if *position < kept.low || *position > kept.end() {
                lost.push(Lost { input: id.to_string(), from: *position, to: kept.low });
                *position = kept.low;
            }
        }
        if !lost.is_empty() {
            return if self.on_loss == OnLoss::Stop { Err(Error::Lost(lost)) } else { Ok(Some(Polled::Lost(lost))) };
        }
        let records = self.read(topics);
        if !records.records.is_empty() {
            return Ok(Some(Polled::Records(records)));
        }
        Ok(self.state(topics))
    }

    fn read(&mut self, topics: &Topics) -> Records {
        let mut records = Records::default();
        for (id, position) in self.reading.iter_mut().filter(|(id, _)| !self.paused.contains(*id)) {
            let Some(kept) = topics.partitions.get(id) else { continue };
            let skip = usize::try_from(*position - kept.low).unwrap_or(0);
            for message in kept.messages.iter().skip(skip).take(BATCH_RECORDS) {
                let partition = records.partition(&id.topic, id.partition);
                let mut add = |bytes: &Vec<u8>| {
                    let from = records.bytes.len();
                    records.bytes.extend_from_slice(bytes);
                    from..records.bytes.len()
                };
                let (key, value) = (message.key.as_ref().map(&mut add), message.value.as_ref().map(&mut add));
                let headers = (!message.headers.is_empty()).then(|| {
                    records.headers.push(message.headers.clone());
                    u32::try_from(records.headers.len() - 1).unwrap_or(u32::MAX)
                });
                let (offset, next_offset) = (*position, *position + 1);
                records.records.push(Record { partition, offset, next_offset, time: message.time, key, value, headers, cut: None });
                *position = next_offset;
            }
        }
        records
    }

    fn state(&mut self, topics: &Topics) -> Option<Polled> {
        let mut changed = Vec::new();
        for (id, position) in &self.reading {
            let Some(kept) = topics.partitions.get(id) else { continue };
            let lag = kept.end() - position;
            let health = InputHealth { end: Some(kept.end()), lag: Some(lag), caught_up: lag == 0 };
            if self.told.get(id) != Some(&health) {
                self.told.insert(id.clone(), health.clone());
                changed.push((id.clone(), health));
            }
        }
        (!changed.is_empty()).then_some(Polled::State(changed))
    }
}

impl Source for MemorySource {
    fn poll(&mut self, max_wait: Duration) -> Result<Polled, Error> {
        let shared = self.shared.clone();
        let topics = shared.lock();
        if let Some(polled) = self.step(&topics)? {
            return Ok(polled);
        }
        let (topics, _) = shared.changed.wait_timeout(topics, max_wait).unwrap_or_else(PoisonError::into_inner);
        Ok(self.step(&topics)?.unwrap_or(Polled::Idle))
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        self.paused.extend(partitions.iter().cloned());
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        for partition in partitions {
            self.paused.remove(partition);
        }
        Ok(())
    }

    fn acknowledge(&mut self, ends: &[(TopicPartition, i64)]) {
        self.shared.lock().acknowledged.extend(ends.iter().cloned());
    }

    fn close(&mut self) {
        self.shared.lock().closed = true;
        self.reading.clear();
    }
}
