//! The service dies between deciding and telling, and between its log and what makes its next start quick: nobody is left
//! untold, repeats can be recognised, and the rows equal a recomputation from the raw records.

use std::collections::BTreeMap;
use std::fs;

use groundwire::event::Timestamp;
use groundwire::lake::{Appended, Attempt, Lake, Settings};
use groundwire::log::{Entry, Kind};

use crate::support::kafka::Broker;
use crate::support::setting::{Options, PARTITIONS, Setting, entries};
use crate::support::smtp::{Encryption, Received, Server};
use crate::support::{project, python, scratch, traffic};

const LOGIN: (&str, &str) = ("groundwire", "secret of the mail server");
const RECIPIENTS: [&str; 2] = ["oncall@example.com", "second@example.com"];
/// Passed by the evaluator and the sender between a decision and the mail that tells it.
const POINTS: [&str; 5] = ["snapshot", "claim", "claimed", "send", "sent"];

const RULE: &str = "version: 1
groups:
  - name: crash
    rules:
      - alert: Errors
        severity: page
        metric: error_rate
        by: [tenant]
        over: 5m
        expr: value >= 0.5
        for: 2m
        keep_firing_for: 3m
        min_samples: 10
        annotations:
          summary: \"{{ labels.tenant }}\"
          description: \"Requests fail.\"
          runbook_url: https://example.com/runbooks/errors
      - alert: ErrorsRise
        severity: info
        metric: error_rate
        by: [tenant]
        over: 10m
        expr: delta >= 0.25
        for: 3m
        keep_firing_for: 5m
        min_samples: 20
        baseline: { kind: trailing, window: 20m, gap: 5m, min_samples: 60 }
        annotations:
          summary: \"{{ labels.tenant }}\"
          description: \"More requests fail than before.\"
";

/// The same rules for `alerts_oracle.py`, in minutes.
const RULES: &str = r#"[
    {"alert": "Errors", "over": 5, "value": 0.5, "for": 2, "keep": 3, "min_samples": 10},
    {"alert": "ErrorsRise", "over": 10, "delta": 0.25, "for": 3, "keep": 5, "min_samples": 20, "window": 20, "gap": 5, "base_samples": 60}
]"#;

/// A setting whose alerts go to a mail server.
fn with_mail<'b>(broker: &'b Broker, server: &Server, folder: &tempfile::TempDir) -> Setting<'b> {
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(path("alerts")).expect("the folder is ours");
    fs::write(path("alerts/crash.yaml"), RULE).expect("the folder is ours");
    fs::write(path("authority.pem"), &server.identity().authority).expect("the folder is ours");
    fs::write(path("password"), LOGIN.1).expect("the folder is ours");
    let mail = format!(
        "host = \"localhost\"\nport = {}\nca_file = \"{}\"\nusername = \"{}\"\npassword_file = \"{}\"\n[mail.recipients]\npage = [\"{}\", \"{}\"]",
        server.port(),
        path("authority.pem"),
        LOGIN.0,
        path("password"),
        RECIPIENTS[0],
        RECIPIENTS[1],
    );
    let more = format!("[alerts]\ndirectory = \"{}\"", path("alerts"));
    Setting::with(broker, "mail", Options { mail: Some(mail), more, ..Options::default() })
}

/// The notifications that the log holds and has not withdrawn: their rule's tenant by their id.
fn decided(setting: &Setting<'_>) -> BTreeMap<String, String> {
    let mut decided = BTreeMap::new();
    for entry in entries(&setting.lake()) {
        for change in entry["outbox"].as_array().into_iter().flatten() {
            if let Some(queued) = change.get("Queued") {
                let text = |name: &str| queued[name].as_str().unwrap_or_default().to_owned();
                let kind = text("kind").to_lowercase();
                let id = format!("{}.{}.{kind}", text("incident"), queued["sequence"]);
                decided.insert(id, queued["labels"].to_string());
            } else if let Some(id) = change.get("Withdrawn").and_then(|id| id.as_str()) {
                decided.remove(id);
            }
        }
    }
    decided
}

