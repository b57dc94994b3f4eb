//! What the recomputation of one date leaves to the next: the sums that windows of the next date are compared with.

use std::sync::Arc;

use super::pane::{Level, Series};
use super::plan::{MeasureSet, bit};
use super::state::State;
use crate::event::{Input, Timestamp};
use crate::measure::{Group, Measure, Partial};

/// Sums of the end of one date and of the days before it.
#[derive(Clone, Debug, Default)]
pub struct Carried(Vec<Cell>);

#[derive(Clone, Debug)]
struct Cell {
    place: Place,
    start: Timestamp,
    scorer: Option<Arc<str>>,
    measure: Measure,
    group: Group,
    partial: Partial,
}

/// Which of the evaluator's memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Minutes,
    MinutesOfApps,
    Hours,
    HoursOfApps,
    DaysOfApps,
}

const PLACES: [Place; 5] = [Place::Minutes, Place::MinutesOfApps, Place::Hours, Place::HoursOfApps, Place::DaysOfApps];
/// Days that a reference reaches back at most, and one more.
const DAYS_US: i64 = 8 * Timestamp::DAY_US;

impl State {
    fn memory(&mut self, place: Place) -> &mut Level {
        match place {
            Place::Minutes => &mut self.kept.levels[0],
            Place::MinutesOfApps => &mut self.kept.apps[0],
            Place::Hours => &mut self.kept.levels[2],
            Place::HoursOfApps => &mut self.kept.apps[2],
            Place::DaysOfApps => &mut self.kept.days,
        }
    }

    /// What must be known of this state to compare windows from `end` on.
    pub(super) fn carried(&mut self, end: Timestamp) -> Carried {
        let mut cells = Vec::new();
        let (compared, changed) = (self.plan.compared, self.plan.change_measures);
        let hour = end.plus(-Timestamp::HOUR_US);
        for place in PLACES {
            let wanted = |series: Series, start: Timestamp| {
                let measures: MeasureSet = match place {
                    Place::DaysOfApps => compared,
                    Place::HoursOfApps if start < hour => compared,
                    Place::HoursOfApps => compared | changed,
                    Place::Minutes | Place::MinutesOfApps | Place::Hours => changed,
                };
                measures & bit(series.measure()) != 0
            };
            let from = match place {
                Place::DaysOfApps | Place::HoursOfApps => end.plus(-DAYS_US),
                Place::Minutes | Place::MinutesOfApps | Place::Hours => hour,
            };
            let found: Vec<_> = self
                .memory(place)
                .panes_from(from)
                .filter(|(start, series, _)| *start < end && wanted(*series, *start))
                .map(|(start, series, block)| (start, series, block.cells(|_| true)))
                .collect();
            for (start, series, block) in found {
                let scorer = usize::from(series.scorer()).checked_sub(1).and_then(|at| self.kept.scorers.get(at)).cloned();
                for (group, partial) in block {
                    let Some(group) = self.kept.groups.get(group) else { continue };
                    let (group, scorer) = ((**group).clone(), scorer.clone());
                    cells.push(Cell { place, start, scorer, measure: series.measure(), group, partial });
                }
            }
        }
        Carried(cells)
    }

    /// Takes over what was carried, in a state that has absorbed nothing: windows close from `start` on.
    pub(super) fn go_on(&mut self, carried: Carried, start: Timestamp) {
        for input in Input::ALL {
            self.kept.closed[input as usize] = Some(start);
        }
        for cell in carried.0 {
            let scorer = self.scorer(cell.scorer.as_ref());
            let series = Series::new(cell.measure, scorer);
            let group = self.kept.groups.number(&cell.group, cell.start, usize::MAX);
            self.memory(cell.place).add(cell.start, series, &[(group, cell.partial)]);
        }
    }
}
