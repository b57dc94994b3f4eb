//! Ending in order: one signal that every task sees, and a deadline after which nobody waits any longer.

use std::time::Duration;

use tokio::sync::watch;

use super::clock;
use crate::event::Timestamp;

/// Time from the signal to the deadline.
const GRACE: Duration = Duration::from_secs(8);

/// A handle that tells whether something is to end, and since when.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: watch::Sender<Option<Timestamp>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { requested: watch::channel(None).0 }
    }
}

impl Shutdown {
    /// Tells every task to finish what it has begun and to end.
    pub fn request(&self) {
        self.requested.send_if_modified(|requested| {
            let first = requested.is_none();
            requested.get_or_insert_with(clock::wall);
            first
        });
    }

    /// Whether the end was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.borrow().is_some()
    }

    /// Whether the end was requested and the grace is over.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.requested
            .borrow()
            .is_some_and(|at| clock::wall().0.saturating_sub(at.0) >= i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX))
    }

    /// Returns when the end is requested.
    pub async fn requested(&self) {
        let mut requested = self.requested.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        if requested.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the end was requested and the grace is over.
    pub async fn deadline_passed(&self) {
        self.requested().await;
        tokio::time::sleep(GRACE).await;
    }
}
