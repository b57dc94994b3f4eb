//! Fixed histogram edges, and quantiles with a stated error.
//!
//! A bin is the set of integers `low..=high`; the upper edge belongs to the bin (as `le` does in Prometheus), and zero always
//! has a bin of its own. Since edges never depend on the data, histograms add up exactly.
//!
//! * Linear, for scores in billionths: zero, then 100 bins of one hundredth. A quantile is within 0.005 of a value that has its rank.
//! * Logarithmic, for everything else: every integer below 128, then 64 bins per power of two (the layout of Gil Tene's
//!   `HdrHistogram`). A quantile is within 1/128 (0.8 %) of a value that has its rank. The bin is found from the position of the
//!   leading bit, without a logarithm.

use serde::{Deserialize, Serialize};

use super::Group;

/// Which edges a measure's histogram has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edges {
    /// No histogram is kept.
    None,
    /// Hundredths of the range 0–1, over billionths.
    Linear,
    /// 64 bins per power of two.
    Logarithmic,
    /// Categories by the hash of their name: bins without an order. Every value is 1.
    Category,
    /// No histogram: by component of a vector, the sum of its steps. Every value is 1.
    Vector,
    /// No histogram: by bucket of words, the texts that have a word in it. The value is the number of a text's buckets.
    Words,
}

impl Edges {
    /// Whether the bins are those of the values themselves, in their order.
    #[must_use]
    pub const fn are_of_values(self) -> bool {
        matches!(self, Self::Linear | Self::Logarithmic)
    }
}

/// A category, as its bin: the hash of its name. Two of 3,712 bins fall together with probability 1 in 3,712 per pair; then the
/// two categories count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Category(u16);

impl Category {
    /// The category of a name; none for `__other__`, which stands for many.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below BINS, which fits")]
    pub fn of(name: &str) -> Option<Self> {
        if name == Group::OTHER {
            return None;
        }
        // FNV-1a, folded.
        let hash =
            name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Some(Self(((hash ^ (hash >> 32)) % Edges::BINS as u64) as u16))
    }

    /// Its bin.
    #[must_use]
    pub const fn bin(self) -> u16 {
        self.0
    }
}

/// Billionths in one hundredth.
const HUNDREDTH: i64 = 10_000_000;
/// Values below this have a bin of their own.
const EXACT: i64 = 128;
/// Bins per power of two, as a power of two.
const OCTAVE_BITS: u32 = 6;

impl Edges {
    /// Bins that exist: every bin is less than this.
    pub const BINS: usize = 128 + (63 - 7) * 64;

    /// The bin of a value. Values below the range count in the first bin, above it in the last.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is positive and the bin below BINS")]
    pub const fn bin(self, value: i64) -> u16 {
        match self {
            Self::None | Self::Category | Self::Vector | Self::Words => 0,
            _ if value <= 0 => 0,
            Self::Linear if value >= 100 * HUNDREDTH => 100,
            Self::Linear => (value as u64).div_ceil(HUNDREDTH as u64) as u16,
            Self::Logarithmic if value < EXACT => value as u16,
            Self::Logarithmic => {
                let octave = 63 - value.leading_zeros();
                let shift = octave - OCTAVE_BITS;
                (128 + ((octave - 7) << OCTAVE_BITS) + ((value >> shift) as u32 - 64)) as u16
            }
        }
    }

    /// The bin whose greatest integer is nearest to a published edge: categories' edges are their bins.
    #[must_use]
    pub fn bin_of_edge(self, edge: i64) -> u16 {
        match self {
            Self::Category | Self::Vector | Self::Words => u16::try_from(edge.max(0)).unwrap_or(u16::MAX),
            Self::None | Self::Linear | Self::Logarithmic => self.bin(edge),
        }
    }

    /// The least and the greatest integer of a bin, both inclusive.
    #[must_use]
    pub const fn range(self, bin: u16) -> (i64, i64) {
        let at = bin as i64;
        match self {
            Self::None => (0, 0),
            Self::Category | Self::Vector | Self::Words => (at, at),
            Self::Linear if at == 0 => (0, 0),
            Self::Linear => ((at - 1) * HUNDREDTH + 1, at * HUNDREDTH),
            Self::Logarithmic if at < EXACT => (at, at),
            Self::Logarithmic => {
                let above = at - EXACT;
                let shift = 1 + (above >> OCTAVE_BITS);
                let low = (64 + (above & 63)) << shift;
                (low, low + ((1 << shift) - 1))
            }
        }
    }
}

