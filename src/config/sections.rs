//! All settings, their defaults and what they do. Nothing here decides; `rules.rs` holds what must fit together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::describe::{choice, section};
use super::value::{Location, Size};
use crate::event::Input;
use crate::measure::Dimension;

section! {
    /// Everything `groundwire.toml` says.
    Config {
        /// Where events come from.
        source: Source = {},
        /// Where results go.
        lake: Lake = {},
        /// How time is judged.
        time: Time = {},
        /// How feedback finds its answer, and how repeats are recognised.
        join: Join = {},
        /// What is hidden before anything is kept.
        privacy: Privacy = {},
        /// What is measured by.
        measure: Measure = {},
        /// How users' feedback is read.
        feedback: Feedback = {},
        /// Where the alert rules are.
        alerts: Alerts = {},
        /// Where alert mail goes.
        mail: Mail = {},
        /// The service's own pages.
        http: Http = {},
        /// The service's own signals.
        telemetry: Telemetry = {},
        /// Where refused records go.
        dead_letter: DeadLetter = {},
        /// Bounds on what one record may hold, and on the evaluator's memory.
        limits: Limits = {},
        /// What requests cost.
        cost: Cost = {},
    }
}

choice! {
    /// Kind of source.
    SourceKind {
        /// Apache Kafka, or anything that speaks its protocol (Azure Event Hubs).
        Kafka = "kafka",
        /// Files `<directory>/<topic>/<partition>.jsonl`, also `.jsonl.gz` and `.jsonl.zst`.
        Files = "files",
    }
}

choice! {
    /// What happens when records were gone before they could be read.
    OnLoss {
        /// Record the gap, raise an alert and stop reading the partition.
        Stop = "stop",
        /// Record the gap, raise an alert and go on after it.
        Continue = "continue",
    }
}

choice! {
    /// Where to start with a partition that the log does not know.
    Start {
        /// With the oldest record that still exists.
        Beginning = "beginning",
        /// With records that arrive from now on.
        End = "end",
    }
}

choice! {
    /// What is kept of texts.
    TextStorage {
        /// The redacted text.
        Full = "full",
        /// A keyed hash, enough to count equal texts.
        Hash = "hash",
        /// Nothing. Scores are computed all the same.
        None = "none",
    }
}

section! {
    /// Where events come from: Kafka or files. Topics, what they hold and what is kept of their texts are set here.
    Source {
        /// Kind of source. `[source.kafka]` or `[source.files]` says more.
        kind: SourceKind = "kafka",
        /// Where to start with a partition that the log does not know. A partition that it knows goes on where the log ends.
        start: Start = "beginning",
        /// What to do when records were gone before they could be read (retention, a re-created topic).
        on_loss: OnLoss = "stop",
        /// The Kafka cluster.
        kafka: Kafka = {},
        /// The folder of files.
        files: Files = {},
        /// The topics to read, by name. Setting any replaces this default list.
        topics: BTreeMap<String, Topic> = {
            "gateway-logs" = { input = "gateway" },
            "user-feedback" = { input = "feedback" },
            "pipeline-events" = { input = "pipeline" },
        },
    }
}

section! {
    /// One topic.
    Topic {
        /// What its events are. Absent: each event names its schema in the field `schema`.
        input: Option<Input> = none,
        /// What is kept of prompts, answers, contexts, comments and error texts.
        text: TextStorage = "full",
    }
}

choice! {
    /// How the connection to Kafka is secured.
    Protocol {
        /// Neither encrypted nor authenticated.
        Plaintext = "plaintext",
        /// Encrypted.
        Ssl = "ssl",
        /// Authenticated, not encrypted.
        SaslPlaintext = "sasl_plaintext",
        /// Encrypted and authenticated.
        SaslSsl = "sasl_ssl",
    }
}

choice! {
    /// How the service authenticates itself to Kafka.
    Mechanism {
        /// User name and password as they are.
        Plain = "PLAIN",
        /// Salted challenge and response with SHA-256.
        ScramSha256 = "SCRAM-SHA-256",
        /// Salted challenge and response with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
        /// A token from an identity provider, set up in `[source.kafka.properties]`.
        Oauthbearer = "OAUTHBEARER",
    }
}

