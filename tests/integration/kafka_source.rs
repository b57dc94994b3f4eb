//! The Kafka source and the dead letters against a real broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use groundwire::event::{Reason, Records, TopicPartition};
use groundwire::log::InputHealth;
use groundwire::source::dead_letter::{self, DeadLetters};
use groundwire::source::kafka::{KafkaSource, Settings};
use groundwire::source::{Error, OnLoss, Polled, Source, Start};
use rdkafka::config::ClientConfig;
use sha2::{Digest, Sha256};

use crate::support::kafka::{Broker, PASSWORD, Record, USER};
use crate::support::wait;

const WAIT: Duration = Duration::from_millis(100);

/// Ends that a log would hold.
type Ends = Arc<Mutex<BTreeMap<TopicPartition, i64>>>;

fn properties(client: &ClientConfig) -> Vec<(String, String)> {
    // The map itself hides passwords.
    let names = client.config_map().into_keys();
    names.filter_map(|name| Some((name.to_owned(), client.get(name)?.to_owned()))).collect()
}

/// A source whose positions come from `ends`.
fn source(client: &ClientConfig, group: &str, topic: &str, ends: &Ends, change: impl FnOnce(&mut Settings)) -> KafkaSource {
    let mut settings = Settings::new(properties(client), group.to_owned(), vec![topic.to_owned()]);
    change(&mut settings);
    let ends = ends.clone();
    let positions = move |ids: &[TopicPartition]| {
        let ends = ends.lock().expect("no panic while locked");
        ids.iter().map(|id| ends.get(id).copied()).collect()
    };
    KafkaSource::new(settings, Box::new(positions), Box::new(|_, _| {})).expect("valid settings")
}

/// What a source told so far.
#[derive(Debug, Default)]
struct Told {
    /// Values by partition and offset.
    records: BTreeMap<(i32, i64), String>,
    assigned: BTreeMap<i32, i64>,
    lost: Vec<(i64, i64)>,
    state: BTreeMap<i32, InputHealth>,
    revoked: usize,
    errors: Vec<Error>,
}

impl Told {
    /// Takes one poll in; every record must be new and of an assigned partition.
    fn poll(&mut self, source: &mut KafkaSource, ends: &Ends) {
        match source.poll(WAIT) {
            Ok(Polled::Records(records)) => {
                let mut ends = ends.lock().expect("no panic while locked");
                for record in &records.records {
                    let id = &records.partitions[record.partition as usize];
                    assert!(self.assigned.contains_key(&id.partition), "{id} is not assigned");
                    let value = String::from_utf8_lossy(records.value(record)).into_owned();
                    assert_eq!(self.records.insert((id.partition, record.offset), value), None, "{id} {} twice", record.offset);
                    ends.insert(id.clone(), record.next_offset);
                }
            }
            Ok(Polled::Assigned(assigned)) => self.assigned.extend(assigned.into_iter().map(|(id, at)| (id.partition, at))),
            Ok(Polled::Revoked(revoked)) => {
                self.revoked += revoked.len();
                self.assigned.retain(|partition, _| revoked.iter().all(|id| id.partition != *partition));
                self.state.retain(|partition, _| revoked.iter().all(|id| id.partition != *partition));
            }
            Ok(Polled::Lost(lost)) => self.lost.extend(lost.into_iter().map(|lost| (lost.from, lost.to))),
            Ok(Polled::State(state)) => self.state.extend(state.into_iter().map(|(id, health)| (id.partition, health))),
            Ok(Polled::Idle) => {}
            Err(error) => self.errors.push(error),
        }
    }

    fn until(&mut self, what: &str, source: &mut KafkaSource, ends: &Ends, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + wait::LIMIT;
        while !done(self) {
            assert!(Instant::now() < deadline, "waited in vain for {what}: {self:?}");
            self.poll(source, ends);
        }
    }
}

