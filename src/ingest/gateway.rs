//! A gateway log becomes a row of `interactions`, measures of its minute and group, and ids that feedback can name.

use std::borrow::Cow;
use std::fmt::Write;
use std::num::NonZeroU32;

use super::expected::compared;
use super::open::redaction_failed;
use super::rows::{
    Cells, ContextRow, FLOAT_COLUMNS, INTEGER_COLUMNS, Interaction, SCORE_COLUMNS, SYMBOL_COLUMNS, SafetyRow, SentenceRow, Span,
    TEXT_COLUMNS, column,
};
use super::{AnswerIds, Place, Settings, TextStorage, Work};
use crate::decode::Rejected;
use crate::event::{Attribute, Context, GatewayLog, Outcome, SafetyStage, Text, UsageSource};
use crate::join::{IdKind, Scored};
use crate::measure::classification::Classified;
use crate::measure::{
    Answer, AnswerState, Category, CostStatus, Dimension, Embedding, Fate, Priceable, Prices, Vocabulary, billionths, hundredths,
    micros_from_ms, observe_classified, observe_safety, status_class,
};
use crate::score::{self, Score};

pub(super) const TENANT: usize = column(&SYMBOL_COLUMNS, "tenant");
pub(super) const APP: usize = column(&SYMBOL_COLUMNS, "app");
const ENVIRONMENT: usize = column(&SYMBOL_COLUMNS, "environment");
const USER_ID: usize = column(&SYMBOL_COLUMNS, "user_id");
const REQUEST_MODEL: usize = column(&SYMBOL_COLUMNS, "request_model");
const RESPONSE_MODEL: usize = column(&SYMBOL_COLUMNS, "response_model");
const PROMPT_VERSION: usize = column(&SYMBOL_COLUMNS, "prompt_version");
const VARIANT: usize = column(&SYMBOL_COLUMNS, "variant");
pub(super) const INDEX: usize = column(&SYMBOL_COLUMNS, "index");
const STATUS: usize = column(&SYMBOL_COLUMNS, "status");
const USAGE_SOURCE: usize = column(&SYMBOL_COLUMNS, "usage_source");
const COST_STATUS: usize = column(&SYMBOL_COLUMNS, "cost_status");
const PRICE_VERSION: usize = column(&SYMBOL_COLUMNS, "price_version");
const COST: usize = column(&FLOAT_COLUMNS, "cost_usd");
const STATE: usize = column(&SYMBOL_COLUMNS, "state");
const SCORER: usize = column(&SYMBOL_COLUMNS, "scorer");
const LANGUAGE: usize = column(&SYMBOL_COLUMNS, "language");
const ANSWER_LENGTH: usize = column(&INTEGER_COLUMNS, "answer_length_tokens");
const PROMPT_LENGTH: usize = column(&INTEGER_COLUMNS, "prompt_length_tokens");
const PROMPT: usize = column(&TEXT_COLUMNS, "prompt");
const RESPONSE: usize = column(&TEXT_COLUMNS, "response");
const REFERENCE: usize = column(&TEXT_COLUMNS, "reference");
const PREDICTION: usize = column(&TEXT_COLUMNS, "prediction");
const LABEL: usize = column(&TEXT_COLUMNS, "label");
const PROBABILITY: usize = column(&TEXT_COLUMNS, "probability");
const GROUNDEDNESS: usize = column(&SCORE_COLUMNS, "groundedness");
const SOURCE_TOPIC: usize = column(&SYMBOL_COLUMNS, "source_topic");

impl Work {
    /// Takes one gateway log.
    pub(super) fn gateway(&mut self, settings: &Settings, log: &GatewayLog<'_>, place: &Place<'_>) -> Result<Fate, Rejected> {
        let tenant = log.tenant.as_deref();
        let repeat = self.hasher.repeat(place.topic, tenant, &log.request_id);
        // Everything that can refuse the event comes before the repeat is noted and anything is added.
        let texts = self.redacted(log, place.text)?;
        let symbols = self.symbols(log, place)?;
        if self.duplicates.is_repeat(repeat, log.event_time) {
            return Ok(Fate::of(Outcome::Duplicate));
        }
        let scored = self.score(&texts);

        let mut row = Interaction {
            event_time: log.event_time,
            symbols,
            texts: [None; TEXT_COLUMNS.len()],
            integers: integers(log, place).into(),
            floats: [log.latency_ms, log.time_to_first_token_ms, log.cost_usd].into(),
            scores: Cells::default(),
            refusal: None,
            contexts: (0, 0),
            sentences: (0, 0),
            safety: (0, 0),
            compared: None,
        };
        self.store_texts(&texts, place.text, scored, &mut row);
        if scored {
            self.store_scores(&mut row);
        }
        self.store_safety(log, &mut row)?;
        self.compare(&texts, &mut row);
        self.measure(settings, log, &texts, scored, repeat, &mut row);
        self.open.rows.interactions.rows.push(row);
        Ok(Fate::answered(if scored { AnswerState::parse(self.scores.state.as_str()) } else { None }))
    }

