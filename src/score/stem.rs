//! English stemming: inflections and the commonest derivations are cut, so that `announced`, `announcing` and
//! `announcement` compare as equal.
//!
//! Works on lower-case ASCII only and returns other text unchanged. It is a recall device for comparing an answer
//! with its contexts, not a lemmatizer: the stem need not be a word.

/// Writes the stem of `word` into `out` (cleared first).
pub(super) fn stem(word: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(word);
    if word.len() < 4 || !word.iter().all(u8::is_ascii_lowercase) {
        return;
    }
    plural(out);
    past_and_progressive(out);
    derivation(out);
    if out.len() > 3 && out.ends_with(b"e") {
        out.pop();
    }
    if out.len() > 2 && out.ends_with(b"y") {
        out.pop();
        out.push(b'i');
    }
}

fn plural(out: &mut Vec<u8>) {
    let length = out.len();
    if out.ends_with(b"ies") && length > 4 {
        out.truncate(length - 3);
        out.push(b'y');
    } else if out.ends_with(b"sses")
        || out.ends_with(b"shes")
        || out.ends_with(b"ches")
        || out.ends_with(b"xes")
        || out.ends_with(b"zes")
    {
        out.truncate(length - 2);
    } else if out.ends_with(b"s") && !out.ends_with(b"ss") && !out.ends_with(b"us") && !out.ends_with(b"is") {
        out.truncate(length - 1);
    }
}

fn past_and_progressive(out: &mut Vec<u8>) {
    let length = out.len();
    if out.ends_with(b"ied") && length > 4 {
        out.truncate(length - 3);
        out.push(b'y');
        return;
    }
    let cut = if out.ends_with(b"ing") {
        3
    } else if out.ends_with(b"ed") && !out.ends_with(b"eed") {
        2
    } else {
        return;
    };
    let rest = length - cut;
    if rest < 3 || !out.iter().take(rest).any(|byte| is_vowel(*byte)) {
        return;
    }
    out.truncate(rest);
    if let [.., before, last] = out.as_slice()
        && before == last
        && !matches!(last, b'l' | b's' | b'z' | b'e' | b'o')
    {
        out.pop();
    }
}

const ENDINGS: [(&[u8], &[u8]); 14] = [
    (b"ization", b"iz"),
    (b"isation", b"iz"),
    (b"fulness", b"ful"),
    (b"ation", b"at"),
    (b"ition", b"it"),
    (b"ction", b"ct"),
    (b"ption", b"pt"),
    (b"ssion", b"ss"),
    (b"ment", b""),
    (b"ness", b""),
    (b"ity", b""),
    (b"ily", b"y"),
    (b"ally", b"al"),
    (b"ly", b""),
];

fn derivation(out: &mut Vec<u8>) {
    for (ending, replacement) in ENDINGS {
        if out.ends_with(ending) && out.len() >= ending.len() + 4 {
            out.truncate(out.len() - ending.len());
            out.extend_from_slice(replacement);
            return;
        }
    }
}

fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}
