//! However the input is cut, ordered, delayed or restarted, the last revision of every row equals one slow recomputation.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashSet;
use proptest::prelude::*;

use super::change::{Strata, cells, change, within};
use super::comparison::Found;
use super::derive::{Cells, Derived, derive, fraction};
use super::dispersion::{Between, has_interval, stretch_us, widen};
use super::{
    Carried, MetricRow, Publications, Query, Recomputation, Reference, Settings, State, StoredAnswer, StoredFeedback, StoredRating,
    Tick, ValueStatus,
};
use crate::event::{Input, Outcome, Reason, Timestamp};
use crate::log::{Entry, Kind};
use crate::measure::registry::{Rows, Value};
use crate::measure::{
    Accumulator, Answer, AnswerFeedback, AnswerState, Category, Dimension, Edges, Embedding, EndedRun, Fate, Group, Inputs, Ledger,
    Measure, Metric, Partial, PartialRow, PartialSet, Polarity, Registry, StatusClass, Vocabulary, Window, measures,
    observe_feedback,
};

/// Adds events to a recomputation from stored rows.
fn store(events: &[Placed]) -> Recomputation {
    let mut stored = Recomputation::new(HashSet::new());
    for (number, placed) in (0_u128..).zip(events) {
        store_by_own_time(placed, &mut stored);
        store_by_answer(number, placed, &mut stored);
    }
    stored
}

/// What the runs among all events published.
fn publications(events: &[Placed]) -> Arc<Publications> {
    let mut known = Publications::default();
    let names = groups();
    for placed in events {
        if let Event::Run { failed } = placed.event {
            known.ended(placed.at);
            if !failed {
                known.index(&names[placed.group as usize], placed.at);
            }
            if let Some(version) = version(placed) {
                known.version(&names[versioned(placed.group, version) as usize], placed.at);
            }
        }
    }
    Arc::new(known)
}

fn store_by_own_time(placed: &Placed, stored: &mut Recomputation) {
    let names = groups();
    let group = &names[placed.group as usize];
    match &placed.event {
        Event::Request { scorer: second, .. } => {
            for answer in answers(placed) {
                stored.answer(placed.at, group, Some(&scorer(*second)), &StoredAnswer::new(answer));
                if let Some(version) = version(placed) {
                    stored.served(placed.at, &names[versioned(placed.group, version) as usize]);
                }
            }
        }
        Event::Feedback { polarity, .. } => {
            let (at, score) = (placed.at, Some(500_000_000));
            stored.feedback(&StoredFeedback { at, group, name: "thumbs", score, polarity: *polarity });
        }
        Event::Run { failed } => stored.run(placed.at, group, &ended(placed.at, *failed)),
    }
}

fn store_by_answer(number: u128, placed: &Placed, stored: &mut Recomputation) {
    let Some((at, feedback)) = rating(placed) else { return };
    let (group, by) = (&groups()[placed.group as usize], scorer(false));
    let rating = StoredRating { at, group, answer: number, scorer: Some(&by), name: "thumbs", feedback };
    stored.rated(&rating);
    stored.rating(&rating);
}

const MINUTE: i64 = Timestamp::MINUTE_US;
const HOUR: i64 = Timestamp::HOUR_US;

/// Partials by minute, group, scorer and measure.
type Minutes = BTreeMap<(Timestamp, u32, Option<Arc<str>>, Measure), Partial>;
/// Sums by measure of a key and a scorer.
type Sums<K> = BTreeMap<(K, Option<Arc<str>>), BTreeMap<Measure, Partial>>;

#[derive(Clone, Debug)]
enum Event {
    Request { copies: u32, latency_us: i64, score: Option<i64>, status: StatusClass, scorer: bool },
    Feedback { answered_us: i64, polarity: Polarity },
    Run { failed: bool },
}

#[derive(Clone, Debug)]
struct Placed {
    at: Timestamp,
    group: u32,
    event: Event,
}

/// Three groups, and the same three with a feedback's name.
fn groups() -> Vec<Group> {
    let group = |(tenant, version, model, name): (&str, &str, &str, Option<&str>)| {
        let mut group = Group::default();
        group.0[Dimension::Tenant as usize] = Some(tenant.into());
        group.0[Dimension::App as usize] = Some("app".into());
        group.0[Dimension::PromptVersion as usize] = Some(version.into());
        group.0[Dimension::ResponseModel as usize] = Some(model.into());
        group.0[Dimension::FeedbackName as usize] = name.map(Into::into);
        group
    };
    let plain = [("a", "v1", "m1"), ("a", "v2", "m2"), ("b", "v3", "m1")];
    let named = |name| plain.map(|(tenant, version, model)| group((tenant, version, model, name)));
    let mut all: Vec<Group> = [None, Some("thumbs")].into_iter().flat_map(named).collect();
    all.extend(["a", "b"].into_iter().flat_map(|tenant| (0..VERSIONS).map(move |version| index(tenant, &format!("kb@{version}")))));
    all.push(Group::default());
    all
}

/// Versions of the one index; the last one names none that is ever published.
const VERSIONS: u32 = 3;

fn index(tenant: &str, name: &str) -> Group {
    let mut group = Group::default();
    group.0[Dimension::Tenant as usize] = Some(tenant.into());
    group.0[Dimension::App as usize] = Some("app".into());
    group.0[Dimension::Index as usize] = Some(name.into());
    group
}

/// Number of the group of a version of a tenant's index.
fn versioned(group: u32, version: u32) -> u32 {
    6 + VERSIONS * u32::from(group == 2) + version
}

/// The version that served a request or that a run published.
fn version(placed: &Placed) -> Option<u32> {
    match &placed.event {
        Event::Request { latency_us, status: StatusClass::Ok, .. } => {
            u32::try_from(latency_us % 4).ok().filter(|version| *version < VERSIONS)
        }
        Event::Run { failed: false } => u32::try_from(placed.at.0 % 2).ok(),
        _ => None,
    }
}

