//! Drift of words: which words texts are made of, beside a reference.
//!
//! The sums are counts of texts by bucket of words ([`Vocabulary`]). Words of one text hang together and only texts are independent
//! of each other, so nothing here takes words for independent. How large the distance is without drift follows from sums alone:
//! summed over the buckets, the variances of the shares come to (B − Σs² / Σs) / S of the chi-square kind, whatever hangs
//! together within a text (s being the number of a text's buckets, S its sum over the texts). And p is that of the one bucket that
//! moved most, times the number of buckets, which holds for any dependence between them.
//!
//! [`Vocabulary`]: crate::measure::Vocabulary

use statrs::function::beta::checked_beta_reg;

use super::jensen_shannon;
use crate::measure::Partial;

/// Texts on either side below which nothing is decided.
const TEXTS_MIN: u64 = 50;
/// z² below which a bucket's p is above 1 / 64: with more buckets than that it says nothing.
const WORTH_A_LOOK: (f64, usize) = (5.8, 64);

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Words {
    /// Jensen–Shannon distance in base 2, 0–1, of the shares of the buckets.
    pub js: f64,
    /// What it would be on average without drift: the root of the mean divergence.
    pub expected: f64,
    /// Probability without drift that any bucket moves as far as the one that moved most: Bonferroni's bound.
    pub p: f64,
}

/// Compares the words of two sets of texts. `None` below 50 texts on either side.
#[must_use]
pub fn words(window: &Partial, reference: &Partial) -> Option<Words> {
    if window.n.min(reference.n) < TEXTS_MIN {
        return None;
    }
    let pairs = paired(&window.hist, &reference.hist);
    let (n, m) = pairs.iter().fold((0, 0), |(n, m), (p, q)| (n + p, m + q));
    if n == 0 || m == 0 {
        return None;
    }
    let buckets = pairs.len() as f64;
    let variance = |side: &Partial, total: u64| {
        let (sum, squares) = (side.sum as f64, side.sum_sq as f64);
        (buckets - squares / sum.max(1.0)).max(0.0) / total as f64
    };
    let divergence = (variance(window, n) + variance(reference, m)) / (8.0 * std::f64::consts::LN_2);
    let worth_a_look = if pairs.len() > WORTH_A_LOOK.1 { WORTH_A_LOOK.0 } else { 0.0 };
    let least = pairs.iter().map(|pair| p_of_bucket(*pair, (n, m), worth_a_look)).fold(1.0, f64::min);
    Some(Words { js: jensen_shannon(&pairs, n, m), expected: divergence.sqrt().min(1.0), p: (least * buckets).min(1.0) })
}

/// Counts by bucket: (window, reference).
fn paired(window: &[(u16, u32)], reference: &[(u16, u32)]) -> Vec<(u64, u64)> {
    let (mut here, mut there) = (window.iter().peekable(), reference.iter().peekable());
    let mut pairs = Vec::with_capacity(window.len().max(reference.len()));
    while let Some(bin) = [here.peek(), there.peek()].into_iter().flatten().map(|(bin, _)| *bin).min() {
        let count = |side: &mut std::iter::Peekable<std::slice::Iter<'_, (u16, u32)>>| {
            side.next_if(|(next, _)| *next == bin).map_or(0, |(_, count)| u64::from(*count))
        };
        pairs.push((count(&mut here), count(&mut there)));
    }
    pairs
}

