//! Signals to the real process: SIGTERM commits what is in flight and ends it in time, SIGHUP reads the rules again.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::kafka::Broker;
use crate::support::service::{Service, Signal};
use crate::support::setting::{Options, PARTITIONS, Setting, entries};
use crate::support::smtp::{Encryption, Reply, Server};
use crate::support::traffic::{self, Health};
use crate::support::{scratch, wait};

/// A rule that fires when more than a share of a tenant's requests fail.
fn rule(name: &str, share: &str) -> String {
    format!(
        "version: 1
groups:
  - name: signals
    rules:
      - alert: {name}
        severity: ticket
        metric: error_rate
        by: [tenant]
        over: 5m
        expr: value >= {share}
        for: 2m
        keep_firing_for: 3m
        min_samples: 10
        annotations:
          summary: \"{{{{ labels.tenant }}}}\"
          description: \"Requests fail.\"
"
    )
}

/// A setting with one rule file and a mail server or folder.
fn with_rules<'b>(broker: &'b Broker, purpose: &str, rules: &str, mail: Option<String>) -> Setting<'b> {
    let more = "[alerts]\ndirectory = \"alerts\"".to_owned();
    let setting = Setting::with(broker, purpose, Options { mail, more, ..Options::default() });
    fs::create_dir(setting.dir.path().join("alerts")).expect("the folder is ours");
    write_rules(&setting, rules);
    setting
}

fn write_rules(setting: &Setting<'_>, rules: &str) {
    fs::write(setting.dir.path().join("alerts/signals.yaml"), rules).expect("the folder is ours");
}

/// Ends the service in order and says how long it took.
fn time_to_end(mut service: Service) -> Duration {
    let since = Instant::now();
    service.signal(Signal::Terminate);
    let status = service.wait_exit(wait::LIMIT);
    assert!(status.success(), "{status}:\n{}", service.lines().join("\n"));
    since.elapsed()
}

/// Rules that moved, by the entries of the log that say so.
fn moved(setting: &Setting<'_>) -> Vec<(u64, String)> {
    let mut moved = Vec::new();
    for entry in entries(&setting.lake()) {
        for transition in entry["transitions"].as_array().into_iter().flatten() {
            moved.push((entry["number"].as_u64().expect("a number"), transition["rule"].as_str().expect("a name").to_owned()));
        }
    }
    moved
}

#[test]
fn a_service_told_to_end_commits_what_is_in_flight_at_once() {
    let setting = Setting::new(Broker::shared(), "terminate");
    let service = setting.start(&[], &[]);
    let line = service.wait_for("groundwire is running");
    let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("its address");
    // A monitor that keeps its connection open must not hold up the end.
    let mut monitor = TcpStream::connect(address).expect("it listens");
    monitor.write_all(b"GET /livez HTTP/1.1\r\nHost: groundwire\r\n\r\n").expect("it reads");
    let mut answer = [0; 12];
    monitor.read_exact(&mut answer).expect("it answers");
    service.wait_for("partitions assigned");
    setting.send(100, 2_000);
    wait::until("the log to move", || (!entries(&setting.lake()).is_empty()).then_some(()));

    let took = time_to_end(service);

    assert!(took < Duration::from_secs(5), "it took {took:?}");
    setting.close_windows();
    setting.run_until_drained();
    setting.assert_equal_to_a_recomputation();
}

#[test]
fn a_mail_server_that_never_answers_does_not_keep_the_service_beyond_ten_seconds() {
    let login = ("groundwire", "secret");
    let server = Server::start(Encryption::StartTls, Some(login));
    server.always("oncall@example.com", Reply::Hang);
    let folder = scratch("hang");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("authority.pem"), &server.identity().authority).expect("the folder is ours");
    fs::write(path("password"), login.1).expect("the folder is ours");
    let mail = format!(
        "host = \"localhost\"\nport = {}\nca_file = \"{}\"\nusername = \"{}\"\npassword_file = \"{}\"\n[mail.recipients]\nticket = [\"oncall@example.com\"]",
        server.port(),
        path("authority.pem"),
        login.0,
        path("password"),
    );
    let setting = with_rules(Broker::shared(), "hang", &rule("Errors", "0.3"), Some(mail));
    let service = setting.start(&[], &[]);
    setting.send_all(&traffic::steady("acme", PARTITIONS, 0..20, Health::Failing));
    server.wait_attempts("oncall@example.com", 1);

    let took = time_to_end(service);

    assert!(took < Duration::from_secs(10), "it took {took:?}");
}

#[test]
fn a_broker_that_is_gone_does_not_keep_the_service_beyond_ten_seconds() {
    let mut broker = Broker::start();
    let (service, _dir) = {
        let setting = Setting::new(&broker, "gone");
        let service = setting.start(&[], &[]);
        service.wait_for("partitions assigned");
        setting.send(101, 2_000);
        wait::until("the log to move", || (!entries(&setting.lake()).is_empty()).then_some(()));
        (service, setting.dir)
    };
    broker.kill();

    let took = time_to_end(service);

    assert!(took < Duration::from_secs(10), "it took {took:?}");
}

#[test]
fn rules_are_read_again_whole_or_not_at_all_and_take_effect_at_an_entry() {
    let setting = with_rules(Broker::shared(), "reload", &rule("First", "0.9"), None);
    let mut service = setting.start(&[], &[]);
    setting.send_all(&traffic::steady("acme", PARTITIONS, 0..20, Health::Failing));
    setting.wait_covered();

    // One mistake in one of two rules: neither is taken.
    let good = rule("Second", "0.3");
    write_rules(&setting, &format!("{good}{}", "      - alert: Third\n        metric: no_such_metric\n        expr: value > 1\n"));
    service.signal(Signal::Hangup);
    let refused = service.wait_for("rules refused; those in force stay");
    assert!(refused.contains("no_such_metric") && refused.contains("signals.yaml:"), "{refused}");
    setting.send_all(&traffic::steady("acme", PARTITIONS, 20..40, Health::Failing));
    setting.wait_covered();
    wait::until("the evaluation of what came", || evaluated_all(&setting).then_some(()));
    assert_eq!(moved(&setting), []);
    let before = entries(&setting.lake()).len() as u64;

    write_rules(&setting, &good);
    service.signal(Signal::Hangup);
    service.wait_for("rules read again");
    setting.send_all(&traffic::steady("acme", PARTITIONS, 40..60, Health::Failing));
    wait::until("the new rule to fire", || (moved(&setting).len() >= 2).then_some(()));
    let moved = moved(&setting);
    assert!(moved.iter().all(|(entry, rule)| rule == "Second" && *entry > before), "{moved:?} after entry {before}");
    service.stop();
    // A restart judges by the rules of the log up to where it stood, and by the files from there on.
    setting.run_until_drained();
    assert_eq!(self::moved(&setting).len(), moved.len());
}

/// Whether the evaluator has folded every entry that brings something.
fn evaluated_all(setting: &Setting<'_>) -> bool {
    let entries = entries(&setting.lake());
    let of_kind = |kind: &'static str| entries.iter().filter(move |entry| entry["kind"].as_str() == Some(kind));
    let newest = of_kind("ingest").filter_map(|entry| entry["number"].as_i64()).max();
    let folded = of_kind("evaluate").filter_map(|entry| entry["cursors"][0]["to"].as_i64()).max();
    folded >= newest
}
