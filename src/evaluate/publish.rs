//! From closed panes to rows of the `metrics` table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::advance::SKIP_AFTER_US;
use super::derive::{Cells, Derived, derive};
use super::dispersion::{Between, dispersions, has_interval, widen};
use super::pane::{Histograms, Series, sum};
use super::plan::{MeasureSet, bit};
use super::state::State;
use super::{MetricRow, Observation, ValueStatus};
use crate::event::{Input, Timestamp};
use crate::measure::registry::{Rows, Value};
use crate::measure::{Group, Inputs, Measure, Metric, Partial, Window, measures};

/// Which groups of a window are published.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// All, for the first time.
    All,
    /// All, once more.
    Again,
    /// Those that late events touched, and of them what is made from these measures.
    Touched(&'a BTreeMap<u32, MeasureSet>),
}

/// Where a row stands.
pub(super) struct Place {
    pub(super) window: Window,
    pub(super) start: Timestamp,
    pub(super) revision: i64,
    pub(super) coverage: f64,
    pub(super) is_final: bool,
    pub(super) as_of: Timestamp,
}

impl State {
    /// Publishes the metrics of one class in one window.
    pub(super) fn publish(&mut self, number: u8, window: Window, start: Timestamp, scope: Scope<'_>, rows: &mut Vec<MetricRow>) {
        let plan = self.plan.clone();
        let Some(class) = plan.classes.get(usize::from(number)) else { return };
        let touched = match scope {
            Scope::Touched(groups) => groups.values().fold(0, |set, touched| set | touched),
            Scope::All | Scope::Again => MeasureSet::MAX,
        };
        let concerned =
            class.plain(window).iter().chain(class.ages(window)).filter_map(|number| plan.registry.metrics().get(*number));
        if !concerned.into_iter().any(|metric| metric.measures.iter().any(|measure| touched & bit(*measure) != 0)) {
            return;
        }
        let before = rows.len();
        let place = self.place(class.inputs, window, start);
        let cells = self.gather(class.needed(window), window, start, scope);
        let dispersed: Vec<(usize, &Metric)> = match window {
            Window::Minute => Vec::new(),
            Window::Quarter | Window::Hour | Window::Day => class
                .plain(window)
                .iter()
                .filter_map(|number| Some((*number, plan.registry.metrics().get(*number)?)))
                .filter(|(_, metric)| has_interval(metric))
                .collect(),
        };
        let between = {
            let metrics: Vec<&Metric> = dispersed.iter().map(|(_, metric)| *metric).collect();
            dispersions(&self.kept.levels, &metrics, (start, window.us()), |group| match scope {
                Scope::Touched(groups) => groups.contains_key(&group),
                Scope::All | Scope::Again => true,
            })
        };
        let mut table: Cells<'_> = [None; measures::COUNT];
        for run in cells.chunk_by(|left, right| (left.group, left.scorer) == (right.group, right.scorer)) {
            let Some(first) = run.first() else { continue };
            let touched = match scope {
                Scope::Touched(groups) => groups.get(&first.group).copied().unwrap_or_default(),
                Scope::All | Scope::Again => MeasureSet::MAX,
            };
            for cell in run {
                table[cell.measure.index()] = Some(&cell.partial);
            }
            if let Some(group) = self.kept.groups.get(first.group) {
                let scorer = usize::from(first.scorer).checked_sub(1).and_then(|at| self.kept.scorers.get(at));
                for number in class.plain(window) {
                    let Some(metric) = plan.registry.metrics().get(*number) else { continue };
                    let concerned = metric.measures.iter().any(|measure| touched & bit(*measure) != 0);
                    if concerned && metric.scored == scorer.is_some() && !is_of_apps(metric) {
                        let at = dispersed.iter().position(|(known, _)| known == number);
                        let between = at.and_then(|at| between.get(&(first.group, first.scorer))?.get(at));
                        push(metric, group, scorer, &table, between, &place, rows);
                    }
                }
            }
            for cell in run {
                table[cell.measure.index()] = None;
            }
        }
        for metric in class.ages(window).iter().filter_map(|number| plan.registry.metrics().get(*number)) {
            match &metric.value {
                Value::AgeSince { at, .. } => self.push_ages_since(metric, *at, scope, &place, rows),
                _ => self.push_ages(metric, scope, &place, rows),
            }
        }
        for metric in class.plain(window).iter().filter_map(|number| plan.registry.metrics().get(*number)) {
            if is_of_apps(metric) {
                self.push_apps(metric, scope, &place, rows);
            }
        }
        self.note_provisional(&place, number);
        let published = rows.get_mut(before..).unwrap_or_default();
        if !published.is_empty() && !matches!(scope, Scope::All) {
            let revision = self.next_revision(window, start, number);
            for row in published {
                row.revision = revision;
            }
        }
    }

