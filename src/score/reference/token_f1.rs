//! Token F1 and exact match of question answering, with the normalisation of `SQuAD`.
//!
//! Source: Rajpurkar et al. 2018, the evaluation script of `SQuAD` 2.0: lower case, ASCII punctuation and the articles a, an, the taken
//! out, split at white space. Where one side has no words, the F1 is 1 if neither has any, else 0.

use unicode_normalization::char::is_combining_mark;

use super::grams::Words;
use super::words::{Vocabulary, split};

/// Both scores of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenMatch {
    /// Harmonic mean of the shares of words in common, 0–1.
    pub f1: f64,
    /// Whether the normalised texts are equal.
    pub is_exact: bool,
}

/// Compares the words of an answer with those of its reference.
#[must_use]
pub fn token_match(response: &str, reference: &str) -> TokenMatch {
    let mut vocabulary = Vocabulary::default();
    let mut read = |text: &str| split(&normalize(text)).map(|word| vocabulary.number(word)).collect::<Vec<u32>>();
    let (response, reference) = (read(response), read(reference));
    let is_exact = response == reference;
    let grams = |words: &[u32]| Words::read(words.iter().copied());
    let shared = grams(&response).shared(&grams(&reference), 1) as f64;
    let f1 = if response.is_empty() || reference.is_empty() {
        f64::from(u8::from(is_exact))
    } else {
        2.0 * shared / (response.len() + reference.len()) as f64
    };
    TokenMatch { f1, is_exact }
}

/// Lower case, without ASCII punctuation; articles become spaces.
fn normalize(text: &str) -> String {
    let mut lower = text.to_lowercase();
    lower.retain(|letter| !letter.is_ascii_punctuation());
    let mut out = String::with_capacity(lower.len());
    let mut word = String::new();
    for letter in lower.chars() {
        if is_word(letter) {
            word.push(letter);
            continue;
        }
        flush(&mut word, &mut out);
        out.push(letter);
    }
    flush(&mut word, &mut out);
    out
}

fn flush(word: &mut String, out: &mut String) {
    out.push_str(if matches!(word.as_str(), "a" | "an" | "the") { " " } else { word });
    word.clear();
}

/// Python's `\w`, punctuation apart: letters and numbers, but not marks and letters in circles, which Unicode counts as alphabetic.
fn is_word(letter: char) -> bool {
    let is_circled = matches!(letter, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    letter.is_alphanumeric() && !is_circled && !is_combining_mark(letter)
}
