//! Bounded waiting for a condition that only another process can make true.

use std::time::{Duration, Instant};

/// How long tests wait for another process before they call it a failure. Generous: a passing test never waits so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// Asks `condition` until it answers, and hands the answer back; panics with `what` after [`LIMIT`].
pub(crate) fn until<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, what, condition)
}

/// The same with another limit.
pub(crate) fn within<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
