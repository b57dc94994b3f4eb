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
    digits.len() < chunk.len() && !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
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
