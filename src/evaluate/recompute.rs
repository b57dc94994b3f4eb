//! The metrics of stored rows, computed again: what `verify` compares the `metrics` table with.
//!
//! The rows of a lake say what was measured (status, durations, counts, scores, matches); from that follow the same partials
//! and, through the same formulas, the last revision of every metric row. What is independent of the live path: epochs,
//! watermarks, lateness, revisions, restarts, and the stored partials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::groups::fold;
use super::{Carried, MetricRow, Publications, Reference, Settings, State};
use crate::event::{Input, Safety, Timestamp};
use crate::log::{Entry, Kind};
use crate::measure::classification::Classified;
use crate::measure::{
    Accumulator, Answer, AnswerFeedback, Compared, Dimension, EndedRun, Group, Inputs, PartialSet, Polarity, Registry, measures,
    observe_classified, observe_feedback, observe_safety,
};

/// A request with its answer as it is stored.
#[derive(Clone, Debug)]
pub struct StoredAnswer<'a> {
    /// What is measured of every request.
    pub answer: Answer,
    /// Findings of content-safety checks.
    pub safety: Vec<Safety<'a>>,
    /// The comparison with a reference, where there was one.
    pub compared: Option<Compared>,
    /// What a label says, where there is one.
    pub classified: Option<Classified>,
}

impl StoredAnswer<'_> {
    /// A request of which nothing but the usual is known.
    #[must_use]
    pub const fn new(answer: Answer) -> Self {
        Self { answer, safety: Vec::new(), compared: None, classified: None }
    }
}

/// A feedback as it is stored, by its own time.
#[derive(Clone, Debug)]
pub struct StoredFeedback<'a> {
    /// When it was given.
    pub at: Timestamp,
    /// Its group without the feedback's name.
    pub group: &'a Group,
    /// Its name.
    pub name: &'a str,
    /// Its score in billionths.
    pub score: Option<i64>,
    /// What the configuration says its score or label means.
    pub polarity: Polarity,
}

/// A feedback by the answer it is matched to.
#[derive(Clone, Debug)]
pub struct StoredRating<'a> {
    /// When the answer was given.
    pub at: Timestamp,
    /// The answer's group.
    pub group: &'a Group,
    /// What tells the answer apart.
    pub answer: u128,
    /// The answer's scorer, if it was scored.
    pub scorer: Option<&'a Arc<str>>,
    /// The feedback's name.
    pub name: &'a str,
    /// What it adds.
    pub feedback: AnswerFeedback,
}

/// Collects stored rows, in any order.
#[derive(Debug)]
pub struct Recomputation {
    /// By scorer; rows without one come first.
    sets: BTreeMap<Option<Arc<str>>, Collected>,
    /// Answers that have feedback.
    rated: HashSet<u128>,
    /// Start of the date, and what the dates before left.
    carried: Option<(Timestamp, Carried)>,
    /// Groups with published rows by day: a group that is not among them was folded by the cap.
    published: HashSet<(i32, Group)>,
    /// Publications of all dates, where they are known.
    publications: Option<Arc<Publications>>,
}

#[derive(Debug, Default)]
struct Collected {
    accumulator: Accumulator,
    groups: Vec<Group>,
    numbers: HashMap<Group, u32>,
}

impl Collected {
    #[expect(clippy::cast_possible_truncation, reason = "a lake has far fewer than 2^32 groups")]
    fn number(&mut self, group: Group) -> u32 {
        let Self { groups, numbers, .. } = self;
        *numbers.entry(group).or_insert_with_key(|group| {
            groups.push(group.clone());
            groups.len() as u32 - 1
        })
    }
}

impl Recomputation {
    /// `published` are the groups of the rows to compare with, by day of their window ([`Timestamp::days`]); empty if no group
    /// was ever folded.
    #[must_use]
    pub fn new(published: HashSet<(i32, Group)>) -> Self {
        Self { sets: BTreeMap::new(), rated: HashSet::new(), carried: None, published, publications: None }
    }

    /// Everything is of the date that starts at `start`, and windows are compared with what the dates before left.
    #[must_use]
    pub fn after(self, carried: Carried, start: Timestamp) -> Self {
        Self { carried: Some((start, carried)), ..self }
    }

    /// Ages are counted from these publications, whatever their date.
    #[must_use]
    pub fn knowing(self, publications: Arc<Publications>) -> Self {
        Self { publications: Some(publications), ..self }
    }

    /// Adds an answer to the index that served it; the group names tenant, application and `index@version`.
    pub fn served(&mut self, at: Timestamp, group: &Group) {
        let set = self.sets.entry(None).or_default();
        let number = set.number(group.clone());
        set.accumulator.at(at, number).add(measures::INDEX_ANSWERED, at.0);
    }

    /// Adds a row of `interactions`.
    pub fn answer(&mut self, at: Timestamp, group: &Group, scorer: Option<&Arc<str>>, stored: &StoredAnswer<'_>) {
        let group = self.folded(at, group);
        let set = self.sets.entry(scorer.cloned()).or_default();
        let number = set.number(group);
        let mut cells = set.accumulator.at(at, number);
        stored.answer.observe(&mut cells);
        observe_safety(&stored.safety, &mut cells);
        if let Some(compared) = &stored.compared {
            compared.observe(&mut cells);
        }
        if let Some(classified) = &stored.classified {
            observe_classified(classified, &mut cells);
        }
    }

