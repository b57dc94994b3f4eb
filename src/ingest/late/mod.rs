//! Feedback whose answer was not at hand when it was read: the keeper's half of the join.
//!
//! Feedback waits here until an answer turns up among the ids of other epochs, or until it is seven days old; either way its
//! row is written again with the next revision, and with an answer its measures by the answer's time are added. Feedback that
//! an epoch matched itself is not matched here again, so nothing is counted twice.
//!
//! Feedback with an id replaces an earlier one with the same id, up to seven days before: what the replaced one had added, by its own time
//! and by its answer's, is taken back. Which of two replaces the other is decided by time, then by position, as in the views, so the
//! order in which they are read does not matter.
//!
//! An answer with feedback is counted as rated once. Whoever finds the first feedback counts it and leaves a note; what two counted at
//! the same moment, or ingest again after it had forgotten, is taken back here, where all notes are read in the order of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use super::epoch::{Epoch, Rated};
use super::feedback::{by_answer, own_group, polarity, rated_note};
use super::rows::{FeedbackRow, Rows};
use super::settings::Settings;
use crate::event::{Target, Text, Timestamp};
use crate::join::{IdHash, IdHasher};
use crate::measure::{Accumulator, Dimension, FEEDBACK_HORIZON_US, Group, billionths, measures, observe_feedback};

/// After this long nobody expects an answer any more.
const GIVE_UP_US: i64 = FEEDBACK_HORIZON_US;

/// Where a feedback was read: its identity.
type Place = (Arc<str>, i32, i64);

/// An answer of some epoch, as its id file has it.
#[derive(Clone, Copy, Debug)]
pub struct PastAnswer<'a> {
    /// End of the request.
    pub event_time: Timestamp,
    /// Its group.
    pub group: &'a Group,
    /// Its request id as stored.
    pub request_id: &'a str,
    /// Hash of (topic, tenant, request id).
    pub repeat: u128,
    /// Hashes of its ids, in the order of `join::IdKind`.
    pub ids: &'a [Option<IdHash>; 5],
    /// Its scorer and its score in hundredths.
    pub scored: Option<(&'a Arc<str>, u8)>,
}

/// The feedback that holds under an id. There is one for each feedback of the last eight days, so rows are packed.
#[derive(Debug)]
struct Holder {
    place: Place,
    event_time: Timestamp,
    row: Packed,
}

/// A row without its texts, in a fifth of its room.
#[derive(Debug)]
struct Packed(Box<[u8]>);

impl Packed {
    #[expect(clippy::expect_used, reason = "writing plain fields to memory cannot fail")]
    fn new(row: &FeedbackRow) -> Self {
        let bare = FeedbackRow { comment: None, correction: None, attributes: None, ..row.clone() };
        Self(postcard::to_stdvec(&bare).expect("a row can be packed").into())
    }

    #[expect(clippy::expect_used, reason = "the bytes are those of new")]
    fn row(&self) -> FeedbackRow {
        postcard::from_bytes(&self.0).expect("a packed row can be unpacked")
    }
}

#[derive(Debug)]
struct Waiting {
    row: FeedbackRow,
    purpose: Purpose,
    /// Best answer so far: rank of the id that named it (0 is the most exact), then the answer.
    found: Option<(usize, Found)>,
}

/// Why an answer is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To add the feedback to it.
    Match,
    /// To take the feedback back from it.
    TakeBack,
}

#[derive(Clone, Debug)]
struct Found {
    event_time: Timestamp,
    group: Group,
    request_id: Arc<str>,
    scored: Option<(Arc<str>, u8)>,
}

