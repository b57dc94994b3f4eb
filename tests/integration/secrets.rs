//! Secrets planted in every field of every event, in headers, keys and broken records are nowhere in what the service writes,
//! logs, shows, exports or sends, however texts are kept. Where texts are not kept, no text is, secret or not.
//!
//! The values of dead letters are left out: that topic keeps refused records as they came, which is its purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::collector::Collector;
use crate::support::kafka::{Broker, Record};
use crate::support::setting::{Inputs, KEY, Options, Setting};
use crate::support::{python, service, traffic, wait};

/// Kinds of secrets, each around a random part: what the service promises to know by its form.
const KINDS: [&str; 12] = [
    "provider key",
    "bearer token",
    "json web token",
    "mail address",
    "card number",
    "private key",
    "connection string",
    "account key",
    "assigned password",
    "password in json",
    "password in nested json",
    "amazon key",
];

/// Where a random part was planted that is kept, however texts are.
const CONTROL: &str = "control";
/// What the places begin with where a random part was planted in a text that is no secret.
const TEXT: &str = "text of ";

/// Plants secrets and remembers where.
struct Seeds {
    random: fastrand::Rng,
    planted: BTreeMap<String, String>,
}

impl Seeds {
    fn secret(&mut self, planted: &str, kind: &str) -> String {
        let core = match kind {
            "card number" => card(&mut self.random),
            "amazon key" => self.random_part(16).to_uppercase(),
            _ => self.random_part(24),
        };
        self.planted.insert(format!("{planted}: {kind}"), core.clone());
        match kind {
            "provider key" => format!("sk-proj-{core}"),
            "bearer token" => format!("Authorization: Bearer {core}"),
            "json web token" => format!("eyJhbGciOiJIUzI1NiJ9.{core}.c2lnbmF0dXJl"),
            "mail address" => format!("{core}@mail.example.com"),
            "card number" => core,
            "private key" => format!("-----BEGIN PRIVATE KEY-----\n{core}\n-----END PRIVATE KEY-----"),
            "connection string" => format!("postgres://service:{core}@db.example.com/prod"),
            "account key" => format!("AccountName=logs;AccountKey={core}==;EndpointSuffix=core.windows.net"),
            "assigned password" => format!("password={core}"),
            "password in json" => json!({"user": "u", "password": core}).to_string(),
            "password in nested json" => json!({"arguments": json!({"password": core}).to_string()}).to_string(),
            "amazon key" => format!("AKIA{core}"),
            other => unreachable!("{other} is no kind"),
        }
    }

    /// Random letters and digits, both among any ten of them.
    fn random_part(&mut self, length: usize) -> String {
        (0..length).map(|at| if at % 5 == 2 { self.random.digit(10) } else { self.random.alphabetic() }).collect()
    }
}

/// A card number with a right check digit (Luhn).
fn card(random: &mut fastrand::Rng) -> String {
    let mut number = String::from("4");
    number.extend((0..14).map(|_| random.digit(10)));
    let sum: u32 = number
        .chars()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = digit.to_digit(10).expect("a digit");
            if at % 2 == 0 { value * 2 / 10 + value * 2 % 10 } else { value }
        })
        .sum();
    write!(number, "{}", (10 - sum % 10) % 10).expect("writing to a string");
    number
}

