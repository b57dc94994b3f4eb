use super::{Phase, State};
use crate::alert::sample::{Table, labels, rules};
use crate::alert::{Kind, Reason, Rules, Transition};
use crate::event::Timestamp;

const MINUTE: i64 = Timestamp::MINUTE_US;
/// 2026-05-04T00:00:00Z
const START: Timestamp = Timestamp(1_777_852_800_000_000);

fn minute(number: i64) -> Timestamp {
    START.plus(number * MINUTE)
}

/// A table from runs of (value, n per minute, minutes).
fn table(runs: &[(f64, u64, usize)]) -> Table {
    let minutes = runs.iter().flat_map(|(value, n, times)| std::iter::repeat_n((*value, *n), *times)).collect();
    Table { start: START, minutes }
}

/// Steps through all minutes of a table.
fn run(state: &mut State, rules: &Rules, table: &Table, minutes: std::ops::Range<i64>) -> Vec<Transition> {
    let mut out = Vec::new();
    for at in minutes {
        state.step(rules, table, minute(at), minute(at), &mut out);
    }
    out
}

fn moves(transitions: &[Transition]) -> Vec<(i64, &str, &str)> {
    transitions.iter().map(|t| ((t.event_time.0 - START.0) / MINUTE, t.to_state.as_str(), t.reason.as_str())).collect()
}

fn kinds(state: &State) -> Vec<Kind> {
    state.outgoing().iter().map(|outgoing| outgoing.notification.kind).collect()
}

const DROP: [&str; 5] = [
    "expr: delta <= -0.05 and z < -3",
    "recover_expr: delta > -0.02",
    "for: 3m",
    "keep_firing_for: 5m",
    "baseline: { kind: trailing, window: 1h, gap: 10m, min_samples: 200 }",
];

#[test]
fn a_drop_against_its_own_past_fires_once_and_resolves_in_the_same_incident() {
    let rules = rules(&DROP);
    let table = table(&[(0.9, 20, 90), (0.7, 20, 30), (0.9, 20, 60)]);
    let mut state = State::default();
    let transitions = run(&mut state, &rules, &table, 1..181);
    assert_eq!(
        moves(&transitions),
        [(92, "pending", "breach"), (94, "firing", "breach"), (125, "recovering", "clear"), (129, "inactive", "recovered"),]
    );
    let fired = &transitions[1];
    assert!((fired.value.unwrap() - 0.74).abs() < 0.05 && fired.baseline == Some(0.9) && fired.n == 100, "{fired:?}");
    assert_eq!(fired.severity, "page");
    assert_eq!(fired.labels, labels());
    assert_eq!(transitions[3].incident, fired.incident);
    assert_eq!(state.active().count(), 0);
    assert_eq!(state.incidents()[0].ended_by, Some(Reason::Recovered));
    // Both in one advance and nobody told in between: one mail.
    assert_eq!(kinds(&state), [Kind::Resolved]);
    let told = &state.outgoing()[0].notification;
    assert!(told.ending.as_ref().unwrap().first_news && told.earlier.is_empty());
    assert_eq!(told.onset, minute(91));
    assert!((told.ending.as_ref().unwrap().worst.unwrap() - 0.7).abs() < 1e-9);
}

#[test]
fn a_rule_by_its_own_spread_waits_for_enough_windows_and_finds_what_no_window_before_was() {
    let rules = rules(&["expr: value < lower", "for: 1m", "keep_firing_for: 5m", "spread: { windows: 40, level: 3% }"]);
    // One minute of fifty is low by itself.
    let minutes: Vec<(f64, u64)> = (0..400)
        .map(|at| match at {
            300..330 => (0.55, 20),
            _ if at % 50 == 49 => (0.6, 20),
            _ => (0.9, 20),
        })
        .collect();
    let table = Table { start: START, minutes };
    let mut state = State::default();
    let early = run(&mut state, &rules, &table, 1..300);
    assert_eq!(moves(&early), []);
    // A snapshot in between changes nothing.
    let mut state: State = serde_json::from_slice(&serde_json::to_vec(&state).unwrap()).unwrap();
    let transitions = run(&mut state, &rules, &table, 300..401);
    let found = moves(&transitions);
    assert_eq!(
        found.iter().map(|(_, to, _)| *to).collect::<Vec<_>>(),
        ["pending", "firing", "recovering", "inactive"],
        "{found:?}"
    );
    assert!((301..306).contains(&found[0].0), "{found:?}");
    // The lowest window before holds one low minute of five.
    let (lower, upper) = transitions[1].limits.unwrap();
    assert!((lower - 0.84).abs() < 1e-9 && (upper - 0.9).abs() < 1e-9, "{lower} {upper}");
    let told = &state.outgoing()[0].notification.numbers.limits.unwrap();
    assert!((33..=40).contains(&told.windows), "{told:?}");
}

