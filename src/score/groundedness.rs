//! From the evidence of an answer's sentences to verdicts and one score.
//!
//! ```text
//! risk  = novel² / (words + 1) + Σ weight · departure                       per sentence
//! pool  = √(Σ risk² / √sentences)                                           over the answer
//! score = 1 / (1 + exp(slope · ln(floor + pool) + scatter · outside^1½ + intercept))
//! ```
//!
//! `novel` and `words` are the sentence's novel and whole weight in words of six bits; `outside` is the share of the
//! answer's weight that stands outside the passages its sentences are closest to. The square keeps single words of
//! another wording from counting like an addition; the power mean leans towards the worst sentence and grows only slowly with their number.
//!
//! Every weight is ≥ 0, so more evidence of departure never raises the score. The constants were fitted by
//! `tests/quality/fit.py` on public labelled sets, every set and class counting alike, so that 0.5 is the decision
//! where good and bad answers are equally common; `docs/quality.md` has the measured quality. Elsewhere the result is a
//! score, not a probability.

use super::Verdict;
use super::evidence::SentenceEvidence;

/// Weights of departures in a sentence's risk.
const NOVEL_NUMBER: f64 = 3.46;
const OTHER_NUMBER: f64 = 1.0;
const NOVEL_NAME: f64 = 1.26;
const OPPOSITE: f64 = 5.0;
const NEGATED: f64 = 3.25;
const SWAPPED: f64 = 3.25;
const NEW_NEGATION: f64 = 0.5;
const SOLE_NEGATION: f64 = 1.55;
const EXCLUSION: f64 = 1.0;
const MISPLACED: f64 = 0.3;
const FIRST_PERSON: f64 = 1.0;

const SLOPE: f64 = 1.12;
const FLOOR: f64 = 0.3;
const SCATTER: f64 = 4.88;
const INTERCEPT: f64 = -1.08;

/// Bits of a middling content word.
const WORD: f64 = 6.0;

/// How far a sentence departs from what supports it, ≥ 0.
pub(super) fn risk(found: &SentenceEvidence) -> f64 {
    let words = f64::from(found.weight) / WORD + 1.0;
    let novel = f64::from(found.novel) / WORD;
    novel * novel / words
        + NOVEL_NUMBER * f64::from(found.novel_numbers)
        + NOVEL_NAME * f64::from(found.novel_names)
        + MISPLACED * f64::from(found.misplaced)
        + FIRST_PERSON * f64::from(found.first_person)
        + contradiction(found)
}

fn contradiction(found: &SentenceEvidence) -> f64 {
    OTHER_NUMBER * f64::from(found.other_number)
        + OPPOSITE * f64::from(found.opposites)
        + NEGATED * f64::from(found.negated)
        + SWAPPED * f64::from(found.swapped)
        + NEW_NEGATION * f64::from(found.new_negation)
        + SOLE_NEGATION * f64::from(found.sole_negation)
        + EXCLUSION * f64::from(found.exclusions)
}

/// Whether anything says otherwise. A denial or `only` that the passage merely lacks may also have been left unsaid there.
fn says_otherwise(found: &SentenceEvidence) -> bool {
    found.other_number + found.opposites + found.negated + found.swapped + found.sole_negation > 0.0
}

/// A sentence can only contradict a passage that it otherwise follows: no more than this share of it stands elsewhere.
const ALIGNED: f32 = 0.5;

/// The verdict on one sentence: the same curve as for an answer of this sentence alone.
pub(super) fn verdict(found: &SentenceEvidence) -> Verdict {
    let mut pool = Pool::default();
    pool.add(found);
    if pool.score() >= 0.5 {
        Verdict::Supported
    } else if says_otherwise(found) && found.outside <= found.weight * ALIGNED {
        Verdict::Contradicted
    } else {
        Verdict::NotStated
    }
}

/// The sentences of an answer taken together.
#[derive(Default)]
pub(super) struct Pool {
    squares: f64,
    sentences: f64,
    weight: f64,
    outside: f64,
}

impl Pool {
    /// Adds one sentence.
    pub(super) fn add(&mut self, found: &SentenceEvidence) {
        let risk = risk(found);
        self.squares += risk * risk;
        self.sentences += 1.0;
        self.weight += f64::from(found.weight);
        self.outside += f64::from(found.outside);
    }

    /// Groundedness, 0–1; 0.5 is the decision. Meaningless without sentences.
    pub(super) fn score(&self) -> f64 {
        let pool = (self.squares / self.sentences.max(1.0).sqrt()).sqrt();
        let outside = self.outside / self.weight.max(1.0);
        1.0 / (1.0 + (SLOPE * (FLOOR + pool).ln() + SCATTER * outside * outside.sqrt() + INTERCEPT).exp())
    }
}
