//! Rows become Parquet: one file per table and event date, sorted, with the types and encodings of [`schema`].
//!
//! Everything here is computation without I/O, to be run on a thread that may block.

mod batch;
pub mod columns;
pub(super) mod costs;
pub mod dictionary;
mod feedback;
mod file;
mod interactions;
mod internal;
mod merge;
mod metrics;
mod rows;
pub mod schema;

pub(super) use batch::Columns;
pub(super) use costs::{CostRow, Costs, Position};
pub(super) use feedback::decode_feedback;
pub(super) use file::{Part, sha256};
pub use internal::{Answer, Ids};
pub(super) use internal::{IDS, PARTIALS, decode_ids, decode_partials, partials};
pub(super) use merge::{merge, read, read_without};

use super::Error;
use crate::alert::Transition;
use crate::evaluate::MetricRow;
use crate::ingest::Epoch;

/// Version of the tables' columns; part of every path.
pub const SCHEMA_VERSION: u32 = 1;

/// The files of an epoch.
pub(super) fn epoch(epoch: &Epoch, attempt: &str) -> Result<Vec<Part>, Error> {
    let mut parts = interactions::encode(&epoch.rows.interactions, attempt)?;
    parts.extend(rows::feedback(&epoch.rows.feedback, attempt)?);
    parts.extend(rows::pipeline_events(&epoch.rows.pipeline_events, attempt)?);
    parts.extend(rows::rejects(&epoch.rows.rejects, attempt)?);
    parts.extend(partials(&epoch.partials)?);
    parts.extend(internal::ids(epoch)?);
    Ok(parts)
}

/// The files of an evaluation.
pub(super) fn evaluation(metrics: &[MetricRow], transitions: &[Transition], attempt: &str) -> Result<Vec<Part>, Error> {
    let mut parts = metrics::encode(metrics, attempt)?;
    parts.extend(rows::alert_events(transitions, attempt)?);
    Ok(parts)
}

#[cfg(test)]
pub(super) mod tests;
