//! The hot path: adds values to (pane, group, measure) and hands the sums over as a [`PartialSet`].
//!
//! One hash lookup per event finds the place ([`Accumulator::at`]); after that each value is one indexed addition. Histogram
//! bins are only noted down while adding and counted when the epoch is taken. Order never matters to the result, except that
//! groups keep the numbers their caller gave them.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::{
    BUCKETS, COMPONENTS, Category, Edges, Embedding, Group, Measure, Partial, PartialRow, PartialSet, Vocabulary,
    histogram::HistogramSum, measures,
};
use crate::event::Timestamp;

/// Histogram bins noted together; with the link a chunk fills half a cache line.
const CHUNK: usize = 14;

/// Sums of one measure at one place.
#[derive(Clone, Debug)]
struct Cell {
    sum: i128,
    sum_sq: i128,
    min: i64,
    max: i64,
    n: u32,
    n_null: u32,
    bad_n: u32,
    /// Newest chunk of noted bins, or its vector or texts, plus one; 0 for none.
    chunk: u32,
}

const EMPTY: Cell = Cell { sum: 0, sum_sq: 0, min: i64::MAX, max: i64::MIN, n: 0, n_null: 0, bad_n: 0, chunk: 0 };

#[derive(Clone, Debug)]
struct Chunk {
    bins: [u16; CHUNK],
    /// Chunk before this one, plus one; 0 for none.
    before: u32,
}

/// Number of a cell plus one by measure; 0 where the measure has not occurred.
type Place = [u32; measures::COUNT];

/// Sums of one epoch. At most 2^32 values per cell and 2^32 cells, far beyond what an epoch's memory cap lets in.
#[derive(Debug, Default)]
pub struct Accumulator {
    numbers: HashMap<(i64, u32), u32>,
    keys: Vec<(i64, u32)>,
    places: Vec<Place>,
    cells: Vec<Cell>,
    chunks: Vec<Chunk>,
    vectors: Vec<[u32; COMPONENTS]>,
    of_scorers: BTreeMap<Arc<str>, Self>,
    texts: Vec<[u32; BUCKETS]>,
}

/// The sums of one (pane, group), to which an event adds its values.
#[derive(Debug)]
pub struct CellsAt<'a> {
    place: &'a mut Place,
    cells: &'a mut Vec<Cell>,
    chunks: &'a mut Vec<Chunk>,
    vectors: &'a mut Vec<[u32; COMPONENTS]>,
    texts: &'a mut Vec<[u32; BUCKETS]>,
}

impl Accumulator {
    /// The sums of the pane (minute) of `event_time` and of `group`, a number of the caller's choice that
    /// [`Accumulator::take`] gets the meaning of.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an epoch has far fewer than 2^32 places")]
    pub fn at(&mut self, event_time: Timestamp, group: u32) -> CellsAt<'_> {
        let key = (event_time.0.div_euclid(Timestamp::MINUTE_US), group);
        let number = *self.numbers.entry(key).or_insert_with(|| {
            self.keys.push(key);
            self.places.push([0; measures::COUNT]);
            self.keys.len() as u32 - 1
        });
        let Self { places, cells, chunks, vectors, texts, .. } = self;
        CellsAt { place: &mut places[number as usize], cells, chunks, vectors, texts }
    }

    /// The sums of what feedback adds to answers of that scorer.
    pub fn of_scorer(&mut self, scorer: &Arc<str>) -> &mut Self {
        self.of_scorers.entry(Arc::clone(scorer)).or_default()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.of_scorers.is_empty()
    }

    /// Memory held, in bytes, for the epoch's cap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keys.len() * (size_of::<Place>() + 40)
            + self.cells.len() * size_of::<Cell>()
            + self.chunks.len() * size_of::<Chunk>()
            + self.vectors.len() * size_of::<[u32; COMPONENTS]>()
            + self.texts.len() * size_of::<[u32; BUCKETS]>()
    }

    /// The sums, sorted by (pane, group, measure); empties the accumulator and keeps its memory for the next epoch.
    /// `groups` says what the group numbers stand for; all of them are kept, in order.
    #[must_use]
    pub fn take(&mut self, groups: Vec<Group>) -> PartialSet {
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_unstable_by_key(|number| self.keys[*number]);
        let mut rows = Vec::with_capacity(self.cells.len());
        let mut bins = Vec::new();
        let mut dense = HistogramSum::default();
        for number in order {
            let (minute, group) = self.keys[number];
            for (measure, cell) in (0_u16..).map(Measure).zip(&self.places[number]) {
                let Some(cell) = (*cell as usize).checked_sub(1).map(|at| &self.cells[at]) else { continue };
                let hist = match measure.info().edges {
                    Edges::Vector => sums(cell, &self.vectors),
                    Edges::Words => sums(cell, &self.texts),
                    _ => count_bins(cell, &self.chunks, &mut bins, &mut dense),
                };
                rows.push(PartialRow {
                    pane: Timestamp(minute * Timestamp::MINUTE_US),
                    group,
                    measure,
                    partial: cell.partial(hist),
                });
            }
        }
        self.numbers.clear();
        self.keys.clear();
        self.places.clear();
        self.cells.clear();
        self.chunks.clear();
        self.vectors.clear();
        self.texts.clear();
        let of_scorers = std::mem::take(&mut self.of_scorers);
        let of_scorers = of_scorers.into_iter().map(|(scorer, mut sums)| (scorer, sums.take(Vec::new()).rows));
        let of_scorers = of_scorers.filter(|(_, rows)| !rows.is_empty()).collect();
        PartialSet { scorer: None, groups, rows, of_scorers }
    }
}

