//! The base measures: what ingest adds up per pane and group, each with its input, unit and histogram edges.
//!
//! A measure is a stream of integers in a stated unit. What readers see (rates, means, quantiles) is derived from measures as
//! `schemas/metrics.yaml` says. Adding a measure appends a line: the numbers are part of stored partials and never change.

use super::{Edges, Measure};
use crate::event::Input;

/// What is fixed about a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasureInfo {
    /// Its name in `schemas/metrics.yaml`.
    pub name: &'static str,
    /// The input whose events carry it, and whose watermark closes its panes.
    pub input: Input,
    /// Integer units in one published unit: a published number is the integer divided by this.
    pub scale: i64,
    /// Edges of its histogram.
    pub edges: Edges,
    /// Made by a versioned scorer: values of different scorers are never added.
    pub scored: bool,
}

macro_rules! measures {
    ($($(#[$doc:meta])* $id:ident = $number:literal, $name:literal, $input:ident, $scale:expr, $edges:ident, $scored:literal;)*) => {
        $($(#[$doc])* pub const $id: Measure = Measure($number);)*

        /// Number of measures.
        pub const COUNT: usize = [$($number),*].len();

        /// All measures; the place is the number.
        pub static ALL: [MeasureInfo; COUNT] = [
            $(MeasureInfo { name: $name, input: Input::$input, scale: $scale, edges: Edges::$edges, scored: $scored },)*
        ];
    };
}

/// Scores, ratios and money are kept in billionths.
const BILLION: i64 = 1_000_000_000;

measures! {
    /// Requests; the value is 1.
    REQUESTS = 0, "requests", Gateway, 1, None, false;
    /// Requests refused by the provider for a fault of the client.
    STATUS_CLIENT_4XX = 1, "status.client_4xx", Gateway, 1, None, false;
    /// Requests refused for lack of quota.
    STATUS_THROTTLED_429 = 2, "status.throttled_429", Gateway, 1, None, false;
    /// Requests that failed at the provider.
    STATUS_PROVIDER_5XX = 3, "status.provider_5xx", Gateway, 1, None, false;
    /// Requests without an answer in time.
    STATUS_TIMEOUT = 4, "status.timeout", Gateway, 1, None, false;
    /// Requests stopped by a content filter.
    STATUS_CONTENT_FILTERED = 5, "status.content_filtered", Gateway, 1, None, false;
    /// Requests whose client went away.
    STATUS_CANCELLED = 6, "status.cancelled", Gateway, 1, None, false;
    /// Whole duration of a request, microseconds.
    LATENCY = 7, "latency", Gateway, 1_000, Logarithmic, false;
    /// Time to the first token, microseconds.
    FIRST_TOKEN = 8, "time_to_first_token", Gateway, 1_000, Logarithmic, false;
    /// Time per output token after the first, microseconds.
    PER_TOKEN = 9, "time_per_output_token", Gateway, 1_000, Logarithmic, false;
    /// Input tokens, cached ones included.
    TOKENS_INPUT = 10, "tokens.input", Gateway, 1, Logarithmic, false;
    /// Output tokens, reasoning included.
    TOKENS_OUTPUT = 11, "tokens.output", Gateway, 1, Logarithmic, false;
    /// Input tokens read from the provider's cache.
    TOKENS_CACHED = 12, "tokens.cached", Gateway, 1, None, false;
    /// Input tokens written to the provider's cache.
    TOKENS_CACHE_WRITE = 13, "tokens.cache_write", Gateway, 1, None, false;
    /// Output tokens spent on reasoning.
    TOKENS_REASONING = 14, "tokens.reasoning", Gateway, 1, None, false;
    /// Cost, billionths of a US dollar; no value where it is not known.
    COST = 15, "cost", Gateway, BILLION, None, false;
    /// Requests whose cost is an estimate.
    COST_ESTIMATED = 16, "cost.estimated", Gateway, 1, None, false;
    /// Requests whose model has no price.
    COST_UNPRICED = 17, "cost.unpriced", Gateway, 1, None, false;
    /// Requests without the counts a price needs.
    COST_USAGE_MISSING = 18, "cost.usage_missing", Gateway, 1, None, false;
    /// Share of the rate limit that is left, the lesser of tokens and requests.
    QUOTA_HEADROOM = 19, "quota.headroom", Gateway, BILLION, None, false;
    /// Length of the prompt in tokens.
    PROMPT_LENGTH = 20, "prompt_length", Gateway, 1, Logarithmic, false;
    /// Length of the answer in tokens.
    ANSWER_LENGTH = 21, "answer_length", Gateway, 1, Logarithmic, false;
    /// Groundedness of an answer.
    GROUNDEDNESS = 22, "groundedness", Gateway, BILLION, Linear, true;
    /// Share of an answer's sentences that are supported.
    SENTENCE_SUPPORT = 23, "sentence_support", Gateway, BILLION, Linear, true;
    /// Does the answer address the question.
    ANSWER_RELEVANCE = 24, "answer_relevance", Gateway, BILLION, Linear, true;
    /// Are the contexts about the question.
    CONTEXT_RELEVANCE = 25, "context_relevance", Gateway, BILLION, Linear, true;
    /// Rank-weighted precision of the contexts.
    CONTEXT_PRECISION = 26, "context_precision_at_k", Gateway, BILLION, Linear, true;
    /// Share of the contexts that the answer used.
    UTILIZATION = 27, "utilization", Gateway, BILLION, Linear, true;
    /// Share of the relevant context that the answer used.
    COMPLETENESS = 28, "completeness", Gateway, BILLION, Linear, true;
    /// Answers looked at: the value is 1; bad are those that decline to answer.
    REFUSAL = 29, "refusal", Gateway, 1, None, true;
    /// Answers that were scored for groundedness.
    STATE_SCORED = 30, "state.scored", Gateway, 1, None, true;
    /// Answers that claim nothing.
    STATE_NO_CLAIMS = 31, "state.no_claims", Gateway, 1, None, true;
    /// Answers that decline.
    STATE_ABSTAINED = 32, "state.abstained", Gateway, 1, None, true;
    /// Answers without contexts.
    STATE_NO_CONTEXT = 33, "state.no_context", Gateway, 1, None, true;
    /// Answers or contexts beyond the limit.
    STATE_TOO_LONG = 34, "state.too_long", Gateway, 1, None, true;
    /// Answers in another language than their contexts.
    STATE_LANGUAGE_MISMATCH = 35, "state.language_mismatch", Gateway, 1, None, true;
    /// Requests checked for content safety; bad are those flagged in any category.
    SAFETY_ANY = 36, "content_safety.any", Gateway, 1, None, false;
    /// Checked for hate; bad are the flagged.
    SAFETY_HATE = 37, "content_safety.hate", Gateway, 1, None, false;
    /// Checked for self-harm; bad are the flagged.
    SAFETY_SELF_HARM = 38, "content_safety.self_harm", Gateway, 1, None, false;
    /// Checked for sexual content; bad are the flagged.
    SAFETY_SEXUAL = 39, "content_safety.sexual", Gateway, 1, None, false;
    /// Checked for violence; bad are the flagged.
    SAFETY_VIOLENCE = 40, "content_safety.violence", Gateway, 1, None, false;
    /// Checked for attempts to break the model's rules; bad are the flagged.
    SAFETY_JAILBREAK = 41, "content_safety.jailbreak", Gateway, 1, None, false;
    /// Checked for anything else; bad are the flagged.
    SAFETY_OTHER = 42, "content_safety.other", Gateway, 1, None, false;
    /// Feedback by its own time, without regard to its name.
    FEEDBACK = 43, "feedback", Feedback, 1, None, false;
    /// Feedback that is good or bad, by its own time and name; bad counts the positive ones (it is the numerator).
    FEEDBACK_POSITIVE = 44, "feedback.positive", Feedback, 1, None, false;
    /// Scores of feedback, by its own time and name.
    FEEDBACK_SCORE = 45, "feedback.score", Feedback, BILLION, None, false;
    /// Answers with at least one feedback, by the answer's time.
    ANSWER_RATED = 46, "answer.rated", Feedback, 1, None, false;
    /// As [`FEEDBACK_POSITIVE`], by the answer's time.
    ANSWER_POSITIVE = 47, "answer.positive", Feedback, 1, None, false;
    /// As [`FEEDBACK_SCORE`], by the answer's time.
    ANSWER_SCORE = 48, "answer.score", Feedback, BILLION, None, false;
    /// Runs that ended; bad are those that failed or were aborted.
    PIPELINE_ENDED = 49, "pipeline.ended", Pipeline, 1, None, false;
    /// Duration of a run, microseconds.
    PIPELINE_DURATION = 50, "pipeline.duration", Pipeline, 1_000_000, Logarithmic, false;
    /// Rows written by a run.
    PIPELINE_ROWS_OUT = 51, "pipeline.rows_out", Pipeline, 1, None, false;
    /// Rows that failed in a run.
    PIPELINE_ROWS_FAILED = 52, "pipeline.rows_failed", Pipeline, 1, None, false;
    /// Publication of an index: the value is its time in microseconds, of which the greatest counts.
    INDEX_PUBLISHED = 53, "index.published", Pipeline, 1_000_000, None, false;
    /// Language of the answer; no value where none stands out.
    LANGUAGE = 54, "language", Gateway, 1, Category, true;
    /// Predicted class, for classification.
    PREDICTION = 55, "prediction", Gateway, 1, Category, false;
    /// BLEU: single tokens of answers that stand in their references.
    BLEU_MATCHED_1 = 56, "bleu.matched_1", Gateway, 1, None, false;
    /// BLEU: pairs of tokens of answers that stand in their references.
    BLEU_MATCHED_2 = 57, "bleu.matched_2", Gateway, 1, None, false;
    /// BLEU: runs of three tokens of answers that stand in their references.
    BLEU_MATCHED_3 = 58, "bleu.matched_3", Gateway, 1, None, false;
    /// BLEU: runs of four tokens of answers that stand in their references.
    BLEU_MATCHED_4 = 59, "bleu.matched_4", Gateway, 1, None, false;
    /// BLEU: single tokens of answers.
    BLEU_NGRAMS_1 = 60, "bleu.ngrams_1", Gateway, 1, None, false;
    /// BLEU: pairs of tokens of answers.
    BLEU_NGRAMS_2 = 61, "bleu.ngrams_2", Gateway, 1, None, false;
    /// BLEU: runs of three tokens of answers.
    BLEU_NGRAMS_3 = 62, "bleu.ngrams_3", Gateway, 1, None, false;
    /// BLEU: runs of four tokens of answers.
    BLEU_NGRAMS_4 = 63, "bleu.ngrams_4", Gateway, 1, None, false;
    /// BLEU: tokens of references; its values count the answers that were compared.
    BLEU_REFERENCE_LENGTH = 64, "bleu.reference_length", Gateway, 1, None, false;
    /// BLEU of one answer.
    SENTENCE_BLEU = 65, "sentence_bleu", Gateway, BILLION, Linear, false;
    /// Runs of letters in common with the reference.
    CHRF = 66, "chrf", Gateway, BILLION, Linear, false;
    /// F-measure of single words in common.
    ROUGE_1 = 67, "rouge_1", Gateway, BILLION, Linear, false;
    /// F-measure of pairs of words in common.
    ROUGE_2 = 68, "rouge_2", Gateway, BILLION, Linear, false;
    /// F-measure of the longest common subsequence.
    ROUGE_L = 69, "rouge_l", Gateway, BILLION, Linear, false;
    /// The same over lines.
    ROUGE_LSUM = 70, "rouge_lsum", Gateway, BILLION, Linear, false;
    /// METEOR without synonyms.
    METEOR = 71, "meteor_exact_stem", Gateway, BILLION, Linear, false;
    /// Harmonic mean of words in common.
    TOKEN_F1 = 72, "token_f1", Gateway, BILLION, Linear, false;
    /// Answers compared with a reference; bad counts those that equal it (it is the numerator).
    EXACT_MATCH = 73, "exact_match", Gateway, 1, None, false;
    /// Records with a label and a prediction; bad counts those where both agree (it is the numerator).
    CLASSIFIED = 74, "classified", Gateway, 1, None, false;
    /// Cross-entropy of the label under the probabilities given, billionths of a nat.
    CROSS_ENTROPY = 75, "cross_entropy", Gateway, BILLION, None, false;
    /// Squared distance of the probabilities from the label.
    BRIER = 76, "brier", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.0, 0.1].
    CALIBRATION_1 = 77, "calibration.bin_1", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.1, 0.2].
    CALIBRATION_2 = 78, "calibration.bin_2", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.2, 0.3].
    CALIBRATION_3 = 79, "calibration.bin_3", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.3, 0.4].
    CALIBRATION_4 = 80, "calibration.bin_4", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.4, 0.5].
    CALIBRATION_5 = 81, "calibration.bin_5", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.5, 0.6].
    CALIBRATION_6 = 82, "calibration.bin_6", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.6, 0.7].
    CALIBRATION_7 = 83, "calibration.bin_7", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.7, 0.8].
    CALIBRATION_8 = 84, "calibration.bin_8", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.8, 0.9].
    CALIBRATION_9 = 85, "calibration.bin_9", Gateway, BILLION, None, false;
    /// Confidence minus correctness where the confidence is in (0.9, 1.0].
    CALIBRATION_10 = 86, "calibration.bin_10", Gateway, BILLION, None, false;
    /// True classes of records with a prediction.
    CLASS_LABELLED = 87, "class.labelled", Gateway, 1, Category, false;
    /// Predicted classes of records with a label.
    CLASS_PREDICTED = 88, "class.predicted", Gateway, 1, Category, false;
    /// True classes of records whose prediction is right.
    CLASS_CORRECT = 89, "class.correct", Gateway, 1, Category, false;
    /// Tokens that the rate limit leaves after a request.
    QUOTA_TOKENS_LEFT = 90, "quota.tokens_left", Gateway, 1, None, false;
    /// Requests that the rate limit leaves after a request.
    QUOTA_REQUESTS_LEFT = 91, "quota.requests_left", Gateway, 1, None, false;
    /// Positive feedback of any name, by the answer's time, in the answer's own group.
    ANSWER_PRAISED = 92, "answer.praised", Feedback, 1, None, false;
    /// Prompts checked for hate; bad are the flagged.
    SAFETY_HATE_PROMPT = 93, "content_safety.hate.prompt", Gateway, 1, None, false;
    /// Responses checked for hate; bad are the flagged.
    SAFETY_HATE_RESPONSE = 94, "content_safety.hate.response", Gateway, 1, None, false;
    /// Prompts checked for self-harm; bad are the flagged.
    SAFETY_SELF_HARM_PROMPT = 95, "content_safety.self_harm.prompt", Gateway, 1, None, false;
    /// Responses checked for self-harm; bad are the flagged.
    SAFETY_SELF_HARM_RESPONSE = 96, "content_safety.self_harm.response", Gateway, 1, None, false;
    /// Prompts checked for sexual content; bad are the flagged.
    SAFETY_SEXUAL_PROMPT = 97, "content_safety.sexual.prompt", Gateway, 1, None, false;
    /// Responses checked for sexual content; bad are the flagged.
    SAFETY_SEXUAL_RESPONSE = 98, "content_safety.sexual.response", Gateway, 1, None, false;
    /// Prompts checked for violence; bad are the flagged.
    SAFETY_VIOLENCE_PROMPT = 99, "content_safety.violence.prompt", Gateway, 1, None, false;
    /// Responses checked for violence; bad are the flagged.
    SAFETY_VIOLENCE_RESPONSE = 100, "content_safety.violence.response", Gateway, 1, None, false;
    /// Prompts checked for attempts to break the model's rules; bad are the flagged.
    SAFETY_JAILBREAK_PROMPT = 101, "content_safety.jailbreak.prompt", Gateway, 1, None, false;
    /// Responses checked for attempts to break the model's rules; bad are the flagged.
    SAFETY_JAILBREAK_RESPONSE = 102, "content_safety.jailbreak.response", Gateway, 1, None, false;
    /// Prompts checked for anything else; bad are the flagged.
    SAFETY_OTHER_PROMPT = 103, "content_safety.other.prompt", Gateway, 1, None, false;
    /// Responses checked for anything else; bad are the flagged.
    SAFETY_OTHER_RESPONSE = 104, "content_safety.other.response", Gateway, 1, None, false;
    /// Checked requests whose most severe finding is low.
    SAFETY_WORST_LOW = 105, "content_safety.worst_low", Gateway, 1, None, false;
    /// Checked requests whose most severe finding is medium.
    SAFETY_WORST_MEDIUM = 106, "content_safety.worst_medium", Gateway, 1, None, false;
    /// Checked requests whose most severe finding is high.
    SAFETY_WORST_HIGH = 107, "content_safety.worst_high", Gateway, 1, None, false;
    /// Groundedness of answers of at most 32 tokens.
    GROUNDEDNESS_UPTO_32 = 108, "groundedness.upto_32", Gateway, BILLION, None, true;
    /// Groundedness of answers of 33 to 128 tokens.
    GROUNDEDNESS_UPTO_128 = 109, "groundedness.upto_128", Gateway, BILLION, None, true;
    /// Groundedness of answers of 129 to 512 tokens.
    GROUNDEDNESS_UPTO_512 = 110, "groundedness.upto_512", Gateway, BILLION, None, true;
    /// Groundedness of answers of more than 512 tokens.
    GROUNDEDNESS_ABOVE_512 = 111, "groundedness.above_512", Gateway, BILLION, None, true;
    /// Embedding of the prompt, where events carry one.
    EMBEDDING = 112, "embedding", Gateway, 1, Vector, false;
    /// Records of gateway logs by fate, late ones once more; bad are the refused.
    LEDGER_GATEWAY = 113, "ledger.gateway", Gateway, 1, Category, false;
    /// Records of feedback by fate, likewise.
    LEDGER_FEEDBACK = 114, "ledger.feedback", Feedback, 1, Category, false;
    /// Records of pipeline events by fate, likewise.
    LEDGER_PIPELINE = 115, "ledger.pipeline", Pipeline, 1, Category, false;
    /// Answers that name the version of an index: their event times, microseconds since 1970, by tenant, application and version.
    INDEX_ANSWERED = 116, "index.answered", Gateway, 1_000_000, None, false;
    /// Successful publications of a version of an index: their times, likewise.
    INDEX_VERSION = 117, "index.version_published", Pipeline, 1_000_000, None, false;
    /// Groundedness, in whole hundredths, of answers by each positive human feedback on them; by the answer's time, in its own group.
    ANSWER_PRAISED_GROUNDEDNESS = 118, "answer.praised_groundedness", Feedback, BILLION, Linear, true;
    /// The same by each negative human feedback.
    ANSWER_RATED_DOWN_GROUNDEDNESS = 119, "answer.rated_down_groundedness", Feedback, BILLION, Linear, true;
    /// Seconds from the answer to its feedback, by the answer's time, in its own group.
    ANSWER_DELAY = 120, "answer.delay", Feedback, 1, Logarithmic, false;
    /// Words of the prompt, where text is stored; the value is the number of their buckets.
    PROMPT_VOCABULARY = 121, "prompt_vocabulary", Gateway, 1, Words, false;
    /// Words of the answer, likewise.
    ANSWER_VOCABULARY = 122, "answer_vocabulary", Gateway, 1, Words, false;
}

