//! An answer against the answer that was expected: BLEU, chrF, ROUGE, METEOR, token F1, exact match, `BERTScore`.
//!
//! Each follows one published implementation to the last digit (a test runs those over thousands of pairs): sacrebleu, rouge-score,
//! nltk, the script of `SQuAD`. What a variant leaves open (tokenizer, smoothing, stemmer) is as that implementation has it
//! by default and stated in the module. All scores are 0–1.
//!
//! Guaranteed: any text of up to 256 KiB has a score, none panics; time is n log n in the length of the texts, and for the longest common subsequences
//! bounded by a limit on words. Not done: several references for one answer, synonyms, running a model.

mod bertscore;
mod bleu;
mod chrf;
mod grams;
mod lcs;
mod meteor;
mod rouge;
mod stem;
mod token_f1;
mod words;

pub use bertscore::{BertScore, bert_score};
pub use bleu::bleu_counts;
pub use chrf::chrf;
pub use meteor::meteor_exact_stem;
pub use rouge::{Rouge, RougeScores, Stemming, rouge};
pub use token_f1::{TokenMatch, token_match};

use crate::measure::BleuCounts;

/// All comparisons of one answer with its reference that need nothing but the two texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReferenceScores {
    /// What BLEU is made from.
    pub bleu: BleuCounts,
    /// chrF2.
    pub chrf: f64,
    /// ROUGE without stemmer.
    pub rouge: RougeScores,
    /// METEOR without synonyms.
    pub meteor_exact_stem: f64,
    /// Token F1 and exact match.
    pub tokens: TokenMatch,
}

/// Bytes of a text beyond which it is not compared.
const BYTES_MOST: usize = 256 * 1024;

/// Compares an answer with its reference; `None` where one of them is longer than 256 KiB.
#[must_use]
pub fn compare(response: &str, reference: &str) -> Option<ReferenceScores> {
    if response.len().max(reference.len()) > BYTES_MOST {
        return None;
    }
    Some(ReferenceScores {
        bleu: bleu_counts(response, reference),
        chrf: chrf(response, reference),
        rouge: rouge(response, reference, Stemming::None),
        meteor_exact_stem: meteor_exact_stem(response, reference),
        tokens: token_match(response, reference),
    })
}

#[cfg(test)]
mod tests;
