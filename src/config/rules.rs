//! What settings must hold together: checked after each was read alone, and reported in the same way.

use std::collections::BTreeMap;

use super::diagnostic::Severity::{Mistake, Warning};
use super::reader::{Reader, secret_like};
use super::sections::{Better, Config, FeedbackName, Kafka, Mail, MailTls, Mechanism, Protocol, SourceKind, TextStorage};

/// Properties of librdkafka that the service sets itself, and why they cannot be chosen.
const OWN_PROPERTIES: &[(&str, &str)] = &[
    ("bootstrap.servers", "set brokers"),
    ("metadata.broker.list", "set brokers"),
    ("group.id", "set group"),
    ("security.protocol", "set protocol"),
    ("sasl.mechanism", "set mechanism"),
    ("sasl.mechanisms", "set mechanism"),
    ("sasl.username", "set username"),
    ("ssl.ca.location", "set ca_file"),
    ("ssl.certificate.location", "set certificate_file"),
    ("ssl.key.location", "set certificate_key_file"),
    ("enable.auto.commit", "remove it; the log decides where reading goes on"),
    ("enable.auto.offset.store", "remove it; the log decides where reading goes on"),
    ("auto.offset.reset", "set [source] start; a gap must be seen, not skipped"),
    ("enable.partition.eof", "remove it; watermarks depend on it"),
    ("isolation.level", "remove it; aborted records must not be read"),
    ("group.protocol", "remove it; only the classic protocol is tested"),
    ("check.crcs", "remove it; damaged records must not be read"),
];

/// Reports everything in the settings that cannot work together.
pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    kafka(config, reader);
    lake(config, reader);
    privacy(config, reader);
    feedback(&config.feedback.registry, reader);
    mail(&config.mail, reader);
    if config.source.topics.is_empty() {
        reader.report("source.topics", Mistake, "source.topics is empty", "at least one topic", "name the topics to read");
    }
    for topic in config.source.topics.keys().filter(|topic| !is_topic_name(topic)) {
        let remedy = "use letters, digits, '.', '_' and '-', at most 249";
        reader.report(
            &format!("source.topics.{topic:?}"),
            Mistake,
            format!("source.topics: {topic:?} cannot be a topic"),
            "a name that Kafka accepts",
            remedy,
        );
    }
    if config.dead_letter.enabled && config.source.topics.contains_key(&config.dead_letter.topic) {
        let message = format!("dead_letter.topic {:?} is also a topic to read", config.dead_letter.topic);
        reader.report(
            "dead_letter.topic",
            Mistake,
            message,
            "a topic of its own",
            "refused records would come back for ever; choose another name",
        );
    }
    if !is_topic_name(&config.dead_letter.topic) {
        let message = format!("dead_letter.topic {:?} cannot be a topic", config.dead_letter.topic);
        reader.report("dead_letter.topic", Mistake, message, "a name that Kafka accepts", "use letters, digits, '.', '_' and '-'");
    }
    let mut group_by = config.measure.group_by.clone();
    group_by.sort_unstable();
    group_by.dedup();
    if group_by.len() < config.measure.group_by.len() {
        reader.report("measure.group_by", Mistake, "measure.group_by names a dimension twice", "each once", "remove the repeat");
    }
    if let Some(endpoint) = &config.telemetry.otlp_endpoint {
        url("telemetry.otlp_endpoint", endpoint, reader);
    }
    if !config.http.listen.ip().is_loopback() {
        let message = format!("http.listen {} can be reached from other machines", config.http.listen);
        let remedy = "put it behind a proxy that asks who is there, or keep to 127.0.0.1";
        reader.report("http.listen", Warning, message, "a loopback address: the pages have no login", remedy);
    }
}

/// Names of topics that Kafka accepts. They also become folder names, so nothing else may pass.
fn is_topic_name(name: &str) -> bool {
    let characters = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    characters && !name.is_empty() && name.len() <= 249 && name != "." && name != ".."
}

fn kafka(config: &Config, reader: &mut Reader<'_>) {
    let kafka = &config.source.kafka;
    if config.source.kind == SourceKind::Files {
        if reader.is_set("source.kafka") {
            let message = "[source.kafka] is given, but source.kind is \"files\"";
            reader.report(
                "source.kafka",
                Warning,
                message,
                "settings of the source that is read",
                "set source.kind = \"kafka\" or remove it",
            );
        }
        return;
    }
    if kafka.brokers.is_empty() {
        reader.report("source.kafka.brokers", Mistake, "source.kafka.brokers is empty", "at least one host:port", "name a broker");
    }
    for (number, broker) in kafka.brokers.iter().enumerate().filter(|(_, broker)| !is_host_and_port(broker)) {
        let path = format!("source.kafka.brokers[{number}]");
        let message = format!("{path} is {broker:?}");
        reader.report(
            &path,
            Mistake,
            message,
            "host:port, for example \"kafka-1:9092\"",
            "add the port; leave out any protocol://",
        );
    }
    for (name, remedy) in kafka.properties.keys().filter_map(|name| OWN_PROPERTIES.iter().find(|(own, _)| own == name)) {
        let path = format!("source.kafka.properties.\"{name}\"");
        reader.report(
            &path,
            Mistake,
            format!("{name} cannot be chosen here"),
            "a property that Groundwire does not set itself",
            *remedy,
        );
    }
    for name in kafka.properties.keys().filter(|name| secret_like(name) || *name == "ssl.key.pem") {
        let path = format!("source.kafka.properties.\"{name}\"");
        let message = format!("{name} would put a secret into the configuration");
        let remedy = "use username with password_file or password_env, or certificate_file with certificate_key_file";
        reader.report(&path, Mistake, message, "no secrets in the configuration", remedy);
    }
    kafka_security(kafka, reader);
}

