//! Where ASCII words and numbers end; the same places as UAX #29 gives, found without its tables.

/// What a stretch without white space holds, as bits.
pub(super) const LETTERS: u8 = 1;
const OTHER: u8 = 2;
pub(super) const FOREIGN: u8 = 4;
const SPACE: u8 = 8;

const KINDS: [u8; 256] = {
    let mut kinds = [FOREIGN; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        kinds[byte as usize] = if byte.is_ascii_alphabetic() {
            LETTERS
        } else if byte.is_ascii_whitespace() {
            SPACE
        } else {
            OTHER
        };
        byte += 1;
    }
    kinds
};

/// Where the stretch without white space at `start` ends, and what it holds.
pub(super) fn chunk_end(bytes: &[u8], start: usize) -> (usize, u8) {
    let mut holds = 0;
    let mut end = start;
    for byte in bytes.get(start..).unwrap_or_default() {
        let kind = KINDS[*byte as usize];
        if kind == SPACE {
            break;
        }
        holds |= kind;
        end += 1;
    }
    (end, holds)
}

/// End of a word: letters and digits, apostrophes between letters, and the points of `U.S.`.
pub(super) fn word_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        let next_is_letter = bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic);
        let single = at == start + 1 || (at >= start + 2 && bytes.get(at - 2) == Some(&b'.'));
        let inside = byte.is_ascii_alphanumeric()
            || (*byte == b'\'' && at > start && next_is_letter)
            || (*byte == b'.' && single && next_is_letter);
        if !inside {
            break;
        }
        at += 1;
    }
    at
}

/// Unicode keeps `U.S.A` and `a_b` together; only letters, digits and inner apostrophes are a word here.
pub(super) fn split_ascii(part: &str) -> impl Iterator<Item = (usize, &[u8])> {
    let bytes = part.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at).is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
            at += 1;
        }
        let start = at;
        at = word_end(bytes, start);
        bytes.get(start..at).filter(|word| !word.is_empty()).map(|word| (start, word))
    })
}

/// End of a number: digits, separators between digits, then letters and digits glued to it.
pub(super) fn number_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        let next_is_digit = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_alphanumeric() || (matches!(byte, b'.' | b',') && next_is_digit)) {
            break;
        }
        at += 1;
    }
    at
}