const GATEWAY: &[&str] = &[
    "/request_id",
    "/trace_id",
    "/span_id",
    "/response_id",
    "/conversation_id",
    "/tenant",
    "/app",
    "/route",
    "/user_id",
    "/environment",
    "/gateway",
    "/provider",
    "/deployment",
    "/request_model",
    "/response_model",
    "/operation",
    "/prompt_version",
    "/variant",
    "/index",
    "/error_type",
    "/finish_reason",
    "/prompt",
    "/response",
    "/reference",
    "/prediction",
    "/label",
    "/contexts/0/id",
    "/contexts/0/text",
    "/contexts/0/source",
    "/contexts/0/page",
    "/safety/0/category",
    "/safety/0/severity",
    "/usage/note",
    "/headers/authorization",
    "/attributes/note",
    "/attributes/deep/0/note",
    "/unknown",
];
const FEEDBACK: &[&str] = &[
    "/feedback_id",
    "/target/request_id",
    "/target/trace_id",
    "/target/span_id",
    "/target/response_id",
    "/target/conversation_id",
    "/name",
    "/label",
    "/comment",
    "/correction",
    "/user_id",
    "/tenant",
    "/app",
    "/attributes/note",
    "/unknown",
];
const PIPELINE: &[&str] = &[
    "/run_id",
    "/parent_run_id",
    "/job",
    "/namespace",
    "/kind",
    "/inputs/0/name",
    "/inputs/0/version",
    "/outputs/0/name",
    "/outputs/0/version",
    "/error_type",
    "/error",
    "/chunking",
    "/embedding_model",
    "/deployment",
    "/model",
    "/prompt_version",
    "/tenant",
    "/app",
    "/attributes/note",
    "/unknown",
];
/// Fields that the storage of texts is about.
const TEXTS: &[&str] = &[
    "gateway/prompt",
    "gateway/response",
    "gateway/reference",
    "gateway/contexts/0/text",
    "gateway/attributes/note",
    "gateway/unknown",
    "feedback/comment",
    "feedback/correction",
    "feedback/attributes/note",
    "feedback/unknown",
    "pipeline/error",
    "pipeline/attributes/note",
    "pipeline/unknown",
];
/// Fields that take no text: the record is refused, and what was found there is quoted.
const REFUSED: &[&str] =
    &["/event_time", "/latency_ms", "/status", "/usage/input_tokens", "/schema", "/embedding", "/contexts", "/probability/a"];

fn event(input: &str, number: usize, time_ms: i64) -> Value {
    match input {
        "gateway" => json!({
            "event_time": time_ms, "request_id": format!("r-{number}"), "tenant": "acme", "app": "bot", "http_status": 200,
            "response_model": "small-1", "latency_ms": 100.0, "usage": {"input_tokens": 10, "output_tokens": 5},
            "prompt": "How long is the warranty?", "response": "The warranty is two years.",
            "contexts": [{"id": "d", "text": "The warranty is two years long.", "source": "manual"}],
            "safety": [{"category": "hate", "severity": "low"}], "headers": {}, "attributes": {"deep": [{}]}, "probability": {},
        }),
        "feedback" => json!({
            "event_time": time_ms, "feedback_id": format!("f-{number}"), "target": {"request_id": "r-0"}, "name": "thumbs",
            "score": 0, "attributes": {},
        }),
        _ => json!({
            "event_time": time_ms, "run_id": format!("run-{number}"), "job": "build", "kind": "index", "state": "COMPLETE",
            "inputs": [{"name": "docs"}], "outputs": [{"name": "index"}], "attributes": {},
        }),
    }
}

/// Puts a value at a path like `/contexts/0/text`, whose parents exist.
fn put(event: &mut Value, path: &str, value: Value) {
    let (parent, name) = path.rsplit_once('/').expect("a path");
    let parent = event.pointer_mut(parent).unwrap_or_else(|| panic!("{path} has no parent"));
    parent[name] = value;
}

/// Texts without secrets, one in each field for texts and some in records that are refused.
fn plain(seeds: &mut Seeds, input: &str) -> Vec<Record> {
    let mut text = |place: &str| {
        let core = seeds.random_part(24);
        seeds.planted.insert(format!("{TEXT}{input}{place}"), core.clone());
        format!("How do I use {core} here?")
    };
    let mut values = Vec::new();
    for field in TEXTS.iter().filter_map(|field| field.strip_prefix(input)) {
        let mut made = event(input, 100_000 + values.len(), time(values.len()));
        put(&mut made, field, json!(text(field)));
        values.push(made.to_string());
        // Of the wrong kind, the text is what was found there.
        for wrong in [json!({"text": text(": refused object")}), json!([text(": refused list")])] {
            put(&mut made, field, wrong);
            values.push(made.to_string());
        }
    }
    for field in REFUSED.iter().filter(|field| input == "gateway" || ["/event_time", "/schema"].contains(field)) {
        let mut made = event(input, 0, time(values.len()));
        put(&mut made, field, json!(text(": refused text")));
        values.push(made.to_string());
    }
    let whole = event(input, 0, time(values.len())).to_string();
    let rest = whole.strip_prefix('{').expect("an object");
    values.push(text(": not JSON"));
    values.push(format!("{{\"note\": \"{}\", \"event_ti", text(": cut off")));
    let twice = text(": key that occurs twice");
    values.push(format!("{{\"{twice}\":1,\"{twice}\":2,{rest}"));
    let time_ms = time(values.len());
    values.into_iter().map(|value| Record::value(value).to(0).at(time_ms)).collect()
}

