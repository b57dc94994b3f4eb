//! Agreement of the reference-based metrics with sacrebleu, rouge-score, nltk and scikit-learn, to 1e-9 over thousands of pairs.
//!
//! Pairs come from the labelled sets in `../shared/data` (or `GROUNDWIRE_DATA`); without them they are generated from the project's own
//! prose. Which of both is printed. `agreement.py` runs the libraries.

use std::collections::BTreeMap;
use std::fmt::Display;

use groundwire::measure::BleuCounts;
use groundwire::measure::classification::{Average, Classified, Confusion, calibration_error};
use groundwire::score::reference::{Rouge, Stemming, bert_score, bleu_counts, chrf, meteor_exact_stem, rouge, token_match};
use serde_json::Value;

use crate::support;

const TOLERANCE: f64 = 1e-9;

fn oracle(subject: &str) -> Value {
    let data = std::env::var("GROUNDWIRE_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let text = support::python::run(include_str!("agreement.py"), &[subject, &data, "src/demo/text/help_articles.txt"]);
    let answer: Value = serde_json::from_str(&text).expect("the script prints JSON");
    eprintln!("{subject}: {}", answer["origin"].as_str().unwrap_or_default());
    answer
}

/// Greatest differences by metric.
#[derive(Default)]
struct Differences(BTreeMap<&'static str, f64>);

impl Differences {
    /// Fails on a number that differs, naming it and where it is from.
    fn close(&mut self, metric: &'static str, ours: f64, theirs: &Value, place: &dyn Display) {
        let theirs = theirs.as_f64().unwrap_or_else(|| panic!("{metric} of {place}: {theirs} is no number"));
        let difference = (ours - theirs).abs();
        assert!(difference <= TOLERANCE, "{metric} of {place}: ours {ours}, theirs {theirs}");
        let greatest = self.0.entry(metric).or_default();
        *greatest = greatest.max(difference);
    }

    fn print(&self) {
        for (metric, difference) in &self.0 {
            eprintln!("  {metric}: greatest difference {difference:.1e}");
        }
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} is a list"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a text"))
}

#[test]
fn texts_score_as_sacrebleu_rouge_score_and_nltk_score_them() {
    let answer = oracle("texts");
    let pairs = list(&answer, "pairs");
    assert!(pairs.len() >= 2_000, "only {} pairs", pairs.len());
    let mut counts = Vec::new();
    let mut differences = Differences::default();
    for pair in pairs {
        let (response, reference) = (text(pair, "response"), text(pair, "reference"));
        let place = format!("{response:?} against {reference:?}");
        let bleu = bleu_counts(response, reference);
        assert_eq!(serde_json::json!(bleu.matched), pair["matched"], "matched n-grams of {place}");
        assert_eq!(serde_json::json!(bleu.ngrams), pair["ngrams"], "n-grams of {place}");
        assert_eq!(serde_json::json!(bleu.reference_length), pair["reference_length"], "reference length of {place}");
        differences.close("sentence BLEU x 100", 100.0 * bleu.sentence(), &pair["bleu"], &place);
        counts.push(bleu);
        differences.close("chrF x 100", 100.0 * chrf(response, reference), &pair["chrf"], &place);
        let scores = [Stemming::None, Stemming::Porter].map(|stemming| rouge(response, reference, stemming));
        let scores = scores.iter().flat_map(|scores| [Some(scores.one), Some(scores.two), scores.l, scores.lsum]);
        for (ours, theirs) in scores.zip(list(pair, "rouge")) {
            let Rouge { precision, recall, f1 } = ours.expect("texts are short");
            for (ours, theirs) in [precision, recall, f1].into_iter().zip(theirs.as_array().expect("three numbers")) {
                differences.close("ROUGE", ours, theirs, &place);
            }
        }
        differences.close("METEOR", meteor_exact_stem(response, reference), &pair["meteor"], &place);
        let tokens = token_match(response, reference);
        differences.close("token F1", tokens.f1, &pair["token_f1"], &place);
        assert_eq!(i64::from(tokens.is_exact), pair["exact"].as_i64().expect("0 or 1"), "exact match of {place}");
    }
    let step = usize::try_from(answer["step"].as_u64().expect("a count")).expect("small");
    for (number, (part, theirs)) in counts.chunks(step).zip(list(&answer, "corpora")).enumerate() {
        let mut sum = BleuCounts::default();
        for counts in part {
            sum.add(counts);
        }
        differences.close("corpus BLEU x 100", 100.0 * sum.corpus(), theirs, &format!("part {number}"));
    }
    differences.print();
}