/// What was measured of these may change later: a new price table, or feedback that replaces an earlier one.
#[must_use]
pub const fn is_corrected(measure: Measure) -> bool {
    is_cost(measure) || is_by_answer(measure) || matches!(measure, FEEDBACK | FEEDBACK_POSITIVE | FEEDBACK_SCORE)
}

/// Measures that are counted by the time of the answer, not of the feedback that brings them. They exist per hour only.
#[must_use]
pub const fn is_by_answer(measure: Measure) -> bool {
    matches!(
        measure,
        ANSWER_RATED
            | ANSWER_POSITIVE
            | ANSWER_SCORE
            | ANSWER_PRAISED
            | ANSWER_PRAISED_GROUNDEDNESS
            | ANSWER_RATED_DOWN_GROUNDEDNESS
            | ANSWER_DELAY
    )
}

/// Counts of records, which belong to no group.
#[must_use]
pub const fn is_ledger(measure: Measure) -> bool {
    matches!(measure, LEDGER_GATEWAY | LEDGER_FEEDBACK | LEDGER_PIPELINE)
}

/// Measures that follow from prices.
#[must_use]
pub const fn is_cost(measure: Measure) -> bool {
    matches!(measure, COST | COST_ESTIMATED | COST_UNPRICED | COST_USAGE_MISSING)
}

impl Measure {
    /// What is fixed about it.
    ///
    /// # Panics
    /// Never for the constants of this module; a number read from elsewhere goes through [`Measure::new`].
    #[must_use]
    pub const fn info(self) -> &'static MeasureInfo {
        &ALL[self.0 as usize]
    }

    /// The measure of a stored number, if this version knows it.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if (number as usize) < COUNT { Some(Self(number)) } else { None }
    }

    /// The measure of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        (0_u16..).zip(&ALL).find(|(_, info)| info.name == name).map(|(number, _)| Self(number))
    }

    /// The index into tables of all measures.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_its_place_and_every_name_is_its_own() {
        for (place, info) in ALL.iter().enumerate() {
            assert_eq!(Measure::named(info.name).map(Measure::index), Some(place), "{}", info.name);
        }
        assert_eq!(Measure::new(u16::try_from(COUNT).unwrap()), None);
    }
}