    /// Redacts every text of the event.
    fn redacted<'e>(&self, log: &'e GatewayLog<'_>, storage: TextStorage) -> Result<Texts<'e>, Rejected> {
        let redact = |text: &'e Option<Text<'_>>| -> Result<Option<Cow<'e, str>>, Rejected> {
            text.as_ref().map(|text| self.redactor.redact(text).map_err(|_| redaction_failed())).transpose()
        };
        let probability = log.probability.map(|value| self.redactor.redact_probabilities(value.get()).map(Cow::Owned));
        let probability = probability.transpose().map_err(|_| redaction_failed())?;
        let mut contexts = Vec::with_capacity(log.contexts.len());
        for context in &log.contexts {
            contexts.push(RedactedContext { id: redact(&context.id)?, text: redact(&context.text)?, of: context });
        }
        Ok(Texts {
            columns: [
                Some(self.redactor.redact(&log.request_id).map_err(|_| redaction_failed())?),
                redact(&log.trace_id)?,
                redact(&log.span_id)?,
                redact(&log.response_id)?,
                redact(&log.conversation_id)?,
                redact(&log.prompt)?,
                redact(&log.response)?,
                redact(&log.reference)?,
                redact(&log.prediction)?,
                redact(&log.label)?,
                probability,
                log.embedding.map(|embedding| Cow::Borrowed(embedding.get())),
                self.attributes(&log.attributes, storage)?.map(Cow::Owned),
            ],
            contexts,
            storage,
        })
    }

    /// Fields outside the schema as one JSON object, redacted. They may hold text, so they follow the text's storage.
    pub(super) fn attributes(&self, attributes: &[Attribute<'_>], storage: TextStorage) -> Result<Option<String>, Rejected> {
        if attributes.is_empty() || storage != TextStorage::Full {
            return Ok(None);
        }
        let mut object = String::from("{");
        for (number, attribute) in attributes.iter().enumerate() {
            let name = serde_json::to_string(attribute.name.as_str()).map_err(|_| redaction_failed())?;
            let comma = if number == 0 { "" } else { "," };
            write!(object, "{comma}{name}:{}", attribute.value.get()).map_err(|_| redaction_failed())?;
        }
        object.push('}');
        self.redactor.redact_json(&object).map(Some).map_err(|_| redaction_failed())
    }

    fn symbols(
        &mut self,
        log: &GatewayLog<'_>,
        place: &Place<'_>,
    ) -> Result<[Option<super::Symbol>; SYMBOL_COLUMNS.len()], Rejected> {
        let mut symbols = [None; SYMBOL_COLUMNS.len()];
        let values: [(usize, Option<&str>); 16] = [
            (TENANT, log.tenant.as_deref()),
            (APP, log.app.as_deref()),
            (column(&SYMBOL_COLUMNS, "route"), log.route.as_deref()),
            (ENVIRONMENT, log.environment.as_deref()),
            (column(&SYMBOL_COLUMNS, "gateway"), log.gateway.as_deref()),
            (column(&SYMBOL_COLUMNS, "provider"), log.provider.as_deref()),
            (column(&SYMBOL_COLUMNS, "deployment"), log.deployment.as_deref()),
            (REQUEST_MODEL, log.request_model.as_deref()),
            (RESPONSE_MODEL, log.response_model.as_deref()),
            (column(&SYMBOL_COLUMNS, "service_tier"), log.service_tier.as_deref()),
            (column(&SYMBOL_COLUMNS, "operation"), log.operation.as_deref()),
            (PROMPT_VERSION, log.prompt_version.as_deref()),
            (VARIANT, log.variant.as_deref()),
            (INDEX, log.index.as_deref()),
            (column(&SYMBOL_COLUMNS, "error_type"), log.error_type.as_deref()),
            (column(&SYMBOL_COLUMNS, "finish_reason"), log.finish_reason.as_deref()),
        ];
        for (column, value) in values {
            if let Some(value) = value
                && let Some(place) = symbols.get_mut(column)
            {
                *place = Some(self.open.symbol(column, value, &self.redactor)?);
            }
        }
        if let Some(user) = &log.user_id {
            symbols[USER_ID] = Some(self.open.user(user, &self.redactor));
        }
        let known = &mut self.open.rows.interactions.symbols;
        symbols[STATUS] = Some(known.intern(status_class(log).as_str()));
        symbols[USAGE_SOURCE] = log.usage.source.map(|source| match source {
            UsageSource::Reported => known.intern("reported"),
            UsageSource::Estimated => known.intern("estimated"),
        });
        symbols[SOURCE_TOPIC] = Some(known.intern(place.topic));
        Ok(symbols)
    }

    /// Scores the answer, if there is one, into `self.scores`.
    fn score(&mut self, texts: &Texts<'_>) -> bool {
        let Some(response) = texts.get("response") else { return false };
        let contexts: Vec<score::Context<'_>> = texts
            .contexts
            .iter()
            .map(|context| score::Context { id: context.id.as_deref(), text: context.text.as_deref().unwrap_or_default() })
            .collect();
        let answer = score::Answer { prompt: texts.get("prompt"), response: Some(response), contexts: &contexts };
        self.scorer.score(&answer, &mut self.scores);
        true
    }

    fn store_texts(&mut self, texts: &Texts<'_>, storage: TextStorage, scored: bool, row: &mut Interaction) {
        for (column, (text, place)) in texts.columns.iter().zip(&mut row.texts).enumerate() {
            let Some(text) = text else { continue };
            *place = if is_free_text(column) { self.stored(text, storage) } else { Some(self.open.text(text)) };
        }
        let first = length(&self.open.rows.interactions.contexts);
        for (number, context) in texts.contexts.iter().enumerate() {
            let scores = if scored { self.scores.contexts.get(number).copied() } else { None };
            let context_row = ContextRow {
                id: context.id.as_deref().map(|id| self.open.text(id)),
                text: context.text.as_deref().and_then(|text| self.stored(text, storage)),
                score: context.of.score,
                source: context
                    .of
                    .source
                    .as_ref()
                    .and_then(|source| self.open.symbol(SYMBOL_COLUMNS.len(), source, &self.redactor).ok()),
                rank: context.of.rank,
                relevance: scores.and_then(|scores| scores.relevance).map(|Score(billionths)| billionths),
                utilization: scores.and_then(|scores| scores.utilization).map(|Score(billionths)| billionths),
            };
            self.open.rows.interactions.contexts.push(context_row);
        }
        row.contexts = (first, length(&self.open.rows.interactions.contexts));
    }

    /// Free text in the form in which the topic's text is kept.
    fn stored(&mut self, text: &str, storage: TextStorage) -> Option<Span> {
        match storage {
            TextStorage::Full => Some(self.open.text(text)),
            TextStorage::Hash => {
                let hash = self.redactor.hash_text(text);
                Some(self.open.text(&hash))
            }
            TextStorage::None => None,
        }
    }

    fn store_scores(&mut self, row: &mut Interaction) {
        let scores = &self.scores;
        let interactions = &mut self.open.rows.interactions;
        row.symbols[STATE] = Some(interactions.symbols.intern(scores.state.as_str()));
        row.symbols[SCORER] = Some(interactions.symbols.intern(score::SCORER));
        row.symbols[LANGUAGE] = scores.language.map(|language| interactions.symbols.intern(language));
        row.integers.set(ANSWER_LENGTH, Some(i64::from(scores.answer_length_tokens)));
        row.integers.set(PROMPT_LENGTH, scores.prompt_length_tokens.map(i64::from));
        row.refusal = Some(scores.refusal);
        row.scores = [
            scores.groundedness,
            scores.sentence_support,
            scores.answer_relevance,
            scores.context_relevance,
            scores.context_precision_at_k,
            scores.utilization,
            scores.completeness,
        ]
        .map(|score| score.map(|Score(billionths)| billionths))
        .into();
        let first = length(&interactions.sentences);
        interactions.sentences.extend(scores.sentences.iter().map(|sentence| SentenceRow {
            start: sentence.start,
            end: sentence.end,
            verdict: sentence.verdict.as_str(),
        }));
        row.sentences = (first, length(&interactions.sentences));
    }

    fn store_safety(&mut self, log: &GatewayLog<'_>, row: &mut Interaction) -> Result<(), Rejected> {
        let first = length(&self.open.rows.interactions.safety);
        for finding in &log.safety {
            let category = self.open.symbol(SYMBOL_COLUMNS.len() + 1, &finding.category, &self.redactor)?;
            let severity = finding
                .severity
                .as_ref()
                .map(|text| self.open.symbol(SYMBOL_COLUMNS.len() + 2, text, &self.redactor))
                .transpose()?;
            self.open.rows.interactions.safety.push(SafetyRow {
                category,
                severity,
                filtered: finding.filtered,
                detected: finding.detected,
                stage: finding.stage.map(|stage| match stage {
                    SafetyStage::Prompt => "prompt",
                    SafetyStage::Response => "response",
                }),
            });
        }
        row.safety = (first, length(&self.open.rows.interactions.safety));
        Ok(())
    }

    /// Compares the answer with its reference, where both are there.
    fn compare(&mut self, texts: &Texts<'_>, row: &mut Interaction) {
        let (Some(response), Some(reference)) = (texts.at(RESPONSE), texts.at(REFERENCE)) else { return };
        let Some(compared) = compared(response, reference) else { return };
        let all = &mut self.open.rows.interactions.compared;
        all.push(compared);
        row.compared = u32::try_from(all.len()).ok().and_then(NonZeroU32::new);
    }

    /// Adds the measures, and remembers the answer's ids.
    fn measure(
        &mut self,
        settings: &Settings,
        log: &GatewayLog<'_>,
        texts: &Texts<'_>,
        scored: bool,
        repeat: u128,
        row: &mut Interaction,
    ) {
        let open = &mut self.open;
        let mut key = [None; Dimension::ALL.len()];
        for dimension in &settings.group_by {
            key[*dimension as usize] = match dimension {
                Dimension::Tenant => row.symbols[TENANT],
                Dimension::App => row.symbols[APP],
                // A request that failed has no model that answered.
                Dimension::ResponseModel => row.symbols[RESPONSE_MODEL].or(row.symbols[REQUEST_MODEL]),
                Dimension::PromptVersion => row.symbols[PROMPT_VERSION],
                Dimension::Variant => row.symbols[VARIANT],
                Dimension::Environment => row.symbols[ENVIRONMENT],
                Dimension::Index => row.symbols[INDEX],
                Dimension::Job | Dimension::FeedbackName => None,
            };
        }
        let (cost, cost_status) = cost(&settings.prices, log);
        row.symbols[COST_STATUS] = Some(open.rows.interactions.symbols.intern(cost_status.as_str()));
        if log.cost_usd.is_none() && cost.is_some() {
            row.symbols[PRICE_VERSION] = Some(open.rows.interactions.symbols.intern(settings.prices.version()));
        }
        row.floats.set(COST, log.cost_usd.or_else(|| cost.map(|billionths| billionths as f64 / 1e9)));
        let group = open.groups.number(&key, &mut open.rows.interactions.symbols, settings.groups_per_tenant);
        let mut cells = open.accumulator.at(log.event_time, group);
        Answer {
            status: status_class(log),
            latency_us: log.latency_ms.map(micros_from_ms),
            first_token_us: log.time_to_first_token_ms.map(micros_from_ms),
            tokens: [
                log.usage.input_tokens,
                log.usage.output_tokens,
                log.usage.cached_input_tokens,
                log.usage.cache_write_tokens,
                log.usage.reasoning_tokens,
            ],
            cost,
            cost_status: Some(cost_status),
            quota: [(log.quota.limit_tokens, log.quota.remaining_tokens), (log.quota.limit_requests, log.quota.remaining_requests)],
            prompt_length: row.integers.get(PROMPT_LENGTH),
            answer_length: row.integers.get(ANSWER_LENGTH),
            state: if scored { AnswerState::parse(self.scores.state.as_str()) } else { None },
            refusal: scored.then_some(self.scores.refusal),
            scores: row.scores.all(),
            language: if scored { self.scores.language.and_then(Category::of) } else { None },
            prediction: texts.get("prediction").and_then(Category::of),
            embedding: log.embedding.and_then(|embedding| Embedding::parse(embedding.get())),
            words: texts.words(),
        }
        .observe(&mut cells);
        observe_safety(&log.safety, &mut cells);
        if row.compared.is_some()
            && let Some(compared) = open.rows.interactions.compared.last()
        {
            compared.observe(&mut cells);
        }
        if let Some(label) = texts.at(LABEL) {
            observe_classified(&Classified::read(label, texts.at(PREDICTION), texts.at(PROBABILITY)), &mut cells);
        }

        open.note_index(settings, log.event_time, status_class(log), &row.symbols);
        let hasher = &self.hasher;
        let hash = |kind, id: &Option<Text<'_>>| id.as_ref().map(|id| hasher.id(kind, id));
        let ids = [
            Some(hasher.id(IdKind::Request, &log.request_id)),
            hash(IdKind::Span, &log.span_id),
            hash(IdKind::Response, &log.response_id),
            hash(IdKind::Trace, &log.trace_id),
            hash(IdKind::Conversation, &log.conversation_id),
        ];
        let Some(request_id) = row.texts[column(&TEXT_COLUMNS, "request_id")] else { return };
        let scored = row.scores.get(GROUNDEDNESS).map(|score| Scored { scorer: 0, hundredths: hundredths(score) });
        open.ids.push(AnswerIds { event_time: log.event_time, group, request_id, repeat, ids, scored });
        let remembered = self.recent_groups.of_epoch(group, &open.groups, &open.rows.interactions.symbols);
        self.recent.insert(&ids, log.event_time, remembered, texts.get("request_id").unwrap_or_default(), scored);
    }
}

