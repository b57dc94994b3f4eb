use proptest::prelude::*;

use super::*;

fn all(scores: &ReferenceScores) -> Vec<f64> {
    let rouge = [Some(scores.rouge.one), Some(scores.rouge.two), scores.rouge.l, scores.rouge.lsum];
    let rouge = rouge.into_iter().flatten().flat_map(|rouge| [rouge.precision, rouge.recall, rouge.f1]);
    let others = [scores.bleu.corpus(), scores.bleu.sentence(), scores.chrf, scores.meteor_exact_stem, scores.tokens.f1];
    rouge.chain(others).collect()
}

/// Few words, so that texts have some in common.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec!["The", "relational", "cat", "é́", "你好", "مرحبا", "3.5", "\n", "a", "x-ray,"]),
            0..40
        )
        .prop_map(|words| words.join(" ")),
    ]
}

proptest! {
    #[test]
    fn every_pair_of_texts_has_scores_within_their_ranges(response in text(), reference in text()) {
        let scores = compare(&response, &reference).unwrap();
        for score in all(&scores) {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&score), "{score} {scores:?}");
        }
    }

    #[test]
    fn swapping_the_texts_swaps_precision_and_recall(response in text(), reference in text()) {
        let (one, two) = (compare(&response, &reference).unwrap(), compare(&reference, &response).unwrap());
        prop_assert_eq!(one.tokens, two.tokens);
        prop_assert_eq!(one.bleu.matched, two.bleu.matched);
        for (one, two) in [(one.rouge.one, two.rouge.one), (one.rouge.two, two.rouge.two)] {
            prop_assert_eq!((one.precision, one.recall, one.f1), (two.recall, two.precision, two.f1));
        }
        if let (Some(one), Some(two)) = (one.rouge.l, two.rouge.l) {
            prop_assert_eq!((one.precision, one.recall), (two.recall, two.precision));
        }
    }

    #[test]
    fn a_text_equals_itself(text in text()) {
        let scores = compare(&text, &text).unwrap();
        prop_assert!(scores.tokens.is_exact && scores.tokens.f1 == 1.0);
        prop_assert_eq!(scores.bleu.matched, scores.bleu.ngrams);
        if scores.bleu.ngrams[0] > 0 {
            prop_assert_eq!(scores.bleu.sentence(), 1.0);
            prop_assert!((scores.chrf - 1.0).abs() < 1e-12);
            let words = words::split(&text).count() as f64;
            let is_whole = (scores.meteor_exact_stem - (1.0 - 0.5 / words.powi(3))).abs() < 1e-9;
            prop_assert!(is_whole, "{}", scores.meteor_exact_stem);
        }
        prop_assert!([0.0, 1.0].contains(&scores.rouge.one.f1));
    }

    #[test]
    fn any_word_has_a_stem(word in any::<String>()) {
        stem::porter(&word.to_lowercase());
    }
}

#[test]
fn giant_texts_have_no_subsequence_and_all_other_scores() {
    let long = "word after word, ".repeat(3_000);
    let scores = compare(&long, &long).unwrap();
    assert_eq!((scores.rouge.l, scores.rouge.lsum), (None, None));
    assert_eq!(scores.rouge.two.f1, 1.0);
    assert_eq!(compare(&long.repeat(6), "word"), None);
    let lines = "word\n".repeat(1_000);
    let scores = compare(&lines, &lines).unwrap();
    assert!(scores.rouge.l.is_some() && scores.rouge.lsum.is_none());
}

#[test]
fn embeddings_that_say_nothing_have_no_bertscore() {
    assert_eq!(bert_score(&[], &[vec![1.0]]), None);
    assert_eq!(bert_score(&[vec![1.0]], &[]), None);
    assert_eq!(bert_score(&[vec![1.0]], &[vec![1.0, 2.0]]), None);
    assert_eq!(bert_score(&[vec![0.0, 0.0]], &[vec![1.0, 2.0]]), None);
    let same = bert_score(&[vec![3.0, 4.0], vec![1.0, 0.0]], &[vec![0.0, 2.0], vec![6.0, 8.0], vec![2.0, 0.0]]).unwrap();
    assert!((same.precision - 1.0).abs() < 1e-15);
    assert!((same.recall - (0.8 + 1.0 + 1.0) / 3.0).abs() < 1e-15);
}