/// One record per field and kind, then broken ones, and failing requests of tenants with secret names, which are told by mail.
fn records(seeds: &mut Seeds, input: &str, fields: &[&str]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut number = 0;
    let mut next = |records: &mut Vec<Record>, value: Vec<u8>| {
        number += 1;
        records.push(Record::value(value).to(0).at(time(number)));
    };
    for field in fields {
        for kind in KINDS {
            let secret = seeds.secret(&format!("{input}{field}"), kind);
            let at = records.len();
            let mut made = event(input, at, time(at));
            put(&mut made, field, json!(secret));
            next(&mut records, made.to_string().into_bytes());
        }
    }
    for kind in KINDS {
        let at = records.len();
        let mut made = event(input, at, time(at));
        made["attributes"] = json!({seeds.secret(&format!("{input}: name of an attribute"), kind): 1});
        next(&mut records, made.to_string().into_bytes());
    }
    for (what, value) in
        [("list", json!(["one", seeds.random_part(24)])), ("number", json!(seeds.random.u64(1_000_000_000_000..9_000_000_000_000)))]
    {
        let core = value.get(1).unwrap_or(&value);
        seeds
            .planted
            .insert(format!("{input}: {what} under a secret name"), core.as_str().map_or_else(|| core.to_string(), str::to_owned));
        let at = records.len();
        let mut made = event(input, at, time(at));
        made["attributes"] = json!({"db_password": value});
        next(&mut records, made.to_string().into_bytes());
    }
    for kind in KINDS {
        for (what, padding) in [("refused field", 0), ("refused field after 40 bytes", 40), ("refused field after 380 bytes", 380)]
        {
            for field in REFUSED.iter().filter(|field| input == "gateway" || ["/event_time", "/schema"].contains(field)) {
                let secret = seeds.secret(&format!("{input}{field}: {what}"), kind);
                let at = records.len();
                let mut made = event(input, at, time(at));
                put(&mut made, field, json!(format!("{}{secret}", "x ".repeat(padding / 2))));
                next(&mut records, made.to_string().into_bytes());
            }
        }
        let at = records.len();
        let whole = event(input, at, time(at)).to_string();
        let rest = whole.strip_prefix('{').expect("an object");
        let mut quoted = |what: &str| json!(seeds.secret(&format!("{input}: {what}"), kind)).to_string();
        next(&mut records, format!("not JSON {}", quoted("not JSON")).into_bytes());
        next(&mut records, format!("{{\"note\": {}, \"event_ti", quoted("cut off")).into_bytes());
        next(&mut records, format!("{{{}:1,{rest}", quoted("key before an event")).into_bytes());
        next(&mut records, [b"\xff ", quoted("not UTF-8").as_bytes()].concat());
        next(&mut records, format!("{}{}", "[".repeat(2_000), quoted("too deep")).into_bytes());
        next(&mut records, format!("{{\"a\":{},{}", quoted("before a megabyte"), "x".repeat(1 << 20)).into_bytes());
        let twice = quoted("key that occurs twice");
        next(&mut records, format!("{{{twice}:1,{twice}:2,{rest}").into_bytes());
        for before in [3_900, 4_060, 8_100] {
            let secret = quoted(&format!("at byte {before}"));
            next(&mut records, format!("{}{secret}{}", "y ".repeat(before / 2), " z".repeat(4_000)).into_bytes());
        }
    }
    records
}

fn time(number: usize) -> i64 {
    traffic::START_MS + i64::try_from(number).expect("few") * 500
}

