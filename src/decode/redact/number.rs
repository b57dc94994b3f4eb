//! Card numbers, IBANs, IPv4 addresses and phone numbers: everything that begins with a digit, a `+` or a `(`.
//!
//! The first three are certain by checksum or range. A phone number is known by its shape alone, so shapes that dates,
//! prices, versions and ids share are left out unless a word beside them says what they are.

use std::ops::Range;

use super::Kind;
use super::scan::{Hint, Scanned, is_word};

/// Digits that belong together, and what separates them from the digits before.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    end: usize,
    /// The separator before: its most telling byte (`-`, `.`, `/`, `(`, else a blank), 0 for the first.
    separator: u8,
}

impl Part {
    fn len(&self) -> usize {
        self.end - self.start
    }
}

/// More parts than any number to hide has.
const MAX_PARTS: usize = 10;

/// Fewest digits of a phone number; a card has more.
const LEAST_DIGITS: usize = 7;

/// What begins with the run of digits at a place.
pub(super) fn find(text: Scanned<'_>, at: usize, hint: Hint) -> Option<(Range<usize>, Kind)> {
    if let Some(range) = iban(text, at) {
        return Some((range, Kind::Iban));
    }
    let before = text.before(at, 1);
    if before.is_ascii_digit() {
        return None;
    }
    // Most runs of digits stand within ids, and are too short for anything unless more digits are set off from them.
    let end = text.run(at, |byte| byte.is_ascii_digit());
    if end - at < LEAST_DIGITS && !matches!(text.byte(end), b' ' | b'(' | b')' | b'-' | b'.' | b'/' | 0x80..) {
        return None;
    }
    if let Some(range) = ipv4(text, at) {
        return Some((range, Kind::Ip));
    }
    let mut buffer = [Part { start: at, end: at, separator: 0 }; MAX_PARTS];
    let count = split(text, at, &mut buffer);
    let parts = buffer.get(..count).unwrap_or_default();
    if let Some(range) = card(text, parts) {
        return Some((range, Kind::Card));
    }
    if is_word(before) {
        return None;
    }
    phone(text, parts, hint).map(|range| (range, Kind::Phone))
}

/// Splits what begins at a place into runs of digits with at most three separating characters between.
fn split(text: Scanned<'_>, at: usize, parts: &mut [Part]) -> usize {
    let (mut start, mut separator, mut count) = (at, 0, 0);
    for part in parts {
        let end = text.run(start, |byte| byte.is_ascii_digit());
        if end == start {
            break;
        }
        *part = Part { start, end, separator };
        count += 1;
        let mut next = end;
        separator = b' ';
        loop {
            let (width, kind) = match text.byte(next) {
                b'(' => (1, b'('),
                b' ' | b')' => (1, separator),
                byte @ (b'-' | b'.' | b'/') => (1, byte),
                // No-break space, narrow no-break space, hyphens and dashes.
                0xC2 if text.has(next, b"\xC2\xA0") => (2, separator),
                0xE2 if text.has(next, b"\xE2\x80\xAF") || text.has(next, b"\xE2\x80\x89") => (3, separator),
                0xE2 if matches!(text.slice(next..next + 3), [0xE2, 0x80, 0x90..=0x93]) => (3, b'-'),
                _ => break,
            };
            next += width;
            separator = kind;
            if next - end > 4 {
                break;
            }
        }
        if next == end || next - end > 4 {
            break;
        }
        start = next;
    }
    count
}

/// Digits of the parts, at most 20.
fn digits(text: Scanned<'_>, parts: &[Part]) -> ([u8; 20], usize) {
    let mut digits = [0; 20];
    let mut count = 0;
    for byte in parts.iter().flat_map(|part| text.slice(part.start..part.end)) {
        if let Some(digit) = digits.get_mut(count) {
            *digit = byte - b'0';
        }
        count += 1;
    }
    (digits, count)
}

