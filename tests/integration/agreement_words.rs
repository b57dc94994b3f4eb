//! Drift of words beside scipy on the same counts, and beside a permutation of the texts, which knows nothing of formulas.

use groundwire::evaluate::drift::{Words, words};
use groundwire::event::Timestamp;
use groundwire::measure::{Accumulator, Partial, Vocabulary, measures};
use serde_json::{Value, json};

use crate::support::chance::Chance;
use crate::support::python;

const SCRIPT: &str = include_str!("../agreement/words.py");

/// Texts whose words hang together: of ten topics, each with words of its own; `new` per mille are of an eleventh.
fn texts(chance: &mut Chance, count: u64, new: u64) -> Vec<Vocabulary> {
    let spelled = |number: u64| -> String { [676, 26, 1].map(|by| char::from(b'a' + (number / by % 26) as u8)).iter().collect() };
    (0..count)
        .map(|_| {
            let topic = if chance.below(1_000) < new { 10 } else { chance.below(10) };
            let words = (0..6 + chance.below(50)).map(|_| {
                let frequent = chance.below(40) * chance.below(40) / 10;
                if chance.below(2) == 0 { spelled(frequent) } else { spelled(2_000 + 200 * topic + frequent) }
            });
            let text: Vec<String> = words.collect();
            Vocabulary::of(&text.join(" ")).expect("words")
        })
        .collect()
}

fn sums(texts: &[Vocabulary]) -> Partial {
    let mut accumulator = Accumulator::default();
    for words in texts {
        accumulator.at(Timestamp(0), 0).add_words(measures::PROMPT_VOCABULARY, words);
    }
    accumulator.take(Vec::new()).rows.pop().expect("a cell").partial
}

#[test]
fn drift_of_words_has_the_agreement_of_scipy_and_of_permuted_texts() {
    let mut chance = Chance(20_260_505);
    let sizes = [(60, 1_000, 0), (200, 1_500, 0), (500, 2_000, 0), (200, 1_500, 100), (500, 700, 200)];
    let cases: Vec<(Words, Value)> = sizes
        .into_iter()
        .map(|(n, m, new)| {
            let (window, reference) = (texts(&mut chance, n, new), texts(&mut chance, m, 0));
            let ours = words(&sums(&window), &sums(&reference)).expect("enough texts");
            let buckets = |texts: &[Vocabulary]| texts.iter().map(|words| words.buckets().collect()).collect::<Vec<Vec<usize>>>();
            (ours, json!({"window": buckets(&window), "reference": buckets(&reference)}))
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cases.json");
    let list: Value = cases.iter().map(|(_, case)| case.clone()).collect();
    std::fs::write(&file, list.to_string()).expect("cases can be written");
    let theirs = python::json_in("venv", SCRIPT, &[file.to_str().expect("a path in UTF-8")]);
    for (((ours, _), theirs), (n, m, new)) in cases.iter().zip(theirs.as_array().expect("a list")).zip(sizes) {
        let number = |name: &str| theirs[name].as_f64().expect("a number");
        let place = format!("{n} texts beside {m}, {new} per mille new");
        println!(
            "{place}: {ours:?}, permuted on average {:.4}, p of a permutation {:.4}",
            number("permuted"),
            number("permuted_p")
        );
        assert!((ours.js - number("js")).abs() < 1e-9, "{place}: {ours:?} {theirs}");
        assert!((ours.p - number("p")).abs() < 1e-6 * number("p") + 1e-12, "{place}: {ours:?} {theirs}");
        assert!((ours.expected - number("expected")).abs() < 1e-9, "{place}: {ours:?} {theirs}");
        // What texts come to that are dealt out anew: the formula is of second order, and rare buckets add to it in small windows.
        let ratio = number("permuted") / ours.expected;
        assert!(new > 0 || (0.97..1.12).contains(&ratio), "{place}: {ratio}");
        // The bound is above the p of the greatest of the buckets' moves.
        assert!(ours.p >= number("permuted_p") - 0.03, "{place}: {ours:?} {theirs}");
    }
}
