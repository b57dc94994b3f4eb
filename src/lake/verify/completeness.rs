//! The completeness ledger: the windows that `metrics` holds against the rows of the tables.
//!
//! What was taken and what was refused left rows, so these counts are counted again. Repeats, tombstones and what came late left
//! none: of them it is checked that the sums of each window add up, and that the windows hold no more than the log counts.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::Array;
use arrow::error::ArrowError;

use crate::event::{Input, Outcome, OutcomeCounts, Reason, Timestamp};
use crate::lake::tables::Columns;
use crate::measure::{AnswerState, Fate};

/// Start of the names of the ledger's metrics.
const PREFIX: &str = "ledger.";
/// Length of its windows in seconds.
const WINDOW_S: i64 = 3_600;

/// Counts by hour, input and what follows them in the metric's name.
type Counts = BTreeMap<(Timestamp, Input), BTreeMap<String, i64>>;

/// What the rows of one date say, and what `metrics` says.
#[derive(Debug, Default)]
pub(super) struct Completeness {
    counted: Counts,
    published: Counts,
    /// Hours with refused records of an unknown input, written by an earlier version.
    unknown: BTreeSet<Timestamp>,
    /// Inputs whose rows of this date have been deleted.
    deleted: BTreeSet<Input>,
    /// The rows of refused records have been deleted.
    rejects_deleted: bool,
}

/// What was found in the windows of all dates.
#[derive(Debug, Default)]
pub(super) struct Total(BTreeMap<Input, BTreeMap<String, i64>>);

impl Completeness {
    /// Nothing yet; what was deleted is not compared.
    pub(super) fn new(deleted: BTreeSet<Input>, rejects_deleted: bool) -> Self {
        Self { deleted, rejects_deleted, ..Self::default() }
    }

    /// Counts the rows of a batch of a table that holds what was taken.
    pub(super) fn add(&mut self, input: Input, columns: &Columns<'_>) -> Result<(), ArrowError> {
        for row in 0..columns.array("event_time")?.len() {
            // Later revisions of feedback are not records.
            if input == Input::Feedback && columns.integer("revision", row)? != Some(0) {
                continue;
            }
            let fate = match input {
                Input::Gateway => Fate::answered(columns.text("state", row)?.and_then(AnswerState::parse)),
                Input::Feedback | Input::Pipeline => Fate::of(Outcome::Accepted),
            };
            let at = columns.time("event_time", row)?;
            if input == Input::Gateway {
                self.count(at, input, &format!("accepted.{}", fate.as_str()));
            }
            self.count(at, input, "accepted");
        }
        Ok(())
    }

    /// Counts the rows of a batch of `rejects`.
    pub(super) fn add_rejects(&mut self, columns: &Columns<'_>) -> Result<(), ArrowError> {
        for row in 0..columns.array("time")?.len() {
            let at = columns.time("time", row)?;
            let named = columns.text("input", row)?;
            let Some(input) = Input::ALL.into_iter().find(|input| Some(input.as_str()) == named) else {
                self.unknown.insert(at.floor(Timestamp::HOUR_US));
                continue;
            };
            self.count(at, input, "rejected");
            self.count(at, input, &format!("rejected.{}", columns.text("reason", row)?.unwrap_or_default()));
        }
        Ok(())
    }

    fn count(&mut self, at: Timestamp, input: Input, what: &str) {
        let counts = self.counted.entry((at.floor(Timestamp::HOUR_US), input)).or_default();
        match counts.get_mut(what) {
            Some(count) => *count += 1,
            None => {
                counts.insert(what.to_owned(), 1);
            }
        }
    }

    /// Whether rows of a metric belong here.
    pub(super) fn knows(metric: &str) -> bool {
        metric.starts_with(PREFIX)
    }

    /// Notes the newest revision of a row of `metrics`: its `n`, and `bad_n` where it is a share.
    pub(super) fn publish(&mut self, metric: &str, start: Timestamp, window_s: i64, n: i64, bad_n: i64) {
        let Some((input, what)) = metric.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')) else { return };
        let Some(input) = Input::ALL.into_iter().find(|known| known.as_str() == input).filter(|_| window_s == WINDOW_S) else {
            return;
        };
        let counts = self.published.entry((start, input)).or_default();
        counts.insert(what.to_owned(), n);
        if what == "rejected_ratio" {
            counts.insert("rejected_ratio.bad".to_owned(), bad_n);
        }
    }

