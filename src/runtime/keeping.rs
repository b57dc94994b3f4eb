//! Upkeep of the lake, by any process: late feedback, compaction, expiry, reaping, pruning, unfinished publications.
//!
//! Nothing here is needed for results to be right, except the match of late feedback; everything is tried again later.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::journal::{Journal, NotCommitted};
use super::shutdown::Shutdown;
use crate::event::Timestamp;
use crate::http::{Board, Task};
use crate::ingest::{self, FeedbackRow, Late};
use crate::lake::{self, Attempt, Retention};
use crate::log::{Cursor, Fold, KEEP, Kind};
use crate::telemetry::{Counter, Telemetry};

/// The table of feedback.
const FEEDBACK: &str = "feedback";
/// Time between two rounds.
const ROUND: Duration = Duration::from_mins(1);
/// How far back feedback looks for its answer.
const LOOK_BACK_US: i64 = 7 * Timestamp::DAY_US;
/// Age after which entries may be pruned, if nobody needs them.
const PRUNE_US: i64 = 7 * Timestamp::DAY_US;
/// Entries folded in one round.
const MOST_ENTRIES: u64 = 500;

/// What the keeper is told once.
pub(super) struct Keeping {
    pub(super) ingest: ingest::Settings,
    pub(super) retention: Retention,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Clock,
    pub(super) board: Board,
    pub(super) telemetry: Telemetry,
    pub(super) shutdown: Shutdown,
    /// Requested when ingest has ended: one more round, then the end.
    pub(super) input_ended: Shutdown,
}

/// Feedback that waits.
struct Waiting {
    late: Late,
    /// Where the log's cursor stands.
    committed: u64,
    /// How far the log was read.
    read: u64,
}

impl Keeping {
    /// Runs until the input has ended.
    pub(super) async fn run(self) {
        let mut waiting = None;
        loop {
            self.board.beat(Task::Keep);
            let last = self.input_ended.is_requested();
            if let Err(error) = self.round(&mut waiting).await {
                self.telemetry.add(Counter::LakeErrors, &["keep"], 1);
                tracing::warn!(%error, "upkeep of the lake failed; it is tried again");
                waiting = None;
            }
            if last {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = self.input_ended.requested() => {}
            }
        }
        self.board.rest(Task::Keep);
    }

    async fn round(&self, waiting: &mut Option<Waiting>) -> Result<(), lake::Error> {
        while self.match_late(waiting).await? {}
        if self.input_ended.is_requested() {
            return Ok(());
        }
        let now = self.clock.now();
        let mut fold = self.journal.fold().await?;
        let lake = self.journal.lake();
        lake.finish_publications(&fold).await?;
        let reaped = lake.reap(&mut fold).await?;
        let mut compacted = 0;
        while let Some(merged) = lake.compact(&mut fold, super::random_id(), now).await? {
            compacted += merged.files;
        }
        let expired = lake.expire(&mut fold, &self.retention, super::random_id(), now).await?;
        let pruned = lake.prune(&mut fold, now.plus(-PRUNE_US), None).await?;
        self.telemetry.add(Counter::ExpiredFiles, &[], expired.files);
        if reaped + pruned > 0 || compacted + expired.files > 0 {
            tracing::info!(reaped, compacted, expired = expired.files, pruned, "lake kept");
        }
        Ok(())
    }

    /// Matches feedback that waits with answers of other epochs, over one stretch of the log; whether there is more.
    async fn match_late(&self, waiting: &mut Option<Waiting>) -> Result<bool, lake::Error> {
        let fold = self.journal.fold().await?;
        let committed = fold.cursor(KEEP);
        if waiting.as_ref().is_none_or(|waiting| waiting.committed != committed) {
            *waiting = Some(self.restore(&fold).await?);
        }
        let Some(Waiting { late, committed, read }) = waiting.as_mut() else { return Ok(false) };
        let end = fold.next_number() - 1;
        let upto = end.min(*read + MOST_ENTRIES);
        self.read(late, *read, upto).await?;
        *read = upto;
        let settled = late.settle(self.clock.now());
        let rows = settled.rows.feedback.clone();
        // The cursor moves with what is settled, and else only now and then: it must not make an entry every minute.
        if rows.is_empty() && settled.partials.is_empty() && upto < *committed + MOST_ENTRIES {
            return Ok(upto < end);
        }
        let cursors = vec![Cursor { input: KEEP.to_owned(), from: position(*committed), to: position(upto) }];
        let attempt = Attempt::new(super::random_id(), &cursors);
        let mut entry = self.journal.entry(&attempt, Kind::Keep, self.clock.now());
        entry.cursors = cursors;
        let settled = Arc::new(settled);
        entry.files = self.journal.lake().stage_epoch(&attempt, &settled).await?;
        let partials = Arc::into_inner(settled).map(|settled| settled.partials).unwrap_or_default();
        match self.journal.commit(entry, partials, &self.shutdown).await {
            Ok(_) => {
                tracing::info!(rows = rows.len(), "late feedback settled");
                late.committed(rows, self.clock.now());
                *committed = upto;
                Ok(upto < end)
            }
            Err(NotCommitted::Fenced(_)) => {
                *waiting = None;
                Ok(true)
            }
            Err(NotCommitted::ShuttingDown(error)) => Err(error),
        }
    }

