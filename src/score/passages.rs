//! Passages that were cut before: a knowledge base has far fewer passages than it gives answers.
//!
//! What is kept is found by a hash of the whole text and used only where the text is equal byte for byte, so scores are the same
//! with and without it. Two generations: what is read or used again goes to the young one; when that is full it becomes the old one, and what nobody asked for
//! since is forgotten. Memory stays under the bound it is given, and once both generations have grown, nothing is allocated.
//! Not done: keeping answers or questions, which seldom come again.

use super::hash::{self, KeyMap};
use super::language::Evidence;
use super::lexicon::{Lexicon, Marks};
use super::token::{Cut, Segment, Text, Token};

/// Cut passages, up to a bound of memory.
pub(super) struct Passages {
    /// Bytes of one generation.
    limit: usize,
    young: Generation,
    old: Generation,
    /// The passage that is cut now.
    fresh: Text,
}

#[derive(Default)]
struct Generation {
    kept: KeyMap<Kept>,
    bytes: usize,
    texts: String,
    tokens: Vec<Token>,
    segments: Vec<Segment>,
    prefixed: Vec<(u64, u64)>,
}

/// One passage: where its parts start in the generation, and how long they are.
struct Kept {
    text: (usize, usize),
    tokens: (usize, usize),
    segments: (usize, usize),
    prefixed: (usize, usize),
    evidence: Evidence,
    marks: Marks,
    first_person: u32,
}

/// A passage that would fill more than this part of a generation is not kept.
const LARGEST_PART: usize = 8;

impl Passages {
    /// Keeps passages in at most `bytes` of memory; none at 0.
    pub(super) fn new(bytes: usize) -> Self {
        // Vectors and maps grow to twice what they hold at most.
        Self { limit: bytes / 4, young: Generation::default(), old: Generation::default(), fresh: Text::default() }
    }

    /// Appends the tokens of `text` to `whole`, as `whole.read` would.
    pub(super) fn append(&mut self, text: &str, lexicon: &Lexicon, whole: &mut Text) {
        if self.limit == 0 {
            whole.read(text, lexicon);
            return;
        }
        let key = hash::bytes(text.as_bytes());
        if let Some(cut) = self.young.find(key, text) {
            whole.append(cut);
        } else if let Some(cut) = self.old.find(key, text) {
            whole.append(cut);
            if self.young.bytes + size(text, cut) <= self.limit {
                self.young.keep(key, text, cut);
            }
        } else {
            self.fresh.clear();
            self.fresh.read(text, lexicon);
            let cut = self.fresh.cut();
            whole.append(cut);
            let size = size(text, cut);
            if size > self.limit / LARGEST_PART {
                return;
            }
            if self.young.bytes + size > self.limit {
                std::mem::swap(&mut self.young, &mut self.old);
                self.young.clear();
            }
            self.young.keep(key, text, cut);
        }
    }
}

/// Bytes that keeping a passage takes. A map fills at most seven eighths of its places.
fn size(text: &str, cut: Cut<'_>) -> usize {
    text.len() + size_of::<(u64, Kept)>() * 8 / 7 + size_of_val(cut.tokens) + size_of_val(cut.segments) + size_of_val(cut.prefixed)
}

impl Generation {
    fn find(&self, key: u64, text: &str) -> Option<Cut<'_>> {
        let kept = self.kept.get(&key)?;
        if part(self.texts.as_bytes(), kept.text) != text.as_bytes() {
            return None;
        }
        Some(Cut {
            tokens: part(&self.tokens, kept.tokens),
            segments: part(&self.segments, kept.segments),
            evidence: &kept.evidence,
            marks: kept.marks,
            prefixed: part(&self.prefixed, kept.prefixed),
            first_person: kept.first_person,
        })
    }

    fn keep(&mut self, key: u64, text: &str, cut: Cut<'_>) {
        let kept = Kept {
            text: (self.texts.len(), text.len()),
            tokens: (self.tokens.len(), cut.tokens.len()),
            segments: (self.segments.len(), cut.segments.len()),
            prefixed: (self.prefixed.len(), cut.prefixed.len()),
            evidence: cut.evidence.clone(),
            marks: cut.marks,
            first_person: cut.first_person,
        };
        self.bytes += size(text, cut);
        self.texts.push_str(text);
        self.tokens.extend_from_slice(cut.tokens);
        self.segments.extend_from_slice(cut.segments);
        self.prefixed.extend_from_slice(cut.prefixed);
        self.kept.insert(key, kept);
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
        self.texts.clear();
        self.tokens.clear();
        self.segments.clear();
        self.prefixed.clear();
    }
}

fn part<T>(all: &[T], (start, length): (usize, usize)) -> &[T] {
    all.get(start..start + length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Generation {
        fn capacity(&self) -> usize {
            self.texts.capacity()
                + self.tokens.capacity() * size_of::<Token>()
                + self.segments.capacity() * size_of::<Segment>()
                + self.prefixed.capacity() * size_of::<(u64, u64)>()
                + self.kept.capacity() * size_of::<(u64, Kept)>() * 8 / 7
        }
    }

    fn passage(number: usize) -> String {
        format!("Passage {number} says: unhappy people wait {} days. ", number * 7).repeat(1 + number % 13)
    }

    #[test]
    fn kept_passages_stay_within_their_bound_and_the_wanted_ones_stay() {
        let lexicon = Lexicon::new();
        let bytes = 400_000;
        let mut passages = Passages::new(bytes);
        let mut whole = Text::default();
        let wanted = passage(1);
        for number in 0..3_000 {
            for text in [&passage(number), &wanted] {
                whole.clear();
                passages.append(text, &lexicon, &mut whole);
            }
            let key = hash::bytes(wanted.as_bytes());
            assert!(passages.young.find(key, &wanted).is_some() || passages.old.find(key, &wanted).is_some(), "{number}");
            assert!(passages.young.capacity() + passages.old.capacity() <= bytes, "{number}");
        }
        assert!(passages.young.kept.len() + passages.old.kept.len() > 20);
    }

    #[test]
    fn two_texts_of_one_hash_are_told_apart() {
        let lexicon = Lexicon::new();
        let mut fresh = Text::default();
        fresh.read("The warranty lasts 24 months.", &lexicon);
        let mut generation = Generation::default();
        generation.keep(7, "The warranty lasts 24 months.", fresh.cut());
        assert!(generation.find(7, "The warranty lasts 24 months.").is_some());
        assert!(generation.find(7, "The warranty lasts 36 months.").is_none());
    }
}
