//! Named points where a test may end the process.
//!
//! `GROUNDWIRE_FAILPOINT=append:2` aborts the process the second time it passes the point `append`: no destructors, no
//! flushing, as after a power cut of the process. Without the variable a point costs one load and one comparison.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Environment variable that arms a point: `<name>:<passage, from 1>`.
pub const VARIABLE: &str = "GROUNDWIRE_FAILPOINT";

/// Points that exist: first those that an epoch passes, in order, then the evaluator's and the sender's.
pub const POINTS: [&str; 14] = [
    "stage",
    "staged",
    "dead_letter",
    "append",
    "appended",
    "publish",
    "published",
    "checkpoint",
    "acknowledge",
    "snapshot",
    "claim",
    "claimed",
    "send",
    "sent",
];

struct Armed {
    point: String,
    passages_left: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

fn armed() -> Option<Armed> {
    let setting = std::env::var(VARIABLE).ok()?;
    let (point, passage) = setting.split_once(':').unwrap_or((&setting, "1"));
    Some(Armed { point: point.to_owned(), passages_left: AtomicU64::new(passage.parse().ok().filter(|n| *n > 0)?) })
}

/// Passes the point of that name; aborts if it is armed and its turn has come.
pub fn hit(point: &str) {
    let Some(armed) = ARMED.get_or_init(armed) else { return };
    if armed.point == point && armed.passages_left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}
