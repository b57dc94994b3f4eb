//! `groundwire check --connect` against a real broker and a real mail conversation.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::kafka::{Broker, PASSWORD, USER};
use crate::support::smtp::{Encryption, Server};
use crate::support::{self, service};

/// Runs `check --connect --json` over a configuration; gives the exit code and each probe's subject, verdict and text.
fn check(dir: &Path, text: &str) -> (Option<i32>, Vec<(String, bool, String)>) {
    fs::write(dir.join("key"), "5a".repeat(32)).expect("the folder is ours");
    fs::write(dir.join("password"), PASSWORD).expect("the folder is ours");
    fs::write(dir.join("wrong"), "not the password").expect("the folder is ours");
    let config = dir.join("groundwire.toml");
    fs::write(&config, format!("privacy.key_file = \"key\"\nlake.url = \"lake\"\n{text}")).expect("the folder is ours");
    let arguments = ["check", "--connect", "--json", "--config", &config.display().to_string()];
    let Output { status, stdout, stderr } = service::output(arguments);
    let report: Value = serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)));
    assert!(report["findings"].as_array().expect("a list").iter().all(|found| found["severity"] == "warning"), "{report:#}");
    let text = |probe: &Value, key: &str| probe[key].as_str().unwrap_or_default().to_owned();
    let probes = report["probes"].as_array().expect("a list").iter().map(|probe| {
        let said = format!("{}{} {}", text(probe, "found"), text(probe, "problem"), text(probe, "remedy"));
        (text(probe, "subject"), probe["ok"].as_bool().expect("a verdict"), said)
    });
    (status.code(), probes.collect())
}

fn kafka(broker: &Broker, password_file: &str, topics: &[&str], dead_letters: &str) -> String {
    let topics: String = topics.iter().map(|topic| format!("[source.topics.\"{topic}\"]\ninput = \"gateway\"\n")).collect();
    format!(
        "dead_letter.topic = \"{dead_letters}\"\n[source.kafka]\nbrokers = [\"{}\"]\ngroup = \"check\"\nprotocol = \"sasl_ssl\"\n\
         mechanism = \"SCRAM-SHA-512\"\nusername = \"{USER}\"\npassword_file = \"{password_file}\"\nca_file = \"{}\"\n{topics}",
        broker.sasl_bootstrap(),
        broker.authority().display()
    )
}

#[test]
fn a_cluster_that_is_ready_passes_and_each_thing_that_is_missing_is_named() {
    let broker = Broker::shared();
    let dir = support::scratch("check");
    let [here, forbidden, dead] = ["check-here", "check-forbidden", "check-dead"].map(Broker::topic);
    for topic in [&here, &forbidden, &dead] {
        broker.create_topic(topic, 3, &[]);
    }

    let (code, probes) = check(dir.path(), &kafka(broker, "password", &[&here], &dead));
    assert_eq!(code, Some(0), "{probes:#?}");
    let subjects: Vec<_> = probes.iter().map(|(subject, ..)| subject.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(subjects, ["Kafka", "topic", "group", "dead-letter", "lake"]);
    assert!(probes[1].2.contains("3 partitions"), "{probes:#?}");

    broker.allow_only(&["Write"], &forbidden);
    let absent = Broker::topic("check-absent");
    let (code, probes) = check(dir.path(), &kafka(broker, "password", &[&here, &forbidden, &absent], &dead));
    assert_eq!(code, Some(1), "{probes:#?}");
    let of = |topic: &str| probes.iter().find(|(subject, ..)| subject == &format!("topic {topic}")).expect("each topic is tried");
    assert!(of(&here).1);
    assert!(!of(&forbidden).1 && of(&forbidden).2.contains("READ"), "{probes:#?}");
    assert!(!of(&absent).1 && of(&absent).2.contains("create the topic"), "{probes:#?}");
}

#[test]
fn a_wrong_password_and_a_wrong_authority_are_told_apart() {
    let broker = Broker::shared();
    let dir = support::scratch("check");
    let (code, probes) = check(dir.path(), &kafka(broker, "wrong", &["any"], "dead"));
    assert_eq!(code, Some(1), "{probes:#?}");
    assert!(!probes[0].1 && probes[0].2.contains("authentication failed"), "{probes:#?}");
    assert!(!probes[0].2.contains("not the password"), "{probes:#?}");

    let other = support::tls::Identity::new().write_authority(dir.path());
    let text = kafka(broker, "password", &["any"], "dead")
        .replace(&broker.authority().display().to_string(), &other.display().to_string());
    let (code, probes) = check(dir.path(), &text);
    assert_eq!(code, Some(1), "{probes:#?}");
    assert!(!probes[0].1 && probes[0].2.contains("ca_file"), "{probes:#?}");
}

#[test]
fn the_mail_server_is_tried_up_to_the_log_in() {
    let dir = support::scratch("check");
    let server = Server::start(Encryption::StartTls, Some(("groundwire", PASSWORD)));
    let authority = server.identity().write_authority(dir.path());
    fs::create_dir(dir.path().join("topics")).expect("the folder is ours");
    let text = |password: &str| {
        format!(
            "source.kind = \"files\"\n[mail]\nhost = \"localhost\"\nport = {}\nca_file = \"{}\"\nusername = \"groundwire\"\n\
             password_file = \"{password}\"\nrecipients.page = [\"a@example.com\"]\n",
            server.port(),
            authority.display()
        )
    };
    let (code, probes) = check(dir.path(), &text("password"));
    assert_eq!(code, Some(0), "{probes:#?}");
    assert!(
        probes.iter().any(|(subject, well, said)| subject.starts_with("mail server") && *well && said.contains("log-in")),
        "{probes:#?}"
    );
    let (code, probes) = check(dir.path(), &text("wrong"));
    assert_eq!(code, Some(1), "{probes:#?}");
    let (_, well, said) = probes.iter().find(|(subject, ..)| subject.starts_with("mail server")).expect("it is tried");
    assert!(!well && said.contains("535") && !said.contains("not the password"), "{said}");
    assert!(server.received().is_empty(), "check sends nothing");
}
