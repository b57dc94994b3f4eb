//! YAML as a tree that remembers where everything stands.
//!
//! The whole file is read before anything is judged, so that `rule` can report every mistake at once. Scalars stay text:
//! what `no` or `1e3` means is decided by the field, never by the syntax. Anchors, aliases and merge keys are refused (they
//! make blame and diff lie), and so is anything deeper than 16 levels.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::Diagnostic;

/// A place in the text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub span: Span,
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing: `key:` or `~`.
    Empty,
    /// Any scalar, as text.
    Scalar(String),
    List(Vec<Node>),
    /// Pairs in the order of the file; keys may repeat.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// What to call it in a message.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads one document.
pub(super) fn parse(file: &str, text: &str) -> Result<Node, Diagnostic> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_merge_keys: 0, max_depth: 16, max_nodes: 50_000 },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        merge_keys: serde_saphyr::MergeKeyPolicy::AsOrdinary,
        with_snippet: false
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(raw, text)),
        Err(error) => {
            let at = error.location().map(|location| location.span());
            let offset = at.and_then(|span| span.byte_offset()).and_then(|at| usize::try_from(at).ok()).unwrap_or(text.len());
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or_default().to_owned();
            Err(Diagnostic::at(file, text, offset, 1, message, "YAML without anchors, aliases or tags"))
        }
    }
}

/// A value before its place is known.
enum Raw {
    Empty,
    /// A scalar whose text is exactly what stands in the file.
    AsWritten,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let place = raw.referenced.span();
    let offset = place.byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or_default();
    let len = place.byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or_default();
    let value = match raw.value {
        Raw::Empty => Value::Empty,
        Raw::AsWritten => Value::Scalar(text.get(offset..offset.saturating_add(len)).unwrap_or_default().trim().to_owned()),
        Raw::Text(text) => Value::Scalar(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(pairs) => Value::Map(pairs.into_iter().map(|(key, value)| (node(key, text), node(value, text))).collect()),
    };
    Node { span: Span { offset, len }, value }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Empty)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Empty)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::AsWritten)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values have no place in a rule file"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = pairs.next_entry::<Spanned<Raw>, Spanned<Raw>>()? {
            if matches!(key.value, Raw::List(_) | Raw::Map(_)) {
                return Err(A::Error::custom("a key must be a single word"));
            }
            map.push((key, value));
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, Value, parse};

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Empty => "~".to_owned(),
            Value::Scalar(text) => format!("{text}@{}+{}", node.span.offset, node.span.len),
            Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(pairs) => {
                format!(
                    "{{{}}}",
                    pairs.iter().map(|(key, value)| format!("{}: {}", show(key), show(value))).collect::<Vec<_>>().join(", ")
                )
            }
        }
    }

    #[test]
    fn scalars_stay_text_with_their_place_and_repeated_keys_are_kept() {
        let text = "a: no\na: 1_000\nb: [0.82, \"x\", true, 0x10]\nc:\n";
        assert_eq!(
            show(&parse("f", text).unwrap()),
            "{a@0+1: no@3+2, a@6+1: 1_000@9+5, b@15+1: [0.82@19+4, x@25+3, true@30+4, 0x10@36+4], c@42+1: ~}"
        );
    }

    #[test]
    fn anchors_aliases_broken_and_endless_files_are_refused_with_a_place() {
        for text in ["a: &x 1\nb: *x\n", "a: [1, 2\n", "a: b: c\n", "\"\n", &"[".repeat(5_000), "? [a]\n: b\n"] {
            let refused = parse("f", text);
            assert!(refused.is_err(), "{text}");
        }
        let refused = parse("f", "a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(refused.line >= 2, "{refused}");
    }
}
