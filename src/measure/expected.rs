//! What a record with a reference or a label adds to which measures, for the stream and for recomputation alike.
//!
//! A record without either adds nothing and costs nothing. BLEU adds the counts it is made from; the other scores are means of what
//! each answer has.

use super::accumulate::CellsAt;
use super::classification::{CALIBRATION_BINS, Classified};
use super::{BleuCounts, Measure, billionths, measures};

/// The measures of the score columns that compare an answer with its reference, in their order: `sentence_bleu`, chrf, `rouge_1`,
/// `rouge_2`, `rouge_l`, `rouge_lsum`, `meteor_exact_stem`, `token_f1`.
pub const REFERENCE_SCORES: [Measure; 8] = [
    measures::SENTENCE_BLEU,
    measures::CHRF,
    measures::ROUGE_1,
    measures::ROUGE_2,
    measures::ROUGE_L,
    measures::ROUGE_LSUM,
    measures::METEOR,
    measures::TOKEN_F1,
];

const MATCHED: [Measure; 4] =
    [measures::BLEU_MATCHED_1, measures::BLEU_MATCHED_2, measures::BLEU_MATCHED_3, measures::BLEU_MATCHED_4];
const NGRAMS: [Measure; 4] = [measures::BLEU_NGRAMS_1, measures::BLEU_NGRAMS_2, measures::BLEU_NGRAMS_3, measures::BLEU_NGRAMS_4];
const CALIBRATION: [Measure; CALIBRATION_BINS] = [
    measures::CALIBRATION_1,
    measures::CALIBRATION_2,
    measures::CALIBRATION_3,
    measures::CALIBRATION_4,
    measures::CALIBRATION_5,
    measures::CALIBRATION_6,
    measures::CALIBRATION_7,
    measures::CALIBRATION_8,
    measures::CALIBRATION_9,
    measures::CALIBRATION_10,
];

/// An answer that was compared with its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What BLEU is made from.
    pub bleu: BleuCounts,
    /// Scores in the order of [`REFERENCE_SCORES`], billionths; `None` where a text is too long for one.
    pub scores: [Option<i64>; REFERENCE_SCORES.len()],
    /// Whether both are equal after normalisation.
    pub is_exact: bool,
}

impl Compared {
    /// Adds the comparison to its pane and group.
    pub fn observe(&self, cells: &mut CellsAt<'_>) {
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (measure, value) in MATCHED.into_iter().chain(NGRAMS).zip(self.bleu.matched.into_iter().chain(self.bleu.ngrams)) {
            cells.add(measure, count(value));
        }
        cells.add(measures::BLEU_REFERENCE_LENGTH, count(self.bleu.reference_length));
        for (measure, score) in REFERENCE_SCORES.into_iter().zip(self.scores) {
            cells.add_or_null(measure, score);
        }
        if self.is_exact {
            cells.count_bad(measures::EXACT_MATCH);
        } else {
            cells.count(measures::EXACT_MATCH);
        }
    }
}

/// Adds a record with a label to its pane and group.
pub fn observe_classified(classified: &Classified, cells: &mut CellsAt<'_>) {
    match classified.is_correct {
        Some(true) => cells.count_bad(measures::CLASSIFIED),
        Some(false) => cells.count(measures::CLASSIFIED),
        None => cells.add_null(measures::CLASSIFIED),
    }
    if let Some((label, prediction)) = classified.classes {
        cells.add_category(measures::CLASS_LABELLED, label);
        cells.add_category(measures::CLASS_PREDICTED, prediction);
        if classified.is_correct == Some(true) {
            cells.add_category(measures::CLASS_CORRECT, label);
        }
    }
    cells.add_or_null(measures::CROSS_ENTROPY, classified.cross_entropy.map(billionths));
    cells.add_or_null(measures::BRIER, classified.brier.map(billionths));
    if let Some((bin, difference)) = classified.calibration()
        && let Some(measure) = CALIBRATION.get(bin)
    {
        cells.add(*measure, billionths(difference));
    }
}
