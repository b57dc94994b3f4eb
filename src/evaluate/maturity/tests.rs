use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::evaluate::{Settings, last_revisions};
use crate::log::{Entry, Kind};
use crate::measure::{Accumulator, AnswerFeedback, Dimension, Inputs, PartialSet, Polarity, Registry};

const HOUR: i64 = Timestamp::HOUR_US;
const DAY: i64 = Timestamp::DAY_US;

#[test]
fn maturity_is_the_share_of_the_window_that_was_old_enough() {
    let bin = |seconds: i64| Edges::Logarithmic.bin(seconds);
    let delays = [(bin(300), 120), (bin(86_400), 80)];
    // (120 · 55/60 + 80 · 0) / 200 and 120 / 200; a bin's middle is within 0.8 % of its values.
    let at = |age| maturity(&delays, HOUR, age).value.unwrap();
    assert!((at(0) - 0.55).abs() < 0.001, "{}", at(0));
    assert_eq!((at(1), at(8), at(168)), (0.6, 0.6, 1.0));
    assert!((maturity(&delays, DAY, 24).value.unwrap() - 1.0).abs() < 0.004);
    let found = maturity(&delays, HOUR, 1);
    assert_eq!((found.n, found.arrived), (200, 120.0));
    // statsmodels proportion_confint(120, 200, method="wilson")
    let (lo, hi) = found.bounds.unwrap();
    assert!((lo - 0.530_836_7).abs() < 1e-6 && (hi - 0.665_394_2).abs() < 1e-6, "{lo} {hi}");
    assert_eq!(maturity(&[(bin(300), 99)], HOUR, 4).value, None);
    assert_eq!(maturity(&[], HOUR, 168).value, Some(1.0));
}

/// Requests at one moment, and feedback on them after a delay.
#[derive(Clone, Debug)]
struct Served {
    at: Timestamp,
    app: u32,
    delay_us: i64,
    feedback: u32,
}

fn app(number: u32) -> Group {
    let mut group = Group::default();
    group.0[Dimension::Tenant as usize] = Some("t".into());
    group.0[Dimension::App as usize] = Some(["a", "b"][number as usize].into());
    group
}

fn feedback(served: &Served) -> AnswerFeedback {
    AnswerFeedback { score: None, polarity: Polarity::Unknown, delay_us: served.delay_us, groundedness: None }
}

fn state() -> State {
    let topics = [("g", Input::Gateway), ("f", Input::Feedback)];
    let topics = topics.map(|(topic, input)| (topic.to_owned(), Inputs::of(input))).into();
    State::new(Settings { topics, stuck_after_us: None, ..Settings::default() }, Arc::new(Registry::builtin().unwrap()))
}

/// What is read, in the order of reading, a few things per entry, restarting where `restarts` says.
fn run(all: &[Served], jitter: &[i64], cut: usize, restarts: bool, end: Timestamp) -> Vec<MetricRow> {
    let jitter = |number: usize| jitter[number % jitter.len()];
    let mut reads: Vec<(i64, bool, &Served)> = Vec::new();
    for (number, served) in all.iter().enumerate() {
        reads.push((served.at.0 + jitter(number), false, served));
        let given = served.at.plus(served.delay_us);
        if given <= end {
            reads.push((given.0 + jitter(number + 1), true, served));
        }
    }
    reads.sort_by_key(|read| read.0);
    let mut state = state();
    let (mut rows, mut number) = (Vec::new(), 0);
    let mut step = |state: &mut State, mark: i64, partials: PartialSet| {
        number += 1;
        let watermarks = BTreeMap::from([("g/0".to_owned(), Timestamp(mark)), ("f/0".to_owned(), Timestamp(mark))]);
        let entry = Entry { number, watermarks, ..Entry::new("", Kind::Ingest, "", Timestamp(0)) };
        state.absorb(&entry, partials);
        state.advance(&mut rows, &mut |_, _| {});
    };
    let mut mark = 0;
    for part in reads.chunks(cut) {
        let mut accumulator = Accumulator::default();
        for (_, is_feedback, served) in part {
            if *is_feedback {
                for _ in 0..served.feedback {
                    accumulator.at(served.at.plus(served.delay_us), served.app).count(measures::FEEDBACK);
                    feedback(served).observe(accumulator.at(served.at, served.app));
                }
            } else {
                accumulator.at(served.at, served.app).count(measures::REQUESTS);
            }
        }
        // Most of what is read is late.
        mark = mark.max(part.last().map_or(0, |read| read.0 - 2 * HOUR)).min(end.0);
        step(&mut state, mark, accumulator.take(vec![app(0), app(1)]));
        if restarts {
            let bytes = state.to_bytes().unwrap();
            state = State::from_bytes(&bytes, state.settings.clone(), Arc::clone(&state.plan.registry)).unwrap();
        }
    }
    step(&mut state, end.0, PartialSet::default());
    rows
}

