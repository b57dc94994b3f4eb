//! Text → scores: what an answer owes to its contexts and to its question.
//!
//! A [`Scorer`] reads one answer with its question and contexts and says in which state it is, whether its sentences are
//! supported, and how relevant answer and contexts are. No model is run: the evidence is shared words, numbers, names
//! and opposites, read in some forty microseconds for a usual answer. [`reference`](mod@reference) compares an answer with the one that was expected.
//!
//! Guaranteed: the same input gives the same scores however many answers were read before; time and memory grow linearly
//! with the text, whatever it holds; nothing is allocated per token once the buffers have grown; groundedness is monotone in
//! each piece of evidence.
//!
//! Not done: judging facts the contexts do not speak of, following a paraphrase that shares no word, resolving
//! pronouns, or reading synonyms and opposites in languages other than English. See `docs/quality.md` for what was measured.

mod boundary;
pub mod evidence;
mod fold;
mod groundedness;
mod hash;
mod index;
mod language;
mod layout;
mod lexicon;
mod number;
mod passages;
pub mod reference;
mod refusal;
mod relevance;
mod roles;
mod scorer;
mod stem;
mod table;
mod token;

pub use scorer::{Scorer, Settings};

/// Name and version written beside every score; a change that moves any score changes it.
pub const SCORER: &str = "lexical-3";

/// One text the model was given.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// As the event names it; not read.
    pub id: Option<&'a str>,
    /// The text as the model saw it.
    pub text: &'a str,
}

/// An answer with what it answers and what it was given.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The question; its words count as support.
    pub prompt: Option<&'a str>,
    /// The answer.
    pub response: Option<&'a str>,
    /// In the order of their rank.
    pub contexts: &'a [Context<'a>],
}

/// What can be said about an answer at all; only `Scored` answers enter quality means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Its sentences were compared with the contexts.
    Scored,
    /// Nothing that could be supported or not: empty, a greeting, a question, bare code.
    NoClaims,
    /// The answer declines.
    Abstained,
    /// There is nothing the answer could be grounded in.
    NoContext,
    /// Above the limits in [`Settings`].
    TooLong,
    /// Answer and contexts are in different languages and share too little to compare.
    LanguageMismatch,
}

impl State {
    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::NoClaims => "no_claims",
            Self::Abstained => "abstained",
            Self::NoContext => "no_context",
            Self::TooLong => "too_long",
            Self::LanguageMismatch => "language_mismatch",
        }
    }
}

/// What the contexts say about one sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// What it says stands in contexts or question.
    Supported,
    /// Too much of it stands nowhere.
    NotStated,
    /// The closest passage says otherwise: another number, an opposite, a negation.
    Contradicted,
}

impl Verdict {
    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::NotStated => "not_stated",
            Self::Contradicted => "contradicted",
        }
    }
}

/// A claim of the answer: half-open span in Unicode code points of the response, and the verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sentence {
    /// First code point.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// What the contexts say.
    pub verdict: Verdict,
}

/// Scores of one context.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ContextScore {
    /// Whether it is about the question; none without a question.
    pub relevance: Option<Score>,
    /// Share of it that the answer used; none without an answer.
    pub utilization: Option<Score>,
}

/// A score in billionths, 0..=1,000,000,000; rounded half-even once, here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Score(pub i64);

impl Score {
    /// One.
    pub const ONE: Self = Self(1_000_000_000);

    fn from_share(share: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "clamped to 0..=1 before it is scaled")]
        let billionths = (share.clamp(0.0, 1.0) * 1e9).round_ties_even() as i64;
        Self(billionths)
    }

    /// The score as a share of one.
    #[expect(clippy::cast_precision_loss, reason = "billionths are exact in an f64")]
    pub fn share(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Everything said about one answer; reuse one value for many answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scores {
    /// Decided before anything is scored; `groundedness` and `sentence_support` are there only where it is `Scored`.
    pub state: State,
    /// How likely every claim is supported; 0.5 is the decision.
    pub groundedness: Option<Score>,
    /// Supported sentences among all sentences.
    pub sentence_support: Option<Score>,
    /// Whether the answer addresses the question; none without both.
    pub answer_relevance: Option<Score>,
    /// Greatest over the contexts.
    pub context_relevance: Option<Score>,
    /// Precision at each relevant rank, averaged (Ragas); 0 where no context is relevant.
    pub context_precision_at_k: Option<Score>,
    /// Share of all contexts that the answer used.
    pub utilization: Option<Score>,
    /// Share of the relevant contexts that the answer used; none where none is relevant.
    pub completeness: Option<Score>,
    /// Whether the answer declines.
    pub refusal: bool,
    /// Words, numbers and placeholders; in scripts without spaces, pairs of characters.
    pub answer_length_tokens: u32,
    /// The same of the prompt; none without one.
    pub prompt_length_tokens: Option<u32>,
    /// ISO 639-1 code of the answer's language, where one stands out.
    pub language: Option<&'static str>,
    /// The claims in order.
    pub sentences: Vec<Sentence>,
    /// One per context, in order.
    pub contexts: Vec<ContextScore>,
}

impl Default for Scores {
    fn default() -> Self {
        Self {
            state: State::NoClaims,
            groundedness: None,
            sentence_support: None,
            answer_relevance: None,
            context_relevance: None,
            context_precision_at_k: None,
            utilization: None,
            completeness: None,
            refusal: false,
            answer_length_tokens: 0,
            prompt_length_tokens: None,
            language: None,
            sentences: Vec::new(),
            contexts: Vec::new(),
        }
    }
}

impl Scores {
    fn clear(&mut self) {
        let mut sentences = std::mem::take(&mut self.sentences);
        let mut contexts = std::mem::take(&mut self.contexts);
        sentences.clear();
        contexts.clear();
        *self = Self { sentences, contexts, ..Self::default() };
    }
}

#[cfg(test)]
mod tests;
