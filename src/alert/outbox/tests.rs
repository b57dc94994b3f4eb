use super::{Change, Outbox, Progress, SendOutcome, SendResult};
use crate::alert::machine::Reason;
use crate::alert::notification::{Ending, Kind, Notification};
use crate::alert::sample;
use crate::event::Timestamp;

const SECOND: i64 = Timestamp::SECOND_US;
const MINUTE: i64 = Timestamp::MINUTE_US;

fn at(seconds: i64) -> Timestamp {
    Timestamp(1_777_852_800_000_000).plus(seconds * SECOND)
}

fn sent(message: &str, recipient: &str, outcome: SendOutcome) -> SendResult {
    SendResult { message: message.to_owned(), recipient: recipient.to_owned(), outcome }
}

fn resolved(sequence: u32, when: Timestamp) -> Notification {
    let ending = Ending { reason: Reason::Recovered, fired_at: at(0), worst: None, worst_at: at(0), first_news: false };
    Notification { ending: Some(ending), ..sample::notification(Kind::Resolved, sequence, when) }
}

fn claimed(outbox: &mut Outbox, now: Timestamp) -> Vec<(String, String, u32)> {
    outbox.claim(now, now).into_iter().map(|claim| (claim.notification.id(), claim.recipient, claim.attempt)).collect()
}

#[test]
fn each_recipient_has_a_delivery_of_its_own() {
    let mut outbox = Outbox::default();
    outbox.queue(sample::notification(Kind::Firing, 1, at(0)));
    let first = claimed(&mut outbox, at(1));
    let id = "ABCDEFGHIJ.1.firing".to_owned();
    assert_eq!(first, [(id.clone(), "a@x".to_owned(), 1), (id.clone(), "b@x".to_owned(), 1)]);
    assert!(claimed(&mut outbox, at(2)).is_empty());
    outbox.record(&sent(&id, "a@x", SendOutcome::Refused("550 no such user".to_owned())), at(3), Timestamp::DAY_US);
    outbox.record(&sent(&id, "b@x", SendOutcome::Retry("451 later".to_owned())), at(3), Timestamp::DAY_US);
    assert!(claimed(&mut outbox, at(7)).is_empty());
    assert_eq!(claimed(&mut outbox, at(9)), [(id.clone(), "b@x".to_owned(), 2)]);
    outbox.record(&sent(&id, "b@x", SendOutcome::Sent("250 ok".to_owned())), at(10), Timestamp::DAY_US);
    assert_eq!(outbox.oldest_unsent_secs(at(99)), None);
    assert!(claimed(&mut outbox, at(100_000)).is_empty());
    assert!(outbox.outgoing().is_empty(), "finished ones are forgotten");
}

#[test]
fn a_claim_without_a_result_is_repeated_after_two_minutes_by_another_process_only() {
    let mut outbox = Outbox::default();
    outbox.queue(sample::notification(Kind::Firing, 1, at(0)));
    assert_eq!(claimed(&mut outbox, at(0)).len(), 2);
    assert!(claimed(&mut outbox, at(600)).is_empty(), "still being sent here");
    let mut restarted: Outbox = postcard::from_bytes(&postcard::to_stdvec(&outbox).unwrap()).unwrap();
    assert!(claimed(&mut restarted, at(119)).is_empty());
    let again = restarted.claim(at(120), at(120));
    assert_eq!(again.len(), 2);
    assert_eq!((again[0].attempt, &again[0].notification), (2, &outbox.outgoing()[0].notification));
}

#[test]
fn failures_back_off_for_a_day_and_then_give_up() {
    let mut outbox = Outbox::default();
    outbox.queue(sample::notification(Kind::Firing, 1, at(0)));
    let mut tries = Vec::new();
    for second in 0..100_000 {
        for claim in outbox.claim(at(second), at(second)) {
            if claim.recipient == "a@x" {
                tries.push(second);
            }
            outbox.record(
                &sent(&claim.notification.id(), &claim.recipient, SendOutcome::Retry("refused".to_owned())),
                at(second),
                Timestamp::DAY_US,
            );
        }
    }
    let waits: Vec<i64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, base) in waits.iter().zip([5, 15, 60, 300, 900, 1_800, 1_800]) {
        assert!((base..=base * 6 / 5 + 1).contains(wait), "{waits:?}");
    }
    assert!(*tries.last().unwrap() <= 86_400 && tries.len() > 40);
}

#[test]
fn an_end_takes_the_place_of_news_that_nobody_got() {
    let mut outbox = Outbox::default();
    outbox.queue(sample::notification(Kind::Firing, 1, at(0)));
    for claim in outbox.claim(at(0), at(0)) {
        outbox.record(
            &sent(&claim.notification.id(), &claim.recipient, SendOutcome::Retry("down".to_owned())),
            at(1),
            Timestamp::DAY_US,
        );
    }
    outbox.queue(resolved(2, at(2)));
    assert_eq!(outbox.outgoing().len(), 1);
    assert!(outbox.outgoing()[0].notification.ending.as_ref().unwrap().first_news);
    assert_eq!(claimed(&mut outbox, at(2)).len(), 2);
}

