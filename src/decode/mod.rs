//! From the bytes of a record to an event: Groundwire's own three schemas, in one pass that borrows text from the record.
//!
//! Guarantees: any bytes give either an event or a [`Rejected`] that names the reason, the field, the value and what was
//! expected; nothing panics, and depth, size and list lengths are limited. Absent and `null` fields stay unknown. Fields
//! outside a schema are kept as attributes under their path (`usage.foo`, `contexts[0].page`).
//!
//! Deliberately not done here: comparing event time with any clock (that is ingest's decision) and guessing a format: a
//! value is read as its topic's pinned format, or as the one its `schema` field names, or rejected as unknown.

mod object;
mod own;
mod raw;
mod reader;
pub mod redact;
mod scalar;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::event::{GatewayLog, Input, PipelineEvent, Reason, Text, UserFeedback};
use object::{ObjectSeed, Required};
use reader::Reader;

/// Limits on what a value may hold. Beyond them a record is rejected as `too_large` or `too_deep`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a value.
    pub max_bytes: usize,
    /// Levels of objects and lists; at most 100.
    pub max_depth: usize,
    /// Passages of one answer.
    pub max_contexts: usize,
    /// Items of any other list, classes of `probability`, and attributes.
    pub max_items: usize,
    /// Numbers of an embedding.
    pub max_embedding: usize,
    /// Bytes of an id, a name or a keyword; free text is limited by `max_bytes` alone.
    pub max_name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_depth: 32,
            max_contexts: 4_096,
            max_items: 1_024,
            max_embedding: 16_384,
            max_name_bytes: 1_024,
        }
    }
}

/// An event of one of the own schemas.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all events are gateway logs, and boxing each would cost an allocation")]
pub enum Event<'a> {
    /// `groundwire.gateway_log.v1`.
    Gateway(GatewayLog<'a>),
    /// `groundwire.user_feedback.v1`.
    Feedback(UserFeedback<'a>),
    /// `groundwire.pipeline_event.v1`.
    Pipeline(PipelineEvent<'a>),
}

/// Why a value became no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The reason that is counted.
    pub reason: Reason,
    /// Field, value and expectation, for a person. Quotes the value: it must be redacted and then cut short before it is kept,
    /// in this order, since half a secret is no longer known as one.
    pub detail: String,
    /// The same without anything from the value, for a topic of which no text is kept.
    pub unquoted: String,
}

impl Rejected {
    /// Greatest length of a detail in bytes, far beyond what is kept of it.
    pub const MAX_DETAIL_BYTES: usize = 16 << 10;
    /// Greatest length of what is kept of a detail in bytes.
    pub const KEPT_DETAIL_BYTES: usize = 400;

    /// A value of `length` bytes that exceeds the limit, for a source that did not even hold it whole.
    #[must_use]
    pub fn too_large(length: u64, limits: &Limits) -> Self {
        let most = limits.max_bytes;
        Self::new(
            Reason::TooLarge,
            &format!("the value has {length} bytes, at most {most} are read; raise `max_bytes` or send less"),
        )
    }

    /// With a detail that quotes nothing from the value.
    #[must_use]
    pub fn new(reason: Reason, detail: &str) -> Self {
        Self::quoting(reason, detail, detail.to_owned())
    }

    fn quoting(reason: Reason, detail: &str, unquoted: String) -> Self {
        let mut end = detail.len().min(Self::MAX_DETAIL_BYTES);
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        let cut = detail.get(..end).unwrap_or_default();
        Self { reason, detail: if end < detail.len() { format!("{cut}…") } else { cut.to_owned() }, unquoted }
    }
}

/// Name of the schema of an input.
#[must_use]
pub const fn schema_name(input: Input) -> &'static str {
    match input {
        Input::Gateway => "groundwire.gateway_log.v1",
        Input::Feedback => "groundwire.user_feedback.v1",
        Input::Pipeline => "groundwire.pipeline_event.v1",
    }
}

/// Reads one record's value as an event of the topic's pinned format, or else of the schema that the value names.
///
/// # Errors
///
/// [`Rejected`] is the outcome of the record, not a fault of the service.
pub fn decode<'a>(value: &'a [u8], format: Option<Input>, limits: &Limits) -> Result<Event<'a>, Rejected> {
    let document = Document::open(value, limits)?;
    let input = match format {
        Some(input) => input,
        None => document.detect(limits)?,
    };
    Ok(match input {
        Input::Gateway => Event::Gateway(document.read(input, Required::Schema, limits)?),
        Input::Feedback => Event::Feedback(document.read(input, Required::Schema, limits)?),
        Input::Pipeline => Event::Pipeline(document.read(input, Required::Schema, limits)?),
    })
}

/// Reads an answer for scoring alone: a gateway log in which `event_time` and `request_id` may be absent.
///
/// # Errors
///
/// [`Rejected`], as for [`decode`].
pub fn decode_answer<'a>(value: &'a [u8], limits: &Limits) -> Result<GatewayLog<'a>, Rejected> {
    Document::open(value, limits)?.read(Input::Gateway, Required::Nothing, limits)
}

/// A value known to be text of an allowed size, without its schema-registry frame.
struct Document<'a> {
    text: &'a str,
    /// Schema id of the frame that was stripped.
    frame: Option<u32>,
}

