//! Panes: open ones collect partials, closed ones keep them as compact bytes, one block per series (a measure of one scorer).
//!
//! A block holds the cells of all groups in ascending order, so that many panes are added up by reading bytes once.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::event::Timestamp;
use crate::measure::encode::{Reader, for_each_bin, write_partial};
use crate::measure::{HistogramSum, Measure, Partial};

/// A measure of one scorer: values of different scorers are never added. Ordered by measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct Series(u16, u8);

impl Series {
    /// `scorer` is 0 for measures that no scorer makes.
    pub(super) const fn new(measure: Measure, scorer: u8) -> Self {
        Self(measure.0, scorer)
    }

    pub(super) const fn measure(self) -> Measure {
        Measure(self.0)
    }

    pub(super) const fn scorer(self) -> u8 {
        self.1
    }
}

/// One cell of an open pane.
pub(super) type Cell = ((Series, u32), Partial);

/// A pane that still collects. Cells come in runs; equal keys are put together when it has grown enough, and when it closes.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct OpenPane {
    cells: Vec<Cell>,
    compacted: usize,
}

impl OpenPane {
    pub(super) fn add(&mut self, series: Series, group: u32, partial: Partial) {
        self.cells.push(((series, group), partial));
        if self.cells.len() > 2 * self.compacted + 4_096 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        self.cells.sort_by_key(|(key, _)| *key);
        self.cells.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1.merge(&later.1);
            }
            same
        });
        self.compacted = self.cells.len();
    }

    /// All cells, ascending, each key once.
    pub(super) fn into_cells(mut self) -> Vec<Cell> {
        self.compact();
        self.cells
    }

    /// Cells held.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }
}

/// The cells of one series in one closed pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block(Box<[u8]>);

impl Block {
    /// A block of cells that ascend by group.
    pub(super) fn new<'a>(cells: impl Iterator<Item = (u32, &'a Partial)>) -> Self {
        let mut bytes = Vec::new();
        let mut before = 0;
        for (group, partial) in cells {
            let mut step = group - before;
            before = group;
            while step >= 128 {
                bytes.push((step & 127) as u8 | 128);
                step >>= 7;
            }
            bytes.push((step & 127) as u8);
            write_partial(&mut bytes, partial);
        }
        Self(bytes.into_boxed_slice())
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Calls `each` with the group, everything but the histogram, and the histogram's bytes. Blocks are made by this module, so
    /// damage means that a snapshot was damaged, which its checksum finds; reading then ends early instead of panicking.
    #[inline]
    pub(super) fn for_each<'a>(&'a self, mut each: impl FnMut(u32, Partial, &'a [u8])) {
        let mut reader = Reader::new(&self.0);
        let mut group = 0;
        while !reader.is_at_end() {
            let Some(step) = reader.number().and_then(|step| u32::try_from(step).ok()) else { return };
            let Some((partial, hist)) = reader.moments() else { return };
            group += step;
            each(group, partial, hist);
        }
    }

    /// The cells of the wanted groups, ascending by group.
    pub(super) fn cells(&self, wanted: impl Fn(u32) -> bool) -> Vec<(u32, Partial)> {
        let mut cells = Vec::new();
        self.for_each(|group, mut partial, hist| {
            if !wanted(group) {
                return;
            }
            // Most bins take two bytes or less.
            partial.hist.reserve_exact(hist.len().div_ceil(2));
            for_each_bin(hist, |bin, count| partial.hist.push((bin, count)));
            cells.push((group, partial));
        });
        cells
    }

    /// This block with more cells added; they ascend by group.
    #[must_use]
    pub(super) fn with(&self, more: &[(u32, Partial)]) -> Self {
        let mut cells: BTreeMap<u32, Partial> = self.cells(|_| true).into_iter().collect();
        for (group, partial) in more {
            cells.entry(*group).or_default().merge(partial);
        }
        Self::new(cells.iter().map(|(group, partial)| (*group, partial)))
    }
}

