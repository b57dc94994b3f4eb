//! Reading for rules: a metric over any stretch of closed minutes, grouped by any dimensions.
//!
//! Always a re-aggregation of exact sums, never a mean of means. Whole hours and quarters are read from their own panes, so a
//! day costs little more than an hour. Values of an earlier scorer are never mixed in: the newest one is read.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::change::{Strata, change, within};
use super::comparison::Found;
use super::derive::{Cells, Derived, derive, fraction};
use super::dispersion::{Between, has_interval, stretch_us, widen};
use super::groups::{Groups, Key};
use super::pane::{Block, Histograms, Level, Series, sum};
use super::plan::is_bulky;
use super::state::State;
use super::{Filter, Keep, Labels, Observation, Query, Tick};
use crate::event::{Input, Timestamp};
use crate::measure::measures::is_by_answer;
use crate::measure::registry::{Part, Statistic, Value};
use crate::measure::{Dimension, Group, Measure, Metric, Partial, Signal, Window, measures};

impl State {
    /// The metric over `[from, to)`, one result per tuple of `by` that has anything there, ordered by labels. Minutes that are
    /// not closed yet are not part of it. Nothing for a metric that does not exist.
    #[must_use]
    pub fn pooled(&self, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)> {
        let Some(metric) = self.plan.registry.get(&query.metric) else { return Vec::new() };
        match &metric.value {
            Value::Service(signal) => self.signal(*signal, from, to),
            Value::Age(_) => self.ages(query, to),
            Value::AgeSince { at, .. } => self.pooled_ages_since(metric, *at, query, (from, to)),
            // Of published windows only.
            Value::Maturity { .. } => Vec::new(),
            Value::Drift { of, statistic } => self.drifted(*of, *statistic, query, from, to),
            Value::Change { of, over, part } => match self.plan.registry.get(of) {
                Some(base) => self.changed(base, over, *part, query, (from, to)),
                None => Vec::new(),
            },
            _ => self.derived(metric, query, from, to),
        }
    }

    /// Whether a rule on this metric is to be judged at this tick: its last input has just closed the minute.
    #[must_use]
    pub fn is_due(&self, metric: &str, tick: Tick) -> bool {
        let Some(metric) = self.plan.registry.get(metric) else { return false };
        match (tick, &metric.value) {
            (Tick::Service { .. }, Value::Service(_)) => true,
            (Tick::Minute { .. }, Value::Service(_)) | (Tick::Service { .. }, _) => false,
            (Tick::Minute { end, inputs }, _) => metric.inputs.meets(inputs) && self.through(metric.inputs) == Some(end),
        }
    }

    fn derived(&self, metric: &Metric, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)> {
        let (from, to) = if metric.measures.iter().any(|measure| is_by_answer(*measure)) {
            (from.floor(Timestamp::HOUR_US), to.floor(Timestamp::HOUR_US))
        } else {
            (from, to)
        };
        let tuples = Tuples::new(self, query);
        let derived = self.derived_by_tuple(metric, from, to, &tuples);
        let mut found: Vec<(Labels, Observation)> =
            tuples.labels.into_iter().zip(derived).filter_map(|(labels, derived)| Some((labels, derived?.observation))).collect();
        found.sort_by(|left, right| left.0.cmp(&right.0));
        found
    }

    /// The metric by tuple.
    fn derived_by_tuple(&self, metric: &Metric, from: Timestamp, to: Timestamp, tuples: &Tuples<'_>) -> Vec<Option<Derived>> {
        let sums = self.sums_by_tuple(metric, from, to, tuples);
        let between = self.between(metric, from, to, tuples);
        let derived = |at: usize| {
            let mut derived = derive(metric, &sums.cells(at), to.0 - from.0)?;
            if let Some(between) = between.get(at) {
                widen(metric, &mut derived, between);
            }
            Some(derived)
        };
        (0..tuples.labels.len()).map(derived).collect()
    }

