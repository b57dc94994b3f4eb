//! Text → tokens and segments.
//!
//! A token is a word, a number, a redaction placeholder, or, in scripts written without spaces, an overlapping pair of
//! characters. A segment is a sentence, a list item or a table row. Word boundaries are those of UAX #29; plain ASCII
//! takes a quicker path to the same tokens. Markup, citations such as `[1]` and the markers of list items give no tokens; fenced
//! code is one segment, marked as code.
//!
//! Linear in the length of the text whatever it holds, and nothing is allocated per token once the buffers have grown.

mod cut;
mod term;

use unicode_segmentation::UnicodeSegmentation;

use super::boundary::{FOREIGN, LETTERS, chunk_end, number_end, split_ascii, word_end};
use super::hash;
use super::language::{self, Evidence};
use super::layout::{
    digit, is_abbreviation, is_cited, is_data, is_list_marker, is_placeholder, is_question_mark, is_stop, is_table_rule,
    list_number, may_mark, may_rule, names_source, tag, without_closers,
};
use super::lexicon::{Lexicon, Marks, RARE};

pub(super) use cut::Cut;
pub(super) use term::YEAR_WEIGHT;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A word that carries no meaning of its own in the text's language.
    Function,
    Word,
    Number,
    /// What redaction left, such as `[EMAIL-3f9a]`.
    Placeholder,
    /// Two neighbouring characters of a script without spaces.
    Pair,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Equal for tokens that count as the same.
    pub(super) key: u64,
    /// Bits of information.
    pub(super) weight: f32,
    pub(super) kind: Kind,
    function_in: u16,
    pub(super) marks: Marks,
}

impl Token {
    /// Whether the token says something that can be supported or not.
    pub(super) fn is_content(&self) -> bool {
        self.kind != Kind::Function && !self.marks.has(Marks::ABOUT_THE_TEXT) && !self.marks.has(Marks::POLAR)
    }
}

/// A sentence, list item, table row, or block of code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Bytes of the text, without surrounding white space.
    pub(super) start: u32,
    pub(super) end: u32,
    /// Tokens, half-open.
    pub(super) first: u32,
    pub(super) last: u32,
    /// Its tokens that carry meaning, and their bits of information.
    pub(super) length: u32,
    pub(super) weight: f32,
    pub(super) is_code: bool,
    /// A question, or the head of a table.
    pub(super) is_no_claim: bool,
    /// All that its tokens are marked with.
    pub(super) marks: Marks,
}

/// A number as it was written: what a word of scale or the end of a span of years behind it goes on from.
#[derive(Clone, Copy)]
struct Written {
    mantissa: u64,
    power: i32,
    /// Byte of the text where it ends.
    end: u32,
}

/// A text cut into tokens and segments; reused from text to text.
#[expect(clippy::struct_excessive_bools, reason = "what the reader is inside of; any of them may hold at once")]
#[derive(Default)]
pub(super) struct Text {
    pub(super) tokens: Vec<Token>,
    pub(super) segments: Vec<Segment>,
    pub(super) evidence: Evidence,
    /// All that its tokens are marked with.
    pub(super) marks: Marks,
    /// Words of somebody who speaks as `I`.
    pub(super) first_person: u32,
    /// Words negated by a prefix, such as `unadjusted`, with the key of what they negate; and the other way round.
    /// Sorted once the text is settled.
    pub(super) prefixed: Vec<(u64, u64)>,
    lower: Vec<u8>,
    stemmed: Vec<u8>,
    joined: Vec<u8>,
    /// The last token, where that is a number.
    last_number: Option<Written>,
    /// First token of the text that is read.
    from: usize,
    open: Option<u32>,
    open_first: u32,
    in_code: bool,
    /// Inside a fence around data, which is read as text.
    in_data: bool,
    /// Number of the last list item.
    marker: u32,
    /// The next word opens a phrase, so that its capital says nothing.
    opens: bool,
    /// Inside bold text or a heading, where capitals are layout.
    is_title: bool,
    /// Inside a citation that holds spaces, such as `[1, 2]`.
    in_citation: bool,
}

