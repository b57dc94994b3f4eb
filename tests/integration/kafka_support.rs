//! The broker of the tests does what the tests rely on.

use rdkafka::consumer::{BaseConsumer, Consumer};
use std::time::Duration;

use crate::support::kafka::{self, Broker, PASSWORD, Record, USER};

#[test]
fn a_broker_gives_back_keys_headers_and_times_as_they_were_written() {
    let broker = Broker::shared();
    let topic = Broker::topic("round-trip");
    broker.create_topic(&topic, 2, &[("retention.ms", "-1")]);
    let at = 1_777_000_000_000;
    broker.produce(
        &topic,
        [
            Record::value("first").to(1).keyed("k").at(at).header("x", "y"),
            Record::value("second").to(1).at(at + 1),
            Record::default().to(0).keyed("tombstone").at(at + 2),
        ],
    );

    let read = broker.read_to_end(&topic);

    let seen: Vec<_> = read.iter().map(|r| (r.partition, r.offset, r.text(), r.timestamp_ms, r.header("x"))).collect();
    assert_eq!(
        seen,
        [
            (0, 0, String::new(), Some(at + 2), None),
            (1, 0, "first".to_owned(), Some(at), Some("y".to_owned())),
            (1, 1, "second".to_owned(), Some(at + 1), None),
        ]
    );
    assert_eq!((read[0].value.as_deref(), read[1].key.as_deref()), (None, Some(&b"k"[..])));
    assert_eq!(broker.bounds(&topic), [(0, 1), (0, 2)]);
}

#[test]
fn the_sasl_listener_wants_the_right_password_over_tls() {
    let broker = Broker::start();
    let topic = Broker::topic("sasl");
    broker.create_topic(&topic, 1, &[]);

    for (mechanism, user) in [("PLAIN", USER), ("SCRAM-SHA-512", USER), ("PLAIN", kafka::CONNECTION_STRING_USER)] {
        let client = broker.sasl_client(mechanism, user, PASSWORD);
        kafka::produce(&client, &topic, [Record::value(mechanism)]);
    }
    let client = broker.sasl_client("SCRAM-SHA-512", USER, PASSWORD);
    let values: Vec<_> = kafka::read_to_end(&client, &topic).iter().map(kafka::Stored::text).collect();
    assert_eq!(values, ["PLAIN", "SCRAM-SHA-512", "PLAIN"]);

    broker.allow_only(&["Describe", "Read"], &topic);
    let forbidden = broker.sasl_client("PLAIN", USER, PASSWORD);
    assert_eq!(kafka::try_produce(&forbidden, &topic, [Record::value("no")]).len(), 1);
    assert_eq!(kafka::read_to_end(&client, &topic).len(), 3, "reading is still allowed");

    let stranger: BaseConsumer = broker.sasl_client("PLAIN", USER, "wrong").create().expect("valid settings");
    assert!(stranger.fetch_metadata(None, Duration::from_secs(2)).is_err());
}

#[test]
fn a_killed_broker_comes_back_on_the_same_port_with_its_records_and_offsets() {
    let mut broker = Broker::start();
    let topic = Broker::topic("killed");
    broker.create_topic(&topic, 1, &[]);
    broker.produce(&topic, (0..1000).map(|n| Record::value(n.to_string())));
    let before = broker.bootstrap().to_owned();

    broker.kill();
    broker.restart();

    assert_eq!(broker.bootstrap(), before);
    let values: Vec<_> = broker.read_to_end(&topic).iter().map(kafka::Stored::text).collect();
    assert_eq!(values, (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
    broker.produce(&topic, [Record::value("after")]);
    assert_eq!(broker.bounds(&topic), [(0, 1001)]);
}

#[test]
fn deleted_records_topics_and_added_partitions_show_as_in_production() {
    let broker = Broker::shared();
    let topic = Broker::topic("retention");
    broker.create_topic(&topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    broker.produce(&topic, (0..10).map(|n| Record::value(n.to_string()).at(1)));
    assert!(broker.read_to_end(&topic)[0].timestamp_ms > Some(1), "the broker's time replaces the producer's");

    broker.delete_records(&topic, 0, 4);
    assert_eq!(broker.bounds(&topic), [(4, 10)]);

    broker.grow_topic(&topic, 3);
    assert_eq!(broker.bounds(&topic).len(), 3);

    broker.delete_topic(&topic);
    broker.create_topic(&topic, 1, &[]);
    assert_eq!(broker.bounds(&topic), [(0, 0)]);
}
