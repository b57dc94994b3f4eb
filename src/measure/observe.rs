//! What one event adds to which measures: the single place that says so, for the stream and for recomputation alike.
//!
//! Values arrive as exact integers; the conversions from the events' numbers (half to even, once) are here too. Which group
//! and which time an event belongs to is the caller's to say.

use super::{Category, Embedding, Measure, StatusClass, Vocabulary, accumulate::CellsAt, measures};

/// Milliseconds to microseconds.
#[must_use]
pub fn micros_from_ms(ms: f64) -> i64 {
    rounded(ms * 1_000.0)
}

/// A score, a ratio or an amount of US dollars to billionths.
#[must_use]
pub fn billionths(value: f64) -> i64 {
    rounded(value * 1e9)
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what an absurd value deserves")]
fn rounded(value: f64) -> i64 {
    value.round_ties_even() as i64
}

/// State of an answer, decided before scoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerState {
    /// Scored.
    Scored,
    /// Claims nothing.
    NoClaims,
    /// Declines to answer.
    Abstained,
    /// Nothing to be grounded in.
    NoContext,
    /// Beyond the limit.
    TooLong,
    /// Answer and contexts in different languages.
    LanguageMismatch,
}

impl AnswerState {
    /// All states with their names in the `state` column and the measures that count them.
    pub const ALL: [(Self, &'static str, Measure); 6] = [
        (Self::Scored, "scored", measures::STATE_SCORED),
        (Self::NoClaims, "no_claims", measures::STATE_NO_CLAIMS),
        (Self::Abstained, "abstained", measures::STATE_ABSTAINED),
        (Self::NoContext, "no_context", measures::STATE_NO_CONTEXT),
        (Self::TooLong, "too_long", measures::STATE_TOO_LONG),
        (Self::LanguageMismatch, "language_mismatch", measures::STATE_LANGUAGE_MISMATCH),
    ];

    /// The state of a stored name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(state, _, _)| *state)
    }

    /// The measure that counts it.
    #[must_use]
    pub fn measure(self) -> Measure {
        match self {
            Self::Scored => measures::STATE_SCORED,
            Self::NoClaims => measures::STATE_NO_CLAIMS,
            Self::Abstained => measures::STATE_ABSTAINED,
            Self::NoContext => measures::STATE_NO_CONTEXT,
            Self::TooLong => measures::STATE_TOO_LONG,
            Self::LanguageMismatch => measures::STATE_LANGUAGE_MISMATCH,
        }
    }
}

/// How well the cost of a request is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CostStatus {
    /// From the producer, or reported counts and a known price.
    Exact,
    /// From estimated counts.
    Estimated,
    /// The model has no price.
    Unpriced,
    /// Counts are missing.
    UsageMissing,
}

impl CostStatus {
    /// The name in the `cost_status` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Estimated => "estimated",
            Self::Unpriced => "unpriced",
            Self::UsageMissing => "usage_missing",
        }
    }

    /// The status of a stored name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Exact, Self::Estimated, Self::Unpriced, Self::UsageMissing].into_iter().find(|status| status.as_str() == name)
    }
}

/// The measures of the score columns of `interactions`, in their order: groundedness, `sentence_support`, `answer_relevance`,
/// `context_relevance`, `context_precision_at_k`, utilization, completeness.
pub const SCORES: [Measure; 7] = [
    measures::GROUNDEDNESS,
    measures::SENTENCE_SUPPORT,
    measures::ANSWER_RELEVANCE,
    measures::CONTEXT_RELEVANCE,
    measures::CONTEXT_PRECISION,
    measures::UTILIZATION,
    measures::COMPLETENESS,
];

/// The measure of groundedness of answers of about this length, in tokens.
const fn length_band(tokens: i64) -> Measure {
    match tokens {
        ..=32 => measures::GROUNDEDNESS_UPTO_32,
        33..=128 => measures::GROUNDEDNESS_UPTO_128,
        129..=512 => measures::GROUNDEDNESS_UPTO_512,
        _ => measures::GROUNDEDNESS_ABOVE_512,
    }
}

/// What is measured of one request with its answer. `None` is unknown, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How the request ended.
    pub status: StatusClass,
    /// Whole duration, microseconds.
    pub latency_us: Option<i64>,
    /// Time to the first token, microseconds.
    pub first_token_us: Option<i64>,
    /// Tokens: input, output, cached input, cache write, reasoning.
    pub tokens: [Option<i64>; 5],
    /// Cost, billionths of a US dollar.
    pub cost: Option<i64>,
    /// How well the cost is known; `None` where cost is not looked at.
    pub cost_status: Option<CostStatus>,
    /// Limits and what is left of them: (limit, remaining) of tokens and of requests.
    pub quota: [(Option<i64>, Option<i64>); 2],
    /// Length of the prompt in tokens.
    pub prompt_length: Option<i64>,
    /// Length of the answer in tokens.
    pub answer_length: Option<i64>,
    /// State of the answer; `None` where nothing was looked at.
    pub state: Option<AnswerState>,
    /// The answer declines.
    pub refusal: Option<bool>,
    /// Scores in the order of [`SCORES`], billionths.
    pub scores: [Option<i64>; 7],
    /// Language of the answer.
    pub language: Option<Category>,
    /// Predicted class.
    pub prediction: Option<Category>,
    /// Embedding of the prompt.
    pub embedding: Option<Embedding>,
    /// Words of prompt and answer, where text is stored.
    pub words: [Option<Vocabulary>; 2],
}

