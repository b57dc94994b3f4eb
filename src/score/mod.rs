//! Text → scores: what an answer owes to its contexts and to its question.
//!
//! A [`Scorer`] reads one answer with its question and contexts and says in which state it is, whether its sentences are
//! supported, and how relevant answer and contexts are. No model is run: the evidence is shared words, numbers, names
//! and opposites, read in one pass of about twenty microseconds for a usual answer.
//!
//! Guaranteed: the same input gives the same scores on every machine; time and memory grow linearly with the text, whatever it holds; nothing is
//! allocated per token once the buffers have grown; every score is monotone in each piece of evidence.
//!
//! Not done: judging facts the contexts do not speak of, following a paraphrase that shares no word, resolving
//! pronouns, or reading synonyms and opposites in languages other than English. See `docs/quality.md` for what was measured.

pub mod evidence;
mod fold;
mod groundedness;
mod hash;
mod index;
mod language;
mod lexicon;
mod refusal;
mod relevance;
mod stem;
mod token;

use evidence::{Comparison, SentenceEvidence, Sources};
use index::Index;
use lexicon::{Lexicon, Marks};
use relevance::Question;
use token::{Segment, Text};

/// Name and version written beside every score; a change that moves any score changes it.
pub const SCORER: &str = "lexical-1";

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

/// Limits above which an answer is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Bytes of the response.
    pub max_response_bytes: usize,
    /// Bytes of prompt and contexts together.
    pub max_source_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_response_bytes: 256 * 1024, max_source_bytes: 4 * 1024 * 1024 }
    }
}

/// A context counts as relevant from here on.
const RELEVANT: f64 = 0.5;
/// Answer and contexts in different languages are still compared when this share of the answer stands in the contexts.
const SHARED_ENOUGH: f64 = 0.5;
/// Bits below which a sentence is looked at for mere courtesy.
const SHORT: f32 = 32.0;
/// An answer that declines and says no more than this share of it besides has abstained.
const SAID_BESIDES: f32 = 0.4;

/// Scores answers one after another.
pub struct Scorer {
    settings: Settings,
    lexicon: Lexicon,
    answer: Text,
    contexts: Text,
    prompt: Text,
    answer_index: Index,
    context_index: Index,
    prompt_index: Index,
    question: Question,
    comparison: Comparison,
    /// Segments of the contexts where each context ends.
    context_ends: Vec<u32>,
    claims: Vec<u32>,
    evidence: Vec<SentenceEvidence>,
    lower: String,
}

