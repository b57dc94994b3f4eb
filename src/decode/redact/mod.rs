//! Takes personal data and secrets out of text before anything of it is written, logged or mailed.
//!
//! Found are e-mail addresses, phone numbers, card numbers (Luhn), IBANs (mod 97), keys and tokens, passwords that are
//! assigned or stand in URLs, IP addresses, and configured patterns. Each becomes a typed placeholder with a keyed suffix of
//! what it hides (`[PHONE-3f9a]`), so that a swapped number is still seen as swapped.
//!
//! Guarantees: nothing is found in redacted text any more, so redacting twice changes nothing. A text in which every
//! placeholder lets a configured pattern match anew (`\bE\d+` in `E1E2E3…`) is hidden whole. Where JSON cannot be unescaped, the
//! answer is [`Failed`] and never the text. Years, prices, dates, ids, versions and ordinary numbers are left alone as far as
//! their shape allows.
//!
//! Deliberately not found: names and postal addresses of people, numbers spelled out in words or in other digits than 0–9,
//! and secrets that look like any other random id unless something beside them says what they are.

mod address;
mod json;
mod key;
mod number;
mod scan;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use regex::Regex;

/// What the redactor is built from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key of all hashes. Whoever has it can test guesses of what is hidden.
    pub key: [u8; 32],
    /// Patterns of one's own.
    pub patterns: Vec<Pattern>,
}

/// A pattern of one's own.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Its type in placeholders: upper-case letters, digits, underscores.
    pub name: String,
    /// Regular expression, in the syntax of the `regex` crate.
    pub regex: String,
}

/// Why a redactor cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of a pattern does not fit a placeholder.
    #[error(
        "redaction pattern `{0}`: expected a name of at most 32 upper-case letters, digits and underscores, for example EMPLOYEE_ID"
    )]
    Name(String),
    /// A regular expression is wrong.
    #[error("redaction pattern `{name}`: {source}")]
    Regex {
        /// Name of the pattern.
        name: String,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// A regular expression matches nothing at all, which would match everywhere.
    #[error("redaction pattern `{0}` matches the empty text, expected one that matches at least one character")]
    Empty(String),
}

/// The text could not be redacted, so nothing of it may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Even a placeholder for all of the text holds something to hide.
    #[error("redaction does not settle, the text is dropped")]
    Unsettled,
    /// JSON that cannot be unescaped.
    #[error("text is not JSON, expected JSON to redact")]
    NotJson,
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Email,
    Phone,
    Card,
    Iban,
    Key,
    Ip,
    /// A configured pattern, by its place in the settings.
    Pattern(usize),
}

/// A stretch of text to hide.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    range: Range<usize>,
    kind: Kind,
}

/// Rounds after which redaction is given up. One does nearly always; more where a placeholder cuts something else loose.
const MAX_ROUNDS: usize = 8;

/// Longest name of a pattern.
const MAX_NAME_BYTES: usize = 32;

/// Finds and replaces; shared by all who write text.
#[derive(Clone, Debug)]
pub struct Redactor {
    key: [u8; 32],
    patterns: Vec<(String, Regex)>,
}

