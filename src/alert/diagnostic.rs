//! A mistake in a rule file, with everything a person needs to correct it.

use std::fmt;

use serde::Serialize;

/// One mistake: where it is, what was found, what was expected and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Name of the file as it was given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are wrong, at least 1.
    pub width: usize,
    /// The line as it stands in the file.
    pub snippet: String,
    /// What is wrong, naming the value.
    pub message: String,
    /// What would be right, for example the allowed values; empty if the message says it.
    pub expected: String,
}

impl Diagnostic {
    /// A mistake at `offset..offset + len` (bytes) of `text`; offsets beyond the text point at its end.
    #[must_use]
    pub fn at(file: &str, text: &str, offset: usize, len: usize, message: impl Into<String>, expected: impl Into<String>) -> Self {
        let offset = floor_char_boundary(text, offset);
        let end = floor_char_boundary(text, offset.saturating_add(len));
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let snippet = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let wrong = text.get(offset..end).unwrap_or_default().lines().next().unwrap_or_default();
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: text.get(line_start..offset).unwrap_or_default().chars().count() + 1,
            width: wrong.trim_end().chars().count().max(1),
            snippet: snippet.to_owned(),
            message: message.into(),
            expected: expected.into(),
        }
    }
}

/// The greatest character boundary of `text` that is not after `offset`.
fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        let number = self.line.to_string();
        writeln!(f, "{number} | {}", self.snippet)?;
        writeln!(f, "{} | {}{}", " ".repeat(number.len()), " ".repeat(self.column - 1), "^".repeat(self.width))?;
        if !self.expected.is_empty() {
            writeln!(f, "{} = expected {}", " ".repeat(number.len()), self.expected)?;
        }
        Ok(())
    }
}

/// The candidate nearest to `word`, if it is near enough to be a slip of the keyboard.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, in characters, with inputs cut at 64.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(from != *to)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Diagnostic, nearest};

    #[test]
    fn a_place_is_counted_in_characters_and_shown_with_a_caret() {
        let diagnostic = Diagnostic::at("a.yaml", "x: 1\nmüde: nö\n", 12, 3, "`nö` is wrong", "`yes`");
        assert_eq!((diagnostic.line, diagnostic.column, diagnostic.width), (2, 7, 2));
        assert_eq!(diagnostic.to_string(), "a.yaml:2:7: `nö` is wrong\n2 | müde: nö\n  |       ^^\n  = expected `yes`\n");
        let beyond = Diagnostic::at("a.yaml", "", 99, 9, "empty", "");
        assert_eq!((beyond.line, beyond.column, beyond.width), (1, 1, 1));
    }

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_does_not() {
        assert_eq!(nearest("groundednes", ["relevance", "groundedness"]), Some("groundedness"));
        assert_eq!(nearest("fro", ["for", "over"]), None);
        assert_eq!(nearest("expt", ["expr", "over"]), Some("expr"));
        assert_eq!(nearest("banana", ["expr", "over"]), None);
    }
}