#[test]
fn classes_score_as_scikit_learn_scores_them() {
    let answer = oracle("classes");
    let sets = list(&answer, "sets");
    assert!(sets.iter().filter(|set| list(set, "labels").len() >= 1_000).count() >= 2);
    let mut differences = Differences::default();
    for set in sets {
        let place = format!("{} records", list(set, "labels").len());
        let mut confusion = Confusion::default();
        let (mut cross_entropy, mut brier, mut bins, mut records) = (0.0, 0.0, [0.0; 10], 0_u32);
        for ((label, guess), probability) in list(set, "labels").iter().zip(list(set, "guesses")).zip(list(set, "probabilities")) {
            let (label, guess) = (label.as_str().expect("a text"), guess.as_str().expect("a text"));
            confusion.add(label, guess);
            let read = Classified::read(label, Some(guess), Some(&probability.to_string()));
            cross_entropy += read.cross_entropy.expect("has probabilities");
            brier += read.brier.expect("has probabilities");
            let (bin, difference) = read.calibration().expect("has probabilities");
            bins[bin] += difference;
            records += 1;
        }
        differences.close("accuracy", confusion.accuracy().expect("has records"), &set["accuracy"], &place);
        for (average, name) in [(Average::Micro, "micro"), (Average::Macro, "macro"), (Average::Weighted, "weighted")] {
            let ours = confusion.average(average).expect("has records");
            for (ours, theirs) in [ours.precision, ours.recall, ours.f1].into_iter().zip(list(&set["averages"], name)) {
                differences.close("averaged precision, recall, F1", ours, theirs, &name);
            }
        }
        assert_eq!(confusion.classes().count(), list(set, "classes").len());
        for ((name, counts), (number, theirs)) in confusion.classes().zip(list(set, "classes").iter().enumerate()) {
            assert_eq!(name, theirs.as_str().expect("a text"));
            let ours = counts.scores();
            let numbers = [ours.precision, ours.recall, ours.f1, f64::from(u32::try_from(counts.labelled).expect("small"))];
            for (ours, theirs) in numbers.into_iter().zip(list(set, "each")) {
                differences.close("precision, recall, F1 of a class", ours, &theirs[number], &name);
            }
        }
        differences.close("cross-entropy", cross_entropy / f64::from(records), &set["cross_entropy"], &place);
        differences.close("Brier score", brier / f64::from(records), &set["brier"], &place);
        let error = calibration_error(bins.into_iter(), records.into()).expect("has records");
        differences.close("calibration error", error, &set["calibration_error"], &place);
    }
    differences.print();
}

#[test]
fn token_embeddings_match_as_a_matrix_of_cosines_says() {
    let answer = oracle("embeddings");
    let vectors = |value: &Value| serde_json::from_value::<Vec<Vec<f64>>>(value.clone()).expect("lists of vectors");
    let mut differences = Differences::default();
    for pair in list(&answer, "pairs") {
        let ours = bert_score(&vectors(&pair["one"]), &vectors(&pair["other"])).expect("usable");
        for (ours, theirs) in [ours.precision, ours.recall, ours.f1].into_iter().zip(list(pair, "expected")) {
            differences.close("BERTScore", ours, theirs, &"random embeddings");
        }
    }
    differences.print();
}
