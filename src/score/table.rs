//! A table from keys to small numbers that is emptied in constant time, for texts that come one after another.
//!
//! Open addressing at half load: a look-up touches one or two neighbouring slots, whether it finds anything or not. Grows
//! with what is put in and never holds more than one number per key. Keys are hashes already (see [`super::hash`]).

/// Numbers by key.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    /// Slots of an earlier round are empty.
    round: u32,
    filled: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    value: u32,
    round: u32,
}

const LEAST_SLOTS: usize = 64;
/// Slots that are kept from text to text.
const KEPT_SLOTS: usize = 1 << 17;

impl Table {
    /// Empties the table, and gives back what a giant text made it grow to.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
        self.round = self.round.wrapping_add(1);
        if self.slots.len() > KEPT_SLOTS {
            self.slots = Vec::new();
        } else if self.round == 0 {
            self.slots.fill(Slot::default());
        }
        self.round = self.round.max(1);
    }

    /// The number of a key.
    pub(super) fn get(&self, key: u64) -> Option<u32> {
        self.slots.get(self.find(key)?).filter(|slot| slot.round == self.round).map(|slot| slot.value)
    }

    /// Whether the key has a number.
    pub(super) fn contains(&self, key: u64) -> bool {
        self.get(key).is_some()
    }

    /// Gives the key a number and hands back the one it had.
    pub(super) fn insert(&mut self, key: u64, value: u32) -> Option<u32> {
        if self.slots.len() < 2 * (self.filled + 1) {
            self.grow();
        }
        let at = self.find(key)?;
        let slot = self.slots.get_mut(at)?;
        let before = (slot.round == self.round).then_some(slot.value);
        *slot = Slot { key, value, round: self.round };
        self.filled += usize::from(before.is_none());
        before
    }

    /// The slot that holds the key, or the empty one where it belongs.
    fn find(&self, key: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits are used")]
        let mut at = key as usize & mask;
        while self.slots.get(at).is_some_and(|slot| slot.round == self.round && slot.key != key) {
            at = (at + 1) & mask;
        }
        Some(at)
    }

    fn grow(&mut self) {
        let slots = vec![Slot::default(); (2 * self.slots.len()).max(LEAST_SLOTS)];
        let old = std::mem::replace(&mut self.slots, slots);
        self.round = self.round.max(1);
        self.filled = 0;
        let round = self.round;
        for slot in old.iter().filter(|slot| slot.round == round) {
            self.insert(slot.key, slot.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_table_holds_what_a_map_holds_round_after_round() {
        let mut table = Table::default();
        assert_eq!(table.get(0), None);
        for round in 0u32..40 {
            table.clear();
            let mut map = HashMap::new();
            let mut state = u64::from(round) + 1;
            for value in 0..if round == 20 { 200_000 } else { 300 } {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                // Keys that collide in their low bits, zero among them.
                let key = (state >> 40) & !0xff;
                assert_eq!(table.insert(key, value), map.insert(key, value));
                assert_eq!(table.contains(key + 1), map.contains_key(&(key + 1)));
            }
            assert!(map.iter().all(|(key, value)| table.get(*key) == Some(*value)));
        }
    }

    #[test]
    fn a_table_stays_empty_when_its_rounds_are_used_up() {
        let mut table = Table::default();
        table.clear();
        table.insert(7, 1);
        table.round = u32::MAX;
        table.insert(8, 2);
        table.clear();
        assert_eq!((table.get(7), table.get(8)), (None, None));
    }
}
