//! Repricing of history: a service writes a lake with one price table, `groundwire recompute` brings it to another. What analysts see
//! equals Python's decimals over the raw records, `verify` finds nothing, and the service goes on with the right sums.

use std::fmt::Write as _;

use crate::support::{files, python, scratch, service, traffic, wait};

const MINUTES: i64 = 200;
/// `large-2` has no price at first.
const FIRST: &str = "[[prices]]\nmodel = \"small-1\"\ninput = 1.5\noutput = 7\n";
/// Other prices within the day, one for each model; none for `small-1` in batches.
const SECOND: &str = "\
[[prices]]
model = \"small-1\"
input = 1.25
cached_input = 0.075
output = 9.3
[[prices]]
model = \"large-2\"
input = 11.000000001
output = 33
[[prices]]
model = \"large-2\"
above_tokens = 2_000
input = 22
output = 66
";

/// Costs by tenant, and over everything, of all records of a folder by a table: plain decimals, no code of ours.
const ORACLE: &str = r#"
import decimal, glob, json, sys, tomllib, collections
table = tomllib.load(open(sys.argv[1], "rb"), parse_float=decimal.Decimal)["prices"]
seen, costs, unpriced = set(), collections.Counter(), 0
for file in sorted(glob.glob(sys.argv[2] + "/*.jsonl")):
    for line in open(file):
        try:
            log = json.loads(line)
            key = (log.get("tenant"), log["request_id"])
            usage, model = log["usage"], log["request_model"]
        except (ValueError, KeyError, TypeError):
            continue
        if key in seen:
            continue
        seen.add(key)
        if "cost_usd" in log:
            costs[log.get("tenant")] += round(log["cost_usd"] * 10**9)
            continue
        rows = [p for p in table if p["model"] == model and log.get("service_tier") is None and (p.get("above_tokens", 0) == 0 or usage["input_tokens"] > p["above_tokens"])]
        if not rows:
            unpriced += 1
            continue
        p = max(rows, key=lambda p: p.get("above_tokens", 0))
        cached = usage["cached_input_tokens"]
        total = (usage["input_tokens"] - cached) * p["input"] + cached * p.get("cached_input", p["input"]) + usage["output_tokens"] * p["output"]
        costs[log.get("tenant")] += int((decimal.Decimal(total) * 1000).quantize(decimal.Decimal(1), decimal.ROUND_HALF_EVEN))
print(json.dumps({"costs": {tenant: costs[tenant] for tenant in sorted(costs)}, "unpriced": unpriced}))
"#;

/// The same numbers from the views of both engines: over rows, and over the windows of an hour and of a day.
const VIEWS: &str = r#"
import collections, duckdb, json, sys
db = duckdb.connect()
db.execute(sys.argv[1])
rows = lambda sql: db.execute(sql).fetchall()
nano = lambda value: round(value * 10**9)
of_rows = collections.Counter()
for tenant, cost in rows("SELECT tenant, cost_usd FROM interactions WHERE cost_usd IS NOT NULL"):
    of_rows[tenant] += nano(cost)
window = lambda s: {tenant: nano(cost) for tenant, cost in rows(f"SELECT tenant, sum(sum) FROM metrics WHERE metric = 'cost_usd' AND window_s = {s} GROUP BY 1 ORDER BY 1")}
views = {}
exec(sys.argv[2], views)
polars = collections.Counter()
for tenant, cost in views["interactions"].select("tenant", "cost_usd").drop_nulls("cost_usd").collect().rows():
    polars[tenant] += nano(cost)
order = lambda counts: {tenant: counts[tenant] for tenant in sorted(counts)}
print(json.dumps({
    "rows": order(of_rows), "polars": order(polars), "hours": window(3600), "days": window(86400),
    "unpriced": rows("SELECT count(*) FROM interactions WHERE cost_status = 'unpriced'")[0][0],
    "unpriced in metrics": int(rows("SELECT coalesce(sum(bad_n), 0) FROM metrics WHERE metric = 'cost.unpriced_share'")[0][0]),
    "twice": rows("SELECT count(*) FROM (SELECT 1 FROM metrics_revisions GROUP BY metric, window_start, window_s, tenant, app, response_model, prompt_version, variant, job, feedback_name, index, scorer, revision HAVING count(*) > 1)")[0][0],
}))
"#;

struct Setting {
    dir: tempfile::TempDir,
}

