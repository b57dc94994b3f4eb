//! Copies messages into a batch of records: one buffer, each offset once, no value longer than the limit.

use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _};
use sha2::{Digest, Sha256};

use super::Reading;
use crate::event::{Cut, Header, Record, Records, Timestamp};

/// Where the records of a batch go; remembers the partition of the last one, because they come in runs.
#[derive(Default)]
pub(super) struct Batch {
    /// Index into the partitions being read, and into those of the batch.
    last: Option<(usize, u32)>,
}

impl Batch {
    pub(super) fn take(&mut self, message: &BorrowedMessage<'_>, reading: &mut [Reading], max_bytes: usize, records: &mut Records) {
        let is = |r: &Reading| r.id.partition == message.partition() && &*r.id.topic == message.topic();
        let (at, partition) = match self.last {
            Some((at, partition)) if reading.get(at).is_some_and(is) => (at, partition),
            _ => {
                // Not ours any more: a leftover of the client's queue.
                let Some(at) = reading.iter().position(is) else { return };
                let partition = records.partition(message.topic(), message.partition());
                self.last = Some((at, partition));
                (at, partition)
            }
        };
        let Some(reading) = reading.get_mut(at) else { return };
        let offset = message.offset();
        // The client can go back after a seek; what was handed over is not handed over again.
        if offset < reading.next {
            return;
        }
        reading.next = offset + 1;
        let mut add = |bytes: &[u8]| {
            let from = records.bytes.len();
            records.bytes.extend_from_slice(bytes);
            from..records.bytes.len()
        };
        let key = message.key().map(|key| add(key.get(..max_bytes).unwrap_or(key)));
        let value = message.payload().map(|value| add(value.get(..=max_bytes).unwrap_or(value)));
        let long = message.payload().filter(|value| value.len() > max_bytes);
        let cut = long.map(|value| {
            records.cut.push(Cut { length: value.len() as u64, sha256: Sha256::digest(value).into() });
            last_index(records.cut.len())
        });
        let headers = message.headers().map(|headers| {
            let owned =
                |h: rdkafka::message::Header<'_, &[u8]>| Header { key: h.key.to_owned(), value: h.value.map(<[u8]>::to_vec) };
            records.headers.push(headers.iter().map(owned).collect());
            last_index(records.headers.len())
        });
        let time = message.timestamp().to_millis().filter(|millis| *millis >= 0);
        let time = time.and_then(|millis| millis.checked_mul(1_000)).map(Timestamp);
        records.records.push(Record { partition, offset, next_offset: offset + 1, time, key, value, headers, cut });
    }
}

/// Index of the last of some items.
fn last_index(length: usize) -> u32 {
    u32::try_from(length.saturating_sub(1)).unwrap_or(u32::MAX)
}
