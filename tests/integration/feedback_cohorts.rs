//! Four weeks of answers and feedback through the program, with days between the two, updates, repeats and restarts: agreement, delays
//! and maturity are those that Python finds in the raw events, scikit-learn among it, and `groundwire verify` finds no difference.

use groundwire::measure::{Registry, reference};
use serde_json::json;

use crate::support::{files, python, scratch, service, wait};

const SCRIPT: &str = include_str!("feedback_expected.py");
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-05-04T00:00:00Z.
const BEGIN_MS: i64 = 1_777_852_800_000;
const DAYS: i64 = 27;

const SAID: [&str; 4] = [
    "The parcel was sent on Monday.",
    "It will be delivered on Tuesday.",
    "The customer paid by card.",
    "It is in the warehouse in Bremen.",
];
const INVENTED: [&str; 3] =
    ["Our shop was founded in 1843 by two brothers.", "The moon is closed on Sundays.", "It weighs nine hundred kilograms."];

/// (time, line) of all logs and of all feedback, by time.
fn traffic() -> [Vec<(i64, String)>; 2] {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut logs, mut feedback) = (Vec::new(), Vec::new());
    for day in 0..DAYS {
        for hour in [8, 9, 20] {
            // Twice there are enough of both kinds in one hour.
            let requests = if hour == 9 && [12, 22].contains(&day) { 400 } else { 24 };
            for number in 0..requests {
                let at = BEGIN_MS + day * DAY_MS + hour * HOUR_MS + random.i64(0..HOUR_MS);
                let (id, app) = (format!("{day}-{hour}-{number}"), if number % 4 == 0 { "bot" } else { "search" });
                let invented = random.usize(0..=3);
                let mut said: Vec<&str> = SAID[..random.usize(1..=4)].to_vec();
                said.extend(&INVENTED[..invented]);
                random.shuffle(&mut said);
                let log = json!({"event_time": at, "request_id": id, "tenant": "acme", "app": app, "http_status": 200,
                    "prompt": "Where is my parcel?", "response": said.join(" "),
                    "contexts": [{"id": "c", "text": SAID.join(" ")}], "usage": {"input_tokens": 5, "output_tokens": 5}});
                logs.push((at, log.to_string()));
                if random.u8(0..10) < 8 {
                    // Half come within the hour, half within nearly eight days.
                    let delay = if random.bool() { random.i64(1..HOUR_MS) } else { random.i64(HOUR_MS..190 * HOUR_MS) };
                    let good = random.usize(0..=4) >= invented;
                    let mut event = json!({"event_time": at + delay, "feedback_id": format!("f-{id}"), "target": {"request_id": id},
                        "name": "thumbs", "score": i32::from(good)});
                    if random.u8(0..10) == 0 {
                        event["source"] = json!("llm_judge");
                    }
                    feedback.push((at + delay, event.to_string()));
                    match random.u8(0..10) {
                        // A change of mind, or the same again.
                        0 => {
                            let later = at + delay + random.i64(1_000..HOUR_MS);
                            (event["event_time"], event["score"]) = (json!(later), json!(i32::from(!good)));
                            feedback.push((later, event.to_string()));
                        }
                        1 => feedback.push((at + delay, event.to_string())),
                        _ => {}
                    }
                }
            }
        }
    }
    logs.sort();
    feedback.sort();
    [logs, feedback]
}

#[test]
fn agreement_delays_and_maturity_are_what_the_raw_events_say() {
    let scratch = scratch("cohorts");
    let folder = scratch.path();
    let config = folder.join("groundwire.toml").display().to_string();
    let topics = [("logs", "gateway"), ("feedback", "feedback")];
    std::fs::write(&config, files::configuration("lake", &topics, "")).expect("the folder is ours");
    let all = traffic();
    // A day at a time: the program ends in between and goes on where it was, and what is taken back is still in memory.
    for day in 0..DAYS {
        let (from, to) = (BEGIN_MS + day * DAY_MS, BEGIN_MS + (day + 1) * DAY_MS);
        for ((topic, _), lines) in topics.iter().zip(&all) {
            let part: Vec<String> = lines.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, line)| line.clone()).collect();
            files::append(folder, topic, 0, &part);
        }
        files::play(&config, wait::LIMIT);
    }
    for hours in [1, 3] {
        let at = BEGIN_MS + DAYS * DAY_MS + hours * HOUR_MS;
        let log = json!({"event_time": at, "request_id": format!("closing-{hours}"), "tenant": "acme", "app": "closing"});
        let closing = json!({"event_time": at, "target": {"request_id": "none"}, "name": "closing", "score": 0});
        files::append(folder, "logs", 0, &[log.to_string()]);
        files::append(folder, "feedback", 0, &[closing.to_string()]);
        // The keeper's last entry is evaluated by the next start.
        for _ in 0..2 {
            files::play(&config, wait::LIMIT);
        }
    }
    let verified = service::output(["verify", "--config", &config]);
    let report = String::from_utf8_lossy(&verified.stdout).into_owned();
    let views = service::output(["views", "--engine", "duckdb", "--lake", &folder.join("lake").display().to_string()]);
    let registry = Registry::builtin().expect("the shipped registry is sound");
    let sql: Vec<_> = registry.metrics().iter().map(|metric| (metric.name.to_string(), reference::sql(metric))).collect();
    let arguments =
        [String::from_utf8_lossy(&views.stdout).into_owned(), folder.join("topics").display().to_string(), json!(sql).to_string()];
    let found = python::json(SCRIPT, &arguments.each_ref().map(String::as_str));
    assert_eq!(found["differences"], json!([]), "{found:#}\n{report}");
    assert!(verified.status.success() && !report.contains("left out"), "{report}");
    for (what, least) in [("delays", 200), ("areas", 4), ("mature", 50), ("maturity", 200), ("pooled", 2)] {
        assert!(found[what].as_i64() >= Some(least), "{what}: {found:#}");
    }
}
