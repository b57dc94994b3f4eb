//! White space, splitting and numbering of words as Python does them: what the reference libraries build on.

use hashbrown::HashMap;

/// Whether Python's `str.split` and `\s` take it for white space: Unicode's, and the four ASCII separators besides.
pub(super) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

/// The words between white space.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// Numbers words in the order in which they first occur, so that equal words are equal numbers.
#[derive(Default)]
pub(super) struct Vocabulary {
    numbers: HashMap<Box<str>, u32>,
}

impl Vocabulary {
    /// The number of a word, from 0.
    pub(super) fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX - 1);
        self.numbers.insert(word.into(), number);
        number
    }
}
