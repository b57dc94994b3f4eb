use super::*;

fn check(text: &str, connect: bool, json: bool) -> (Result, String) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("groundwire.toml");
    std::fs::write(directory.path().join("key"), "ab".repeat(32)).unwrap();
    std::fs::create_dir(directory.path().join("topics")).unwrap();
    std::fs::write(&config, format!("[privacy]\nkey_file = \"key\"\n{text}")).unwrap();
    let mut out = Vec::new();
    let result = run(&Arguments { config, connect, json }, &mut out);
    (result, String::from_utf8(out).unwrap())
}

#[test]
fn a_right_configuration_is_well() {
    let (result, out) = check("[source]\nkind = \"files\"\n", true, false);
    assert!(result.is_ok(), "{out}");
    assert!(out.contains("creates a key only once"), "{out}");
}

#[test]
fn all_mistakes_and_absences_are_printed_and_the_exit_code_is_one() {
    let (result, out) = check("[source]\nkind = \"fils\"\n[lake]\nepoch_interval = 5\n", false, false);
    assert_eq!(result.unwrap_err().code, crate::cli::FINDINGS);
    for part in
        [":4:8: source.kind is \"fils\"", "did you mean \"files\"?", ":6:18: lake.epoch_interval is 5", "2 mistakes, see above"]
    {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[test]
fn json_says_the_same_to_scripts() {
    let (result, out) = check("[source]\nkind = \"files\"\n[mail]\nhosd = \"x\"\n", false, true);
    assert!(result.is_err());
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["ok"], false);
    let mistake = report["findings"].as_array().unwrap().iter().find(|finding| finding["severity"] == "mistake").unwrap();
    assert_eq!((&mistake["key"], &mistake["line"]), (&"mail.hosd".into(), &6.into()));
    assert_eq!(mistake["remedy"], "did you mean host?");
}

#[test]
fn a_file_that_is_not_there_is_a_usage_mistake() {
    let arguments = Arguments { config: "/nonexistent/groundwire.toml".into(), connect: false, json: false };
    let failure = run(&arguments, &mut Vec::new()).unwrap_err();
    assert_eq!(failure.code, crate::cli::USAGE);
    assert!(failure.message.contains("--config FILE"), "{}", failure.message);
}

#[test]
fn everything_that_is_down_is_reported_with_what_to_do() {
    // Ports that were free a moment ago; whatever listens there now is no broker.
    let port = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "[source.kafka]\nbrokers = [\"127.0.0.1:{}\"]\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:{}\"\n\
         [mail]\nhost = \"127.0.0.1\"\nport = {}\nrecipients.page = [\"a@example.com\"]\n",
        port(),
        port(),
        port()
    );
    let (result, out) = check(&text, true, true);
    assert_eq!(result.unwrap_err().code, crate::cli::FINDINGS);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let probes = report["probes"].as_array().unwrap();
    let well: Vec<_> = probes.iter().map(|probe| probe["ok"].as_bool().unwrap()).collect();
    assert_eq!(well, [false, true, false, false], "{out}");
    assert!(probes[0]["problem"].as_str().unwrap().contains("refused"), "{out}");
    assert!(probes[0]["remedy"].as_str().unwrap().contains("[source.kafka] brokers"), "{out}");
    assert!(probes[2]["subject"].as_str().unwrap().starts_with("mail server"), "{out}");
    assert!(probes[3]["problem"].as_str().unwrap().contains("refused"), "{out}");
}

#[test]
fn mistakes_in_rules_are_reported_with_those_of_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("a.yaml"),
        "groups:\n  - name: quality\n    rules:\n      - alert: A\n        metrik: x\n",
    )
    .unwrap();
    std::fs::write(directory.path().join("notes.txt"), "no rules").unwrap();
    let text = format!("[source]\nkind = \"files\"\n[mail]\nhosd = \"x\"\n[alerts]\ndirectory = {:?}\n", directory.path());
    let (_, out) = check(&text, false, false);
    assert!(out.contains("mail.hosd is not a setting"), "{out}");
    let (result, out) = check(&text.replace("hosd = \"x\"", ""), false, false);
    assert_eq!(result.unwrap_err().code, crate::cli::FINDINGS);
    assert!(out.contains("a.yaml:5:9: "), "{out}");
}
