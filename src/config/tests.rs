use std::path::Path;
use std::time::Duration;

use super::*;
use crate::event::Input;
use crate::measure::Dimension;

fn mistakes(text: &str) -> Vec<Diagnostic> {
    match parse("groundwire.toml", text, Path::new("/etc/groundwire")) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Mistake).collect(),
    }
}

fn only(text: &str) -> Diagnostic {
    let mut found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn config(text: &str) -> Config {
    match parse("groundwire.toml", text, Path::new("/etc/groundwire")) {
        Ok(loaded) => loaded.config,
        Err(found) => panic!("{found:#?}"),
    }
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = config("");
    assert_eq!(config.source.kind, SourceKind::Kafka);
    assert_eq!(config.source.kafka.brokers, ["127.0.0.1:9092"]);
    assert_eq!(config.lake.epoch_interval, Duration::from_secs(10));
    assert_eq!(config.lake.epoch_bytes, Size(32 * 1024 * 1024));
    assert_eq!(config.lake.url.0, "/etc/groundwire/groundwire-data");
    assert_eq!(config.source.topics["user-feedback"], Topic { input: Some(Input::Feedback), text: TextStorage::Full });
    assert_eq!(config.measure.group_by.first(), Some(&Dimension::Tenant));
    assert_eq!(config.feedback.registry["rating"].highest, 5.0);
    assert_eq!(config.dead_letter.max_bytes, Size(900_000));
}

#[test]
fn the_example_states_the_defaults_and_every_setting() {
    let text = reference::example();
    assert_eq!(config(&text), config(""));
    for (key, path) in known_keys() {
        assert!(text.contains(key), "{path} is not in the example");
    }
}

#[test]
fn every_commented_setting_of_the_example_is_valid_when_it_is_switched_on() {
    let example = reference::example();
    let mut in_table = false;
    for line in example.lines() {
        in_table = line.starts_with("# [") || (in_table && line.starts_with('#'));
        if in_table || !line.starts_with("# ") || !line.contains(" = ") || line.ends_with('.') {
            continue;
        }
        let setting = line.trim_start_matches("# ");
        let text = example.replace(line, setting);
        let unknown = mistakes(&text)
            .into_iter()
            .find(|found| found.message.contains("is not a setting") || found.message.contains("not TOML"));
        assert!(unknown.is_none(), "{line}: {unknown:?}");
    }
}

#[test]
fn generated_files_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        ("groundwire.example.toml", reference::example()),
        ("docs/configuration.md", reference::markdown()),
        ("schemas/groundwire.schema.json", reference::json_schema()),
        ("schemas/prices.schema.json", reference::prices_schema()),
    ];
    for (name, text) in files {
        if std::env::var_os("GROUNDWIRE_UPDATE_DOCS").is_some() {
            std::fs::write(root.join(name), &text).unwrap();
        }
        let current = std::fs::read_to_string(root.join(name)).unwrap_or_default();
        assert!(current == text, "{name} is stale: run the tests once with GROUNDWIRE_UPDATE_DOCS=1");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_places() {
    let text = "\
[source]
kind = \"kafak\"
[source.kafka]
brokers = [\"kafka-1\", \"kafka-2:9092\"]
pasword_file = \"x\"
[lake]
epoch_interval = 10
epoch_bytes = \"a lot\"
[http]
listen = \"localhost\"
[limits]
depth = 1
";
    let found = mistakes(text);
    let places: Vec<_> = found.iter().map(|d| (d.line, d.column, d.key.as_str())).collect();
    assert_eq!(
        places,
        [
            (2, 8, "source.kind"),
            (4, 12, "source.kafka.brokers[0]"),
            (5, 1, "source.kafka.pasword_file"),
            (7, 18, "lake.epoch_interval"),
            (8, 15, "lake.epoch_bytes"),
            (10, 10, "http.listen"),
            (12, 9, "limits.depth"),
        ]
    );
    assert!(found[0].remedy.contains("\"kafka\""), "{}", found[0]);
    assert!(found[2].remedy.contains("password_file"), "{}", found[2]);
    assert!(found[3].remedy.contains("\"10s\""), "{}", found[3]);
    assert!(found[6].expected.contains("from 4 to 100"), "{}", found[6]);
}

#[test]
fn settings_that_cannot_work_together_are_reported_at_their_lines() {
    let found = only("[source.kafka]\nbrokers = [\"a:1\"]\nprotocol = \"sasl_ssl\"\n");
    assert_eq!((found.line, found.key.as_str()), (3, "source.kafka.protocol"));
    let found = only("[source.kafka]\nbrokers = [\"ok:9092\", \"http://kafka\"]\n");
    assert_eq!((found.line, found.column), (2, 23));
    let found = only("[dead_letter]\ntopic = \"gateway-logs\"\n");
    assert_eq!((found.line, found.key.as_str()), (2, "dead_letter.topic"));
    let found = only("[mail]\nhost = \"smtp.example.com\"\nusername = \"u\"\npassword_env = \"P\"\n");
    assert_eq!(found.key, "mail.recipients");
}

#[test]
fn a_key_in_the_wrong_table_is_told_where_it_belongs() {
    let found = only("[source]\nepoch_interval = \"10s\"\n");
    assert!(found.remedy.contains("lake.epoch_interval"), "{found}");
}

#[test]
fn a_topic_with_dots_is_told_to_be_quoted() {
    let found = only("[source.topics.eu.gateway]\ninput = \"gateway\"\n");
    assert!(found.remedy.contains("needs quotes"), "{found}");
    assert!(config("[source.topics.\"eu.gateway\"]\ninput = \"gateway\"\n").source.topics.contains_key("eu.gateway"));
}

#[test]
fn a_secret_is_refused_and_never_shown() {
    let secret = "hunter2-hunter2";
    for text in [
        format!("[source.kafka]\npassword = \"{secret}\"\n"),
        format!("[mail]\npassword = \"{secret}\"\n"),
        format!("[privacy]\nkey = \"{secret}\"\n"),
        format!("[source.kafka.properties]\n\"sasl.password\" = \"{secret}\"\n"),
        format!("[lake.options]\naws_secret_access_key = \"{secret}\"\n"),
        format!("[lake]\nurl = \"s3://user:{secret}@bucket\"\n"),
        format!("[telemetry]\notlp_endpoint = \"http://user:{secret}@host\"\n"),
        format!("[mail]\npassword = \"{secret}\n"),
        format!("[mail]\npasswort: \"{secret}\"\n"),
        format!("[mail]\npasswort_file = [\"{secret}\"\n"),
    ] {
        let found = mistakes(&text);
        assert!(!found.is_empty(), "{text}");
        for diagnostic in found {
            let shown = format!("{diagnostic} {}", serde_json::to_string(&diagnostic).unwrap());
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(!diagnostic.remedy.is_empty(), "{shown}");
        }
    }
}

#[test]
fn a_broken_file_shows_syntax_and_other_mistakes_together() {
    let found = mistakes("[lake]\nepoch_interval = \n[http]\nlisten = \"x\"\nlisten = \"y\"\n");
    assert!(found.iter().any(|d| d.line == 2 && d.message.contains("not TOML")), "{found:#?}");
    assert!(found.iter().any(|d| d.key == "http.listen"), "{found:#?}");
    assert!(found.iter().any(|d| d.line == 5 && d.message.contains("duplicate")), "{found:#?}");
}

#[test]
fn a_diagnostic_shows_the_line_and_what_to_do() {
    let found = only("[lake]\n  tick_interval = \"1 parsec\" # far\n");
    let expected = "\
groundwire.toml:2:19: lake.tick_interval is \"1 parsec\"
  2 |   tick_interval = \"1 parsec\" # far
    |                   ^^^^^^^^^^
  expected: a duration such as \"30s\"
  to do:    correct the value
";
    assert_eq!(found.to_string(), expected);
}

#[test]
fn durations_and_sizes_are_read_exactly() {
    use super::value::{parse_duration, parse_size};
    for (text, seconds) in [("0s", 0.0), ("250ms", 0.25), ("30s", 30.0), ("1h30m", 5400.0), ("7d", 604_800.0)] {
        assert_eq!(parse_duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
    }
    for text in ["", "s", "5", "5 s", "-5s", "5w", "1.5h", "99999999999999999999s", "18446744073709551615d"] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
    for (text, bytes) in [("1B", 1), ("900kB", 900_000), ("64MiB", 67_108_864), ("2 GiB", 2_147_483_648)] {
        assert_eq!(parse_size(text), Some(bytes), "{text}");
    }
    for text in ["", "64", "MiB", "64mib", "1e3B", "99999999999GiB"] {
        assert_eq!(parse_size(text), None, "{text}");
    }
}

#[test]
fn deep_nesting_and_odd_bytes_are_mistakes_not_crashes() {
    for text in [
        "[".repeat(10_000),
        format!("a = {}", "[".repeat(10_000)),
        "a.".repeat(5_000),
        "\u{0}".into(),
        "ü = \"".into(),
        "= = =".into(),
    ] {
        assert!(!mistakes(&text).is_empty());
    }
}

#[test]
fn the_privacy_key_is_64_hexadecimal_characters() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, format!("{}\n", "0aF1".repeat(16))).unwrap();
    let key = secret::privacy_key(&secret::from_file(&file).unwrap()).unwrap();
    assert_eq!(key[..2], [0x0a, 0xf1]);
    for wrong in ["zz".repeat(32), "ab".repeat(31), "ä".repeat(32)] {
        std::fs::write(&file, wrong).unwrap();
        assert!(secret::privacy_key(&secret::from_file(&file).unwrap()).is_none());
    }
    std::fs::write(&file, "\n").unwrap();
    assert!(secret::from_file(&file).is_err());
}

#[test]
fn the_default_bounds_are_those_of_decoding() {
    assert_eq!(format!("{:?}", config("").decode_limits()), format!("{:?}", crate::decode::Limits::default()));
}

#[test]
fn everything_that_is_named_and_not_there_is_reported_at_once() {
    let text = "[privacy]\nkey_file = \"key\"\n[mail]\nhost = \"h\"\nusername = \"u\"\npassword_file = \"mail-password\"\n\
                ca_file = \"ca\"\n[mail.recipients]\npage = [\"a@b.c\"]\n[alerts]\ndirectory = \"rules\"\n";
    let directory = tempfile::tempdir().unwrap();
    let loaded = parse("groundwire.toml", text, directory.path()).unwrap();
    let found = loaded.resolve().unwrap_err();
    let places: Vec<_> = found.iter().map(|d| (d.line, d.key.as_str())).collect();
    assert_eq!(places, [(2, "privacy.key_file"), (6, "mail.password_file"), (7, "mail.ca_file"), (11, "alerts.directory")]);
    assert!(found.iter().all(|diagnostic| !diagnostic.remedy.is_empty()));
    for (name, content) in [("key", "ab".repeat(32)), ("mail-password", "secret".into()), ("ca", "pem".into())] {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    std::fs::create_dir(directory.path().join("rules")).unwrap();
    let secrets = loaded.resolve().unwrap();
    assert_eq!(secrets.privacy_key, [0xab; 32]);
    assert_eq!(secrets.mail_password.as_ref().unwrap().expose(), "secret");
    assert!(!format!("{secrets:?} {:?}", secrets.mail_password).contains("secret\""));
}

proptest::proptest! {
    /// A piece of the example cut out, doubled or replaced: settings or mistakes that lie within the text, never a panic.
    #[test]
    fn a_damaged_file_gives_mistakes_within_it(at in 0_usize..9_000, len in 0_usize..200, with in "[\\[\\]={}\"'#.,\n a-z0-9_ü-]{0,40}") {
        let example = reference::example();
        let floor = |at: usize| (0..=at.min(example.len())).rev().find(|at| example.is_char_boundary(*at)).unwrap();
        let (from, to) = (floor(at), floor(at + len));
        let text = format!("{}{with}{}", example.get(..from).unwrap(), example.get(to..).unwrap());
        if let Err(found) = parse("groundwire.toml", &text, Path::new("")) {
            proptest::prop_assert!(!found.is_empty());
            for mistake in found {
                proptest::prop_assert!(mistake.line <= text.matches('\n').count() + 1);
                proptest::prop_assert!(mistake.to_string().lines().count() >= 1);
            }
        }
    }
}
