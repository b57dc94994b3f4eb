//! A producer's repeats: the same topic, tenant and request id within the window of event time.
//!
//! Promised only within one process and within the window; `recompute` is the remedy for the rest.

use std::collections::VecDeque;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::event::Timestamp;

/// Ids that are not forgotten for their age: some 10 MB.
const KEPT_ALWAYS: usize = 1 << 17;

/// A hash in halves: with its time 24 bytes, where a `u128` would be laid out in 32.
type Id = [u64; 2];

/// Request ids seen lately, in generations as long as the window, so that forgetting is dropping a map.
#[derive(Debug)]
pub struct Duplicates {
    window_us: i64,
    /// Most entries kept; beyond it the oldest generation goes.
    capacity: usize,
    /// (start of the generation, id → event time), ascending by start.
    generations: VecDeque<(Timestamp, HashMap<Id, Timestamp>)>,
}

impl Duplicates {
    /// Remembers ids for `window_us` microseconds of event time, and at most `capacity` of them.
    #[must_use]
    pub const fn new(window_us: i64, capacity: usize) -> Self {
        Self { window_us, capacity, generations: VecDeque::new() }
    }

    /// Whether the id was seen within the window around `time`; if not, it is remembered.
    pub fn is_repeat(&mut self, id: u128, time: Timestamp) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
        let id = [(id >> 64) as u64, id as u64];
        let start = time.floor(self.window_us);
        let window = self.window_us.unsigned_abs();
        let near = |seen: &Timestamp| seen.0.abs_diff(time.0) <= window;
        let mut others = self.generations.iter().filter(|(s, _)| *s != start && s.0.abs_diff(start.0) <= window);
        if others.any(|(_, seen)| seen.get(&id).is_some_and(near)) {
            return true;
        }
        let at = match self.generations.binary_search_by_key(&start, |(s, _)| *s) {
            Ok(at) => at,
            Err(at) => {
                self.generations.insert(at, (start, HashMap::new()));
                at
            }
        };
        if let Some((_, seen)) = self.generations.get_mut(at) {
            match seen.entry(id) {
                Entry::Occupied(first) if near(first.get()) => return true,
                Entry::Occupied(mut first) => *first.get_mut() = time,
                Entry::Vacant(place) => {
                    place.insert(time);
                }
            }
        }
        self.forget();
        false
    }

    /// Drops generations that no event near the newest one can need, and the oldest beyond the capacity.
    fn forget(&mut self) {
        let Some(newest) = self.generations.back().map(|(start, _)| *start) else { return };
        // Late events may come from several partitions at once: two windows behind the newest are kept. Partitions that are
        // read one after the other are further apart, and then few ids are remembered: those are kept however old.
        while self.len() > KEPT_ALWAYS && self.generations.front().is_some_and(|(start, _)| start.0 < newest.0 - 2 * self.window_us)
            || self.generations.len() > 1 && self.len() > self.capacity
        {
            self.generations.pop_front();
        }
    }

    /// Ids remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.generations.iter().map(|(_, seen)| seen.len()).sum()
    }

    /// Nothing remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = Timestamp::HOUR_US;

    proptest! {
        #[test]
        fn agrees_with_a_list_of_everything_seen(events in prop::collection::vec((0_u128..40, 0_i64..4 * HOUR), 1..200)) {
            // Event time within two windows of the newest, as one consumer sees it.
            let mut duplicates = Duplicates::new(HOUR, 1_000);
            let mut seen: Vec<(u128, i64)> = Vec::new();
            let mut newest = 0;
            for (id, time) in events {
                newest = newest.max(time);
                let time = time.max(newest - HOUR);
                let expected = seen.iter().any(|(i, t)| *i == id && (t - time).abs() <= HOUR);
                prop_assert_eq!(duplicates.is_repeat(id, Timestamp(time)), expected);
                if !expected {
                    seen.push((id, time));
                }
            }
        }
    }

    #[test]
    fn forgets_beyond_its_capacity_and_says_so_by_its_length() {
        let mut duplicates = Duplicates::new(HOUR, 10);
        for id in 0..10 {
            assert!(!duplicates.is_repeat(id, Timestamp(0)));
        }
        for id in 10..20 {
            assert!(!duplicates.is_repeat(id, Timestamp(HOUR)));
        }
        assert_eq!(duplicates.len(), 10);
    }
}
