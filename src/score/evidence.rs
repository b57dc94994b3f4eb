//! What one sentence of an answer shares with the contexts and the question, and where it departs from them.
//!
//! Counts and sums only; what they mean for the score is decided in [`super::groundedness`].

use super::hash::KeyMap;
use super::index::{Index, Place};
use super::lexicon::{Lexicon, Marks};
use super::token::{Kind, Segment, Text, Token};

/// The texts an answer's sentence is compared with.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) contexts: &'a Text,
    pub(super) index: &'a Index,
    pub(super) question: &'a Index,
    pub(super) lexicon: &'a Lexicon,
}

/// Departures of one sentence; sums of weights are in bits, the others are counts.
#[derive(Clone, Copy, Default, Debug)]
pub struct SentenceEvidence {
    /// Content tokens.
    pub content: f32,
    /// Bits of information of its content tokens.
    pub weight: f32,
    /// Weight in neither contexts nor question, synonyms counting as found.
    pub novel: f32,
    /// Weight outside the best-aligned window of the contexts.
    pub outside: f32,
    /// Neighbouring content words that are nowhere neighbours in the contexts.
    pub new_neighbours: f32,
    /// Numbers in neither contexts nor question.
    pub novel_numbers: f32,
    /// Numbers beside words that stand beside another number in the window.
    pub other_number: f32,
    /// Rare capitalised words in neither contexts nor question.
    pub novel_names: f32,
    /// Words whose opposite stands in the window.
    pub opposites: f32,
    /// Words negated here and not in the window.
    pub negated: f32,
    /// Words of the first person.
    pub first_person: f32,
}

impl SentenceEvidence {
    /// Every value with its name, for fitting and for showing why.
    pub fn named(&self) -> [(&'static str, f32); 11] {
        [
            ("content", self.content),
            ("weight", self.weight),
            ("novel", self.novel),
            ("outside", self.outside),
            ("new_neighbours", self.new_neighbours),
            ("novel_numbers", self.novel_numbers),
            ("other_number", self.other_number),
            ("novel_names", self.novel_names),
            ("opposites", self.opposites),
            ("negated", self.negated),
            ("first_person", self.first_person),
        ]
    }
}

/// Occurrences of one word that are looked at.
const PLACES: usize = 32;
/// A capitalised word this rare or rarer counts as a name.
const NAME_WEIGHT: f32 = 8.5;

/// Context segments around the one a sentence is closest to, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    first: u32,
    last: u32,
}

impl Window {
    fn around(segment: u32) -> Self {
        Self { first: segment.saturating_sub(1), last: segment.saturating_add(1) }
    }

    /// Whether a key stands in it.
    pub(super) fn contains(self, index: &Index, key: u64) -> bool {
        index.places(key, PLACES).any(|(_, place)| self.holds(place))
    }

    fn holds(self, place: &Place) -> bool {
        (self.first..=self.last).contains(&place.segment)
    }
}

/// Compares sentences with their sources; the buffers are reused.
#[derive(Default)]
pub(super) struct Comparison {
    by_segment: KeyMap<f32>,
    content: Vec<(u32, Token)>,
    windows: Vec<(Window, f64)>,
}

