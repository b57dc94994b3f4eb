//! The small tables: feedback, pipeline events, alert events, rejects.
//!
//! Plain rows, so columns are simply collected one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;

use super::columns::{ALERT_EVENTS, FEEDBACK, PIPELINE_EVENTS, REJECTS};
use super::file::{Part, write};
use super::interactions::constant;
use super::schema::Table;
use crate::alert::Transition;
use crate::event::Timestamp;
use crate::ingest::{FeedbackRow, PipelineRow, RejectRow};
use crate::lake::Error;

/// The files of feedback.
pub(super) fn feedback(rows: &[FeedbackRow], attempt: &str) -> Result<Vec<Part>, Error> {
    let mut rows: Vec<&FeedbackRow> = rows.iter().collect();
    rows.sort_by(|a, b| (a.event_time.days(), &a.tenant, a.event_time).cmp(&(b.event_time.days(), &b.tenant, b.event_time)));
    by_date(
        &FEEDBACK,
        attempt,
        &rows,
        |row| row.event_time,
        |name, rows| match name {
            "event_time" => Some(times(rows, |row| Some(row.event_time))),
            "feedback_id" => Some(texts(rows, |row| row.feedback_id.as_deref())),
            "target_request_id" => Some(texts(rows, |row| row.target_request_id.as_deref())),
            "target_trace_id" => Some(texts(rows, |row| row.target_trace_id.as_deref())),
            "target_span_id" => Some(texts(rows, |row| row.target_span_id.as_deref())),
            "target_response_id" => Some(texts(rows, |row| row.target_response_id.as_deref())),
            "target_conversation_id" => Some(texts(rows, |row| row.target_conversation_id.as_deref())),
            "tenant" => Some(texts(rows, |row| row.tenant.as_deref())),
            "app" => Some(texts(rows, |row| row.app.as_deref())),
            "name" => Some(texts(rows, |row| Some(&row.name))),
            "score" => Some(floats(rows, |row| row.score)),
            "label" => Some(texts(rows, |row| row.label.as_deref())),
            "comment" => Some(texts(rows, |row| row.comment.as_deref())),
            "correction" => Some(texts(rows, |row| row.correction.as_deref())),
            "source" => Some(texts(rows, |row| row.source.as_deref())),
            "user_id" => Some(texts(rows, |row| row.user_id.as_deref())),
            "attributes" => Some(texts(rows, |row| row.attributes.as_deref())),
            "match" => Some(texts(rows, |row| Some(&row.r#match))),
            "answer_request_id" => Some(texts(rows, |row| row.answer_request_id.as_deref())),
            "answer_event_time" => Some(times(rows, |row| row.answer_event_time)),
            "revision" => Some(integers(rows, |row| Some(row.revision))),
            "source_topic" => Some(texts(rows, |row| Some(&row.source_topic))),
            "source_partition" => Some(integers(rows, |row| Some(i64::from(row.source_partition)))),
            "source_offset" => Some(integers(rows, |row| Some(row.source_offset))),
            _ => None,
        },
    )
}

/// The files of pipeline events.
pub(super) fn pipeline_events(rows: &[PipelineRow], attempt: &str) -> Result<Vec<Part>, Error> {
    let mut rows: Vec<&PipelineRow> = rows.iter().collect();
    let key = |row: &PipelineRow| (row.event_time.days(), row.string("tenant").map(str::to_owned), row.event_time);
    rows.sort_by_cached_key(|row| key(row));
    by_date(
        &PIPELINE_EVENTS,
        attempt,
        &rows,
        |row| row.event_time,
        |name, rows| {
            let at = |names: &[&str]| names.iter().position(|other| *other == name);
            if let Some(at) = at(&PipelineRow::STRING_COLUMNS) {
                return Some(texts(rows, |row| row.strings[at].as_deref()));
            }
            if let Some(at) = at(&PipelineRow::INTEGER_COLUMNS) {
                return Some(integers(rows, |row| row.integers[at]));
            }
            if let Some(at) = at(&PipelineRow::TIME_COLUMNS) {
                return Some(times(rows, |row| row.times[at]));
            }
            (name == "event_time").then(|| times(rows, |row| Some(row.event_time)))
        },
    )
}

/// The files of rejects.
pub(super) fn rejects(rows: &[RejectRow], attempt: &str) -> Result<Vec<Part>, Error> {
    let mut rows: Vec<&RejectRow> = rows.iter().collect();
    let key = |row: &RejectRow| (row.time.days(), row.source_topic.clone(), row.source_partition, row.source_offset);
    rows.sort_by_cached_key(|row| key(row));
    by_date(
        &REJECTS,
        attempt,
        &rows,
        |row| row.time,
        |name, rows| match name {
            "time" => Some(times(rows, |row| Some(row.time))),
            "reason" => Some(texts(rows, |row| Some(row.reason))),
            "detail" => Some(texts(rows, |row| Some(&row.detail))),
            "source_topic" => Some(texts(rows, |row| Some(&row.source_topic))),
            "source_partition" => Some(integers(rows, |row| Some(i64::from(row.source_partition)))),
            "source_offset" => Some(integers(rows, |row| Some(row.source_offset))),
            "length" => Some(integers(rows, |row| Some(row.length))),
            "sha256" => Some(texts(rows, |row| Some(&row.sha256))),
            "excerpt" => Some(texts(rows, |row| row.excerpt.as_deref())),
            "input" => Some(texts(rows, |row| Some(row.input))),
            _ => None,
        },
    )
}

/// The files of transitions of alerts.
pub(super) fn alert_events(rows: &[Transition], attempt: &str) -> Result<Vec<Part>, Error> {
    let mut labelled: Vec<(&Transition, String)> = Vec::with_capacity(rows.len());
    for row in rows {
        let labels: BTreeMap<&str, &str> = row.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let labels = serde_json::to_string(&labels).map_err(|error| Error::Parquet {
            action: "encode",
            table: ALERT_EVENTS.name.to_owned(),
            reason: error.to_string(),
        })?;
        labelled.push((row, labels));
    }
    let mut rows: Vec<&(&Transition, String)> = labelled.iter().collect();
    rows.sort_by_key(|(row, _)| (row.event_time.days(), &row.rule, row.event_time));
    by_date(
        &ALERT_EVENTS,
        attempt,
        &rows,
        |(row, _)| row.event_time,
        |name, rows| match name {
            "event_time" => Some(times(rows, |(row, _)| Some(row.event_time))),
            "rule" => Some(texts(rows, |(row, _)| Some(&row.rule))),
            "fingerprint" => Some(texts(rows, |(row, _)| Some(&row.fingerprint))),
            "incident" => Some(texts(rows, |(row, _)| row.incident.as_deref())),
            "from_state" => Some(texts(rows, |(row, _)| Some(&row.from_state))),
            "to_state" => Some(texts(rows, |(row, _)| Some(&row.to_state))),
            "reason" => Some(texts(rows, |(row, _)| Some(&row.reason))),
            "verdict" => Some(texts(rows, |(row, _)| Some(&row.verdict))),
            "value" => Some(floats(rows, |(row, _)| row.value)),
            "n" => Some(integers(rows, |(row, _)| i64::try_from(row.n).ok())),
            "lo" => Some(floats(rows, |(row, _)| row.lo)),
            "hi" => Some(floats(rows, |(row, _)| row.hi)),
            "baseline" => Some(floats(rows, |(row, _)| row.baseline)),
            "baseline_n" => Some(integers(rows, |(row, _)| row.baseline_n.and_then(|n| i64::try_from(n).ok()))),
            "lower" => Some(floats(rows, |(row, _)| row.limits.map(|(lower, _)| lower))),
            "upper" => Some(floats(rows, |(row, _)| row.limits.map(|(_, upper)| upper))),
            "severity" => Some(texts(rows, |(row, _)| Some(&row.severity))),
            "labels" => Some(texts(rows, |(_, labels)| Some(labels))),
            _ => None,
        },
    )
}

/// One file per date of rows that are sorted by date first. `event_date` and `log_entry_id` are filled in for every table.
pub(super) fn by_date<Row>(
    table: &Table,
    attempt: &str,
    rows: &[&Row],
    time: impl Fn(&Row) -> Timestamp,
    column: impl Fn(&str, &[&Row]) -> Option<ArrayRef>,
) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for day in rows.chunk_by(|a, b| time(a).days() == time(b).days()) {
        let Some(first) = day.first() else { continue };
        let date = time(first);
        let arrays = || {
            table
                .columns
                .iter()
                .map(|wanted| match wanted.name {
                    "event_date" => Ok(Arc::new(Date32Array::from_value(date.days(), day.len())) as ArrayRef),
                    "log_entry_id" => constant(attempt, day.len()),
                    name => column(name, day)
                        .ok_or_else(|| ArrowError::SchemaError(format!("no source for column `{}.{name}`", table.name))),
                })
                .collect::<Result<Vec<ArrayRef>, ArrowError>>()
        };
        let bytes = write(table, attempt, day.len(), std::iter::once_with(arrays))?;
        parts.push(Part::new(table.name, date.date(), day.len(), bytes));
    }
    Ok(parts)
}

pub(super) fn texts<'a, Row>(rows: &[&'a Row], value: impl Fn(&'a Row) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| value(row)).collect::<StringArray>())
}

pub(super) fn integers<Row>(rows: &[&Row], value: impl Fn(&Row) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| value(row)).collect::<Int64Array>())
}

pub(super) fn floats<Row>(rows: &[&Row], value: impl Fn(&Row) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(|row| value(row)).collect::<Float64Array>())
}

pub(super) fn times<Row>(rows: &[&Row], value: impl Fn(&Row) -> Option<Timestamp>) -> ArrayRef {
    let times: TimestampMicrosecondArray = rows.iter().map(|row| value(row).map(|time| time.0)).collect();
    Arc::new(times.with_timezone("UTC"))
}
