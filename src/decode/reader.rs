//! Reads the fields of schema objects out of JSON: one kind of field, one method.
//!
//! Guarantees that values are within the limits, and that on an error the reader knows the reason and the path of the
//! field. serde's error types carry neither, and their text decides nothing: both are noted beside the error while it
//! travels up.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{Error, MapAccess};
use serde_json::value::RawValue;

use super::object::{AttributesSeed, ListSeed, Object, ObjectSeed, Seen};
use super::scalar::{Count, NameOrNumber, Number, Score};
use super::{Limits, raw};
use crate::event::{Attribute, Reason, Text, Timestamp};

/// 2000-01-01 and 2100-01-01. A time outside is a mistake of unit (seconds or microseconds taken for milliseconds).
const YEARS: std::ops::Range<Timestamp> = Timestamp(946_684_800_000_000)..Timestamp(4_102_444_800_000_000);

/// Reads fields within the limits; collects attributes, and reason and path of an error.
pub(super) struct Reader<'l, 'de> {
    limits: &'l Limits,
    /// The schema that an event's own `schema` field must name.
    schema: Option<&'static str>,
    attributes: RefCell<Vec<Attribute<'de>>>,
    fault: RefCell<(Option<Reason>, String)>,
    /// The field being read: where a field outside the schema of an inner object came from.
    field: Cell<&'static str>,
}

impl<'l, 'de> Reader<'l, 'de> {
    pub(super) fn new(limits: &'l Limits, schema: Option<&'static str>) -> Self {
        Self { limits, schema, attributes: RefCell::default(), fault: RefCell::default(), field: Cell::default() }
    }

    pub(super) fn limits(&self) -> &'l Limits {
        self.limits
    }

    pub(super) fn into_attributes(self) -> Vec<Attribute<'de>> {
        self.attributes.into_inner()
    }

    /// Reason, if this reader refused something, and path of the field where the error arose; empty for the top.
    pub(super) fn fault(&self) -> (Option<Reason>, String) {
        self.fault.borrow().clone()
    }

    /// The field of a schema where the error arose, by its name in the schema; `None` if it arose outside of one.
    pub(super) fn fault_field(&self) -> Option<&'static str> {
        let path = &self.fault.borrow().1;
        let field = self.field.get();
        let last = path.trim_end_matches(|at: char| at.is_ascii_digit() || at == '[' || at == ']').rsplit(['.', ']']).next();
        (last == Some(field)).then_some(field)
    }

    /// Notes the reason and makes the error that carries it up.
    #[cold]
    pub(super) fn refuse<E: Error>(&self, reason: Reason, message: fmt::Arguments<'_>) -> E {
        self.fault.borrow_mut().0.get_or_insert(reason);
        E::custom(message)
    }

    /// Adds a step to the path of an error on its way up.
    pub(super) fn within<T, E>(&self, step: &str, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.prepend(step);
        }
        result
    }

    #[cold]
    fn prepend(&self, step: &str) {
        let path = &mut self.fault.borrow_mut().1;
        if !path.is_empty() && !path.starts_with('[') {
            path.insert(0, '.');
        }
        path.insert_str(0, step);
    }

    pub(super) fn once<E: Error>(&self, seen: &mut Seen, number: u32, field: &'static str) -> Result<(), E> {
        if !seen.add(number) {
            return Err(self.refuse(Reason::DuplicateKey, format_args!("key `{field}` occurs twice in one object")));
        }
        self.field.set(field);
        Ok(())
    }

    /// Checks that an event's `schema` field names the schema it is read as.
    pub(super) fn check_schema<E: Error>(&self, named: &Text<'de>) -> Result<(), E> {
        match self.schema {
            Some(expected) if named.as_str() != expected => {
                let named = named.as_str();
                Err(self
                    .refuse(Reason::UnknownFormat, format_args!("is `{named}`, expected `{expected}`, the format of this topic")))
            }
            _ => Ok(()),
        }
    }

    /// Keeps a field outside the schema.
    pub(super) fn attribute<E: Error>(&self, name: Text<'de>, value: &'de RawValue) -> Result<(), E> {
        self.within(&name, self.short(&name).and_then(|()| raw::check(self, value)))?;
        let mut attributes = self.attributes.borrow_mut();
        if attributes.iter().any(|known| known.name == name) {
            return Err(self.refuse(Reason::DuplicateKey, format_args!("attribute `{}` occurs twice", name.as_str())));
        }
        if attributes.len() == self.limits.max_items {
            let most = self.limits.max_items;
            return Err(self.refuse(Reason::TooLarge, format_args!("more than {most} fields outside the schema")));
        }
        attributes.push(Attribute { name, value });
        Ok(())
    }
}

