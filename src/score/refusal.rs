//! Sentences that decline to answer, and sentences that are mere courtesy.
//!
//! Phrases, not meaning: a refusal worded in a way not listed here reads as a claim. The English ones are here, those of other languages in
//! `refusal/*.txt`, one a line.

/// What declines whatever stands around it, in lower case.
const REFUSALS: [&str; 29] = [
    "there is no mention",
    "there's no mention",
    "there isn't any mention",
    "there is no information",
    "i don't know",
    "i do not know",
    "i don't have",
    "i do not have",
    "i am not able to",
    "i'm not able to",
    "i am unable to",
    "i'm unable to",
    "i cannot answer",
    "i can't answer",
    "i cannot provide",
    "i can't provide",
    "i cannot find",
    "i can't find",
    "i could not find",
    "i couldn't find",
    "i cannot help",
    "i can't help",
    "i cannot assist",
    "i can't assist",
    "i cannot determine",
    "i can't determine",
    "i'm sorry, but i",
    "i am sorry, but i",
    "as an ai",
];

/// What declines where it is said of sources; of the world it is a claim.
const OMISSIONS: [&str; 44] = [
    "unable to answer",
    "unable to find",
    "unable to provide",
    "unable to determine",
    "cannot be answered",
    "can't be answered",
    "cannot be determined",
    "can't be determined",
    "not possible to answer",
    "not possible to determine",
    "not enough information",
    "insufficient information",
    "no information",
    "no mention of",
    "no specific information",
    "no relevant information",
    "not contain",
    "n't contain",
    "not mention",
    "n't mention",
    "not mentioned",
    "not provide",
    "n't provide",
    "not provided",
    "not specify",
    "n't specify",
    "not specified",
    "not explicitly",
    "not state",
    "n't state",
    "not stated",
    "not include information",
    "not discuss",
    "not address",
    "not have information",
    "n't have information",
    "not have enough",
    "n't have enough",
    "not have specific",
    "n't have specific",
    "not have access",
    "n't have access",
    "not in the provided",
    "not found in the",
];

/// Words for sources, one of which must stand in the sentence.
const SOURCES: [&str; 18] = [
    "context",
    "passage",
    "document",
    "text",
    "information",
    "source",
    "article",
    "provided",
    "given",
    "answer",
    "question",
    "details",
    "data",
    "excerpt",
    "content",
    "unable",
    "paragraph",
    "cannot",
];

/// Characters of a sentence within which it must start to decline: later on it tells what a text leaves out, after what it holds.
const OPENING: usize = 120;

/// Sayings that claim nothing about the world.
const COURTESIES: [&str; 41] = [
    "hello",
    "good morning",
    "good afternoon",
    "guten tag",
    "bonjour",
    "happy to help",
    "glad to help",
    "glad i could",
    "glad you",
    "thanks for",
    "thank you",
    "you're welcome",
    "you are welcome",
    "good question",
    "great question",
    "great news",
    "good news",
    "let me know",
    "let us know",
    "hope this helps",
    "hope that helps",
    "hope the information helps",
    "feel free to",
    "hesitate to",
    "anything else",
    "any other question",
    "more questions",
    "further questions",
    "write again",
    "ask again",
    "have a great",
    "have a nice",
    "good luck",
    "of course!",
    "sorry for",
    "sorry to hear",
    "one moment",
    "these steps:",
    "here are the steps",
    "gern geschehen",
    "n'hésitez pas",
];

/// The phrases, and a buffer for the sentence that is searched.
pub(super) struct Phrases {
    refusals: Starts,
    omissions: Starts,
    sources: Starts,
    courtesies: Starts,
    lower: String,
}

impl Phrases {
    pub(super) fn new() -> Self {
        Self {
            refusals: Starts::new(&REFUSALS, include_str!("refusal/refusals.txt")),
            omissions: Starts::new(&OMISSIONS, include_str!("refusal/omissions.txt")),
            sources: Starts::new(&SOURCES, include_str!("refusal/sources.txt")),
            courtesies: Starts::new(&COURTESIES, ""),
            lower: String::new(),
        }
    }

    /// Whether a sentence is mere courtesy.
    pub(super) fn is_courtesy(&mut self, sentence: &str) -> bool {
        self.lower_case(sentence);
        self.courtesies.any_in(&self.lower, self.lower.len())
    }

    /// Whether a sentence declines to answer.
    pub(super) fn declines(&mut self, sentence: &str) -> bool {
        if sentence.len() > 600 {
            return false;
        }
        self.lower_case(sentence);
        let opening = self.lower.char_indices().nth(OPENING).map_or(self.lower.len(), |(at, _)| at);
        self.refusals.any_in(&self.lower, opening)
            || (self.omissions.any_in(&self.lower, opening) && self.sources.any_in(&self.lower, self.lower.len()))
    }

    fn lower_case(&mut self, sentence: &str) {
        self.lower.clear();
        if sentence.is_ascii() {
            self.lower.push_str(sentence);
            self.lower.make_ascii_lowercase();
            return;
        }
        for letter in sentence.chars() {
            if letter == '’' {
                self.lower.push('\'');
            } else {
                self.lower.extend(letter.to_lowercase());
            }
        }
    }
}

/// Phrases by their first two bytes, all searched for in one pass.
struct Starts {
    /// A bit for each pair of bytes that a phrase starts with.
    pairs: Vec<u64>,
    /// Sorted.
    phrases: Vec<&'static str>,
}

impl Starts {
    fn new(english: &[&'static str], others: &'static str) -> Self {
        let mut phrases: Vec<_> = english.iter().copied().chain(others.lines()).collect();
        phrases.sort_unstable();
        let mut starts = Self { pairs: vec![0; 1 << 10], phrases };
        for phrase in &starts.phrases {
            if let Some(pair) = phrase.as_bytes().first_chunk::<2>()
                && let Some(bits) = starts.pairs.get_mut(usize::from(u16::from_be_bytes(*pair)) >> 6)
            {
                *bits |= 1 << (pair[1] & 63);
            }
        }
        starts
    }

    /// Whether any phrase starts within the first `within` bytes of `text` or just behind them.
    fn any_in(&self, text: &str, within: usize) -> bool {
        let bytes = text.as_bytes();
        bytes.windows(2).enumerate().take(within.saturating_add(1)).any(|(at, pair)| {
            let number = usize::from(pair[0]) << 2 | usize::from(pair[1]) >> 6;
            self.pairs.get(number).is_some_and(|bits| bits >> (pair[1] & 63) & 1 == 1)
                && bytes.get(at..).is_some_and(|rest| self.starts(rest, pair))
        })
    }

    /// Whether `text` starts with a phrase; `pair` is its first two bytes.
    fn starts(&self, text: &[u8], pair: &[u8]) -> bool {
        let first = self.phrases.partition_point(|phrase| phrase.as_bytes() < pair);
        let alike = self.phrases.iter().skip(first).map(|phrase| phrase.as_bytes()).take_while(|phrase| phrase.starts_with(pair));
        alike.into_iter().any(|phrase| text.starts_with(phrase))
    }
}
