//! Where a text's content words stand: membership, neighbours and places, in constant time per look-up.

use super::hash::{self, KeyMap, KeySet};
use super::token::{Kind, Text};

/// One content token: its key, its segment, and its place among all tokens of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) key: u64,
    pub(super) segment: u32,
    pub(super) token: u32,
}

/// The content tokens of a text in order, with the places of each key; reused from text to text.
#[derive(Default)]
pub(super) struct Index {
    sequence: Vec<Place>,
    last: KeyMap<u32>,
    previous: Vec<u32>,
    neighbours: KeySet,
}

const NOWHERE: u32 = u32::MAX;

impl Index {
    /// Indexes a settled text.
    pub(super) fn build(&mut self, text: &Text) {
        self.sequence.clear();
        self.previous.clear();
        self.last.clear();
        self.neighbours.clear();
        self.sequence.shrink_to(1 << 16);
        self.previous.shrink_to(1 << 16);
        self.last.shrink_to(1 << 16);
        self.neighbours.shrink_to(1 << 16);
        let mut before: Option<u64> = None;
        for (at, token) in (0u32..).zip(&text.tokens) {
            if token.kind == Kind::Function {
                continue;
            }
            let position = u32::try_from(self.sequence.len()).unwrap_or(NOWHERE);
            self.previous.push(self.last.insert(token.key, position).unwrap_or(NOWHERE));
            self.sequence.push(Place { key: token.key, segment: token.segment, token: at });
            if token.is_content() {
                if let Some(before) = before {
                    self.neighbours.insert(hash::pair(before, token.key));
                }
                before = Some(token.key);
            }
        }
    }

    /// Whether the text has no content at all.
    pub(super) fn is_empty(&self) -> bool {
        self.sequence.is_empty()
    }

    /// Whether the key occurs.
    pub(super) fn contains(&self, key: u64) -> bool {
        self.last.contains_key(&key)
    }

    /// Whether `second` follows `first` somewhere, function words aside.
    pub(super) fn contains_neighbours(&self, first: u64, second: u64) -> bool {
        self.neighbours.contains(&hash::pair(first, second))
    }

    /// The content token at a position.
    pub(super) fn place(&self, position: u32) -> Option<&Place> {
        self.sequence.get(position as usize)
    }

    /// Positions of a key, last first, at most `limit`: the bound keeps a text of one repeated word linear.
    pub(super) fn places(&self, key: u64, limit: usize) -> impl Iterator<Item = (u32, &Place)> {
        let mut at = self.last.get(&key).copied().unwrap_or(NOWHERE);
        std::iter::from_fn(move || {
            let here = at;
            let place = self.sequence.get(here as usize)?;
            at = self.previous.get(here as usize).copied().unwrap_or(NOWHERE);
            Some((here, place))
        })
        .take(limit)
    }
}
