//! The n-gram counts of BLEU, with sacrebleu's default tokenizer `13a` (that of mteval-v13a.pl); case matters.
//!
//! Source: sacrebleu 2.6, `tokenizers/tokenizer_13a.py`, `tokenizer_re.py`, `metrics/bleu.py`. Scores are made from the counts
//! by [`BleuCounts`].

use super::grams::Words;
use super::words::{Vocabulary, is_space, split};
use crate::measure::BleuCounts;

/// Counts the n-grams of an answer that stand in the reference.
#[must_use]
pub fn bleu_counts(response: &str, reference: &str) -> BleuCounts {
    let mut vocabulary = Vocabulary::default();
    let mut read = |text: &str| {
        let numbers: Vec<u32> = split(&tokenize(text)).map(|word| vocabulary.number(word)).collect();
        Words::read(numbers.into_iter())
    };
    let (response, reference) = (read(response), read(reference));
    let orders = [1, 2, 3, 4];
    BleuCounts {
        matched: orders.map(|n| response.shared(&reference, n)),
        ngrams: orders.map(|n| response.count(n)),
        reference_length: reference.count(1),
    }
}

/// The text with its tokens between white space.
pub(super) fn tokenize(text: &str) -> String {
    let mut line = text.trim_end_matches(is_space).replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if line.contains('&') {
        line = line.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    }
    let spaced = std::iter::once(' ').chain(line.chars()).chain(std::iter::once(' '));
    let mut apart = Vec::with_capacity(line.len() + 16);
    for letter in spaced {
        if stands_alone(letter) {
            apart.extend([' ', letter, ' ']);
        } else {
            apart.push(letter);
        }
    }
    let is_point = |letter: char| matches!(letter, '.' | ',');
    // Three passes as the original has them: each reads what the one before wrote, and none reads a letter twice.
    let pass = pairs(&apart, |one, two| (!one.is_ascii_digit() && is_point(two)).then_some([one, ' ', two, ' ']));
    let pass = pairs(&pass, |one, two| (is_point(one) && !two.is_ascii_digit()).then_some([' ', one, ' ', two]));
    pairs(&pass, |one, two| (one.is_ascii_digit() && two == '-').then_some([one, ' ', two, ' '])).into_iter().collect()
}

/// ASCII punctuation but `'`, `,`, `-` and `.`, and the space.
fn stands_alone(letter: char) -> bool {
    matches!(letter, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/')
}

/// Replaces pairs of neighbours from left to right; a letter that was part of a replaced pair is not looked at again.
fn pairs(letters: &[char], replace: impl Fn(char, char) -> Option<[char; 4]>) -> Vec<char> {
    let mut out = Vec::with_capacity(letters.len() + 16);
    let mut rest = letters;
    while let [one, tail @ ..] = rest {
        match tail.first().and_then(|two| replace(*one, *two)) {
            Some(four) => {
                out.extend(four);
                rest = tail.get(1..).unwrap_or_default();
            }
            None => {
                out.push(*one);
                rest = tail;
            }
        }
    }
    out
}
