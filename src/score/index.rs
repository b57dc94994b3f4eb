//! Where a text's content words stand: membership, neighbours and places, in constant time per look-up.

use super::hash;
use super::table::Table;
use super::token::{Kind, Text};

/// One content token: its key, its segment, and its place among all tokens of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) key: u64,
    pub(super) segment: u32,
    pub(super) token: u32,
    /// Position of the same key before.
    previous: u32,
}

/// Which pairs of neighbours an index knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Neighbours {
    All,
    /// Pairs that hold a number.
    OfNumbers,
}

/// The content tokens of a text in order, with the places of each key; reused from text to text.
#[derive(Default)]
pub(super) struct Index {
    sequence: Vec<Place>,
    last: Table,
    neighbours: Table,
}

const NOWHERE: u32 = u32::MAX;

impl Index {
    /// Indexes a settled text.
    pub(super) fn build(&mut self, text: &Text, neighbours: Neighbours) {
        self.sequence.clear();
        self.last.clear();
        self.neighbours.clear();
        self.sequence.shrink_to(1 << 16);
        let mut before: Option<(u64, Kind)> = None;
        let mut at = 0u32;
        for (segment, part) in (0u32..).zip(&text.segments) {
            for token in text.tokens_of(part) {
                if token.kind != Kind::Function {
                    let position = u32::try_from(self.sequence.len()).unwrap_or(NOWHERE);
                    let previous = self.last.insert(token.key, position).unwrap_or(NOWHERE);
                    self.sequence.push(Place { key: token.key, segment, token: at, previous });
                    if token.is_content() {
                        if let Some((key, kind)) = before
                            && (neighbours == Neighbours::All || kind == Kind::Number || token.kind == Kind::Number)
                        {
                            self.neighbours.insert(hash::pair(key, token.key), 0);
                        }
                        before = Some((token.key, token.kind));
                    }
                }
                at += 1;
            }
        }
    }

    /// Whether the text has no content at all.
    pub(super) fn is_empty(&self) -> bool {
        self.sequence.is_empty()
    }

    /// Whether the key occurs.
    pub(super) fn contains(&self, key: u64) -> bool {
        self.last.contains(key)
    }

    /// Whether `second` follows `first` somewhere, function words aside, and the pair is one of those the index knows.
    pub(super) fn contains_neighbours(&self, first: u64, second: u64) -> bool {
        self.neighbours.contains(hash::pair(first, second))
    }

    /// The content token at a position.
    pub(super) fn place(&self, position: u32) -> Option<&Place> {
        self.sequence.get(position as usize)
    }

    /// Positions of a key, last first.
    pub(super) fn all_places(&self, key: u64) -> impl Iterator<Item = (u32, &Place)> {
        self.places(key, usize::MAX)
    }

    /// Every key once.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.sequence.iter().filter(|place| place.previous == NOWHERE).map(|place| place.key)
    }

    /// Positions of a key, last first, at most `limit`: the bound keeps a text of one repeated word linear.
    pub(super) fn places(&self, key: u64, limit: usize) -> impl Iterator<Item = (u32, &Place)> {
        let mut at = self.last.get(key).unwrap_or(NOWHERE);
        std::iter::from_fn(move || {
            let here = at;
            let place = self.sequence.get(here as usize)?;
            at = place.previous;
            Some((here, place))
        })
        .take(limit)
    }
}
