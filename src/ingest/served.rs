//! Which version of an index served an answer: its time is added to those of the version, by tenant and application.
//!
//! When the version was published is not known here; the evaluator subtracts it.

use super::Settings;
use super::gateway::{APP, INDEX, TENANT};
use super::open::Open;
use super::rows::{SYMBOL_COLUMNS, Symbol};
use crate::event::Timestamp;
use crate::measure::{Dimension, StatusClass, measures};

impl Open {
    /// Adds an answer to the index that it names. A request that failed was answered from none.
    pub(super) fn note_index(
        &mut self,
        settings: &Settings,
        at: Timestamp,
        status: StatusClass,
        symbols: &[Option<Symbol>; SYMBOL_COLUMNS.len()],
    ) {
        if status != StatusClass::Ok || symbols[INDEX].is_none() {
            return;
        }
        let mut key = [None; Dimension::ALL.len()];
        for (dimension, column) in [(Dimension::Tenant, TENANT), (Dimension::App, APP), (Dimension::Index, INDEX)] {
            key[dimension as usize] = symbols[column];
        }
        let group = self.groups.number(&key, &mut self.rows.interactions.symbols, settings.groups_per_tenant);
        self.accumulator.at(at, group).add(measures::INDEX_ANSWERED, at.0);
    }
}
