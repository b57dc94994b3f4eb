//! What a notification quotes of its rule, with the annotations filled in.

use super::duration;
use super::measurements::Labels;
use super::notification::Quoted;
use super::rule::Rule;
use super::template::{self, Context};
use super::verdict::Numbers;

pub(super) fn quote(rule: &Rule, labels: &Labels, numbers: &Numbers) -> Quoted {
    let values = numbers.for_template();
    let context = Context {
        alert: &rule.name,
        severity: rule.severity.as_str(),
        metric: &rule.query.metric,
        labels,
        numbers: &values,
        unit: rule.unit,
    };
    let mut problems = Vec::new();
    let mut fill = |name: &str, source: Option<&String>| match source.map(|source| template::render(source, &context)) {
        Some(Ok(text)) => text,
        Some(Err(problem)) => {
            problems.push(format!("{name}: {problem}"));
            String::new()
        }
        None => String::new(),
    };
    let notes = &rule.annotations;
    let summary = fill("summary", Some(&notes.summary));
    let description = fill("description", notes.description.as_ref());
    let runbook_url = fill("runbook_url", notes.runbook_url.as_ref());
    let dashboard_url = fill("dashboard_url", notes.dashboard_url.as_ref());
    Quoted {
        metric: rule.query.metric.clone(),
        unit: rule.unit,
        over_us: rule.over_us,
        expr: rule.expr_text.clone(),
        recover: rule.recover.as_ref().map(|(_, text)| text.clone()),
        keep_firing_us: rule.keep_firing_us,
        baseline: rule.baseline.map(|trailing| format!("the {} before", duration::words(trailing.window_us))),
        place: rule.place.clone(),
        labels: rule.labels.clone(),
        summary: summary.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect(),
        description,
        runbook_url,
        dashboard_url,
        problems,
    }
}