impl Scorer {
    /// Reads the built-in tables; some milliseconds.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            lexicon: Lexicon::new(),
            answer: Text::default(),
            contexts: Text::default(),
            prompt: Text::default(),
            answer_index: Index::default(),
            context_index: Index::default(),
            prompt_index: Index::default(),
            question: Question::default(),
            comparison: Comparison::default(),
            context_ends: Vec::new(),
            claims: Vec::new(),
            evidence: Vec::new(),
            lower: String::new(),
        }
    }

    /// Evidence of each sentence of the last answer that was compared, in the order of `Scores::sentences`.
    pub fn evidence(&self) -> &[SentenceEvidence] {
        &self.evidence
    }

    /// Scores one answer into `out`, whose earlier content is dropped.
    pub fn score(&mut self, answer: &Answer<'_>, out: &mut Scores) {
        out.clear();
        self.evidence.clear();
        self.comparison.clear();
        let response = answer.response.unwrap_or_default();
        let source_bytes =
            answer.contexts.iter().map(|context| context.text.len()).sum::<usize>() + answer.prompt.map_or(0, str::len);
        if response.len() > self.settings.max_response_bytes || source_bytes > self.settings.max_source_bytes {
            out.state = State::TooLong;
            out.contexts.resize(answer.contexts.len(), ContextScore::default());
            return;
        }
        self.read(answer, response);
        out.language = self.answer.evidence.language();
        out.answer_length_tokens = u32::try_from(self.answer.tokens.len()).unwrap_or(u32::MAX);
        out.prompt_length_tokens = answer.prompt.map(|_| u32::try_from(self.prompt.tokens.len()).unwrap_or(u32::MAX));
        out.state = self.state(response, out.language);
        out.refusal = out.state == State::Abstained;
        if matches!(out.state, State::Scored | State::LanguageMismatch) {
            self.compare();
        }
        if out.state == State::LanguageMismatch && self.shared() >= SHARED_ENOUGH {
            out.state = State::Scored;
        }
        if out.state == State::Scored {
            self.ground(out);
            self.spans(response, out);
        }
        self.relate(answer, response, out);
    }

    fn read(&mut self, answer: &Answer<'_>, response: &str) {
        for text in [&mut self.answer, &mut self.contexts, &mut self.prompt] {
            text.clear();
        }
        self.context_ends.clear();
        self.answer.read(response, &self.lexicon);
        self.prompt.read(answer.prompt.unwrap_or_default(), &self.lexicon);
        for context in answer.contexts {
            self.contexts.read(context.text, &self.lexicon);
            self.context_ends.push(u32::try_from(self.contexts.segments.len()).unwrap_or(u32::MAX));
        }
        for text in [&mut self.answer, &mut self.contexts, &mut self.prompt] {
            let language = text.evidence.language();
            text.settle(language);
        }
        self.answer_index.build(&self.answer);
        self.context_index.build(&self.contexts);
        self.prompt_index.build(&self.prompt);
        self.question.read(&self.prompt);
    }

    /// Decides the state and gathers the segments that make claims.
    fn state(&mut self, response: &str, language: Option<&'static str>) -> State {
        self.claims.clear();
        let mut declined = false;
        let (mut said, mut whole) = (0.0f32, 0.0f32);
        for (at, segment) in (0u32..).zip(&self.answer.segments) {
            let tokens = self.answer.tokens_of(segment);
            let weight: f32 = tokens.iter().filter(|token| token.is_content()).map(|token| token.weight).sum();
            // Code is no claim, and neither is a question, not even one that is all the answer says.
            if segment.is_code || weight == 0.0 && !tokens.iter().any(|token| token.marks.has(Marks::NEGATES)) {
                continue;
            }
            whole += weight;
            let sentence = response.get(segment.start as usize..segment.end as usize).unwrap_or_default();
            let may_decline = language != Some("en")
                || tokens.iter().any(|token| token.marks.has(Marks::NEGATES) || token.marks.has(Marks::FIRST_PERSON));
            if may_decline && refusal::declines(sentence, &mut self.lower) {
                declined = true;
            } else if weight > 0.0 && !segment.is_question && !(weight < SHORT && refusal::is_courtesy(sentence, &mut self.lower)) {
                said += weight;
                self.claims.push(at);
            }
        }
        if declined && said <= SAID_BESIDES * whole {
            return State::Abstained;
        }
        if self.claims.is_empty() {
            return State::NoClaims;
        }
        if self.context_index.is_empty() {
            return State::NoContext;
        }
        let of_contexts = self.contexts.evidence.language();
        let both_long = self.answer.evidence.words() >= 6 && self.contexts.evidence.words() >= 6;
        if both_long && language.is_some() && of_contexts.is_some() && language != of_contexts {
            return State::LanguageMismatch;
        }
        State::Scored
    }

    fn compare(&mut self) {
        let sources =
            Sources { contexts: &self.contexts, index: &self.context_index, question: &self.prompt_index, lexicon: &self.lexicon };
        for at in &self.claims {
            if let Some(segment) = self.answer.segments.get(*at as usize) {
                self.evidence.push(self.comparison.sentence(&self.answer, segment, sources));
            }
        }
    }

    /// Share of the answer's weight that stands in the passages closest to its sentences.
    fn shared(&self) -> f64 {
        let weight: f32 = self.evidence.iter().map(|found| found.weight).sum();
        let outside: f32 = self.evidence.iter().map(|found| found.outside).sum();
        1.0 - f64::from(outside) / f64::from(weight.max(1.0))
    }

    fn ground(&self, out: &mut Scores) {
        let mut pool = groundedness::Pool::default();
        let mut supported = 0.0;
        for found in &self.evidence {
            pool.add(found);
            let verdict = groundedness::verdict(found);
            supported += f64::from(u8::from(verdict == Verdict::Supported));
            out.sentences.push(Sentence { start: 0, end: 0, verdict });
        }
        out.groundedness = Some(Score::from_share(pool.score()));
        #[expect(clippy::cast_precision_loss, reason = "a count of sentences")]
        let sentences = self.evidence.len() as f64;
        out.sentence_support = Some(Score::from_share(supported / sentences));
    }

    /// Turns byte offsets into code points, in one pass over the response.
    fn spans(&self, response: &str, out: &mut Scores) {
        let (mut byte, mut point) = (0usize, 0u32);
        let mut advance = |to: u32| {
            let part = response.get(byte..to as usize).unwrap_or_default();
            byte = to as usize;
            point += u32::try_from(part.chars().count()).unwrap_or_default();
            point
        };
        for (sentence, at) in out.sentences.iter_mut().zip(&self.claims) {
            let Some(segment) = self.answer.segments.get(*at as usize) else { continue };
            sentence.start = advance(segment.start);
            sentence.end = advance(segment.end);
        }
    }

    /// Relevance of answer and contexts, and what was used of the contexts.
    fn relate(&mut self, answer: &Answer<'_>, response: &str, out: &mut Scores) {
        let asked = answer.prompt.is_some() && !self.question.is_empty();
        let answered = !response.is_empty() && !matches!(out.state, State::NoClaims | State::Abstained);
        if asked && answered {
            let windows = self.comparison.windows();
            let drawn_from = |key| {
                windows
                    .iter()
                    .map(|(window, share)| if window.contains(&self.context_index, key) { *share } else { 0.0 })
                    .fold(0.0, f64::max)
            };
            out.answer_relevance = Some(Score::from_share(self.question.answered(&self.answer_index, drawn_from, &self.lexicon)));
        }
        let mut first = 0;
        let (mut best, mut relevant, mut precision) = (0.0f64, 0.0, 0.0);
        let mut sums = Sums::default();
        for (rank, end) in (1u32..).zip(&self.context_ends) {
            let segments = self.contexts.segments.get(first as usize..*end as usize).unwrap_or_default();
            first = *end;
            let mut score = ContextScore::default();
            let about = if asked { about(&mut self.question, &self.contexts, segments) } else { 0.0 };
            if asked {
                score.relevance = Some(Score::from_share(about));
                best = best.max(about);
                if about >= RELEVANT {
                    relevant += 1.0;
                    precision += relevant / f64::from(rank);
                }
            }
            if answered {
                let share = sums.add(&self.contexts, segments, &self.answer_index, asked && about >= RELEVANT);
                score.utilization = share.map(Score::from_share);
            }
            out.contexts.push(score);
        }
        if asked && !out.contexts.is_empty() {
            out.context_relevance = Some(Score::from_share(best));
            out.context_precision_at_k = Some(Score::from_share(if relevant > 0.0 { precision / relevant } else { 0.0 }));
        }
        out.utilization = share(sums.used, sums.all);
        out.completeness = share(sums.relevant_used, sums.relevant);
    }
}

