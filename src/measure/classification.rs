//! Predicted classes against true ones: accuracy, precision, recall, F1, cross-entropy, Brier score, calibration error.
//!
//! Source: the definitions of scikit-learn 1.9 (`precision_recall_fscore_support` with `zero_division=0`, `log_loss`, `brier_score_loss`);
//! calibration error by Guo et al. 2017 over ten bins of equal width. One class per record; a micro average over all classes
//! then equals accuracy.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Category;

/// Bins of the calibration error.
pub const CALIBRATION_BINS: usize = 10;

/// What is counted per class, for one record or for the sum of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Records whose true class it is (scikit-learn's support).
    pub labelled: u64,
    /// Records whose predicted class it is.
    pub predicted: u64,
    /// Records where it is both.
    pub correct: u64,
}

/// Precision, recall and F1, each 0–1; 0 where a denominator is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassScores {
    /// correct / predicted.
    pub precision: f64,
    /// correct / labelled.
    pub recall: f64,
    /// 2 · correct / (predicted + labelled).
    pub f1: f64,
}

/// How the scores of classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// From the sums of the counts.
    Micro,
    /// The mean over classes that occur as label or prediction.
    Macro,
    /// The mean over classes by how often each is the label.
    Weighted,
}

impl ClassCounts {
    /// The scores of the class.
    #[must_use]
    pub fn scores(self) -> ClassScores {
        let share = |part: u64, whole: u64| if whole > 0 { part as f64 / whole as f64 } else { 0.0 };
        ClassScores {
            precision: share(self.correct, self.predicted),
            recall: share(self.correct, self.labelled),
            f1: share(2 * self.correct, self.predicted + self.labelled),
        }
    }

    fn add(&mut self, other: Self) {
        self.labelled += other.labelled;
        self.predicted += other.predicted;
        self.correct += other.correct;
    }
}

/// Counts of all classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    classes: BTreeMap<Box<str>, ClassCounts>,
}

impl Confusion {
    /// Adds one record.
    pub fn add(&mut self, label: &str, prediction: &str) {
        let correct = u64::from(label == prediction);
        self.class(label).add(ClassCounts { labelled: 1, predicted: 0, correct });
        self.class(prediction).add(ClassCounts { labelled: 0, predicted: 1, correct: 0 });
    }

    fn class(&mut self, name: &str) -> &mut ClassCounts {
        self.classes.entry(name.into()).or_default()
    }

    /// All classes that occur as label or prediction, by name.
    pub fn classes(&self) -> impl Iterator<Item = (&str, ClassCounts)> {
        self.classes.iter().map(|(name, counts)| (&**name, *counts))
    }

    /// Share of records whose prediction is right; `None` without records.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        self.average(Average::Micro).map(|scores| scores.recall)
    }

    /// The averaged scores; `None` without records.
    #[must_use]
    pub fn average(&self, average: Average) -> Option<ClassScores> {
        average_of(self.classes.values().copied(), average)
    }
}

/// The averaged scores of classes; `None` without a labelled record.
pub fn average_of(classes: impl Iterator<Item = ClassCounts>, average: Average) -> Option<ClassScores> {
    let mut sum = ClassCounts::default();
    let (mut of_classes, mut weights) = (ClassScores::default(), 0.0);
    for counts in classes.filter(|counts| counts.labelled + counts.predicted > 0) {
        sum.add(counts);
        let weight = if average == Average::Weighted { counts.labelled as f64 } else { 1.0 };
        let scores = counts.scores();
        of_classes.precision += weight * scores.precision;
        of_classes.recall += weight * scores.recall;
        of_classes.f1 += weight * scores.f1;
        weights += weight;
    }
    if sum.labelled == 0 {
        return None;
    }
    Some(match average {
        Average::Micro => sum.scores(),
        Average::Macro | Average::Weighted => ClassScores {
            precision: of_classes.precision / weights,
            recall: of_classes.recall / weights,
            f1: of_classes.f1 / weights,
        },
    })
}

