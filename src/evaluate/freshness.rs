//! Ages: how long ago, at a given moment, something last succeeded (the newest publication of an index).
//!
//! The times themselves are kept, so that a publication that is read late corrects every window between it and the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::measure::Group;

/// Publications by group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Freshness {
    published: BTreeMap<Arc<Group>, BTreeSet<Timestamp>>,
}

/// Groups remembered at most; beyond, new ones are ignored until old ones have been silent for [`FORGET_AFTER_US`].
const GROUPS_MAX: usize = 10_000;
/// A group that has not published for this long is forgotten.
const FORGET_AFTER_US: i64 = 90 * Timestamp::DAY_US;

impl Freshness {
    /// Notes a publication.
    pub(super) fn note(&mut self, group: &Arc<Group>, at: Timestamp) {
        if self.published.len() >= GROUPS_MAX && !self.published.contains_key(group) {
            return;
        }
        self.published.entry(group.clone()).or_default().insert(at);
    }

    /// Age in seconds at `moment` of the newest publication not after it, for every group that has one.
    pub(super) fn ages(&self, moment: Timestamp) -> impl Iterator<Item = (&Arc<Group>, f64)> {
        self.published.iter().filter_map(move |(group, times)| {
            let newest = times.range(..=moment).next_back()?;
            Some((group, (moment.0 - newest.0) as f64 / 1e6))
        })
    }

    /// Forgets what no moment from `horizon` on needs.
    pub(super) fn forget_before(&mut self, horizon: Timestamp) {
        self.published.retain(|_, times| {
            if let Some(newest) = times.range(..=horizon).next_back().copied() {
                *times = times.split_off(&newest);
            }
            times.last().is_some_and(|last| *last >= horizon.plus(-FORGET_AFTER_US))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_counts_from_the_newest_publication_before_the_moment() {
        let mut freshness = Freshness::default();
        let group = Arc::new(Group::default());
        let second = Timestamp::SECOND_US;
        freshness.note(&group, Timestamp(100 * second));
        freshness.note(&group, Timestamp(50 * second));
        let age = |freshness: &Freshness, at: i64| freshness.ages(Timestamp(at * second)).map(|(_, age)| age).next();
        assert_eq!(age(&freshness, 40), None);
        assert_eq!(age(&freshness, 90), Some(40.0));
        assert_eq!(age(&freshness, 160), Some(60.0));
        freshness.forget_before(Timestamp(120 * second));
        assert_eq!((age(&freshness, 90), age(&freshness, 130)), (None, Some(30.0)));
        freshness.forget_before(Timestamp(200 * Timestamp::DAY_US));
        assert_eq!(age(&freshness, 130), None);
    }
}
