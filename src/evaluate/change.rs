//! The difference of a rate or a mean to the stretch of the same length just before, and what it is made of.
//!
//! A value can change because something changed (*within*), or because the mix of what is measured did (*mix*: Simpson's
//! paradox). *Within* is the change of each stratum (tenant, application and model) at the mix of the stretch before; *mix* is the
//! rest, including strata that are new or gone, since they have nothing to be compared with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::derive::{Cells, Derived, THIN_BELOW, derive, fraction};
use super::dispersion::{dispersions, moments, widen};
use super::interval;
use super::publish::{Place, row};
use super::state::State;
use super::{MetricRow, Observation, ValueStatus};
use crate::event::{Input, Timestamp};
use crate::measure::registry::{Part, Value};
use crate::measure::{Dimension, Inputs, Measure, Metric, Partial, Window, measures};

/// Stands for changes where classes of metrics are numbered.
pub(super) const CHANGE: u8 = u8::MAX - 1;

/// Numerator and denominator, or sum and number of values: (now, before).
pub(super) type Strata<K> = BTreeMap<K, [(f64, f64); 2]>;

/// What changed within the strata, at the mix of the stretch before; the mix explains the rest.
pub(super) fn within<K: Ord>(strata: &Strata<K>) -> Option<f64> {
    let before: f64 = strata.values().map(|[_, (_, n)]| n).sum();
    if before <= 0.0 || strata.values().all(|[(_, n), _]| *n <= 0.0) {
        return None;
    }
    let both = strata.values().filter(|[(_, n), (_, m)]| *n > 0.0 && *m > 0.0);
    Some(both.map(|[(now, n), (then, m)]| m / before * (now / n - then / m)).sum())
}

/// The change from `before` to `now`, two stretches of the metric computed as `over`.
pub(super) fn change(over: &Value, part: Part, now: &Derived, before: Option<&Derived>, within: Option<f64>) -> Derived {
    let seen = &now.observation;
    let there = before.map(|before| &before.observation);
    let mut observation = Observation { n: seen.n, bad_n: seen.bad_n, n_null: seen.n_null, ..Observation::default() };
    let total = there.and_then(|there| Some(seen.value? - there.value?));
    observation.value = match part {
        Part::Total => total,
        Part::Within => total.and(within),
        Part::Mix => total.zip(within).map(|(total, within)| total - within),
    };
    if part == Part::Total
        && let (Some(before), true) = (before, total.is_some())
    {
        let bounds = match over {
            Value::Mean(_) => mean_part(now).zip(mean_part(before)).and_then(|(now, before)| interval::welch(now, before)),
            _ => rate_part(now).zip(rate_part(before)).map(|(now, before)| interval::newcombe(now, before)),
        };
        (observation.lo, observation.hi) = (bounds.map(|(lo, _)| lo.max(-1.0)), bounds.map(|(_, hi)| hi.min(1.0)));
    }
    let enough = seen.n >= THIN_BELOW && there.is_some_and(|there| there.n >= THIN_BELOW);
    let status = match (observation.value, seen.value) {
        (_, None) => Some(ValueStatus::NotApplicable),
        (Some(_), _) if enough => None,
        _ => Some(ValueStatus::Thin),
    };
    let dispersion = now.dispersion.filter(|_| part == Part::Total);
    let reference_n = Some(there.map_or(0, |there| there.n));
    Derived { observation, sum: now.sum, sum_sq: now.sum_sq, status, reference_n, dispersion, ..Derived::default() }
}

fn rate_part(derived: &Derived) -> Option<(f64, f64, f64)> {
    let seen = &derived.observation;
    Some((seen.value?, seen.lo?, seen.hi?))
}

fn mean_part(derived: &Derived) -> Option<(f64, f64, u64, f64)> {
    let seen = &derived.observation;
    Some((seen.value?, seen.stddev?, seen.n, derived.dispersion.unwrap_or(1.0)))
}

/// One metric of one application and scorer: (group of the application, scorer, place in [`Plan::changed`]).
///
/// [`Plan::changed`]: super::plan::Plan
type Line = (u32, u8, usize);

/// Sums by measure of one application, scorer and model.
type ByModel = BTreeMap<(u32, u8, Option<Arc<str>>), BTreeMap<Measure, Partial>>;

impl State {
    /// Publishes the changes of the hour that starts at `start`, by tenant and application.
    pub(super) fn publish_changes(&mut self, start: Timestamp, revision: i64, rows: &mut Vec<MetricRow>) {
        let plan = self.plan.clone();
        let place = Place { revision, ..self.place(Inputs::of(Input::Gateway), Window::Hour, start) };
        let metrics = plan.registry.metrics();
        let bases: Vec<&Metric> = plan.changed.iter().filter_map(|(base, _)| metrics.get(*base)).collect();
        let hours = [start, start.plus(-Timestamp::HOUR_US)];
        let [now, then] = hours.map(|hour| self.hour_of_apps(&bases, hour));
        let by_model = hours.map(|hour| self.hour_by_model(hour));
        for (line, now) in &now {
            let (app, scorer, at) = *line;
            let (Some(group), Some(base), Some((_, parts))) = (self.kept.groups.get(app), bases.get(at), plan.changed.get(at))
            else {
                continue;
            };
            let within = within(&strata(&by_model, base, (app, scorer)));
            let named = usize::from(scorer).checked_sub(1).and_then(|at| self.kept.scorers.get(at));
            for metric in parts.iter().filter_map(|number| metrics.get(*number)) {
                if let Value::Change { part, .. } = metric.value {
                    rows.push(row(metric, group, named, change(&base.value, part, now, then.get(line), within), None, &place));
                }
            }
        }
        self.note_provisional(&place, CHANGE);
    }

