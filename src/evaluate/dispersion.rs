//! Over-dispersion: how much more the parts of a window differ from each other than independent values would.
//!
//! Answers of one conversation are not independent, so a window of n answers says less than n answers should. The window is cut
//! into stretches (of 3 minutes where it is shorter than an hour, of 5 minutes for an hour, of an hour for a day), and Pearson's
//! statistic between the stretches, per degree of freedom, is the factor φ by which the variance is greater. Few stretches measure
//! φ roughly, so its excess over 1 counts by the square of t / z: f = 1 + max(0, φ − 1) · (t₀.₉₇₅(K − 1) / 1.96)². Intervals
//! are those of n / f values. Correlation over longer times than a stretch is seen only in part.

use hashbrown::HashMap;

use super::derive::{Cells, Derived, fraction};
use super::interval;
use super::pane::Level;
use super::plan::{MeasureSet, bit};
use super::publish::Gathered;
use crate::event::Timestamp;
use crate::measure::registry::Value;
use crate::measure::{Metric, measures};

/// Values below which nothing is measured.
const VALUES_MIN: f64 = 30.0;
/// Stretches with values below which nothing is measured.
const STRETCHES_MIN: u32 = 3;

/// Sums over the stretches of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Between {
    /// Σ over² / under.
    squares: f64,
    over: f64,
    under: f64,
    stretches: u32,
}

impl Between {
    /// Adds a stretch: a numerator and its denominator, or a sum and its number of values.
    pub(super) fn add(&mut self, (over, under): (f64, f64)) {
        if under > 0.0 {
            self.squares += over * over / under;
            self.over += over;
            self.under += under;
            self.stretches += 1;
        }
    }

    /// The factor, given the variance of a single value; `None` where it cannot be measured.
    fn factor(&self, variance: f64) -> Option<f64> {
        if self.stretches < STRETCHES_MIN || self.under < VALUES_MIN || variance <= 0.0 {
            return None;
        }
        let degrees = f64::from(self.stretches - 1);
        let between = (self.squares - self.over * self.over / self.under).max(0.0);
        let excess = (between / variance / degrees - 1.0).max(0.0);
        Some(1.0 + excess * (interval::t_quantile(degrees) / interval::Z).powi(2))
    }
}

/// Length of the stretches that a window is cut into.
pub(super) const fn stretch_us(span_us: i64) -> i64 {
    match span_us / Timestamp::MINUTE_US {
        0..9 => Timestamp::MINUTE_US,
        9..60 => 3 * Timestamp::MINUTE_US,
        60..1_440 => 5 * Timestamp::MINUTE_US,
        _ => Timestamp::HOUR_US,
    }
}

/// Puts the factor beside a metric's numbers, and widens their interval by it.
pub(super) fn widen(metric: &Metric, derived: &mut Derived, between: &Between) {
    let seen = &mut derived.observation;
    let Some(value) = seen.value.filter(|_| seen.lo.is_some()) else { return };
    let variance = match (&metric.value, seen.stddev) {
        (Value::Mean(_), Some(stddev)) => stddev * stddev,
        (Value::Mean(_), None) => 0.0,
        _ => value * (1.0 - value),
    };
    derived.dispersion = between.factor(variance);
    let Some(factor) = derived.dispersion.filter(|factor| *factor > 1.0) else { return };
    let bounds = match (&metric.value, seen.stddev) {
        (Value::Mean(_), Some(stddev)) => interval::student(value, stddev * factor.sqrt(), seen.n),
        _ => interval::wilson(derived.sum / factor, seen.n as f64 / factor),
    };
    if let Some((lo, hi)) = bounds {
        (seen.lo, seen.hi) = (Some(lo.max(0.0)), Some(hi.min(1.0)));
    }
}

/// Whether the metric has an interval that over-dispersion widens.
pub(super) fn has_interval(metric: &Metric) -> bool {
    match &metric.value {
        Value::Rate { .. } => true,
        Value::Mean(_) => metric.is_bounded(),
        _ => false,
    }
}

