//! Letters that count as the same: upper and lower case, full-width and plain forms, `é` and `e`, `’` and `'`.
//!
//! Diacritics are dropped from Latin letters only: elsewhere they tell words apart.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::language::{Script, script};

/// Writes the folded form of `word` into `out` (cleared first).
pub(super) fn fold(word: &str, out: &mut Vec<u8>) {
    out.clear();
    if word.is_ascii() {
        out.extend(word.bytes().map(|byte| byte.to_ascii_lowercase()));
        return;
    }
    let mut buffer = [0; 4];
    let mut after_latin = false;
    for letter in word.nfkd() {
        if is_combining_mark(letter) && after_latin {
            continue;
        }
        after_latin = letter.is_alphabetic() && script(letter) == Script::Latin;
        let letter = if matches!(letter, '’' | 'ʼ') { '\'' } else { letter };
        for letter in letter.to_lowercase() {
            out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
        }
    }
}