const RULES: &str = "version: 1
groups:
  - name: seeds
    rules:
      - alert: Errors
        severity: ticket
        metric: error_rate
        by: [tenant, app, prompt_version]
        over: 5m
        expr: value >= 0.3
        for: 1m
        keep_firing_for: 1m
        min_samples: 3
        annotations:
          summary: \"{{ labels.tenant }} {{ labels.app }} {{ labels.prompt_version }}\"
          description: \"Requests fail.\"
";

/// Requests that fail for tenants, applications and prompt versions which are secrets.
fn failing(seeds: &mut Seeds) -> Vec<Record> {
    let mut records = Vec::new();
    // A name that looks like nothing to hide is kept: it shows that the search sees into the files.
    let mut made = event("gateway", 0, traffic::START_MS);
    let plain = seeds.random_part(24);
    made["variant"] = json!(format!("variant {plain}"));
    made["request_id"] = json!("control");
    records.push(Record::value(made.to_string()).to(1).at(traffic::START_MS));
    seeds.planted.insert(CONTROL.to_owned(), plain);
    for kind in KINDS {
        let [tenant, app, version] = ["tenant", "app", "prompt_version"].map(|name| seeds.secret(&format!("alert {name}"), kind));
        for minute in 0..5 {
            let time_ms = traffic::START_MS + minute * 60_000;
            let mut made = event("gateway", 0, time_ms);
            made["request_id"] = json!(format!("failed-{kind}-{minute}"));
            made["http_status"] = json!(500);
            (made["tenant"], made["app"], made["prompt_version"]) = (json!(tenant), json!(app), json!(version));
            records.push(
                Record::value(made.to_string())
                    .to(1)
                    .at(time_ms)
                    .keyed(seeds.secret("key of a record", kind))
                    .header("authorization", seeds.secret("header of a record", kind)),
            );
        }
    }
    records
}

/// One page of the service, head and body.
fn page(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("the service listens");
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut text = String::new();
    connection.read_to_string(&mut text).expect("it answers in UTF-8");
    text
}

#[test]
fn planted_secrets_are_nowhere_in_what_is_written_logged_shown_exported_or_sent() {
    let report = run("full");
    let found = places(&report);
    let texts: BTreeSet<&str> = found.keys().filter_map(|planted| planted.strip_prefix(TEXT)).collect();
    let kept: BTreeSet<&str> = TEXTS.iter().copied().collect();
    assert!(kept.is_subset(&texts), "texts are kept: {report:#}");
}

#[test]
fn of_a_topic_whose_texts_are_hashed_no_planted_secret_and_no_text_is_anywhere() {
    assert_no_text(&run("hash"));
}

#[test]
fn of_a_topic_whose_texts_are_not_kept_no_planted_secret_and_no_text_is_anywhere() {
    assert_no_text(&run("none"));
}

fn assert_no_text(report: &Value) {
    let texts: Vec<_> = places(report).into_iter().filter(|(planted, _)| planted.starts_with(TEXT)).collect();
    assert!(texts.is_empty(), "{texts:#?}");
}

/// What was found of what was planted, and in which files.
fn places(report: &Value) -> BTreeMap<&str, Vec<&str>> {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for find in report["found"].as_array().expect("a list") {
        let [planted, file] = [0, 1].map(|at| find[at].as_str().expect("a text"));
        places.entry(planted).or_default().push(file);
    }
    places
}