impl Cell {
    #[inline]
    fn see(&mut self, value: i64) {
        self.sum += i128::from(value);
        self.sum_sq += i128::from(value) * i128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.n += 1;
    }

    fn partial(&self, hist: Vec<(u16, u32)>) -> Partial {
        let (min, max) = if self.n == 0 { (0, 0) } else { (self.min, self.max) };
        Partial {
            n: u64::from(self.n),
            n_null: u64::from(self.n_null),
            sum: self.sum,
            sum_sq: self.sum_sq,
            min,
            max,
            bad_n: u64::from(self.bad_n),
            hist,
        }
    }
}

/// The sums of a vector's steps by component, or of texts by bucket.
fn sums<const N: usize>(cell: &Cell, all: &[[u32; N]]) -> Vec<(u16, u32)> {
    let sums = (cell.chunk as usize).checked_sub(1).and_then(|at| all.get(at));
    sums.into_iter().flat_map(|sums| (0_u16..).zip(*sums)).filter(|(_, sum)| *sum > 0).collect()
}

/// Counts the bins a cell has noted. Few bins are sorted, many are counted in one dense array.
fn count_bins(cell: &Cell, chunks: &[Chunk], bins: &mut Vec<u16>, dense: &mut HistogramSum) -> Vec<(u16, u32)> {
    if cell.chunk == 0 {
        return Vec::new();
    }
    bins.clear();
    let mut at = cell.chunk;
    let mut filled = (cell.n as usize - 1) % CHUNK + 1;
    while let Some(chunk) = (at as usize).checked_sub(1).map(|at| &chunks[at]) {
        bins.extend_from_slice(&chunk.bins[..filled]);
        at = chunk.before;
        filled = CHUNK;
    }
    if bins.len() > 64 {
        for bin in bins.iter() {
            dense.add(*bin, 1);
        }
        return dense.take();
    }
    bins.sort_unstable();
    let distinct = 1 + bins.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let mut counted: Vec<(u16, u32)> = Vec::with_capacity(distinct);
    for bin in bins.iter() {
        match counted.last_mut() {
            Some(last) if last.0 == *bin => last.1 += 1,
            _ => counted.push((*bin, 1)),
        }
    }
    counted
}

