//! Rules and numbers for the tests of this module.

use super::{Labels, Measurements, Metric, Observation, Query, Recipients, Rule, Rules, Scale, Unit, Vocabulary};
use crate::event::Timestamp;
use crate::measure::Dimension;

/// A vocabulary with one metric of each kind.
pub(super) fn vocabulary() -> Vocabulary {
    let dimensions = vec![Dimension::Tenant, Dimension::App, Dimension::PromptVersion, Dimension::ResponseModel];
    let metric =
        |name: &str| Metric { name: name.to_owned(), unit: Unit::Share, scale: Scale::Comparable, dimensions: dimensions.clone() };
    Vocabulary { metrics: vec![metric("groundedness"), metric("service.input_age_s")] }
}

/// One rule on `groundedness` by tenant over 5 minutes, with up to three more lines.
pub(super) fn rule(a: &str, b: &str, c: &str) -> Rule {
    rules(&[a, b, c]).rules.remove(0)
}

/// As [`rule`], with recipients.
pub(super) fn rules(lines: &[&str]) -> Rules {
    let mut text = String::from(
        "version: 1\ngroups:\n  - name: g\n    rules:\n      - alert: GroundednessDrop\n        severity: page\n        \
         metric: groundedness\n        by: [tenant, app]\n        over: 5m\n        annotations: { summary: \"Groundedness {{ value|show }} for {{ \
         labels.tenant }}\", runbook_url: https://example.com/groundedness }\n",
    );
    for line in lines.iter().filter(|line| !line.is_empty()) {
        text.push_str("        ");
        text.push_str(line);
        text.push('\n');
    }
    let recipients =
        Recipients { page: vec!["oncall@example.com".to_owned(), "lead@example.com".to_owned()], ..Recipients::default() };
    Rules::parse(&[("quality.yaml".to_owned(), text)], &vocabulary(), recipients)
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.iter().map(ToString::to_string).collect::<String>()))
}

/// The labels of the one instance that the tests watch.
pub(super) fn labels() -> Labels {
    vec![("tenant".to_owned(), "acme".to_owned()), ("app".to_owned(), "support-bot".to_owned())]
}

/// A table of minutes: (value, n) from a start on, for [`labels`]. Values are pooled by their n.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Start of the first minute.
    pub start: Timestamp,
    /// One pair per minute; n = 0 is no row.
    pub minutes: Vec<(f64, u64)>,
}

impl Measurements for Table {
    fn is_due(&self, _metric: &str) -> bool {
        true
    }

    fn pooled(&self, query: &Query, from: Timestamp, to: Timestamp) -> Vec<(Labels, Observation)> {
        if query.metric != "groundedness" {
            return Vec::new();
        }
        let parts: Vec<Observation> = (0_i64..)
            .zip(&self.minutes)
            .filter(|(at, (_, n))| {
                let pane = self.start.plus(at * Timestamp::MINUTE_US);
                pane >= from && pane < to && *n > 0
            })
            .map(|(_, (value, n))| Observation { value: Some(*value), n: *n, stddev: Some(0.1), ..Observation::default() })
            .collect();
        let Some(all) = super::verdict::merge(&parts) else { return Vec::new() };
        let labels = query.by.iter().map(|dimension| {
            let value = labels()
                .into_iter()
                .find(|(name, _)| name == dimension.as_str())
                .map_or_else(|| "v8".to_owned(), |(_, value)| value);
            (dimension.as_str().to_owned(), value)
        });
        vec![(labels.collect(), all)]
    }
}

/// A notification to `a@x` and `b@x`.
pub(super) fn notification(kind: super::Kind, sequence: u32, at: Timestamp) -> super::Notification {
    let window =
        Observation { value: Some(0.712), n: 412, stddev: Some(0.2), lo: Some(0.69), hi: Some(0.73), ..Observation::default() };
    let base = Observation { value: Some(0.908), n: 9_870, stddev: Some(0.12), ..Observation::default() };
    let numbers = super::Numbers::new(window, Some(base));
    let rule = rule("expr: value < 82%", "for: 10m", "baseline: { kind: trailing, window: 6h, gap: 30m }");
    super::Notification {
        incident: "ABCDEFGHIJ".to_owned(),
        sequence,
        kind,
        rule: rule.name.clone(),
        severity: rule.severity,
        labels: labels(),
        at,
        queued_at: at,
        onset: at.plus(-14 * Timestamp::MINUTE_US),
        flaps: 0,
        evidence: super::Evidence::default(),
        ending: None,
        earlier: (1..sequence).map(|sequence| super::Earlier { sequence, kind: super::Kind::Firing }).collect(),
        quoted: super::quote::quote(&rule, &labels(), &numbers),
        numbers,
        recipients: vec!["a@x".to_owned(), "b@x".to_owned()],
    }
}
