//! A service on a real broker: topics, a folder with its configuration and lake, and what must hold of them afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::kafka::{self, Broker};
use super::service::Service;
use super::traffic::{self, Made};
use super::{scratch, wait};

/// A privacy key for tests, in the environment of every service.
pub(crate) const KEY: (&str, &str) = ("GROUNDWIRE_PRIVACY_KEY", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
/// Partitions of the topics with gateway logs and with feedback; pipeline events have one.
pub(crate) const PARTITIONS: i32 = 3;
/// Minutes of event time that the traffic spans.
pub(crate) const MINUTES: i64 = 90;

/// What a setting has beyond a topic of gateway logs.
pub(crate) struct Options {
    /// Lines of `[source.kafka]` that reach the broker.
    pub(crate) client: Option<String>,
    /// Lines of `[mail]`.
    pub(crate) mail: Option<String>,
    /// Topics of feedback and of pipeline events, too.
    pub(crate) inputs: Inputs,
    /// Further sections.
    pub(crate) more: String,
}

/// Which topics there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inputs {
    /// Gateway logs alone.
    Gateway,
    /// Feedback and pipeline events as well.
    All,
}

impl Default for Options {
    fn default() -> Self {
        Self { client: None, mail: None, inputs: Inputs::Gateway, more: String::new() }
    }
}

/// Topics, a topic for their dead letters, and a service's folder with configuration and lake.
pub(crate) struct Setting<'b> {
    pub(crate) broker: &'b Broker,
    pub(crate) dir: tempfile::TempDir,
    /// The topic of gateway logs; the others are named after it.
    pub(crate) topic: String,
    pub(crate) inputs: Inputs,
}

impl<'b> Setting<'b> {
    pub(crate) fn new(broker: &'b Broker, purpose: &str) -> Self {
        Self::with(broker, purpose, Options::default())
    }

