//! What the tasks tell the status page and the signals. Nothing is decided from it.

use std::collections::BTreeMap;

use super::clock::Clock;
use crate::alert::{Rules, SendOutcome, SendResult};
use crate::evaluator::{Evaluation, Evaluator};
use crate::event::{Input, Timestamp};
use crate::http::{AlertStatus, Board, Commit, Condition, InputStatus, MailStatus};
use crate::log::{Entry, InputHealth, Kind};
use crate::telemetry::{Counter, Gauge, Histogram, Telemetry};

/// Mails that the page shows.
const MAILS: usize = 10;

/// An entry stands in the log.
pub(super) fn committed(board: &Board, telemetry: &Telemetry, entry: &Entry) {
    let rows: u64 = entry.files.iter().map(|file| file.rows).sum();
    let bytes: u64 = entry.files.iter().map(|file| file.bytes).sum();
    for file in &entry.files {
        telemetry.add(Counter::Rows, &[&file.table], file.rows);
        telemetry.add(Counter::WrittenBytes, &[&file.table], file.bytes);
    }
    telemetry.set(Gauge::LastCommit, &[], entry.written_at.0 as f64 / 1e6);
    if entry.kind == Kind::Ingest {
        telemetry.add(Counter::LogEntries, &["ingest"], 1);
        telemetry.add(Counter::Epochs, &["committed"], 1);
        telemetry.observe(Histogram::EpochRows, &[], rows as f64);
        telemetry.observe(Histogram::EpochBytes, &[], bytes as f64);
    }
    board.met(Condition::Lake);
    board.update(|status| {
        status.last_commit = Some(Commit { number: entry.number, at: entry.written_at, rows, bytes });
        if entry.kind == Kind::Ingest {
            status.inputs = inputs(&status.inputs, &entry.health.inputs, &entry.watermarks);
            for (input, counts) in &entry.outcomes.records {
                let rejected: u64 = counts.rejected.values().sum();
                for (outcome, n) in [
                    ("accepted", counts.accepted),
                    ("duplicate", counts.duplicate),
                    ("filtered", counts.filtered),
                    ("rejected", rejected),
                ] {
                    let name = format!("{input} {outcome}");
                    match status.records.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, count)) => *count += n,
                        None if n > 0 => status.records.push((name, n)),
                        None => {}
                    }
                }
            }
        }
    });
}

/// Partitions were assigned or revoked.
pub(super) fn assigned(board: &Board, health: &BTreeMap<String, InputHealth>, watermarks: &BTreeMap<String, Timestamp>) {
    board.update(|status| status.inputs = inputs(&status.inputs, health, watermarks));
}

/// Every partition that is read, not only those that moved.
fn inputs(
    earlier: &[InputStatus],
    health: &BTreeMap<String, InputHealth>,
    watermarks: &BTreeMap<String, Timestamp>,
) -> Vec<InputStatus> {
    let earlier = |name: &str| earlier.iter().find(|input| input.name == name);
    let of = |(name, health): (&String, &InputHealth)| InputStatus {
        name: name.clone(),
        lag: health.lag,
        watermark: watermarks.get(name).copied().or_else(|| earlier(name).and_then(|input| input.watermark)),
        paused: earlier(name).and_then(|input| input.paused.clone()),
    };
    health.iter().map(of).collect()
}

/// What a pass of the evaluator brought.
pub(super) fn evaluation(telemetry: &Telemetry, evaluation: &Evaluation) {
    let revisions = evaluation.rows.iter().filter(|row| row.revision > 0).count() as u64;
    telemetry.add(Counter::Revisions, &[], revisions);
    telemetry.add(Counter::MetricRows, &[], evaluation.rows.len() as u64 - revisions);
    for transition in &evaluation.transitions {
        telemetry.add(Counter::AlertTransitions, &[&transition.to_state], 1);
        let (rule, to, labels) = (&transition.rule, &transition.to_state, &transition.labels);
        tracing::info!(rule, to, ?labels, reason = transition.reason, value = transition.value, "alert changed state");
    }
}

/// How far a pass came: minutes closed and aggregates folded into `__other__` since `before`.
pub(super) fn progress(telemetry: &Telemetry, evaluator: &Evaluator, before: (Timestamp, u64)) {
    let (until, folded) = before;
    // The first minute ever closed has no predecessor to count from.
    if until != Timestamp::default() {
        let minutes = evaluator.evaluated_until().0.saturating_sub(until.0) / Timestamp::MINUTE_US;
        telemetry.add(Counter::WindowsClosed, &[], minutes.max(0).unsigned_abs());
    }
    telemetry.add(Counter::GroupOverflow, &[], evaluator.measure().counters().folded.saturating_sub(folded));
}

