use proptest::prelude::*;

use super::*;
use crate::join::IdKind;
use crate::measure::{Partial, PartialSet};

fn late() -> Late {
    Late::new(crate::ingest::tests::settings())
}

fn pending(offset: i64, at: i64, request_id: Option<&str>, conversation: Option<&str>) -> FeedbackRow {
    FeedbackRow {
        event_time: Timestamp(at),
        target_request_id: request_id.map(str::to_owned),
        target_conversation_id: conversation.map(str::to_owned),
        name: "thumbs".to_owned(),
        score: Some(1.0),
        r#match: "pending".to_owned(),
        source_topic: "user-feedback".to_owned(),
        source_offset: offset,
        ..FeedbackRow::default()
    }
}

/// Answers were scored by two scorers.
fn scorer(request_id: &str) -> Arc<str> {
    if request_id.ends_with('1') { "s1" } else { "s2" }.into()
}

fn offer(late: &mut Late, at: i64, request_id: &str, conversation: &str) {
    let hasher = late.hasher;
    let ids = [Some(hasher.id(IdKind::Request, request_id)), None, None, None, Some(hasher.id(IdKind::Conversation, conversation))];
    let scorer = scorer(request_id);
    let scored = Some((&scorer, 73));
    late.offer(PastAnswer { event_time: Timestamp(at), group: &Group::default(), request_id, repeat: 0, ids: &ids, scored });
}

