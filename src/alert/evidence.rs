//! What a mail can say beyond the numbers that decided: who is hit, what changed at the same time, how it went.
//!
//! Coincidences with their times, never causes. Everything comes from the same measurements as the verdict, so a replay tells
//! the same story. Gathered only when something is to be told, never every minute.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::duration;
use super::measurements::{Labels, Measurements, Query};
use super::rule::Rule;
use super::verdict::Numbers;
use crate::event::Timestamp;
use crate::measure::Dimension;

/// One value of a dimension within the alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Name of the dimension.
    pub dimension: String,
    /// Its value.
    pub value: String,
    /// The metric there.
    pub metric: Option<f64>,
    /// Values behind it.
    pub n: u64,
}

/// Something that happened near the onset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hint {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// What else is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The alert cut by other dimensions, greatest part first.
    pub parts: Vec<Part>,
    /// Coincidences, nearest to the onset first.
    pub hints: Vec<Hint>,
    /// The metric in consecutive windows up to now, oldest first.
    pub trend: Vec<Option<f64>>,
    /// Length of one of these windows.
    pub trend_step_us: i64,
    /// The metric in the first and in the last third of the window, where it varied strongly within.
    #[serde(default)]
    pub thirds: Option<(f64, f64)>,
}

/// Dimensions whose values change when somebody deploys something.
const CHANGES: [Dimension; 3] = [Dimension::PromptVersion, Dimension::ResponseModel, Dimension::Variant];
/// Windows in the trend.
const TREND: i64 = 12;
/// How far before the onset a coincidence may lie.
const LOOK_BACK_US: i64 = 6 * Timestamp::HOUR_US;
/// Time before the onset that still counts as the same moment.
const NEAR_US: i64 = 30 * Timestamp::MINUTE_US;
/// Precision of a coincidence's time.
const STEP_US: i64 = 5 * Timestamp::MINUTE_US;
/// Greatest number of hints.
const MAX_HINTS: usize = 5;
/// Dispersion from which on a window is said to vary strongly: its interval is then twice as wide as that of independent values.
pub(super) const STRONGLY: f64 = 4.0;
/// The metric whose bad ones are failed runs.
pub(super) const PIPELINE_FAILURES: &str = "pipeline.failure_rate";

/// Gathers what is known at `t` about one alert. `others` are alerts that are on as well, with their onsets.
pub(super) fn gather(
    rule: &Rule,
    labels: &Labels,
    measurements: &dyn Measurements,
    onset: Timestamp,
    t: Timestamp,
    others: Vec<Hint>,
) -> Evidence {
    let mut hints = others;
    if !rule.watches_the_service() {
        hints.extend(new_values(rule, labels, measurements, onset, t));
        if rule.query.metric != PIPELINE_FAILURES {
            hints.extend(failed_runs(measurements, onset, t));
        }
    }
    hints.retain(|hint| hint.at >= onset.plus(-LOOK_BACK_US) && hint.at <= t);
    hints.sort_by_key(|hint| (hint.at.0.abs_diff(onset.0), hint.text.clone()));
    hints.dedup();
    hints.truncate(MAX_HINTS);
    let trend_step_us = rule.over_us;
    let (parts, trend) = (parts(rule, labels, measurements, t), trend(rule, labels, measurements, t));
    Evidence { parts, hints, trend, trend_step_us, thirds: thirds(rule, labels, measurements, t) }
}

/// The metric in the first and in the last third of the window, if it varied strongly within.
fn thirds(rule: &Rule, labels: &Labels, measurements: &dyn Measurements, t: Timestamp) -> Option<(f64, f64)> {
    let query = rule.query_of(labels, Vec::new());
    let read = |from: Timestamp, to: Timestamp| measurements.pooled(&query, from, to).into_iter().next().map(|(_, seen)| seen);
    let start = t.plus(-rule.over_us);
    read(start, t)?.dispersion.filter(|factor| *factor >= STRONGLY)?;
    let third = rule.over_us / 3 / Timestamp::MINUTE_US * Timestamp::MINUTE_US;
    Some((read(start, start.plus(third))?.value?, read(t.plus(-third), t)?.value?))
}

/// When it began: walking back from the first breached window in steps of five minutes while they lie nearer to the present
/// value than to the baseline. The window that first breaches is pooled and lags behind the trouble by up to its own length.
pub(super) fn onset(
    rule: &Rule,
    labels: &Labels,
    measurements: &dyn Measurements,
    active_at: Timestamp,
    numbers: &Numbers,
) -> Timestamp {
    let Some((value, base)) = numbers.window.value.zip(numbers.baseline.as_ref().and_then(|base| base.value)) else {
        return active_at;
    };
    let query = rule.query_of(labels, Vec::new());
    let mut onset = active_at;
    for step in 1..=rule.over_us / STEP_US {
        let from = active_at.plus(-step * STEP_US);
        match measurements.pooled(&query, from, from.plus(STEP_US)).first().and_then(|(_, seen)| seen.value) {
            Some(seen) if (seen - value).abs() < (seen - base).abs() => onset = from,
            _ => break,
        }
    }
    onset
}

