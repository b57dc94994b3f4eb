//! Drift of a distribution against a reference, from histograms.
//!
//! Bins are fixed from the reference: for numbers at most ten, cut at its deciles, where deciles that fall on the same value make
//! one bin; for categories those that the reference lets expect ten of in the window, and one bin for all the rest. Without drift
//! PSI is distributed as (1/n + 1/m) · χ²(B − 1), so its expectation depends on the counts and a fixed limit on PSI means nothing: p
//! is the one number to decide by. Below 20 values per bin nothing is decided. Distances between whole distributions (KS,
//! Wasserstein) are those of the histograms: exact where a bin holds one value, otherwise within the width of a bin.

mod kolmogorov;
mod reference;
mod screening;
#[cfg(test)]
mod tests;
mod words;

use statrs::distribution::{ChiSquared, ContinuousCDF};

pub use kolmogorov::kolmogorov_sf;
pub use reference::{Pinned, PinnedError, Reference};
pub use screening::adjusted;
pub use words::{Words, words};

use crate::measure::{Edges, Measure, Partial, mean};

/// Bins at most for numbers.
const BINS: usize = 10;
/// Categories at most that have a bin of their own.
const CATEGORIES: usize = 20;
/// What the reference must let expect of a category in the window, for a bin of its own.
const EXPECTED_OF_CATEGORY: u64 = 10;
/// Values per bin below which nothing is decided.
const VALUES_PER_BIN: u64 = 20;
/// Vectors below which means are not compared.
const VECTORS_MIN: u64 = 30;
/// Least standard deviation that distances are expressed in, in the metric's unit (as Evidently does).
const STDDEV_MIN: f64 = 0.001;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Population stability index, ≥ 0.
    pub psi: f64,
    /// What PSI would be on average without drift: (B − 1)(1/n + 1/m).
    pub psi_expected: f64,
    /// Probability of at least this PSI without drift.
    pub p: f64,
    /// Jensen–Shannon distance in base 2, 0–1, over the shares in the same bins.
    pub js: f64,
    /// Bins.
    pub bins: usize,
    /// What is asked of numbers or of categories only.
    pub shape: Shape,
}

/// What only numbers, or only categories have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Of values with an order.
    Numbers {
        /// Kolmogorov–Smirnov distance, 0–1.
        ks: f64,
        /// Probability of at least this distance without drift; greater than true where values are tied.
        ks_p: f64,
        /// Wasserstein-1 distance in standard deviations of the reference.
        wasserstein: f64,
    },
    /// Of values without one.
    Categories {
        /// Pearson's chi-square of the two rows of counts, without continuity correction.
        chi_square: f64,
        /// Probability of at least this much without drift.
        chi_square_p: f64,
    },
}

/// Means of vectors beside each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// 1 − cosine of the two means, 0–2.
    pub distance: f64,
    /// What it would be on average without drift, for vectors of length 1 that scatter alike in all directions:
    /// (1 − |μ|²) / (2 |μ|²) · (1/n + 1/m), μ being the mean of the reference.
    pub expected: f64,
}

/// Share of events without a value, beside that of the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nulls {
    /// Events in the window.
    pub n: u64,
    /// Of these without a value.
    pub missing: u64,
    /// Probability of at least this difference to the reference without drift (two-proportion chi-square, one degree of
    /// freedom); none where either has fewer than 40 events.
    pub p: Option<f64>,
}

/// Compares the values of one measure in a window with those of its reference. `None` if either has fewer than 20 values per
/// bin of the comparison.
#[must_use]
pub fn drift(measure: Measure, window: &Partial, reference: &Partial) -> Option<Drift> {
    let edges = measure.info().edges;
    if !edges.are_of_values() && edges != Edges::Category {
        return None;
    }
    let (here, there) = (window.hist.as_slice(), reference.hist.as_slice());
    let pairs = if edges == Edges::Category { by_category(here, there) } else { by_decile(here, there) };
    let bins = pairs.len();
    let (n, m) = pairs.iter().fold((0, 0), |(n, m), (p, q)| (n + p, m + q));
    if bins == 0 || n.min(m) < VALUES_PER_BIN * bins as u64 {
        return None;
    }
    let spread = 1.0 / n as f64 + 1.0 / m as f64;
    let degrees = bins as f64 - 1.0;
    let psi = psi(&pairs, n, m);
    let shape = if edges == Edges::Category {
        let chi_square = chi_square(&pairs, n, m);
        Shape::Categories { chi_square, chi_square_p: chi_square_sf(chi_square, degrees) }
    } else {
        let (ks, distance) = distances(edges, here, there);
        let effective = (n as f64 * m as f64 / (n + m) as f64).round();
        let scale = measure.info().scale as f64;
        let stddev = (population_stddev(reference) / scale).max(STDDEV_MIN);
        Shape::Numbers { ks, ks_p: kolmogorov_sf(ks, effective), wasserstein: distance / scale / stddev }
    };
    let p = chi_square_sf(psi / spread, degrees);
    Some(Drift { psi, psi_expected: degrees * spread, p, js: jensen_shannon(&pairs, n, m), bins, shape })
}

