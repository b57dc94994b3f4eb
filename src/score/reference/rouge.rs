//! ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum with precision, recall and F-measure.
//!
//! Source: Lin 2004, as rouge-score 0.1.2 computes it: lower case, words of `a-z0-9`, no stemmer by default, F with β = 1. The summary
//! of Lsum is split at line feeds, as there by default.

use super::grams::Words;
use super::words::Vocabulary;
use super::{lcs, stem};

/// Words of a text beyond which no subsequences are looked for.
const WORDS_MOST: usize = 8_192;
/// Pairs of lines beyond which Lsum is not computed.
const LINE_PAIRS_MOST: usize = 1 << 16;

/// Whether words of more than three letters are stemmed before they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stemming {
    /// Words as they are: rouge-score's default.
    None,
    /// By Porter's algorithm, in the form of nltk.
    Porter,
}

/// Precision, recall and F-measure, each 0–1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// Share of the answer that stands in the reference.
    pub precision: f64,
    /// Share of the reference that stands in the answer.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

impl Rouge {
    fn new(shared: u64, response: u64, reference: u64) -> Self {
        let share = |of: u64| shared as f64 / of.max(1) as f64;
        let (precision, recall) = (share(response), share(reference));
        let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
        Self { precision, recall, f1 }
    }
}

/// All four.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeScores {
    /// Single words.
    pub one: Rouge,
    /// Pairs of words.
    pub two: Rouge,
    /// Longest common subsequence; none where a text has more than 8,192 words.
    pub l: Option<Rouge>,
    /// Union of the longest common subsequences of the lines; none as for `l`, and where there are more than 65,536 pairs of lines.
    pub lsum: Option<Rouge>,
}

/// ROUGE of one answer.
#[must_use]
pub fn rouge(response: &str, reference: &str, stemming: Stemming) -> RougeScores {
    let mut reader = Reader { vocabulary: Vocabulary::default(), stemming };
    let (response, reference) = (reader.lines(response), reader.lines(reference));
    let (given, wanted) = (response.concat(), reference.concat());
    let grams = |words: &[u32]| Words::read(words.iter().copied());
    let (given_grams, wanted_grams) = (grams(&given), grams(&wanted));
    let ngrams = |n| Rouge::new(given_grams.shared(&wanted_grams, n), given_grams.count(n), wanted_grams.count(n));
    let is_short = given.len() <= WORDS_MOST && wanted.len() <= WORDS_MOST;
    let few_lines = response.len().saturating_mul(reference.len()) <= LINE_PAIRS_MOST;
    let score = |shared: usize| Rouge::new(shared as u64, given.len() as u64, wanted.len() as u64);
    RougeScores {
        one: ngrams(1),
        two: ngrams(2),
        l: is_short.then(|| score(lcs::length(&wanted, &given))),
        lsum: (is_short && few_lines).then(|| score(union(&response, &reference))),
    }
}

/// Words of the reference's lines that lie on a longest common subsequence with some line of the answer, none counted more often
/// than it stands in either text.
fn union(response: &[Vec<u32>], reference: &[Vec<u32>]) -> usize {
    let words = 1 + response.iter().chain(reference).flatten().max().map_or(0, |word| *word as usize);
    let mut left = vec![(0_usize, 0_usize); words];
    for word in response.iter().flatten() {
        if let Some((given, _)) = left.get_mut(*word as usize) {
            *given += 1;
        }
    }
    for word in reference.iter().flatten() {
        if let Some((_, wanted)) = left.get_mut(*word as usize) {
            *wanted += 1;
        }
    }
    let mut hits = 0;
    for line in reference {
        let mut marks = vec![false; line.len()];
        for other in response {
            lcs::Table::new(line, other).mark(&mut marks);
        }
        for (word, _) in line.iter().zip(marks).filter(|(_, marked)| *marked) {
            if let Some((given @ 1.., wanted @ 1..)) = left.get_mut(*word as usize) {
                (*given, *wanted) = (*given - 1, *wanted - 1);
                hits += 1;
            }
        }
    }
    hits
}

struct Reader {
    vocabulary: Vocabulary,
    stemming: Stemming,
}

impl Reader {
    /// The words of each line. A word never spans lines, so the lines together are the words of the text.
    fn lines(&mut self, text: &str) -> Vec<Vec<u32>> {
        let lines = text.split('\n').filter(|line| !line.is_empty());
        lines.map(|line| self.words(&line.to_lowercase())).collect()
    }

    fn words(&mut self, lower: &str) -> Vec<u32> {
        let words = lower.split(|letter: char| !matches!(letter, 'a'..='z' | '0'..='9')).filter(|word| !word.is_empty());
        let mut numbers = Vec::new();
        for word in words {
            if self.stemming == Stemming::Porter && word.len() > 3 {
                numbers.push(self.vocabulary.number(&stem::porter(word)));
            } else {
                numbers.push(self.vocabulary.number(word));
            }
        }
        numbers
    }
}
