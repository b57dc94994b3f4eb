//! What is known about words before any text is read: how common they are, their base form, their synonyms and
//! opposites, and which are function words, negations or talk about the answer itself.
//!
//! The tables are small text files beside this one, made by `tests/quality/make_lexicon.py`: frequencies are document
//! counts over public corpora, synonyms and antonyms come from `WordNet` 3.0 (licence in `lexicon/WORDNET-LICENSE`);
//! `opposites.txt` is our own: sets of words of which a claim may name one in place of another (days, units, ranks).
//! A word that is not listed is taken to be rare. English only, but for the function words of a few other languages.

use super::fold::fold;
use super::hash::{self, KeyMap};
use super::language;
use super::stem::stem;

const WORDS: &str = include_str!("lexicon/words.txt");
const SYNONYMS: &str = include_str!("lexicon/synonyms.txt");
const ANTONYMS: &str = include_str!("lexicon/antonyms.txt");
const OPPOSITES: &str = include_str!("lexicon/opposites.txt");

/// Bits of information of a word outside the table.
pub(super) const RARE: f32 = 12.0;

const NEGATIONS: &str = "not no nor never none nothing neither cannot without can't don't doesn't didn't isn't aren't wasn't \
    weren't won't wouldn't couldn't shouldn't hasn't haven't hadn't ain't nobody nowhere unable lack lacks lacked lacking \
    fail fails failed hardly barely";

/// Words an answer uses to talk about its sources or itself rather than about the world.
const ABOUT_THE_TEXT: &str = "passage passages provided given context contexts according based mentioned mention mentions document documents \
    text answer answers question questions excerpt excerpts information details described states stated following \
    sure here's certainly summary conclusion overall additionally furthermore moreover therefore specifically includes include \
    including example examples however important note helpful help hope please feel free ask";

/// Words for a source, which a number behind them only labels.
const LABELLED: &str = "passage document source context excerpt chunk doc reference";

const EXCLUDING: &str = "only solely exclusively entirely merely";

const SUPPOSING: &str = "if unless whether";

const FIRST_PERSON: &str = "i me my mine myself i'm i've i'd i'll";

const POLAR: &str = "he she his her him hers before after above below over under more less fewer most few many all some both up down \
    out off inside outside with without former latter later earlier always each every";

/// What may stand between the words of a plain clause, `by` and `than` first.
const PLAIN: &str = "by than a an the its their his her was were is are be been being has have had will would did does do also";

/// Doings that are the same whoever is named first.
const MUTUAL: &str = "marry married meet met face faced play played join joined merge merged match equal border share differ resemble \
    fight fought accompany accompanied follow followed neighbour neighbor include included feature featured represent mean call called \
    name named know known";

const NUMBER_WORDS: [(&str, u32, i8); 28] = [
    ("two", 2, 0),
    ("three", 3, 0),
    ("four", 4, 0),
    ("five", 5, 0),
    ("six", 6, 0),
    ("seven", 7, 0),
    ("eight", 8, 0),
    ("nine", 9, 0),
    ("ten", 1, 1),
    ("eleven", 11, 0),
    ("twelve", 12, 0),
    ("thirteen", 13, 0),
    ("fourteen", 14, 0),
    ("fifteen", 15, 0),
    ("sixteen", 16, 0),
    ("seventeen", 17, 0),
    ("eighteen", 18, 0),
    ("nineteen", 19, 0),
    ("twenty", 2, 1),
    ("thirty", 3, 1),
    ("forty", 4, 1),
    ("fifty", 5, 1),
    ("sixty", 6, 1),
    ("seventy", 7, 1),
    ("eighty", 8, 1),
    ("ninety", 9, 1),
    ("hundred", 1, 2),
    ("dozen", 12, 0),
];

/// What sets a word apart, as a set of bits.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NEGATES: Self = Self(1);
    pub(super) const ABOUT_THE_TEXT: Self = Self(2);
    pub(super) const FIRST_PERSON: Self = Self(4);
    /// A function word with an opposite, such as `before` or `she`: without weight, but looked at for contradictions.
    pub(super) const POLAR: Self = Self(16);
    /// A number written as a word.
    pub(super) const NUMBER: Self = Self(32);
    /// Says that nothing else is so: `only`, `solely`.
    pub(super) const EXCLUDES: Self = Self(64);
    /// Opens a condition, so that what follows is not asserted.
    pub(super) const SUPPOSES: Self = Self(128);
    /// Written with a capital, and not because a sentence starts.
    pub(super) const CAPITAL: Self = Self(8);

    /// Whether it holds all of `other`.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What is known about one word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Key of its stem or base form.
    pub(super) key: u64,
    /// Bits of information.
    pub(super) weight: f32,
    /// Languages in which it is a function word, as a mask over [`language::BY_WORDS`].
    pub(super) function_in: u16,
    pub(super) marks: Marks,
}

/// The tables, ready for look-up.
pub(super) struct Lexicon {
    words: KeyMap<Entry>,
    numbers: KeyMap<(u32, i8)>,
    synonyms: KeyMap<Vec<u64>>,
    antonyms: KeyMap<Vec<u64>>,
    sources: Vec<u64>,
    plain: Vec<u64>,
    mutual: Vec<u64>,
}

