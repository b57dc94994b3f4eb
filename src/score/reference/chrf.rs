//! chrF: how many runs of one to six letters an answer shares with its reference, white space left out.
//!
//! Source: Popović 2015, as sacrebleu 2.6 computes it by default (chrF2: six letters, no words, β = 2, no smoothing, case matters).

use super::grams::Letters;
use super::words::is_space;

/// Weight of recall over precision, squared.
const BETA_SQUARED: f64 = 4.0;

/// chrF2 of one answer, 0–1.
#[must_use]
pub fn chrf(response: &str, reference: &str) -> f64 {
    let read = |text: &str| Letters::read(text.chars().filter(|letter| !is_space(*letter)).map(u32::from));
    let (response, reference) = (read(response), read(reference));
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for n in 1..=6 {
        let (given, wanted) = (response.count(n), reference.count(n));
        if given > 0 && wanted > 0 {
            let shared = response.shared(&reference, n) as f64;
            precision += shared / given as f64;
            recall += shared / wanted as f64;
            orders += 1.0;
        }
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / orders, recall / orders);
    (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
}
