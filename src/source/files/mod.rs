//! Newline-delimited JSON in `<folder>/<topic>/<partition>.jsonl`, plain, `.gz` or `.zst`: the embedded default, the door for
//! back-fills, and the test bed.
//!
//! Positions are byte offsets, of the decompressed stream for compressed files. Plain files are followed as they grow, and
//! only whole lines are read; a compressed file is complete, so its last line needs no end. Partitions that appear later are
//! taken up. A line beyond the limit is never held whole: the record carries its start, its length and its hash.
//!
//! Deliberately not here: rotated or renamed files (a position names a place in one file), and group membership: every
//! process reads all partitions of its folder.

mod lines;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Error, OnLoss, Polled, Positions, Source, Start};
use crate::event::{Records, TopicPartition};
use crate::log::{InputHealth, Lost};
use lines::Lines;

/// Whether plain files may grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Growth {
    /// They may: a last line without an end is not read yet.
    #[default]
    Follow,
    /// They are complete: a last line needs no end.
    Complete,
}

/// How files are read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that holds one folder per topic.
    pub folder: PathBuf,
    /// Topics to read; other folders are left alone.
    pub topics: Vec<String>,
    /// Whether plain files may grow.
    pub growth: Growth,
    /// Where a file that the log does not know starts.
    pub start: Start,
    /// What to do when a file is shorter than the position in the log.
    pub on_loss: OnLoss,
    /// Bytes of a line that are held; of longer ones only the start is.
    pub max_value_bytes: usize,
    /// Bytes after which a batch is handed over.
    pub batch_bytes: usize,
}

impl Settings {
    /// Settings for a folder and topics, everything else as usual.
    #[must_use]
    pub fn new(folder: PathBuf, topics: Vec<String>) -> Self {
        Self {
            folder,
            topics,
            growth: Growth::Follow,
            start: Start::Beginning,
            on_loss: OnLoss::Stop,
            max_value_bytes: 1 << 20,
            batch_bytes: 1 << 20,
        }
    }
}

/// Bytes read of one file before it is the next one's turn, so that partitions advance together.
const TURN_BYTES: usize = 64 << 10;

/// Greatest pause between looks at files that did not grow.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Reads a folder of files.
pub struct FileSource {
    settings: Settings,
    positions: Positions,
    partitions: BTreeMap<TopicPartition, Partition>,
    paused: BTreeSet<TopicPartition>,
    /// What was learnt and not yet told.
    pending: VecDeque<Polled>,
}

struct Partition {
    path: PathBuf,
    compressed: bool,
    lines: Lines,
    /// The state that was told last.
    told: InputHealth,
    /// The file cannot be read further as it is now (of this length): a compressed file that is damaged or not yet whole.
    stuck_at: Option<u64>,
}

impl FileSource {
    /// A source over a folder. Nothing is opened before the first poll.
    #[must_use]
    pub fn new(settings: Settings, positions: Positions) -> Self {
        Self { settings, positions, partitions: BTreeMap::new(), paused: BTreeSet::new(), pending: VecDeque::new() }
    }