/// The value at rank `ceil(q · n)` of the values counted by `bins`, as the middle of its bin, kept within `[min, max]`: never
/// further from a value of that rank than the module says. In the measure's integer unit; `None` without values.
#[must_use]
pub fn quantile(edges: Edges, bins: &[(u16, u32)], min: i64, max: i64, q: f64) -> Option<f64> {
    let n: u64 = bins.iter().map(|(_, count)| u64::from(*count)).sum();
    let bin = bin_at_rank(bins, rank(n, q)?)?;
    Some(middle(edges, bin, min, max))
}

/// Several quantiles in one pass over the bins; `qs` ascend.
#[must_use]
pub fn quantiles<const N: usize>(edges: Edges, bins: &[(u16, u32)], min: i64, max: i64, qs: [f64; N]) -> [Option<f64>; N] {
    let n: u64 = bins.iter().map(|(_, count)| u64::from(*count)).sum();
    let mut out = [None; N];
    let mut rest = bins.iter();
    let mut reached = 0;
    let mut bin = 0;
    for (slot, q) in out.iter_mut().zip(qs) {
        let Some(rank) = rank(n, q) else { continue };
        while reached < rank {
            let Some((next, count)) = rest.next() else { break };
            bin = *next;
            reached += u64::from(*count);
        }
        *slot = Some(middle(edges, bin, min, max));
    }
    out
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "q · n is not negative and at most n")]
fn rank(n: u64, q: f64) -> Option<u64> {
    (n > 0).then(|| ((q * n as f64).ceil() as u64).clamp(1, n))
}

fn bin_at_rank(bins: &[(u16, u32)], rank: u64) -> Option<u16> {
    let mut reached = 0;
    for (bin, count) in bins {
        reached += u64::from(*count);
        if reached >= rank {
            return Some(*bin);
        }
    }
    None
}

fn middle(edges: Edges, bin: u16, min: i64, max: i64) -> f64 {
    let (low, high) = edges.range(bin);
    let (low, high) = (low.clamp(min, max), high.clamp(min, max));
    low as f64 + (high - low) as f64 / 2.0
}

/// Adds up many sparse histograms: one dense array, cleared only where it was touched.
#[derive(Debug)]
pub struct HistogramSum {
    counts: Vec<u32>,
    low: usize,
    high: usize,
}

impl Default for HistogramSum {
    fn default() -> Self {
        Self { counts: vec![0; Edges::BINS], low: Edges::BINS, high: 0 }
    }
}

impl HistogramSum {
    /// Adds `count` to a bin. Bins beyond [`Edges::BINS`] do not exist and are ignored; counts wrap around, as [`add_bins`] says.
    #[inline]
    pub fn add(&mut self, bin: u16, count: u32) {
        let at = usize::from(bin);
        if let Some(slot) = self.counts.get_mut(at) {
            *slot = slot.wrapping_add(count);
            self.low = self.low.min(at);
            self.high = self.high.max(at + 1);
        }
    }

    /// The non-empty bins in ascending order; empties this sum.
    #[expect(clippy::cast_possible_truncation, reason = "bins are below BINS, which fits")]
    pub fn take(&mut self) -> Vec<(u16, u32)> {
        let low = self.low.min(self.high);
        let touched = &mut self.counts[low..self.high];
        let mut bins = Vec::with_capacity(touched.iter().filter(|count| **count > 0).count());
        for (at, count) in touched.iter_mut().enumerate() {
            if *count > 0 {
                bins.push(((low + at) as u16, *count));
                *count = 0;
            }
        }
        (self.low, self.high) = (Edges::BINS, 0);
        bins
    }
}

/// Adds a sparse histogram to another; both ascend and stay so. Counts wrap around, so that a difference ([`less_bins`]) can be added
/// before or after what it corrects; bins without a count are left out.
pub fn add_bins(into: &mut Vec<(u16, u32)>, other: &[(u16, u32)]) {
    if other.is_empty() {
        return;
    }
    if into.is_empty() {
        into.extend_from_slice(other);
        return;
    }
    let mut merged = Vec::with_capacity(into.len() + other.len());
    let (mut left, mut right) = (into.iter().copied().peekable(), other.iter().copied().peekable());
    loop {
        match (left.peek().copied(), right.peek().copied()) {
            (Some(a), Some(b)) if a.0 == b.0 => {
                let count = a.1.wrapping_add(b.1);
                if count > 0 {
                    merged.push((a.0, count));
                }
                left.next();
                right.next();
            }
            (Some(a), Some(b)) if a.0 < b.0 => {
                merged.push(a);
                left.next();
            }
            (_, Some(b)) => {
                merged.push(b);
                right.next();
            }
            (Some(a), None) => {
                merged.push(a);
                left.next();
            }
            (None, None) => break,
        }
    }
    *into = merged;
}