/// What one record with a label says. `None` where what it is made from is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Classified {
    /// Whether the predicted class is the true one.
    pub is_correct: Option<bool>,
    /// −ln of the probability given to the true class, nats, within 0 and 36.05.
    pub cross_entropy: Option<f64>,
    /// Squared distance of the probabilities from the truth: 0–1 for one or two classes (half the sum), 0–2 for more.
    pub brier: Option<f64>,
    /// Probability given to the predicted class.
    pub confidence: Option<f64>,
    /// The true class and the predicted one as categories, if there is a predicted one.
    pub classes: Option<(Category, Category)>,
}

impl Classified {
    /// Reads one record. `probability` is a JSON object of probabilities by class; a class it does not name has probability 0, but
    /// what one class leaves is that of the other. Without `prediction` the most probable class counts as predicted, the first of equals.
    #[must_use]
    pub fn read(label: &str, prediction: Option<&str>, probability: Option<&str>) -> Self {
        let classes = probability.and_then(|json| serde_json::from_str::<Probabilities>(json).ok()).unwrap_or_default().0;
        let of = |wanted: &str| match classes.as_slice() {
            [(class, probability)] if class != wanted => 1.0 - probability,
            _ => classes.iter().find(|(class, _)| class == wanted).map_or(0.0, |(_, probability)| *probability),
        };
        let likeliest = || classes.iter().reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(class, _)| &**class);
        let Some(prediction) = prediction.or_else(likeliest) else { return Self::default() };
        let read = Self {
            is_correct: Some(prediction == label),
            classes: Category::of(label).zip(Category::of(prediction)),
            ..Self::default()
        };
        if classes.is_empty() {
            return read;
        }
        Self {
            cross_entropy: Some(cross_entropy(of(label))),
            brier: Some(brier(classes.iter().map(|(class, probability)| (class == label, *probability)))),
            confidence: Some(of(prediction)),
            ..read
        }
    }

    /// Confidence minus correctness (1 or 0) and its bin: sums of the first by the second give the calibration error.
    #[must_use]
    pub fn calibration(&self) -> Option<(usize, f64)> {
        let (confidence, is_correct) = (self.confidence?, self.is_correct?);
        Some((calibration_bin(confidence), confidence - f64::from(u8::from(is_correct))))
    }
}

