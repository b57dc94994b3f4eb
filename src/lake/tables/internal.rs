//! Internal objects of an epoch: partial aggregates for the evaluator, ids of answers for feedback that comes later.
//!
//! There can be as many of them as events, they are read once, and by this program only, so they are not Parquet but compact
//! streams (`measure` says how partials look; ids here), compressed with zstd as a whole.

use std::sync::Arc;

use super::file::Part;
use crate::event::Timestamp;
use crate::ingest::{Epoch, PastAnswer, Rated};
use crate::join::{IdHash, Scored};
use crate::lake::Error;
use crate::measure::{Group, PartialSet};

/// Name of the partials among an entry's files.
pub(in crate::lake) const PARTIALS: &str = "_partials";
/// Name of the ids among an entry's files.
pub(in crate::lake) const IDS: &str = "_ids";
/// First bytes of ids, with the version of the form.
const IDS_MAGIC: &[u8; 4] = b"GWI2";
/// Fast: the streams are written once and read once.
const ZSTD_LEVEL: i32 = 1;
/// An object that claims to be larger is damaged.
const MAX_BYTES: usize = 1 << 30;

/// The ids of an epoch's answers, read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// Groups that occur.
    pub groups: Vec<Group>,
    /// Scorers of the answers' scores.
    pub scorers: Vec<Arc<str>>,
    /// The answers, in the order they were read.
    pub answers: Vec<Answer>,
    /// Answers that were counted as rated.
    pub rated: Vec<Rated>,
    /// Hashes by which repeats of feedback are known, with its time.
    pub repeats: Vec<(u128, Timestamp)>,
}

impl Ids {
    /// The answers as those who look for one need them.
    pub fn past(&self) -> impl Iterator<Item = PastAnswer<'_>> {
        self.answers.iter().filter_map(|answer| {
            Some(PastAnswer {
                event_time: answer.event_time,
                group: self.groups.get(answer.group as usize)?,
                request_id: &answer.request_id,
                repeat: answer.repeat,
                ids: &answer.ids,
                scored: answer.scored.and_then(|scored| Some((self.scorers.get(usize::from(scored.scorer))?, scored.hundredths))),
            })
        })
    }
}

/// One answer by its ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// End of the request.
    pub event_time: Timestamp,
    /// Index into [`Ids::groups`].
    pub group: u32,
    /// The request id as stored.
    pub request_id: String,
    /// Hash of (topic, tenant, request id).
    pub repeat: u128,
    /// Hashes of the ids, in the order of `join::IdKind`.
    pub ids: [Option<IdHash>; 5],
    /// Its score, by a scorer of [`Ids::scorers`].
    pub scored: Option<Scored>,
}

/// The bit beside those of the ids that says whether there is a score.
const HAS_SCORE: u8 = 1 << 5;

/// The partials' object, if there are any.
pub(in crate::lake) fn partials(set: &PartialSet) -> Result<Option<Part>, Error> {
    if set.is_empty() {
        return Ok(None);
    }
    let bytes = compress(PARTIALS, &set.to_bytes())?;
    Ok(Some(Part::new(PARTIALS, String::new(), set.rows.len(), bytes)))
}

/// The ids' object, if there are any.
pub(super) fn ids(epoch: &Epoch) -> Result<Option<Part>, Error> {
    let count = epoch.ids.len() + epoch.rated.len() + epoch.repeats.len();
    if count == 0 {
        return Ok(None);
    }
    let text = epoch.rows.interactions.text.as_str();
    let mut writer = Writer(IDS_MAGIC.to_vec());
    writer.groups(&epoch.partials.groups);
    writer.unsigned(epoch.scorers.len() as u64);
    for scorer in &epoch.scorers {
        writer.string(scorer);
    }
    writer.unsigned(epoch.ids.len() as u64);
    let mut time = 0;
    for answer in &epoch.ids {
        writer.time(answer.event_time, &mut time);
        writer.unsigned(u64::from(answer.group));
        writer.string(answer.request_id.of(text));
        writer.0.extend_from_slice(&answer.repeat.to_le_bytes());
        let known = answer.ids.iter().enumerate().fold(0, |mask, (at, id)| mask | u8::from(id.is_some()) << at);
        writer.0.push(if answer.scored.is_some() { known | HAS_SCORE } else { known });
        for id in answer.ids.iter().flatten() {
            writer.0.extend_from_slice(&id.get().to_le_bytes());
        }
        if let Some(Scored { scorer, hundredths }) = answer.scored {
            writer.0.extend_from_slice(&[scorer, hundredths]);
        }
    }
    writer.unsigned(epoch.rated.len() as u64);
    for rated in &epoch.rated {
        writer.time(rated.event_time, &mut time);
        writer.unsigned(u64::from(rated.group));
        writer.0.extend_from_slice(&rated.note.to_le_bytes());
    }
    writer.unsigned(epoch.repeats.len() as u64);
    for (repeat, at) in &epoch.repeats {
        writer.time(*at, &mut time);
        writer.0.extend_from_slice(&repeat.to_le_bytes());
    }
    let bytes = compress(IDS, &writer.0)?;
    Ok(Some(Part::new(IDS, String::new(), count, bytes)))
}