    pub(super) fn place(&self, inputs: Inputs, window: Window, start: Timestamp) -> Place {
        let end = start.plus(window.us());
        let (passed, all) = inputs
            .iter()
            .map(|input| self.kept.watermarks[input as usize].coverage(end))
            .fold((0, 0), |(passed, all), (more, of)| (passed + more, all + of));
        let coverage = if all == 0 { 1.0 } else { passed as f64 / all as f64 };
        Place { window, start, revision: 0, coverage, is_final: passed == all, as_of: self.now() }
    }

    /// The cells of a window, by group, scorer and measure.
    fn gather(&self, needed: MeasureSet, window: Window, start: Timestamp, scope: Scope<'_>) -> Vec<Gathered> {
        let level = &self.kept.levels[(window as usize).min(2)];
        let mut series: Vec<Series> = match window {
            Window::Day => level.series(start, start.plus(window.us())),
            Window::Minute | Window::Quarter | Window::Hour => level.pane(start).map(|(series, _)| series).collect(),
        };
        series.retain(|series| needed & bit(series.measure()) != 0);
        let place = |group: u32| match scope {
            Scope::Touched(groups) => groups.contains_key(&group).then_some(group),
            Scope::All | Scope::Again => Some(group),
        };
        let mut cells = Vec::new();
        for series in series {
            let (scorer, measure) = (series.scorer(), series.measure());
            if window == Window::Day {
                let hours = level.blocks(series, start, start.plus(window.us()));
                let sums = sum(hours, self.kept.groups.bound(), place, Histograms::Added);
                cells.extend(sums.into_iter().map(|(group, partial)| Gathered { group, scorer, measure, partial }));
            } else if let Some(block) = level.blocks(series, start, start.plus(window.us())).next() {
                let wanted = block.cells(|group| place(group).is_some());
                cells.extend(wanted.into_iter().map(|(group, partial)| Gathered { group, scorer, measure, partial }));
            }
        }
        cells.sort_by_key(|cell| (cell.group, cell.scorer, cell.measure));
        cells
    }

    /// Pushes a metric that joins what is counted by different groups, for each tenant and application.
    fn push_apps(&mut self, metric: &Metric, scope: Scope<'_>, place: &Place, rows: &mut Vec<MetricRow>) {
        let touched: Option<BTreeSet<u32>> = match scope {
            Scope::Touched(groups) => {
                Some(groups.keys().filter_map(|group| self.kept.groups.app_of(*group, place.start)).collect())
            }
            Scope::All | Scope::Again => None,
        };
        let wanted = |app: u32| touched.as_ref().is_none_or(|touched| touched.contains(&app)).then_some(app);
        let end = place.start.plus(place.window.us());
        let level = &self.kept.apps[(place.window as usize).min(2)];
        let mut by_app: BTreeMap<u32, Vec<(Measure, Partial)>> = BTreeMap::new();
        for measure in &metric.measures {
            for series in level.series(place.start, end).into_iter().filter(|series| series.measure() == *measure) {
                let sums = sum(level.blocks(series, place.start, end), self.kept.groups.bound(), wanted, Histograms::Added);
                for (app, partial) in sums {
                    by_app.entry(app).or_default().push((*measure, partial));
                }
            }
        }
        for (app, cells) in &by_app {
            let Some(group) = self.kept.groups.get(*app) else { continue };
            let mut table: Cells<'_> = [None; measures::COUNT];
            for (measure, partial) in cells {
                table[measure.index()] = Some(partial);
            }
            if let Some(derived) = derive(metric, &table, place.window.us()) {
                rows.push(row(metric, group, None, derived, None, place));
            }
        }
    }

    fn push_ages(&self, metric: &Metric, scope: Scope<'_>, place: &Place, rows: &mut Vec<MetricRow>) {
        let wanted = |group: &Arc<Group>| match scope {
            Scope::All | Scope::Again => true,
            Scope::Touched(groups) => groups.iter().any(|(number, touched)| {
                touched & bit(measures::INDEX_PUBLISHED) != 0 && self.kept.groups.get(*number) == Some(group)
            }),
        };
        let end = place.start.plus(place.window.us());
        // Long silence is passed over, so that it reads the same whether it was lived through or read at once.
        if self.kept.newest[Input::Pipeline as usize].is_none_or(|newest| newest.plus(SKIP_AFTER_US) < end) {
            return;
        }
        for (group, age) in self.kept.freshness.ages(end).filter(|(group, _)| wanted(group)) {
            let observation = Observation { value: Some(age), n: 1, min: Some(age), max: Some(age), ..Observation::default() };
            let derived = Derived { observation, sum: age, sum_sq: age * age, ..Derived::default() };
            rows.push(row(metric, group, None, derived, None, place));
        }
    }