/// Adds up blocks. `place` says which sum a group belongs to, if any; the sums ascend by place. Histograms are added only if
/// `histograms` says so.
pub(super) fn sum<'a>(
    blocks: impl Iterator<Item = &'a Block>,
    places: usize,
    place: impl Fn(u32) -> Option<u32>,
    histograms: Histograms,
) -> Vec<(u32, Partial)> {
    let mut sums: Vec<Option<Partial>> = vec![None; places];
    let mut hists: Vec<(u32, &'a [u8])> = Vec::new();
    for block in blocks {
        block.for_each(|group, partial, hist| {
            let Some(at) = place(group) else { return };
            let Some(slot) = sums.get_mut(at as usize) else { return };
            match slot {
                Some(sum) => sum.merge_moments(&partial),
                None => *slot = Some(partial),
            }
            if histograms == Histograms::Added && !hist.is_empty() {
                hists.push((at, hist));
            }
        });
    }
    hists.sort_by_key(|(at, _)| *at);
    let mut dense = HistogramSum::default();
    for run in hists.chunk_by(|left, right| left.0 == right.0) {
        for (_, hist) in run {
            for_each_bin(hist, |bin, count| dense.add(bin, count));
        }
        if let Some(Some(sum)) = run.first().and_then(|(at, _)| sums.get_mut(*at as usize)) {
            sum.hist = dense.take();
        }
    }
    (0_u32..).zip(sums).filter_map(|(at, sum)| Some((at, sum?))).collect()
}

/// Whether histograms are added too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Histograms {
    /// They are.
    Added,
    /// They are left out.
    LeftOut,
}

/// Closed panes of one length, by start.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Level {
    panes: BTreeMap<Timestamp, BTreeMap<Series, Block>>,
    bytes: usize,
}

impl Level {
    /// Blocks of one series with `from <= start < to`, in order of time.
    pub(super) fn blocks(&self, series: Series, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Block> {
        let range = if from < to { from..to } else { from..from };
        self.panes.range(range).filter_map(move |(_, blocks)| blocks.get(&series))
    }

    /// All series of one pane.
    pub(super) fn pane(&self, start: Timestamp) -> impl Iterator<Item = (Series, &Block)> {
        self.panes.get(&start).into_iter().flatten().map(|(series, block)| (*series, block))
    }

    /// All blocks of panes that start at `from` or later.
    pub(super) fn panes_from(&self, from: Timestamp) -> impl Iterator<Item = (Timestamp, Series, &Block)> {
        self.panes.range(from..).flat_map(|(start, blocks)| blocks.iter().map(|(series, block)| (*start, *series, block)))
    }

    /// Series that occur with `from <= start < to`.
    pub(super) fn series(&self, from: Timestamp, to: Timestamp) -> Vec<Series> {
        let range = if from < to { from..to } else { from..from };
        let mut series: Vec<Series> = self.panes.range(range).flat_map(|(_, blocks)| blocks.keys().copied()).collect();
        series.sort_unstable();
        series.dedup();
        series
    }

    /// Puts a block in place of what is there.
    pub(super) fn put(&mut self, start: Timestamp, series: Series, block: Block) {
        self.bytes += block.bytes();
        if let Some(before) = self.panes.entry(start).or_default().insert(series, block) {
            self.bytes -= before.bytes();
        }
    }

    /// Adds cells, ascending by group, to a block.
    pub(super) fn add(&mut self, start: Timestamp, series: Series, cells: &[(u32, Partial)]) {
        let block = self.panes.get(&start).and_then(|blocks| blocks.get(&series)).map(|block| block.with(cells));
        self.put(start, series, block.unwrap_or_else(|| Block::new(cells.iter().map(|(group, partial)| (*group, partial)))));
    }

    /// Forgets what started before `horizon`, except series that `keep` wants.
    pub(super) fn forget_before(&mut self, horizon: Timestamp, keep: impl Fn(Series) -> bool) {
        for (_, blocks) in self.panes.range_mut(..horizon) {
            blocks.retain(|series, block| {
                let kept = keep(*series);
                if !kept {
                    self.bytes -= block.bytes();
                }
                kept
            });
        }
        while let Some(first) = self.panes.first_entry() {
            if *first.key() >= horizon || !first.get().is_empty() {
                break;
            }
            first.remove();
        }
    }

    /// Forgets some series of panes with `from <= start < to`.
    pub(super) fn forget_series(&mut self, from: Timestamp, to: Timestamp, unwanted: impl Fn(Series) -> bool) {
        for (_, blocks) in self.panes.range_mut(from..to.max(from)) {
            blocks.retain(|series, block| {
                let forgotten = unwanted(*series);
                if forgotten {
                    self.bytes -= block.bytes();
                }
                !forgotten
            });
        }
    }

    /// Start of the oldest pane.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.panes.keys().next().copied()
    }

    /// Memory of all blocks.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

struct BlockVisitor;

impl Visitor<'_> for BlockVisitor {
    type Value = Block;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a block")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Block, E> {
        Ok(Block(bytes.into()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Block, E> {
        Ok(Block(bytes.into_boxed_slice()))
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BlockVisitor)
    }
}
