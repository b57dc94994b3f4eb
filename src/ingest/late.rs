//! Feedback whose answer was not at hand when it was read: the keeper's half of the join.
//!
//! Feedback waits here until an answer turns up among the ids of other epochs, or until it is seven days old; either way its
//! row is written again with the next revision, and with an answer its measures by the answer's time are added. Feedback that
//! an epoch matched itself never comes here, so nothing is counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::epoch::{AnswerIds, Epoch};
use super::feedback::{observe_by_answer, rated_key};
use super::rows::{FeedbackRow, Rows, Span};
use super::settings::Settings;
use crate::event::{Target, Text, Timestamp};
use crate::join::IdHasher;
use crate::measure::{Accumulator, Dimension, Group, measures};

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
    pub ids: &'a [Option<u128>; 5],
}

#[derive(Debug)]
struct Waiting {
    row: FeedbackRow,
    /// Best answer so far: rank of the id that named it (0 is the most exact), then the answer.
    found: Option<(usize, Found)>,
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
    by_id: HashMap<u128, Vec<(Place, usize)>>,
    /// Notes that an answer was rated.
    rated: BTreeSet<u128>,
}

impl Late {
    /// Nothing waits.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let hasher = IdHasher::new(&settings.key);
        Self { settings, hasher, waiting: BTreeMap::new(), by_id: HashMap::new(), rated: BTreeSet::new() }
    }

    /// Takes a row of `feedback`: a pending one waits, a settled one of the same place no longer does.
    pub fn add(&mut self, row: FeedbackRow) {
        let place = (row.source_topic.clone(), row.source_partition, row.source_offset);
        if row.r#match != "pending" {
            self.forget(&place);
            return;
        }
        if let Some(known) = self.waiting.get_mut(&place) {
            known.row = row;
            return;
        }
        let text = |id: &Option<String>| id.clone().map(Text::from);
        let target = Target {
            request_id: text(&row.target_request_id),
            trace_id: text(&row.target_trace_id),
            span_id: text(&row.target_span_id),
            response_id: text(&row.target_response_id),
            conversation_id: text(&row.target_conversation_id),
        };
        for (rank, id) in self.hasher.target(&target).enumerate() {
            self.by_id.entry(id).or_default().push((place.clone(), rank));
        }
        self.waiting.insert(place, Waiting { row, found: None });
    }

    /// Whether anything waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
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
                if answer.event_time <= waiting.row.event_time && better {
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
        let mut accumulator = Accumulator::default();
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
        for waiting in self.waiting.values() {
            let mut row = waiting.row.clone();
            match &waiting.found {
                Some((_, found)) => {
                    let group = number(&found.group);
                    let note = rated_key(&self.hasher, &found.request_id);
                    if !self.rated.contains(&note) && rated.insert(note) {
                        accumulator.at(found.event_time, group).count(measures::ANSWER_RATED);
                        let nothing = Span { start: 0, len: 0 };
                        ids.push(AnswerIds {
                            event_time: found.event_time,
                            group,
                            request_id: nothing,
                            repeat: note,
                            ids: [None; 5],
                        });
                    }
                    let mut named = found.group.clone();
                    named.0[Dimension::FeedbackName as usize] = Some(row.name.as_str().into());
                    let scale = self.settings.feedback.get(&row.name).copied();
                    observe_by_answer(scale, row.score, accumulator.at(found.event_time, number(&named)));
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
        Epoch { partials: accumulator.take(groups), rows, ids, ..Epoch::default() }
    }

    fn forget(&mut self, place: &Place) {
        if self.waiting.remove(place).is_some() {
            self.by_id.retain(|_, waiting| {
                waiting.retain(|(waits, _)| waits != place);
                !waiting.is_empty()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::IdKind;

    fn late() -> Late {
        Late::new(super::super::tests::settings())
    }

    fn pending(offset: i64, at: i64, request_id: Option<&str>, conversation: Option<&str>) -> FeedbackRow {
        FeedbackRow {
            event_time: Timestamp(at),
            target_request_id: request_id.map(str::to_owned),
            target_conversation_id: conversation.map(str::to_owned),
            name: "thumbs".to_owned(),
            score: Some(1.0),
            r#match: "pending".to_owned(),
            source_topic: "user-feedback".to_owned(),
            source_offset: offset,
            ..FeedbackRow::default()
        }
    }

    fn offer(late: &mut Late, at: i64, request_id: &str, conversation: &str) {
        let hasher = late.hasher;
        let ids =
            [Some(hasher.id(IdKind::Request, request_id)), None, None, None, Some(hasher.id(IdKind::Conversation, conversation))];
        late.offer(LateAnswer { event_time: Timestamp(at), group: &Group::default(), request_id, repeat: 0, ids: &ids });
    }

    #[test]
    fn the_last_answer_of_a_conversation_before_the_feedback_is_found_once() {
        let mut late = late();
        late.add(pending(1, 100, None, Some("c")));
        for (at, id) in [(50, "a"), (90, "b"), (70, "x"), (101, "after")] {
            offer(&mut late, at, id, "c");
        }
        let epoch = late.settle(Timestamp(200));
        let row = &epoch.rows.feedback[0];
        assert_eq!((row.r#match.as_str(), row.answer_request_id.as_deref(), row.revision), ("matched", Some("b"), 1));
        assert_eq!(epoch.ids.len(), 1);
        let rated: u64 =
            epoch.partials.rows.iter().filter(|row| row.measure == measures::ANSWER_RATED).map(|row| row.partial.n).sum();
        assert_eq!(rated, 1);
        late.add(epoch.rows.feedback[0].clone());
        assert!(late.is_empty() && late.by_id.is_empty());
    }

    #[test]
    fn an_exact_id_beats_a_conversation_and_seven_days_end_the_wait() {
        let mut late = late();
        late.add(pending(1, 100, Some("r"), Some("c")));
        late.add(pending(2, 100, Some("gone"), None));
        offer(&mut late, 99, "other", "c");
        offer(&mut late, 10, "r", "c");
        let epoch = late.settle(Timestamp(101 + GIVE_UP_US));
        let seen: Vec<_> = epoch.rows.feedback.iter().map(|row| (row.r#match.as_str(), row.answer_request_id.as_deref())).collect();
        assert_eq!(seen, [("matched", Some("r")), ("unmatched", None)]);
    }
}
