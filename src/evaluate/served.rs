//! How old the version of an index was when it served an answer.
//!
//! Answers are added up by the version that they name, as sums of their times; when a version was published is known only here.
//! The difference of both sums is exact, whichever of them is read first. A version counts from its first successful publication;
//! answers of a version that no run has published are counted apart and never read as 0.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::derive::mean;
use super::pane::{Block, Series};
use super::plan::bit;
use super::pooled::{labels, passes};
use super::publish::{Place, Scope, row};
use super::state::State;
use super::{Labels, MetricRow, Observation, Query};
use crate::event::Timestamp;
use crate::measure::{Dimension, Group, Measure, Metric, Partial, VERSION_MARK, Window, measures};

/// Versions remembered at least; a tenth more, and those published first are forgotten.
const VERSIONS_MAX: usize = 50_000;

/// First publications by tenant, application and `index@version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Versions(BTreeMap<Arc<Group>, Timestamp>);

impl Versions {
    /// Notes a publication. Whether that changes anything.
    pub(super) fn note(&mut self, group: &Arc<Group>, at: Timestamp) -> bool {
        let is_new = self.0.get(group).is_none_or(|first| at < *first);
        if is_new {
            self.0.insert(group.clone(), at);
            if self.0.len() > VERSIONS_MAX + VERSIONS_MAX / 10 {
                let mut times: Vec<Timestamp> = self.0.values().copied().collect();
                times.sort_unstable();
                let from = times.get(times.len() - VERSIONS_MAX).copied().unwrap_or_default();
                self.0.retain(|_, first| *first >= from);
            }
        }
        is_new
    }

    /// When the version that a group names was published: by a run of the same tenant and application, else of the same tenant,
    /// else of nobody in particular.
    fn published(&self, group: &Group) -> Option<Timestamp> {
        let mut wanted = group.clone();
        for widened in [None, Some(Dimension::App), Some(Dimension::Tenant)] {
            if let Some(dimension) = widened {
                wanted.0[dimension as usize] = None;
            }
            if let Some(first) = self.0.get(&wanted) {
                return Some(*first);
            }
        }
        None
    }
}

/// The group without the version: what rows are about.
fn index_of(group: &Group) -> Group {
    let mut whole = group.clone();
    if let Some(index) = &mut whole.0[Dimension::Index as usize]
        && let Some((name, _)) = index.rsplit_once(VERSION_MARK)
    {
        *index = name.into();
    }
    whole
}

/// Times of answers as ages, microseconds.
fn ages(times: &Partial, published: Option<Timestamp>) -> Partial {
    let Some(Timestamp(published)) = published else { return Partial { n_null: times.n, ..Partial::default() } };
    let (since, n) = (i128::from(published), i128::from(times.n));
    // The squares of times may wrap around; those of ages do not, and the difference is right again.
    let sum_sq =
        times.sum_sq.wrapping_sub(times.sum.wrapping_mul(2 * since)).wrapping_add(since.wrapping_mul(since).wrapping_mul(n));
    Partial {
        n: times.n,
        sum: times.sum - since * n,
        sum_sq,
        min: times.min.saturating_sub(published),
        max: times.max.saturating_sub(published),
        ..Partial::default()
    }
}

impl State {
    /// Notes a publication of a version. Closed windows whose answers it makes older, or known, are published again.
    pub(super) fn note_version(&mut self, group: u32, at: Timestamp) {
        let Some(whole) = self.kept.groups.get(group).cloned() else { return };
        let version = whole.get(Dimension::Index).cloned();
        if version.as_deref() == Some(Group::OTHER) {
            return;
        }
        let named: Vec<(u32, Arc<Group>, Option<Timestamp>)> = self
            .kept
            .groups
            .keyed()
            .filter(|(_, group, _)| group.get(Dimension::Index) == version.as_ref())
            .map(|(number, group, _)| (number, group.clone(), self.kept.versions.published(group)))
            .collect();
        if !self.kept.versions.note(&whole, at) {
            return;
        }
        let changed: BTreeSet<u32> = named
            .into_iter()
            .filter(|(_, group, before)| self.kept.versions.published(group) != *before)
            .map(|(number, ..)| number)
            .collect();
        let mut touched: Vec<(Window, Timestamp, Vec<u32>)> = Vec::new();
        for window in [Window::Quarter, Window::Hour] {
            let level = &self.kept.levels[window as usize];
            for (start, _, block) in level.panes_from(Timestamp(i64::MIN)).filter(|(_, series, _)| *series == ANSWERED) {
                let mut groups = Vec::new();
                block.for_each(|group, _, _| groups.push(group));
                groups.retain(|group| changed.contains(group));
                touched.push((window, start, groups));
            }
        }
        for (window, start, groups) in touched.into_iter().filter(|(.., groups)| !groups.is_empty()) {
            self.touch(window, start, measures::INDEX_ANSWERED, groups.into_iter());
        }
    }

