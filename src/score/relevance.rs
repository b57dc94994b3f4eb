//! Whether answer and contexts are about the question, and how much of the contexts the answer used.
//!
//! All by shared content words, weighted by their information. A paraphrase that shares no word is not seen.

use std::ops::Range;

use super::index::Index;
use super::lexicon::{Lexicon, Marks};
use super::table::Table;
use super::token::{Kind, Segment, Text, Token};

/// The distinct content words of a question.
#[derive(Default)]
pub(super) struct Question {
    words: Vec<(u64, f64)>,
    number: Table,
    weight: f64,
    counts: Vec<f64>,
    touched: Vec<u32>,
    wanted: Wanted,
    /// Where its words stand in the contexts, in order.
    hits: Vec<Hit>,
}

/// A word of the question, or another word for it, in a segment of the contexts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    segment: u32,
    number: u32,
    is_synonym: bool,
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
const WANTED: [(&str, Wanted); 24] = [
    ("how many", Wanted::Number),
    ("how much", Wanted::Number),
    ("how long", Wanted::Number),
    ("how old", Wanted::Number),
    ("how far", Wanted::Number),
    ("how tall", Wanted::Number),
    ("how big", Wanted::Number),
    ("how large", Wanted::Number),
    ("how high", Wanted::Number),
    ("how deep", Wanted::Number),
    ("how wide", Wanted::Number),
    ("how fast", Wanted::Number),
    ("how heavy", Wanted::Number),
    ("in what year", Wanted::Number),
    ("in which year", Wanted::Number),
    ("which year", Wanted::Number),
    ("when ", Wanted::Number),
    ("what year", Wanted::Number),
    ("what date", Wanted::Number),
    ("what percent", Wanted::Number),
    ("who ", Wanted::Name),
    ("who's ", Wanted::Name),
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
            if !self.number.contains(token.key) {
                self.number.insert(token.key, u32::try_from(self.words.len()).unwrap_or(u32::MAX));
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

    /// Looks for the question's words in the contexts.
    pub(super) fn find(&mut self, contexts: &Index, lexicon: &Lexicon) {
        self.hits.clear();
        self.hits.shrink_to(1 << 16);
        for (number, (key, _)) in (0u32..).zip(&self.words) {
            let hits_of = |key, is_synonym| {
                contexts.all_places(key).map(move |(_, place)| Hit { segment: place.segment, number, is_synonym })
            };
            self.hits.extend(hits_of(*key, false));
            self.hits.extend(lexicon.synonyms(*key).iter().flat_map(|other| hits_of(*other, true)));
        }
        self.hits.sort_unstable();
    }

    /// Whether a context, given as its segments, is about the question: its whole text and its closest sentences count half each.
    pub(super) fn about(&mut self, contexts: &Text, segments: Range<usize>) -> f64 {
        let whole = self.covered(contexts, segments.clone());
        let closest = segments.clone().map(|at| self.covered(contexts, at..segments.end.min(at + 2))).fold(0.0, f64::max);
        0.5 * whole.powf(EASE_OF_CONTEXTS) + 0.5 * closest.powf(EASE_OF_CONTEXTS)
    }

    /// How much of the question's weight stands in segments of the contexts, 0–1. As in BM25, a word counts for more the more
    /// often it stands there for their length, with less and less gain.
    fn covered(&mut self, contexts: &Text, segments: Range<usize>) -> f64 {
        let start = self.hits.partition_point(|hit| (hit.segment as usize) < segments.start);
        let hits = self.hits.get(start..).unwrap_or_default().iter().take_while(|hit| (hit.segment as usize) < segments.end);
        for hit in hits {
            if let Some(count) = self.counts.get_mut(hit.number as usize) {
                if *count == 0.0 {
                    self.touched.push(hit.number);
                }
                *count += if hit.is_synonym { SYNONYM } else { 1.0 };
            }
        }
        if self.touched.is_empty() {
            return 0.0;
        }
        let segments = contexts.segments.get(segments).unwrap_or_default();
        let length: f64 = segments.iter().map(|segment| f64::from(segment.length)).sum();
        let half = SATURATION * length / USUAL_LENGTH;
        let mut found = 0.0;
        for number in self.touched.drain(..) {
            if let (Some((_, weight)), Some(count)) = (self.words.get(number as usize), self.counts.get_mut(number as usize)) {
                found += weight * *count / (*count + half);
                *count = 0.0;
            }
        }
        let answers = |token: &Token| self.wanted.is(token) && token.kind != Kind::Function && !self.number.contains(token.key);
        if self.wanted != Wanted::Anything && !segments.iter().any(|segment| contexts.tokens_of(segment).iter().any(answers)) {
            found *= UNANSWERING;
        }
        found / self.weight
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
/// Content words of a passage of usual length.
const USUAL_LENGTH: f64 = 100.0;
/// What another word for a word of the question counts of it.
const SYNONYM: f64 = 0.5;

/// Relevance of an answer: the question's words in it, and, as far as they are missing, how far it says what contexts
/// about the question say, which alone makes it no more than half relevant: they may speak of more than the question.
pub(super) fn answer(direct: f64, drawn_from_relevant: f64) -> f64 {
    direct + (1.0 - direct) * LIFT * drawn_from_relevant
}

/// Weight of each segment of the contexts that stands in the answer; a word counts half where the word before it does not stand
/// before it in the answer too.
pub(super) fn use_of(contexts: &Text, index: &Index, answer: &Index, used: &mut Vec<f32>) {
    used.clear();
    used.shrink_to(1 << 16);
    used.resize(contexts.segments.len(), 0.0);
    for key in answer.keys() {
        for (position, place) in index.all_places(key) {
            let (Some(sum), Some(token)) = (used.get_mut(place.segment as usize), contexts.tokens.get(place.token as usize)) else {
                continue;
            };
            let before = position.checked_sub(1).and_then(|position| index.place(position));
            let follows =
                before.is_some_and(|before| before.segment == place.segment && answer.contains_neighbours(before.key, key));
            *sum += token.weight * if follows { 1.0 } else { 0.5 };
        }
    }
}

/// The sums of the `TRACe` metrics over all contexts, in tokens.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) all: f64,
    pub(super) used: f64,
    pub(super) relevant: f64,
    pub(super) relevant_used: f64,
}

impl Sums {
    /// Adds one context, given as its segments with their weights that are [used](use_of), and gives the share of it that was used.
    pub(super) fn add(&mut self, segments: &[Segment], used_weights: &[f32], is_relevant: bool) -> Option<f64> {
        let (mut all, mut used) = (0.0, 0.0);
        for (segment, weight) in segments.iter().zip(used_weights) {
            let length = f64::from(segment.last - segment.first);
            all += length;
            used += length * f64::from(*weight) / (f64::from(segment.weight) + 4.0);
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
