//! The rows of one date, through `evaluate`'s own formulas, against the rows of `metrics` of that date.
//!
//! Compared are the latest revisions of metrics that are made from requests, or from feedback by its own or its answer's time: counts
//! exactly, sums, values, intervals and p within the rounding of a sum. Drift and changes are compared with what the dates before
//! left. Left out are ages and pipelines.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::error::ArrowError;
use hashbrown::HashSet;

use super::Report;
use super::answered::Answered;
use super::expected::{classified, compared};
use super::words;
use crate::evaluate::{Carried, Cohorts, MetricRow, Recomputation, Reference, StoredAnswer, StoredFeedback};
use crate::event::{Input, Safety, SafetyStage, Text, Timestamp};
use crate::ingest::{FeedbackScale, SCORE_COLUMNS, polarity};
use crate::lake::tables::columns::{FEEDBACK, INTERACTIONS, METRICS};
use crate::lake::tables::{Columns, Costs, Position};
use crate::measure::registry::{Rows, Value};
use crate::measure::{
    Answer, AnswerState, Category, CostStatus, Dimension, Embedding, Group, Inputs, Metric, Registry, StatusClass, billionths,
    measures, micros_from_ms,
};

/// Relative difference that the rounding of sums explains.
const TOLERANCE: f64 = 1e-9;
/// Dimensions that requests can be grouped by.
const REQUEST_DIMENSIONS: [Dimension; 7] = [
    Dimension::Tenant,
    Dimension::App,
    Dimension::ResponseModel,
    Dimension::PromptVersion,
    Dimension::Variant,
    Dimension::Environment,
    Dimension::Index,
];
/// The metric that every request counts in.
const REQUESTS: &str = "requests";

/// Metric, window, its length, group, scorer.
type Key = (Arc<str>, Timestamp, i64, Group, Option<Arc<str>>);

/// What is compared of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Numbers {
    n: i64,
    bad_n: i64,
    sum: f64,
    /// Those of [`FLOATS`].
    floats: [Option<f64>; 6],
    reference_n: Option<i64>,
}

/// Columns of [`Numbers::floats`].
const FLOATS: [&str; 6] = ["value", "lo", "hi", "p", "expected", "dispersion"];

impl Numbers {
    fn of(row: &MetricRow) -> Self {
        let floats = [row.value, row.lo, row.hi, row.p, row.expected, row.dispersion];
        Self { n: row.n, bad_n: row.bad_n, sum: row.sum, floats, reference_n: row.reference_n }
    }

    fn agrees(&self, other: &Self) -> bool {
        let close = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0);
        let mut floats = self.floats.iter().zip(&other.floats);
        let same = floats.all(|(ours, theirs)| match (ours, theirs) {
            (Some(a), Some(b)) => close(*a, *b),
            (a, b) => a.is_none() && b.is_none(),
        });
        let counts = (self.n, self.bad_n, self.reference_n) == (other.n, other.bad_n, other.reference_n);
        counts && close(self.sum, other.sum) && same
    }
}

/// The rows of one date.
pub(super) struct Day {
    published: BTreeMap<Key, (i64, Numbers)>,
    interactions: Vec<Vec<ArrayRef>>,
    costs: Costs,
    feedback: Vec<Vec<ArrayRef>>,
}

/// What a date is compared on.
#[derive(Debug)]
pub(super) struct Basis {
    /// Start of the date.
    pub(super) start: Timestamp,
    /// Known names of feedback.
    pub(super) scales: BTreeMap<String, FeedbackScale>,
    /// What drift is measured against.
    pub(super) reference: Reference,
    /// What the dates before left.
    pub(super) carried: Carried,
    /// Whether that is all that the service had.
    pub(super) past: Past,
    /// Feedback that later feedback with the same id replaced.
    pub(super) replaced: Arc<HashSet<Position>>,
    /// Feedback by answer; `None` where it is not known how far the metrics are.
    pub(super) answered: Option<Answered>,
}

/// Whether the dates before are all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// They are.
    Whole,
    /// Retention has deleted some.
    Deleted,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Compared {
    /// (place, problem).
    pub(super) differences: Vec<(String, String)>,
    /// What the next date needs.
    pub(super) carried: Carried,
    /// Delays of feedback on answers up to this date.
    pub(super) cohorts: Cohorts,
}

