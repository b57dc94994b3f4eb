//! What one sentence of an answer shares with the contexts and the question, and where it departs from them.
//!
//! Counts and sums only; what they mean for the score is decided in [`super::groundedness`].

use super::index::{Index, Place};
use super::lexicon::{Lexicon, Marks};
use super::roles;
use super::token::{Kind, Segment, Text, Token, YEAR_WEIGHT};

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
    /// Weight in neither contexts nor question, synonyms counting as found. A word counts half for each unknown
    /// neighbour: one new word between known ones is more often another wording than an addition.
    pub novel: f32,
    /// Weight outside the best-aligned window of the contexts.
    pub outside: f32,
    /// Numbers in neither contexts nor question.
    pub novel_numbers: f32,
    /// Numbers beside words that stand beside another number in the window.
    pub other_number: f32,
    /// Rare capitalised words in neither contexts nor question.
    pub novel_names: f32,
    /// Words whose opposite stands in the window, in the same company: near a word that is near here too.
    pub opposites: f32,
    /// Words negated here and nowhere in the window.
    pub negated: f32,
    /// 1 where the sentence denies something and the window holds no negation.
    pub new_negation: f32,
    /// 1 where, moreover, no context does anywhere.
    pub sole_negation: f32,
    /// 1 where the sentence excludes all else (`only`) and the window does not.
    pub exclusions: f32,
    /// Numbers and names of the contexts that stand there in other company.
    pub misplaced: f32,
    /// Pairs of words whose roles around a third the contexts turn round.
    pub swapped: f32,
    /// 1 where the answer speaks of itself as `I` and the contexts do not.
    pub first_person: f32,
}

impl SentenceEvidence {
    /// Every value with its name, for fitting and for showing why.
    pub fn named(&self) -> [(&'static str, f32); 15] {
        [
            ("content", self.content),
            ("weight", self.weight),
            ("novel", self.novel),
            ("outside", self.outside),
            ("novel_numbers", self.novel_numbers),
            ("other_number", self.other_number),
            ("novel_names", self.novel_names),
            ("opposites", self.opposites),
            ("negated", self.negated),
            ("new_negation", self.new_negation),
            ("sole_negation", self.sole_negation),
            ("exclusions", self.exclusions),
            ("misplaced", self.misplaced),
            ("swapped", self.swapped),
            ("first_person", self.first_person),
        ]
    }
}

/// Occurrences of one word that are looked at.
const PLACES: usize = 32;
/// Words on each side that are a number's or name's company, and how near they must stand in the contexts.
const COMPANY: usize = 3;
const NEAR: u32 = 8;
/// How far from a word the company of its opposite is looked for, here and in the contexts.
const BESIDE: usize = 2;
const BESIDE_IN_CONTEXT: u32 = 3;
/// A capitalised word this rare or rarer counts as a name.
pub(super) const NAME_WEIGHT: f32 = 8.5;

/// Context segments around the one a sentence is closest to, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    first: u32,
    middle: u32,
    last: u32,
}

impl Window {
    fn around(segment: u32) -> Self {
        Self { first: segment.saturating_sub(1), middle: segment, last: segment.saturating_add(1) }
    }

    /// The segment the sentence is closest to.
    pub(super) fn middle(self) -> u32 {
        self.middle
    }

    /// Whether a key stands in it.
    pub(super) fn contains(self, index: &Index, key: u64) -> bool {
        index.places(key, PLACES).any(|(_, place)| self.holds(place))
    }

    /// All that its tokens are marked with.
    fn marks(self, contexts: &Text) -> Marks {
        let last = (self.last as usize + 1).min(contexts.segments.len());
        let segments = contexts.segments.get(self.first as usize..last).unwrap_or_default();
        segments.iter().fold(Marks::NONE, |marks, segment| marks.with(segment.marks))
    }

    fn holds(self, place: &Place) -> bool {
        (self.first..=self.last).contains(&place.segment)
    }
}