/// Two-sided p of one bucket against all others: of its `a + b`, how likely are so many on one side (conditional binomial test).
fn p_of_bucket((a, b): (u64, u64), (n, m): (u64, u64), worth_a_look: f64) -> f64 {
    let (a, b, n, m) = (a as f64, b as f64, n as f64, m as f64);
    let share = n / (n + m);
    let expected = (a + b) * share;
    if (a - expected).powi(2) < worth_a_look * expected * (1.0 - share) {
        return 1.0;
    }
    // P(X ≥ k) of Bin(a + b, share).
    let at_least = |k: f64| if k <= 0.0 { 1.0 } else { checked_beta_reg(k, a + b - k + 1.0, share).unwrap_or(1.0) };
    let tail = if a > expected {
        at_least(a)
    } else {
        // As many as b or more on the other side.
        if b <= 0.0 { 1.0 } else { checked_beta_reg(b, a + 1.0, 1.0 - share).unwrap_or(1.0) }
    };
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::measure::{Accumulator, Vocabulary, measures};

    /// Pseudo-random numbers (xorshift64*).
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, below: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
        }
    }

    fn sums(texts: impl Iterator<Item = Vocabulary>) -> Partial {
        let mut accumulator = Accumulator::default();
        for words in texts {
            accumulator.at(Timestamp(0), 0).add_words(measures::PROMPT_VOCABULARY, &words);
        }
        accumulator.take(Vec::new()).rows.pop().map(|row| row.partial).unwrap_or_default()
    }

    #[test]
    fn a_handful_of_counts_agrees_with_scipy() {
        let side = |n: u64, counts: [u32; 3]| {
            let sum = counts.iter().map(|count| i128::from(*count)).sum();
            Partial { n, sum, sum_sq: 2 * sum, hist: (0..).zip(counts).collect(), ..Partial::default() }
        };
        let found = words(&side(60, [40, 30, 20]), &side(300, [150, 150, 150])).unwrap();
        // scipy.spatial.distance.jensenshannon([40, 30, 20], [150, 150, 150], base=2)
        assert!((found.js - JS).abs() < 1e-12, "{found:?}");
        // 3 * 2 * the least of scipy.stats.binomtest(k, t, 90 / 540, alternative=…).pvalue, which is that of 20 of 170, "less"
        assert!((found.p / P - 1.0).abs() < 1e-9, "{found:?}");
        // (B - Q / S) / S with B = 3, Q / S = 2
        let expected = ((1.0 / 90.0 + 1.0 / 450.0) / (8.0 * std::f64::consts::LN_2)).sqrt();
        assert!((found.expected - expected).abs() < 1e-12);
        let of = |pair| p_of_bucket(pair, (90, 450), 0.0);
        // scipy.stats.binomtest(40, 60, 90 / 540, alternative="greater").pvalue; the same with 5 of 155, "less"
        assert!((of((40, 20)) / (2.0 * P_MORE) - 1.0).abs() < 1e-6, "{}", of((40, 20)));
        assert!((of((5, 150)) / (2.0 * P_LESS) - 1.0).abs() < 1e-6, "{}", of((5, 150)));
        assert_eq!(words(&side(49, [40, 30, 20]), &side(300, [150, 150, 150])), None);
    }

    const P: f64 = 0.293_437_854_681_210_64;
    const JS: f64 = 0.117_532_519_255_759_03;
    const P_MORE: f64 = 9.056_319_642_368_905e-18;
    const P_LESS: f64 = 1.417_916_241_937_641e-07;

    /// Texts of one of twenty topics: half of the words are everybody's, half the topic's own, as frequent as words are (Zipf).
    fn text(chance: &mut Chance, topic: u64) -> String {
        let zipf = |chance: &mut Chance, words: u64| -> u64 {
            let u = chance.below(1_000_000) as f64 / 1e6;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the number of words")]
            let rank = (words as f64).powf(u) as u64;
            rank.min(words)
        };
        let spelled = |number: u64| -> String {
            let letter = |by: u64| char::from(b'a' + u8::try_from(number / by % 26).unwrap());
            ["w".to_owned(), [17_576, 676, 26, 1].map(letter).iter().collect()].concat()
        };
        let length = 10 + chance.below(60);
        let mut words = Vec::new();
        for _ in 0..length {
            let number = if chance.below(2) == 0 { zipf(chance, 3_000) } else { 10_000 + 1_000 * topic + zipf(chance, 900) };
            words.push(spelled(number));
        }
        words.join(" ")
    }

    /// Share of windows that are marked at p < 0.01, and distance over its expectation, of windows of `n` texts of which `new` per
    /// mille are of a topic that the reference does not have.
    fn marked(n: usize, new: u64, windows: u32) -> (f64, f64) {
        let mut chance = Chance(7 + n as u64 + new);
        let draw = |chance: &mut Chance, count: usize, new: u64| {
            let texts = (0..count).map(|_| {
                let topic = if chance.below(1_000) < new { 20 } else { chance.below(20) };
                Vocabulary::of(&text(chance, topic)).unwrap()
            });
            sums(texts)
        };
        let (mut share, mut ratio) = (0.0, 0.0);
        let mut reference = Partial::default();
        for window in 0..windows {
            if window % 10 == 0 {
                reference = draw(&mut chance, 5_000.min(24 * n), 0);
            }
            let found = words(&draw(&mut chance, n, new), &reference).unwrap();
            share += if found.p < 0.01 { 1.0 / f64::from(windows) } else { 0.0 };
            ratio += found.js / found.expected / f64::from(windows);
        }
        (share, ratio)
    }

    #[test]
    fn texts_that_hang_together_do_not_drift_by_themselves_and_a_new_topic_is_found() {
        for (n, windows) in [(50, 200), (200, 100), (1_000, 20)] {
            let (share, ratio) = marked(n, 0, windows);
            println!("{n} texts: {share:.3} marked, distance over expectation {ratio:.3}");
            assert!(share <= 0.02 && (0.95..1.15).contains(&ratio), "{n}: {share} {ratio}");
        }
        for (n, new, least) in
            [(50, 300, 0.2), (50, 500, 0.9), (200, 100, 0.1), (200, 200, 0.9), (1_000, 50, 0.1), (1_000, 100, 0.95)]
        {
            let (share, _) = marked(n, new, 40);
            println!("{n} texts, {new} per mille new: {share:.3}");
            assert!(share >= least, "{n} texts, {new} per mille new: {share}");
        }
    }
}