/// A payment card: 13 to 19 digits in one run or the usual groups, of a known issuer, with a right check digit.
fn card(text: Scanned<'_>, parts: &[Part]) -> Option<Range<usize>> {
    let place = parts.first()?.start;
    let attached = is_word(text.before(place, 1)) || text.before(place, 1) == b'-' && is_word(text.before(place, 2));
    for count in (1..=parts.len().min(5)).rev() {
        let some = parts.get(..count)?;
        let (first, last) = (some.first()?, some.last()?);
        let separator = some.get(1).map_or(0, |part| part.separator);
        let even = some.iter().skip(1).all(|part| part.separator == separator && (separator == b' ' || separator == b'-'));
        let lengths = || some.iter().map(Part::len);
        let fours = lengths().rev().skip(1).all(|length| length == 4) && last.len() <= 4;
        // Many ids are runs of 17 to 19 digits, hardly any card is.
        let single = count == 1 && !(attached && first.len() > 16);
        let shaped = single || fours && count > 1 || lengths().eq([4, 6, 5]) || lengths().eq([4, 6, 4]);
        let (digits, length) = digits(text, some);
        if even
            && shaped
            && (13..=19).contains(&length)
            && !is_word(text.byte(last.end))
            && issuer(&digits, length)
            && luhn(digits.get(..length)?)
        {
            return Some(first.start..last.end);
        }
    }
    None
}

