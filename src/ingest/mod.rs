//! From records to an epoch: decode, redact, score, join, measure, in one pass and without I/O.
//!
//! Every record has exactly one outcome (CO-1); bad input is an outcome and never stops the stream. Nothing that was not
//! redacted leaves this module. When to commit is not decided here: the runtime cuts an epoch by time or size.

mod epoch;
mod expected;
mod feedback;
mod gateway;
mod groups;
mod late;
mod open;
mod partition;
mod pipeline;
mod reject;
mod rows;
mod served;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use epoch::{AnswerIds, Epoch, Rated};
pub use expected::compared;
pub use feedback::polarity;
pub use late::{Late, PastAnswer};
pub use rows::{
    Cells, ContextRow, FLOAT_COLUMNS, FeedbackRow, INTEGER_COLUMNS, Interaction, Interactions, PipelineRow, REFERENCE_COLUMNS,
    RejectRow, Rows, SCORE_COLUMNS, SYMBOL_COLUMNS, SafetyRow, SentenceRow, Span, Symbol, Symbols, TEXT_COLUMNS, column,
};
pub use settings::{FeedbackScale, Positive, Settings, TextStorage, Topic};

use self::open::Open;
use self::partition::Partition;
use crate::decode::redact::Redactor;
use crate::decode::{self, Event, Rejected};
use crate::event::{Input, Outcome, Reason, Record, Records, Timestamp, TopicPartition};
use crate::join::{Duplicates, IdHasher, Recent, Scored};
use crate::log::InputHealth;
use crate::measure::Fate;
use crate::score::{SCORER, Scorer};

/// Where a record stands, as rows and outcomes name it.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    text: TextStorage,
}

/// A record that was refused, for the dead-letter topic.
#[derive(Debug)]
pub struct DeadLetter {
    /// Index into the batch's records.
    pub record: usize,
    /// Why.
    pub reason: Reason,
    /// What exactly, redacted.
    pub detail: String,
}

/// The input that a record counts as whose topic carries several and which says of no event what it is.
const UNKNOWN_INPUT: Input = Input::Gateway;

/// The ingest side of one process: the open epoch, and what is remembered between epochs.
pub struct Ingest {
    settings: Settings,
    partitions: BTreeMap<TopicPartition, Partition>,
    work: Work,
}

/// What turns events into rows and measures.
struct Work {
    redactor: Redactor,
    hasher: IdHasher,
    duplicates: Duplicates,
    recent: Recent,
    /// Groups of remembered answers, in the numbering of `recent`.
    recent_groups: groups::Numbering,
    /// Scorers of remembered answers, in the numbering of `recent`; the first is this program's.
    scorers: Vec<Arc<str>>,
    scorer: Scorer,
    scores: crate::score::Scores,
    open: Open,
}

impl Ingest {
    /// Ingest with nothing assigned and nothing remembered.
    #[must_use]
    pub fn new(settings: Settings, redactor: Redactor, scorer: Scorer) -> Self {
        let work = Work {
            hasher: IdHasher::new(&settings.key),
            duplicates: Duplicates::new(settings.dedup_window_us, settings.dedup_capacity),
            recent: Recent::new(settings.recent_capacity),
            recent_groups: groups::Numbering::default(),
            scorers: vec![SCORER.into()],
            scorer,
            scores: crate::score::Scores::default(),
            open: Open::default(),
            redactor,
        };
        Self { settings, partitions: BTreeMap::new(), work }
    }

    /// Remembers an answer that an earlier epoch committed, so that a restart neither counts a repeat nor misses a match.
    pub fn remember(&mut self, answer: &PastAnswer<'_>) {
        let work = &mut self.work;
        work.duplicates.is_repeat(answer.repeat, answer.event_time);
        let group = work.recent_groups.number(answer.group);
        let scored = answer.scored.map(|(scorer, hundredths)| Scored { scorer: work.scorer_number(scorer), hundredths });
        work.recent.insert(answer.ids, answer.event_time, group, answer.request_id, scored);
    }

    /// Remembers that an answer was counted as rated ([`Rated::note`]).
    pub fn remember_rated(&mut self, note: u128) {
        self.work.recent.note_rated(note);
    }

    /// Remembers feedback that an earlier epoch committed ([`Epoch::repeats`]).
    pub fn remember_feedback(&mut self, repeat: u128, event_time: Timestamp) {
        self.work.duplicates.is_repeat(repeat, event_time);
    }

    /// A partition is ours from now on, from a position, with the watermark that the log has for it.
    pub fn assign(&mut self, partition: TopicPartition, position: i64, watermark: Option<Timestamp>) {
        let input = self.settings.topics.get(&*partition.topic).and_then(|topic| topic.input);
        let lateness_us = self.settings.lateness_us(&partition.topic);
        self.partitions.insert(partition, Partition::new(input, lateness_us, position, watermark));
    }

    /// A partition is not ours any more. The open epoch must have been cut before.
    pub fn revoke(&mut self, partition: &TopicPartition) {
        self.partitions.remove(partition);
    }

    /// Input that no longer exists was skipped.
    pub fn skip(&mut self, partition: &TopicPartition, to: i64) {
        if let Some(partition) = self.partitions.get_mut(partition) {
            partition.next = partition.next.max(to);
        }
    }

