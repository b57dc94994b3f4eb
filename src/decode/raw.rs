//! Checks of JSON that is kept as it came, and of JSON that could not be read.
//!
//! The parser takes a raw value without looking into it: depth, repeated keys and lone surrogates are looked for here.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashSet;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reader::Reader;
use super::scalar::Number;
use crate::event::{Reason, Text};

/// Greatest depth of objects and lists in a text, whether it is JSON or not.
pub(super) fn depth(text: &str) -> usize {
    let (mut depth, mut greatest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                greatest = greatest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => {
                        bytes.next();
                    }
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    greatest
}

/// Why the parser called a text wrong: its grammar or its characters, or else only a number too great for its field.
pub(super) fn syntax_reason(text: &str) -> Reason {
    let grammatical = serde_json::from_str::<IgnoredAny>(text).is_ok();
    if grammatical && !has_lone_surrogate(text) { Reason::InvalidField } else { Reason::InvalidJson }
}

fn has_lone_surrogate(text: &str) -> bool {
    let mut bytes = text.as_bytes();
    let mut after_high = false;
    loop {
        let unit = match bytes {
            [b'\\', b'u', a, b, c, d, ..] => {
                std::str::from_utf8(&[*a, *b, *c, *d]).ok().and_then(|hex| u16::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        let low = unit.is_some_and(|unit| (0xDC00..0xE000).contains(&unit));
        if low != after_high {
            return true;
        }
        after_high = unit.is_some_and(|unit| (0xD800..0xDC00).contains(&unit));
        let step = match bytes {
            [] => return false,
            _ if unit.is_some() => 6,
            [b'\\', _, ..] => 2,
            _ => 1,
        };
        bytes = bytes.get(step..).unwrap_or_default();
    }
}

/// Checks any JSON value: depth, repeated keys, lone surrogates.
pub(super) fn check<E: Error>(reader: &Reader<'_, '_>, raw: &RawValue) -> Result<(), E> {
    let text = raw.get();
    if text.starts_with(['{', '[']) || text.contains('\\') {
        // The event itself is the first level.
        return run(reader, text, Any { reader, depth: 1 });
    }
    Ok(())
}

/// Checks a map from classes to numbers.
pub(super) fn check_probability<E: Error>(reader: &Reader<'_, '_>, raw: &RawValue) -> Result<(), E> {
    run(reader, raw.get(), Probability(reader))
}

/// Checks a list of numbers.
pub(super) fn check_embedding<E: Error>(reader: &Reader<'_, '_>, raw: &RawValue) -> Result<(), E> {
    run(reader, raw.get(), Embedding(reader))
}

fn run<'t, E: Error, S: DeserializeSeed<'t>>(reader: &Reader<'_, '_>, text: &'t str, seed: S) -> Result<(), E> {
    seed.deserialize(&mut serde_json::Deserializer::from_str(text)).map(|_| ()).map_err(|error| {
        // Kept if the seed noted a reason of its own.
        let reason = if error.is_data() { Reason::InvalidField } else { syntax_reason(text) };
        reader.refuse(reason, format_args!("{error}"))
    })
}

/// Keys of one object, each once.
#[derive(Default)]
struct Keys<'t> {
    few: Vec<Text<'t>>,
    many: HashSet<Text<'t>>,
}

impl<'t> Keys<'t> {
    fn add<E: Error>(&mut self, key: Text<'t>, reader: &Reader<'_, '_>) -> Result<(), E> {
        let repeated = self.few.contains(&key) || self.many.contains(&key);
        if repeated {
            return Err(reader.refuse(Reason::DuplicateKey, format_args!("key `{}` occurs twice in one object", key.as_str())));
        }
        if self.few.len() < 16 {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        Ok(())
    }
}

struct Any<'r, 'l, 'de> {
    reader: &'r Reader<'l, 'de>,
    depth: usize,
}

impl Any<'_, '_, '_> {
    fn deeper<E: Error>(&self) -> Result<usize, E> {
        let most = self.reader.limits().max_depth;
        if self.depth >= most {
            return Err(self.reader.refuse(Reason::TooDeep, format_args!("nested deeper than {most} levels")));
        }
        Ok(self.depth + 1)
    }
}

impl<'t> DeserializeSeed<'t> for Any<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Any<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        while list.next_element_seed(Any { reader: self.reader, depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let mut keys = Keys::default();
        while let Some(key) = map.next_key::<Text<'t>>()? {
            keys.add(key, self.reader)?;
            map.next_value_seed(Any { reader: self.reader, depth })?;
        }
        Ok(())
    }
}

struct Probability<'r, 'l, 'de>(&'r Reader<'l, 'de>);

impl<'t> DeserializeSeed<'t> for Probability<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Probability<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of classes and numbers")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        let most = self.0.limits().max_items;
        let mut keys = Keys::default();
        let mut classes = 0;
        while let Some(class) = map.next_key::<Text<'t>>()? {
            classes += 1;
            if classes > most {
                return Err(self.0.refuse(Reason::TooLarge, format_args!("more than {most} classes")));
            }
            let name = Cow::clone(&class.0);
            keys.add(class, self.0)?;
            let Number(probability) = map.next_value()?;
            if !(0.0..=1.0).contains(&probability) {
                let message = format_args!("class `{name}` is {probability}, expected a number from 0 to 1");
                return Err(self.0.refuse(Reason::InvalidField, message));
            }
        }
        Ok(())
    }
}

struct Embedding<'r, 'l, 'de>(&'r Reader<'l, 'de>);

impl<'t> DeserializeSeed<'t> for Embedding<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Embedding<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<(), A::Error> {
        let most = self.0.limits().max_embedding;
        let mut length = 0;
        while list.next_element::<Number>()?.is_some() {
            length += 1;
            if length > most {
                return Err(self.0.refuse(Reason::TooLarge, format_args!("more than {most} numbers")));
            }
        }
        Ok(())
    }
}
