//! The registry of published metrics: `schemas/metrics.yaml`, read and checked.
//!
//! The file says how each metric is derived from base measures, so documentation, rule checking and computation have one
//! truth. A metric whose definition does not fit (an unknown measure, an impossible range) is an [`Error`], never ignored.

mod raw;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use self::raw::{RawFile, RawMetric};
use super::composed::Composed;
use super::{Category, Edges, Measure, Window, family};
use crate::event::Input;

/// The registry that is part of the program.
pub const METRICS_YAML: &str = include_str!("../../../schemas/metrics.yaml");

/// Why a registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not YAML of the expected shape.
    #[error("metrics.yaml cannot be read: {0}")]
    Syntax(String),
    /// A metric that makes no sense.
    #[error("metrics.yaml: metric {metric}: {problem}")]
    Metric {
        /// Its name.
        metric: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
}

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    HigherIsBetter,
    /// Less is better.
    LowerIsBetter,
    /// Neither.
    Neutral,
}

/// A set of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inputs(u8);

impl Inputs {
    /// All inputs.
    pub const ALL: Self = Self(0b111);

    /// The set of one.
    #[must_use]
    pub const fn of(input: Input) -> Self {
        Self(1 << input as u8)
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the input is in the set.
    #[must_use]
    pub const fn contains(self, input: Input) -> bool {
        self.0 & (1 << input as u8) != 0
    }

    /// Whether the sets have an input in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no input is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The inputs in the order of [`Input::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Input> {
        Input::ALL.into_iter().filter(move |input| self.contains(*input))
    }
}

/// Which number of a partial counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Number of values.
    N,
    /// Number of bad values.
    Bad,
    /// Sum of the values.
    Sum,
    /// Number of values of one category.
    Category(Category),
}

/// One number of one measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The measure.
    pub measure: Measure,
    /// The number.
    pub field: Field,
}

/// Statistic of a comparison with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Population stability index.
    Psi,
    /// Its p-value.
    PsiP,
    /// Its p-value, screened over all series of the window.
    PsiQ,
    /// Jensen–Shannon distance, base 2.
    Js,
    /// Kolmogorov–Smirnov distance; not of categories.
    Ks,
    /// Wasserstein distance in standard deviations of the reference; not of categories.
    Wasserstein,
    /// Pearson's chi-square; of categories only.
    ChiSquare,
    /// Share of events without a value.
    NullShare,
    /// Cosine distance of means; of vectors only.
    Cosine,
}

/// Part of the change of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The whole change.
    Total,
    /// What changed within each model, at the mix of models of the window before.
    Within,
    /// The rest: what came from another mix.
    Mix,
}

/// What is known of the service itself from its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Seconds since events last arrived.
    InputAge,
    /// Records not yet read.
    ConsumerLag,
    /// Seconds between now and the slowest watermark.
    WatermarkAge,
    /// Share of records rejected.
    RejectRatio,
    /// Age in seconds of the oldest undelivered notification.
    OldestUnsent,
}

/// Something that is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// What is left of it; the least value counts.
    pub left: Measure,
    /// What was used: the sums of these.
    pub used: Vec<Measure>,
}

/// How a metric's value comes from measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Number of values.
    Count(Measure),
    /// Sum of the values.
    Total(Measure),
    /// Sum of the terms.
    Sum(Vec<Term>),
    /// Sums of all measures per minute of the window.
    PerMinute(Vec<Measure>),
    /// Mean of the values.
    Mean(Measure),
    /// numerator / (denominator − without), with Wilson interval.
    Rate {
        /// Added up.
        numerator: Vec<Term>,
        /// Added up.
        denominator: Vec<Term>,
        /// Taken from the denominator.
        without: Vec<Term>,
    },
    /// over / under, without interval.
    Ratio {
        /// Added up.
        over: Vec<Term>,
        /// Added up.
        under: Vec<Term>,
    },
    /// Least value.
    Least(Measure),
    /// Seconds until the first of several stores is used up at the rate of the window.
    Exhaustion(Vec<Store>),
    /// Seconds since the greatest value ever seen, which is a time.
    Age(Measure),
    /// Mean of the seconds between a time of each event and the first time of what it names.
    AgeSince {
        /// Times of the events, in groups that name something.
        at: Measure,
        /// Times of what they name.
        since: Measure,
    },
    /// By a formula of its own over the sums of several measures.
    Composed(Composed),
    /// Comparison of the distribution with a reference.
    Drift {
        /// Of which measure.
        of: Measure,
        /// Which number.
        statistic: Statistic,
    },
    /// Difference to the window before.
    Change {
        /// Of which metric, a rate or a mean.
        of: Arc<str>,
        /// How that metric is computed.
        over: Box<Value>,
        /// Which part of the difference.
        part: Part,
    },
    /// Share of the feedback on answers that is expected to have come.
    Maturity {
        /// Time that feedback takes.
        delay: Measure,
        /// What feedback is about.
        of: Measure,
    },
    /// A signal of the service itself.
    Service(Signal),
}