    /// Greatest event time accepted so far: `now` of the event clock.
    #[must_use]
    pub const fn newest_event(&self) -> Option<Timestamp> {
        self.work.open.newest_event
    }

    /// The source tells how far its partitions reach.
    pub fn observe(&mut self, partition: &TopicPartition, health: &InputHealth, now: Timestamp) {
        if let Some(partition) = self.partitions.get_mut(partition) {
            if health.caught_up { partition.at_end(now) } else { partition.behind() }
        }
    }

    /// Takes a batch into the open epoch. Returns what must go to the dead-letter topic.
    pub fn push(&mut self, records: &Records, now: Timestamp) -> Vec<DeadLetter> {
        let mut dead = Vec::new();
        let Self { settings, partitions, work } = self;
        for (index, name) in records.partitions.iter().enumerate() {
            let Some(partition) = partitions.get_mut(name) else { continue };
            let text = settings.topics.get(&*name.topic).map_or(TextStorage::Full, |topic| topic.text);
            // One pass per partition of the batch: what is looked up by partition is looked up once.
            for (number, record) in records.records.iter().enumerate().filter(|(_, record)| record.partition as usize == index) {
                if record.offset < partition.next {
                    continue;
                }
                partition.next = record.next_offset;
                let place = Place { topic: &name.topic, partition: name.partition, offset: record.offset, text };
                let unstamped = record.time.or_else(|| partition.reached()).unwrap_or(now);
                if let Err(rejected) = take(settings, work, partition, records, record, &place, (now, unstamped)) {
                    let detail = work.reject(records, record, &rejected, &place, partition.input, unstamped);
                    dead.push(DeadLetter { record: number, reason: rejected.reason, detail });
                }
            }
        }
        dead
    }

    /// Rough size of the open epoch in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.work.open.bytes()
    }

    /// Whether the open epoch covers no input.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partitions.values().all(|partition| partition.from == partition.next)
    }

    /// Closes the open epoch and begins the next one where it ends.
    pub fn cut(&mut self) -> Epoch {
        let mut epoch = self.work.open.take();
        self.work.recent_groups.new_epoch();
        for (name, partition) in &mut self.partitions {
            epoch.offsets.insert(name.clone(), (partition.from, partition.next));
            partition.from = partition.next;
            if let Some(watermark) = partition.watermark {
                epoch.watermarks.insert(name.clone(), watermark);
            }
        }
        epoch
    }

    /// Slowest and fastest watermark of the assigned partitions, to keep one from running away while catching up.
    #[must_use]
    pub fn watermarks(&self) -> BTreeMap<&TopicPartition, Option<Timestamp>> {
        self.partitions.iter().map(|(name, partition)| (name, partition.watermark)).collect()
    }
}

/// Takes one record, or says why not. Counts it either way; without an event time, at the second of the two times.
fn take(
    settings: &Settings,
    work: &mut Work,
    partition: &mut Partition,
    records: &Records,
    record: &Record,
    place: &Place<'_>,
    (now, unstamped): (Timestamp, Timestamp),
) -> Result<(), Rejected> {
    let pinned = partition.input;
    let of_record = pinned.unwrap_or(UNKNOWN_INPUT);
    if record.value.is_none() {
        work.open.count(of_record, unstamped, Fate::of(Outcome::Filtered));
        return Ok(());
    }
    let value = match records.cut(record) {
        Some(cut) => Err(Rejected::too_large(cut.length, &settings.limits)),
        None => Ok(records.value(record)),
    };
    let taken = value.and_then(|value| decode::decode(value, pinned, &settings.limits)).and_then(|event| {
        let (input, event_time) = match &event {
            Event::Gateway(event) => (Input::Gateway, event.event_time),
            Event::Feedback(event) => (Input::Feedback, event.event_time),
            Event::Pipeline(event) => (Input::Pipeline, event.event_time),
        };
        check_clock(settings, event_time, record.time, now)?;
        let fate = match event {
            Event::Gateway(event) => work.gateway(settings, &event, place),
            Event::Feedback(event) => work.feedback(settings, &event, place).map(Fate::of),
            Event::Pipeline(event) => work.pipeline(settings, &event, place).map(Fate::of),
        }?;
        if fate.outcome() == Outcome::Accepted && partition.is_late(event_time) {
            work.open.count_late(input, event_time);
        }
        partition.saw(event_time, record.time);
        work.open.newest_event = work.open.newest_event.max(Some(event_time));
        Ok((input, event_time, fate))
    });
    let (input, at, fate) = match &taken {
        Ok(taken) => *taken,
        Err(rejected) => (of_record, unstamped, Fate::of(Outcome::Rejected(rejected.reason))),
    };
    work.open.count(input, at, fate);
    taken.map(|_| ())
}

fn check_clock(settings: &Settings, event_time: Timestamp, record_time: Option<Timestamp>, now: Timestamp) -> Result<(), Rejected> {
    let limit = match record_time {
        Some(record_time) => Some(record_time.plus(settings.max_ahead_of_record_us)),
        None => settings.max_ahead_of_clock_us.map(|ahead| now.plus(ahead)),
    };
    match limit {
        Some(limit) if event_time > limit => Err(Rejected::new(
            Reason::ClockSkew,
            &format!(
                "event_time {event_time} is ahead of {limit}, the latest that the record's time allows; check the producer's clock"
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod cut_tests;
#[cfg(test)]
mod tests;
