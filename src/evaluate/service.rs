//! Signals of the service itself, read from the log's entries alone, so that a replay decides as the live service did.
//!
//! Their time is the time the entries were written at, not event time.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::event::{Input, Timestamp};
use crate::log::{Entry, InputHealth};
use crate::measure::Signal;

/// What the entries said so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Service {
    /// Time of the newest entry.
    pub(super) now: Option<Timestamp>,
    /// Time of the first entry.
    first: Option<Timestamp>,
    /// Time of the newest entry that brought events, by input.
    arrived: BTreeMap<Input, Timestamp>,
    /// Newest state of each partition.
    inputs: BTreeMap<String, InputHealth>,
    oldest_unsent_secs: Option<i64>,
    /// By minute of writing: (minute, records consumed, records rejected).
    outcomes: VecDeque<(Timestamp, u64, u64)>,
}

/// How far back outcomes are kept.
const OUTCOMES_KEPT_US: i64 = 26 * Timestamp::HOUR_US;

impl Service {
    /// Reads one entry.
    pub(super) fn absorb(&mut self, entry: &Entry) {
        let now = self.now.unwrap_or(entry.written_at).max(entry.written_at);
        self.now = Some(now);
        self.first.get_or_insert(now);
        let (mut consumed, mut rejected) = (0, 0);
        for input in Input::ALL {
            let Some(counts) = entry.outcomes.records.get(input.as_str()) else { continue };
            let total = counts.total();
            if total > 0 {
                self.arrived.insert(input, now);
            }
            consumed += total;
            rejected += counts.rejected.values().sum::<u64>();
        }
        if consumed > 0 {
            let minute = now.floor(Timestamp::MINUTE_US);
            match self.outcomes.back_mut() {
                Some(last) if last.0 == minute => (last.1, last.2) = (last.1 + consumed, last.2 + rejected),
                _ => self.outcomes.push_back((minute, consumed, rejected)),
            }
            while self.outcomes.front().is_some_and(|(minute, ..)| *minute < now.plus(-OUTCOMES_KEPT_US)) {
                self.outcomes.pop_front();
            }
        }
        for (partition, health) in &entry.health.inputs {
            self.inputs.insert(partition.clone(), health.clone());
        }
        self.oldest_unsent_secs = entry.health.oldest_unsent_secs;
    }

    /// The signal as (numerator, denominator) at `to`, looking back to `from` where it is about a stretch of time.
    pub(super) fn read(
        &self,
        signal: Signal,
        watched: Option<Input>,
        watermark: Option<Timestamp>,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<(f64, u64)> {
        let first = self.first?;
        let seconds = |since: Timestamp| ((to.0 - since.0).max(0)) as f64 / 1e6;
        match signal {
            Signal::InputAge => {
                let newest = match watched {
                    Some(input) => self.arrived.get(&input).copied(),
                    None => self.arrived.values().copied().max(),
                };
                Some((seconds(newest.unwrap_or(first)), 1))
            }
            Signal::ConsumerLag => {
                Some((self.inputs.values().filter_map(|input| input.lag).sum::<i64>() as f64, self.inputs.len() as u64))
            }
            Signal::WatermarkAge => Some((seconds(watermark?), 1)),
            Signal::OldestUnsent => Some((self.oldest_unsent_secs.unwrap_or(0) as f64, 1)),
            Signal::RejectRatio => {
                let window = self.outcomes.iter().filter(|(minute, ..)| from <= *minute && *minute < to);
                let (consumed, rejected) = window.fold((0, 0), |(all, bad), (_, n, r)| (all + n, bad + r));
                (consumed > 0).then(|| (rejected as f64 / consumed as f64, consumed))
            }
        }
    }
}