impl<'a> Document<'a> {
    fn open(value: &'a [u8], limits: &Limits) -> Result<Self, Rejected> {
        if value.len() > limits.max_bytes {
            return Err(Rejected::too_large(value.len() as u64, limits));
        }
        let (frame, json) = match value {
            // Confluent's wire format: a zero byte and the schema's id, then the payload.
            [0, a, b, c, d, payload @ ..] => (Some(u32::from_be_bytes([*a, *b, *c, *d])), payload),
            _ => (None, value),
        };
        if let Some(id) = frame
            && !json.trim_ascii_start().starts_with(b"{")
        {
            return Err(Self::unreadable_frame(id));
        }
        let text = std::str::from_utf8(json).map_err(|error| {
            let at = error.valid_up_to();
            Rejected::new(Reason::InvalidJson, &format!("byte {at} is not UTF-8, expected a JSON object"))
        });
        match (text, frame) {
            (Ok(text), _) => Ok(Self { text, frame }),
            (Err(_), Some(id)) => Err(Self::unreadable_frame(id)),
            (Err(rejected), None) => Err(rejected),
        }
    }

    fn unreadable_frame(id: u32) -> Rejected {
        let detail = format!("framed with schema id {id}, but the payload is not JSON; Avro and Protobuf payloads cannot be read");
        Rejected::new(Reason::SchemaRegistryFrame, &detail)
    }

    /// The input whose schema the value names.
    fn detect(&self, limits: &Limits) -> Result<Input, Rejected> {
        let mut peek = Peek::default();
        let outcome = serde_json::Deserializer::from_str(self.text).deserialize_map(&mut peek);
        let known = Input::ALL.into_iter().find(|input| peek.schema.as_deref() == Some(schema_name(*input)));
        match (known, outcome) {
            (Some(input), _) => Ok(input),
            (None, Err(error)) if peek.schema.is_none() => Err(self.rejected(&error, &Reader::new(limits, None))),
            (None, _) => {
                self.check_depth(limits)?;
                let mut detail = match &peek.schema {
                    Some(schema) => format!("schema `{}` is not known here", schema.as_str()),
                    None => "the topic has no pinned format and the event names no `schema`".to_owned(),
                };
                detail.push_str("; top-level keys: ");
                for (number, key) in peek.keys.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(detail, "{comma}{}", key.as_str()).unwrap_or_default();
                }
                let unquoted = "the topic has no pinned format and the event names no `schema` that is known here";
                Err(Rejected::quoting(Reason::UnknownFormat, &detail, unquoted.to_owned()))
            }
        }
    }

    fn read<T: own::OwnEvent<'a>>(&self, input: Input, required: Required, limits: &Limits) -> Result<T, Rejected> {
        let reader = Reader::new(limits, Some(schema_name(input)));
        let mut event = T::default();
        let mut json = serde_json::Deserializer::from_str(self.text);
        let read = ObjectSeed::event(&reader, required, &mut event).deserialize(&mut json).and_then(|()| json.end());
        match read {
            Ok(()) => {
                event.keep(reader.into_attributes());
                Ok(event)
            }
            Err(error) => Err(self.rejected(&error, &reader)),
        }
    }

    fn check_depth(&self, limits: &Limits) -> Result<(), Rejected> {
        let most = limits.max_depth;
        if raw::depth(self.text) > most {
            let detail = format!("nested deeper than {most} levels; flatten the value or raise `max_depth`");
            return Err(Rejected::new(Reason::TooDeep, &detail));
        }
        Ok(())
    }

    /// The outcome for an error of the parser. Decided by what the reader noted and the error's category, never by its text.
    #[cold]
    fn rejected(&self, error: &serde_json::Error, reader: &Reader<'_, '_>) -> Rejected {
        if raw::depth(self.text) > reader.limits().max_depth {
            let most = reader.limits().max_depth;
            return Rejected::new(
                Reason::TooDeep,
                &format!("nested deeper than {most} levels; flatten the value or raise `max_depth`"),
            );
        }
        let (noted, path) = reader.fault();
        let reason = noted.unwrap_or_else(|| match error.classify() {
            serde_json::error::Category::Data if path.is_empty() => Reason::UnknownFormat,
            serde_json::error::Category::Data => Reason::InvalidField,
            _ => raw::syntax_reason(self.text),
        });
        match self.frame {
            Some(id) if reason == Reason::InvalidJson => Self::unreadable_frame(id),
            _ => {
                let detail = if path.is_empty() { error.to_string() } else { format!("field `{path}`: {error}") };
                // What is missing cannot be quoted, and stands within fields of the schema.
                let unquoted = if reason == Reason::MissingField { detail.clone() } else { unquoted(error, reader.fault_field()) };
                Rejected::quoting(reason, &detail, unquoted)
            }
        }
    }
}

/// What can be said of an error without the value: messages of the parser itself quote nothing, all others may.
fn unquoted(error: &serde_json::Error, field: Option<&'static str>) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => {
            let (line, column) = (error.line(), error.column());
            format!("not shown, as no text of this topic is kept, at line {line} column {column}; the dead letter has it")
        }
        _ => error.to_string(),
    };
    field.map_or_else(|| what.clone(), |field| format!("field `{field}`: {what}"))
}

/// Reads top-level keys up to `schema`, then stops.
#[derive(Default)]
struct Peek<'de> {
    schema: Option<Text<'de>>,
    /// The first keys, for the message.
    keys: Vec<Text<'de>>,
}

impl<'de> Visitor<'de> for &mut Peek<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if key.as_str() == "schema" {
                self.schema = Some(map.next_value()?);
                // The rest is read with the schema in hand; an error is serde's only way to stop early.
                return Err(A::Error::custom("stopped at the schema"));
            }
            map.next_value::<IgnoredAny>()?;
            if self.keys.len() < 20 {
                self.keys.push(key);
            }
        }
        Ok(())
    }
}
