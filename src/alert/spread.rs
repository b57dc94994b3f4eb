//! The spread of a metric over its own last windows: limits that it seldom crosses by itself.
//!
//! The limits are order statistics of the windows before, so they need no law: of windows that come from one source in any order,
//! a new one lies above the k-th greatest of N with probability k / (N + 1), however skewed the metric is. Limits exist only once
//! there are as many windows as the level needs: 99 for 1 %, and never fewer than 30.
//!
//! Windows are those of the rule's own length, one after the other, each read once when it has just closed and kept as it was.
//! Windows in which the alert was on teach nothing.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::measurements::{Labels, Measurements};
use super::rule::Rule;
use crate::event::Timestamp;

/// Windows below which there are no limits, whatever the level.
const WINDOWS_MIN: usize = 30;

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Windows that are looked back on.
    pub windows: u32,
    /// Share of windows that may lie beyond each limit by themselves, above 0 and below 0.5.
    pub level: f64,
}

impl Spread {
    /// Windows needed.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a level of 1e-6 needs a million windows")]
    pub fn needed(&self) -> usize {
        ((1.0 / self.level - 1e-9).ceil() as usize).saturating_sub(1).max(WINDOWS_MIN)
    }
}

/// The limits of one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// At most the level's share of windows lie below.
    pub lower: f64,
    /// At most the level's share of windows lie above.
    pub upper: f64,
    /// Windows that they are from.
    pub windows: u32,
    /// The level.
    pub level: f64,
}

impl Limits {
    /// The limits of some values; none of too few.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    pub fn of(values: impl Iterator<Item = f64>, spread: &Spread) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        let rank = ((values.len() as f64 + 1.0) * spread.level + 1e-9) as usize;
        if values.len() < spread.needed() || rank == 0 {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let (lower, upper) = (*values.get(rank - 1)?, *values.get(values.len() - rank)?);
        Some(Self { lower, upper, windows: u32::try_from(values.len()).unwrap_or(u32::MAX), level: spread.level })
    }
}

/// The windows of one rule that are remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    /// End of the newest.
    end: Option<Timestamp>,
    /// By labels, ordered: ends of windows and their values, oldest first.
    by_labels: Vec<(Labels, VecDeque<(Timestamp, f64)>)>,
}

impl Past {
    /// Reads the windows that have closed since, up to the one before the window that ends at `t`. `is_on` says for which
    /// labels the alert is on.
    pub(super) fn advance(
        &mut self,
        rule: &Rule,
        spread: &Spread,
        measurements: &dyn Measurements,
        t: Timestamp,
        is_on: impl Fn(&Labels) -> bool,
    ) {
        let newest = t.plus(-rule.over_us).floor(rule.over_us);
        let first = newest.plus(-rule.over_us * i64::from(spread.windows.saturating_sub(1)));
        let mut end = self.end.map_or(first, |end| end.plus(rule.over_us).max(first));
        if end > newest {
            return;
        }
        self.end = Some(newest);
        while end <= newest {
            for (labels, seen) in measurements.pooled(&rule.query, end.plus(-rule.over_us), end) {
                let value = seen.value.filter(|value| value.is_finite() && seen.n >= rule.min_samples.max(1));
                if let Some(value) = value.filter(|_| !is_on(&labels)) {
                    let at = self.place(&labels).unwrap_or_else(|at| {
                        self.by_labels.insert(at, (labels, VecDeque::new()));
                        at
                    });
                    if let Some((_, values)) = self.by_labels.get_mut(at) {
                        values.push_back((end, value));
                    }
                }
            }
            end = end.plus(rule.over_us);
        }
        // While an alert is on, nothing new is learnt, so nothing is forgotten either.
        self.by_labels.retain_mut(|(labels, values)| {
            while !is_on(labels) && values.front().is_some_and(|(end, _)| *end < first) {
                values.pop_front();
            }
            !values.is_empty()
        });
    }

    fn place(&self, labels: &Labels) -> Result<usize, usize> {
        self.by_labels.binary_search_by(|(whose, _)| whose.cmp(labels))
    }

