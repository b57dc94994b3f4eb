//! The log itself, and the ledger: rows added against outcomes counted.

use std::collections::BTreeMap;

use super::Report;
use crate::event::{Input, OutcomeCounts};
use crate::lake::names;
use crate::lake::{Error, Lake};
use crate::log::{EVALUATE, Entry, Fold, Kind};

/// The table that holds the accepted events of an input.
const ACCEPTED_TABLES: [(Input, &str); 3] =
    [(Input::Gateway, "interactions"), (Input::Feedback, "feedback"), (Input::Pipeline, "pipeline_events")];

impl Lake {
    /// Reads every entry that has not been pruned. Returns how many of them the evaluator has still to read.
    pub(super) async fn verify_log(&self, fold: &Fold, report: &mut Report) -> Result<u64, Error> {
        let mut unread = 0;
        let first = self.first_entry().await?;
        let mut again = (first == 1).then(Fold::default);
        if first > 1 {
            report.left_out.push(format!("entries 1 to {} were pruned, so the log is followed from entry {first}", first - 1));
        }
        let mut ends: BTreeMap<String, i64> = BTreeMap::new();
        for number in first..fold.next_number() {
            let entry = match self.read_entry(number).await {
                Ok(Some(entry)) => entry,
                Ok(None) => {
                    report.find("log", names::entry(number).to_string(), "the entry is missing");
                    again = None;
                    ends.clear();
                    continue;
                }
                Err(error @ (Error::Damaged { .. } | Error::Newer { .. })) => {
                    report.find("log", names::entry(number).to_string(), error.to_string());
                    again = None;
                    ends.clear();
                    continue;
                }
                Err(error) => return Err(error),
            };
            report.entries += 1;
            unread += u64::from(number > fold.cursor(EVALUATE) && entry.kind != Kind::Evaluate);
            if let Some(state) = &mut again
                && let Err(fenced) = state.apply(&entry)
            {
                report.find("log", names::entry(number).to_string(), format!("the entry is not valid here: {fenced}"));
                again = None;
            }
            follow(&entry, number, &mut ends, report);
            ledger(&entry, report);
        }
        if again.is_some_and(|again| again != *fold) {
            report.find("log", names::checkpoint_hint().to_string(), "the checkpoint differs from what the entries fold to");
        }
        let records = fold.outcomes().records.values();
        let mut total = OutcomeCounts::default();
        records.for_each(|counts| total.merge(counts));
        report.records = BTreeMap::from([
            ("accepted".to_owned(), total.accepted),
            ("duplicate".to_owned(), total.duplicate),
            ("filtered".to_owned(), total.filtered),
            ("rejected".to_owned(), total.rejected.values().sum()),
        ]);
        Ok(unread)
    }
}

/// Each cursor starts where the last entry that named it ended.
fn follow(entry: &Entry, number: u64, ends: &mut BTreeMap<String, i64>, report: &mut Report) {
    let place = names::entry(number).to_string();
    if entry.number != number {
        report.find("log", place.clone(), format!("the entry says that it is number {}", entry.number));
    }
    for lost in &entry.lost {
        ends.insert(lost.input.clone(), lost.to);
    }
    let mut positions = 0_i128;
    for cursor in &entry.cursors {
        let end = ends.insert(cursor.input.clone(), cursor.to);
        if let Some(end) = end.filter(|end| *end != cursor.from) {
            report.find("log", place.clone(), format!("`{}` starts at {}, but stood at {end}", cursor.input, cursor.from));
        }
        positions += i128::from(cursor.to) - i128::from(cursor.from);
    }
    let records: u64 = entry.outcomes.records.values().map(OutcomeCounts::total).sum();
    if entry.kind == Kind::Ingest && i128::from(records) > positions {
        report.find("ledger", place, format!("{records} records have outcomes, but only {positions} positions are covered"));
    }
}

/// The rows that an epoch adds are the outcomes that it counts.
fn ledger(entry: &Entry, report: &mut Report) {
    if entry.kind != Kind::Ingest {
        return;
    }
    let place = names::entry(entry.number).to_string();
    let rows = |table: &str| -> u64 { entry.files.iter().filter(|file| file.table == table).map(|file| file.rows).sum() };
    for (input, table) in ACCEPTED_TABLES {
        let accepted = entry.outcomes.events.get(input.as_str()).map_or(0, |counts| counts.accepted);
        if rows(table) != accepted {
            report.find(
                "ledger",
                place.clone(),
                format!("{accepted} events of {} accepted, but {} rows in {table}", input.as_str(), rows(table)),
            );
        }
    }
    let rejected: u64 = entry.outcomes.records.values().flat_map(|counts| counts.rejected.values()).sum();
    if rows("rejects") != rejected {
        report.find("ledger", place, format!("{rejected} records rejected, but {} rows in rejects", rows("rejects")));
    }
}
