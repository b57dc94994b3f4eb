//! Reads from the commit log what fired and when: the demo believes nothing but the log.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Alarm;
use crate::event::Timestamp;
use crate::log::Entry;

/// The alarms of a log, in the order in which they fired.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    alarms: Vec<Alarm>,
    /// Position in `alarms` of what fires now, by fingerprint.
    firing: BTreeMap<String, usize>,
}

impl Chronicle {
    /// Takes in the next entry and returns how many alarms began with it.
    pub fn read(&mut self, entry: &Entry) -> usize {
        let before = self.alarms.len();
        for transition in &entry.transitions {
            self.transition(transition);
        }
        self.alarms.len() - before
    }

    fn transition(&mut self, transition: &Value) {
        let text = |name: &str| transition[name].as_str().unwrap_or_default().to_owned();
        let Some(at) = transition["event_time"].as_str().and_then(Timestamp::parse) else { return };
        let fingerprint = text("fingerprint");
        match transition["to_state"].as_str() {
            Some("firing") if !self.firing.contains_key(&fingerprint) => {
                self.firing.insert(fingerprint, self.alarms.len());
                let app = transition["labels"]["app"].as_str().map(str::to_owned);
                self.alarms.push(Alarm { rule: text("rule"), app, fired_us: at.0, resolved_us: None });
            }
            Some("resolved" | "inactive") => {
                let ended = self.firing.remove(&fingerprint).and_then(|position| self.alarms.get_mut(position));
                if let Some(alarm) = ended {
                    alarm.resolved_us = Some(at.0);
                }
            }
            _ => {}
        }
    }

    /// What has fired so far.
    #[must_use]
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }
}