    fn sums_by_tuple<'a>(&self, metric: &'a Metric, from: Timestamp, to: Timestamp, tuples: &Tuples<'_>) -> Sums<'a> {
        let mut sums = vec![vec![None; tuples.labels.len()]; metric.measures.len()];
        for (slot, measure) in sums.iter_mut().zip(&metric.measures) {
            let needed = metric.shown() == Some(*measure) || metric.needs_histograms();
            let histograms = if needed { Histograms::Added } else { Histograms::LeftOut };
            for (at, partial) in self.pool(*measure, from, to, tuples, histograms) {
                slot[at as usize] = Some(partial);
            }
        }
        Sums { measures: &metric.measures, sums }
    }

    /// What the stretches of the window say, by tuple; nothing for longer ones, which are baselines: their intervals are not read.
    fn between(&self, metric: &Metric, from: Timestamp, to: Timestamp, tuples: &Tuples<'_>) -> Vec<Between> {
        let span_us = to.0 - from.0;
        if span_us > Timestamp::HOUR_US || !has_interval(metric) || metric.measures.iter().any(|measure| is_by_answer(*measure)) {
            return Vec::new();
        }
        let mut between = vec![Between::default(); tuples.labels.len()];
        let mut start = from;
        while start < to {
            let end = start.plus(stretch_us(span_us)).min(to);
            let sums = self.sums_by_tuple(metric, start, end, tuples);
            for (at, between) in between.iter_mut().enumerate() {
                if let Some(part) = fraction(&metric.value, &sums.cells(at)) {
                    between.add(part);
                }
            }
            start = end;
        }
        between
    }

    /// The change of a rate or mean against the stretch of the same length before.
    fn changed(
        &self,
        base: &Metric,
        over: &Value,
        part: Part,
        query: &Query,
        (from, to): (Timestamp, Timestamp),
    ) -> Vec<(Labels, Observation)> {
        let tuples = Tuples::new(self, query);
        let stretches = [(from, to), (Timestamp(2 * from.0 - to.0), from)];
        let [now, then] = stretches.map(|(from, to)| self.derived_by_tuple(base, from, to, &tuples));
        // Within each tuple, by tenant, application and model.
        let mut by = query.by.clone();
        by.extend([Dimension::Tenant, Dimension::App, Dimension::ResponseModel]);
        let finer = Tuples::new(self, &Query { by, ..query.clone() });
        let mut strata: BTreeMap<Labels, Strata<Labels>> = BTreeMap::new();
        for (side, (from, to)) in stretches.into_iter().enumerate() {
            let sums = self.sums_by_tuple(base, from, to, &finer);
            for (at, labels) in finer.labels.iter().enumerate() {
                if let Some(part) = fraction(over, &sums.cells(at)) {
                    let (tuple, stratum) = labels.split_at(query.by.len());
                    strata.entry(tuple.to_vec()).or_default().entry(stratum.to_vec()).or_default()[side] = part;
                }
            }
        }
        let mut found = Vec::new();
        for ((labels, now), then) in tuples.labels.into_iter().zip(now).zip(then) {
            let Some(now) = now else { continue };
            let within = strata.get(&labels).and_then(within);
            found.push((labels, change(over, part, &now, then.as_ref(), within).observation));
        }
        found.sort_by(|left, right| left.0.cmp(&right.0));
        found
    }

    /// Sums of one measure by tuple.
    fn pool(
        &self,
        measure: Measure,
        from: Timestamp,
        to: Timestamp,
        tuples: &Tuples<'_>,
        histograms: Histograms,
    ) -> Vec<(u32, Partial)> {
        let blocks = self.blocks(tuples.levels, self.newest_series(measure), from, to);
        sum(blocks.into_iter(), tuples.labels.len(), |group| tuples.place(group), histograms)
    }

    fn newest_series(&self, measure: Measure) -> Series {
        let newest = u8::try_from(self.kept.scorers.len()).unwrap_or(u8::MAX);
        Series::new(measure, if measure.info().scored { newest } else { 0 })
    }

