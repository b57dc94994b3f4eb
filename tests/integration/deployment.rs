//! The files that start Groundwire elsewhere are well-formed and name what exists here.
//!
//! Containers are not started: that needs a Docker engine.

use std::fs;
use std::process::Command;

use crate::support::{self, python};

fn yaml(path: &str) -> serde_json::Value {
    python::json("import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))", &[path])
}

#[test]
fn compose_starts_the_broker_version_of_the_tests_and_two_processes_on_one_lake() {
    let compose = yaml("docker-compose.yml");
    let pom = fs::read_to_string(support::project().join("tests/kafka/pom.xml")).expect("the file is part of the project");
    let (_, version) = pom.split_once("<kafka.version>").expect("the version is a property");
    let version = version.split('<').next().unwrap_or_default();
    assert_eq!(compose["services"]["kafka"]["image"], format!("apache/kafka:{version}"));

    let [one, two] = ["groundwire-1", "groundwire-2"].map(|name| &compose["services"][name]);
    assert_eq!(one["volumes"], two["volumes"]);
    assert_ne!(one["ports"], two["ports"]);
    for service in compose["services"].as_object().expect("a mapping").values() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().and_then(|volume| volume.split(':').next()).expect("source:target");
            if let Some(path) = source.strip_prefix("./") {
                assert!(support::project().join(path).try_exists().expect("readable"), "{path} does not exist");
            } else {
                assert!(compose["volumes"].get(source).is_some(), "the volume {source} is not declared");
            }
        }
    }
}

#[test]
fn the_configuration_of_the_two_processes_is_accepted() {
    let dir = support::scratch("deploy");
    let base = dir.path().display().to_string();
    fs::write(dir.path().join("privacy.key"), "5a".repeat(32)).expect("the folder is ours");
    fs::write(dir.path().join("mail.pem"), support::tls::Identity::new().authority).expect("the folder is ours");
    let text = fs::read_to_string(support::project().join("deploy/groundwire.toml")).expect("the file is part of the project");
    let text = text.replace("/secrets", &base).replace("\"/lake\"", &format!("\"{base}/lake\""));

    if let Err(problems) = groundwire::config::parse("deploy/groundwire.toml", &text, dir.path()) {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn the_collector_and_the_ci_workflow_are_well_formed() {
    assert!(yaml("deploy/collector.yaml")["service"]["pipelines"]["metrics"]["receivers"].is_array());
    let workflow = yaml(".github/workflows/ci.yml");
    let steps = workflow["jobs"]["test"]["steps"].as_array().expect("steps");
    assert!(steps.iter().any(|step| step["run"] == "bash .ci/run"), "the workflow runs what everybody runs");
}

#[test]
fn the_shell_scripts_parse() {
    for script in
        ["scripts/setup", "scripts/test", "scripts/lint", "scripts/fuzz", "tests/kafka/broker", "tests/bench/run", ".ci/run"]
    {
        let output = Command::new("bash").args(["-n", script]).current_dir(support::project()).output().expect("bash exists");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
