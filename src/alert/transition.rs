//! Rows of `alert_events`: one per move of an alert.

use serde::{Deserialize, Serialize};

use super::incident::fingerprint;
use super::machine::{Phase, Reason};
use super::measurements::Labels;
use super::rule::{Rule, Severity};
use super::state::Alert;
use super::verdict::Verdict;
use crate::event::Timestamp;

/// One move of one alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// End of the window that decided.
    pub event_time: Timestamp,
    /// Name of the rule.
    pub rule: String,
    /// 16 hex characters of (rule, labels).
    pub fingerprint: String,
    /// The incident, once it has fired.
    pub incident: Option<String>,
    /// From where.
    pub from_state: String,
    /// To where: inactive, pending, firing, recovering.
    pub to_state: String,
    /// Why.
    pub reason: String,
    /// What the window said.
    pub verdict: String,
    /// The metric's value.
    pub value: Option<f64>,
    /// Values behind it.
    pub n: u64,
    /// Lower 95 % bound.
    pub lo: Option<f64>,
    /// Upper 95 % bound.
    pub hi: Option<f64>,
    /// The baseline's value.
    pub baseline: Option<f64>,
    /// Values behind it.
    pub baseline_n: Option<u64>,
    /// Limits from the metric's own last windows: lower, upper.
    pub limits: Option<(f64, f64)>,
    /// How urgent.
    pub severity: String,
    /// Whom it hits.
    pub labels: Labels,
}

impl Transition {
    pub(super) fn new(
        rule: &Rule,
        alert: &Alert,
        t: Timestamp,
        (from, to, reason): (Phase, Phase, Reason),
        verdict: Verdict,
    ) -> Self {
        Self {
            severity: rule.severity.as_str().to_owned(),
            ..Self::bare(&rule.name, alert, t, (from, to, reason), verdict.as_str())
        }
    }

    pub(super) fn of_removed(rule: &str, alert: &Alert, t: Timestamp, change: (Phase, Phase, Reason)) -> Self {
        Self::bare(rule, alert, t, change, "")
    }

    fn bare(rule: &str, alert: &Alert, t: Timestamp, (from, to, reason): (Phase, Phase, Reason), verdict: &str) -> Self {
        let numbers = &alert.numbers;
        Self {
            event_time: t,
            rule: rule.to_owned(),
            fingerprint: fingerprint(rule, &alert.labels),
            incident: alert.incident.clone(),
            from_state: from.as_str().to_owned(),
            to_state: to.as_str().to_owned(),
            reason: reason.as_str().to_owned(),
            verdict: verdict.to_owned(),
            value: numbers.window.value,
            n: numbers.window.n,
            lo: numbers.window.lo,
            hi: numbers.window.hi,
            baseline: numbers.baseline.as_ref().and_then(|base| base.value),
            baseline_n: numbers.baseline.as_ref().map(|base| base.n),
            limits: numbers.limits.map(|limits| (limits.lower, limits.upper)),
            severity: Severity::Ticket.as_str().to_owned(),
            labels: alert.labels.clone(),
        }
    }
}
