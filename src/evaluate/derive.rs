//! From the partials of one window or stretch to a metric's numbers: the one computation behind published rows, rules and
//! recomputation.
//!
//! No NaN and no infinity leaves this module (ME-2): what has no value is `None` with a status that says why.

use super::{Observation, ValueStatus, interval};
use crate::measure::registry::{Field, Metric, Term, Value};
use crate::measure::{Edges, Measure, Partial, measures, quantiles};

/// Below this many values a mean or a rate is thin.
pub(super) const THIN_BELOW: u64 = 30;
/// Values needed for the 95 % quantile.
const P95_FROM: u64 = 200;
/// Values needed for the 99 % quantile.
const P99_FROM: u64 = 1_000;

/// The partials of one group by measure.
pub(super) type Cells<'a> = [Option<&'a Partial>; measures::COUNT];

/// A metric's numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Derived {
    pub(super) observation: Observation,
    pub(super) sum: f64,
    pub(super) sum_sq: f64,
    pub(super) status: Option<ValueStatus>,
    /// Values of what it is compared with.
    pub(super) reference_n: Option<u64>,
    /// What the value would be on average without drift.
    pub(super) expected: Option<f64>,
    /// Factor by which the variance of the value is greater than that of independent values.
    pub(super) dispersion: Option<f64>,
}

/// The metric's numbers over `span_us` of time, or `None` where there was nothing to measure. Drift, ages and signals of the
/// service need more than partials and are not made here.
pub(super) fn derive(metric: &Metric, cells: &Cells<'_>, span_us: i64) -> Option<Derived> {
    match &metric.value {
        Value::Count(measure) => {
            let partial = cells[measure.index()].filter(|partial| partial.n > 0 || partial.is_nothing())?;
            let n = partial.n as f64;
            Some(with_value(partial.n, 0, n, n, Some(n)))
        }
        Value::Total(measure) => {
            let mut derived = of_values(*measure, cells[measure.index()]?);
            derived.observation.value = (derived.observation.n > 0).then_some(derived.sum);
            Some(derived)
        }
        Value::Mean(measure) => Some(mean(metric, *measure, cells[measure.index()]?)),
        Value::Least(measure) => {
            let mut derived = of_values(*measure, cells[measure.index()]?);
            derived.observation.value = derived.observation.min;
            Some(derived)
        }
        Value::Exhaustion(stores) => {
            let mut least: Option<(f64, u64)> = None;
            let mut reported = 0;
            for store in stores {
                let Some(left) = cells[store.left.index()].filter(|left| left.n > 0) else { continue };
                reported = reported.max(left.n);
                let used = store.used.iter().filter_map(|measure| Some(scaled(cells[measure.index()]?.sum, measure.info().scale)));
                let per_second = used.sum::<f64>() / (span_us as f64 / 1e6);
                let eta = left.min as f64 / store.left.info().scale as f64 / per_second;
                if eta.is_finite() && least.is_none_or(|(known, _)| eta < known) {
                    least = Some((eta, left.n));
                }
            }
            match least {
                Some((eta, n)) => Some(with_value(n, 0, eta, 0.0, Some(eta))),
                None if reported > 0 => Some(with_value(reported, 0, 0.0, 0.0, None)),
                None => None,
            }
        }
        Value::Sum(terms) => {
            let sum = total(cells, terms)?;
            Some(with_value(whole(sum), 0, sum, 0.0, Some(sum)))
        }
        Value::PerMinute(all) => {
            let present = all.iter().filter_map(|measure| cells[measure.index()].map(|partial| (measure, partial)));
            let (mut n, mut sum) = (0, None);
            for (measure, partial) in present.filter(|(_, partial)| partial.n > 0) {
                n = n.max(partial.n);
                sum = Some(sum.unwrap_or(0.0) + scaled(partial.sum, measure.info().scale));
            }
            let sum = sum?;
            Some(with_value(n, 0, sum, 0.0, Some(sum / (span_us as f64 / 60e6))))
        }
        Value::Rate { numerator, denominator, without } => rate(cells, numerator, denominator, without),
        Value::Ratio { over, under } => {
            let (sum, n) = (total(cells, over)?, total(cells, under));
            let n = n.unwrap_or(0.0);
            // Of values that are all unknown the sum is no zero.
            let value = (n > 0.0 && over.iter().any(|term| is_known(cells, *term))).then(|| sum / n);
            Some(with_value(whole(n), 0, sum, 0.0, value))
        }
        Value::Composed(composed) => {
            let found = composed.compose(|measure| cells[measure.index()])?;
            let mut derived = with_value(found.n, found.bad_n, 0.0, 0.0, found.value);
            (derived.observation.lo, derived.observation.hi) = found.bounds.unzip();
            if found.n < THIN_BELOW || found.value.is_none() {
                derived.status = Some(ValueStatus::Thin);
            }
            Some(derived)
        }
        Value::Age(_)
        | Value::AgeSince { .. }
        | Value::Drift { .. }
        | Value::Change { .. }
        | Value::Maturity { .. }
        | Value::Service(_) => None,
    }
}

