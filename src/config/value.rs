//! The kinds of values settings take, and how each is written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::describe::{Setting, Shape};
use super::reader::{Place, Reader, shown};
use crate::event::Input;

/// A number of bytes, written `"64MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A folder or a bucket: a path, or a URL such as `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(pub String);

/// A calendar day in UTC, written `"2026-01-31"`; its first microsecond since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub crate::event::Timestamp);

/// Parses `"90s"`, `"1h30m"`, `"250ms"`.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (digits, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (unit, after) = after.split_at_checked(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()))?;
        let number: u64 = digits.parse().ok()?;
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3_600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

/// Parses `"64MiB"`, `"900kB"`, `"1024B"`.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let factor: u64 = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Text in quotes as it stands in a bound or example.
fn unquoted(text: &str) -> &str {
    text.trim_matches('"')
}

/// Reads a value that is written as a string of a certain form, and holds it to the bounds.
fn read_form<T: PartialOrd>(
    reader: &mut Reader<'_>,
    place: &Place,
    value: &Spanned<DeValue<'_>>,
    (form, example): (&str, &str),
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let DeValue::String(text) = value.get_ref() else {
        let remedy = match value.get_ref() {
            DeValue::Integer(number) if form == "a duration" => format!("give the unit and quotes: \"{number}s\""),
            DeValue::Integer(number) if form == "a size" => format!("give the unit and quotes: \"{number}B\""),
            _ => format!("write it in quotes, for example {example:?}"),
        };
        return reader.wrong_type(place, value, &format!("{form} such as {example:?}"), &remedy);
    };
    let Some(parsed) = parse(text) else {
        return reader.wrong_type(place, value, &format!("{form} such as {example:?}"), "correct the value");
    };
    within(reader, place, value, parsed, |bound| parse(unquoted(bound)))
}

pub(super) fn within<T: PartialOrd>(
    reader: &mut Reader<'_>,
    place: &Place,
    value: &Spanned<DeValue<'_>>,
    found: T,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let Some((least, greatest)) = place.bounds else { return Some(found) };
    let fits = parse(least).is_none_or(|least| least <= found) && parse(greatest).is_none_or(|greatest| found <= greatest);
    if fits {
        return Some(found);
    }
    let message = format!("{} is out of range: {}", place.path, shown(value.get_ref()));
    reader.mistake(place, value, message, &format!("from {least} to {greatest}"), "choose a value within the range")
}

const DURATION: (&str, &str) = ("a duration", "30s");
const SIZE: (&str, &str) = ("a size", "64MiB");
const ADDRESS: (&str, &str) = ("an address with port", "127.0.0.1:9464");
const DAY: (&str, &str) = ("a day", "2026-01-31");

impl Setting for Duration {
    fn shape() -> Shape {
        Shape::Text { form: DURATION.0, example: DURATION.1 }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        read_form(reader, place, value, DURATION, parse_duration)
    }
}

impl Setting for Size {
    fn shape() -> Shape {
        Shape::Text { form: SIZE.0, example: SIZE.1 }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        read_form(reader, place, value, SIZE, |text| parse_size(text).map(Size))
    }
}

impl Setting for SocketAddr {
    fn shape() -> Shape {
        Shape::Text { form: ADDRESS.0, example: ADDRESS.1 }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        read_form(reader, place, value, ADDRESS, |text| text.parse().ok())
    }
}

impl Setting for Day {
    fn shape() -> Shape {
        Shape::Text { form: DAY.0, example: DAY.1 }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let parse = |text: &str| crate::event::Timestamp::parse(&format!("{text}T00:00:00Z")).map(Day);
        read_form(reader, place, value, DAY, parse)
    }
}

impl Setting for String {
    fn shape() -> Shape {
        Shape::Text { form: "text", example: "" }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                reader.wrong_type(place, value, "text that is not empty", "give a value or remove the line")
            }
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => reader.wrong_type(place, value, "text in quotes", "write the value in quotes"),
        }
    }
}

impl Setting for PathBuf {
    fn shape() -> Shape {
        Shape::Text { form: "a path", example: "" }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let path = String::read(reader, place, value)?;
        Some(reader.base.join(path))
    }
}

