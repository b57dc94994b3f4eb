//! A real Apache Kafka broker: started by the test, on free ports, in a folder of its own.
//!
//! [`Broker::shared`] is one broker for all tests that leave it alone (each with topics of its own); it is the broker that
//! `GROUNDWIRE_TEST_BROKER` names, if that is set. A test that kills a broker calls [`Broker::start`].
//! Listeners: PLAINTEXT, and SASL_SSL with PLAIN and SCRAM-SHA-512. Helpers make topics, write records, and read a topic to
//! its end with a plain consumer that shares nothing with the service.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::tls::Identity;
use super::{guardian, wait};

/// The user of the SASL listener, for PLAIN and for SCRAM-SHA-512.
pub(crate) const USER: &str = "reader";
/// Its password.
pub(crate) const PASSWORD: &str = "reader-secret";
/// A second PLAIN user, named as Azure Event Hubs names the one it has.
pub(crate) const CONNECTION_STRING_USER: &str = "$ConnectionString";

/// A broker, ended and removed when dropped.
pub(crate) struct Broker {
    bootstrap: String,
    own: Option<Own>,
}

struct Own {
    dir: tempfile::TempDir,
    sasl_port: u16,
    authority: PathBuf,
    process: Option<Child>,
}

/// A record to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// A record with this value and nothing else.
    pub(crate) fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// The same record for one partition.
    pub(crate) fn to(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The same record with a key.
    pub(crate) fn keyed(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same record with the producer's time.
    pub(crate) fn at(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// The same record with one more header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A record as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: BTreeMap<String, Vec<u8>>,
}

impl Stored {
    /// The value as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

impl Broker {
    /// The broker that all gentle tests share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("GROUNDWIRE_TEST_BROKER") {
            Ok(bootstrap) => Self { bootstrap, own: None },
            Err(_) => Self::start(),
        })
    }

    /// A broker of the test's own, that it may kill.
    pub(crate) fn start() -> Self {
        let dir = super::scratch("kafka");
        let [port, sasl_port, controller_port] = [super::free_port(), super::free_port(), super::free_port()];
        let identity = Identity::new();
        let authority = identity.write_authority(dir.path());
        fs::write(dir.path().join("server.pem"), format!("{}{}", identity.key, identity.certificate)).expect("the folder is ours");
        let properties = properties(&dir.path().display().to_string(), port, sasl_port, controller_port);
        fs::write(dir.path().join("server.properties"), properties).expect("the folder is ours");
        let own = Own { dir, sasl_port, authority, process: None };
        let mut broker = Self { bootstrap: format!("127.0.0.1:{port}"), own: Some(own) };
        broker.launch();
        broker
    }

    /// `host:port` of the PLAINTEXT listener.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `host:port` of the SASL_SSL listener; only brokers started here have one.
    pub(crate) fn sasl_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.own().sasl_port)
    }

    /// The certificate of the authority that signed the SASL_SSL listener's, PEM.
    pub(crate) fn authority(&self) -> PathBuf {
        self.own().authority.clone()
    }

    /// Kills the broker as a power cut would: SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.own_mut().process.take() {
            process.kill().expect("the child is ours");
            process.wait().expect("the child is ours");
            guardian::ended(&process);
        }
    }

    /// Starts a killed broker again, on the same ports and data, and waits until it answers.
    pub(crate) fn restart(&mut self) {
        assert!(self.own().process.is_none(), "kill the broker first");
        self.launch();
    }

    /// A topic name that no other test uses.
    pub(crate) fn topic(purpose: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        format!("{purpose}.{}.{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a topic with settings such as `("retention.ms", "1000")` or `("message.timestamp.type", "LogAppendTime")`.
    pub(crate) fn create_topic(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            new = new.set(key, value);
        }
        let results = block_on(self.admin().create_topics([&new], &options())).expect("the broker answers");
        for result in results {
            result.expect("the topic is new");
        }
    }

    /// Removes a topic.
    pub(crate) fn delete_topic(&self, topic: &str) {
        let results = block_on(self.admin().delete_topics(&[topic], &options())).expect("the broker answers");
        for result in results {
            result.expect("the topic exists");
        }
        let consumer: BaseConsumer = self.client().create().expect("valid settings");
        wait::until("the topic to be gone", || {
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(5)).ok()?;
            metadata.topics().iter().all(|known| known.name() != topic).then_some(())
        });
    }

    /// Adds partitions until the topic has this many.
    pub(crate) fn grow_topic(&self, topic: &str, partitions: usize) {
        let results = block_on(self.admin().create_partitions([&NewPartitions::new(topic, partitions)], &options()))
            .expect("the broker answers");
        for result in results {
            result.expect("the topic has fewer partitions");
        }
    }

    /// Deletes the records of a partition before `offset`, as retention does.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a valid offset");
        block_on(self.admin().delete_records(&list, &options())).expect("the broker deletes");
    }

    /// From now on [`USER`] may do only these operations (Describe, Read, Write) on a topic. Without this it may do all.
    pub(crate) fn allow_only(&self, operations: &[&str], topic: &str) {
        let user = format!("User:{USER}");
        let output = Command::new(super::project().join("tests/kafka/broker"))
            .args(["tool", "org.apache.kafka.tools.AclCommand", "--bootstrap-server", &self.bootstrap, "--add"])
            .args(["--topic", topic, "--allow-principal", &user])
            .args(operations.iter().flat_map(|operation| ["--operation", operation]))
            .env("CARGO_TARGET_DIR", super::target())
            .output()
            .expect("tests/kafka/broker can be started");
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }

    /// Writes records and returns when the broker has them all.
    pub(crate) fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>) {
        produce(&self.client(), topic, records);
    }

    /// First and next offset of each partition.
    pub(crate) fn bounds(&self, topic: &str) -> Vec<(i64, i64)> {
        let consumer: BaseConsumer = self.client().create().expect("valid settings");
        partitions(&consumer, topic)
            .into_iter()
            .map(|partition| consumer.fetch_watermarks(topic, partition, wait::LIMIT).expect("the broker answers"))
            .collect()
    }

    /// The offsets that a group has committed, by partition; `None` where it has not.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("valid settings");
        let mut list = TopicPartitionList::new();
        for partition in partitions(&consumer, topic) {
            list.add_partition(topic, partition);
        }
        let offsets = consumer.committed_offsets(list, wait::LIMIT).expect("the broker answers");
        offsets
            .elements()
            .iter()
            .map(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
            .collect()
    }

    /// Reads all that a topic holds now, in order of partition and offset.
    pub(crate) fn read_to_end(&self, topic: &str) -> Vec<Stored> {
        read_to_end(&self.client(), topic)
    }

    /// Settings of a client of the PLAINTEXT listener.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Settings of a client of the SASL_SSL listener; `mechanism` is PLAIN or SCRAM-SHA-512.
    pub(crate) fn sasl_client(&self, mechanism: &str, user: &str, password: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.sasl_bootstrap())
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", user)
            .set("sasl.password", password)
            .set("ssl.ca.location", self.authority().display().to_string());
        config
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("only a broker that the test started has this")
    }

    fn own_mut(&mut self) -> &mut Own {
        self.own.as_mut().expect("only a broker that the test started can be killed")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("valid settings")
    }

    fn launch(&mut self) {
        let dir = self.own().dir.path();
        let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("broker.log")).expect("the folder is ours");
        let mut process = Command::new(super::project().join("tests/kafka/broker"))
            .arg("run")
            .arg(dir)
            .args(["--add-scram", &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]")])
            .env("CARGO_TARGET_DIR", super::target())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("files can be cloned"))
            .stderr(log)
            .spawn()
            .expect("tests/kafka/broker can be started");
        guardian::kill_at_end(&process);
        let consumer: BaseConsumer = self.client().create().expect("valid settings");
        // The first start on a machine fetches the jars.
        wait::within(Duration::from_mins(5), "the broker to answer", || {
            if let Some(status) = process.try_wait().expect("the child is ours") {
                let log = fs::read_to_string(dir.join("broker.log")).unwrap_or_default();
                panic!("the broker ended with {status}:\n{log}");
            }
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(1)).ok()?;
            (!metadata.brokers().is_empty()).then_some(())
        });
        self.own_mut().process = Some(process);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.own.is_some() {
            self.kill();
        }
    }
}

