//! The service on a real broker: what it writes equals a recomputation from the raw records, whatever happens meanwhile.

use std::fs;

use crate::support::kafka::{self, Broker};
use crate::support::service::{self, Service, Signal};
use crate::support::setting::{Inputs, KEY, MINUTES, Options, PARTITIONS, Setting, covered};
use crate::support::{scratch, traffic, wait};

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
        setting.run_until_it_dies_at(point);
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
    let (dir, topic, inputs) = {
        let setting = Setting::new(&broker, "broker");
        setting.send(50, 1_000);
        (setting.dir, setting.topic, setting.inputs)
    };
    let config = dir.path().join("groundwire.toml").display().to_string();
    let mut service = Service::start_with(["run", "--config", &config], &[KEY]);
    wait::until("the log to move", || (!covered(&dir.path().join("lake")).is_empty()).then_some(()));

    broker.kill();
    broker.restart();

    let setting = Setting { broker: &broker, dir, topic, inputs };
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
        let setting = Setting::with(&broker, "sasl", Options { client: Some(client), ..Options::default() });
        setting.send(60, 300);
        setting.close_windows();

        setting.run_until_drained();

        assert_eq!(setting.assert_equal_to_a_recomputation()["records"], 303);
    }
}

#[test]
fn feedback_and_pipeline_events_become_what_a_recomputation_says_however_the_service_dies() {
    let setting = Setting::with(Broker::shared(), "everything", Options { inputs: Inputs::All, ..Options::default() });
    for (seed, point) in (80..).zip(["append", "publish", "acknowledge"]) {
        setting.send_everything(seed, 600);
        setting.run_until_it_dies_at(point);
    }
    // Feedback that is read before its answers, and more of it after the keeper has matched the first.
    let logs = traffic::gateway_logs(90, 600, PARTITIONS, MINUTES);
    setting.send_others(&traffic::feedback(91, &logs, PARTITIONS), &[]);
    setting.run_until_drained();
    setting.send_all(&logs);
    setting.run_until_drained();
    setting.send_others(&traffic::feedback(92, &logs, PARTITIONS), &traffic::pipelines(93, MINUTES));

    setting.close_everything();

    for engine in traffic::ENGINES {
        let ages = setting.assert_equal_as_read_by(engine)["ages"].clone();
        assert!(ages["n"].as_u64() > Some(500) && ages["n_null"].as_u64() > Some(500), "{ages}");
    }
    let lake = setting.lake().display().to_string();
    let verified = service::output(["verify", "--lake", &lake, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&verified.stdout).expect("a report");
    assert_eq!(report["findings"], serde_json::json!([]), "{report:#}");
}
