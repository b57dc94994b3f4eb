//! Feedback whose answer was not at hand when it was read: the keeper's half of the join.
//!
//! Feedback waits here until an answer turns up among the ids of other epochs, or until it is seven days old; either way its
//! row is written again with the next revision, and with an answer its measures by the answer's time are added. Feedback that
//! an epoch matched itself is not matched here again, so nothing is counted twice.
//!
//! Feedback with an id replaces an earlier one with the same id, up to seven days before: what the replaced one had added, by its own time
//! and by its answer's, is taken back. Which of two replaces the other is decided by time, then by position, as in the views, so the
//! order in which they are read does not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use super::epoch::{AnswerIds, Epoch};
use super::feedback::{observe_by_answer, own_group, polarity, rated_key};
use super::rows::{FeedbackRow, Rows, Span};
use super::settings::Settings;
use crate::event::{Target, Text, Timestamp};
use crate::join::{IdHash, IdHasher};
use crate::measure::{Accumulator, Dimension, Group, billionths, measures, observe_feedback, observe_praise};

/// After this long nobody expects an answer any more.
const GIVE_UP_US: i64 = 7 * Timestamp::DAY_US;

/// Where a feedback was read: its identity.
type Place = (String, i32, i64);

/// An answer of some epoch, as its id file has it.
#[derive(Clone, Copy, Debug)]
pub struct LateAnswer<'a> {
    /// End of the request.
    pub event_time: Timestamp,
    /// Its group.
    pub group: &'a Group,
    /// Its request id as stored; empty for a note that an answer was rated.
    pub request_id: &'a str,
    /// The note's hash, or that of a repeat.
    pub repeat: u128,
    /// Hashes of its ids, in the order of `join::IdKind`.
    pub ids: &'a [Option<IdHash>; 5],
}

/// What is known of the feedback that holds under an id.
#[derive(Debug)]
struct Holder {
    place: Place,
    row: FeedbackRow,
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
}