/// By group, scorer and place of the metric in the list asked for.
pub(super) type Dispersions = HashMap<(u32, u8, usize), Between>;

/// Cuts `[start, start + span)` into stretches and adds up what each says about the metrics.
pub(super) fn dispersions(
    levels: &[Level; 3],
    metrics: &[&Metric],
    (start, span_us): (Timestamp, i64),
    wanted: impl Fn(u32) -> bool,
) -> Dispersions {
    let mut found = Dispersions::new();
    let needed: MeasureSet = metrics.iter().flat_map(|metric| &metric.measures).fold(0, |set, measure| set | bit(*measure));
    if needed == 0 {
        return found;
    }
    let step = stretch_us(span_us);
    let level = if step == Timestamp::HOUR_US { &levels[2] } else { &levels[0] };
    let end = start.plus(span_us);
    let mut from = start;
    while from < end {
        let to = from.plus(step).min(end);
        let cells = moments(level, needed, from, to, &wanted);
        for run in cells.chunk_by(|left, right| (left.group, left.scorer) == (right.group, right.scorer)) {
            let Some(first) = run.first() else { continue };
            let mut table: Cells<'_> = [None; measures::COUNT];
            for cell in run {
                table[cell.measure.index()] = Some(&cell.partial);
            }
            for (place, metric) in metrics.iter().enumerate().filter(|(_, metric)| metric.scored == (first.scorer > 0)) {
                if let Some(part) = fraction(&metric.value, &table) {
                    found.entry((first.group, first.scorer, place)).or_default().add(part);
                }
            }
        }
        from = to;
    }
    found
}

/// Sums without histograms of `[from, to)`, by group, scorer and measure.
pub(super) fn moments(
    level: &Level,
    needed: MeasureSet,
    from: Timestamp,
    to: Timestamp,
    wanted: impl Fn(u32) -> bool,
) -> Vec<Gathered> {
    let mut cells: Vec<Gathered> = Vec::new();
    for series in level.series(from, to).into_iter().filter(|series| needed & bit(series.measure()) != 0) {
        for block in level.blocks(series, from, to) {
            block.for_each(|group, partial, _| {
                if wanted(group) {
                    cells.push(Gathered { group, scorer: series.scorer(), measure: series.measure(), partial });
                }
            });
        }
    }
    cells.sort_by_key(|cell| (cell.group, cell.scorer, cell.measure));
    cells.dedup_by(|later, earlier| {
        let same = (later.group, later.scorer, later.measure) == (earlier.group, earlier.scorer, earlier.measure);
        if same {
            earlier.partial.merge_moments(&later.partial);
        }
        same
    });
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(parts: &[(f64, f64)]) -> Between {
        let mut between = Between::default();
        for part in parts {
            between.add(*part);
        }
        between
    }

    #[test]
    fn the_factor_agrees_with_pearsons_statistic() {
        // Python: b = [2, 9, 1, 8]; n = [20, 30, 25, 25]; scipy.stats.chi2_contingency([b, n - b], correction=False).statistic / 3
        // = 3.125000; 1 + (x - 1) * (t.ppf(.975, 3) / norm.ppf(.975))**2
        let found = between(&[(2.0, 20.0), (9.0, 30.0), (1.0, 25.0), (8.0, 25.0)]).factor(0.2 * 0.8).unwrap();
        assert!((found - 6.602539435497769).abs() < 1e-9, "{found}");
        assert_eq!(between(&[(10.0, 50.0), (10.0, 50.0), (10.0, 50.0)]).factor(0.16), Some(1.0));
    }

    #[test]
    fn too_little_measures_nothing() {
        assert_eq!(between(&[(1.0, 50.0), (9.0, 50.0)]).factor(0.09), None);
        assert_eq!(between(&[(1.0, 9.0), (2.0, 9.0), (3.0, 9.0)]).factor(0.2), None);
        assert_eq!(between(&[(0.0, 90.0), (0.0, 90.0), (0.0, 90.0)]).factor(0.0), None);
    }
}
