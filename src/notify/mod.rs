//! Telling people: mail over SMTP, or `.eml` files in a folder.
//!
//! Sends what it is given to one recipient at a time and says what became of it. Decides nothing about what to send, when, or
//! whether to try again: that is the outbox's work.

mod compose;
mod eml;
mod smtp;

use std::io;

use crate::alert::{Mail, SendOutcome};

pub use eml::Directory;
pub use smtp::{Settings, Smtp, Tls};

/// Why mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address in the settings is no address.
    #[error("`{address}` is not a mail address: {reason}")]
    Address {
        /// The text.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificates in `ca_file` cannot be used.
    #[error("the certificates for the mail server cannot be used: {0}; expected PEM")]
    Certificates(String),
    /// The mail server did not do what it should.
    #[error("mail server {server}: {step}: {reason}")]
    Server {
        /// Host and port.
        server: String,
        /// What was being done.
        step: &'static str,
        /// What the server or the network said.
        reason: String,
    },
    /// The folder for `.eml` files cannot be written.
    #[error("cannot write mail to {folder}: {reason}")]
    Folder {
        /// Path.
        folder: String,
        /// What the system says.
        reason: io::Error,
    },
}

/// Where mail goes.
#[derive(Debug)]
pub enum Mailer {
    /// To a mail server.
    Smtp(Smtp),
    /// Into a folder.
    Directory(Directory),
}

impl Mailer {
    /// Sends one mail to one recipient, with the same bytes for each of them and for each repeat.
    pub async fn send(&self, mail: &Mail, recipient: &str) -> SendOutcome {
        match self {
            Self::Smtp(smtp) => smtp.send(mail, recipient).await,
            Self::Directory(directory) => directory.send(mail, recipient).await,
        }
    }

    /// Goes as far as possible without sending: connection, encryption, log-in; or writing to the folder.
    ///
    /// # Errors
    /// What did not work, with the step.
    pub async fn test_connection(&self) -> Result<(), Error> {
        match self {
            Self::Smtp(smtp) => smtp.test_connection().await,
            Self::Directory(directory) => directory.test().await,
        }
    }
}