impl Setting {
    fn new() -> Self {
        let dir = scratch("recompute");
        let setting = Self { dir };
        let prices = "[cost]\nprices_file = \"prices.toml\"\n";
        setting.write("groundwire.toml", &files::configuration("lake", &[("logs", "gateway")], prices));
        setting.write("prices.toml", FIRST);
        setting.write("second.toml", SECOND);
        setting
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the folder is ours");
    }

    /// Appends records to the one partition that is read.
    fn append(&self, lines: &[String]) {
        files::append(self.dir.path(), "logs", 0, lines);
    }

    /// Runs the service to the end of its input.
    fn play(&self) {
        files::play(&self.path("groundwire.toml"), wait::LIMIT);
    }

    fn recompute(&self, more: &[&str]) -> serde_json::Value {
        let (config, prices) = (self.path("groundwire.toml"), self.path("second.toml"));
        let mut arguments = vec!["recompute", "--config", &config, "--prices", &prices, "--json"];
        arguments.extend(more);
        let output = service::output(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn verify(&self) {
        let output = service::output(["verify", "--config", &self.path("groundwire.toml")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn expected(&self, table: &str) -> serde_json::Value {
        python::json(ORACLE, &[&self.path(table), &self.path("topics/logs")])
    }

    fn seen(&self) -> serde_json::Value {
        let printed = |engine| {
            let output = service::output(["views", "--engine", engine, "--lake", &self.path("lake")]);
            assert!(output.status.success());
            String::from_utf8(output.stdout).expect("text")
        };
        python::json(VIEWS, &[&printed("duckdb"), &printed("polars")])
    }
}

fn logs(seed: u64, count: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let made = traffic::gateway_logs(seed, count, 1, MINUTES);
    made.into_iter()
        .map(|made| match random.u32(0..20) {
            // The producer's own figure, which no table changes; and a tier that no table prices.
            0 => made.value.replace(r#""operation""#, r#""cost_usd":0.0123,"operation""#),
            1 => made.value.replace(r#""operation""#, r#""service_tier":"batch","operation""#),
            _ => made.value,
        })
        .collect()
}

/// A record so many hours after the first, so that the windows before it close; it costs nothing.
fn closing(hours: i64) -> Vec<String> {
    let time = traffic::START_MS + hours * 3_600_000;
    let made = traffic::closing(1, MINUTES);
    let first = made.first().expect("one partition");
    let original = format!(r#""event_time":{}"#, first.time_ms);
    let line = first.value.replace(&original, &format!(r#""event_time":{time},"cost_usd":0"#));
    vec![line.replace(&format!("r-{}-0", u64::MAX), &format!("closing-{hours}"))]
}

#[test]
fn history_follows_the_new_table_and_the_service_goes_on_with_it() {
    let setting = Setting::new();
    setting.append(&logs(1, 4_000));
    setting.append(&closing(17));
    setting.play();
    setting.verify();
    let before = setting.expected("prices.toml");
    assert_eq!(setting.seen()["rows"], before["costs"]);

    // A dry run says what a real one does, and does nothing.
    let dry = setting.recompute(&["--dry-run"]);
    assert_eq!(setting.seen()["rows"], before["costs"]);
    let done = setting.recompute(&[]);
    let plain = |report: &serde_json::Value| -> String {
        let mut text = String::new();
        for date in report["dates"].as_array().expect("dates") {
            let mut date = date.clone();
            date["entry"] = serde_json::Value::Null;
            writeln!(text, "{date}").expect("writing to a string");
        }
        text
    };
    assert_eq!(plain(&dry), plain(&done));
    assert!(done["dates"][0]["changed"].as_u64() > Some(3_000), "{done}");
    setting.verify();
    let of_the_day = setting.expected("second.toml");
    assert_eq!(setting.seen()["rows"], of_the_day["costs"]);

    // Again: nothing is left to do.
    let again = setting.recompute(&[]);
    assert!(
        again["dates"].as_array().expect("dates").iter().all(|date| date["changed"] == 0 && date["entry"].is_null()),
        "{again}"
    );

    // The service goes on with the new table. Late events of the repriced hours make revisions that hold both.
    setting.write("prices.toml", SECOND);
    setting.append(&logs(2, 500));
    setting.append(&closing(19));
    setting.play();
    setting.verify();
    let (expected, seen) = (setting.expected("second.toml"), setting.seen());
    for part in ["rows", "polars", "hours", "days"] {
        assert_eq!(seen[part], expected["costs"], "{part}");
    }
    for part in ["unpriced", "unpriced in metrics"] {
        assert_eq!(seen[part], expected["unpriced"], "{part}");
    }
    assert_eq!(seen["twice"], 0);
}
