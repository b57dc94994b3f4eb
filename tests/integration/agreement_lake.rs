//! Three days of traffic through the program, late events among them: `groundwire verify` recomputes every row of drift, of changes and
//! of dispersion, and the SQL of each metric runs over the views, with the agreement of the published rows where it can be checked.

use std::path::Path;
use std::time::Duration;

use groundwire::measure::Registry;
use serde_json::{Value, json};

use crate::support::{files, python, scratch, service};

const HOUR_MS: i64 = 3_600_000;
/// 2026-05-04T00:00:00Z.
const BEGIN_MS: i64 = 1_777_852_800_000;

/// One event, a pure function of its number.
fn event(day: i64, hour: i64, number: i64) -> (i64, Value) {
    let mut mixed = (day * 24 + hour) * 1_009 + number;
    mixed = (mixed.wrapping_mul(2_654_435_761) >> 7).rem_euclid(1_000_003);
    let tenant = if number % 2 == 0 { "acme" } else { "globex" };
    // On the third day acme asks longer questions, in German, of another model, and more often in vain.
    let moved = day == 2 && tenant == "acme";
    let words = 3 + mixed % 9 + if moved { 6 } else { 0 };
    let prompt = ["where is the parcel that was sent on monday"; 2]
        .join(" ")
        .split(' ')
        .take(usize::try_from(words).unwrap())
        .collect::<Vec<_>>()
        .join(" ");
    let response = if moved || mixed % 5 == 0 {
        "Das Paket liegt seit Montag im Lager und wird am Dienstag zugestellt."
    } else {
        "The parcel was sent on Monday and it is in the warehouse; it will be delivered on Tuesday."
    };
    let failed = mixed % 100 < if moved { 20 } else { 4 };
    let at = BEGIN_MS + (day * 24 + hour) * HOUR_MS + mixed % HOUR_MS;
    let prediction = ["refund", "delivery", "other"][usize::try_from(mixed % 7 % 3).unwrap()];
    let event = json!({
        "schema": "groundwire.gateway_log.v1", "event_time": at, "request_id": format!("{day}-{hour}-{number}"),
        "tenant": tenant, "app": "support", "response_model": if mixed % 10 < if moved { 7 } else { 2 } { "large" } else { "small" },
        "prompt_version": format!("v{}", mixed % 3), "http_status": if failed { 503 } else { 200 }, "latency_ms": 100.0 + (mixed % 777) as f64,
        "prediction": prediction, "embedding": [1.0 - f64::from(u8::from(moved)), 0.5, (mixed % 100) as f64 / 200.0],
        "usage": {"input_tokens": 20, "output_tokens": 30},
        "prompt": prompt, "response": response,
        "contexts": [{"id": "c", "text": "The parcel was sent on Monday. It will be delivered on Tuesday. It is in the warehouse."}],
    });
    (at, event)
}

fn write_topics(folder: &Path) {
    let mut lines: [Vec<(i64, String)>; 2] = Default::default();
    for day in 0..3 {
        for hour in [9, 10, 23] {
            for number in 0..440 {
                let (at, event) = event(day, hour, number);
                // One of twenty comes two hours late.
                let written = at + if number % 20 == 7 { 2 * HOUR_MS } else { number % 11 * 1_000 };
                lines[usize::from(number % 3 == 0)].push((written, event.to_string()));
            }
        }
    }
    for (partition, lines) in lines.iter_mut().enumerate() {
        let (at, mut last) = event(3, 2, 0);
        last["request_id"] = json!(format!("last {partition}"));
        lines.push((at, last.to_string()));
        lines.sort();
        let lines: Vec<String> = lines.drain(..).map(|(_, line)| line).collect();
        files::append(folder, "gateway-logs", partition, &lines);
    }
}

/// Runs the program over the topics into a lake of this name; hands back the configuration.
fn run(folder: &Path, lake: &str, measure: &str) -> String {
    let text = files::configuration(lake, &[("gateway-logs", "gateway")], &format!("[measure]\n{measure}\n"));
    let config = folder.join(format!("{lake}.toml"));
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap().to_owned();
    files::play(&config, Duration::from_mins(4));
    config
}

