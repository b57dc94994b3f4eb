//! Checking a lake against itself: the log, the ledger, the files, and the numbers.
//!
//! * The log is contiguous and every entry valid; the checkpoint is what the entries fold to.
//! * The rows that an entry adds are the outcomes that it counts.
//! * Every live file is there with its size, rows and SHA-256, and no table holds a file that no entry lists.
//! * Metrics, recomputed from the rows of `interactions`, `feedback` and `pipeline_events`, are what `metrics` says.
//! * The completeness ledger in `metrics` adds up, and agrees with the rows of the tables and the counts of the log.
//! * With [`Rescore::Yes`], the scores, recomputed from the stored text, are what `interactions` says.
//!
//! Reads everything and changes nothing. A lake that is being written to may be verified: what is not published yet is looked
//! for where it is staged, and numbers are not judged while the evaluator is behind.
//! One date is in memory at a time.

mod answered;
mod completeness;
mod expected;
mod files;
mod ledger;
mod numbers;
mod pipelines;
mod published;
mod recompute;
mod replaced;
mod rescore;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Error, Lake};
use crate::evaluate::Reference;
use crate::ingest::FeedbackScale;
use crate::log::Fold;

/// Findings that are listed; more are only counted.
const LISTED_MAX: usize = 200;

/// Whether stored text is scored again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rescore {
    /// No.
    #[default]
    No,
    /// Yes, where the text is stored and the scorer is the one of this program.
    Yes,
}

/// What to check, and what the lake itself does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Whether stored text is scored again.
    pub rescore: Rescore,
    /// Known names of feedback; without them, metrics of feedback are left out.
    pub feedback: BTreeMap<String, FeedbackScale>,
    /// What drift is measured against.
    pub reference: Reference,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// Object, entry or metric.
    pub place: String,
    /// What was expected and what was found.
    pub problem: String,
}

/// What was looked at and what was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Entries read.
    pub entries: u64,
    /// Live files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows of live files, by table.
    pub rows: BTreeMap<String, u64>,
    /// Records consumed over the whole life of the lake, by outcome.
    pub records: BTreeMap<String, u64>,
    /// Rows of `metrics` that were recomputed and compared.
    pub metrics_compared: u64,
    /// Answers that were scored again.
    pub answers_rescored: u64,
    /// Metrics that no row of a table says anything about, and why.
    pub without_rows: Vec<String>,
    /// What could not be looked at, and why.
    pub left_out: Vec<String>,
    /// What is wrong, at most two hundred.
    pub findings: Vec<Finding>,
    /// Number of findings.
    pub findings_total: u64,
}

impl Report {
    fn find(&mut self, check: &'static str, place: impl Into<String>, problem: impl Into<String>) {
        self.findings_total += 1;
        if self.findings.len() < LISTED_MAX {
            self.findings.push(Finding { check, place: place.into(), problem: problem.into() });
        }
    }
}

impl Lake {
    /// Checks the lake against itself. An error means that the store or the log could not be read at all.
    pub async fn verify(&self, settings: &Settings) -> Result<Report, Error> {
        let mut report = Report::default();
        let names = self.table_files().await?;
        let fold: Fold = self.load().await?;
        let unread = self.verify_log(&fold, &mut report).await?;
        self.verify_files(&fold, &names, &mut report).await?;
        self.verify_numbers(&fold, settings, unread, &mut report).await?;
        Ok(report)
    }
}

#[cfg(test)]
mod played_tests;
#[cfg(test)]
mod tests;
