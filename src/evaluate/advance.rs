//! Closing: what the watermarks allow becomes rows, minute by minute in event time.
//!
//! A minute closes when its input's watermark has passed its end; longer windows close with their last minute; a metric made
//! from several inputs closes with the last of them. Late events, and feedback on answers, make revisions.

use super::change::CHANGE;
use super::comparison::DRIFT;
use super::maturity::first_user;
use super::pane::{Block, Histograms, Series, sum};
use super::plan::{bit, is_bulky, is_replaceable};
use super::state::{DAILY, REPLACEABLE, State};
use super::{MetricRow, publish::Scope};
use crate::event::{Input, Timestamp};
use crate::measure::measures::is_by_answer;
use crate::measure::{Inputs, Partial, Window, measures};

/// A moment at which rules are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// A minute of event time has closed for some inputs.
    Minute {
        /// Its end.
        end: Timestamp,
        /// The inputs that have closed it just now.
        inputs: Inputs,
    },
    /// A minute of the log's own time has passed: for rules on the service itself.
    Service {
        /// Its end.
        end: Timestamp,
    },
}

impl Tick {
    /// The end of the minute.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        match self {
            Self::Minute { end, .. } | Self::Service { end } => end,
        }
    }
}

/// An input without events for longer than this is passed over: no window has anything to say there.
pub(super) const SKIP_AFTER_US: i64 = 8 * Timestamp::DAY_US;

/// Days that are compared, or compared with, stay for so long beyond the memory of hours.
const DAYS_KEPT_US: i64 = 8 * Timestamp::DAY_US;

/// Quarters of bulky measures stay for so long.
const BULKY_QUARTERS_US: i64 = 8 * Timestamp::HOUR_US;

impl State {
    /// Closes everything that the watermarks allow and publishes it; first what late events changed. Calls `at_tick` after each
    /// closed minute, when its numbers can be read. Time is the log's: no clock is read.
    pub fn advance(&mut self, rows: &mut Vec<MetricRow>, at_tick: &mut dyn FnMut(&Self, Tick)) {
        let now = self.now();
        let targets = Input::ALL.map(|input| {
            let mark = self.kept.watermarks[input as usize].closing(now, self.settings.stuck_after_us);
            mark.map(|mark| mark.floor(Timestamp::MINUTE_US))
        });
        self.revise(rows);
        for input in Input::ALL {
            self.open_from(input, targets[input as usize]);
        }
        let mut hour = None;
        while let Some((end, inputs)) = self.next_minute(&targets) {
            for input in inputs.iter() {
                self.close_minute(input, end);
            }
            self.publish_closed(end, inputs, rows);
            at_tick(self, Tick::Minute { end, inputs });
            let ended = end.floor(Timestamp::HOUR_US);
            if hour != Some(ended) {
                self.forget();
                hour = Some(ended);
            }
        }
        self.confirm(rows);
        self.tick_service(at_tick);
    }

    /// The first minute to close is that of the first event.
    fn open_from(&mut self, input: Input, target: Option<Timestamp>) {
        let closed = &mut self.kept.closed[input as usize];
        if closed.is_none()
            && let Some(target) = target
        {
            let first = self.kept.open[input as usize].keys().next().copied();
            *closed = Some(first.unwrap_or(target).min(target));
        }
    }

    /// The next minute that some inputs can close: its end, and which. Long stretches without events are skipped.
    fn next_minute(&mut self, targets: &[Option<Timestamp>; 3]) -> Option<(Timestamp, Inputs)> {
        for input in Input::ALL {
            self.skip_silence(input, targets[input as usize]);
        }
        let next = |input: Input| {
            let end = self.kept.closed[input as usize]?.plus(Timestamp::MINUTE_US);
            (Some(end) <= targets[input as usize]).then_some(end)
        };
        let end = Input::ALL.into_iter().filter_map(next).min()?;
        let inputs = Input::ALL.into_iter().filter(|input| next(*input) == Some(end));
        Some((end, inputs.fold(Inputs::default(), |inputs, input| inputs.union(Inputs::of(input)))))
    }