impl Answer {
    /// A request of which nothing but its end is known.
    #[must_use]
    pub const fn new(status: StatusClass) -> Self {
        Self {
            status,
            latency_us: None,
            first_token_us: None,
            tokens: [None; 5],
            cost: None,
            cost_status: None,
            quota: [(None, None); 2],
            prompt_length: None,
            answer_length: None,
            state: None,
            refusal: None,
            scores: [None; 7],
            language: None,
            prediction: None,
            embedding: None,
            words: [None; 2],
        }
    }

    /// Adds the request to its pane and group.
    pub fn observe(&self, cells: &mut CellsAt<'_>) {
        cells.count(measures::REQUESTS);
        if let Some(class) = self.status.measure() {
            cells.count(class);
        }
        cells.add_or_null(measures::LATENCY, self.latency_us);
        cells.add_if(measures::FIRST_TOKEN, self.first_token_us);
        let [input, output, cached, cache_write, reasoning] = self.tokens;
        cells.add_or_null(measures::TOKENS_INPUT, input);
        cells.add_or_null(measures::TOKENS_OUTPUT, output);
        cells.add_if(measures::TOKENS_CACHED, cached);
        cells.add_if(measures::TOKENS_CACHE_WRITE, cache_write);
        cells.add_if(measures::TOKENS_REASONING, reasoning);
        if let Some(per_token) = self.per_token_us() {
            cells.add(measures::PER_TOKEN, per_token);
        }
        self.observe_cost(cells);
        cells.add_if(measures::QUOTA_HEADROOM, self.headroom());
        let [(_, tokens_left), (_, requests_left)] = self.quota;
        cells.add_if(measures::QUOTA_TOKENS_LEFT, tokens_left);
        cells.add_if(measures::QUOTA_REQUESTS_LEFT, requests_left);
        cells.add_if(measures::PROMPT_LENGTH, self.prompt_length);
        cells.add_if(measures::ANSWER_LENGTH, self.answer_length);
        if let Some(state) = self.state {
            cells.count(state.measure());
            if let (Some(length), [Some(groundedness), ..]) = (self.answer_length, self.scores) {
                cells.add(length_band(length), groundedness);
            }
            for (measure, score) in SCORES.into_iter().zip(self.scores) {
                cells.add_or_null(measure, score);
            }
            match self.language {
                Some(language) => cells.add_category(measures::LANGUAGE, language),
                None => cells.add_null(measures::LANGUAGE),
            }
        }
        if let Some(prediction) = self.prediction {
            cells.add_category(measures::PREDICTION, prediction);
        }
        if let Some(embedding) = &self.embedding {
            cells.add_vector(measures::EMBEDDING, embedding);
        }
        for (measure, words) in [measures::PROMPT_VOCABULARY, measures::ANSWER_VOCABULARY].into_iter().zip(&self.words) {
            if let Some(words) = words {
                cells.add_words(measure, words);
            }
        }
        match self.refusal {
            Some(true) => cells.count_bad(measures::REFUSAL),
            Some(false) => cells.count(measures::REFUSAL),
            None => {}
        }
    }

    fn observe_cost(&self, cells: &mut CellsAt<'_>) {
        let Some(status) = self.cost_status else { return };
        cells.add_or_null(measures::COST, self.cost);
        match status {
            CostStatus::Exact => {}
            CostStatus::Estimated => cells.count(measures::COST_ESTIMATED),
            CostStatus::Unpriced => cells.count(measures::COST_UNPRICED),
            CostStatus::UsageMissing => cells.count(measures::COST_USAGE_MISSING),
        }
    }

