//! Sends refused records, as they came, to a topic of their own.
//!
//! Headers say where a record came from and why it was refused; its own headers follow under `groundwire.original.`. A value
//! beyond the limit is cut to its first 64 KiB and marked. [`DeadLetters::flush`] succeeds only when the brokers have
//! everything sent since the last flush, so that the log's entry can wait for it. At least once: who reads the topic
//! recognises repeats by topic, partition and offset.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use sha2::{Digest, Sha256};

use super::Error;
use crate::event::{Reason, Record, Records};

/// Where refused records go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Properties of librdkafka: addresses, security, and whatever else is wished.
    pub client: Vec<(String, String)>,
    /// The topic.
    pub topic: String,
    /// Longest value that is sent whole.
    pub max_bytes: usize,
    /// Longest time that sending may wait for room in the client's queue.
    pub send_wait: Duration,
}

impl Settings {
    /// Settings for a cluster and a topic, everything else as usual.
    #[must_use]
    pub fn new(client: Vec<(String, String)>, topic: String) -> Self {
        Self { client, topic, max_bytes: 900_000, send_wait: Duration::from_secs(10) }
    }
}

/// Bytes of a value beyond the limit that are sent.
const CUT_BYTES: usize = 64 << 10;

/// Steps in which the client's queue is served while waiting for room.
const STEP: Duration = Duration::from_millis(20);

/// Sends refused records.
pub struct DeadLetters {
    settings: Settings,
    producer: BaseProducer<Deliveries>,
}

/// Counts what was not delivered.
#[derive(Default)]
struct Deliveries {
    failed: AtomicU64,
    denied: AtomicU64,
    unknown: AtomicU64,
}

impl ClientContext for Deliveries {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "Kafka producer: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka producer");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if let Err((error, _)) = result {
            let counter = match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::TopicAuthorizationFailed) => &self.denied,
                Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => &self.unknown,
                _ => &self.failed,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl DeadLetters {
    /// A producer for the topic. Returns before the brokers were reached.
    ///
    /// # Errors
    /// [`Error::Settings`] if the client does not accept its properties.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let mut config = ClientConfig::new();
        config
            .set("client.id", "groundwire")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "30000")
            .set("enable.idempotence", "true");
        for (name, value) in &settings.client {
            config.set(name, value);
        }
        // Headers and the record's frame come on top of the value.
        let largest = settings.max_bytes.saturating_add(100_000).to_string();
        config.set("acks", "all").set("message.max.bytes", largest);
        let producer =
            config.create_with_context(Deliveries::default()).map_err(|error| Error::Settings { cause: error.to_string() })?;
        Ok(Self { settings, producer })
    }

    /// Hands a record to the client. `detail` must be redacted.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if the client's queue stays full, [`Error::Client`] if it refuses the record.
    pub fn send(&self, records: &Records, record: &Record, reason: Reason, detail: &str) -> Result<(), Error> {
        let value = record.value.as_ref().map(|_| records.value(record));
        let whole = records.cut(record);
        let (length, hash) = match (whole, value) {
            (Some(cut), _) => (cut.length, cut.sha256),
            (None, value) => (value.unwrap_or_default().len() as u64, Sha256::digest(value.unwrap_or_default()).into()),
        };
        let cut = whole.is_some() || length > self.settings.max_bytes as u64;
        let payload = if cut { value.map(|value| value.get(..CUT_BYTES).unwrap_or(value)) } else { value };
        let origin = records.partitions.get(record.partition as usize);
        let own = [
            ("topic", origin.map(|id| id.topic.to_string())),
            ("partition", origin.map(|id| id.partition.to_string())),
            ("offset", Some(record.offset.to_string())),
            ("timestamp", record.time.map(|time| time.to_string())),
            ("reason", Some(reason.as_str().to_owned())),
            ("detail", Some(detail.to_owned())),
            ("length", Some(length.to_string())),
            ("sha256", Some(hex(&hash))),
            ("truncated", Some(cut.to_string())),
        ];
        let headers = headers(&own, records.headers(record));
        let mut message = BaseRecord::to(&self.settings.topic).headers(headers);
        message.key = records.key(record);
        message.payload = payload;
        let mut waited = Duration::ZERO;
        loop {
            match self.producer.send(message) {
                Ok(()) => {
                    self.producer.poll(Duration::ZERO);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if waited < self.settings.send_wait => {
                    message = back;
                    waited += STEP;
                    self.producer.poll(STEP);
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    return Err(self.unreachable("the queue of dead letters stays full"));
                }
                Err((error, _)) => return Err(Error::Client { cause: format!("a dead letter was refused: {error}") }),
            }
        }
    }

    /// Waits until the brokers have everything sent.
    ///
    /// # Errors
    /// If they do not have it in time, or refused some of it since the last flush.
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let flushed = self.producer.flush(deadline);
        let context = self.producer.context();
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let (failed, denied, unknown) = (take(&context.failed), take(&context.denied), take(&context.unknown));
        let topic = &self.settings.topic;
        if denied > 0 {
            return Err(Error::Denied {
                what: format!("writing topic `{topic}`"),
                remedy: format!("WRITE and DESCRIBE on topic `{topic}`"),
            });
        }
        if unknown > 0 {
            return Err(Error::UnknownTopic { topic: topic.clone() });
        }
        if failed > 0 {
            return Err(self.unreachable(&format!("{failed} dead letters were not delivered to `{topic}`")));
        }
        flushed.map_err(|error| self.unreachable(&format!("dead letters are not delivered to `{topic}`: {error}")))
    }

    fn unreachable(&self, cause: &str) -> Error {
        let brokers = self.settings.client.iter().find(|(name, _)| name == "bootstrap.servers");
        Error::Unreachable { brokers: brokers.map(|(_, value)| value.clone()).unwrap_or_default(), cause: cause.to_owned() }
    }
}

fn headers(own: &[(&str, Option<String>)], original: &[crate::event::Header]) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(own.len() + original.len());
    for (name, value) in own {
        if let Some(value) = value {
            headers = headers.insert(Header { key: &format!("groundwire.{name}"), value: Some(value) });
        }
    }
    for header in original {
        let key = format!("groundwire.original.{}", header.key);
        headers = headers.insert(Header { key: &key, value: header.value.as_deref() });
    }
    headers
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