    fn skip_silence(&mut self, input: Input, target: Option<Timestamp>) {
        let (Some(closed), Some(target)) = (self.kept.closed[input as usize], target) else { return };
        let quiet_since = self.kept.newest[input as usize].unwrap_or(Timestamp(i64::MIN));
        if quiet_since.plus(SKIP_AFTER_US) > closed {
            return;
        }
        let next = self.kept.open[input as usize].keys().next().copied().unwrap_or(target).min(target);
        if next.plus(-SKIP_AFTER_US) > closed {
            self.kept.closed[input as usize] = Some(next.plus(-SKIP_AFTER_US).floor(Timestamp::DAY_US).max(closed));
        }
    }

    fn close_minute(&mut self, input: Input, end: Timestamp) {
        let start = end.plus(-Timestamp::MINUTE_US);
        self.kept.closed[input as usize] = Some(end);
        if let Some(pane) = self.kept.open[input as usize].remove(&start) {
            let cells = pane.into_cells();
            for run in cells.chunk_by(|left, right| left.0.0 == right.0.0) {
                if let Some(((series, _), _)) = run.first() {
                    let block = Block::new(run.iter().map(|((_, group), partial)| (*group, partial)));
                    let by_app = self.block_by_app(&block, start);
                    if !is_bulky(series.measure()) {
                        self.kept.levels[0].put(start, *series, block);
                    }
                    self.kept.apps[0].put(start, *series, by_app);
                }
            }
            self.kept.newest[input as usize] = self.kept.newest[input as usize].max(Some(start));
        }
        if input == Input::Feedback && end == end.floor(Timestamp::HOUR_US) {
            self.settle_answers(end);
        }
        for (below, window) in [(0, Window::Quarter), (1, Window::Hour)] {
            if end == end.floor(window.us()) {
                self.roll_up(input, below, window, end);
            }
        }
        if input == Input::Gateway && end == end.floor(Window::Quarter.us()) {
            let bulky = |series: Series| is_bulky(series.measure());
            self.kept.apps[0].forget_series(end.plus(-Window::Quarter.us()), end, bulky);
            let long_ago = end.plus(-BULKY_QUARTERS_US);
            self.kept.apps[1].forget_series(long_ago.plus(-Window::Quarter.us()), long_ago, bulky);
        }
        if input == Input::Gateway && end == end.floor(Timestamp::DAY_US) {
            self.roll_up_day(end);
        }
    }

    /// Adds up the hours that drift compares to the day that ends at `end`.
    fn roll_up_day(&mut self, end: Timestamp) {
        let start = end.plus(-Timestamp::DAY_US);
        let bound = self.kept.groups.bound();
        let compared = self.plan.compared;
        for series in self.kept.apps[2].series(start, end).into_iter().filter(|series| compared & bit(series.measure()) != 0) {
            let block = add_up(self.kept.apps[2].blocks(series, start, end), bound);
            self.kept.days.put(start, series, block);
        }
    }

    /// Adds up the panes below to one of `window` that ends at `end`.
    fn roll_up(&mut self, input: Input, below: usize, window: Window, end: Timestamp) {
        let start = end.plus(-window.us());
        let bound = self.kept.groups.bound();
        for levels in [&mut self.kept.levels, &mut self.kept.apps] {
            let series = levels[below].series(start, end);
            for series in series.into_iter().filter(|series| series.measure().info().input == input) {
                let block = add_up(levels[below].blocks(series, start, end), bound);
                levels[below + 1].put(start, series, block);
            }
        }
    }