    /// The closed panes of a series that make up `[from, to)`, in the largest pieces.
    pub(super) fn blocks<'a>(&self, levels: &'a [Level; 3], series: Series, from: Timestamp, to: Timestamp) -> Vec<&'a Block> {
        let measure = series.measure();
        let Some(closed) = self.kept.closed[measure.info().input as usize] else { return Vec::new() };
        let to = to.min(closed).floor(Timestamp::MINUTE_US);
        let mut blocks = Vec::new();
        let mut at = from.floor(Timestamp::MINUTE_US);
        while at < to {
            let fits = |window: &Window| at == at.floor(window.us()) && at.plus(window.us()) <= to;
            let window = [Window::Hour, Window::Quarter].into_iter().find(fits).unwrap_or(Window::Minute);
            // Neighbours of the same length are read in one go.
            let mut end = at.plus(window.us());
            while end.plus(window.us()) <= to && (window == Window::Hour || end != end.floor(next_longer(window).us())) {
                end = end.plus(window.us());
            }
            blocks.extend(levels[window as usize].blocks(series, at, end));
            at = end;
        }
        blocks
    }

    fn drifted(
        &self,
        of: Measure,
        statistic: Statistic,
        query: &Query,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<(Labels, Observation)> {
        let (from, to) = if is_bulky(of) {
            let step = if to.0 - from.0 > Timestamp::HOUR_US { Timestamp::HOUR_US } else { Window::Quarter.us() };
            (from.floor(step), to.floor(step))
        } else {
            (from, to)
        };
        let tuples = Tuples::new(self, query);
        let series = self.newest_series(of);
        let places = tuples.labels.len();
        // By other dimensions there are hours only, and those of memory.
        let earlier = if tuples.are_apps {
            self.reference_blocks(series, from, to)
        } else {
            let stretches = self.settings.reference.stretches(from, to);
            stretches.into_iter().flat_map(|(from, to)| tuples.levels[2].blocks(series, from, to)).collect()
        };
        let reference: BTreeMap<u32, Partial> =
            sum(earlier.into_iter(), places, |group| tuples.place(group), Histograms::Added).into_iter().collect();
        let scorer = usize::from(series.scorer()).checked_sub(1).and_then(|at| self.kept.scorers.get(at));
        let windows = self.pool(of, from, to, &tuples, Histograms::Added);
        let mut all: Vec<Found> = windows
            .iter()
            .map(|(at, window)| {
                let pinned = self.pinned(of, scorer, |group| {
                    passes(group, &query.filter)
                        && tuples.labels.get(*at as usize).is_some_and(|own| *own == labels(group, &query.by))
                });
                Found::new(of, window, pinned.as_ref().or_else(|| reference.get(at)))
            })
            .collect();
        Found::screen(all.iter_mut());
        let mut found: Vec<(Labels, Observation)> = windows
            .iter()
            .zip(&all)
            .filter_map(|((at, window), compared)| {
                let derived = compared.derived(of, statistic, window)?;
                Some((tuples.labels.get(*at as usize)?.clone(), derived.observation))
            })
            .collect();
        found.sort_by(|left, right| left.0.cmp(&right.0));
        found
    }

    fn ages(&self, query: &Query, to: Timestamp) -> Vec<(Labels, Observation)> {
        let mut youngest: BTreeMap<Labels, (f64, u64)> = BTreeMap::new();
        for (group, age) in self.kept.freshness.ages(to).filter(|(group, _)| passes(group, &query.filter)) {
            let seen = youngest.entry(labels(group, &query.by)).or_insert((age, 0));
            *seen = (seen.0.min(age), seen.1 + 1);
        }
        let observation = |(age, n)| Observation { value: Some(age), n, age: Some(age), ..Observation::default() };
        youngest.into_iter().map(|(labels, seen)| (labels, observation(seen))).collect()
    }

    fn signal(&self, signal: Signal, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)> {
        let known = |input: &Input| self.kept.watermarks[*input as usize].is_known();
        let watched = Some(Input::Gateway).filter(known);
        let watermark = Input::ALL.into_iter().filter(known).filter_map(|input| self.watermark(input)).min();
        let read = self.kept.service.read(signal, watched, watermark, from, to);
        read.map(|(value, n)| (Labels::new(), Observation { value: Some(value), n, ..Observation::default() }))
            .into_iter()
            .collect()
    }
}

