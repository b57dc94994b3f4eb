//! Recent answers by each of their ids, so that feedback finds its answer at once.
//!
//! If an id names several answers (a conversation), the last one at or before the feedback wins.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::IdHash;
use crate::event::Timestamp;

/// What a scorer said of an answer, in as few bytes as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scored {
    /// The scorer, in the numbering of the caller.
    pub scorer: u8,
    /// The score, in whole hundredths.
    pub hundredths: u8,
}

/// An answer as feedback needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// End of the request.
    pub event_time: Timestamp,
    /// The group that its measures went to, in the numbering of the caller.
    pub group: u32,
    /// Its request id.
    pub request_id: Arc<str>,
    /// Its score, if it has one.
    pub scored: Option<Scored>,
}

/// Answers in one chunk; forgotten together.
#[derive(Debug, Default)]
struct Chunk {
    answers: Vec<Slot>,
    request_ids: String,
    /// Notes that were made while this chunk was the newest.
    notes: Vec<u128>,
}

#[derive(Debug)]
struct Slot {
    event_time: Timestamp,
    group: u32,
    request_id: (u32, u32),
    scored: Option<Scored>,
    ids: [Option<IdHash>; 5],
}

/// Answers per chunk: small enough to forget smoothly, large enough that forgetting is rare.
const CHUNK: usize = 1 << 14;

/// The index. Ids map to the newest answers that carry them.
#[derive(Debug)]
pub struct Recent {
    capacity: usize,
    chunks: VecDeque<Chunk>,
    first_chunk: u64,
    by_id: HashMap<IdHash, u64>,
    /// Earlier answers under an id that repeats: newest last, at most [`REPEATS`].
    repeats: HashMap<IdHash, Vec<u64>>,
    /// Notes that an answer was rated.
    rated: HashSet<u128>,
}

/// Most earlier answers remembered under one id.
const REPEATS: usize = 64;

impl Recent {
    /// Remembers at most about `capacity` answers.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(CHUNK),
            chunks: VecDeque::new(),
            first_chunk: 0,
            by_id: HashMap::new(),
            repeats: HashMap::new(),
            rated: HashSet::new(),
        }
    }

    /// Remembers an answer under its ids.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a chunk holds 2^14 ids of at most 2^16 bytes, checked by the decoder's limits"
    )]
    pub fn insert(
        &mut self,
        ids: &[Option<IdHash>; 5],
        event_time: Timestamp,
        group: u32,
        request_id: &str,
        scored: Option<Scored>,
    ) {
        if self.chunks.back().is_none_or(|chunk| chunk.answers.len() >= CHUNK) {
            self.chunks.push_back(Chunk::default());
            while self.chunks.len() * CHUNK > self.capacity && self.chunks.len() > 1 {
                self.forget_oldest();
            }
        }
        let chunk_number = self.first_chunk + self.chunks.len() as u64 - 1;
        let Some(chunk) = self.chunks.back_mut() else { return };
        let number = chunk_number * CHUNK as u64 + chunk.answers.len() as u64;
        let start = chunk.request_ids.len() as u32;
        chunk.request_ids.push_str(request_id);
        let slot = Slot { event_time, group, request_id: (start, request_id.len() as u32), scored, ids: *ids };
        for id in ids.iter().flatten() {
            if let Some(earlier) = self.by_id.insert(*id, number) {
                let list = self.repeats.entry(*id).or_default();
                list.push(earlier);
                if list.len() > REPEATS {
                    list.remove(0);
                }
            }
        }
        chunk.answers.push(slot);
    }

    /// The answer that an id names for feedback given at `at`: the last one at or before it.
    #[must_use]
    pub fn find(&self, id: IdHash, at: Timestamp) -> Option<Answer> {
        let newest = *self.by_id.get(&id)?;
        let earlier = self.repeats.get(&id).map_or(&[][..], Vec::as_slice);
        earlier
            .iter()
            .chain([&newest])
            .filter_map(|number| self.slot(*number))
            .filter(|(slot, _)| slot.event_time <= at)
            .max_by_key(|(slot, _)| slot.event_time)
            .map(|(slot, chunk)| Answer {
                event_time: slot.event_time,
                group: slot.group,
                scored: slot.scored,
                request_id: chunk
                    .request_ids
                    .get(slot.request_id.0 as usize..(slot.request_id.0 + slot.request_id.1) as usize)
                    .unwrap_or_default()
                    .into(),
            })
    }

    /// Notes that an answer was rated, by a hash that tells answers apart; whether that is news. A note lives at least as long
    /// as the answer does.
    pub fn note_rated(&mut self, note: u128) -> bool {
        let news = self.rated.insert(note);
        if news {
            if self.chunks.is_empty() {
                self.chunks.push_back(Chunk::default());
            }
            if let Some(chunk) = self.chunks.back_mut() {
                chunk.notes.push(note);
            }
        }
        news
    }

    fn slot(&self, number: u64) -> Option<(&Slot, &Chunk)> {
        let chunk = (number / CHUNK as u64).checked_sub(self.first_chunk)?;
        let chunk = self.chunks.get(usize::try_from(chunk).ok()?)?;
        let slot = chunk.answers.get(usize::try_from(number % CHUNK as u64).ok()?)?;
        Some((slot, chunk))
    }

    fn forget_oldest(&mut self) {
        let Some(chunk) = self.chunks.pop_front() else { return };
        self.first_chunk += 1;
        for note in &chunk.notes {
            self.rated.remove(note);
        }
        let first_kept = self.first_chunk * CHUNK as u64;
        for slot in &chunk.answers {
            for id in slot.ids.iter().flatten() {
                if self.by_id.get(id).is_some_and(|number| *number < first_kept) {
                    self.by_id.remove(id);
                    self.repeats.remove(id);
                }
            }
        }
    }

    /// Answers remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.answers.len()).sum()
    }

    /// Nothing remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(id: u128) -> IdHash {
        IdHash::new(id + 1).unwrap()
    }

    #[test]
    fn the_last_answer_at_or_before_the_feedback_wins() {
        let mut recent = Recent::new(100_000);
        for (time, id) in [(10_i64, "a"), (30, "c"), (20, "b")] {
            recent.insert(
                &[Some(hash(u128::from(time.unsigned_abs()))), None, None, None, Some(hash(7))],
                Timestamp(time),
                1,
                id,
                None,
            );
        }
        let found = |at| recent.find(hash(7), Timestamp(at)).map(|answer| answer.request_id.to_string());
        assert_eq!(found(9), None);
        assert_eq!(found(10).as_deref(), Some("a"));
        assert_eq!(found(25).as_deref(), Some("b"));
        assert_eq!(found(99).as_deref(), Some("c"));
        assert_eq!(recent.find(hash(20), Timestamp(20)).unwrap().event_time, Timestamp(20));
    }

    #[test]
    fn forgets_whole_chunks_and_their_ids() {
        let mut recent = Recent::new(2 * CHUNK);
        for number in 0..(3 * CHUNK as u128) {
            recent.insert(&[Some(hash(number)), None, None, None, None], Timestamp(1), 0, "r", None);
        }
        assert!(recent.len() <= 2 * CHUNK);
        assert_eq!(recent.find(hash(0), Timestamp(1)), None);
        assert!(recent.find(hash(3 * CHUNK as u128 - 1), Timestamp(1)).is_some());
        assert_eq!(recent.by_id.len(), recent.len());
    }
}
