//! The `metrics` table. There can be as many rows as events, so strings are made dictionary keys once per row's shared
//! pointer and the rows are never copied.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Float64Builder, Int32Array, Int64Array, Int64Builder,
    ListBuilder, StringArray, TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use hashbrown::HashMap;

use super::columns::METRICS;
use super::file::{Part, write};
use super::interactions::constant;
use crate::evaluate::{MetricRow, ValueStatus};
use crate::event::Timestamp;
use crate::lake::Error;
use crate::measure::{DIMENSIONS, Dimension, Group};

/// Rows of one batch handed to the writer: few enough that all columns find them in the cache.
const BATCH_ROWS: usize = 4_096;
/// Names of the states, in the order of their dictionary.
const STATUSES: [ValueStatus; 3] = [ValueStatus::Ok, ValueStatus::Thin, ValueStatus::NotApplicable];

/// The files of an evaluation's rows.
pub(super) fn encode(rows: &[MetricRow], attempt: &str) -> Result<Vec<Part>, Error> {
    let mut keys = Keys::default();
    let mut keyed: Vec<Keyed<'_>> = rows.iter().map(|row| keys.of(row)).collect();
    let metric_ranks = keys.metrics.ranks();
    let tenant_ranks = keys.dimensions[Dimension::Tenant as usize].ranks();
    let rank = |ranks: &[i32], key: Option<i32>| key.and_then(|key| ranks.get(usize::try_from(key).ok()?).copied()).unwrap_or(-1);
    keyed.sort_by_cached_key(|keyed| {
        let group = keys.groups.get(keyed.group).copied().unwrap_or_default();
        (
            keyed.row.window_start.days(),
            rank(&metric_ranks, Some(keyed.metric)),
            rank(&tenant_ranks, group[Dimension::Tenant as usize]),
            keyed.row.window_start,
            keyed.row.window_s,
        )
    });
    let source = Source {
        metrics: keys.metrics.values(),
        dimensions: keys.dimensions.each_ref().map(Dictionary::values),
        scorers: keys.scorers.values(),
        statuses: Arc::new(STATUSES.iter().map(|status| Some(status.as_str())).collect::<StringArray>()),
        groups: keys.groups,
        attempt,
    };
    let mut parts = Vec::new();
    for day in keyed.chunk_by(|a, b| a.row.window_start.days() == b.row.window_start.days()) {
        let Some(first) = day.first() else { continue };
        let bytes = write(&METRICS, attempt, day.len(), day.chunks(BATCH_ROWS).map(|rows| source.batch(rows)))?;
        parts.push(Part::new(METRICS.name, first.row.window_start.date(), day.len(), bytes));
    }
    Ok(parts)
}

/// A row with the dictionary keys of its strings.
struct Keyed<'a> {
    row: &'a MetricRow,
    metric: i32,
    group: usize,
    scorer: Option<i32>,
}

/// Distinct strings of one column.
#[derive(Default)]
struct Dictionary {
    keys: HashMap<Arc<str>, i32>,
    strings: Vec<Arc<str>>,
}

impl Dictionary {
    fn key(&mut self, text: &Arc<str>) -> i32 {
        if let Some(key) = self.keys.get(&**text) {
            return *key;
        }
        let key = i32::try_from(self.strings.len()).unwrap_or(i32::MAX);
        self.keys.insert(Arc::clone(text), key);
        self.strings.push(Arc::clone(text));
        key
    }

    fn values(&self) -> ArrayRef {
        Arc::new(self.strings.iter().map(|text| Some(&**text)).collect::<StringArray>())
    }

    /// Rank of each key in the order of the strings.
    fn ranks(&self) -> Vec<i32> {
        let mut order: Vec<usize> = (0..self.strings.len()).collect();
        order.sort_by_key(|at| &self.strings[*at]);
        let mut ranks = vec![0; order.len()];
        for (rank, at) in order.into_iter().enumerate() {
            ranks[at] = i32::try_from(rank).unwrap_or(i32::MAX);
        }
        ranks
    }
}

#[derive(Default)]
struct Keys {
    metrics: Dictionary,
    scorers: Dictionary,
    dimensions: [Dictionary; DIMENSIONS.len()],
    groups: Vec<[Option<i32>; DIMENSIONS.len()]>,
    known: HashMap<*const Group, usize>,
}

impl Keys {
    fn of<'a>(&mut self, row: &'a MetricRow) -> Keyed<'a> {
        let group = match self.known.get(&Arc::as_ptr(&row.group)) {
            Some(group) => *group,
            None => self.add(&row.group),
        };
        Keyed {
            row,
            metric: self.metrics.key(&row.metric),
            group,
            scorer: row.scorer.as_ref().map(|scorer| self.scorers.key(scorer)),
        }
    }

    fn add(&mut self, group: &Arc<Group>) -> usize {
        let mut keys = [None; DIMENSIONS.len()];
        for ((key, value), dictionary) in keys.iter_mut().zip(&group.0).zip(&mut self.dimensions) {
            *key = value.as_ref().map(|value| dictionary.key(value));
        }
        self.groups.push(keys);
        self.known.insert(Arc::as_ptr(group), self.groups.len() - 1);
        self.groups.len() - 1
    }
}