#[test]
fn a_replay_in_two_halves_over_a_snapshot_gives_the_same_state_and_transitions() {
    let rules = rules(&DROP);
    let table = table(&[(0.9, 20, 90), (0.7, 20, 30), (0.9, 20, 20), (0.6, 20, 20), (0.9, 20, 60)]);
    let mut whole = State::default();
    let expected = run(&mut whole, &rules, &table, 1..220);
    for cut in [1, 92, 93, 94, 110, 126, 131, 145, 219] {
        let mut first = State::default();
        let mut transitions = run(&mut first, &rules, &table, 1..cut);
        let mut second: State = postcard::from_bytes(&postcard::to_stdvec(&first).unwrap()).unwrap();
        transitions.extend(run(&mut second, &rules, &table, cut..220));
        assert_eq!(transitions, expected, "cut at {cut}");
        assert_eq!(serde_json::to_value(&second).unwrap(), serde_json::to_value(&whole).unwrap(), "cut at {cut}");
    }
}

#[test]
fn stepping_the_same_minute_twice_changes_nothing() {
    let rules = rules(&DROP);
    let table = table(&[(0.9, 20, 90), (0.7, 20, 30)]);
    let (mut once, mut twice) = (State::default(), State::default());
    let mut out = Vec::new();
    for at in 1..120 {
        once.step(&rules, &table, minute(at), minute(at), &mut out);
        twice.step(&rules, &table, minute(at), minute(at), &mut out);
        twice.step(&rules, &table, minute(at), minute(at), &mut out);
    }
    assert_eq!(serde_json::to_value(&once).unwrap(), serde_json::to_value(&twice).unwrap());
}

#[test]
fn an_alert_that_fires_again_within_the_hour_reopens_its_incident() {
    let rules = rules(&["expr: value < 0.8", "keep_firing_for: 2m"]);
    let table = table(&[(0.9, 20, 10), (0.5, 2000, 10), (0.9, 20, 20), (0.5, 2000, 10), (0.9, 20, 200), (0.5, 2000, 10)]);
    let mut state = State::default();
    let mut seen = Vec::new();
    for at in 1..260 {
        run(&mut state, &rules, &table, at..at + 1);
        for claim in state.claim(minute(at)) {
            seen.push((claim.notification.id(), claim.recipient.clone(), claim.notification.earlier.len()));
            let result = crate::alert::SendResult {
                message: claim.notification.id(),
                recipient: claim.recipient,
                outcome: crate::alert::SendOutcome::Sent("250 ok".to_owned()),
            };
            state.record(&result, minute(at), Timestamp::DAY_US);
        }
    }
    let incident = &state.incidents()[0];
    assert_eq!((incident.reopened, incident.mails.len()), (1, 4));
    assert_eq!(state.incidents().len(), 2);
    let (first, second) = (&incident.id, &state.incidents()[1].id);
    let to_one: Vec<(String, usize)> =
        seen.iter().filter(|(_, to, _)| to == "oncall@example.com").map(|(id, _, earlier)| (id.clone(), *earlier)).collect();
    assert_eq!(
        to_one,
        [
            (format!("{first}.1.firing"), 0),
            (format!("{first}.2.resolved"), 1),
            (format!("{first}.3.reopened"), 2),
            (format!("{first}.4.resolved"), 3),
            (format!("{second}.1.firing"), 0),
        ]
    );
    assert_eq!(seen.len(), 10);
}

