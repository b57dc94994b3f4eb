//! Redaction of JSON text, token by token, so that everything but the findings stays as it was written.

use std::borrow::Cow;

use super::scan::Hint;
use super::{Failed, Kind, Redactor, key, number};

/// What is done with the numbers of a JSON text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// They may be those of cards or phones.
    Redacted,
    /// They are known to be probabilities, whose many digits only look like a card's.
    Kept,
}

/// The text with every key, string and number redacted.
pub(super) fn redact(redactor: &Redactor, raw: &str, numbers: Numbers) -> Result<String, Failed> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    // The key whose value comes next, or whose list of values is being read.
    let mut under: Option<String> = None;
    let mut in_list = false;
    while let Some(first) = rest.bytes().next() {
        match first {
            b'"' => {
                let (token, after) = string_token(rest)?;
                let text: Cow<'_, str> = serde_json::from_str(token).map_err(|_| Failed::NotJson)?;
                if after.trim_start().starts_with(':') {
                    push(&mut out, token, &text, &redactor.redact(&text)?)?;
                    (under, in_list) = (Some(text.into_owned()), false);
                } else {
                    let hidden = value(redactor, under.as_deref(), &text)?;
                    push(&mut out, token, &text, &hidden)?;
                    under = under.filter(|_| in_list);
                }
                rest = after;
            }
            b'0'..=b'9' | b'-' => {
                let end = rest.bytes().position(|byte| !b"0123456789+-.eE".contains(&byte)).unwrap_or(rest.len());
                let (token, after) = rest.split_at_checked(end).ok_or(Failed::NotJson)?;
                let hidden = match under.as_deref() {
                    _ if numbers == Numbers::Kept => token.into(),
                    Some(name) if key::hides_number(name, token) => redactor.placeholder(Kind::Key, token).into(),
                    Some(name) if number::is_phone_name(name) => redactor.settle(token, Hint::Phone)?.text,
                    _ => redactor.redact(token)?,
                };
                under = under.filter(|_| in_list);
                if hidden == token {
                    out.push_str(token);
                } else {
                    push(&mut out, "", token, &hidden)?;
                }
                rest = after;
            }
            _ => {
                let end = rest.bytes().position(|byte| byte == b'"' || byte == b'-' || byte.is_ascii_digit()).unwrap_or(rest.len());
                let end = if first == b':' { 1 } else { end };
                let (token, after) = rest.split_at_checked(end).ok_or(Failed::NotJson)?;
                match token.trim_ascii() {
                    ":" | "" => {}
                    other if other.contains(['{', '}']) => (under, in_list) = (None, false),
                    _ if in_list => {}
                    opening if opening.starts_with('[') => in_list = under.is_some(),
                    _ => under = None,
                }
                out.push_str(token);
                rest = after;
            }
        }
    }
    Ok(out)
}

/// The text of a string under a key.
fn value<'t>(redactor: &Redactor, under: Option<&str>, text: &'t str) -> Result<Cow<'t, str>, Failed> {
    match under {
        Some(name) if key::is_secret_name(name) && !text.is_empty() => {
            let own = super::scan::placeholders(text, |name| redactor.is_type(name));
            if own.first() == Some(&(0..text.len())) { Ok(text.into()) } else { Ok(redactor.placeholder(Kind::Key, text).into()) }
        }
        Some(name) if number::is_phone_name(name) => Ok(redactor.settle(text, Hint::Phone)?.text),
        _ => redactor.redact(text),
    }
}

fn push(out: &mut String, token: &str, given: &str, hidden: &str) -> Result<(), Failed> {
    if given == hidden && !token.is_empty() {
        out.push_str(token);
    } else {
        out.push_str(&serde_json::to_string(hidden).map_err(|_| Failed::NotJson)?);
    }
    Ok(())
}

/// The string that a text begins with, quotes included, and the rest.
fn string_token(text: &str) -> Result<(&str, &str), Failed> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.split_at_checked(at + 1).ok_or(Failed::NotJson),
            _ => {}
        }
    }
    Err(Failed::NotJson)
}

/// Resolves the escapes of JSON wherever they stand, in text that need not be JSON.
pub(super) fn unescape_loosely(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        rest = match chars.next() {
            Some('u') => {
                let unit = after.get(1..5).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                match unit {
                    Some(unit) => {
                        out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
                        after.get(5..).unwrap_or_default()
                    }
                    None => after,
                }
            }
            Some(escape) => {
                out.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' | 'f' => ' ',
                    other => other,
                });
                chars.as_str()
            }
            None => "",
        };
    }
    out.push_str(rest);
    out.into()
}
