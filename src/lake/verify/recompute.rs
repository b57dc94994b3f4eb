//! The rows of one date, through `evaluate`'s own formulas, against the rows of `metrics` of that date.
//!
//! Compared are the latest revisions of metrics that are made from requests, from pipelines, or from feedback by its own or its answer's
//! time: counts, histograms and status exactly, sums, values, intervals, quantiles and p within the rounding of a sum. Drift and
//! changes are compared with what the dates before left, ages with the publications of all dates.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

use super::answered::Answered;
use super::completeness::Completeness;
use super::expected::{classified, compared};
use super::published::{Depth, Key, Numbers, Published, place};
use super::{pipelines, words};
use crate::evaluate::{Carried, Cohorts, MetricRow, Publications, Recomputation, Reference, StoredAnswer, StoredFeedback};
use crate::event::{Input, Safety, SafetyStage, Text, Timestamp};
use crate::ingest::{FeedbackScale, SCORE_COLUMNS, polarity};
use crate::lake::tables::columns::{FEEDBACK, INTERACTIONS, METRICS, PIPELINE_EVENTS, REJECTS};
use crate::lake::tables::{Columns, Costs, Position};
use crate::measure::registry::{Rows, Value};
use crate::measure::{
    Answer, AnswerState, Category, CostStatus, Dimension, Embedding, Group, Metric, Registry, StatusClass, billionths, measures,
    micros_from_ms,
};

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
/// Why ages of a tenant cannot be recomputed that had more groups than the cap.
const FOLDED: &str = "ages of tenants whose indexes were folded into `__other__`";

/// The rows of one date.
pub(super) struct Day {
    published: Published,
    interactions: Vec<Vec<ArrayRef>>,
    costs: Costs,
    feedback: Vec<Vec<ArrayRef>>,
    pipeline_events: Vec<Vec<ArrayRef>>,
    rejects: Vec<Vec<ArrayRef>>,
}

/// The columns of all files of a date, by table.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) metrics: Vec<Vec<ArrayRef>>,
    pub(super) interactions: Vec<Vec<ArrayRef>>,
    pub(super) costs: Vec<Vec<ArrayRef>>,
    pub(super) feedback: Vec<Vec<ArrayRef>>,
    pub(super) pipeline_events: Vec<Vec<ArrayRef>>,
    pub(super) rejects: Vec<Vec<ArrayRef>>,
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
    /// Publications of all dates, and whether those are all that the service knew.
    pub(super) publications: (Arc<Publications>, Past),
    /// First date of each input's table, where it has one: rows before it are not there any more.
    pub(super) first: BTreeMap<Input, Timestamp>,
    /// First date of refused records.
    pub(super) first_rejects: Option<Timestamp>,
}

impl Basis {
    /// Why rows of a metric cannot be recomputed for this date, if so.
    fn left_out(&self, metric: &Metric) -> Option<String> {
        let by_answer = metric.measures.iter().any(|measure| measures::is_by_answer(*measure));
        if metric.inputs.contains(Input::Feedback) && self.scales.is_empty() {
            return Some("metrics of feedback: name the configuration, which says what the scores mean".to_owned());
        }
        if by_answer && self.answered.is_none() {
            return Some("metrics by the time of the answer: no hour of feedback has closed yet".to_owned());
        }
        if let Some(input) = metric.inputs.iter().find(|input| self.is_deleted(*input)) {
            return Some(format!("metrics of {} events whose rows have been deleted", input.as_str()));
        }
        let compares = matches!(metric.value, Value::Drift { .. } | Value::Change { .. } | Value::Maturity { .. });
        (compares && self.past == Past::Deleted).then(|| "comparisons with days whose rows have been deleted".to_owned())
    }

    /// Whether rows of an input's table may have been there for this date and are not any more.
    fn is_deleted(&self, input: Input) -> bool {
        self.first.get(&input).is_some_and(|first| self.start < *first)
    }
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
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// (place, problem).
    pub(super) differences: Vec<(String, String)>,
    /// What the next date needs.
    pub(super) carried: Carried,
    /// Delays of feedback on answers up to this date.
    pub(super) cohorts: Cohorts,
    /// Rows of `metrics` that were compared.
    pub(super) rows: u64,
    /// Rows of `metrics` that were not, by reason.
    pub(super) left_out: BTreeMap<String, u64>,
    /// The windows of the ledger.
    pub(super) completeness: Completeness,
}

impl Day {
    /// From the columns of all files of that date.
    pub(super) fn new(tables: Tables) -> Result<Self, ArrowError> {
        let Tables { metrics, interactions, costs, feedback, pipeline_events, rejects } = tables;
        let mut published = Published::default();
        for arrays in &metrics {
            published.add(&Columns { table: &METRICS, arrays })?;
        }
        Ok(Self { published, interactions, costs: Costs::new(&costs)?, feedback, pipeline_events, rejects })
    }