fn numbers(range: std::ops::Range<u32>, partitions: i32) -> Vec<Record> {
    let to = |n: u32| i32::try_from(n).expect("small") % partitions;
    range.map(|n| Record::value(n.to_string()).to(to(n))).collect()
}

#[test]
fn reading_starts_at_the_logs_positions_and_never_at_the_groups() {
    let broker = Broker::shared();
    let topic = Broker::topic("resume");
    broker.create_topic(&topic, 3, &[]);
    broker.produce(&topic, numbers(0..300, 3));
    let ends = Ends::default();

    let mut first = source(&broker.client(), &topic, &topic, &ends, |_| {});
    let mut told = Told::default();
    told.until("300 records", &mut first, &ends, |told| told.records.len() == 300);
    assert_eq!(told.assigned, BTreeMap::from([(0, 0), (1, 0), (2, 0)]));
    told.until("all ends", &mut first, &ends, |told| told.state.len() == 3 && told.state.values().all(|state| state.caught_up));
    assert_eq!(told.state[&0], InputHealth { end: Some(100), lag: Some(0), caught_up: true });
    let all: Vec<(TopicPartition, i64)> = ends.lock().expect("ours").clone().into_iter().collect();
    first.acknowledge(&all);
    wait::until("the commit for lag tools", || {
        told.poll(&mut first, &ends);
        (broker.committed(&topic, &topic) == [Some(100); 3]).then_some(())
    });
    first.close();

    // The log knows less than the group: it is right.
    ends.lock().expect("ours").insert(TopicPartition { topic: topic.as_str().into(), partition: 1 }, 40);
    let mut second = source(&broker.client(), &topic, &topic, &ends, |_| {});
    let mut told = Told::default();
    told.until("60 records again", &mut second, &ends, |told| told.records.len() == 60);
    assert_eq!(told.assigned, BTreeMap::from([(0, 100), (1, 40), (2, 100)]));
    assert!(told.records.keys().all(|(partition, offset)| (*partition, *offset) >= (1, 40)));
    second.close();
}

#[test]
fn a_partition_that_the_log_does_not_know_starts_where_the_settings_say() {
    let broker = Broker::shared();
    let topic = Broker::topic("start");
    broker.create_topic(&topic, 1, &[]);
    broker.produce(&topic, numbers(0..5, 1));
    let ends = Ends::default();
    let mut source = source(&broker.client(), &topic, &topic, &ends, |settings| settings.start = Start::End);
    let mut told = Told::default();
    told.until("the assignment", &mut source, &ends, |told| !told.assigned.is_empty());
    assert_eq!(told.assigned[&0], 5);
    broker.produce(&topic, [Record::value("new").keyed("k").at(1_777_000_000_000).header("h", "v")]);
    let records = loop {
        if let Polled::Records(records) = source.poll(WAIT).expect("polls") {
            break records;
        }
    };
    let record = &records.records[0];
    assert_eq!((records.value(record), records.key(record)), (&b"new"[..], Some(&b"k"[..])));
    assert_eq!((record.offset, record.time.map(|time| time.0)), (5, Some(1_777_000_000_000_000)));
    assert_eq!(records.headers(record)[0].key, "h");
    source.close();
}

