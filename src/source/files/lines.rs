//! Cuts a stream of bytes into lines with their positions, holding no more of a line than the limit.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::event::{Cut, Record, Records};

/// Bytes asked for at once.
const CHUNK_BYTES: usize = 64 << 10;

/// A stream that is being cut.
pub(super) struct Lines {
    reader: Box<dyn Read + Send>,
    /// Bytes read and not yet cut off.
    buffer: Vec<u8>,
    /// First byte of `buffer` that is not cut off yet.
    start: usize,
    /// First byte of `buffer` that was not looked at for the end of a line.
    looked: usize,
    /// Position of the byte at `start`, or of the line that is being passed over.
    position: i64,
    /// A line beyond the limit whose end has not come yet.
    long: Option<Long>,
    max_bytes: usize,
    /// The stream ends where it ends: its last line is whole.
    complete: bool,
    at_end: bool,
}

struct Long {
    head: Vec<u8>,
    length: u64,
    hash: Sha256,
}

impl Long {
    fn take(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.hash.update(bytes);
    }
}

impl Lines {
    pub(super) fn open(reader: Box<dyn Read + Send>, position: i64, max_bytes: usize, complete: bool) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, looked: 0, position, long: None, max_bytes, complete, at_end: false }
    }

    /// Position of the next line.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Position after the last byte read.
    pub(super) fn seen(&self) -> i64 {
        let passed = self.long.as_ref().map_or(0, |long| long.length);
        self.position.saturating_add(signed(passed)).saturating_add(signed((self.buffer.len() - self.start) as u64))
    }

    /// The last read brought nothing.
    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Reads up to a position and forgets what was before.
    pub(super) fn skip_to(&mut self, position: i64) -> io::Result<()> {
        while self.position < position {
            if self.buffer.len() == self.start && self.fill()? == 0 {
                break;
            }
            let step = usize::try_from(position - self.position).unwrap_or(usize::MAX).min(self.buffer.len() - self.start);
            self.advance(step);
        }
        self.looked = self.start;
        Ok(())
    }

    /// Adds lines to a batch as records of a partition, until `bytes` were added or nothing more is there.
    pub(super) fn read(&mut self, records: &mut Records, partition: u32, bytes: usize) -> io::Result<()> {
        let target = records.bytes.len() + bytes;
        while records.bytes.len() < target {
            let unseen = self.buffer.get(self.looked..).unwrap_or_default();
            if let Some(length) = unseen.iter().position(|byte| *byte == b'\n') {
                let end = self.looked + length;
                self.emit(end, 1, records, partition);
                continue;
            }
            self.looked = self.buffer.len();
            if self.buffer.len() - self.start > self.max_bytes.saturating_add(1) {
                self.pass_over();
            }
            if self.fill()? == 0 {
                if self.complete && (self.long.is_some() || self.start < self.buffer.len()) {
                    self.emit(self.buffer.len(), 0, records, partition);
                }
                break;
            }
        }
        Ok(())
    }

    /// Makes a record of the line that ends before `end`, and goes on behind its terminator.
    fn emit(&mut self, end: usize, terminator: usize, records: &mut Records, partition: u32) {
        let offset = self.position;
        if let Some(mut long) = self.long.take() {
            long.take(self.buffer.get(self.start..end).unwrap_or_default());
            self.position = self.position.saturating_add(signed(long.length));
            self.start = end;
            self.advance(terminator);
            let cut = Cut { length: long.length, sha256: long.hash.finalize().into() };
            self.push(&long.head, offset, Some(cut), records, partition);
        } else {
            let line = self.buffer.get(self.start..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) {
                self.advance(end + terminator - self.start);
            } else if line.len() > self.max_bytes {
                let cut = Cut { length: line.len() as u64, sha256: Sha256::digest(line).into() };
                let head = line.get(..=self.max_bytes).unwrap_or(line).to_vec();
                self.advance(end + terminator - self.start);
                self.push(&head, offset, Some(cut), records, partition);
            } else {
                let from = records.bytes.len();
                records.bytes.extend_from_slice(line);
                self.advance(end + terminator - self.start);
                self.record(from..records.bytes.len(), offset, None, records, partition);
            }
        }
        self.looked = self.start;
    }

    fn push(&self, head: &[u8], offset: i64, cut: Option<Cut>, records: &mut Records, partition: u32) {
        let from = records.bytes.len();
        records.bytes.extend_from_slice(head);
        self.record(from..records.bytes.len(), offset, cut, records, partition);
    }

    fn record(&self, value: std::ops::Range<usize>, offset: i64, cut: Option<Cut>, records: &mut Records, partition: u32) {
        let cut = cut.map(|cut| {
            records.cut.push(cut);
            u32::try_from(records.cut.len() - 1).unwrap_or(u32::MAX)
        });
        let value = Some(value);
        records.records.push(Record {
            partition,
            offset,
            next_offset: self.position,
            time: None,
            key: None,
            value,
            headers: None,
            cut,
        });
    }

    /// Lets go of the bytes of a line beyond the limit, but for its start.
    fn pass_over(&mut self) {
        let bytes = self.buffer.get(self.start..).unwrap_or_default();
        let long = self.long.get_or_insert_with(|| Long {
            head: bytes.get(..=self.max_bytes).unwrap_or(bytes).to_vec(),
            length: 0,
            hash: Sha256::new(),
        });
        long.take(bytes);
        self.buffer.clear();
        self.start = 0;
        self.looked = 0;
    }

    fn advance(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.buffer.len());
        self.position = self.position.saturating_add(signed(bytes as u64));
    }

    /// Reads more; 0 at the end of what is there.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.start);
        self.looked -= self.start.min(self.looked);
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK_BYTES, 0);
        let read = loop {
            match self.reader.read(self.buffer.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        self.at_end = matches!(read, Ok(0));
        read
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
