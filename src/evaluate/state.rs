//! The evaluator's memory, and how a log entry changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::freshness::Freshness;
use super::groups::Groups;
use super::maturity::Cohorts;
use super::pane::{Level, OpenPane, Series};
use super::plan::{MeasureSet, Plan, bit, is_bulky, is_replaceable};
use super::served::Versions;
use super::service::Service;
use super::watermark::Watermark;
use super::{Counters, Settings};
use crate::event::{Input, Timestamp};
use crate::log::Entry;
use crate::measure::measures::is_by_answer;
use crate::measure::{Inputs, Measure, Partial, PartialRow, PartialSet, Registry, Window, measures};

/// The evaluator's memory: a pure function of the log entries absorbed.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) settings: Settings,
    pub(super) plan: Arc<Plan>,
    pub(super) kept: Kept,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) groups: Groups,
    /// Scorers in the order of the log; a series' scorer is its place here plus one.
    pub(super) scorers: Vec<Arc<str>>,
    pub(super) watermarks: [Watermark; 3],
    /// By input: all panes that end at or before this are closed.
    pub(super) closed: [Option<Timestamp>; 3],
    /// By input: start of the newest closed pane that held anything.
    pub(super) newest: [Option<Timestamp>; 3],
    /// By input: panes that still collect.
    pub(super) open: [BTreeMap<Timestamp, OpenPane>; 3],
    /// By hour of the answer: feedback that waits for the hourly revision.
    pub(super) answers: BTreeMap<Timestamp, OpenPane>,
    /// Closed panes of a minute, a quarter and an hour.
    pub(super) levels: [Level; 3],
    /// The same, added up by tenant and application: what most rules read, and what drift compares.
    pub(super) apps: [Level; 3],
    /// Days of what drift compares, by tenant and application.
    pub(super) days: Level,
    /// How long feedback on answers takes.
    pub(super) cohorts: Cohorts,
    /// Start of the first windows whose cohorts were touched after they had closed.
    pub(super) dirty_cohorts: Option<Timestamp>,
    /// Number of the last entry absorbed, and that at which feedback by answer was last put into its hours.
    pub(super) absorbed: u64,
    pub(super) settled: u64,
    pub(super) freshness: Freshness,
    /// When each version of an index was published.
    pub(super) versions: Versions,
    pub(super) service: Service,
    /// Published windows that late events touched: by group, which measures.
    pub(super) dirty: BTreeMap<(Window, Timestamp), BTreeMap<u32, MeasureSet>>,
    /// Hours and days whose drift must be computed again: (end, window).
    pub(super) dirty_drift: BTreeSet<(Timestamp, Window)>,
    /// Hours whose changes must be computed again.
    pub(super) dirty_changes: BTreeSet<Timestamp>,
    /// Windows that closed without some partitions: (class, window, start).
    pub(super) provisional: BTreeSet<(u8, Window, Timestamp)>,
    /// Times a window was published again: (window, start, class).
    pub(super) revisions: BTreeMap<(Window, Timestamp, u8), i64>,
    /// What started before this is not in memory any more: minutes, quarters, hours; hours of daily metrics; and all of feedback.
    pub(super) horizons: [Option<Timestamp>; 5],
    pub(super) counters: Counters,
}

/// How far metrics by answer are published. They are put together once an hour, so they lag behind the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Feedback of entries up to this number is in them.
    pub entry: u64,
    /// End of the last hour that their inputs have closed: what maturity is reckoned from.
    pub through: Timestamp,
}

/// Name of the decision in an entry.
const SETTLED: &str = "answers_settled";

impl Settled {
    /// As a decision of an entry, for who checks the rows later.
    #[must_use]
    pub fn decision(self) -> serde_json::Value {
        serde_json::json!({ SETTLED: self })
    }

    /// What a decision says.
    #[must_use]
    pub fn of(decision: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(decision.get(SETTLED)?.clone()).ok()
    }
}

/// Place of the horizon of daily measures' hours in [`Kept::horizons`].
pub(super) const DAILY: usize = 3;
/// Place of the horizon of all panes of feedback by its own time.
pub(super) const REPLACEABLE: usize = 4;

impl State {
    /// An empty memory.
    #[must_use]
    pub fn new(settings: Settings, registry: Arc<Registry>) -> Self {
        Self { settings, plan: Arc::new(Plan::new(registry)), kept: Kept::default() }
    }

