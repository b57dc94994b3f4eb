//! Repricing of history: what stored requests cost by another price table.
//!
//! Nothing is rewritten. Per date, one entry of the log adds rows to `costs` for the requests whose cost changed, the next revision of
//! the rows of `metrics` that follow from them, and corrections for the evaluator, so that its later revisions hold too. Requests whose
//! producer gave the cost are left alone. Safe beside the service and at any moment of interruption: a date is repriced whole or not
//! at all, a second run finds nothing left to do, and of two runs at once one is fenced.

mod day;

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use serde::Serialize;

use super::tables::columns::{COSTS, INTERACTIONS, METRICS};
use super::tables::schema::Table;
use super::tables::{self, Part};
use super::{Appended, Attempt, Error, Lake};
use crate::evaluate::Repriced;
use crate::event::Timestamp;
use crate::log::{Cursor, Fold, RECOMPUTE};
use crate::measure::{Dimension, Prices};
use day::{Day, Read};

/// Whether anything is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Only says what would change.
    #[default]
    DryRun,
    /// Commits what changes.
    Commit,
}

/// What to reprice.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The price table.
    pub prices: Prices,
    /// First date (`YYYY-MM-DD`); all if absent.
    pub from: Option<String>,
    /// Last date; all if absent.
    pub to: Option<String>,
    /// Dimensions that requests are grouped by, for dates whose metrics do not say it.
    pub group_by: Vec<Dimension>,
    /// Whether anything is written.
    pub mode: Mode,
}

/// What changed on one date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The date.
    pub date: String,
    /// Requests looked at.
    pub requests: u64,
    /// Requests whose cost or its status changed.
    pub changed: u64,
    /// Cost of these before, in billionths of a dollar, as far as it was known.
    pub before_billionths: i64,
    /// Their cost now.
    pub after_billionths: i64,
    /// Requests whose cost was not known and is now.
    pub newly_priced: u64,
    /// Requests whose cost was known and is not any more.
    pub no_longer_priced: u64,
    /// Rows of `metrics` with a further revision.
    pub rows: u64,
    /// Number of the entry that says so; none where nothing changed or nothing was written.
    pub entry: Option<u64>,
}

impl Lake {
    /// Reprices date after date, and says what changed on each. `id` draws random ids that are never used twice.
    pub async fn reprice(&self, settings: &Settings, mut id: impl FnMut() -> u128) -> Result<Vec<Change>, Error> {
        let mut fold = self.load().await?;
        let dates: Vec<String> = fold
            .files()
            .get(INTERACTIONS.name)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .filter(|date| settings.from.as_ref().is_none_or(|from| from <= *date))
            .filter(|date| settings.to.as_ref().is_none_or(|to| *date <= to))
            .cloned()
            .collect();
        let mut changes = Vec::with_capacity(dates.len());
        for date in dates {
            changes.push(self.reprice_date(&mut fold, settings, &date, &mut id).await?);
        }
        Ok(changes)
    }

    async fn reprice_date(
        &self,
        fold: &mut Fold,
        settings: &Settings,
        date: &str,
        id: &mut impl FnMut() -> u128,
    ) -> Result<Change, Error> {
        self.refresh(fold).await?;
        let seen = (fold.cursor(RECOMPUTE), fold.next_number() - 1);
        let read = Read {
            interactions: self.read_date(fold, &INTERACTIONS, date).await?,
            costs: self.read_date(fold, &COSTS, date).await?,
            metrics: self.read_date(fold, &METRICS, date).await?,
        };
        let (wanted, as_of, day_of) = (settings.clone(), fold.written_at(), date.to_owned());
        let day = tokio::task::spawn_blocking(move || Day::new(&read, &wanted, day_of, as_of)).await;
        let day = day.map_err(|error| Error::Task(error.to_string()))?.map_err(|error| Error::Parquet {
            action: "decode",
            table: INTERACTIONS.name.to_owned(),
            reason: error.to_string(),
        })?;
        let mut change = day.change.clone();
        if settings.mode == Mode::Commit && change.changed > 0 {
            change.entry = Some(self.commit(fold, day, seen, as_of, id()).await?);
        }
        Ok(change)
    }

    async fn commit(&self, fold: &mut Fold, day: Day, seen: (u64, u64), as_of: Timestamp, id: u128) -> Result<u64, Error> {
        let position = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let cursors = vec![Cursor { input: RECOMPUTE.to_owned(), from: position(seen.0), to: position(seen.1) }];
        let attempt = Attempt::new(id, &cursors);
        let mut entry = self.keep_entry(&attempt, cursors, as_of);
        entry.decisions = vec![Repriced::decision(&day.revised)];
        let name = attempt.id().to_owned();
        let parts = move || -> Result<Vec<Part>, Error> {
            let mut parts = tables::costs::encode(&day.costs, &name)?;
            parts.extend(tables::evaluation(&day.rows, &[], &name)?);
            parts.extend(tables::partials(&day.corrections)?);
            Ok(parts)
        };
        entry.files = self.stage(&attempt, parts).await?;
        match self.append(fold, &mut entry).await? {
            Appended::Committed { number, .. } => self.publish(&entry).await.map(|()| number),
            Appended::Fenced(fenced) => Err(Error::Overtaken(fenced)),
        }
    }

    /// The columns of all files of a table and date that repricing looks at; the others are null.
    async fn read_date(&self, fold: &Fold, table: &'static Table, date: &str) -> Result<Vec<Vec<ArrayRef>>, Error> {
        let mut batches = Vec::new();
        let skipped: Vec<&str> = table.columns.iter().map(|column| column.name).filter(|name| !day::READ.contains(name)).collect();
        for (name, file) in fold.files().get(table.name).and_then(|dates| dates.get(date)).into_iter().flatten() {
            let bytes = self.read_live(fold, name, file).await?;
            let bytes = bytes.ok_or_else(|| Error::Missing { path: name.clone(), entry: file.entry })?;
            let skipped = skipped.clone();
            let read = tokio::task::spawn_blocking(move || tables::read_without(table, bytes, &skipped, Ok)).await;
            let read = read.map_err(|error| Error::Task(error.to_string()))?;
            batches.extend(read.map_err(|error| Error::Damaged { path: name.clone(), reason: error.to_string() })?);
        }
        Ok(batches)
    }
}
