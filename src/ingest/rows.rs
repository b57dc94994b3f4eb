//! Rows of the tables as ingest makes them: compact, row by row, with the text in one buffer and repeated strings as symbols.
//!
//! `lake` turns them into Arrow columns. Interactions are many, so they are laid out for speed; the other tables are few
//! and plain.

use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::measure::Compared;

/// A string that repeats, by its number in [`Symbols`] (plus one, so that `Option<Symbol>` is four bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub NonZeroU32);

/// The repeated strings of one epoch, as they are stored, found by the string as it came.
#[derive(Debug, Default)]
pub struct Symbols {
    strings: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Symbol>,
}

impl Symbols {
    /// The symbol of a string as it came, if the string was seen before.
    #[must_use]
    pub fn find(&self, raw: &str) -> Option<Symbol> {
        self.numbers.get(raw).copied()
    }

    /// Makes `stored` the string of a symbol that is found by `raw`. Strings that are stored alike share one symbol.
    pub fn insert(&mut self, raw: &str, stored: &str) -> Symbol {
        let symbol = self.numbers.get(stored).copied().unwrap_or_else(|| {
            let string: Arc<str> = stored.into();
            self.strings.push(Arc::clone(&string));
            let number = u32::try_from(self.strings.len()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
            self.numbers.insert(string, Symbol(number));
            Symbol(number)
        });
        if raw != stored {
            self.numbers.insert(raw.into(), symbol);
        }
        symbol
    }

    /// The symbol of a string that is stored as it came.
    pub fn intern(&mut self, text: &str) -> Symbol {
        self.find(text).unwrap_or_else(|| self.insert(text, text))
    }

    /// Forgets the strings as they came: from here on nothing is found or added, and nothing unredacted is left.
    pub fn seal(&mut self) {
        self.numbers = HashMap::new();
    }

    /// The string of a symbol of this epoch.
    #[must_use]
    pub fn get(&self, symbol: Symbol) -> &Arc<str> {
        &self.strings[symbol.0.get() as usize - 1]
    }

    /// The strings, in the order of their symbols.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.strings.iter()
    }

    /// Number of symbols.
    #[must_use]
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// No symbols yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }
}

/// A stretch of [`Interactions::text`]. Eight bytes, absent or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    /// Number of bytes, plus one.
    end: NonZeroU32,
}

impl Span {
    /// Of so many bytes from a place.
    #[must_use]
    pub const fn new(start: u32, len: u32) -> Self {
        Self { start, end: NonZeroU32::MIN.saturating_add(len) }
    }

    /// The stretch of a text; empty if it is none.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        let start = self.start as usize;
        text.get(start..start + self.end.get() as usize - 1).unwrap_or_default()
    }
}

/// Values of some columns of a row, any of which may be absent: half the size of as many options.
#[derive(Clone, Copy, Debug)]
pub struct Cells<T, const N: usize> {
    present: u32,
    values: [T; N],
}

impl<T: Copy + Default, const N: usize> Cells<T, N> {
    /// The value of a column.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<T> {
        if self.present >> at & 1 == 1 { self.values.get(at).copied() } else { None }
    }

    /// Sets the value of a column.
    pub fn set(&mut self, at: usize, value: Option<T>) {
        if let Some(place) = self.values.get_mut(at) {
            *place = value.unwrap_or_default();
            self.present = self.present & !(1 << at) | u32::from(value.is_some()) << at;
        }
    }

    /// All values.
    #[must_use]
    pub fn all(&self) -> [Option<T>; N] {
        std::array::from_fn(|at| self.get(at))
    }
}

impl<T: Copy + Default, const N: usize> Default for Cells<T, N> {
    fn default() -> Self {
        const { assert!(N <= 32, "one bit per column") };
        Self { present: 0, values: [T::default(); N] }
    }
}

impl<T: Copy + Default, const N: usize> From<[Option<T>; N]> for Cells<T, N> {
    fn from(values: [Option<T>; N]) -> Self {
        let mut cells = Self::default();
        for (at, value) in values.into_iter().enumerate() {
            cells.set(at, value);
        }
        cells
    }
}

/// Place of a column in its list.
///
/// # Panics
/// If the name is not in the list; where the result is a constant, that does not compile.
#[must_use]
pub const fn column(columns: &[&str], name: &str) -> usize {
    let mut at = 0;
    while at < columns.len() {
        let (left, right) = (columns[at].as_bytes(), name.as_bytes());
        let mut same = left.len() == right.len();
        let mut byte = 0;
        while same && byte < left.len() {
            same = left[byte] == right[byte];
            byte += 1;
        }
        if same {
            return at;
        }
        at += 1;
    }
    panic!("no such column")
}