    /// The metrics of one hour by application, with their intervals.
    fn hour_of_apps(&self, bases: &[&Metric], hour: Timestamp) -> BTreeMap<Line, Derived> {
        let between = dispersions(&self.kept.apps, bases, (hour, Timestamp::HOUR_US), |_| true);
        let cells = moments(&self.kept.apps[2], self.plan.change_measures, hour, hour.plus(Timestamp::HOUR_US), |_| true);
        let mut found = BTreeMap::new();
        for run in cells.chunk_by(|left, right| (left.group, left.scorer) == (right.group, right.scorer)) {
            let Some(first) = run.first() else { continue };
            let mut table: Cells<'_> = [None; measures::COUNT];
            for cell in run {
                table[cell.measure.index()] = Some(&cell.partial);
            }
            for (at, metric) in bases.iter().enumerate().filter(|(_, metric)| metric.scored == (first.scorer > 0)) {
                let line = (first.group, first.scorer, at);
                if let Some(mut derived) = derive(metric, &table, Timestamp::HOUR_US) {
                    if let Some(between) = between.get(&(first.group, first.scorer)).and_then(|all| all.get(at)) {
                        widen(metric, &mut derived, between);
                    }
                    found.insert(line, derived);
                }
            }
        }
        found
    }

    /// The sums of one hour by application and model.
    fn hour_by_model(&mut self, hour: Timestamp) -> ByModel {
        let cells = moments(&self.kept.levels[2], self.plan.change_measures, hour, hour.plus(Timestamp::HOUR_US), |_| true);
        let mut sums = ByModel::new();
        for cell in cells {
            let Some(app) = self.kept.groups.app_of(cell.group, hour) else { continue };
            let model = self.kept.groups.get(cell.group).and_then(|group| group.get(Dimension::ResponseModel)).cloned();
            let of_model = sums.entry((app, cell.scorer, model)).or_default();
            of_model.entry(cell.measure).or_default().merge_moments(&cell.partial);
        }
        sums
    }
}

/// What each model of an application says about a metric, now and before.
fn strata(by_model: &[ByModel; 2], metric: &Metric, (app, scorer): (u32, u8)) -> Strata<Option<Arc<str>>> {
    let mut strata = Strata::new();
    for (side, sums) in by_model.iter().enumerate() {
        let of_app = sums.range((app, scorer, None)..).take_while(|((of, by, _), _)| (*of, *by) == (app, scorer));
        for ((_, _, model), sums) in of_app {
            if let Some(part) = fraction(&metric.value, &cells(sums)) {
                strata.entry(model.clone()).or_default()[side] = part;
            }
        }
    }
    strata
}

/// Sums by measure as cells.
pub(super) fn cells(sums: &BTreeMap<Measure, Partial>) -> Cells<'_> {
    let mut table: Cells<'_> = [None; measures::COUNT];
    for (measure, partial) in sums {
        table[measure.index()] = Some(partial);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_mix_alone_is_seen_as_one() {
        // Model a fails 1 in 100, model b 10 in 100; the share of b rises from a tenth to a half.
        let strata = Strata::from([("a", [(5.0, 500.0), (9.0, 900.0)]), ("b", [(50.0, 500.0), (10.0, 100.0)])]);
        assert!(within(&strata).unwrap().abs() < 1e-15);
    }

    #[test]
    fn simpsons_paradox_is_taken_apart() {
        // Kidney stones (Charig 1986): treatment B, then A: better within small and large stones, worse or better in all by mix.
        // A: small 81/87, large 192/263; B: small 234/270, large 55/80.
        let strata = Strata::from([("small", [(81.0, 87.0), (234.0, 270.0)]), ("large", [(192.0, 263.0), (55.0, 80.0)])]);
        let total = 273.0 / 350.0 - 289.0 / 350.0;
        let within = within(&strata).unwrap();
        let expected = 270.0 / 350.0 * (81.0 / 87.0 - 234.0 / 270.0) + 80.0 / 350.0 * (192.0 / 263.0 - 55.0 / 80.0);
        assert!((within - expected).abs() < 1e-15 && within > 0.05 && total < -0.04, "{within} {total}");
    }

    #[test]
    fn what_is_new_or_gone_is_mix() {
        let strata = Strata::from([("old", [(0.0, 0.0), (1.0, 100.0)]), ("new", [(30.0, 100.0), (0.0, 0.0)])]);
        assert_eq!(within(&strata), Some(0.0));
        assert_eq!(within(&Strata::from([("new", [(30.0, 100.0), (0.0, 0.0)])])), None);
        assert_eq!(within::<u32>(&Strata::new()), None);
    }
}
