//! Words, figures and characters → tokens.
//!
//! What a token is equal to is decided here: words by their stem, figures by their value, scripts without spaces by pairs of
//! characters.

use super::super::fold::fold;
use super::super::hash;
use super::super::layout::digit;
use super::super::lexicon::{Lexicon, Marks, RARE};
use super::super::number::{decimal, end_of_years, number_key, scale};
use super::super::stem::stem;
use super::cut::kind_in_english;
use super::{Kind, Text, Token, Written, offset};

/// Token weight of a pair of characters: two of them weigh about as much as a middling word.
const PAIR_WEIGHT: f32 = 4.0;
const NUMBER_WEIGHT: f32 = 9.0;
/// What may be a year weighs less, which tells it from other numbers.
pub(in super::super) const YEAR_WEIGHT: f32 = 8.5;
const SMALL_NUMBER_WEIGHT: f32 = 6.0;
/// Small numbers in words often count what the answer itself lists.
const SPELLED_NUMBER_WEIGHT: f32 = 3.0;

impl Text {
    /// A number; `401(k)` is read as `401k`. Returns where it ends.
    pub(super) fn figures(&mut self, bytes: &[u8], at: usize, end: usize, base: usize, lexicon: &Lexicon) -> usize {
        if let Some([b'(', letter, b')', ..]) = bytes.get(end..)
            && letter.is_ascii_alphabetic()
        {
            let mut joined = std::mem::take(&mut self.joined);
            joined.clear();
            joined.extend_from_slice(bytes.get(at..end).unwrap_or_default());
            joined.push(*letter);
            self.number(&joined, base + at, lexicon);
            self.joined = joined;
            return end + 3;
        }
        self.number(bytes.get(at..end).unwrap_or_default(), base + at, lexicon);
        end
    }

    /// A run of one character of a script without spaces still is a token.
    pub(super) fn finish_pair(&mut self, previous: &mut Option<(char, bool)>) {
        if let Some((letter, false)) = previous.take() {
            self.pair(letter, '\0');
        }
    }

    pub(super) fn pair(&mut self, first: char, second: char) {
        self.push(Token {
            key: hash::pair(u64::from(u32::from(first)), u64::from(u32::from(second))),
            weight: PAIR_WEIGHT,
            kind: Kind::Pair,
            function_in: 0,
            marks: if matches!(first, '不' | '没' | '無' | '无' | '非') { Marks::NEGATES } else { Marks::NONE },
        });
    }

    /// Figures of other scripts, by value; digits that the rules of segmentation set apart one by one are joined.
    pub(super) fn foreign_number(&mut self, part: &str, start: usize, lexicon: &Lexicon) {
        let mut figures = std::mem::take(&mut self.joined);
        figures.clear();
        figures.extend(part.chars().filter_map(|letter| match letter {
            '٫' | '.' => Some(b'.'),
            _ => digit(letter).map(|value| b'0' + value),
        }));
        self.number(&figures, start, lexicon);
        if let Some(number) = &mut self.last_number {
            number.end = offset(start + part.len());
        }
        self.joined = figures;
    }

    pub(super) fn foreign_word(&mut self, part: &str, start: usize, lexicon: &Lexicon) {
        fold(part, &mut self.lower);
        let capital = part.chars().next().is_some_and(char::is_uppercase);
        let first = part.chars().next().unwrap_or('a');
        self.lowered(start, start + part.len(), first, capital, lexicon);
    }

    pub(super) fn word(&mut self, word: &[u8], start: usize, lexicon: &Lexicon) {
        self.lower.clear();
        self.lower.extend(word.iter().filter(|byte| **byte != b'.').map(u8::to_ascii_lowercase));
        let capital = word.first().is_some_and(u8::is_ascii_uppercase);
        self.lowered(start, start + word.len(), 'a', capital, lexicon);
    }

