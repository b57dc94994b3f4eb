use super::{Freeze, Mode, NoData, Recipients, Rules, Severity, Trailing};
use crate::alert::vocabulary::{Metric, Scale, Unit, Vocabulary};
use crate::alert::{Diagnostic, Keep};
use crate::measure::Dimension;

const MINUTE: i64 = 60_000_000;

fn vocabulary() -> Vocabulary {
    let metric = |name: &str, scale| Metric {
        name: name.to_owned(),
        unit: Unit::Share,
        scale,
        dimensions: vec![Dimension::Tenant, Dimension::App, Dimension::Environment],
    };
    Vocabulary { metrics: vec![metric("groundedness", Scale::Comparable), metric("requests", Scale::Total)] }
}

fn parse(files: &[(&str, &str)]) -> Result<Rules, Vec<Diagnostic>> {
    let files: Vec<(String, String)> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Rules::parse(&files, &vocabulary(), Recipients::default())
}

const GOOD: &str = r#"
version: 1
groups:
  - name: quality
    labels: { team: rag }
    rules:
      - alert: GroundednessDrop
        severity: page
        metric: groundedness
        where: { environment: prod, app: { not: [internal, test] } }
        by: [tenant, app]
        over: 30m
        expr: value < 0.82 or (z < -4 and delta <= -0.03)
        recover_expr: "delta > -0.015"
        for: 10m
        baseline: { kind: trailing, window: 6h, min_samples: 300 }
        annotations:
          summary: "Groundedness {{ value|show }} for {{ labels.tenant }}"
          runbook_url: https://example.com/runbook
"#;

#[test]
fn a_rule_is_read_with_its_defaults() {
    let rules = parse(&[("quality.yaml", GOOD)]).unwrap();
    let rule = rules.get("GroundednessDrop").unwrap();
    assert_eq!((rule.severity, rule.mode, rule.no_data), (Severity::Page, Mode::Live, NoData::Hold));
    assert_eq!(
        (rule.over_us, rule.hold_us, rule.keep_firing_us, rule.no_data_for_us),
        (30 * MINUTE, 10 * MINUTE, 10 * MINUTE, 90 * MINUTE)
    );
    assert_eq!((rule.min_samples, rule.min_bad), (30, 0));
    let trailing = Trailing { window_us: 360 * MINUTE, gap_us: 30 * MINUTE, freeze: Freeze::WhileActive, min_samples: 300 };
    assert_eq!(rule.baseline, Some(trailing));
    assert_eq!(rule.query.by, [Dimension::Tenant, Dimension::App]);
    assert_eq!((rule.query.filter[0].keep, rule.query.filter[0].values.len()), (Keep::Others, 2));
    assert_eq!(rule.query.filter[1].values, ["prod"]);
    assert_eq!(rule.labels, [("team".to_owned(), "rag".to_owned())]);
    assert_eq!(rule.place, "quality.yaml:7");
    assert_eq!(rule.describe(), "page, groundedness by tenant, app over 30 min, for 10 min");
}

#[test]
fn every_mistake_of_every_file_is_reported_at_its_place() {
    let wrong = r#"version: 2
groups:
  - name: quality
    rules:
      - alert: groundedness drop
        severity: urgent
        metric: groundednes
        by: [tenant, response_model, tenant, tenat]
        over: 90s
        expr: valu < 0.82
        fro: 10m
        min_samples: -1
        min_samples: 3
        annotations: { summary: "{{ valu }}" }
      - alert: Bare
      - alert: Alone
        severity: page
        metric: requests
        over: 1h
        expr: z < -4
        baseline: { kind: trailing, window: 25h, gap: 24h }
        labels: { now: "{{ value }}" }
        annotations: { summary: ok }
"#;
    let mistakes =
        parse(&[("a.yaml", wrong), ("b.yaml", "version: 1\ngroups: []\nx: 1\n"), ("c.yaml", "groups: [\n")]).unwrap_err();
    let found: Vec<String> = mistakes.iter().map(|m| format!("{}:{}:{} {}", m.file, m.line, m.column, m.message)).collect();
    let expected = [
        "a.yaml:1:10 `version` is `2`",
        "a.yaml:5:16 `alert` is `groundedness drop`",
        "a.yaml:6:19 `severity` is `urgent`",
        "a.yaml:7:17 there is no metric `groundednes` (did you mean `groundedness`?)",
        "a.yaml:8:38 `tenant` is given twice",
        "a.yaml:8:46 there is no dimension `tenat` (did you mean `tenant`?)",
        "a.yaml:9:15 `over` is not a whole number of minutes",
        "a.yaml:10:15 `expr`: `valu` is not a name (did you mean `value`?)",
        "a.yaml:11:9 unknown field `fro` in the rule",
        "a.yaml:12:22 `min_samples` is `-1`",
        "a.yaml:13:9 `min_samples` is given twice, first in line 12",
        "a.yaml:14:33 `summary`: undefined value",
        "a.yaml:15:9 the rule has no `severity`",
        "a.yaml:15:9 the rule has no `metric`",
        "a.yaml:15:9 the rule has no `over`",
        "a.yaml:15:9 the rule has no `expr`",
        "a.yaml:15:9 the rule has no `annotations`",
        "a.yaml:20:15 `z` decides alone: with enough traffic every difference is significant",
        "a.yaml:21:19 `requests` is a total, and totals of unequal stretches cannot be compared",
        "a.yaml:21:45 `over`, `gap` and `window` reach back more than 26 h",
        "a.yaml:22:24 label `now` is a template",
        "a.yaml:23:24 a page has no `runbook_url`",
        "b.yaml:3:1 unknown field `x` in the file",
    ];
    assert_eq!(found.get(..expected.len()).unwrap_or(&found).join("\n"), expected.join("\n"));
    assert_eq!(found.len(), expected.len() + 1, "{found:#?}");
    assert!(found[expected.len()].starts_with("c.yaml:"));
    assert!(mistakes[3].expected.contains("groundedness, requests"));
}

