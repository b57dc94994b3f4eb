//! Maturity: the share of the feedback on a window's answers that is expected to have come by now.
//!
//! How long feedback takes is learned only from cohorts that are complete: answers of the fourteen days that ended seven days (the
//! horizon, after which feedback no longer counts by its answer) before the window's own day began. So a window has one distribution of
//! delays for good, and its maturity changes only with its age: it is published when the window closes and again at each of
//! [`AGES_HOURS`]. Nothing depends on when feedback was read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::derive::Derived;
use super::pane::{Histograms, sum};
use super::publish::row;
use super::state::{DAILY, State};
use super::{MetricRow, Observation, ValueStatus, interval};
use crate::event::{Input, Timestamp};
use crate::measure::registry::Value;
use crate::measure::{Edges, FEEDBACK_HORIZON_US, Group, Metric, Window, add_bins, measures};

/// Ages of a window, in hours since its end, at which its maturity is published. The last is the horizon.
pub const AGES_HOURS: [i64; 9] = [0, 1, 2, 4, 8, 24, 48, 96, 168];
/// Days whose answers say how long feedback takes.
const COHORT_DAYS: i64 = 14;
/// Feedback below which they say nothing.
const FEEDBACK_MIN: u64 = 100;
/// Stands for maturity where classes of metrics are numbered.
pub(super) const MATURITY: u8 = u8::MAX - 2;

/// Delays of feedback, by day of the answer and by tenant and application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohorts(BTreeMap<Timestamp, BTreeMap<Arc<Group>, Delays>>);

/// Feedback by bin of its delay.
type Delays = Vec<(u16, u32)>;

impl Cohorts {
    /// Adds a histogram of delays (of [`measures::ANSWER_DELAY`]) on answers given at `at`.
    pub fn add(&mut self, at: Timestamp, app: &Arc<Group>, delays: &[(u16, u32)]) {
        let day = self.0.entry(at.floor(Timestamp::DAY_US)).or_default();
        match day.entry(Arc::clone(app)) {
            Entry::Occupied(mut known) => add_bins(known.get_mut(), delays),
            Entry::Vacant(place) => drop(place.insert(delays.to_vec())),
        }
    }

    /// The cohorts of a window that starts at `start`, by application.
    #[must_use]
    pub fn of(&self, start: Timestamp) -> BTreeMap<&Group, Delays> {
        let to = start.floor(Timestamp::DAY_US).plus(-FEEDBACK_HORIZON_US);
        let mut pooled: BTreeMap<&Group, Delays> = BTreeMap::new();
        for (app, delays) in self.0.range(to.plus(-COHORT_DAYS * Timestamp::DAY_US)..to).flat_map(|(_, apps)| apps) {
            add_bins(pooled.entry(&**app).or_default(), delays);
        }
        pooled
    }

    /// Forgets days before the cohorts of windows that start at `start` or later.
    pub(super) fn forget_before(&mut self, start: Timestamp) {
        let from = start.floor(Timestamp::DAY_US).plus(-FEEDBACK_HORIZON_US - COHORT_DAYS * Timestamp::DAY_US);
        self.0 = self.0.split_off(&from);
    }
}

/// Start of the first window whose cohorts an answer given at `at` is in.
pub(super) const fn first_user(at: Timestamp) -> Timestamp {
    at.floor(Timestamp::DAY_US).plus(Timestamp::DAY_US + FEEDBACK_HORIZON_US)
}

/// The greatest of [`AGES_HOURS`] that a window which ends at `end` has reached at `now`.
#[must_use]
pub fn age_reached(end: Timestamp, now: Timestamp) -> Option<i64> {
    AGES_HOURS.into_iter().rev().find(|age| end.plus(age * Timestamp::HOUR_US) <= now)
}

/// What is expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Maturity {
    /// Feedback of the cohorts.
    pub n: u64,
    /// How much of it had come at the same age; 0 where there is too little.
    pub arrived: f64,
    /// The share; none for too little feedback.
    pub value: Option<f64>,
    /// Its 95 % interval (Wilson); none at the horizon, where nothing is estimated.
    pub bounds: Option<(f64, f64)>,
}

/// The maturity of a window of that length which ended so many hours ago: the mean over the delays of its cohorts of the share of the
/// window that was at least as old, answers being spread evenly over it.
#[must_use]
pub fn maturity(delays: &[(u16, u32)], span_us: i64, age_hours: i64) -> Maturity {
    let n: u64 = delays.iter().map(|(_, count)| u64::from(*count)).sum();
    if age_hours * Timestamp::HOUR_US >= FEEDBACK_HORIZON_US {
        return Maturity { n, arrived: n as f64, value: Some(1.0), bounds: None };
    }
    let second = Timestamp::SECOND_US as f64;
    let (span, age) = (span_us as f64 / second, (age_hours * Timestamp::HOUR_US) as f64 / second);
    let arrived = |bin: u16| {
        let (low, high) = Edges::Logarithmic.range(bin);
        ((age + span - f64::midpoint(low as f64, high as f64)) / span).clamp(0.0, 1.0)
    };
    let sum: f64 = delays.iter().map(|(bin, count)| arrived(*bin) * f64::from(*count)).sum();
    let value = (n >= FEEDBACK_MIN).then(|| sum / n as f64);
    let arrived = if value.is_some() { sum } else { 0.0 };
    Maturity { n, arrived, value, bounds: value.and_then(|_| interval::wilson(sum, n as f64)) }
}

