//! Who does what to whom: two names around a word whose order the contexts turn round.
//!
//! `Brill bought Karlin` and `Karlin was bought by Brill` say the same; `Karlin bought Brill` does not. Only plain clauses are
//! compared: two names, or any two words around `by` or `than`, with no more between them than the one word, articles, auxiliaries and parts
//! of names. The order must be turned round wherever the contexts hold the three so. Not done: clauses with more between the words, and pronouns.

use super::evidence::{NAME_WEIGHT, Sources};
use super::index::Place;
use super::lexicon::Marks;
use super::token::{Kind, Token};

/// Words that the contexts may hold between two of the three.
const BETWEEN: u32 = 2;
/// Occurrences of the middle word that are looked at.
const PLACES: usize = 16;

/// How the contexts hold three words.
#[derive(PartialEq, Eq)]
enum Order {
    Same,
    Turned,
}

/// Whether the contexts hold the three content words at `at`, given by their places among `tokens`, only with the outer two in each other's role.
pub(super) fn is_swapped(tokens: &[Token], at: [u32; 3], sources: Sources<'_>) -> bool {
    let three = at.map(|at| tokens.get(at as usize));
    let [Some(first), Some(middle), Some(last)] = three else { return false };
    let has_role = |token: &Token| matches!(token.kind, Kind::Word | Kind::Placeholder);
    if !(has_role(first) && middle.kind == Kind::Word && has_role(last)) || first.key == last.key {
        return false;
    }
    let Some(is_passive) = voice(tokens, at, sources) else { return false };
    if sources.lexicon.is_mutual(middle.key) {
        return false;
    }
    let mut is_turned = false;
    for (_, place) in sources.index.places(middle.key, PLACES) {
        match order(first.key, last.key, place, is_passive, sources) {
            Some(Order::Same) => return false,
            Some(Order::Turned) => is_turned = true,
            None => {}
        }
    }
    is_turned
}

/// Whether `by` stands behind the middle one of three words; none if they do not make a plain clause.
fn voice(tokens: &[Token], at: [u32; 3], sources: Sources<'_>) -> Option<bool> {
    let [first, middle, last] = at.map(|at| at as usize);
    let between = |from: usize, to: usize| tokens.get(from + 1..to).unwrap_or_default();
    let is_name =
        |at: usize| tokens.get(at).is_some_and(|token| token.marks.has(Marks::CAPITAL) || token.kind == Kind::Placeholder);
    // A name that opens the sentence does not show by its capital.
    let may_be_name = is_name(first) || tokens.get(first).is_some_and(|token| token.weight >= NAME_WEIGHT);
    let behind = between(middle, last);
    let is_passive = behind.iter().any(|token| sources.lexicon.is_by(token.key));
    if !(may_be_name && is_name(last) || is_passive || behind.iter().any(|token| sources.lexicon.is_than(token.key))) {
        return None;
    }
    let is_plain = |token: &Token| token.marks.has(Marks::CAPITAL) || sources.lexicon.is_plain(token.key);
    (between(first, middle).iter().all(is_plain) && behind.iter().all(is_plain)).then_some(is_passive)
}

/// How the contexts hold `first` and `last` around a place of the middle word.
fn order(first: u64, last: u64, middle: &Place, is_passive: bool, sources: Sources<'_>) -> Option<Order> {
    let near = |key: u64| {
        sources
            .index
            .places(key, PLACES)
            .map(|(_, place)| place)
            .filter(move |place| place.segment == middle.segment && place.token.abs_diff(middle.token) <= 2 + BETWEEN)
    };
    let mut found = None;
    for before in near(first).chain(near(last)).filter(|place| place.token < middle.token) {
        let other = if before.key == first { last } else { first };
        for after in near(other).filter(|place| place.token > middle.token) {
            let Some(voice) = voice(&sources.contexts.tokens, [before.token, middle.token, after.token], sources) else { continue };
            if (before.key == first) == (voice == is_passive) {
                return Some(Order::Same);
            }
            found = Some(Order::Turned);
        }
    }
    found
}
