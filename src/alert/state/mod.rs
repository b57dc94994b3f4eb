//! The state of all alerts: what the evaluator's fold carries from one closed minute to the next.
//!
//! [`State::step`] judges every rule at one closed minute of event time, [`State::step_service`] the rules on the service itself
//! at the log's clock. Notifications go to the outbox; nothing is sent. Equal inputs give equal states (AL-4), which is what
//! makes recovery, `alerts test` and `alerts backtest` the same code as live.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::{self, Hint};
use super::incident::{self, Incident};
use super::machine::{Health, Machine, Phase, Reason};
use super::measurements::{Labels, Measurements, Observation};
use super::notification::{Earlier, Ending, Kind, Notification};
use super::outbox::{Change, Claim, Outbox, Outgoing, SendResult};
use super::rule::{Freeze, Mode, Rule, Rules, Trailing};
use super::transition::Transition;
use super::verdict::{Numbers, Verdict, judge, merge};
use super::{baseline, quote, spread};
use crate::event::Timestamp;

/// Alerts of one rule that may be on at once; more are counted, not followed.
const MAX_ACTIVE: usize = 200;
/// How long after it fired an alert is checked against late data.
const RECHECK_US: i64 = 6 * Timestamp::HOUR_US;
/// How much worse it must be than the last mail said, to be told again.
const MUCH_WORSE: f64 = 1.25;
/// Relapses after which a mail says that it does not get better.
const FLAPS_TOLD: u32 = 3;

/// One alert that is not inactive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Whom it hits.
    pub labels: Labels,
    /// Where it stands.
    pub machine: Machine,
    /// The baseline as it was when it went pending, if the rule freezes it.
    pub frozen: Option<Observation>,
    /// Its incident, once it has fired.
    pub incident: Option<String>,
    /// The numbers of the last window.
    pub numbers: Numbers,
}

/// What is known of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct RuleState {
    /// Alerts that are not inactive, by labels.
    alerts: Vec<Alert>,
    /// When it was judged last.
    judged_at: Option<Timestamp>,
    /// Its baselines.
    baselines: baseline::Cache,
    /// Its windows before.
    #[serde(default)]
    past: spread::Past,
    /// Alerts that were not followed in the last step because too many are on.
    overflow: usize,
}

/// The state of all alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    rules: BTreeMap<String, RuleState>,
    incidents: Vec<Incident>,
    outbox: Outbox,
    evaluated_until: Timestamp,
}

/// One rule at one moment.
struct Moment<'a> {
    rules: &'a Rules,
    rule: &'a Rule,
    measurements: &'a dyn Measurements,
    t: Timestamp,
    now: Timestamp,
}

impl State {
    /// Judges every rule at one closed minute. `now` is the clock of the log entry that this belongs to.
    pub fn step(
        &mut self,
        rules: &Rules,
        measurements: &dyn Measurements,
        minute_end: Timestamp,
        now: Timestamp,
        out: &mut Vec<Transition>,
    ) {
        self.evaluated_until = self.evaluated_until.max(minute_end);
        self.end_removed(rules, minute_end, now, out);
        let due = |rule: &&Rule| rule.mode != Mode::Off && !rule.watches_the_service() && measurements.is_due(&rule.query.metric);
        for rule in rules.rules.iter().filter(due) {
            self.step_rule(&Moment { rules, rule, measurements, t: minute_end, now }, out);
        }
        self.incidents.retain(|incident| incident.ended_at.is_none_or(|at| minute_end.0 - at.0 < incident::REMEMBER_US));
    }

    /// Judges the rules on the service itself (`service.*`), once per log entry: they must speak when no minute closes any more.
    pub fn step_service(&mut self, rules: &Rules, measurements: &dyn Measurements, now: Timestamp, out: &mut Vec<Transition>) {
        for rule in rules.rules.iter().filter(|rule| rule.mode != Mode::Off && rule.watches_the_service()) {
            self.step_rule(&Moment { rules, rule, measurements, t: now, now }, out);
        }
    }

    /// Claims what is due to be sent. The claims belong into the entry that is about to be appended; send only after that.
    pub fn claim(&mut self, now: Timestamp) -> Vec<Claim> {
        // Before the first closed minute there is nothing to catch up with.
        let until = if self.evaluated_until == Timestamp::default() { now } else { self.evaluated_until };
        self.outbox.claim(now, until)
    }

