//! Ending in order: one signal that every task sees, and a deadline after which nobody waits any longer.

use std::time::Duration;

use tokio::sync::watch;

use super::clock;
use crate::event::Timestamp;

/// Time from the signal to the deadline.
const GRACE: Duration = Duration::from_secs(6);
/// Time from the deadline until the process stops waiting for its own tasks: ten seconds hold the last exports, too.
const MARGIN: Duration = Duration::from_millis(500);

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
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Time to the deadline, if the end was requested.
    fn left(&self) -> Option<Duration> {
        let requested = (*self.requested.borrow())?;
        let since = clock::wall().0.saturating_sub(requested.0);
        Some(GRACE.saturating_sub(Duration::from_micros(since.max(0).unsigned_abs())))
    }

    /// Returns when the end is requested.
    pub async fn requested(&self) {
        let mut requested = self.requested.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        if requested.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when even a task that heeds the deadline should have ended.
    pub(super) async fn overdue(&self) {
        self.deadline_passed().await;
        tokio::time::sleep(MARGIN).await;
    }

    /// Returns when the end was requested and the grace is over.
    pub async fn deadline_passed(&self) {
        self.requested().await;
        tokio::time::sleep(self.left().unwrap_or_default()).await;
    }
}
