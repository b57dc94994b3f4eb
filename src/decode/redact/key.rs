//! Keys, tokens and passwords: known by their own shape, or by what they are assigned to.

use std::ops::Range;

use super::Kind;
use super::scan::{Scanned, is_word};

fn is_token(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)
}

/// Prefixes that end in a byte of the scanner's table, and the least length of what follows.
/// Sources: the providers' documentation and GitHub's list of secret-scanning patterns.
const PREFIXES: [(&[u8], usize); 27] = [
    (b"sk-", 16),
    (b"pk-", 16),
    (b"rk-", 16),
    (b"glpat-", 16),
    (b"xoxb-", 16),
    (b"xoxp-", 16),
    (b"xoxa-", 16),
    (b"xoxs-", 16),
    (b"xapp-", 16),
    (b"pypi-", 16),
    (b"pplx-", 16),
    (b"xai-", 16),
    (b"tvly-", 16),
    (b"nvapi-", 16),
    (b"sk_live_", 12),
    (b"sk_test_", 12),
    (b"rk_live_", 12),
    (b"whsec_", 16),
    (b"ghp_", 16),
    (b"gho_", 16),
    (b"ghu_", 16),
    (b"ghs_", 16),
    (b"ghr_", 16),
    (b"github_pat_", 16),
    (b"npm_", 16),
    (b"hf_", 16),
    (b"gsk_", 16),
];

/// A secret with a shape of its own, around a byte of the scanner's table.
pub(super) fn known(text: Scanned<'_>, at: usize) -> Option<(Range<usize>, Kind)> {
    let range = match text.byte(at) {
        b'-' if text.has(at, b"-----BEGIN ") => private_key(text, at),
        b'-' | b'_' => prefixed(text, at),
        b'A' => amazon_or_google(text, at),
        b'J' => json_web_token(text, at),
        b'B' | b'b' => authorization(text, at),
        b'G' | b'S' => text.has(at, b"SG.").then(|| at..text.run(at + 3, |b| is_token(b) || b == b'.')).filter(|r| r.len() > 40),
        b'Q' => azure(text, at),
        _ => None,
    }?;
    Some((range, Kind::Key))
}

fn has_digit(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_digit)
}

fn prefixed(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    for (prefix, least) in PREFIXES {
        let Some(start) = (at + 1).checked_sub(prefix.len()).filter(|start| *start >= text.floor) else { continue };
        if text.slice(start..at + 1) != prefix || is_word(text.before(start, 1)) {
            continue;
        }
        let secret = text.slice(at + 1..text.run_most(at + 1, 256, is_token));
        if secret.len() >= least && has_digit(secret) {
            return Some(start..text.run(at + 1, is_token));
        }
    }
    None
}