    /// The limits for one alert.
    pub(super) fn limits(&self, labels: &Labels, spread: &Spread) -> Option<Limits> {
        let (_, values) = self.by_labels.get(self.place(labels).ok()?)?;
        Limits::of(values.iter().map(|(_, value)| *value), spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample::{self, Table};

    /// Pseudo-random shares (xorshift64*).
    struct Chance(u64);

    impl Chance {
        fn share(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as f64 + 0.5) / f64::from(1_u32 << 31)
        }

        fn bell(&mut self) -> f64 {
            (-2.0 * self.share().ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
        }
    }

    /// What a metric does from window to window.
    #[derive(Clone, Copy)]
    enum Law {
        Bell,
        /// As latencies and PSI are.
        Skewed,
        /// As rates of few events are.
        Counts,
    }

    impl Law {
        fn draw(self, chance: &mut Chance) -> f64 {
            match self {
                Self::Bell => chance.bell(),
                Self::Skewed => chance.bell().exp(),
                Self::Counts => {
                    // Arrivals of a Poisson process in the time in which two are expected.
                    let (mut events, mut at) = (0.0, -chance.share().ln());
                    while at < 2.0 {
                        (events, at) = (events + 1.0, at - chance.share().ln());
                    }
                    events
                }
            }
        }
    }

    /// Share of new windows above the upper limit, and above mean + 3 standard deviations, of `n` windows before.
    fn beyond(law: Law, n: u32, level: f64) -> (f64, f64) {
        let mut chance = Chance(5 + u64::from(n));
        let (spread, rounds) = (Spread { windows: n, level }, 4_000);
        let (mut above, mut above_three) = (0.0, 0.0);
        for _ in 0..rounds {
            let before: Vec<f64> = (0..n).map(|_| law.draw(&mut chance)).collect();
            let new = law.draw(&mut chance);
            let mean = before.iter().sum::<f64>() / f64::from(n);
            let stddev = (before.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / f64::from(n)).sqrt();
            above += f64::from(u8::from(new > Limits::of(before.into_iter(), &spread).unwrap().upper));
            above_three += f64::from(u8::from(new > mean + 3.0 * stddev));
        }
        (above / f64::from(rounds), above_three / f64::from(rounds))
    }

    #[test]
    fn windows_without_a_change_stay_within_at_the_level_however_skewed() {
        for (name, law) in [("bell", Law::Bell), ("skewed", Law::Skewed), ("counts", Law::Counts)] {
            for (n, level) in [(33, 0.03), (99, 0.01), (168, 0.01), (199, 0.005)] {
                let (share, three) = beyond(law, n, level);
                println!("{name}, {n} windows, level {level}: {share:.4} above the limit, {three:.4} above mean + 3 sd");
                assert!(share <= level + 3.0 * (level / 4_000.0).sqrt(), "{name} {n}: {share}");
                if matches!(law, Law::Skewed) {
                    assert!(three > 0.015, "{three}");
                }
            }
        }
    }

    #[test]
    fn limits_are_the_ranks_that_the_level_asks_for() {
        let of = |n: u32, level: f64| Limits::of((1..=n).rev().map(f64::from), &Spread { windows: n, level });
        assert_eq!(of(29, 0.1), None);
        assert_eq!(of(98, 0.01), None);
        assert_eq!(of(99, 0.01), Some(Limits { lower: 1.0, upper: 99.0, windows: 99, level: 0.01 }));
        assert_eq!(of(199, 0.01).map(|limits| (limits.lower, limits.upper)), Some((2.0, 198.0)));
        assert_eq!(of(30, 0.1).map(|limits| (limits.lower, limits.upper)), Some((3.0, 28.0)));
    }

    #[test]
    fn windows_are_read_once_and_those_of_an_alert_that_is_on_not_at_all() {
        let rule = sample::rule("expr: value < lower", "spread: { windows: 40, level: 10% }", "");
        let spread = rule.spread.unwrap();
        let minutes = |count: usize| (0..count).map(|at| ((at / 5) as f64 / 1_000.0, 10)).collect();
        let start = Timestamp(0);
        let at = |minute: i64| Timestamp(minute * Timestamp::MINUTE_US);
        let mut past = Past::default();
        let table = Table { start, minutes: minutes(1_000) };
        past.advance(&rule, &spread, &table, at(252), |_| false);
        // The window that is judged is 247 to 252, so the last before it ends at 245; the 40 are numbers 9 to 48.
        let found = past.limits(&sample::labels(), &spread).unwrap();
        assert_eq!((found.lower, found.upper, found.windows), (0.012, 0.045, 40));
        let before = past.clone();
        past.advance(&rule, &spread, &table, at(254), |_| false);
        assert_eq!(past, before);
        past.advance(&rule, &spread, &table, at(500), |_| true);
        assert_eq!(past.limits(&sample::labels(), &spread), Some(found));
        past.advance(&rule, &spread, &table, at(505), |_| false);
        assert_eq!(past.limits(&sample::labels(), &spread), None);
    }
}