/// Feedback that waits.
#[derive(Debug)]
pub struct Late {
    settings: Settings,
    hasher: IdHasher,
    waiting: BTreeMap<Place, Waiting>,
    /// Who waits for an id, with the rank of the id in its target.
    by_id: HashMap<IdHash, Vec<(Place, usize)>>,
    /// Notes that an answer was rated.
    rated: BTreeSet<u128>,
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
            by_id: HashMap::new(),
            rated: BTreeSet::new(),
            holders: HashMap::new(),
            seen: HashSet::new(),
            replaced: Vec::new(),
        }
    }

    /// Takes a row, in its newest revision, whose replacements are committed already.
    pub fn know(&mut self, row: FeedbackRow) {
        let mut loser = None;
        self.hold(&row, |place, _| loser = Some(place.clone()));
        self.add(row);
        if let Some(loser) = loser {
            self.forget(&loser);
        }
    }

    /// Takes a row that was not looked at before. Returns the time of the oldest feedback for which an answer is looked for now.
    pub fn arrive(&mut self, row: FeedbackRow) -> Option<Timestamp> {
        let place = place(&row);
        if row.feedback_id.is_some() && self.seen.contains(&place) {
            return None;
        }
        let mut loser = None;
        self.hold(&row, |place, row| loser = Some((place.clone(), row.clone())));
        let arrived = row.event_time;
        let waits = row.r#match == "pending";
        self.add(row);
        let Some((lost, row)) = loser else { return waits.then_some(arrived) };
        let oldest = row.event_time.min(arrived);
        // One that waits has added nothing to an answer, and never will.
        self.forget(&lost);
        if row.r#match == "matched" {
            self.wait(lost, row.clone(), Purpose::TakeBack);
        }
        self.replaced.push(row);
        Some(oldest)
    }

    /// Lets the newer of two feedbacks with one id hold, and hands over the other.
    fn hold(&mut self, row: &FeedbackRow, mut lose: impl FnMut(&Place, &FeedbackRow)) {
        let Some(id) = &row.feedback_id else { return };
        let place = place(row);
        self.seen.insert(place.clone());
        let bare = FeedbackRow { comment: None, correction: None, attributes: None, ..row.clone() };
        let Some(known) = self.holders.get_mut(id) else {
            self.holders.insert(id.clone(), Holder { place, row: bare });
            return;
        };
        let order = |row: &FeedbackRow| (row.event_time, row.source_offset);
        let is_newer = order(row) >= order(&known.row);
        let near = row.event_time.0.abs_diff(known.row.event_time.0) <= GIVE_UP_US.unsigned_abs();
        if known.place == place {
            known.row = bare;
        } else if is_newer {
            let old = std::mem::replace(known, Holder { place, row: bare });
            if near {
                lose(&old.place, &old.row);
            }
        } else if near {
            lose(&place, &bare);
        }
    }

    /// What was settled stands in the log. Of feedback that nothing can replace any more, `now`, nothing is remembered.
    pub fn committed(&mut self, now: Timestamp) {
        self.replaced.clear();
        let horizon = now.plus(-GIVE_UP_US - Timestamp::DAY_US);
        let Self { holders, seen, .. } = self;
        holders.retain(|_, holder| {
            let recent = holder.row.event_time >= horizon;
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
    }

    /// Takes a row of `feedback`: a pending one waits, a settled one of the same place no longer does.
    pub fn add(&mut self, row: FeedbackRow) {
        let place = place(&row);
        if let Some(holder) =
            row.feedback_id.as_ref().and_then(|id| self.holders.get_mut(id)).filter(|holder| holder.place == place)
        {
            holder.row.r#match.clone_from(&row.r#match);
            holder.row.answer_request_id.clone_from(&row.answer_request_id);
            holder.row.answer_event_time = row.answer_event_time;
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
        self.waiting.is_empty() && self.replaced.is_empty()
    }

    /// Feedback that waits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Looks at an answer: whoever waits for one of its ids remembers the last one at or before its own time.
    pub fn offer(&mut self, answer: LateAnswer<'_>) {
        if answer.ids.iter().all(Option::is_none) {
            self.rated.insert(answer.repeat);
            return;
        }
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
                    let found =
                        Found { event_time: answer.event_time, group: answer.group.clone(), request_id: answer.request_id.into() };
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
        let mut ids = Vec::new();
        let mut rated = BTreeSet::new();
        for row in &self.replaced {
            let group = own_group(&self.settings, row);
            back.at(row.event_time, number(&group)).count(measures::FEEDBACK);
            let scale = self.settings.feedback.get(&row.name).copied();
            let cells = back.at(row.event_time, number(&with_name(&group, &row.name)));
            observe_feedback(row.score.map(billionths), polarity(scale, row.score), cells);
        }
        for waiting in self.waiting.values() {
            let mut row = waiting.row.clone();
            if waiting.purpose == Purpose::TakeBack {
                if let Some((_, found)) = &waiting.found {
                    let scale = self.settings.feedback.get(&row.name).copied();
                    observe_praise(polarity(scale, row.score), back.at(found.event_time, number(&found.group)));
                    let named = number(&with_name(&found.group, &row.name));
                    observe_by_answer(scale, row.score, back.at(found.event_time, named));
                }
                continue;
            }
            match &waiting.found {
                Some((_, found)) => {
                    let group = number(&found.group);
                    let note = rated_key(&self.hasher, &found.request_id);
                    if !self.rated.contains(&note) && rated.insert(note) {
                        accumulator.at(found.event_time, group).count(measures::ANSWER_RATED);
                        let nothing = Span::new(0, 0);
                        ids.push(AnswerIds {
                            event_time: found.event_time,
                            group,
                            request_id: nothing,
                            repeat: note,
                            ids: [None; 5],
                        });
                    }
                    let scale = self.settings.feedback.get(&row.name).copied();
                    observe_praise(polarity(scale, row.score), accumulator.at(found.event_time, group));
                    let named = number(&with_name(&found.group, &row.name));
                    observe_by_answer(scale, row.score, accumulator.at(found.event_time, named));
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
        Epoch { rows, partials, ids, ..Epoch::default() }
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

fn place(row: &FeedbackRow) -> Place {
    (row.source_topic.clone(), row.source_partition, row.source_offset)
}

fn with_name(group: &Group, name: &str) -> Group {
    let mut named = group.clone();
    named.0[Dimension::FeedbackName as usize] = Some(name.into());
    named
}

#[cfg(test)]
mod tests;
