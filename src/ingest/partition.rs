//! One partition as ingest sees it: how far it was read, and how far its event time has come.

use crate::event::{Input, Timestamp};

/// Progress of one partition.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// Inputs whose events it carries; its bound is the greatest of theirs.
    pub(super) lateness_us: i64,
    /// The input of its topic; `None` where events say themselves what they are.
    pub(super) input: Option<Input>,
    /// Position at which the open epoch began.
    pub(super) from: i64,
    /// Position from which reading goes on.
    pub(super) next: i64,
    /// Every event up to here has been seen, as far as one can know. Never moves back (WI-4).
    pub(super) watermark: Option<Timestamp>,
    /// Since when, on the clock, the partition has been read to its end.
    caught_up_since: Option<Timestamp>,
}

impl Partition {
    /// A partition at a position, with the watermark that the log has for it.
    pub(super) const fn new(input: Option<Input>, lateness_us: i64, position: i64, watermark: Option<Timestamp>) -> Self {
        Self { lateness_us, input, from: position, next: position, watermark, caught_up_since: None }
    }

    /// An event was seen. A producer's clock may run ahead, so the record's own time caps what it says.
    pub(super) fn saw(&mut self, event_time: Timestamp, record_time: Option<Timestamp>) {
        let capped = record_time.map_or(event_time, |record_time| event_time.min(record_time));
        self.raise(capped.plus(-self.lateness_us));
        self.caught_up_since = None;
    }

    /// How far the partition has come in event time: where a record stands that has no time of its own. The greatest event time
    /// seen, unless it was read to its end and follows the clock.
    pub(super) fn reached(&self) -> Option<Timestamp> {
        self.watermark.map(|watermark| watermark.plus(self.lateness_us))
    }

    /// Whether an event of this time comes after the partition's watermark has passed it.
    pub(super) fn is_late(&self, event_time: Timestamp) -> bool {
        self.watermark.is_some_and(|watermark| event_time < watermark)
    }

    /// The source says whether everything there is has been read. A partition read to its end for one bound follows the clock.
    pub(super) fn at_end(&mut self, now: Timestamp) {
        let since = *self.caught_up_since.get_or_insert(now);
        if now >= since.plus(self.lateness_us) {
            self.raise(now.plus(-self.lateness_us));
        }
    }

    /// The source says that there is more to read.
    pub(super) const fn behind(&mut self) {
        self.caught_up_since = None;
    }

    fn raise(&mut self, to: Timestamp) {
        self.watermark = Some(self.watermark.map_or(to, |watermark| watermark.max(to)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = Timestamp::SECOND_US;

    #[test]
    fn a_producer_clock_ahead_of_the_record_does_not_move_the_watermark_ahead() {
        let mut partition = Partition::new(None, 30 * SECOND, 0, None);
        partition.saw(Timestamp(1_000 * SECOND), Some(Timestamp(100 * SECOND)));
        assert_eq!(partition.watermark, Some(Timestamp(70 * SECOND)));
    }

    #[test]
    fn an_idle_partition_follows_the_clock_only_after_its_bound() {
        let mut partition = Partition::new(None, 30 * SECOND, 0, None);
        partition.saw(Timestamp(100 * SECOND), None);
        partition.at_end(Timestamp(100 * SECOND));
        partition.at_end(Timestamp(129 * SECOND));
        assert_eq!(partition.watermark, Some(Timestamp(70 * SECOND)));
        partition.at_end(Timestamp(130 * SECOND));
        assert_eq!(partition.watermark, Some(Timestamp(100 * SECOND)));
        partition.behind();
        partition.at_end(Timestamp(200 * SECOND));
        assert_eq!(partition.watermark, Some(Timestamp(100 * SECOND)));
    }

    proptest! {
        #[test]
        fn the_watermark_never_moves_back(steps in prop::collection::vec((0_u8..3, -1_000_i64..1_000), 0..100)) {
            let mut partition = Partition::new(None, 30, 0, None);
            let mut before = None;
            for (what, time) in steps {
                match what {
                    0 => partition.saw(Timestamp(time), None),
                    1 => partition.saw(Timestamp(time), Some(Timestamp(time / 2))),
                    _ => partition.at_end(Timestamp(time)),
                }
                prop_assert!(partition.watermark >= before);
                before = partition.watermark;
            }
        }
    }
}
