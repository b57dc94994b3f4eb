//! Porter's stemmer as nltk has it by default (`NLTK_EXTENSIONS`): with a list of irregular forms and four further rules.
//!
//! Source: Porter 1980; nltk 3.10, `stem/porter.py`. The word comes in lower case. Letters outside `a-z` count as consonants.

/// Irregular forms and their stems.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// Suffixes of step 2 with what replaces them if the stem before them has a measure above 0.
const STEP_2: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];
/// The same of step 3.
const STEP_3: [(&str, &str); 7] =
    [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];
/// Suffixes that step 4 takes away if the stem before them has a measure above 1.
const STEP_4: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous",
    "ive", "ize",
];

/// The stem of a word in lower case.
pub(super) fn porter(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*stem).to_owned();
    }
    if word.chars().nth(2).is_none() {
        return word.to_owned();
    }
    let mut word = Word(word.chars().collect());
    word.step_1a();
    word.step_1b();
    if word.stem("y").is_some_and(|stem| stem.len() > 1 && consonants(stem).last() == Some(&true)) {
        word.replace("y", "i");
    }
    word.step_2();
    if let Some((suffix, by)) = STEP_3.iter().find(|(suffix, _)| word.stem(suffix).is_some())
        && word.stem(suffix).is_some_and(|stem| measure(stem) > 0)
    {
        word.replace(suffix, by);
    }
    word.step_4();
    word.step_5();
    word.0.into_iter().collect()
}

struct Word(Vec<char>);

impl Word {
    /// What stands before the suffix, if the word ends with it.
    fn stem(&self, suffix: &str) -> Option<&[char]> {
        let at = self.0.len().checked_sub(suffix.len())?;
        let (stem, end) = self.0.split_at_checked(at)?;
        end.iter().copied().eq(suffix.chars()).then_some(stem)
    }

    fn replace(&mut self, suffix: &str, by: &str) {
        self.0.truncate(self.0.len() - suffix.len());
        self.0.extend(by.chars());
    }

    fn step_1a(&mut self) {
        if self.stem("ies").is_some() {
            self.replace("ies", if self.0.len() == 4 { "ie" } else { "i" });
        } else if self.stem("sses").is_some() {
            self.replace("sses", "ss");
        } else if self.stem("ss").is_none() && self.stem("s").is_some() {
            self.replace("s", "");
        }
    }

    fn step_1b(&mut self) {
        if self.stem("ied").is_some() {
            self.replace("ied", if self.0.len() == 4 { "ie" } else { "i" });
            return;
        }
        if let Some(stem) = self.stem("eed") {
            if measure(stem) > 0 {
                self.replace("eed", "ee");
            }
            return;
        }
        let has_vowel = |stem: &[char]| consonants(stem).contains(&false);
        let Some(suffix) = ["ed", "ing"].into_iter().find(|suffix| self.stem(suffix).is_some_and(has_vowel)) else { return };
        self.replace(suffix, "");
        if self.stem("at").is_some() || self.stem("bl").is_some() || self.stem("iz").is_some() {
            self.0.push('e');
        } else if self.ends_double() {
            if !matches!(self.0.last(), Some('l' | 's' | 'z')) {
                self.0.pop();
            }
        } else if measure(&self.0) == 1 && ends_short(&self.0) {
            self.0.push('e');
        }
    }

    fn step_2(&mut self) {
        while self.stem("alli").is_some_and(|stem| measure(stem) > 0) {
            self.replace("alli", "al");
        }
        if let Some((suffix, by)) = STEP_2.iter().find(|(suffix, _)| self.stem(suffix).is_some()) {
            if self.stem(suffix).is_some_and(|stem| measure(stem) > 0) {
                self.replace(suffix, by);
            }
        } else if self.stem("logi").is_some() && self.stem("ogi").is_some_and(|stem| measure(stem) > 0) {
            self.replace("logi", "log");
        }
    }

    fn step_4(&mut self) {
        let Some(suffix) = STEP_4.into_iter().find(|suffix| self.stem(suffix).is_some()) else { return };
        let may_go =
            self.stem(suffix).is_some_and(|stem| measure(stem) > 1 && (suffix != "ion" || matches!(stem.last(), Some('s' | 't'))));
        if may_go {
            self.replace(suffix, "");
        }
    }

    fn step_5(&mut self) {
        if self.stem("e").is_some_and(|stem| measure(stem) > 1 || measure(stem) == 1 && !ends_short(stem)) {
            self.replace("e", "");
        }
        if self.stem("ll").is_some() && self.stem("l").is_some_and(|stem| measure(stem) > 1) {
            self.replace("l", "");
        }
    }

    fn ends_double(&self) -> bool {
        matches!(self.0.as_slice(), [.., one, two] if one == two) && consonants(&self.0).last() == Some(&true)
    }
}

/// Which letters are consonants: all but vowels, and `y` only at the start and after a vowel.
fn consonants(word: &[char]) -> Vec<bool> {
    let mut found: Vec<bool> = Vec::with_capacity(word.len());
    for letter in word {
        found.push(match letter {
            'a' | 'e' | 'i' | 'o' | 'u' => false,
            'y' => found.last().is_none_or(|before| !before),
            _ => true,
        });
    }
    found
}

/// Number of consonants right after a vowel.
fn measure(stem: &[char]) -> usize {
    consonants(stem).windows(2).filter(|pair| **pair == [false, true]).count()
}

/// Consonant, vowel, consonant but `w`, `x` and `y`; or nothing but a vowel and a consonant.
fn ends_short(stem: &[char]) -> bool {
    match consonants(stem).as_slice() {
        [false, true] => true,
        [.., true, false, true] => !matches!(stem.last(), Some('w' | 'x' | 'y')),
        _ => false,
    }
}
