//! What one window says about one rule: numbers beside their baseline, and a verdict.

use serde::{Deserialize, Serialize};

use super::expr::{Name, Unknown};
use super::measurements::Observation;
use super::rule::Rule;
use super::spread::Limits;

/// What one window says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Wrong.
    Breach,
    /// Right.
    Clear,
    /// Neither: between `expr` and `recover_expr`.
    Grey,
    /// Too few values to say.
    Thin,
    /// No values at all.
    Missing,
    /// The expression gave no number.
    Error,
}

impl Verdict {
    /// Name in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breach => "breach",
            Self::Clear => "clear",
            Self::Grey => "grey",
            Self::Thin => "thin",
            Self::Missing => "missing",
            Self::Error => "error",
        }
    }
}

/// The numbers of one window and its baseline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// The window.
    pub window: Observation,
    /// The baseline, if the rule has one and it has enough values.
    pub baseline: Option<Observation>,
    /// `value - baseline`.
    pub delta: Option<f64>,
    /// `delta / baseline`.
    pub delta_pct: Option<f64>,
    /// `delta` in standard errors.
    pub z: Option<f64>,
    /// The metric's own p, or the two-sided normal p of `z`.
    pub p: Option<f64>,
    /// Limits from the metric's own last windows, if the rule has a spread and there are enough.
    pub limits: Option<Limits>,
}

impl Numbers {
    /// Puts a window beside its baseline.
    pub fn new(window: Observation, baseline: Option<Observation>) -> Self {
        let values = baseline.as_ref().and_then(|base| Some((window.value?, base.value?)));
        let delta = values.map(|(value, base)| value - base);
        // Where nothing changed, the relative change is 0 even if the baseline is 0.
        let delta_pct = values.map(|(value, base)| if value == base { 0.0 } else { (value - base) / base.abs() });
        let z = baseline.as_ref().and_then(|base| z_score(&window, base));
        let p = window.p.or_else(|| z.map(two_sided_p));
        Self { window, baseline, delta, delta_pct, z, p, limits: None }
    }

    /// The value of a name, if it has one.
    pub fn get(&self, name: Name) -> Option<f64> {
        let window = &self.window;
        match name {
            Name::Value => window.value,
            Name::N => Some(window.n as f64),
            Name::BadN => Some(window.bad_n as f64),
            Name::Lo => window.lo,
            Name::Hi => window.hi,
            Name::Min => window.min,
            Name::Max => window.max,
            Name::Stddev => window.stddev,
            Name::P50 => window.p50,
            Name::P90 => window.p90,
            Name::P95 => window.p95,
            Name::P99 => window.p99,
            Name::Age => window.age,
            Name::Baseline => self.baseline.as_ref()?.value,
            Name::BaseN => Some(self.baseline.as_ref()?.n as f64),
            Name::Delta => self.delta,
            Name::DeltaPct => self.delta_pct,
            Name::Z => self.z,
            Name::P => self.p,
            Name::Lower => Some(self.limits?.lower),
            Name::Upper => Some(self.limits?.upper),
        }
    }

    /// Names and values for a template.
    pub(super) fn for_template(&self) -> Vec<(&'static str, Option<f64>)> {
        Name::ALL.into_iter().map(|name| (name.as_str(), self.get(name))).collect()
    }
}

/// The difference of two means in standard errors, variance pooled over both samples (Student's two-sample statistic). Where
/// the metric has no standard deviation, its value is a share of bad ones and the two-proportion statistic is used.
fn z_score(window: &Observation, base: &Observation) -> Option<f64> {
    let (value, base_value) = (window.value?, base.value?);
    let (n, m) = (window.n as f64, base.n as f64);
    if window.n < 2 || base.n < 2 {
        return None;
    }
    let variance = if let (Some(s), Some(t)) = (window.stddev, base.stddev) {
        ((n - 1.0) * s * s + (m - 1.0) * t * t) / (n + m - 2.0)
    } else {
        let share = (value * n + base_value * m) / (n + m);
        if !(0.0..=1.0).contains(&share) {
            return None;
        }
        share * (1.0 - share)
    };
    let error = (variance * (1.0 / n + 1.0 / m)).sqrt();
    let z = (value - base_value) / error;
    z.is_finite().then_some(z)
}

