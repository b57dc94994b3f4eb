//! One date: which requests cost something else now, and what follows from it. Computation without I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

use super::{Change, Settings};
use crate::evaluate::{MetricRow, Recomputation, Reference, Repriced, StoredAnswer, interval};
use crate::event::{Input, Timestamp, Usage, UsageSource};
use crate::lake::tables::columns::{INTERACTIONS, METRICS};
use crate::lake::tables::{Columns, CostRow, Costs};
use crate::measure::{
    Accumulator, Answer, CostStatus, Dimension, Group, Inputs, PartialSet, Priceable, Prices, Registry, StatusClass, Window,
    billionths, measures,
};

/// Columns that repricing looks at, of any table.
pub(super) const READ: [&str; 36] = [
    "event_time",
    "request_id",
    "tenant",
    "app",
    "request_model",
    "response_model",
    "service_tier",
    "prompt_version",
    "variant",
    "environment",
    "job",
    "index",
    "feedback_name",
    "usage_input_tokens",
    "usage_output_tokens",
    "usage_cached_input_tokens",
    "usage_cache_write_tokens",
    "usage_cache_write_1h_tokens",
    "usage_reasoning_tokens",
    "usage_source",
    "cost_usd",
    "cost_status",
    "price_version",
    "revision",
    "source_topic",
    "source_partition",
    "source_offset",
    "window_start",
    "window_s",
    "metric",
    "n",
    "bad_n",
    "sum",
    "value",
    "is_final",
    "coverage",
];
/// The metric that every request counts in: its rows say what requests were grouped by.
const REQUESTS: &str = "requests";

/// What was read of a date.
pub(super) struct Read {
    pub(super) interactions: Vec<Vec<ArrayRef>>,
    pub(super) costs: Vec<Vec<ArrayRef>>,
    pub(super) metrics: Vec<Vec<ArrayRef>>,
}

/// What changes on a date.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) change: Change,
    pub(super) costs: Vec<CostRow>,
    pub(super) corrections: PartialSet,
    pub(super) rows: Vec<MetricRow>,
    pub(super) revised: Vec<Repriced>,
}

/// Metric, window, its length, group: rows of cost have no scorer.
type Key = (Arc<str>, Timestamp, i64, Group);

/// A row of `metrics` as it is published.
#[derive(Clone, Copy, Debug)]
struct Published {
    n: i64,
    bad_n: i64,
    sum: f64,
    revision: i64,
    is_final: bool,
    coverage: f64,
}

/// Sums of the requests that changed, as they were and as they are.
#[derive(Default)]
struct Sums {
    groups: Vec<Group>,
    numbers: HashMap<Group, u32>,
    old: Accumulator,
    new: Accumulator,
}