/// Issuer ranges with their lengths (ISO/IEC 7812 register as the schemes publish it).
fn issuer(digits: &[u8; 20], length: usize) -> bool {
    let first = |count: usize| digits.iter().take(count).fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
    match first(1) {
        4 => matches!(length, 13 | 16 | 19),
        2 => length == 16 && (2221..=2720).contains(&first(4)),
        3 => match first(2) {
            34 | 37 => length == 15,
            35 => length >= 16 && (3528..=3589).contains(&first(4)),
            36 | 38 | 39 => length >= 14,
            30 => length >= 14 && first(3) <= 305,
            _ => false,
        },
        5 => length == 16 && (51..=55).contains(&first(2)) || length >= 13 && (first(2) == 50 || (56..=58).contains(&first(2))),
        6 => length >= 16 || (13..16).contains(&length) && matches!(first(2), 60 | 63 | 67),
        _ => false,
    }
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let doubled = u32::from(*digit) * 2;
            if place % 2 == 0 { u32::from(*digit) } else { doubled / 10 + doubled % 10 }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

/// Lengths of IBANs by country (SWIFT IBAN registry, release 99).
const IBAN_LENGTHS: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22\
GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18\
NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

/// An IBAN whose check digits are at a place: known country, right length, remainder 1 modulo 97 (ISO 13616).
fn iban(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(2).filter(|start| *start >= text.floor)?;
    let country = [text.byte(start).to_ascii_uppercase(), text.byte(start + 1).to_ascii_uppercase()];
    if is_word(text.before(start, 1)) || !text.byte(at + 1).is_ascii_digit() {
        return None;
    }
    let row = IBAN_LENGTHS.chunks_exact(4).find(|row| row.starts_with(&country))?;
    let wanted = row.iter().skip(2).fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    let (mut end, mut length, mut remainder, mut head) = (start, 0, 0_u32, 0_u32);
    while length < wanted {
        let byte = text.byte(end);
        let value = match byte {
            b'0'..=b'9' => u32::from(byte - b'0'),
            b'a'..=b'z' | b'A'..=b'Z' => u32::from(byte.to_ascii_uppercase() - b'A') + 10,
            b' ' | b'-' if length > 0 && text.byte(end + 1).is_ascii_alphanumeric() => {
                end += 1;
                continue;
            }
            0xC2 if text.byte(end + 1) == 0xA0 => {
                end += 2;
                continue;
            }
            _ => return None,
        };
        let fold = |sum: u32| (sum * if value < 10 { 10 } else { 100 } + value) % 97;
        // The first four characters are moved to the end.
        if length < 4 {
            head = if value < 10 { head * 10 + value } else { head * 100 + value };
        } else {
            remainder = fold(remainder);
        }
        length += 1;
        end += 1;
    }
    // Two letters and two digits are six digits.
    let whole = (u64::from(remainder) * 1_000_000 + u64::from(head)) % 97;
    (whole == 1 && !text.byte(end).is_ascii_alphanumeric()).then_some(start..end)
}

/// Four numbers from 0 to 255, unless a version is meant.
fn ipv4(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    let mut end = at;
    for octet in 0..4 {
        if octet > 0 {
            if text.byte(end) != b'.' {
                return None;
            }
            end += 1;
        }
        let start = end;
        end = text.run(start, |byte| byte.is_ascii_digit());
        if end == start
            || end - start > 3
            || text.slice(start..end).iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')) > 255
        {
            return None;
        }
    }
    let (before, after) = (text.before(at, 1), text.byte(end));
    // `### 1.2.2.2.` heads a section.
    if end - at == 7 && (after == b'.' || before == b' ' && text.before(at, 2) == b'#') {
        return None;
    }
    let goes_on = is_word(after) || after == b'.' && text.byte(end + 1).is_ascii_digit();
    let from_before = is_word(before) || before == b'.' || before == b'/' && text.before(at, 2).is_ascii_alphabetic();
    let version = [&b"version"[..], b"release", b"build", b"section", b"chapter"].iter().any(|word| follows_word(text, at, word));
    (!goes_on && !from_before && !version).then_some(at..end)
}

/// The word, or its plural, stands right before a place.
fn follows_word(text: Scanned<'_>, at: usize, word: &[u8]) -> bool {
    let end = text.run_back(at, |byte| b" :=#\"".contains(&byte));
    let start = text.run_back(end, |byte| byte.is_ascii_alphabetic());
    let last = text.slice(start..end);
    end < at && (last.eq_ignore_ascii_case(word) || last.strip_suffix(b"s").is_some_and(|one| one.eq_ignore_ascii_case(word)))
}

/// Words after which a number of unclear shape is a phone number.
const PHONE_WORDS: [&[u8]; 19] = [
    b"phone",
    b"telephone",
    b"tel",
    b"mobile",
    b"cell",
    b"call",
    b"fax",
    b"whatsapp",
    b"sms",
    b"text",
    b"dial",
    b"ring",
    b"telefon",
    b"handy",
    b"mobil",
    b"rufnummer",
    b"telefono",
    b"telephon",
    b"hotline",
];

/// Whether a name says that its value is a phone number.
pub(super) fn is_phone_name(name: &str) -> bool {
    let mut words = name.split(|c: char| !c.is_ascii_alphabetic());
    words.any(|word| PHONE_WORDS.iter().any(|known| word.as_bytes().eq_ignore_ascii_case(known)))
        || name.to_ascii_lowercase().ends_with("phone")
}

fn phone_word_before(text: Scanned<'_>, at: usize) -> bool {
    // What was found before the number is still beside it: `Tel: 555 2671, 555 2672`.
    let window = text.slice(at.saturating_sub(28)..at);
    // But a placeholder is called after what it hides, and says nothing of the next number.
    let hidden = window.iter().rposition(|byte| *byte == b']').map_or(0, |place| place + 1);
    let window = window.get(hidden..).unwrap_or_default();
    // A sentence that has ended says nothing of the next.
    let ended = window.windows(2).rposition(|pair| pair == b". " || pair == b"? " || pair == b"! ").map_or(0, |place| place + 2);
    let clause = window.get(ended..).unwrap_or_default();
    let abbreviated = window.windows(4).any(|four| four.eq_ignore_ascii_case(b"tel."));
    let mut words = clause.split(|byte| !byte.is_ascii_alphabetic());
    abbreviated || words.any(|word| PHONE_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// A phone number of as many of the parts as fit one.
fn phone(text: Scanned<'_>, parts: &[Part], hint: Hint) -> Option<Range<usize>> {
    let first = parts.first()?;
    let before = text.before(first.start, 1);
    let open = before == b'(';
    let sign = if open { text.before(first.start, 2) == b'+' } else { before == b'+' };
    let start = first.start - usize::from(open) - usize::from(sign);
    let (outside, further) = (text.before(start, 1), text.before(start, 2));
    // Part of something longer: an id, a decimal, a path.
    let attached = is_word(outside)
        || matches!(outside, b'.' | b',' | b':') && further.is_ascii_digit()
        || matches!(outside, b'-' | b'/') && further.is_ascii_alphanumeric();
    if attached || outside == b'+' {
        return None;
    }
    let mut named = None;
    for count in (1..=parts.len()).rev() {
        let some = parts.get(..count)?;
        let last = some.last()?;
        if !ends_there(text, last, parts.get(count)) {
            continue;
        }
        let total: usize = some.iter().map(Part::len).sum();
        if !(LEAST_DIGITS..=17).contains(&total) {
            continue;
        }
        // A letter hard behind it is a word that lost its blank, where the number is of a sure shape.
        let glued = is_word(text.byte(last.end));
        let shaped = if sign {
            international(text, some, total)
        } else {
            north_american(text, some)
                || !glued && national(text, some, total)
                || !glued
                    && !is_date(text, some)
                    && total <= 15
                    && *named.get_or_insert_with(|| hint == Hint::Phone || phone_word_before(text, start))
        };
        if shaped {
            let end = if open && some.len() == 1 && text.byte(last.end) == b')' { last.end + 1 } else { last.end };
            return Some(start..end);
        }
    }
    None
}

/// The number may end here: nothing is attached, and what follows is set off in another way than its own parts.
fn ends_there(text: Scanned<'_>, last: &Part, next: Option<&Part>) -> bool {
    if let Some(next) = next {
        return next.separator == b' ' || last.separator != 0 && next.separator != last.separator;
    }
    let after = text.byte(last.end);
    after != b'@' && after != b'%' && after != b'_'
}

fn digit(text: Scanned<'_>, part: &Part, place: usize) -> u8 {
    if place < part.len() { text.byte(part.start + place) } else { 0 }
}

/// After a `+`: a country code and a number, 8 to 15 digits together (ITU-T E.164).
fn international(text: Scanned<'_>, parts: &[Part], total: usize) -> bool {
    let tail = parts.len() > 2 && parts.last().is_some_and(|part| part.len() < 2);
    (8..=15).contains(&total) && !tail && parts.first().is_some_and(|part| digit(text, part, 0) != b'0')
}

/// `415-555-2671`, with or without a 1 before: area and exchange begin with 2 to 9.
fn north_american(text: Scanned<'_>, parts: &[Part]) -> bool {
    let local = match parts {
        [one, rest @ ..] if one.len() == 1 && digit(text, one, 0) == b'1' => rest,
        _ => parts,
    };
    let [area, exchange, line] = local else { return false };
    let begins = |part: &Part| (b'2'..=b'9').contains(&digit(text, part, 0));
    // `pp. 474-478 (2000)` is none.
    let separated = |part: &Part| part.separator != b'/' && part.separator != b'(';
    (area.len(), exchange.len(), line.len()) == (3, 3, 4)
        && begins(area)
        && begins(exchange)
        && separated(exchange)
        && separated(line)
}

/// A number that begins with 0 and is not a date: `030/1234567`, `06 12 34 56 78`, `0171 1234567`, `0049 …`.
fn national(text: Scanned<'_>, parts: &[Part], total: usize) -> bool {
    let [first, rest @ ..] = parts else { return false };
    if digit(text, first, 0) != b'0' {
        return false;
    }
    let zeros = if digit(text, first, 1) == b'0' { 2 } else { 1 };
    if !(b'1'..=b'9').contains(&digit(text, first, zeros)) {
        return false;
    }
    let separators = || rest.iter().map(|part| part.separator);
    let pairs = rest.len() == 4 && parts.iter().all(|part| part.len() == 2) && separators().all(|s| Some(s) == separators().next());
    let one_way = separators().skip(1).all(|separator| Some(separator) == separators().nth(1));
    let tail = rest.last().is_some_and(|part| part.len() < 2);
    match (zeros, rest) {
        (2, _) => (11..=17).contains(&total) && one_way,
        (_, []) => (10..=11).contains(&total),
        _ => pairs || (9..=12).contains(&total) && one_way && !tail && !is_date(text, parts),
    }
}

/// Begins like a date: 04.05.2026, 2026-05-04, 05/26.
fn is_date(text: Scanned<'_>, parts: &[Part]) -> bool {
    let value =
        |part: &Part| text.slice(part.start..part.end).iter().fold(0_u64, |sum, d| sum.saturating_mul(10) + u64::from(d - b'0'));
    let is_year = |part: &Part| part.len() == 4 && (1500..2100).contains(&value(part));
    match parts {
        [a, b, ..] if a.len() <= 2 && value(a) <= 31 && b.separator != b' ' => b.len() == 2 && value(b) <= 31 || is_year(b),
        [a, b, ..] => is_year(a) && (b.len() <= 2 || is_year(b)),
        [a] => is_year(a),
        [] => false,
    }
}