impl Comparison {
    /// The evidence of one segment of the answer.
    pub(super) fn sentence(&mut self, answer: &Text, segment: &Segment, sources: Sources<'_>) -> SentenceEvidence {
        let mut found = SentenceEvidence::default();
        let tokens = answer.tokens_of(segment);
        self.content.clear();
        for (at, token) in (0u32..).zip(tokens) {
            found.first_person += f32::from(u8::from(token.marks.has(Marks::FIRST_PERSON)));
            if token.kind != Kind::Function {
                self.content.push((at, *token));
            }
            if token.is_content() {
                found.content += 1.0;
                found.weight += token.weight;
            }
        }
        if found.content == 0.0 {
            return found;
        }
        let window = self.window(sources.index);
        self.windows.push((window, 0.0));
        for (at, (position, token)) in self.content.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| self.content.get(at)).map(|(_, token)| token);
            let after = self.content.get(at + 1).map(|(_, token)| token);
            one_token(&mut found, token, before, after, window, sources);
            let preceding = tokens.get((*position as usize).saturating_sub(3)..*position as usize).unwrap_or_default();
            if preceding.iter().any(|token| token.marks.has(Marks::NEGATES)) && is_affirmed(token, window, sources) {
                found.negated += 1.0;
            }
        }
        if let Some((_, share)) = self.windows.last_mut() {
            *share = 1.0 - f64::from(found.outside / found.weight);
        }
        found
    }

    /// Forgets the windows of the answer before.
    pub(super) fn clear(&mut self) {
        self.windows.clear();
    }

    /// The window of each sentence compared, with the share of the sentence that stands in it.
    pub(super) fn windows(&self) -> &[(Window, f64)] {
        &self.windows
    }

    /// The window whose middle segment, with half of its neighbours, shares most with the sentence.
    fn window(&mut self, index: &Index) -> Window {
        self.by_segment.clear();
        for (_, token) in self.content.iter().filter(|(_, token)| token.is_content()) {
            let mut last = None;
            for (_, place) in index.places(token.key, PLACES) {
                if last != Some(place.segment) {
                    *self.by_segment.entry(u64::from(place.segment)).or_default() += token.weight;
                    last = Some(place.segment);
                }
            }
        }
        let at = |segment: Option<u64>| segment.and_then(|segment| self.by_segment.get(&segment)).copied().unwrap_or_default();
        let mut best = (0.0f32, u64::MAX);
        for (segment, weight) in &self.by_segment {
            let total = weight + 0.5 * (at(segment.checked_sub(1)) + at(segment.checked_add(1)));
            if total > best.0 || (total.to_bits() == best.0.to_bits() && *segment < best.1) {
                best = (total, *segment);
            }
        }
        Window::around(u32::try_from(best.1).unwrap_or_default())
    }
}

fn one_token(
    found: &mut SentenceEvidence,
    token: &Token,
    before: Option<&Token>,
    after: Option<&Token>,
    window: Window,
    sources: Sources<'_>,
) {
    let in_window = window.contains(sources.index, token.key);
    let is_novel = !in_window && !sources.index.contains(token.key) && !sources.question.contains(token.key);
    let joined = |first: Option<&Token>, second: Option<&Token>| match (first, second) {
        (Some(first), Some(second)) => sources.index.contains_neighbours(first.key, second.key),
        _ => true,
    };
    let joined_before = joined(before, Some(token));
    if !joined_before {
        found.new_neighbours += 1.0;
    }
    match token.kind {
        Kind::Number => {
            found.novel_numbers += f32::from(u8::from(is_novel));
            if !in_window {
                let left = before.filter(|_| !joined_before);
                let right = after.filter(|_| !joined(Some(token), after));
                if left.is_some_and(|left| is_beside_other_number(token, left, 1, window, sources))
                    || right.is_some_and(|right| is_beside_other_number(token, right, -1, window, sources))
                {
                    found.other_number += 1.0;
                }
            }
        }
        Kind::Word => {
            if is_novel && token.marks.has(Marks::CAPITAL) && token.weight >= NAME_WEIGHT {
                found.novel_names += 1.0;
            }
            if !in_window {
                let opposite = |key: &u64| window.contains(sources.index, *key);
                if sources.lexicon.antonyms(token.key).iter().any(opposite) {
                    found.opposites += 1.0;
                }
            }
        }
        Kind::Function | Kind::Placeholder | Kind::Pair => {}
    }
    if !token.is_content() {
        return;
    }
    if !in_window {
        found.outside += token.weight;
    }
    if is_novel {
        let known = |key: &u64| sources.index.contains(*key) || sources.question.contains(*key);
        if !sources.lexicon.synonyms(token.key).iter().any(known) {
            found.novel += token.weight;
        }
    }
}

/// Whether `neighbour` stands in the window with a number other than `token` at `step` from it.
fn is_beside_other_number(token: &Token, neighbour: &Token, step: i32, window: Window, sources: Sources<'_>) -> bool {
    sources.index.places(neighbour.key, PLACES).any(|(position, _)| {
        position.checked_add_signed(step).and_then(|position| sources.index.place(position)).is_some_and(|place| {
            place.key != token.key
                && window.holds(place)
                && sources.contexts.tokens.get(place.token as usize).is_some_and(|token| token.kind == Kind::Number)
        })
    })
}

/// Whether the word stands in the window, and nowhere there behind a negation.
fn is_affirmed(token: &Token, window: Window, sources: Sources<'_>) -> bool {
    let mut stands = false;
    for (_, place) in sources.index.places(token.key, PLACES).filter(|(_, place)| window.holds(place)) {
        stands = true;
        let at = place.token as usize;
        let preceding = sources.contexts.tokens.get(at.saturating_sub(4)..at).unwrap_or_default();
        if preceding.iter().any(|token| token.marks.has(Marks::NEGATES) && token.segment == place.segment) {
            return false;
        }
    }
    stands
}
