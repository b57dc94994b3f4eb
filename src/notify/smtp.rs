//! Mail over SMTP, always encrypted: implicit TLS, or STARTTLS that must be there before anything is said.
//!
//! One connection and one envelope per recipient, so that one refused address never holds up another. The conversation is led
//! step by step, because what a refusal means depends on the step: a permanent reply to RCPT or DATA is about this recipient or
//! this mail and final; everything else (no route, bad certificate, wrong password, sender refused, silence) can be mended by
//! somebody, and the mail waits for that.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailCommand, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;

use super::{Error, compose};
use crate::alert::{Mail, SendOutcome};

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

/// Where and how to send.
#[derive(Clone)]
pub struct Settings {
    /// Name of the server, also checked against its certificate.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// Address of the sender.
    pub from: String,
    /// How long one try may take.
    pub timeout: Duration,
}

/// A mail server.
pub struct Smtp {
    server: (String, u16),
    tls: Tls,
    parameters: TlsParameters,
    credentials: Option<Credentials>,
    from: Address,
    hello: ClientId,
    timeout: Duration,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("server", &self.server).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// A step that did not work.
struct Stopped {
    step: &'static str,
    reason: String,
    /// About this recipient or this mail, and for good.
    is_final: bool,
}

impl Smtp {
    /// Prepares to send; connects only when there is something to send.
    ///
    /// # Errors
    /// If the address of the sender or the certificates cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let unusable = |error: SmtpError| Error::Certificates(error.to_string());
        let mut parameters = TlsParameters::builder(settings.host.clone());
        if let Some(pem) = &settings.ca_pem {
            parameters = parameters
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(pem).map_err(unusable)?);
        }
        let from = compose::address(&settings.from)?;
        Ok(Self {
            server: (settings.host, settings.port),
            tls: settings.tls,
            parameters: parameters.build().map_err(unusable)?,
            credentials: settings.credentials.map(|(user, password)| Credentials::new(user, password)),
            hello: ClientId::Domain(from.domain().to_owned()),
            from,
            timeout: settings.timeout,
        })
    }

    /// Sends one mail to one recipient.
    pub(super) async fn send(&self, mail: &Mail, recipient: &str) -> SendOutcome {
        let (bytes, address) = match (compose::bytes(mail), compose::address(recipient)) {
            (Ok(bytes), Ok(address)) => (bytes, address),
            (Err(error), _) | (_, Err(error)) => return SendOutcome::Refused(error.to_string()),
        };
        match tokio::time::timeout(self.timeout, self.converse(&bytes, address)).await {
            Ok(Ok(reply)) => SendOutcome::Sent(said(&reply)),
            Ok(Err(stopped)) => {
                let reason = format!("{}: {}", stopped.step, stopped.reason);
                if stopped.is_final { SendOutcome::Refused(reason) } else { SendOutcome::Retry(reason) }
            }
            Err(_) => SendOutcome::Retry(format!("no answer within {} s", self.timeout.as_secs())),
        }
    }

    /// Connects, encrypts and logs in.
    pub(super) async fn test_connection(&self) -> Result<(), Error> {
        let server = format!("{}:{}", self.server.0, self.server.1);
        let failed = |stopped: Stopped| Error::Server { server: server.clone(), step: stopped.step, reason: stopped.reason };
        match tokio::time::timeout(self.timeout, self.connect()).await {
            Ok(connection) => {
                connection.map_err(failed)?.abort().await;
                Ok(())
            }
            Err(_) => {
                let reason = format!("no answer within {} s", self.timeout.as_secs());
                Err(failed(Stopped { step: "connect", reason, is_final: false }))
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Stopped> {
        let server = (self.server.0.as_str(), self.server.1);
        let implicit = (self.tls == Tls::Implicit).then(|| self.parameters.clone());
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &self.hello, implicit, None)
            .await
            .map_err(|error| Stopped::at("connect", &error))?;
        if self.tls == Tls::StartTls {
            if !connection.can_starttls() {
                connection.abort().await;
                let reason = "the server does not offer STARTTLS, and nothing is sent in the clear".to_owned();
                return Err(Stopped { step: "STARTTLS", reason, is_final: false });
            }
            connection.starttls(self.parameters.clone(), &self.hello).await.map_err(|error| Stopped::at("STARTTLS", &error))?;
        }
        if let Some(credentials) = &self.credentials {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                .await
                .map_err(|error| Stopped::at("AUTH", &error))?;
        }
        Ok(connection)
    }

    async fn converse(&self, bytes: &[u8], recipient: Address) -> Result<Response, Stopped> {
        let mut connection = self.connect().await?;
        let answer = self.deliver(&mut connection, bytes, recipient).await;
        // The answer is known: whether the server takes leave politely changes nothing.
        connection.abort().await;
        answer
    }

    async fn deliver(&self, connection: &mut AsyncSmtpConnection, bytes: &[u8], recipient: Address) -> Result<Response, Stopped> {
        let mail = MailCommand::new(Some(self.from.clone()), Vec::new());
        connection.command(mail).await.map_err(|error| Stopped::at("MAIL FROM", &error))?;
        let to = Rcpt::new(recipient, Vec::new());
        connection.command(to).await.map_err(|error| Stopped::finally_at("RCPT TO", &error))?;
        connection.command(Data).await.map_err(|error| Stopped::finally_at("DATA", &error))?;
        connection.message(bytes).await.map_err(|error| Stopped::finally_at("DATA", &error))
    }
}

impl Stopped {
    fn at(step: &'static str, error: &SmtpError) -> Self {
        let mut reason = error.to_string();
        // The network's own words are in the source.
        if let Some(source) = std::error::Error::source(error) {
            let source = source.to_string();
            if !reason.contains(&source) {
                reason = format!("{reason}: {source}");
            }
        }
        Self { step, reason, is_final: false }
    }

    fn finally_at(step: &'static str, error: &SmtpError) -> Self {
        Self { is_final: error.is_permanent(), ..Self::at(step, error) }
    }
}

/// A reply in one line.
fn said(reply: &Response) -> String {
    format!("{} {}", reply.code(), reply.message().collect::<Vec<_>>().join(" "))
}
