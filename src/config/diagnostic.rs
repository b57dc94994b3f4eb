//! One mistake in a file a person wrote: where it is, what was found, what was expected, and what to do.
//!
//! A diagnostic never shows a secret: whoever makes one leaves the value out, and the shown line is cut at the value.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The service does not start with it.
    Mistake,
    /// Allowed, but probably not what was meant.
    Warning,
}

/// One mistake or warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Mistake or warning.
    pub severity: Severity,
    /// File as it was named on the command line.
    pub file: String,
    /// Line, from 1; 0 if the mistake is about the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 if the mistake is about the file as a whole.
    pub column: usize,
    /// Full name of the setting, for example `lake.epoch_interval`; empty if there is none.
    pub key: String,
    /// What is wrong, with the value found.
    pub message: String,
    /// What would have been right.
    pub expected: String,
    /// What to do.
    pub remedy: String,
    /// The line of the file, cut before any secret, and the marked columns in it.
    #[serde(skip)]
    pub snippet: Option<(String, Range<usize>)>,
}

impl Diagnostic {
    /// A mistake about a whole file, or about something that is not written in one.
    #[must_use]
    pub fn of_file(file: &str, message: String, expected: &str, remedy: &str) -> Self {
        Self {
            severity: Severity::Mistake,
            file: file.to_owned(),
            line: 0,
            column: 0,
            key: String::new(),
            message,
            expected: expected.to_owned(),
            remedy: remedy.to_owned(),
            snippet: None,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        let severity = match self.severity {
            Severity::Mistake => "",
            Severity::Warning => "warning: ",
        };
        writeln!(f, ": {severity}{}", self.message)?;
        if let Some((line, marked)) = &self.snippet {
            let number = self.line.to_string();
            writeln!(f, "  {number} | {line}")?;
            let indent = number.len();
            let carets = "^".repeat(marked.len().max(1));
            writeln!(f, "  {:indent$} | {:skip$}{carets}", "", "", skip = marked.start)?;
        }
        if !self.expected.is_empty() {
            writeln!(f, "  expected: {}", self.expected)?;
        }
        if !self.remedy.is_empty() {
            writeln!(f, "  to do:    {}", self.remedy)?;
        }
        Ok(())
    }
}

/// A text and its name, to turn byte positions into lines and columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
}

/// Longest line shown; more would hide the message.
const SNIPPET_CHARS: usize = 120;

impl Source<'_> {
    /// Line and column, both from 1, of a byte position.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The line around `span`, up to the byte `visible_to`, with the columns of the span in it.
    pub(super) fn snippet(&self, span: &Range<usize>, visible_to: usize) -> Option<(String, Range<usize>)> {
        let start = self.text.get(..span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text.get(span.start..)?.find('\n').map_or(self.text.len(), |newline| span.start + newline);
        let end = end.min(visible_to);
        let line = self.text.get(start..end)?.trim_end();
        if line.is_empty() {
            return None;
        }
        let from_byte = span.start.min(end);
        let from = self.text.get(start..from_byte)?.chars().count();
        let to = from + self.text.get(from_byte..span.end.clamp(from_byte, end))?.chars().count();
        let shown: String = line.chars().take(SNIPPET_CHARS).map(|c| if c == '\t' { ' ' } else { c }).collect();
        (from <= SNIPPET_CHARS).then_some((shown, from..to.min(SNIPPET_CHARS)))
    }
}
