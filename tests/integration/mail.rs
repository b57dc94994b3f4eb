//! Mail over a real SMTP conversation: encrypted, one envelope per recipient, nothing lost and repeats recognisable.

use std::time::Duration;

use groundwire::alert::{
    Claim, Kind, Mail, Notification, Recipients, Rules, SendOutcome, SendResult, Severity, State, Vocabulary, render,
    test_notification,
};
use groundwire::event::Timestamp;
use groundwire::notify::{Mailer, Settings, Smtp, Tls};
use mail_parser::MessageParser;

use crate::support::smtp::{Encryption, Reply, Server};

const LOGIN: (&str, &str) = ("groundwire", "right ü");

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn mailer(server: &Server, encryption: Encryption, password: &str) -> Mailer {
    let smtp = Smtp::new(Settings {
        host: "localhost".to_owned(),
        port: server.port(),
        tls: if encryption == Encryption::Implicit { Tls::Implicit } else { Tls::StartTls },
        ca_pem: Some(server.identity().authority.clone().into_bytes()),
        credentials: Some((LOGIN.0.to_owned(), password.to_owned())),
        from: "groundwire@alerts.example.com".to_owned(),
        timeout: Duration::from_secs(2),
    });
    Mailer::Smtp(smtp.expect("valid settings"))
}

/// 2026-11-24T03:00:00Z and `seconds`.
fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-11-24T03:00:00Z").expect("a time").plus(seconds * Timestamp::SECOND_US)
}

fn notification(to: &[&str]) -> Notification {
    let recipients = to.iter().map(|address| (*address).to_owned()).collect();
    Notification { kind: Kind::Firing, ..test_notification(Severity::Page, recipients, at(0)) }
}

fn settings() -> render::Settings {
    render::Settings { from: "groundwire@alerts.example.com".to_owned(), ..render::Settings::default() }
}

fn mail(to: &[&str]) -> Mail {
    render(&notification(to), &settings())
}

/// What the service does once: claim, send, record.
fn round(state: &mut State, mailer: &Mailer, second: i64) -> Vec<(String, bool)> {
    let claims: Vec<Claim> = state.claim(at(second));
    let mut sent = Vec::new();
    for claim in claims {
        let outcome = runtime().block_on(mailer.send(&render(&claim.notification, &settings()), &claim.recipient));
        sent.push((claim.recipient.clone(), matches!(outcome, SendOutcome::Sent(_))));
        let result = SendResult { message: claim.notification.id(), recipient: claim.recipient, outcome };
        state.record(&result, at(second), 3 * Timestamp::DAY_US);
    }
    sent
}

#[test]
fn mail_is_sent_over_starttls_and_implicit_tls_with_a_login_and_reads_back_whole() {
    for encryption in [Encryption::StartTls, Encryption::Implicit] {
        let server = Server::start(encryption, Some(LOGIN));
        let mailer = mailer(&server, encryption, LOGIN.1);
        runtime().block_on(mailer.test_connection()).expect("a good server");
        let mail = mail(&["oncall@example.com"]);
        let outcome = runtime().block_on(mailer.send(&mail, "oncall@example.com"));
        assert!(matches!(&outcome, SendOutcome::Sent(reply) if reply.starts_with("250")), "{outcome:?}");
        let [received] = &server.received()[..] else { panic!("one mail") };
        assert!(received.encrypted && received.user.as_ref().is_some_and(|(user, _)| user == LOGIN.0));
        assert_eq!(received.from, "groundwire@alerts.example.com");
        let parsed = MessageParser::new().parse(received.mail.as_bytes()).expect("a mail");
        assert_eq!(parsed.subject(), Some(mail.subject.as_str()));
        assert_eq!(parsed.message_id().map(|id| format!("<{id}>")), Some(mail.message_id.clone()));
        assert_eq!(parsed.body_text(0).expect("text").replace("\r\n", "\n").trim_end(), mail.text.trim_end());
        assert_eq!(parsed.body_html(0).expect("html").replace("\r\n", "\n").trim_end(), mail.html.trim_end());
    }
}

