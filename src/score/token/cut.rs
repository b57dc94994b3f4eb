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

    /// Decides which words are function words, once the language is known.
    pub(in super::super) fn settle(&mut self, language: Option<&str>) {
        self.prefixed.sort_unstable();
        self.prefixed.dedup();
        let mask = language::mask_of(language);
        let is_foreign = mask != 1;
        for segment in &mut self.segments {
            let tokens = self.tokens.get_mut(segment.first as usize..segment.last as usize).unwrap_or_default();
            (segment.length, segment.weight) = (0, 0.0);
            for token in tokens {
                let is_word = token.kind == Kind::Word;
                let is_function = is_word && token.function_in & mask != 0 && !token.marks.has(Marks::POLAR);
                token.kind = if is_function { Kind::Function } else { token.kind };
                token.weight = if is_foreign && is_word { FOREIGN_WEIGHT } else { token.weight };
                let has_meaning = token.kind != Kind::Function;
                segment.length += u32::from(has_meaning);
                segment.weight += if has_meaning { token.weight } else { 0.0 };
            }
        }
    }
}
