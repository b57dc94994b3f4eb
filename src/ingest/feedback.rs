//! Feedback becomes a row of `feedback` and measures twice, on purpose: by its own time, and by the time of its answer.
//!
//! The answer is looked for among the recent ones. What is not found is `pending`, and the keeper's from then on.

use std::sync::Arc;

use super::open::redaction_failed;
use super::rows::FeedbackRow;
use super::{FeedbackScale, Place, Positive, Rated, Settings, TextStorage, Work};
use crate::decode::Rejected;
use crate::event::{FeedbackSource, Outcome, Target, Text, Timestamp, UserFeedback};
use crate::join::{Answer, IdHasher};
use crate::measure::{AnswerFeedback, Dimension, Group, Polarity, billionths, is_human, measures, observe_feedback};

impl Work {
    /// Takes one piece of feedback.
    pub(super) fn feedback(
        &mut self,
        settings: &Settings,
        event: &UserFeedback<'_>,
        place: &Place<'_>,
    ) -> Result<Outcome, Rejected> {
        let mut row = self.feedback_row(event, place)?;
        if let Some(id) = &event.feedback_id {
            // A producer's repeat says the same at the same time; a later event with the same id is an update.
            let key = format!("{}@{}", id.as_str(), event.event_time.0);
            let repeat = self.hasher.repeat(place.topic, Some(&event.name), &key);
            if self.duplicates.is_repeat(repeat, event.event_time) {
                return Ok(Outcome::Duplicate);
            }
            self.open.repeats.push((repeat, event.event_time));
        }
        let answer = self.hasher.target(&event.target).find_map(|id| self.recent.find(id, event.event_time));
        let answer_group = answer.as_ref().and_then(|answer| self.recent_groups.group(answer.group)).cloned();
        if let Some(group) = &answer_group {
            let own = |own: &mut Option<String>, dimension| {
                if own.is_none() {
                    *own = group.get(dimension).map(ToString::to_string);
                }
            };
            own(&mut row.tenant, Dimension::Tenant);
            own(&mut row.app, Dimension::App);
        }
        let scale = settings.feedback.get(&row.name).copied();
        self.measure_by_feedback_time(settings, event, scale, &row);
        "pending".clone_into(&mut row.r#match);
        if let (Some(answer), Some(group)) = (&answer, answer_group) {
            "matched".clone_into(&mut row.r#match);
            row.answer_request_id = Some(answer.request_id.to_string());
            row.answer_event_time = Some(answer.event_time);
            self.measure_by_answer_time(settings, scale, &row, answer, group);
        }
        self.open.other_bytes += size_of::<FeedbackRow>() + row.comment.as_ref().map_or(0, String::len) + 200;
        self.open.rows.feedback.push(row);
        Ok(Outcome::Accepted)
    }

    fn feedback_row(&self, event: &UserFeedback<'_>, place: &Place<'_>) -> Result<FeedbackRow, Rejected> {
        let redact = |text: &Option<Text<'_>>| -> Result<Option<String>, Rejected> {
            text.as_ref().map(|text| self.redactor.redact(text).map(Into::into).map_err(|_| redaction_failed())).transpose()
        };
        let id = |text: &Option<Text<'_>>| -> Result<Option<String>, Rejected> {
            text.as_ref().map(|text| self.redactor.redact(text).map(Into::into).map_err(|_| redaction_failed())).transpose()
        };
        let free = |text: &Option<Text<'_>>| -> Result<Option<String>, Rejected> {
            Ok(redact(text)?.and_then(|text| match place.text {
                TextStorage::Full => Some(text),
                TextStorage::Hash => Some(self.redactor.hash_text(&text)),
                TextStorage::None => None,
            }))
        };
        let Target { request_id, trace_id, span_id, response_id, conversation_id } = &event.target;
        Ok(FeedbackRow {
            event_time: event.event_time,
            feedback_id: id(&event.feedback_id)?,
            target_request_id: id(request_id)?,
            target_trace_id: id(trace_id)?,
            target_span_id: id(span_id)?,
            target_response_id: id(response_id)?,
            target_conversation_id: id(conversation_id)?,
            tenant: redact(&event.tenant)?,
            app: redact(&event.app)?,
            name: self.redactor.redact(&event.name).map_err(|_| redaction_failed())?.into(),
            score: event.score,
            label: redact(&event.label)?,
            comment: free(&event.comment)?,
            correction: free(&event.correction)?,
            source: event.source.map(|source| {
                match source {
                    FeedbackSource::Human => "human",
                    FeedbackSource::LlmJudge => "llm_judge",
                    FeedbackSource::Code => "code",
                }
                .to_owned()
            }),
            user_id: event.user_id.as_ref().map(|user| self.redactor.hash_user(user)),
            attributes: self.attributes(&event.attributes, place.text)?,
            source_topic: place.topic.to_owned(),
            source_partition: place.partition,
            source_offset: place.offset,
            ..FeedbackRow::default()
        })
    }

    fn measure_by_feedback_time(
        &mut self,
        settings: &Settings,
        event: &UserFeedback<'_>,
        scale: Option<FeedbackScale>,
        row: &FeedbackRow,
    ) {
        let mut group = own_group(settings, row);
        let number = self.epoch_group(settings, &group);
        self.open.accumulator.at(event.event_time, number).count(measures::FEEDBACK);
        group.0[Dimension::FeedbackName as usize] = Some(row.name.as_str().into());
        let number = self.epoch_group(settings, &group);
        observe_feedback(
            event.score.map(billionths),
            polarity(scale, event.score),
            self.open.accumulator.at(event.event_time, number),
        );
    }

    fn measure_by_answer_time(
        &mut self,
        settings: &Settings,
        scale: Option<FeedbackScale>,
        row: &FeedbackRow,
        answer: &Answer,
        mut group: Group,
    ) {
        let feedback = by_answer(scale, row, answer.event_time, answer.scored.map(|scored| scored.hundredths));
        if !feedback.is_in_time() {
            return;
        }
        let number = self.epoch_group(settings, &group);
        // An answer that is rated twice is one rated answer; where it was forgotten, or the keeper was as quick, the keeper puts it right.
        let note = rated_note(&self.hasher, &answer.request_id, answer.event_time);
        if self.recent.note_rated(note) {
            self.open.rated.push(Rated { event_time: answer.event_time, group: number, note });
            self.open.accumulator.at(answer.event_time, number).count(measures::ANSWER_RATED);
        }
        feedback.observe(self.open.accumulator.at(answer.event_time, number));
        if let Some(scorer) = answer.scored.and_then(|scored| self.scorers.get(usize::from(scored.scorer)))
            && feedback.is_label()
        {
            feedback.observe_scored(self.open.accumulator.of_scorer(scorer).at(answer.event_time, number));
        }
        group.0[Dimension::FeedbackName as usize] = Some(row.name.as_str().into());
        let number = self.epoch_group(settings, &group);
        feedback.observe_named(self.open.accumulator.at(answer.event_time, number));
    }

    /// The number of a scorer in the numbering of `recent`.
    pub(super) fn scorer_number(&mut self, scorer: &Arc<str>) -> u8 {
        let at = self.scorers.iter().position(|known| known == scorer).unwrap_or_else(|| {
            self.scorers.push(Arc::clone(scorer));
            self.scorers.len() - 1
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    /// The number in the open epoch of a group given by its strings.
    pub(super) fn epoch_group(&mut self, settings: &Settings, group: &Group) -> u32 {
        let symbols = &mut self.open.rows.interactions.symbols;
        let mut key = [None; Dimension::ALL.len()];
        for (place, value) in key.iter_mut().zip(&group.0) {
            *place = value.as_ref().map(|value| symbols.intern(value));
        }
        self.open.groups.number(&key, symbols, settings.groups_per_tenant)
    }
}

/// The group of a feedback by its own time, without its name.
pub(super) fn own_group(settings: &Settings, row: &FeedbackRow) -> Group {
    let mut group = Group::default();
    for (dimension, value) in [(Dimension::Tenant, &row.tenant), (Dimension::App, &row.app)] {
        if settings.group_by.contains(&dimension) {
            group.0[dimension as usize] = value.as_deref().map(Into::into);
        }
    }
    group
}

/// The hash by which it is remembered that an answer was rated.
pub(super) fn rated_note(hasher: &IdHasher, request_id: &str, event_time: Timestamp) -> u128 {
    hasher.repeat("rated", Some(request_id), &event_time.0.to_string())
}

/// What a feedback adds by the time of an answer whose score is given in hundredths.
#[must_use]
pub(super) fn by_answer(
    scale: Option<FeedbackScale>,
    row: &FeedbackRow,
    answered: Timestamp,
    scored: Option<u8>,
) -> AnswerFeedback {
    AnswerFeedback {
        score: row.score.map(billionths),
        polarity: polarity(scale, row.score),
        delay_us: row.event_time.0.saturating_sub(answered.0),
        groundedness: scored.filter(|_| is_human(row.source.as_deref())),
    }
}

/// Whether a score speaks for the answer; unknown without a scale or a score, and outside the scale.
#[must_use]
pub fn polarity(scale: Option<FeedbackScale>, score: Option<f64>) -> Polarity {
    let (Some(scale), Some(score)) = (scale, score) else { return Polarity::Unknown };
    if !(scale.lowest..=scale.highest).contains(&score) {
        return Polarity::Unknown;
    }
    let positive = match scale.positive {
        Positive::From(least) => score >= least,
        Positive::UpTo(greatest) => score <= greatest,
    };
    if positive { Polarity::Positive } else { Polarity::Negative }
}
