//! Groups by number, with a cap per tenant and day.
//!
//! The first groups of a tenant on a day of event time, in the order of the log, are kept as they are. Beyond the cap a group
//! is folded into its tenant and application, and beyond the cap of those into its tenant; the folded dimensions read
//! `__other__`. So one tenant with 100,000 prompt versions costs no other tenant anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::measure::{Dimension, Group};

/// All groups in memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Groups {
    list: Vec<Option<Arc<Group>>>,
    free: Vec<u32>,
    days: BTreeMap<i32, Day>,
    /// Partials that were folded because of the cap.
    pub(super) folded: u64,
    /// Number of each group; rebuilt from `list`.
    #[serde(skip)]
    numbers: HashMap<Arc<Group>, u32>,
    /// Number of each value of any dimension, from 1; rebuilt from `list`.
    #[serde(skip)]
    values: HashMap<Arc<str>, u32>,
    /// By group: the numbers of its values, 0 for none; rebuilt from `list`.
    #[serde(skip)]
    keys: Vec<Key>,
    /// By group: the day and number of its application's group, as last asked for.
    #[serde(skip)]
    apps: Vec<Option<(i32, u32)>>,
}

/// The values of a group's dimensions as numbers, for quick comparison.
pub(super) type Key = [u32; Dimension::ALL.len()];

/// Groups of one day of event time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Day {
    members: BTreeSet<u32>,
    whole_by_tenant: BTreeMap<Option<Arc<str>>, usize>,
    apps_by_tenant: BTreeMap<Option<Arc<str>>, usize>,
}

impl Groups {
    /// The number under which the group counts on the day of `pane`.
    pub(super) fn number(&mut self, group: &Group, pane: Timestamp, cap: usize) -> u32 {
        let day = pane.days();
        if let Some(number) = self.member(group, day) {
            return number;
        }
        let tenant = group.get(Dimension::Tenant).cloned();
        let counts = self.days.entry(day).or_default();
        let whole = counts.whole_by_tenant.entry(tenant.clone()).or_default();
        if *whole < cap {
            *whole += 1;
            return self.admit(group, day);
        }
        self.folded += 1;
        let by_app = fold(group, &[Dimension::Tenant, Dimension::App]);
        if let Some(number) = self.member(&by_app, day) {
            return number;
        }
        let apps = self.days.entry(day).or_default().apps_by_tenant.entry(tenant).or_default();
        if *apps < cap {
            *apps += 1;
            return self.admit(&by_app, day);
        }
        self.admit(&fold(group, &[Dimension::Tenant]), day)
    }

    /// The number of the group of a group's tenant and application alone, on the day of `pane`.
    pub(super) fn app_of(&mut self, group: u32, pane: Timestamp) -> Option<u32> {
        let day = pane.days();
        if let Some(Some((_, app))) = self.apps.get(group as usize).filter(|known| known.is_some_and(|(known, _)| known == day)) {
            return Some(*app);
        }
        let whole = self.get(group)?;
        let mut alone = Group::default();
        for dimension in [Dimension::Tenant, Dimension::App] {
            alone.0[dimension as usize] = whole.get(dimension).cloned();
        }
        let app = self.admit(&alone, day);
        self.apps.resize(self.list.len(), None);
        self.apps[group as usize] = Some((day, app));
        Some(app)
    }

    fn member(&self, group: &Group, day: i32) -> Option<u32> {
        let number = *self.numbers.get(group)?;
        self.days.get(&day)?.members.contains(&number).then_some(number)
    }

    fn admit(&mut self, group: &Group, day: i32) -> u32 {
        let number = match self.numbers.get(group) {
            Some(number) => *number,
            None => self.add(Arc::new(group.clone())),
        };
        self.days.entry(day).or_default().members.insert(number);
        number
    }