/// Writes records through a client with these settings and returns when the broker has them all.
pub(crate) fn produce(client: &ClientConfig, topic: &str, records: impl IntoIterator<Item = Record>) {
    let failures = try_produce(client, topic, records);
    assert!(failures.is_empty(), "records were not written: {failures:?}");
}

/// Writes records through a client with these settings and hands back the errors of those that the broker did not take.
pub(crate) fn try_produce(client: &ClientConfig, topic: &str, records: impl IntoIterator<Item = Record>) -> Vec<String> {
    let failures = Failures::default();
    let producer: BaseProducer<Failures> = client
        .clone()
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("message.max.bytes", "67108864")
        .create_with_context(failures.clone())
        .expect("valid settings");
    for record in records {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut message = BaseRecord::<[u8], [u8]>::to(topic).headers(headers);
        message.partition = record.partition;
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        message.timestamp = record.timestamp_ms;
        while let Err((error, unsent)) = producer.send(message) {
            assert_eq!(error.rdkafka_error_code(), Some(rdkafka::types::RDKafkaErrorCode::QueueFull), "{error}");
            producer.poll(Duration::from_millis(100));
            message = unsent;
        }
    }
    producer.flush(wait::LIMIT).expect("the broker answers");
    let failures = failures.0.lock().expect("the callback does not panic");
    failures.clone()
}

