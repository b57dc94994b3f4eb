use std::time::Duration;

use super::{Assignment, MemorySource, Message};
use crate::event::TopicPartition;
use crate::source::{Error, OnLoss, Polled, Source, Start};

const WAIT: Duration = Duration::from_millis(1);

fn id(partition: i32) -> TopicPartition {
    TopicPartition { topic: "t".into(), partition }
}

fn offsets(polled: Polled) -> Vec<(i64, String)> {
    match polled {
        Polled::Records(records) => {
            records.records.iter().map(|r| (r.offset, String::from_utf8_lossy(records.value(r)).into_owned())).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_come_from_the_logs_position_between_assignment_and_state() {
    let (mut source, handle) = MemorySource::new(Start::Beginning, OnLoss::Stop, Box::new(|ids| vec![Some(1); ids.len()]));
    assert!(matches!(source.poll(WAIT), Ok(Polled::Idle)));
    handle.push("t", 0, Message::value("a"));
    handle.push("t", 0, Message::value("b"));
    assert!(matches!(source.poll(WAIT), Ok(Polled::Assigned(assigned)) if assigned == [(id(0), 1)]));
    assert_eq!(offsets(source.poll(WAIT).expect("polls")), [(1, "b".to_owned())]);
    assert!(matches!(source.poll(WAIT), Ok(Polled::State(state)) if state[0].1.caught_up && state[0].1.end == Some(2)));
    assert!(matches!(source.poll(WAIT), Ok(Polled::Idle)));
}

#[test]
fn revoked_partitions_fall_silent_and_come_back() {
    let (mut source, handle) = MemorySource::new(Start::End, OnLoss::Stop, Box::new(|ids| vec![None; ids.len()]));
    handle.create("t", 0);
    assert!(matches!(source.poll(WAIT), Ok(Polled::Assigned(_))));
    handle.push("t", 0, Message::value("a"));
    handle.assign(&id(0), Assignment::Elsewhere);
    assert!(matches!(source.poll(WAIT), Ok(Polled::Revoked(revoked)) if revoked == [id(0)]));
    assert!(matches!(source.poll(WAIT), Ok(Polled::Idle)));
    handle.assign(&id(0), Assignment::Ours);
    assert!(matches!(source.poll(WAIT), Ok(Polled::Assigned(assigned)) if assigned == [(id(0), 1)]));
}

#[test]
fn trimmed_records_are_lost() {
    for policy in [OnLoss::Stop, OnLoss::Continue] {
        let (mut source, handle) = MemorySource::new(Start::Beginning, policy, Box::new(|ids| vec![Some(0); ids.len()]));
        for text in ["a", "b", "c"] {
            handle.push("t", 0, Message::value(text));
        }
        handle.trim(&id(0), 2);
        assert!(matches!(source.poll(WAIT), Ok(Polled::Assigned(_))));
        match (policy, source.poll(WAIT)) {
            (OnLoss::Stop, Err(Error::Lost(lost))) => assert_eq!((lost[0].from, lost[0].to), (0, 2)),
            (OnLoss::Continue, Ok(Polled::Lost(lost))) => {
                assert_eq!((lost[0].from, lost[0].to), (0, 2));
                assert_eq!(offsets(source.poll(WAIT).expect("polls")), [(2, "c".to_owned())]);
            }
            other => panic!("{other:?}"),
        }
    }
}
