//! The probes of Kafka: brokers, topics, rights.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::probe::{PATIENCE, Probe, Problem};
use crate::config::{Config, Secrets, SourceKind};

/// Remembers what librdkafka reports on the side: its calls themselves only say "timed out".
#[derive(Clone, Default)]
struct Listening(Arc<Mutex<Vec<Heard>>>);

/// What was reported: code and reason.
type Heard = (Option<RDKafkaErrorCode>, String);

impl ClientContext for Listening {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((error.rdkafka_error_code(), reason.to_owned()));
    }

    // The probe says itself what it finds.
    fn log(&self, _level: rdkafka::config::RDKafkaLogLevel, _facility: &str, _message: &str) {}
}

impl ConsumerContext for Listening {}

/// Tries the cluster, each topic and the group. Joins no group and takes no record.
pub(super) fn probe(config: &Config, secrets: &Secrets) -> Vec<Probe> {
    if config.source.kind != SourceKind::Kafka {
        return Vec::new();
    }
    let cluster = format!("Kafka {}", config.source.kafka.brokers.join(","));
    let heard = Listening::default();
    let mut client = ClientConfig::new();
    for (name, value) in config.kafka_client(secrets) {
        client.set(name, value);
    }
    client.set("group.id", &config.source.kafka.group).set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Listening> = match client.create_with_context(heard.clone()) {
        Ok(consumer) => consumer,
        Err(error) => {
            let remedy = "correct [source.kafka], in particular properties and the certificate files";
            return vec![Probe::new(cluster, Err(Problem::new(error.to_string(), remedy)))];
        }
    };
    let metadata = match first_answer(&consumer, &heard) {
        Ok(metadata) => metadata,
        Err(problem) => return vec![Probe::new(cluster, Err(problem))],
    };
    let brokers = metadata.brokers().len();
    let mut probes = vec![Probe::new(cluster, Ok(format!("connected, {brokers} broker{}", if brokers == 1 { "" } else { "s" })))];
    for topic in config.source.topics.keys() {
        probes.push(Probe::new(format!("topic {topic}"), probe_topic(&consumer, topic)));
    }
    if let Some(topic) = config.source.topics.keys().next() {
        probes.push(Probe::new(format!("group {}", config.source.kafka.group), probe_group(&consumer, topic)));
    }
    if config.dead_letter.enabled {
        let topic = &config.dead_letter.topic;
        let result = match partitions(&consumer, topic) {
            Err(problem) => Err(Problem::new(
                problem.message,
                format!("{}; it needs the right to write; or set [dead_letter] enabled = false", problem.remedy),
            )),
            Ok(partitions) => Ok(format!("{}; the right to write shows only when a record is refused", counted(partitions))),
        };
        probes.push(Probe::new(format!("dead-letter topic {topic}"), result));
    }
    probes
}

/// Asks for the cluster in short turns, to hear of a lasting obstacle before all patience is spent.
fn first_answer(consumer: &BaseConsumer<Listening>, heard: &Listening) -> Result<Metadata, Problem> {
    const TURN: Duration = Duration::from_secs(1);
    let mut turns = PATIENCE.as_secs();
    loop {
        let error = match consumer.fetch_metadata(None, TURN) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        // Errors wait in the queue that polling serves; no topic is subscribed, so no record can come. A call that failed at once
        // may be ahead of what it failed of: the rest of its turn is spent waiting for that.
        let timed_out = error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut);
        let mut rest = if timed_out { Duration::ZERO } else { TURN };
        while let Some(event) = consumer.poll(rest) {
            rest = Duration::ZERO;
            if let Err(error) = event {
                heard.error(error.clone(), &error.to_string());
            }
        }
        turns -= 1;
        let heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns == 0 || !heard.is_empty() {
            return Err(unreachable(&error, &heard));
        }
    }
}