/// Mean of values that are in a measure's unit.
pub(super) fn mean(metric: &Metric, unit: Measure, values: &Partial) -> Derived {
    let mut derived = of_values(unit, values);
    let seen = &mut derived.observation;
    seen.value = (seen.n > 0).then(|| derived.sum / seen.n as f64);
    if let (Some(mean), Some(stddev), true) = (seen.value, seen.stddev, metric.is_bounded()) {
        let bounds = interval::student(mean, stddev, seen.n);
        (seen.lo, seen.hi) = (bounds.map(|(lo, _)| lo.max(0.0)), bounds.map(|(_, hi)| hi.min(1.0)));
    }
    if derived.status.is_none() && derived.observation.n < THIN_BELOW {
        derived.status = Some(ValueStatus::Thin);
    }
    derived
}

/// Numerator and denominator of a rate, or sum and number of values of a mean; `None` where there is no denominator.
pub(super) fn fraction(value: &Value, cells: &Cells<'_>) -> Option<(f64, f64)> {
    match value {
        Value::Mean(measure) => {
            let partial = cells[measure.index()].filter(|partial| partial.n > 0)?;
            Some((scaled(partial.sum, measure.info().scale), partial.n as f64))
        }
        Value::Rate { numerator, denominator, without } => {
            let n = total(cells, denominator)? - total(cells, without).unwrap_or(0.0);
            (n > 0.0).then(|| (total(cells, numerator).unwrap_or(0.0), n))
        }
        _ => None,
    }
}

fn rate(cells: &Cells<'_>, numerator: &[Term], denominator: &[Term], without: &[Term]) -> Option<Derived> {
    let of = total(cells, denominator)?;
    let n = (of - total(cells, without).unwrap_or(0.0)).max(0.0);
    let bad = total(cells, numerator).unwrap_or(0.0);
    let value = (n > 0.0).then(|| bad / n);
    let mut derived = with_value(whole(n), whole(bad), bad, bad, value);
    if let Some((lo, hi)) = interval::wilson(bad, n) {
        (derived.observation.lo, derived.observation.hi) = (Some(lo), Some(hi));
    }
    derived.observation.n_null =
        denominator.iter().filter_map(|term| cells[term.measure.index()]).map(|partial| partial.n_null).sum();
    if derived.status.is_none() && n < THIN_BELOW as f64 {
        derived.status = Some(ValueStatus::Thin);
    }
    Some(derived)
}

/// Sum of the terms; `None` where none of the measures occurred.
fn total(cells: &Cells<'_>, terms: &[Term]) -> Option<f64> {
    let mut sum = None;
    for term in terms {
        let Some(partial) = cells[term.measure.index()] else { continue };
        let part = match term.field {
            Field::N => partial.n as f64,
            Field::Bad => partial.bad_n as f64,
            Field::Sum => scaled(partial.sum, term.measure.info().scale),
            Field::Category(category) => {
                let at = partial.hist.binary_search_by_key(&category.bin(), |(bin, _)| *bin);
                at.ok().and_then(|at| partial.hist.get(at)).map_or(0.0, |(_, count)| f64::from(*count))
            }
        };
        sum = Some(sum.unwrap_or(0.0) + part);
    }
    sum
}

