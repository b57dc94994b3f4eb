//! BLEU from its sums: the n-gram counts of many answers add up, and the score of the sum is the corpus score.
//!
//! BLEU is no mean of scores per answer: clipped matches, n-grams and lengths are added up first (Papineni et al. 2002). So what is
//! stored are the nine integers of [`BleuCounts`], and any stretch of time and any set of groups has an exact score. Counting
//! the n-grams of a text is `score`'s work.

/// Longest n-grams that are counted.
pub const BLEU_ORDERS: usize = 4;

/// What BLEU is computed from, for one answer or for the sum of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BleuCounts {
    /// For n = 1 to 4: n-grams of the answer that stand in its reference, each at most as often as there.
    pub matched: [u64; BLEU_ORDERS],
    /// For n = 1 to 4: n-grams of the answer; the first is its length in tokens.
    pub ngrams: [u64; BLEU_ORDERS],
    /// Tokens of the reference.
    pub reference_length: u64,
}

/// Which orders take part in the geometric mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Orders {
    /// All four: where an order has no n-grams, the score is 0.
    All,
    /// Those that the answer is long enough for.
    Effective,
}

impl BleuCounts {
    /// Adds the counts of another answer.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in self.matched.iter_mut().zip(other.matched) {
            *sum += part;
        }
        for (sum, part) in self.ngrams.iter_mut().zip(other.ngrams) {
            *sum += part;
        }
        self.reference_length += other.reference_length;
    }

    /// The nine numbers as they are stored: matched, n-grams, length of the reference.
    #[must_use]
    pub fn numbers(&self) -> [u64; 2 * BLEU_ORDERS + 1] {
        let mut numbers = [self.reference_length; 2 * BLEU_ORDERS + 1];
        for (number, count) in numbers.iter_mut().zip(self.matched.into_iter().chain(self.ngrams)) {
            *number = count;
        }
        numbers
    }

    /// The counts of nine stored numbers.
    #[must_use]
    pub fn from_numbers(numbers: [u64; 2 * BLEU_ORDERS + 1]) -> Self {
        let (matched, rest) = numbers.split_at(BLEU_ORDERS);
        let (ngrams, length) = rest.split_at(BLEU_ORDERS);
        let mut counts = Self { reference_length: length.iter().sum(), ..Self::default() };
        counts.matched.copy_from_slice(matched);
        counts.ngrams.copy_from_slice(ngrams);
        counts
    }

    /// BLEU of a corpus, 0–1: sacrebleu's `corpus_bleu` with its defaults (exponential smoothing, all four orders) / 100.
    #[must_use]
    pub fn corpus(&self) -> f64 {
        self.score(Orders::All)
    }

    /// BLEU of one answer, 0–1: sacrebleu's `sentence_bleu` with its defaults (exponential smoothing, effective order) / 100.
    #[must_use]
    pub fn sentence(&self) -> f64 {
        self.score(Orders::Effective)
    }

    /// BP · exp(mean of ln `p_n`) with `p_n` = matched / n-grams, BP = exp(1 − reference length / length) where the answer is
    /// shorter. The k-th order without a match counts as 1 / (2^k · n-grams) (the smoothing of mteval-v13a).
    fn score(&self, orders: Orders) -> f64 {
        if self.matched.iter().all(|matched| *matched == 0) {
            return 0.0;
        }
        let (mut logarithms, mut counted, mut smoothing) = (0.0, 0_u8, 1.0);
        for (matched, ngrams) in self.matched.into_iter().zip(self.ngrams).take_while(|(_, ngrams)| *ngrams > 0) {
            let precision = if matched == 0 {
                smoothing *= 2.0;
                1.0 / (smoothing * ngrams as f64)
            } else {
                matched as f64 / ngrams as f64
            };
            logarithms += precision.ln();
            counted += 1;
        }
        if counted == 0 || orders == Orders::All && usize::from(counted) < BLEU_ORDERS {
            return 0.0;
        }
        let [length, ..] = self.ngrams;
        let penalty = if length < self.reference_length { (1.0 - self.reference_length as f64 / length as f64).exp() } else { 1.0 };
        penalty * (logarithms / f64::from(counted)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_published_example_give_its_score() {
        // sacrebleu 2.6: corpus_bleu(["the cat is on the mat"], [["there is a cat on the mat"]]).score = 29.05925408079185
        let counts = BleuCounts { matched: [5, 2, 1, 0], ngrams: [6, 5, 4, 3], reference_length: 7 };
        assert!((counts.corpus() - 0.290_592_540_807_918_5).abs() < 1e-15, "{}", counts.corpus());
        assert_eq!(counts.corpus(), counts.sentence());
        assert_eq!(counts.numbers(), [5, 2, 1, 0, 6, 5, 4, 3, 7]);
        assert_eq!(BleuCounts::from_numbers(counts.numbers()), counts);
    }

    #[test]
    fn short_answers_have_a_sentence_score_and_no_corpus_score() {
        let counts = BleuCounts { matched: [2, 1, 0, 0], ngrams: [2, 1, 0, 0], reference_length: 2 };
        assert_eq!((counts.sentence(), counts.corpus()), (1.0, 0.0));
        assert_eq!(BleuCounts::default().sentence(), 0.0);
        let mut sum = counts;
        sum.add(&BleuCounts { matched: [4, 3, 2, 1], ngrams: [4, 3, 2, 1], reference_length: 4 });
        assert_eq!(sum.corpus(), 1.0);
    }
}