/// The kinds of fields.
#[expect(clippy::unused_self, reason = "the table of fields calls every kind in one way")]
impl<'de> Reader<'_, 'de> {
    /// Free text.
    pub(super) fn text<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<Text<'de>>) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        Ok(())
    }

    /// An id, a name or a keyword.
    pub(super) fn name<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<Text<'de>>) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        slot.as_ref().map_or(Ok(()), |name| self.short(name))
    }

    /// A name that must be there and say something.
    pub(super) fn required_name<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Text<'de>) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        if slot.is_empty() {
            return Err(self.refuse(Reason::InvalidField, format_args!("is empty, expected at least one character")));
        }
        self.short(slot)
    }

    /// A name, or a number that is kept as one.
    pub(super) fn name_or_number<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<Text<'de>>) -> Result<(), A::Error> {
        *slot = map.next_value::<Option<NameOrNumber<'de>>>()?.map(|name| name.0);
        slot.as_ref().map_or(Ok(()), |name| self.short(name))
    }

    fn short<E: Error>(&self, name: &Text<'de>) -> Result<(), E> {
        let (length, most) = (name.len(), self.limits.max_name_bytes);
        if length > most {
            return Err(self.refuse(Reason::TooLarge, format_args!("has {length} bytes, expected at most {most}")));
        }
        Ok(())
    }

    /// A whole number, 0 or more.
    pub(super) fn count<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<i64>) -> Result<(), A::Error> {
        *slot = map.next_value::<Option<Count>>()?.map(|count| count.0);
        Ok(())
    }

    /// An HTTP status. 0 is what proxies write when there was no reply.
    pub(super) fn http_status<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<i64>) -> Result<(), A::Error> {
        self.count(map, slot)?;
        match *slot {
            Some(code) if code > 999 => {
                Err(self.refuse(Reason::InvalidField, format_args!("is {code}, expected an HTTP status of three digits")))
            }
            _ => Ok(()),
        }
    }

    /// A number, 0 or more.
    pub(super) fn amount<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<f64>) -> Result<(), A::Error> {
        self.number(map, slot)?;
        match *slot {
            Some(amount) if amount < 0.0 => {
                Err(self.refuse(Reason::InvalidField, format_args!("is {amount}, expected a number, 0 or more")))
            }
            _ => Ok(()),
        }
    }

    /// Any finite number.
    pub(super) fn number<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<f64>) -> Result<(), A::Error> {
        // JSON has no NaN and no infinity, and serde_json refuses numbers beyond an f64.
        *slot = map.next_value::<Option<Number>>()?.map(|number| number.0);
        Ok(())
    }

    /// A number, or a boolean that counts as 0 or 1.
    pub(super) fn score<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<f64>) -> Result<(), A::Error> {
        *slot = map.next_value::<Option<Score>>()?.map(|score| score.0);
        Ok(())
    }

    /// True or false.
    pub(super) fn boolean<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<bool>) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        Ok(())
    }

    /// A time.
    pub(super) fn time<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<Timestamp>) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        slot.map_or(Ok(()), |time| self.plausible(time))
    }

    /// A time that must be there.
    pub(super) fn required_time<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Timestamp) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        self.plausible(*slot)
    }

    fn plausible<E: Error>(&self, time: Timestamp) -> Result<(), E> {
        if YEARS.contains(&time) {
            return Ok(());
        }
        let expected = "a time from 2000 to 2099, as RFC 3339 or as milliseconds (not seconds or microseconds) since 1970";
        Err(self.refuse(Reason::InvalidField, format_args!("is {}, expected {expected}", time.date())))
    }

    /// One of a closed list of words.
    pub(super) fn word<A: MapAccess<'de>, W: Word>(&self, map: &mut A, slot: &mut Option<W>) -> Result<(), A::Error> {
        if let Some(text) = map.next_value::<Option<Text<'de>>>()? {
            *slot = Some(self.find_word(&text)?);
        }
        Ok(())
    }

    /// One of a closed list of words, which must be there.
    pub(super) fn required_word<A: MapAccess<'de>, W: Word>(&self, map: &mut A, slot: &mut W) -> Result<(), A::Error> {
        *slot = self.find_word(&map.next_value::<Text<'de>>()?)?;
        Ok(())
    }

    fn find_word<W: Word, E: Error>(&self, text: &str) -> Result<W, E> {
        let found = W::WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = W::WORDS.iter().map(|(word, _)| *word).collect();
            self.refuse(Reason::InvalidField, format_args!("is `{text}`, expected one of {}", words.join(", ")))
        })
    }

    /// An object of a schema within the event.
    pub(super) fn object<A: MapAccess<'de>, T: Object<'de>>(&self, map: &mut A, slot: &mut T) -> Result<(), A::Error> {
        map.next_value_seed(ObjectSeed::inner(self, self.field.get(), slot))
    }

    /// The passages of an answer.
    pub(super) fn contexts<A: MapAccess<'de>, T: Object<'de> + Default>(
        &self,
        map: &mut A,
        slot: &mut Vec<T>,
    ) -> Result<(), A::Error> {
        map.next_value_seed(ListSeed::new(self, self.field.get(), self.limits.max_contexts, slot))
    }

    /// A list of objects of a schema.
    pub(super) fn list<A: MapAccess<'de>, T: Object<'de> + Default>(&self, map: &mut A, slot: &mut Vec<T>) -> Result<(), A::Error> {
        map.next_value_seed(ListSeed::new(self, self.field.get(), self.limits.max_items, slot))
    }

    /// A map from classes to numbers, kept as it came.
    pub(super) fn probability<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<&'de RawValue>) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        slot.map_or(Ok(()), |raw| raw::check_probability(self, raw))
    }

    /// A list of numbers, kept as it came.
    pub(super) fn embedding<A: MapAccess<'de>>(&self, map: &mut A, slot: &mut Option<&'de RawValue>) -> Result<(), A::Error> {
        *slot = map.next_value()?;
        slot.map_or(Ok(()), |raw| raw::check_embedding(self, raw))
    }

    /// The object of additional fields. They join those found outside it, so the event's own list is filled at the end.
    pub(super) fn attributes<A: MapAccess<'de>>(&self, map: &mut A, _slot: &mut Vec<Attribute<'de>>) -> Result<(), A::Error> {
        map.next_value_seed(AttributesSeed(self))
    }
}

/// A closed list of words, each with its value.
pub(super) trait Word: Copy + 'static {
    /// The words.
    const WORDS: &'static [(&'static str, Self)];
}