#[test]
fn a_service_that_dies_before_or_after_it_sends_leaves_nobody_untold() {
    let server = Server::start(Encryption::StartTls, Some(LOGIN));
    let folder = scratch("crash");
    let setting = with_mail(Broker::shared(), &server, &folder);
    let mut copies_before = 0;
    for (minute, point) in (0..).step_by(100).zip(POINTS) {
        let tenant = format!("tenant-{point}");
        setting.send_all(&traffic::steady(&tenant, PARTITIONS, minute..minute + 40, traffic::Health::Well));
        setting.send_all(&traffic::steady(&tenant, PARTITIONS, minute + 40..minute + 60, traffic::Health::Failing));
        setting.run_until_it_dies_at(point);
        setting.send_all(&traffic::steady(&tenant, PARTITIONS, minute + 60..minute + 100, traffic::Health::Well));
        setting.run_until_drained();

        let received = server.received();
        let copies: Vec<&Received> = received.iter().filter(|mail| mail.mail.contains(&tenant)).collect();
        let repeats = copies.len().saturating_sub(2 * RECIPIENTS.len());
        let most = if point == "sent" { RECIPIENTS.len() } else { 0 };
        assert!(repeats <= most && (repeats > 0) == (most > 0), "{point}: {repeats} repeats in\n{copies:#?}");
        copies_before += copies.len();
        assert_eq!(received.len(), copies_before, "only {tenant} is news after {point}");
    }
    setting.send_all(&traffic::closing(PARTITIONS, 100 * i64::try_from(POINTS.len()).expect("few")));
    setting.run_until_drained();

    let mut received: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for mail in server.received() {
        let id = mail.header("Message-ID").expect("every mail has one");
        let id = id.trim_start_matches("<GW-").split('@').next().unwrap_or_default().to_owned();
        received.entry((id, mail.to.join(","))).or_default().push(mail.mail);
    }
    let decided = decided(&setting);
    assert_eq!(decided.len(), 2 * POINTS.len(), "each outage is told, and its end: {decided:#?}");
    let owed: Vec<(String, String)> =
        decided.keys().flat_map(|id| RECIPIENTS.map(|recipient| (id.clone(), recipient.to_owned()))).collect();
    let mut told: Vec<_> = received.keys().cloned().collect();
    told.sort();
    assert_eq!(told, owed);
    for ((id, recipient), copies) in received {
        assert!(copies.iter().all(|copy| *copy == copies[0]), "repeats of {id} to {recipient} differ:\n{copies:#?}");
    }
    setting.assert_equal_to_a_recomputation();
    let script = fs::read_to_string(project().join("tests/integration/alerts_oracle.py")).expect("part of the project");
    let report = python::json(&script, &[&setting.lake().display().to_string(), RULES]);
    assert_eq!(report["differences"], serde_json::json!([]), "{report:#}");
    assert_eq!(report["transitions"], 2 * 4 * POINTS.len());
}

/// An entry as an idle process writes it.
fn tick(number: u128) -> Entry {
    Entry::new(Attempt::new(number, &[]).id(), Kind::Ingest, "idle", Timestamp(traffic::START_MS * 1_000))
}

/// Makes the log so long that a checkpoint is due after the next epochs.
async fn idle(setting: &Setting<'_>, entries: u128) {
    let location = setting.lake().display().to_string();
    let lake = Lake::open(&Settings { location, writer: "idle".to_owned(), ..Settings::default() }).await.expect("a folder");
    let mut fold = lake.load().await.expect("an empty log");
    for number in 0..entries {
        let appended = lake.append(&mut fold, &mut tick(number)).await.expect("a folder takes entries");
        assert!(matches!(appended, Appended::Committed { checkpoint_due: false, .. }));
    }
}

#[test]
fn a_service_that_dies_before_its_checkpoint_starts_from_the_entries_and_writes_the_next_one() {
    let setting = Setting::new(Broker::shared(), "checkpoint");
    tokio::runtime::Runtime::new().expect("a runtime").block_on(idle(&setting, 498));
    let hint = setting.lake().join("_groundwire/checkpoint.json");

    // Ingest and evaluation make two entries at least, so number 500 is among them.
    setting.send(70, 1_000);
    setting.run_until_it_dies_at("checkpoint");
    assert!(!hint.exists());
    setting.send(71, 1_000);
    setting.run_until_drained();
    let after_the_crash = entries(&setting.lake()).len();

    tokio::runtime::Runtime::new().expect("a runtime").block_on(idle(&setting, 999 - after_the_crash as u128));
    setting.send(72, 1_000);
    setting.run_until_drained();
    assert!(fs::read_to_string(&hint).expect("a checkpoint").contains("1000"));
    setting.close_windows();
    setting.run_until_drained();

    assert_eq!(setting.assert_equal_to_a_recomputation()["records"], 3_003);
}