impl Setting for Location {
    fn shape() -> Shape {
        Shape::Text { form: "a path or a URL", example: "s3://bucket/prefix" }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        const SCHEMES: [&str; 5] = ["file", "s3", "az", "abfss", "gs"];
        let text = String::read(reader, place, value)?;
        let Some((scheme, rest)) = text.split_once("://") else {
            return Some(Self(reader.base.join(text).to_string_lossy().into_owned()));
        };
        if !SCHEMES.contains(&scheme) {
            let expected = "a path, or a URL that starts with s3://, az://, abfss://, gs:// or file://";
            return reader.wrong_type(place, value, expected, "correct the scheme");
        }
        if scheme != "abfss" && rest.split('/').next().is_some_and(|host| host.contains('@')) {
            let message = format!("{} holds credentials", place.path);
            let remedy = "remove them; credentials come from the environment (AWS_…, AZURE_…, GOOGLE_…)";
            let hidden = Place { path: format!("{}.credential", place.path), bounds: None };
            return reader.mistake(&hidden, value, message, "a URL without user and password", remedy);
        }
        Some(Self(text))
    }
}

impl Setting for bool {
    fn shape() -> Shape {
        Shape::Flag
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => reader.wrong_type(place, value, "true or false", "write true or false without quotes"),
        }
    }
}

impl Setting for u64 {
    fn shape() -> Shape {
        Shape::Integer
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let DeValue::Integer(number) = value.get_ref() else {
            return reader.wrong_type(place, value, "a whole number", "write the number without quotes");
        };
        let Ok(number) = Self::from_str_radix(number.as_str(), number.radix()) else {
            return reader.wrong_type(place, value, "a whole number from 0 up", "choose a positive number");
        };
        within(reader, place, value, number, |bound| bound.replace('_', "").parse().ok())
    }
}

/// Smaller integers are read as `u64` within their bounds.
macro_rules! small_integer {
    ($($type:ty),+) => { $(
        impl Setting for $type {
            fn shape() -> Shape {
                Shape::Integer
            }

            fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
                let number = u64::read(reader, place, value)?;
                match Self::try_from(number) {
                    Ok(number) => Some(number),
                    Err(_) => reader.wrong_type(place, value, &format!("a whole number up to {}", Self::MAX), "choose a smaller number"),
                }
            }
        }
    )+ };
}
small_integer!(u16, u32);

impl Setting for f64 {
    fn shape() -> Shape {
        Shape::Number
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let number = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse::<Self>().ok().filter(|number| number.is_finite()),
            _ => None,
        };
        match number {
            Some(number) => within(reader, place, value, number, |bound| bound.replace('_', "").parse().ok()),
            None => reader.wrong_type(place, value, "a number", "write the number without quotes"),
        }
    }
}

impl Setting for Input {
    fn shape() -> Shape {
        Shape::Choice(&[
            ("gateway", "requests with their answers"),
            ("feedback", "what users said of an answer"),
            ("pipeline", "index builds, data jobs, deploys"),
        ])
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        reader.choice(place, value, &Self::ALL.map(|input| (input.as_str(), input)))
    }
}

impl Setting for crate::measure::Dimension {
    fn shape() -> Shape {
        Shape::Choice(&[
            ("tenant", "customer"),
            ("app", "application"),
            ("response_model", "model that answered"),
            ("prompt_version", "version of the prompt template"),
            ("variant", "variant of a canary or A/B test"),
            ("environment", "deployment environment"),
            ("job", "job of a pipeline event"),
            ("index", "grounding index"),
            ("feedback_name", "name of the feedback"),
        ])
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        reader.choice(place, value, &Self::ALL.map(|dimension| (dimension.as_str(), dimension)))
    }
}

impl<T: Setting> Setting for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        T::read(reader, place, value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            return reader.wrong_type(place, value, "a list", "put the values into brackets: [\"…\", \"…\"]");
        };
        let mut whole = true;
        let mut list = Self::new();
        for (number, item) in items.iter().enumerate() {
            let child = Place { path: format!("{}[{number}]", place.path), bounds: place.bounds };
            reader.remember(&child, item);
            match T::read(reader, &child, item) {
                Some(item) => list.push(item),
                None => whole = false,
            }
        }
        whole.then_some(list)
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            return reader.wrong_type(place, value, "a table", &format!("write [{}] on a line of its own", place.path));
        };
        let mut whole = true;
        let mut map = Self::new();
        for (key, item) in table {
            let child = place.child(key.get_ref(), place.bounds);
            reader.remember(&child, item);
            match T::read(reader, &child, item) {
                Some(item) => {
                    map.insert(key.get_ref().clone().into_owned(), item);
                }
                None => whole = false,
            }
        }
        whole.then_some(map)
    }
}
