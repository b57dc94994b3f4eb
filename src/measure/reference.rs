//! `docs/metrics.md`, made from the registry.
//!
//! Pure text; a test holds the file in the repository to it.

use std::fmt::Write;

use super::registry::{Metric, Registry, Rows, Store, Term, Value};
use super::{Direction, Edges, Field, Inputs, Measure, Window, ledger, measures};
use crate::event::Input;

/// How the page opens.
const OPENING: &str = "# Metrics

Made from `schemas/metrics.yaml`; change that file, not this one.

Each row of the `metrics` table is one metric of one group in one window. `value` is what the tables below say. Beside it stand
`n` (values; for a rate or ratio its denominator), `n_null` (events that could have had a value and had none), `sum` and `sum_sq`
(for a rate or ratio, `sum` is its numerator), `min`, `max`, `bad_n` (for a rate its numerator), a 95 % interval (`lo`, `hi`: Wilson
for rates, Student's t for means of bounded scores, none otherwise), quantiles, and the histogram. A mean or a rate of fewer than
30 values is `thin` (not enough data); what cannot be computed is `not_applicable` and has no value. There is no 95 % quantile
below 200 values and no 99 % quantile below 1,000.

Answers of one conversation are not independent, so intervals of rates and of mean scores are widened by the measured
over-dispersion, which stands in `dispersion`. The window is cut into stretches (3 minutes for a quarter, 5 for an hour, an hour for a
day); phi is Pearson's statistic between them per degree of freedom (of K - 1 for K stretches with values), and
`dispersion` = 1 + max(0, phi - 1) (t(0.975, K - 1) / 1.96)^2. The interval is that of n / dispersion values. It is not measured (null)
for windows of a minute, for hours of what is counted by the time of its answer, below 30 values or three stretches, and where all
values are equal. What hangs together for longer than a
stretch is seen only in part.

What costs and feedback say may be corrected later (a new price table, feedback that replaces an earlier one with the same id): their
rows have no `min` and `max`, which a correction cannot take back.

`hist_edges` holds the greatest value of each non-empty bin, `hist_counts` the number of values in it. The edges never depend on
the data, so histograms of several rows add up: for scores hundredths of the range 0-1 with a bin of its own for zero, for
everything else 64 bins per power of two (whole numbers below 128 exactly), so a quantile, the middle of its bin, is within 0.8 % of a value of its rank, and of
scores within 0.005.

A window is published when all partitions of the inputs it is made from have passed its end. Late events make a further
`revision`, and the greatest one holds; `is_final` is false where some partitions were left out (`coverage` says how many were
not). Scored metrics carry the `scorer` that made the values: a new version is a new series.

**Drift** compares the distribution of an hour or a day of a tenant and application with a reference: by default the 24 hours before
(for a day, the 7 days before); `[measure] drift_reference` may say the same hours of the 7 days before, or a file of pinned values.
Bins are fixed from the reference. Without drift PSI is about (B - 1)(1/n + 1/m) for B bins, n values here and m there (`expected`,
`reference_n`), so no fixed limit on PSI means anything for few values: `p` decides. Below 20 values per bin nothing is decided. The
share of answers without a value is a metric of its own. How these definitions differ from those of Evidently and NannyML:
[agreement.md](agreement.md).

**Feedback** is published by its own time and, as `..._by_answer`, by the time of the answer it is about, under different names that are
never averaged. Rates of feedback describe raters only: who says nothing may think otherwise. Feedback counts by its answer if it comes
within 7 days, the horizon; so a young window is incomplete, and `feedback.maturity` beside it says which share of its feedback is
expected to have come by now, learned only from answers that are older than the horizon.

**The ledger** counts every record that was read, by input and by what became of it: consumed = accepted + duplicate + filtered +
rejected, each of them in the window of its event time. A refused record has none that can be trusted and a tombstone has none at
all: they count at their own time at the broker; in files, which have no such time, at the event time that their partition had come
to when they were read. `time` in `rejects` is the same time. Counts are part of the epoch that they are about, so a crash neither
loses nor doubles one. Whether an event was late depends on when it was read; all other counts are the same however often the
service was stopped. The rows have no group. `groundwire verify` counts the rows of the tables again.

**Ages of indexes.** `index.freshness_s` asks how old the newest publication is, `index.age_at_answer_s` how old the version was that
served an answer. Gateway logs name it as `name@version` in `index`, pipeline events as `{name, version}` in `outputs`.

**References and labels.** `reference.*` and `classification.*` exist where gateway logs bring a `reference` (the expected answer) or a
`label` (the true class); other records cost nothing for them. `groundwire score` prints them per answer under the same names, where
one answer has them, and besides `reference.rouge_1.precision`, `.recall` and `.stemmed` (F-measure with Porter's stemmer; likewise
`rouge_2`, `rouge_l`, `rouge_lsum`), `classification.confidence`, and, of the lists of vectors `response_token_embeddings` and
`reference_token_embeddings`, `reference.bertscore_precision`, `_recall` and `_f1`. What they agree with: [agreement.md](agreement.md).

**How a request ended** is in `status` of `interactions`, one class each. HTTP decides first: 429 is `throttled_429`; 408, 504, and another 5xx
whose `error_type` names a timeout are `timeout`; the other 5xx `provider_5xx`; 499 `cancelled`; 400 with a content filter in `error_type` or
`finish_reason`, or with status `filtered`, `content_filtered`; the other 4xx `client_4xx`. Any other reply, or none, is `timeout` if
`error_type` names one; else what the record's own `status` says (`error` is `provider_5xx`); without one, `content_filtered` if a filter is
named, `provider_5xx` if there is an `error_type`, `ok` otherwise.

**Content safety** counts a request once in each category that one of its findings is of. Categories go by the words in their names: hate or
harassment, self, sex, violen, and jailbreak, attack or prompt_injection; all others are `other`.

**Feedback** is positive or negative by its name: `thumbs` and `resolved` from 1 of 0-1 on, `rating` from 4 of 1-5 on, others as
[`[feedback.registry]`](configuration.md) says. A score outside its name's scale, and a name that is not known, has no direction.

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
    line(out, format_args!("* Worked example: {}", example(metric)));
    let inputs: Vec<&str> = metric.inputs.iter().map(Input::as_str).collect();
    let waits = if inputs.is_empty() { "nothing: it follows the time of the log".to_owned() } else { inputs.join(" and ") };
    line(out, format_args!("* Waits for: {waits}"));
    if metric.rows == Rows::Occurring {
        line(out, format_args!("* Rows: only where the numerator is not zero"));
    }
    if metric.scored {
        line(out, format_args!("* One series per scorer"));
    }
    for sql in [sql(metric), quantile_sql(metric)].into_iter().flatten() {
        line(out, format_args!("\n```sql\n{sql};\n```"));
    }
}

