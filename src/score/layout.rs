//! What belongs to a text's layout rather than to what it says: list markers, citations, placeholders, abbreviations.

/// Whether a chunk that starts with this byte can be a list marker at all.
pub(super) fn may_mark(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'*' | b'+' | b'#' | b'(') || !byte.is_ascii()
}

/// Whether a chunk is a bullet, a heading's sign, or a number such as `2.`, `(3)` or `3️⃣`.
pub(super) fn is_list_marker(chunk: &str) -> bool {
    if matches!(chunk, "-" | "*" | "+" | "•" | "–" | "·" | "#" | "##" | "###" | "####") {
        return true;
    }
    let chunk = chunk.trim_start_matches(['(', '*']).trim_end_matches('*');
    let digits = chunk.trim_end_matches(['.', ')', ':', '\u{fe0f}', '\u{20e3}']);
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
        // Some models cite as 【3†source】.
        if shorter.ends_with('】')
            && let Some((before, _)) = shorter.rsplit_once('【')
        {
            core = before;
            continue;
        }
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

/// Whether a chunk that starts with this byte can start the rule below the head of a table.
pub(super) fn may_rule(byte: u8) -> bool {
    matches!(byte, b'|' | b'-' | b':')
}

/// Whether the line at the start of `bytes` is the rule below the head of a table: `|---|:--:|`.
pub(super) fn is_table_rule(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.contains(&b'|')
        && line.contains(&b'-')
        && line.iter().all(|byte| may_rule(*byte) || matches!(byte, b' ' | b'\t' | b'\r' | b'+'))
}

/// Whether a fence opens data or text rather than code: ```` ```json ````.
pub(super) fn is_data(fence: &[u8]) -> bool {
    const DATA: [&[u8]; 10] = [b"json", b"jsonl", b"yaml", b"yml", b"csv", b"text", b"txt", b"plaintext", b"markdown", b"md"];
    let name = fence.get(3..).unwrap_or_default();
    DATA.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Length of the HTML tag or character entity at the start of `bytes`, and whether it parts what stands before and behind it.
pub(super) fn tag(bytes: &[u8]) -> Option<(usize, bool)> {
    const PARTING: [&[u8]; 14] =
        [b"br", b"p", b"li", b"ul", b"ol", b"tr", b"td", b"th", b"div", b"h1", b"h2", b"h3", b"h4", b"table"];
    const INLINE: [&[u8]; 10] = [b"b", b"i", b"u", b"em", b"strong", b"span", b"code", b"mark", b"small", b"tt"];
    let last = if bytes.first() == Some(&b'&') { b';' } else { b'>' };
    let length = bytes.iter().take(12).position(|byte| *byte == last)?;
    let name = bytes.get(1..length).unwrap_or_default();
    if last == b';' {
        return (!name.is_empty() && name.iter().all(u8::is_ascii_alphabetic)).then_some((length + 1, false));
    }
    let name = name.strip_prefix(b"/").or_else(|| name.strip_suffix(b"/")).unwrap_or(name);
    let is_one_of = |names: &[&[u8]]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let parts = is_one_of(&PARTING);
    (parts || is_one_of(&INLINE)).then_some((length + 1, parts))
}