#[test]
fn two_members_share_the_partitions_and_neither_reads_what_it_lost() {
    let broker = Broker::shared();
    let topic = Broker::topic("share");
    broker.create_topic(&topic, 4, &[]);
    broker.produce(&topic, numbers(0..400, 4));
    let ends = Ends::default();
    let mut one = source(&broker.client(), &topic, &topic, &ends, |_| {});
    let mut told_one = Told::default();
    told_one.until("everything", &mut one, &ends, |told| told.records.len() == 400);

    let mut two = source(&broker.client(), &topic, &topic, &ends, |_| {});
    let mut told_two = Told::default();
    wait::until("two partitions each", || {
        told_one.poll(&mut one, &ends);
        told_two.poll(&mut two, &ends);
        (told_one.assigned.len() == 2 && told_two.assigned.len() == 2).then_some(())
    });
    assert_eq!(told_one.revoked, 2);
    assert!(told_two.assigned.values().all(|position| *position == 100), "the second goes on where the log stands");

    broker.produce(&topic, numbers(400..800, 4));
    wait::until("the rest", || {
        told_one.poll(&mut one, &ends);
        told_two.poll(&mut two, &ends);
        (told_one.records.len() + told_two.records.len() == 800).then_some(())
    });

    two.close();
    told_one.until("the partitions to come back", &mut one, &ends, |told| told.assigned.len() == 4);
    broker.grow_topic(&topic, 5);
    broker.produce(&topic, [Record::value("added").to(4)]);
    let mut faster = broker.client();
    faster.set("topic.metadata.refresh.interval.ms", "500");
    let mut three = source(&faster, &topic, &topic, &ends, |_| {});
    let mut told_three = Told::default();
    wait::until("the added partition", || {
        told_one.poll(&mut one, &ends);
        told_three.poll(&mut three, &ends);
        let read = |told: &Told| told.records.contains_key(&(4, 0));
        (read(&told_one) || read(&told_three)).then_some(())
    });
    let seen: BTreeSet<&String> = told_one.records.values().chain(told_two.records.values()).collect();
    assert!(seen.len() >= 800);
    one.close();
    three.close();
}

#[test]
fn positions_that_retention_took_are_lost_and_the_settings_say_what_then() {
    let broker = Broker::shared();
    for policy in [OnLoss::Stop, OnLoss::Continue] {
        let topic = Broker::topic("retention");
        broker.create_topic(&topic, 1, &[]);
        broker.produce(&topic, numbers(0..100, 1));
        broker.delete_records(&topic, 0, 60);
        let id = TopicPartition { topic: topic.as_str().into(), partition: 0 };
        let ends: Ends = Arc::new(Mutex::new(BTreeMap::from([(id, 10)])));
        let mut source = source(&broker.client(), &topic, &topic, &ends, |settings| settings.on_loss = policy);
        let mut told = Told::default();
        match policy {
            OnLoss::Stop => {
                told.until("the error", &mut source, &ends, |told| !told.errors.is_empty());
                let Error::Lost(lost) = &told.errors[0] else { panic!("{:?}", told.errors) };
                assert_eq!((lost[0].from, lost[0].to, told.records.len()), (10, 60, 0));
                assert!(!told.errors[0].retry());
            }
            OnLoss::Continue => {
                told.until("the rest", &mut source, &ends, |told| told.records.len() == 40);
                assert_eq!(told.lost, [(10, 60)]);
                told.until("the end", &mut source, &ends, |told| told.state.get(&0).is_some_and(|state| state.caught_up));
            }
        }
        source.close();
    }
}

#[test]
fn a_topic_made_anew_is_lost_input_that_goes_on_at_its_start() {
    let broker = Broker::shared();
    let topic = Broker::topic("anew");
    broker.create_topic(&topic, 1, &[]);
    broker.produce(&topic, numbers(0..3, 1));
    let id = TopicPartition { topic: topic.as_str().into(), partition: 0 };
    let ends: Ends = Arc::new(Mutex::new(BTreeMap::from([(id, 50)])));
    let mut source = source(&broker.client(), &topic, &topic, &ends, |settings| settings.on_loss = OnLoss::Continue);
    let mut told = Told::default();
    told.until("the records", &mut source, &ends, |told| told.records.len() == 3);
    assert_eq!(told.lost, [(50, 0)]);
    source.close();
}

