//! A day of answers with references and labels through the program: the published windows are what sacrebleu, rouge-score, nltk and
//! scikit-learn say of the rows of `interactions`, and `groundwire verify` recomputes them.

use std::time::Duration;

use serde_json::Value;

use crate::support::{files, python, scratch, service};

/// Rounding to billionths, once per answer.
const TOLERANCE: f64 = 1e-9;

#[test]
fn windows_of_references_and_labels_are_what_the_libraries_say_of_the_stored_rows() {
    let scratch = scratch("expected");
    let folder = scratch.path();
    let topic = folder.join("topics/gateway-logs");
    std::fs::create_dir_all(&topic).unwrap();
    let script = include_str!("agreement_expected.py");
    let file = topic.join("0.jsonl");
    python::run(script, &["write", "src/demo/text/help_articles.txt", file.to_str().unwrap()]);
    let config = folder.join("groundwire.toml");
    std::fs::write(&config, files::configuration("lake", &[("gateway-logs", "gateway")], "")).unwrap();
    let config = config.to_str().unwrap();
    files::play(config, Duration::from_mins(4));

    let views = service::output(["views", "--engine", "duckdb", "--lake", folder.join("lake").to_str().unwrap()]);
    let views = String::from_utf8(views.stdout).unwrap();
    let compared: Vec<(String, String, f64, Option<f64>, i64, i64)> =
        serde_json::from_value(python::json(script, &["compare", &views])).unwrap();
    // Two applications, ten metrics of references and nine of labels.
    assert_eq!(compared.len(), 2 * 19, "{compared:?}");
    for (app, metric, expected, published, rows, n) in compared {
        let published = published.unwrap_or_else(|| panic!("{metric} of {app} has no row"));
        assert!((published - expected).abs() <= TOLERANCE, "{metric} of {app}: published {published}, expected {expected}");
        assert_eq!(n, rows, "{metric} of {app}");
        assert!(rows > 200, "{metric} of {app}");
    }

    let report = service::output(["verify", "--config", config, "--rescore", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["findings_total"], 0, "{report:#}");
}
