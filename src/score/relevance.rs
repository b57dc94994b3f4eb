//! Whether answer and contexts are about the question, and how much of the contexts the answer used.
//!
//! All by shared content words, weighted by their information. A paraphrase that shares no word is not seen.

use super::hash::KeyMap;
use super::index::Index;
use super::lexicon::Lexicon;
use super::token::{Kind, Text, Token};

/// The distinct content words of a question.
#[derive(Default)]
pub(super) struct Question {
    words: Vec<(u64, f64)>,
    number: KeyMap<usize>,
    weight: f64,
    seen: Vec<u32>,
    stamp: u32,
}

impl Question {
    /// Reads a settled question.
    pub(super) fn read(&mut self, text: &Text) {
        self.words.clear();
        self.number.clear();
        self.weight = 0.0;
        for token in text.tokens.iter().filter(|token| token.kind != Kind::Function) {
            let next = self.words.len();
            if *self.number.entry(token.key).or_insert(next) == next {
                self.words.push((token.key, f64::from(token.weight)));
                self.weight += f64::from(token.weight);
            }
        }
        self.seen.clear();
        self.seen.resize(self.words.len(), 0);
        self.stamp = 0;
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
        found / self.weight
    }

    /// Share of the question's weight among `tokens`, each word counted once.
    pub(super) fn covered(&mut self, tokens: &[Token]) -> f64 {
        self.stamp += 1;
        let mut found = 0.0;
        for token in tokens {
            let Some(number) = self.number.get(&token.key) else { continue };
            let (Some(seen), Some((_, weight))) = (self.seen.get_mut(*number), self.words.get(*number)) else { continue };
            if *seen != self.stamp {
                *seen = self.stamp;
                found += weight;
            }
        }
        found / self.weight
    }
}

/// How much of a stretch of context stands in the answer, 0–1.
pub(super) fn used(tokens: &[Token], answer: &Index) -> f64 {
    let (mut weight, mut found) = (0.0, 0.0);
    let mut before: Option<&Token> = None;
    for token in tokens.iter().filter(|token| token.kind != Kind::Function) {
        let share = f64::from(token.weight);
        weight += share;
        if answer.contains(token.key) {
            found += share * if before.is_some_and(|before| answer.contains_neighbours(before.key, token.key)) { 1.0 } else { 0.8 };
        }
        before = Some(token);
    }
    if weight > 0.0 { found / weight } else { 0.0 }
}