    /// Opens files that are not known yet.
    fn discover(&mut self) -> Result<(), Error> {
        let mut found: BTreeMap<TopicPartition, PathBuf> = BTreeMap::new();
        for topic in &self.settings.topics {
            let folder = self.settings.folder.join(topic);
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                // A topic may come into being later.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(Error::Io { path: folder, cause }),
            };
            for entry in entries {
                let path = entry.map_err(|cause| Error::Io { path: folder.clone(), cause })?.path();
                let Some(partition) = partition_number(&path) else { continue };
                let id = TopicPartition { topic: topic.as_str().into(), partition };
                if let Some(first) = found.insert(id, path.clone()) {
                    return Err(Error::Ambiguous { first, second: path });
                }
            }
        }
        found.retain(|id, _| !self.partitions.contains_key(id));
        if found.is_empty() {
            return Ok(());
        }
        let ids: Vec<TopicPartition> = found.keys().cloned().collect();
        let mut assigned = Vec::new();
        let mut lost = Vec::new();
        let positions = (self.positions)(&ids);
        for ((id, path), known) in found.into_iter().zip(positions) {
            let (partition, gone) = self.open(path, known)?;
            assigned.push((id.clone(), known.unwrap_or_else(|| partition.lines.position())));
            if let Some((from, to)) = gone {
                lost.push(Lost { input: id.to_string(), from, to });
            }
            self.partitions.insert(id, partition);
        }
        self.pending.push_back(Polled::Assigned(assigned));
        if !lost.is_empty() {
            if self.settings.on_loss == OnLoss::Stop {
                return Err(Error::Lost(lost));
            }
            self.pending.push_back(Polled::Lost(lost));
        }
        Ok(())
    }

    /// Opens a file at the log's position, or where the settings say. Returns the stretch that is gone, too.
    fn open(&self, path: PathBuf, known: Option<i64>) -> Result<(Partition, Option<(i64, i64)>), Error> {
        let most = self.settings.max_value_bytes;
        let compressed = path.extension().is_some_and(|extension| extension != "jsonl");
        let fail = |cause| Error::Io { path: path.clone(), cause };
        let length = std::fs::metadata(&path).map_err(fail)?.len();
        let end = i64::try_from(length).unwrap_or(i64::MAX);
        let gone = known.filter(|position| !compressed && *position > end).map(|position| (position, 0));
        let start = match (known, self.settings.start) {
            _ if gone.is_some() => 0,
            (Some(position), _) => position.max(0),
            (None, Start::Beginning) => 0,
            // A compressed file has no later part that could come.
            (None, Start::End) if compressed => i64::MAX,
            (None, Start::End) => end,
        };
        let complete = compressed || self.settings.growth == Growth::Complete;
        let from = if compressed { 0 } else { start };
        let lines = Lines::open(reader(&path, from).map_err(fail)?, from, most, complete);
        let mut partition = Partition { path, compressed, lines, told: InputHealth::default(), stuck_at: None };
        if compressed {
            partition.skip(start, length);
        }
        Ok((partition, gone))
    }

    /// Fills a batch, partition by partition in turns.
    fn read(&mut self) -> Result<Records, Error> {
        let mut records = Records::default();
        loop {
            let before = records.records.len();
            for (id, partition) in self.partitions.iter_mut().filter(|(id, _)| !self.paused.contains(*id)) {
                if partition.is_stuck() {
                    continue;
                }
                let index = records.partition(&id.topic, id.partition);
                match partition.lines.read(&mut records, index, TURN_BYTES) {
                    Ok(()) => {}
                    Err(cause) if partition.compressed => {
                        // Damaged or still being written: it is read again when it changes, and lags until then.
                        partition.stuck_at = std::fs::metadata(&partition.path).ok().map(|metadata| metadata.len());
                        tracing::warn!(path = %partition.path.display(), %cause, "compressed file cannot be read further");
                    }
                    Err(cause) => return Err(Error::Io { path: partition.path.clone(), cause }),
                }
            }
            if records.records.len() == before || records.bytes.len() >= self.settings.batch_bytes {
                return Ok(records);
            }
        }
    }

    /// Notes states that differ from those told, and files that became shorter than they were read.
    fn observe(&mut self) -> Result<(), Error> {
        let mut changed = Vec::new();
        let mut lost = Vec::new();
        for (id, partition) in &mut self.partitions {
            let position = partition.lines.position();
            let (health, end) = partition.health().map_err(|cause| Error::Io { path: partition.path.clone(), cause })?;
            if !partition.compressed && end < position {
                lost.push(Lost { input: id.to_string(), from: position, to: 0 });
                let reader = reader(&partition.path, 0).map_err(|cause| Error::Io { path: partition.path.clone(), cause })?;
                partition.lines = Lines::open(reader, 0, self.settings.max_value_bytes, self.settings.growth == Growth::Complete);
            } else if partition.told != health {
                partition.told = health.clone();
                changed.push((id.clone(), health));
            }
        }
        if !lost.is_empty() {
            if self.settings.on_loss == OnLoss::Stop {
                return Err(Error::Lost(lost));
            }
            self.pending.push_back(Polled::Lost(lost));
        }
        if !changed.is_empty() {
            self.pending.push_back(Polled::State(changed));
        }
        Ok(())
    }
}

