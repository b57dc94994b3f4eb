//! Rules: what to look at, when it is wrong, how sure to be, whom to tell.
//!
//! Rules come from YAML files (`read`), checked as a whole: either all files are right or nothing changes. The identity of an
//! alert is its name and labels, never its text, so an edited rule keeps what it knows.

mod fields;
mod read;
mod spread;

use serde::{Deserialize, Serialize};

use super::expr::Condition;
use super::measurements::{Filter, Query};
use super::spread::Spread;
use super::vocabulary::{Scale, Unit};
use crate::measure::Dimension;

pub use read::{BASELINE_FIELDS, FILE_FIELDS, GROUP_FIELDS, RULE_FIELDS};
pub use spread::SPREAD_FIELDS;

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// In working hours.
    Ticket,
    /// Now.
    Page,
}

impl Severity {
    /// All, most urgent first.
    pub const ALL: [Self; 3] = [Self::Page, Self::Ticket, Self::Info];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

/// Whether a rule may notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Evaluates and notifies.
    Live,
    /// Evaluates, keeps state and history, never notifies.
    Shadow,
    /// Does nothing.
    Off,
}

/// What a window without any row means for an alert that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// Nothing is known: the state is kept.
    Hold,
    /// As if clear.
    Ok,
    /// As if breached.
    Alert,
}

/// A trailing baseline: the same metric over the time before the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailing {
    /// Its length.
    pub window_us: i64,
    /// Time left out between baseline and window, so that the onset does not raise its own bar.
    pub gap_us: i64,
    /// Whether it is kept as it was when the alert went pending, until the alert is over.
    pub freeze: Freeze,
    /// Values it must have; below, the verdict is THIN.
    pub min_samples: u64,
}

/// What a baseline does while its alert is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// Stays.
    WhileActive,
    /// Moves on.
    Never,
}

/// What a mail says beside the numbers. Templates in Jinja's syntax.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// One line.
    pub summary: String,
    /// More lines.
    pub description: Option<String>,
    /// What to do.
    pub runbook_url: Option<String>,
    /// Where to look.
    pub dashboard_url: Option<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique over all files.
    pub name: String,
    /// How urgent it is.
    pub severity: Severity,
    /// Whether it may notify.
    pub mode: Mode,
    /// What it looks at.
    pub query: Query,
    /// How the metric's numbers are written.
    pub unit: Unit,
    /// How windows of the metric compare.
    pub scale: Scale,
    /// Dimensions of the metric.
    pub dimensions: Vec<Dimension>,
    /// Length of the window.
    pub over_us: i64,
    /// When it is wrong.
    pub expr: Condition,
    /// As written.
    pub expr_text: String,
    /// When it is right again; `not expr` if none.
    pub recover: Option<(Condition, String)>,
    /// How long it must be wrong before it fires.
    pub hold_us: i64,
    /// How long it must be right before it is over.
    pub keep_firing_us: i64,
    /// Values a window must have; below, the verdict is THIN.
    pub min_samples: u64,
    /// Bad values a window must have to breach.
    pub min_bad: u64,
    /// What a window without any row means.
    pub no_data: NoData,
    /// How long a window may have too little data before a pending alert is dropped.
    pub no_data_for_us: i64,
    /// What to compare with.
    pub baseline: Option<Trailing>,
    /// Limits from the metric's own last windows.
    pub spread: Option<Spread>,
    /// Fixed labels (of the group and the rule), for the mail.
    pub labels: Vec<(String, String)>,
    /// What the mail says.
    pub annotations: Annotations,
    /// `file:line`.
    pub place: String,
}

impl Rule {
    /// Whether it judges the service itself and therefore follows the wall clock of the log's entries, not event time.
    pub fn watches_the_service(&self) -> bool {
        self.query.metric.starts_with("service.")
    }

    /// The query for one instance, by other dimensions.
    pub(super) fn query_of(&self, labels: &[(String, String)], by: Vec<Dimension>) -> Query {
        let mut filter = self.query.filter.clone();
        for (dimension, (_, value)) in self.query.by.iter().zip(labels) {
            filter.push(Filter { dimension: *dimension, values: vec![value.clone()], keep: super::measurements::Keep::Only });
        }
        Query { metric: self.query.metric.clone(), filter, by }
    }
}

/// Addresses by severity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Of pages.
    pub page: Vec<String>,
    /// Of tickets.
    pub ticket: Vec<String>,
    /// Of informational alerts.
    pub info: Vec<String>,
}

impl Recipients {
    /// One address for all.
    #[must_use]
    pub fn everything_to(address: &str) -> Self {
        let all = || vec![address.to_owned()];
        Self { page: all(), ticket: all(), info: all() }
    }

    /// Who is told, in configured order, each once.
    pub fn of(&self, severity: Severity) -> Vec<String> {
        let all = match severity {
            Severity::Page => &self.page,
            Severity::Ticket => &self.ticket,
            Severity::Info => &self.info,
        };
        let mut once: Vec<String> = Vec::with_capacity(all.len());
        for address in all {
            if !once.contains(address) {
                once.push(address.clone());
            }
        }
        once
    }
}

/// All rules in force, and who is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// In the order of the files.
    pub rules: Vec<Rule>,
    /// Who is told.
    pub recipients: Recipients,
}

impl Rules {
    /// The rule of that name.
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

#[cfg(test)]
mod tests;
