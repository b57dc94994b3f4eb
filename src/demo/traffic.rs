//! Minute by minute: requests, the feedback that follows them later, pipeline reports, and the dirt of real streams
//! (repeats by a producer that tries again, a line that was cut off).

use std::collections::BTreeMap;

use super::chance::{Chance, real};
use super::library::Library;
use super::pipelines::Pipelines;
use super::support::Support;
use super::timetable::{MINUTE_US, MINUTES};
use super::translation::Translating;
use super::triage::Triage;
use super::wire::{Request, line};
use super::{Line, Scenario, Step};

/// Topic of the gateways' logs.
const GATEWAY: &str = "gateway-logs";
/// Topic of the feedback.
const FEEDBACK: &str = "user-feedback";
/// Topic of the pipeline events.
const PIPELINE: &str = "pipeline-events";
/// Partitions of the gateways' topic.
const PARTITIONS: u32 = 2;
/// Minutes in which a line is cut off in the middle.
const CUT_OFF: [u32; 4] = [41, 140, 203, 322];

/// The steps of a scenario.
pub struct Steps {
    scenario: Scenario,
    minute: u32,
    library: Library,
    support: Support,
    translating: Translating,
    triage: Triage,
    pipelines: Pipelines,
    chance: Chance,
    /// Lines that are due later, by time and order of creation.
    due: BTreeMap<(i64, u64), Line>,
    created: u64,
}

impl Steps {
    pub(super) fn new(scenario: Scenario) -> Self {
        let seed = scenario.seed;
        Self {
            scenario,
            minute: 0,
            library: Library::read(),
            support: Support::new(seed),
            translating: Translating::new(seed),
            triage: Triage::new(seed),
            pipelines: Pipelines::new(seed, scenario.start_us),
            chance: Chance::new(seed, 0),
            due: BTreeMap::new(),
            created: 0,
        }
    }

    fn schedule(&mut self, topic: &'static str, partition: u32, written_us: i64, text: String) {
        self.due.insert((written_us, self.created), Line { topic, partition, written_us, text });
        self.created += 1;
    }

    /// The moments of a minute at which requests of one application end, in order, to the millisecond.
    fn moments(&mut self, rate: f64) -> Vec<i64> {
        let start = self.scenario.start_us + i64::from(self.minute) * MINUTE_US;
        let count = self.chance.arrivals(rate);
        let mut moments: Vec<i64> = (0..count).map(|_| start + self.chance.between(0, 60_000) * 1_000).collect();
        moments.sort_unstable();
        moments
    }

    fn write_request(&mut self, request: &Request) {
        let at = request.event_time.0;
        // Like a hash of the key: all requests of a user go to one partition.
        let partition =
            request.user_id.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) / 7 % PARTITIONS;
        let text = line(request);
        if self.chance.happens(0.0015) {
            let again = at + self.chance.between(1_000, 15_000) * 1_000;
            self.schedule(GATEWAY, partition, again, text.clone());
        }
        self.schedule(GATEWAY, partition, at, text);
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.minute >= MINUTES {
            return None;
        }
        let minute = self.minute;
        let start_us = self.scenario.start_us + i64::from(minute) * MINUTE_US;
        let index_before = self.pipelines.index_version();
        for report in self.pipelines.reports(minute) {
            self.schedule(PIPELINE, 0, report.event_time.0, line(&report));
        }
        let mut said = Vec::new();
        let tide = 1.0 + 0.06 * (real(i64::from(minute)) / 70.0).sin();
        for at in self.moments(32.0 * tide) {
            let (request, opinions) = self.support.request(&self.library, at, minute, &index_before);
            self.write_request(&request);
            said.extend(opinions);
        }
        for at in self.moments(Translating::rate(minute)) {
            let (request, opinions) = self.translating.request(&self.library, at, minute);
            self.write_request(&request);
            said.extend(opinions);
        }
        for at in self.moments(18.0) {
            let (request, opinions) = self.triage.request(&self.library, at, minute);
            self.write_request(&request);
            said.extend(opinions);
        }
        for feedback in said {
            self.schedule(FEEDBACK, 0, feedback.event_time.0, line(&feedback));
        }
        if CUT_OFF.contains(&minute) {
            let text = format!(
                "{{\"schema\":\"groundwire.gateway_log.v1\",\"event_time\":\"{}\",\"requ",
                crate::event::Timestamp(start_us)
            );
            self.schedule(GATEWAY, 1, start_us + 30_000_000, text);
        }
        let later = self.due.split_off(&(start_us + MINUTE_US, 0));
        let lines = std::mem::replace(&mut self.due, later).into_values().collect();
        self.minute += 1;
        Some(Step { minute, start_us, lines })
    }
}