/// When a metric has a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// Wherever there was something to measure.
    #[default]
    Measured,
    /// Only where the numerator is not zero.
    Occurring,
}

/// One published metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name.
    pub name: Arc<str>,
    /// A short phrase.
    pub title: String,
    /// Unit of the value.
    pub unit: String,
    /// Least and greatest possible value.
    pub range: (Option<f64>, Option<f64>),
    /// Whether more is better.
    pub direction: Direction,
    /// Lengths of the windows it is published at.
    pub windows: Vec<Window>,
    /// How it is computed.
    pub value: Value,
    /// When it has a row.
    pub rows: Rows,
    /// What it says without data.
    pub empty: String,
    /// Formula for readers.
    pub formula: String,
    /// Where the formula comes from.
    pub source: String,
    /// What it cannot see.
    pub cannot_see: String,
    /// How rows add up.
    pub aggregate: String,
    /// A worked example, where the kind of metric does not say it all.
    pub example: Option<String>,
    /// How to re-aggregate it in SQL, where the kind of metric does not say it all.
    pub sql: Option<String>,
    /// Measures that occur in its value.
    pub measures: Vec<Measure>,
    /// Inputs it waits for.
    pub inputs: Inputs,
    /// Made by a versioned scorer: one series per scorer.
    pub scored: bool,
}

impl Metric {
    /// The one measure whose moments and histogram a row shows, if the value is made from one.
    #[must_use]
    pub fn shown(&self) -> Option<Measure> {
        match &self.value {
            Value::Count(measure) | Value::Total(measure) | Value::Mean(measure) | Value::Least(measure) => Some(*measure),
            // One histogram is enough for all statistics of a comparison.
            Value::Drift { of, statistic: Statistic::Psi } => Some(*of),
            Value::Drift { of, statistic: Statistic::Js } if of.info().edges == Edges::Words => Some(*of),
            Value::Drift { .. }
            | Value::Change { .. }
            | Value::PerMinute(_)
            | Value::Sum(_)
            | Value::AgeSince { .. }
            | Value::Exhaustion(_)
            | Value::Rate { .. }
            | Value::Ratio { .. }
            | Value::Composed(_)
            | Value::Age(_)
            | Value::Maturity { .. }
            | Value::Service(_) => None,
        }
    }

    /// Whether histograms are needed to compute the value, shown or not.
    #[must_use]
    pub fn needs_histograms(&self) -> bool {
        match &self.value {
            Value::Composed(composed) => composed.needs_histograms(),
            Value::Sum(terms) => terms.iter().any(|term| matches!(term.field, Field::Category(_))),
            _ => false,
        }
    }

    /// Whether the value lies within 0–1 by definition.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.range == (Some(0.0), Some(1.0))
    }
}

/// All metrics, in the order of the file.
#[derive(Clone, Debug)]
pub struct Registry {
    metrics: Vec<Metric>,
    numbers: BTreeMap<Arc<str>, usize>,
}

impl Registry {
    /// The registry that is part of the program.
    ///
    /// # Errors
    /// Never in a build that passed its tests.
    pub fn builtin() -> Result<Self, Error> {
        Self::parse(METRICS_YAML)
    }

    /// Reads a registry.
    ///
    /// # Errors
    /// [`Error`], naming the metric and what was expected of it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file: RawFile = serde_saphyr::from_str(text).map_err(|error| Error::Syntax(error.to_string()))?;
        let mut metrics: Vec<Metric> = Vec::with_capacity(file.metrics.len());
        let mut numbers = BTreeMap::new();
        let mut entries = Vec::with_capacity(file.metrics.len());
        for entry in file.metrics {
            let name = family::name(&entry);
            entries.extend(family::members(entry, &file.families).map_err(|problem| Error::Metric { metric: name, problem })?);
        }
        for entry in entries {
            let name = family::name(&entry);
            let mistaken = |problem: String| Error::Metric { metric: name.clone(), problem };
            let raw: RawMetric = serde_json::from_value(entry).map_err(|error| mistaken(error.to_string()))?;
            let metric = raw.check(&metrics).map_err(mistaken)?;
            if numbers.insert(metric.name.clone(), metrics.len()).is_some() {
                return Err(Error::Metric { metric: name, problem: "defined twice; names are unique".to_owned() });
            }
            metrics.push(metric);
        }
        Ok(Self { metrics, numbers })
    }

    /// All metrics.
    #[must_use]
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The metric of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Metric> {
        self.numbers.get(name).and_then(|number| self.metrics.get(*number))
    }
}