/// The metric's own example, or that of its kind.
fn example(metric: &Metric) -> String {
    let of_kind = match &metric.value {
        Value::Count(_) => "3 and 5 in two windows: 3 and 5, together 8.",
        Value::Total(_) => "Values 100, 250 and one unknown: sum 350, n 2, n_null 1, value 350.",
        Value::PerMinute(_) => "600 in an hour: 10 per minute.",
        Value::Sum(_) => "12 and 30 in two windows: 12 and 30, together 42.",
        Value::Mean(_) if metric.is_bounded() => {
            "Values 0.9, 0.7 and 0.8: sum 2.4, n 3, value 0.8, sample standard deviation 0.1, interval 0.8 ± 4.303 · 0.1 / √3 = 0.552 to \
             1 (cut at the range); thin, since below 30 values."
        }
        Value::Mean(_) => {
            "Values 100, 300 and 200: sum 600, n 3, value 200; with one of 600 alone in a second window: 1200 / 4 = 300."
        }
        Value::Rate { .. } => {
            "10 of 200: bad_n 10, n 200, value 0.05, interval 0.0274 to 0.0896; with 5 of 50 in a second window: 15 / 250 = 0.06. With a \
             measured dispersion of 2, the interval is that of 5 of 100: 0.0215 to 0.1118."
        }
        Value::Ratio { .. } => "sum 900 over n 3: 300; with 100 over 1 in a second window: 1000 / 4 = 250.",
        Value::Least(_) => "Values 0.4, 0.1 and 0.7: 0.1.",
        Value::Exhaustion(_) => "Least 12,000 left, 60,000 used in an hour: 12,000 / (60,000 / 3,600 s) = 720.",
        Value::Age(_) => "Newest publication at 10:40, window to 11:00: 1200.",
        Value::AgeSince { .. } => {
            "Published at 10:40; answers at 10:50, 10:55 and 11:00: 600, 900 and 1,200 s: sum 2700, n 3, value 900; one more of a version \
             that no run published: n_null 1."
        }
        Value::Composed(_) | Value::Drift { .. } | Value::Change { .. } | Value::Maturity { .. } | Value::Service(_) => {
            "none; the formula says it all."
        }
    };
    metric.example.clone().unwrap_or_else(|| of_kind.to_owned())
}

