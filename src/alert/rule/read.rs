//! Rule files to [`Rules`]: every mistake of every file at once.

use std::collections::BTreeMap;

use super::super::diagnostic::nearest;
use super::super::expr::{self, Condition};
use super::super::measurements::{Filter, Keep, Query};
use super::super::template;
use super::super::vocabulary::{Scale, Unit, Vocabulary};
use super::super::yaml::{self, Node, Span, Value};
use super::super::{Diagnostic, duration};
use super::fields::{Map, Reader};
use super::spread::read_spread;
use super::{Annotations, Freeze, Mode, NoData, Recipients, Rule, Rules, Severity, Trailing};
use crate::measure::Dimension;

/// Fields of a file.
pub const FILE_FIELDS: &[&str] = &["version", "groups"];
/// Fields of a group.
pub const GROUP_FIELDS: &[&str] = &["name", "labels", "rules"];
/// Fields of a rule.
pub const RULE_FIELDS: &[&str] = &[
    "alert",
    "severity",
    "mode",
    "metric",
    "where",
    "by",
    "over",
    "expr",
    "recover_expr",
    "for",
    "keep_firing_for",
    "min_samples",
    "min_bad",
    "no_data",
    "no_data_for",
    "baseline",
    "spread",
    "labels",
    "annotations",
];
/// Fields of a baseline.
pub const BASELINE_FIELDS: &[&str] = &["kind", "window", "gap", "freeze", "min_samples"];
/// Annotations.
const ANNOTATIONS: &[&str] = &["summary", "description", "runbook_url", "dashboard_url"];

/// Greatest file that is read.
const MAX_BYTES: usize = 1 << 20;