impl Redactor {
    /// Builds a redactor.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let mut patterns = Vec::new();
        for Pattern { name, regex } in &settings.patterns {
            let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(fits) {
                return Err(Error::Name(name.clone()));
            }
            let regex = Regex::new(regex).map_err(|source| Error::Regex { name: name.clone(), source })?;
            if regex.is_match("") {
                return Err(Error::Empty(name.clone()));
            }
            patterns.push((name.clone(), regex));
        }
        Ok(Self { key: settings.key, patterns })
    }

    /// The text without what must be hidden; borrowed if there was nothing.
    pub fn redact<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Failed> {
        Ok(self.redact_with_spans(text)?.text)
    }

    /// As [`Self::redact`], with a mapping of places back to the given text.
    pub fn redact_with_spans<'t>(&self, text: &'t str) -> Result<Redacted<'t>, Failed> {
        self.settle(text, scan::Hint::None)
    }

    /// Redacts every key, string and number of a JSON text, after unescaping. A key says what its value is: whatever stands
    /// under `password` or `api_key` is hidden whole.
    pub fn redact_json(&self, raw: &str) -> Result<String, Failed> {
        json::redact(self, raw, json::Numbers::Redacted)
    }

    /// Redacts the keys of a JSON object of probabilities by class. Its numbers were checked to lie within 0 and 1 and stay: one in ten
    /// with sixteen digits would pass for the number of a card.
    pub fn redact_probabilities(&self, raw: &str) -> Result<String, Failed> {
        json::redact(self, raw, json::Numbers::Kept)
    }

    /// The redacted start of any bytes, at most `max_bytes` long: for what could not be read as an event.
    pub fn excerpt(&self, value: &[u8], max_bytes: usize) -> Result<String, Failed> {
        let window = value.get(..max_bytes.saturating_mul(2)).unwrap_or(value);
        let text = String::from_utf8_lossy(window);
        let mut excerpt = self.redact(&json::unescape_loosely(&text))?.into_owned();
        // What the window's end cut through may no longer be recognised.
        let tail = if window.len() < value.len() { 256 } else { 0 };
        let length = excerpt.len().saturating_sub(tail).min(max_bytes);
        truncate(&mut excerpt, length);
        Ok(excerpt)
    }

    /// Keyed hash of a user's id: 32 hex characters, equal for equal ids under one key.
    #[must_use]
    pub fn hash_user(&self, id: &str) -> String {
        self.hash("user", id)
    }

    /// Keyed hash of a text that is stored as hash only: 32 hex characters.
    #[must_use]
    pub fn hash_text(&self, text: &str) -> String {
        self.hash("text", text)
    }

    fn hash(&self, domain: &str, content: &str) -> String {
        let hash = self.digest(domain, content).to_hex();
        hash.as_str().get(..32).unwrap_or_default().to_owned()
    }

    fn digest(&self, domain: &str, content: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(domain.as_bytes()).update(&[0]).update(content.as_bytes());
        hasher.finalize()
    }

    fn settle<'t>(&self, text: &'t str, hint: scan::Hint) -> Result<Redacted<'t>, Failed> {
        let mut redacted = Redacted { text: Cow::Borrowed(text), given: text, replaced: Vec::new() };
        for _ in 0..MAX_ROUNDS {
            let found = self.find(&redacted.text, hint);
            if found.is_empty() {
                return Ok(redacted);
            }
            redacted.replace(&found, |kind, content| self.placeholder(kind, content));
        }
        let Some(Found { kind, .. }) = self.find(&redacted.text, hint).into_iter().next() else { return Ok(redacted) };
        let whole = self.placeholder(kind, text);
        redacted.replaced = vec![(0..text.len(), 0..whole.len())];
        redacted.text = Cow::Owned(whole);
        if self.find(&redacted.text, hint).is_empty() { Ok(redacted) } else { Err(Failed::Unsettled) }
    }

    /// Everything to hide, in order and without overlaps; nothing that lies within a placeholder.
    fn find(&self, text: &str, hint: scan::Hint) -> Vec<Found> {
        let mut found = scan::scan(text, hint);
        if self.patterns.is_empty() {
            return found;
        }
        for (number, (_, regex)) in self.patterns.iter().enumerate() {
            let kind = Kind::Pattern(number);
            found.extend(regex.find_iter(text).map(|m| Found { range: m.range(), kind }).filter(|f| !f.range.is_empty()));
        }
        let placeholders = scan::placeholders(text, |name| self.is_type(name));
        found.retain(|f| !touching(&placeholders, &f.range).iter().any(|p| p.start <= f.range.start && f.range.end <= p.end));
        found.sort_by_key(|f| (f.range.start, std::cmp::Reverse(f.range.end)));
        let mut merged: Vec<Found> = Vec::new();
        for f in found {
            // A pattern must not cut a placeholder open: it takes it whole.
            let touched = touching(&placeholders, &f.range).iter();
            let range = touched.fold(f.range.clone(), |range, p| range.start.min(p.start)..range.end.max(p.end));
            match merged.last_mut() {
                Some(last) if range.start < last.range.end => last.range.end = last.range.end.max(range.end),
                _ => merged.push(Found { range, kind: f.kind }),
            }
        }
        merged
    }

    fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Email => "EMAIL",
            Kind::Phone => "PHONE",
            Kind::Card => "CARD",
            Kind::Iban => "IBAN",
            Kind::Key => "KEY",
            Kind::Ip => "IP",
            Kind::Pattern(number) => self.patterns.get(number).map_or("PATTERN", |(name, _)| name),
        }
    }

    fn is_type(&self, name: &str) -> bool {
        matches!(name, "EMAIL" | "PHONE" | "CARD" | "IBAN" | "KEY" | "IP") || self.patterns.iter().any(|(known, _)| known == name)
    }

    /// `[TYPE-3f9a]`: equal for equal content however it is written.
    fn placeholder(&self, kind: Kind, content: &str) -> String {
        let normal: Cow<'_, str> = match kind {
            Kind::Email => content.to_lowercase().into(),
            Kind::Phone => {
                let digits: String = content.chars().filter(char::is_ascii_digit).collect();
                digits.strip_prefix("00").map(str::to_owned).unwrap_or(digits).into()
            }
            Kind::Card => content.chars().filter(char::is_ascii_digit).collect::<String>().into(),
            Kind::Iban => content.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase().into(),
            Kind::Ip => content.to_lowercase().into(),
            Kind::Key | Kind::Pattern(_) => content.into(),
        };
        let name = self.name(kind);
        let hash = self.digest(name, &normal).to_hex();
        format!("[{name}-{}]", hash.as_str().get(..4).unwrap_or_default())
    }
}

