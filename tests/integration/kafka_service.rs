//! The service on a real broker: what it writes equals a recomputation from the raw records, whatever happens meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use crate::support::kafka::{self, Broker};
use crate::support::service::{Service, Signal};
use crate::support::{scratch, traffic, wait};

/// A privacy key for tests, in the environment of every service.
const KEY: (&str, &str) = ("GROUNDWIRE_PRIVACY_KEY", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
const PARTITIONS: i32 = 3;
const MINUTES: i64 = 90;

/// A topic, a topic for its dead letters, and a service's folder with configuration and lake.
struct Setting<'b> {
    broker: &'b Broker,
    dir: tempfile::TempDir,
    topic: String,
}

impl<'b> Setting<'b> {
    fn new(broker: &'b Broker, purpose: &str) -> Self {
        Self::with_client(broker, purpose, &format!(r#"brokers = ["{}"]"#, broker.bootstrap()))
    }

    fn with_client(broker: &'b Broker, purpose: &str, client: &str) -> Self {
        let dir = scratch(purpose);
        let topic = Broker::topic(purpose);
        broker.create_topic(&topic, PARTITIONS, &[("retention.ms", "-1")]);
        broker.create_topic(&format!("{topic}-dead-letters"), 1, &[("retention.ms", "-1")]);
        let text = format!(
            r#"
[source]
kind = "kafka"
[source.kafka]
{client}
group = "{topic}"
# A service that was killed leaves the group soon.
properties = {{ "session.timeout.ms" = "2000", "heartbeat.interval.ms" = "500" }}
[source.topics."{topic}"]
input = "gateway"
[lake]
url = "{dir}/lake"
epoch_interval = "200ms"
[time]
clock = "events"
[http]
listen = "127.0.0.1:0"
[mail]
directory = "{dir}/mail"
[dead_letter]
topic = "{topic}-dead-letters"
"#,
            dir = dir.path().display(),
        );
        fs::write(dir.path().join("groundwire.toml"), text).expect("the folder is ours");
        Self { broker, dir, topic }
    }

    fn lake(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    fn send(&self, seed: u64, count: usize) {
        traffic::send(self.broker, &self.topic, &traffic::gateway_logs(seed, count, PARTITIONS, MINUTES));
    }

    fn close_windows(&self) {
        traffic::send(self.broker, &self.topic, &traffic::closing(PARTITIONS, MINUTES));
    }

    fn start(&self, more: &[&str], environment: &[(&str, &str)]) -> Service {
        let config = self.dir.path().join("groundwire.toml").display().to_string();
        let mut arguments = vec!["run", "--config", &config];
        arguments.extend(more);
        let mut all = vec![KEY];
        all.extend(environment);
        Service::start_with(arguments, &all)
    }

    fn run_until_drained(&self) {
        let mut service = self.start(&["--until-drained"], &[]);
        let status = service.wait_exit(wait::LIMIT);
        assert!(status.success(), "{status}:\n{}", service.lines().join("\n"));
    }

    /// Waits until the log covers all that the topic holds.
    fn wait_covered(&self) {
        let ends = self.broker.bounds(&self.topic);
        wait::until("the log to cover the topic", || {
            let covered = covered(&self.lake());
            ends.iter()
                .enumerate()
                .all(|(partition, (_, end))| covered.get(&format!("{}/{partition}", self.topic)) == Some(end))
                .then_some(())
        });
    }

    fn assert_equal_to_a_recomputation(&self) -> serde_json::Value {
        let records = traffic::write_down(self.broker, &self.topic, self.dir.path());
        traffic::assert_equal_to_a_recomputation(&self.lake(), &[&records])
    }

    fn dead_letters(&self) -> Vec<kafka::Stored> {
        self.broker.read_to_end(&format!("{}-dead-letters", self.topic))
    }
}

/// How far the log has come, by `topic/partition`.
fn covered(lake: &Path) -> BTreeMap<String, i64> {
    let mut ends = BTreeMap::new();
    let mut entries: Vec<_> =
        fs::read_dir(lake.join("_groundwire/log")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let text = fs::read_to_string(&entry).unwrap_or_default();
        let Ok(entry) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
        for cursor in entry["cursors"].as_array().into_iter().flatten() {
            if let (Some(input), Some(to)) = (cursor["input"].as_str(), cursor["to"].as_i64()) {
                ends.insert(input.to_owned(), to);
            }
        }
    }
    ends
}

#[test]
fn a_topic_becomes_rows_and_metrics_that_equal_a_recomputation() {
    let setting = Setting::new(Broker::shared(), "consume");
    setting.send(1, 3_000);
    setting.close_windows();

    setting.run_until_drained();

    let report = setting.assert_equal_to_a_recomputation();
    assert_eq!(report["records"], 3_003);
    let dead = setting.dead_letters();
    assert_eq!(u64::try_from(dead.len()).ok(), report["fates"]["rejected"].as_u64());
    assert!(dead.iter().all(|letter| letter.headers.keys().any(|name| name.contains("reason"))), "{dead:?}");
}

#[test]
fn a_second_run_goes_on_where_the_log_ends() {
    let setting = Setting::new(Broker::shared(), "resume");
    setting.send(2, 1_000);
    setting.run_until_drained();
    setting.send(3, 1_000);
    setting.close_windows();

    setting.run_until_drained();

    assert_eq!(setting.assert_equal_to_a_recomputation()["records"], 2_003);
}

#[test]
fn a_service_that_dies_at_any_step_loses_nothing_and_counts_nothing_twice() {
    let setting = Setting::new(Broker::shared(), "steps");
    let points = ["stage", "staged", "dead_letter", "append", "appended", "publish", "published", "acknowledge"];
    for (seed, point) in (10..).zip(points) {
        setting.send(seed, 400);
        let mut service = setting.start(&["--until-drained"], &[("GROUNDWIRE_FAILPOINT", &format!("{point}:1"))]);
        let status = service.wait_exit(wait::LIMIT);
        assert_eq!(status.signal(), Some(6), "it did not abort at {point}: {status}\n{}", service.lines().join("\n"));
    }
    setting.close_windows();

    setting.run_until_drained();

    let report = setting.assert_equal_to_a_recomputation();
    assert_eq!(report["records"], 400 * points.len() + 3);
    let rejected = report["fates"]["rejected"].as_u64().expect("a number");
    assert!(u64::try_from(setting.dead_letters().len()).expect("small") >= rejected, "dead letters come at least once");
}

#[test]
fn a_service_killed_at_random_moments_ends_with_the_same_rows() {
    let setting = Setting::new(Broker::shared(), "random");
    for seed in 30..35 {
        setting.send(seed, 400);
        let before = covered(&setting.lake());
        let service = setting.start(&[], &[]);
        wait::until("the log to move", || (covered(&setting.lake()) != before).then_some(()));
        service.kill();
    }
    setting.close_windows();

    setting.run_until_drained();

    assert_eq!(setting.assert_equal_to_a_recomputation()["records"], 2_003);
}

#[test]
fn a_broker_killed_under_load_costs_nothing_but_time() {
    let mut broker = Broker::start();
    let (dir, topic) = {
        let setting = Setting::new(&broker, "broker");
        setting.send(50, 1_000);
        (setting.dir, setting.topic)
    };
    let config = dir.path().join("groundwire.toml").display().to_string();
    let mut service = Service::start_with(["run", "--config", &config], &[KEY]);
    wait::until("the log to move", || (!covered(&dir.path().join("lake")).is_empty()).then_some(()));

    broker.kill();
    broker.restart();

    let setting = Setting { broker: &broker, dir, topic };
    setting.send(51, 1_000);
    setting.close_windows();
    setting.wait_covered();
    service.signal(Signal::Terminate);
    assert!(service.wait_exit(wait::LIMIT).success(), "{}", service.lines().join("\n"));
    setting.run_until_drained();
    assert_eq!(setting.assert_equal_to_a_recomputation()["records"], 2_003);
}

#[test]
fn a_broker_that_wants_tls_and_a_password_is_read_with_both_mechanisms() {
    let broker = Broker::start();
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let folder = scratch("password");
        let password = folder.path().join("password");
        fs::write(&password, kafka::PASSWORD).expect("the folder is ours");
        let client = format!(
            "brokers = [\"{}\"]\nprotocol = \"sasl_ssl\"\nmechanism = \"{mechanism}\"\nusername = \"{}\"\npassword_file = \"{}\"\nca_file = \"{}\"",
            broker.sasl_bootstrap(),
            kafka::USER,
            password.display(),
            broker.authority().display(),
        );
        let setting = Setting::with_client(&broker, "sasl", &client);
        setting.send(60, 300);
        setting.close_windows();

        setting.run_until_drained();

        assert_eq!(setting.assert_equal_to_a_recomputation()["records"], 303);
    }
}