    /// Compares; (place, problem) of each difference.
    pub(super) fn compare(&self, total: &mut Total) -> Vec<(String, String)> {
        let mut differences = Vec::new();
        let mut last: BTreeMap<Input, Timestamp> = BTreeMap::new();
        let nothing = BTreeMap::new();
        for (key, published) in &self.published {
            last.insert(key.1, key.0);
            let of_total = total.0.entry(key.1).or_default();
            for (what, n) in published {
                *of_total.entry(what.clone()).or_default() += n;
            }
            self.compare_window(*key, published, self.counted.get(key).unwrap_or(&nothing), &mut differences);
        }
        for (key, counted) in self.counted.iter().filter(|(key, _)| !self.published.contains_key(key)) {
            if last.get(&key.1).is_some_and(|last| key.0 <= *last) {
                differences.push((place(*key), format!("{counted:?} by the rows of the tables, but nothing published")));
            }
        }
        differences
    }

    fn compare_window(
        &self,
        key: (Timestamp, Input),
        published: &BTreeMap<String, i64>,
        counted: &BTreeMap<String, i64>,
        differences: &mut Vec<(String, String)>,
    ) {
        let of = |what: &str| published.get(what).copied().unwrap_or(0);
        let rows = |what: &str| counted.get(what).copied().unwrap_or(0);
        let mut differ = |what: String| differences.push((place(key), what));
        let mut names: BTreeSet<&str> = ["accepted", "rejected"].into();
        names.extend(published.keys().chain(counted.keys()).map(String::as_str).filter(|name| is_counted(name)));
        let refusals_known = !self.rejects_deleted && !self.unknown.contains(&key.0);
        let rows_known = !self.deleted.contains(&key.1);
        let is_known = |name: &&str| if name.starts_with("rejected") { refusals_known } else { rows_known };
        for name in names.into_iter().filter(is_known) {
            if of(name) != rows(name) {
                differ(format!("{} {name} published, {} by the rows of the tables", of(name), rows(name)));
            }
        }
        let sum = of("accepted") + of("duplicate") + of("filtered") + of("rejected");
        if of("consumed") != sum {
            differ(format!("{} consumed, but accepted, duplicate, filtered and rejected add up to {sum}", of("consumed")));
        }
        let parts = |prefix: &str| published.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, n)| *n).sum::<i64>();
        if key.1 == Input::Gateway && of("accepted") != parts("accepted.") {
            differ(format!("{} accepted, but the states add up to {}", of("accepted"), parts("accepted.")));
        }
        if of("rejected") != parts("rejected.") {
            differ(format!("{} rejected, but the reasons add up to {}", of("rejected"), parts("rejected.")));
        }
        if (of("rejected_ratio"), of("rejected_ratio.bad")) != (of("consumed"), of("rejected")) {
            let (n, bad_n) = (of("rejected_ratio"), of("rejected_ratio.bad"));
            differ(format!("rejected_ratio is {bad_n} of {n}, but {} of {} were rejected", of("rejected"), of("consumed")));
        }
        if of("late") > of("accepted") {
            differ(format!("{} late, but only {} accepted", of("late"), of("accepted")));
        }
    }
}

impl Total {
    /// What the windows hold must not be more than what the log counts; (place, problem) of each difference.
    pub(super) fn compare(&self, log: &BTreeMap<String, OutcomeCounts>, late: &BTreeMap<String, u64>) -> Vec<(String, String)> {
        let mut differences = Vec::new();
        for (input, published) in &self.0 {
            let counts = log.get(input.as_str()).cloned().unwrap_or_default();
            let mut known: Vec<(String, u64)> = vec![
                ("accepted".to_owned(), counts.accepted),
                ("duplicate".to_owned(), counts.duplicate),
                ("filtered".to_owned(), counts.filtered),
                ("consumed".to_owned(), counts.total()),
                ("late".to_owned(), late.get(input.as_str()).copied().unwrap_or(0)),
            ];
            known.extend(Reason::ALL.map(|reason| {
                let name = reason.as_str();
                (format!("rejected.{name}"), counts.rejected.get(name).copied().unwrap_or(0))
            }));
            for (what, count) in known {
                let windows = published.get(&what).copied().unwrap_or(0);
                if i128::from(windows) > i128::from(count) {
                    let problem = format!("{windows} {what} in all windows together, but the log counts {count}");
                    differences.push((format!("{PREFIX}{}", input.as_str()), problem));
                }
            }
        }
        differences
    }
}

/// Whether rows of tables say how many there were.
fn is_counted(name: &str) -> bool {
    ["accepted", "rejected"]
        .iter()
        .any(|whole| name == *whole || name.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.')))
}

fn place((start, input): (Timestamp, Input)) -> String {
    format!("{PREFIX}{} at {start} over {WINDOW_S} s", input.as_str())
}