impl Day {
    pub(super) fn new(read: &Read, settings: &Settings, date: String, as_of: Timestamp) -> Result<Self, ArrowError> {
        let registry = Arc::new(Registry::builtin().map_err(|error| ArrowError::SchemaError(error.to_string()))?);
        let published = published(&read.metrics)?;
        let groups: HashSet<(i32, Group)> = published.keys().map(|key| (key.1.days(), key.3.clone())).collect();
        let group_by = group_by(&published, &settings.group_by);
        let repriced = Costs::new(&read.costs)?;
        let mut recomputation = Recomputation::new(groups);
        let mut day = Self {
            change: Change { date, ..Change::default() },
            costs: Vec::new(),
            corrections: PartialSet::default(),
            rows: Vec::new(),
            revised: Vec::new(),
        };
        let mut sums = Sums::default();
        let mut last = Timestamp(0);
        for arrays in &read.interactions {
            let columns = Columns { table: &INTERACTIONS, arrays };
            for row in 0..columns.array("event_time")?.len() {
                let at = columns.time("event_time", row)?;
                last = last.max(at);
                let group = recomputation.folded(at, &columns.request_group(&group_by, row)?);
                let known = repriced.of(&columns, row)?;
                let own = columns.float("cost_usd", row)?.map(billionths);
                let status = columns.text("cost_status", row)?.and_then(CostStatus::parse).unwrap_or(CostStatus::UsageMissing);
                let old = known.map_or((own, status), |known| (known.cost, known.status));
                let is_producers = own.is_some() && columns.text("price_version", row)?.is_none();
                let new = if is_producers { old } else { price(&settings.prices, &columns, row, at)? };
                day.change.requests += 1;
                recomputation.answer(at, &group, None, &StoredAnswer::new(answer(new)));
                if new != old {
                    day.note(old, new);
                    sums.add(at, &group, old, new);
                    day.costs.push(CostRow {
                        event_time: at,
                        request_id: columns.text("request_id", row)?.map(str::to_owned),
                        tenant: columns.text("tenant", row)?.map(str::to_owned),
                        app: columns.text("app", row)?.map(str::to_owned),
                        cost: new.0,
                        status: new.1,
                        price_version: settings.prices.version().to_owned(),
                        revision: known.map_or(0, |known| known.revision) + 1,
                        position: columns.position(row)?,
                    });
                }
            }
        }
        day.corrections = sums.corrections();
        let through = Input::ALL.map(|input| (input, last.plus(2 * Timestamp::DAY_US))).into();
        let (rows, _) = recomputation.finish(&through, Arc::clone(&registry), Reference::default());
        day.publish(rows, &published, &registry, as_of);
        Ok(day)
    }

    fn note(&mut self, old: (Option<i64>, CostStatus), new: (Option<i64>, CostStatus)) {
        let change = &mut self.change;
        change.changed += 1;
        change.before_billionths += old.0.unwrap_or(0);
        change.after_billionths += new.0.unwrap_or(0);
        change.newly_priced += u64::from(old.0.is_none() && new.0.is_some());
        change.no_longer_priced += u64::from(old.0.is_some() && new.0.is_none());
    }

    /// The next revision of every published row that a changed request counts in.
    fn publish(&mut self, recomputed: Vec<MetricRow>, published: &HashMap<Key, Published>, registry: &Registry, as_of: Timestamp) {
        let touched: HashSet<(Timestamp, i64, &Group)> = self
            .corrections
            .rows
            .iter()
            .flat_map(|row| Window::ALL.map(|window| (row.pane.floor(window.us()), window.seconds(), row.group)))
            .filter_map(|(start, length, group)| Some((start, length, self.corrections.groups.get(group as usize)?)))
            .collect();
        let of_cost = |name: &str| {
            let metric = registry.get(name).filter(|metric| metric.inputs == Inputs::of(Input::Gateway));
            metric.is_some_and(|metric| metric.measures.iter().any(|measure| measures::is_cost(*measure)))
        };
        let mut recomputed: HashMap<Key, MetricRow> = recomputed
            .into_iter()
            .filter(|row| of_cost(&row.metric))
            .map(|row| ((row.metric.clone(), row.window_start, row.window_s, (*row.group).clone()), row))
            .collect();
        let mut revised: BTreeMap<(i64, Timestamp), i64> = BTreeMap::new();
        let mut keys: Vec<&Key> =
            published.keys().filter(|key| of_cost(&key.0) && touched.contains(&(key.1, key.2, &key.3))).collect();
        keys.sort();
        for (key, before) in keys.into_iter().filter_map(|key| Some((key, published.get(key)?))) {
            let Some(row) = recomputed.remove(key).or_else(|| nothing(key, before)) else { continue };
            let revision = before.revision + 1;
            let known = revised.entry((key.2, key.1)).or_default();
            *known = revision.max(*known);
            self.rows.push(MetricRow { revision, is_final: before.is_final, coverage: before.coverage, as_of, ..row });
        }
        self.change.rows = self.rows.len() as u64;
        let window = |((window_s, window_start), revision)| Repriced { window_s, window_start, revision };
        self.revised = revised.into_iter().map(window).collect();
    }
}

