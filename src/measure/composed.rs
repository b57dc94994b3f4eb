//! Values with a formula of their own over the sums of several measures: BLEU, calibration error, scores averaged over classes.
//!
//! None of them is a mean or a ratio of sums, so a row's own `sum` says nothing (it is 0), and several rows become one only by
//! adding up the measures, which longer windows, rules and recomputation do.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::auroc::auroc;
use super::classification::{Average, ClassCounts, average_of, calibration_error};
use super::{BLEU_ORDERS, BleuCounts, Edges, Measure, Partial};

/// Which score of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassScore {
    /// correct / predicted.
    Precision,
    /// correct / labelled.
    Recall,
    /// Their harmonic mean.
    F1,
}

/// How the value is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Composed {
    /// BLEU of the summed counts.
    Bleu {
        /// Matched n-grams by order.
        matched: [Measure; BLEU_ORDERS],
        /// n-grams by order.
        ngrams: [Measure; BLEU_ORDERS],
        /// Tokens of the references; its number of values is the number of answers.
        reference_length: Measure,
    },
    /// Expected calibration error of the summed bins.
    CalibrationError(Vec<Measure>),
    /// Area under the ROC curve of two histograms ([`super::auroc`]).
    Auroc {
        /// Scores of the labels that should be higher.
        positive: Measure,
        /// Scores of the others.
        negative: Measure,
    },
    /// A score averaged over classes, which are the categories of three histograms.
    Classes {
        /// Records by true class.
        labelled: Measure,
        /// Records by predicted class.
        predicted: Measure,
        /// Records by class where both are equal.
        correct: Measure,
        /// The score.
        score: ClassScore,
        /// The average.
        average: Average,
    },
}

/// What was composed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Composition {
    /// Records.
    pub n: u64,
    /// Of them those that count as bad.
    pub bad_n: u64,
    /// The value; none where there are too few records.
    pub value: Option<f64>,
    /// Its 95 % interval.
    pub bounds: Option<(f64, f64)>,
}

