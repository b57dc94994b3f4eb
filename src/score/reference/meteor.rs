//! METEOR without synonyms: words match as they are, then by their stems.
//!
//! Source: Lavie and Agarwal 2007, as nltk 3.10 `meteor_score` computes it (α = 0.9, β = 3, γ = 0.5, Porter's stemmer) with a `WordNet`
//! that knows no synonyms. Words are split at white space and lowered. Because synonyms are left out, the metric is named
//! `meteor_exact_stem` wherever it is published. An answer equal to its reference has 1 − 0.5 / words³, not 1.

use hashbrown::HashMap;

use super::stem;
use super::words::{Vocabulary, split};

const ALPHA: f64 = 0.9;
const GAMMA: f64 = 0.5;

/// METEOR (exact and stem) of one answer, 0–1; 0 where nothing matches.
#[must_use]
pub fn meteor_exact_stem(response: &str, reference: &str) -> f64 {
    let (response, reference) = (response.to_lowercase(), reference.to_lowercase());
    let mut words = Words { vocabulary: Vocabulary::default(), stems: HashMap::new() };
    let response: Vec<u32> = split(&response).map(|word| words.number(word)).collect();
    let reference: Vec<u32> = split(&reference).map(|word| words.number(word)).collect();
    let mut alignment = Alignment { partners: vec![None; response.len()], taken: vec![false; reference.len()] };
    alignment.pair(&response, &reference);
    let stems = |words: &Words, numbers: &[u32]| numbers.iter().map(|number| words.stem(*number)).collect::<Vec<u32>>();
    alignment.pair(&stems(&words, &response), &stems(&words, &reference));

    let matched = alignment.partners.iter().flatten().count() as f64;
    if matched == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (matched / response.len() as f64, matched / reference.len() as f64);
    let mean = precision * recall / (ALPHA * precision + (1.0 - ALPHA) * recall);
    let fragmentation = alignment.chunks() as f64 / matched;
    (1.0 - GAMMA * fragmentation.powi(3)) * mean
}

/// Numbers of words, and of their stems.
struct Words {
    vocabulary: Vocabulary,
    stems: HashMap<u32, u32>,
}

impl Words {
    fn number(&mut self, word: &str) -> u32 {
        let number = self.vocabulary.number(word);
        if !self.stems.contains_key(&number) {
            // A stem is numbered among the words, so equal stems are equal numbers.
            let stem = self.vocabulary.number(&stem::porter(word));
            self.stems.insert(number, stem);
        }
        number
    }

    fn stem(&self, number: u32) -> u32 {
        self.stems.get(&number).copied().unwrap_or(number)
    }
}

/// Which word of the reference each word of the answer is matched with.
struct Alignment {
    partners: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Alignment {
    /// Matches what is still unmatched, from the last word of the answer to the first, each with the last free equal word.
    fn pair(&mut self, response: &[u32], reference: &[u32]) {
        let mut free: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, (word, taken)) in reference.iter().zip(&self.taken).enumerate() {
            if !taken {
                free.entry(*word).or_default().push(at);
            }
        }
        for (word, partner) in response.iter().zip(&mut self.partners).rev().filter(|(_, partner)| partner.is_none()) {
            *partner = free.get_mut(word).and_then(Vec::pop);
            if let Some(taken) = partner.and_then(|at| self.taken.get_mut(at)) {
                *taken = true;
            }
        }
    }

    /// Runs of matched words that stand next to each other in both texts.
    fn chunks(&self) -> usize {
        let mut chunks = 0;
        let mut before = None;
        for partner in &self.partners {
            let goes_on = matches!((before, partner), (Some(before), Some(at)) if before + 1 == *at);
            chunks += usize::from(partner.is_some() && !goes_on);
            before = *partner;
        }
        chunks
    }
}