/// Two-sided tail of the standard normal distribution.
fn two_sided_p(z: f64) -> f64 {
    statrs::function::erf::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// Judges one window. A baseline with too few values counts as none, so that a cold start never fires.
pub fn judge(
    rule: &Rule,
    window: Option<&Observation>,
    baseline: Option<&Observation>,
    limits: Option<Limits>,
) -> (Verdict, Numbers) {
    let enough = rule.baseline.map_or(u64::MAX, |trailing| trailing.min_samples.max(1));
    let baseline = baseline.filter(|base| base.n >= enough).cloned();
    let Some(window) = window.filter(|window| window.n > 0 || window.value.is_some()) else {
        return (Verdict::Missing, Numbers { limits, ..Numbers::new(Observation::default(), baseline) });
    };
    let numbers = Numbers { limits, ..Numbers::new(window.clone(), baseline) };
    if numbers.window.n < rule.min_samples {
        return (Verdict::Thin, numbers);
    }
    let lookup = |name| numbers.get(name);
    let verdict = match rule.expr.evaluate(&lookup) {
        Ok(true) if numbers.window.bad_n < rule.min_bad => Verdict::Grey,
        Ok(true) => Verdict::Breach,
        Ok(false) => match &rule.recover {
            None => Verdict::Clear,
            Some((recover, _)) => match recover.evaluate(&lookup) {
                Ok(true) => Verdict::Clear,
                Ok(false) => Verdict::Grey,
                Err(unknown) => of_unknown(unknown),
            },
        },
        Err(unknown) => of_unknown(unknown),
    };
    (verdict, numbers)
}

fn of_unknown(unknown: Unknown) -> Verdict {
    match unknown {
        Unknown::Missing(_) => Verdict::Thin,
        Unknown::NotANumber => Verdict::Error,
    }
}

/// Puts observations of disjoint stretches together, given as (observation, length). Means are weighted by their values, rates
/// (`stddev` absent and value not a share of `n`) too: exact for means and shares, close for rates.
pub(super) fn merge(parts: &[Observation]) -> Option<Observation> {
    let n: u64 = parts.iter().map(|part| part.n).sum();
    if n == 0 {
        return None;
    }
    let mean = parts.iter().filter_map(|part| Some(part.value? * part.n as f64)).sum::<f64>() / n as f64;
    let squares: Option<f64> = parts
        .iter()
        .map(|part| {
            let (value, stddev) = (part.value?, part.stddev?);
            let m = part.n as f64;
            Some((m - 1.0).max(0.0) * stddev * stddev + m * (value - mean) * (value - mean))
        })
        .sum();
    Some(Observation {
        value: Some(mean),
        n,
        bad_n: parts.iter().map(|part| part.bad_n).sum(),
        n_null: parts.iter().map(|part| part.n_null).sum(),
        stddev: squares.filter(|_| n > 1).map(|squares| (squares / (n as f64 - 1.0)).sqrt()),
        ..Observation::default()
    })
}

#[cfg(test)]
mod tests {
    use super::{Numbers, Verdict, judge, merge};
    use crate::alert::measurements::Observation;
    use crate::alert::sample;

    fn seen(value: f64, n: u64) -> Observation {
        Observation { value: Some(value), n, stddev: Some(0.1), ..Observation::default() }
    }

    #[test]
    fn z_agrees_with_the_textbook() {
        // Python: v=((n-1)*s*s+(m-1)*t*t)/(n+m-2); (a-b)/sqrt(v*(1/n+1/m)), as in scipy.stats.ttest_ind_from_stats
        let window = Observation { value: Some(0.71), n: 412, stddev: Some(0.21), ..Observation::default() };
        let base = Observation { value: Some(0.908), n: 9870, stddev: Some(0.12), ..Observation::default() };
        let numbers = Numbers::new(window, Some(base));
        assert!((numbers.z.unwrap() - -31.538_891_546_681).abs() < 1e-9, "{:?}", numbers.z);
        // Python: p=130/5400; (30/400-100/5000)/sqrt(p*(1-p)*(1/400+1/5000))
        let window = Observation { value: Some(0.075), n: 400, bad_n: 30, ..Observation::default() };
        let base = Observation { value: Some(0.02), n: 5000, bad_n: 100, ..Observation::default() };
        let numbers = Numbers::new(window, Some(base));
        assert!((numbers.z.unwrap() - 6.905_539_017_962).abs() < 1e-9, "{:?}", numbers.z);
        assert!(numbers.p.unwrap() < 1e-11);
    }

    #[test]
    fn a_window_is_breached_clear_grey_thin_or_missing() {
        let rule = sample::rule("expr: value < 0.8", "recover_expr: value >= 0.85", "");
        for (window, verdict) in [
            (Some(seen(0.7, 30)), Verdict::Breach),
            (Some(seen(0.9, 30)), Verdict::Clear),
            (Some(seen(0.82, 30)), Verdict::Grey),
            (Some(seen(0.1, 29)), Verdict::Thin),
            (Some(Observation::default()), Verdict::Missing),
            (None, Verdict::Missing),
        ] {
            assert_eq!(judge(&rule, window.as_ref(), None, None).0, verdict, "{window:?}");
        }
    }

    #[test]
    fn a_cold_baseline_never_fires_and_never_hides_a_fixed_limit() {
        let rule =
            sample::rule("expr: value < 0.5 or delta < -0.1", "baseline: { kind: trailing, window: 1h, min_samples: 100 }", "");
        assert_eq!(judge(&rule, Some(&seen(0.7, 50)), Some(&seen(0.9, 99)), None).0, Verdict::Thin);
        assert_eq!(judge(&rule, Some(&seen(0.4, 50)), Some(&seen(0.9, 99)), None).0, Verdict::Breach);
        assert_eq!(judge(&rule, Some(&seen(0.7, 50)), Some(&seen(0.9, 100)), None).0, Verdict::Breach);
        assert_eq!(judge(&rule, Some(&seen(0.85, 50)), Some(&seen(0.9, 100)), None).0, Verdict::Clear);
    }

    #[test]
    fn nan_is_a_verdict_of_its_own() {
        let rule = sample::rule("expr: bad_n / (n - n) > 1", "", "");
        assert_eq!(judge(&rule, Some(&seen(0.7, 50)), None, None).0, Verdict::Error);
    }

    #[test]
    fn merging_gives_the_mean_and_deviation_of_all_values() {
        // numpy: a = [1, 2, 3], b = [10, 20]; mean 7.2, std(ddof=1) 7.981227975693966
        let a = Observation { value: Some(2.0), n: 3, stddev: Some(1.0), ..Observation::default() };
        let b = Observation { value: Some(15.0), n: 2, stddev: Some(50_f64.sqrt()), ..Observation::default() };
        let all = merge(&[a, b]).unwrap();
        assert!((all.value.unwrap() - 7.2).abs() < 1e-12);
        assert!((all.stddev.unwrap() - 7.981_227_975_7).abs() < 1e-9);
        assert_eq!(merge(&[]), None);
    }
}
