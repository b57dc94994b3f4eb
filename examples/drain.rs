//! The least that any consumer of gateway logs must do: read a topic to its end and let `serde_json` parse each record into
//! a struct with the fields of [`groundwire::event::GatewayLog`], borrowing what can be borrowed. The benchmark measures the
//! service against it (`make bench`).
//!
//! It has the service's librdkafka settings. It checks nothing, keeps nothing and writes nothing. The third argument changes
//! what is done with a record: `receive` nothing, `decode` what the service's decoder does.

#![expect(dead_code, reason = "the cost of reading the fields is what is measured")]

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use groundwire::decode::{self, Limits};
use groundwire::event::Input;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Str<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Log<'a> {
    #[serde(borrow)]
    event_time: Option<Str<'a>>,
    #[serde(borrow)]
    request_id: Option<Str<'a>>,
    #[serde(borrow)]
    trace_id: Option<Str<'a>>,
    #[serde(borrow)]
    span_id: Option<Str<'a>>,
    #[serde(borrow)]
    response_id: Option<Str<'a>>,
    #[serde(borrow)]
    conversation_id: Option<Str<'a>>,
    #[serde(borrow)]
    tenant: Option<Str<'a>>,
    #[serde(borrow)]
    app: Option<Str<'a>>,
    #[serde(borrow)]
    route: Option<Str<'a>>,
    #[serde(borrow)]
    user_id: Option<Str<'a>>,
    #[serde(borrow)]
    environment: Option<Str<'a>>,
    #[serde(borrow)]
    gateway: Option<Str<'a>>,
    #[serde(borrow)]
    provider: Option<Str<'a>>,
    #[serde(borrow)]
    deployment: Option<Str<'a>>,
    #[serde(borrow)]
    request_model: Option<Str<'a>>,
    #[serde(borrow)]
    response_model: Option<Str<'a>>,
    #[serde(borrow)]
    operation: Option<Str<'a>>,
    #[serde(borrow)]
    prompt_version: Option<Str<'a>>,
    #[serde(borrow)]
    variant: Option<Str<'a>>,
    #[serde(borrow)]
    index: Option<Str<'a>>,
    #[serde(borrow)]
    status: Option<Str<'a>>,
    http_status: Option<i64>,
    #[serde(borrow)]
    error_type: Option<Str<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Str<'a>>,
    latency_ms: Option<f64>,
    time_to_first_token_ms: Option<f64>,
    #[serde(borrow)]
    usage: Option<Usage<'a>>,
    cost_usd: Option<f64>,
    quota: Option<Quota>,
    #[serde(borrow)]
    prompt: Option<Str<'a>>,
    #[serde(borrow)]
    response: Option<Str<'a>>,
    #[serde(borrow)]
    reference: Option<Str<'a>>,
    #[serde(borrow)]
    contexts: Option<Vec<Context<'a>>>,
    #[serde(borrow)]
    prediction: Option<Str<'a>>,
    #[serde(borrow)]
    label: Option<Str<'a>>,
    #[serde(borrow)]
    probability: Option<&'a RawValue>,
    #[serde(borrow)]
    safety: Option<Vec<Safety<'a>>>,
    #[serde(borrow)]
    embedding: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage<'a> {
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    #[serde(borrow)]
    source: Option<Str<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Quota {
    limit_tokens: Option<i64>,
    limit_requests: Option<i64>,
    remaining_tokens: Option<i64>,
    remaining_requests: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
    score: Option<f64>,
    #[serde(borrow)]
    source: Option<Str<'a>>,
    rank: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Safety<'a> {
    #[serde(borrow)]
    category: Option<Str<'a>>,
    #[serde(borrow)]
    severity: Option<Str<'a>>,
    filtered: Option<bool>,
    detected: Option<bool>,
    #[serde(borrow)]
    stage: Option<Str<'a>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (brokers, topic, mode) = match &arguments[..] {
        [brokers, topic] => (brokers, topic, "parse"),
        [brokers, topic, mode] if ["receive", "parse", "decode"].contains(&mode.as_str()) => (brokers, topic, mode.as_str()),
        _ => return Err("usage: drain BROKERS TOPIC [receive|parse|decode]".into()),
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "groundwire-bench-drain")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "2")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "16384")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30))?;
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    let mut open = list.count();
    consumer.assign(&list)?;

    let limits = Limits::default();
    let (mut records, mut events, mut bytes) = (0_u64, 0_u64, 0_u64);
    while open > 0 {
        match consumer.poll(Duration::from_secs(30)) {
            Some(Ok(message)) => {
                let value = message.payload().unwrap_or_default();
                records += 1;
                bytes += u64::try_from(value.len())?;
                events += u64::from(match mode {
                    "parse" => serde_json::from_slice::<Log<'_>>(value).is_ok_and(|event| event.request_id.is_some()),
                    "decode" => decode::decode(value, Some(Input::Gateway), &limits).is_ok(),
                    _ => false,
                });
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.into()),
            None => return Err("no record for 30 s".into()),
        }
    }
    writeln!(io::stdout(), "{records} records, {events} events, {bytes} bytes")?;
    Ok(())
}
