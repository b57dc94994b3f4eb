//! `docs/metrics.md`, made from the registry.
//!
//! Pure text; a test holds the file in the repository to it.

use std::fmt::Write;

use super::registry::{Metric, Registry, Rows, Term, Value};
use super::{Direction, Edges, Field, Measure, Window};

/// How the page opens.
const OPENING: &str = "# Metrics

Made from `schemas/metrics.yaml`; change that file, not this one.

Each row of the `metrics` table is one metric of one group in one window. `value` is what the tables below say. Beside it stand
`n` (values; for a rate or ratio its denominator), `n_null` (events that could have had a value and had none), `sum` and `sum_sq`
(for a rate or ratio, `sum` is its numerator), `min`, `max`, `bad_n` (for a rate its numerator), a 95 % interval (`lo`, `hi`: Wilson
for rates, Student's t for means of bounded scores, none otherwise), quantiles, and the histogram. A mean or a rate of fewer than
30 values is `thin`; what cannot be computed is `not_applicable` and has no value. There is no 95 % quantile below 200 values and
no 99 % quantile below 1,000.

`hist_edges` holds the greatest value of each non-empty bin, `hist_counts` the number of values in it. The edges never depend on
the data, so histograms of several rows add up: for scores hundredths of the range 0-1 with a bin of its own for zero, for
everything else 64 bins per power of two (whole numbers below 128 exactly), so a quantile is within 0.8 % of a value of its rank.

A window is published when all partitions of the inputs it is made from have passed its end. Late events make a further
`revision`, and the greatest one holds; `is_final` is false where some partitions were left out (`coverage` says how many were
not). Scored metrics carry the `scorer` that made the values: a new version is a new series.

Rules read metrics over any length of time, not only over published windows: always from exact sums, never as a mean of means.
";

/// The whole page.
#[must_use]
pub fn markdown(registry: &Registry) -> String {
    let mut out = String::from(OPENING);
    overview(registry, &mut out);
    for metric in registry.metrics() {
        section(metric, &mut out);
    }
    out
}

fn overview(registry: &Registry, out: &mut String) {
    out.push_str("\n| metric | meaning | unit | windows |\n|---|---|---|---|\n");
    for metric in registry.metrics() {
        let anchor: String = metric.name.chars().filter(|c| *c != '.').collect();
        line(out, format_args!("| [`{}`](#{anchor}) | {} | {} | {} |", metric.name, metric.title, metric.unit, windows(metric)));
    }
}

fn windows(metric: &Metric) -> String {
    if metric.windows.is_empty() {
        return "rules only".to_owned();
    }
    metric.windows.iter().map(|window| Window::as_str(*window)).collect::<Vec<_>>().join(", ")
}

fn section(metric: &Metric, out: &mut String) {
    let bound = |bound: Option<f64>, none: &str| bound.map_or_else(|| none.to_owned(), |bound| bound.to_string());
    let direction = match metric.direction {
        Direction::HigherIsBetter => "higher is better",
        Direction::LowerIsBetter => "lower is better",
        Direction::Neutral => "neither high nor low is better",
    };
    line(out, format_args!("\n## {}\n\n{}.\n", metric.name, metric.title));
    line(out, format_args!("* Formula: {}", metric.formula));
    line(out, format_args!("* From: {}", derivation(&metric.value)));
    line(out, format_args!("* Source: {}", metric.source));
    let range = format!("from {} to {}", bound(metric.range.0, "any"), bound(metric.range.1, "any"));
    line(out, format_args!("* Unit: {}, {range}; {direction}", metric.unit));
    line(out, format_args!("* Without data: {}", metric.empty));
    line(out, format_args!("* Cannot see: {}", metric.cannot_see));
    line(out, format_args!("* Several rows as one: {}", metric.aggregate));
    let inputs: Vec<&str> = metric.inputs.iter().map(crate::event::Input::as_str).collect();
    let waits = if inputs.is_empty() { "nothing: it follows the time of the log".to_owned() } else { inputs.join(" and ") };
    line(out, format_args!("* Waits for: {waits}"));
    if metric.rows == Rows::Occurring {
        line(out, format_args!("* Rows: only where the numerator is not zero"));
    }
    if metric.scored {
        line(out, format_args!("* One series per scorer"));
    }
}

fn derivation(value: &Value) -> String {
    let named = |measure: &Measure| format!("`{}`", measure.info().name);
    let sum = |all: &[Term]| all.iter().copied().map(term).collect::<Vec<_>>().join(" + ");
    match value {
        Value::Count(measure) => format!("number of values of {}", named(measure)),
        Value::Total(measure) => format!("sum of {}", named(measure)),
        Value::PerMinute(all) => format!("sum of {} per minute", all.iter().map(named).collect::<Vec<_>>().join(" and ")),
        Value::Mean(measure) => format!("mean of {}{}", named(measure), histogram(*measure)),
        Value::Least(measure) => format!("least value of {}", named(measure)),
        Value::Age(measure) => format!("time since the greatest value of {}", named(measure)),
        Value::Rate { numerator, denominator, without } if without.is_empty() => {
            format!("({}) / ({})", sum(numerator), sum(denominator))
        }
        Value::Rate { numerator, denominator, without } => {
            format!("({}) / ({} - ({}))", sum(numerator), sum(denominator), sum(without))
        }
        Value::Ratio { over, under } => format!("({}) / ({})", sum(over), sum(under)),
        Value::Drift { of, .. } => format!("histograms of {} by tenant and application", named(of)),
        Value::Service(_) => "the entries of the log".to_owned(),
    }
}

fn histogram(measure: Measure) -> &'static str {
    match measure.info().edges {
        Edges::None => "",
        Edges::Linear => ", with a histogram in hundredths",
        Edges::Logarithmic => ", with a logarithmic histogram",
    }
}

fn term(term: Term) -> String {
    let name = term.measure.info().name;
    match term.field {
        Field::N => format!("`{name}`"),
        Field::Bad => format!("bad of `{name}`"),
        Field::Sum => format!("sum of `{name}`"),
    }
}

#[expect(clippy::let_underscore_must_use, reason = "writing to a String cannot fail")]
fn line(out: &mut String, text: impl std::fmt::Display) {
    let _ = writeln!(out, "{text}");
}