/// Compares sentences with their sources; the buffers are reused.
#[derive(Default)]
pub(super) struct Comparison {
    /// Weight that the sentence shares with each segment of the contexts, and those that hold any.
    shared: Vec<f32>,
    touched: Vec<u32>,
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
            found.first_person = found
                .first_person
                .max(f32::from(u8::from(token.marks.has(Marks::FIRST_PERSON) && sources.contexts.first_person == 0)));
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
        let window = self.window(sources);
        self.windows.push((window, 0.0));
        let beside = window.marks(sources.contexts);
        let is_new = |mark: Marks| segment.marks.has(mark) && !beside.has(mark);
        if is_new(Marks::NEGATES) && (0..tokens.len()).any(|at| denies(tokens, at)) {
            found.new_negation = 1.0;
            found.sole_negation = f32::from(u8::from(!sources.contexts.marks.has(Marks::NEGATES)));
        }
        found.exclusions = f32::from(u8::from(is_new(Marks::EXCLUDES)));
        for (at, (position, token)) in self.content.iter().enumerate() {
            let before =
                self.content.get(..at).unwrap_or_default().iter().rev().map(|(_, token)| token).find(|token| token.is_content());
            let after =
                self.content.get(at + 1..).unwrap_or_default().iter().map(|(_, token)| token).find(|token| token.is_content());
            one_token(&mut found, token, before, after, window, sources);
            let is_graded = token.marks.has(Marks::POLAR) && segment.marks.has(Marks::NEGATES);
            if token.kind == Kind::Word && is_novel(token, sources) && !is_graded && !may_be_negated(tokens, *position as usize) {
                found.opposites += f32::from(u8::from(self.has_opposite(at, token, window, sources, answer)));
            }
            if self.is_misplaced(at, token, sources.index) {
                found.misplaced += 1.0;
            }
            if let Some([(first, _), _, (last, _)]) = self.content.get(at.saturating_sub(1)..(at + 2)).filter(|_| at > 0) {
                found.swapped += f32::from(u8::from(roles::is_swapped(tokens, [*first, *position, *last], sources)));
            }
            if token.is_content() && is_negated(tokens, *position as usize) && is_affirmed(token, window, sources) {
                found.negated += 1.0;
            }
        }
        if let Some((_, share)) = self.windows.last_mut() {
            *share = 1.0 - f64::from(found.outside / found.weight);
        }
        found
    }

    /// Whether a number or name of the contexts has none of its company there: of the words around it in the sentence that
    /// the contexts know, not one stands near any place of it.
    fn is_misplaced(&self, at: usize, token: &Token, index: &Index) -> bool {
        let is_name = token.kind == Kind::Word && token.marks.has(Marks::CAPITAL) && token.weight >= NAME_WEIGHT;
        if !(is_name || token.kind == Kind::Number) || !index.contains(token.key) {
            return false;
        }
        let around = self.content.get(at.saturating_sub(COMPANY)..(at + COMPANY + 1).min(self.content.len())).unwrap_or_default();
        let mut known = 0;
        for (_, other) in around {
            if other.key == token.key || !other.is_content() || !index.contains(other.key) {
                continue;
            }
            known += 1;
            let near = index
                .places(token.key, PLACES)
                .any(|(place, _)| index.places(other.key, PLACES).any(|(other, _)| place.abs_diff(other) <= NEAR));
            if near {
                return false;
            }
        }
        known >= 2
    }

    /// Whether the opposite of a word stands in the window, near a word that stands near here too.
    fn has_opposite(&self, at: usize, token: &Token, window: Window, sources: Sources<'_>, answer: &Text) -> bool {
        let prefixed =
            [answer, sources.contexts].into_iter().flat_map(|text| text.prefixed_of(token.key)).map(|(_, opposite)| opposite);
        let around = self.content.get(at.saturating_sub(BESIDE)..(at + BESIDE + 1).min(self.content.len())).unwrap_or_default();
        let near =
            |place: u32, key: u64| sources.index.places(key, PLACES).any(|(other, _)| place.abs_diff(other) <= BESIDE_IN_CONTEXT);
        sources.lexicon.antonyms(token.key).iter().chain(prefixed).any(|opposite| {
            // Behind a negation the opposite says the same.
            let negated = |place: &Place| may_be_negated(&sources.contexts.tokens, place.token as usize);
            !sources.index.places(*opposite, PLACES).any(|(_, place)| negated(place))
                && sources.index.places(*opposite, PLACES).filter(|(_, place)| window.holds(place)).any(|(at, _)| {
                    around.iter().any(|(_, other)| other.key != token.key && other.is_content() && near(at, other.key))
                })
        })
    }

    /// Forgets the windows of the answer before.
    pub(super) fn clear(&mut self) {
        self.windows.clear();
        self.shared.clear();
        self.shared.shrink_to(1 << 16);
        self.touched.shrink_to(1 << 16);
    }

    /// The window of each sentence compared, with the share of the sentence that stands in it.
    pub(super) fn windows(&self) -> &[(Window, f64)] {
        &self.windows
    }

    /// The window whose middle segment, with half of its neighbours, shares most with the sentence.
    fn window(&mut self, sources: Sources<'_>) -> Window {
        self.shared.resize(sources.contexts.segments.len(), 0.0);
        for (_, token) in self.content.iter().filter(|(_, token)| token.is_content()) {
            let mut last = None;
            for (_, place) in sources.index.places(token.key, PLACES) {
                if last != Some(place.segment) {
                    if let Some(weight) = self.shared.get_mut(place.segment as usize) {
                        *weight += token.weight;
                    }
                    self.touched.push(place.segment);
                    last = Some(place.segment);
                }
            }
        }
        let at = |segment: Option<u32>| segment.and_then(|segment| self.shared.get(segment as usize)).copied().unwrap_or_default();
        let mut best = (0.0f32, u32::MAX);
        for segment in &self.touched {
            let total = at(Some(*segment)) + 0.5 * (at(segment.checked_sub(1)) + at(segment.checked_add(1)));
            if total > best.0 || (total.to_bits() == best.0.to_bits() && *segment < best.1) {
                best = (total, *segment);
            }
        }
        for segment in self.touched.drain(..) {
            if let Some(weight) = self.shared.get_mut(segment as usize) {
                *weight = 0.0;
            }
        }
        Window::around(if best.1 == u32::MAX { 0 } else { best.1 })
    }
}

