//! Feedback that changes its mind: of several with one id the latest counts, by its own time and by its answer's, in the metrics as in the
//! views, across restarts; `verify` agrees, and so does a plain recomputation in SQL.

use crate::support::{files, python, scratch, service, traffic, wait};

/// By name: what the views say of the latest feedback, and what the metrics say.
const COMPARE: &str = r#"
import duckdb, json, sys
db = duckdb.connect()
db.execute(sys.argv[1])
rows = lambda sql: [list(row) for row in db.execute(sql).fetchall()]
by = "FROM feedback WHERE name <> 'closing' GROUP BY 1 ORDER BY 1"
metric = lambda name, value, s: rows(f"SELECT feedback_name, {value} FROM metrics WHERE metric = '{name}' AND window_s = {s} AND feedback_name IS DISTINCT FROM 'closing' GROUP BY 1 HAVING {value} <> 0 ORDER BY 1")
print(json.dumps({
    "rows": rows(f"SELECT name, count(*) FILTER (WHERE score IS NOT NULL)::BIGINT {by}"),
    "scores": metric("feedback.mean_rating", "sum(n)::BIGINT", 3600),
    "sums": rows(f"SELECT name, round(sum(score), 6) {by}"),
    "sums in metrics": metric("feedback.mean_rating", "round(sum(sum), 6)", 3600),
    "sums by answer": rows("SELECT name, round(sum(score), 6) FROM feedback WHERE name <> 'closing' AND match = 'matched' GROUP BY 1 ORDER BY 1"),
    "sums by answer in metrics": metric("feedback.mean_rating_by_answer", "round(sum(sum), 6)", 3600),
    "count": rows("SELECT count(*) FROM feedback WHERE name <> 'closing'")[0][0],
    "count in metrics": int(rows("SELECT sum(n) FROM metrics WHERE metric = 'feedback.count' AND window_s = 3600")[0][0]),
    "praise": rows("SELECT count(*) FROM feedback WHERE match = 'matched' AND name = 'thumbs' AND score >= 1 OR match = 'matched' AND name = 'rating' AND score >= 4")[0][0],
    "praise in metrics": int(rows("SELECT coalesce(sum(n), 0) FROM metrics WHERE metric = 'cost.per_positive_feedback' AND window_s = 3600")[0][0]),
    "replaced": rows("SELECT (SELECT count(*) FROM feedback_revisions WHERE revision = 0) - (SELECT count(*) FROM feedback)")[0][0],
}))
"#;

/// Opinions on the answers of `traffic`, of which many come a second and a third time with the same id.
fn opinions(seed: u64, count: u64, ids: u64) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|_| {
            let id = random.u64(0..ids);
            let time = traffic::START_MS + 3_600_000 + random.i64(0..4 * 3_600_000);
            let (name, score) = if id.is_multiple_of(2) { ("thumbs", random.u32(0..2)) } else { ("rating", random.u32(1..6)) };
            // Each id is about one answer of the first hour; some are about none that exists.
            format!(
                r#"{{"event_time":{time},"feedback_id":"f{id}","target":{{"request_id":"r-1-{}"}},"name":"{name}","score":{score}}}"#,
                if id.is_multiple_of(7) { 1_000_000 + id } else { id }
            )
        })
        .collect()
}

fn closing(hours: i64) -> [String; 2] {
    let time = traffic::START_MS + hours * 3_600_000;
    [
        format!(r#"{{"event_time":{time},"request_id":"closing-{hours}","tenant":"tenant-0","app":"search"}}"#),
        format!(r#"{{"event_time":{time},"target":{{"request_id":"none"}},"name":"closing","score":0}}"#),
    ]
}

#[test]
fn only_the_latest_of_several_with_one_id_counts() {
    let scratch = scratch("feedback");
    let folder = scratch.path();
    let config = folder.join("groundwire.toml").display().to_string();
    let topics = [("logs", "gateway"), ("feedback", "feedback")];
    std::fs::write(&config, files::configuration("lake", &topics, "")).expect("the folder is ours");
    let append = |topic, lines: &[String]| files::append(folder, topic, 0, lines);
    let logs: Vec<String> = traffic::gateway_logs(1, 1_500, 1, 240).into_iter().map(|made| made.value).collect();
    append("logs", &logs);
    for (round, hours) in [(1, 10), (2, 12), (3, 14)] {
        append("feedback", &opinions(round, 300, 220));
        let [log, feedback] = closing(hours);
        append("logs", &[log]);
        append("feedback", &[feedback]);
        // The keeper's last entry is evaluated by the next start, as after any end.
        for _ in 0..2 {
            files::play(&config, wait::LIMIT);
        }
    }
    let [log, feedback] = closing(16);
    append("logs", &[log]);
    append("feedback", &[feedback]);
    for _ in 0..2 {
        files::play(&config, wait::LIMIT);
    }
    let verified = service::output(["verify", "--config", &config]);
    let report = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && !report.contains("still"), "{report}");
    let views = service::output(["views", "--engine", "duckdb", "--lake", &folder.join("lake").display().to_string()]);
    let seen = python::json(COMPARE, &[&String::from_utf8_lossy(&views.stdout)]);
    assert!(seen["replaced"].as_i64() > Some(500), "{seen}");
    for (rows, metrics) in [
        ("rows", "scores"),
        ("sums", "sums in metrics"),
        ("sums by answer", "sums by answer in metrics"),
        ("praise", "praise in metrics"),
    ] {
        assert_eq!(seen[rows], seen[metrics], "{rows}: {seen:#}");
    }
    // The last closing's own hour stays open.
    let closings = seen["count in metrics"].as_i64().expect("a number") - seen["count"].as_i64().expect("a number");
    assert!((3..=4).contains(&closings), "{seen:#}");
}
