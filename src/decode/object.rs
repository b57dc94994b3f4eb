//! Objects of a schema: a table of fields and their kinds, and the one loop that reads by it.
//!
//! Guarantees that a key occurs once in an object and that required fields are there. Objects are filled in place, so that
//! large events are not moved about.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::reader::Reader;
use crate::event::{Reason, Text};

/// An object of a schema.
pub(super) trait Object<'de> {
    /// Names of the fields, in the order of the bits of [`Seen`].
    const FIELDS: &'static [&'static str];
    /// Fields that must be there.
    const REQUIRED: &'static [&'static str];

    /// Reads the value of field `key` into its place, or returns false if there is no such field.
    fn read<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        seen: &mut Seen,
        map: &mut A,
        reader: &Reader<'_, 'de>,
    ) -> Result<bool, A::Error>;

    /// Checks what concerns more than one field.
    fn check<E: Error>(&self, _reader: &Reader<'_, 'de>) -> Result<(), E> {
        Ok(())
    }
}

/// Makes an [`Object`] from a table of fields and their kinds; a kind is a method of [`Reader`].
macro_rules! object {
    ($type:ty, required: [$($required:ident),*], $($field:ident: $kind:ident,)+) => {
        object!($type, required: [$($required),*], check: |_, _| Ok(()), $($field: $kind,)+);
    };
    ($type:ty, required: [$($required:ident),*], check: $check:expr, $($field:ident: $kind:ident,)+) => {
        impl<'de> $crate::decode::object::Object<'de> for $type {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];
            const REQUIRED: &'static [&'static str] = &[$(stringify!($required)),*];

            fn read<A: serde::de::MapAccess<'de>>(
                &mut self,
                key: &str,
                seen: &mut $crate::decode::object::Seen,
                map: &mut A,
                reader: &$crate::decode::reader::Reader<'_, 'de>,
            ) -> Result<bool, A::Error> {
                #[derive(Clone, Copy)]
                #[expect(non_camel_case_types, reason = "named after the fields, to number them")]
                enum Field { $($field),+ }
                match key {
                    $(stringify!($field) => {
                        reader.once(seen, Field::$field as u32, stringify!($field))?;
                        reader.within(stringify!($field), reader.$kind(map, &mut self.$field))?;
                    })+
                    _ => return Ok(false),
                }
                Ok(true)
            }

            fn check<E: serde::de::Error>(&self, reader: &$crate::decode::reader::Reader<'_, 'de>) -> Result<(), E> {
                let check: fn(&Self, &$crate::decode::reader::Reader<'_, 'de>) -> Result<(), E> = $check;
                check(self, reader)
            }
        }
    };
}
pub(super) use object;

/// The fields of an object that were read, one bit each.
#[derive(Default)]
pub(super) struct Seen(u64);

impl Seen {
    /// Adds a field; false if it was there.
    pub(super) fn add(&mut self, number: u32) -> bool {
        let before = self.0;
        self.0 |= 1 << number;
        self.0 != before
    }
}

/// Whether required fields must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    /// As the schema says.
    Schema,
    /// Anything may be absent.
    Nothing,
}

/// Reads an object into a place that exists, so that large events are not moved about.
pub(super) struct ObjectSeed<'s, 'l, 'de, T> {
    reader: &'s Reader<'l, 'de>,
    required: Required,
    /// Field and index that hold the object; `None` for the event itself.
    place: Option<(&'static str, Option<usize>)>,
    slot: &'s mut T,
}

impl<'s, 'l, 'de, T> ObjectSeed<'s, 'l, 'de, T> {
    pub(super) fn event(reader: &'s Reader<'l, 'de>, required: Required, slot: &'s mut T) -> Self {
        Self { reader, required, place: None, slot }
    }

    pub(super) fn inner(reader: &'s Reader<'l, 'de>, field: &'static str, slot: &'s mut T) -> Self {
        Self { reader, required: Required::Schema, place: Some((field, None)), slot }
    }
}

impl<'de, T: Object<'de>> DeserializeSeed<'de> for ObjectSeed<'_, '_, 'de, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.place.is_none() { deserializer.deserialize_map(self) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for ObjectSeed<'_, '_, 'de, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with ")?;
        let names = if T::REQUIRED.is_empty() { T::FIELDS } else { T::REQUIRED };
        for (number, name) in names.iter().take(8).enumerate() {
            write!(f, "{}{name}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }

    /// `null`: as if the field were absent.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.place {
            // An item of a list cannot be absent, and neither can an event.
            Some((_, Some(_))) | None => Err(E::invalid_type(Unexpected::Unit, &self)),
            Some(_) => self.slot.check(self.reader),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.reader;
        let mut seen = Seen::default();
        let mut schema_seen = Seen::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if self.slot.read(&key, &mut seen, &mut map, reader)? {
                continue;
            }
            match self.place {
                None if key.as_str() == "schema" => {
                    reader.once(&mut schema_seen, 0, "schema")?;
                    reader.within("schema", map.next_value().and_then(|named| reader.check_schema(&named)))?;
                }
                None => reader.attribute(key, map.next_value()?)?,
                Some((field, None)) => reader.attribute(format!("{field}.{}", key.as_str()).into(), map.next_value()?)?,
                Some((field, Some(index))) => {
                    reader.attribute(format!("{field}[{index}].{}", key.as_str()).into(), map.next_value()?)?;
                }
            }
        }
        if self.required == Required::Schema {
            for (number, name) in T::FIELDS.iter().enumerate() {
                if seen.0 & (1 << number) == 0 && T::REQUIRED.contains(name) {
                    return Err(reader.refuse(Reason::MissingField, format_args!("field `{name}` is missing")));
                }
            }
        }
        self.slot.check(reader)
    }
}

/// Reads a list of objects.
pub(super) struct ListSeed<'s, 'l, 'de, T> {
    reader: &'s Reader<'l, 'de>,
    field: &'static str,
    most: usize,
    slot: &'s mut Vec<T>,
}

impl<'s, 'l, 'de, T> ListSeed<'s, 'l, 'de, T> {
    pub(super) fn new(reader: &'s Reader<'l, 'de>, field: &'static str, most: usize, slot: &'s mut Vec<T>) -> Self {
        Self { reader, field, most, slot }
    }
}

impl<'de, T: Object<'de> + Default> DeserializeSeed<'de> for ListSeed<'_, '_, 'de, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Object<'de> + Default> Visitor<'de> for ListSeed<'_, '_, 'de, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { reader, field, most, slot } = self;
        loop {
            let index = slot.len();
            let mut item = T::default();
            let seed = ObjectSeed { reader, required: Required::Schema, place: Some((field, Some(index))), slot: &mut item };
            let read = list.next_element_seed(seed);
            let read = if read.is_err() { reader.within(&format!("[{index}]"), read) } else { read };
            if read?.is_none() {
                return Ok(());
            }
            if index == most {
                return Err(reader.refuse(Reason::TooLarge, format_args!("more than {most} items")));
            }
            slot.push(item);
        }
    }
}

/// Reads the object of additional fields.
pub(super) struct AttributesSeed<'s, 'l, 'de>(pub(super) &'s Reader<'l, 'de>);

impl<'de> DeserializeSeed<'de> for AttributesSeed<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AttributesSeed<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'de>>()? {
            self.0.attribute(name, map.next_value()?)?;
        }
        Ok(())
    }
}