    fn block_by_app(&mut self, block: &Block, pane: Timestamp) -> Block {
        let mut numbers = Vec::new();
        block.for_each(|group, _, _| numbers.push(group));
        let mut places = vec![None; numbers.last().map_or(0, |last| *last as usize + 1)];
        for group in numbers {
            places[group as usize] = self.kept.groups.app_of(group, pane);
        }
        let place = |group: u32| places.get(group as usize).copied().flatten();
        let sums = sum(std::iter::once(block), self.kept.groups.bound(), place, Histograms::Added);
        Block::new(sums.iter().map(|(app, partial)| (*app, partial)))
    }

    /// Moves feedback by the time of its answer into the hours that have closed, and has them published again.
    fn settle_answers(&mut self, end: Timestamp) {
        let later = self.kept.answers.split_off(&end);
        let settled = std::mem::replace(&mut self.kept.answers, later);
        self.kept.settled = self.kept.absorbed;
        for (hour, pane) in settled {
            if self.kept.horizons[DAILY].is_some_and(|horizon| hour < horizon) {
                self.kept.counters.beyond_memory += pane.len() as u64;
                continue;
            }
            let cells = pane.into_cells();
            for run in cells.chunk_by(|left, right| left.0.0 == right.0.0) {
                let Some(((series, _), _)) = run.first() else { continue };
                let cells: Vec<(u32, Partial)> = run.iter().map(|((_, group), partial)| (*group, partial.clone())).collect();
                let by_app = self.by_app(&cells, hour);
                self.kept.levels[2].add(hour, *series, &cells);
                self.kept.apps[2].add(hour, *series, &by_app);
                if series.measure() == measures::ANSWER_DELAY {
                    self.note_delays(hour, &by_app);
                }
                for window in [Window::Hour, Window::Day] {
                    self.touch(window, hour.floor(window.us()), series.measure(), cells.iter().map(|(group, _)| *group));
                }
            }
        }
    }

    /// Adds delays to the cohorts of later windows.
    fn note_delays(&mut self, hour: Timestamp, by_app: &[(u32, Partial)]) {
        for (app, partial) in by_app {
            if let Some(app) = self.kept.groups.get(*app).cloned() {
                self.kept.cohorts.add(hour, &app, &partial.hist);
            }
        }
        let user = first_user(hour);
        if self.answered_through().is_some_and(|through| user < through) {
            self.kept.dirty_cohorts = Some(self.kept.dirty_cohorts.map_or(user, |known| known.min(user)));
        }
    }

    /// Up to when all inputs of a set are closed; inputs without partitions do not count.
    pub(super) fn through(&self, inputs: Inputs) -> Option<Timestamp> {
        let known = inputs.iter().filter(|input| self.kept.watermarks[*input as usize].is_known());
        known.map(|input| self.kept.closed[input as usize]).min().flatten()
    }

    fn publish_closed(&mut self, end: Timestamp, closed: Inputs, rows: &mut Vec<MetricRow>) {
        let windows: Vec<Window> = Window::ALL.into_iter().filter(|window| end == end.floor(window.us())).collect();
        let plan = self.plan.clone();
        for (number, class) in (0_u8..).zip(&plan.classes) {
            if !class.inputs.meets(closed) || self.through(class.inputs) != Some(end) {
                continue;
            }
            for window in &windows {
                let start = end.plus(-window.us());
                // What was touched before it was ever published is published now.
                self.publish(number, *window, start, Scope::All, rows);
            }
        }
        let answered = self.plan.answered;
        if windows.contains(&Window::Hour) && answered.meets(closed) && self.answered_through() == Some(end) {
            self.publish_maturity(end, rows);
            self.revise_maturity(rows);
        }
        if closed.contains(Input::Gateway) && windows.contains(&Window::Hour) {
            let hour = end.plus(-Timestamp::HOUR_US);
            for window in windows.iter().copied().filter(|window| *window >= Window::Hour) {
                self.kept.dirty_drift.remove(&(end, window));
                self.publish_drift(window, end.plus(-window.us()), 0, rows);
            }
            self.kept.dirty_changes.remove(&hour);
            self.publish_changes(hour, 0, rows);
            self.revise_comparisons(rows);
        }
        if closed.contains(Input::Feedback) && windows.contains(&Window::Hour) {
            self.revise(rows);
        }
    }