/// Compares the means of vectors. `None` below 30 vectors on either side, and where a mean has no length.
#[must_use]
pub fn cosine(window: &Partial, reference: &Partial) -> Option<Cosine> {
    if window.n.min(reference.n) < VECTORS_MIN {
        return None;
    }
    let [here, there] = [window, reference].map(|side| mean(&side.hist, side.n));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (length, other) = (dot(&here, &here), dot(&there, &there));
    if length <= 0.0 || other <= 0.0 {
        return None;
    }
    let spread = 1.0 / window.n as f64 + 1.0 / reference.n as f64;
    let distance = 1.0 - dot(&here, &there) / (length * other).sqrt();
    Some(Cosine { distance: distance.clamp(0.0, 2.0), expected: (1.0 - other).max(0.0) / (2.0 * other) * spread })
}

/// Compares shares of events without a value.
#[must_use]
pub fn nulls(window: &Partial, reference: &Partial) -> Nulls {
    let (n, m) = (window.n + window.n_null, reference.n + reference.n_null);
    let pairs = [(window.n, reference.n), (window.n_null, reference.n_null)];
    let p = (n.min(m) >= 2 * VALUES_PER_BIN).then(|| chi_square_sf(chi_square(&pairs, n, m), 1.0));
    Nulls { n, missing: window.n_null, p }
}

/// Half an event is added to every bin, so that an empty one is no infinity.
fn psi(pairs: &[(u64, u64)], n: u64, m: u64) -> f64 {
    let share = |count: u64, total: u64| (count as f64 + 0.5) / (total as f64 + 0.5 * pairs.len() as f64);
    let terms = pairs.iter().map(|(p, q)| {
        let (p, q) = (share(*p, n), share(*q, m));
        (p - q) * (p / q).ln()
    });
    terms.sum::<f64>().max(0.0)
}

fn jensen_shannon(pairs: &[(u64, u64)], n: u64, m: u64) -> f64 {
    let part = |share: f64, middle: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
    let terms = pairs.iter().map(|(p, q)| {
        let (p, q) = (*p as f64 / n as f64, *q as f64 / m as f64);
        let middle = f64::midpoint(p, q);
        f64::midpoint(part(p, middle), part(q, middle))
    });
    terms.sum::<f64>().max(0.0).sqrt().min(1.0)
}

fn chi_square(pairs: &[(u64, u64)], n: u64, m: u64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let terms = pairs.iter().filter(|(p, q)| p + q > 0).map(|(p, q)| {
        let (p, q) = (*p as f64, *q as f64);
        let (here, there) = ((p + q) * n / (n + m), (p + q) * m / (n + m));
        (p - here).powi(2) / here + (q - there).powi(2) / there
    });
    if n > 0.0 && m > 0.0 { terms.sum() } else { 0.0 }
}

fn chi_square_sf(value: f64, degrees: f64) -> f64 {
    ChiSquared::new(degrees).map_or(1.0, |law| law.sf(value.max(0.0)).clamp(0.0, 1.0))
}

/// Population standard deviation in the measure's integer unit.
fn population_stddev(partial: &Partial) -> f64 {
    let n = partial.n as f64;
    if partial.n == 0 {
        return 0.0;
    }
    let mean = partial.sum as f64 / n;
    let around = match (partial.sum_sq.checked_mul(i128::from(partial.n)), partial.sum.checked_mul(partial.sum)) {
        (Some(left), Some(right)) => (left - right) as f64 / n / n,
        _ => partial.sum_sq as f64 / n - mean * mean,
    };
    around.max(0.0).sqrt()
}