impl Text {
    /// Empties the buffers and gives back what a giant text made them grow to.
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        self.segments.clear();
        self.tokens.shrink_to(1 << 16);
        self.segments.shrink_to(1 << 12);
        self.evidence = Evidence::default();
        self.prefixed.clear();
        self.prefixed.shrink_to(1 << 12);
        self.first_person = 0;
        self.marks = Marks::NONE;
        self.open = None;
        self.in_code = false;
    }

    /// Appends the tokens of `text`; a new segment starts with it, and nothing read before matters. Offsets are bytes of this `text`.
    pub(super) fn read(&mut self, text: &str, lexicon: &Lexicon) {
        self.open = None;
        self.in_code = false;
        self.in_data = false;
        self.in_citation = false;
        self.is_title = false;
        self.opens = false;
        self.marker = 0;
        self.last_number = None;
        self.from = self.tokens.len();
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut line_start = true;
        while let Some(byte) = bytes.get(at) {
            if byte.is_ascii_whitespace() {
                if *byte == b'\n' {
                    if !self.in_code {
                        self.close(at, bytes, false);
                    }
                    line_start = true;
                    self.is_title = false;
                }
                at += 1;
                continue;
            }
            let (end, holds) = chunk_end(bytes, at);
            let Some(chunk) = text.get(at..end) else { break };
            if holds == LETTERS {
                self.in_citation = false;
                self.begin(at);
                self.word(chunk.as_bytes(), at, lexicon);
                line_start = false;
                at = end;
                continue;
            }
            if line_start && (chunk.starts_with("```") || chunk.starts_with("~~~")) {
                self.fence(at, end, bytes);
            } else if line_start && may_rule(*byte) && !self.in_code && is_table_rule(bytes.get(at..).unwrap_or_default()) {
                if let Some(head) = self.segments.last_mut().filter(|head| head.first as usize >= self.from) {
                    head.is_no_claim = true;
                }
            } else if line_start && may_mark(*byte) && is_list_marker(chunk) {
                // The marker belongs to the layout, not to what is said.
                self.marker = list_number(chunk).unwrap_or(self.marker);
                self.is_title = *byte == b'#';
                self.begin(at);
            } else if !self.in_code
                && may_mark(*byte)
                && list_number(chunk).is_some_and(|number| self.continues_list(number, at, bytes))
            {
                self.marker += 1;
                self.close(at, bytes, false);
                self.begin(at);
            } else {
                self.begin(at);
                if holds & FOREIGN == 0 {
                    self.read_ascii(chunk, at, lexicon);
                } else {
                    self.read_mixed(chunk, at, lexicon);
                }
                if !self.in_code && !bytes.get(end - 1).is_some_and(u8::is_ascii_alphanumeric) {
                    self.close_at_stop(chunk, end, bytes);
                }
            }
            line_start = false;
            at = end;
        }
        self.close(bytes.len(), bytes, false);
    }

    /// The tokens of one of its segments.
    pub(super) fn tokens_of(&self, segment: &Segment) -> &[Token] {
        self.tokens.get(segment.first as usize..segment.last as usize).unwrap_or_default()
    }

    /// Whether `2.` in the middle of a line is the next item of a list written in one line: the number follows, or
    /// starts the list behind a colon or stop.
    fn continues_list(&mut self, number: u32, at: usize, bytes: &[u8]) -> bool {
        let before = bytes.get(..at).unwrap_or_default().iter().rev().find(|byte| !byte.is_ascii_whitespace());
        if number == 1 && before.is_some_and(|byte| matches!(byte, b':' | b'.' | b'?' | b'!')) {
            self.marker = 0;
        }
        number == self.marker + 1
    }

    fn begin(&mut self, at: usize) {
        if self.open.is_none() {
            self.open = Some(offset(at));
            self.open_first = offset(self.tokens.len());
        }
    }

    /// Ends the open segment before byte `end`.
    fn close(&mut self, end: usize, bytes: &[u8], is_no_claim: bool) {
        let Some(start) = self.open.take() else { return };
        let last = offset(self.tokens.len());
        if last == self.open_first && !self.in_code {
            return;
        }
        let mut end = end;
        while end > start as usize && bytes.get(end - 1).is_some_and(u8::is_ascii_whitespace) {
            end -= 1;
        }
        let tokens = self.tokens.get(self.open_first as usize..).unwrap_or_default();
        let marks = tokens.iter().fold(Marks::NONE, |marks, token| marks.with(token.marks));
        let first = self.open_first;
        self.marks = self.marks.with(marks);
        let is_code = self.in_code;
        let mut segment = Segment { start, end: offset(end), first, last, length: 0, weight: 0.0, is_code, is_no_claim, marks };
        segment.measure(tokens);
        self.segments.push(segment);
    }

    fn fence(&mut self, at: usize, end: usize, bytes: &[u8]) {
        if self.in_code {
            self.close(end, bytes, false);
            self.in_code = false;
        } else if self.in_data || is_data(bytes.get(at..end).unwrap_or_default()) {
            self.close(at, bytes, false);
            self.in_data = !self.in_data;
        } else {
            self.close(at, bytes, false);
            self.in_code = true;
            self.begin(at);
        }
    }

    fn close_at_stop(&mut self, chunk: &str, end: usize, bytes: &[u8]) {
        let core = without_closers(chunk);
        let Some(stop) = core.chars().next_back() else { return };
        let next = bytes.get(end..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace());
        let ends = match stop {
            '.' => !next.is_some_and(u8::is_ascii_lowercase) && !is_abbreviation(core),
            _ => is_stop(stop) || (is_without_stops(stop) && self.tokens.len() - self.open_first as usize >= PHRASE),
        };
        if ends {
            self.close(end, bytes, is_question_mark(stop));
        }
    }

    fn read_ascii(&mut self, chunk: &str, base: usize, lexicon: &Lexicon) {
        let bytes = chunk.as_bytes();
        let mut at = 0;
        if std::mem::take(&mut self.in_citation) {
            let cited = bytes.iter().position(|byte| !is_cited(*byte)).unwrap_or(bytes.len());
            self.in_citation = cited == bytes.len();
            at = cited;
        }
        while let Some(byte) = bytes.get(at) {
            if byte.is_ascii_alphabetic() {
                let end = word_end(bytes, at);
                self.word(bytes.get(at..end).unwrap_or_default(), base + at, lexicon);
                at = end;
            } else if byte.is_ascii_digit() {
                let end = number_end(bytes, at);
                at = self.figures(bytes, at, end, base, lexicon);
            } else if bytes.get(at..at + 2) == Some(b"**") {
                self.is_title = !self.is_title;
                self.opens = true;
                at += 2;
            } else if *byte == b'[' {
                at = self.bracket(bytes, at);
            } else if matches!(byte, b'<' | b'&')
                && let Some((length, parts)) = tag(bytes.get(at..).unwrap_or_default())
            {
                if parts && !self.in_code {
                    self.close(base + at, &[], false);
                    self.begin(base + at + length);
                }
                at += length;
            } else {
                self.opens |= matches!(byte, b':' | b'*' | b'|' | b'#' | b'"' | b'(' | b'>');
                at += 1;
            }
        }
    }

    /// A placeholder becomes one token, a citation none; anything else is read on behind the bracket.
    fn bracket(&mut self, bytes: &[u8], at: usize) -> usize {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        if !rest.is_empty() && rest.iter().all(|byte| is_cited(*byte)) {
            self.in_citation = true;
            return bytes.len();
        }
        let Some(length) = rest.iter().take(40).position(|byte| *byte == b']') else {
            self.in_citation = names_source(rest);
            return if self.in_citation { bytes.len() } else { at + 1 };
        };
        let inner = rest.get(..length).unwrap_or_default();
        let end = at + length + 2;
        if !inner.is_empty() && (inner.iter().all(|byte| is_cited(*byte)) || names_source(inner)) {
            return end;
        }
        if is_placeholder(inner) {
            self.push(Token {
                key: hash::pair(1, hash::bytes(inner)),
                weight: RARE,
                kind: Kind::Placeholder,
                function_in: 0,
                marks: Marks::NONE,
            });
            return end;
        }
        at + 1
    }

    /// Placeholders and citations stand between ASCII brackets in any script; what is around them goes by Unicode's rules.
    fn read_mixed(&mut self, chunk: &str, base: usize, lexicon: &Lexicon) {
        let mut from = 0;
        while let Some(length) = chunk.get(from..).unwrap_or_default().bytes().position(|byte| byte == b'[') {
            let open = from + length;
            self.read_unicode(chunk.get(from..open).unwrap_or_default(), base + from, lexicon);
            from = self.bracket(chunk.as_bytes(), open);
        }
        self.read_unicode(chunk.get(from..).unwrap_or_default(), base + from, lexicon);
    }

    fn read_unicode(&mut self, chunk: &str, base: usize, lexicon: &Lexicon) {
        let mut previous: Option<(char, bool)> = None;
        let mut in_citation = false;
        for (at, part) in chunk.split_word_bound_indices() {
            let Some(letter) = part.chars().next() else { continue };
            // Some models cite as 【3†source】.
            in_citation = (in_citation || letter == '【') && letter != '】';
            if in_citation {
                continue;
            }
            // Raised figures are notes or powers, neither of which is said.
            if !letter.is_alphanumeric() || matches!(letter, '¹' | '²' | '³' | '⁰'..='⁹') {
                self.finish_pair(&mut previous);
                let end = at + part.len();
                let rest = chunk.get(end..).unwrap_or_default();
                if !letter.is_ascii()
                    && is_stop(letter)
                    && !without_closers(rest).is_empty()
                    && rest.chars().any(char::is_alphanumeric)
                {
                    let closers = rest.len() - rest.trim_start_matches(['」', '』', '）', '》', '〉', '”', '’']).len();
                    self.close(base + end + closers, &[], is_question_mark(letter));
                    self.begin(base + end + closers);
                }
                continue;
            }
            if !letter.is_ascii() && digit(letter).is_some() {
                self.finish_pair(&mut previous);
                self.foreign_number(part, base + at, lexicon);
                continue;
            }
            if language::is_unspaced(letter) {
                for letter in part.chars().filter(|letter| letter.is_alphanumeric()) {
                    if let Some((first, _)) = previous {
                        self.pair(first, letter);
                    }
                    previous = Some((letter, previous.is_some()));
                    self.evidence.see(letter, 0);
                }
                continue;
            }
            self.finish_pair(&mut previous);
            if letter.is_ascii_digit() {
                let bytes = part.as_bytes();
                let end = number_end(bytes, 0);
                self.number(bytes.get(..end).unwrap_or_default(), base + at, lexicon);
            } else if part.is_ascii() {
                for (inner, word) in split_ascii(part) {
                    self.word(word, base + at + inner, lexicon);
                }
            } else {
                self.foreign_word(part, base + at, lexicon);
            }
        }
        self.finish_pair(&mut previous);
    }
}

/// Whether the letter's script writes sentences without stops, with a space behind them.
fn is_without_stops(letter: char) -> bool {
    matches!(u32::from(letter), 0x0e01..=0x0eff)
}

/// Tokens of such a script that a sentence has at least; a space behind fewer parts phrases.
const PHRASE: usize = 16;

/// Byte offsets and counts fit in 32 bits: texts above the limit are not read.
#[expect(clippy::cast_possible_truncation, reason = "texts are bounded far below 4 GiB")]
fn offset(value: usize) -> u32 {
    value as u32
}
