//! The row of a refused record: where it is, why, and a redacted start of it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::rows::RejectRow;
use super::{Place, TextStorage, UNKNOWN_INPUT, Work};
use crate::decode::Rejected;
use crate::event::{Input, Record, Records, Timestamp};

/// Most bytes of an excerpt.
const EXCERPT: usize = 4 * 1024;

impl Work {
    /// Adds the row and returns the redacted detail, which quotes nothing where texts are not kept. What cannot be redacted is not
    /// shown at all.
    pub(super) fn reject(
        &mut self,
        records: &Records,
        record: &Record,
        rejected: &Rejected,
        place: &Place<'_>,
        input: Option<Input>,
        time: Timestamp,
    ) -> String {
        let value = records.value(record);
        let said = if place.text == TextStorage::Full { &rejected.detail } else { &rejected.unquoted };
        let detail = self.redactor.excerpt(said.as_bytes(), Rejected::KEPT_DETAIL_BYTES).unwrap_or_default();
        let excerpt = if place.text == TextStorage::Full { self.redactor.excerpt(value, EXCERPT).ok() } else { None };
        let (length, sha256) = match records.cut(record) {
            Some(cut) => (cut.length, cut.sha256),
            None => (value.len() as u64, Sha256::digest(value).into()),
        };
        let open = &mut self.open;
        open.other_bytes += detail.len() + excerpt.as_ref().map_or(0, String::len) + size_of::<RejectRow>();
        open.rows.rejects.push(RejectRow {
            time,
            input: input.unwrap_or(UNKNOWN_INPUT).as_str(),
            reason: rejected.reason.as_str(),
            detail: detail.clone(),
            source_topic: place.topic.to_owned(),
            source_partition: place.partition,
            source_offset: place.offset,
            length: i64::try_from(length).unwrap_or(i64::MAX),
            sha256: hex(&sha256),
            excerpt,
        });
        detail
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        write!(hex, "{byte:02x}").unwrap_or_default();
        hex
    })
}
