//! The mail: a notification as text that a tired person understands on a lock screen.
//!
//! Plain text first, at most 62 columns of ASCII, the first 100 characters stand alone; HTML mirrors it. A function of the
//! notification and the settings only: a repeat gives the same bytes, with the same Message-ID, Date and MIME boundary (AL-5).
//! Nothing that fails while rendering stops the mail.

mod html;
mod text;

use super::machine::Reason;
use super::notification::{Kind, Notification};
use super::rule::Severity;
use crate::event::Timestamp;

pub(super) use text::ascii;

/// What rendering needs to know of the installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Address that mail comes from, without a display name.
    pub from: String,
    /// Where the lake is, for the query; empty leaves the query's path relative.
    pub lake: String,
    /// Where runbooks are kept: the beginning of every `runbook_url` that is not a whole address; may be empty.
    pub runbooks: String,
}

/// A mail that is ready to be sent to each of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Display name of the sender; carries the state, since the subject must not change within a thread.
    pub from_name: String,
    /// Address of the sender.
    pub from: String,
    /// Everyone who gets it.
    pub to: Vec<String>,
    /// Constant over the thread, ASCII.
    pub subject: String,
    /// When it was decided.
    pub date: Timestamp,
    /// With angle brackets.
    pub message_id: String,
    /// The first mail of the thread, if this is not it.
    pub in_reply_to: Option<String>,
    /// The thread, oldest first.
    pub references: Vec<String>,
    /// Further headers, ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// MIME boundary.
    pub boundary: String,
    /// Plain text, lines end in `\n`.
    pub text: String,
    /// HTML, the same content.
    pub html: String,
}

/// A part of the mail: a word in the margin and lines beside it.
struct Section {
    name: &'static str,
    lines: Vec<String>,
}

/// Makes the mail of a notification.
#[must_use]
pub fn render(notification: &Notification, settings: &Settings) -> Mail {
    let domain = settings.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let id_of = |sequence: u32, kind: Kind| format!("<GW-{}.{sequence}.{}@{domain}>", notification.incident, kind.as_str());
    // The thread's first mail and the last few: enough for every client, and a header of bounded length.
    let mut references: Vec<String> = notification.earlier.iter().map(|earlier| id_of(earlier.sequence, earlier.kind)).collect();
    if references.len() > 10 {
        references.drain(1..references.len() - 9);
    }
    let message_id = id_of(notification.sequence, notification.kind);
    let lead = text::lead(notification);
    let sections = text::sections(notification, settings);
    let hash = blake3::hash(message_id.as_bytes()).to_hex();
    Mail {
        from_name: format!("Groundwire {}", state_word(notification)),
        from: settings.from.clone(),
        to: notification.recipients.clone(),
        subject: subject(notification),
        date: notification.queued_at,
        in_reply_to: references.first().cloned(),
        references,
        headers: headers(notification, domain),
        boundary: format!("gw-{}", hash.get(..32).unwrap_or_default()),
        message_id,
        text: text::plain(&lead, &sections),
        html: html::page(notification, &lead, &sections),
    }
}

/// The state in capitals.
fn state_word(notification: &Notification) -> &'static str {
    match notification.kind {
        Kind::Firing => "FIRING",
        Kind::Reopened => "REOPENED",
        Kind::Update => "STILL FIRING",
        Kind::Resolved if notification.ending.as_ref().is_some_and(|ending| ending.reason != Reason::Recovered) => "ENDED",
        Kind::Resolved => "RESOLVED",
        Kind::Corrected => "CORRECTED",
        Kind::Test => "TEST",
    }
}

fn subject(notification: &Notification) -> String {
    let whom = whom(notification);
    let whom = if whom.is_empty() { String::new() } else { format!(" {whom}") };
    let subject = format!("[{}] {}{whom} GW-{}", notification.severity.as_str(), notification.rule, notification.incident);
    ascii(&subject)
}

/// The labels' values, for people; cut where they are endless.
fn whom(notification: &Notification) -> String {
    let values: Vec<String> =
        notification.labels.iter().map(|(_, value)| cut(if value.is_empty() { "-" } else { value }, 40)).collect();
    values.join("/")
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars.saturating_sub(2)).collect();
    short.push_str("..");
    short
}

fn headers(notification: &Notification, domain: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("List-Id", format!("<alerts.groundwire.{domain}>")),
        ("X-Groundwire-Incident", format!("GW-{}", notification.incident)),
        ("X-Groundwire-Alert", notification.rule.clone()),
        ("X-Groundwire-State", notification.kind.as_str().to_owned()),
        ("X-Groundwire-Severity", notification.severity.as_str().to_owned()),
        ("X-Groundwire-Fingerprint", super::incident::fingerprint(&notification.rule, &notification.labels)),
    ];
    if notification.severity == Severity::Page && notification.kind.is_on() {
        headers.push(("Importance", "high".to_owned()));
    }
    headers.into_iter().map(|(name, value)| (name, ascii(&value))).collect()
}

#[cfg(test)]
mod tests;