fn kafka_security(kafka: &Kafka, reader: &mut Reader<'_>) {
    let sasl = matches!(kafka.protocol, Protocol::SaslPlaintext | Protocol::SaslSsl);
    let with_password = matches!(kafka.mechanism, Some(Mechanism::Plain | Mechanism::ScramSha256 | Mechanism::ScramSha512));
    let has_password = kafka.password_file.is_some() || kafka.password_env.is_some();
    if sasl && kafka.mechanism.is_none() {
        let message = format!("source.kafka.protocol is {:?}, but there is no mechanism", kafka.protocol.as_str());
        let remedy = "set mechanism, or protocol = \"ssl\" if the brokers do not authenticate clients";
        reader.report("source.kafka.protocol", Mistake, message, "a mechanism such as \"PLAIN\" or \"SCRAM-SHA-512\"", remedy);
    }
    if let (false, Some(mechanism)) = (sasl, kafka.mechanism) {
        let message = format!(
            "source.kafka.mechanism is {:?}, but protocol {:?} does not authenticate",
            mechanism.as_str(),
            kafka.protocol.as_str()
        );
        reader.report(
            "source.kafka.mechanism",
            Mistake,
            message,
            "protocol \"sasl_ssl\" or \"sasl_plaintext\"",
            "set protocol = \"sasl_ssl\"",
        );
    }
    if sasl && with_password && kafka.username.is_none() {
        let message = "source.kafka.username is missing";
        reader.report("source.kafka.username", Mistake, message, "the user that the mechanism authenticates", "add username");
    }
    if sasl && with_password && !has_password {
        let message = "source.kafka has no password";
        reader.report(
            "source.kafka.password_file",
            Mistake,
            message,
            "password_file or password_env",
            "name the file or variable that holds it",
        );
    }
    both("source.kafka", kafka.password_file.is_some(), kafka.password_env.is_some(), reader);
    if kafka.certificate_file.is_some() != kafka.certificate_key_file.is_some() {
        let message = "source.kafka needs certificate_file and certificate_key_file together";
        reader.report("source.kafka.certificate_file", Mistake, message, "both or neither", "add the other one");
    }
}

fn both(section: &str, file: bool, env: bool, reader: &mut Reader<'_>) {
    if file && env {
        let path = format!("{section}.password_env");
        let message = format!("{section} has both password_file and password_env");
        reader.report(&path, Mistake, message, "one of them", "remove the one that is not used");
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !host.contains('/')
            && !host.contains(char::is_whitespace)
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn url(path: &str, text: &str, reader: &mut Reader<'_>) {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if host.contains('@') {
        // The path is one that hides its value.
        let message = format!("{path} holds credentials");
        reader.report(
            &format!("{path}.credential"),
            Mistake,
            message,
            "a URL without user and password",
            "give them in OTEL_EXPORTER_OTLP_HEADERS",
        );
    } else if host.is_empty() || host.contains(char::is_whitespace) {
        let message = format!("{path} is {text:?}");
        reader.report(path, Mistake, message, "a URL such as \"http://127.0.0.1:4318\"", "correct the URL");
    }
}

fn lake(config: &Config, reader: &mut Reader<'_>) {
    for name in config.lake.options.keys().filter(|name| secret_like(name)) {
        let path = format!("lake.options.{name}");
        let message = format!("{path} would put a secret into the configuration");
        let remedy = format!("remove it and set the environment variable {}", name.to_ascii_uppercase());
        reader.report(&path, Mistake, message, "no secrets in the configuration", remedy);
    }
}

fn privacy(config: &Config, reader: &mut Reader<'_>) {
    for (name, pattern) in &config.privacy.patterns {
        let path = format!("privacy.patterns.{name}");
        if name.is_empty() || name.len() > 32 || !name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
            let message = format!("{path}: the name stands in the text as a placeholder");
            let expected = "at most 32 upper-case letters, digits and _, for example EMPLOYEE_ID";
            reader.report(&path, Mistake, message, expected, "rename the pattern");
        }
        match regex::RegexBuilder::new(pattern).size_limit(1 << 20).build() {
            Err(error) => {
                let reason = error.to_string().lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
                let message = format!("{path} is not a regular expression: {reason}");
                reader.report(
                    &path,
                    Mistake,
                    message,
                    "a regular expression, best in '…' so that \\ stays as it is",
                    "correct the pattern",
                );
            }
            Ok(expression) if expression.is_match("") => {
                let message = format!("{path} matches the empty text");
                reader.report(
                    &path,
                    Mistake,
                    message,
                    "a pattern that matches at least one character",
                    "replace * by +, or be more specific",
                );
            }
            Ok(_) => {}
        }
    }
}

