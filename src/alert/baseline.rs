//! Trailing baselines: what a metric was before the window, without the time in which the alert was on. For an age: the oldest that
//! it was.
//!
//! Moved on every ten minutes of event time, not every minute: a baseline of hours does not notice, and a minute of evaluation
//! stays cheap. It is part of the state, so that a restart changes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::duration::seconds;
use super::measurements::{Labels, Measurements, Observation};
use super::rule::{Rule, Trailing};
use super::state::pooled_over;
use super::vocabulary::Scale;
use crate::event::Timestamp;

/// Step in which baselines move.
const STEP_US: i64 = 10 * Timestamp::MINUTE_US;

/// The baselines of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cache {
    /// Where they end; none if they must be read again.
    end: Option<Timestamp>,
    /// By labels, ordered.
    by_labels: Vec<(Labels, Observation)>,
    /// Stretches in which an alert was on, and which no baseline may learn from.
    excluded: Vec<(Labels, Timestamp, Timestamp)>,
}

impl Cache {
    /// Moves the baselines to where they belong at `t`.
    pub(super) fn advance(&mut self, rule: &Rule, trailing: Trailing, measurements: &dyn Measurements, t: Timestamp) {
        let end = t.plus(-rule.over_us - trailing.gap_us).floor(STEP_US);
        if self.end == Some(end) {
            return;
        }
        self.end = Some(end);
        let start = end.plus(-trailing.window_us);
        self.excluded.retain(|(_, _, to)| *to > start);
        if rule.scale == Scale::Age {
            self.by_labels = oldest(&self.excluded, rule, measurements, (start, end), t);
            return;
        }
        self.by_labels = measurements.pooled(&rule.query, start, end);
        for (labels, baseline) in &mut self.by_labels {
            let holes: Vec<(Timestamp, Timestamp)> = self
                .excluded
                .iter()
                .filter(|(whose, from, _)| whose == labels && *from < end)
                .map(|(_, from, to)| (*from, *to))
                .collect();
            if !holes.is_empty() {
                let query = rule.query_of(labels, Vec::new());
                let parts: Vec<Observation> = around(start, end, holes)
                    .into_iter()
                    .filter_map(|(from, to)| measurements.pooled(&query, from, to).into_iter().next().map(|(_, seen)| seen))
                    .collect();
                *baseline = pooled_over(&parts).unwrap_or_default();
            }
        }
        self.by_labels.sort_by(|a, b| a.0.cmp(&b.0));
    }

    /// The baseline of one alert.
    pub(super) fn get(&self, labels: &Labels) -> Option<&Observation> {
        let at = self.by_labels.binary_search_by(|(whose, _)| whose.cmp(labels)).ok()?;
        self.by_labels.get(at).map(|(_, baseline)| baseline)
    }

    /// Leaves a stretch out of later baselines. The windows around it hold some of its minutes, hence the margin.
    pub(super) fn exclude(&mut self, labels: &Labels, from: Timestamp, to: Timestamp, trailing: Trailing, over_us: i64) {
        let from = from.plus(-over_us.min(trailing.gap_us)).floor(Timestamp::MINUTE_US);
        self.excluded.push((labels.clone(), from, to));
        self.end = None;
    }
}

/// The greatest age that each series had at any step of the stretch before it was last renewed: the ageing of the present would
/// raise its own bar. `n` is the number of steps at which it had an age.
fn oldest(
    excluded: &[(Labels, Timestamp, Timestamp)],
    rule: &Rule,
    measurements: &dyn Measurements,
    (start, end): (Timestamp, Timestamp),
    t: Timestamp,
) -> Vec<(Labels, Observation)> {
    let now: BTreeMap<Labels, Option<f64>> =
        measurements.pooled(&rule.query, t.plus(-rule.over_us), t).into_iter().map(|(labels, seen)| (labels, seen.value)).collect();
    let mut found: BTreeMap<Labels, Observation> = BTreeMap::new();
    let mut at = end;
    while at > start {
        for (labels, seen) in measurements.pooled(&rule.query, at.plus(-rule.over_us), at) {
            let age = now.get(&labels).copied().flatten().unwrap_or(0.0);
            let is_present = seconds(t.0 - at.0) < age;
            if is_present || excluded.iter().any(|(whose, from, to)| *whose == labels && *from < at && at <= *to) {
                continue;
            }
            let known = found.entry(labels).or_default();
            known.n += 1;
            known.value = match (known.value, seen.value) {
                (Some(before), Some(now)) => Some(before.max(now)),
                (before, now) => before.or(now),
            };
        }
        at = at.plus(-STEP_US);
    }
    found.into_iter().collect()
}

/// What is left of `[start, end)` without the holes, in order.
fn around(start: Timestamp, end: Timestamp, mut holes: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    holes.sort_unstable();
    let mut left = Vec::new();
    let mut at = start;
    for (from, to) in holes {
        if from > at {
            left.push((at, from.min(end)));
        }
        at = at.max(to);
    }
    if at < end {
        left.push((at, end));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::around;
    use crate::event::Timestamp;

    #[test]
    fn holes_are_cut_out_wherever_they_lie() {
        let cut = |holes: &[(i64, i64)]| {
            let holes = holes.iter().map(|(from, to)| (Timestamp(*from), Timestamp(*to))).collect();
            around(Timestamp(10), Timestamp(20), holes).into_iter().map(|(from, to)| (from.0, to.0)).collect::<Vec<_>>()
        };
        assert_eq!(cut(&[]), [(10, 20)]);
        assert_eq!(cut(&[(12, 14)]), [(10, 12), (14, 20)]);
        assert_eq!(cut(&[(5, 12), (11, 13), (18, 25)]), [(13, 18)]);
        assert_eq!(cut(&[(5, 30)]), []);
        assert_eq!(cut(&[(20, 25), (1, 9)]), [(10, 20)]);
    }
}