section! {
    /// The Kafka cluster.
    Kafka {
        /// Addresses of some brokers, `host:port`; the others are learned from them.
        brokers: Vec<String> = ["127.0.0.1:9092"],
        /// Consumer group. All processes that share a lake use the same group.
        group: String = "groundwire",
        /// How the connection is secured.
        protocol: Protocol = "plaintext",
        /// How the service authenticates itself; needed with the `sasl_` protocols.
        mechanism: Option<Mechanism> = none,
        /// User name; `$ConnectionString` for Azure Event Hubs.
        username: Option<String> = none,
        /// File that holds the password.
        password_file: Option<PathBuf> = none,
        /// Environment variable that holds the password.
        password_env: Option<String> = none,
        /// Certificates (PEM) that the brokers' certificates are checked against. Absent: those of the system.
        ca_file: Option<PathBuf> = none,
        /// Certificate (PEM) that the service shows to the brokers.
        certificate_file: Option<PathBuf> = none,
        /// Private key (PEM) of that certificate.
        certificate_key_file: Option<PathBuf> = none,
        /// Further properties of librdkafka, by their own names. Those that correctness depends on are refused.
        properties: BTreeMap<String, String> = {},
    }
}

section! {
    /// The folder of files, one sub-folder per topic, one file per partition.
    Files {
        /// The folder.
        directory: PathBuf = "topics",
        /// Wait for files to grow. Without it the service ends when all files are read.
        follow: bool = true,
    }
}

section! {
    /// Where results go: Parquet tables and the commit log, in a folder or a bucket.
    Lake {
        /// Folder or bucket URL. Credentials for buckets come from the environment (`AWS_…`, `AZURE_…`, `GOOGLE_…`).
        url: Location = "groundwire-data",
        /// Options of the object store by their own names, for example `aws_region` or `aws_endpoint`. No secrets.
        options: BTreeMap<String, String> = {},
        /// Results are committed at least this often while events come in.
        epoch_interval: Duration = "10s" in "100ms".."5m",
        /// Results are committed early when so many bytes of rows have gathered. While the store takes no writes, one epoch of this
        /// size waits and the next one grows to it; then input waits.
        epoch_bytes: Size = "32MiB" in "1MiB".."512MiB",
        /// An idle process commits an empty entry this often, so that "no input" can be told from "not running".
        tick_interval: Duration = "60s" in "1s".."10m",
        /// The evaluator saves its state this often; a start replays at most so much.
        snapshot_interval: Duration = "5m" in "10s".."1h",
        /// How long rows are kept, by table. Absent: for ever.
        retention: Retention = {},
    }
}

section! {
    /// How long rows are kept after their event date, by table. Absent: for ever.
    Retention {
        /// Requests with their answers: the table with texts.
        interactions: Option<Duration> = none in "1d".."36500d",
        /// Users' feedback.
        feedback: Option<Duration> = none in "1d".."36500d",
        /// Pipeline events.
        pipeline_events: Option<Duration> = none in "1d".."36500d",
        /// Metrics.
        metrics: Option<Duration> = none in "1d".."36500d",
        /// Transitions of alerts.
        alert_events: Option<Duration> = none in "1d".."36500d",
        /// Refused records.
        rejects: Option<Duration> = none in "1d".."36500d",
    }
}

choice! {
    /// What counts as now.
    Clock {
        /// The clock of the machine.
        Wall = "wall",
        /// The greatest event time read so far: for back-fills, replays and simulations.
        Events = "events",
    }
}

