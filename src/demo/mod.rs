//! A simulated company whose traffic shows what Groundwire finds: three applications, six and a half hours, five incidents.
//!
//! It writes what a gateway, a feedback widget and the pipelines of a company would write, as lines of JSON for the topics
//! of the files source; the service reads them like any others and cannot tell that they are made up. One seed and one start
//! give the same bytes. Generation is pure; only [`TopicWriter`] touches files.

mod chance;
mod chronicle;
mod company;
mod library;
mod pipelines;
mod place;
mod summary;
mod support;
mod timetable;
mod topics;
mod traffic;
mod translation;
mod triage;
mod verdict;
mod wire;

pub use chronicle::Chronicle;
pub use place::{Error, Place};
pub use summary::{Emphasis, Facts, QUERIES, render};
pub use topics::TopicWriter;
pub use traffic::Steps;
pub use verdict::{Alarm, Finding, Verdict};

/// The default seed of the demo.
pub const DEFAULT_SEED: u64 = 20_260_504;

/// A script of traffic and incidents.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Seed of all chance.
    pub seed: u64,
    /// Event time of the first minute, in microseconds since 1970.
    pub start_us: i64,
}

/// Something that goes wrong on purpose.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Short name, for scripts.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What happens, in a sentence.
    pub story: &'static str,
    /// The application it happens to.
    pub app: &'static str,
    /// When it begins, in microseconds since 1970.
    pub start_us: i64,
    /// When it is over.
    pub end_us: i64,
    /// The incident is found if one of these rules fires between its start and [`Incident::grace_end_us`].
    pub expected_alerts: &'static [&'static str],
    /// Rules that may fire as well, rightly: what the incident does to other numbers.
    pub consequences: &'static [&'static str],
}

impl Incident {
    /// Until when an alert counts as caused by this incident: windows still hold its minutes for up to an hour afterwards.
    #[must_use]
    pub const fn grace_end_us(&self) -> i64 {
        self.end_us + 60 * timetable::MINUTE_US
    }

    /// Whether a rule that fires at this time for this application (none: for all) is explained by the incident.
    #[must_use]
    pub fn explains(&self, rule: &str, app: Option<&str>, at_us: i64) -> bool {
        let named = self.expected_alerts.contains(&rule) || self.consequences.contains(&rule);
        named && app.is_none_or(|app| app == self.app) && (self.start_us..=self.grace_end_us()).contains(&at_us)
    }
}

/// One line for a partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The topic.
    pub topic: &'static str,
    /// Its partition.
    pub partition: u32,
    /// When the line is written, in event time; lines of a step are in this order.
    pub written_us: i64,
    /// The record, without the end of line.
    pub text: String,
}

/// One minute of event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Minute of the scenario, from 0.
    pub minute: u32,
    /// Its beginning in event time.
    pub start_us: i64,
    /// What is written within it.
    pub lines: Vec<Line>,
}

impl Scenario {
    /// The scenario that starts at `start_us`, cut to the minute.
    #[must_use]
    pub const fn new(seed: u64, start_us: i64) -> Self {
        Self { seed, start_us: start_us.div_euclid(timetable::MINUTE_US) * timetable::MINUTE_US }
    }

    /// The scenario that ends within the half hour before `now_us`, so that the demo's events are of today.
    #[must_use]
    pub const fn ending_at(seed: u64, now_us: i64) -> Self {
        let half_hour = 30 * timetable::MINUTE_US;
        let end_us = now_us.div_euclid(half_hour) * half_hour;
        Self::new(seed, end_us - timetable::MINUTES as i64 * timetable::MINUTE_US)
    }

    /// Its length in minutes.
    #[must_use]
    pub const fn minutes(&self) -> u32 {
        timetable::MINUTES
    }

    /// Event time of its end.
    #[must_use]
    pub const fn end_us(&self) -> i64 {
        self.start_us + timetable::MINUTES as i64 * timetable::MINUTE_US
    }

    /// What goes wrong in it, in order.
    #[must_use]
    pub fn incidents(&self) -> Vec<Incident> {
        timetable::incidents(self.start_us)
    }

    /// Its lines, minute by minute.
    #[must_use]
    pub fn steps(&self) -> Steps {
        Steps::new(*self)
    }
}

#[cfg(test)]
mod rehearsal;
#[cfg(test)]
mod tests;