/// Why a window is published.
#[derive(Clone, Copy, Debug)]
enum Cause<'a> {
    /// It has reached an age.
    Age,
    /// Late requests of these applications.
    Requests(&'a [u32]),
    /// Late feedback on its cohorts.
    Cohorts,
}

impl State {
    /// Publishes the maturity of every window that reaches one of the ages at the end of an hour, `end`.
    pub(super) fn publish_maturity(&mut self, end: Timestamp, rows: &mut Vec<MetricRow>) {
        let plan = self.plan.clone();
        for metric in plan.registry.metrics().iter().filter(|metric| matches!(metric.value, Value::Maturity { .. })) {
            for window in &metric.windows {
                for age in AGES_HOURS {
                    let closed = end.plus(-age * Timestamp::HOUR_US);
                    if closed == closed.floor(window.us()) {
                        self.push_maturity(metric, *window, closed.plus(-window.us()), Cause::Age, rows);
                    }
                }
            }
        }
    }

    /// Publishes again the windows whose cohorts were touched after the windows had closed.
    pub(super) fn revise_maturity(&mut self, rows: &mut Vec<MetricRow>) {
        let (Some(from), Some(through)) = (self.kept.dirty_cohorts.take(), self.answered_through()) else { return };
        let plan = self.plan.clone();
        for metric in plan.registry.metrics().iter().filter(|metric| matches!(metric.value, Value::Maturity { .. })) {
            for window in &metric.windows {
                let mut start = self.kept.horizons[DAILY].map_or(from, |horizon| from.max(horizon)).floor(window.us());
                while start.plus(window.us()) <= through {
                    self.push_maturity(metric, *window, start, Cause::Cohorts, rows);
                    start = start.plus(window.us());
                }
            }
        }
    }

    /// Publishes the maturity of a window whose requests late events touched.
    pub(super) fn touch_maturity(&mut self, window: Window, start: Timestamp, groups: &[u32], rows: &mut Vec<MetricRow>) {
        let apps: Vec<u32> = groups.iter().filter_map(|group| self.kept.groups.app_of(*group, start)).collect();
        let plan = self.plan.clone();
        for metric in plan.registry.metrics() {
            if matches!(metric.value, Value::Maturity { .. }) && metric.windows.contains(&window) {
                self.push_maturity(metric, window, start, Cause::Requests(&apps), rows);
            }
        }
    }

    /// End of the last hour that all inputs of metrics by answer have closed; `None` where no feedback is read.
    pub(super) fn answered_through(&self) -> Option<Timestamp> {
        let has_feedback = self.kept.watermarks[Input::Feedback as usize].is_known();
        self.through(self.plan.answered).filter(|_| has_feedback).map(|through| through.floor(Timestamp::HOUR_US))
    }

    /// The rows of one window at the age that it has reached: for the applications that had requests in it.
    fn push_maturity(&mut self, metric: &Metric, window: Window, start: Timestamp, cause: Cause<'_>, rows: &mut Vec<MetricRow>) {
        let end = start.plus(window.us());
        let Some(age) = self.answered_through().and_then(|through| age_reached(end, through)) else { return };
        if self.kept.horizons[DAILY].is_some_and(|horizon| start < horizon) {
            return;
        }
        let level = &self.kept.apps[2];
        let wanted = |app: u32| match cause {
            Cause::Requests(apps) => apps.contains(&app).then_some(app),
            Cause::Age | Cause::Cohorts => Some(app),
        };
        let mut served: Vec<u32> = Vec::new();
        for series in level.series(start, end).into_iter().filter(|series| series.measure() == measures::REQUESTS) {
            let sums = sum(level.blocks(series, start, end), self.kept.groups.bound(), wanted, Histograms::LeftOut);
            served.extend(sums.into_iter().filter(|(_, partial)| partial.n > 0).map(|(app, _)| app));
        }
        if served.is_empty() {
            return;
        }
        let before = rows.len();
        let place = self.place(metric.inputs, window, start);
        let cohorts = self.kept.cohorts.of(start);
        for group in served.into_iter().filter_map(|app| self.kept.groups.get(app)) {
            let delays = cohorts.get(&**group).map_or(&[][..], Vec::as_slice);
            let found = maturity(delays, window.us(), age);
            // Too little feedback stays too little however old the window gets.
            if found.value.is_some() || age == 0 || !matches!(cause, Cause::Age) {
                rows.push(row(metric, group, None, derived(&found), None, &place));
            }
        }
        let is_first = !self.kept.revisions.contains_key(&(window, start, MATURITY));
        let revision = if is_first { 0 } else { self.next_revision(window, start, MATURITY) };
        self.kept.revisions.entry((window, start, MATURITY)).or_default();
        for row in rows.iter_mut().skip(before) {
            row.revision = revision;
        }
    }
}

fn derived(found: &Maturity) -> Derived {
    let (lo, hi) = found.bounds.unzip();
    Derived {
        observation: Observation { value: found.value, n: found.n, lo, hi, ..Observation::default() },
        sum: found.arrived,
        status: found.value.is_none().then_some(ValueStatus::Thin),
        ..Derived::default()
    }
}

#[cfg(test)]
mod tests;
