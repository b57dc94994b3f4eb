//! The numbers: reads the tables date by date, recomputes and compares.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::ArrayRef;
use hashbrown::HashSet;

use super::answered::{Answered, LAST_DAY, Ratings};
use super::completeness::Total;
use super::pipelines;
use super::recompute::{Basis, Day, Past, Tables};
use super::replaced::Replaced;
use super::rescore::Rescorer;
use super::{Report, Rescore, Settings, words};
use crate::evaluate::{Carried, Cohorts, Publications};
use crate::event::{Input, Timestamp};
use crate::lake::tables::columns::{COSTS, FEEDBACK, INTERACTIONS, METRICS, PIPELINE_EVENTS, REJECTS};
use crate::lake::tables::{self, Columns, Position, schema::Table};
use crate::lake::{Error, Lake};
use crate::log::{Fold, KEEP};
use crate::measure::Registry;
use crate::measure::registry::Value;

/// Columns that no metric is made from, and that can be long.
const NOT_MEASURED: [&str; 7] = ["reference", "attributes", "contexts", "sentences", "comment", "correction", "trace_id"];

/// Days after which nothing is compared with what was before.
const REFERENCE_DAYS: i64 = 8;

/// Start of a date written as in a folder's name.
fn start_of(date: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{date}T00:00:00Z"))
}

/// Metrics that no stored row says anything about.
fn without_rows() -> Vec<String> {
    let registry = Registry::builtin().ok();
    let metrics = registry.iter().flat_map(Registry::metrics);
    let signals: Vec<&str> =
        metrics.filter(|metric| matches!(metric.value, Value::Service(_))).map(|metric| &*metric.name).collect();
    vec![
        format!("{}: signals of the service, which rules read from the log and which have no rows", signals.join(", ")),
        "ledger.*.duplicate, ledger.*.filtered, ledger.*.late: such records leave no rows, so only the sums are checked".to_owned(),
    ]
}

impl Lake {
    /// Differences are judged only if the evaluator has read the whole log.
    pub(super) async fn verify_numbers(
        &self,
        fold: &Fold,
        settings: &Settings,
        unread: u64,
        report: &mut Report,
    ) -> Result<(), Error> {
        if settings.rescore == Rescore::Yes {
            self.rescore(fold, report).await?;
        }
        let mut differences = Vec::new();
        let tables = [&INTERACTIONS, &FEEDBACK, &PIPELINE_EVENTS, &REJECTS, &METRICS];
        let dates: BTreeSet<&String> =
            tables.iter().filter_map(|table| fold.files().get(table.name)).flat_map(BTreeMap::keys).collect();
        // Where rows of `interactions` were deleted before those of `metrics`, windows are compared with what is no more there.
        let first =
            |table: &Table| fold.files().get(table.name).and_then(|dates| dates.keys().next()).and_then(|date| start_of(date));
        let whole_from = match (first(&INTERACTIONS), first(&METRICS)) {
            (Some(rows), Some(metrics)) if metrics < rows => rows.plus(REFERENCE_DAYS * Timestamp::DAY_US),
            _ => Timestamp(i64::MIN),
        };
        let inputs = [(Input::Gateway, &INTERACTIONS), (Input::Feedback, &FEEDBACK), (Input::Pipeline, &PIPELINE_EVENTS)];
        let first_of_input: BTreeMap<Input, Timestamp> =
            inputs.into_iter().filter_map(|(input, table)| Some((input, first(table)?))).collect();
        // Where the log has been pruned, rows may have been deleted too.
        let known = if self.first_entry().await? > 1 { Past::Deleted } else { Past::Whole };
        let publications = Arc::new(self.publications(fold, report).await?);
        let (mut total, mut left_out) = (Total::default(), BTreeMap::<String, u64>::new());
        let replaced = Arc::new(self.replaced_feedback(fold, fold.cursor(KEEP), report).await?);
        let settlement = self.settlement(fold).await?;
        let settled_replaced = match &settlement {
            Some(settlement) => self.replaced_feedback(fold, settlement.kept, report).await?,
            None => HashSet::new(),
        };
        let mut unread_feedback: VecDeque<&String> = fold.files().get(FEEDBACK.name).into_iter().flat_map(BTreeMap::keys).collect();
        let (mut ratings, mut cohorts) = (Ratings::default(), Cohorts::default());
        let mut carried = Carried::default();
        for date in dates {
            let Some(start) = start_of(date) else { continue };
            let tables = Tables {
                interactions: self.read_day(fold, &INTERACTIONS, date, report).await?,
                costs: self.read_day(fold, &COSTS, date, report).await?,
                feedback: self.read_day(fold, &FEEDBACK, date, report).await?,
                pipeline_events: self.read_day(fold, &PIPELINE_EVENTS, date, report).await?,
                rejects: self.read_day(fold, &REJECTS, date, report).await?,
                metrics: self.read_day(fold, &METRICS, date, report).await?,
            };
            // Feedback on the date's answers was given up to a week later.
            let last_day = start.plus(LAST_DAY * Timestamp::DAY_US);
            while let Some(settlement) = &settlement
                && let Some(given) = unread_feedback.pop_front_if(|given| start_of(given).is_none_or(|given| given <= last_day))
            {
                let batches = self.read_day(fold, &FEEDBACK, given, report).await?;
                if let Err(error) = ratings.add(&batches, &settings.feedback, &settled_replaced, settlement) {
                    report.find("numbers", given, format!("cannot be recomputed: {error}"));
                }
            }
            let answered = settlement.as_ref().map(|settlement| Answered {
                ratings: ratings.take(start.days()),
                cohorts: std::mem::take(&mut cohorts),
                through: settlement.settled.through,
            });
            let past = if start < whole_from { Past::Deleted } else { Past::Whole };
            let basis = Basis {
                start,
                scales: settings.feedback.clone(),
                reference: settings.reference.clone(),
                carried: std::mem::take(&mut carried),
                past,
                replaced: Arc::clone(&replaced),
                answered,
                publications: (Arc::clone(&publications), known),
                first: first_of_input.clone(),
                first_rejects: first(&REJECTS),
            };
            let step = tokio::task::spawn_blocking(move || Day::new(tables).and_then(|day| day.compare(basis)));
            match step.await.map_err(|error| Error::Task(error.to_string()))? {
                Ok(found) => {
                    report.metrics_compared += found.rows;
                    differences.extend(found.differences);
                    differences.extend(found.completeness.compare(&mut total));
                    for (reason, rows) in found.left_out {
                        *left_out.entry(reason).or_default() += rows;
                    }
                    (carried, cohorts) = (found.carried, found.cohorts);
                }
                Err(error) => report.find("numbers", date, format!("cannot be recomputed: {error}")),
            }
        }
        differences.extend(total.compare(&fold.outcomes().records, &fold.outcomes().late));
        report.without_rows = without_rows();
        report.left_out.extend(left_out.into_iter().map(|(reason, rows)| format!("{rows} rows of {reason}")));
        if unread > 0 && !differences.is_empty() {
            let count = differences.len();
            report
                .left_out
                .push(format!("{count} values that differ: the evaluator has still {unread} entries of the log to read"));
            return Ok(());
        }
        for (place, problem) in differences {
            report.find("numbers", place, problem);
        }
        Ok(())
    }

