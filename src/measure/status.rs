//! How a request ended, from what gateways report about it.
//!
//! The HTTP status of the provider's reply decides first; the producer's own `status` decides where HTTP says nothing.

use super::{Measure, measures};
use crate::event::{GatewayLog, Status};

/// Class of a request's end. Every request is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusClass {
    /// Answered.
    Ok,
    /// Refused for a fault of the client.
    Client4xx,
    /// Refused for lack of quota.
    Throttled429,
    /// Failed at the provider.
    Provider5xx,
    /// No answer in time.
    Timeout,
    /// Stopped by a content filter.
    ContentFiltered,
    /// The client went away.
    Cancelled,
}

impl StatusClass {
    /// The name in the `status` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Client4xx => "client_4xx",
            Self::Throttled429 => "throttled_429",
            Self::Provider5xx => "provider_5xx",
            Self::Timeout => "timeout",
            Self::ContentFiltered => "content_filtered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The class of a stored name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ok, Self::Client4xx, Self::Throttled429, Self::Provider5xx, Self::Timeout, Self::ContentFiltered, Self::Cancelled]
            .into_iter()
            .find(|class| class.as_str() == name)
    }

    /// The measure that counts the class; answered requests are those that no class counts.
    #[must_use]
    pub const fn measure(self) -> Option<Measure> {
        match self {
            Self::Ok => None,
            Self::Client4xx => Some(measures::STATUS_CLIENT_4XX),
            Self::Throttled429 => Some(measures::STATUS_THROTTLED_429),
            Self::Provider5xx => Some(measures::STATUS_PROVIDER_5XX),
            Self::Timeout => Some(measures::STATUS_TIMEOUT),
            Self::ContentFiltered => Some(measures::STATUS_CONTENT_FILTERED),
            Self::Cancelled => Some(measures::STATUS_CANCELLED),
        }
    }
}

/// The class of a gateway log.
#[must_use]
pub fn status_class(log: &GatewayLog<'_>) -> StatusClass {
    classify(log.http_status, log.error_type.as_deref(), log.finish_reason.as_deref(), log.status)
}

/// The class from its parts: 429; 408, 504 or an `error_type` that names a timeout; other 5xx; 400 with a content filter's
/// reason; 499; other 4xx; otherwise `status`, and without one what `error_type` and `finish_reason` say.
#[must_use]
pub fn classify(
    http_status: Option<i64>,
    error_type: Option<&str>,
    finish_reason: Option<&str>,
    status: Option<Status>,
) -> StatusClass {
    let timed_out = error_type.is_some_and(names_a_timeout);
    match http_status {
        Some(429) => return StatusClass::Throttled429,
        Some(408 | 504) => return StatusClass::Timeout,
        Some(500..=599) if timed_out => return StatusClass::Timeout,
        Some(500..=599) => return StatusClass::Provider5xx,
        Some(499) => return StatusClass::Cancelled,
        Some(400) if is_filtered(error_type) || is_filtered(finish_reason) || status == Some(Status::Filtered) => {
            return StatusClass::ContentFiltered;
        }
        Some(400..=499) => return StatusClass::Client4xx,
        _ if timed_out => return StatusClass::Timeout,
        _ => {}
    }
    match status {
        Some(Status::Ok) => StatusClass::Ok,
        Some(Status::Error) => StatusClass::Provider5xx,
        Some(Status::Filtered) => StatusClass::ContentFiltered,
        Some(Status::Cancelled) => StatusClass::Cancelled,
        Some(Status::Throttled) => StatusClass::Throttled429,
        Some(Status::Timeout) => StatusClass::Timeout,
        None if is_filtered(error_type) || is_filtered(finish_reason) => StatusClass::ContentFiltered,
        None if error_type.is_some() => StatusClass::Provider5xx,
        None => StatusClass::Ok,
    }
}

fn names_a_timeout(error_type: &str) -> bool {
    contains_ignoring_case(error_type, "timeout")
        || contains_ignoring_case(error_type, "timed_out")
        || contains_ignoring_case(error_type, "deadline_exceeded")
}

/// The words by which providers name their content filters.
fn is_filtered(reason: Option<&str>) -> bool {
    const REASONS: [&str; 5] = ["content_filter", "contentfilter", "content_policy", "content-filter", "responsibleai"];
    reason.is_some_and(|reason| REASONS.iter().any(|word| contains_ignoring_case(reason, word)))
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_decides_before_status_and_status_before_guesses() {
        use StatusClass::{Cancelled, Client4xx, ContentFiltered, Ok, Provider5xx, Throttled429, Timeout};
        let cases = [
            (Some(200), None, Some("stop"), Some(Status::Ok), Ok),
            (Some(429), Some("timeout"), None, Some(Status::Error), Throttled429),
            (Some(408), None, None, None, Timeout),
            (Some(504), None, None, Some(Status::Error), Timeout),
            (Some(500), Some("APITimeoutError"), None, None, Timeout),
            (Some(503), None, None, Some(Status::Throttled), Provider5xx),
            (Some(400), Some("content_policy_violation"), None, None, ContentFiltered),
            (Some(400), None, Some("content_filter"), None, ContentFiltered),
            (Some(400), None, None, None, Client4xx),
            (Some(404), Some("content_filter"), None, None, Client4xx),
            (Some(499), None, None, None, Cancelled),
            (Some(200), None, None, Some(Status::Cancelled), Cancelled),
            (Some(200), Some("timeout"), None, None, Timeout),
            (None, None, None, Some(Status::Error), Provider5xx),
            (None, None, Some("content_filter"), None, ContentFiltered),
            (None, None, None, Some(Status::Throttled), Throttled429),
            (None, Some("boom"), None, None, Provider5xx),
            (None, None, None, None, Ok),
        ];
        for (http, error, finish, status, expected) in cases {
            assert_eq!(classify(http, error, finish, status), expected, "{http:?} {error:?} {finish:?} {status:?}");
            assert_eq!(StatusClass::parse(expected.as_str()), Some(expected));
        }
    }
}
