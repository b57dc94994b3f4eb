//! One thing to tell people: everything a mail needs, fixed when it was decided, so that it renders the same for ever.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::machine::Reason;
use super::measurements::Labels;
use super::rule::Severity;
use super::verdict::Numbers;
use super::vocabulary::Unit;
use crate::event::Timestamp;

/// Why a notification is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It fires for the first time.
    Firing,
    /// It fires again soon after it was over.
    Reopened,
    /// It got much worse, or does not get better.
    Update,
    /// It is over.
    Resolved,
    /// It should not have fired: late data changed the numbers.
    Corrected,
    /// A mail sent by hand to see that mail arrives.
    Test,
}

impl Kind {
    /// Part of the Message-ID.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reopened => "reopened",
            Self::Update => "update",
            Self::Resolved => "resolved",
            Self::Corrected => "corrected",
            Self::Test => "test",
        }
    }

    /// Whether the alert is on after it.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::Firing | Self::Reopened | Self::Update)
    }
}

/// How an incident ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// Why.
    pub reason: Reason,
    /// When it had fired.
    pub fired_at: Timestamp,
    /// Worst value while it was on.
    pub worst: Option<f64>,
    /// When that was (end of the window).
    pub worst_at: Timestamp,
    /// The mail that it fired was never sent: this one tells both.
    pub first_news: bool,
}

/// A mail of the same thread that went before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Its place in the thread.
    pub sequence: u32,
    /// What it said.
    pub kind: Kind,
}

/// What the mail quotes of the rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quoted {
    /// Name of the metric.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// Length of the window.
    pub over_us: i64,
    /// Condition as written.
    pub expr: String,
    /// Condition to recover as written, if there is one.
    pub recover: Option<String>,
    /// How long it must be right before it is over.
    pub keep_firing_us: i64,
    /// What the baseline is, for example `6 h before`.
    pub baseline: Option<String>,
    /// `file:line`.
    pub place: String,
    /// Fixed labels.
    pub labels: Vec<(String, String)>,
    /// Rendered annotations; empty if there is none.
    pub summary: String,
    /// More lines.
    pub description: String,
    /// What to do.
    pub runbook_url: String,
    /// Where to look.
    pub dashboard_url: String,
    /// What went wrong while rendering.
    pub problems: Vec<String>,
}

/// One thing to tell people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The incident's id.
    pub incident: String,
    /// Place in the incident's thread, from 1.
    pub sequence: u32,
    /// Why it is sent.
    pub kind: Kind,
    /// Name of the rule.
    pub rule: String,
    /// How urgent.
    pub severity: Severity,
    /// Whom it hits.
    pub labels: Labels,
    /// End of the window that decided (event time; the log's clock for rules on the service itself).
    pub at: Timestamp,
    /// When it was decided (the log's clock). The Date of the mail.
    pub queued_at: Timestamp,
    /// When it began, as far as the minutes tell.
    pub onset: Timestamp,
    /// How often the incident was reopened or relapsed.
    pub flaps: u32,
    /// The numbers that decided.
    pub numbers: Numbers,
    /// What else is known.
    pub evidence: Evidence,
    /// How it ended, if it did.
    pub ending: Option<Ending>,
    /// The thread so far.
    pub earlier: Vec<Earlier>,
    /// The rule's words.
    pub quoted: Quoted,
    /// Everyone who is told.
    pub recipients: Vec<String>,
}

impl Notification {
    /// Name of the message: unique, and the same for every recipient and every repeat.
    pub fn id(&self) -> String {
        format!("{}.{}.{}", self.incident, self.sequence, self.kind.as_str())
    }
}

/// A notification that says nothing but that mail arrives. Each call makes a thread of its own.
#[must_use]
pub fn test_notification(severity: Severity, recipients: Vec<String>, now: Timestamp) -> Notification {
    let labels = Labels::new();
    Notification {
        incident: super::incident::id("TestMail", &vec![("severity".to_owned(), severity.as_str().to_owned())], now),
        sequence: 1,
        kind: Kind::Test,
        rule: "TestMail".to_owned(),
        severity,
        labels,
        at: now,
        queued_at: now,
        onset: now,
        flaps: 0,
        numbers: Numbers::default(),
        evidence: Evidence::default(),
        ending: None,
        earlier: Vec::new(),
        quoted: Quoted { summary: "mail from Groundwire arrives. Nothing is wrong.".to_owned(), ..Quoted::default() },
        recipients,
    }
}