/// The records of an event and of what came with it.
fn fates(placed: &Placed) -> Vec<(Input, Fate)> {
    match &placed.event {
        Event::Request { copies, score, .. } => {
            let state = if score.is_some() { AnswerState::Scored } else { AnswerState::NoClaims };
            let mut all = vec![(Input::Gateway, Fate::answered(Some(state))); *copies as usize];
            all.extend([(Input::Gateway, Fate::of(Outcome::Duplicate)), (Input::Gateway, Fate::answered(None))]);
            all
        }
        Event::Feedback { .. } => {
            vec![(Input::Feedback, Fate::of(Outcome::Accepted)), (Input::Feedback, Fate::of(Outcome::Filtered))]
        }
        Event::Run { failed } => {
            let outcome = if *failed { Outcome::Rejected(Reason::TooDeep) } else { Outcome::Accepted };
            vec![(Input::Pipeline, Fate::of(outcome))]
        }
    }
}

/// The answers of a request event.
fn answers(placed: &Placed) -> Vec<Answer> {
    let Event::Request { copies, latency_us, score, status, .. } = &placed.event else { return Vec::new() };
    let answer = |copy: u32| Answer {
        latency_us: Some(latency_us + i64::from(copy % 7) * 1_000),
        prompt_length: Some(i64::from(copy % 11) + latency_us / 100_000),
        state: Some(if score.is_some() { AnswerState::Scored } else { AnswerState::NoClaims }),
        refusal: Some(copy.is_multiple_of(5)),
        scores: [*score, None, *score, None, None, None, None],
        tokens: [Some(10), Some(20), None, None, None],
        language: Category::of(["en", "de", Group::OTHER][copy as usize % 3]),
        embedding: Embedding::parse(&format!("[1, {}, {latency_us}e-7]", copy % 3)),
        prediction: Category::of(if latency_us % 2 == 0 { "yes" } else { "no" }),
        words: [
            None,
            Vocabulary::of(["refund the invoice", "reset my password", "42"][(copy + u32::from(latency_us % 2 == 0)) as usize % 3]),
        ],
        ..Answer::new(*status)
    };
    (0..*copies).map(answer).collect()
}

/// What a feedback adds to its answer, and when that was given.
fn rating(placed: &Placed) -> Option<(Timestamp, AnswerFeedback)> {
    let Event::Feedback { answered_us, polarity } = placed.event else { return None };
    let groundedness = u8::try_from(answered_us / MINUTE % 100).ok();
    let feedback = AnswerFeedback { score: Some(500_000_000), polarity, delay_us: answered_us, groundedness };
    Some((placed.at.plus(-answered_us), feedback))
}

fn ended(at: Timestamp, failed: bool) -> EndedRun {
    EndedRun { failed, duration_us: Some(3_000_000), rows_out: Some(5), rows_failed: None, published_us: Some(at.0) }
}

fn scorer(second: bool) -> Arc<str> {
    if second { "s2" } else { "s1" }.into()
}

/// The partials of some events that one scorer has seen.
fn partials<'a>(events: impl Iterator<Item = &'a Placed>, second: bool) -> PartialSet {
    let mut accumulator = Accumulator::default();
    let mut ledger = Ledger::default();
    for placed in events {
        for (input, fate) in fates(placed) {
            ledger.count(input, placed.at, fate);
        }
        if let Some(version) = version(placed) {
            let mut cells = accumulator.at(placed.at, versioned(placed.group, version));
            match &placed.event {
                Event::Request { copies, .. } => (0..*copies).for_each(|_| cells.add(measures::INDEX_ANSWERED, placed.at.0)),
                _ => cells.add(measures::INDEX_VERSION, placed.at.0),
            }
        }
        match &placed.event {
            Event::Request { .. } => {
                for answer in answers(placed) {
                    answer.observe(&mut accumulator.at(placed.at, placed.group));
                }
            }
            Event::Feedback { polarity, .. } => {
                accumulator.at(placed.at, placed.group).count(measures::FEEDBACK);
                let named = placed.group + 3;
                observe_feedback(Some(500_000_000), *polarity, accumulator.at(placed.at, named));
                let (answered, feedback) = rating(placed).unwrap();
                accumulator.at(answered, placed.group).count(measures::ANSWER_RATED);
                feedback.observe(accumulator.at(answered, placed.group));
                feedback.observe_named(accumulator.at(answered, named));
                feedback.observe_scored(accumulator.of_scorer(&scorer(false)).at(answered, placed.group));
            }
            Event::Run { failed } => ended(placed.at, *failed).observe(&mut accumulator.at(placed.at, placed.group)),
        }
    }
    let groups = groups();
    let nobody = u32::try_from(groups.len() - 1).unwrap();
    let mut set = PartialSet { scorer: Some(scorer(second)), ..accumulator.take(groups) };
    set.rows.extend(ledger.take().into_iter().map(|(pane, measure, partial)| PartialRow { pane, group: nobody, measure, partial }));
    set
}

fn entry(number: u64, written_at: Timestamp, watermarks: BTreeMap<String, Timestamp>) -> Entry {
    Entry { number, watermarks, ..Entry::new("", Kind::Ingest, "test", written_at) }
}

/// Where watermarks stand when the first entry comes: the first midnight lies ahead.
const BEGIN: Timestamp = Timestamp(18 * HOUR);
/// What ends up to here is looked at.
const END: Timestamp = Timestamp(52 * HOUR);

fn settings() -> Settings {
    let topics = [("g", Input::Gateway), ("f", Input::Feedback), ("p", Input::Pipeline)];
    let topics = topics.map(|(topic, input)| (topic.to_owned(), Inputs::of(input))).into();
    Settings { topics, ..Settings::default() }
}

fn state() -> State {
    against(&Reference::Trailing)
}

fn against(reference: &Reference) -> State {
    State::new(Settings { reference: reference.clone(), ..settings() }, Arc::new(Registry::builtin().unwrap()))
}

const PARTITIONS: [&str; 4] = ["g/0", "g/1", "f/0", "p/0"];

/// One entry of a plan: how far each partition's watermark moves, and whether the evaluator restarts after it.
#[derive(Clone, Debug)]
struct Step {
    moves_minutes: [i64; 4],
    restarts: bool,
}