fn verified(config: &str) -> Value {
    let output = service::output(["verify", "--config", config, "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_row_is_recomputed_and_the_sql_of_each_metric_runs() {
    let scratch = scratch("windows");
    let folder = scratch.path();
    write_topics(folder);
    let config = run(folder, "trailing", "");
    let report = verified(&config);
    assert_eq!(report["findings_total"], 0, "{report:#}");
    assert!(report["metrics_compared"].as_u64().unwrap() > 3_000, "{report:#}");

    let lake = folder.join("trailing").to_str().unwrap().to_owned();
    let views = service::output(["views", "--engine", "duckdb", "--lake", &lake]);
    let views = String::from_utf8(views.stdout).unwrap();
    let registry = Registry::builtin().unwrap();
    let sql: Vec<(String, String)> = registry
        .metrics()
        .iter()
        .filter_map(|metric| Some((metric.name.to_string(), groundwire::measure::reference::sql(metric)?)))
        .collect();
    assert!(
        registry.metrics().iter().all(|metric| metric.windows.is_empty() || sql.iter().any(|(name, _)| **name == *metric.name))
    );
    let script = r#"
import duckdb, json, sys
db = duckdb.connect()
db.execute(sys.argv[1])
db.execute("SET TimeZone = 'UTC'")
broken = []
for name, sql in json.loads(sys.argv[2]):
    try:
        db.execute(sql).fetchall()
    except Exception as error:
        broken.append([name, str(error)])
rows = lambda sql: [list(row) for row in db.execute(sql).fetchall()]
db.execute(f"""COPY (SELECT metric, tenant, app, scorer, n, n_null, sum, sum_sq, hist_edges, hist_counts FROM metrics
    WHERE metric LIKE 'drift.%.psi' AND window_s = 3600 AND window_start < TIMESTAMPTZ '2026-05-05') TO '{sys.argv[3]}' (FORMAT json)""")
print(json.dumps({
    "broken": broken,
    "decided": rows("""SELECT metric, tenant, window_s, p < 0.001, value_status FROM metrics WHERE metric IN ('drift.prompt_length_tokens.psi',
        'drift.language.chi_square', 'drift.prediction.psi') AND hour(window_start) IN (0, 10) AND day(window_start) = 6 ORDER BY ALL"""),
    "turned": rows("""SELECT tenant, value > 0.1 AND value > 50 * expected FROM metrics WHERE metric = 'drift.embedding.cosine' AND window_s = 86400 AND
        day(window_start) = 6 ORDER BY tenant"""),
    "widened": rows("SELECT count(*), count(dispersion), min(dispersion) FROM metrics WHERE metric = 'error_rate' AND window_s = 3600 AND n >= 30"),
    "parts": rows("""SELECT max(abs(t.value - w.value - m.value)) < 1e-12, count(*) > 5 FROM metrics t JOIN metrics w USING (tenant, app, window_start,
        window_s) JOIN metrics m USING (tenant, app, window_start, window_s) WHERE t.metric = 'error_rate.change' AND
        w.metric = 'error_rate.change_within' AND m.metric = 'error_rate.change_mix'"""),
    "within": rows("""WITH part AS (SELECT window_start, tenant, response_model, sum(sum) / sum(n) AS value, sum(n) AS n FROM metrics WHERE metric = 'error_rate' AND
        window_s = 3600 GROUP BY ALL), slow AS (SELECT now.window_start, tenant, sum(before.n * (now.value - before.value)) / (SELECT sum(n) FROM part p WHERE
        p.window_start = now.window_start - INTERVAL 1 HOUR AND p.tenant = now.tenant) AS within FROM part AS now JOIN part AS before USING (tenant, response_model) WHERE
        now.window_start = before.window_start + INTERVAL 1 HOUR GROUP BY now.window_start, tenant)
        SELECT max(abs(slow.within - m.value)) < 1e-12, count(*) FROM slow JOIN metrics m USING (tenant, window_start) WHERE m.metric = 'error_rate.change_within'"""),
}))
"#;
    let pinned = folder.join("pinned.jsonl");
    let found = python::json(script, &[&views, &serde_json::to_string(&sql).unwrap(), pinned.to_str().unwrap()]);
    assert_eq!(found["broken"], json!([]));
    let row = |metric: &str, tenant: &str, window_s: i64, drifts: bool| json!([metric, tenant, window_s, drifts, "ok"]);
    let mut expected = Vec::new();
    for (metric, moved) in
        [("drift.language.chi_square", true), ("drift.prediction.psi", false), ("drift.prompt_length_tokens.psi", true)]
    {
        for (tenant, of_moved) in [("acme", moved), ("globex", false)] {
            expected.extend([row(metric, tenant, 3_600, of_moved), row(metric, tenant, 86_400, of_moved)]);
        }
    }
    assert_eq!(found["decided"], Value::from(expected));
    assert_eq!(found["turned"], json!([["acme", true], ["globex", false]]));
    assert_eq!(found["parts"], json!([[true, true]]));
    assert_eq!(found["within"][0][0], json!(true), "{found}");
    let widened = &found["widened"][0];
    // Not measured where nothing failed.
    assert!(widened[1].as_i64().unwrap() > 20 && widened[2].as_f64().unwrap() >= 1.0, "{widened}");

    for (name, measure) in
        [("same", "drift_reference = \"same_hours\""), ("pinned", "drift_reference = \"pinned\"\ndrift_pinned = \"pinned.jsonl\"")]
    {
        let report = verified(&run(folder, name, measure));
        assert_eq!(report["findings_total"], 0, "{name}: {report:#}");
    }
    let unread = folder.join("unread.toml");
    std::fs::write(&unread, "[measure]\ndrift_reference = \"pinned\"\ndrift_pinned = \"nowhere.jsonl\"\n").unwrap();
    let output = service::output(["check", "--config", unread.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("nowhere.jsonl"), "{}", String::from_utf8_lossy(&output.stdout));
}