/// Runs a service on planted secrets and texts, of whose topics `text` is kept, and searches all it made. Insists that no
/// secret is found, and that the search sees into the files.
fn run(text: &str) -> Value {
    let broker = Broker::shared();
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    let more = format!(
        "[alerts]\ndirectory = \"alerts\"\n[telemetry]\nlog_level = \"trace\"\notlp_endpoint = \"{endpoint}\"\notlp_interval = \"1s\"\n"
    );
    let setting = Setting::with(broker, &format!("secrets-{text}"), Options { inputs: Inputs::All, more, ..Options::default() });
    let dir = setting.dir.path().to_owned();
    fs::create_dir(dir.join("alerts")).expect("the folder is ours");
    fs::write(dir.join("alerts/seeds.yaml"), RULES).expect("the folder is ours");
    let config = fs::read_to_string(setting.config()).expect("it was written");
    let recipients = "[mail.recipients]\nticket = [\"oncall@example.com\"]\n[dead_letter]";
    let config = config.replacen("[dead_letter]", recipients, 1).replace("\ninput = ", &format!("\ntext = \"{text}\"\ninput = "));
    fs::write(setting.config(), config).expect("the folder is ours");

    let mut seeds = Seeds { random: fastrand::Rng::with_seed(5), planted: BTreeMap::new() };
    seeds.planted.insert("the key of all hashes".to_owned(), KEY.1.to_owned());
    for ((topic, input), fields) in setting.topics().into_iter().zip([GATEWAY, FEEDBACK, PIPELINE]) {
        broker.produce(&topic, records(&mut seeds, input, fields));
        broker.produce(&topic, plain(&mut seeds, input));
    }
    broker.produce(&setting.topic, failing(&mut seeds));
    setting.close_windows();

    let service = setting.start(&[], &[]);
    let line = service.wait_for("groundwire is running");
    let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("its address");
    setting.wait_covered();
    wait::until("all alerts to be told", || {
        let mails = fs::read_dir(dir.join("mail")).into_iter().flatten().count();
        (mails >= KINDS.len()).then_some(())
    });
    let captured = dir.join("captured");
    fs::create_dir(&captured).expect("the folder is ours");
    for (name, path) in [("status", "/"), ("metrics", "/metrics"), ("live", "/livez"), ("ready", "/readyz"), ("none", "/none")] {
        fs::write(captured.join(name), page(address, path)).expect("the folder is ours");
    }
    fs::write(captured.join("log-lines"), service.lines().join("\n")).expect("the folder is ours");
    service.stop();
    // It ends only when its last signals are sent.
    for (signal, sign) in [("metrics", "groundwire.records"), ("traces", "deliver")] {
        let sent = collector.sent_to(&format!("/v1/{signal}"));
        assert!(sent.windows(sign.len()).any(|part| part == sign.as_bytes()), "{} bytes of {signal}", sent.len());
        fs::write(captured.join(format!("exported-{signal}")), sent).expect("the folder is ours");
    }
    let mut letters = String::new();
    for letter in setting.dead_letters() {
        for name in letter.headers.keys().filter(|name| !name.starts_with("groundwire.original.")) {
            writeln!(letters, "{name}: {}", letter.header(name).unwrap_or_default()).expect("writing to a string");
        }
    }
    assert!(letters.contains("invalid_json") && letters.contains("invalid_field"), "{letters}");
    fs::write(captured.join("dead-letter-headers"), letters).expect("the folder is ours");
    let lake = setting.lake().display().to_string();
    for (name, arguments) in [("log", ["log", "--lake", &lake, "--json"]), ("verify", ["verify", "--lake", &lake, "--json"])] {
        fs::write(captured.join(name), service::output(arguments).stdout).expect("the folder is ours");
    }

    let list = dir.join("seeds.json");
    fs::write(&list, serde_json::to_string(&seeds.planted).expect("texts are JSON")).expect("the folder is ours");
    let script = fs::read_to_string(crate::support::project().join("tests/integration/seeds.py")).expect("part of the project");
    let searched = [lake, dir.join("mail").display().to_string(), captured.display().to_string()];
    let arguments: Vec<&str> = [list.to_str().expect("UTF-8")].into_iter().chain(searched.iter().map(String::as_str)).collect();
    let report = python::json(&script, &arguments);
    let found = places(&report);
    let leaks: Vec<_> = found.iter().filter(|(planted, _)| **planted != CONTROL && !planted.starts_with(TEXT)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(found.get(CONTROL).is_some_and(|files| files.iter().any(|file| file.contains("/interactions/"))), "{report:#}");
    // Columns of texts that are not kept have no pages.
    let least = if text == "full" { 500 } else { 100 };
    assert!(report["frames"].as_u64() > Some(least), "{report:#}");
    report
}
