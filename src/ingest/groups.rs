//! Numbers for groups: within an epoch by symbols, and across epochs by the strings themselves.

use hashbrown::HashMap;

use super::rows::{Symbol, Symbols};
use crate::measure::{Dimension, Group};

/// A group of the open epoch, by the symbols of its values.
pub(super) type Key = [Option<Symbol>; Dimension::ALL.len()];

/// Numbers the groups of one epoch. A tenant may have so many; the rest share `__other__`.
#[derive(Debug, Default)]
pub(super) struct EpochGroups {
    numbers: HashMap<Key, u32>,
    keys: Vec<Key>,
    per_tenant: HashMap<Option<Symbol>, usize>,
    /// Events that went to `__other__`.
    pub(super) overflowed: u64,
}

impl EpochGroups {
    /// The number of a group.
    pub(super) fn number(&mut self, key: &Key, symbols: &mut Symbols, limit: usize) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let tenant = key[Dimension::Tenant as usize];
        let of_tenant = self.per_tenant.entry(tenant).or_default();
        if *of_tenant >= limit {
            self.overflowed += 1;
            let other = Some(symbols.intern(Group::OTHER));
            let mut rest = *key;
            for (dimension, value) in rest.iter_mut().enumerate() {
                if dimension != Dimension::Tenant as usize && value.is_some() {
                    *value = other;
                }
            }
            return self.numbers.get(&rest).copied().unwrap_or_else(|| self.insert(rest));
        }
        *of_tenant += 1;
        self.insert(*key)
    }

    #[expect(clippy::cast_possible_truncation, reason = "groups are capped far below 2^32")]
    fn insert(&mut self, key: Key) -> u32 {
        let number = self.keys.len() as u32;
        self.keys.push(key);
        self.numbers.insert(key, number);
        number
    }

    /// The group of a number, as strings.
    pub(super) fn group(&self, number: u32, symbols: &Symbols) -> Group {
        self.keys
            .get(number as usize)
            .map_or_else(Group::default, |key| Group(key.map(|value| value.map(|symbol| symbols.get(symbol).clone()))))
    }

    /// All groups, by number.
    pub(super) fn groups(&self, symbols: &Symbols) -> Vec<Group> {
        self.keys.iter().map(|key| Group(key.map(|value| value.map(|symbol| symbols.get(symbol).clone())))).collect()
    }
}

/// Numbers groups across epochs.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    numbers: HashMap<Group, u32>,
    groups: Vec<Group>,
    /// Numbers of the open epoch's groups here, so that an answer costs no string.
    of_epoch: Vec<Option<u32>>,
}

impl Numbering {
    /// The number of a group, made if it is new.
    #[expect(clippy::cast_possible_truncation, reason = "groups are capped far below 2^32")]
    pub(super) fn number(&mut self, group: &Group) -> u32 {
        if let Some(number) = self.numbers.get(group) {
            return *number;
        }
        let number = self.groups.len() as u32;
        self.groups.push(group.clone());
        self.numbers.insert(group.clone(), number);
        number
    }

    /// The number here of a group of the open epoch.
    pub(super) fn of_epoch(&mut self, number: u32, groups: &EpochGroups, symbols: &Symbols) -> u32 {
        let at = number as usize;
        if let Some(Some(known)) = self.of_epoch.get(at) {
            return *known;
        }
        let known = self.number(&groups.group(number, symbols));
        if self.of_epoch.len() <= at {
            self.of_epoch.resize(at + 1, None);
        }
        if let Some(place) = self.of_epoch.get_mut(at) {
            *place = Some(known);
        }
        known
    }

    /// A new epoch numbers its groups anew.
    pub(super) fn new_epoch(&mut self) {
        self.of_epoch.clear();
    }

    /// The group of a number given here.
    pub(super) fn group(&self, number: u32) -> Option<&Group> {
        self.groups.get(number as usize)
    }
}
