//! Compares what was injected with what fired.
//!
//! Every incident should be found by one of its expected alerts, and every alert should be explained by an incident.

use super::{Incident, Scenario};

/// An alert that fired, as the log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Name of the rule.
    pub rule: String,
    /// The application it fired for, if the rule is about one.
    pub app: Option<String>,
    /// When it fired, in event time.
    pub fired_us: i64,
    /// When it was resolved, if it was.
    pub resolved_us: Option<i64>,
}

/// An incident and the alerts that it explains, in order of time.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was injected.
    pub incident: Incident,
    /// What fired because of it.
    pub alarms: Vec<Alarm>,
}

impl Finding {
    /// Microseconds from the beginning of the incident to the first expected alert; nothing if none fired.
    #[must_use]
    pub fn delay_us(&self) -> Option<i64> {
        let expected = |alarm: &&Alarm| self.incident.expected_alerts.contains(&alarm.rule.as_str());
        self.alarms.iter().find(expected).map(|alarm| alarm.fired_us - self.incident.start_us)
    }
}

/// How the service did.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// One finding for each incident, in order.
    pub findings: Vec<Finding>,
    /// What fired without an incident.
    pub unexplained: Vec<Alarm>,
}

impl Verdict {
    /// Assigns each alert to the incident that explains it; of several the one that began last.
    #[must_use]
    pub fn new(scenario: &Scenario, mut alarms: Vec<Alarm>) -> Self {
        alarms.sort_by(|left, right| (left.fired_us, &left.rule).cmp(&(right.fired_us, &right.rule)));
        let mut findings: Vec<Finding> =
            scenario.incidents().into_iter().map(|incident| Finding { incident, alarms: Vec::new() }).collect();
        let mut unexplained = Vec::new();
        for alarm in alarms {
            let cause = findings
                .iter_mut()
                .rev()
                .find(|finding| finding.incident.explains(&alarm.rule, alarm.app.as_deref(), alarm.fired_us));
            match cause {
                Some(finding) => finding.alarms.push(alarm),
                None => unexplained.push(alarm),
            }
        }
        Self { findings, unexplained }
    }

    /// Number of incidents that were found.
    #[must_use]
    pub fn found(&self) -> usize {
        self.findings.iter().filter(|finding| finding.delay_us().is_some()).count()
    }

    /// Every incident was found and nothing fired without one.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found() == self.findings.len() && self.unexplained.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarm, Scenario, Verdict};

    fn alarm(rule: &str, app: &str, fired_us: i64) -> Alarm {
        Alarm { rule: rule.to_owned(), app: (!app.is_empty()).then(|| app.to_owned()), fired_us, resolved_us: None }
    }

    #[test]
    fn each_alarm_is_given_to_its_incident_and_the_rest_is_unexplained() {
        let scenario = Scenario::new(1, 0);
        let incidents = scenario.incidents();
        let verdict = Verdict::new(
            &scenario,
            vec![
                alarm("ThumbsDownSurge", "support-bot", incidents[0].start_us + 900_000_000),
                alarm("GroundednessDrop", "support-bot", incidents[0].start_us + 600_000_000),
                alarm("ErrorRateRise", "translation", incidents[1].start_us + 300_000_000),
                alarm("PipelineFailed", "", incidents[2].start_us + 60_000_000),
                alarm("TokenSpike", "ticket-triage", incidents[3].start_us - 1),
            ],
        );
        let delays: Vec<_> = verdict.findings.iter().map(super::Finding::delay_us).collect();
        assert_eq!(delays, [Some(600_000_000), Some(300_000_000), Some(60_000_000), None, None]);
        assert_eq!(verdict.findings[0].alarms.len(), 2);
        assert_eq!(verdict.unexplained, [alarm("TokenSpike", "ticket-triage", incidents[3].start_us - 1)]);
        assert_eq!(verdict.found(), 3);
        assert!(!verdict.is_clean());
    }

    #[test]
    fn a_consequence_alone_does_not_find_an_incident() {
        let scenario = Scenario::new(1, 0);
        let start_us = scenario.incidents()[0].start_us;
        let verdict = Verdict::new(&scenario, vec![alarm("DriftDetected", "support-bot", start_us + 1)]);
        assert!(verdict.unexplained.is_empty());
        assert_eq!(verdict.found(), 0);
    }
}
