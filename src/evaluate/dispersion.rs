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
use crate::measure::{Metric, Partial, measures};

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
    seen.dispersion = derived.dispersion;
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

/// By group and scorer, and then by place of the metric in the list asked for.
pub(super) type Dispersions = HashMap<(u32, u8), Vec<Between>>;

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
            let between = found.entry((first.group, first.scorer)).or_insert_with(|| vec![Between::default(); metrics.len()]);
            let counted = |metric: &Metric| {
                // What is counted by the time of the answer is kept by the hour: shorter stretches would all look alike.
                let by_answer = metric.measures.iter().copied().any(measures::is_by_answer);
                metric.scored == (first.scorer > 0) && (!by_answer || step == Timestamp::HOUR_US)
            };
            for (metric, between) in metrics.iter().zip(between).filter(|(metric, _)| counted(metric)) {
                if let Some(part) = fraction(&metric.value, &table) {
                    between.add(part);
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
    let mut parts: Vec<Partial> = Vec::new();
    // Sorted are small keys, not the sums.
    let mut order: Vec<(u64, usize)> = Vec::new();
    for series in level.series(from, to).into_iter().filter(|series| needed & bit(series.measure()) != 0) {
        let key = u64::from(series.scorer()) << 16 | u64::from(series.measure().0);
        for block in level.blocks(series, from, to) {
            block.for_each(|group, partial, _| {
                if wanted(group) {
                    order.push((u64::from(group) << 24 | key, parts.len()));
                    parts.push(partial);
                }
            });
        }
    }
    order.sort_unstable();
    let mut cells: Vec<Gathered> = Vec::new();
    let mut last = None;
    for (key, at) in order {
        let Some(partial) = parts.get_mut(at).map(std::mem::take) else { continue };
        match cells.last_mut().filter(|_| last == Some(key)) {
            Some(cell) => cell.partial.merge_moments(&partial),
            None => cells.push(Gathered::of_key(key, partial)),
        }
        last = Some(key);
    }
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

    /// Pseudo-random share (xorshift64*).
    fn share(state: &mut u64) -> f64 {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as f64 / f64::from(1_u32 << 31)
    }

    /// Share of hours whose interval holds the true rate of 0.1, plain and widened: conversations of six answers within three
    /// minutes, of which one in `clustered` is always wrong and the others are wrong as often as makes up for it.
    fn coverage(clustered: f64, state: &mut u64) -> [f64; 2] {
        let (rate, hours) = (0.1, 400);
        let mut held = [0.0; 2];
        for _ in 0..hours {
            let mut stretches = [(0.0, 0.0); 12];
            for _ in 0..200 {
                let begin = share(state) * 63.0 - 3.0;
                let wrong = if share(state) < clustered { 1.0 } else { (rate - clustered) / (1.0 - clustered) };
                for _ in 0..6 {
                    let minute = begin + share(state) * 3.0;
                    let bad = share(state) < wrong;
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 11")]
                    if (0.0..60.0).contains(&minute) {
                        let stretch = &mut stretches[(minute / 5.0) as usize];
                        (stretch.0, stretch.1) = (stretch.0 + f64::from(u8::from(bad)), stretch.1 + 1.0);
                    }
                }
            }
            let between = between(&stretches);
            let found = between.over / between.under;
            let factor = between.factor(found * (1.0 - found)).unwrap();
            for (held, factor) in held.iter_mut().zip([1.0, factor]) {
                let (lo, hi) = interval::wilson(between.over / factor, between.under / factor).unwrap();
                *held += if (lo..=hi).contains(&rate) { 1.0 / f64::from(hours) } else { 0.0 };
            }
        }
        held
    }

    #[test]
    fn widened_intervals_hold_the_truth_about_as_often_as_they_say() {
        let mut state = 11;
        let independent = coverage(0.0, &mut state);
        assert!(independent[0] > 0.92 && independent[1] >= independent[0], "{independent:?}");
        let conversations = coverage(0.07, &mut state);
        assert!(conversations[0] < 0.75 && conversations[1] > 0.88, "{conversations:?}");
    }

    #[test]
    fn too_little_measures_nothing() {
        assert_eq!(between(&[(1.0, 50.0), (9.0, 50.0)]).factor(0.09), None);
        assert_eq!(between(&[(1.0, 9.0), (2.0, 9.0), (3.0, 9.0)]).factor(0.2), None);
        assert_eq!(between(&[(0.0, 90.0), (0.0, 90.0), (0.0, 90.0)]).factor(0.0), None);
    }
}