/// Runs events, each in the entry it is assigned to, and then closes everything up to each of `ends`, in hours.
fn run(events: &[(Placed, prop::sample::Index)], steps: &[Step], ends: &[i64], reference: &Reference) -> (Vec<MetricRow>, State) {
    let mut state = against(reference);
    let mut rows = Vec::new();
    let mut marks = [BEGIN; 4];
    let mut number = 0;
    let mut step = |state: &mut State, marks: &[Timestamp; 4], set: PartialSet| {
        number += 1;
        let watermarks = PARTITIONS.iter().map(|name| (*name).to_owned()).zip(*marks).collect();
        state.absorb(&entry(number, Timestamp(i64::try_from(number).unwrap() * MINUTE), watermarks), set);
        state.advance(&mut rows, &mut |_, _| {});
    };
    for (at, plan) in steps.iter().enumerate() {
        for second in [false, true] {
            let mine = events.iter().filter(|(_, to)| to.index(steps.len()) == at).map(|(placed, _)| placed);
            let set = partials(mine.filter(|placed| is_by(placed, second)), second);
            step(&mut state, &marks, set);
        }
        for (mark, minutes) in marks.iter_mut().zip(plan.moves_minutes) {
            *mark = mark.plus(minutes * MINUTE);
        }
        step(&mut state, &marks, PartialSet::default());
        if plan.restarts {
            let bytes = state.to_bytes().unwrap();
            let settings = Settings { reference: reference.clone(), ..settings() };
            state = State::from_bytes(&bytes, settings, Arc::new(Registry::builtin().unwrap())).unwrap();
            assert_eq!(state.to_bytes().unwrap(), bytes, "a snapshot of a restored state is the same snapshot");
        }
    }
    for hours in ends {
        step(&mut state, &[Timestamp(hours * HOUR); 4], PartialSet::default());
    }
    (rows, state)
}

fn is_by(placed: &Placed, second: bool) -> bool {
    matches!(placed.event, Event::Request { scorer, .. } if scorer) == second
}

type Key = (Arc<str>, Timestamp, i64, Group, Option<Arc<str>>);

/// What must be equal.
#[derive(Clone, Debug, PartialEq)]
struct Numbers {
    counts: (i64, i64, i64),
    sums: (f64, f64),
    value: Option<f64>,
    status: ValueStatus,
    bounds: [Option<f64>; 4],
    compared: [Option<f64>; 3],
    reference_n: Option<i64>,
    quantiles: [Option<f64>; 4],
    hist: (Vec<f64>, Vec<i64>),
}

/// The last revision of every row that ends before [`END`].
fn last(rows: &[MetricRow]) -> BTreeMap<Key, Numbers> {
    let mut revisions: BTreeMap<Key, (i64, Numbers)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.window_start.plus(row.window_s * Timestamp::SECOND_US) <= END) {
        let key = (row.metric.clone(), row.window_start, row.window_s, (*row.group).clone(), row.scorer.clone());
        let numbers = Numbers {
            counts: (row.n, row.n_null, row.bad_n),
            sums: (row.sum, row.sum_sq),
            value: row.value,
            status: row.value_status,
            bounds: [row.lo, row.hi, row.min, row.max],
            compared: [row.p, row.expected, row.dispersion],
            reference_n: row.reference_n,
            quantiles: [row.p50, row.p90, row.p95, row.p99],
            hist: (row.hist_edges.clone(), row.hist_counts.clone()),
        };
        for number in
            [row.value, row.lo, row.hi, row.p50, row.p, row.dispersion, Some(row.sum), Some(row.sum_sq), Some(row.coverage)]
        {
            assert!(number.is_none_or(f64::is_finite), "{row:?}");
        }
        let before = revisions.insert(key, (row.revision, numbers));
        assert!(before.is_none_or(|(revision, _)| revision < row.revision), "revisions rise: {row:?}");
    }
    revisions.into_iter().map(|(key, (_, numbers))| (key, numbers)).collect()
}

/// Everything at once, without panes, watermarks or revisions.
fn slowly(events: &[Placed], reference: &Reference) -> BTreeMap<Key, Numbers> {
    let registry = Registry::builtin().unwrap();
    let names = groups();
    let mut minutes: Minutes = BTreeMap::new();
    for second in [false, true] {
        let set = partials(events.iter().filter(|placed| is_by(placed, second)), second);
        for (by, rows) in set.of_scorers {
            for row in rows {
                minutes.entry((row.pane, row.group, Some(by.clone()), row.measure)).or_default().merge(&row.partial);
            }
        }
        for row in set.rows {
            let by = row.measure.info().scored.then(|| scorer(second));
            minutes.entry((row.pane, row.group, by, row.measure)).or_default().merge(&row.partial);
        }
    }
    let mut expected = BTreeMap::new();
    for window in Window::ALL {
        type Cell = BTreeMap<Measure, Partial>;
        let mut windows: BTreeMap<(Timestamp, u32, Option<Arc<str>>), Cell> = BTreeMap::new();
        for ((pane, group, by, measure), partial) in &minutes {
            let cell = windows.entry((pane.floor(window.us()), *group, by.clone())).or_default();
            cell.entry(*measure).or_default().merge(partial);
        }
        for ((start, group, by), cell) in &windows {
            let mut cells: Cells<'_> = [None; measures::COUNT];
            for (measure, partial) in cell {
                cells[measure.index()] = Some(partial);
            }
            let of_groups = |metric: &&Metric| metric.windows.contains(&window) && &*metric.name != OF_APPS;
            for metric in registry.metrics().iter().filter(of_groups) {
                let Some(mut derived) = derive(metric, &cells, window.us()).filter(|_| metric.scored == by.is_some()) else {
                    continue;
                };
                if window > Window::Minute {
                    slowly_widened(metric, &mut derived, &minutes, (*start, start.plus(window.us())), |of, scorer| {
                        of == *group && scorer == by.as_ref()
                    });
                }
                if metric.rows == Rows::Occurring && derived.sum == 0.0 {
                    continue;
                }
                let shown = metric.shown().and_then(|measure| Some((measure, cells[measure.index()]?)));
                let key = (metric.name.clone(), *start, window.seconds(), names[*group as usize].clone(), by.clone());
                expected.insert(key, numbers(derived, shown));
            }
        }
    }
    expected.extend(slow_response_rate(&minutes, &registry));
    expected.extend(slow_maturity(&minutes, &registry));
    expected.extend(slow_ages(events, &registry));
    expected.extend(slow_ages_at_answers(events, &registry));
    expected.extend(slow_drift(&minutes, &registry, reference));
    expected.extend(slow_changes(&minutes, &registry));
    expected
}