#[test]
fn paused_partitions_wait_and_go_on_without_gap_or_repeat() {
    let broker = Broker::shared();
    let topic = Broker::topic("pause");
    broker.create_topic(&topic, 2, &[]);
    broker.produce(&topic, numbers(0..1_000, 2));
    let ends = Ends::default();
    let mut source = source(&broker.client(), &topic, &topic, &ends, |settings| settings.batch_records = 10);
    let mut told = Told::default();
    told.until("some records", &mut source, &ends, |told| told.records.len() >= 50);
    let zero = [TopicPartition { topic: topic.as_str().into(), partition: 0 }];
    source.pause(&zero).expect("pauses");
    let count = |told: &Told| told.records.keys().filter(|(partition, _)| *partition == 0).count();
    let before = count(&told);
    told.until("the other partition", &mut source, &ends, |told| told.records.len() - count(told) == 500);
    assert!(count(&told) <= before + 10, "a paused partition goes on");
    // Resuming what is not paused must change nothing.
    source.resume(&[TopicPartition { topic: topic.as_str().into(), partition: 1 }]).expect("nothing to do");
    source.resume(&zero).expect("resumes");
    told.until("the rest", &mut source, &ends, |told| told.records.len() == 1_000);
    source.close();
}

#[test]
fn a_value_beyond_the_limit_is_cut_with_its_length_and_hash() {
    let broker = Broker::shared();
    let topic = Broker::topic("large");
    broker.create_topic(&topic, 1, &[]);
    let large = "x".repeat(200_000);
    broker.produce(&topic, [Record::value(large.as_str()), Record::default()]);
    let ends = Ends::default();
    let mut source = source(&broker.client(), &topic, &topic, &ends, |settings| settings.max_value_bytes = 1_000);
    let mut read = Vec::new();
    while read.len() < 2 {
        if let Polled::Records(records) = source.poll(WAIT).expect("polls") {
            read.extend(records.records.iter().map(|r| (records.value(r).len(), r.value.is_some(), records.cut(r))));
        }
    }
    let (length, _, cut) = read[0];
    let cut = cut.expect("cut");
    assert_eq!((length, cut.length), (1_001, 200_000));
    assert_eq!(cut.sha256, <[u8; 32]>::from(Sha256::digest(large.as_bytes())));
    assert_eq!(read[1], (0, false, None));
    source.close();
}