/// Greatest difference of the distribution functions, and the area between them in the measure's integer unit. A bin stands for
/// its middle.
fn distances(edges: Edges, window: &[(u16, u32)], reference: &[(u16, u32)]) -> (f64, f64) {
    let total = |bins: &[(u16, u32)]| bins.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
    let (n, m) = (total(window), total(reference));
    if n == 0 || m == 0 {
        return (0.0, 0.0);
    }
    let middle = |bin: u16| {
        let (low, high) = edges.range(bin);
        f64::midpoint(low as f64, high as f64)
    };
    let (mut here, mut there) = (window.iter().peekable(), reference.iter().peekable());
    let (mut reached, mut reached_there) = (0_u64, 0_u64);
    let (mut greatest, mut area) = (0.0_f64, 0.0);
    let mut before: Option<(f64, f64)> = None;
    while let Some(bin) = [here.peek(), there.peek()].into_iter().flatten().map(|(bin, _)| *bin).min() {
        let at = middle(bin);
        if let Some((last, gap)) = before {
            area += gap * (at - last);
        }
        while let Some((_, count)) = here.next_if(|(next, _)| *next == bin) {
            reached += u64::from(*count);
        }
        while let Some((_, count)) = there.next_if(|(next, _)| *next == bin) {
            reached_there += u64::from(*count);
        }
        let crossed = (u128::from(reached) * u128::from(m)).abs_diff(u128::from(reached_there) * u128::from(n));
        let gap = crossed as f64 / (n as f64 * m as f64);
        greatest = greatest.max(gap);
        before = Some((at, gap));
    }
    (greatest.min(1.0), area)
}

/// Counts by bin at the reference's deciles: (window, reference).
fn by_decile(window: &[(u16, u32)], reference: &[(u16, u32)]) -> Vec<(u64, u64)> {
    let cuts = cuts(reference);
    grouped(window, &cuts).into_iter().zip(grouped(reference, &cuts)).filter(|(p, q)| p + q > 0).collect()
}

/// Counts by category, most frequent in the reference first, and the rest together.
fn by_category(window: &[(u16, u32)], reference: &[(u16, u32)]) -> Vec<(u64, u64)> {
    let n: u64 = window.iter().map(|(_, count)| u64::from(*count)).sum();
    let m: u64 = reference.iter().map(|(_, count)| u64::from(*count)).sum();
    let mut known: Vec<(u16, u32)> = reference.to_vec();
    known.sort_by_key(|(bin, count)| (std::cmp::Reverse(*count), *bin));
    known.truncate(CATEGORIES);
    known.retain(|(_, count)| u64::from(*count) * n >= EXPECTED_OF_CATEGORY * m);
    let in_window = |wanted: u16| match window.binary_search_by_key(&wanted, |(bin, _)| *bin) {
        Ok(at) => window.get(at).map_or(0, |(_, count)| u64::from(*count)),
        Err(_) => 0,
    };
    let mut pairs: Vec<(u64, u64)> = known.iter().map(|(bin, count)| (in_window(*bin), u64::from(*count))).collect();
    let named = pairs.iter().fold((0, 0), |(p, q), (here, there)| (p + here, q + there));
    let rest = (n - named.0, m - named.1);
    if rest != (0, 0) {
        pairs.push(rest);
    }
    // A reference without a category of its own says nothing.
    if known.is_empty() { Vec::new() } else { pairs }
}

/// Greatest histogram bin of each group but the last, cut at the deciles of the reference; equal deciles make one cut. A
/// reference that lies on one bin is cut on both sides of it, so that leaving it is seen.
fn cuts(reference: &[(u16, u32)]) -> Vec<u16> {
    let total: u64 = reference.iter().map(|(_, count)| u64::from(*count)).sum();
    let mut cuts = Vec::with_capacity(BINS);
    let (mut reached, mut decile) = (0, 1);
    for (bin, count) in reference {
        reached += u64::from(*count);
        if decile < BINS as u64 && reached * BINS as u64 >= decile * total {
            cuts.push(*bin);
            decile = (reached * BINS as u64 / total.max(1)) + 1;
        }
    }
    if let Some((greatest, _)) = reference.last() {
        cuts.retain(|cut| cut < greatest);
        if cuts.is_empty() {
            cuts.extend(greatest.checked_sub(1));
            cuts.push(*greatest);
        }
    }
    cuts
}

/// Counts per group.
fn grouped(histogram: &[(u16, u32)], cuts: &[u16]) -> Vec<u64> {
    let mut counts = vec![0; cuts.len() + 1];
    for (bin, count) in histogram {
        counts[cuts.partition_point(|cut| cut < bin)] += u64::from(*count);
    }
    counts
}
