//! The only clock.
//!
//! `wall` is the machine's. `events` follows the greatest event time that was read: nothing advances while no event comes,
//! so a demo, a back-fill or a replay decides as it would have decided then. Pauses and back-off always go by the machine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::Timestamp;

/// Which clock decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The machine's.
    Wall,
    /// The greatest event time read.
    Events,
}

/// A clock that every task shares.
#[derive(Clone, Debug)]
pub struct Clock {
    kind: Kind,
    newest_event_us: Arc<AtomicI64>,
}

impl Clock {
    /// A clock; the event clock stands at `start` until a newer event comes.
    #[must_use]
    pub fn new(kind: Kind, start: Timestamp) -> Self {
        Self { kind, newest_event_us: Arc::new(AtomicI64::new(start.0)) }
    }

    /// The time that decides what is stored, closed and fired.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self.kind {
            Kind::Wall => wall(),
            Kind::Events => Timestamp(self.newest_event_us.load(Ordering::Acquire)),
        }
    }

    /// An event of this time was read.
    pub fn saw(&self, event_time: Timestamp) {
        self.newest_event_us.fetch_max(event_time.0, Ordering::AcqRel);
    }

    /// Which clock it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

/// The machine's time, for notifications and logs.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's time")]
pub fn wall() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