    /// Recomputes and compares.
    pub(super) fn compare(self, basis: Basis) -> Result<Compared, ArrowError> {
        let registry = match Registry::builtin() {
            Ok(registry) => Arc::new(registry),
            Err(error) => {
                let differences = vec![("schemas/metrics.yaml".to_owned(), error.to_string())];
                return Ok(Compared { differences, ..Compared::default() });
            }
        };
        let completeness = self.completeness(&basis)?;
        let reasons = registry.metrics().iter().filter_map(|metric| Some((&*metric.name, basis.left_out(metric)?)));
        let unjudged: HashMap<&str, String> = reasons.collect();
        let ages = registry.metrics().iter().filter(|metric| matches!(metric.value, Value::Age(_) | Value::AgeSince { .. }));
        let ages: HashSet<&str> = ages.map(|metric| &*metric.name).collect();
        let publications = basis.publications.1;
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
        let (mut compared, mut left_out) = (0, BTreeMap::<String, u64>::new());
        let folded = self.folded(&ages);
        for (key, found) in self.published.iter() {
            if Completeness::knows(&key.0) {
                compared += 1;
                continue;
            }
            let (expected, is_age) = (recomputed.get(key), ages.contains(&*key.0));
            let reason = match (unjudged.get(&*key.0), registry.get(&key.0)) {
                (Some(reason), _) => Some(reason.clone()),
                (None, None) => Some(format!("metric {}, which this version does not know", key.0)),
                (None, Some(_)) if is_age && folded.contains(&key.3.get(Dimension::Tenant)) => Some(FOLDED.to_owned()),
                // A publication whose row is gone made it known.
                (None, Some(_))
                    if is_age && publications == Past::Deleted && expected.is_none_or(|expected| expected.n < found.n) =>
                {
                    Some("ages since publications whose rows have been deleted".to_owned())
                }
                (None, Some(_)) => None,
            };
            if let Some(reason) = reason {
                *left_out.entry(reason).or_default() += 1;
                continue;
            }
            let last = closed.entry((&key.0, key.2)).or_insert(key.1);
            *last = (*last).max(key.1);
            compared += 1;
            let depth = registry.get(&key.0).map_or(Depth::Whole, Depth::of);
            match expected {
                Some(expected) if expected.agrees(found, depth) => {}
                None if (found.n, found.bad_n) == (0, 0) && (found.n_null == 0 || depth == Depth::Value) => {}
                // What occurred once and was corrected away keeps a row that says so.
                None if found.bad_n == 0 && found.sum == 0.0 && occurring.contains(&*key.0) => {}
                expected => differences.push((place(key), format!("recomputed {expected:?}, published {found:?}"))),
            }
        }
        for (key, expected) in recomputed.iter().filter(|(key, _)| !unjudged.contains_key(&*key.0)) {
            let is_closed = closed.get(&(&key.0, key.2)).is_some_and(|last| key.1 <= *last);
            let is_folded = ages.contains(&*key.0) && folded.contains(&key.3.get(Dimension::Tenant));
            if is_closed && !is_folded && !self.published.contains(key) {
                differences.push((place(key), format!("recomputed {expected:?}, but not published")));
            }
        }
        Ok(Compared { differences, carried, cohorts, rows: compared, left_out, completeness })
    }

    /// Tenants some of whose indexes were folded by the cap on groups.
    fn folded(&self, ages: &HashSet<&str>) -> HashSet<Option<&Arc<str>>> {
        let others = self
            .published
            .iter()
            .map(|(key, _)| key)
            .filter(|key| ages.contains(&*key.0) && key.3.get(Dimension::Index).is_some_and(|index| &**index == Group::OTHER));
        others.map(|key| key.3.get(Dimension::Tenant)).collect()
    }

    /// The ledger as the rows of the tables have it, beside what was published.
    fn completeness(&self, basis: &Basis) -> Result<Completeness, ArrowError> {
        let deleted = Input::ALL.into_iter().filter(|input| basis.is_deleted(*input));
        let rejects_deleted = basis.first_rejects.is_some_and(|first| basis.start < first);
        let mut found = Completeness::new(deleted.collect(), rejects_deleted);
        let tables = [
            (Input::Gateway, &INTERACTIONS, &self.interactions),
            (Input::Feedback, &FEEDBACK, &self.feedback),
            (Input::Pipeline, &PIPELINE_EVENTS, &self.pipeline_events),
        ];
        for (input, table, batches) in tables {
            for arrays in batches {
                found.add(input, &Columns { table, arrays })?;
            }
        }
        for arrays in &self.rejects {
            found.add_rejects(&Columns { table: &REJECTS, arrays })?;
        }
        for (key, numbers) in self.published.iter() {
            found.publish(&key.0, key.1, key.2, numbers.n, numbers.bad_n);
        }
        Ok(found)
    }

    fn recompute(&self, basis: Basis, registry: &Arc<Registry>) -> Result<(Vec<MetricRow>, Carried, Cohorts), ArrowError> {
        let groups: HashSet<(i32, Group)> = self.published.iter().map(|(key, _)| (key.1.days(), key.3.clone())).collect();
        // A dimension that requests are not grouped by has no value in any row of theirs.
        let of_requests = self.published.iter().map(|(key, _)| key).filter(|key| &*key.0 == REQUESTS);
        let of_requests: HashSet<&Group> = of_requests.map(|key| &key.3).collect();
        let group_by: Vec<Dimension> = REQUEST_DIMENSIONS
            .into_iter()
            .filter(|dimension| of_requests.iter().any(|group| group.get(*dimension).is_some()))
            .collect();
        let mut recomputation = Recomputation::new(groups).after(basis.carried, basis.start).knowing(basis.publications.0);
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
                if let Some(index) = pipelines::served(&columns, row)? {
                    recomputation.served(at, &index);
                }
                if let Some(rated) = &mut rated {
                    rated.see(&columns, row, at, (&group, scorer.as_ref()))?;
                }
            }
        }
        last = last.max(self.add_feedback(&basis.scales, &basis.replaced, &mut recomputation)?);
        let added = basis.answered.as_ref().zip(rated.as_ref());
        let cohorts = added.map(|(answered, rated)| answered.add(rated, &mut recomputation)).unwrap_or_default();
        for arrays in &self.pipeline_events {
            last = last.max(pipelines::runs(&Columns { table: &PIPELINE_EVENTS, arrays }, &mut recomputation)?);
        }
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