struct Source<'a> {
    metrics: ArrayRef,
    dimensions: [ArrayRef; DIMENSIONS.len()],
    scorers: ArrayRef,
    statuses: ArrayRef,
    groups: Vec<[Option<i32>; DIMENSIONS.len()]>,
    attempt: &'a str,
}

impl Source<'_> {
    fn batch(&self, rows: &[Keyed<'_>]) -> Result<Vec<ArrayRef>, ArrowError> {
        METRICS.columns.iter().map(|column| self.column(column.name, rows)).collect()
    }

    fn column(&self, name: &str, rows: &[Keyed<'_>]) -> Result<ArrayRef, ArrowError> {
        if let Some(at) = DIMENSIONS.iter().position(|dimension| *dimension == name) {
            let keys = rows.iter().map(|row| self.groups.get(row.group).and_then(|group| group[at]));
            return dictionary(keys, &self.dimensions[at]);
        }
        Ok(match name {
            "window_start" => times(rows, |row| row.window_start),
            "window_s" => integers(rows, |row| row.window_s),
            "event_date" => Arc::new(rows.iter().map(|row| Some(row.row.window_start.days())).collect::<Date32Array>()),
            "metric" => return dictionary(rows.iter().map(|row| Some(row.metric)), &self.metrics),
            "n" => integers(rows, |row| row.n),
            "n_null" => integers(rows, |row| row.n_null),
            "sum" => floats(rows, |row| Some(row.sum)),
            "sum_sq" => floats(rows, |row| Some(row.sum_sq)),
            "min" => floats(rows, |row| row.min),
            "max" => floats(rows, |row| row.max),
            "bad_n" => integers(rows, |row| row.bad_n),
            "value" => floats(rows, |row| row.value),
            "value_status" => {
                let keys = rows.iter().map(|row| {
                    STATUSES.iter().position(|status| *status == row.row.value_status).and_then(|at| i32::try_from(at).ok())
                });
                return dictionary(keys, &self.statuses);
            }
            "p" => floats(rows, |row| row.p),
            "expected" => floats(rows, |row| row.expected),
            "reference_n" => Arc::new(rows.iter().map(|row| row.row.reference_n).collect::<Int64Array>()),
            "dispersion" => floats(rows, |row| row.dispersion),
            "lo" => floats(rows, |row| row.lo),
            "hi" => floats(rows, |row| row.hi),
            "p50" => floats(rows, |row| row.p50),
            "p90" => floats(rows, |row| row.p90),
            "p95" => floats(rows, |row| row.p95),
            "p99" => floats(rows, |row| row.p99),
            "hist_edges" => {
                let mut lists = ListBuilder::new(Float64Builder::new());
                for row in rows {
                    lists.values().append_slice(&row.row.hist_edges);
                    lists.append(true);
                }
                Arc::new(lists.finish())
            }
            "hist_counts" => {
                let mut lists = ListBuilder::new(Int64Builder::new());
                for row in rows {
                    lists.values().append_slice(&row.row.hist_counts);
                    lists.append(true);
                }
                Arc::new(lists.finish())
            }
            "revision" => integers(rows, |row| row.revision),
            "is_final" => Arc::new(rows.iter().map(|row| Some(row.row.is_final)).collect::<BooleanArray>()),
            "coverage" => floats(rows, |row| Some(row.coverage)),
            "as_of" => times(rows, |row| row.as_of),
            "scorer" => return dictionary(rows.iter().map(|row| row.scorer), &self.scorers),
            "log_entry_id" => return constant(self.attempt, rows.len()),
            _ => return Err(ArrowError::SchemaError(format!("no source for column `metrics.{name}`"))),
        })
    }
}

fn dictionary(keys: impl Iterator<Item = Option<i32>>, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(DictionaryArray::try_new(keys.collect::<Int32Array>(), Arc::clone(values))?))
}

fn integers(rows: &[Keyed<'_>], value: impl Fn(&MetricRow) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| value(row.row))))
}

fn floats(rows: &[Keyed<'_>], value: impl Fn(&MetricRow) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| value(row.row)).collect::<Float64Array>())
}

fn times(rows: &[Keyed<'_>], value: impl Fn(&MetricRow) -> Timestamp) -> ArrayRef {
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| value(row.row).0));
    Arc::new(times.with_timezone("UTC"))
}