impl Lexicon {
    /// Reads the built-in tables; some milliseconds.
    pub(super) fn new() -> Self {
        let mut lexicon = Self {
            words: KeyMap::default(),
            numbers: KeyMap::default(),
            synonyms: KeyMap::default(),
            antonyms: KeyMap::default(),
            sources: Vec::new(),
            plain: Vec::new(),
            mutual: Vec::new(),
        };
        for line in WORDS.lines() {
            let mut fields = line.split(' ');
            let (Some(word), Some(half_bits)) = (fields.next(), fields.next()) else { continue };
            let base = fields.next().unwrap_or(word);
            let half_bits: f32 = half_bits.parse().unwrap_or(2.0 * RARE);
            let entry = lexicon.entry(word);
            entry.key = stem_key(base);
            entry.weight = (half_bits / 2.0).min(RARE);
        }
        for (bit, (_, words)) in language::BY_WORDS.iter().enumerate() {
            for word in words.split_ascii_whitespace() {
                lexicon.entry(word).function_in |= 1 << bit;
            }
        }
        for word in NEGATIONS.split_ascii_whitespace() {
            lexicon.mark(word, Marks::NEGATES);
        }
        for word in ABOUT_THE_TEXT.split_ascii_whitespace() {
            lexicon.mark(word, Marks::ABOUT_THE_TEXT);
        }
        for (words, marks) in [(EXCLUDING, Marks::EXCLUDES), (SUPPOSING, Marks::SUPPOSES)] {
            for word in words.split_ascii_whitespace() {
                lexicon.mark(word, marks);
            }
        }
        for word in FIRST_PERSON.split_ascii_whitespace() {
            lexicon.mark(word, Marks::FIRST_PERSON);
        }
        for (word, mantissa, power) in NUMBER_WORDS {
            lexicon.mark(word, Marks::NUMBER);
            lexicon.numbers.insert(hash::bytes(word.as_bytes()), (mantissa, power));
        }
        for word in POLAR.split_ascii_whitespace() {
            lexicon.mark(word, Marks::POLAR);
        }
        let synonyms = lexicon.relation(&[SYNONYMS]);
        let antonyms = lexicon.relation(&[ANTONYMS, OPPOSITES]);
        lexicon.sources = LABELLED.split_ascii_whitespace().map(|word| lexicon.entry(word).key).collect();
        lexicon.plain = PLAIN.split_ascii_whitespace().map(|word| lexicon.entry(word).key).collect();
        lexicon.mutual = MUTUAL
            .split_ascii_whitespace()
            .map(|word| lexicon.look_up(hash::bytes(word.as_bytes())).map_or_else(|| stem_key(word), |entry| entry.key))
            .collect();
        lexicon.synonyms = synonyms;
        lexicon.antonyms = antonyms;
        lexicon
    }

    fn entry(&mut self, word: &str) -> &mut Entry {
        let mut folded = Vec::new();
        fold(word, &mut folded);
        self.words.entry(hash::bytes(&folded)).or_insert_with(|| Entry {
            key: stem_key(word),
            weight: RARE,
            function_in: 0,
            marks: Marks::NONE,
        })
    }

    fn mark(&mut self, word: &str, marks: Marks) {
        let entry = self.entry(word);
        entry.marks = entry.marks.with(marks);
    }

    /// Every line of `lines` is a set of words that stand in the relation to one another.
    fn relation(&self, lines: &[&str]) -> KeyMap<Vec<u64>> {
        let mut related: KeyMap<Vec<u64>> = KeyMap::default();
        let mut keys = Vec::new();
        for line in lines.iter().flat_map(|lines| lines.lines()) {
            keys.clear();
            keys.extend(
                line.split(' ')
                    .map(|word| self.look_up(hash::bytes(word.as_bytes())).map_or_else(|| stem_key(word), |entry| entry.key)),
            );
            for key in &keys {
                let list = related.entry(*key).or_default();
                for other in &keys {
                    if other != key && !list.contains(other) {
                        list.push(*other);
                    }
                }
            }
        }
        related
    }

    /// The entry of a lower-case word, by the hash of its bytes.
    pub(super) fn look_up(&self, word: u64) -> Option<&Entry> {
        self.words.get(&word)
    }

    /// `(mantissa, power of ten)` of a number written as a word.
    pub(super) fn number(&self, word: u64) -> Option<(u32, i8)> {
        self.numbers.get(&word).copied()
    }

    /// Whether the word names a source that a number behind it labels.
    pub(super) fn is_source(&self, key: u64) -> bool {
        self.sources.contains(&key)
    }

    /// Whether the word may stand between the words of a plain clause.
    pub(super) fn is_plain(&self, key: u64) -> bool {
        self.plain.contains(&key)
    }

    /// Whether the word is `by`.
    pub(super) fn is_by(&self, key: u64) -> bool {
        self.plain.first() == Some(&key)
    }

    /// Whether the word is `than`.
    pub(super) fn is_than(&self, key: u64) -> bool {
        self.plain.get(1) == Some(&key)
    }

    /// Whether the word names something that two do to each other.
    pub(super) fn is_mutual(&self, key: u64) -> bool {
        self.mutual.contains(&key)
    }

    /// Keys of words that mean the same in one of their common senses.
    pub(super) fn synonyms(&self, key: u64) -> &[u64] {
        self.synonyms.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Keys of words that mean the opposite.
    pub(super) fn antonyms(&self, key: u64) -> &[u64] {
        self.antonyms.get(&key).map_or(&[], Vec::as_slice)
    }
}

fn stem_key(word: &str) -> u64 {
    let mut stemmed = Vec::new();
    stem(word.as_bytes(), &mut stemmed);
    hash::bytes(&stemmed)
}
