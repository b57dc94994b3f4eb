//! The mail server of the tests holds a real SMTP conversation and misbehaves on demand.

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;

use crate::support::smtp::{Encryption, Reply, Server};

type Error = lettre::transport::smtp::Error;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn send(server: &Server, encryption: Encryption, login: Option<(&str, &str, Mechanism)>, to: &str) -> Result<(), Error> {
    runtime().block_on(sending(server, encryption, login, to)?)
}

fn sending(
    server: &Server,
    encryption: Encryption,
    login: Option<(&str, &str, Mechanism)>,
    to: &str,
) -> Result<impl Future<Output = Result<(), Error>> + use<>, Error> {
    let trusted = Certificate::from_pem(server.identity().authority.as_bytes()).expect("a certificate");
    let parameters = TlsParameters::builder("localhost".to_owned()).add_root_certificate(trusted).build()?;
    let tls = match encryption {
        Encryption::Implicit => Tls::Wrapper(parameters),
        Encryption::StartTls | Encryption::StartTlsMissing => Tls::Required(parameters),
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(server.port())
        .timeout(Some(Duration::from_secs(5)))
        .tls(tls);
    if let Some((user, password, mechanism)) = login {
        transport = transport.credentials(Credentials::new(user.to_owned(), password.to_owned())).authentication(vec![mechanism]);
    }
    let mail = Message::builder()
        .from("Groundwire <groundwire@example.com>".parse().expect("an address"))
        .to(to.parse().expect("an address"))
        .subject("Groundedness fell")
        .body("first line\r\n.second line starts with a dot\r\n".to_owned())
        .expect("a complete mail");
    let transport = transport.build();
    Ok(async move { transport.send(mail).await.map(|_| ()) })
}

fn code(result: Result<(), Error>) -> Option<u16> {
    result.expect_err("the server refuses").status().map(u16::from)
}

#[test]
fn mail_is_taken_over_starttls_and_over_implicit_tls_with_either_mechanism() {
    for encryption in [Encryption::StartTls, Encryption::Implicit] {
        for (mechanism, name) in [(Mechanism::Plain, "PLAIN"), (Mechanism::Login, "LOGIN")] {
            let server = Server::start(encryption, Some(("alice", "geheim ü")));
            send(&server, encryption, Some(("alice", "geheim ü", mechanism)), "bob@example.com").expect("a good mail");
            let [mail] = &server.received()[..] else { panic!("one mail") };
            assert_eq!((mail.from.as_str(), &mail.to[..]), ("groundwire@example.com", &["bob@example.com".to_owned()][..]));
            assert_eq!(mail.header("subject").as_deref(), Some("Groundedness fell"));
            assert!(mail.mail.contains("\r\n.second line"), "dots are unstuffed: {}", mail.mail);
            assert!(mail.encrypted);
            assert_eq!(mail.user, Some(("alice".to_owned(), name)));
        }
    }
}

#[test]
fn strangers_and_unprotected_connections_are_turned_away() {
    let server = Server::start(Encryption::StartTls, Some(("alice", "right")));
    let login = Some(("alice", "wrong", Mechanism::Plain));
    assert_eq!(code(send(&server, Encryption::StartTls, login, "bob@example.com")), Some(535));
    assert_eq!(code(send(&server, Encryption::StartTls, None, "bob@example.com")), Some(530));

    let server = Server::start(Encryption::StartTlsMissing, None);
    send(&server, Encryption::StartTlsMissing, None, "bob@example.com").expect_err("the client insists on STARTTLS");
    assert!(server.received().is_empty());
}

#[test]
fn each_recipient_meets_the_replies_scripted_for_it() {
    let server = Server::start(Encryption::StartTls, None);
    let attempt = |to: &str| send(&server, Encryption::StartTls, None, to);
    server.always("gone@example.com", Reply::Refuse("550 5.1.1 no such user"));
    server.next("slow@example.com", [Reply::Refuse("451 4.7.1 greylisted"), Reply::RefuseData("452 4.3.1 full")]);
    server.next("cut@example.com", [Reply::DropInData, Reply::AcceptUnanswered]);

    assert_eq!(code(attempt("gone@example.com")), Some(550));
    assert_eq!(code(attempt("gone@example.com")), Some(550));
    assert_eq!(code(attempt("slow@example.com")), Some(451));
    assert_eq!(code(attempt("slow@example.com")), Some(452));
    attempt("slow@example.com").expect("the third time");
    attempt("cut@example.com").expect_err("dropped in DATA");
    assert_eq!(server.received().len(), 1);
    attempt("cut@example.com").expect_err("taken without an answer");
    assert_eq!(server.received().len(), 2);
    server.wait_attempts("slow@example.com", 3);
}

#[test]
fn a_hanging_and_a_resetting_server_are_told_apart_by_what_was_taken() {
    let server = Server::start(Encryption::Implicit, None);
    server.next("hang@example.com", [Reply::Hang]);
    server.next("reset@example.com", [Reply::AcceptThenReset]);
    // The client's own timeout covers only the connection, so whoever sends must bound the whole conversation.
    let sending = sending(&server, Encryption::Implicit, None, "hang@example.com").expect("valid settings");
    let answer = runtime().block_on(async { tokio::time::timeout(Duration::from_secs(1), sending).await });
    assert!(answer.is_err(), "the server never answers: {answer:?}");
    assert!(server.received().is_empty());
    server.wait_attempts("hang@example.com", 1);
    // Whether the client still sees the 250 is up to the network; the server has the mail either way.
    let _seen = send(&server, Encryption::Implicit, None, "reset@example.com");
    assert_eq!(server.wait_received(1)[0].to, ["reset@example.com"]);
}

#[test]
fn a_server_that_was_down_takes_mail_again_on_the_same_port() {
    let server = Server::start(Encryption::StartTls, None);
    server.go_down();
    send(&server, Encryption::StartTls, None, "bob@example.com").expect_err("nobody listens");
    server.come_back();
    send(&server, Encryption::StartTls, None, "bob@example.com").expect("it is back");
    assert_eq!(server.received().len(), 1);
}