section! {
    /// How time is judged. Event time decides what is stored and what fires.
    Time {
        /// What counts as now when windows close and alerts wait.
        clock: Clock = "wall",
        /// How far behind the newest event of its partition an event may come and still be in time. Later ones correct the published rows.
        lateness: Duration = "30s" in "0s".."6h",
        /// The same for pipeline events.
        pipeline_lateness: Duration = "60s" in "0s".."6h",
        /// How far ahead of its record's time (Kafka) an event may be before it is refused as `clock_skew`.
        record_skew: Duration = "5m" in "1s".."1d",
        /// How far ahead of now an event may be that comes without a record time (files). Absent: not checked, so that replays decide alike.
        max_ahead: Option<Duration> = none in "1s".."365d",
        /// A partition so far ahead of the slowest one is paused while catching up.
        pause_ahead: Duration = "15m" in "1m".."1d",
    }
}

section! {
    /// How feedback finds its answer, and how a producer's repeats are recognised.
    Join {
        /// A repeat of (topic, tenant, request id) within this event time is a duplicate.
        dedup_window: Duration = "1h" in "1s".."1d",
        /// Request ids remembered for that; about 40 bytes each. Beyond it the oldest are forgotten early.
        dedup_ids: u64 = 2_000_000 in 10_000..1_000_000_000,
        /// Answers remembered for feedback that comes soon; about 300 bytes each. Later feedback is matched from the lake.
        recent_answers: u64 = 200_000 in 10_000..100_000_000,
    }
}

section! {
    /// What is hidden before anything is kept, shown or sent. User ids are always replaced by a keyed hash.
    Privacy {
        /// File that holds the key: 64 hexadecimal characters. Takes precedence over `key_env`.
        key_file: Option<PathBuf> = none,
        /// Environment variable that holds the key.
        key_env: String = "GROUNDWIRE_PRIVACY_KEY",
        /// Further patterns to hide, by the name that stands in their place: regular expressions.
        patterns: BTreeMap<String, String> = {},
    }
}

section! {
    /// What is measured by.
    Measure {
        /// Dimensions that metrics are grouped by.
        group_by: Vec<Dimension> = ["tenant", "app", "response_model", "prompt_version", "variant"],
        /// Groups per tenant and day; what comes beyond goes to `__other__` and is counted.
        groups_per_tenant: u64 = 1_000 in 1..100_000,
        /// What drift is measured against.
        drift_reference: DriftReference = "trailing",
        /// The file of pinned values: rows of `drift.*.psi` of the `metrics` table, one JSON object a line.
        drift_pinned: Option<PathBuf> = none,
    }
}

choice! {
    /// What drift is measured against.
    DriftReference {
        /// The 24 hours before a window; the 7 days before a day.
        Trailing = "trailing",
        /// The same hours of the 7 days before.
        SameHours = "same_hours",
        /// The values of `drift_pinned`, always the same.
        Pinned = "pinned",
    }
}

choice! {
    /// Which end of a range is good.
    Better {
        /// The greater, the better.
        Higher = "higher",
        /// The smaller, the better.
        Lower = "lower",
    }
}

section! {
    /// How users' feedback is read. Feedback of different names is never averaged together.
    Feedback {
        /// Known names of feedback. Names given here are added to `thumbs`, `rating` and `resolved`, or replace them.
        registry: BTreeMap<String, FeedbackName> = {},
    }
}

section! {
    /// What the score of one name of feedback means.
    FeedbackName {
        /// Least score.
        lowest: f64 = 0.0,
        /// Greatest score.
        highest: f64 = 1.0,
        /// Which end is good.
        better: Better = "higher",
        /// Scores from here on towards the good end count as positive.
        positive_from: f64 = 1.0,
    }
}

section! {
    /// Where the alert rules are.
    Alerts {
        /// Folder of rule files (YAML). Absent: the rules that come with the program.
        directory: Option<PathBuf> = none,
    }
}

choice! {
    /// How the connection to the mail server is encrypted. It always is.
    MailTls {
        /// Begins in the clear and must switch to TLS before anything is said (port 587).
        Starttls = "starttls",
        /// TLS from the first byte (port 465).
        Implicit = "implicit",
    }
}

