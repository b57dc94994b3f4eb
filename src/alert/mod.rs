//! Alerts: rules over metrics, the state of every alert, and the mail that tells people.
//!
//! Pure and deterministic: event time drives state, `now` is an argument, nothing is sent from here. The same log gives the
//! same transitions, the same notifications and the same bytes of mail, however often it is replayed.

mod baseline;
mod diagnostic;
pub mod duration;
mod evidence;
pub mod expr;
mod incident;
mod machine;
mod measurements;
mod notification;
mod outbox;
mod quote;
pub mod render;
mod rule;
#[cfg(test)]
mod sample;
mod shipped;
mod spread;
mod state;
mod template;
mod transition;
mod verdict;
mod vocabulary;
mod yaml;

pub use diagnostic::Diagnostic;
pub use evidence::{Evidence, Hint, Part};
pub use incident::Incident;
pub use machine::{Health, Machine, Phase, Reason};
pub use measurements::{At, Filter, Keep, Labels, Measurements, Observation, Query};
pub use notification::{Earlier, Ending, Kind, Notification, Quoted, test_notification};
pub use outbox::{Change, Claim, Delivery, Outgoing, Progress, SendOutcome, SendResult};
pub use render::{Mail, render};
pub use rule::{
    Annotations, BASELINE_FIELDS, FILE_FIELDS, Freeze, GROUP_FIELDS, Mode, NoData, RULE_FIELDS, Recipients, Rule, Rules,
    SPREAD_FIELDS, Severity, Trailing,
};
pub use shipped::shipped;
pub use spread::{Limits, Spread};
pub use state::{Alert, State};
pub use transition::Transition;
pub use verdict::{Numbers, Verdict, judge};
pub use vocabulary::{Metric, Scale, Unit, Vocabulary};