#[test]
fn the_last_answer_of_a_conversation_before_the_feedback_is_found_once() {
    let mut late = late();
    late.add(pending(1, 100, None, Some("c")));
    for (at, id) in [(50, "a"), (90, "b"), (70, "x"), (101, "after")] {
        offer(&mut late, at, id, "c");
    }
    let epoch = late.settle(Timestamp(200));
    let row = &epoch.rows.feedback[0];
    assert_eq!((row.r#match.as_str(), row.answer_request_id.as_deref(), row.revision), ("matched", Some("b"), 1));
    assert_eq!(epoch.rated.len(), 1);
    let rated: u64 = epoch.partials.rows.iter().filter(|row| row.measure == measures::ANSWER_RATED).map(|row| row.partial.n).sum();
    assert_eq!(rated, 1);
    late.add(epoch.rows.feedback[0].clone());
    assert!(late.is_empty() && late.by_id.is_empty());
}

#[test]
fn an_exact_id_beats_a_conversation_and_seven_days_end_the_wait() {
    let mut late = late();
    late.add(pending(1, 100, Some("r"), Some("c")));
    late.add(pending(2, 100, Some("gone"), None));
    offer(&mut late, 99, "other", "c");
    offer(&mut late, 10, "r", "c");
    let epoch = late.settle(Timestamp(101 + GIVE_UP_US));
    let seen: Vec<_> = epoch.rows.feedback.iter().map(|row| (row.r#match.as_str(), row.answer_request_id.as_deref())).collect();
    assert_eq!(seen, [("matched", Some("r")), ("unmatched", None)]);
}

fn rated(set: &PartialSet) -> i128 {
    set.rows.iter().filter(|row| row.measure == measures::ANSWER_RATED).map(|row| row.partial.sum).sum()
}

#[test]
fn an_answer_that_two_counted_as_rated_at_the_same_moment_counts_once() {
    let settings = crate::ingest::tests::settings;
    let note = rated_note(&IdHasher::new(&settings().key), "r", Timestamp(10));
    for keeper_first in [true, false] {
        let mut late = late();
        late.add(pending(1, 100, Some("r"), None));
        offer(&mut late, 10, "r", "c");
        if !keeper_first {
            late.counted(note, Timestamp(10), &Group::default());
        }
        let first = late.settle(Timestamp(200));
        assert_eq!(rated(&first.partials), i128::from(keeper_first));
        late.committed(first.rows.feedback.clone(), Timestamp(200));
        // A fenced or repeated settling takes nothing back twice; neither does a restart from the table.
        if keeper_first {
            late.counted(note, Timestamp(10), &Group::default());
            assert_eq!((rated(&late.settle(Timestamp(200)).partials), rated(&late.settle(Timestamp(200)).partials)), (-1, -1));
            let mut again = Late::new(settings());
            again.know(first.rows.feedback[0].clone());
            again.counted(note, Timestamp(10), &Group::default());
            assert_eq!(rated(&again.settle(Timestamp(200)).partials), -1);
        }
        let settled = late.settle(Timestamp(200));
        late.committed(settled.rows.feedback, Timestamp(200));
        assert!(late.settle(Timestamp(200)).partials.is_empty() && late.is_empty());
    }
}

#[test]
fn feedback_after_the_horizon_is_matched_but_counts_only_by_its_own_time() {
    let mut late = late();
    late.add(pending(1, FEEDBACK_HORIZON_US + 11, Some("r"), None));
    late.add(pending(2, FEEDBACK_HORIZON_US + 10, Some("r"), None));
    offer(&mut late, 10, "r", "c");
    let epoch = late.settle(Timestamp(FEEDBACK_HORIZON_US + 20));
    assert!(epoch.rows.feedback.iter().all(|row| row.r#match == "matched") && epoch.rows.feedback.len() == 2);
    let delays: u64 = epoch.partials.rows.iter().filter(|row| row.measure == measures::ANSWER_DELAY).map(|row| row.partial.n).sum();
    assert_eq!((delays, rated(&epoch.partials)), (1, 1));
}

fn opinion(offset: i64, at: i64, id: &str, score: f64, request_id: &str) -> FeedbackRow {
    FeedbackRow {
        feedback_id: Some(id.to_owned()),
        tenant: Some("acme".to_owned()),
        score: Some(score),
        ..pending(offset, at, Some(request_id), None)
    }
}

fn matched(row: &FeedbackRow, at: i64) -> FeedbackRow {
    FeedbackRow {
        r#match: "matched".to_owned(),
        answer_request_id: row.target_request_id.clone(),
        answer_event_time: Some(Timestamp(at)),
        ..row.clone()
    }
}

/// What ingest adds for a row when it reads it, by the feedback's own time and, where it is matched, by its answer's.
fn as_read(row: &FeedbackRow) -> PartialSet {
    let settings = crate::ingest::tests::settings();
    let (own, answers) = (own_group(&settings, row), Group::default());
    let groups = vec![own.clone(), with_name(&own, &row.name), answers.clone(), with_name(&answers, &row.name)];
    let mut accumulator = Accumulator::default();
    let scale = settings.feedback.get(&row.name).copied();
    accumulator.at(row.event_time, 0).count(measures::FEEDBACK);
    observe_feedback(row.score.map(billionths), polarity(scale, row.score), accumulator.at(row.event_time, 1));
    if let (Some(at), "matched") = (row.answer_event_time, row.r#match.as_str()) {
        let feedback = by_answer(scale, row, at, Some(73));
        feedback.observe(accumulator.at(at, 2));
        feedback.observe_named(accumulator.at(at, 3));
        feedback.observe_scored(accumulator.of_scorer(&scorer(row.answer_request_id.as_deref().unwrap())).at(at, 2));
    }
    accumulator.take(groups)
}

type Cell = (Group, Timestamp, crate::measure::Measure, Option<Arc<str>>);

/// Everything added up, without what was taken back whole; and without least and greatest values, which cannot be taken back.
fn added_up(sets: &[PartialSet]) -> BTreeMap<Cell, Partial> {
    let mut sums: BTreeMap<_, Partial> = BTreeMap::new();
    for set in sets {
        let of_scorers = set.of_scorers.iter().flat_map(|(scorer, rows)| rows.iter().map(|row| (row, Some(scorer.clone()))));
        let plain = set.rows.iter().filter(|row| row.measure != measures::ANSWER_RATED).map(|row| (row, None));
        for (row, scorer) in plain.chain(of_scorers) {
            let key = (set.groups[row.group as usize].clone(), row.pane, row.measure, scorer);
            sums.entry(key).or_default().merge(&row.partial);
        }
    }
    sums.retain(|_, sum| !sum.is_nothing());
    for sum in sums.values_mut() {
        (sum.min, sum.max) = (0, 0);
    }
    sums
}

proptest! {
    #[test]
    fn of_feedback_with_one_id_only_the_latest_counts_however_it_is_read_and_interrupted(
        given in prop::collection::vec((0..4_i64, 0..1_000_i64, 0..2_i64, any::<bool>(), any::<bool>()), 1..14),
        cuts in prop::collection::vec(any::<bool>(), 14),
    ) {
        // Five answers a minute apart; feedback comes later, out of order.
        let rows: Vec<FeedbackRow> = given.iter().enumerate().map(|(offset, (id, at, score, known, _))| {
            let at = 600_000_000 + at * 1_000_000;
            let row = opinion(i64::try_from(offset).unwrap(), at, &format!("f{id}"), *score as f64, &format!("r{id}"));
            if *known { matched(&row, id * 60_000_000) } else { row }
        }).collect();
        let answers = |late: &mut Late| for id in 0..4 { offer(late, id * 60_000_000, &format!("r{id}"), "c"); };
        let mut sets: Vec<PartialSet> = rows.iter().map(as_read).collect();
        let (mut late, mut table) = (late(), Vec::<FeedbackRow>::new());
        for (row, cut) in rows.iter().zip(&cuts) {
            table.push(row.clone());
            late.arrive(row.clone());
            if !cut { continue; }
            answers(&mut late);
            let epoch = late.settle(Timestamp(2_000_000_000));
            sets.push(epoch.partials);
            table.extend(epoch.rows.feedback.iter().cloned());
            // What stands in the log is found again after a restart, from the table alone.
            late = Late::new(crate::ingest::tests::settings());
            let mut stored = table.clone();
            stored.sort_by_key(|row| row.revision);
            for row in stored {
                late.know(row);
            }
        }
        answers(&mut late);
        sets.push(late.settle(Timestamp(2_000_000_000)).partials);
        let mut last: BTreeMap<String, FeedbackRow> = BTreeMap::new();
        for row in &rows {
            let known = last.entry(row.feedback_id.clone().unwrap()).or_insert_with(|| row.clone());
            if (known.event_time, known.source_offset) < (row.event_time, row.source_offset) {
                *known = row.clone();
            }
        }
        let expected: Vec<PartialSet> = last.values().map(|row| {
            let at = row.feedback_id.as_ref().unwrap().trim_start_matches('f').parse::<i64>().unwrap() * 60_000_000;
            as_read(&matched(row, at))
        }).collect();
        prop_assert_eq!(added_up(&sets), added_up(&expected));
    }
}