fn numbers(derived: Derived, shown: Option<(Measure, &Partial)>) -> Numbers {
    let seen = derived.observation;
    let hist = shown.map(|(measure, partial)| {
        let edge = |bin: u16| measure.info().edges.range(bin).1 as f64 / measure.info().scale as f64;
        partial.hist.iter().map(|(bin, count)| (edge(*bin), i64::from(*count))).unzip()
    });
    let whole = |count: u64| i64::try_from(count).unwrap();
    Numbers {
        counts: (whole(seen.n), whole(seen.n_null), whole(seen.bad_n)),
        sums: (derived.sum, derived.sum_sq),
        value: seen.value,
        status: derived.status.unwrap_or(ValueStatus::Ok),
        bounds: [seen.lo, seen.hi, seen.min, seen.max],
        compared: [seen.p, derived.expected, derived.dispersion],
        reference_n: derived.reference_n.map(whole),
        quantiles: [seen.p50, seen.p90, seen.p95, seen.p99],
        hist: hist.unwrap_or_default(),
    }
}

/// The one metric of feedback and requests by their own times: by tenant and application.
const OF_APPS: &str = "feedback.response_rate";

fn slow_response_rate(minutes: &Minutes, registry: &Registry) -> BTreeMap<Key, Numbers> {
    let metric = registry.get(OF_APPS).unwrap();
    let mut hours: BTreeMap<(Timestamp, Group), BTreeMap<Measure, Partial>> = BTreeMap::new();
    for ((pane, group, _, measure), partial) in minutes {
        let hour = hours.entry((pane.floor(HOUR), app(*group))).or_default();
        hour.entry(*measure).or_default().merge(partial);
    }
    let mut expected = BTreeMap::new();
    for ((hour, group), partials) in &hours {
        let mut cells: Cells<'_> = [None; measures::COUNT];
        for (measure, partial) in partials {
            cells[measure.index()] = Some(partial);
        }
        if let Some(derived) = derive(metric, &cells, HOUR) {
            expected.insert((metric.name.clone(), *hour, 3_600, group.clone(), None), numbers(derived, None));
        }
    }
    expected
}

/// Two days are too few to say anything of how long feedback takes.
fn slow_maturity(minutes: &Minutes, registry: &Registry) -> BTreeMap<Key, Numbers> {
    let metric = registry.get("feedback.maturity").unwrap();
    let mut expected = BTreeMap::new();
    for ((pane, group, ..), _) in minutes.iter().filter(|((.., measure), _)| *measure == measures::REQUESTS) {
        for window in &metric.windows {
            let derived = Derived { status: Some(ValueStatus::Thin), ..Derived::default() };
            let key = (metric.name.clone(), pane.floor(window.us()), window.seconds(), app(*group), None);
            expected.insert(key, numbers(derived, None));
        }
    }
    expected
}

fn slow_ages(events: &[Placed], registry: &Registry) -> BTreeMap<Key, Numbers> {
    let metric = registry.get("index.freshness_s").unwrap();
    let mut expected = BTreeMap::new();
    for (number, group) in (0_u32..).zip(groups()) {
        let published: Vec<Timestamp> = events
            .iter()
            .filter(|placed| placed.group == number && matches!(placed.event, Event::Run { failed: false }))
            .map(|placed| placed.at)
            .collect();
        // The first pane of the pipeline's topic is the first that can close.
        let Some(first) = events.iter().filter(|placed| matches!(placed.event, Event::Run { .. })).map(|placed| placed.at).min()
        else {
            continue;
        };
        for window in &metric.windows {
            let mut end = first.floor(window.us()).plus(window.us());
            while end <= END {
                if let Some(newest) = published.iter().filter(|at| **at <= end).max() {
                    let age = (end.0 - newest.0) as f64 / 1e6;
                    let numbers = Numbers {
                        counts: (1, 0, 0),
                        sums: (age, age * age),
                        value: Some(age),
                        status: ValueStatus::Ok,
                        bounds: [None, None, Some(age), Some(age)],
                        compared: [None; 3],
                        reference_n: None,
                        quantiles: [None; 4],
                        hist: (Vec::new(), Vec::new()),
                    };
                    expected.insert((metric.name.clone(), end.plus(-window.us()), window.seconds(), group.clone(), None), numbers);
                }
                end = end.plus(window.us());
            }
        }
    }
    expected
}

fn slow_ages_at_answers(events: &[Placed], registry: &Registry) -> BTreeMap<Key, Numbers> {
    let metric = registry.get("index.age_at_answer_s").unwrap();
    let mut ages: BTreeMap<(Window, Timestamp, Group), (Vec<i64>, i64)> = BTreeMap::new();
    for answer in events.iter().filter(|placed| matches!(placed.event, Event::Request { .. })) {
        let Some(served) = version(answer) else { continue };
        let is_its = |run: &&Placed| matches!(run.event, Event::Run { .. }) && version(run) == Some(served);
        let of_tenant = |run: &&Placed| versioned(run.group, 0) == versioned(answer.group, 0);
        let published = events.iter().filter(of_tenant).filter(is_its).map(|run| run.at).min();
        let tenant = if answer.group == 2 { "b" } else { "a" };
        for window in &metric.windows {
            let found = ages.entry((*window, answer.at.floor(window.us()), index(tenant, "kb"))).or_default();
            for _ in answers(answer) {
                match published {
                    Some(published) => found.0.push(answer.at.0 - published.0),
                    None => found.1 += 1,
                }
            }
        }
    }
    let numbers = |(ages, unknown): (Vec<i64>, i64)| {
        let sum: i64 = ages.iter().sum();
        let squares: i128 = ages.iter().map(|age| i128::from(*age) * i128::from(*age)).sum();
        let n = i64::try_from(ages.len()).unwrap();
        let seconds = |us: i64| us as f64 / 1e6;
        Numbers {
            counts: (n, unknown, 0),
            sums: (seconds(sum), squares as f64 / 1e12),
            value: (n > 0).then(|| seconds(sum) / n as f64),
            status: match n {
                0 => ValueStatus::NotApplicable,
                1..30 => ValueStatus::Thin,
                _ => ValueStatus::Ok,
            },
            bounds: [
                None,
                None,
                ages.iter().min().map(|least| seconds(*least)),
                ages.iter().max().map(|greatest| seconds(*greatest)),
            ],
            compared: [None; 3],
            reference_n: None,
            quantiles: [None; 4],
            hist: (Vec::new(), Vec::new()),
        }
    };
    let key = |(window, start, group): (Window, Timestamp, Group)| (metric.name.clone(), start, window.seconds(), group, None);
    ages.into_iter().map(|(window, found)| (key(window), numbers(found))).collect()
}