const fn next_longer(window: Window) -> Window {
    match window {
        Window::Minute => Window::Quarter,
        Window::Quarter => Window::Hour,
        Window::Hour | Window::Day => Window::Day,
    }
}

/// Sums by measure and tuple.
struct Sums<'a> {
    measures: &'a [Measure],
    sums: Vec<Vec<Option<Partial>>>,
}

impl Sums<'_> {
    /// The sums of one tuple.
    fn cells(&self, tuple: usize) -> Cells<'_> {
        let mut cells: Cells<'_> = [None; measures::COUNT];
        for (measure, sums) in self.measures.iter().zip(&self.sums) {
            cells[measure.index()] = sums.get(tuple).and_then(Option::as_ref);
        }
        cells
    }
}

/// Which tuple each group belongs to.
struct Tuples<'a> {
    /// Where its numbers are: by tenant and application where that is enough, else by whole groups.
    levels: &'a [Level; 3],
    /// It is by tenant and application.
    are_apps: bool,
    labels: Vec<Labels>,
    /// By group; `u32::MAX` for none.
    places: Vec<u32>,
}

impl<'a> Tuples<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "no more tuples than groups")]
    fn new(state: &'a State, query: &Query) -> Self {
        let groups = &state.kept.groups;
        let conditions: Vec<Condition> = query.filter.iter().map(|filter| Condition::new(groups, filter)).collect();
        let mut wanted = [false; Dimension::ALL.len()];
        for dimension in &query.by {
            wanted[*dimension as usize] = true;
        }
        let mut numbers: HashMap<Key, u32> = HashMap::new();
        let asked = query.by.iter().chain(query.filter.iter().map(|filter| &filter.dimension));
        let only_apps = asked.into_iter().all(|dimension| matches!(dimension, Dimension::Tenant | Dimension::App));
        let levels = if only_apps { &state.kept.apps } else { &state.kept.levels };
        let mut tuples = Self { levels, are_apps: only_apps, labels: Vec::new(), places: vec![u32::MAX; groups.bound()] };
        for (number, group, key) in groups.keyed() {
            if !conditions.iter().all(|condition| condition.holds(key)) {
                continue;
            }
            let mut tuple = *key;
            for (value, wanted) in tuple.iter_mut().zip(wanted) {
                *value = if wanted { *value } else { 0 };
            }
            tuples.places[number as usize] = *numbers.entry(tuple).or_insert_with(|| {
                tuples.labels.push(labels(group, &query.by));
                tuples.labels.len() as u32 - 1
            });
        }
        tuples
    }

    fn place(&self, group: u32) -> Option<u32> {
        self.places.get(group as usize).copied().filter(|place| *place != u32::MAX)
    }
}

/// A filter over the numbers of values.
struct Condition {
    dimension: usize,
    values: Vec<u32>,
    keep: Keep,
}

impl Condition {
    fn new(groups: &Groups, filter: &Filter) -> Self {
        let values = filter.values.iter().filter_map(|value| groups.value(value)).collect();
        Self { dimension: filter.dimension as usize, values, keep: filter.keep }
    }

    fn holds(&self, key: &Key) -> bool {
        self.values.contains(&key[self.dimension]) == (self.keep == Keep::Only)
    }
}

pub(super) fn labels(group: &Group, by: &[Dimension]) -> Labels {
    let value = |dimension: Dimension| group.get(dimension).map_or_else(String::new, |value| (**value).to_owned());
    by.iter().map(|dimension| (dimension.as_str().to_owned(), value(*dimension))).collect()
}

pub(super) fn passes(group: &Group, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let value = group.get(filter.dimension).map_or("", |value| &**value);
        let listed = filter.values.iter().any(|listed| listed == value);
        listed == (filter.keep == Keep::Only)
    })
}
