//! Metrics from the rows of `interactions`, by hour and over all groups, against the rows of `metrics`.
//!
//! Counts and sums add up over groups, so neither the groups nor their cap matters here. Compared are the metrics that are
//! made from requests alone, by their latest revisions: counts exactly, sums within the rounding of one f64 per group.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::Report;
use crate::event::{Input, Safety, SafetyStage, Text, Timestamp};
use crate::ingest::SCORE_COLUMNS;
use crate::lake::tables::columns::{INTERACTIONS, METRICS};
use crate::lake::tables::schema::Table;
use crate::measure::registry::{Field, Inputs, Metric, Registry, Term, Value};
use crate::measure::{
    Accumulator, Answer, AnswerState, CostStatus, DIMENSIONS, Group, Measure, Partial, StatusClass, billionths, micros_from_ms,
    observe_safety,
};

/// Windows that are compared: every metric is published by the hour.
const WINDOW_S: i64 = 3_600;
/// Relative difference that the rounding of sums explains.
const TOLERANCE: f64 = 1e-9;

/// Columns of one batch by name.
pub(super) struct Columns<'a> {
    pub(super) table: &'a Table,
    pub(super) arrays: &'a [ArrayRef],
}

impl Columns<'_> {
    pub(super) fn array(&self, name: &str) -> Result<&ArrayRef, ArrowError> {
        let found = self.table.position(name).and_then(|at| self.arrays.get(at));
        found.ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))
    }

    pub(super) fn text(&self, name: &str, row: usize) -> Result<Option<&str>, ArrowError> {
        let array = self.array(name)?.as_string::<i32>();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    pub(super) fn integer(&self, name: &str, row: usize) -> Result<Option<i64>, ArrowError> {
        let array = self.array(name)?.as_primitive::<Int64Type>();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    pub(super) fn float(&self, name: &str, row: usize) -> Result<Option<f64>, ArrowError> {
        let array = self.array(name)?.as_primitive::<Float64Type>();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    pub(super) fn flag(&self, name: &str, row: usize) -> Result<Option<bool>, ArrowError> {
        let array = self.array(name)?.as_boolean();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    fn time(&self, name: &str, row: usize) -> Result<Timestamp, ArrowError> {
        Ok(Timestamp(self.array(name)?.as_primitive::<TimestampMicrosecondType>().value(row)))
    }
}

/// Partials of requests by scorer, over all groups, in panes of an hour.
#[derive(Default)]
pub(super) struct Hours {
    by_scorer: BTreeMap<Option<Arc<str>>, Accumulator>,
}

impl Hours {
    pub(super) fn add(&mut self, arrays: &[ArrayRef]) -> Result<(), ArrowError> {
        let columns = Columns { table: &INTERACTIONS, arrays };
        for row in 0..columns.array("event_time")?.len() {
            let answer = answer(&columns, row)?;
            let scorer = columns.text("scorer", row)?.map(Arc::from);
            let hour = columns.time("event_time", row)?.floor(Timestamp::HOUR_US);
            let mut cells = self.by_scorer.entry(scorer).or_default().at(hour, 0);
            answer.observe(&mut cells);
            let lists = columns.array("safety")?.as_list::<i32>();
            if lists.is_valid(row) {
                let found = lists.value(row);
                observe_safety(&safety(found.as_struct()), &mut cells);
            }
        }
        Ok(())
    }
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
        ..Answer::new(status)
    })
}

/// Sums that add up over groups.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    n: i64,
    bad_n: i64,
    sum: f64,
}

impl Sums {
    fn differs(&self, other: &Self) -> bool {
        let sums_differ = (self.sum - other.sum).abs() > TOLERANCE * self.sum.abs().max(other.sum.abs()).max(1.0);
        self.n != other.n || self.bad_n != other.bad_n || sums_differ
    }
}

/// Metric, scorer, hour.
type Key = (Arc<str>, Option<Arc<str>>, Timestamp);

/// Values of the group columns.
type Values = Vec<Option<Arc<str>>>;

/// Hourly rows of `metrics`: the latest revision of each, by group.
#[derive(Default)]
pub(super) struct Published {
    rows: BTreeMap<(Key, Values), (i64, Sums)>,
}

impl Published {
    pub(super) fn add(&mut self, arrays: &[ArrayRef]) -> Result<(), ArrowError> {
        let columns = Columns { table: &METRICS, arrays };
        for row in 0..columns.array("metric")?.len() {
            if columns.integer("window_s", row)? != Some(WINDOW_S) {
                continue;
            }
            let metric = columns.text("metric", row)?.unwrap_or_default();
            let key = (metric.into(), columns.text("scorer", row)?.map(Arc::from), columns.time("window_start", row)?);
            let mut group = Vec::with_capacity(DIMENSIONS.len());
            for dimension in DIMENSIONS {
                group.push(columns.text(dimension, row)?.map(Arc::from));
            }
            let whole = |name: &str| columns.integer(name, row).map(Option::unwrap_or_default);
            let sums = Sums { n: whole("n")?, bad_n: whole("bad_n")?, sum: columns.float("sum", row)?.unwrap_or_default() };
            let revision = whole("revision")?;
            let known = self.rows.entry((key, group)).or_insert((i64::MIN, sums));
            if revision > known.0 {
                *known = (revision, sums);
            }
        }
        Ok(())
    }