/// Why nothing was heard from the cluster: what librdkafka said on the side, else the error itself.
fn unreachable(error: &KafkaError, heard: &[Heard]) -> Problem {
    let of = |code| heard.iter().find(|(found, _)| *found == Some(code)).map(|(_, reason)| reason.clone());
    if let Some(reason) = of(RDKafkaErrorCode::Authentication) {
        return Problem::new(
            format!("authentication failed: {reason}"),
            "check mechanism, username and the password; for Azure Event Hubs: protocol \"sasl_ssl\", mechanism \"PLAIN\", username \"$ConnectionString\"",
        );
    }
    if let Some(reason) = of(RDKafkaErrorCode::SSL) {
        return Problem::new(format!("TLS failed: {reason}"), "check ca_file, and that the brokers speak TLS on this port");
    }
    if let Some(reason) = of(RDKafkaErrorCode::Resolve) {
        return Problem::new(reason, "correct the names in [source.kafka] brokers");
    }
    let reason = heard.first().map_or_else(|| error.to_string(), |(_, reason)| reason.clone());
    Problem::new(reason, "check [source.kafka] brokers and protocol, the network, and that the brokers run")
}

fn partitions(consumer: &BaseConsumer<Listening>, topic: &str) -> Result<usize, Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::new(error.to_string(), "try again; check the brokers");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).map_err(|error| failed(&error))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Err(Problem::new("the brokers do not know it", "create the topic"));
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(found.partitions().len()),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Err(Problem::new(
            "it does not exist, or the right to see it (DESCRIBE) is missing",
            "create the topic or grant DESCRIBE on it",
        )),
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            Err(Problem::new("the rights are missing", "grant READ and DESCRIBE on the topic to the service's user"))
        }
        Some(code) => Err(failed(&KafkaError::MetadataFetch(code))),
    }
}

/// Existence, the right to see it, and the right to read it: a fetch at its end, which brings no record.
fn probe_topic(consumer: &BaseConsumer<Listening>, topic: &str) -> Result<String, Problem> {
    let count = partitions(consumer, topic)?;
    let refused = || Problem::new("the right to read is missing", "grant READ and DESCRIBE on the topic to the service's user");
    let (low, high) = consumer.fetch_watermarks(topic, 0, PATIENCE).map_err(|error| match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => refused(),
        _ => Problem::new(format!("cannot ask for the ends of partition 0: {error}"), "check that the partition has a leader"),
    })?;
    let unreadable =
        |error: &KafkaError| Problem::new(format!("cannot read partition 0: {error}"), "check that the partition has a leader");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(high)).map_err(|error| unreadable(&error))?;
    consumer.assign(&list).map_err(|error| unreadable(&error))?;
    let verdict = match consumer.poll(PATIENCE) {
        // A record that has come since, or the end: both were read.
        Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => {
            Ok(format!("{}, partition 0 holds offsets {low} to {high}", counted(count)))
        }
        Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(refused()),
        Some(Err(error)) => Err(unreadable(&error)),
        None => Err(Problem::new(
            format!("nothing was heard of partition 0 for {} s", PATIENCE.as_secs()),
            "check that it has a leader",
        )),
    };
    consumer.unassign().map_err(|error| unreadable(&error))?;
    verdict
}

fn counted(partitions: usize) -> String {
    if partitions == 1 { "1 partition".to_owned() } else { format!("{partitions} partitions") }
}

/// Asking for the group's offsets needs the right to read as this group.
fn probe_group(consumer: &BaseConsumer<Listening>, topic: &str) -> Result<String, Problem> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    match consumer.committed_offsets(list, PATIENCE) {
        Ok(offsets) => match offsets.elements().first().map(rdkafka::topic_partition_list::TopicPartitionListElem::error) {
            Some(Err(error)) => Err(group_problem(&error)),
            _ => Ok("may be used".to_owned()),
        },
        Err(error) => Err(group_problem(&error)),
    }
}

fn group_problem(error: &KafkaError) -> Problem {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
            Problem::new("the right to use the group is missing", "grant READ on the group to the service's user")
        }
        _ => Problem::new(format!("cannot ask for its offsets: {error}"), "check the brokers; the group's coordinator must answer"),
    }
}
