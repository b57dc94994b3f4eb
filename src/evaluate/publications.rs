//! What all stored pipeline events say about publications of indexes: what ages are recomputed with.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::freshness::Freshness;
use super::served::Versions;
use super::state::State;
use crate::event::{Input, Timestamp};
use crate::measure::Group;

/// Publications of all dates.
#[derive(Clone, Debug, Default)]
pub struct Publications {
    freshness: Freshness,
    versions: Versions,
    /// Minutes in which runs ended.
    ended: BTreeSet<Timestamp>,
}

impl Publications {
    /// Notes that a run ended.
    pub fn ended(&mut self, at: Timestamp) {
        self.ended.insert(at.floor(Timestamp::MINUTE_US));
    }

    /// Notes that a run published an index; the group names tenant, application and index.
    pub fn index(&mut self, group: &Group, at: Timestamp) {
        self.freshness.note(&Arc::new(group.clone()), at);
    }

    /// Notes that a run published a version; the group names tenant, application and `index@version`.
    pub fn version(&mut self, group: &Group, at: Timestamp) {
        self.versions.note(&Arc::new(group.clone()), at);
    }
}

impl State {
    /// Takes over what is known of publications, in a state that has absorbed nothing and whose windows close from `start` on.
    pub(super) fn know(&mut self, publications: &Publications, start: Timestamp) {
        self.kept.freshness = publications.freshness.clone();
        self.kept.versions = publications.versions.clone();
        self.kept.newest[Input::Pipeline as usize] = publications.ended.range(..start).next_back().copied();
    }
}
