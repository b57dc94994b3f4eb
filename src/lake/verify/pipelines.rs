//! What stored rows say of pipelines and indexes: runs that ended, what they published, and which version served an answer.

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use serde::Deserialize;

use crate::evaluate::{Publications, Recomputation};
use crate::event::{PipelineState, Timestamp};
use crate::lake::tables::Columns;
use crate::measure::{Dimension, EndedRun, Group, StatusClass, VERSION_MARK};

/// Dimensions of the rows of ages.
const OF_INDEX: [Dimension; 3] = [Dimension::Tenant, Dimension::App, Dimension::Index];

/// One of the `outputs`.
#[derive(Deserialize)]
struct Dataset {
    name: Option<String>,
    version: Option<String>,
}

/// Notes what the runs of a batch of `pipeline_events` published.
pub(super) fn publications(columns: &Columns<'_>, known: &mut Publications) -> Result<(), ArrowError> {
    for row in 0..columns.array("event_time")?.len() {
        let at = columns.time("event_time", row)?;
        let Some(state) = ended(columns, row)? else { continue };
        known.ended(at);
        let is_whole = state == PipelineState::Complete && columns.integer("rows_failed", row)?.unwrap_or(0) == 0;
        if !is_whole || columns.text("kind", row)? != Some("index") {
            continue;
        }
        let outputs = columns.text("outputs", row)?.unwrap_or("[]");
        let outputs: Vec<Dataset> = serde_json::from_str(outputs).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        let mut group = columns.group(&[Dimension::Tenant, Dimension::App], row)?;
        for Dataset { name, version } in outputs {
            group.0[Dimension::Index as usize] = name.as_deref().map(Into::into);
            known.index(&group, at);
            if let (Some(name), Some(version)) = (name, version) {
                group.0[Dimension::Index as usize] = Some(format!("{name}{VERSION_MARK}{version}").into());
                known.version(&group, at);
            }
        }
    }
    Ok(())
}

/// Adds the runs of a batch that ended; returns the time of the last.
pub(super) fn runs(columns: &Columns<'_>, recomputation: &mut Recomputation) -> Result<Timestamp, ArrowError> {
    let mut last = Timestamp(i64::MIN);
    for row in 0..columns.array("event_time")?.len() {
        let at = columns.time("event_time", row)?;
        last = last.max(at);
        let Some(state) = ended(columns, row)? else { continue };
        let duration = match time(columns, "started_at", row)? {
            Some(start) => Some(time(columns, "ended_at", row)?.unwrap_or(at).0 - start.0),
            None => None,
        };
        let run = EndedRun {
            failed: state != PipelineState::Complete,
            duration_us: duration.filter(|duration| *duration >= 0),
            rows_out: columns.integer("rows_out", row)?,
            rows_failed: columns.integer("rows_failed", row)?,
            published_us: None,
        };
        recomputation.run(at, &columns.group(&[Dimension::Tenant, Dimension::App, Dimension::Job], row)?, &run);
    }
    Ok(last)
}

/// The index of a row of `interactions`, if it served an answer.
pub(super) fn served(columns: &Columns<'_>, row: usize) -> Result<Option<Group>, ArrowError> {
    let is_answer = columns.text("status", row)? == Some(StatusClass::Ok.as_str());
    if is_answer && columns.text("index", row)?.is_some() { columns.group(&OF_INDEX, row).map(Some) } else { Ok(None) }
}

/// The state of a row whose run ended with it.
fn ended(columns: &Columns<'_>, row: usize) -> Result<Option<PipelineState>, ArrowError> {
    let ends = [PipelineState::Complete, PipelineState::Fail, PipelineState::Abort];
    let state = columns.text("state", row)?;
    Ok(ends.into_iter().find(|end| Some(end.as_str()) == state))
}

fn time(columns: &Columns<'_>, name: &str, row: usize) -> Result<Option<Timestamp>, ArrowError> {
    let array = columns.array(name)?.as_primitive::<TimestampMicrosecondType>();
    Ok(array.is_valid(row).then(|| Timestamp(array.value(row))))
}