/// The metric's own SQL over the view `metrics` (see `groundwire views`), or that of its kind; none for what has no rows.
#[must_use]
pub fn sql(metric: &Metric) -> Option<String> {
    if metric.sql.is_some() {
        return metric.sql.clone();
    }
    let name = &metric.name;
    let seconds = metric.windows.last()?.seconds();
    let by = dimensions(metric);
    let value = match &metric.value {
        Value::Count(_) => "sum(n)",
        Value::Sum(_) => "sum(value)",
        Value::Total(_) => "sum(sum)",
        Value::PerMinute(_) => "sum(sum) / (count(DISTINCT window_start) * max(window_s) / 60.0)",
        Value::Rate { denominator, .. } if metric.rows == Rows::Occurring => {
            let whole = whole(metric, denominator);
            let bad = format!("coalesce(sum(bad_n) FILTER (WHERE metric = '{name}'), 0)");
            return Some(format!(
                "SELECT {by}, {bad} / nullif(sum(n) FILTER (WHERE metric = '{whole}'), 0) AS value FROM metrics WHERE metric IN ('{name}', '{whole}') \
                 AND window_s = 3600 GROUP BY {by}"
            ));
        }
        Value::AgeSince { .. } => {
            return Some(format!(
                "SELECT {by}, sum(sum) / nullif(sum(n), 0) AS value, sum(n_null) / (sum(n) + sum(n_null)) AS unknown FROM metrics WHERE \
                 metric = '{name}' AND window_s = {seconds} GROUP BY {by}"
            ));
        }
        Value::Rate { .. } => "sum(bad_n) / nullif(sum(n), 0)",
        Value::Mean(_) | Value::Ratio { .. } => "sum(sum) / nullif(sum(n), 0)",
        Value::Least(_) => "min(min)",
        Value::Exhaustion(_) => "min(value)",
        Value::Age(_) => "max(value)",
        Value::Composed(_) | Value::Drift { .. } | Value::Change { .. } | Value::Maturity { .. } | Value::Service(_) => {
            return None;
        }
    };
    let rows = format!("FROM metrics WHERE metric = '{name}' AND window_s = {seconds}");
    Some(match by {
        "" => format!("SELECT {value} AS value {rows}"),
        _ => format!("SELECT {by}, {value} AS value {rows} GROUP BY {by}"),
    })
}