#[test]
fn late_data_that_takes_the_breach_away_corrects_the_alert() {
    let rules = rules(&["expr: value < 0.8", "keep_firing_for: 30m"]);
    let mut early = table(&[(0.9, 20, 10), (0.7, 20, 5)]);
    let mut state = State::default();
    let before = run(&mut state, &rules, &early, 1..16);
    assert_eq!(before.last().map(|t| t.to_state.as_str()), Some("firing"));
    early.minutes.splice(10.., std::iter::repeat_n((0.95, 400), 10));
    let after = run(&mut state, &rules, &early, 16..18);
    assert_eq!(moves(&after), [(16, "recovering", "clear"), (16, "inactive", "revised")]);
    assert_eq!(kinds(&state), [Kind::Corrected]);
}

#[test]
fn it_is_told_again_when_it_gets_much_worse_but_not_every_minute() {
    let rules = rules(&["expr: value < 0.8"]);
    let table = table(&[(0.9, 20, 10), (0.78, 20, 20), (0.5, 20, 30)]);
    let mut state = State::default();
    run(&mut state, &rules, &table, 1..60);
    assert_eq!(kinds(&state), [Kind::Firing, Kind::Update, Kind::Update]);
}

#[test]
fn a_removed_rule_ends_its_alerts_and_says_so() {
    let with = rules(&["expr: value < 0.8"]);
    let without = Rules { rules: Vec::new(), recipients: with.recipients.clone() };
    let table = table(&[(0.5, 20, 30)]);
    let mut state = State::default();
    run(&mut state, &with, &table, 1..10);
    for claim in state.claim(minute(9)) {
        let outcome = crate::alert::SendOutcome::Sent(String::new());
        let result = crate::alert::SendResult { message: claim.notification.id(), recipient: claim.recipient, outcome };
        state.record(&result, minute(9), Timestamp::DAY_US);
    }
    let transitions = run(&mut state, &without, &table, 10..12);
    assert_eq!(moves(&transitions), [(10, "inactive", "rule_removed")]);
    assert_eq!(kinds(&state), [Kind::Firing, Kind::Resolved]);
    assert_eq!(state.active().count(), 0);
}

#[test]
fn a_shadow_rule_keeps_history_and_tells_nobody() {
    let rules = rules(&["expr: value < 0.8", "mode: shadow"]);
    let mut state = State::default();
    let transitions = run(&mut state, &rules, &table(&[(0.5, 20, 30)]), 1..10);
    assert_eq!(transitions.len(), 2);
    assert!(kinds(&state).is_empty());
    assert_eq!(state.active().next().map(|(_, alert)| alert.machine.phase), Some(Phase::Firing));
}

#[test]
fn no_change_stays_silent_whatever_the_noise() {
    let rules = rules(&DROP);
    let mut random = fastrand::Rng::with_seed(7);
    let minutes = (0..3_000).map(|_| (0.9 + (random.f64() - 0.5) * 0.1, 5 + random.u64(..20))).collect();
    let mut state = State::default();
    let transitions = run(&mut state, &rules, &Table { start: START, minutes }, 1..3_000);
    assert!(transitions.iter().all(|t| t.to_state != "firing"), "{:?}", moves(&transitions));
}

#[test]
fn the_time_of_an_incident_does_not_become_the_next_baseline() {
    let rules = rules(&DROP);
    // Bad for 30 of the 60 minutes that the baseline after it would hold.
    let table = table(&[(0.9, 20, 90), (0.5, 20, 30), (0.9, 20, 30), (0.82, 20, 40)]);
    let mut state = State::default();
    let transitions = run(&mut state, &rules, &table, 1..190);
    let again: Vec<_> = transitions.iter().filter(|t| t.to_state == "firing").collect();
    assert_eq!(again.len(), 2, "{:?}", moves(&transitions));
    assert!((again[1].baseline.unwrap() - 0.9).abs() < 0.01, "{:?}", again[1].baseline);
}