#[test]
fn names_are_unique_over_all_files() {
    let mistakes = parse(&[("a.yaml", GOOD), ("b.yaml", GOOD)]).unwrap_err();
    let found: Vec<&str> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
    assert_eq!(found, ["group `quality` exists already at a.yaml:4", "alert `GroundednessDrop` exists already at a.yaml:7"]);
}

#[test]
fn a_dimension_that_the_metric_lacks_and_a_baseline_name_without_baseline_are_refused() {
    let text =
        GOOD.replace("[tenant, app]", "[job]").replace("        baseline: { kind: trailing, window: 6h, min_samples: 300 }\n", "");
    let mistakes = parse(&[("a.yaml", &text)]).unwrap_err();
    assert_eq!(mistakes[0].message, "this metric has no dimension `job`");
    assert!(mistakes.iter().any(|mistake| mistake.message.contains("the rule has no trailing baseline")), "{mistakes:#?}");
}

#[test]
fn an_empty_file_has_no_rules() {
    assert_eq!(parse(&[("a.yaml", ""), ("b.yaml", "# nothing\n")]).unwrap(), Rules::default());
}

#[test]
fn each_recipient_is_told_once() {
    let recipients = Recipients { page: vec!["a@x".into(), "b@x".into(), "a@x".into()], ..Recipients::default() };
    assert_eq!(recipients.of(Severity::Page), ["a@x", "b@x"]);
    assert!(recipients.of(Severity::Info).is_empty());
}

#[test]
fn the_json_schema_names_the_fields_that_the_reader_knows() {
    use crate::alert::{BASELINE_FIELDS, FILE_FIELDS, GROUP_FIELDS, RULE_FIELDS, SPREAD_FIELDS};
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../schemas/alert-rules.schema.json")).unwrap();
    let names = |pointer: &str| -> Vec<String> {
        let mut names: Vec<String> = schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let sorted = |fields: &[&str]| -> Vec<String> {
        let mut names: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("/properties"), sorted(FILE_FIELDS));
    assert_eq!(names("/$defs/group/properties"), sorted(GROUP_FIELDS));
    assert_eq!(names("/$defs/rule/properties"), sorted(RULE_FIELDS));
    assert_eq!(names("/$defs/baseline/properties"), sorted(BASELINE_FIELDS));
    assert_eq!(names("/$defs/spread/properties"), sorted(SPREAD_FIELDS));
    let dimensions = Dimension::ALL.map(Dimension::as_str);
    assert_eq!(names("/$defs/rule/properties/where/properties"), sorted(&dimensions));
    assert_eq!(schema.pointer("/$defs/rule/properties/by/items/enum").unwrap(), &serde_json::json!(dimensions));
}

/// Cuts, repeats, swaps and strange characters in good files: what is not a rule is a mistake at a place, never a panic.
#[test]
fn damaged_files_are_read_or_refused_at_a_place() {
    const STRANGE: [&str; 16] =
        ["{", "}", "[", "]", ":", "-", "\"", "'", "&a ", "*a", "<<: ", "!!", "\u{0}", "\u{feff}", "%", "\n  "];
    let vocabulary = Vocabulary::of(&crate::measure::Registry::builtin().unwrap());
    let good: Vec<String> = crate::alert::shipped().into_iter().map(|(_, text)| text).collect();
    let mut random = fastrand::Rng::with_seed(20_260_504);
    for _ in 0..400 {
        let mut text: Vec<char> = good[random.usize(..good.len())].chars().collect();
        for _ in 0..random.usize(1..4) {
            let (from, to) = (random.usize(..text.len()), random.usize(..text.len()));
            match random.u8(..5) {
                0 => text.truncate(from.max(1)),
                1 => {
                    let part: Vec<char> = text[from.min(to)..from.max(to)].to_vec();
                    text.splice(from..from, part);
                }
                2 => text.swap(from, to),
                3 => drop(text.drain(from.min(to)..from.max(to).min(from.min(to) + 40))),
                _ => drop(text.splice(from..from, STRANGE[random.usize(..STRANGE.len())].chars())),
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(mistakes) = Rules::parse(&[("x.yaml".to_owned(), text.clone())], &vocabulary, Recipients::default()) {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(mistake.line >= 1 && mistake.line <= text.matches('\n').count() + 1, "{mistake}");
                assert!(mistake.to_string().contains('^'), "{mistake}");
            }
        }
    }
}
