//! Annotations: Jinja templates over the numbers of an alert.
//!
//! A template sees numbers and labels, nothing else: no files, no other templates, no environment. It cannot stop a mail: what
//! fails to render becomes an error text that the mail shows in its place.

use std::collections::BTreeMap;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::vocabulary::Unit;
use crate::measure::Dimension;

/// What a template may name.
pub(super) const NAMES: &[&str] = &[
    "alert",
    "severity",
    "metric",
    "labels",
    "value",
    "n",
    "bad_n",
    "lo",
    "hi",
    "baseline",
    "base_n",
    "delta",
    "delta_pct",
    "z",
    "p",
    "age",
];

/// What a template is filled with.
#[derive(Clone, Debug, Default)]
pub(super) struct Context<'a> {
    pub alert: &'a str,
    pub severity: &'a str,
    pub metric: &'a str,
    pub labels: &'a [(String, String)],
    pub numbers: &'a [(&'static str, Option<f64>)],
    pub unit: Unit,
}

/// Renders a template, cut at 1,000 characters.
pub(super) fn render(source: &str, context: &Context<'_>) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(50_000));
    environment.set_recursion_limit(32);
    let unit = context.unit;
    environment.add_filter("show", move |value: f64| unit.show(value));
    environment.add_filter("change", move |value: f64| unit.show_change(value));
    environment.add_filter("pct", |value: f64| format!("{:.0}%", value * 100.0));
    environment.add_filter("pct1", |value: f64| format!("{:.1}%", value * 100.0));
    environment.add_filter("num", |value: f64| Unit::Number.show(value));
    let labels: BTreeMap<&str, Value> =
        context.labels.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))).collect();
    let mut values: BTreeMap<&str, Value> =
        context.numbers.iter().map(|(name, value)| (*name, Value::from(value.unwrap_or(f64::NAN)))).collect();
    values.insert("alert", Value::from(context.alert));
    values.insert("severity", Value::from(context.severity));
    values.insert("metric", Value::from(context.metric));
    values.insert("labels", Value::from(labels));
    let rendered = environment.render_str(source, Value::from(values)).map_err(|error| {
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("{}{detail}", error.kind())
    })?;
    Ok(rendered.chars().take(1_000).collect())
}

/// Compiles a template and fills it with made-up numbers, so that a wrong name is found by `check`, not at night.
pub(super) fn check(source: &str, by: &[Dimension], unit: Unit) -> Result<(), String> {
    let labels: Vec<(String, String)> = by.iter().map(|dimension| (dimension.as_str().to_owned(), "example".to_owned())).collect();
    let numbers: Vec<(&'static str, Option<f64>)> = NAMES.iter().skip(4).map(|name| (*name, Some(0.5))).collect();
    let context = Context { alert: "Example", severity: "page", metric: "example", labels: &labels, numbers: &numbers, unit };
    render(source, &context).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{Context, check, render};
    use crate::alert::vocabulary::Unit;
    use crate::measure::Dimension;

    #[test]
    fn a_summary_shows_numbers_in_their_unit_and_labels() {
        let labels = vec![("tenant".to_owned(), "acme".to_owned()), ("app".to_owned(), "<support> & \u{7f}co".to_owned())];
        let numbers = [("value", Some(0.712)), ("baseline", Some(0.908)), ("n", Some(412.0))];
        let context = Context { labels: &labels, numbers: &numbers, unit: Unit::Share, ..Context::default() };
        let text = "{{ value|show }} (normal {{ baseline|pct }}, n={{ n|num }}) {{ labels.tenant }} / {{ labels.app }}";
        assert_eq!(render(text, &context).unwrap(), "71.2% (normal 91%, n=412) acme / <support> & \u{7f}co");
    }

    #[test]
    fn a_wrong_name_filter_or_endless_loop_is_found_by_check() {
        assert_eq!(check("{{ value|show }} {{ labels.tenant }}", &[Dimension::Tenant], Unit::Share), Ok(()));
        for wrong in [
            "{{ valu }}",
            "{{ value|shou }}",
            "{{ labels.app }}",
            "{{ value",
            "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
            "{% include 'x' %}",
        ] {
            assert!(check(wrong, &[Dimension::Tenant], Unit::Share).is_err(), "{wrong}");
        }
    }
}
