//! Which language a text is in, as far as function words and scripts tell.
//!
//! Latin-script languages are told apart by their commonest function words, other languages by their script. The
//! answer is a descriptor and decides which words carry no meaning of their own; a text with too little evidence has
//! no language. It is no language identifier: a language outside the list below reads as none, or as its neighbour.

/// Languages told apart, in the order of the bits of a word's mask. English first: it is assumed where nothing is known.
pub(super) const BY_WORDS: [(&str, &str); 10] = [
    (
        "en",
        "a about above after again against all also am an and any are as at be because been before being below between \
         both but by can could did do does doing down during each either else etc even ever every few for from further \
         get gets got had has have having he her here hers herself him himself his how however i if in into is it its \
         itself just let like many may me might more most much must my myself of off on once one only onto or other our \
         ours out over own per quite rather same shall she should since so some still such than that the their theirs \
         them themselves then there these they this those though through thus to too toward towards under until up upon \
         us used very was we well were what when where whether which while who whom whose why will with within would \
         yet you your yours yourself i'm i've i'd i'll it's he's she's that's there's what's we're we've we'll they're \
         they've they'll you're you've you'll let's not no nor never none nothing neither cannot without can't don't \
         doesn't didn't isn't aren't wasn't weren't won't wouldn't couldn't shouldn't hasn't haven't hadn't ain't s t",
    ),
    (
        "de",
        "der die das und ist nicht ein eine einen einem einer eines zu den dem des mit auf für von im am als auch es sich \
         sie er wir ihr ich wird werden wurde wurden sind war waren hat haben kann können oder aber wie bei nach aus um \
         durch über so noch nur zum zur dass wenn mehr kein keine vor man bis unter ihre seine diese dieser dieses",
    ),
    (
        "fr",
        "le la les de des du un une et est en que qui dans pour pas sur au aux avec ce cette ces il elle ils elles nous \
         vous je ne se sont était être ont par plus ou mais comme son sa ses leur leurs d'une d'un c'est qu'il n'est si \
         tout on été fait peut aussi",
    ),
    (
        "es",
        "el la los las de del un una unos unas y es en que por para con no se su sus al lo como más pero o este esta estos \
         estas fue son ha han ser muy también entre sin sobre era está están cuando hay donde le les si ya porque puede",
    ),
    (
        "it",
        "il lo la i gli le di del della dei delle dello un una uno e è in che per con non si su da dal dalla al alla sono \
         come più ma o anche questo questa nel nella nei sua suo ha hanno essere era stato se loro ci può",
    ),
    (
        "pt",
        "o a os as de do da dos das um uma e é em no na nos nas que por para com não se ao à seu sua mais mas ou como foi \
         são ser tem também pelo pela este esta isso entre quando muito já está pode",
    ),
    (
        "nl",
        "de het een en van is in dat op te zijn met voor niet aan er om ook als bij maar of uit door naar dan nog wel kan \
         wordt worden werd heeft hebben deze die dit zo over tot hij zij ze we ik je geen was",
    ),
    (
        "sv",
        "och det att en ett är som på av för med den till inte har de om var från så kan men sig eller vid när han hon vi \
         jag du ska också efter under mot finns inom",
    ),
    (
        "pl",
        "w i na z do się nie to jest że o od po jak za przez dla są oraz lub ale co by tym który która które być był była \
         może także tego jego jej ich przy",
    ),
    ("tr", "ve bir bu da de için ile olarak çok daha olan gibi en kadar sonra ama veya değil ne var mı mi ise her ya o şu"),
];

/// A writing system, as told by the first letter of a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Script {
    Latin,
    Cyrillic,
    Greek,
    Hebrew,
    Arabic,
    Devanagari,
    Thai,
    Hangul,
    Kana,
    Han,
    Other,
}

const SCRIPTS: usize = Script::Other as usize + 1;

