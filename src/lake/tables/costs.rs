//! The `costs` table: what requests cost by a later price table than the one they were recorded with.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::error::ArrowError;
use hashbrown::HashMap;

use super::batch::Columns;
use super::columns::COSTS;
use super::file::Part;
use super::rows::{by_date, floats, integers, texts, times};
use crate::event::Timestamp;
use crate::lake::Error;
use crate::measure::{CostStatus, billionths};

/// Where a request was read: its identity among the rows of a date.
pub(in crate::lake) type Position = (Arc<str>, i64, i64);

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::lake) struct CostRow {
    pub event_time: Timestamp,
    pub request_id: Option<String>,
    pub tenant: Option<String>,
    pub app: Option<String>,
    /// Billionths of a dollar.
    pub cost: Option<i64>,
    pub status: CostStatus,
    pub price_version: String,
    /// From 1; each repricing of the request adds one.
    pub revision: i64,
    pub position: Position,
}

/// The files of repriced requests.
pub(in crate::lake) fn encode(rows: &[CostRow], attempt: &str) -> Result<Vec<Part>, Error> {
    let mut rows: Vec<&CostRow> = rows.iter().collect();
    rows.sort_by(|a, b| (a.event_time.days(), &a.tenant, a.event_time).cmp(&(b.event_time.days(), &b.tenant, b.event_time)));
    by_date(
        &COSTS,
        attempt,
        &rows,
        |row| row.event_time,
        |name, rows| match name {
            "event_time" => Some(times(rows, |row| Some(row.event_time))),
            "request_id" => Some(texts(rows, |row| row.request_id.as_deref())),
            "tenant" => Some(texts(rows, |row| row.tenant.as_deref())),
            "app" => Some(texts(rows, |row| row.app.as_deref())),
            "cost_usd" => Some(floats(rows, |row| row.cost.map(|billionths| billionths as f64 / 1e9))),
            "cost_status" => Some(texts(rows, |row| Some(row.status.as_str()))),
            "price_version" => Some(texts(rows, |row| Some(&row.price_version))),
            "revision" => Some(integers(rows, |row| Some(row.revision))),
            "source_topic" => Some(texts(rows, |row| Some(&row.position.0))),
            "source_partition" => Some(integers(rows, |row| Some(row.position.1))),
            "source_offset" => Some(integers(rows, |row| Some(row.position.2))),
            _ => None,
        },
    )
}

/// What is known of a request's cost after all repricings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lake) struct Repriced {
    pub cost: Option<i64>,
    pub status: CostStatus,
    pub revision: i64,
}

/// The latest costs of a date's repriced requests.
#[derive(Debug, Default)]
pub(in crate::lake) struct Costs(HashMap<Position, Repriced>);

impl Costs {
    /// From the columns of all files of the date.
    pub(in crate::lake) fn new(files: &[Vec<ArrayRef>]) -> Result<Self, ArrowError> {
        let mut latest = HashMap::new();
        for arrays in files {
            let columns = Columns { table: &COSTS, arrays };
            for row in 0..columns.array("event_time")?.len() {
                let revision = columns.integer("revision", row)?.unwrap_or_default();
                let status = columns.text("cost_status", row)?.and_then(CostStatus::parse).unwrap_or(CostStatus::Unpriced);
                let repriced = Repriced { cost: columns.float("cost_usd", row)?.map(billionths), status, revision };
                let known = latest.entry(columns.position(row)?).or_insert(repriced);
                if known.revision < revision {
                    *known = repriced;
                }
            }
        }
        Ok(Self(latest))
    }

    /// The latest cost of a row of `interactions`, if it was ever repriced.
    pub(in crate::lake) fn of(&self, interactions: &Columns<'_>, row: usize) -> Result<Option<Repriced>, ArrowError> {
        if self.0.is_empty() { Ok(None) } else { Ok(self.0.get(&interactions.position(row)?).copied()) }
    }
}
