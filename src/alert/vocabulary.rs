//! The names that rules may use: metrics with their units, and dimensions.

use serde::{Deserialize, Serialize};

use crate::event::Input;
use crate::measure::registry::Value;
use crate::measure::{self, Dimension, Edges, Registry, measures};

/// How a metric's numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// 0 to 1, written as per cent.
    Share,
    /// A count or a number without a unit.
    #[default]
    Number,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// US dollars.
    Dollars,
}

/// Whether windows of different lengths can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Means, shares, rates, quantiles: yes.
    Comparable,
    /// Sums over the window: no.
    Total,
    /// Ages at the end of the window: what is usual is how old it gets, not how old it is on average.
    Age,
}

/// A metric of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Whether windows of different lengths can be compared.
    pub scale: Scale,
    /// Dimensions that it can be grouped by.
    pub dimensions: Vec<Dimension>,
}

/// All names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Metrics.
    pub metrics: Vec<Metric>,
}

impl Vocabulary {
    /// The names of a registry.
    #[must_use]
    pub fn of(registry: &Registry) -> Self {
        Self { metrics: registry.metrics().iter().map(described).collect() }
    }

    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

fn described(metric: &measure::Metric) -> Metric {
    let unit = match metric.unit.as_str() {
        "ratio" | "score" => Unit::Share,
        "ms" => Unit::Milliseconds,
        "s" => Unit::Seconds,
        "USD" => Unit::Dollars,
        _ => Unit::Number,
    };
    let scale = match metric.value {
        Value::Count(_) | Value::Total(_) | Value::Sum(_) => Scale::Total,
        Value::Age(_) => Scale::Age,
        _ => Scale::Comparable,
    };
    let dimensions = match &metric.value {
        Value::Service(_) => Vec::new(),
        _ if metric.measures.iter().any(|measure| measures::is_ledger(*measure)) => Vec::new(),
        Value::Age(_) | Value::AgeSince { .. } => vec![Dimension::Tenant, Dimension::App, Dimension::Index],
        // Words are kept no finer.
        Value::Drift { of, .. } if of.info().edges == Edges::Words => vec![Dimension::Tenant, Dimension::App],
        _ => Dimension::ALL.into_iter().filter(|dimension| has(metric, *dimension)).collect(),
    };
    Metric { name: metric.name.to_string(), unit, scale, dimensions }
}

/// Whether all inputs of a metric know a dimension.
fn has(metric: &measure::Metric, dimension: Dimension) -> bool {
    metric.inputs.iter().all(|input| match dimension {
        Dimension::Tenant | Dimension::App => true,
        Dimension::ResponseModel | Dimension::PromptVersion | Dimension::Variant | Dimension::Environment => {
            input == Input::Gateway
        }
        Dimension::Job => input == Input::Pipeline,
        Dimension::FeedbackName => input == Input::Feedback,
        Dimension::Index => input == Input::Gateway,
    })
}

impl Unit {
    /// A value for people, in ASCII, with as many digits as the unit deserves.
    pub fn show(self, value: f64) -> String {
        if !value.is_finite() {
            return "n/a".to_owned();
        }
        match self {
            Self::Share => format!("{:.1}%", value * 100.0),
            Self::Number => significant(value),
            Self::Seconds if value.abs() >= 120.0 => {
                let sign = if value < 0.0 { "-" } else { "" };
                format!("{sign}{}", super::duration::words(micros(value.abs())))
            }
            Self::Seconds => format!("{} s", significant(value)),
            Self::Milliseconds => format!("{} ms", significant(value)),
            Self::Dollars => format!("${value:.4}"),
        }
    }

    /// A difference for people, always with its sign.
    pub fn show_change(self, value: f64) -> String {
        let sign = if value < 0.0 { "-" } else { "+" };
        match self {
            Self::Share => format!("{sign}{:.1} points", value.abs() * 100.0),
            unit => format!("{sign}{}", unit.show(value.abs())),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and durations beyond 292,000 years are all the same")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

/// Three significant digits, without a fraction from 100 on, thousands in groups.
fn significant(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 {
        return format!("{value:.2e}");
    }
    let digits = if size >= 100.0 || size == size.trunc() {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        3
    };
    grouped(&format!("{value:.digits$}"))
}

/// `9870` as `9,870`.
pub(super) fn grouped(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Unit;

    #[test]
    fn numbers_are_written_in_their_unit() {
        for (unit, value, shown) in [
            (Unit::Share, 0.7123, "71.2%"),
            (Unit::Number, 9870.0, "9,870"),
            (Unit::Number, 1_234_567.8, "1,234,568"),
            (Unit::Number, 0.12345, "0.123"),
            (Unit::Number, -12.34, "-12.3"),
            (Unit::Seconds, 5_400.0, "1 h 30 min"),
            (Unit::Seconds, 12.0, "12 s"),
            (Unit::Milliseconds, 812.4, "812 ms"),
            (Unit::Number, f64::NAN, "n/a"),
            (Unit::Number, f64::INFINITY, "n/a"),
        ] {
            assert_eq!(unit.show(value), shown);
        }
        assert_eq!(Unit::Share.show_change(-0.196), "-19.6 points");
        assert_eq!(Unit::Number.show_change(120.0), "+120");
    }
}