    fn by_hour(&self) -> BTreeMap<Key, Sums> {
        let mut hours: BTreeMap<Key, Sums> = BTreeMap::new();
        for ((key, _), (_, sums)) in &self.rows {
            let total = hours.entry(key.clone()).or_default();
            total.n += sums.n;
            total.bad_n += sums.bad_n;
            total.sum += sums.sum;
        }
        hours
    }
}

/// Lists every hour and metric that differs. While the evaluator is `behind` entries of the log, differences are expected.
pub(super) fn compare(hours: Hours, published: &Published, behind: u64, report: &mut Report) {
    let registry = match Registry::builtin() {
        Ok(registry) => registry,
        Err(error) => return report.find("numbers", "schemas/metrics.yaml", error.to_string()),
    };
    let published = published.by_hour();
    let hourly: Vec<&Metric> = registry.metrics().iter().filter(|metric| comparable(metric)).collect();
    let mut recomputed: BTreeMap<Key, Sums> = BTreeMap::new();
    let mut all: BTreeMap<Timestamp, BTreeMap<Measure, Partial>> = BTreeMap::new();
    for (scorer, mut accumulator) in hours.by_scorer {
        let mut of_scorer: BTreeMap<Timestamp, BTreeMap<Measure, Partial>> = BTreeMap::new();
        for row in accumulator.take(vec![Group::default()]).rows {
            of_scorer.entry(row.pane).or_default().entry(row.measure).or_default().merge(&row.partial);
            all.entry(row.pane).or_default().entry(row.measure).or_default().merge(&row.partial);
        }
        for (hour, cells) in &of_scorer {
            for metric in hourly.iter().filter(|metric| metric.scored) {
                if let Some(sums) = sums(metric, cells) {
                    recomputed.insert((Arc::clone(&metric.name), scorer.clone(), *hour), sums);
                }
            }
        }
    }
    for (hour, cells) in &all {
        for metric in hourly.iter().filter(|metric| !metric.scored) {
            if let Some(sums) = sums(metric, cells) {
                recomputed.insert((Arc::clone(&metric.name), None, *hour), sums);
            }
        }
    }
    let mut differences = Vec::new();
    for ((metric, scorer, hour), found) in
        published.iter().filter(|((name, _, _), _)| hourly.iter().any(|metric| metric.name == *name))
    {
        report.metrics_compared += 1;
        let expected = recomputed.get(&(Arc::clone(metric), scorer.clone(), *hour)).copied().unwrap_or_default();
        if expected.differs(found) {
            differences.push((format!("{metric} at {hour}"), format!("recomputed {expected:?}, published {found:?}")));
        }
    }
    if behind > 1 && !differences.is_empty() {
        let left_out = "the evaluator is behind the log, so hours that differ from the rows are not judged";
        report.left_out.push(format!("{left_out} ({} of {} values, {behind} entries)", differences.len(), report.metrics_compared));
    } else {
        for (place, problem) in differences {
            report.find("numbers", place, problem);
        }
    }
}

/// Made from requests alone, published by the hour, with sums that add up.
fn comparable(metric: &Metric) -> bool {
    let whole = |terms: &[Term]| terms.iter().all(|term| term.field != Field::Sum);
    let adds_up = match &metric.value {
        Value::Count(_) | Value::Total(_) | Value::Mean(_) => true,
        Value::Rate { numerator, denominator, without } => whole(numerator) && whole(denominator) && whole(without),
        _ => false,
    };
    adds_up && metric.inputs == Inputs::of(Input::Gateway) && metric.windows.iter().any(|window| window.seconds() == WINDOW_S)
}

fn sums(metric: &Metric, cells: &BTreeMap<Measure, Partial>) -> Option<Sums> {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    match &metric.value {
        Value::Count(measure) => {
            let n = cells.get(measure)?.n;
            Some(Sums { n: signed(n), bad_n: 0, sum: n as f64 })
        }
        Value::Total(measure) | Value::Mean(measure) => {
            let partial = cells.get(measure)?;
            let sum = partial.sum as f64 / measure.info().scale as f64;
            Some(Sums { n: signed(partial.n), bad_n: signed(partial.bad_n), sum })
        }
        Value::Rate { numerator, denominator, without } => {
            let total = |terms: &[Term]| -> i64 {
                let of = |term: &Term| {
                    cells.get(&term.measure).map_or(0, |partial| if term.field == Field::Bad { partial.bad_n } else { partial.n })
                };
                signed(terms.iter().map(of).sum())
            };
            let bad_n = total(numerator);
            Some(Sums { n: (total(denominator) - total(without)).max(0), bad_n, sum: bad_n as f64 })
        }
        _ => None,
    }
}