/// Feedback that waits.
#[derive(Debug)]
pub struct Late {
    settings: Settings,
    hasher: IdHasher,
    waiting: BTreeMap<Place, Waiting>,
    /// Names of the topics that feedback was read from.
    topics: BTreeSet<Arc<str>>,
    /// Who waits for an id, with the rank of the id in its target.
    by_id: HashMap<IdHash, Vec<(Place, usize)>>,
    /// Notes of answers that were counted as rated, with the answer's time.
    rated: HashMap<u128, Timestamp>,
    /// Answers that were counted once more: time and group.
    counted_again: Vec<(Timestamp, Group)>,
    /// The feedback that holds, by its id.
    holders: HashMap<String, Holder>,
    /// Places of all feedback with an id that was looked at.
    seen: HashSet<Place>,
    /// Replaced, and to be taken back by its own time.
    replaced: Vec<FeedbackRow>,
}

impl Late {
    /// Nothing waits.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let hasher = IdHasher::new(&settings.key);
        Self {
            settings,
            hasher,
            waiting: BTreeMap::new(),
            topics: BTreeSet::new(),
            by_id: HashMap::new(),
            rated: HashMap::new(),
            counted_again: Vec::new(),
            holders: HashMap::new(),
            seen: HashSet::new(),
            replaced: Vec::new(),
        }
    }

    /// Takes a row, in its newest revision, whose replacements are committed already.
    pub fn know(&mut self, row: FeedbackRow) {
        self.note_counted(&row);
        let loser = self.hold(&row);
        self.add(row);
        if let Some((lost, _)) = loser {
            self.forget(&lost);
        }
    }

    /// Takes a row that was not looked at before. Returns the time of the oldest feedback for which an answer is looked for now.
    pub fn arrive(&mut self, row: FeedbackRow) -> Option<Timestamp> {
        let place = self.place(&row);
        if row.feedback_id.is_some() && self.seen.contains(&place) {
            return None;
        }
        let loser = self.hold(&row);
        let arrived = row.event_time;
        let waits = row.r#match == "pending";
        self.add(row);
        let Some((lost, row)) = loser else { return waits.then_some(arrived) };
        let row = row.row();
        let oldest = row.event_time.min(arrived);
        // One that waits has added nothing to an answer, and never will.
        self.forget(&lost);
        if row.r#match == "matched" {
            self.wait(lost, row.clone(), Purpose::TakeBack);
        }
        self.replaced.push(row);
        Some(oldest)
    }

    /// Lets the newer of two feedbacks with one id hold, and hands over the other, if the two are near enough.
    fn hold(&mut self, row: &FeedbackRow) -> Option<(Place, Packed)> {
        let id = row.feedback_id.as_ref()?;
        let place = self.place(row);
        self.seen.insert(place.clone());
        let new = Holder { event_time: row.event_time, row: Packed::new(row), place };
        let Some(known) = self.holders.get_mut(id) else {
            self.holders.insert(id.clone(), new);
            return None;
        };
        if known.place == new.place {
            *known = new;
            return None;
        }
        let order = |holder: &Holder| (holder.event_time, holder.place.2, holder.place.clone());
        let near = new.event_time.0.abs_diff(known.event_time.0) <= GIVE_UP_US.unsigned_abs();
        let lost = if order(&new) >= order(known) { std::mem::replace(known, new) } else { new };
        near.then_some((lost.place, lost.row))
    }

    /// Where a row was read.
    fn place(&mut self, row: &FeedbackRow) -> Place {
        let topic = self.topics.get(row.source_topic.as_str()).cloned().unwrap_or_else(|| {
            let topic: Arc<str> = row.source_topic.as_str().into();
            self.topics.insert(Arc::clone(&topic));
            topic
        });
        (topic, row.source_partition, row.source_offset)
    }

    /// What was settled stands in the log, with these rows. Of feedback that nothing can replace any more, `now`, nothing is remembered.
    pub fn committed(&mut self, rows: Vec<FeedbackRow>, now: Timestamp) {
        self.replaced.clear();
        self.counted_again.clear();
        let horizon = now.plus(-GIVE_UP_US - Timestamp::DAY_US);
        let Self { holders, seen, .. } = self;
        holders.retain(|_, holder| {
            let recent = holder.event_time >= horizon;
            if !recent {
                seen.remove(&holder.place);
            }
            recent
        });
        let taken: Vec<Place> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.purpose == Purpose::TakeBack)
            .map(|(place, _)| place.clone())
            .collect();
        for place in taken {
            self.forget(&place);
        }
        self.rated.retain(|_, event_time| *event_time >= horizon);
        for row in rows {
            self.note_counted(&row);
            self.add(row);
        }
    }

    /// Notes that the answer of a row was counted as rated by whoever found it.
    fn note_counted(&mut self, row: &FeedbackRow) {
        if let (Some(request_id), Some(at), "matched") = (&row.answer_request_id, row.answer_event_time, row.r#match.as_str())
            && by_answer(None, row, at, None).is_in_time()
        {
            self.rated.insert(rated_note(&self.hasher, request_id, at), at);
        }
    }

    /// Takes a note of ingest that it counted an answer as rated; each note once, in the order of the log.
    pub fn counted(&mut self, note: u128, event_time: Timestamp, group: &Group) {
        if self.rated.insert(note, event_time).is_some() {
            self.counted_again.push((event_time, group.clone()));
        }
    }

    /// Takes a row of `feedback`: a pending one waits, a settled one of the same place no longer does.
    pub fn add(&mut self, row: FeedbackRow) {
        let place = self.place(&row);
        let holder = row.feedback_id.as_ref().and_then(|id| self.holders.get_mut(id));
        if let Some(holder) = holder.filter(|holder| holder.place == place && row.r#match != "pending") {
            holder.row = Packed::new(&row);
        }
        if row.r#match != "pending" {
            self.forget(&place);
            return;
        }
        self.wait(place, row, Purpose::Match);
    }

    fn wait(&mut self, place: Place, row: FeedbackRow, purpose: Purpose) {
        if let Some(known) = self.waiting.get_mut(&place) {
            (known.row, known.purpose) = (row, purpose);
            return;
        }
        for (rank, id) in self.hasher.target(&target(&row)).enumerate() {
            self.by_id.entry(id).or_default().push((place.clone(), rank));
        }
        self.waiting.insert(place, Waiting { row, purpose, found: None });
    }

    /// Whether anything waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.replaced.is_empty() && self.counted_again.is_empty()
    }

    /// Feedback that waits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Looks at an answer: whoever waits for one of its ids remembers the last one at or before its own time.
    pub fn offer(&mut self, answer: PastAnswer<'_>) {
        for id in answer.ids.iter().flatten() {
            for (place, rank) in self.by_id.get(id).map_or(&[][..], Vec::as_slice) {
                let Some(waiting) = self.waiting.get_mut(place) else { continue };
                let better = waiting
                    .found
                    .as_ref()
                    .is_none_or(|(known, found)| *rank < *known || *rank == *known && found.event_time < answer.event_time);
                let is_the_one = waiting.purpose == Purpose::Match
                    || waiting.row.answer_request_id.as_deref() == Some(answer.request_id)
                        && waiting.row.answer_event_time == Some(answer.event_time);
                if answer.event_time <= waiting.row.event_time && better && is_the_one {
                    let found = Found {
                        event_time: answer.event_time,
                        group: answer.group.clone(),
                        request_id: answer.request_id.into(),
                        scored: answer.scored.map(|(scorer, hundredths)| (Arc::clone(scorer), hundredths)),
                    };
                    waiting.found = Some((*rank, found));
                }
            }
        }
    }

    /// What can be settled now: rows with their next revision, and the measures of those that found their answer. Nothing is
    /// forgotten before [`Late::add`] sees the settled rows, so that a fenced entry loses nothing.
    #[must_use]
    pub fn settle(&self, now: Timestamp) -> Epoch {
        let (mut accumulator, mut back) = (Accumulator::default(), Accumulator::default());
        let mut groups: Vec<Group> = Vec::new();
        let mut number = |group: &Group| {
            let at = groups.iter().position(|known| known == group).unwrap_or_else(|| {
                groups.push(group.clone());
                groups.len() - 1
            });
            u32::try_from(at).unwrap_or(u32::MAX)
        };
        let mut rows = Rows::default();
        let mut rated: BTreeMap<u128, Rated> = BTreeMap::new();
        for (at, group) in &self.counted_again {
            back.at(*at, number(group)).count(measures::ANSWER_RATED);
        }
        for row in &self.replaced {
            let group = own_group(&self.settings, row);
            back.at(row.event_time, number(&group)).count(measures::FEEDBACK);
            let scale = self.settings.feedback.get(&row.name).copied();
            let cells = back.at(row.event_time, number(&with_name(&group, &row.name)));
            observe_feedback(row.score.map(billionths), polarity(scale, row.score), cells);
        }
        for waiting in self.waiting.values() {
            let mut row = waiting.row.clone();
            let into = if waiting.purpose == Purpose::TakeBack { &mut back } else { &mut accumulator };
            if let Some((_, found)) = &waiting.found {
                let (group, named) = (number(&found.group), number(&with_name(&found.group, &row.name)));
                let note = rated_note(&self.hasher, &found.request_id, found.event_time);
                if self.observe(&row, found, [group, named], into)
                    && waiting.purpose == Purpose::Match
                    && !self.rated.contains_key(&note)
                    && rated.insert(note, Rated { event_time: found.event_time, group, note }).is_none()
                {
                    into.at(found.event_time, group).count(measures::ANSWER_RATED);
                }
            }
            match &waiting.found {
                _ if waiting.purpose == Purpose::TakeBack => continue,
                Some((_, found)) => {
                    "matched".clone_into(&mut row.r#match);
                    row.answer_request_id = Some(found.request_id.to_string());
                    row.answer_event_time = Some(found.event_time);
                }
                None if now.0.saturating_sub(row.event_time.0) > GIVE_UP_US => "unmatched".clone_into(&mut row.r#match),
                None => continue,
            }
            row.revision += 1;
            rows.feedback.push(row);
        }
        let partials = accumulator.take(groups).less(&back.take(Vec::new()));
        Epoch { rows, partials, rated: rated.into_values().collect(), ..Epoch::default() }
    }

    /// Adds a feedback by its answer's time, in the answer's group without and with its name; whether it counts there.
    fn observe(&self, row: &FeedbackRow, found: &Found, [group, named]: [u32; 2], into: &mut Accumulator) -> bool {
        let scale = self.settings.feedback.get(&row.name).copied();
        let feedback = by_answer(scale, row, found.event_time, found.scored.as_ref().map(|(_, hundredths)| *hundredths));
        if !feedback.is_in_time() {
            return false;
        }
        feedback.observe(into.at(found.event_time, group));
        feedback.observe_named(into.at(found.event_time, named));
        if let Some((scorer, _)) = found.scored.as_ref().filter(|_| feedback.is_label()) {
            feedback.observe_scored(into.of_scorer(scorer).at(found.event_time, group));
        }
        true
    }

    fn forget(&mut self, place: &Place) {
        let Some(forgotten) = self.waiting.remove(place) else { return };
        for id in self.hasher.target(&target(&forgotten.row)) {
            if let Entry::Occupied(mut waiting) = self.by_id.entry(id) {
                waiting.get_mut().retain(|(waits, _)| waits != place);
                if waiting.get().is_empty() {
                    waiting.remove();
                }
            }
        }
    }
}

/// What a row says its feedback is about.
fn target(row: &FeedbackRow) -> Target<'_> {
    fn text(id: Option<&String>) -> Option<Text<'_>> {
        id.map(|id| Text::from(id.as_str()))
    }
    Target {
        request_id: text(row.target_request_id.as_ref()),
        trace_id: text(row.target_trace_id.as_ref()),
        span_id: text(row.target_span_id.as_ref()),
        response_id: text(row.target_response_id.as_ref()),
        conversation_id: text(row.target_conversation_id.as_ref()),
    }
}

fn with_name(group: &Group, name: &str) -> Group {
    let mut named = group.clone();
    named.0[Dimension::FeedbackName as usize] = Some(name.into());
    named
}

#[cfg(test)]
mod tests;