    /// Adds a row of `feedback` by its own time.
    pub fn feedback(&mut self, feedback: &StoredFeedback<'_>) {
        let unnamed = self.folded(feedback.at, feedback.group);
        let named = self.folded(feedback.at, &with_name(feedback.group, feedback.name));
        let set = self.sets.entry(None).or_default();
        let number = set.number(unnamed);
        set.accumulator.at(feedback.at, number).count(measures::FEEDBACK);
        let number = set.number(named);
        observe_feedback(feedback.score, feedback.polarity, set.accumulator.at(feedback.at, number));
    }

    /// Counts the answer of a feedback as rated, if none counted it before.
    pub fn rated(&mut self, rating: &StoredRating<'_>) {
        if rating.feedback.is_in_time() && self.rated.insert(rating.answer) {
            let group = self.folded(rating.at, rating.group);
            let set = self.sets.entry(None).or_default();
            let number = set.number(group);
            set.accumulator.at(rating.at, number).count(measures::ANSWER_RATED);
        }
    }

    /// Adds a row of `feedback` by the time of its answer.
    pub fn rating(&mut self, rating: &StoredRating<'_>) {
        if !rating.feedback.is_in_time() {
            return;
        }
        let unnamed = self.folded(rating.at, rating.group);
        let named = self.folded(rating.at, &with_name(rating.group, rating.name));
        let set = self.sets.entry(None).or_default();
        let number = set.number(unnamed);
        rating.feedback.observe(set.accumulator.at(rating.at, number));
        if let Some(scorer) = rating.scorer.filter(|_| rating.feedback.is_label()) {
            rating.feedback.observe_scored(set.accumulator.of_scorer(scorer).at(rating.at, number));
        }
        let number = set.number(named);
        rating.feedback.observe_named(set.accumulator.at(rating.at, number));
    }

    /// Adds a row of `pipeline_events` that ends a run.
    pub fn run(&mut self, at: Timestamp, group: &Group, run: &EndedRun) {
        let group = self.folded(at, group);
        let set = self.sets.entry(None).or_default();
        let number = set.number(group);
        run.observe(&mut set.accumulator.at(at, number));
    }

    /// The group under which the evaluator counted it.
    #[must_use]
    pub fn folded(&self, at: Timestamp, group: &Group) -> Group {
        let is_published = |group: &Group| self.published.contains(&(at.days(), group.clone()));
        if self.published.is_empty() || is_published(group) {
            return group.clone();
        }
        let candidates = [fold(group, &[Dimension::Tenant, Dimension::App]), fold(group, &[Dimension::Tenant])];
        candidates.into_iter().find(is_published).unwrap_or_else(|| group.clone())
    }

    /// The last revision of every row whose window is complete: `through` says up to when, for each input that has partitions.
    /// Order follows window, group and metric. Beside the rows stands what the next date needs.
    #[must_use]
    pub fn finish(
        self,
        through: &BTreeMap<Input, Timestamp>,
        registry: Arc<Registry>,
        reference: Reference,
    ) -> (Vec<MetricRow>, Carried) {
        let topics = Input::ALL.into_iter().map(|input| (input.as_str().to_owned(), Inputs::of(input))).collect();
        let settings = Settings {
            topics,
            stuck_after_us: None,
            groups_per_tenant: usize::MAX,
            keep_us: i64::MAX / 4,
            keep_answers_us: i64::MAX / 4,
            closed_bytes_max: usize::MAX,
            reference,
        };
        let mut state = State::new(settings, registry);
        let watermarks: BTreeMap<String, Timestamp> =
            through.iter().map(|(input, to)| (format!("{}/0", input.as_str()), *to)).collect();
        let mut sets: Vec<PartialSet> = Vec::with_capacity(self.sets.len());
        let start = self.carried.as_ref().map_or(Timestamp(0), |(start, _)| *start);
        if let Some((start, carried)) = self.carried {
            state.go_on(carried, start);
        }
        if let Some(publications) = &self.publications {
            state.know(publications, start);
        }
        for (scorer, mut set) in self.sets {
            let groups = std::mem::take(&mut set.groups);
            sets.push(PartialSet { scorer, ..set.accumulator.take(groups) });
        }
        for set in sets {
            state.absorb(&entry(BTreeMap::new()), set);
        }
        state.absorb(&entry(watermarks), PartialSet::default());
        let mut rows = Vec::new();
        state.advance(&mut rows, &mut |_, _| {});
        let carried = state.carried(start.plus(Timestamp::DAY_US));
        (last_revisions(rows), carried)
    }
}

/// The last revision of each key, ordered by window, group, metric and scorer.
#[must_use]
pub fn last_revisions(mut rows: Vec<MetricRow>) -> Vec<MetricRow> {
    let key = |row: &MetricRow| (row.window_start, row.window_s, row.group.clone(), row.metric.clone(), row.scorer.clone());
    rows.sort_by_cached_key(|row| (key(row), std::cmp::Reverse(row.revision)));
    let mut seen = BTreeSet::new();
    rows.retain(|row| seen.insert(key(row)));
    rows
}

fn with_name(group: &Group, name: &str) -> Group {
    let mut named = group.clone();
    named.0[Dimension::FeedbackName as usize] = Some(name.into());
    named
}

fn entry(watermarks: BTreeMap<String, Timestamp>) -> Entry {
    Entry { watermarks, ..Entry::new("", Kind::Ingest, "", Timestamp::default()) }
}