#[test]
fn a_wrong_password_a_missing_starttls_and_a_stranger_s_certificate_wait_to_be_mended() {
    let server = Server::start(Encryption::StartTls, Some(LOGIN));
    let wrong = mailer(&server, Encryption::StartTls, "wrong");
    let outcome = runtime().block_on(wrong.send(&mail(&["a@example.com"]), "a@example.com"));
    assert!(matches!(&outcome, SendOutcome::Retry(reason) if reason.starts_with("AUTH") && reason.contains("535")), "{outcome:?}");
    assert!(runtime().block_on(wrong.test_connection()).expect_err("refused").to_string().contains("AUTH"));

    let plain = Server::start(Encryption::StartTlsMissing, None);
    let outcome =
        runtime().block_on(mailer(&plain, Encryption::StartTls, LOGIN.1).send(&mail(&["a@example.com"]), "a@example.com"));
    assert!(matches!(&outcome, SendOutcome::Retry(reason) if reason.contains("nothing is sent in the clear")), "{outcome:?}");
    assert!(plain.received().is_empty() && plain.attempts().is_empty());

    let other = Server::start(Encryption::StartTls, Some(LOGIN));
    let smtp = Smtp::new(Settings {
        host: "localhost".to_owned(),
        port: server.port(),
        tls: Tls::StartTls,
        ca_pem: Some(other.identity().authority.clone().into_bytes()),
        credentials: None,
        from: "groundwire@alerts.example.com".to_owned(),
        timeout: Duration::from_secs(2),
    });
    let stranger = Mailer::Smtp(smtp.expect("valid settings"));
    let outcome = runtime().block_on(stranger.send(&mail(&["a@example.com"]), "a@example.com"));
    assert!(matches!(&outcome, SendOutcome::Retry(reason) if reason.starts_with("STARTTLS")), "{outcome:?}");
    assert!(server.received().is_empty());
}

#[test]
fn one_refused_recipient_does_not_stop_the_others_and_all_get_the_same_bytes() {
    let server = Server::start(Encryption::StartTls, Some(LOGIN));
    let mailer = mailer(&server, Encryption::StartTls, LOGIN.1);
    server.always("gone@example.com", Reply::Refuse("550 5.1.1 no such user"));
    server.next("slow@example.com", [Reply::Refuse("451 4.7.1 greylisted"), Reply::RefuseData("452 4.3.1 full")]);
    let mut state = State::default();
    state.queue(notification(&["gone@example.com", "slow@example.com", "good@example.com"]));
    assert_eq!(
        round(&mut state, &mailer, 0),
        [("gone@example.com".into(), false), ("slow@example.com".into(), false), ("good@example.com".into(), true)]
    );
    assert_eq!(round(&mut state, &mailer, 10), [("slow@example.com".into(), false)]);
    assert_eq!(round(&mut state, &mailer, 60), [("slow@example.com".into(), true)]);
    assert!(round(&mut state, &mailer, 100_000).is_empty(), "a permanent refusal is final");
    let received = server.received();
    let to: Vec<_> = received.iter().map(|mail| mail.to.join(",")).collect();
    assert_eq!(to, ["good@example.com", "slow@example.com"]);
    assert_eq!(received[0].mail, received[1].mail);
}

