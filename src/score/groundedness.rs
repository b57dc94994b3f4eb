//! From the evidence of an answer's sentences to verdicts and one score.
//!
//! A sentence's *risk* is a weighted sum of its departures from the contexts, divided by the root of its weight, so that a long
//! sentence is not guilty of its length alone. The risks are pooled by a power mean that leans towards the worst
//! sentence and grows only slowly with their number. The logarithm of the pool goes through a logistic curve whose 0.5 is
//! the shipped decision.
//!
//! Every weight is ≥ 0, so more evidence of departure never raises the score. The weights were fitted by `tests/quality/fit.py`
//! on public labelled sets with every set and class counting alike; `docs/quality.md` has the measured quality. Outside
//! such sets the result is a score, not a probability.

use super::Verdict;
use super::evidence::SentenceEvidence;

/// Weights of departures in a sentence's risk, in units of one six-bit word outside contexts and question.
struct Weights {
    outside: f64,
    new_neighbours: f64,
    novel_numbers: f64,
    other_number: f64,
    novel_names: f64,
    opposites: f64,
    negated: f64,
    first_person: f64,
}

const WEIGHTS: Weights = Weights {
    outside: 0.35,
    new_neighbours: 0.1,
    novel_numbers: 2.0,
    other_number: 1.5,
    novel_names: 2.0,
    opposites: 2.0,
    negated: 2.0,
    first_person: 0.5,
};

/// Bits of a middling content word.
const WORD: f64 = 6.0;
/// Keeps the logarithm finite: the pool of an answer without any departure.
const FLOOR: f64 = 0.1;
const SLOPE: f64 = 1.2;
const INTERCEPT: f64 = -0.3;
/// The pool is `(Σ riskᵖ / n^damping)^(1/p)`.
const POWER: f64 = 2.0;
const DAMPING: f64 = 0.25;

/// How far a sentence departs from what supports it, ≥ 0.
pub(super) fn risk(found: &SentenceEvidence) -> f64 {
    let total = f64::from(found.novel) / WORD
        + WEIGHTS.outside * f64::from(found.outside) / WORD
        + WEIGHTS.new_neighbours * f64::from(found.new_neighbours)
        + WEIGHTS.novel_numbers * f64::from(found.novel_numbers)
        + WEIGHTS.novel_names * f64::from(found.novel_names)
        + WEIGHTS.first_person * f64::from(found.first_person)
        + contradiction(found);
    total / (f64::from(found.weight) / WORD + 1.0).sqrt()
}

fn contradiction(found: &SentenceEvidence) -> f64 {
    WEIGHTS.other_number * f64::from(found.other_number)
        + WEIGHTS.opposites * f64::from(found.opposites)
        + WEIGHTS.negated * f64::from(found.negated)
}

/// The verdict on one sentence: the same curve as for an answer of this sentence alone.
pub(super) fn verdict(found: &SentenceEvidence) -> Verdict {
    let mut pool = Pool::default();
    pool.add(risk(found));
    if pool.score() >= 0.5 {
        Verdict::Supported
    } else if contradiction(found) > 0.0 {
        Verdict::Contradicted
    } else {
        Verdict::NotStated
    }
}

/// Risks of an answer's sentences.
#[derive(Default)]
pub(super) struct Pool {
    sum: f64,
    sentences: f64,
}

impl Pool {
    /// Adds one sentence.
    pub(super) fn add(&mut self, risk: f64) {
        self.sum += risk.powf(POWER);
        self.sentences += 1.0;
    }

    /// Groundedness, 0–1; 0.5 is the decision. Meaningless without sentences.
    pub(super) fn score(&self) -> f64 {
        let pool = (self.sum / self.sentences.max(1.0).powf(DAMPING)).powf(POWER.recip());
        1.0 / (1.0 + (SLOPE * (FLOOR + pool).ln() + INTERCEPT).exp())
    }
}