/// Columns of `interactions` whose strings repeat, in the order of [`Interaction::symbols`].
pub const SYMBOL_COLUMNS: [&str; 25] = [
    "tenant",
    "app",
    "route",
    "environment",
    "user_id",
    "gateway",
    "provider",
    "deployment",
    "request_model",
    "response_model",
    "service_tier",
    "operation",
    "prompt_version",
    "variant",
    "index",
    "status",
    "error_type",
    "finish_reason",
    "usage_source",
    "cost_status",
    "price_version",
    "state",
    "scorer",
    "language",
    "source_topic",
];

/// Columns of `interactions` with text of its own per row, in the order of [`Interaction::texts`].
pub const TEXT_COLUMNS: [&str; 13] = [
    "request_id",
    "trace_id",
    "span_id",
    "response_id",
    "conversation_id",
    "prompt",
    "response",
    "reference",
    "prediction",
    "label",
    "probability",
    "embedding",
    "attributes",
];

/// Integer columns of `interactions`, in the order of [`Interaction::integers`].
pub const INTEGER_COLUMNS: [&str; 15] = [
    "http_status",
    "usage_input_tokens",
    "usage_output_tokens",
    "usage_cached_input_tokens",
    "usage_cache_write_tokens",
    "usage_cache_write_1h_tokens",
    "usage_reasoning_tokens",
    "quota_limit_tokens",
    "quota_limit_requests",
    "quota_remaining_tokens",
    "quota_remaining_requests",
    "source_partition",
    "source_offset",
    "answer_length_tokens",
    "prompt_length_tokens",
];

/// Floating-point columns of `interactions`, in the order of [`Interaction::floats`].
pub const FLOAT_COLUMNS: [&str; 3] = ["latency_ms", "time_to_first_token_ms", "cost_usd"];

/// Score columns of `interactions` (0–1, billionths inside), in the order of [`Interaction::scores`].
pub const SCORE_COLUMNS: [&str; 7] = [
    "groundedness",
    "sentence_support",
    "answer_relevance",
    "context_relevance",
    "context_precision_at_k",
    "utilization",
    "completeness",
];

/// Columns of `interactions` that compare the answer with its reference (0–1, billionths inside), in the order of
/// [`crate::measure::REFERENCE_SCORES`].
pub const REFERENCE_COLUMNS: [&str; 8] =
    ["sentence_bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "rouge_lsum", "meteor_exact_stem", "token_f1"];

/// One row of `interactions`.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// End of the request.
    pub event_time: Timestamp,
    /// Values of [`SYMBOL_COLUMNS`].
    pub symbols: [Option<Symbol>; SYMBOL_COLUMNS.len()],
    /// Values of [`TEXT_COLUMNS`].
    pub texts: [Option<Span>; TEXT_COLUMNS.len()],
    /// Values of [`INTEGER_COLUMNS`].
    pub integers: Cells<i64, { INTEGER_COLUMNS.len() }>,
    /// Values of [`FLOAT_COLUMNS`].
    pub floats: Cells<f64, { FLOAT_COLUMNS.len() }>,
    /// Values of [`SCORE_COLUMNS`], in billionths.
    pub scores: Cells<i64, { SCORE_COLUMNS.len() }>,
    /// The answer declines to answer. `None` without an answer.
    pub refusal: Option<bool>,
    /// Its passages: a range of [`Interactions::contexts`].
    pub contexts: (u32, u32),
    /// Its sentences: a range of [`Interactions::sentences`].
    pub sentences: (u32, u32),
    /// Its safety findings: a range of [`Interactions::safety`].
    pub safety: (u32, u32),
    /// Its comparison with a reference: the place in [`Interactions::compared`], plus one.
    pub compared: Option<NonZeroU32>,
}

/// One passage of an interaction.
#[derive(Clone, Debug)]
pub struct ContextRow {
    /// Id of the passage.
    pub id: Option<Span>,
    /// Text, if stored.
    pub text: Option<Span>,
    /// The retriever's score.
    pub score: Option<f64>,
    /// Where it comes from.
    pub source: Option<Symbol>,
    /// Rank, 1 = first.
    pub rank: Option<i64>,
    /// Relevance to the question, in billionths.
    pub relevance: Option<i64>,
    /// Share of it that the answer used, in billionths.
    pub utilization: Option<i64>,
}

/// One sentence of an answer: half-open span in Unicode code points of the stored response, and the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentenceRow {
    /// First code point.
    pub start: u32,
    /// After the last code point.
    pub end: u32,
    /// supported, `not_stated` or contradicted.
    pub verdict: &'static str,
}

/// One safety finding.
#[derive(Clone, Debug)]
pub struct SafetyRow {
    /// Category.
    pub category: Symbol,
    /// Severity.
    pub severity: Option<Symbol>,
    /// Withheld.
    pub filtered: Option<bool>,
    /// Found.
    pub detected: Option<bool>,
    /// `prompt` or `response`.
    pub stage: Option<&'static str>,
}