impl Sums {
    #[expect(clippy::cast_possible_truncation, reason = "a date has far fewer than 2^32 groups")]
    fn add(&mut self, at: Timestamp, group: &Group, old: (Option<i64>, CostStatus), new: (Option<i64>, CostStatus)) {
        let Self { groups, numbers, .. } = self;
        let number = *numbers.entry(group.clone()).or_insert_with_key(|group| {
            groups.push(group.clone());
            groups.len() as u32 - 1
        });
        answer(old).observe(&mut self.old.at(at, number));
        answer(new).observe(&mut self.new.at(at, number));
    }

    fn corrections(mut self) -> PartialSet {
        let new = self.new.take(std::mem::take(&mut self.groups));
        new.less(&self.old.take(Vec::new()))
    }
}

/// A request of which only the cost counts.
fn answer((cost, status): (Option<i64>, CostStatus)) -> Answer {
    Answer { cost, cost_status: Some(status), ..Answer::new(StatusClass::Ok) }
}

/// A share that was published, and whose numerator is nothing any more.
fn nothing((metric, window_start, window_s, group): &Key, before: &Published) -> Option<MetricRow> {
    if before.bad_n == 0 && before.sum == 0.0 {
        return None;
    }
    let bounds = interval::wilson(0.0, before.n as f64);
    Some(MetricRow::of_rate(metric, (*window_start, *window_s), group, before.n, bounds))
}

fn price(prices: &Prices, columns: &Columns<'_>, row: usize, at: Timestamp) -> Result<(Option<i64>, CostStatus), ArrowError> {
    let tokens = |name: &str| columns.integer(name, row);
    let usage = Usage {
        input_tokens: tokens("usage_input_tokens")?,
        output_tokens: tokens("usage_output_tokens")?,
        cached_input_tokens: tokens("usage_cached_input_tokens")?,
        cache_write_tokens: tokens("usage_cache_write_tokens")?,
        cache_write_1h_tokens: tokens("usage_cache_write_1h_tokens")?,
        reasoning_tokens: tokens("usage_reasoning_tokens")?,
        source: (columns.text("usage_source", row)? == Some("estimated")).then_some(UsageSource::Estimated),
    };
    let models = [columns.text("response_model", row)?, columns.text("request_model", row)?];
    Ok(prices.cost(&Priceable { models, service_tier: columns.text("service_tier", row)?, at, usage: &usage }))
}

/// The latest revision of every row.
fn published(files: &[Vec<ArrayRef>]) -> Result<HashMap<Key, Published>, ArrowError> {
    let mut published: HashMap<Key, Published> = HashMap::new();
    for arrays in files {
        let columns = Columns { table: &METRICS, arrays };
        for row in 0..columns.array("metric")?.len() {
            let whole = |name: &str| columns.integer(name, row).map(Option::unwrap_or_default);
            let metric: Arc<str> = columns.text("metric", row)?.unwrap_or_default().into();
            let key = (metric, columns.time("window_start", row)?, whole("window_s")?, columns.group(&Dimension::ALL, row)?);
            let found = Published {
                n: whole("n")?,
                bad_n: whole("bad_n")?,
                sum: columns.float("sum", row)?.unwrap_or_default(),
                revision: whole("revision")?,
                is_final: columns.flag("is_final", row)?.unwrap_or_default(),
                coverage: columns.float("coverage", row)?.unwrap_or(1.0),
            };
            let known = published.entry(key).or_insert(found);
            if known.revision < found.revision {
                *known = found;
            }
        }
    }
    Ok(published)
}

/// What requests were grouped by: a dimension without a value in any of their rows is not one.
fn group_by(published: &HashMap<Key, Published>, configured: &[Dimension]) -> Vec<Dimension> {
    let of_requests: Vec<&Group> = published.keys().filter(|key| &*key.0 == REQUESTS).map(|key| &key.3).collect();
    if of_requests.is_empty() {
        return configured.to_vec();
    }
    let has = |dimension: &Dimension| of_requests.iter().any(|group| group.get(*dimension).is_some());
    Dimension::ALL.into_iter().filter(has).collect()
}