impl Day {
    /// From the columns of all files of that date.
    pub(super) fn new(
        metrics: &[Vec<ArrayRef>],
        interactions: Vec<Vec<ArrayRef>>,
        costs: &[Vec<ArrayRef>],
        feedback: Vec<Vec<ArrayRef>>,
    ) -> Result<Self, ArrowError> {
        let mut day = Self { published: BTreeMap::new(), interactions, costs: Costs::new(costs)?, feedback };
        for arrays in metrics {
            day.publish(&Columns { table: &METRICS, arrays })?;
        }
        Ok(day)
    }

    fn publish(&mut self, columns: &Columns<'_>) -> Result<(), ArrowError> {
        for row in 0..columns.array("metric")?.len() {
            let group = columns.group(&Dimension::ALL, row)?;
            let whole = |name: &str| columns.integer(name, row).map(Option::unwrap_or_default);
            let metric: Arc<str> = columns.text("metric", row)?.unwrap_or_default().into();
            let scorer = columns.text("scorer", row)?.map(Arc::from);
            let key = (metric, columns.time("window_start", row)?, whole("window_s")?, group, scorer);
            let sum = columns.float("sum", row)?.unwrap_or_default();
            let mut found = [None; FLOATS.len()];
            for (number, name) in found.iter_mut().zip(FLOATS) {
                *number = columns.float(name, row)?;
            }
            let reference_n = columns.integer("reference_n", row)?;
            let numbers = Numbers { n: whole("n")?, bad_n: whole("bad_n")?, sum, floats: found, reference_n };
            let revision = whole("revision")?;
            let known = self.published.entry(key).or_insert((i64::MIN, numbers));
            if revision > known.0 {
                *known = (revision, numbers);
            }
        }
        Ok(())
    }

    /// Recomputes and compares.
    pub(super) fn compare(self, basis: Basis, report: &mut Report) -> Result<Compared, ArrowError> {
        let registry = match Registry::builtin() {
            Ok(registry) => Arc::new(registry),
            Err(error) => {
                let differences = vec![("schemas/metrics.yaml".to_owned(), error.to_string())];
                return Ok(Compared { differences, carried: Carried::default(), cohorts: Cohorts::default() });
            }
        };
        let (scales, has_past, answered) = (basis.scales.clone(), basis.past == Past::Whole, basis.answered.is_some());
        let comparable: HashSet<&str> = registry
            .metrics()
            .iter()
            .filter(|metric| is_comparable(metric, scales.is_empty()))
            .filter(|metric| answered || !metric.measures.iter().any(|measure| measures::is_by_answer(*measure)))
            .filter(|metric| {
                has_past || !matches!(metric.value, Value::Drift { .. } | Value::Change { .. } | Value::Maturity { .. })
            })
            .map(|metric| &*metric.name)
            .collect();
        let occurring = registry.metrics().iter().filter(|metric| metric.rows == Rows::Occurring || is_ratio_of_feedback(metric));
        let occurring: HashSet<&str> = occurring.map(|metric| &*metric.name).collect();
        let (rows, carried, cohorts) = self.recompute(basis, &registry)?;
        let recomputed: BTreeMap<Key, Numbers> = rows
            .into_iter()
            .map(|row| {
                let numbers = Numbers::of(&row);
                ((row.metric, row.window_start, row.window_s, (*row.group).clone(), row.scorer), numbers)
            })
            .collect();
        // The evaluator closes windows in order, so whatever ends before the last published one has been published.
        let mut closed: BTreeMap<(&Arc<str>, i64), Timestamp> = BTreeMap::new();
        let mut differences = Vec::new();
        for (key, (_, found)) in self.published.iter().filter(|(key, _)| comparable.contains(&*key.0)) {
            let last = closed.entry((&key.0, key.2)).or_insert(key.1);
            *last = (*last).max(key.1);
            report.metrics_compared += 1;
            match recomputed.get(key) {
                Some(expected) if expected.agrees(found) => {}
                None if found.n == 0 && found.bad_n == 0 => {}
                // What occurred once and was corrected away keeps a row that says so.
                None if found.bad_n == 0 && found.sum == 0.0 && occurring.contains(&*key.0) => {}
                expected => differences.push((place(key), format!("recomputed {expected:?}, published {found:?}"))),
            }
        }
        for (key, expected) in recomputed.iter().filter(|(key, _)| comparable.contains(&*key.0)) {
            let is_closed = closed.get(&(&key.0, key.2)).is_some_and(|last| key.1 <= *last);
            if is_closed && !self.published.contains_key(key) {
                differences.push((place(key), format!("recomputed {expected:?}, but not published")));
            }
        }
        Ok(Compared { differences, carried, cohorts })
    }

