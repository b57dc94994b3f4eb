//! Taking a mapping apart: every unknown, repeated, missing or mistyped field becomes a diagnostic, and reading goes on.

use super::super::Diagnostic;
use super::super::diagnostic::nearest;
use super::super::duration;
use super::super::yaml::{Node, Span, Value};

/// The file that is being read and the mistakes found so far.
pub(super) struct Reader<'t> {
    pub file: &'t str,
    pub text: &'t str,
    pub mistakes: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Records a mistake.
    pub(super) fn wrong(&mut self, span: Span, message: impl Into<String>, expected: impl Into<String>) {
        self.mistakes.push(Diagnostic::at(self.file, self.text, span.offset, span.len, message, expected));
    }

    /// Line of a place, from 1.
    pub(super) fn line(&self, span: Span) -> usize {
        self.text.get(..span.offset).unwrap_or_default().matches('\n').count() + 1
    }

    /// The mapping in a node, its keys known and unique.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str, allowed: &[&'static str]) -> Option<Map<'n>> {
        let Value::Map(pairs) = &node.value else {
            let message = format!("{what} is {}", node.value.describe());
            self.wrong(node.span, message, format!("a mapping with {}", allowed.join(", ")));
            return None;
        };
        let mut fields: Vec<(&str, Span, &Node)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let name = match &key.value {
                Value::Scalar(name) => name.as_str(),
                other => {
                    self.wrong(key.span, format!("the key is {}", other.describe()), format!("one of {}", allowed.join(", ")));
                    continue;
                }
            };
            if !allowed.contains(&name) {
                let hint =
                    nearest(name, allowed.iter().copied()).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
                self.wrong(key.span, format!("unknown field `{name}` in {what}{hint}"), format!("one of {}", allowed.join(", ")));
            } else if let Some((_, first, _)) = fields.iter().find(|(field, ..)| *field == name) {
                let line = self.line(*first);
                self.wrong(key.span, format!("`{name}` is given twice, first in line {line}"), "each field once");
            } else {
                fields.push((name, key.span, value));
            }
        }
        let start = pairs.first().map_or(node.span, |(key, _)| key.span);
        Some(Map { start, fields })
    }

    /// Free pairs of text, keys unique.
    pub(super) fn pairs(&mut self, node: &Node, what: &str) -> Vec<(String, String, Span)> {
        let Value::Map(pairs) = &node.value else {
            self.wrong(node.span, format!("{what} is {}", node.value.describe()), "a mapping of names to texts");
            return Vec::new();
        };
        let mut out: Vec<(String, String, Span)> = Vec::new();
        for (key, value) in pairs {
            match (&key.value, &value.value) {
                (Value::Scalar(name), Value::Scalar(text)) => {
                    if out.iter().any(|(known, ..)| known == name) {
                        self.wrong(key.span, format!("`{name}` is given twice"), "each name once");
                    } else {
                        out.push((name.clone(), text.clone(), value.span));
                    }
                }
                (_, other) => self.wrong(value.span, format!("{what} holds {}", other.describe()), "a text"),
            }
        }
        out
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.wrong(node.span, format!("{what} is {}", node.value.describe()), "a list");
        &[]
    }

    /// A text that is not empty.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar(text) if !text.trim().is_empty() => Some(text.trim()),
            other => {
                let found = if matches!(other, Value::Scalar(_)) { "empty" } else { other.describe() };
                self.wrong(node.span, format!("{what} is {found}"), "a text");
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.wrong(node.span, format!("{what} is `{text}`"), format!("one of {}", words.join(", ")));
        }
        found
    }

    /// A length of time between two bounds, both included, in microseconds.
    pub(super) fn duration(&mut self, node: &Node, what: &str, least: &str, greatest: &str) -> Option<i64> {
        let text = self.text(node, what)?;
        let bounds = duration::parse(least).unwrap_or(0)..=duration::parse(greatest).unwrap_or(i64::MAX);
        let found = duration::parse(text).filter(|micros| bounds.contains(micros));
        if found.is_none() {
            self.wrong(
                node.span,
                format!("{what} is `{text}`"),
                format!("a duration such as 30s, 10m, 1h30m or 7d, from {least} to {greatest}"),
            );
        }
        found
    }

    /// A whole number.
    pub(super) fn whole(&mut self, node: &Node, what: &str, greatest: u64) -> Option<u64> {
        let text = self.text(node, what)?;
        let found = text.parse::<u64>().ok().filter(|number| *number <= greatest);
        if found.is_none() {
            self.wrong(node.span, format!("{what} is `{text}`"), format!("a whole number from 0 to {greatest}"));
        }
        found
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, node: &Node, what: &str) -> Option<bool> {
        self.choice(node, what, &[("true", true), ("false", false)])
    }
}

/// A mapping with known, unique keys.
pub(super) struct Map<'n> {
    /// Where it starts.
    pub start: Span,
    fields: Vec<(&'n str, Span, &'n Node)>,
}

impl<'n> Map<'n> {
    /// The field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.fields.iter().find(|(field, ..)| *field == name).map(|(.., node)| *node)
    }

    /// The field, or a mistake.
    pub(super) fn required(&self, reader: &mut Reader<'_>, name: &str, what: &str, expected: &str) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() {
            reader.wrong(self.start, format!("{what} has no `{name}`"), format!("`{name}: {expected}`"));
        }
        node
    }
}