/// Sums of `[from, to)` by a key of the group.
fn sums<K: Ord>(minutes: &Minutes, from: Timestamp, to: Timestamp, key: impl Fn(u32) -> Option<K>) -> Sums<K> {
    let mut sums: Sums<K> = BTreeMap::new();
    for ((_, group, by, measure), partial) in minutes.iter().filter(|((pane, ..), _)| from <= *pane && *pane < to) {
        let Some(key) = key(*group) else { continue };
        sums.entry((key, by.clone())).or_default().entry(*measure).or_default().merge(partial);
    }
    sums
}

/// Widens an interval by what the stretches of `[from, to)` say about those that `is_mine` wants.
fn slowly_widened(
    metric: &Metric,
    derived: &mut Derived,
    minutes: &Minutes,
    (from, to): (Timestamp, Timestamp),
    is_mine: impl Fn(u32, Option<&Arc<str>>) -> bool,
) {
    let by_the_hour_only = metric.measures.iter().copied().any(measures::is_by_answer) && to.0 - from.0 <= HOUR;
    if !has_interval(metric) || by_the_hour_only {
        return;
    }
    let mut between = Between::default();
    let mut start = from;
    while start < to {
        let end = start.plus(stretch_us(to.0 - from.0)).min(to);
        let mut part: BTreeMap<Measure, Partial> = BTreeMap::new();
        for ((pane, group, by, measure), partial) in minutes {
            if start <= *pane && *pane < end && is_mine(*group, by.as_ref()) {
                part.entry(*measure).or_default().merge(partial);
            }
        }
        if let Some(part) = fraction(&metric.value, &cells(&part)) {
            between.add(part);
        }
        start = end;
    }
    widen(metric, derived, &between);
}

/// The group of a group's tenant and application.
fn app(group: u32) -> Group {
    let whole = &groups()[group as usize];
    let mut kept = Group::default();
    for dimension in [Dimension::Tenant, Dimension::App] {
        kept.0[dimension as usize] = whole.get(dimension).cloned();
    }
    kept
}

fn slow_drift(minutes: &Minutes, registry: &Registry, reference: &Reference) -> BTreeMap<Key, Numbers> {
    let mut expected = BTreeMap::new();
    for window in [Window::Hour, Window::Day] {
        let mut start = Timestamp(0);
        while start < END {
            let end = start.plus(window.us());
            let now = sums(minutes, start, end, |group| Some(app(group)));
            let mut before: Sums<Group> = BTreeMap::new();
            for (from, to) in reference.stretches(start, end) {
                for (key, parts) in sums(minutes, from, to, |group| Some(app(group))) {
                    let known = before.entry(key).or_default();
                    for (measure, partial) in &parts {
                        known.entry(*measure).or_default().merge(partial);
                    }
                }
            }
            for (number, info) in (0_u16..).zip(&measures::ALL) {
                let of = Measure(number);
                for scorer in [None, Some(scorer(false)), Some(scorer(true))].iter().filter(|by| by.is_some() == info.scored) {
                    let series: Vec<(&Group, &Partial)> = now
                        .iter()
                        .filter(|((_, by), _)| by == scorer)
                        .filter_map(|((group, _), parts)| Some((group, parts.get(&of)?)))
                        .collect();
                    let mut found: Vec<Found> = series
                        .iter()
                        .map(|(group, here)| {
                            let key = ((*group).clone(), scorer.clone());
                            Found::new(of, here, before.get(&key).and_then(|parts| parts.get(&of)))
                        })
                        .collect();
                    Found::screen(found.iter_mut());
                    for metric in registry.metrics() {
                        let Value::Drift { of: measure, statistic } = metric.value else { continue };
                        for ((group, here), found) in series.iter().zip(&found).filter(|_| measure == of) {
                            let key = (metric.name.clone(), start, window.seconds(), (*group).clone(), scorer.clone());
                            let shown = metric.shown().map(|measure| (measure, *here));
                            let derived = found.derived(of, statistic, here);
                            expected.extend(derived.map(|derived| (key, numbers(derived, shown))));
                        }
                    }
                }
            }
            start = end;
        }
    }
    expected
}

fn slow_changes(minutes: &Minutes, registry: &Registry) -> BTreeMap<Key, Numbers> {
    let mut expected = BTreeMap::new();
    let mut start = Timestamp(0);
    while start < END {
        let hours = [start, start.plus(-HOUR)];
        let by_app = hours.map(|hour| sums(minutes, hour, hour.plus(HOUR), |group| Some(app(group))));
        let model = |group: u32| groups()[group as usize].get(Dimension::ResponseModel).cloned();
        let by_model = hours.map(|hour| sums(minutes, hour, hour.plus(HOUR), |group| Some((app(group), model(group)))));
        for metric in registry.metrics() {
            let Value::Change { of, part, over } = &metric.value else { continue };
            let base = registry.get(of).unwrap();
            for (group, by) in by_app[0].keys().filter(|(_, by)| by.is_some() == base.scored) {
                let derived = [0, 1].map(|side: usize| {
                    let mut derived = derive(base, &cells(by_app[side].get(&(group.clone(), by.clone()))?), HOUR)?;
                    let stretch = (hours[side], hours[side].plus(HOUR));
                    slowly_widened(base, &mut derived, minutes, stretch, |of, scorer| app(of) == *group && scorer == by.as_ref());
                    Some(derived)
                });
                let [Some(now), then] = derived else { continue };
                let mut strata: Strata<Option<Arc<str>>> = Strata::new();
                for (side, sums) in by_model.iter().enumerate() {
                    for (((_, model), _), parts) in sums.iter().filter(|(((of, _), scorer), _)| of == group && scorer == by) {
                        if let Some(part) = fraction(over, &cells(parts)) {
                            strata.entry(model.clone()).or_default()[side] = part;
                        }
                    }
                }
                let derived = change(over, *part, &now, then.as_ref(), within(&strata));
                expected.insert((metric.name.clone(), start, 3_600, group.clone(), by.clone()), numbers(derived, None));
            }
        }
        start = start.plus(HOUR);
    }
    expected
}