    /// Notes that a window closed without some partitions.
    pub(super) fn note_provisional(&mut self, place: &Place, class: u8) {
        if !place.is_final {
            self.kept.provisional.insert((class, place.window, place.start));
        }
    }
}

/// Whether a metric joins feedback by its own time, which knows only tenant and application, with requests, which know more.
fn is_of_apps(metric: &Metric) -> bool {
    metric.measures.contains(&measures::FEEDBACK) && metric.measures.contains(&measures::REQUESTS)
}

/// One partial of one group of a window.
pub(super) struct Gathered {
    pub(super) group: u32,
    pub(super) scorer: u8,
    pub(super) measure: Measure,
    pub(super) partial: Partial,
}

impl Gathered {
    /// The place of a key: the group, eight bits of scorer, sixteen of measure.
    #[expect(clippy::cast_possible_truncation, reason = "the key's parts have these widths")]
    pub(super) const fn of_key(key: u64, partial: Partial) -> Self {
        Self { group: (key >> 24) as u32, scorer: (key >> 16) as u8, measure: Measure(key as u16), partial }
    }
}

fn push(
    metric: &Metric,
    group: &Arc<Group>,
    scorer: Option<&Arc<str>>,
    table: &Cells<'_>,
    between: Option<&Between>,
    place: &Place,
    rows: &mut Vec<MetricRow>,
) {
    let Some(mut derived) = derive(metric, table, place.window.us()) else { return };
    if metric.rows == Rows::Occurring && derived.sum == 0.0 && !is_taken_back(metric, table) {
        return;
    }
    if let Some(between) = between {
        widen(metric, &mut derived, between);
    }
    let shown = metric.shown().and_then(|measure| table[measure.index()]);
    rows.push(row(metric, group, scorer, derived, shown, place));
}

/// Whether something occurred once and was corrected away: the row that says so must be replaced.
fn is_taken_back(metric: &Metric, table: &Cells<'_>) -> bool {
    let Value::Rate { numerator, .. } = &metric.value else { return false };
    numerator.iter().any(|term| table[term.measure.index()].is_some_and(Partial::is_nothing))
}

#[expect(clippy::cast_possible_wrap, reason = "counts are far below 2^63")]
pub(super) fn row(
    metric: &Metric,
    group: &Arc<Group>,
    scorer: Option<&Arc<str>>,
    derived: Derived,
    shown: Option<&Partial>,
    place: &Place,
) -> MetricRow {
    let seen = derived.observation;
    let (hist_edges, hist_counts) = match (metric.shown(), shown) {
        (Some(measure), Some(partial)) if !partial.hist.is_empty() => {
            let info = measure.info();
            let edge = |bin: u16| info.edges.range(bin).1 as f64 / info.scale as f64;
            (
                partial.hist.iter().map(|(bin, _)| edge(*bin)).collect(),
                partial.hist.iter().map(|(_, count)| i64::from(*count)).collect(),
            )
        }
        _ => (Vec::new(), Vec::new()),
    };
    MetricRow {
        metric: metric.name.clone(),
        window_start: place.start,
        window_s: place.window.seconds(),
        group: group.clone(),
        n: seen.n as i64,
        n_null: seen.n_null as i64,
        sum: derived.sum,
        sum_sq: derived.sum_sq,
        min: seen.min,
        max: seen.max,
        bad_n: seen.bad_n as i64,
        value: seen.value,
        value_status: derived.status.unwrap_or(ValueStatus::Ok),
        p: seen.p,
        expected: derived.expected,
        reference_n: derived.reference_n.map(|n| n as i64),
        dispersion: derived.dispersion,
        lo: seen.lo,
        hi: seen.hi,
        p50: seen.p50,
        p90: seen.p90,
        p95: seen.p95,
        p99: seen.p99,
        hist_edges,
        hist_counts,
        revision: place.revision,
        is_final: place.is_final,
        coverage: place.coverage,
        as_of: place.as_of,
        scorer: scorer.cloned(),
    }
}