/// Whether anything is known of a term: a count always is, a sum is where there are values.
fn is_known(cells: &Cells<'_>, term: Term) -> bool {
    cells[term.measure.index()].is_some_and(|partial| term.field != Field::Sum || partial.n > 0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums of counts, far below 2^53")]
fn whole(value: f64) -> u64 {
    value as u64
}

fn with_value(n: u64, bad_n: u64, sum: f64, sum_sq: f64, value: Option<f64>) -> Derived {
    let status = value.is_none().then_some(ValueStatus::NotApplicable);
    Derived { observation: Observation { value, n, bad_n, ..Observation::default() }, sum, sum_sq, status, ..Derived::default() }
}

/// Moments and quantiles of one measure, in published units.
pub(super) fn of_values(measure: Measure, partial: &Partial) -> Derived {
    let info = measure.info();
    let scale = info.scale as f64;
    let n = partial.n;
    let mut seen = Observation { n, bad_n: partial.bad_n, n_null: partial.n_null, ..Observation::default() };
    let is_number = info.edges.are_of_values() || info.edges == Edges::None;
    if n > 0 && is_number && !measures::is_corrected(measure) {
        seen.min = Some(partial.min as f64 / scale);
        seen.max = Some(partial.max as f64 / scale);
    }
    if n > 0 {
        seen.stddev = stddev(partial).map(|stddev| stddev / scale);
    }
    if !partial.hist.is_empty() && is_number {
        // What can be corrected has no sure least and greatest value.
        let (min, max) = if measures::is_corrected(measure) { (i64::MIN, i64::MAX) } else { (partial.min, partial.max) };
        let found = quantiles(info.edges, &partial.hist, min, max, [0.5, 0.9, 0.95, 0.99]);
        let [p50, p90, p95, p99] = found.map(|quantile| quantile.map(|quantile| quantile / scale));
        (seen.p50, seen.p90) = (p50, p90);
        (seen.p95, seen.p99) = (p95.filter(|_| n >= P95_FROM), p99.filter(|_| n >= P99_FROM));
    }
    let status = (n == 0).then_some(ValueStatus::NotApplicable);
    let (sum, sum_sq) = (scaled(partial.sum, info.scale), partial.sum_sq as f64 / (scale * scale));
    Derived { observation: seen, sum, sum_sq, status, ..Derived::default() }
}

fn scaled(sum: i128, scale: i64) -> f64 {
    sum as f64 / scale as f64
}

/// Sample standard deviation in the measure's integer unit. The difference is taken in integers where it fits, so that equal
/// values give exactly zero.
fn stddev(partial: &Partial) -> Option<f64> {
    let n = i128::from(partial.n);
    if n < 2 {
        return None;
    }
    let squares = match (partial.sum_sq.checked_mul(n), partial.sum.checked_mul(partial.sum)) {
        (Some(left), Some(right)) => (left - right) as f64 / n as f64,
        _ => partial.sum_sq as f64 - (partial.sum as f64) * (partial.sum as f64) / n as f64,
    };
    Some((squares.max(0.0) / (n - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Registry;

    fn partial(measure: Measure, values: &[i64], bad_n: u64) -> Partial {
        let mut whole = Partial { bad_n, ..Partial::default() };
        for value in values {
            whole.merge(&Partial {
                n: 1,
                sum: i128::from(*value),
                sum_sq: i128::from(*value) * i128::from(*value),
                min: *value,
                max: *value,
                hist: if measure.info().edges == Edges::None { vec![] } else { vec![(measure.info().edges.bin(*value), 1)] },
                ..Partial::default()
            });
        }
        whole
    }

    fn derived(name: &str, partials: &[(Measure, Partial)]) -> Option<Derived> {
        let registry = Registry::builtin().unwrap();
        let mut cells: Cells<'_> = [None; measures::COUNT];
        for (measure, partial) in partials {
            cells[measure.index()] = Some(partial);
        }
        derive(registry.get(name).unwrap(), &cells, 3_600_000_000)
    }

    #[test]
    fn the_error_rate_leaves_the_clients_part_out_of_the_denominator() {
        let count = |measure, n: usize| (measure, partial(measure, &vec![1; n], 0));
        let cells = [
            count(measures::REQUESTS, 100),
            count(measures::STATUS_PROVIDER_5XX, 3),
            count(measures::STATUS_THROTTLED_429, 6),
            count(measures::STATUS_CLIENT_4XX, 8),
            count(measures::STATUS_CANCELLED, 2),
        ];
        let found = derived("error_rate", &cells).unwrap();
        assert_eq!((found.observation.n, found.observation.bad_n, found.status), (90, 9, None));
        assert_eq!(found.observation.value, Some(0.1));
        let all_client = [count(measures::REQUESTS, 5), count(measures::STATUS_CLIENT_4XX, 5)];
        let found = derived("error_rate", &all_client).unwrap();
        assert_eq!((found.observation.value, found.status), (None, Some(ValueStatus::NotApplicable)));
        assert_eq!(derived("error_rate", &[]), None);
    }

    #[test]
    fn means_have_bounds_only_where_the_range_has() {
        let scores: Vec<i64> = (0..40).map(|i| 500_000_000 + i * 10_000_000).collect();
        let found = derived("groundedness", &[(measures::GROUNDEDNESS, partial(measures::GROUNDEDNESS, &scores, 0))]).unwrap();
        let seen = &found.observation;
        assert!((seen.value.unwrap() - 0.695).abs() < 1e-12);
        // numpy: std(ddof=1) = 0.11690451944500122; t(39) = 2.0226909200367595
        assert!((seen.stddev.unwrap() - 0.116_904_519_445_001_2).abs() < 1e-12);
        assert!((seen.lo.unwrap() - (0.695 - 2.022_690_920_036_76 * 0.116_904_519_445_001_2 / 40_f64.sqrt())).abs() < 1e-8);
        let latency = derived("latency_ms", &[(measures::LATENCY, partial(measures::LATENCY, &[1_000, 3_000], 0))]).unwrap();
        assert_eq!((latency.observation.value, latency.observation.lo, latency.status), (Some(2.0), None, Some(ValueStatus::Thin)));
    }

    #[test]
    fn quantiles_wait_for_their_minimum_counts() {
        let of = |n: i64| {
            let values: Vec<i64> = (1..=n).collect();
            derived("latency_ms", &[(measures::LATENCY, partial(measures::LATENCY, &values, 0))]).unwrap().observation
        };
        assert_eq!((of(199).p95, of(999).p99), (None, None));
        assert!(of(199).p90.is_some() && of(200).p95.is_some() && of(1_000).p99.is_some());
    }

    #[test]
    fn nothing_scored_is_not_applicable_and_nothing_at_all_is_no_row() {
        let nulls = Partial { n_null: 7, ..Partial::default() };
        let found = derived("groundedness", &[(measures::GROUNDEDNESS, nulls)]).unwrap();
        assert_eq!((found.observation.value, found.observation.n_null, found.status), (None, 7, Some(ValueStatus::NotApplicable)));
        assert_eq!(derived("groundedness", &[]), None);
    }

    #[test]
    fn the_quota_that_is_used_up_first_decides() {
        let of = |measure, values: &[i64]| (measure, partial(measure, values, 0));
        let mut cells = vec![
            of(measures::QUOTA_TOKENS_LEFT, &[90_000, 12_000, 40_000]),
            of(measures::QUOTA_REQUESTS_LEFT, &[300, 301, 302]),
            of(measures::TOKENS_INPUT, &[20_000, 30_000]),
            of(measures::TOKENS_OUTPUT, &[10_000]),
            of(measures::REQUESTS, &[1; 600]),
        ];
        // 12,000 / (60,000 / 3,600 s) and 300 / (600 / 3,600 s)
        assert_eq!(derived("quota.exhaustion_eta_s", &cells).unwrap().observation.value, Some(720.0));
        cells.remove(0);
        assert_eq!(derived("quota.exhaustion_eta_s", &cells).unwrap().observation.value, Some(1_800.0));
        cells.remove(0);
        assert_eq!(derived("quota.exhaustion_eta_s", &cells), None);
        let unused = [of(measures::QUOTA_TOKENS_LEFT, &[5]), of(measures::TOKENS_INPUT, &[0])];
        let found = derived("quota.exhaustion_eta_s", &unused).unwrap();
        assert_eq!((found.observation.value, found.status), (None, Some(ValueStatus::NotApplicable)));
    }

    #[test]
    fn totals_and_rates_per_minute() {
        let cells = [
            (measures::TOKENS_INPUT, partial(measures::TOKENS_INPUT, &[500, 700], 0)),
            (measures::TOKENS_OUTPUT, partial(measures::TOKENS_OUTPUT, &[600], 0)),
            (measures::REQUESTS, partial(measures::REQUESTS, &[1, 1], 0)),
        ];
        assert_eq!(derived("tokens.per_minute", &cells).unwrap().observation.value, Some(30.0));
        assert_eq!(derived("tokens.input", &cells).unwrap().observation.value, Some(1200.0));
        assert_eq!(derived("tokens.per_request", &cells).unwrap().observation.value, Some(900.0));
    }

    #[test]
    fn a_ratio_of_unknown_values_is_not_zero() {
        let unknown = |measure| (measure, Partial { n_null: 2, ..Partial::default() });
        let requests = (measures::REQUESTS, partial(measures::REQUESTS, &[1, 1], 0));
        let praised = (measures::ANSWER_PRAISED, partial(measures::ANSWER_PRAISED, &[1], 0));
        let found = derived("cost.per_positive_feedback", &[unknown(measures::COST), praised]).unwrap();
        assert_eq!((found.observation.value, found.status), (None, Some(ValueStatus::NotApplicable)));
        let cells = [unknown(measures::TOKENS_INPUT), unknown(measures::TOKENS_OUTPUT), requests];
        assert_eq!(derived("tokens.per_request", &cells).unwrap().observation.value, None);
    }

    #[test]
    fn bleu_and_the_calibration_error_are_those_of_the_pooled_sums() {
        let sum = |measure: Measure, values: &[i64]| (measure, partial(measure, values, 0));
        let bleu = [
            sum(measures::BLEU_MATCHED_1, &[2, 4]),
            sum(measures::BLEU_MATCHED_2, &[1, 3]),
            sum(measures::BLEU_MATCHED_3, &[0, 2]),
            sum(measures::BLEU_MATCHED_4, &[0, 1]),
            sum(measures::BLEU_NGRAMS_1, &[2, 4]),
            sum(measures::BLEU_NGRAMS_2, &[1, 3]),
            sum(measures::BLEU_NGRAMS_3, &[0, 2]),
            sum(measures::BLEU_NGRAMS_4, &[0, 1]),
            sum(measures::BLEU_REFERENCE_LENGTH, &[4, 4]),
        ];
        let found = derived("reference.bleu", &bleu).unwrap();
        assert_eq!((found.observation.n, found.status), (2, Some(ValueStatus::Thin)));
        // Everything matches; six tokens for eight.
        assert_eq!(found.observation.value, Some((1.0_f64 - 8.0 / 6.0).exp()));
        assert_eq!(derived("reference.bleu", &[]), None);
        let bins =
            [sum(measures::CALIBRATION_3, &[250_000_000, -750_000_000]), sum(measures::CALIBRATION_10, &[50_000_000, 50_000_000])];
        let found = derived("classification.calibration_error", &bins).unwrap();
        assert_eq!((found.observation.n, found.observation.value), (4, Some(0.15)));
        assert_eq!(derived("classification.calibration_error", &[]), None);
    }
}