    /// Publishes again what late events touched.
    fn revise(&mut self, rows: &mut Vec<MetricRow>) {
        let plan = self.plan.clone();
        for ((window, start), groups) in std::mem::take(&mut self.kept.dirty) {
            let end = start.plus(window.us());
            for (number, class) in (0_u8..).zip(&plan.classes) {
                if self.through(class.inputs) >= Some(end) {
                    self.publish(number, window, start, Scope::Touched(&groups), rows);
                }
            }
            let served: Vec<u32> =
                groups.iter().filter(|(_, touched)| **touched & bit(measures::REQUESTS) != 0).map(|(group, _)| *group).collect();
            if !served.is_empty() {
                self.touch_maturity(window, start, &served, rows);
            }
        }
    }

    /// Publishes again the drift and the changes that late events touched, at most hourly.
    fn revise_comparisons(&mut self, rows: &mut Vec<MetricRow>) {
        let Some(closed) = self.kept.closed[Input::Gateway as usize] else { return };
        let horizon = self.kept.horizons[0];
        let open = self.kept.dirty_drift.split_off(&(closed.plus(1), Window::Minute));
        for (end, window) in std::mem::replace(&mut self.kept.dirty_drift, open) {
            // A day's own memory reaches further back than that of its hours.
            let start = end.plus(-window.us());
            if window == Window::Day || horizon.is_none_or(|horizon| start >= horizon) {
                let revision = self.next_revision(window, start, DRIFT);
                self.publish_drift(window, start, revision, rows);
            }
        }
        let open = self.kept.dirty_changes.split_off(&closed.floor(Timestamp::HOUR_US));
        for hour in std::mem::replace(&mut self.kept.dirty_changes, open) {
            // The hour before must be in memory too.
            if horizon.is_none_or(|horizon| hour.plus(-Timestamp::HOUR_US) >= horizon) {
                let revision = self.next_revision(Window::Hour, hour, CHANGE);
                self.publish_changes(hour, revision, rows);
            }
        }
    }

    /// Publishes as final what had closed without some partitions that have passed it now.
    fn confirm(&mut self, rows: &mut Vec<MetricRow>) {
        let plan = self.plan.clone();
        let waiting: Vec<_> = self.kept.provisional.iter().copied().collect();
        for (number, window, start) in waiting {
            let inputs = match number {
                DRIFT | CHANGE => Some(Inputs::of(Input::Gateway)),
                _ => plan.classes.get(usize::from(number)).map(|class| class.inputs),
            };
            let Some(inputs) = inputs else { continue };
            let end = start.plus(window.us());
            let complete = inputs.iter().map(|input| &self.kept.watermarks[input as usize]).all(|mark| {
                let (passed, all) = mark.coverage(end);
                passed == all
            });
            if complete {
                self.kept.provisional.remove(&(number, window, start));
                match number {
                    DRIFT => {
                        let revision = self.next_revision(window, start, DRIFT);
                        self.publish_drift(window, start, revision, rows);
                    }
                    CHANGE => {
                        let revision = self.next_revision(window, start, CHANGE);
                        self.publish_changes(start, revision, rows);
                    }
                    _ => self.publish(number, window, start, Scope::Again, rows),
                }
            }
        }
    }

    pub(super) fn next_revision(&mut self, window: Window, start: Timestamp, class: u8) -> i64 {
        let revision = self.kept.revisions.entry((window, start, class)).or_default();
        *revision += 1;
        *revision
    }

    fn tick_service(&mut self, at_tick: &mut dyn FnMut(&Self, Tick)) {
        let end = self.now().floor(Timestamp::MINUTE_US);
        if self.kept.counters.service_minute != Some(end) {
            self.kept.counters.service_minute = Some(end);
            at_tick(self, Tick::Service { end });
        }
    }

