//! Area under the ROC curve of a score against two kinds of labels, from two histograms.
//!
//! It is the probability that a label of the one kind has the greater score than one of the other, ties counting half (Mann and Whitney
//! 1947; Bamber 1975). Scores are those of their bins, so two scores in one bin are a tie: against the same scores without bins the area
//! is off by at most half the share of pairs that the bins tie. The variance is that of `DeLong`, `DeLong` and Clarke-Pearson (Biometrics 1988),
//! the interval is taken on the logit scale (Pepe 2003, section 5.2), so that it stays within 0–1. Labels count as independent.

use super::histogram::add_bins;

/// Labels of each kind below which there is no value.
pub const LABELS_MIN: u64 = 30;
/// 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The area and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auroc {
    /// The area.
    pub value: f64,
    /// Lower and upper bound; none where ranks do not vary, as when one kind lies wholly above the other.
    pub bounds: Option<(f64, f64)>,
}

/// The area of scores counted by bin, which ascend; `None` with fewer than [`LABELS_MIN`] of either kind.
#[must_use]
pub fn auroc(positive: &[(u16, u32)], negative: &[(u16, u32)]) -> Option<Auroc> {
    let total = |bins: &[(u16, u32)]| bins.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
    if total(positive) < LABELS_MIN || total(negative) < LABELS_MIN {
        return None;
    }
    let (m, n) = (total(positive) as f64, total(negative) as f64);
    let mut both = positive.to_vec();
    add_bins(&mut both, negative);
    // For each bin: how many of each kind are in it, and how many negatives and positives are below it, those in it counting half.
    let mut lines = Vec::with_capacity(both.len());
    let (mut positives, mut negatives) = (positive.iter().peekable(), negative.iter().peekable());
    let (mut positives_below, mut negatives_below) = (0.0, 0.0);
    for (bin, _) in &both {
        let p = positives.next_if(|next| next.0 == *bin).map_or(0.0, |next| f64::from(next.1));
        let q = negatives.next_if(|next| next.0 == *bin).map_or(0.0, |next| f64::from(next.1));
        lines.push((p, q, positives_below + p / 2.0, negatives_below + q / 2.0));
        positives_below += p;
        negatives_below += q;
    }
    let value = lines.iter().map(|(p, _, _, below)| p * below).sum::<f64>() / (m * n);
    let of_positives = lines.iter().map(|(p, _, _, below)| p * (below / n - value).powi(2)).sum::<f64>() / (m - 1.0);
    let of_negatives = lines.iter().map(|(_, q, below, _)| q * (1.0 - below / m - value).powi(2)).sum::<f64>() / (n - 1.0);
    let deviation = (of_positives / m + of_negatives / n).sqrt();
    let inside = deviation > 0.0 && 0.0 < value && value < 1.0;
    let bounds = inside.then(|| {
        let (at, half) = ((value / (1.0 - value)).ln(), Z * deviation / (value * (1.0 - value)));
        let back = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        (back(at - half), back(at + half))
    });
    Some(Auroc { value, bounds })
}

#[cfg(test)]
mod tests;
