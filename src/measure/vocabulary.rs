//! Which words a text is made of, as bits: 512 buckets, each set where one of its words falls.
//!
//! A word is a run of at least three letters, without regard to case; words with digits are ids more often than words and are left
//! out. In scripts without spaces, each pair of neighbouring characters is one. Which bucket a word falls into is its hash, so
//! that counts of texts by bucket add up exactly and have a fixed size whatever people write; two words in one bucket count
//! as one. A text is read until 64 buckets are set, and no further than 2,048 bytes: its opening says what it is about, what it costs
//! is bounded, and long texts leave buckets unset. Nothing is allocated.

use unicode_normalization::char::is_combining_mark;

/// Buckets.
pub const BUCKETS: usize = 512;
/// Buckets after which a text is not read on.
const BUCKETS_MAX: u32 = 64;
/// Bytes after which a text is not read on.
const BYTES_MAX: usize = 2_048;
/// Letters of the shortest word.
const LETTERS_MIN: u32 = 3;
/// FNV-1a.
const START: u64 = 0xcbf2_9ce4_8422_2325;

/// The buckets that a text's words fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vocabulary([u64; BUCKETS / 64]);

impl Vocabulary {
    /// Reads a text. `None` if it holds no word.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.get(..text.floor_char_boundary(BYTES_MAX)).unwrap_or_default();
        let mut reading = Reading { found: [0; BUCKETS / 64], count: 0, hash: START, letters: 0, has_digit: false, before: None };
        for letter in text.chars() {
            reading.read(letter);
            if reading.count == BUCKETS_MAX {
                return Some(Self(reading.found));
            }
        }
        reading.end_word();
        (reading.count > 0).then_some(Self(reading.found))
    }

    /// Number of buckets.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }

    /// The buckets, ascending.
    pub fn buckets(&self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(at, mut bits)| {
            std::iter::from_fn(move || {
                let low = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                (low < 64).then_some(at * 64 + low as usize)
            })
        })
    }

    /// As bytes; [`Self::from_bytes`] reads them.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BUCKETS / 8] {
        let mut bytes = [0; BUCKETS / 8];
        for (place, bits) in bytes.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&bits.to_le_bytes());
        }
        bytes
    }

    /// From bytes; `None` unless they are [`Self::to_bytes`] of a vocabulary.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut found = [0; BUCKETS / 64];
        let (chunks, rest) = bytes.as_chunks::<8>();
        if chunks.len() != found.len() || !rest.is_empty() {
            return None;
        }
        for (bits, chunk) in found.iter_mut().zip(chunks) {
            *bits = u64::from_le_bytes(*chunk);
        }
        Some(Self(found)).filter(|found| found.count() > 0)
    }
}

struct Reading {
    found: [u64; BUCKETS / 64],
    count: u32,
    hash: u64,
    letters: u32,
    has_digit: bool,
    /// The character before, in a script without spaces.
    before: Option<char>,
}

impl Reading {
    #[inline]
    fn read(&mut self, letter: char) {
        if letter.is_ascii_alphabetic() {
            self.letter(u64::from(u32::from(letter) | 0x20));
        } else if letter.is_ascii() {
            if letter.is_ascii_digit() {
                self.has_digit = true;
            } else {
                self.end_word();
            }
        } else {
            self.read_other(letter);
        }
    }

    #[inline]
    fn letter(&mut self, letter: u64) {
        self.hash = step(self.hash, letter);
        self.letters += 1;
    }

    #[cold]
    fn read_other(&mut self, letter: char) {
        if is_unspaced(letter) {
            let before = self.before;
            self.end_word();
            if let Some(before) = before {
                self.set(step(step(START, u64::from(u32::from(before))), u64::from(u32::from(letter))));
            }
            self.before = Some(letter);
        } else if letter.is_alphabetic() {
            for lower in letter.to_lowercase() {
                self.letter(u64::from(u32::from(lower)));
            }
        } else if letter.is_numeric() {
            self.has_digit = true;
        } else if !is_combining_mark(letter) {
            self.end_word();
        }
    }

    #[inline]
    fn end_word(&mut self) {
        if self.letters >= LETTERS_MIN && !self.has_digit {
            self.set(self.hash);
        }
        (self.hash, self.letters, self.has_digit, self.before) = (START, 0, false, None);
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below BUCKETS")]
    fn set(&mut self, hash: u64) {
        let bucket = ((hash ^ (hash >> 32)) % BUCKETS as u64) as usize;
        let (bits, bit) = (&mut self.found[bucket / 64], 1 << (bucket % 64));
        self.count += u32::from(*bits & bit == 0);
        *bits |= bit;
    }
}

#[inline]
const fn step(hash: u64, letter: u64) -> u64 {
    (hash ^ letter).wrapping_mul(0x0100_0000_01b3)
}

/// Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, Han.
const fn is_unspaced(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn buckets(text: &str) -> Vec<usize> {
        Vocabulary::of(text).map(|words| words.buckets().collect()).unwrap_or_default()
    }

    #[test]
    fn words_count_without_regard_to_case_order_and_repetition() {
        assert_eq!(buckets("The invoice, PAID twice."), buckets("twice paid; the INVOICE the invoice"));
        // FNV-1a of "invoice", folded (Python: h = (h ^ b) * 0x100000001b3 % 2**64; (h ^ h >> 32) % 512)
        assert_eq!(buckets("invoice"), [INVOICE]);
        assert_eq!(buckets("ÄRGER über"), buckets("ärger ÜBER"));
    }

    const INVOICE: usize = 186;

    #[test]
    fn what_is_no_word_counts_for_nothing() {
        for nothing in ["", "a of 12 34.5 -- !", "b7f3a9c2d4e5", "order66", "an x y"] {
            assert_eq!(Vocabulary::of(nothing), None, "{nothing}");
        }
        assert_eq!(buckets("order66 invoice 2024"), buckets("invoice"));
    }

    #[test]
    fn scripts_without_spaces_count_pairs_and_marks_do_not_cut_words() {
        assert_eq!(buckets("退款请求").len(), 3);
        assert_eq!(buckets("退款 请求").len(), 2);
        assert_eq!(buckets("नमस्ते").len(), 1);
    }

    #[test]
    fn a_text_is_read_only_so_far() {
        let name = |number: usize| -> String {
            let letter = |digit: usize| char::from(b'a' + u8::try_from(digit % 26).unwrap());
            [letter(number / 676), letter(number / 26), letter(number)].iter().collect()
        };
        let many: Vec<String> = (0..5_000).map(name).collect();
        assert_eq!(Vocabulary::of(&many.join(" ")).unwrap().count(), 64);
        let late = format!("{}invoice", "1 ".repeat(BYTES_MAX));
        assert_eq!(Vocabulary::of(&late), None);
        // All buckets are used, and about alike.
        let mut counts = [0_u32; BUCKETS];
        for word in &many {
            for bucket in Vocabulary::of(word).unwrap().buckets() {
                counts[bucket] += 1;
            }
        }
        let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - 5_000.0 / 512.0).powi(2) / (5_000.0 / 512.0)).sum();
        // 0.999 quantile of chi-square with 511 degrees of freedom
        assert!(chi_square < 615.0, "{chi_square}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic_and_its_bytes_say_the_same(text in any::<String>()) {
            if let Some(words) = Vocabulary::of(&text) {
                prop_assert_eq!(words.buckets().count(), words.count() as usize);
                prop_assert_eq!(Vocabulary::from_bytes(&words.to_bytes()), Some(words));
            }
        }
    }
}
