//! Incidents: one stretch of trouble of one alert, with the thread of mails about it.

use serde::{Deserialize, Serialize};

use super::machine::Reason;
use super::measurements::Labels;
use super::notification::Earlier;
use crate::event::Timestamp;

/// How soon after its end an alert that fires again reopens the same incident.
pub(super) const REOPEN_WITHIN_US: i64 = Timestamp::HOUR_US;
/// How long an incident that is over is remembered.
pub(super) const REMEMBER_US: i64 = Timestamp::DAY_US;

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// 10 characters of base32.
    pub id: String,
    /// Name of the rule.
    pub rule: String,
    /// Whom it hits.
    pub labels: Labels,
    /// When it fired, the last time.
    pub fired_at: Timestamp,
    /// When it began.
    pub onset: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Why it was over.
    pub ended_by: Option<Reason>,
    /// Worst value, as the rule sees it.
    pub worst: Option<f64>,
    /// When that was.
    pub worst_at: Timestamp,
    /// How often it was reopened.
    pub reopened: u32,
    /// How bad the last mail said it is.
    pub told: Option<f64>,
    /// When that was.
    pub told_at: Timestamp,
    /// Values behind the window that fired: if they change, data came late.
    pub fired_n: u64,
    /// Its mails.
    pub mails: Vec<Earlier>,
}

/// 10 characters of base32 (RFC 4648) of a hash of (rule, labels, time): the same for every replay.
pub(super) fn id(rule: &str, labels: &Labels, fired_at: Timestamp) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut hasher = identity(rule, labels);
    hasher.update(&fired_at.0.to_le_bytes());
    let mut bits = u64::from_le_bytes(first_eight(&hasher));
    (0..10)
        .map(|_| {
            let index = usize::try_from(bits & 31).unwrap_or_default();
            bits >>= 5;
            char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
        })
        .collect()
}

/// 16 hex characters that name the alert (rule and labels) over all its incidents.
pub(super) fn fingerprint(rule: &str, labels: &Labels) -> String {
    format!("{:016x}", u64::from_be_bytes(first_eight(&identity(rule, labels))))
}

fn identity(rule: &str, labels: &Labels) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    for text in std::iter::once(rule).chain(labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()])) {
        hasher.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher
}

fn first_eight(hasher: &blake3::Hasher) -> [u8; 8] {
    let mut out = [0; 8];
    hasher.finalize_xof().fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, id};
    use crate::event::Timestamp;

    #[test]
    fn an_id_is_ten_characters_and_depends_on_rule_labels_and_time_only() {
        let labels = vec![("tenant".to_owned(), "acme".to_owned())];
        let shifted = vec![("tenanta".to_owned(), "cme".to_owned())];
        let one = id("Drop", &labels, Timestamp(1));
        assert_eq!(one, id("Drop", &labels.clone(), Timestamp(1)));
        assert!(one.len() == 10 && one.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)), "{one}");
        for other in [id("Drop", &labels, Timestamp(2)), id("Drup", &labels, Timestamp(1)), id("Drop", &shifted, Timestamp(1))] {
            assert_ne!(one, other);
        }
        assert_eq!(fingerprint("Drop", &labels).len(), 16);
        assert_ne!(fingerprint("Drop", &labels), fingerprint("Drop", &shifted));
    }
}