    fn recompute(&self, basis: Basis, registry: &Arc<Registry>) -> Result<(Vec<MetricRow>, Carried, Cohorts), ArrowError> {
        let groups: HashSet<(i32, Group)> = self.published.keys().map(|key| (key.1.days(), key.3.clone())).collect();
        // A dimension that requests are not grouped by has no value in any row of theirs.
        let of_requests: HashSet<&Group> = self.published.keys().filter(|key| &*key.0 == REQUESTS).map(|key| &key.3).collect();
        let group_by: Vec<Dimension> = REQUEST_DIMENSIONS
            .into_iter()
            .filter(|dimension| of_requests.iter().any(|group| group.get(*dimension).is_some()))
            .collect();
        let mut recomputation = Recomputation::new(groups).after(basis.carried, basis.start);
        let mut last = basis.start;
        let mut rated = basis.answered.as_ref().map(Answered::rated);
        for arrays in &self.interactions {
            let columns = Columns { table: &INTERACTIONS, arrays };
            for row in 0..columns.array("event_time")?.len() {
                let at = columns.time("event_time", row)?;
                last = last.max(at);
                let scorer = columns.text("scorer", row)?.map(Arc::from);
                let lists = columns.array("safety")?.as_list::<i32>();
                let found = lists.is_valid(row).then(|| lists.value(row));
                let stored = StoredAnswer {
                    answer: self.answer(&columns, row)?,
                    safety: found.as_ref().map(|found| safety(found.as_struct())).unwrap_or_default(),
                    compared: compared(&columns, row)?,
                    classified: classified(&columns, row)?,
                };
                let group = columns.request_group(&group_by, row)?;
                recomputation.answer(at, &group, scorer.as_ref(), &stored);
                if let Some(rated) = &mut rated {
                    rated.see(&columns, row, at, (&group, scorer.as_ref()))?;
                }
            }
        }
        last = last.max(self.add_feedback(&basis.scales, &basis.replaced, &mut recomputation)?);
        let added = basis.answered.as_ref().zip(rated.as_ref());
        let cohorts = added.map(|(answered, rated)| answered.add(rated, &mut recomputation)).unwrap_or_default();
        let through = last.plus(2 * Timestamp::DAY_US);
        let through = Input::ALL.map(|input| (input, through)).into();
        let (mut rows, carried) = recomputation.finish(&through, Arc::clone(registry), basis.reference);
        if let Some(answered) = &basis.answered {
            mature(answered, registry, &mut rows);
        }
        Ok((rows, carried, cohorts))
    }

    /// A request with what it costs after all repricings.
    fn answer(&self, columns: &Columns<'_>, row: usize) -> Result<Answer, ArrowError> {
        let recorded = answer(columns, row)?;
        Ok(match self.costs.of(columns, row)? {
            Some(repriced) => Answer { cost: repriced.cost, cost_status: Some(repriced.status), ..recorded },
            None => recorded,
        })
    }

    /// Feedback counts under the group that was known when it was read, which its first revision says.
    fn add_feedback(
        &self,
        scales: &BTreeMap<String, FeedbackScale>,
        replaced: &HashSet<Position>,
        recomputation: &mut Recomputation,
    ) -> Result<Timestamp, ArrowError> {
        let mut last = Timestamp(0);
        for arrays in &self.feedback {
            let columns = Columns { table: &FEEDBACK, arrays };
            for row in 0..columns.array("event_time")?.len() {
                if columns.integer("revision", row)? != Some(0) || replaced.contains(&columns.position(row)?) {
                    continue;
                }
                let at = columns.time("event_time", row)?;
                last = last.max(at);
                let name = columns.text("name", row)?.unwrap_or_default();
                let score = columns.float("score", row)?;
                recomputation.feedback(&StoredFeedback {
                    at,
                    group: &columns.group(&[Dimension::Tenant, Dimension::App], row)?,
                    name,
                    score: score.map(billionths),
                    polarity: polarity(scales.get(name).copied(), score),
                });
            }
        }
        Ok(last)
    }
}

fn place((metric, start, window_s, group, _): &Key) -> String {
    let values: Vec<&str> = group.0.iter().flatten().map(|value| &**value).collect();
    format!("{metric} at {start} over {window_s} s of [{}]", values.join(", "))
}