impl Source for FileSource {
    fn poll(&mut self, max_wait: Duration) -> Result<Polled, Error> {
        if let Some(polled) = self.pending.pop_front() {
            return Ok(polled);
        }
        if self.partitions.is_empty() {
            self.discover()?;
        }
        let records = if self.pending.is_empty() { self.read()? } else { Records::default() };
        if self.pending.is_empty() {
            if records.records.is_empty() {
                self.discover()?;
            }
            self.observe()?;
        }
        if !records.records.is_empty() {
            return Ok(Polled::Records(records));
        }
        if let Some(polled) = self.pending.pop_front() {
            return Ok(polled);
        }
        std::thread::sleep(max_wait.min(LOOK_AGAIN));
        Ok(Polled::Idle)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        self.paused.extend(partitions.iter().cloned());
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        for partition in partitions {
            self.paused.remove(partition);
        }
        Ok(())
    }

    fn acknowledge(&mut self, _ends: &[(TopicPartition, i64)]) {
        // Nobody else watches positions in files.
    }

    fn close(&mut self) {
        self.partitions.clear();
        self.pending.clear();
    }
}

impl Partition {
    /// Reads a compressed file up to a position, because decompression has no other way to get there.
    fn skip(&mut self, position: i64, length: u64) {
        if let Err(cause) = self.lines.skip_to(position) {
            self.stuck_at = Some(length);
            tracing::warn!(path = %self.path.display(), %cause, position, "compressed file cannot be read up to where the log stands");
        }
    }

    /// Whether there is nothing to try: a damaged compressed file that has not changed. One that has is opened again.
    fn is_stuck(&mut self) -> bool {
        let Some(then) = self.stuck_at else { return false };
        let now = std::fs::metadata(&self.path).ok().map(|metadata| metadata.len());
        if now == Some(then) {
            return true;
        }
        let position = self.lines.position();
        let Ok(reader) = reader(&self.path, 0) else { return true };
        self.stuck_at = None;
        self.lines = Lines::open(reader, 0, self.lines.max_bytes(), true);
        self.skip(position, now.unwrap_or_default());
        self.stuck_at.is_some()
    }

    /// State and end of the file.
    fn health(&self) -> io::Result<(InputHealth, i64)> {
        let position = self.lines.position();
        if self.compressed {
            let done = self.lines.at_end() && self.stuck_at.is_none();
            let known = done.then_some(position);
            return Ok((InputHealth { end: known, lag: known.map(|_| 0), caught_up: done }, position));
        }
        let end = i64::try_from(std::fs::metadata(&self.path)?.len()).unwrap_or(i64::MAX);
        // Bytes of a line without an end are behind us, but they are not yet ours to read.
        let caught_up = self.lines.at_end() && end <= self.lines.seen();
        Ok((InputHealth { end: Some(end), lag: Some((end - position).max(0)), caught_up }, end))
    }
}

/// The number in `<number>.jsonl`, `<number>.jsonl.gz` or `<number>.jsonl.zst`.
fn partition_number(path: &Path) -> Option<i32> {
    let name = path.file_name()?.to_str()?;
    let stem = [".jsonl", ".jsonl.gz", ".jsonl.zst"].iter().find_map(|end| name.strip_suffix(end))?;
    stem.parse().ok().filter(|number: &i32| *number >= 0 && stem == number.to_string())
}

/// The bytes of a file: a plain one from a position, a compressed one from its start.
fn reader(path: &Path, position: i64) -> io::Result<Box<dyn Read + Send>> {
    let mut file = File::open(path)?;
    Ok(match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(file))),
        Some("zst") => Box::new(zstd::stream::read::Decoder::new(file)?),
        _ => {
            io::Seek::seek(&mut file, io::SeekFrom::Start(position.unsigned_abs()))?;
            Box::new(file)
        }
    })
}