/// The script of a letter. Blocks rather than Unicode's script property: enough for counting.
pub(super) fn script(letter: char) -> Script {
    match u32::from(letter) {
        0..=0x024f | 0x1e00..=0x1eff => Script::Latin,
        0x0370..=0x03ff => Script::Greek,
        0x0400..=0x052f => Script::Cyrillic,
        0x0590..=0x05ff => Script::Hebrew,
        0x0600..=0x06ff | 0x0750..=0x077f => Script::Arabic,
        0x0900..=0x097f => Script::Devanagari,
        0x0e00..=0x0e7f => Script::Thai,
        0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => Script::Hangul,
        0x3040..=0x30ff | 0x31f0..=0x31ff => Script::Kana,
        0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff => Script::Han,
        _ => Script::Other,
    }
}

/// True for scripts written without spaces between words, whose text is compared by overlapping pairs of characters.
/// Korean is written with spaces, but its particles are glued to the words, so it is compared in the same way.
pub(super) fn is_unspaced(letter: char) -> bool {
    matches!(script(letter), Script::Han | Script::Kana | Script::Thai | Script::Hangul)
        || matches!(u32::from(letter), 0x0e80..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff)
}

/// Counts evidence while a text is read.
#[derive(Clone, Default, Debug)]
pub(super) struct Evidence {
    words: u32,
    by_language: [u32; BY_WORDS.len()],
    by_script: [u32; SCRIPTS],
}

impl Evidence {
    /// Counts one word: its first letter and the languages in which it is a function word.
    pub(super) fn see(&mut self, letter: char, mask: u16) {
        self.words += 1;
        if let Some(count) = self.by_script.get_mut(script(letter) as usize) {
            *count += 1;
        }
        let mut mask = mask;
        while mask != 0 {
            if let Some(count) = self.by_language.get_mut(mask.trailing_zeros() as usize) {
                *count += 1;
            }
            mask &= mask - 1;
        }
    }

    /// Adds what another text showed.
    pub(super) fn add(&mut self, other: &Self) {
        self.words += other.words;
        for (sum, count) in self.by_language.iter_mut().zip(other.by_language) {
            *sum += count;
        }
        for (sum, count) in self.by_script.iter_mut().zip(other.by_script) {
            *sum += count;
        }
    }

    /// The language, if one stands out: at least four words of evidence and, among Latin-script languages, function words that
    /// make up a tenth of the text, three at least (two in a text of eight words or fewer), and lead the next language by a
    /// quarter.
    pub(super) fn language(&self) -> Option<&'static str> {
        if self.words < 4 {
            return None;
        }
        let share = |script: Script| self.by_script.get(script as usize).is_some_and(|count| *count * 2 > self.words);
        let kana = self.by_script.get(Script::Kana as usize).copied().unwrap_or_default();
        let han = self.by_script.get(Script::Han as usize).copied().unwrap_or_default();
        if (kana + han) * 2 > self.words {
            return Some(if kana * 8 > self.words { "ja" } else { "zh" });
        }
        for (script, name) in [
            (Script::Cyrillic, "ru"),
            (Script::Greek, "el"),
            (Script::Hebrew, "he"),
            (Script::Arabic, "ar"),
            (Script::Devanagari, "hi"),
            (Script::Thai, "th"),
            (Script::Hangul, "ko"),
        ] {
            if share(script) {
                return Some(name);
            }
        }
        let mut best = (0, None);
        let mut second = 0;
        for (count, (name, _)) in self.by_language.iter().zip(BY_WORDS) {
            if *count > best.0 {
                second = best.0;
                best = (*count, Some(name));
            } else {
                second = second.max(*count);
            }
        }
        let enough = (best.0 >= 3 && best.0 * 10 >= self.words) || (best.0 == 2 && self.words <= 8);
        if enough && best.0 * 4 >= second * 5 { best.1 } else { None }
    }

    /// Words counted.
    pub(super) fn words(&self) -> u32 {
        self.words
    }
}

/// The mask bit under which a language's function words are marked; English where the language is unknown, none where
/// it is known by its script alone.
pub(super) fn mask_of(language: Option<&str>) -> u16 {
    let Some(language) = language else { return 1 };
    BY_WORDS.iter().position(|(name, _)| *name == language).map_or(0, |bit| 1 << bit)
}