    pub(crate) fn with(broker: &'b Broker, purpose: &str, options: Options) -> Self {
        let dir = scratch(purpose);
        let topic = Broker::topic(purpose);
        let setting = Self { broker, dir, topic, inputs: options.inputs };
        let mut topics = String::new();
        for (name, input) in setting.topics() {
            let partitions = if input == "pipeline" { 1 } else { PARTITIONS };
            broker.create_topic(&name, partitions, &[("retention.ms", "-1")]);
            writeln!(topics, "[source.topics.\"{name}\"]\ninput = \"{input}\"").expect("writing to a string");
        }
        broker.create_topic(&setting.dead_letter_topic(), 1, &[("retention.ms", "-1")]);
        let dir = setting.dir.path().display();
        let client = options.client.unwrap_or_else(|| format!(r#"brokers = ["{}"]"#, broker.bootstrap()));
        let mail = options.mail.unwrap_or_else(|| format!(r#"directory = "{dir}/mail""#));
        let text = format!(
            r#"
[source]
kind = "kafka"
[source.kafka]
{client}
group = "{topic}"
# A service that was killed leaves the group soon.
properties = {{ "session.timeout.ms" = "2000", "heartbeat.interval.ms" = "500" }}
{topics}[lake]
url = "{dir}/lake"
epoch_interval = "200ms"
[time]
clock = "events"
[http]
listen = "127.0.0.1:0"
[mail]
{mail}
[dead_letter]
topic = "{dead}"
{more}
"#,
            topic = setting.topic,
            dead = setting.dead_letter_topic(),
            more = options.more,
        );
        fs::write(setting.config(), text).expect("the folder is ours");
        setting
    }

    /// The topics that are read, and what they hold.
    pub(crate) fn topics(&self) -> Vec<(String, &'static str)> {
        let mut topics = vec![(self.topic.clone(), "gateway")];
        if self.inputs == Inputs::All {
            topics.extend([(format!("{}-feedback", self.topic), "feedback"), (format!("{}-pipelines", self.topic), "pipeline")]);
        }
        topics
    }

    fn dead_letter_topic(&self) -> String {
        format!("{}-dead-letters", self.topic)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("groundwire.toml")
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    /// Writes made-up gateway logs into the topic.
    pub(crate) fn send(&self, seed: u64, count: usize) {
        self.send_all(&traffic::gateway_logs(seed, count, PARTITIONS, MINUTES));
    }

    /// Writes gateway logs into the topic.
    pub(crate) fn send_all(&self, made: &[Made]) {
        traffic::send(self.broker, &self.topic, made);
    }

    /// Writes one last record per partition, so that every window before it closes.
    pub(crate) fn close_windows(&self) {
        self.send_all(&traffic::closing(PARTITIONS, MINUTES));
    }

    /// Writes gateway logs, feedback on them and pipeline events into the topics.
    pub(crate) fn send_everything(&self, seed: u64, count: usize) {
        let logs = traffic::gateway_logs(seed, count, PARTITIONS, MINUTES);
        self.send_others(&traffic::feedback(seed, &logs, PARTITIONS), &traffic::pipelines(seed, MINUTES));
        self.send_all(&logs);
    }

    /// Writes feedback and pipeline events into their topics.
    pub(crate) fn send_others(&self, feedback: &[Made], pipelines: &[Made]) {
        traffic::send(self.broker, &format!("{}-feedback", self.topic), feedback);
        traffic::send(self.broker, &format!("{}-pipelines", self.topic), pipelines);
    }

    /// Closes the windows of all inputs, and lets the service revise what it revises once an hour.
    pub(crate) fn close_everything(&self) {
        for minutes in [MINUTES, MINUTES + 240] {
            let (feedback, pipelines) = traffic::closing_others(PARTITIONS, minutes + 240);
            self.send_others(&feedback, &pipelines);
            self.send_all(&traffic::closing(PARTITIONS, minutes));
            self.run_until_drained();
        }
    }

    pub(crate) fn start(&self, more: &[&str], environment: &[(&str, &str)]) -> Service {
        let config = self.config().display().to_string();
        let mut arguments = vec!["run", "--config", &config];
        arguments.extend(more);
        let mut all = vec![KEY];
        all.extend(environment);
        Service::start_with(arguments, &all)
    }

    pub(crate) fn run_until_drained(&self) {
        let mut service = self.start(&["--until-drained"], &[]);
        let status = service.wait_exit(wait::LIMIT);
        assert!(status.success(), "{status}:\n{}", service.lines().join("\n"));
    }

    /// Runs the service until it aborts at the armed point, and insists that it does.
    pub(crate) fn run_until_it_dies_at(&self, point: &str) {
        use std::os::unix::process::ExitStatusExt;
        let mut service = self.start(&["--until-drained"], &[("GROUNDWIRE_FAILPOINT", &format!("{point}:1"))]);
        let status = service.wait_exit(wait::LIMIT);
        assert_eq!(status.signal(), Some(6), "it did not abort at {point}: {status}\n{}", service.lines().join("\n"));
    }

    /// Waits until the log covers all that the topics hold.
    pub(crate) fn wait_covered(&self) {
        for (topic, _) in self.topics() {
            let ends = self.broker.bounds(&topic);
            wait::until("the log to cover the topic", || {
                let covered = covered(&self.lake());
                ends.iter()
                    .enumerate()
                    .all(|(partition, (_, end))| *end == 0 || covered.get(&format!("{topic}/{partition}")) == Some(end))
                    .then_some(())
            });
        }
    }

    pub(crate) fn assert_equal_to_a_recomputation(&self) -> serde_json::Value {
        self.assert_equal_as_read_by("polars")
    }

    pub(crate) fn assert_equal_as_read_by(&self, engine: &str) -> serde_json::Value {
        let records: Vec<PathBuf> =
            self.topics().iter().map(|(topic, _)| traffic::write_down(self.broker, topic, self.dir.path())).collect();
        let records: Vec<&Path> = records.iter().map(PathBuf::as_path).collect();
        traffic::assert_equal_to_a_recomputation(engine, &self.lake(), &records)
    }

    pub(crate) fn dead_letters(&self) -> Vec<kafka::Stored> {
        self.broker.read_to_end(&self.dead_letter_topic())
    }
}

/// The entries of the log, in order.
pub(crate) fn entries(lake: &Path) -> Vec<serde_json::Value> {
    let mut entries: Vec<_> =
        fs::read_dir(lake.join("_groundwire/log")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries.iter().filter_map(|entry| serde_json::from_str(&fs::read_to_string(entry).unwrap_or_default()).ok()).collect()
}

/// How far the log has come, by `topic/partition`.
pub(crate) fn covered(lake: &Path) -> BTreeMap<String, i64> {
    let mut ends = BTreeMap::new();
    for entry in entries(lake) {
        for cursor in entry["cursors"].as_array().into_iter().flatten() {
            if let (Some(input), Some(to)) = (cursor["input"].as_str(), cursor["to"].as_i64()) {
                ends.insert(input.to_owned(), to);
            }
        }
    }
    ends
}