    /// Records what became of a claim; it is part of the next entry. A delivery that would be tried again `give_up_us` after it
    /// was queued is given up.
    pub fn record(&mut self, result: &SendResult, now: Timestamp, give_up_us: i64) {
        self.outbox.record(result, now, give_up_us);
    }

    /// Puts a notification into the outbox that no rule asked for, for example a test mail.
    pub fn queue(&mut self, notification: Notification) {
        self.outbox.queue(notification);
    }

    /// Changes of the outbox since the last call, for `outbox` of the entry that is about to be appended.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.outbox.take_changes()
    }

    /// Replays the outbox of an entry that was appended before: its `outbox` and its `written_at`. Not for an entry that this
    /// state has just produced.
    pub fn apply(&mut self, changes: &[serde_json::Value], written_at: Timestamp) {
        let changes = changes.iter().filter_map(|value| serde_json::from_value(value.clone()).ok()).collect();
        self.outbox.apply(changes, written_at);
    }

    /// Alerts that are not inactive, by rule.
    pub fn active(&self) -> impl Iterator<Item = (&str, &Alert)> {
        self.rules.iter().flat_map(|(rule, state)| state.alerts.iter().map(move |alert| (rule.as_str(), alert)))
    }

    /// Incidents that are on or were on in the last day, oldest first.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// The outbox, oldest first.
    pub fn outgoing(&self) -> &[Outgoing] {
        self.outbox.outgoing()
    }

    /// Age of the oldest notification that somebody still has to get, in seconds.
    pub fn oldest_unsent_secs(&self, now: Timestamp) -> Option<i64> {
        self.outbox.oldest_unsent_secs(now)
    }

    /// Rules of which some alert gave no number in its last window, and rules with more alerts than are followed.
    pub fn troubled_rules(&self) -> impl Iterator<Item = &str> {
        let troubled = |state: &RuleState| state.overflow > 0 || state.alerts.iter().any(|a| a.machine.health == Health::Error);
        self.rules.iter().filter(move |(_, state)| troubled(state)).map(|(rule, _)| rule.as_str())
    }

    fn step_rule(&mut self, moment: &Moment<'_>, out: &mut Vec<Transition>) {
        let Moment { rule, measurements, t, .. } = *moment;
        let state = self.rules.entry(rule.name.clone()).or_default();
        let elapsed_us = state.judged_at.map_or(Timestamp::MINUTE_US, |last| t.0 - last.0);
        if elapsed_us <= 0 {
            return;
        }
        state.judged_at = Some(t);
        state.overflow = 0;
        let mut windows: BTreeMap<Labels, Option<Observation>> = measurements
            .pooled(&rule.query, t.plus(-rule.over_us), t)
            .into_iter()
            .map(|(labels, window)| (labels, Some(window)))
            .collect();
        if rule.query.by.is_empty() {
            windows.entry(Labels::new()).or_default();
        }
        for alert in &state.alerts {
            windows.entry(alert.labels.clone()).or_default();
        }
        if let Some(trailing) = rule.baseline {
            state.baselines.advance(rule, trailing, measurements, t);
        }
        if let Some(spread) = &rule.spread {
            let RuleState { past, alerts, .. } = state;
            past.advance(rule, spread, measurements, t, |labels| alerts.iter().any(|alert| alert.labels == *labels));
        }
        for (labels, window) in windows {
            self.step_alert(moment, labels, window.as_ref(), elapsed_us, out);
        }
    }

    fn step_alert(
        &mut self,
        moment: &Moment<'_>,
        labels: Labels,
        window: Option<&Observation>,
        elapsed_us: i64,
        out: &mut Vec<Transition>,
    ) {
        let Moment { rule, t, .. } = *moment;
        let Some(state) = self.rules.get_mut(&rule.name) else { return };
        let place = state.alerts.binary_search_by(|alert| alert.labels.cmp(&labels));
        let frozen = place.ok().and_then(|at| state.alerts.get(at)).and_then(|alert| alert.frozen.clone());
        let baseline = frozen.or_else(|| state.baselines.get(&labels).cloned());
        let limits = rule.spread.and_then(|spread| state.past.limits(&labels, &spread));
        let (verdict, numbers) = judge(rule, window, baseline.as_ref(), limits);
        let mut alert = match place {
            Ok(at) => state.alerts.remove(at),
            Err(_) if verdict == Verdict::Breach || rule.no_data == super::NoData::Alert => {
                if state.alerts.len() >= MAX_ACTIVE {
                    state.overflow += usize::from(verdict == Verdict::Breach);
                    return;
                }
                let machine = Machine { seen_at: t, ..Machine::default() };
                Alert { labels, machine, frozen: None, incident: None, numbers: Numbers::default() }
            }
            Err(_) => return,
        };
        let moves = alert.machine.step(rule, verdict, t, elapsed_us);
        alert.numbers = numbers;
        if matches!(rule.baseline, Some(Trailing { freeze: Freeze::WhileActive, .. })) && alert.frozen.is_none() {
            alert.frozen.clone_from(&alert.numbers.baseline);
        }
        for (from, to, reason) in moves {
            self.moved(moment, &mut alert, from, to, reason, verdict, out);
        }
        self.follow(moment, &mut alert, verdict, out);
        if alert.machine.phase == Phase::Inactive {
            return;
        }
        if let Some(state) = self.rules.get_mut(&rule.name)
            && let Err(at) = state.alerts.binary_search_by(|other| other.labels.cmp(&alert.labels))
        {
            state.alerts.insert(at, alert);
        }
    }

    /// What one move of an alert brings about.
    #[expect(clippy::too_many_arguments, reason = "a move is these seven things")]
    fn moved(
        &mut self,
        moment: &Moment<'_>,
        alert: &mut Alert,
        from: Phase,
        to: Phase,
        reason: Reason,
        verdict: Verdict,
        out: &mut Vec<Transition>,
    ) {
        match (from, to) {
            (Phase::Pending, Phase::Firing) => self.fire(moment, alert),
            (Phase::Firing | Phase::Recovering, Phase::Inactive) => self.resolve(moment, alert, reason),
            (Phase::Recovering, Phase::Firing) if alert.machine.flaps == FLAPS_TOLD => {
                self.notify(moment, alert, Kind::Update, None);
            }
            _ => {}
        }
        out.push(Transition::new(moment.rule, alert, moment.t, (from, to, reason), verdict));
    }

    fn fire(&mut self, moment: &Moment<'_>, alert: &mut Alert) {
        let Moment { rule, measurements, t, .. } = *moment;
        let onset = evidence::onset(rule, &alert.labels, measurements, alert.machine.active_at, &alert.numbers);
        let recent = self.incidents.iter_mut().rev().find(|incident| {
            incident.rule == rule.name
                && incident.labels == alert.labels
                && incident.ended_at.is_some_and(|at| t.0 - at.0 <= incident::REOPEN_WITHIN_US)
        });
        let fired_n = alert.numbers.window.n;
        let kind = if let Some(incident) = recent {
            incident.ended_at = None;
            incident.ended_by = None;
            incident.fired_at = t;
            incident.onset = onset;
            incident.reopened += 1;
            incident.fired_n = fired_n;
            alert.incident = Some(incident.id.clone());
            Kind::Reopened
        } else {
            let id = incident::id(&rule.name, &alert.labels, t);
            alert.incident = Some(id.clone());
            self.incidents.push(Incident {
                id,
                rule: rule.name.clone(),
                labels: alert.labels.clone(),
                fired_at: t,
                onset,
                ended_at: None,
                ended_by: None,
                worst: None,
                worst_at: t,
                reopened: 0,
                told: None,
                told_at: t,
                fired_n,
                mails: Vec::new(),
            });
            Kind::Firing
        };
        self.notify(moment, alert, kind, None);
    }

    fn resolve(&mut self, moment: &Moment<'_>, alert: &Alert, reason: Reason) {
        let Some(incident) = self.incident_mut(alert) else { return };
        incident.ended_at = Some(moment.t);
        incident.ended_by = Some(reason);
        let ending =
            Ending { reason, fired_at: incident.fired_at, worst: incident.worst, worst_at: incident.worst_at, first_news: false };
        let onset = incident.onset;
        if let Some(trailing) = moment.rule.baseline
            && let Some(state) = self.rules.get_mut(&moment.rule.name)
            && reason != Reason::Revised
        {
            state.baselines.exclude(&alert.labels, onset, moment.t, trailing, moment.rule.over_us);
        }
        let kind = if reason == Reason::Revised { Kind::Corrected } else { Kind::Resolved };
        self.notify(moment, alert, kind, Some(ending));
    }

    /// Keeps the incident of an alert that is on up to date: worst value, much worse, never true.
    fn follow(&mut self, moment: &Moment<'_>, alert: &mut Alert, verdict: Verdict, out: &mut Vec<Transition>) {
        let Moment { rule, t, .. } = *moment;
        if !matches!(alert.machine.phase, Phase::Firing | Phase::Recovering) {
            return;
        }
        if verdict != Verdict::Breach && self.was_never_true(moment, alert) {
            let (from, to, reason) = alert.machine.end(Reason::Revised);
            self.moved(moment, alert, from, to, reason, verdict, out);
            return;
        }
        let Some(incident) = self.incident_mut(alert) else { return };
        let (Some(value), Some(badness)) = (alert.numbers.window.value, badness(rule, &alert.numbers)) else { return };
        if verdict == Verdict::Breach && incident.worst.is_none_or(|worst| is_worse(rule, &alert.numbers, value, worst)) {
            incident.worst = Some(value);
            incident.worst_at = t;
        }
        let much_worse = incident.told.is_some_and(|told| badness > told * MUCH_WORSE) && t.0 - incident.told_at.0 >= rule.over_us;
        if verdict == Verdict::Breach && alert.machine.phase == Phase::Firing && much_worse {
            self.notify(moment, alert, Kind::Update, None);
        }
    }

    /// Whether late data has changed the window that fired so that it would not have.
    fn was_never_true(&self, moment: &Moment<'_>, alert: &Alert) -> bool {
        let Moment { rule, measurements, t, .. } = *moment;
        let Some(incident) = self.incidents.iter().find(|incident| Some(&incident.id) == alert.incident.as_ref()) else {
            return false;
        };
        let at = incident.fired_at;
        if rule.watches_the_service() || t <= at || t.0 - at.0 > RECHECK_US {
            return false;
        }
        let query = rule.query_of(&alert.labels, Vec::new());
        let revised = measurements.pooled(&query, at.plus(-rule.over_us), at);
        let Some((_, window)) = revised.first().filter(|(_, window)| window.n != incident.fired_n) else { return false };
        matches!(judge(rule, Some(window), alert.frozen.as_ref(), alert.numbers.limits).0, Verdict::Clear | Verdict::Grey)
    }

    fn notify(&mut self, moment: &Moment<'_>, alert: &Alert, kind: Kind, ending: Option<Ending>) {
        let Moment { rules, rule, measurements, t, now } = *moment;
        let recipients = rules.recipients.of(rule.severity);
        let onset_of = |incident: &Incident| incident.onset;
        let others: Vec<Hint> = self
            .incidents
            .iter()
            .filter(|other| other.ended_at.is_none() && Some(&other.id) != alert.incident.as_ref())
            .map(|other| Hint { at: onset_of(other), text: other_alert(other) })
            .collect();
        let Some(incident) = self.incident_mut(alert) else { return };
        if let Some(badness) = badness(rule, &alert.numbers).filter(|_| kind.is_on()) {
            incident.told = Some(badness);
            incident.told_at = t;
        }
        let onset = incident.onset;
        let flaps = incident.reopened.saturating_add(alert.machine.flaps);
        if rule.mode != Mode::Live || recipients.is_empty() {
            return;
        }
        let earlier = incident.mails.clone();
        let sequence = u32::try_from(earlier.len()).unwrap_or(u32::MAX).saturating_add(1);
        incident.mails.push(Earlier { sequence, kind });
        let id = incident.id.clone();
        self.outbox.queue(Notification {
            incident: id,
            sequence,
            kind,
            rule: rule.name.clone(),
            severity: rule.severity,
            labels: alert.labels.clone(),
            at: t,
            queued_at: now,
            onset,
            flaps,
            numbers: alert.numbers.clone(),
            evidence: evidence::gather(rule, &alert.labels, measurements, onset, t, others),
            ending,
            earlier,
            quoted: quote::quote(rule, &alert.labels, &alert.numbers),
            recipients,
        });
    }

    /// Ends the alerts of rules that are gone or switched off.
    fn end_removed(&mut self, rules: &Rules, t: Timestamp, now: Timestamp, out: &mut Vec<Transition>) {
        let gone: Vec<String> =
            self.rules.keys().filter(|name| rules.get(name).is_none_or(|rule| rule.mode == Mode::Off)).cloned().collect();
        for name in gone {
            let Some(state) = self.rules.remove(&name) else { continue };
            for mut alert in state.alerts {
                let (from, to, reason) = alert.machine.end(Reason::RuleRemoved);
                if let Some(incident) = self.incident_mut(&alert) {
                    incident.ended_at = Some(t);
                    incident.ended_by = Some(reason);
                }
                self.tell_removed(rules, &name, &alert, t, now);
                out.push(Transition::of_removed(&name, &alert, t, (from, to, reason)));
            }
        }
    }

    /// The last mail of an incident whose rule is gone, in the words of the mail before.
    fn tell_removed(&mut self, rules: &Rules, name: &str, alert: &Alert, t: Timestamp, now: Timestamp) {
        let Some(incident) = self.incident_mut(alert) else { return };
        let ending = Ending {
            reason: Reason::RuleRemoved,
            fired_at: incident.fired_at,
            worst: incident.worst,
            worst_at: incident.worst_at,
            first_news: false,
        };
        let (id, earlier, onset) = (incident.id.clone(), incident.mails.clone(), incident.onset);
        let Some(last) = earlier.last().copied() else { return };
        let sequence = last.sequence.saturating_add(1);
        incident.mails.push(Earlier { sequence, kind: Kind::Resolved });
        let before = self.outbox.outgoing().iter().rev().find(|outgoing| outgoing.notification.incident == id);
        let before = before.map(|outgoing| outgoing.notification.clone());
        let severity = before.as_ref().map_or(super::Severity::Ticket, |before| before.severity);
        let quoted = before.map(|before| before.quoted).unwrap_or_default();
        self.outbox.queue(Notification {
            incident: id,
            sequence,
            kind: Kind::Resolved,
            rule: name.to_owned(),
            severity,
            labels: alert.labels.clone(),
            at: t,
            queued_at: now,
            onset,
            flaps: alert.machine.flaps,
            numbers: alert.numbers.clone(),
            evidence: evidence::Evidence::default(),
            ending: Some(ending),
            earlier,
            quoted,
            recipients: rules.recipients.of(severity),
        });
    }

    fn incident_mut(&mut self, alert: &Alert) -> Option<&mut Incident> {
        let id = alert.incident.as_ref()?;
        self.incidents.iter_mut().find(|incident| incident.id == *id)
    }
}