    /// What all stored runs published.
    async fn publications(&self, fold: &Fold, report: &mut Report) -> Result<Publications, Error> {
        let mut known = Publications::default();
        for date in fold.files().get(PIPELINE_EVENTS.name).into_iter().flat_map(BTreeMap::keys) {
            for arrays in self.read_day(fold, &PIPELINE_EVENTS, date, report).await? {
                if let Err(error) = pipelines::publications(&Columns { table: &PIPELINE_EVENTS, arrays: &arrays }, &mut known) {
                    report.find("numbers", date, format!("cannot be recomputed: {error}"));
                }
            }
        }
        Ok(known)
    }

    /// Feedback that later feedback with the same id replaced, as far as the keeper had taken it back where its cursor stood at `kept`.
    async fn replaced_feedback(&self, fold: &Fold, kept: u64, report: &mut Report) -> Result<HashSet<Position>, Error> {
        let mut replaced = Replaced::default();
        for number in kept + 1..fold.next_number() {
            if let Ok(Some(entry)) = self.read_entry(number).await {
                replaced.is_not_taken_back(entry.id);
            }
        }
        for date in fold.files().get(FEEDBACK.name).into_iter().flat_map(BTreeMap::keys) {
            for arrays in self.read_day(fold, &FEEDBACK, date, report).await? {
                if let Err(error) = replaced.add(&Columns { table: &FEEDBACK, arrays: &arrays }) {
                    report.find("numbers", date, format!("cannot be recomputed: {error}"));
                }
            }
        }
        Ok(replaced.finish())
    }

    /// Scores the stored answers again, file by file.
    async fn rescore(&self, fold: &Fold, report: &mut Report) -> Result<(), Error> {
        let mut rescorer = Rescorer::default();
        for (name, file) in fold.files().get(INTERACTIONS.name).into_iter().flat_map(BTreeMap::values).flatten() {
            let Some(bytes) = self.read_live(fold, name, file).await? else { continue };
            let place = name.clone();
            let step = tokio::task::spawn_blocking(move || {
                let mut problems = Vec::new();
                let read = tables::read(&INTERACTIONS, bytes)
                    .and_then(|batches| batches.iter().try_for_each(|columns| rescorer.check(columns, &place, &mut problems)));
                if let Err(error) = read {
                    problems.push((place, format!("cannot be read: {error}")));
                }
                (rescorer, problems)
            });
            let problems;
            (rescorer, problems) = step.await.map_err(|error| Error::Task(error.to_string()))?;
            for (place, problem) in problems {
                report.find("scores", place, problem);
            }
        }
        report.answers_rescored = rescorer.rescored();
        Ok(())
    }

    /// The columns of all files of a table and date. What is missing or damaged has been reported by the check of the files.
    async fn read_day(
        &self,
        fold: &Fold,
        table: &'static Table,
        date: &str,
        report: &mut Report,
    ) -> Result<Vec<Vec<ArrayRef>>, Error> {
        let mut batches = Vec::new();
        for (name, file) in fold.files().get(table.name).and_then(|dates| dates.get(date)).into_iter().flatten() {
            let Some(bytes) = self.read_live(fold, name, file).await? else { continue };
            let read = tokio::task::spawn_blocking(move || {
                tables::read_without(table, bytes, &NOT_MEASURED, |arrays| Ok(words::for_texts(table, arrays)))
            });
            let read = read.await;
            match read.map_err(|error| Error::Task(error.to_string()))? {
                Ok(read) => batches.extend(read),
                Err(error) => report.find("numbers", name, format!("cannot be read: {error}")),
            }
        }
        Ok(batches)
    }
}