impl Value {
    fn measures(&self) -> Vec<Measure> {
        let of = |terms: &[Term]| terms.iter().map(|term| term.measure).collect::<Vec<_>>();
        match self {
            Self::Count(one) | Self::Total(one) | Self::Mean(one) | Self::Least(one) | Self::Age(one) => vec![*one],
            Self::PerMinute(all) => all.clone(),
            Self::Sum(terms) => of(terms),
            Self::AgeSince { at, since } => vec![*at, *since],
            Self::Composed(composed) => composed.measures(),
            Self::Exhaustion(stores) => stores.iter().flat_map(|store| store.used.iter().chain([&store.left])).copied().collect(),
            Self::Rate { numerator, denominator, without } => [of(numerator), of(denominator), of(without)].concat(),
            Self::Ratio { over, under } => [of(over), of(under)].concat(),
            Self::Drift { of, .. } => vec![*of],
            Self::Change { over, .. } => over.measures(),
            Self::Maturity { delay, of } => vec![*delay, *of],
            Self::Service(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::measures;

    #[test]
    fn the_shipped_registry_is_sound_and_uses_every_measure() {
        let registry = Registry::builtin().unwrap();
        let used: Vec<Measure> = registry.metrics().iter().flat_map(|metric| metric.measures.clone()).collect();
        for (number, info) in (0_u16..).zip(&measures::ALL) {
            assert!(used.contains(&Measure(number)), "measure {} is in no metric", info.name);
        }
        let error_rate = registry.get("error_rate").unwrap();
        assert_eq!(error_rate.inputs, Inputs::of(Input::Gateway));
        assert!(!error_rate.scored && registry.get("groundedness").unwrap().scored);
        let answered = registry.get("feedback.response_rate_by_answer").unwrap();
        assert_eq!(answered.inputs.iter().collect::<Vec<_>>(), [Input::Gateway, Input::Feedback]);
        assert!(registry.metrics().iter().all(|metric| metric.windows.is_sorted()));
    }

    #[test]
    fn mistakes_name_the_metric_and_what_was_expected() {
        let of = |value: &str, rest: &str| {
            Registry::parse(&format!(
                "metrics:\n  - {{name: m, title: t, unit: u, range: [0, 1], direction: neutral, windows: [1h], value: {value}, \
                 empty: e, formula: f, source: s, cannot_see: c, aggregate: a{rest}}}\n"
            ))
            .map(|_| ())
            .map_err(|error| error.to_string())
        };
        assert_eq!(of("{count: requests}", ""), Ok(()));
        assert!(of("{count: nonsense}", "").unwrap_err().contains("metric m: unknown measure nonsense"));
        assert!(of("{count: requests}", ", rows: occurring").unwrap_err().contains("needs a rate"));
        assert!(of("{drift: {of: requests, statistic: psi}}", "").unwrap_err().contains("no histogram"));
        assert!(of("{rate: {numerator: ['refusal:bad'], denominator: [requests]}}", "").unwrap_err().contains("scorers"));
        assert!(of("{count: requests}", ", colour: red").unwrap_err().contains("colour"));
        assert!(of("{drift: {of: language, statistic: ks}}", "").unwrap_err().contains("does not exist for language"));
        assert!(of("{drift: {of: latency, statistic: chi_square}}", "").unwrap_err().contains("does not exist for latency"));
        assert!(of("{drift: {of: pipeline.duration, statistic: psi}}", "").unwrap_err().contains("not of the gateway"));
        assert!(of("{change: {of: latency_ms, part: total}}", "").unwrap_err().contains("unknown metric latency_ms"));
        assert_eq!(of("{sum: ['ledger.gateway=scored', 'ledger.gateway:bad']}", ", rows: occurring"), Ok(()));
        assert!(of("{sum: ['ledger.gateway=skored']}", "").unwrap_err().contains("no category skored"));
        assert!(of("{sum: ['latency=scored']}", "").unwrap_err().contains("no category scored"));
        assert!(of("{ratio: {over: ['ledger.gateway=scored'], under: [requests]}}", "").unwrap_err().contains("only `sum`"));
        assert!(of("{count: requests}", ", each: [nobody]").unwrap_err().contains("family"));
    }
}