    /// (latency − time to first token) / (output tokens − 1), microseconds, half to even; for answers of at least two tokens.
    fn per_token_us(&self) -> Option<i64> {
        let tokens = self.tokens[1].filter(|tokens| *tokens >= 2)? - 1;
        let rest = self.latency_us?.checked_sub(self.first_token_us?).filter(|rest| *rest >= 0)?;
        let (whole, remainder) = (rest / tokens, rest % tokens);
        let up = match (remainder * 2).cmp(&tokens) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => whole & 1,
            std::cmp::Ordering::Greater => 1,
        };
        Some(whole + up)
    }

    /// The lesser of remaining/limit over tokens and requests, billionths, kept within 0–1.
    fn headroom(&self) -> Option<i64> {
        let share = |(limit, remaining): (Option<i64>, Option<i64>)| {
            let limit = limit.filter(|limit| *limit > 0)?;
            Some(billionths((remaining? as f64 / limit as f64).clamp(0.0, 1.0)))
        };
        self.quota.into_iter().filter_map(share).min()
    }
}

/// Whether feedback speaks for or against the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// For it.
    Positive,
    /// Against it.
    Negative,
    /// Neither, or not known for its name.
    Unknown,
}

/// Adds one feedback by its own time, in its group with its name. ([`measures::FEEDBACK`] is counted apart, in the group
/// without the name; and [`measures::ANSWER_RATED`] at the first feedback of an answer, in the answer's own group.)
pub fn observe_feedback(score: Option<i64>, polarity: Polarity, mut cells: CellsAt<'_>) {
    observe_rating([measures::FEEDBACK_POSITIVE, measures::FEEDBACK_SCORE], score, polarity, &mut cells);
}

/// Counts one feedback in a measure of polarity and one of scores.
pub(super) fn observe_rating([positive, scores]: [Measure; 2], score: Option<i64>, polarity: Polarity, cells: &mut CellsAt<'_>) {
    match polarity {
        Polarity::Positive => cells.count_bad(positive),
        Polarity::Negative => cells.count(positive),
        Polarity::Unknown => cells.add_null(positive),
    }
    cells.add_or_null(scores, score);
}

/// What is measured of one run that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedRun {
    /// It failed or was aborted.
    pub failed: bool,
    /// Its duration, microseconds.
    pub duration_us: Option<i64>,
    /// Rows written.
    pub rows_out: Option<i64>,
    /// Rows that failed.
    pub rows_failed: Option<i64>,
    /// Time at which it published an index, microseconds since 1970: only for a run that completed without failed rows.
    pub published_us: Option<i64>,
}

impl EndedRun {
    /// Adds the run to the pane of its end and its group.
    pub fn observe(&self, cells: &mut CellsAt<'_>) {
        if self.failed {
            cells.count_bad(measures::PIPELINE_ENDED);
        } else {
            cells.count(measures::PIPELINE_ENDED);
        }
        cells.add_if(measures::PIPELINE_DURATION, self.duration_us);
        cells.add_if(measures::PIPELINE_ROWS_OUT, self.rows_out);
        cells.add_if(measures::PIPELINE_ROWS_FAILED, self.rows_failed);
        cells.add_if(measures::INDEX_PUBLISHED, self.published_us.filter(|_| !self.failed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::measure::{Accumulator, Partial};

    fn observed(observe: impl FnOnce(&mut CellsAt<'_>)) -> Vec<(&'static str, Partial)> {
        let mut accumulator = Accumulator::default();
        observe(&mut accumulator.at(Timestamp(0), 0));
        accumulator.take(Vec::new()).rows.into_iter().map(|row| (row.measure.info().name, row.partial)).collect()
    }

    #[test]
    fn a_bare_request_counts_itself_and_what_it_lacks() {
        let rows = observed(|cells| Answer::new(StatusClass::Throttled429).observe(cells));
        let seen: Vec<_> = rows.iter().map(|(name, partial)| (*name, partial.n, partial.n_null)).collect();
        assert_eq!(
            seen,
            [
                ("requests", 1, 0),
                ("status.throttled_429", 1, 0),
                ("latency", 0, 1),
                ("tokens.input", 0, 1),
                ("tokens.output", 0, 1),
            ]
        );
    }

    #[test]
    fn time_per_token_and_headroom_follow_their_formulas() {
        let answer = Answer {
            latency_us: Some(1_000_000),
            first_token_us: Some(100_000),
            tokens: [Some(10), Some(7), None, None, None],
            quota: [(Some(1_000), Some(250)), (Some(60), Some(45))],
            ..Answer::new(StatusClass::Ok)
        };
        let rows = observed(|cells| answer.observe(cells));
        let sum = |wanted: &str| rows.iter().find(|(name, _)| *name == wanted).map(|(_, partial)| partial.sum);
        assert_eq!(sum("time_per_output_token"), Some(150_000));
        assert_eq!(sum("quota.headroom"), Some(250_000_000));
    }

    #[test]
    fn a_failed_run_never_publishes() {
        let run = EndedRun { failed: true, duration_us: None, rows_out: None, rows_failed: Some(3), published_us: Some(5) };
        let names: Vec<_> = observed(|cells| run.observe(cells)).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["pipeline.ended", "pipeline.rows_failed"]);
    }
}