fn events() -> impl Strategy<Value = Placed> {
    let request = (1_u32..300, 0_i64..5_000_000, prop::option::of(0_i64..=1_000_000_000), 0_usize..4, any::<bool>()).prop_map(
        |(copies, latency_us, score, status, scorer)| {
            let classes = [StatusClass::Ok, StatusClass::Ok, StatusClass::Throttled429, StatusClass::Client4xx];
            Event::Request { copies, latency_us, score, status: classes[status], scorer }
        },
    );
    let feedback = (0_i64..3 * HOUR, 0_usize..3).prop_map(|(answered_us, polarity)| Event::Feedback {
        answered_us,
        polarity: [Polarity::Positive, Polarity::Negative, Polarity::Unknown][polarity],
    });
    let run = any::<bool>().prop_map(|failed| Event::Run { failed });
    let event = prop_oneof![4 => request, 2 => feedback, 1 => run];
    // The evening, the night after it, and the next evening.
    let at = (0_usize..3, 0..2 * HOUR).prop_map(|(part, at)| [20, 24, 44][part] * HOUR + at);
    (at, 0_u32..3, event).prop_map(|(at, group, event)| Placed { at: Timestamp(at), group, event })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (prop::array::uniform4(0_i64..150), any::<bool>()).prop_map(|(moves_minutes, restarts)| Step { moves_minutes, restarts });
    prop::collection::vec(step, 1..6)
}

fn differences(found: &BTreeMap<Key, Numbers>, expected: &BTreeMap<Key, Numbers>) -> Vec<String> {
    let describe = |key: &Key| format!("{} {} {}s {:?} {:?}", key.0, key.1, key.2, key.3.get(Dimension::PromptVersion), key.4);
    let missing = expected.keys().filter(|key| !found.contains_key(*key)).map(|key| format!("missing: {}", describe(key)));
    let more = found.keys().filter(|key| !expected.contains_key(*key)).map(|key| format!("not expected: {}", describe(key)));
    let other = expected.iter().filter_map(|(key, numbers)| {
        let ours = found.get(key).filter(|ours| *ours != numbers)?;
        Some(format!("different: {}\n  found    {ours:?}\n  expected {numbers:?}", describe(key)))
    });
    missing.chain(more).chain(other).take(5).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_order_delay_or_restart_gives_the_rows_of_one_slow_recomputation(
        events in prop::collection::vec((events(), any::<prop::sample::Index>()), 1..25), steps in steps(), same_hours in any::<bool>(),
    ) {
        let reference = if same_hours { Reference::SameHours } else { Reference::Trailing };
        let (rows, _) = run(&events, &steps, &[60, 80, 104], &reference);
        let expected = slowly(&events.iter().map(|(placed, _)| placed.clone()).collect::<Vec<_>>(), &reference);
        let differences = differences(&last(&rows), &expected);
        prop_assert!(differences.is_empty(), "{}", differences.join("\n"));
        let all: Vec<Placed> = events.into_iter().map(|(placed, _)| placed).collect();
        let through: BTreeMap<Input, Timestamp> = Input::ALL.map(|input| (input, Timestamp(104 * HOUR))).into();
        let registry = Arc::new(Registry::builtin().unwrap());
        let (again, _) = store(&all).knowing(publications(&all)).finish(&through, Arc::clone(&registry), reference.clone());
        // The ledger counts records, also those that left no row.
        let expected: BTreeMap<Key, Numbers> = expected.into_iter().filter(|(key, _)| !key.0.starts_with("ledger.")).collect();
        let differences = self::differences(&last(&again), &expected);
        prop_assert!(differences.is_empty(), "from stored rows: {}", differences.join("\n"));

        // Date by date, as `verify` does: everything by its own time, and feedback by the time of its answer.
        let mut dated = Vec::new();
        let mut carried = Carried::default();
        for day in 0..3 {
            let start = Timestamp(day * Timestamp::DAY_US);
            let is_of_day = |at: Timestamp| at.floor(Timestamp::DAY_US) == start;
            let recomputation = Recomputation::new(HashSet::new()).after(std::mem::take(&mut carried), start);
            let mut recomputation = recomputation.knowing(publications(&all));
            for (number, placed) in (0_u128..).zip(&all) {
                if is_of_day(placed.at) {
                    store_by_own_time(placed, &mut recomputation);
                }
                if rating(placed).is_some_and(|(at, _)| is_of_day(at)) {
                    store_by_answer(number, placed, &mut recomputation);
                }
            }
            let through = Input::ALL.map(|input| (input, start.plus(3 * Timestamp::DAY_US))).into();
            let (rows, next) = recomputation.finish(&through, Arc::clone(&registry), reference.clone());
            let end = start.plus(Timestamp::DAY_US);
            dated.extend(rows.into_iter().filter(|row| row.window_start < end));
            carried = next;
        }
        let is_dated = |key: &Key| {
            let metric = registry.get(&key.0).unwrap();
            !matches!(metric.value, Value::Maturity { .. })
        };
        let only_dated = |rows: BTreeMap<Key, Numbers>| rows.into_iter().filter(|(key, _)| is_dated(key)).collect();
        let differences = self::differences(&only_dated(last(&dated)), &only_dated(expected));
        prop_assert!(differences.is_empty(), "date by date: {}", differences.join("\n"));
    }
}

