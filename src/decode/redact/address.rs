//! E-mail addresses, user and password in URLs, IPv6 addresses.

use core::net::Ipv6Addr;
use std::ops::Range;

use super::Kind;
use super::scan::{Scanned, is_word};

/// Characters of the part before the `@` (RFC 5322 atoms but for `&`, `/`, `=` and `?`, which separate in URLs, and any
/// character beyond ASCII: RFC 6531).
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%'*+^_`{|}~-".contains(&byte) || byte >= 0x80
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' || byte >= 0x80
}

/// `local@domain.tld` around an `@`.
pub(super) fn email(text: Scanned<'_>, at: usize) -> Option<(Range<usize>, Kind)> {
    let mut start = text.run_back(at, is_local);
    // Dashes, quotes and blanks of other scripts separate.
    let foreign = |c: char| !c.is_ascii() && !c.is_alphanumeric();
    let local = std::str::from_utf8(text.slice(start..at)).unwrap_or_default();
    start += local.char_indices().rev().find(|(_, c)| foreign(*c)).map_or(0, |(place, c)| place + c.len_utf8());
    // Quotes and the like before an address are not part of it.
    while start < at && !text.byte(start).is_ascii_alphanumeric() && text.byte(start) < 0x80 && text.byte(start) != b'_' {
        start += 1;
    }
    // The longest domain that ends in a top level: what hangs on behind (`.Thanks`, `.2`) may be the next sentence.
    let domain = text.slice(at + 1..text.run(at + 1, is_domain));
    let is_top =
        |top: &[u8]| top.len() >= 2 && (top.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80) || top.starts_with(b"xn--"));
    let readable = std::str::from_utf8(domain).unwrap_or_default();
    let mut length = readable.find(foreign).unwrap_or(readable.len());
    loop {
        let rest = domain.get(..length)?;
        let dot = rest.iter().rposition(|byte| *byte == b'.')?;
        let top = rest.get(dot + 1..)?;
        // A hyphen cannot end a name.
        let top = top.strip_suffix(b"-").unwrap_or(top);
        if is_top(top) && dot > 0 {
            return (start < at).then_some((start..at + 1 + dot + 1 + top.len(), Kind::Email));
        }
        length = dot;
    }
}

/// `user:password` of `scheme://user:password@host`.
pub(super) fn url_password(text: Scanned<'_>, at: usize) -> Option<(Range<usize>, Kind)> {
    let start = text.run_back_most(at, 256, |byte| byte.is_ascii_graphic() && !b"/\"'<>()[]{}".contains(&byte));
    let after_scheme = text.before(start, 1) == b'/' && text.before(start, 2) == b'/' && text.before(start, 3) == b':';
    let has_password = text.slice(start..at).contains(&b':');
    (after_scheme && has_password).then_some((start..at, Kind::Key))
}

/// An IPv6 address with its first `:` at a place.
pub(super) fn ipv6(text: Scanned<'_>, at: usize) -> Option<(Range<usize>, Kind)> {
    let class = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    let start = text.run_back_most(at, 64, class);
    let mut end = text.run_most(at, 64, class);
    // 39 characters, 45 with an IPv4 address at the end, and what follows a full stop.
    if is_word(text.before(start, 1)) {
        return None;
    }
    loop {
        // A colon after an address ends a clause, unless it is `::`.
        if text.byte(end - 1) == b':' && text.before(end, 2) != b':' {
            end -= 1;
        }
        if is_address(text.ascii(start..end)) && !is_word(text.byte(end)) {
            return Some((start..end, Kind::Ip));
        }
        // A full stop may end the sentence.
        let dot = text.slice(at..end).iter().rposition(|byte| *byte == b'.')?;
        end = at + dot;
    }
}

fn is_address(token: &str) -> bool {
    let groups = token.split(':').filter(|group| !group.is_empty()).count();
    let digits = token.bytes().filter(u8::is_ascii_hexdigit).count();
    // `a::b` is a path in some programming languages, and ::1 is nobody's.
    let tells = groups >= 2 && digits >= 4 && token.bytes().any(|byte| byte.is_ascii_digit());
    tells && token.parse::<Ipv6Addr>().is_ok()
}
