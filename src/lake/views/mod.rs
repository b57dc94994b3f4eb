//! View definitions for query engines, as text.
//!
//! The views know what a glob over the folders does not: columns that older files lack, the latest revision of a row, tables
//! that have no files yet, and up to when the input is complete. They are made from the column list and one state of the log,
//! and read nothing else.

mod duckdb;
mod polars;

use std::collections::BTreeMap;

use super::tables::columns::TABLES;
use super::tables::schema::Table;
use crate::event::Timestamp;
use crate::log::Fold;
use crate::measure::DIMENSIONS;

/// An engine that views can be printed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQL statements for `DuckDB`.
    Duckdb,
    /// A Python module for Polars.
    Polars,
}

/// The views over a lake as it stands.
#[must_use]
pub fn print(engine: Engine, location: &str, fold: &Fold) -> String {
    let lake = Views { location: location.trim_end_matches('/'), fold };
    match engine {
        Engine::Duckdb => duckdb::print(&lake),
        Engine::Polars => polars::print(&lake),
    }
}

struct Views<'a> {
    location: &'a str,
    fold: &'a Fold,
}

impl Views<'_> {
    /// Tables, and whether they have files. A glob without files is an error to most engines.
    fn tables(&self) -> impl Iterator<Item = (&'static Table, bool)> {
        // Interactions are seen through costs, which therefore come first.
        let (first, others): (Vec<&'static Table>, Vec<&'static Table>) =
            TABLES.into_iter().partition(|table| table.name == "costs");
        first.into_iter().chain(others).map(|table| (table, self.is_present(table.name)))
    }

    fn is_present(&self, table: &str) -> bool {
        self.fold.files().contains_key(table)
    }

    /// Whether the view over the table shows costs by a later price table.
    fn is_repriced(&self, table: &Table) -> bool {
        table.name == "interactions" && self.is_present(table.name) && self.is_present("costs")
    }

    /// Up to when each topic is complete: the least watermark of its partitions.
    fn complete_through(&self) -> BTreeMap<&str, Timestamp> {
        let mut topics: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for (input, watermark) in self.fold.watermarks() {
            let topic = input.rsplit_once('/').map_or(input.as_str(), |(topic, _)| topic);
            let least = topics.entry(topic).or_insert(*watermark);
            *least = (*least).min(*watermark);
        }
        topics
    }

    /// Number of the last entry that the views know of.
    fn last_entry(&self) -> u64 {
        self.fold.next_number() - 1
    }
}

/// Columns that name a row of a table of revisions, and those that order its revisions, newest first.
fn revisions(table: &str) -> Option<(Vec<&'static str>, &'static [&'static str])> {
    match table {
        "metrics" => {
            let mut key = vec!["metric", "window_start", "window_s"];
            key.extend(DIMENSIONS);
            key.push("scorer");
            Some((key, &["revision", "as_of"]))
        }
        "feedback" => Some((vec![FEEDBACK_KEY], &["event_time", "source_offset", "revision"])),
        "costs" => Some((POSITION.to_vec(), &["revision"])),
        _ => None,
    }
}

/// Columns that tell requests apart.
const POSITION: [&str; 4] = ["event_date", "source_topic", "source_partition", "source_offset"];
/// Columns of `interactions` that a later price table changes; they are in `costs` under the same names.
const REPRICED: [&str; 3] = ["cost_usd", "cost_status", "price_version"];

/// Stands for the id of feedback, or its position where it has none; each engine writes it in its own words.
const FEEDBACK_KEY: &str = "feedback key";

#[cfg(test)]
mod tests;