/// All interactions of an epoch.
#[derive(Debug, Default)]
pub struct Interactions {
    /// The rows, in the order they were read.
    pub rows: Vec<Interaction>,
    /// Text of all spans.
    pub text: String,
    /// Repeated strings.
    pub symbols: Symbols,
    /// Passages of all rows.
    pub contexts: Vec<ContextRow>,
    /// Sentences of all rows.
    pub sentences: Vec<SentenceRow>,
    /// Safety findings of all rows.
    pub safety: Vec<SafetyRow>,
    /// Comparisons with references of all rows that have one.
    pub compared: Vec<Compared>,
}

/// One row of `feedback`, redacted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRow {
    /// When it was given.
    pub event_time: Timestamp,
    /// Its upsert key.
    pub feedback_id: Option<String>,
    /// Target ids.
    pub target_request_id: Option<String>,
    /// Target ids.
    pub target_trace_id: Option<String>,
    /// Target ids.
    pub target_span_id: Option<String>,
    /// Target ids.
    pub target_response_id: Option<String>,
    /// Target ids.
    pub target_conversation_id: Option<String>,
    /// Customer: the feedback's own, else the answer's.
    pub tenant: Option<String>,
    /// Application: the feedback's own, else the answer's.
    pub app: Option<String>,
    /// thumbs, rating, …
    pub name: String,
    /// Score.
    pub score: Option<f64>,
    /// Label.
    pub label: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// Corrected answer.
    pub correction: Option<String>,
    /// human, `llm_judge`, code.
    pub source: Option<String>,
    /// Keyed hash of the user.
    pub user_id: Option<String>,
    /// Other fields as a JSON object.
    pub attributes: Option<String>,
    /// matched, pending, unmatched.
    pub r#match: String,
    /// Request id of the answer it was matched to.
    pub answer_request_id: Option<String>,
    /// Event time of that answer.
    pub answer_event_time: Option<Timestamp>,
    /// 0 when first written; each correction by the keeper adds one.
    pub revision: i64,
    /// Position of the record.
    pub source_topic: String,
    /// Position of the record.
    pub source_partition: i32,
    /// Position of the record.
    pub source_offset: i64,
}

/// One row of `pipeline_events`, redacted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PipelineRow {
    /// When the state changed.
    pub event_time: Timestamp,
    /// The string columns, in the order of [`PipelineRow::STRING_COLUMNS`].
    pub strings: [Option<String>; 19],
    /// The integer columns, in the order of [`PipelineRow::INTEGER_COLUMNS`].
    pub integers: [Option<i64>; 6],
    /// `started_at`, `ended_at`, `data_watermark`.
    pub times: [Option<Timestamp>; 3],
}

impl PipelineRow {
    /// Names of [`Self::strings`]; `inputs` and `outputs` are JSON lists of `{name, version}`.
    pub const STRING_COLUMNS: [&'static str; 19] = [
        "run_id",
        "parent_run_id",
        "job",
        "namespace",
        "kind",
        "state",
        "inputs",
        "outputs",
        "error_type",
        "error",
        "chunking",
        "embedding_model",
        "deployment",
        "model",
        "prompt_version",
        "tenant",
        "app",
        "attributes",
        "source_topic",
    ];
    /// Names of [`Self::integers`].
    pub const INTEGER_COLUMNS: [&'static str; 6] =
        ["rows_in", "rows_out", "rows_failed", "bytes", "source_partition", "source_offset"];
    /// Names of [`Self::times`].
    pub const TIME_COLUMNS: [&'static str; 3] = ["started_at", "ended_at", "data_watermark"];

    /// The value of a string column.
    #[must_use]
    pub fn string(&self, column: &str) -> Option<&str> {
        let at = Self::STRING_COLUMNS.iter().position(|name| *name == column)?;
        self.strings.get(at)?.as_deref()
    }
}

/// One row of `rejects`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RejectRow {
    /// The record's time, else the event time that its partition had come to, else the time of reading; decides the date.
    pub time: Timestamp,
    /// The input it counts as ([`crate::event::Input::as_str`]).
    pub input: &'static str,
    /// Why ([`crate::event::Reason::as_str`]), then what exactly.
    pub reason: &'static str,
    /// What exactly was wrong: place, value, expectation. Redacted, and without the value where text is not stored.
    pub detail: String,
    /// Position of the record.
    pub source_topic: String,
    /// Position of the record.
    pub source_partition: i32,
    /// Position of the record.
    pub source_offset: i64,
    /// Bytes of the record's value.
    pub length: i64,
    /// SHA-256 of the value, lowercase hex.
    pub sha256: String,
    /// Redacted start of the value, at most 4 KiB; `None` where text is not stored.
    pub excerpt: Option<String>,
}

/// Rows of all tables that ingest writes.
#[derive(Debug, Default)]
pub struct Rows {
    /// `interactions`.
    pub interactions: Interactions,
    /// `feedback`.
    pub feedback: Vec<FeedbackRow>,
    /// `pipeline_events`.
    pub pipeline_events: Vec<PipelineRow>,
    /// `rejects`.
    pub rejects: Vec<RejectRow>,
}