/// The rules that a start or a reload read: in force from the next evaluation on.
pub(super) fn rules(board: &Board, telemetry: &Telemetry, rules: &Rules) {
    let number = rules.rules.len();
    telemetry.set(Gauge::Rules, &[], number as f64);
    board.update(|status| {
        status.rules = number as u64;
        status.reload_refused = None;
    });
}

/// The evaluator's state after a pass.
pub(super) fn state(board: &Board, telemetry: &Telemetry, evaluator: &Evaluator, clock: &Clock, entry: &Entry) {
    telemetry.set(Gauge::OutboxAge, &[], entry.health.oldest_unsent_secs.unwrap_or(0) as f64);
    standing(board, telemetry, evaluator, clock);
}

/// What stands by the evaluator's state, after a pass or a start: alerts, mail to be sent, how far it came.
pub(super) fn standing(board: &Board, telemetry: &Telemetry, evaluator: &Evaluator, clock: &Clock) {
    let now = clock.now();
    for input in Input::ALL {
        if let Some(watermark) = evaluator.measure().watermark(input) {
            telemetry.set(Gauge::WatermarkAge, &[input.as_str()], (now.0 - watermark.0) as f64 / 1e6);
        }
    }
    let pending = evaluator.alerts().outgoing().iter().filter(|outgoing| !outgoing.is_done()).count() as u64;
    telemetry.set(Gauge::OutboxPending, &[], pending as f64);
    let open = (now.0.saturating_sub(evaluator.evaluated_until().0) / Timestamp::MINUTE_US).max(0).unsigned_abs();
    // Before the first window there is nothing to count from.
    let open = if evaluator.evaluated_until() == Timestamp::default() { 0 } else { open };
    telemetry.set(Gauge::OpenWindows, &[], open as f64);
    let alerts: Vec<AlertStatus> = evaluator
        .alerts()
        .active()
        .map(|(rule, alert)| AlertStatus {
            rule: rule.to_owned(),
            severity: evaluator.rules().get(rule).map(|rule| rule.severity.as_str().to_owned()).unwrap_or_default(),
            state: alert.machine.phase.as_str().to_owned(),
            labels: alert.labels.clone(),
            since: alert.machine.active_at,
            value: alert.numbers.window.value,
            n: alert.numbers.window.n,
            baseline: alert.numbers.baseline.as_ref().and_then(|baseline| baseline.value),
            incident: alert.incident.clone(),
        })
        .collect();
    let mut by_state: BTreeMap<[String; 2], u32> = BTreeMap::new();
    for alert in &alerts {
        *by_state.entry([alert.state.clone(), alert.severity.clone()]).or_default() += 1;
    }
    telemetry.retain(Gauge::Alerts, |labels| by_state.keys().any(|known| known == labels));
    for ([phase, severity], count) in &by_state {
        telemetry.set(Gauge::Alerts, &[phase, severity], f64::from(*count));
    }
    board.update(|status| {
        status.alerts = alerts;
        status.unsent = pending;
        status.open_windows = open;
        status.evaluated_to = Some(evaluator.evaluated_until()).filter(|until| *until != Timestamp::default());
    });
}

/// What became of a mail.
pub(super) fn sent(board: &Board, telemetry: &Telemetry, evaluator: &Evaluator, result: &SendResult) {
    let now = super::clock::wall();
    let (name, shown) = match &result.outcome {
        SendOutcome::Sent(_) => ("delivered", "delivered".to_owned()),
        SendOutcome::Retry(said) => ("retry", format!("tried again later: {said}")),
        SendOutcome::Refused(said) => ("refused", format!("refused: {said}")),
    };
    telemetry.add(Counter::Notifications, &["mail", name], 1);
    let outgoing = evaluator.alerts().outgoing().iter().find(|outgoing| outgoing.notification.id() == result.message);
    let Some(outgoing) = outgoing else { return };
    if name == "delivered" {
        telemetry.observe(Histogram::AlertDelay, &[], now.0.saturating_sub(outgoing.notification.at.0).max(0) as f64 / 1e6);
    }
    let mail = MailStatus {
        at: now,
        subject: format!("{} {}", outgoing.notification.kind.as_str(), outgoing.notification.rule),
        recipient: result.recipient.clone(),
        result: shown,
    };
    board.update(|status| {
        status.mails.insert(0, mail);
        status.mails.truncate(MAILS);
    });
}
