//! What belongs to a text's layout rather than to what it says: list markers, citations, placeholders, abbreviations.

/// Whether a chunk that starts with this byte can be a list marker at all.
pub(super) fn may_mark(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'*' | b'+' | b'#' | b'(') || !byte.is_ascii()
}

/// Whether a chunk is a bullet, a heading's sign, or a number such as `2.` or `(3)`.
pub(super) fn is_list_marker(chunk: &str) -> bool {
    if matches!(chunk, "-" | "*" | "+" | "•" | "–" | "·" | "#" | "##" | "###" | "####") {
        return true;
    }
    let chunk = chunk.trim_start_matches(['(', '*']).trim_end_matches('*');
    let digits = chunk.trim_end_matches(['.', ')', ':']);
    digits.len() < chunk.len() && !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number of a list marker such as `2.`, `**2.**` or `3)`.
pub(super) fn list_number(chunk: &str) -> Option<u32> {
    if !is_list_marker(chunk) {
        return None;
    }
    chunk.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().ok()
}

/// What stands between the brackets of a citation.
pub(super) fn is_cited(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b',' | b'^' | b'-' | b';')
}

/// Whether redaction left this between brackets: `EMAIL-3f9a`.
pub(super) fn is_placeholder(inner: &[u8]) -> bool {
    let Some(dash) = inner.iter().rposition(|byte| *byte == b'-') else { return false };
    let (name, suffix) = inner.split_at_checked(dash).unwrap_or((inner, &[]));
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
        && suffix.len() == 5
        && suffix.iter().skip(1).all(u8::is_ascii_hexdigit)
}

/// Whether the stop at the end of `core` belongs to an abbreviation.
pub(super) fn is_abbreviation(core: &str) -> bool {
    let word = core.trim_end_matches('.').trim_start_matches(['(', '"', '\'', '“', '[']);
    if word.is_empty() {
        return false;
    }
    if word.len() == 1 {
        return word.bytes().all(|byte| byte.is_ascii_uppercase());
    }
    matches!(
        word,
        "Mr" | "Mrs"
            | "Ms"
            | "Dr"
            | "Prof"
            | "St"
            | "Jr"
            | "Sr"
            | "vs"
            | "No"
            | "no"
            | "Inc"
            | "Ltd"
            | "Co"
            | "Corp"
            | "e.g"
            | "i.e"
            | "etc"
            | "approx"
            | "Fig"
            | "fig"
            | "cf"
            | "al"
            | "U.S"
            | "U.K"
            | "Gen"
            | "Sen"
            | "Rep"
            | "Gov"
    )
}

/// What may stand behind the stop of a sentence and still belongs to it, citations aside.
const CLOSERS: [char; 22] =
    ['"', '\'', ')', '*', '_', '”', '’', '»', '`', '」', '』', '）', '》', '〉', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸'];

/// `24 months.[1]**` → `24 months.`
pub(super) fn without_closers(chunk: &str) -> &str {
    let mut core = chunk;
    loop {
        let shorter = core.trim_end_matches(CLOSERS);
        let cited = shorter.strip_suffix(']').map(|inside| inside.trim_end_matches(|letter: char| is_cited_char(letter)));
        let shorter = match cited.and_then(|inside| inside.strip_suffix('[')) {
            Some(before) if !before.is_empty() => before,
            _ => shorter.trim_end_matches(']'),
        };
        if shorter.len() == core.len() {
            return core;
        }
        core = shorter;
    }
}

fn is_cited_char(letter: char) -> bool {
    u8::try_from(letter).is_ok_and(is_cited)
}

/// Whether a character ends a sentence wherever it stands; a full stop needs a look around.
pub(super) fn is_stop(letter: char) -> bool {
    is_question_mark(letter) || matches!(letter, '!' | '。' | '！' | '｡' | '।' | '॥' | '…' | '۔' | '።' | '။' | '។' | '‼' | '⁉')
}

pub(super) fn is_question_mark(letter: char) -> bool {
    matches!(letter, '?' | '؟' | '？' | '⁇' | '⁈' | '፧')
}

/// Whether this names a source in front of its number: `[Doc`, `[source`.
pub(super) fn names_source(inner: &[u8]) -> bool {
    const NAMES: [&[u8]; 10] =
        [b"doc", b"document", b"source", b"passage", b"context", b"chunk", b"ref", b"reference", b"citation", b"excerpt"];
    let name = inner.trim_ascii_end();
    let name = name.strip_suffix(b"s").unwrap_or(name);
    let letters = name.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(name.len());
    let (name, number) = name.split_at_checked(letters).unwrap_or((name, &[]));
    number.iter().all(|byte| is_cited(*byte) || matches!(byte, b'_' | b':' | b'#' | b'.'))
        && NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The value of a decimal digit in any of the common scripts.
pub(super) fn digit(letter: char) -> Option<u8> {
    const ZEROS: [u32; 12] = [0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xae6, 0xbe6, 0xe50, 0xed0, 0x1040, 0xff10];
    ZEROS
        .iter()
        .find_map(|zero| u32::from(letter).checked_sub(*zero).filter(|value| *value < 10))
        .and_then(|value| u8::try_from(value).ok())
}