impl CellsAt<'_> {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an epoch has far fewer than 2^32 cells")]
    fn cell(&mut self, measure: Measure) -> &mut Cell {
        let slot = &mut self.place[measure.index()];
        if *slot == 0 {
            self.cells.push(EMPTY);
            *slot = self.cells.len() as u32;
        }
        &mut self.cells[*slot as usize - 1]
    }

    /// Adds one value, in the measure's unit.
    #[inline]
    pub fn add(&mut self, measure: Measure, value: i64) {
        let edges = measure.info().edges;
        self.add_in_bin(measure, value, if edges == Edges::None { None } else { Some(edges.bin(value)) });
    }

    /// Counts one of a category.
    #[inline]
    pub fn add_category(&mut self, measure: Measure, category: Category) {
        self.add_in_bin(measure, 1, Some(category.bin()));
    }

    /// Counts an event with a vector.
    #[expect(clippy::cast_possible_truncation, reason = "an epoch has far fewer than 2^32 vectors")]
    pub fn add_vector(&mut self, measure: Measure, vector: &Embedding) {
        let next = self.vectors.len() as u32 + 1;
        let cell = self.cell(measure);
        cell.see(1);
        if cell.chunk == 0 {
            cell.chunk = next;
            self.vectors.push([0; COMPONENTS]);
        }
        let at = self.place[measure.index()] as usize - 1;
        let sums = &mut self.vectors[self.cells[at].chunk as usize - 1];
        for (sum, steps) in sums.iter_mut().zip(vector.steps()) {
            *sum = sum.saturating_add(u32::from(*steps));
        }
    }

    /// Counts a text by the buckets that its words fall into.
    #[expect(clippy::cast_possible_truncation, reason = "an epoch has far fewer than 2^32 cells")]
    pub fn add_words(&mut self, measure: Measure, words: &Vocabulary) {
        let next = self.texts.len() as u32 + 1;
        let cell = self.cell(measure);
        cell.see(i64::from(words.count()));
        if cell.chunk == 0 {
            cell.chunk = next;
            self.texts.push([0; BUCKETS]);
        }
        let at = self.place[measure.index()] as usize - 1;
        let counts = &mut self.texts[self.cells[at].chunk as usize - 1];
        for bucket in words.buckets() {
            counts[bucket] += 1;
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an epoch has far fewer than 2^32 chunks")]
    fn add_in_bin(&mut self, measure: Measure, value: i64, bin: Option<u16>) {
        let next_chunk = self.chunks.len() as u32 + 1;
        let cell = self.cell(measure);
        let place = cell.n as usize % CHUNK;
        cell.see(value);
        let Some(bin) = bin else { return };
        let before = cell.chunk;
        if place == 0 {
            cell.chunk = next_chunk;
            self.chunks.push(Chunk { bins: [bin; CHUNK], before });
        } else {
            self.chunks[before as usize - 1].bins[place] = bin;
        }
    }

    /// Counts one: a value of 1.
    #[inline]
    pub fn count(&mut self, measure: Measure) {
        self.add(measure, 1);
    }

    /// Counts one that is bad, or for a rate: one that belongs to the numerator.
    #[inline]
    pub fn count_bad(&mut self, measure: Measure) {
        self.add(measure, 1);
        self.cell(measure).bad_n += 1;
    }

    /// Counts an event that could have had a value and had none.
    #[inline]
    pub fn add_null(&mut self, measure: Measure) {
        self.cell(measure).n_null += 1;
    }

    /// Adds a value, or counts its absence.
    #[inline]
    pub fn add_or_null(&mut self, measure: Measure, value: Option<i64>) {
        match value {
            Some(value) => self.add(measure, value),
            None => self.add_null(measure),
        }
    }

    /// Adds a value if there is one.
    #[inline]
    pub fn add_if(&mut self, measure: Measure, value: Option<i64>) {
        if let Some(value) = value {
            self.add(measure, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The slow way: one partial per value, merged one by one.
    fn slowly(events: &[(i64, u32, u16, i64)]) -> Vec<PartialRow> {
        let mut rows: BTreeMap<(Timestamp, u32, Measure), Partial> = BTreeMap::new();
        for (at, group, measure, value) in events {
            let measure = Measure(*measure);
            let edges = measure.info().edges;
            let one = Partial {
                n: 1,
                sum: i128::from(*value),
                sum_sq: i128::from(*value).pow(2),
                min: *value,
                max: *value,
                hist: if edges == Edges::None { vec![] } else { vec![(edges.bin(*value), 1)] },
                ..Partial::default()
            };
            rows.entry((Timestamp(*at).floor(Timestamp::MINUTE_US), *group, measure)).or_default().merge(&one);
        }
        rows.into_iter().map(|((pane, group, measure), partial)| PartialRow { pane, group, measure, partial }).collect()
    }

    proptest! {
        #[test]
        fn the_fast_way_equals_the_slow_way_and_a_second_epoch_starts_empty(
            events in prop::collection::vec(
                (-200_000_000_i64..200_000_000, 0_u32..3, 6_u16..9, 0_i64..4_000_000_000), 0..600),
        ) {
            let mut accumulator = Accumulator::default();
            for _ in 0..2 {
                for (at, group, measure, value) in &events {
                    accumulator.at(Timestamp(*at), *group).add(Measure(*measure), *value);
                }
                prop_assert_eq!(accumulator.take(Vec::new()).rows, slowly(&events));
            }
        }
    }

    #[test]
    fn nulls_and_bad_ones_are_counted_apart() {
        let mut accumulator = Accumulator::default();
        let mut cells = accumulator.at(Timestamp(61_000_000), 4);
        cells.count_bad(measures::REFUSAL);
        cells.count(measures::REFUSAL);
        cells.add_or_null(measures::GROUNDEDNESS, None);
        let set = accumulator.take(Vec::new());
        assert_eq!(
            set.rows.iter().map(|row| (row.pane, row.group, row.measure)).collect::<Vec<_>>(),
            [(Timestamp(60_000_000), 4, measures::GROUNDEDNESS), (Timestamp(60_000_000), 4, measures::REFUSAL),]
        );
        assert_eq!(set.rows[0].partial, Partial { n_null: 1, ..Partial::default() });
        assert_eq!((set.rows[1].partial.n, set.rows[1].partial.bad_n), (2, 1));
    }
}