/// Reads partials back.
pub(in crate::lake) fn decode_partials(path: &str, bytes: &[u8]) -> Result<PartialSet, Error> {
    PartialSet::from_bytes(&decompress(path, bytes)?).map_err(|error| damaged(path, &error.to_string()))
}

/// Reads ids back.
pub(in crate::lake) fn decode_ids(path: &str, bytes: &[u8]) -> Result<Ids, Error> {
    let bytes = decompress(path, bytes)?;
    let mut reader = Reader { bytes: &bytes };
    read_ids(&mut reader).ok_or_else(|| damaged(path, "not ids"))
}

fn read_ids(reader: &mut Reader<'_>) -> Option<Ids> {
    reader.magic(*IDS_MAGIC)?;
    let groups = reader.groups()?;
    let scorers: Vec<Arc<str>> = (0..reader.count()?).map(|_| reader.string().map(Arc::from)).collect::<Option<_>>()?;
    let count = reader.count()?;
    let mut answers = Vec::with_capacity(count);
    let mut time = 0_i64;
    for _ in 0..count {
        let event_time = reader.time(&mut time)?;
        let group = reader.index(groups.len())?;
        let request_id = reader.string()?.to_owned();
        let repeat = reader.hash()?;
        let known = reader.byte()?;
        let mut ids = [None; 5];
        for (at, id) in ids.iter_mut().enumerate() {
            if known >> at & 1 == 1 {
                *id = Some(IdHash::new(reader.hash()?)?);
            }
        }
        let scored = if known & HAS_SCORE == 0 {
            None
        } else {
            let scorer = reader.byte().filter(|scorer| usize::from(*scorer) < scorers.len())?;
            Some(Scored { scorer, hundredths: reader.byte()? })
        };
        answers.push(Answer { event_time, group, request_id, repeat, ids, scored });
    }
    let mut rated = Vec::new();
    for _ in 0..reader.count()? {
        let event_time = reader.time(&mut time)?;
        rated.push(Rated { event_time, group: reader.index(groups.len())?, note: reader.hash()? });
    }
    let mut repeats = Vec::new();
    for _ in 0..reader.count()? {
        let at = reader.time(&mut time)?;
        repeats.push((reader.hash()?, at));
    }
    Some(Ids { groups, scorers, answers, rated, repeats })
}

fn compress(table: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    zstd::bulk::compress(bytes, ZSTD_LEVEL).map_err(|error| Error::Parquet {
        action: "compress",
        table: table.to_owned(),
        reason: error.to_string(),
    })
}

fn decompress(path: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let size = zstd::bulk::Decompressor::upper_bound(bytes).filter(|size| *size <= MAX_BYTES);
    let size = size.ok_or_else(|| damaged(path, "not zstd, or too large"))?;
    zstd::bulk::decompress(bytes, size).map_err(|error| damaged(path, &error.to_string()))
}

fn damaged(path: &str, what: &str) -> Error {
    Error::Damaged { path: path.to_owned(), reason: what.to_owned() }
}

struct Writer(Vec<u8>);

impl Writer {
    #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
    fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// A time as its distance from the one before.
    fn time(&mut self, time: Timestamp, before: &mut i64) {
        self.signed(time.0.wrapping_sub(*before));
        *before = time.0;
    }

    fn string(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Each group as a mask of the dimensions that have a value, then the values.
    fn groups(&mut self, groups: &[Group]) {
        self.unsigned(groups.len() as u64);
        for group in groups {
            let known = group.0.iter().enumerate().fold(0, |mask, (at, value)| mask | u64::from(value.is_some()) << at);
            self.unsigned(known);
            for value in group.0.iter().flatten() {
                self.string(value);
            }
        }
    }
}

/// Reads what [`Writer`] wrote; `None` for anything else.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn magic(&mut self, wanted: [u8; 4]) -> Option<()> {
        (self.take(4)? == wanted.as_slice()).then_some(())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let zigzag = self.unsigned()?;
        Some((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
    }

    fn time(&mut self, before: &mut i64) -> Option<Timestamp> {
        *before = before.wrapping_add(self.signed()?);
        Some(Timestamp(*before))
    }

    /// A number of items, each of at least one byte: no more than there are bytes, so that a damaged count allocates little.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.unsigned()?).ok()?;
        (count <= self.bytes.len()).then_some(count)
    }

    fn index(&mut self, len: usize) -> Option<u32> {
        let index = u32::try_from(self.unsigned()?).ok()?;
        ((index as usize) < len).then_some(index)
    }

    fn string(&mut self) -> Option<&'a str> {
        let len = self.count()?;
        std::str::from_utf8(self.take(len)?).ok()
    }

    fn hash(&mut self) -> Option<u128> {
        Some(u128::from_le_bytes(self.take(16)?.try_into().ok()?))
    }

    fn groups(&mut self) -> Option<Vec<Group>> {
        let count = self.count()?;
        let mut groups = Vec::with_capacity(count);
        for _ in 0..count {
            let known = self.unsigned()?;
            let mut group = Group::default();
            for (at, value) in group.0.iter_mut().enumerate() {
                if known >> at & 1 == 1 {
                    *value = Some(Arc::from(self.string()?));
                }
            }
            groups.push(group);
        }
        Some(groups)
    }
}
