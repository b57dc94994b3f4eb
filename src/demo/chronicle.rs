//! Reads from the commit log what fired and when: the demo believes nothing but the log.

use std::collections::{BTreeMap, BTreeSet};

use super::Alarm;
use crate::alert::{Change, Progress, Transition};
use crate::log::{Entry, Kind};

/// What a log tells about alerts and mail.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    alarms: Vec<Alarm>,
    /// Position in `alarms` of what fires now, by fingerprint.
    firing: BTreeMap<String, usize>,
    /// Deliveries that are not over: message and recipient.
    unsent: BTreeSet<(String, String)>,
    /// Number of the last entry with input.
    last_ingest: u64,
}

impl Chronicle {
    /// Takes in the next entry and returns how many alarms began with it. Content of another version is passed over.
    pub fn read(&mut self, entry: &Entry) -> usize {
        let before = self.alarms.len();
        for transition in &entry.transitions {
            if let Ok(transition) = serde_json::from_value::<Transition>(transition.clone()) {
                self.transition(transition);
            }
        }
        for change in &entry.outbox {
            if let Ok(change) = serde_json::from_value::<Change>(change.clone()) {
                self.change(change);
            }
        }
        if entry.kind == Kind::Ingest {
            self.last_ingest = entry.number;
        }
        self.alarms.len() - before
    }

    fn transition(&mut self, transition: Transition) {
        let at_us = transition.event_time.0;
        match transition.to_state.as_str() {
            "firing" if !self.firing.contains_key(&transition.fingerprint) => {
                self.firing.insert(transition.fingerprint, self.alarms.len());
                let app = transition.labels.into_iter().find(|(name, _)| name == "app").map(|(_, value)| value);
                self.alarms.push(Alarm { rule: transition.rule, app, fired_us: at_us, resolved_us: None });
            }
            "inactive" => {
                let ended = self.firing.remove(&transition.fingerprint).and_then(|position| self.alarms.get_mut(position));
                if let Some(alarm) = ended {
                    alarm.resolved_us = Some(at_us);
                }
            }
            _ => {}
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Queued(notification) => {
                self.unsent.extend(notification.recipients.iter().map(|recipient| (notification.id(), recipient.clone())));
            }
            Change::Withdrawn(message) => self.unsent.retain(|(unsent, _)| *unsent != message),
            Change::Delivery { message, delivery } => {
                if matches!(delivery.progress, Progress::Sent(_) | Progress::Dead(_)) {
                    self.unsent.remove(&(message, delivery.recipient));
                }
            }
        }
    }

    /// What has fired so far.
    #[must_use]
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// Number of the last entry with input; 0 before the first.
    #[must_use]
    pub const fn last_ingest(&self) -> u64 {
        self.last_ingest
    }

    /// Whether somebody still has to be told something.
    #[must_use]
    pub fn mail_is_under_way(&self) -> bool {
        !self.unsent.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Chronicle;
    use crate::log::{Entry, Kind};

    fn entry(kind: Kind, transitions: Vec<Value>) -> Entry {
        let mut entry: Entry = serde_json::from_value(json!({
            "format": 1, "number": 3, "id": "", "kind": "evaluate", "writer": "", "written_at": "2026-05-04T08:00:00Z", "cursors": []
        }))
        .unwrap();
        entry.kind = kind;
        entry.transitions = transitions;
        entry
    }

    fn moved(at: &str, to_state: &str) -> Value {
        json!({
            "event_time": at, "rule": "ErrorRateRise", "fingerprint": "f", "incident": "i", "from_state": "", "to_state": to_state,
            "reason": "breach", "verdict": "breach", "value": 0.4, "n": 400, "lo": null, "hi": null, "baseline": null,
            "baseline_n": null, "severity": "page", "labels": [["tenant", "larkfield"], ["app", "translation"]]
        })
    }

    #[test]
    fn an_alarm_lasts_from_firing_to_inactive_and_a_relapse_is_the_same_alarm() {
        let mut chronicle = Chronicle::default();
        let moves =
            [("08:00", "pending"), ("08:05", "firing"), ("08:20", "recovering"), ("08:22", "firing"), ("08:40", "recovering")];
        let began: usize = moves
            .iter()
            .map(|(at, state)| chronicle.read(&entry(Kind::Evaluate, vec![moved(&format!("2026-05-04T{at}:00Z"), state)])))
            .sum();
        assert_eq!((began, chronicle.alarms().len()), (1, 1));
        assert_eq!(chronicle.alarms()[0].resolved_us, None);
        chronicle.read(&entry(Kind::Evaluate, vec![moved("2026-05-04T08:50:00Z", "inactive")]));
        let alarm = &chronicle.alarms()[0];
        assert_eq!((alarm.rule.as_str(), alarm.app.as_deref()), ("ErrorRateRise", Some("translation")));
        assert_eq!(alarm.resolved_us.map(|at| at - alarm.fired_us), Some(45 * 60_000_000));
        assert_eq!(chronicle.read(&entry(Kind::Evaluate, vec![moved("2026-05-04T09:50:00Z", "firing")])), 1);
    }

    #[test]
    fn entries_of_another_version_are_passed_over() {
        let mut chronicle = Chronicle::default();
        assert_eq!(chronicle.read(&entry(Kind::Ingest, vec![json!({"rule": 7})])), 0);
        assert_eq!(chronicle.last_ingest(), 3);
        assert!(!chronicle.mail_is_under_way());
    }
}
