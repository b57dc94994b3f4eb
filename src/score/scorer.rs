//! The order in which an answer is read, judged and scored.

use super::evidence::{Comparison, SentenceEvidence, Sources};
use super::index::{Index, Neighbours};
use super::lexicon::{Lexicon, Marks};
use super::passages::Passages;
use super::refusal::Phrases;
use super::relevance::{self, Question};
use super::token::Text;
use super::{Answer, ContextScore, Score, Scores, Sentence, State, Verdict, groundedness};

/// Limits above which an answer is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Bytes of the response.
    pub max_response_bytes: usize,
    /// Bytes of prompt and contexts together.
    pub max_source_bytes: usize,
    /// Memory for passages that were read before, so that reading them again costs less; with 0 none is kept. The
    /// scores are the same.
    pub passage_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_response_bytes: 256 * 1024, max_source_bytes: 4 * 1024 * 1024, passage_bytes: 32 * 1024 * 1024 }
    }
}

/// A context counts as relevant from here on.
const RELEVANT: f64 = 0.5;
/// Answer and contexts in different languages are still compared when this share of the answer stands in the contexts.
const SHARED_ENOUGH: f64 = 0.5;
/// Passages of an answer's first sentences that are searched for words of the question.
const WINDOWS: usize = 64;
/// Bits below which a sentence is looked at for mere courtesy.
const SHORT: f32 = 32.0;
/// An answer that declines and says no more than this share of it besides has abstained.
const SAID_BESIDES: f32 = 0.4;

/// Scores answers one after another.
pub struct Scorer {
    settings: Settings,
    lexicon: Lexicon,
    passages: Passages,
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
    /// Weight of each of these segments that the answer used.
    used: Vec<f32>,
    evidence: Vec<SentenceEvidence>,
    phrases: Phrases,
}

impl Scorer {
    /// Reads the built-in tables; some milliseconds.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            lexicon: Lexicon::new(),
            passages: Passages::new(settings.passage_bytes),
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
            used: Vec::new(),
            evidence: Vec::new(),
            phrases: Phrases::new(),
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
            self.passages.append(context.text, &self.lexicon, &mut self.contexts);
            self.context_ends.push(u32::try_from(self.contexts.segments.len()).unwrap_or(u32::MAX));
        }
        for text in [&mut self.answer, &mut self.contexts, &mut self.prompt] {
            let language = text.evidence.language();
            text.settle(language);
        }
        self.answer_index.build(&self.answer, Neighbours::All);
        self.context_index.build(&self.contexts, Neighbours::OfNumbers);
        self.prompt_index.build(&self.prompt, Neighbours::OfNumbers);
        self.question.read(answer.prompt.unwrap_or_default(), &self.prompt);
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
            if may_decline && self.phrases.declines(sentence) {
                declined = true;
            } else if weight > 0.0 && !segment.is_no_claim && !(weight < SHORT && self.phrases.is_courtesy(sentence)) {
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

    /// How far the answer says what contexts about the question say, 0–1.
    fn drawn_from_relevant(&self, contexts: &[ContextScore]) -> f64 {
        let (mut sum, mut whole) = (0.0, 0.0);
        for ((window, share), found) in self.comparison.windows().iter().zip(&self.evidence) {
            let context = self.context_ends.partition_point(|end| *end <= window.middle());
            let about = contexts.get(context).and_then(|score| score.relevance).map_or(0.0, Score::share);
            sum += f64::from(found.weight) * about * share * share;
            whole += f64::from(found.weight);
        }
        if whole > 0.0 { sum / whole } else { 0.0 }
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
        if asked {
            self.question.find(&self.context_index, &self.lexicon);
        }
        if answered {
            relevance::use_of(&self.contexts, &self.context_index, &self.answer_index, &mut self.used);
        }
        let mut first = 0;
        let (mut best, mut relevant, mut precision) = (0.0f64, 0.0, 0.0);
        let mut sums = relevance::Sums::default();
        for (rank, end) in (1u32..).zip(&self.context_ends) {
            let segments = first..*end as usize;
            first = segments.end;
            let mut score = ContextScore::default();
            let about = if asked { self.question.about(&self.contexts, segments.clone()) } else { 0.0 };
            if asked {
                score.relevance = Some(Score::from_share(about));
                best = best.max(about);
                if about >= RELEVANT {
                    relevant += 1.0;
                    precision += relevant / f64::from(rank);
                }
            }
            if answered {
                let used = self.used.get(segments.clone()).unwrap_or_default();
                let segments = self.contexts.segments.get(segments).unwrap_or_default();
                let share = sums.add(segments, used, asked && about >= RELEVANT);
                score.utilization = share.map(Score::from_share);
            }
            out.contexts.push(score);
        }
        if asked && answered {
            let windows = self.comparison.windows();
            let windows = windows.get(..windows.len().min(WINDOWS)).unwrap_or_default();
            let drawn_from = |key| {
                windows
                    .iter()
                    .map(|(window, share)| if window.contains(&self.context_index, key) { *share } else { 0.0 })
                    .fold(0.0, f64::max)
            };
            let direct = self.question.answered(&self.answer_index, drawn_from, &self.lexicon);
            out.answer_relevance = Some(Score::from_share(relevance::answer(direct, self.drawn_from_relevant(&out.contexts))));
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