/// `-----BEGIN … PRIVATE KEY-----` up to its end, or to the end of the text if that is missing.
fn private_key(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    let label = at + b"-----BEGIN ".len();
    let label_end = text.run(label, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    if !text.slice(label..label_end).ends_with(b"PRIVATE KEY") {
        return None;
    }
    let rest = text.bytes.get(label_end..).unwrap_or_default();
    let end = rest.windows(b"-----END ".len()).position(|window| window == b"-----END ").map_or(text.bytes.len(), |offset| {
        let close = text.run(label_end + offset + b"-----END ".len(), |byte| byte.is_ascii_uppercase() || byte == b' ');
        text.run(close, |byte| byte == b'-')
    });
    Some(at..end)
}

/// AWS access key ids (`AKIA…`, `ASIA…`) and Google API keys (`AIza…`).
fn amazon_or_google(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    if is_word(text.before(at, 1)) {
        return None;
    }
    if text.has(at, b"AKIA") || text.has(at, b"ASIA") {
        let end = text.run(at, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        return (end - at == 20 && !is_word(text.byte(end))).then_some(at..end);
    }
    let end = text.has(at, b"AIza").then(|| text.run(at, is_token))?;
    (end - at >= 39).then_some(at..end)
}

/// `eyJ….….…`, at its `J`.
fn json_web_token(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    let start =
        at.checked_sub(2).filter(|start| *start >= text.floor && text.has(*start, b"eyJ") && !is_word(text.before(*start, 1)))?;
    let head_end = text.run_most(start, 1_024, is_token);
    if text.byte(head_end) != b'.' || head_end - start < 10 {
        return None;
    }
    let end = text.run(start, |byte| is_token(byte) || byte == b'.' || byte == b'=');
    (end - head_end > 10).then_some(start..end)
}

/// The token of `Bearer …`, and of `Basic …` after `Authorization`.
fn authorization(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    if is_word(text.before(at, 1)) {
        return None;
    }
    let scheme = if text.has_any_case(at, b"bearer ") {
        7
    } else if text.has_any_case(at, b"basic ")
        && text.slice(at.saturating_sub(20)..at).to_ascii_lowercase().windows(13).any(|w| w == b"authorization")
    {
        6
    } else {
        return None;
    };
    let start = text.run(at + scheme, |byte| byte == b' ');
    let end = text.run(start, |byte| is_base64(byte) || byte == b'.' || byte == b'~');
    (end - start >= 8 && has_digit(text.slice(start..end))).then_some(start..end)
}

/// Azure's keys of 2024 and later carry `JQQJ99` within 84 letters and digits.
fn azure(text: Scanned<'_>, at: usize) -> Option<Range<usize>> {
    if !text.has(at, b"QQJ99") {
        return None;
    }
    let start = text.run_back(at, |byte| byte.is_ascii_alphanumeric());
    let end = text.run(at, |byte| byte.is_ascii_alphanumeric());
    (end - start >= 60).then_some(start..end)
}

/// How sure a name makes us that a secret follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// A password: any word may be one.
    Password,
    /// A key: long, with digits.
    Key,
}

/// Ends of names of secrets, without `-`, `_` and blanks, in lower case.
const NAMES: [(&[u8], Named); 22] = [
    (b"password", Named::Password),
    (b"passwd", Named::Password),
    (b"passwort", Named::Password),
    (b"passphrase", Named::Password),
    (b"pwd", Named::Password),
    (b"apikey", Named::Key),
    (b"accountkey", Named::Key),
    (b"accesskey", Named::Key),
    (b"accesskeyid", Named::Key),
    (b"sharedaccesskey", Named::Key),
    (b"sharedaccesssignature", Named::Key),
    (b"subscriptionkey", Named::Key),
    (b"secretkey", Named::Key),
    (b"privatekey", Named::Key),
    (b"masterkey", Named::Key),
    (b"functionkey", Named::Key),
    (b"secret", Named::Key),
    (b"token", Named::Key),
    (b"credential", Named::Key),
    (b"cookie", Named::Key),
    (b"sig", Named::Key),
    (b"signature", Named::Key),
];

fn named(name: &[u8]) -> Option<Named> {
    let plain = || name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let ends_with = |end: &[u8]| {
        let mut backwards = plain().rev();
        end.iter().rev().all(|wanted| backwards.next().is_some_and(|byte| byte.eq_ignore_ascii_case(wanted)))
    };
    // `sig` ends many a harmless word.
    let whole = |end: &[u8]| end != b"sig" || plain().count() == 3;
    NAMES.iter().find(|(end, _)| ends_with(end) && whole(end)).map(|(_, named)| *named)
}

/// Whether whatever text stands under a key of JSON must be hidden.
pub(super) fn is_secret_name(name: &str) -> bool {
    named(name.as_bytes()).is_some()
}

/// Whether a number under a key of JSON must be hidden: a `token` or a `signature` may be a count.
pub(super) fn hides_number(name: &str, number: &str) -> bool {
    match named(name.as_bytes()) {
        Some(Named::Password) => true,
        Some(Named::Key) => number.len() >= 16,
        None => false,
    }
}

/// Blanks, quotes and escapes between a name, its `=` or `:`, and the value.
const MOST_BLANKS: usize = 9;

/// The value of `name=value` or `name: value`, at its `=` or `:`, where the name says that it is secret.
pub(super) fn assigned(text: Scanned<'_>, at: usize) -> Option<(Range<usize>, Kind)> {
    // JSON within a string of JSON escapes its quotes, and once more at each level.
    let is_blank = |byte: u8| b" \"'`\\".contains(&byte);
    let name_end = text.run_back_most(at, MOST_BLANKS + 1, is_blank);
    // Nearly all text ends here: names of secrets end in one of these letters.
    if !b"dDeEtTyYnNlLgG".contains(&text.before(name_end, 1)) || at - name_end > MOST_BLANKS {
        return None;
    }
    let name_start = text.run_back(name_end, is_token).max(name_end.saturating_sub(64));
    let named = named(text.slice(name_start..name_end))?;
    let start = text.run_most(at + 1, MOST_BLANKS + 1, is_blank);
    let end = text.run(start, |byte| byte.is_ascii_graphic() && !b";,\"'`&<>()[]{}|\\".contains(&byte));
    // A full stop after it ends the sentence.
    let end = if text.byte(end.saturating_sub(1)) == b'.' { end - 1 } else { end };
    let value = text.slice(start..end.max(start));
    let plain_word = value.iter().all(u8::is_ascii_alphabetic);
    let secret = match named {
        Named::Password => value.len() >= 4 && (text.byte(at) == b'=' || !plain_word),
        Named::Key => value.len() >= 16 && has_digit(value),
    };
    (secret && start - at <= MOST_BLANKS + 1).then_some((start..end, Kind::Key))
}