#[test]
fn dead_letters_carry_the_record_its_place_and_the_reason() {
    let broker = Broker::shared();
    let topic = Broker::topic("dead");
    broker.create_topic(&topic, 1, &[]);
    let mut settings = dead_letter::Settings::new(properties(&broker.client()), topic.clone());
    settings.max_bytes = 100_000;
    let letters = DeadLetters::new(settings).expect("valid settings");
    let mut records = Records::default();
    let values = ["{broken".to_owned(), "y".repeat(150_000)];
    for (offset, value) in values.iter().enumerate() {
        let partition = records.partition("gateway-logs", 3);
        let from = records.bytes.len();
        records.bytes.extend_from_slice(value.as_bytes());
        let offset = i64::try_from(offset).expect("small");
        records.headers.push(vec![groundwire::event::Header { key: "trace".to_owned(), value: Some(b"t1".to_vec()) }]);
        records.records.push(groundwire::event::Record {
            partition,
            offset,
            next_offset: offset + 1,
            time: None,
            key: None,
            value: Some(from..records.bytes.len()),
            headers: Some(0),
            cut: None,
        });
    }
    for record in &records.records {
        letters.send(&records, record, Reason::InvalidJson, "cut off").expect("sent");
    }
    letters.flush(wait::LIMIT).expect("delivered");

    let stored = broker.read_to_end(&topic);
    assert_eq!(stored[0].text(), "{broken");
    let header = |name: &str| stored[0].header(name);
    assert_eq!(header("groundwire.topic").as_deref(), Some("gateway-logs"));
    assert_eq!(header("groundwire.partition").as_deref(), Some("3"));
    assert_eq!(header("groundwire.offset").as_deref(), Some("0"));
    assert_eq!(header("groundwire.reason").as_deref(), Some("invalid_json"));
    assert_eq!(header("groundwire.detail").as_deref(), Some("cut off"));
    assert_eq!(header("groundwire.truncated").as_deref(), Some("false"));
    assert_eq!(header("groundwire.original.trace").as_deref(), Some("t1"));
    assert_eq!(stored[1].text().len(), 65_536);
    assert_eq!(stored[1].header("groundwire.truncated").as_deref(), Some("true"));
    assert_eq!(stored[1].header("groundwire.length").as_deref(), Some("150000"));
    let hash: String = Sha256::digest(values[1].as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(stored[1].header("groundwire.sha256"), Some(hash));
}

#[test]
fn trouble_with_brokers_topics_and_rights_is_named_with_its_remedy() {
    let broker = Broker::start();
    let topic = Broker::topic("rights");
    broker.create_topic(&topic, 1, &[]);
    broker.produce(&topic, [Record::value("x")]);
    let ends = Ends::default();
    let first_error = |client: &ClientConfig, topic: &str| {
        let mut source = source(client, "rights", topic, &ends, |_| {});
        let mut told = Told::default();
        told.until("an error", &mut source, &ends, |told| !told.errors.is_empty());
        source.close();
        told.errors.remove(0)
    };

    let missing = first_error(&broker.client(), "not-there");
    assert!(matches!(&missing, Error::UnknownTopic { topic } if topic == "not-there"), "{missing}");
    let wrong = first_error(&broker.sasl_client("PLAIN", USER, "wrong"), &topic);
    assert!(matches!(&wrong, Error::Authentication { .. }) && !wrong.retry(), "{wrong}");
    let mut nowhere = ClientConfig::new();
    nowhere.set("bootstrap.servers", "127.0.0.1:1");
    let unreachable = first_error(&nowhere, &topic);
    assert!(matches!(&unreachable, Error::Unreachable { .. }) && unreachable.retry(), "{unreachable}");

    for (mechanism, user) in [("PLAIN", USER), ("SCRAM-SHA-512", USER)] {
        let client = broker.sasl_client(mechanism, user, PASSWORD);
        let ends = Ends::default();
        let mut source = source(&client, &format!("rights-{mechanism}"), &topic, &ends, |_| {});
        let mut told = Told::default();
        told.until("a record over TLS", &mut source, &ends, |told| told.records.len() == 1);
        source.close();
    }

    broker.allow_only(&["Describe"], &topic);
    let denied = first_error(&broker.sasl_client("PLAIN", USER, PASSWORD), &topic);
    assert!(matches!(&denied, Error::Denied { .. }) && denied.to_string().contains(&topic), "{denied}");
    let letters =
        DeadLetters::new(dead_letter::Settings::new(properties(&broker.sasl_client("PLAIN", USER, PASSWORD)), topic.clone()));
    let letters = letters.expect("valid settings");
    let mut records = Records::default();
    let partition = records.partition("t", 0);
    let (offset, next_offset) = (0, 1);
    let (key, value, headers) = (None, None, None);
    records.records.push(groundwire::event::Record { partition, offset, next_offset, time: None, key, value, headers, cut: None });
    letters.send(&records, &records.records[0], Reason::UnknownFormat, "").expect("queued");
    assert!(matches!(letters.flush(wait::LIMIT), Err(Error::Denied { .. })));
}

#[test]
fn a_broker_that_dies_and_comes_back_costs_nothing_but_time() {
    let mut broker = Broker::start();
    let topic = Broker::topic("killed");
    broker.create_topic(&topic, 2, &[]);
    broker.produce(&topic, numbers(0..500, 2));
    let ends = Ends::default();
    let mut source = source(&broker.client(), &topic, &topic, &ends, |_| {});
    let mut told = Told::default();
    told.until("the first half", &mut source, &ends, |told| told.records.len() == 500);
    broker.kill();
    for _ in 0..20 {
        told.poll(&mut source, &ends);
    }
    broker.restart();
    broker.produce(&topic, numbers(500..1_000, 2));
    told.until("the second half", &mut source, &ends, |told| told.records.len() == 1_000);
    assert!(told.errors.is_empty(), "{:?}", told.errors);
    source.close();
}