    fn lowered(&mut self, start: usize, end: usize, first: char, capital: bool, lexicon: &Lexicon) {
        if self.lower.ends_with(b"'s") {
            let length = self.lower.len() - 2;
            if length > 2 {
                self.lower.truncate(length);
            }
        }
        let word = hash::bytes(&self.lower);
        let opens = std::mem::take(&mut self.opens) || self.open_first as usize == self.tokens.len();
        let mut number = None;
        let mut token = Token {
            key: word,
            weight: RARE,
            kind: Kind::Word,
            function_in: 0,
            marks: if capital && !opens && !self.is_title { Marks::CAPITAL } else { Marks::NONE },
        };
        if let Some(entry) = lexicon.look_up(word) {
            token.key = entry.key;
            token.weight = entry.weight;
            token.function_in = entry.function_in;
            token.marks = token.marks.with(entry.marks);
            self.first_person += u32::from(entry.marks.has(Marks::FIRST_PERSON));
            if entry.marks.has(Marks::NUMBER)
                && let Some((mantissa, power)) = lexicon.number(word)
            {
                token.kind = Kind::Number;
                token.weight = if power == 0 && mantissa < 10 { SPELLED_NUMBER_WEIGHT } else { NUMBER_WEIGHT };
                token.key = number_key(u64::from(mantissa), i32::from(power));
                number = Some(Written { mantissa: u64::from(mantissa), power: i32::from(power), end: offset(end) });
            }
        } else {
            stem(&self.lower, &mut self.stemmed);
            token.key = hash::bytes(&self.stemmed);
        }
        if token.kind == Kind::Word {
            token.kind = kind_in_english(token.function_in, token.marks);
        }
        if token.marks.has(Marks::NEGATES) && opens && self.lower == b"no" {
            // The answer to a question, not a negation of the next word.
            token.marks = Marks::NONE;
        }
        self.negated_form(token.key, lexicon);
        self.evidence.see(first, token.function_in);
        if let Some(written) = &mut self.last_number
            && let Some(power) = scale(&self.lower)
            && let Some(previous) = self.tokens.last_mut()
            && start.saturating_sub(written.end as usize) <= 1
        {
            previous.key = number_key(written.mantissa, written.power + i32::from(power));
            written.end = offset(end);
            return;
        }
        self.push(token);
        self.last_number = number;
    }

    /// Notes `un…` and `non…` before a known word.
    fn negated_form(&mut self, key: u64, lexicon: &Lexicon) {
        let rest = self.lower.strip_prefix(b"un").or_else(|| self.lower.strip_prefix(b"non"));
        if let Some(rest) = rest
            && rest.len() > 3
            && let Some(entry) = lexicon.look_up(hash::bytes(rest))
            && entry.function_in == 0
        {
            self.prefixed.extend([(key, entry.key), (entry.key, key)]);
        }
    }

    pub(super) fn number(&mut self, digits: &[u8], start: usize, lexicon: &Lexicon) {
        let split = digits.iter().rposition(u8::is_ascii_digit).map_or(0, |at| at + 1);
        let (figures, suffix) = digits.split_at_checked(split).unwrap_or((digits, &[]));
        let end = start + digits.len();
        self.lower.clear();
        self.lower.extend(suffix.iter().map(u8::to_ascii_lowercase));
        let joined = figures.iter().any(u8::is_ascii_alphabetic);
        let power = match self.lower.as_slice() {
            b"" | b"s" | b"th" | b"st" | b"nd" | b"rd" => Some(0),
            b"k" => Some(3),
            b"m" | b"mn" => Some(6),
            b"b" | b"bn" => Some(9),
            _ => None,
        };
        let (Some(power), false) = (power, joined) else {
            // Letters and digits together, as in a model's name: a word.
            self.word(digits, start, lexicon);
            return;
        };
        let (mut mantissa, exponent, places) = decimal(figures);
        if places == 2
            && let Some(before) = self.last_number
            && start.saturating_sub(before.end as usize) <= 3
        {
            mantissa = end_of_years((before.mantissa, before.power), mantissa).unwrap_or(mantissa);
        }
        // `Passage 2` names a source.
        let before = self.tokens.get(self.from..).and_then(<[Token]>::last);
        let is_label = power == 0 && places <= 2 && before.is_some_and(|token| lexicon.is_source(token.key));
        self.push(Token {
            key: number_key(mantissa, exponent + power),
            weight: if places == 1 {
                SMALL_NUMBER_WEIGHT
            } else if exponent + power == 0 && (1000..2100).contains(&mantissa) {
                YEAR_WEIGHT
            } else {
                NUMBER_WEIGHT
            },
            kind: if is_label { Kind::Function } else { Kind::Number },
            function_in: 0,
            marks: Marks::NONE,
        });
        if !is_label {
            self.last_number = Some(Written { mantissa, power: exponent + power, end: offset(end) });
        }
    }

    pub(super) fn push(&mut self, token: Token) {
        self.last_number = None;
        self.tokens.push(token);
    }
}
