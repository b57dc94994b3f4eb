//! What happens when: the one place that holds the minutes of the scenario.
//!
//! At least 90 minutes of ordinary traffic come first, so that every baseline has something to stand on. The incidents
//! do not overlap, and a deployment that changes nothing (minute 65) checks that a change alone raises no alert.

use super::Incident;

/// Microseconds in a minute.
pub(super) const MINUTE_US: i64 = 60_000_000;
/// Length of the scenario in minutes.
pub(super) const MINUTES: u32 = 390;
/// The tenant of all traffic.
pub(super) const TENANT: &str = "larkfield";
/// The support bot with retrieval.
pub(super) const SUPPORT: &str = "support-bot";
/// The translation of product texts and letters.
pub(super) const TRANSLATION: &str = "translation";
/// The classification of incoming tickets.
pub(super) const TRIAGE: &str = "ticket-triage";

/// A span of minutes, the end not included.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Span {
    /// Whether a minute lies within.
    pub(super) const fn holds(self, minute: u32) -> bool {
        self.from <= minute && minute < self.to
    }
}

/// The harmless deployment of a new prompt of the translation.
pub(super) const HARMLESS_DEPLOY: u32 = 65;
/// Prompt v8 of the support bot is live.
pub(super) const BAD_PROMPT: Span = Span { from: 95, to: 127 };
/// The provider of the translation is down.
pub(super) const OUTAGE: Span = Span { from: 157, to: 184 };
/// The index is stale: the build of minute 210 has failed, a repaired one completes at the end.
pub(super) const STALE_INDEX: Span = Span { from: 212, to: 257 };
/// Customers ask about the recall, which the stale index does not know.
pub(super) const RECALL_QUESTIONS: Span = Span { from: 214, to: 257 };
/// Template v13 of the triage repeats the history.
pub(super) const TOKEN_SPIKE: Span = Span { from: 285, to: 315 };
/// Customers ask about a new product.
pub(super) const LAUNCH: Span = Span { from: 332, to: 370 };

/// The scripted incidents of a scenario that starts at `start_us`, in order.
pub(super) fn incidents(start_us: i64) -> Vec<Incident> {
    let incident = |name, title, story, app, span: Span, expected_alerts, consequences| Incident {
        name,
        title,
        story,
        app,
        start_us: start_us + i64::from(span.from) * MINUTE_US,
        end_us: start_us + i64::from(span.to) * MINUTE_US,
        expected_alerts,
        consequences,
    };
    vec![
        incident(
            "bad-prompt",
            "Bad prompt version",
            "prompt v8 of the support bot goes live and its answers stop sticking to their contexts; v7 is rolled back in",
            SUPPORT,
            BAD_PROMPT,
            &["GroundednessDrop", "ThumbsDownSurge"],
            &["DriftDetected", "RelevanceDrop"],
        ),
        incident(
            "provider-outage",
            "Provider outage",
            "the translation's provider answers with 429, 503 and timeouts",
            TRANSLATION,
            OUTAGE,
            &["ErrorRateRise"],
            &["DriftDetected"],
        ),
        incident(
            "stale-index",
            "Failed index build",
            "two index builds fail just as a toaster is recalled; the bot is asked about what its index does not hold",
            SUPPORT,
            STALE_INDEX,
            &["PipelineFailed", "IndexStale", "RelevanceDrop"],
            &["DriftDetected", "ThumbsDownSurge", "GroundednessDrop"],
        ),
        incident(
            "token-spike",
            "Token spike",
            "a bug in template v13 of the ticket triage repeats the history: six times the input tokens",
            TRIAGE,
            TOKEN_SPIKE,
            &["TokenSpike"],
            &["DriftDetected"],
        ),
        incident(
            "question-shift",
            "Shift in users' questions",
            "a steam oven is launched, and the support bot gets longer questions in new words",
            SUPPORT,
            LAUNCH,
            &["DriftDetected"],
            &["RelevanceDrop", "GroundednessDrop", "ThumbsDownSurge"],
        ),
    ]
}
