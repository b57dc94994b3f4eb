//! What reading a text gave: appended to what was read before, and settled once the language of all of it is known.

use super::super::language::{self, Evidence};
use super::super::lexicon::Marks;
use super::{Kind, Segment, Text, Token, offset};

/// What reading one text gave, wherever it is kept.
#[derive(Clone, Copy)]
pub(in super::super) struct Cut<'a> {
    pub(in super::super) tokens: &'a [Token],
    /// Their tokens counted from the first of these.
    pub(in super::super) segments: &'a [Segment],
    pub(in super::super) evidence: &'a Evidence,
    pub(in super::super) marks: Marks,
    pub(in super::super) first_person: u32,
    pub(in super::super) prefixed: &'a [(u64, u64)],
}

/// Words of a language whose frequencies are not known.
const FOREIGN_WEIGHT: f32 = 8.0;

impl Text {
    /// What was read since the buffers were emptied.
    pub(in super::super) fn cut(&self) -> Cut<'_> {
        Cut {
            tokens: &self.tokens,
            segments: &self.segments,
            evidence: &self.evidence,
            marks: self.marks,
            first_person: self.first_person,
            prefixed: &self.prefixed,
        }
    }

    /// Appends what reading a text gave elsewhere, exactly as if it had been read here.
    pub(in super::super) fn append(&mut self, cut: Cut<'_>) {
        let before = offset(self.tokens.len());
        self.tokens.extend_from_slice(cut.tokens);
        let moved = |segment: &Segment| Segment { first: segment.first + before, last: segment.last + before, ..*segment };
        self.segments.extend(cut.segments.iter().map(moved));
        self.evidence.add(cut.evidence);
        self.marks = self.marks.with(cut.marks);
        self.first_person += cut.first_person;
        self.prefixed.extend_from_slice(cut.prefixed);
    }

    /// Keys of words of this text that negate the word of this key by a prefix, or that it negates.
    pub(in super::super) fn prefixed_of(&self, key: u64) -> &[(u64, u64)] {
        let rest = self.prefixed.get(self.prefixed.partition_point(|(word, _)| *word < key)..).unwrap_or_default();
        rest.get(..rest.partition_point(|(word, _)| *word == key)).unwrap_or_default()
    }

    /// Decides which words are function words, once the language is known. English is what was read for.
    pub(in super::super) fn settle(&mut self, language: Option<&str>) {
        self.prefixed.sort_unstable();
        self.prefixed.dedup();
        let mask = language::mask_of(language);
        if mask == ENGLISH {
            return;
        }
        for segment in &mut self.segments {
            let tokens = self.tokens.get_mut(segment.first as usize..segment.last as usize).unwrap_or_default();
            for token in &mut *tokens {
                if token.kind == Kind::Word || token.kind == Kind::Function && token.function_in != 0 {
                    token.kind = kind_of_word(token.function_in, mask, token.marks);
                    token.weight = FOREIGN_WEIGHT;
                }
            }
            segment.measure(tokens);
        }
    }
}

/// The mask bit of English.
const ENGLISH: u16 = 1;

impl Segment {
    /// Counts and weighs its tokens that carry meaning.
    pub(super) fn measure(&mut self, tokens: &[Token]) {
        (self.length, self.weight) = (0, 0.0);
        for token in tokens {
            let has_meaning = token.kind != Kind::Function;
            self.length += u32::from(has_meaning);
            self.weight += if has_meaning { token.weight } else { 0.0 };
        }
    }
}

/// What a word is in English.
pub(super) fn kind_in_english(function_in: u16, marks: Marks) -> Kind {
    kind_of_word(function_in, ENGLISH, marks)
}

/// What a word is in the language of the mask; those with an opposite are looked at in any.
fn kind_of_word(function_in: u16, mask: u16, marks: Marks) -> Kind {
    if function_in & mask != 0 && !marks.has(Marks::POLAR) { Kind::Function } else { Kind::Word }
}