/// As the registry has it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawComposed {
    Bleu(RawBleu),
    CalibrationError(Vec<String>),
    Auroc(RawAuroc),
    Classes(RawClasses),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAuroc {
    positive: String,
    negative: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBleu {
    matched: [String; BLEU_ORDERS],
    ngrams: [String; BLEU_ORDERS],
    reference_length: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClasses {
    labelled: String,
    predicted: String,
    correct: String,
    score: ClassScore,
    average: Average,
}

impl RawComposed {
    /// Finds the measures by name.
    pub(super) fn check(self, measure: impl Fn(&str) -> Result<Measure, String>) -> Result<Composed, String> {
        Ok(match self {
            Self::Bleu(RawBleu { matched, ngrams, reference_length }) => {
                let by_order = |[one, two, three, four]: [String; BLEU_ORDERS]| {
                    Ok::<_, String>([measure(&one)?, measure(&two)?, measure(&three)?, measure(&four)?])
                };
                let reference_length = measure(&reference_length)?;
                Composed::Bleu { matched: by_order(matched)?, ngrams: by_order(ngrams)?, reference_length }
            }
            Self::CalibrationError(bins) => {
                Composed::CalibrationError(bins.iter().map(|name| measure(name)).collect::<Result<_, _>>()?)
            }
            Self::Auroc(RawAuroc { positive, negative }) => {
                let scores = |name: &str| {
                    let found = measure(name)?;
                    let is_score = found.info().edges == Edges::Linear;
                    if is_score { Ok(found) } else { Err(format!("measure {name} has no histogram of scores")) }
                };
                Composed::Auroc { positive: scores(&positive)?, negative: scores(&negative)? }
            }
            Self::Classes(RawClasses { labelled, predicted, correct, score, average }) => {
                let by_class = |name: &str| {
                    let found = measure(name)?;
                    let has_classes = found.info().edges == Edges::Category;
                    if has_classes { Ok(found) } else { Err(format!("measure {name} has no histogram by category")) }
                };
                let (labelled, predicted, correct) = (by_class(&labelled)?, by_class(&predicted)?, by_class(&correct)?);
                Composed::Classes { labelled, predicted, correct, score, average }
            }
        })
    }
}

impl Composed {
    /// The measures that it is made from.
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        match self {
            Self::Bleu { matched, ngrams, reference_length } => [&matched[..], ngrams, &[*reference_length]].concat(),
            Self::CalibrationError(bins) => bins.clone(),
            Self::Auroc { positive, negative } => vec![*positive, *negative],
            Self::Classes { labelled, predicted, correct, .. } => vec![*labelled, *predicted, *correct],
        }
    }

    /// Whether the histograms of its measures are needed.
    #[must_use]
    pub fn needs_histograms(&self) -> bool {
        matches!(self, Self::Classes { .. } | Self::Auroc { .. })
    }

    /// What the sums say; `None` where there was nothing to measure.
    pub fn compose<'p>(&self, sums: impl Fn(Measure) -> Option<&'p Partial>) -> Option<Composition> {
        if let Self::Auroc { positive, negative } = self {
            let (positive, negative) = (sums(*positive), sums(*negative));
            if positive.is_none() && negative.is_none() {
                return None;
            }
            let n = |partial: Option<&Partial>| partial.map_or(0, |partial| partial.n);
            let bins = |partial: Option<&'p Partial>| partial.map_or(&[][..], |partial| &partial.hist);
            let area = auroc(bins(positive), bins(negative));
            return Some(Composition {
                n: n(positive) + n(negative),
                bad_n: n(negative),
                value: area.map(|area| area.value),
                bounds: area.and_then(|area| area.bounds),
            });
        }
        let (n, value) = self.value(sums)?;
        Some(Composition { n, bad_n: 0, value: Some(value), bounds: None })
    }

    fn value<'p>(&self, sums: impl Fn(Measure) -> Option<&'p Partial>) -> Option<(u64, f64)> {
        match self {
            Self::Auroc { .. } => None,
            Self::Bleu { matched, ngrams, reference_length } => {
                let sum = |measure: Measure| sums(measure).map_or(0, |partial| u64::try_from(partial.sum).unwrap_or(0));
                let counts =
                    BleuCounts { matched: matched.map(sum), ngrams: ngrams.map(sum), reference_length: sum(*reference_length) };
                let n = sums(*reference_length)?.n;
                (n > 0).then(|| (n, counts.corpus()))
            }
            Self::CalibrationError(bins) => {
                let present = || bins.iter().filter_map(|bin| Some((bin.info().scale as f64, sums(*bin)?)));
                let n = present().map(|(_, partial)| partial.n).sum();
                Some((n, calibration_error(present().map(|(scale, partial)| partial.sum as f64 / scale), n)?))
            }
            Self::Classes { labelled, predicted, correct, score, average } => {
                let mut classes: BTreeMap<u16, ClassCounts> = BTreeMap::new();
                let bins = |measure: Measure| sums(measure).into_iter().flat_map(|partial| partial.hist.iter().copied());
                for (class, count) in bins(*labelled) {
                    classes.entry(class).or_default().labelled += u64::from(count);
                }
                for (class, count) in bins(*predicted) {
                    classes.entry(class).or_default().predicted += u64::from(count);
                }
                for (class, count) in bins(*correct) {
                    classes.entry(class).or_default().correct += u64::from(count);
                }
                let scores = average_of(classes.into_values(), *average)?;
                let value = match score {
                    ClassScore::Precision => scores.precision,
                    ClassScore::Recall => scores.recall,
                    ClassScore::F1 => scores.f1,
                };
                Some((sums(*labelled)?.n, value))
            }
        }
    }

    /// How it comes from its measures, for readers.
    pub(super) fn derivation(&self) -> String {
        let names = |measures: &[Measure]| {
            measures.iter().map(|measure| format!("`{}`", measure.info().name)).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Classes { .. } | Self::Auroc { .. } => format!("histograms of {}", names(&self.measures())),
            Self::Bleu { .. } | Self::CalibrationError(_) => format!("sums of {}", names(&self.measures())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::classification::{Classified, Confusion};
    use super::super::{Accumulator, PartialRow, measures, observe_classified};
    use super::*;
    use crate::event::Timestamp;

    proptest! {
        #[test]
        fn averages_of_summed_histograms_are_those_of_all_records(pairs in prop::collection::vec(("[abc]", "[abcd]"), 1..80)) {
            let mut confusion = Confusion::default();
            let mut accumulator = Accumulator::default();
            for (label, prediction) in &pairs {
                confusion.add(label, prediction);
                observe_classified(&Classified::read(label, Some(prediction), None), &mut accumulator.at(Timestamp(0), 0));
            }
            let rows = accumulator.take(Vec::new()).rows;
            let sums = |measure: Measure| rows.iter().find(|row: &&PartialRow| row.measure == measure).map(|row| &row.partial);
            let [labelled, predicted, correct] = [measures::CLASS_LABELLED, measures::CLASS_PREDICTED, measures::CLASS_CORRECT];
            for average in [Average::Micro, Average::Macro, Average::Weighted] {
                let expected = confusion.average(average).unwrap();
                let scores =
                    [(ClassScore::Precision, expected.precision), (ClassScore::Recall, expected.recall), (ClassScore::F1, expected.f1)];
                for (score, expected) in scores {
                    let (n, value) = Composed::Classes { labelled, predicted, correct, score, average }.value(sums).unwrap();
                    prop_assert_eq!(n, pairs.len() as u64);
                    prop_assert!((value - expected).abs() < 1e-12);
                }
            }
        }
    }
}