    /// Ages by tenant, application and index.
    fn ages_since<'a>(&self, blocks: impl Iterator<Item = &'a Block>) -> BTreeMap<Group, Partial> {
        let mut found: BTreeMap<Group, Partial> = BTreeMap::new();
        for block in blocks {
            block.for_each(|group, times, _| {
                let Some(group) = self.kept.groups.get(group) else { return };
                let ages = ages(&times, self.kept.versions.published(group));
                found.entry(index_of(group)).or_default().merge_moments(&ages);
            });
        }
        found
    }

    /// Pushes the ages at the answers of a window.
    pub(super) fn push_ages_since(&self, metric: &Metric, at: Measure, scope: Scope<'_>, place: &Place, rows: &mut Vec<MetricRow>) {
        let touched: Option<BTreeSet<Group>> = match scope {
            Scope::Touched(groups) => {
                let of_answers = groups.iter().filter(|(_, touched)| *touched & bit(at) != 0);
                Some(of_answers.filter_map(|(group, _)| self.kept.groups.get(*group)).map(|group| index_of(group)).collect())
            }
            Scope::All | Scope::Again => None,
        };
        let level = &self.kept.levels[(place.window as usize).min(2)];
        let blocks = level.blocks(Series::new(at, 0), place.start, place.start.plus(place.window.us()));
        for (group, ages) in self.ages_since(blocks) {
            if touched.as_ref().is_none_or(|touched| touched.contains(&group)) {
                rows.push(row(metric, &Arc::new(group), None, mean(metric, at, &ages), None, place));
            }
        }
    }

    /// The same for a rule, over any stretch.
    pub(super) fn pooled_ages_since(
        &self,
        metric: &Metric,
        at: Measure,
        query: &Query,
        (from, to): (Timestamp, Timestamp),
    ) -> Vec<(Labels, Observation)> {
        let blocks = self.blocks(&self.kept.levels, Series::new(at, 0), from, to);
        let mut by_labels: BTreeMap<Labels, Partial> = BTreeMap::new();
        for (group, ages) in self.ages_since(blocks.into_iter()) {
            if passes(&group, &query.filter) {
                by_labels.entry(labels(&group, &query.by)).or_default().merge_moments(&ages);
            }
        }
        by_labels.into_iter().map(|(labels, ages)| (labels, mean(metric, at, &ages).observation)).collect()
    }
}

const ANSWERED: Series = Series::new(measures::INDEX_ANSWERED, 0);

#[cfg(test)]
mod tests {
    use super::*;

    fn group(tenant: Option<&str>, app: Option<&str>, index: &str) -> Arc<Group> {
        let mut group = Group::default();
        group.0[Dimension::Tenant as usize] = tenant.map(Into::into);
        group.0[Dimension::App as usize] = app.map(Into::into);
        group.0[Dimension::Index as usize] = Some(index.into());
        Arc::new(group)
    }

    #[test]
    fn the_publication_nearest_to_the_answer_counts_and_of_several_the_first() {
        let mut versions = Versions::default();
        let answer = group(Some("t"), Some("a"), "kb@7");
        assert_eq!(versions.published(&answer), None);
        assert!(versions.note(&group(None, None, "kb@7"), Timestamp(100)));
        assert!(versions.note(&group(None, None, "kb@8"), Timestamp(50)));
        assert_eq!(versions.published(&answer), Some(Timestamp(100)));
        assert!(versions.note(&group(Some("t"), None, "kb@7"), Timestamp(300)));
        assert_eq!(versions.published(&answer), Some(Timestamp(300)));
        assert!(!versions.note(&group(Some("t"), None, "kb@7"), Timestamp(400)), "a repetition makes nothing younger");
        assert!(versions.note(&group(Some("t"), None, "kb@7"), Timestamp(200)));
        assert_eq!(versions.published(&answer), Some(Timestamp(200)));
        assert_eq!(versions.published(&group(Some("u"), Some("a"), "kb@7")), Some(Timestamp(100)));
        assert_eq!(index_of(&answer), *group(Some("t"), Some("a"), "kb"));
    }

    #[test]
    fn ages_are_exact_even_where_squares_of_times_wrap_around() {
        let published = 1_800_000_000_000_000_i64;
        let n = 60_000_000_u64;
        let time = published + 5_000_000;
        let square = i128::from(time) * i128::from(time);
        let times = Partial {
            n,
            sum: i128::from(time) * i128::from(n),
            sum_sq: square.wrapping_mul(i128::from(n)),
            min: time,
            max: time,
            ..Partial::default()
        };
        let found = ages(&times, Some(Timestamp(published)));
        assert_eq!((found.n, found.sum, found.sum_sq), (n, 5_000_000 * 60_000_000, 25_000_000_000_000 * 60_000_000));
        assert_eq!((found.min, found.max, found.n_null), (5_000_000, 5_000_000, 0));
        assert_eq!(ages(&times, None), Partial { n_null: n, ..Partial::default() });
    }

    #[test]
    fn the_versions_published_first_are_forgotten_first() {
        let mut versions = Versions::default();
        for at in 0..60_000 {
            versions.note(&group(None, None, &format!("kb@{at}")), Timestamp(at));
        }
        assert!(versions.0.len() <= VERSIONS_MAX + VERSIONS_MAX / 10);
        assert_eq!(versions.published(&group(None, None, "kb@0")), None);
        assert_eq!(versions.published(&group(None, None, "kb@59999")), Some(Timestamp(59_999)));
    }
}