    /// Reads the entries after `from` up to `upto`: their feedback without an answer, and their answers for whoever waits.
    async fn read(&self, late: &mut Late, from: u64, upto: u64) -> Result<(), lake::Error> {
        let mut entries = Vec::new();
        let mut oldest: Option<Timestamp> = None;
        for number in from + 1..=upto {
            let Some(entry) = self.journal.lake().read_entry(number).await? else { continue };
            if entry.kind == Kind::Ingest {
                let has_feedback = entry.files.iter().any(|file| file.table == FEEDBACK);
                let ids = if has_feedback { Some(self.journal.lake().read_ids(&entry).await?) } else { None };
                for rated in ids.iter().flat_map(|ids| &ids.rated) {
                    if let Some(group) = ids.as_ref().and_then(|ids| ids.groups.get(rated.group as usize)) {
                        late.counted(rated.note, rated.event_time, group);
                    }
                }
                for file in entry.files.iter().filter(|file| file.table == FEEDBACK) {
                    for (_, row) in self.journal.lake().read_feedback(&file.r#final).await? {
                        if let Some(from) = late.arrive(row) {
                            oldest = Some(oldest.map_or(from, |oldest| oldest.min(from)));
                        }
                    }
                }
                entries.push((entry, ids));
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        for (entry, ids) in entries {
            match ids {
                Some(ids) => ids.past().for_each(|answer| late.offer(answer)),
                None => self.offer(late, &entry).await?,
            }
        }
        // What is new to the keeper may have its answer before this stretch.
        match oldest {
            Some(oldest) => self.look_back(late, from, oldest).await,
            None => Ok(()),
        }
    }

    /// Reads again what waits, from the table itself: the latest row of each feedback of the last seven days.
    async fn restore(&self, fold: &Fold) -> Result<Waiting, lake::Error> {
        let mut late = Late::new(self.ingest.clone());
        let committed = fold.cursor(KEEP);
        let horizon = self.clock.now().plus(-LOOK_BACK_US - Timestamp::DAY_US);
        let mut rows = Vec::new();
        if let Some(dates) = fold.files().get(FEEDBACK) {
            for file in dates.range(horizon.date()..).flat_map(|(_, files)| files.keys()) {
                rows.extend(self.journal.lake().read_feedback(file).await?);
            }
        }
        // What came after the cursor may replace something without having been taken back yet.
        let mut fresh = HashSet::new();
        for number in committed + 1..fold.next_number() {
            fresh.extend(
                self.journal.lake().read_entry(number).await?.filter(|entry| entry.kind == Kind::Ingest).map(|entry| entry.id),
            );
        }
        let first: HashSet<_> = rows
            .iter()
            .filter(|(attempt, row): &&(String, FeedbackRow)| row.revision == 0 && fresh.contains(attempt))
            .map(|(_, row)| (row.source_topic.clone(), row.source_partition, row.source_offset))
            .collect();
        rows.sort_by_key(|(_, row)| row.revision);
        let (arrived, known): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .map(|(_, row)| row)
            .partition(|row| first.contains(&(row.source_topic.clone(), row.source_partition, row.source_offset)));
        for row in known {
            late.know(row);
        }
        for row in arrived {
            late.arrive(row);
        }
        if !late.is_empty() {
            self.look_back(&mut late, committed, horizon).await?;
        }
        Ok(Waiting { late, committed, read: committed })
    }

    /// Offers the answers of the entries up to `upto` that may lie within seven days before `oldest`.
    async fn look_back(&self, late: &mut Late, upto: u64, oldest: Timestamp) -> Result<(), lake::Error> {
        let first = self.journal.lake().first_entry().await?;
        for number in (first..=upto).rev() {
            let Some(entry) = self.journal.lake().read_entry(number).await? else { break };
            if entry.kind == Kind::Evaluate {
                continue;
            }
            let reached = entry.watermarks.values().max();
            if reached.is_some_and(|reached| *reached < oldest.plus(-LOOK_BACK_US)) {
                break;
            }
            self.offer(late, &entry).await?;
        }
        Ok(())
    }

    async fn offer(&self, late: &mut Late, entry: &crate::log::Entry) -> Result<(), lake::Error> {
        for answer in self.journal.lake().read_ids(entry).await?.past() {
            late.offer(answer);
        }
        Ok(())
    }
}

fn position(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