    /// The registry of metrics.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.plan.registry
    }

    /// Counts of what was late, folded or beyond memory.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let kept = &self.kept;
        Counters {
            folded: kept.groups.folded,
            groups: kept.groups.len() as u64,
            closed_bytes: self.closed_bytes() as u64,
            open_cells: kept.open.iter().flat_map(BTreeMap::values).map(OpenPane::len).sum::<usize>() as u64,
            ..kept.counters
        }
    }

    pub(super) fn closed_bytes(&self) -> usize {
        self.kept.levels.iter().chain(&self.kept.apps).chain([&self.kept.days]).map(Level::bytes).sum()
    }

    /// Up to when the input's panes are closed.
    #[must_use]
    pub fn closed_through(&self, input: Input) -> Option<Timestamp> {
        self.kept.closed[input as usize]
    }

    /// Up to when all partitions of the input are complete.
    #[must_use]
    pub fn watermark(&self, input: Input) -> Option<Timestamp> {
        self.kept.watermarks[input as usize].complete()
    }

    /// How far metrics by answer are published; `None` before the first.
    #[must_use]
    pub fn settled(&self) -> Option<Settled> {
        Some(Settled { entry: self.kept.settled, through: self.answered_through()? })
    }

    /// Reads one entry with its partials. Nothing is published by it: [`State::advance`] does that.
    pub fn absorb(&mut self, entry: &Entry, partials: PartialSet) {
        self.kept.absorbed = entry.number;
        self.kept.service.absorb(entry);
        for partition in entry.health.inputs.keys().chain(entry.watermarks.keys()) {
            for input in self.inputs(partition).iter() {
                let watermark = &mut self.kept.watermarks[input as usize];
                watermark.expect(partition);
                if let Some(to) = entry.watermarks.get(partition) {
                    watermark.advance(partition, *to);
                }
            }
        }
        let now = self.now();
        for watermark in &mut self.kept.watermarks {
            watermark.note(now, self.settings.stuck_after_us);
        }
        self.note_repriced(entry);
        self.merge(partials);
    }

    /// The log's time: the greatest `written_at` so far.
    pub(super) fn now(&self) -> Timestamp {
        self.kept.service.now.unwrap_or_default()
    }

    /// The inputs that a partition (`topic/number`) may carry: none if its topic is not one of ours.
    fn inputs(&self, partition: &str) -> Inputs {
        let topic = partition.rsplit_once('/').map(|(topic, _)| topic);
        topic.and_then(|topic| self.settings.topics.get(topic)).copied().unwrap_or_default()
    }

    pub(super) fn scorer(&mut self, name: Option<&Arc<str>>) -> u8 {
        let Some(name) = name else { return 0 };
        let scorers = &mut self.kept.scorers;
        let at = scorers.iter().position(|known| known == name).unwrap_or_else(|| {
            if scorers.len() < 254 {
                scorers.push(name.clone());
            }
            scorers.len() - 1
        });
        u8::try_from(at + 1).unwrap_or(u8::MAX)
    }

    fn merge(&mut self, set: PartialSet) {
        let numbers = self.admit(&set);
        let mut late = Late::default();
        let PartialSet { scorer, rows, of_scorers, .. } = set;
        // Scorers are numbered in the order of the log; what is said of earlier answers is no news of their scorer.
        let of_scorers = of_scorers.into_iter().map(|(scorer, rows)| (Some(scorer), rows));
        for (scorer, rows) in of_scorers.chain([(scorer, rows)]) {
            let scorer = self.scorer(scorer.as_ref());
            self.merge_rows(rows, scorer, &numbers, &mut late);
        }
        self.correct(late);
    }

    fn merge_rows(&mut self, rows: Vec<PartialRow>, scorer: u8, numbers: &BTreeMap<(i32, u32), u32>, late: &mut Late) {
        for row in rows {
            let Some(group) = numbers.get(&(row.pane.days(), row.group)).copied() else { continue };
            let info = row.measure.info();
            let series = Series::new(row.measure, if info.scored { scorer } else { 0 });
            if row.measure == measures::INDEX_PUBLISHED {
                self.note_publication(group, Timestamp(row.partial.max));
            }
            if row.measure == measures::INDEX_VERSION {
                self.note_version(group, Timestamp(row.partial.min));
            }
            if is_by_answer(row.measure) {
                let hour = row.pane.floor(Timestamp::HOUR_US);
                self.kept.answers.entry(hour).or_default().add(series, group, row.partial);
                continue;
            }
            let closed = self.kept.closed[info.input as usize];
            if closed.is_some_and(|closed| row.pane.plus(Timestamp::MINUTE_US) <= closed) {
                late.push(series, row.pane, group, &row.partial);
            } else {
                self.kept.open[info.input as usize].entry(row.pane).or_default().add(series, group, row.partial);
            }
        }
    }

    /// Numbers of the set's groups by day: (day, index into the set's groups). Groups are admitted in the set's order.
    fn admit(&mut self, set: &PartialSet) -> BTreeMap<(i32, u32), u32> {
        let mut pairs: Vec<(i32, u32, Timestamp)> = Vec::new();
        for row in set.rows.iter().chain(set.of_scorers.values().flatten()) {
            let pair = (row.pane.days(), row.group, row.pane);
            if pairs.last().is_none_or(|last| (last.0, last.1) != (pair.0, pair.1)) {
                pairs.push(pair);
            }
        }
        pairs.sort_unstable();
        pairs.dedup_by_key(|pair| (pair.0, pair.1));
        let cap = self.settings.groups_per_tenant;
        let groups = &mut self.kept.groups;
        pairs
            .into_iter()
            .filter_map(|(day, group, pane)| Some(((day, group), groups.number(set.groups.get(group as usize)?, pane, cap))))
            .collect()
    }

    /// Adds partials to panes that are closed already, and notes which published windows they touch.
    fn correct(&mut self, late: Late) {
        for ((series, pane), cells) in late.0 {
            let input = series.measure().info().input;
            let Some(closed) = self.kept.closed[input as usize] else { continue };
            let cells: Vec<(u32, Partial)> = cells.into_iter().collect();
            self.kept.counters.late += cells.len() as u64;
            let newest = &mut self.kept.newest[input as usize];
            *newest = (*newest).max(Some(pane));
            let daily = self.plan.daily & bit(series.measure()) != 0;
            let mut beyond_memory = false;
            for window in Window::ALL {
                let start = pane.floor(window.us());
                if start.plus(window.us()) > closed {
                    continue;
                }
                let place = match window {
                    _ if is_replaceable(series.measure()) => REPLACEABLE,
                    Window::Hour | Window::Day if daily => DAILY,
                    _ => (window as usize).min(2),
                };
                if self.kept.horizons[place].is_some_and(|horizon| start < horizon) {
                    beyond_memory = true;
                    continue;
                }
                if is_bulky(series.measure()) {
                    let quarter_end = start.floor(Window::Quarter.us()).plus(Window::Quarter.us());
                    let is_kept = match window {
                        Window::Minute => quarter_end > closed,
                        Window::Quarter | Window::Hour => true,
                        Window::Day => false,
                    };
                    if is_kept {
                        let by_app = self.by_app(&cells, start);
                        self.kept.apps[window as usize].add(start, series, &by_app);
                    }
                } else if window < Window::Day {
                    self.kept.levels[window as usize].add(start, series, &cells);
                    let by_app = self.by_app(&cells, start);
                    self.kept.apps[window as usize].add(start, series, &by_app);
                }
                if window == Window::Hour {
                    self.correct_comparisons(series, start, &cells);
                }
                self.touch(window, start, series.measure(), cells.iter().map(|(group, _)| *group));
            }
            self.kept.counters.beyond_memory += if beyond_memory { cells.len() as u64 } else { 0 };
        }
    }

    /// What late cells of a closed hour change beyond the hour's own rows.
    fn correct_comparisons(&mut self, series: Series, hour: Timestamp, cells: &[(u32, Partial)]) {
        let measure = bit(series.measure());
        if self.plan.change_measures & measure != 0 {
            self.kept.dirty_changes.extend([hour, hour.plus(Timestamp::HOUR_US)]);
        }
        if self.plan.compared & measure == 0 {
            return;
        }
        for window in [Window::Hour, Window::Day] {
            let followers = self.settings.reference.followers(hour, window);
            self.kept.dirty_drift.extend(followers.into_iter().map(|start| (start.plus(window.us()), window)));
        }
        let day = hour.floor(Timestamp::DAY_US);
        if self.kept.closed[Input::Gateway as usize].is_some_and(|closed| day.plus(Timestamp::DAY_US) <= closed) {
            let by_app = self.by_app(cells, hour);
            self.kept.days.add(day, series, &by_app);
        }
    }

    /// Cells added up by tenant and application.
    pub(super) fn by_app(&mut self, cells: &[(u32, Partial)], pane: Timestamp) -> Vec<(u32, Partial)> {
        let mut by_app: BTreeMap<u32, Partial> = BTreeMap::new();
        for (group, partial) in cells {
            if let Some(app) = self.kept.groups.app_of(*group, pane) {
                by_app.entry(app).or_default().merge(partial);
            }
        }
        by_app.into_iter().collect()
    }

    /// Notes that a published window must be published again for these groups.
    pub(super) fn touch(&mut self, window: Window, start: Timestamp, measure: Measure, groups: impl Iterator<Item = u32>) {
        let touched = self.kept.dirty.entry((window, start)).or_default();
        for group in groups {
            *touched.entry(group).or_default() |= bit(measure);
        }
    }

    /// Notes a publication; if it is read late, the windows that it makes younger are published again.
    fn note_publication(&mut self, group: u32, at: Timestamp) {
        let Some(whole) = self.kept.groups.get(group).cloned() else { return };
        self.kept.freshness.note(&whole, at);
        let Some(closed) = self.kept.closed[Input::Pipeline as usize] else { return };
        let from = self.kept.horizons[0].map_or(at, |horizon| at.max(horizon)).max(closed.plus(-self.settings.keep_us));
        for window in [Window::Quarter, Window::Hour] {
            let mut start = from.floor(window.us());
            while start.plus(window.us()) <= closed {
                self.touch(window, start, measures::INDEX_PUBLISHED, std::iter::once(group));
                start = start.plus(window.us());
            }
        }
    }
}

/// Partials for closed panes, put together by block.
#[derive(Default)]
struct Late(BTreeMap<(Series, Timestamp), BTreeMap<u32, Partial>>);

impl Late {
    fn push(&mut self, series: Series, pane: Timestamp, group: u32, partial: &Partial) {
        self.0.entry((series, pane)).or_default().entry(group).or_default().merge(partial);
    }
}
