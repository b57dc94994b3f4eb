//! Reading for rules: a metric over any stretch of closed minutes, grouped by any dimensions.
//!
//! Always a re-aggregation of exact sums, never a mean of means. Whole hours and quarters are read from their own panes, so a
//! day costs little more than an hour. Values of an earlier scorer are never mixed in: the newest one is read.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::derive::{Cells, Derived, derive};
use super::drift::drift;
use super::groups::{Groups, Key};
use super::pane::{Block, Histograms, Level, Series, sum};
use super::plan::is_by_answer;
use super::publish::of_drift;
use super::state::State;
use super::{Filter, Keep, Labels, Observation, Query, Tick};
use crate::event::{Input, Timestamp};
use crate::measure::registry::Value;
use crate::measure::{Dimension, Group, Measure, Metric, Partial, Signal, Window, measures};

/// Length of the trailing reference of drift.
const REFERENCE_US: i64 = Timestamp::DAY_US;

impl State {
    /// The metric over `[from, to)`, one result per tuple of `by` that has anything there, ordered by labels. Minutes that are
    /// not closed yet are not part of it. Nothing for a metric that does not exist.
    #[must_use]
    pub fn pooled(&self, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)> {
        let Some(metric) = self.plan.registry.get(&query.metric) else { return Vec::new() };
        match &metric.value {
            Value::Service(signal) => self.signal(*signal, from, to),
            Value::Age(_) => self.ages(query, to),
            Value::Drift { of, .. } => self.drifted(metric, *of, query, from, to),
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
        let mut sums: Vec<Vec<Option<Partial>>> = vec![Vec::new(); metric.measures.len()];
        for (slot, measure) in sums.iter_mut().zip(&metric.measures) {
            slot.resize(tuples.labels.len(), None);
            let histograms = if metric.shown() == Some(*measure) { Histograms::Added } else { Histograms::LeftOut };
            for (at, partial) in self.pool(*measure, from, to, &tuples, histograms) {
                slot[at as usize] = Some(partial);
            }
        }
        let mut found = Vec::new();
        for (at, labels) in tuples.labels.into_iter().enumerate() {
            let mut cells: Cells<'_> = [None; measures::COUNT];
            for (measure, slot) in metric.measures.iter().zip(&sums) {
                cells[measure.index()] = slot[at].as_ref();
            }
            if let Some(Derived { observation, .. }) = derive(metric, &cells, to.0 - from.0) {
                found.push((labels, observation));
            }
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
    fn blocks<'a>(&self, levels: &'a [Level; 3], series: Series, from: Timestamp, to: Timestamp) -> Vec<&'a Block> {
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

    fn drifted(&self, metric: &Metric, of: Measure, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)> {
        let Value::Drift { statistic, .. } = metric.value else { return Vec::new() };
        let tuples = Tuples::new(self, query);
        let series = self.newest_series(of);
        let until = from.floor(Timestamp::HOUR_US);
        let since = until.plus(-REFERENCE_US);
        let earlier = tuples.levels[2].blocks(series, since, until);
        let places = tuples.labels.len();
        let reference: BTreeMap<u32, Partial> =
            sum(earlier, places, |group| tuples.place(group), Histograms::Added).into_iter().collect();
        let mut found: Vec<(Labels, Observation)> = self
            .pool(of, from, to, &tuples, Histograms::Added)
            .into_iter()
            .filter(|(_, window)| window.n > 0)
            .filter_map(|(at, window)| {
                let compared = reference.get(&at).and_then(|reference| drift(&window.hist, &reference.hist));
                let derived = of_drift(of, statistic, &window, compared.as_ref());
                Some((tuples.labels.get(at as usize)?.clone(), derived.observation))
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

/// Which tuple each group belongs to.
struct Tuples<'a> {
    /// Where its numbers are: by tenant and application where that is enough, else by whole groups.
    levels: &'a [Level; 3],
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
        let mut tuples = Self { levels, labels: Vec::new(), places: vec![u32::MAX; groups.bound()] };
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

fn labels(group: &Group, by: &[Dimension]) -> Labels {
    let value = |dimension: Dimension| group.get(dimension).map_or_else(String::new, |value| (**value).to_owned());
    by.iter().map(|dimension| (dimension.as_str().to_owned(), value(*dimension))).collect()
}

fn passes(group: &Group, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let value = group.get(filter.dimension).map_or("", |value| &**value);
        let listed = filter.values.iter().any(|listed| listed == value);
        listed == (filter.keep == Keep::Only)
    })
}