fn other_alert(incident: &Incident) -> String {
    let labels: Vec<&str> = incident.labels.iter().map(|(_, value)| value.as_str()).collect();
    if labels.is_empty() {
        format!("alert {} is on", incident.rule)
    } else {
        format!("alert {} is on for {}", incident.rule, labels.join(" / "))
    }
}

/// How bad it is, growing with the trouble: the distance to the baseline, or to the limit in `expr`, or the value itself.
fn badness(rule: &Rule, numbers: &Numbers) -> Option<f64> {
    let value = numbers.window.value?;
    if let Some(delta) = numbers.delta {
        return Some(delta.abs());
    }
    match rule.expr.limit() {
        Some((super::expr::Name::Value, _, limit)) => Some((value - limit).abs()),
        _ => Some(value.abs()),
    }
}

/// Whether a value is worse than another, in the direction in which this alert is bad.
fn is_worse(rule: &Rule, numbers: &Numbers, value: f64, than: f64) -> bool {
    use super::expr::{Comparison, Name};
    let low_is_bad = match (numbers.delta, rule.expr.limit()) {
        (Some(delta), _) => delta < 0.0,
        (None, Some((Name::Value, comparison, _))) => matches!(comparison, Comparison::Less | Comparison::LessOrEqual),
        _ => false,
    };
    if low_is_bad { value < than } else { value > than }
}

/// Several stretches of one series as one observation.
pub(super) fn pooled_over(parts: &[Observation]) -> Option<Observation> {
    match parts {
        [one] => Some(one.clone()),
        many => merge(many),
    }
}

#[cfg(test)]
mod tests;
