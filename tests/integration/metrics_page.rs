//! `docs/metrics.md` says what `schemas/metrics.yaml` says, and what it says holds of a lake.

use std::path::Path;
use std::time::Duration;

use groundwire::measure::{Registry, reference};
use serde_json::json;

use crate::support::{files, python, scratch, service};

const TRAFFIC: &str = include_str!("metrics_traffic.py");
const CHECK: &str = include_str!("metrics_page.py");
const EXAMPLES: &str = include_str!("metrics_examples.py");

/// Metrics of which the lake of the test has no rows, and why.
const WITHOUT_ROWS: [(&str, &str); 4] = [
    ("ledger.*.rejected.too_large", "a record of more than the limit of a megabyte would cost the test more than it shows"),
    ("ledger.*.rejected.clock_skew", "lines of a file have no time of a broker to be ahead of"),
    ("ledger.*.rejected.schema_registry_frame", "a frame is binary, and a line of a file is text"),
    ("ledger.*.rejected.redaction_failed", "no input is known that does"),
];

/// Metrics whose rows or whose SQL another test holds to something independent.
const ELSEWHERE: [(&str, &str); 0] = [];

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")
}

#[test]
fn the_page_of_metrics_is_made_from_the_registry() {
    let text = reference::markdown(&Registry::builtin().expect("the shipped registry is sound"));
    if std::env::var_os("GROUNDWIRE_UPDATE_DOCS").is_some() {
        std::fs::write(page(), &text).expect("docs can be written");
    }
    let current = std::fs::read_to_string(page()).unwrap_or_default();
    assert!(current == text, "docs/metrics.md is stale: run the tests once with GROUNDWIRE_UPDATE_DOCS=1");
}

#[test]
fn every_metric_has_every_part_of_its_section() {
    let text = std::fs::read_to_string(page()).expect("the page is part of the project");
    let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    let registry = Registry::builtin().expect("the shipped registry is sound");
    assert_eq!(sections.len(), registry.metrics().len());
    let parts =
        ["Formula", "From", "Source", "Unit", "Without data", "Cannot see", "Several rows as one", "Worked example", "Waits for"];
    for (section, metric) in sections.iter().zip(registry.metrics()) {
        assert!(section.starts_with(&*metric.name), "{section}");
        for part in parts {
            let said = section.lines().find_map(|line| line.strip_prefix(&format!("* {part}: "))).unwrap_or_default();
            assert!(said.len() >= 3 && !said.contains('{'), "{}: {part}: {said:?}", metric.name);
        }
        assert_eq!(section.contains("```sql"), !metric.windows.is_empty(), "{}", metric.name);
    }
}

/// The names of a list that no pattern names, `*` standing for one part of a name.
fn without(found: &serde_json::Value, known: &[(&str, &str)]) -> Vec<String> {
    let is_known = |name: &str| {
        known.iter().any(|(pattern, _)| {
            let (mut parts, mut wanted) = (name.split('.'), pattern.split('.'));
            parts.by_ref().zip(wanted.by_ref()).all(|(part, wanted)| wanted == "*" || wanted == part)
                && parts.next().is_none()
                && wanted.next().is_none()
        })
    };
    let names = found.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name").to_owned());
    names.filter(|name| !is_known(name)).collect()
}

/// Every metric, recomputed from the rows of a lake by the page's definitions, and the SQL of every metric.
#[test]
fn the_rows_and_the_sql_of_every_metric_are_what_the_page_says() {
    let scratch = scratch("metrics-page");
    let folder = scratch.path();
    let topics = folder.join("topics");
    let inputs = [("gateway-logs", "gateway"), ("user-feedback", "feedback"), ("pipeline-events", "pipeline")];
    let text = files::configuration("lake", &inputs, "[cost]\nprices_file = \"prices.toml\"\n");
    let config = folder.join("groundwire.toml");
    std::fs::write(&config, text).expect("the folder is ours");
    for (model, input, output) in [("small", 0.5, 2.0), ("large", 3.0, 15.0)] {
        let row = format!(
            "[[prices]]\nmodel = \"{model}\"\ninput = {input}\ncached_input = 0.05\ncache_write = 0.625\noutput = {output}\n"
        );
        let prices = folder.join("prices.toml");
        let known = std::fs::read_to_string(&prices).unwrap_or_default();
        std::fs::write(prices, known + &row).expect("the folder is ours");
    }
    let config = config.to_str().expect("a path in UTF-8");
    for day in 0..4 {
        python::run(TRAFFIC, &[topics.to_str().expect("a path in UTF-8"), &day.to_string()]);
        files::play(config, Duration::from_mins(4));
    }
    let output = service::output(["verify", "--config", config, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["findings_total"], 0, "{report:#}");

    let lake = folder.join("lake").to_str().expect("a path in UTF-8").to_owned();
    let views = folder.join("views.sql");
    std::fs::write(&views, service::output(["views", "--engine", "duckdb", "--lake", &lake]).stdout).expect("the folder is ours");
    let page = page();
    let paths = [&views, &page].map(|path| path.to_str().expect("a path in UTF-8"));
    let found = python::json(CHECK, &paths);
    assert_eq!(found["problems"], json!({}), "{found:#}");
    assert_eq!(without(&found["unseen"], &WITHOUT_ROWS), [""; 0], "metrics without rows: make some in metrics_traffic.py");
    assert_eq!(without(&found["unchecked"], &ELSEWHERE), [""; 0], "say how to compute these metrics in metrics_page.py");
    assert!(found["rows"].as_u64() > Some(50_000), "{}", found["rows"]);
}

#[test]
fn every_worked_example_is_computed() {
    let found = python::json(EXAMPLES, &[page().to_str().expect("a path in UTF-8")]);
    assert_eq!(found, json!([]), "examples that metrics_examples.py does not compute, and what it computes");
}