/// −ln p in nats, with p kept within ε and 1 − ε (ε = 2^−52), as scikit-learn's `log_loss` does.
#[must_use]
pub fn cross_entropy(probability: f64) -> f64 {
    -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// Sum of squared differences between the probabilities and the truth (1 for the true class, 0 for the others), halved for up to two
/// classes as scikit-learn's `brier_score_loss` does. The complement of a single class is a class. If no class is the true one, its
/// probability is 0.
#[must_use]
pub fn brier(classes: impl Iterator<Item = (bool, f64)>) -> f64 {
    let (mut sum, mut count, mut named) = (0.0, 0_u32, false);
    for (is_label, probability) in classes {
        sum += (probability - f64::from(u8::from(is_label))).powi(2);
        count += 1;
        named |= is_label;
    }
    match (count, named) {
        (1, _) => sum,
        (2, true) => sum / 2.0,
        (_, true) => sum,
        (_, false) => sum + 1.0,
    }
}

/// The bin of a confidence: (0, 0.1], (0.1, 0.2], …; 0 is in the first.
#[must_use]
pub fn calibration_bin(confidence: f64) -> usize {
    (1..CALIBRATION_BINS).filter(|edge| *edge as f64 * 0.1 < confidence).count()
}

/// Expected calibration error, 0–1: Σ |Σ (confidence − correctness) of a bin| / records, from the sums of the bins; `None` without
/// records.
#[must_use]
pub fn calibration_error(sums: impl Iterator<Item = f64>, records: u64) -> Option<f64> {
    (records > 0).then(|| sums.map(f64::abs).sum::<f64>() / records as f64)
}

/// Probabilities by class, in the order in which they came.
#[derive(Default)]
struct Probabilities(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for Probabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Classes;
        impl<'de> Visitor<'de> for Classes {
            type Value = Probabilities;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object of probabilities by class")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut classes = Vec::new();
                while let Some(class) = map.next_entry()? {
                    classes.push(class);
                }
                Ok(Probabilities(classes))
            }
        }
        deserializer.deserialize_map(Classes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_is_read_with_or_without_its_prediction() {
        let json = r#"{"billing": 0.7, "shipping": 0.2, "other": 0.1}"#;
        let found = Classified::read("shipping", None, Some(json));
        assert_eq!((found.is_correct, found.confidence), (Some(false), Some(0.7)));
        assert_eq!(found.cross_entropy, Some(-(0.2_f64.ln())));
        assert!((found.brier.unwrap() - (0.49 + 0.64 + 0.01)).abs() < 1e-12);
        assert_eq!(found.calibration(), Some((6, 0.7)));
        assert_eq!(Classified::read("a", None, None), Classified::default());
        assert_eq!(Classified::read("a", Some("a"), None).is_correct, Some(true));
        // A class without a probability has 0, however many are named.
        let found = Classified::read("refund", Some("refund"), Some(json));
        assert_eq!((found.is_correct, found.confidence), (Some(true), Some(0.0)));
        assert!((found.cross_entropy.unwrap() - 36.043_653_389_117_15).abs() < 1e-12);
        assert!((found.brier.unwrap() - (0.49 + 0.04 + 0.01 + 1.0)).abs() < 1e-12);
        assert_eq!(Classified::read("a", Some("b"), Some("[1]")).is_correct, Some(false));
    }

    #[test]
    fn the_complement_of_a_single_class_is_a_class() {
        assert_eq!(brier([(true, 0.75)].into_iter()), brier([(true, 0.75), (false, 0.25)].into_iter()));
        assert_eq!(brier([(false, 0.75)].into_iter()), 0.5625);
        let found = Classified::read("ham", None, Some(r#"{"spam": 0.75}"#));
        assert_eq!((found.is_correct, found.confidence, found.cross_entropy), (Some(false), Some(0.75), Some(-(0.25_f64.ln()))));
    }

    proptest! {
        #[test]
        fn averages_lie_within_their_ranges_and_do_not_depend_on_order(
            mut pairs in prop::collection::vec(("[abc]", "[abcd]"), 1..60),
        ) {
            let confusion = |pairs: &[(String, String)]| {
                let mut confusion = Confusion::default();
                for (label, prediction) in pairs {
                    confusion.add(label, prediction);
                }
                confusion
            };
            let found = confusion(&pairs);
            pairs.reverse();
            prop_assert_eq!(&found, &confusion(&pairs));
            let micro = found.average(Average::Micro).unwrap();
            prop_assert_eq!((micro.precision, micro.f1), (micro.recall, micro.recall));
            let weighted = found.average(Average::Weighted).unwrap();
            prop_assert!((weighted.recall - micro.recall).abs() < 1e-12);
            for average in [Average::Macro, Average::Weighted] {
                let scores = found.average(average).unwrap();
                prop_assert!([scores.precision, scores.recall, scores.f1].iter().all(|score| (0.0..=1.0 + 1e-12).contains(score)));
            }
        }

        #[test]
        fn losses_lie_within_their_ranges(p in 0.0_f64..=1.0, q in 0.0_f64..=1.0) {
            prop_assert!((0.0..=36.05).contains(&cross_entropy(p)));
            prop_assert!((0.0..=1.0).contains(&brier([(true, p), (false, 1.0 - p)].into_iter())));
            prop_assert!((0.0..=2.0).contains(&brier([(true, p), (false, (1.0 - p) * q), (false, (1.0 - p) * (1.0 - q))].into_iter())));
            prop_assert!(calibration_bin(p) < CALIBRATION_BINS);
        }
    }
}
