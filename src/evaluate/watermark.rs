//! Watermarks: how far each input is complete in event time.
//!
//! An input's watermark is the least over its partitions and never goes back (WI-4). One partition that is stuck does not hold
//! it for ever: what another partition passed more than a set time ago is closed without it, and the rows say which share of
//! the partitions they cover. Whether an idle partition follows the clock is decided where entries are made, not here.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;

/// The partitions of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watermark {
    partitions: BTreeMap<String, Option<Timestamp>>,
    /// The greatest watermark of any partition by time of the log, as far back as the set time needs.
    passed: VecDeque<(Timestamp, Timestamp)>,
}

impl Watermark {
    /// A partition that is read but has no watermark yet holds the input back.
    pub(super) fn expect(&mut self, partition: &str) {
        if !self.partitions.contains_key(partition) {
            self.partitions.insert(partition.to_owned(), None);
        }
    }

    /// Notes a partition's watermark.
    pub(super) fn advance(&mut self, partition: &str, to: Timestamp) {
        match self.partitions.get_mut(partition) {
            Some(mark) => *mark = (*mark).max(Some(to)),
            None => {
                self.partitions.insert(partition.to_owned(), Some(to));
            }
        }
    }

    /// Notes how far the first partition was at `now`.
    pub(super) fn note(&mut self, now: Timestamp, stuck_after_us: Option<i64>) {
        let (Some(after), Some(first)) = (stuck_after_us, self.partitions.values().copied().flatten().max()) else { return };
        if self.passed.back().is_none_or(|(_, mark)| *mark < first) {
            self.passed.push_back((now, first));
        }
        while self.passed.get(1).is_some_and(|(at, _)| *at <= now.plus(-after)) {
            self.passed.pop_front();
        }
    }

    /// Whether the input has any partition.
    pub(super) fn is_known(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Up to when all partitions are complete.
    pub(super) fn complete(&self) -> Option<Timestamp> {
        self.partitions.values().copied().min().flatten()
    }

    /// Up to when panes close: as [`Self::complete`], or what some partition had passed `stuck_after_us` before `now`.
    pub(super) fn closing(&self, now: Timestamp, stuck_after_us: Option<i64>) -> Option<Timestamp> {
        let given_up =
            stuck_after_us.and_then(|after| self.passed.front().filter(|(at, _)| *at <= now.plus(-after)).map(|(_, mark)| *mark));
        self.complete().max(given_up)
    }

    /// Partitions that have passed `end`, and all partitions.
    pub(super) fn coverage(&self, end: Timestamp) -> (usize, usize) {
        (self.partitions.values().filter(|mark| mark.is_some_and(|mark| mark >= end)).count(), self.partitions.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = Timestamp::MINUTE_US;

    #[test]
    fn the_slowest_partition_decides_until_it_is_stuck() {
        let mut mark = Watermark::default();
        let stuck = Some(3 * MINUTE);
        let at = |minute: i64| Timestamp(minute * MINUTE);
        mark.expect("t/1");
        for minute in 10..=12 {
            mark.advance("t/0", at(minute));
            mark.note(at(minute), stuck);
            assert_eq!(mark.closing(at(minute), stuck), None, "a partition without a watermark holds");
        }
        mark.advance("t/1", at(8));
        assert_eq!(mark.closing(at(12), stuck), Some(at(8)));
        assert_eq!(mark.coverage(at(9)), (1, 2));
        mark.note(at(13), stuck);
        assert_eq!(mark.closing(at(13), stuck), Some(at(10)), "passed three minutes ago by the other");
        mark.note(at(30), stuck);
        assert_eq!(mark.closing(at(30), stuck), Some(at(12)));
        assert_eq!(mark.closing(at(30), None), Some(at(8)), "an event clock never gives a partition up");
    }

    proptest! {
        #[test]
        fn the_watermark_never_goes_back(
            steps in prop::collection::vec((0_usize..3, 0_i64..1_000), 1..60), stuck in prop::option::of(1_i64..50),
        ) {
            let mut mark = Watermark::default();
            let mut before = None;
            for name in ["a", "b", "c"] {
                mark.expect(name);
            }
            for (now, (partition, to)) in (0..).map(Timestamp).zip(steps) {
                mark.advance(["a", "b", "c"][partition], Timestamp(to));
                mark.note(now, stuck);
                let closing = mark.closing(now, stuck);
                prop_assert!(closing >= before);
                prop_assert!(closing >= mark.complete());
                before = closing;
            }
        }
    }
}