/// What has to be added to `other` to make it `bins`.
#[must_use]
pub fn less_bins(bins: &[(u16, u32)], other: &[(u16, u32)]) -> Vec<(u16, u32)> {
    let mut less = bins.to_vec();
    let negative: Vec<(u16, u32)> = other.iter().map(|(bin, count)| (*bin, count.wrapping_neg())).collect();
    add_bins(&mut less, &negative);
    less
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bins_tile_the_integers_without_gap_or_overlap() {
        for (edges, last) in [(Edges::Linear, 100), (Edges::Logarithmic, Edges::BINS - 1)] {
            let mut next = 0;
            for bin in 0..=u16::try_from(last).unwrap() {
                let (low, high) = edges.range(bin);
                assert_eq!(low, next, "{edges:?} {bin}");
                assert!(high >= low);
                assert_eq!((edges.bin(low), edges.bin(high)), (bin, bin), "{edges:?} {bin}");
                next = high.wrapping_add(1);
            }
        }
        assert_eq!(usize::from(Edges::Logarithmic.bin(i64::MAX)), Edges::BINS - 1);
        assert_eq!(Edges::Logarithmic.bin(-5), 0);
        assert_eq!(Edges::Linear.bin(2_000_000_000), 100);
    }

    #[test]
    fn a_category_is_the_hash_of_its_name_and_other_is_none() {
        // FNV-1a of "en" is 0x88e3807b53946aa (Python: h = (h ^ b) * 0x100000001b3 % 2**64)
        assert_eq!(Category::of("en").map(Category::bin), Some(685));
        assert_ne!(Category::of("de"), Category::of("en"));
        assert_eq!(Category::of(Group::OTHER), None);
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_one_percent_of_the_value_of_its_rank(
            values in prop::collection::vec((0_u32..41, any::<i64>()).prop_map(|(bits, v)| v.rem_euclid(1 << bits)), 1..400),
            q in 0.0_f64..=1.0,
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let mut sum = HistogramSum::default();
            for value in &values {
                sum.add(Edges::Logarithmic.bin(*value), 1);
            }
            let bins = sum.take();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test")]
            let rank = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
            let exact = sorted[rank - 1] as f64;
            let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
            let found = quantile(Edges::Logarithmic, &bins, min, max, q).unwrap();
            prop_assert!((found - exact).abs() <= exact / 128.0 + 1e-9, "{} {}", found, exact);
            prop_assert_eq!(quantiles(Edges::Logarithmic, &bins, min, max, [q]), [Some(found)]);
        }

        #[test]
        fn a_quantile_of_scores_is_within_half_a_hundredth(
            values in prop::collection::vec(0_i64..=1_000_000_000, 1..300), q in 0.0_f64..=1.0,
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let mut sum = HistogramSum::default();
            for value in &values {
                sum.add(Edges::Linear.bin(*value), 1);
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test")]
            let rank = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
            let exact = sorted[rank - 1] as f64;
            let found = quantile(Edges::Linear, &sum.take(), sorted[0], sorted[sorted.len() - 1], q).unwrap();
            prop_assert!((found - exact).abs() <= 5_000_000.0);
        }

        #[test]
        fn histograms_add_up_in_any_order(
            parts in prop::collection::vec(prop::collection::btree_map(0_u16..300, 1_u32..9, 0..20), 0..6),
        ) {
            let mut sum = HistogramSum::default();
            let mut forward = Vec::new();
            let mut backward = Vec::new();
            for part in &parts {
                let part: Vec<_> = part.iter().map(|(bin, count)| (*bin, *count)).collect();
                add_bins(&mut forward, &part);
                for (bin, count) in &part {
                    sum.add(*bin, *count);
                }
            }
            for part in parts.iter().rev() {
                add_bins(&mut backward, &part.iter().map(|(bin, count)| (*bin, *count)).collect::<Vec<_>>());
            }
            prop_assert_eq!(&forward, &backward);
            prop_assert_eq!(forward, sum.take());
        }
    }
}
