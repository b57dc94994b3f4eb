//! Which feedback was replaced by a later one with the same id: found again from the rows of the whole table.
//!
//! The keeper takes back what a replaced one had added; what came after its cursor it may not have looked at yet.

use arrow::array::Array;
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

use crate::event::Timestamp;
use crate::lake::tables::{Columns, Position};

/// Time between two feedbacks beyond which one does not replace the other.
const WITHIN_US: u64 = 7 * Timestamp::DAY_US.unsigned_abs();

/// Collects the rows.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// Ids of the entries that the keeper may not have looked at.
    fresh: HashSet<String>,
    /// By feedback id: time, offset and place of each, and of the fresh ones nothing.
    by_id: HashMap<String, Vec<(Timestamp, i64, Position)>>,
}

impl Replaced {
    /// The keeper has not passed the entry of this id.
    pub(super) fn is_not_taken_back(&mut self, id: String) {
        self.fresh.insert(id);
    }

    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, columns: &Columns<'_>) -> Result<(), ArrowError> {
        for row in 0..columns.array("event_time")?.len() {
            let is_fresh = columns.text("log_entry_id", row)?.is_some_and(|id| self.fresh.contains(id));
            if let (Some(id), Some(0), false) = (columns.text("feedback_id", row)?, columns.integer("revision", row)?, is_fresh) {
                let position = columns.position(row)?;
                self.by_id.entry_ref(id).or_default().push((columns.time("event_time", row)?, position.2, position));
            }
        }
        Ok(())
    }

    /// The places of the replaced.
    pub(super) fn finish(self) -> HashSet<Position> {
        let mut replaced = HashSet::new();
        for mut rows in self.by_id.into_values() {
            rows.sort();
            for pair in rows.windows(2) {
                if let [(earlier, _, place), (later, ..)] = pair
                    && later.0.abs_diff(earlier.0) <= WITHIN_US
                {
                    replaced.insert(place.clone());
                }
            }
        }
        replaced
    }
}
