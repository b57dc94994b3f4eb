//! An answer compared with its reference, in the integers that are stored and added up.

use crate::measure::{Compared, billionths};
use crate::score::reference::{ReferenceScores, compare};

/// Compares an answer with its reference; `None` where a text is too long.
#[must_use]
pub fn compared(response: &str, reference: &str) -> Option<Compared> {
    let ReferenceScores { bleu, chrf, rouge, meteor_exact_stem, tokens } = compare(response, reference)?;
    let scores = [
        Some(bleu.sentence()),
        Some(chrf),
        Some(rouge.one.f1),
        Some(rouge.two.f1),
        rouge.l.map(|rouge| rouge.f1),
        rouge.lsum.map(|rouge| rouge.f1),
        Some(meteor_exact_stem),
        Some(tokens.f1),
    ];
    Some(Compared { bleu, scores: scores.map(|score| score.map(billionths)), is_exact: tokens.is_exact })
}
