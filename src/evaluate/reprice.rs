//! What the evaluator must know of a repricing beside its corrections: which windows it has published again by itself.
//!
//! A repricing publishes rows of any age, also of windows that the evaluator has forgotten. Those that it remembers it publishes once
//! more, with the corrections and whatever came meanwhile, under a greater revision.

use serde_json::{Value, json};

use super::plan::bit;
use super::state::State;
use crate::event::Timestamp;
use crate::log::Entry;
use crate::measure::{Measure, Window, measures};

/// Name of the decision in an entry.
const REPRICED: &str = "repriced";

/// A window of which a repricing has published rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repriced {
    /// Length in seconds.
    pub window_s: i64,
    /// Start.
    pub window_start: Timestamp,
    /// The greatest revision of its rows.
    pub revision: i64,
}

impl Repriced {
    /// Several as a decision of an entry.
    #[must_use]
    pub fn decision(windows: &[Self]) -> Value {
        let windows: Vec<_> = windows.iter().map(|window| (window.window_s, window.window_start.0, window.revision)).collect();
        json!({ REPRICED: windows })
    }

    fn of(decision: &Value) -> Vec<Self> {
        let found = decision.get(REPRICED).cloned().and_then(|windows| serde_json::from_value(windows).ok());
        let windows: Vec<(i64, i64, i64)> = found.unwrap_or_default();
        let window = |(window_s, start, revision)| Self { window_s, window_start: Timestamp(start), revision };
        windows.into_iter().map(window).collect()
    }
}

impl State {
    /// Lets later revisions of the repriced windows be greater than those that are published.
    pub(super) fn note_repriced(&mut self, entry: &Entry) {
        let costs = (0_u16..).take(measures::COUNT).map(Measure).filter(|measure| measures::is_cost(*measure));
        let costs = costs.fold(0, |set, measure| set | bit(measure));
        for repriced in entry.decisions.iter().flat_map(Repriced::of) {
            let Some(window) = Window::ALL.into_iter().find(|window| window.seconds() == repriced.window_s) else { continue };
            for (class, _) in (0_u8..).zip(&self.plan.classes).filter(|(_, class)| class.needed(window) & costs != 0) {
                let known = self.kept.revisions.entry((window, repriced.window_start, class)).or_default();
                *known = (*known).max(repriced.revision);
            }
        }
    }
}
