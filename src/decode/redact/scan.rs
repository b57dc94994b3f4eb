//! One pass over the bytes of a text that stops only at bytes by which something to hide could be known.
//!
//! Clean text costs one table look-up per byte, and no text costs more than time in proportion to its length: whatever
//! looks around from a byte looks at a bounded stretch, or at one that no other byte of the kind looks at again.

use std::ops::Range;

use super::{Found, address, key, number};

/// What is known of a text from beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing.
    None,
    /// It stands under a key that names a phone.
    Phone,
}

/// Bytes that give something away: every kind is known by one of them.
const TRIGGERS: [bool; 256] = {
    let mut triggers = [false; 256];
    let bytes = *b"0123456789@:=-_ABGJQSb";
    let mut at = 0;
    while at < bytes.len() {
        triggers[bytes[at] as usize] = true;
        at += 1;
    }
    triggers
};

/// Everything built in to hide, in order and without overlaps.
pub(super) fn scan(text: &str, hint: Hint) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut found: Vec<Found> = Vec::new();
    let (mut at, mut floor) = (0, 0);
    while let Some(offset) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| TRIGGERS[usize::from(*byte)])) {
        at += offset;
        let text = Scanned { bytes, floor };
        let hit = match text.byte(at) {
            b'0'..=b'9' => number::find(text, at, hint),
            b'@' => address::url_password(text, at).or_else(|| address::email(text, at)),
            b':' => address::ipv6(text, at).or_else(|| key::assigned(text, at)),
            b'=' => key::assigned(text, at),
            _ => key::known(text, at),
        };
        match hit {
            // A find may begin before the byte that gave it away, and ends behind it or right there.
            Some((range, kind)) if range.end >= at && range.start >= floor => {
                at = range.end.max(at + 1);
                floor = range.end;
                found.push(Found { range, kind });
            }
            _ => at = text.after_digits(at).max(at + 1),
        }
    }
    found
}

/// Places of placeholders, whoever wrote them.
pub(super) fn placeholders(text: &str, is_type: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (start, _) in text.match_indices('[') {
        let close = text.as_bytes().iter().skip(start).take(super::MAX_NAME_BYTES + 7).position(|byte| *byte == b']');
        let Some(end) = close.map(|length| start + length + 1) else { continue };
        let inner = text.get(start + 1..end - 1).unwrap_or_default();
        let whole = inner.rsplit_once('-').is_some_and(|(name, suffix)| {
            is_type(name) && suffix.len() == 4 && suffix.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if whole {
            places.push(start..end);
        }
    }
    places
}

/// A text and how far it has been dealt with.
#[derive(Clone, Copy)]
pub(super) struct Scanned<'t> {
    pub(super) bytes: &'t [u8],
    /// Nothing before this may be touched.
    pub(super) floor: usize,
}

impl Scanned<'_> {
    /// The byte at a place, 0 beyond the end.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The byte `back` places before another, 0 before the start or the floor.
    pub(super) fn before(&self, at: usize, back: usize) -> u8 {
        at.checked_sub(back).filter(|place| *place >= self.floor).map_or(0, |place| self.byte(place))
    }

    /// The text continues so at a place.
    pub(super) fn has(&self, at: usize, wanted: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(wanted))
    }

    /// As [`Self::has`], whatever the case of ASCII letters.
    pub(super) fn has_any_case(&self, at: usize, wanted: &[u8]) -> bool {
        self.bytes.get(at..at + wanted.len()).is_some_and(|part| part.eq_ignore_ascii_case(wanted))
    }

    /// End of the run of bytes from a place that are of a class.
    pub(super) fn run(&self, at: usize, class: impl Fn(u8) -> bool) -> usize {
        self.bytes.get(at..).map_or(at, |rest| at + rest.iter().position(|byte| !class(*byte)).unwrap_or(rest.len()))
    }

    /// As [`Self::run`], but looks at no more than `most` bytes.
    pub(super) fn run_most(&self, at: usize, most: usize, class: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().take(most).take_while(|byte| class(**byte)).count()
    }

    /// Start of the run of bytes up to a place that are of a class; not before the floor.
    pub(super) fn run_back(&self, at: usize, class: impl Fn(u8) -> bool) -> usize {
        self.run_back_most(at, usize::MAX, class)
    }

    /// As [`Self::run_back`], but looks at no more than `most` bytes.
    pub(super) fn run_back_most(&self, at: usize, most: usize, class: impl Fn(u8) -> bool) -> usize {
        let start = self.floor.max(at.saturating_sub(most));
        let part = self.bytes.get(start..at).unwrap_or_default();
        at - part.iter().rev().take_while(|byte| class(**byte)).count()
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// The same as text, if it is ASCII.
    pub(super) fn ascii(&self, range: Range<usize>) -> &str {
        self.bytes.get(range).filter(|part| part.is_ascii()).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
    }

    fn after_digits(&self, at: usize) -> usize {
        self.run(at, |byte| byte.is_ascii_digit())
    }
}

/// A letter, digit or underscore of ASCII.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