fn feedback(registry: &BTreeMap<String, FeedbackName>, reader: &mut Reader<'_>) {
    for (name, entry) in registry {
        let path = format!("feedback.registry.{name}");
        if entry.lowest >= entry.highest {
            let message = format!("{path}: lowest ({}) is not below highest ({})", entry.lowest, entry.highest);
            reader.report(
                &path,
                Mistake,
                message,
                "lowest < highest",
                "correct the range; better = \"lower\" says that small is good",
            );
        } else if entry.positive_from < entry.lowest || entry.highest < entry.positive_from {
            let good_end = if entry.better == Better::Higher { entry.highest } else { entry.lowest };
            let message = format!("{path}: positive_from ({}) lies outside the range", entry.positive_from);
            let expected = format!("from {} to {}", entry.lowest, entry.highest);
            reader.report(&path, Mistake, message, expected, format!("set positive_from, for example to {good_end}"));
        }
    }
}

fn mail(mail: &Mail, reader: &mut Reader<'_>) {
    let to = &mail.recipients;
    for (path, address) in [("page", &to.page), ("ticket", &to.ticket), ("info", &to.info)]
        .into_iter()
        .flat_map(|(severity, list)| list.iter().enumerate().map(move |(n, a)| (format!("mail.recipients.{severity}[{n}]"), a)))
        .chain([("mail.from".to_owned(), &mail.from)])
    {
        if address.parse::<lettre::Address>().is_err() && address.parse::<lettre::message::Mailbox>().is_err() {
            let message = format!("{path} is {address:?}");
            reader.report(&path, Mistake, message, "a mail address such as \"oncall@example.com\"", "correct the address");
        }
    }
    if mail.host.is_some() && mail.directory.is_some() {
        let message = "mail has both host and directory";
        reader.report("mail.directory", Mistake, message, "one of them", "remove directory to send mail, or host to write files");
    }
    let recipients = to.page.len() + to.ticket.len() + to.info.len();
    let set_up = mail.host.is_some() || mail.directory.is_some();
    if mail.host.is_some() && recipients == 0 {
        let message = "mail.recipients is empty";
        reader.report(
            "mail.recipients",
            Mistake,
            message,
            "at least one address",
            "add [mail.recipients] with page = [\"oncall@example.com\"]",
        );
    }
    if !set_up && recipients > 0 {
        let message = "mail.recipients are given, but neither host nor directory";
        reader.report("mail.recipients", Mistake, message, "mail.host or mail.directory", "name the mail server");
    }
    if !set_up && recipients == 0 {
        let message = "no mail is set up: alerts are only written to the table alert_events";
        reader.report(
            "mail",
            Warning,
            message,
            "mail.host and mail.recipients, or mail.directory",
            "add them if somebody shall be told",
        );
    }
    let has_password = mail.password_file.is_some() || mail.password_env.is_some();
    if mail.username.is_some() != has_password {
        let message = "mail needs username and a password together";
        reader.report(
            "mail.username",
            Mistake,
            message,
            "username with password_file or password_env, or neither",
            "add the other one",
        );
    }
    both("mail", mail.password_file.is_some(), mail.password_env.is_some(), reader);
    let unusual = match mail.tls {
        MailTls::Starttls => 465,
        MailTls::Implicit => 587,
    };
    if mail.port == Some(unusual) {
        let message = format!("mail.port {unusual} is unusual with tls = {:?}", mail.tls.as_str());
        reader.report("mail.port", Warning, message, "587 with \"starttls\", 465 with \"implicit\"", "check with the provider");
    }
    if let Some(runbooks) = &mail.runbook_url {
        url("mail.runbook_url", runbooks, reader);
    }
}

/// The names of feedback that are known without being configured.
pub(super) fn known_feedback() -> [(&'static str, FeedbackName); 3] {
    let name = |highest, lowest, positive_from| FeedbackName { lowest, highest, better: Better::Higher, positive_from };
    [("thumbs", name(1.0, 0.0, 1.0)), ("rating", name(5.0, 1.0, 4.0)), ("resolved", name(1.0, 0.0, 1.0))]
}

/// Whether any topic keeps texts.
pub(super) fn keeps_texts(config: &Config) -> bool {
    config.source.topics.values().any(|topic| topic.text != TextStorage::None)
}
