//! The entries of `schemas/metrics.yaml` as they are written, and whether they fit.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::composed::RawComposed;
use super::super::{Category, Edges, Measure, Window, family, ledger, measures};
use super::{Direction, Field, Inputs, Metric, Part, Rows, Signal, Statistic, Store, Term, Value};
use crate::event::Input;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(default)]
    pub(super) families: BTreeMap<String, Vec<family::Member>>,
    pub(super) metrics: Vec<serde_json::Value>,
}

/// One entry, its members of a family spelled out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetric {
    name: String,
    title: String,
    unit: String,
    range: (Option<f64>, Option<f64>),
    direction: Direction,
    windows: Vec<Window>,
    value: RawValue,
    #[serde(default)]
    rows: Rows,
    empty: String,
    formula: String,
    source: String,
    cannot_see: String,
    aggregate: String,
    example: Option<String>,
    sql: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawValue {
    Count(String),
    Total(String),
    PerMinute(Vec<String>),
    Sum(Vec<String>),
    Mean(String),
    Rate(RawRate),
    Ratio(RawRatio),
    Least(String),
    Exhaustion(Vec<RawStore>),
    Age(String),
    AgeSince(RawAgeSince),
    Composed(RawComposed),
    Drift(RawDrift),
    Change(RawChange),
    Maturity(RawMaturity),
    Service(Signal),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRate {
    numerator: Vec<String>,
    denominator: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    left: String,
    used: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgeSince {
    at: String,
    since: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRatio {
    over: Vec<String>,
    under: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDrift {
    of: String,
    statistic: Statistic,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMaturity {
    delay: String,
    of: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChange {
    of: String,
    part: Part,
}

impl RawMetric {
    /// The metric, if its definition fits; `known` are those above it.
    pub(super) fn check(self, known: &[Metric]) -> Result<Metric, String> {
        let value = self.value.check(known)?;
        if self.rows == Rows::Occurring && !matches!(value, Value::Rate { .. } | Value::Sum(_)) {
            return Err("`rows: occurring` needs a rate or a sum, whose numerator can be zero".to_owned());
        }
        if let (Some(least), Some(greatest)) = self.range
            && least >= greatest
        {
            return Err(format!("range [{least}, {greatest}] is empty; expected the least value first"));
        }
        let mut measures = value.measures();
        measures.sort_unstable();
        measures.dedup();
        let inputs = measures.iter().fold(Inputs::default(), |inputs, measure| inputs.union(Inputs::of(measure.info().input)));
        let scored = measures.iter().any(|measure| measure.info().scored);
        if scored && !measures.iter().all(|measure| measure.info().scored) {
            return Err("scored and unscored measures together: they are series of different scorers".to_owned());
        }
        Ok(Metric {
            name: self.name.into(),
            title: self.title,
            unit: self.unit,
            range: self.range,
            direction: self.direction,
            windows: self.windows,
            value,
            rows: self.rows,
            empty: self.empty,
            formula: self.formula,
            source: self.source,
            cannot_see: self.cannot_see,
            aggregate: self.aggregate,
            example: self.example,
            sql: self.sql,
            measures,
            inputs,
            scored,
        })
    }
}

impl RawValue {
    fn check(self, known: &[Metric]) -> Result<Value, String> {
        Ok(match self {
            Self::Count(name) => Value::Count(measure(&name)?),
            Self::Total(name) => Value::Total(measure(&name)?),
            Self::PerMinute(names) => Value::PerMinute(names.iter().map(|name| measure(name)).collect::<Result<_, _>>()?),
            Self::Mean(name) => Value::Mean(measure(&name)?),
            Self::Sum(names) => Value::Sum(terms(&names)?),
            Self::Rate(rate) => Value::Rate {
                numerator: moments(&rate.numerator)?,
                denominator: moments(&rate.denominator)?,
                without: moments(&rate.without)?,
            },
            Self::Ratio(ratio) => Value::Ratio { over: moments(&ratio.over)?, under: moments(&ratio.under)? },
            Self::Least(name) => Value::Least(measure(&name)?),
            Self::Exhaustion(stores) => {
                let store = |store: RawStore| {
                    let used = store.used.iter().map(|name| measure(name)).collect::<Result<_, _>>()?;
                    Ok(Store { left: measure(&store.left)?, used })
                };
                Value::Exhaustion(stores.into_iter().map(store).collect::<Result<_, String>>()?)
            }
            Self::Age(name) => Value::Age(measure(&name)?),
            Self::AgeSince(of) => Value::AgeSince { at: measure(&of.at)?, since: measure(&of.since)? },
            Self::Composed(composed) => Value::Composed(composed.check(measure)?),
            Self::Drift(drift) => drift.check()?,
            Self::Change(change) => change.check(known)?,
            Self::Maturity(raw) => Value::Maturity { delay: measure(&raw.delay)?, of: measure(&raw.of)? },
            Self::Service(signal) => Value::Service(signal),
        })
    }
}

impl RawDrift {
    fn check(self) -> Result<Value, String> {
        let (of, statistic) = (measure(&self.of)?, self.statistic);
        let info = of.info();
        if info.edges == Edges::None {
            return Err(format!("measure {} has no histogram, which drift needs", self.of));
        }
        if info.input != Input::Gateway {
            return Err(format!("measure {} is not of the gateway, whose hours drift compares", self.of));
        }
        let fits = match statistic {
            Statistic::Cosine => info.edges == Edges::Vector,
            Statistic::NullShare => true,
            Statistic::Ks | Statistic::Wasserstein => info.edges.are_of_values(),
            Statistic::ChiSquare => info.edges == Edges::Category,
            Statistic::Psi | Statistic::PsiP | Statistic::PsiQ => info.edges.are_of_values() || info.edges == Edges::Category,
            Statistic::Js => info.edges != Edges::Vector,
        };
        if fits { Ok(Value::Drift { of, statistic }) } else { Err(format!("{statistic:?} does not exist for {}", self.of)) }
    }
}

impl RawChange {
    fn check(self, known: &[Metric]) -> Result<Value, String> {
        let Some(of) = known.iter().find(|metric| *metric.name == self.of) else {
            return Err(format!("unknown metric {}; a change stands below the metric it is about", self.of));
        };
        if !matches!(of.value, Value::Rate { .. } | Value::Mean(_)) || of.inputs != Inputs::of(Input::Gateway) || !of.is_bounded() {
            return Err(format!("{} is no rate and no mean of scores of the gateway, which a change has an interval for", self.of));
        }
        Ok(Value::Change { of: of.name.clone(), over: Box::new(of.value.clone()), part: self.part })
    }
}

fn measure(name: &str) -> Result<Measure, String> {
    Measure::named(name).ok_or_else(|| format!("unknown measure {name}; the measures are listed in src/measure/measures.rs"))
}

/// Terms that need no histogram: over-dispersion, which rates have, is measured without.
fn moments(names: &[String]) -> Result<Vec<Term>, String> {
    match names.iter().find(|name| name.contains('=')) {
        Some(name) => Err(format!("{name} is a number of one category, which only `sum` adds up")),
        None => terms(names),
    }
}

fn terms(names: &[String]) -> Result<Vec<Term>, String> {
    names
        .iter()
        .map(|name| {
            if let Some((name, category)) = name.split_once('=') {
                let measure = measure(name)?;
                let known = |category: &Category| !measures::is_ledger(measure) || ledger::category_name(*category).is_some();
                let field =
                    Category::of(category).filter(|_| measure.info().edges == Edges::Category).filter(known).map(Field::Category);
                let field = field.ok_or_else(|| format!("measure {name} has no category {category}"))?;
                return Ok(Term { measure, field });
            }
            let (name, field) = match name.split_once(':') {
                None => (name.as_str(), Field::N),
                Some((name, "bad")) => (name, Field::Bad),
                Some((name, "sum")) => (name, Field::Sum),
                Some((_, other)) => return Err(format!("unknown part {other:?} of {name}; expected `bad` or `sum`")),
            };
            Ok(Term { measure: measure(name)?, field })
        })
        .collect()
}