/// Gives the windows with requests the maturity that they have reached by now; the recomputation ends with the date.
fn mature(answered: &Answered, registry: &Registry, rows: &mut Vec<MetricRow>) {
    for metric in registry.metrics().iter().filter(|metric| matches!(metric.value, Value::Maturity { .. })) {
        rows.retain_mut(|row| {
            let window = metric.windows.iter().find(|window| row.metric == metric.name && window.seconds() == row.window_s);
            let Some(window) = window else { return row.metric != metric.name };
            let Some(found) = answered.maturity(row.window_start, *window, &row.group) else { return false };
            (row.n, row.sum, row.value) = (i64::try_from(found.n).unwrap_or(i64::MAX), found.arrived, found.value);
            (row.lo, row.hi) = found.bounds.unzip();
            true
        });
    }
}

/// A ratio whose numerator can be corrected away.
fn is_ratio_of_feedback(metric: &Metric) -> bool {
    matches!(&metric.value, Value::Ratio { over, .. } if over.iter().any(|term| measures::is_corrected(term.measure)))
}

fn is_comparable(metric: &Metric, no_scales: bool) -> bool {
    let counts_records = metric.measures.iter().any(|measure| measures::is_ledger(*measure));
    let from_rows = !counts_records && !matches!(metric.value, Value::Age(_) | Value::Service(_));
    let feedback = metric.inputs.contains(Input::Feedback) && !metric.inputs.contains(Input::Pipeline) && !no_scales;
    from_rows && (metric.inputs == Inputs::of(Input::Gateway) || feedback)
}

fn safety(found: &arrow::array::StructArray) -> Vec<Safety<'_>> {
    let text = |name: &str, at: usize| {
        let array = found.column_by_name(name)?.as_string_opt::<i32>()?;
        array.is_valid(at).then(|| Text::from(array.value(at)))
    };
    let flag = |name: &str, at: usize| {
        let array = found.column_by_name(name)?.as_boolean_opt()?;
        array.is_valid(at).then(|| array.value(at))
    };
    (0..found.len())
        .map(|at| Safety {
            category: text("category", at).unwrap_or_default(),
            severity: text("severity", at),
            filtered: flag("filtered", at),
            detected: flag("detected", at),
            stage: match text("stage", at).as_deref() {
                Some("prompt") => Some(SafetyStage::Prompt),
                Some("response") => Some(SafetyStage::Response),
                _ => None,
            },
        })
        .collect()
}

fn answer(columns: &Columns<'_>, row: usize) -> Result<Answer, ArrowError> {
    let status = columns.text("status", row)?.and_then(StatusClass::parse).unwrap_or(StatusClass::Ok);
    let tokens = |name: &str| columns.integer(name, row);
    let mut scores = [None; SCORE_COLUMNS.len()];
    for (score, name) in scores.iter_mut().zip(SCORE_COLUMNS) {
        *score = columns.float(name, row)?.map(billionths);
    }
    Ok(Answer {
        latency_us: columns.float("latency_ms", row)?.map(micros_from_ms),
        first_token_us: columns.float("time_to_first_token_ms", row)?.map(micros_from_ms),
        tokens: [
            tokens("usage_input_tokens")?,
            tokens("usage_output_tokens")?,
            tokens("usage_cached_input_tokens")?,
            tokens("usage_cache_write_tokens")?,
            tokens("usage_reasoning_tokens")?,
        ],
        cost: columns.float("cost_usd", row)?.map(billionths),
        cost_status: columns.text("cost_status", row)?.and_then(CostStatus::parse),
        quota: [
            (tokens("quota_limit_tokens")?, tokens("quota_remaining_tokens")?),
            (tokens("quota_limit_requests")?, tokens("quota_remaining_requests")?),
        ],
        prompt_length: tokens("prompt_length_tokens")?,
        answer_length: tokens("answer_length_tokens")?,
        state: columns.text("state", row)?.and_then(AnswerState::parse),
        refusal: columns.flag("refusal", row)?,
        scores,
        language: columns.text("language", row)?.and_then(Category::of),
        prediction: columns.text("prediction", row)?.and_then(Category::of),
        embedding: columns.text("embedding", row)?.and_then(Embedding::parse),
        words: words::of(columns, row)?,
        ..Answer::new(status)
    })
}