/// Whether a token stands in neither contexts nor question.
fn is_novel(token: &Token, sources: Sources<'_>) -> bool {
    !sources.index.contains(token.key) && !sources.question.contains(token.key)
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
    let is_novel = is_novel(token, sources);
    let joined = |first: Option<&Token>, second: Option<&Token>| match (first, second) {
        (Some(first), Some(second)) => sources.index.contains_neighbours(first.key, second.key),
        _ => true,
    };
    match token.kind {
        Kind::Number => {
            found.novel_numbers += f32::from(u8::from(is_novel && token.weight > 3.0));
            if !in_window {
                let left = before.filter(|_| !joined(before, Some(token)));
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
        }
        Kind::Function | Kind::Placeholder | Kind::Pair => {}
    }
    if !token.is_content() {
        return;
    }
    let synonyms = if in_window { &[] } else { sources.lexicon.synonyms(token.key) };
    if !in_window {
        // Another word for the same counts half: it may mean another thing in this place.
        let is_reworded = synonyms.iter().any(|key| window.contains(sources.index, *key));
        found.outside += token.weight * if is_reworded { 0.5 } else { 1.0 };
    }
    if is_novel {
        let known = |key: &u64| sources.index.contains(*key) || sources.question.contains(*key);
        if !synonyms.iter().any(known) {
            let unknown = |other: Option<&Token>| other.is_some_and(|other| !known(&other.key));
            let sides = u8::from(unknown(before)) + u8::from(unknown(after));
            found.novel += token.weight * f32::from(sides) / 2.0;
        }
    }
}

/// Whether `neighbour` stands in the window with a number other than `token` at `step` from it; years contradict years only.
fn is_beside_other_number(token: &Token, neighbour: &Token, step: i32, window: Window, sources: Sources<'_>) -> bool {
    sources.index.places(neighbour.key, PLACES).any(|(position, _)| {
        position.checked_add_signed(step).and_then(|position| sources.index.place(position)).is_some_and(|place| {
            place.key != token.key
                && window.holds(place)
                && sources
                    .contexts
                    .tokens
                    .get(place.token as usize)
                    .is_some_and(|other| other.kind == Kind::Number && is_year(other) == is_year(token))
        })
    })
}

fn is_year(number: &Token) -> bool {
    number.weight.to_bits() == YEAR_WEIGHT.to_bits()
}

/// Tokens before a word among which its negation is looked for: fewer where a contradiction is claimed than where
/// it is ruled out.
const REACH_OF_CLAIM: usize = 3;
const REACH_OF_SOURCE: usize = 4;
/// Tokens before a negation among which a condition is looked for.
const REACH_OF_CONDITION: usize = 6;

/// Whether the token denies something: a negation that neither grades (`no later than`, `not only`) nor stands in a condition.
fn denies(tokens: &[Token], at: usize) -> bool {
    let grades = |token: &Token| token.marks.has(Marks::POLAR) || token.marks.has(Marks::EXCLUDES);
    let before = tokens.get(at.saturating_sub(REACH_OF_CONDITION)..at).unwrap_or_default();
    tokens.get(at).is_some_and(|token| token.marks.has(Marks::NEGATES))
        && !tokens.get(at + 1).is_some_and(grades)
        && !before.iter().any(|token| token.marks.has(Marks::SUPPOSES))
}

/// Whether a word is the first content word behind something that denies it.
fn is_negated(tokens: &[Token], at: usize) -> bool {
    let start = at.saturating_sub(REACH_OF_CLAIM);
    let before = tokens.get(start..at).unwrap_or_default();
    let Some(place) = before.iter().rposition(|token| token.marks.has(Marks::NEGATES)) else { return false };
    denies(tokens, start + place) && !before.iter().skip(place + 1).any(Token::is_content)
}

/// Whether any word that denies stands before a word.
fn may_be_negated(tokens: &[Token], at: usize) -> bool {
    tokens.get(at.saturating_sub(REACH_OF_SOURCE)..at).unwrap_or_default().iter().any(|token| token.marks.has(Marks::NEGATES))
}

/// Whether the word stands in the window, and nowhere in the contexts behind a negation.
fn is_affirmed(token: &Token, window: Window, sources: Sources<'_>) -> bool {
    let mut stands = false;
    for (_, place) in sources.index.places(token.key, PLACES) {
        if may_be_negated(&sources.contexts.tokens, place.token as usize) {
            return false;
        }
        stands |= window.holds(place);
    }
    stands
}