#[test]
fn a_server_that_is_down_for_an_hour_loses_nothing() {
    let server = Server::start(Encryption::Implicit, Some(LOGIN));
    let mailer = mailer(&server, Encryption::Implicit, LOGIN.1);
    server.go_down();
    let mut state = State::default();
    state.queue(notification(&["a@example.com", "b@example.com"]));
    for second in (0..3_600).step_by(30) {
        assert!(round(&mut state, &mailer, second).iter().all(|(_, sent)| !sent));
    }
    assert_eq!(state.oldest_unsent_secs(at(3_600)), Some(3_600));
    server.come_back();
    for second in (3_600..6_000).step_by(30) {
        round(&mut state, &mailer, second);
    }
    let mut to: Vec<_> = server.received().iter().map(|mail| mail.to.join(",")).collect();
    to.sort();
    assert_eq!(to, ["a@example.com", "b@example.com"]);
    assert_eq!(state.oldest_unsent_secs(at(6_000)), None);
}

#[test]
fn an_answer_that_is_lost_gives_a_repeat_that_can_be_recognised() {
    for reply in [Reply::AcceptUnanswered, Reply::DropInData, Reply::Hang] {
        let server = Server::start(Encryption::StartTls, Some(LOGIN));
        let mailer = mailer(&server, Encryption::StartTls, LOGIN.1);
        let taken = usize::from(reply == Reply::AcceptUnanswered);
        server.next("a@example.com", [reply.clone()]);
        let mut state = State::default();
        state.queue(notification(&["a@example.com"]));
        assert_eq!(round(&mut state, &mailer, 0), [("a@example.com".into(), false)], "{reply:?}");
        assert_eq!(round(&mut state, &mailer, 10), [("a@example.com".into(), true)], "{reply:?}");
        let received = server.received();
        assert_eq!(received.len(), taken + 1, "{reply:?}");
        assert!(received.iter().all(|mail| mail.mail == received[0].mail && mail.header("Message-ID").is_some()));
    }
}

#[test]
fn a_reset_after_the_answer_loses_nothing() {
    let server = Server::start(Encryption::StartTls, Some(LOGIN));
    let mailer = mailer(&server, Encryption::StartTls, LOGIN.1);
    server.next("a@example.com", [Reply::AcceptThenReset]);
    let mut state = State::default();
    state.queue(notification(&["a@example.com"]));
    round(&mut state, &mailer, 0);
    round(&mut state, &mailer, 10);
    // Whether the answer was seen before the reset is up to the network; if not, the repeat is the same mail.
    let received = server.wait_received(1);
    assert!(received.len() <= 2 && received.iter().all(|mail| mail.mail == received[0].mail));
    assert_eq!(state.oldest_unsent_secs(at(20)), None);
}

#[test]
fn a_process_that_dies_between_claim_and_record_repeats_after_two_minutes_with_the_same_bytes() {
    let server = Server::start(Encryption::StartTls, Some(LOGIN));
    let mailer = mailer(&server, Encryption::StartTls, LOGIN.1);
    let mut before = State::default();
    before.queue(notification(&["a@example.com"]));
    for claim in before.claim(at(0)) {
        runtime().block_on(mailer.send(&render(&claim.notification, &settings()), &claim.recipient));
    }
    // What the log holds: queued and claimed, no result.
    let log: Vec<serde_json::Value> =
        before.take_changes().iter().map(|change| serde_json::to_value(change).expect("a change is JSON")).collect();
    drop(before);
    let mut after = State::default();
    after.apply(&log, at(0));
    assert!(round(&mut after, &mailer, 119).is_empty());
    assert_eq!(round(&mut after, &mailer, 120), [("a@example.com".into(), true)]);
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].mail, received[1].mail);
    assert!(round(&mut after, &mailer, 10_000).is_empty());
}

#[test]
fn the_shipped_rules_name_recipients_by_severity() {
    let registry = groundwire::measure::Registry::builtin().expect("the registry of the program");
    let recipients = Recipients { page: vec!["oncall@example.com".to_owned()], ..Recipients::default() };
    let rules = Rules::parse(&groundwire::alert::shipped(), &Vocabulary::of(&registry), recipients).expect("no mistake");
    assert!(rules.rules.iter().any(|rule| rules.recipients.of(rule.severity) == ["oncall@example.com"]));
}