/// The metric over the closed minutes of `[from, to)` by tenant, from the events themselves.
fn slowly_pooled(events: &[Placed], metric: &str, from: Timestamp, to: Timestamp) -> Vec<(String, super::Observation)> {
    let registry = Registry::builtin().unwrap();
    let metric = registry.get(metric).unwrap();
    let mut minutes: Minutes = BTreeMap::new();
    for row in partials(events.iter(), true).rows {
        minutes.entry((row.pane, row.group, None, row.measure)).or_default().merge(&row.partial);
    }
    let tenant = |group: u32| groups()[group as usize].get(Dimension::Tenant).cloned();
    let base = match &metric.value {
        Value::Change { of, .. } => registry.get(of).unwrap(),
        _ => metric,
    };
    let derived = |whose: &Arc<str>, from: Timestamp, to: Timestamp| {
        let sums = sums(&minutes, from, to, tenant);
        let mut derived = derive(base, &cells(sums.get(&(whose.clone(), None))?), to.0 - from.0)?;
        if to.0 - from.0 <= HOUR {
            slowly_widened(base, &mut derived, &minutes, (from, to), |group, _| tenant(group).as_ref() == Some(whose));
        }
        Some(derived)
    };
    let mut found = Vec::new();
    for whose in ["a", "b"].map(Arc::from) {
        let Some(now) = derived(&whose, from, to) else { continue };
        let Value::Change { over, part, .. } = &metric.value else {
            found.push((whose.to_string(), now.observation));
            continue;
        };
        let before = from.plus(from.0 - to.0);
        let mut strata: Strata<Option<Arc<str>>> = Strata::new();
        for (side, (from, to)) in [(from, to), (before, from)].into_iter().enumerate() {
            let model = |group: u32| groups()[group as usize].get(Dimension::ResponseModel).cloned();
            let mine = |group: u32| (tenant(group).as_ref() == Some(&whose)).then(|| model(group));
            for ((model, _), parts) in sums(&minutes, from, to, mine) {
                if let Some(part) = fraction(over, &cells(&parts)) {
                    strata.entry(model).or_default()[side] = part;
                }
            }
        }
        let then = derived(&whose, before, from);
        found.push((whose.to_string(), change(over, *part, &now, then.as_ref(), within(&strata)).observation));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn pooling_equals_a_slow_recomputation_over_any_stretch(
        events in prop::collection::vec((events(), any::<prop::sample::Index>()), 1..25), steps in steps(),
        from_minutes in 0_i64..400, minutes in 1_i64..400,
    ) {
        let mut events = events;
        for (placed, _) in &mut events {
            if let Event::Request { scorer, .. } = &mut placed.event {
                *scorer = true;
            }
        }
        let (_, state) = run(&events, &steps, &[40], &Reference::Trailing);
        let all: Vec<Placed> = events.into_iter().map(|(placed, _)| placed).filter(|placed| placed.at < Timestamp(40 * HOUR)).collect();
        let requested = all.iter().any(|placed| matches!(placed.event, Event::Request { .. }));
        let from = BEGIN.plus(from_minutes * MINUTE);
        let to = from.plus(minutes * MINUTE);
        for metric in [
            "requests", "error_rate", "latency_ms", "groundedness", "refusal_rate", "feedback.positive_rate", "error_rate.change",
            "error_rate.change_within", "groundedness.change_mix",
        ] {
            let query = Query { metric: metric.to_owned(), filter: Vec::new(), by: vec![Dimension::Tenant] };
            let found: Vec<_> =
                state.pooled(&query, from, to).into_iter().map(|(mut labels, seen)| (labels.remove(0).1, seen)).collect();
            // Without any request nothing was ever scored.
            if requested || !["groundedness", "refusal_rate", "groundedness.change_mix"].contains(&metric) {
                prop_assert_eq!(found, slowly_pooled(&all, metric, from, to), "{}", metric);
            }
        }
    }
}

fn request(at: Timestamp, group: u32, copies: u32, score: Option<i64>, scorer: bool) -> Placed {
    Placed { at, group, event: Event::Request { copies, latency_us: 1_000_000, score, status: StatusClass::Ok, scorer } }
}

/// Absorbs and advances; returns the rows and the ticks.
fn feed(state: &mut State, entry: &Entry, set: PartialSet) -> (Vec<MetricRow>, Vec<Tick>) {
    let (mut rows, mut ticks) = (Vec::new(), Vec::new());
    state.absorb(entry, set);
    state.advance(&mut rows, &mut |_, tick| ticks.push(tick));
    (rows, ticks)
}

fn marks(marks: &[(&str, i64)]) -> BTreeMap<String, Timestamp> {
    marks.iter().map(|(name, minutes)| ((*name).to_owned(), Timestamp(minutes * MINUTE))).collect()
}

#[test]
fn a_stuck_partition_does_not_silence_the_others_and_its_rows_become_final_later() {
    let mut state = state();
    let at = |minutes: i64| Timestamp(minutes * MINUTE);
    let set = || partials([request(at(5), 0, 3, None, false)].iter(), false);
    let requests = |rows: &[MetricRow]| {
        let minute = |row: &&MetricRow| &*row.metric == "requests" && row.window_s == 60;
        rows.iter().filter(minute).map(|row| (row.n, row.revision, row.is_final, row.coverage)).collect::<Vec<_>>()
    };
    let (rows, _) = feed(&mut state, &entry(1, at(10), marks(&[("g/0", 9), ("g/1", 2)])), set());
    assert_eq!(requests(&rows), [], "the other partition holds the window");
    let (rows, _) = feed(&mut state, &entry(2, at(12), marks(&[("g/0", 11)])), PartialSet::default());
    assert_eq!(requests(&rows), []);
    let (rows, _) = feed(&mut state, &entry(3, at(13), marks(&[("g/0", 12)])), PartialSet::default());
    assert_eq!(requests(&rows), [(3, 0, false, 0.5)], "three minutes after the first partition passed it");
    let (rows, _) = feed(&mut state, &entry(4, at(14), marks(&[("g/0", 13), ("g/1", 7)])), set());
    assert_eq!(requests(&rows), [(6, 1, true, 1.0), (6, 2, true, 1.0)], "what the stuck partition held, then the confirmation");
    assert!(state.counters().late > 0);
    assert_eq!(state.watermark(Input::Gateway), Some(at(7)));
    assert_eq!(state.closed_through(Input::Gateway), Some(at(9)));
}

#[test]
fn metrics_wait_only_for_the_inputs_they_are_made_from() {
    let mut state = state();
    let at = |minutes: i64| Timestamp(minutes * MINUTE);
    let set = partials([request(at(1), 0, 1, None, false)].iter(), false);
    let (rows, ticks) = feed(&mut state, &entry(1, at(3), marks(&[("g/0", 3), ("f/0", 1)])), set);
    assert!(rows.iter().any(|row| &*row.metric == "requests"));
    let due: Vec<(i64, bool, bool)> = ticks
        .iter()
        .filter(|tick| matches!(tick, Tick::Minute { .. }))
        .map(|tick| (tick.end().0 / MINUTE, matches!(tick, Tick::Minute { inputs, .. } if inputs.contains(Input::Gateway)), false))
        .collect();
    assert_eq!(due, [(2, true, false), (3, true, false)]);
    assert!(ticks.contains(&Tick::Service { end: at(3) }));
    let mut seen = Vec::new();
    state.absorb(&entry(2, at(4), marks(&[("f/0", 3)])), PartialSet::default());
    state.advance(&mut Vec::new(), &mut |state, tick| {
        seen.push((
            state.is_due("requests", tick),
            state.is_due("feedback.response_rate", tick),
            state.is_due("service.input_age_s", tick),
        ));
    });
    assert_eq!(seen, [(false, true, false), (false, true, false), (false, false, true)]);
}

#[test]
fn a_window_and_its_baseline_are_of_the_newest_scorer_only() {
    let mut state = state();
    let at = |minutes: i64| Timestamp(minutes * MINUTE);
    let old = partials([request(at(1), 0, 50, Some(900_000_000), false)].iter(), false);
    let new = partials([request(at(61), 0, 50, Some(500_000_000), true)].iter(), true);
    feed(&mut state, &entry(1, at(60), marks(&[("g/0", 60)])), old);
    let query = Query { metric: "groundedness".to_owned(), filter: Vec::new(), by: Vec::new() };
    assert_eq!(state.pooled(&query, at(0), at(60))[0].1.value, Some(0.9));
    let (rows, _) = feed(&mut state, &entry(2, at(120), marks(&[("g/0", 120)])), new);
    assert_eq!(state.pooled(&query, at(60), at(120))[0].1.value, Some(0.5));
    assert_eq!(state.pooled(&query, at(0), at(60)), [], "no baseline crosses a change of scorer");
    let scorers: Vec<_> = rows.iter().filter(|row| &*row.metric == "groundedness").map(|row| row.scorer.clone()).collect();
    assert!(scorers.iter().all(|by| *by == Some(scorer(true))), "{scorers:?}");
}

#[test]
fn years_of_silence_are_skipped_and_an_old_event_does_not_wake_them() {
    let mut state = state();
    let year = 525_600;
    let at = |minutes: i64| Timestamp(minutes * MINUTE);
    let set = partials([request(at(3), 0, 1, None, false), request(at(40 * year), 0, 1, None, false)].iter(), false);
    let (rows, ticks) = feed(&mut state, &entry(1, at(40 * year), marks(&[("g/0", 40 * year + 61)])), set);
    assert!(ticks.len() < 50_000, "{}", ticks.len());
    let hours: Vec<_> = rows.iter().filter(|row| &*row.metric == "requests" && row.window_s == 3_600).map(|row| row.n).collect();
    assert_eq!(hours, [1, 1]);
    assert!(state.counters().closed_bytes > 0);
}

#[test]
fn memory_is_bounded_and_what_is_beyond_it_is_counted() {
    let mut state =
        State::new(Settings { closed_bytes_max: 90_000, keep_us: 6 * HOUR, ..settings() }, Arc::new(Registry::builtin().unwrap()));
    for hour in 0..24 {
        let from = Timestamp(hour * HOUR);
        let requests: Vec<Placed> = (0..60).map(|minute| request(from.plus(minute * MINUTE), 0, 20, Some(7), false)).collect();
        let (end, set) = ((hour + 1) * 60, partials(requests.iter(), false));
        feed(&mut state, &entry(u64::try_from(hour).unwrap() + 1, from.plus(HOUR), marks(&[("g/0", end)])), set);
    }
    let counters = state.counters();
    assert!(counters.evicted_hours > 0 && counters.closed_bytes <= 90_000, "{counters:?}");
    let late = partials([request(Timestamp(HOUR), 0, 1, None, false)].iter(), false);
    let (rows, _) = feed(&mut state, &entry(99, Timestamp(24 * HOUR), marks(&[])), late);
    assert!(state.counters().beyond_memory > 0);
    let again: Vec<_> =
        rows.iter().filter(|row| &*row.metric == "requests").map(|row| (row.window_s, row.n, row.revision)).collect();
    assert_eq!(again, [(3_600, 1_201, 1)], "the minute is gone, its hour is whole in memory and is corrected");
}

#[test]
fn feedback_that_is_replaced_days_later_is_taken_back_from_every_window() {
    let mut state = state();
    let at = |minutes: i64| Timestamp(minutes * MINUTE);
    let given = |minutes, polarity| Placed { at: at(minutes), group: 0, event: Event::Feedback { answered_us: MINUTE, polarity } };
    let (old, other) = (given(61, Polarity::Positive), given(62, Polarity::Negative));
    let all = |hours: i64| ["g/0", "f/0", "p/0"].map(|name| (name, hours * 60));
    let mut rows = Vec::new();
    let days = 5 * 24;
    let set = partials([old.clone(), other].iter(), false);
    rows.extend(feed(&mut state, &entry(1, at(120), marks(&all(2))), set).0);
    rows.extend(feed(&mut state, &entry(2, at(days * 60), marks(&all(days))), PartialSet::default()).0);
    let mut back = PartialSet { groups: groups(), ..PartialSet::default() }.less(&partials([old].iter(), false));
    // That it was read is never taken back.
    back.rows.retain(|row| row.measure.info().edges == Edges::None);
    rows.extend(feed(&mut state, &entry(3, at(days * 60 + 1), marks(&all(days))), back).0);
    rows.extend(feed(&mut state, &entry(4, at(days * 60 + 120), marks(&all(days + 2))), PartialSet::default()).0);
    let mut found: Vec<_> = last(&rows)
        .into_iter()
        .filter(|((metric, _, _, group, _), _)| {
            metric.starts_with("feedback.") && group.get(Dimension::Tenant) == Some(&"a".into())
        })
        .filter(|((metric, ..), _)| {
            ["feedback.count", "feedback.positive_rate", "feedback.positive_rate_by_answer"].contains(&&**metric)
        })
        .map(|((metric, _, seconds, ..), numbers)| (metric.to_string(), seconds, numbers.counts.0, numbers.counts.2))
        .collect();
    let row = |metric: &str, seconds, n| (metric.to_owned(), seconds, n, 0);
    let wanted = [
        row("feedback.count", 900, 1),
        row("feedback.count", 3_600, 1),
        row("feedback.positive_rate", 900, 1),
        row("feedback.positive_rate", 3_600, 1),
        row("feedback.positive_rate_by_answer", 3_600, 1),
        row("feedback.positive_rate_by_answer", 86_400, 1),
    ];
    found.sort();
    assert_eq!(found, wanted);
    assert_eq!(state.counters().beyond_memory, 0);
}