    #[expect(clippy::cast_possible_truncation, reason = "the caps keep the number of groups far below 2^32")]
    fn add(&mut self, group: Arc<Group>) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() as u32 - 1
        });
        self.list[number as usize] = Some(group);
        self.index(number);
        number
    }

    /// Notes the number and the key of a group of the list.
    #[expect(clippy::cast_possible_truncation, reason = "fewer values than nine times the groups")]
    fn index(&mut self, number: u32) {
        let Some(group) = self.list.get(number as usize).cloned().flatten() else { return };
        let mut key = Key::default();
        for (slot, value) in key.iter_mut().zip(&group.0) {
            let Some(value) = value else { continue };
            let next = self.values.len() as u32 + 1;
            *slot = *self.values.entry(value.clone()).or_insert(next);
        }
        self.keys.resize(self.list.len(), Key::default());
        self.keys[number as usize] = key;
        self.numbers.insert(group, number);
    }

    /// Makes what is not part of a snapshot from what is.
    #[expect(clippy::cast_possible_truncation, reason = "the caps keep the number of groups far below 2^32")]
    pub(super) fn restore(&mut self) {
        self.numbers.clear();
        self.values.clear();
        self.keys.clear();
        self.apps.clear();
        for number in 0..self.list.len() {
            self.index(number as u32);
        }
    }

    /// The groups in memory with their keys.
    pub(super) fn keyed(&self) -> impl Iterator<Item = (u32, &Arc<Group>, &Key)> {
        let known = (0_u32..).zip(self.list.iter().zip(&self.keys));
        known.filter_map(|(number, (group, key))| Some((number, group.as_ref()?, key)))
    }

    /// The number of a dimension's value in [`Key`], if any group has it.
    pub(super) fn value(&self, value: &str) -> Option<u32> {
        if value.is_empty() { Some(0) } else { self.values.get(value).copied() }
    }

    /// The group of a number.
    pub(super) fn get(&self, number: u32) -> Option<&Arc<Group>> {
        self.list.get(number as usize)?.as_ref()
    }

    /// All numbers ever given are below this.
    pub(super) fn bound(&self) -> usize {
        self.list.len()
    }

    /// Groups in memory.
    pub(super) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    /// Forgets days that ended before `horizon`, and the groups that no other day has.
    pub(super) fn forget_before(&mut self, horizon: Timestamp) {
        let kept = self.days.split_off(&horizon.days());
        let forgotten = std::mem::replace(&mut self.days, kept);
        if forgotten.is_empty() {
            return;
        }
        let gone: BTreeSet<u32> = forgotten.into_values().flat_map(|day| day.members).collect();
        for number in gone.into_iter().filter(|number| !self.days.values().any(|day| day.members.contains(number))) {
            if let Some(group) = self.list[number as usize].take() {
                self.numbers.remove(&group);
                self.free.push(number);
            }
        }
        self.restore();
    }
}

/// The group with all but the dimensions of `keep` folded.
pub(super) fn fold(group: &Group, keep: &[Dimension]) -> Group {
    let mut folded = group.clone();
    for dimension in Dimension::ALL.into_iter().filter(|dimension| !keep.contains(dimension)) {
        let value = &mut folded.0[dimension as usize];
        if value.is_some() {
            *value = Some(Group::OTHER.into());
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(tenant: &str, app: &str, version: &str) -> Group {
        let mut group = Group::default();
        for (dimension, value) in [(Dimension::Tenant, tenant), (Dimension::App, app), (Dimension::PromptVersion, version)] {
            group.0[dimension as usize] = Some(value.into());
        }
        group
    }

    #[test]
    fn one_tenants_flood_is_folded_and_costs_no_other_tenant_anything() {
        let mut groups = Groups::default();
        let pane = Timestamp(0);
        let numbers: BTreeSet<u32> =
            (0..1_000).map(|version| groups.number(&group("flood", "app", &version.to_string()), pane, 10)).collect();
        assert_eq!(numbers.len(), 11);
        let other = groups.number(&group("flood", "app", "one more"), pane, 10);
        assert_eq!(**groups.get(other).unwrap(), group("flood", "app", "__other__"));
        for app in 0..20 {
            groups.number(&group("flood", &app.to_string(), "v"), pane, 10);
        }
        let whole = groups.number(&group("flood", "yet another", "v"), pane, 10);
        assert_eq!(**groups.get(whole).unwrap(), group("flood", "__other__", "__other__"));
        let calm = groups.number(&group("calm", "app", "v1"), pane, 10);
        assert_eq!(**groups.get(calm).unwrap(), group("calm", "app", "v1"));
        assert!(groups.folded > 900);
    }

    #[test]
    fn a_new_day_starts_a_new_count_and_forgotten_groups_free_their_numbers() {
        let mut groups = Groups::default();
        let (monday, tuesday) = (Timestamp(0), Timestamp(Timestamp::DAY_US));
        let old = groups.number(&group("t", "a", "v1"), monday, 1);
        assert_ne!(groups.number(&group("t", "a", "v2"), monday, 1), old);
        let new = groups.number(&group("t", "a", "v2"), tuesday, 1);
        assert_eq!(**groups.get(new).unwrap(), group("t", "a", "v2"));
        groups.forget_before(tuesday);
        assert_eq!(groups.get(old), None);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups.number(&group("t", "a", "v3"), Timestamp(2 * Timestamp::DAY_US), 1), old.max(1));
    }
}