    /// Forgets what no window can need any more, and what is over the memory limit, oldest first.
    fn forget(&mut self) {
        let known = Input::ALL.into_iter().filter(|input| self.kept.watermarks[*input as usize].is_known());
        let Some(Some(closed)) = known.map(|input| self.kept.closed[input as usize]).min() else { return };
        let recent = closed.plus(-self.settings.keep_us).floor(Timestamp::HOUR_US);
        let answers = closed.plus(-self.settings.keep_answers_us).floor(Timestamp::DAY_US);
        self.raise_horizons(recent, answers);
        for level in [0, 1, 2] {
            self.evict(level, closed);
        }
    }

    /// Forgets the oldest panes of a level until memory is within its limit; the newest hour stays.
    fn evict(&mut self, level: usize, closed: Timestamp) {
        while self.closed_bytes() > self.settings.closed_bytes_max {
            let Some(first) = self.kept.levels[level].first().filter(|first| first.plus(2 * Timestamp::HOUR_US) <= closed) else {
                return;
            };
            let next = first.floor(Timestamp::HOUR_US).plus(Timestamp::HOUR_US);
            self.kept.levels[level].forget_before(next, |_| false);
            self.kept.apps[level].forget_before(next, |_| false);
            self.kept.horizons[level] = self.kept.horizons[level].max(Some(next));
            if level == 2 {
                self.kept.horizons[DAILY] = self.kept.horizons[DAILY].max(Some(next));
            }
            self.kept.horizons[REPLACEABLE] = self.kept.horizons[REPLACEABLE].max(Some(next));
            self.kept.counters.evicted_hours += 1;
        }
    }

    fn raise_horizons(&mut self, recent: Timestamp, answers: Timestamp) {
        let daily = self.plan.daily;
        let kept = &mut self.kept;
        let compared = self.plan.compared;
        let kept_for_days = |series: Series| {
            let measure = series.measure();
            daily & bit(measure) != 0 || is_by_answer(measure) || is_replaceable(measure)
        };
        // A window within memory may be compared with what was before it.
        let reference = recent.plus(-self.settings.reference.reach_us());
        let days = recent.plus(-DAYS_KEPT_US).floor(Timestamp::DAY_US);
        let compared_later = |series: Series| compared & bit(series.measure()) != 0;
        for level in [0, 1, 2] {
            kept.horizons[level] = kept.horizons[level].max(Some(recent));
        }
        for longer in [DAILY, REPLACEABLE] {
            kept.horizons[longer] = kept.horizons[longer].max(Some(answers));
        }
        for levels in [&mut kept.levels, &mut kept.apps] {
            for level in &mut levels[..2] {
                level.forget_before(recent, |series| is_replaceable(series.measure()));
                level.forget_before(answers, |_| false);
            }
            levels[2].forget_before(answers.min(reference), |_| false);
        }
        kept.levels[2].forget_before(recent, kept_for_days);
        kept.apps[2].forget_before(recent, |series| kept_for_days(series) || compared_later(series));
        kept.apps[2].forget_before(reference, kept_for_days);
        kept.days.forget_before(days, |_| false);
        kept.cohorts.forget_before(answers);
        kept.freshness.forget_before(recent);
        kept.groups.forget_before(answers.min(reference).min(days));
        kept.revisions.retain(|(_, start, _), _| *start >= answers);
        kept.provisional.retain(|(_, window, start)| start.plus(window.us()) > recent);
        kept.dirty_drift = kept.dirty_drift.split_off(&(recent, Window::Minute));
        kept.dirty_changes = kept.dirty_changes.split_off(&recent);
    }
}

fn add_up<'a>(blocks: impl Iterator<Item = &'a Block>, places: usize) -> Block {
    let blocks: Vec<&Block> = blocks.collect();
    if let [only] = blocks.as_slice() {
        return (*only).clone();
    }
    let sums = sum(blocks.into_iter(), places, Some, Histograms::Added);
    Block::new(sums.iter().map(|(group, partial)| (*group, partial)))
}
