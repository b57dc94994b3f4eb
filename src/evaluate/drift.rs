//! Drift of a distribution against a reference: population stability index with its p, and Jensen–Shannon distance.
//!
//! Bins are fixed from the reference alone: at most ten, cut at its deciles; deciles that fall on the same value make one bin.
//! Without drift PSI is distributed as (1/n + 1/m) · χ²(B − 1), so its expectation depends on the counts and a fixed limit on
//! PSI means nothing: p is the one number to decide by. Below 20 values per bin nothing is decided.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Bins at most.
const BINS: usize = 10;
/// Values per bin below which nothing is decided.
const VALUES_PER_BIN: u64 = 20;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Population stability index, ≥ 0.
    pub psi: f64,
    /// What PSI would be on average without drift: (B − 1)(1/n + 1/m).
    pub psi_expected: f64,
    /// Probability of at least this PSI without drift.
    pub p: f64,
    /// Jensen–Shannon distance in base 2, 0–1.
    pub js: f64,
    /// Bins.
    pub bins: usize,
}

/// Compares two histograms of the same edges: (bin, count), ascending. `None` if either has fewer than 20 values per bin of the
/// comparison, or if both know only one and the same bin.
#[must_use]
pub fn drift(window: &[(u16, u32)], reference: &[(u16, u32)]) -> Option<Drift> {
    let cuts = cuts(reference);
    let pairs: Vec<(u64, u64)> =
        grouped(window, &cuts).into_iter().zip(grouped(reference, &cuts)).filter(|(p, q)| p + q > 0).collect();
    let bins = pairs.len();
    let (n, m) = pairs.iter().fold((0, 0), |(n, m), (p, q)| (n + p, m + q));
    if bins < 2 || n.min(m) < VALUES_PER_BIN * bins as u64 {
        return None;
    }
    let share = |count: u64, total: u64| (count as f64 + 0.5) / (total as f64 + 0.5 * bins as f64);
    let (mut psi, mut divergence) = (0.0, 0.0);
    for (p, q) in pairs {
        let (p, q) = (share(p, n), share(q, m));
        psi += (p - q) * (p / q).ln();
        let middle = f64::midpoint(p, q);
        divergence += f64::midpoint(p * (p / middle).log2(), q * (q / middle).log2());
    }
    let spread = 1.0 / n as f64 + 1.0 / m as f64;
    let degrees = bins as f64 - 1.0;
    let p_value = ChiSquared::new(degrees).ok()?.sf(psi / spread);
    Some(Drift { psi, psi_expected: degrees * spread, p: p_value, js: divergence.max(0.0).sqrt().min(1.0), bins })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten equal bins, as counts.
    fn uniform(per_bin: u32) -> Vec<(u16, u32)> {
        (0..10).map(|bin| (bin, per_bin)).collect()
    }

    #[test]
    fn equal_distributions_do_not_drift() {
        let found = drift(&uniform(50), &uniform(500)).unwrap();
        assert!(found.psi < 1e-6 && found.js < 1e-3 && found.p > 0.999_999, "{found:?}");
        assert_eq!(found.bins, 10);
        assert!((found.psi_expected - 9.0 * (1.0 / 500.0 + 1.0 / 5_000.0)).abs() < 1e-15);
    }

    #[test]
    fn a_shift_agrees_with_an_independent_computation() {
        let window: Vec<(u16, u32)> = (0_u16..10).map(|bin| (bin, 20 + 10 * u32::from(bin))).collect();
        let found = drift(&window, &uniform(500)).unwrap();
        // numpy: p = (w + .5) / (650 + 5), q = (500 + .5) / 5005; psi = sum((p - q) ln(p / q));
        // scipy: chi2.sf(psi / (1/650 + 1/5000), 9), distance.jensenshannon(p, q, base=2)
        assert!((found.psi - 0.221_987_735_058_773_56).abs() < 1e-12, "{found:?}");
        assert!((found.js - 0.197_358_452_034_123_64).abs() < 1e-12, "{found:?}");
        assert!((found.p / 3.535_311_949_621_925e-23 - 1.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn tied_deciles_make_one_bin_and_leaving_a_single_value_is_seen() {
        let mostly_zero = [(0, 800), (5, 100), (9, 100)];
        let found = drift(&mostly_zero, &mostly_zero).unwrap();
        assert_eq!(found.bins, 3);
        let moved = drift(&[(50, 60), (60, 60)], &[(40, 1_000)]).unwrap();
        assert!(moved.p < 1e-9 && moved.js > 0.9, "{moved:?}");
        assert_eq!(drift(&[(40, 500)], &[(40, 1_000)]), None);
    }

    /// A pseudo-random number below `below` (xorshift64*).
    fn random(state: &mut u64, below: u64) -> u64 {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }

    /// `n` values of a skewed distribution with ties (the product of two uniform numbers), moved by `shift`.
    fn sample(state: &mut u64, n: u64, shift: u16) -> Vec<(u16, u32)> {
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..n {
            let value = random(state, 30) * random(state, 30) / 10;
            *counts.entry(u16::try_from(value).unwrap() + shift).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    #[test]
    fn without_drift_p_is_below_a_level_about_as_often_as_the_level_says() {
        let mut state = 20_260_504;
        for (n, m) in [(200, 2_000), (500, 2_000), (1_000, 5_000)] {
            let rounds = 400;
            let mut below = [0, 0];
            for _ in 0..rounds {
                let (window, reference) = (sample(&mut state, n, 0), sample(&mut state, m, 0));
                let found = drift(&window, &reference).unwrap();
                for (count, level) in below.iter_mut().zip([0.05, 0.01]) {
                    *count += i32::from(found.p < level);
                }
            }
            let share = below.map(|count| f64::from(count) / f64::from(rounds));
            assert!((0.015..0.09).contains(&share[0]) && share[1] < 0.03, "n {n}, m {m}: {share:?}");
        }
    }

    #[test]
    fn a_shift_of_a_quarter_of_a_standard_deviation_is_found() {
        let mut state = 7;
        let found = (0..200).filter(|_| {
            let (window, reference) = (sample(&mut state, 1_000, 5), sample(&mut state, 10_000, 0));
            drift(&window, &reference).unwrap().p < 0.001
        });
        assert_eq!(found.count(), 200);
    }

    #[test]
    fn nothing_is_decided_on_few_values() {
        assert_eq!(drift(&uniform(19), &uniform(500)), None);
        assert_eq!(drift(&uniform(500), &uniform(19)), None);
        assert_eq!(drift(&[], &uniform(500)), None);
        assert_eq!(drift(&uniform(500), &[]), None);
    }
}
