use super::{Settings, ascii, render};
use crate::alert::evidence::PIPELINE_FAILURES;
use crate::alert::machine::Reason;
use crate::alert::notification::{Ending, Kind};
use crate::alert::{Hint, Limits, Notification, Part, sample};
use crate::event::{PipelineState, Timestamp};

fn settings() -> Settings {
    Settings {
        from: "groundwire@alerts.example.com".to_owned(),
        lake: "/data/lake/".to_owned(),
        runbooks: "https://wiki.example.com/".to_owned(),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn firing() -> Notification {
    let mut notification = sample::notification(Kind::Firing, 1, at("2026-11-24T03:16:00Z"));
    notification.evidence.parts = vec![
        Part { dimension: "prompt_version".into(), value: "v8".into(), metric: Some(0.61), n: 301 },
        Part { dimension: "prompt_version".into(), value: "v7".into(), metric: Some(0.91), n: 111 },
    ];
    notification.evidence.hints = vec![
        Hint { at: at("2026-11-24T02:58:00Z"), text: "prompt version v8 seen for the first time".into() },
        Hint { at: at("2026-11-23T20:04:00Z"), text: "pipeline index-kb: a run FAILED".into() },
    ];
    notification.evidence.trend =
        [91, 91, 90, 91, 90, 91, 90, 88, 76, 72, 71].iter().map(|v| Some(f64::from(*v) / 100.0)).collect();
    notification.evidence.trend.push(None);
    notification.evidence.trend_step_us = 30 * Timestamp::MINUTE_US;
    notification
}

#[test]
fn a_window_that_is_not_of_one_piece_is_said_to_be_so_and_limits_are_shown() {
    let mut notification = firing();
    let window = &mut notification.numbers.window;
    (window.value, window.n, window.bad_n, window.stddev) = (Some(0.475), 412, 196, None);
    (window.lo, window.hi, window.dispersion) = (Some(0.258), Some(1.0), Some(41.3));
    notification.evidence.thirds = Some((0.02, 0.93));
    notification.numbers.limits = Some(Limits { lower: 0.01, upper: 0.0825, windows: 168, level: 0.01 });
    let text = render(&notification, &settings()).text;
    let expected = "\
         95% interval 25.8% to 100.0%
         wide as it varied within the window (dispersion 41):
           2.0% in its first third, 93.0% in its last; were it
           of one piece, 42.7% to 52.3%
         own spread 1.0% to 8.2%: of 168 windows before, at
           most 1.0% lie beyond either end
";
    // statsmodels: proportion_confint(0.475 * 412, 412, method="wilson") is 0.4273 to 0.5232
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_firing_mail_says_everything_in_its_order() {
    let mail = render(&firing(), &settings());
    let expected = "\
FIRING Groundedness 71.2% for acme support-bot

SINCE    2026-11-24 03:02 UTC; detected 03:16 (14 min later)

HOW BAD  71.2% over 5 min, n=412
         95% interval 69.0% to 73.0%
         normal 90.8% (n=9,870, the 6 h before)
         -19.6 points, -22%, z=-31.4
         limit: < 82.0%

BLAST    tenant         acme
         app            support-bot
         prompt_version v8 61.0% (n=301) | v7 91.0% (n=111)

LIKELY   1. 02:58 UTC prompt version v8 seen for the first
           time (4 min before onset)
         2. 2026-11-23 20:04 UTC pipeline index-kb: a run
           FAILED (6 h 58 min before onset)

TREND    6 h in steps of 30 min, newest last:
         91 91 90 91 90 91 90 88 76 72 71 -

DO NEXT  Runbook   https://example.com/groundedness
         Query     duckdb -c \"
           select window_s, window_start, response_model,
           prompt_version, value, n, revision
           from '/data/lake/metrics/**/*.parquet'
           where metric = 'groundedness'
           and tenant = 'acme'
           and app = 'support-bot'
           and window_start between '2026-11-24T00:00:00Z'
           and '2026-11-24T03:16:00Z' order by all\"

WHY YOU  You get mail of severity page, with 1 other.

REASON   first mail of this incident.
         Next: a mail if it gets 25% worse; resolved when it
           is right again for 10 min.
         Rule GroundednessDrop (quality.yaml:5)
         GW-ABCDEFGHIJ seq 1 acme/support-bot
";
    assert_eq!(mail.text, expected);
    assert_eq!(mail.subject, "[page] GroundednessDrop acme/support-bot GW-ABCDEFGHIJ");
    assert_eq!(mail.from_name, "Groundwire FIRING");
    assert_eq!(mail.message_id, "<GW-ABCDEFGHIJ.1.firing@alerts.example.com>");
    assert_eq!((mail.in_reply_to.as_ref(), mail.references.len()), (None, 0));
}

#[test]
fn every_line_is_ascii_of_at_most_62_columns_and_the_first_100_characters_stand_alone() {
    let mut notification = firing();
    notification.labels[0].1 = "Schöne Grüße GmbH & Co. <script>alert(1)</script> with a very long name indeed".to_owned();
    notification.quoted.summary = "Groundedness 71.2% (normal 90.8%) – “schlecht” für 東京".to_owned();
    let mail = render(&notification, &settings());
    for line in mail.text.lines() {
        // A query is pasted as it stands; a word that is too long cannot be broken.
        let whole = line.starts_with("           and ") || !line.trim_start().contains(' ');
        assert!(line.is_ascii() && (line.len() <= 62 || whole), "{line}");
    }
    assert!(mail.text.starts_with("FIRING Groundedness 71.2% (normal 90.8%) - \"schlecht\" fur ??"), "{}", mail.text);
    assert!(mail.subject.is_ascii() && mail.subject.len() < 140, "{}", mail.subject);
    assert!(!mail.html.contains("<script>"));
    assert!(mail.headers.iter().all(|(_, value)| value.is_ascii() && !value.contains('\n')));
}

#[test]
fn the_query_of_failed_pipelines_names_their_states_as_the_table_spells_them() {
    let mut notification = firing();
    notification.quoted.metric = PIPELINE_FAILURES.to_owned();
    let mail = render(&notification, &settings());
    let states = format!("where state in ('{}', '{}')", PipelineState::Fail.as_str(), PipelineState::Abort.as_str());
    assert!(mail.text.contains(&states), "{}", mail.text);
}

#[test]
fn a_thread_keeps_its_subject_and_refers_to_its_first_mail() {
    let first = render(&firing(), &settings());
    let mut over = sample::notification(Kind::Resolved, 2, at("2026-11-24T03:50:00Z"));
    over.onset = at("2026-11-24T03:02:00Z");
    over.ending = Some(Ending {
        reason: Reason::Recovered,
        fired_at: at("2026-11-24T03:16:00Z"),
        worst: Some(0.684),
        worst_at: at("2026-11-24T03:31:00Z"),
        first_news: false,
    });
    let mail = render(&over, &settings());
    assert_eq!(mail.subject, first.subject);
    assert_eq!(mail.in_reply_to, Some(first.message_id.clone()));
    assert_eq!(mail.references, [first.message_id]);
    assert_eq!(mail.from_name, "Groundwire RESOLVED");
    assert!(
        mail.text.contains(
            "ENDED    03:50 UTC, after 48 min\n         recovered: right for 10 min\n         worst 68.4% at 03:31 UTC\n"
        ),
        "{}",
        mail.text
    );
    assert!(!mail.headers.iter().any(|(name, _)| *name == "Importance"));
}

#[test]
fn an_end_that_proves_nothing_says_so() {
    for (reason, words) in [
        (Reason::InsufficientTraffic, "not proven fixed"),
        (Reason::SeriesGone, "not proven fixed"),
        (Reason::Revised, "should not have fired"),
    ] {
        let kind = if reason == Reason::Revised { Kind::Corrected } else { Kind::Resolved };
        let mut over = sample::notification(kind, 2, at("2026-11-24T03:50:00Z"));
        over.ending = Some(Ending { reason, fired_at: over.at, worst: None, worst_at: over.at, first_news: false });
        let mail = render(&over, &settings());
        assert!(mail.text.replace("\n           ", " ").contains(words), "{}", mail.text);
        assert_ne!(mail.from_name, "Groundwire RESOLVED");
    }
}

#[test]
fn a_failing_template_is_told_and_stops_nothing() {
    let mut notification = firing();
    notification.quoted.summary = String::new();
    notification.quoted.problems = vec!["summary: undefined value".to_owned()];
    let mail = render(&notification, &settings());
    assert!(mail.text.starts_with("FIRING groundedness 71.2% (normal 90.8%) acme / support-bot\n"), "{}", mail.text);
    assert!(mail.text.contains("The rule's summary: undefined value"));
}

#[test]
fn the_same_notification_gives_the_same_mail() {
    assert_eq!(render(&firing(), &settings()), render(&firing(), &settings()));
}

#[test]
fn letters_lose_their_marks_and_breaks_become_spaces() {
    assert_eq!(ascii("Grüße\r\nBcc: x – “a” … é ł 東"), "Grusse  Bcc: x - \"a\" ... e l ?");
}

#[test]
fn a_relative_runbook_continues_where_runbooks_are_kept() {
    let mut notification = firing();
    notification.quoted.runbook_url = "docs/runbooks/quality.md#drop".to_owned();
    let mail = render(&notification, &settings());
    assert!(mail.text.contains(" https://wiki.example.com/docs/runbooks/quality.md#drop\n"), "{}", mail.text);
    assert!(mail.html.contains("<a href=\"https://wiki.example.com/docs/runbooks/quality.md#drop\">"));
}