/// How to read a quantile of several rows, for what has an ordered histogram.
fn quantile_sql(metric: &Metric) -> Option<String> {
    if !matches!(metric.value, Value::Mean(_) | Value::Total(_)) {
        return None;
    }
    let measure = metric.shown().filter(|measure| matches!(measure.info().edges, Edges::Linear | Edges::Logarithmic))?;
    let above = if measure.info().edges == Edges::Linear { "0.01" } else { "1.6 %" };
    let seconds = metric.windows.last()?.seconds();
    let (name, by) = (&metric.name, dimensions(metric));
    Some(format!(
        "WITH bins AS (SELECT {by}, unnest(hist_edges) AS edge, unnest(hist_counts) AS count FROM metrics WHERE metric = '{name}' AND \
         window_s = {seconds}),\nranks AS (SELECT {by}, edge, sum(sum(count)) OVER (PARTITION BY {by} ORDER BY edge) AS rank, sum(sum(count)) \
         OVER (PARTITION BY {by}) AS n FROM bins GROUP BY {by}, edge)\nSELECT {by}, min(edge) AS p95 FROM ranks WHERE rank >= 0.95 * n GROUP BY \
         {by} -- the end of the bin: at most {above} above a value of that rank"
    ))
}

/// What rows are not added up over: what is not of one application, one job, one name of feedback or one scorer.
fn dimensions(metric: &Metric) -> &'static str {
    const NAMED: [Measure; 4] =
        [measures::FEEDBACK_POSITIVE, measures::FEEDBACK_SCORE, measures::ANSWER_POSITIVE, measures::ANSWER_SCORE];
    match &metric.value {
        // A record that was refused has no tenant.
        _ if metric.name.starts_with("ledger.") => "",
        Value::Age(_) | Value::AgeSince { .. } => "tenant, app, \"index\"",
        _ if metric.inputs == Inputs::of(Input::Pipeline) => "tenant, app, job",
        _ if metric.measures.iter().any(|measure| NAMED.contains(measure)) => "tenant, app, feedback_name",
        _ if metric.scored => "tenant, app, scorer",
        _ => "tenant, app",
    }
}

/// The metric that counts everything in which an occurring one may occur.
fn whole(metric: &Metric, denominator: &[Term]) -> &'static str {
    match denominator.first() {
        _ if metric.scored => "refusal_rate",
        Some(term) if term.measure == measures::SAFETY_ANY => "content_safety.rate",
        _ => "requests",
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
        Value::Exhaustion(stores) => {
            let of = |store: &Store| {
                let used = store.used.iter().map(named).collect::<Vec<_>>().join(" + ");
                format!("least {} / (sum of {used} per second)", named(&store.left))
            };
            format!("the least of {}", stores.iter().map(of).collect::<Vec<_>>().join(" and "))
        }
        Value::Age(measure) => format!("time since the greatest value of {}", named(measure)),
        Value::AgeSince { at, since } => format!("values of {} less the least value of {}, by version", named(at), named(since)),
        Value::Sum(terms) => sum(terms),
        Value::Rate { numerator, denominator, without } if without.is_empty() => {
            format!("({}) / ({})", sum(numerator), sum(denominator))
        }
        Value::Rate { numerator, denominator, without } => {
            format!("({}) / ({} - ({}))", sum(numerator), sum(denominator), sum(without))
        }
        Value::Ratio { over, under } => format!("({}) / ({})", sum(over), sum(under)),
        Value::Composed(composed) => composed.derivation(),
        Value::Drift { of, .. } => format!("histograms of {} by tenant and application", named(of)),
        Value::Change { of, .. } => format!("`{of}` of two hours by tenant and application"),
        Value::Maturity { delay, .. } => {
            format!("histogram of {} of earlier answers by tenant and application", named(delay))
        }
        Value::Service(_) => "the entries of the log".to_owned(),
    }
}

fn histogram(measure: Measure) -> &'static str {
    match measure.info().edges {
        Edges::None => "",
        Edges::Category => ", by category",
        Edges::Vector => ", by component",
        Edges::Words => ", by bucket of words",
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
        Field::Category(category) => format!("{} of `{name}`", ledger::category_name(category).unwrap_or("one category")),
    }
}

#[expect(clippy::let_underscore_must_use, reason = "writing to a String cannot fail")]
fn line(out: &mut String, text: impl std::fmt::Display) {
    let _ = writeln!(out, "{text}");
}