impl Rules {
    /// Reads all files, given as (name, text).
    ///
    /// # Errors
    /// Every mistake of every file, in the order of files and lines.
    pub fn parse(files: &[(String, String)], vocabulary: &Vocabulary, recipients: Recipients) -> Result<Self, Vec<Diagnostic>> {
        let mut rules = Vec::new();
        let mut mistakes = Vec::new();
        let mut seen = Seen::default();
        for (file, text) in files {
            if text.len() > MAX_BYTES {
                let message = format!("the file is {} bytes long", text.len());
                mistakes.push(Diagnostic::at(file, "", 0, 1, message, format!("at most {MAX_BYTES} bytes")));
                continue;
            }
            match yaml::parse(file, text) {
                Ok(root) => {
                    let mut reader = Reader { file, text, mistakes: Vec::new() };
                    read_file(&mut reader, &root, vocabulary, &mut seen, &mut rules);
                    reader.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
                    mistakes.append(&mut reader.mistakes);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(Self { rules, recipients }) } else { Err(mistakes) }
    }
}

/// Names over all files, with where they were first.
#[derive(Default)]
struct Seen {
    groups: BTreeMap<String, String>,
    rules: BTreeMap<String, String>,
}

fn unique(reader: &mut Reader<'_>, seen: &mut BTreeMap<String, String>, kind: &str, name: &str, span: Span) {
    let place = format!("{}:{}", reader.file, reader.line(span));
    if let Some(first) = seen.get(name) {
        reader.wrong(span, format!("{kind} `{name}` exists already at {first}"), "a name that is unique over all files");
    } else {
        seen.insert(name.to_owned(), place);
    }
}

fn read_file(reader: &mut Reader<'_>, root: &Node, vocabulary: &Vocabulary, seen: &mut Seen, rules: &mut Vec<Rule>) {
    if matches!(root.value, Value::Empty) {
        return;
    }
    let Some(file) = reader.map(root, "the file", FILE_FIELDS) else { return };
    if let Some(version) = file.required(reader, "version", "the file", "1") {
        reader.choice(version, "`version`", &[("1", ())]);
    }
    let Some(groups) = file.required(reader, "groups", "the file", "a list of groups") else { return };
    for group in reader.list(groups, "`groups`") {
        let Some(map) = reader.map(group, "the group", GROUP_FIELDS) else { continue };
        if let Some(node) = map.required(reader, "name", "the group", "a name")
            && let Some(name) = reader.text(node, "`name`")
        {
            unique(reader, &mut seen.groups, "group", name, node.span);
        }
        let labels = map.get("labels").map(|node| fixed_labels(reader, node)).unwrap_or_default();
        let Some(list) = map.required(reader, "rules", "the group", "a list of rules") else { continue };
        for node in reader.list(list, "`rules`") {
            let before = reader.mistakes.len();
            let rule = read_rule(reader, node, vocabulary, seen, &labels);
            if let (Some(rule), true) = (rule, reader.mistakes.len() == before) {
                rules.push(rule);
            }
        }
    }
}

/// Static texts only: a label made from a value would be a new alert each minute.
fn fixed_labels(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for (name, text, span) in reader.pairs(node, "`labels`") {
        if text.contains("{{") || text.contains("{%") {
            reader.wrong(span, format!("label `{name}` is a template"), "a fixed text; what changes belongs in `annotations`");
        } else {
            labels.push((name, text));
        }
    }
    labels
}

fn read_rule(
    reader: &mut Reader<'_>,
    node: &Node,
    vocabulary: &Vocabulary,
    seen: &mut Seen,
    group_labels: &[(String, String)],
) -> Option<Rule> {
    let map = reader.map(node, "the rule", RULE_FIELDS)?;
    let name = read_name(reader, &map, seen);
    let severity = map
        .required(reader, "severity", "the rule", "page, ticket or info")
        .and_then(|node| reader.choice(node, "`severity`", &Severity::ALL.map(|severity| (severity.as_str(), severity))));
    let mode = map
        .get("mode")
        .and_then(|node| reader.choice(node, "`mode`", &[("live", Mode::Live), ("shadow", Mode::Shadow), ("off", Mode::Off)]))
        .unwrap_or(Mode::Live);
    let metric = read_metric(reader, &map, vocabulary);
    let allowed: &[Dimension] = metric.as_ref().map_or(&Dimension::ALL, |(_, _, _, dimensions)| dimensions);
    let filter = map.get("where").map(|node| read_where(reader, node, allowed)).unwrap_or_default();
    let by = map.get("by").map(|node| read_by(reader, node, allowed)).unwrap_or_default();
    let over_us =
        map.required(reader, "over", "the rule", "30m").and_then(|node| whole_minutes(reader, node, "`over`", "1m", "7d"));
    let hold_us = map.get("for").and_then(|node| reader.duration(node, "`for`", "0s", "7d")).unwrap_or(0);
    let keep_firing_us = map
        .get("keep_firing_for")
        .and_then(|node| reader.duration(node, "`keep_firing_for`", "0s", "7d"))
        .unwrap_or(10 * 60_000_000);
    let min_samples = map.get("min_samples").and_then(|node| reader.whole(node, "`min_samples`", 1_000_000_000)).unwrap_or(30);
    let min_bad = map.get("min_bad").and_then(|node| reader.whole(node, "`min_bad`", 1_000_000_000)).unwrap_or(0);
    let no_data = map
        .get("no_data")
        .and_then(|node| reader.choice(node, "`no_data`", &[("hold", NoData::Hold), ("ok", NoData::Ok), ("alert", NoData::Alert)]))
        .unwrap_or(NoData::Hold);
    let no_data_for_us = map
        .get("no_data_for")
        .and_then(|node| reader.duration(node, "`no_data_for`", "1m", "7d"))
        .unwrap_or_else(|| (3 * over_us.unwrap_or(0)).max(15 * 60_000_000));
    let baseline = map.get("baseline").and_then(|node| read_baseline(reader, node, over_us.unwrap_or(0)));
    if let (Some(node), Some(_), Some((metric, _, Scale::Total, _))) = (map.get("baseline"), &baseline, &metric) {
        let message = format!("`{metric}` is a total, and totals of unequal stretches cannot be compared");
        reader.wrong(node.span, message, "a mean, a share or a rate per minute");
    }
    let spread = map.get("spread").and_then(|node| read_spread(reader, node));
    let beside = (baseline.is_some(), map.get("spread").is_some());
    let expr = map
        .required(reader, "expr", "the rule", "a condition such as value < 0.8")
        .and_then(|node| read_expr(reader, node, "`expr`", beside));
    if let (Some(node), Some((condition, _))) = (map.get("expr"), &expr)
        && let Some(score) = condition.without_effect_floor()
    {
        let message = format!("`{}` decides alone: with enough traffic every difference is significant", score.as_str());
        reader.wrong(
            node.span,
            message,
            format!("a floor on the effect beside it, for example `{} ... and delta <= -0.03`", score.as_str()),
        );
    }
    let recover = map.get("recover_expr").and_then(|node| read_expr(reader, node, "`recover_expr`", beside));
    let own_labels = map.get("labels").map(|node| fixed_labels(reader, node)).unwrap_or_default();
    let mut labels = own_labels;
    for (key, value) in group_labels {
        if !labels.iter().any(|(known, _)| known == key) {
            labels.push((key.clone(), value.clone()));
        }
    }
    let annotations = map.required(reader, "annotations", "the rule", "a mapping with `summary`").and_then(|node| {
        read_annotations(reader, node, severity, &by, metric.as_ref().map_or(Unit::Number, |(_, unit, ..)| *unit))
    });

    let (name, severity, (metric, unit, scale, dimensions), over_us) = (name?, severity?, metric?, over_us?);
    let (expr, expr_text) = expr?;
    let place = format!("{}:{}", reader.file, reader.line(map.start));
    Some(Rule {
        name,
        severity,
        mode,
        query: Query { metric, filter, by },
        unit,
        scale,
        dimensions,
        over_us,
        expr,
        expr_text,
        recover,
        hold_us,
        keep_firing_us,
        min_samples,
        min_bad,
        no_data,
        no_data_for_us,
        baseline,
        spread,
        labels,
        annotations: annotations?,
        place,
    })
}

fn read_name(reader: &mut Reader<'_>, map: &Map<'_>, seen: &mut Seen) -> Option<String> {
    let node = map.required(reader, "alert", "the rule", "a name such as GroundednessDrop")?;
    let name = reader.text(node, "`alert`")?;
    let right = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 60;
    if !right {
        reader.wrong(
            node.span,
            format!("`alert` is `{name}`"),
            "a name such as GroundednessDrop: ASCII letters and digits, at most 60",
        );
        return None;
    }
    unique(reader, &mut seen.rules, "alert", name, node.span);
    Some(name.to_owned())
}

type MetricFacts = (String, Unit, Scale, Vec<Dimension>);

fn read_metric(reader: &mut Reader<'_>, map: &Map<'_>, vocabulary: &Vocabulary) -> Option<MetricFacts> {
    let node = map.required(reader, "metric", "the rule", "a metric such as groundedness")?;
    let name = reader.text(node, "`metric`")?;
    if let Some(metric) = vocabulary.metric(name) {
        return Some((metric.name.clone(), metric.unit, metric.scale, metric.dimensions.clone()));
    }
    let names: Vec<&str> = vocabulary.metrics.iter().map(|metric| metric.name.as_str()).collect();
    let hint = nearest(name, names.iter().copied()).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    reader.wrong(node.span, format!("there is no metric `{name}`{hint}"), format!("one of {}", names.join(", ")));
    None
}

fn read_dimension(reader: &mut Reader<'_>, name: &str, span: Span, allowed: &[Dimension]) -> Option<Dimension> {
    let found = allowed.iter().copied().find(|dimension| dimension.as_str() == name);
    if found.is_none() {
        let names: Vec<&str> = allowed.iter().map(|dimension| dimension.as_str()).collect();
        let hint = nearest(name, names.iter().copied()).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        let known = Dimension::ALL.iter().any(|dimension| dimension.as_str() == name);
        let message =
            if known { format!("this metric has no dimension `{name}`") } else { format!("there is no dimension `{name}`{hint}") };
        let expected = if names.is_empty() {
            "none: this metric has no dimensions".to_owned()
        } else {
            format!("one of {}", names.join(", "))
        };
        reader.wrong(span, message, expected);
    }
    found
}

fn read_by(reader: &mut Reader<'_>, node: &Node, allowed: &[Dimension]) -> Vec<Dimension> {
    let mut by = Vec::new();
    for item in reader.list(node, "`by`") {
        let Some(name) = reader.text(item, "a dimension in `by`") else { continue };
        let Some(dimension) = read_dimension(reader, name, item.span, allowed) else { continue };
        if by.contains(&dimension) {
            reader.wrong(item.span, format!("`{name}` is given twice"), "each dimension once");
        } else {
            by.push(dimension);
        }
    }
    by
}

fn read_where(reader: &mut Reader<'_>, node: &Node, allowed: &[Dimension]) -> Vec<Filter> {
    let names: Vec<&'static str> = Dimension::ALL.map(Dimension::as_str).to_vec();
    let Some(map) = reader.map(node, "`where`", &names) else { return Vec::new() };
    let mut filters = Vec::new();
    for name in names {
        let Some(value) = map.get(name) else { continue };
        let Some(dimension) = read_dimension(reader, name, value.span, allowed) else { continue };
        let (list, keep) = if let Value::Map(_) = &value.value {
            let Some(inner) = reader.map(value, "the condition", &["not"]) else { continue };
            let Some(list) = inner.required(reader, "not", "the condition", "[value, …]") else { continue };
            (list, Keep::Others)
        } else {
            (value, Keep::Only)
        };
        let items = match &list.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(list),
        };
        let values: Vec<String> =
            items.iter().filter_map(|item| reader.text(item, "a value in `where`").map(str::to_owned)).collect();
        if items.is_empty() {
            reader.wrong(list.span, format!("`{name}` names no value"), "at least one value");
        }
        filters.push(Filter { dimension, values, keep });
    }
    filters
}

/// A duration that panes of one minute can make up.
fn whole_minutes(reader: &mut Reader<'_>, node: &Node, what: &str, least: &str, greatest: &str) -> Option<i64> {
    let micros = reader.duration(node, what, least, greatest)?;
    if micros % 60_000_000 != 0 {
        reader.wrong(node.span, format!("{what} is not a whole number of minutes"), "minutes, hours or days");
        return None;
    }
    Some(micros)
}

fn read_baseline(reader: &mut Reader<'_>, node: &Node, over_us: i64) -> Option<Trailing> {
    let map = reader.map(node, "`baseline`", BASELINE_FIELDS)?;
    let kind = map.required(reader, "kind", "the baseline", "fixed or trailing")?;
    let trailing = reader.choice(kind, "`kind`", &[("fixed", false), ("trailing", true)])?;
    if !trailing {
        for name in BASELINE_FIELDS.iter().filter(|name| **name != "kind") {
            if let Some(extra) = map.get(name) {
                reader.wrong(
                    extra.span,
                    format!("a fixed baseline has no `{name}`"),
                    "the limit in `expr`, for example `value < 0.8`",
                );
            }
        }
        return None;
    }
    let window_us = map
        .required(reader, "window", "the baseline", "6h")
        .and_then(|node| whole_minutes(reader, node, "`window`", "5m", "25h"))?;
    let gap_us = map.get("gap").map_or(Some(over_us), |node| whole_minutes(reader, node, "`gap`", "0s", "24h"))?;
    if let Some(node) = map.get("window").filter(|_| window_us.saturating_add(gap_us).saturating_add(over_us) > 26 * 3_600_000_000)
    {
        reader.wrong(
            node.span,
            "`over`, `gap` and `window` reach back more than 26 h",
            "a shorter window: 26 h are kept in memory",
        );
    }
    let freeze = map.get("freeze").map_or(Some(true), |node| reader.truth(node, "`freeze`"))?;
    let min_samples = map.get("min_samples").map_or(Some(100), |node| reader.whole(node, "`min_samples`", 1_000_000_000))?;
    Some(Trailing { window_us, gap_us, freeze: if freeze { Freeze::WhileActive } else { Freeze::Never }, min_samples })
}

/// Reads a condition. `beside` says whether the rule has a trailing baseline, and a spread.
fn read_expr(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    (has_baseline, has_spread): (bool, bool),
) -> Option<(Condition, String)> {
    let text = reader.text(node, what)?;
    match expr::parse(text) {
        Ok(condition) => {
            if let Some(name) = condition.names().into_iter().find(|name| name.needs_baseline()).filter(|_| !has_baseline) {
                let message = format!("{what} uses `{}` and the rule has no trailing baseline", name.as_str());
                reader.wrong(node.span, message, "`baseline: { kind: trailing, window: 6h }`");
                return None;
            }
            if let Some(name) = condition.names().into_iter().find(|name| name.needs_spread()).filter(|_| !has_spread) {
                let message = format!("{what} uses `{}` and the rule has no spread", name.as_str());
                reader.wrong(node.span, message, "`spread: { windows: 168, level: 1% }`");
                return None;
            }
            Some((condition, text.to_owned()))
        }
        Err(mistake) => {
            let written = reader.text.get(node.span.offset..).unwrap_or_default();
            // A plain or quoted scalar on one line holds the expression as it is; a folded one does not.
            let start = written.lines().next().and_then(|line| line.find(text)).map(|at| node.span.offset + at);
            let span = match start {
                Some(start) => Span { offset: start + mistake.offset, len: mistake.len },
                None => node.span,
            };
            reader.wrong(span, format!("{what}: {}", mistake.message), mistake.expected);
            None
        }
    }
}

fn read_annotations(
    reader: &mut Reader<'_>,
    node: &Node,
    severity: Option<Severity>,
    by: &[Dimension],
    unit: Unit,
) -> Option<Annotations> {
    let map = reader.map(node, "`annotations`", ANNOTATIONS)?;
    let summary = map.required(reader, "summary", "`annotations`", "one line for the mail")?;
    if severity == Some(Severity::Page) && map.get("runbook_url").is_none() {
        reader.wrong(map.start, "a page has no `runbook_url`", "`runbook_url: ` with the page that says what to do at night");
    }
    let mut read = |node: Option<&Node>, name: &str| -> Option<String> {
        let node = node?;
        let text = reader.text(node, &format!("`{name}`"))?;
        if let Err(problem) = template::check(text, by, unit) {
            reader.wrong(node.span, format!("`{name}`: {problem}"), format!("a template over {}", template::NAMES.join(", ")));
        }
        Some(text.to_owned())
    };
    Some(Annotations {
        summary: read(Some(summary), "summary")?,
        description: read(map.get("description"), "description"),
        runbook_url: read(map.get("runbook_url"), "runbook_url"),
        dashboard_url: read(map.get("dashboard_url"), "dashboard_url"),
    })
}

/// What `check` says of a rule in one line.
impl Rule {
    /// For people, for example `page, groundedness by tenant, app over 30 min, for 10 min`.
    pub fn describe(&self) -> String {
        let by: Vec<&str> = self.query.by.iter().map(|dimension| dimension.as_str()).collect();
        let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
        format!(
            "{}, {}{by} over {}, for {}",
            self.severity.as_str(),
            self.query.metric,
            duration::words(self.over_us),
            duration::words(self.hold_us)
        )
    }
}