fn share(part: f64, whole: f64) -> Option<Score> {
    (whole > 0.0).then(|| Score::from_share(part / whole))
}

/// Whether a context is about the question: its whole text and its closest sentences count half each.
fn about(question: &mut Question, contexts: &Text, segments: &[Segment]) -> f64 {
    let tokens = |first: Option<&Segment>, last: Option<&Segment>| match (first, last) {
        (Some(first), Some(last)) => contexts.tokens.get(first.first as usize..last.last as usize).unwrap_or_default(),
        _ => &[],
    };
    let whole = question.covered(tokens(segments.first(), segments.last()));
    let mut closest = 0.0f64;
    for at in 0..segments.len() {
        closest = closest.max(question.covered(tokens(segments.get(at), segments.get(at + 1).or_else(|| segments.get(at)))));
    }
    0.5 * whole + 0.5 * closest
}

/// The sums of the `TRACe` metrics over all contexts, in content tokens.
#[derive(Default)]
struct Sums {
    all: f64,
    used: f64,
    relevant: f64,
    relevant_used: f64,
}

impl Sums {
    /// Adds one context and gives the share of it that was used.
    fn add(&mut self, contexts: &Text, segments: &[Segment], answer: &Index, is_relevant: bool) -> Option<f64> {
        let (mut all, mut used) = (0.0, 0.0);
        for segment in segments {
            let length = f64::from(segment.last - segment.first);
            all += length;
            used += length * relevance::used(contexts.tokens_of(segment), answer);
        }
        self.all += all;
        self.used += used;
        if is_relevant {
            self.relevant += all;
            self.relevant_used += used;
        }
        (all > 0.0).then(|| used / all)
    }
}

#[cfg(test)]
mod tests;