section! {
    /// Where alert mail goes: a mail server (`host`), or a folder of `.eml` files (`directory`). Neither: alerts are only written to `alert_events`.
    Mail {
        /// Address that mail comes from.
        from: String = "groundwire@localhost",
        /// Mail server.
        host: Option<String> = none,
        /// Port of the mail server. Absent: 587, or 465 with `tls = "implicit"`.
        port: Option<u16> = none in 1..65535,
        /// How the connection is encrypted.
        tls: MailTls = "starttls",
        /// Certificates (PEM) that the server's certificate is checked against. Absent: those of the system.
        ca_file: Option<PathBuf> = none,
        /// User name. Absent: no authentication.
        username: Option<String> = none,
        /// File that holds the password.
        password_file: Option<PathBuf> = none,
        /// Environment variable that holds the password.
        password_env: Option<String> = none,
        /// Folder that mail is written to as `.eml` files instead of being sent.
        directory: Option<PathBuf> = none,
        /// Who gets what.
        recipients: Recipients = {},
        /// How long one attempt to deliver may take.
        timeout: Duration = "30s" in "1s".."5m",
        /// A mail that could not be delivered for so long is given up and counted.
        give_up_after: Duration = "3d" in "1m".."30d",
        /// Beginning of the links to runbooks. Absent: the path of the file.
        runbook_url: Option<String> = none,
    }
}

section! {
    /// Mail addresses by severity of the alert.
    Recipients {
        /// Needs a person now.
        page: Vec<String> = [],
        /// Needs a person in working hours.
        ticket: Vec<String> = [],
        /// Good to know.
        info: Vec<String> = [],
    }
}

section! {
    /// The service's own pages: status, health and metrics. They are read-only and have no login of their own.
    Http {
        /// Address to listen on. Beyond the loopback address anyone who reaches it can read it. Port 0 takes any free port.
        listen: SocketAddr = "127.0.0.1:9464",
    }
}

choice! {
    /// Form of the log lines.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }
}

choice! {
    /// Least level of log lines that are written.
    LogLevel {
        /// Only what needs a person.
        Error = "error",
        /// And what may need one.
        Warn = "warn",
        /// And what happens.
        Info = "info",
        /// And why.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

section! {
    /// The service's own signals: log lines on standard error, Prometheus text at `/metrics`, and OpenTelemetry if an endpoint is given.
    Telemetry {
        /// OTLP over HTTP: the address of a collector, without `/v1/…`. Absent: nothing is exported. Headers come from `OTEL_EXPORTER_OTLP_HEADERS`.
        otlp_endpoint: Option<String> = none,
        /// Metrics are exported this often.
        otlp_interval: Duration = "30s" in "1s".."10m",
        /// Name of this process among several, as it stands in log entries. Absent: the host's name.
        instance: Option<String> = none,
        /// Form of the log lines.
        log_format: LogFormat = "text",
        /// Least level of log lines.
        log_level: LogLevel = "info",
    }
}

section! {
    /// Where refused records go, besides the table `rejects` (Kafka only).
    DeadLetter {
        /// Send them.
        enabled: bool = true,
        /// Topic.
        topic: String = "groundwire-dead-letters",
        /// Records with longer values are cut to their first 64 KiB, and marked as cut.
        max_bytes: Size = "900kB" in "64KiB".."64MiB",
    }
}

section! {
    /// Bounds. What exceeds them is refused or waits, and is counted.
    Limits {
        /// Longest record.
        record_bytes: Size = "1MiB" in "1KiB".."64MiB",
        /// Deepest nesting of a record.
        depth: u64 = 32 in 4..100,
        /// Passages per request.
        contexts: u64 = 4_096 in 1..10_000,
        /// Items of any other list, and attributes, per event.
        items: u64 = 1_024 in 1..100_000,
        /// Numbers of an embedding.
        embedding: u64 = 16_384 in 1..1_000_000,
        /// Memory of the minutes that are closed and may still be corrected (26 hours); beyond it the oldest are forgotten early.
        window_memory: Size = "256MiB" in "16MiB".."64GiB",
    }
}

section! {
    /// What requests cost, where the producer does not say it.
    Cost {
        /// The price table, a TOML file of its own; see docs/cost.md. Absent: requests without a cost of their own are unpriced.
        prices_file: Option<PathBuf> = none,
    }
}
