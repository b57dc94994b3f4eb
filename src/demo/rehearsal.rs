//! The whole scenario through the pure half of the service, without files and tasks: every incident must be found by the rules
//! that are shipped, and nothing else may fire.

use std::sync::Arc;

use super::{Alarm, Chronicle, DEFAULT_SEED, Place, Scenario, Verdict};
use crate::alert::{At, State};
use crate::config;
use crate::decode::redact::Redactor;
use crate::evaluate::{self, Tick};
use crate::event::{Record, Records, Timestamp, TopicPartition};
use crate::ingest::Ingest;
use crate::log::{Entry, Health, InputHealth, Kind};
use crate::measure::Registry;
use crate::score::Scorer;

/// Plays a scenario and returns what fired.
fn play(scenario: Scenario) -> Vec<Alarm> {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new(directory.path());
    place.prepare(&scenario, [7; 32]).unwrap();
    let loaded = config::load(&place.config()).unwrap();
    let secrets = loaded.resolve().unwrap();
    let config = &loaded.config;
    let mut ingest = Ingest::new(
        config.ingest(&secrets),
        Redactor::new(&config.redact(&secrets)).unwrap(),
        Scorer::new(crate::score::Settings::default()),
    );
    let partitions = [("gateway-logs", 0), ("gateway-logs", 1), ("user-feedback", 0), ("pipeline-events", 0)]
        .map(|(topic, partition)| TopicPartition { topic: topic.into(), partition });
    for partition in &partitions {
        ingest.assign(partition.clone(), 0, None);
    }
    let registry = Arc::new(Registry::builtin().unwrap());
    let rules = config.rules().unwrap();
    let mut numbers = evaluate::State::new(config.evaluate(), registry);
    let (mut alerts, mut chronicle, mut offset) = (State::default(), Chronicle::default(), 0);
    for step in scenario.steps() {
        let mut records = Records::default();
        for line in &step.lines {
            let partition = records.partition(line.topic, i32::try_from(line.partition).unwrap());
            let start = records.bytes.len();
            records.bytes.extend_from_slice(line.text.as_bytes());
            let value = Some(start..records.bytes.len());
            let next_offset = offset + 1;
            records.records.push(Record { partition, offset, next_offset, time: None, key: None, value, headers: None, cut: None });
            offset = next_offset;
        }
        ingest.push(&records, Timestamp(step.start_us));
        let now = ingest.newest_event().unwrap_or(Timestamp(step.start_us));
        for partition in &partitions {
            ingest.observe(partition, &InputHealth { caught_up: true, ..InputHealth::default() }, now);
        }
        let epoch = ingest.cut();
        let mut entry = entry(u64::from(step.minute) + 1, now);
        entry.watermarks = epoch.watermarks.iter().map(|(partition, mark)| (partition.to_string(), *mark)).collect();
        entry.health.inputs = partitions.iter().map(|partition| (partition.to_string(), InputHealth::default())).collect();
        entry.outcomes = epoch.outcomes;
        numbers.absorb(&entry, epoch.partials);
        let mut transitions = Vec::new();
        numbers.advance(&mut Vec::new(), &mut |state, tick| {
            let at = At { state, tick };
            match tick {
                Tick::Minute { end, .. } => alerts.step(&rules, &at, end, now, &mut transitions),
                Tick::Service { end } => alerts.step_service(&rules, &at, end, &mut transitions),
            }
        });
        entry.transitions = transitions.iter().map(|transition| serde_json::to_value(transition).unwrap()).collect();
        chronicle.read(&entry);
    }
    chronicle.alarms().to_vec()
}

fn entry(number: u64, written_at: Timestamp) -> Entry {
    Entry { number, health: Health { connected: true, ..Health::default() }, ..Entry::new("", Kind::Ingest, "", written_at) }
}

#[test]
fn the_shipped_rules_find_every_incident_and_nothing_else() {
    let scenario = Scenario::new(DEFAULT_SEED, 1_780_300_800_000_000);
    let verdict = Verdict::new(&scenario, play(scenario));
    let minutes = |us: i64| us.div_euclid(60_000_000);
    let told = |alarm: &Alarm| (alarm.rule.clone(), alarm.app.clone(), minutes(alarm.fired_us - scenario.start_us));
    let unexplained: Vec<_> = verdict.unexplained.iter().map(told).collect();
    assert_eq!(unexplained, []);
    for finding in &verdict.findings {
        let alarms: Vec<_> = finding.alarms.iter().map(told).collect();
        let delay = finding.delay_us().map(minutes);
        assert!(delay.is_some_and(|delay| delay <= 20), "{}: {alarms:?}", finding.incident.name);
    }
}