/// The event's texts, redacted, in the order of [`TEXT_COLUMNS`].
struct Texts<'e> {
    columns: [Option<Cow<'e, str>>; TEXT_COLUMNS.len()],
    contexts: Vec<RedactedContext<'e>>,
    storage: TextStorage,
}

struct RedactedContext<'e> {
    id: Option<Cow<'e, str>>,
    text: Option<Cow<'e, str>>,
    of: &'e Context<'e>,
}

impl Texts<'_> {
    fn at(&self, column: usize) -> Option<&str> {
        self.columns.get(column)?.as_deref()
    }

    fn get(&self, name: &str) -> Option<&str> {
        let at = TEXT_COLUMNS.iter().position(|column| *column == name)?;
        self.columns.get(at)?.as_deref()
    }

    /// The words of prompt and answer, where text is stored: what is not kept is not counted either.
    fn words(&self) -> [Option<Vocabulary>; 2] {
        if self.storage == TextStorage::Full { [PROMPT, RESPONSE].map(|at| Vocabulary::of(self.at(at)?)) } else { [None; 2] }
    }
}

/// Cost in billionths of a dollar and how well it is known: the producer's own figure, else from the price table.
fn cost(prices: &Prices, log: &GatewayLog<'_>) -> (Option<i64>, CostStatus) {
    match log.cost_usd {
        Some(cost) => (Some(billionths(cost)), CostStatus::Exact),
        None => prices.cost(&Priceable {
            models: [log.response_model.as_deref(), log.request_model.as_deref()],
            service_tier: log.service_tier.as_deref(),
            at: log.event_time,
            usage: &log.usage,
        }),
    }
}

/// Whether a text column holds what people or models wrote, which a topic may choose not to keep.
fn is_free_text(at: usize) -> bool {
    const FREE: [usize; 3] =
        [column(&TEXT_COLUMNS, "prompt"), column(&TEXT_COLUMNS, "response"), column(&TEXT_COLUMNS, "reference")];
    FREE.contains(&at)
}

fn integers(log: &GatewayLog<'_>, place: &Place<'_>) -> [Option<i64>; INTEGER_COLUMNS.len()] {
    [
        log.http_status,
        log.usage.input_tokens,
        log.usage.output_tokens,
        log.usage.cached_input_tokens,
        log.usage.cache_write_tokens,
        log.usage.cache_write_1h_tokens,
        log.usage.reasoning_tokens,
        log.quota.limit_tokens,
        log.quota.limit_requests,
        log.quota.remaining_tokens,
        log.quota.remaining_requests,
        Some(i64::from(place.partition)),
        Some(place.offset),
        None,
        None,
    ]
}

fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
