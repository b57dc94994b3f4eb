//! Whether answer and contexts are about the question, and how much of the contexts the answer used.
//!
//! All by shared content words, weighted by their information. A paraphrase that shares no word is not seen.

use super::hash::KeyMap;
use super::index::Index;
use super::lexicon::{Lexicon, Marks};
use super::token::{Kind, Segment, Text, Token};

/// The distinct content words of a question.
#[derive(Default)]
pub(super) struct Question {
    words: Vec<(u64, f64)>,
    number: KeyMap<usize>,
    weight: f64,
    counts: Vec<f64>,
    touched: Vec<usize>,
    wanted: Wanted,
}

/// What kind of word an answer to the question should hold.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Wanted {
    #[default]
    Anything,
    Number,
    Name,
}

/// Openings of English questions that ask for a number or a name.
const WANTED: [(&str, Wanted); 14] = [
    ("how many", Wanted::Number),
    ("how much", Wanted::Number),
    ("how long", Wanted::Number),
    ("how old", Wanted::Number),
    ("how far", Wanted::Number),
    ("how tall", Wanted::Number),
    ("how big", Wanted::Number),
    ("when ", Wanted::Number),
    ("what year", Wanted::Number),
    ("what date", Wanted::Number),
    ("what percent", Wanted::Number),
    ("who ", Wanted::Name),
    ("whose ", Wanted::Name),
    ("where ", Wanted::Name),
];

impl Question {
    /// Reads a settled question.
    pub(super) fn read(&mut self, prompt: &str, text: &Text) {
        let opening = prompt.trim_start();
        let opens_with = |words: &str| opening.get(..words.len()).is_some_and(|opening| opening.eq_ignore_ascii_case(words));
        self.wanted = WANTED.iter().find(|(words, _)| opens_with(words)).map_or(Wanted::Anything, |(_, wanted)| *wanted);
        self.words.clear();
        self.number.clear();
        self.weight = 0.0;
        let has_content = text.tokens.iter().any(Token::is_content);
        for token in text.tokens.iter().filter(|token| token.is_content() || (!has_content && token.kind != Kind::Function)) {
            let next = self.words.len();
            if *self.number.entry(token.key).or_insert(next) == next {
                self.words.push((token.key, f64::from(token.weight)));
                self.weight += f64::from(token.weight);
            }
        }
        self.counts.clear();
        self.counts.resize(self.words.len(), 0.0);
    }

    /// Whether nothing can be said about relevance to it.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Share of the question's weight found in the answer; words that stand only in what the answer was taken from count half.
    pub(super) fn answered(&self, answer: &Index, drawn_from: impl Fn(u64) -> f64, lexicon: &Lexicon) -> f64 {
        let mut found = 0.0;
        for (key, weight) in &self.words {
            let degree = if answer.contains(*key) {
                1.0
            } else if lexicon.synonyms(*key).iter().any(|key| answer.contains(*key)) {
                0.8
            } else {
                0.5 * drawn_from(*key)
            };
            found += weight * degree;
        }
        (found / self.weight).powf(EASE_OF_ANSWERS)
    }

    /// How much of the question's weight stands among `tokens`, 0–1. As in BM25, a word counts for more the more often it
    /// stands there, with less and less gain, and for less in a long text.
    fn covered(&mut self, tokens: &[Token]) -> f64 {
        let mut length = 0.0;
        let mut answers = self.wanted == Wanted::Anything;
        for token in tokens.iter().filter(|token| token.kind != Kind::Function) {
            length += 1.0;
            let number = self.number.get(&token.key).copied();
            answers |= number.is_none() && self.wanted.is(token);
            if let Some((number, count)) = number.and_then(|number| Some((number, self.counts.get_mut(number)?))) {
                if *count == 0.0 {
                    self.touched.push(number);
                }
                *count += 1.0;
            }
        }
        let half = SATURATION * (1.0 - LENGTH_SHARE + LENGTH_SHARE * length / USUAL_LENGTH);
        let mut found = 0.0;
        for number in self.touched.drain(..) {
            if let (Some((_, weight)), Some(count)) = (self.words.get(number), self.counts.get_mut(number)) {
                found += weight * *count / (*count + half);
                *count = 0.0;
            }
        }
        if !answers {
            found *= UNANSWERING;
        }
        (found / self.weight).powf(EASE_OF_CONTEXTS)
    }
}

impl Wanted {
    fn is(self, token: &Token) -> bool {
        match self {
            Self::Anything => true,
            Self::Number => token.kind == Kind::Number,
            Self::Name => token.marks.has(Marks::CAPITAL),
        }
    }
}

/// What a text still counts that holds no word of the kind the question asks for.
const UNANSWERING: f64 = 0.7;
/// How far the contexts can make up for words of the question that the answer lacks.
const LIFT: f64 = 0.5;
/// Exponents that put 0.5 where relevant and irrelevant texts of labelled sets part; they change no order.
const EASE_OF_ANSWERS: f64 = 0.66;
const EASE_OF_CONTEXTS: f64 = 0.6;
/// Mentions of a word in a text of usual length that count half of the most it can count.
const SATURATION: f64 = 1.2;
/// How far length matters, and the content words of a passage of usual length.
const LENGTH_SHARE: f64 = 0.75;
const USUAL_LENGTH: f64 = 100.0;

/// Relevance of an answer: the question's words in it, and, as far as they are missing, how far it says what contexts
/// about the question say, which alone makes it no more than half relevant: they may speak of more than the question.
pub(super) fn answer(direct: f64, drawn_from_relevant: f64) -> f64 {
    direct + (1.0 - direct) * LIFT * drawn_from_relevant
}

/// How much of a stretch of context stands in the answer, 0–1.
fn share_used(tokens: &[Token], answer: &Index) -> f64 {
    let (mut weight, mut found) = (0.0, 0.0);
    let mut before: Option<&Token> = None;
    for token in tokens.iter().filter(|token| token.kind != Kind::Function) {
        let share = f64::from(token.weight);
        weight += share;
        if answer.contains(token.key) {
            found += share * if before.is_some_and(|before| answer.contains_neighbours(before.key, token.key)) { 1.0 } else { 0.5 };
        }
        before = Some(token);
    }
    if weight > 0.0 { found / (weight + 4.0) } else { 0.0 }
}

/// Whether a context is about the question: its whole text and its closest sentences count half each.
pub(super) fn about(question: &mut Question, contexts: &Text, segments: &[Segment]) -> f64 {
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
pub(super) struct Sums {
    pub(super) all: f64,
    pub(super) used: f64,
    pub(super) relevant: f64,
    pub(super) relevant_used: f64,
}

impl Sums {
    /// Adds one context and gives the share of it that was used.
    pub(super) fn add(&mut self, contexts: &Text, segments: &[Segment], answer: &Index, is_relevant: bool) -> Option<f64> {
        let (mut all, mut used) = (0.0, 0.0);
        for segment in segments {
            let length = f64::from(segment.last - segment.first);
            all += length;
            used += length * share_used(contexts.tokens_of(segment), answer);
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