/// All at once, from the list of what happened.
fn slowly(all: &[Served], end: Timestamp) -> BTreeMap<(i64, Timestamp, u32), (u64, Option<f64>)> {
    let mut expected = BTreeMap::new();
    for window in [Window::Hour, Window::Day] {
        for served in all {
            let (start, span) = (served.at.floor(window.us()), window.us() as f64 / 1e6);
            let Some(age) = AGES_HOURS.into_iter().rfind(|age| start.0 + window.us() + age * HOUR <= end.0) else { continue };
            let day = served.at.0.div_euclid(DAY);
            let of_cohorts = all.iter().filter(|other| {
                let days_before = day - other.at.0.div_euclid(DAY);
                other.app == served.app && (8..=21).contains(&days_before) && other.at.0 + other.delay_us <= end.0
            });
            let (mut n, mut arrived) = (0, 0.0);
            for other in of_cohorts {
                let (low, high) = Edges::Logarithmic.range(Edges::Logarithmic.bin(other.delay_us / 1_000_000));
                let delay = f64::midpoint(low as f64, high as f64);
                n += u64::from(other.feedback);
                arrived += f64::from(other.feedback) * ((age as f64 * 3_600.0 + span - delay) / span).clamp(0.0, 1.0);
            }
            let value = match (age, n) {
                (168, _) => Some(1.0),
                (_, 0..100) => None,
                _ => Some(arrived / n as f64),
            };
            expected.insert((window.seconds(), start, served.app), (n, value));
        }
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn however_it_is_cut_ordered_or_restarted_the_last_maturity_is_that_of_all_at_once(
        all in prop::collection::vec((0..28 * 24_i64, 0..60_i64, 0..2_u32, 0..160_i64, 10..60_u32), 40..90),
        jitter in prop::collection::vec(0..20 * HOUR, 1..9),
        cut in 1..40_usize,
        restarts in any::<bool>(),
    ) {
        let all: Vec<Served> = all.into_iter().map(|(hour, minute, app, delay, feedback)| {
            let (at, delay_us) = (Timestamp(hour * HOUR + minute * Timestamp::MINUTE_US), delay * HOUR + 90 * Timestamp::SECOND_US);
            Served { at, app, delay_us, feedback }
        }).collect();
        let end = Timestamp(28 * DAY + 5 * HOUR);
        let rows = run(&all, &jitter, cut, restarts, end);
        let last = last_revisions(rows.into_iter().filter(|row| &*row.metric == "feedback.maturity").collect());
        let expected = slowly(&all, end);
        prop_assert_eq!(last.len(), expected.len());
        for row in last {
            let number = u32::from(row.group.get(Dimension::App).map(|app| &**app) == Some("b"));
            let (n, value) = expected[&(row.window_s, row.window_start, number)];
            prop_assert_eq!(row.n, i64::try_from(n).unwrap(), "{:?}", row);
            prop_assert_eq!(row.value.is_some(), value.is_some(), "{:?} {:?}", row, value);
            prop_assert!((row.value.unwrap_or(0.0) - value.unwrap_or(0.0)).abs() < 1e-9, "{:?} {:?}", row, value);
        }
    }
}