/// Reads all that a topic holds now through a client with these settings.
pub(crate) fn read_to_end(client: &ClientConfig, topic: &str) -> Vec<Stored> {
    let consumer: BaseConsumer = client
        .clone()
        .set("group.id", "groundwire-tests-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("valid settings");
    let mut open = partitions(&consumer, topic);
    let mut list = TopicPartitionList::new();
    for partition in &open {
        list.add_partition_offset(topic, *partition, Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&list).expect("the partitions exist");
    let mut records = Vec::new();
    while !open.is_empty() {
        match consumer.poll(wait::LIMIT) {
            Some(Ok(message)) => records.push(stored(&message)),
            Some(Err(KafkaError::PartitionEOF(ended))) => open.retain(|partition| *partition != ended),
            Some(Err(error)) => panic!("reading {topic}: {error}"),
            None => panic!("no end of {topic}, partitions {open:?}"),
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

fn stored(message: &impl Message) -> Stored {
    let headers = message
        .headers()
        .map(|headers| headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect());
    Stored {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

/// Partitions of a topic; waits for a topic that was just made.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Vec<i32> {
    wait::until("the topic to be known", || {
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(5)).ok()?;
        let known = metadata.topics().first().filter(|known| known.error().is_none() && !known.partitions().is_empty())?;
        let mut ids: Vec<i32> = known.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect();
        ids.sort_unstable();
        Some(ids)
    })
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(wait::LIMIT)).operation_timeout(Some(wait::LIMIT))
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made").block_on(future)
}

#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<String>>>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().expect("nobody panics while holding it").push(error.to_string());
        }
    }
}

fn properties(dir: &str, port: u16, sasl_port: u16, controller_port: u16) -> String {
    let mut text = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{sasl_port},CONTROLLER://127.0.0.1:{controller_port}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{sasl_port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={dir}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
log.retention.check.interval.ms=500
log.segment.delete.delay.ms=100
message.max.bytes=67108864
ssl.keystore.type=PEM
ssl.keystore.location={dir}/server.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
 user_{USER}=\"{PASSWORD}\" user_{CONNECTION_STRING_USER}=\"{PASSWORD}\";
"
    );
    // One broker: nothing is replicated, and few internal partitions start faster.
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        write!(text, "{topic}.replication.factor=1\n{topic}.num.partitions=1\n").expect("writing to a string");
    }
    text.push_str("transaction.state.log.min.isr=1\nshare.coordinator.state.topic.min.isr=1\n");
    text
}