#[test]
fn an_end_follows_news_that_somebody_got_and_waits_for_it() {
    let mut outbox = Outbox::default();
    outbox.queue(sample::notification(Kind::Firing, 1, at(0)));
    outbox.claim(at(0), at(0));
    outbox.record(&sent("ABCDEFGHIJ.1.firing", "a@x", SendOutcome::Sent(String::new())), at(1), Timestamp::DAY_US);
    outbox.record(&sent("ABCDEFGHIJ.1.firing", "b@x", SendOutcome::Retry(String::new())), at(1), Timestamp::DAY_US);
    outbox.queue(resolved(2, at(2)));
    assert_eq!(outbox.outgoing().len(), 2);
    assert!(!outbox.outgoing()[1].notification.ending.as_ref().unwrap().first_news);
    assert_eq!(claimed(&mut outbox, at(2)), [("ABCDEFGHIJ.2.resolved".to_owned(), "a@x".to_owned(), 1)]);
    assert_eq!(claimed(&mut outbox, at(10)), [("ABCDEFGHIJ.1.firing".to_owned(), "b@x".to_owned(), 2)]);
    outbox.record(&sent("ABCDEFGHIJ.1.firing", "b@x", SendOutcome::Sent(String::new())), at(11), Timestamp::DAY_US);
    assert_eq!(claimed(&mut outbox, at(11)), [("ABCDEFGHIJ.2.resolved".to_owned(), "b@x".to_owned(), 1)]);
}

#[test]
fn old_news_waits_until_the_service_has_caught_up_and_is_dropped_if_it_is_over_by_then() {
    let hours = 3_600;
    let old = |kind| Notification { at: at(-3 * hours), ..sample::notification(kind, 1, at(0)) };
    let mut outbox = Outbox::default();
    outbox.queue(old(Kind::Firing));
    assert!(outbox.claim(at(3_000), at(-2 * hours)).is_empty());
    assert_eq!(outbox.claim(at(3_060), at(3_000)).len(), 2);

    let mut outbox = Outbox::default();
    outbox.queue(old(Kind::Firing));
    outbox.queue(Notification { at: at(-2 * hours), ..resolved(2, at(0)) });
    assert!(outbox.claim(at(60), at(50)).is_empty());
    assert!(outbox.outgoing().is_empty());
}

#[test]
fn fresh_news_waits_at_most_five_minutes_for_catching_up() {
    let mut outbox = Outbox::default();
    outbox.queue(Notification { at: at(-600), ..sample::notification(Kind::Firing, 1, at(0)) });
    assert!(outbox.claim(at(0), at(-600)).is_empty());
    assert!(outbox.claim(at(299), at(-300)).is_empty());
    assert_eq!(outbox.claim(at(300), at(-300)).len(), 2);
}

#[test]
fn applying_the_log_gives_the_outbox_that_wrote_it_and_twice_is_once() {
    let mut live = Outbox::default();
    let mut replayed = Outbox::default();
    let mut log: Vec<Vec<Change>> = Vec::new();
    live.queue(sample::notification(Kind::Firing, 1, at(0)));
    live.claim(at(0), at(0));
    log.push(live.take_changes());
    live.record(&sent("ABCDEFGHIJ.1.firing", "a@x", SendOutcome::Sent("250".to_owned())), at(1), Timestamp::DAY_US);
    live.record(&sent("ABCDEFGHIJ.1.firing", "b@x", SendOutcome::Retry("451".to_owned())), at(1), Timestamp::DAY_US);
    log.push(live.take_changes());
    live.queue(resolved(2, at(60)));
    live.claim(at(60), at(60));
    log.push(live.take_changes());
    for changes in &log {
        // As in the log: JSON values.
        let json = serde_json::to_value(changes).unwrap();
        let changes: Vec<Change> = serde_json::from_value(json).unwrap();
        replayed.apply(changes.clone(), at(60));
        replayed.apply(changes, at(60));
    }
    assert_eq!(replayed.outgoing(), live.outgoing());
    assert!(matches!(replayed.outgoing()[1].deliveries[0].progress, Progress::Claimed(_)));
}

#[test]
fn what_a_replay_queues_and_the_log_does_not_know_never_was() {
    let mut outbox = Outbox::default();
    outbox.queue(sample::notification(Kind::Firing, 1, at(0)));
    outbox.apply(Vec::new(), at(0));
    assert!(outbox.outgoing().is_empty());
    outbox.queue(sample::notification(Kind::Firing, 1, at(0)));
    let listed = Change::Queued(Box::new(sample::notification(Kind::Firing, 1, at(0))));
    outbox.apply(vec![listed], at(0));
    assert_eq!(outbox.outgoing().len(), 1);
    assert_eq!(outbox.oldest_unsent_secs(at(0).plus(7 * MINUTE)), Some(420));
}