/// Redacted text, and where its parts were in the text as given.
#[derive(Clone, Debug)]
pub struct Redacted<'t> {
    /// The redacted text.
    pub text: Cow<'t, str>,
    given: &'t str,
    /// Stretches of the given text and of the redacted one that took their place, in order, in bytes.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

impl Redacted<'_> {
    /// Something was hidden.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.replaced.is_empty()
    }

    /// A half-open span of the redacted text as one of the given text, both in Unicode code points. A span that touches a
    /// placeholder covers all that it hides.
    #[must_use]
    pub fn given_span(&self, span: Range<usize>) -> Range<usize> {
        if !self.changed() {
            return span;
        }
        let byte = |text: &str, point: usize| text.char_indices().nth(point).map_or(text.len(), |(at, _)| at);
        let point = |at: usize| self.given.char_indices().take_while(|(start, _)| *start < at).count();
        let (start, end) = (byte(&self.text, span.start), byte(&self.text, span.end));
        point(self.given_start(start))..point(self.given_end(end))
    }

    /// Start in the given text of what begins at a byte of the redacted text.
    fn given_start(&self, at: usize) -> usize {
        match self.last(|now| now.start <= at) {
            Some((given, now)) if at < now.end => given.start,
            Some((given, now)) => given.end + (at - now.end),
            None => at,
        }
    }

    /// End in the given text of what ends at a byte of the redacted text.
    fn given_end(&self, at: usize) -> usize {
        match self.last(|now| now.start < at) {
            Some((given, now)) if at <= now.end => given.end,
            Some((given, now)) => given.end + (at - now.end),
            None => at,
        }
    }

    /// The last replacement of which something holds that holds of all before it.
    fn last(&self, holds: impl Fn(&Range<usize>) -> bool) -> Option<&(Range<usize>, Range<usize>)> {
        let count = self.replaced.partition_point(|(_, now)| holds(now));
        count.checked_sub(1).and_then(|place| self.replaced.get(place))
    }

    fn replace(&mut self, found: &[Found], placeholder: impl Fn(Kind, &str) -> String) {
        let mut hidden: Vec<(Range<usize>, String)> = Vec::with_capacity(found.len());
        for Found { range, kind } in found {
            let content = self.text.get(range.clone()).unwrap_or_default();
            hidden.push((self.given_start(range.start)..self.given_end(range.end), placeholder(*kind, content)));
        }
        let taken: Vec<Range<usize>> = hidden.iter().map(|(given, _)| given.clone()).collect();
        for (given, now) in &self.replaced {
            if touching(&taken, given).is_empty() {
                hidden.push((given.clone(), self.text.get(now.clone()).unwrap_or_default().to_owned()));
            }
        }
        hidden.sort_by_key(|(given, _)| given.start);
        let mut text = String::with_capacity(self.given.len());
        let mut at = 0;
        self.replaced.clear();
        for (given, shown) in hidden {
            text.push_str(self.given.get(at..given.start).unwrap_or_default());
            let start = text.len();
            text.push_str(&shown);
            at = given.end;
            self.replaced.push((given, start..text.len()));
        }
        text.push_str(self.given.get(at..).unwrap_or_default());
        self.text = Cow::Owned(text);
    }
}

/// Those of some ranges, in order and without overlaps, that share something with another.
fn touching<'r>(ranges: &'r [Range<usize>], with: &Range<usize>) -> &'r [Range<usize>] {
    let first = ranges.partition_point(|range| range.end <= with.start);
    let rest = ranges.get(first..).unwrap_or_default();
    rest.get(..rest.partition_point(|range| range.start < with.end)).unwrap_or_default()
}

/// Cuts a text to at most `length` bytes without cutting a character.
fn truncate(text: &mut String, length: usize) {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}