fn parts(rule: &Rule, labels: &Labels, measurements: &dyn Measurements, t: Timestamp) -> Vec<Part> {
    let mut parts = Vec::new();
    for dimension in cuts(rule) {
        let query = rule.query_of(labels, vec![dimension]);
        let mut values: Vec<Part> = measurements
            .pooled(&query, t.plus(-rule.over_us), t)
            .into_iter()
            .filter_map(|(key, seen)| {
                let (_, value) = key.into_iter().next()?;
                let part = Part { dimension: dimension.as_str().to_owned(), value, metric: seen.value, n: seen.n };
                (!part.value.is_empty()).then_some(part)
            })
            .collect();
        values.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.value.cmp(&b.value)));
        values.truncate(3);
        parts.extend(values);
    }
    parts
}

/// Dimensions that say more about the alert: those of a deployment that the rule does not group by.
fn cuts(rule: &Rule) -> impl Iterator<Item = Dimension> + '_ {
    CHANGES.into_iter().filter(|dimension| rule.dimensions.contains(dimension) && !rule.query.by.contains(dimension))
}

fn trend(rule: &Rule, labels: &Labels, measurements: &dyn Measurements, t: Timestamp) -> Vec<Option<f64>> {
    let query = rule.query_of(labels, Vec::new());
    (0..TREND)
        .rev()
        .map(|back| {
            let to = t.plus(-back * rule.over_us);
            measurements.pooled(&query, to.plus(-rule.over_us), to).first().and_then(|(_, seen)| seen.value)
        })
        .collect()
}

/// Values that take part now and did not before the onset.
fn new_values(rule: &Rule, labels: &Labels, measurements: &dyn Measurements, onset: Timestamp, t: Timestamp) -> Vec<Hint> {
    let mut hints = Vec::new();
    let from = onset.plus(-NEAR_US);
    for dimension in cuts(rule) {
        let query = rule.query_of(labels, vec![dimension]);
        let before = values(&measurements.pooled(&query, onset.plus(-LOOK_BACK_US), from));
        let now = values(&measurements.pooled(&query, from, t));
        let mut new: BTreeSet<String> = now.difference(&before).cloned().collect();
        if before.is_empty() || new.len() > 3 {
            continue;
        }
        let mut at = from;
        while at < t && !new.is_empty() {
            let seen = values(&measurements.pooled(&query, at, at.plus(STEP_US).min(t)));
            for value in new.iter().filter(|value| seen.contains(*value)) {
                let what = dimension.as_str().replace('_', " ");
                let first = first_minute(at, |from, to| values(&measurements.pooled(&query, from, to)).contains(value));
                hints.push(Hint { at: first, text: format!("{what} {value} seen for the first time") });
            }
            new.retain(|value| !seen.contains(value));
            at = at.plus(STEP_US);
        }
    }
    hints
}

fn values(rows: &[(Labels, super::Observation)]) -> BTreeSet<String> {
    rows.iter()
        .filter(|(_, seen)| seen.n > 0)
        .filter_map(|(labels, _)| Some(labels.first()?.1.clone()))
        .filter(|v| !v.is_empty())
        .collect()
}

/// The first minute of a step in which something holds.
fn first_minute(step: Timestamp, holds: impl Fn(Timestamp, Timestamp) -> bool) -> Timestamp {
    let minutes = (0..STEP_US / Timestamp::MINUTE_US).map(|minute| step.plus(minute * Timestamp::MINUTE_US));
    let mut found = minutes.filter(|minute| holds(*minute, minute.plus(Timestamp::MINUTE_US)));
    found.next().unwrap_or(step)
}

/// Runs of pipelines that failed, by job, at their last failure.
fn failed_runs(measurements: &dyn Measurements, onset: Timestamp, t: Timestamp) -> Vec<Hint> {
    let query = Query { metric: PIPELINE_FAILURES.to_owned(), filter: Vec::new(), by: vec![Dimension::Job] };
    let from = onset.plus(-LOOK_BACK_US);
    let failed = |from, to| {
        let rows = measurements.pooled(&query, from, to);
        rows.into_iter()
            .filter(|(_, seen)| seen.bad_n > 0)
            .filter_map(|(labels, seen)| Some((labels.into_iter().next()?.1, seen.bad_n)))
    };
    let mut open: Vec<(String, u64)> = failed(from, t).collect();
    let mut hints = Vec::new();
    let mut to = t;
    while to > from && !open.is_empty() {
        let at = to.plus(-STEP_US).max(from);
        let seen: BTreeSet<String> = failed(at, to).map(|(job, _)| job).collect();
        for (job, times) in open.iter().filter(|(job, _)| seen.contains(job)) {
            let since = duration::words(t.0 - from.0);
            let runs = if *times == 1 { "a run".to_owned() } else { format!("{times} runs in {since}, the last one") };
            let minute = first_minute(at, |from, to| failed(from, to).any(|(failed, _)| failed == *job));
            hints.push(Hint { at: minute, text: format!("pipeline {job}: {runs} FAILED") });
        }
        open.retain(|(job, _)| !seen.contains(job));
        to = at;
    }
    hints
}
