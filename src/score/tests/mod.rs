//! Scores of whole answers, by hand and against each other.

use std::sync::{LazyLock, Mutex};

use super::*;

/// One for all tests: the tables take a while to read.
static SCORER_OF_ALL: LazyLock<Mutex<Scorer>> = LazyLock::new(|| Mutex::new(Scorer::new(Settings::default())));

fn scores(prompt: &str, response: &str, contexts: &[&str]) -> Scores {
    let contexts: Vec<Context<'_>> = contexts.iter().map(|text| Context { id: None, text }).collect();
    let mut out = Scores::default();
    let answer = Answer { prompt: Some(prompt), response: Some(response), contexts: &contexts };
    SCORER_OF_ALL.lock().unwrap().score(&answer, &mut out);
    out
}

const WARRANTY: &str = "The Larkfield X200 comes with a warranty of 24 months. Repairs are free of charge within that period. \
    Batteries are not covered by the warranty. Returns are accepted within 30 days of purchase.";

fn verdicts(response: &str, context: &str) -> Vec<Verdict> {
    scores("", response, &[context]).sentences.iter().map(|sentence| sentence.verdict).collect()
}

#[test]
fn a_copied_answer_is_supported_and_an_invented_one_is_not() {
    let copied = scores("How long is the warranty?", "The X200 comes with a warranty of 24 months.", &[WARRANTY]);
    let invented = scores(
        "How long is the warranty?",
        "Our premium members enjoy lifetime coverage including accidental damage and theft worldwide.",
        &[WARRANTY],
    );
    assert_eq!(copied.state, State::Scored);
    assert!(copied.groundedness > Some(Score(850_000_000)), "{copied:?}");
    assert!(invented.groundedness < Some(Score(300_000_000)), "{invented:?}");
    assert_eq!(invented.sentence_support, Some(Score(0)));
}

#[test]
fn a_changed_number_an_opposite_and_a_negation_are_contradictions() {
    assert_eq!(verdicts("The X200 comes with a warranty of 36 months.", WARRANTY), [Verdict::Contradicted]);
    assert_eq!(verdicts("Returns are rejected within 30 days of purchase.", WARRANTY), [Verdict::Contradicted]);
    assert_eq!(verdicts("Repairs are not free of charge within that period.", WARRANTY), [Verdict::Contradicted]);
    assert_eq!(verdicts("Repairs are free of charge within that period.", WARRANTY), [Verdict::Supported]);
}

#[test]
fn a_contradiction_needs_a_denial_of_what_the_passage_says() {
    let loans = "Payments are due within five days of the hearing. The account holds the required access. Fees rise in winter.";
    for supported in [
        "Payments are due no later than five days of the hearing.",
        "If the account does not hold the required access, payments are due.",
        "Not only payments are due within five days of the hearing.",
    ] {
        assert_eq!(verdicts(supported, loans), [Verdict::Supported], "{supported}");
    }
    for contradicted in ["Payments are not due within five days of the hearing.", "Fees fall in winter."] {
        assert_eq!(verdicts(contradicted, loans), [Verdict::Contradicted], "{contradicted}");
    }
}

#[test]
fn another_wording_of_the_same_is_no_contradiction() {
    let context = "The 2018–2019 season is open to members of a 401k plan. If you are not comfortable with the terms, do not sign them. \
        Selling the house is not easy. The premium account is not available in winter.";
    for supported in [
        "The 2018–19 season is open to members of a 401(k) plan.",
        "The 2018-19 season is open to members of a 401(k) plan.",
        "If you are uncomfortable with the terms, do not sign them.",
        "Selling the house is difficult.",
        "The premium account is unavailable in winter.",
        "**Terms You Should Not Sign:** do not sign the terms if you are not comfortable with them.",
    ] {
        assert_eq!(verdicts(supported, context), [Verdict::Supported], "{supported}");
    }
    for changed in
        ["The 2018–24 season is open to members of a 401k plan.", "The 2018–19 season is open to members of a 403(b) plan."]
    {
        assert_ne!(verdicts(changed, context), [Verdict::Supported], "{changed}");
    }
}

#[test]
fn a_swapped_placeholder_is_seen() {
    let context = "Write to [EMAIL-3f9a] for help with invoices.";
    assert_eq!(verdicts("Write to [EMAIL-3f9a] for help with invoices.", context), [Verdict::Supported]);
    let right = scores("", "Write to [EMAIL-3f9a] for help with invoices.", &[context]);
    let swapped = scores("", "Write to [EMAIL-77b0] for help with invoices.", &[context]);
    assert!(swapped.groundedness < right.groundedness);
}

#[test]
fn states_are_decided_before_anything_is_scored() {
    let state = |response: &str, contexts: &[&str]| scores("How long is the warranty?", response, contexts).state;
    assert_eq!(state("", &[WARRANTY]), State::NoClaims);
    assert_eq!(state("```\nlet x = 1;\n```", &[WARRANTY]), State::NoClaims);
    assert_eq!(state("I'm sorry, but the provided documents do not mention this.", &[WARRANTY]), State::Abstained);
    assert_eq!(state("I don’t know.", &[]), State::Abstained);
    assert_eq!(state("The warranty is 24 months.", &[]), State::NoContext);
    assert_eq!(state("The warranty is 24 months.", &["", " \n"]), State::NoContext);
    assert_eq!(state(&"a ".repeat(200_000), &[WARRANTY]), State::TooLong);
    assert_eq!(
        state("Die Garantie gilt für einen Zeitraum von zwei Jahren und ist nicht auf Akkus anwendbar.", &[WARRANTY]),
        State::LanguageMismatch
    );
}

#[test]
fn spans_are_code_points_of_the_response() {
    let response = "Naïve 😀 users “ask” first. 保証は24か月です。 Then they buy.";
    let found = scores("", response, &["Naïve users ask first. Then they buy."]);
    let points: Vec<char> = response.chars().collect();
    let parts: Vec<String> =
        found.sentences.iter().map(|sentence| points[sentence.start as usize..sentence.end as usize].iter().collect()).collect();
    assert_eq!(parts, ["Naïve 😀 users “ask” first.", "保証は24か月です。", "Then they buy."]);
}

#[test]
fn list_markers_and_citations_are_not_claims() {
    let context = "Open the settings. Choose the account tab. Press save.";
    let found = scores("", "1. Open the settings [1].\n2. Choose the account tab [2, 3].\n3. Press save.", &[context]);
    assert_eq!(found.sentences.len(), 3);
    assert_eq!(found.sentence_support, Some(Score::ONE));
}

#[test]
fn a_text_without_spaces_is_compared_by_pairs_of_characters() {
    let context = "保証期間は二十四か月です。電池は保証の対象外です。";
    let copied = scores("", "電池は保証の対象外です。", &[context]);
    let invented = scores("", "会員は世界中で盗難補償を受けられます。", &[context]);
    assert_eq!(copied.language, Some("ja"));
    assert!(copied.groundedness > Some(Score(500_000_000)), "{copied:?}");
    assert!(invented.groundedness < Some(Score(500_000_000)), "{invented:?}");
}

#[test]
fn an_answer_to_another_question_is_less_relevant() {
    let own = scores("How long is the warranty of the X200?", "The warranty of the X200 lasts 24 months.", &[WARRANTY]);
    let other = scores("How do I reset my password?", "The warranty of the X200 lasts 24 months.", &[WARRANTY]);
    assert!(own.answer_relevance > other.answer_relevance);
    assert!(own.context_relevance > other.context_relevance);
    assert_eq!(scores("", "The warranty lasts 24 months.", &[WARRANTY]).answer_relevance, None);
}

#[test]
fn a_scorer_gives_the_same_scores_whatever_it_read_before() {
    let mut scorer = Scorer::new(Settings::default());
    let contexts = [Context { id: None, text: WARRANTY }];
    let answer = Answer { prompt: Some("Warranty?"), response: Some("The warranty is 24 months."), contexts: &contexts };
    let mut first = Scores::default();
    scorer.score(&answer, &mut first);
    let noise = "word ".repeat(40_000);
    let mut out = Scores::default();
    scorer.score(&Answer { prompt: None, response: Some(&noise), contexts: &contexts }, &mut out);
    scorer.score(&answer, &mut out);
    assert_eq!(first, out);
}

fn support(response: &str, context: &str) -> f64 {
    scores("", response, &[context]).groundedness.map_or(f64::NAN, Score::share)
}

#[test]
fn numbers_compare_by_value_however_they_are_written() {
    let context = "The plant cost 1.3 million euros, employs 1,250 people in twelve halls and opened on 3rd May 2021.";
    assert_eq!(verdicts("The plant cost 1,300,000 euros.", context), [Verdict::Supported]);
    assert_eq!(verdicts("The plant cost 1.3m euros.", context), [Verdict::Supported]);
    assert_eq!(verdicts("The plant employs 1250 people in 12 halls.", context), [Verdict::Supported]);
    assert_ne!(verdicts("The plant cost 1.3 billion euros.", context), [Verdict::Supported]);
    assert_ne!(verdicts("The plant employs 1,520 people in 12 halls.", context), [Verdict::Supported]);
}

#[test]
fn more_evidence_of_departure_never_raises_the_score() {
    let steps = [
        "Repairs are free of charge within that period.",
        "Repairs are free of charge within that period everywhere in Atlantis.",
        "Repairs are free of charge within that period everywhere in Atlantis since 1987.",
        "Repairs are free of charge within that period everywhere in Atlantis since 1987 thanks to mermaids.",
    ];
    for pair in steps.windows(2) {
        assert!(support(pair[1], WARRANTY) < support(pair[0], WARRANTY), "{pair:?}");
    }
    let honest = "Repairs are free of charge within that period. Returns are accepted within 30 days of purchase.";
    let spoiled = format!("{honest} Every customer receives a complimentary spaceship voucher.");
    assert!(support(&spoiled, WARRANTY) < support(honest, WARRANTY));
}

#[test]
fn an_answer_is_told_from_a_refusal_in_its_own_words() {
    for refusal in [
        "I don't have enough information to answer that.",
        "The provided passages do not mention the price.",
        "Unable to answer based on given passages.",
        "I’m sorry, but I can’t help with that request.",
        "It cannot be determined from the context who wrote the book.",
        "Das weiß ich nicht.",
        "Je ne sais pas.",
    ] {
        let found = scores("What does it cost?", refusal, &[WARRANTY]);
        assert_eq!((found.state, found.refusal, found.groundedness), (State::Abstained, true, None), "{refusal}");
    }
    for answer in [
        "Batteries are not covered by the warranty.",
        "We offer repairs within that period, which does not provide for batteries.",
        "The document describes the warranty, the free repairs and the returns within thirty days of purchase of all devices in some \
         detail, but it does not mention batteries.",
        "Repairs are free of charge. The passages do not mention batteries of other makers. Returns are accepted within 30 days.",
    ] {
        assert_eq!(scores("", answer, &[WARRANTY]).state, State::Scored, "{answer}");
    }
}

#[test]
fn courtesies_and_questions_are_no_claims() {
    let found = scores("", "Happy to help. Returns are accepted within 30 days. Would you like to know more?", &[WARRANTY]);
    assert_eq!(found.sentences.len(), 1);
    assert_eq!(scores("", "Hello! How can I help you today?", &[WARRANTY]).state, State::NoClaims);
}

#[test]
fn every_script_is_cut_into_words_and_sentences() {
    for (language, context, copied, invented) in [
        (
            "ru",
            "Гарантия действует два года. Аккумуляторы не входят в гарантию.",
            "Гарантия действует два года.",
            "Доставка бесплатна по всему миру.",
        ),
        (
            "ar",
            "مدة الضمان سنتان من تاريخ الشراء. البطاريات غير مشمولة بالضمان.",
            "مدة الضمان سنتان من تاريخ الشراء.",
            "الشحن مجاني إلى جميع الدول العربية.",
        ),
        (
            "he",
            "האחריות תקפה לשנתיים מיום הרכישה. הסוללות אינן כלולות באחריות.",
            "האחריות תקפה לשנתיים מיום הרכישה.",
            "המשלוח חינם לכל מקום בעולם הרחב.",
        ),
        ("hi", "वारंटी दो साल तक मान्य है। बैटरी वारंटी में शामिल नहीं है।", "वारंटी दो साल तक मान्य है।", "डिलीवरी पूरी दुनिया में मुफ़्त मिलती है।"),
        ("th", "การรับประกันมีอายุสองปี แบตเตอรี่ไม่รวมอยู่ในการรับประกัน", "การรับประกันมีอายุสองปี", "จัดส่งฟรีทั่วโลกสำหรับสมาชิกทุกคน"),
        (
            "ko",
            "보증 기간은 구매일로부터 이 년입니다. 배터리는 보증에서 제외됩니다.",
            "보증 기간은 구매일로부터 이 년입니다.",
            "전 세계 어디든지 무료로 배송해 드립니다.",
        ),
        ("zh", "保修期为自购买之日起两年。电池不在保修范围内。", "保修期为自购买之日起两年。", "全球所有会员均可享受免费送货。"),
        (
            "de",
            "Die Garantie gilt für zwei Jahre. Die Akkus sind nicht durch die Garantie abgedeckt.",
            "Die Garantie gilt für zwei Jahre.",
            "Der Versand ist für alle Mitglieder weltweit kostenlos.",
        ),
    ] {
        let good = scores("", copied, &[context]);
        let bad = scores("", invented, &[context]);
        assert_eq!(good.language, Some(language), "{copied}");
        assert_eq!(good.sentence_support, Some(Score::ONE), "{copied}");
        assert!(good.groundedness > Some(Score(700_000_000)), "{copied} {good:?}");
        assert!(bad.groundedness < Some(Score(500_000_000)), "{invented} {bad:?}");
    }
}

#[test]
fn letters_with_and_without_diacritics_or_width_are_the_same() {
    let context = "Prince Shōtoku commissioned the Hōryū temple in the café quarter. The ＡＢＣ hall was added later.";
    assert_eq!(verdicts("Prince Shotoku commissioned the Horyu temple in the cafe quarter.", context), [Verdict::Supported]);
    assert_eq!(verdicts("The ABC hall was added later.", context), [Verdict::Supported]);
}

#[test]
fn tables_code_and_emoji_are_layout() {
    let context = "The Basic plan costs 10 euros per month. The Pro plan costs 25 euros per month.";
    let table = "| Plan | Price |\n|------|-------|\n| Basic plan | 10 euros per month |\n| Pro plan | 25 euros per month |";
    let found = scores("", table, &[context]);
    assert_eq!(found.sentences.len(), 2);
    assert_eq!(found.sentence_support, Some(Score::ONE), "{found:?}");
    let code = "The Pro plan costs 25 euros per month 🎉.\n```sh\nrm -rf /made/up/folder --zorbax 99\n```";
    let found = scores("", code, &[context]);
    assert_eq!(found.sentences.len(), 1);
    assert_eq!(found.sentence_support, Some(Score::ONE));
}

#[test]
fn placeholders_and_citations_stand_in_any_script() {
    let context = "請求書については[EMAIL-3f9a]へご連絡ください。";
    let right = scores("", "請求書については[EMAIL-3f9a]へご連絡ください【3†source】。", &[context]);
    let swapped = scores("", "請求書については[EMAIL-77b0]へご連絡ください。", &[context]);
    assert!(swapped.groundedness < right.groundedness, "{right:?} {swapped:?}");
}

#[test]
fn lists_written_in_one_line_are_cut_into_their_items() {
    let context = "Open the settings. Choose the account tab. Press save.";
    let found = scores("", "Do this: 1. Open the settings. 2. Choose the account tab 3. Press save", &[context]);
    assert_eq!(found.sentences.len(), 3, "{found:?}");
    assert_eq!(found.sentence_support, Some(Score::ONE));
}

#[test]
fn precision_at_k_weighs_ranks_as_in_ragas() {
    let about = "The warranty of the X200 lasts 24 months. The warranty of the X200 covers repairs.";
    let other = "Bananas ripen faster in a paper bag.";
    let precision = |contexts: &[&str]| {
        scores("How long is the warranty of the X200?", "It lasts 24 months.", contexts).context_precision_at_k.map(Score::share)
    };
    assert_eq!(precision(&[about, other]), Some(1.0));
    assert_eq!(precision(&[other, about]), Some(0.5));
    assert_eq!(precision(&[about, other, about]), Some(0.833333333));
    assert_eq!(precision(&[other]), Some(0.0));
    assert_eq!(precision(&[]), None);
}

#[test]
fn hostile_text_is_read_whole_and_ends() {
    let settings = Settings::default();
    for piece in [
        "a",
        "a ",
        "warranty ",
        "Warranty ends. ",
        "12 ",
        "[",
        "[1, ",
        "保証",
        "e\u{301}\u{301}",
        "👩‍👩‍👧‍👦",
        ". ",
        "\n",
        "```\n",
        "1. ",
        "not good ",
        "\u{202e}א ",
        "\0",
    ] {
        let response = piece.repeat(settings.max_response_bytes / piece.len() / 8);
        let context = piece.repeat(settings.max_source_bytes / piece.len() / 32);
        let found = scores(&context, &response, &[&context]);
        assert_ne!(found.state, State::TooLong);
        let points = response.chars().count();
        assert!(found.sentences.iter().all(|sentence| sentence.start < sentence.end && sentence.end as usize <= points));
    }
}

#[test]
fn ever_new_words_are_read_whole_and_end() {
    let words = |count: usize, stop: usize| -> String {
        (0..count).map(|number| format!("Zorb{number}{}", if number % stop == 0 { ". " } else { " " })).collect()
    };
    let (prompt, response, context) = (words(40_000, 7), words(8_000, 2), words(40_000, 2));
    let found = scores(&prompt, &response, &[&context]);
    assert_eq!(found.state, State::Scored);
    assert_eq!(found.sentence_support, Some(Score::ONE));
}

#[test]
fn scores_stay_within_their_range_and_spans_in_order() {
    let mut scorer = Scorer::new(Settings::default());
    let mut out = Scores::default();
    let words = ["The", "warranty", "not", "24", "1.", "\n", "保証", "é", "[1]", "?", "I", "don't", "```", "|", "Larkfield", ". "];
    let mut state = 1u64;
    for _ in 0..400 {
        let mut text = String::new();
        for _ in 0..30 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            text.push_str(words[(state >> 33) as usize % words.len()]);
            if state >> 60 & 1 == 0 {
                text.push(' ');
            }
        }
        let (prompt, rest) = text.split_at(text.char_indices().nth(20).map_or(0, |(at, _)| at));
        let contexts = [Context { id: None, text: WARRANTY }, Context { id: None, text: prompt }];
        scorer.score(&Answer { prompt: Some(prompt), response: Some(rest), contexts: &contexts }, &mut out);
        let all = [
            out.groundedness,
            out.sentence_support,
            out.answer_relevance,
            out.context_relevance,
            out.utilization,
            out.completeness,
        ];
        assert!(all.iter().flatten().all(|score| (0..=1_000_000_000).contains(&score.0)), "{text}: {out:?}");
        assert_eq!(out.groundedness.is_some(), out.state == State::Scored, "{text}");
        assert!(out.sentences.windows(2).all(|pair| pair[0].end <= pair[1].start), "{text}: {out:?}");
        assert_eq!(out.contexts.len(), 2);
    }
}

#[test]
fn citations_and_names_of_sources_say_nothing_and_end_no_sentence_early() {
    for response in [
        "The X200 comes with a warranty of 24 months.[1] Returns are accepted within 30 days of purchase.[2, 3]",
        "The X200 comes with a warranty of 24 months [Document 7]. Returns are accepted within 30 days of purchase [doc8].",
        "The X200 comes with a warranty of 24 months.¹ Returns are accepted within 30 days of purchase.²",
        "According to Passage 7, the X200 comes with a warranty of 24 months (Passage 9). Returns are accepted within 30 days of purchase.",
        "**The X200 comes with a warranty of 24 months.** [1][2] Returns are accepted within 30 days of purchase.",
    ] {
        let found = scores("", response, &[WARRANTY]);
        assert_eq!(found.sentences.len(), 2, "{response} {found:?}");
        assert_eq!(found.sentence_support, Some(Score::ONE), "{response} {found:?}");
    }
    assert_ne!(verdicts("The X200 comes with a warranty of 7 months.", WARRANTY), [Verdict::Supported]);
}

#[test]
fn figures_of_other_scripts_compare_by_value() {
    let context = "The warranty of the device lasts 24 months and covers 1250 parts.";
    assert_eq!(verdicts("The warranty of the device lasts ２４ months.", context), [Verdict::Supported]);
    assert_ne!(verdicts("The warranty of the device lasts ３６ months.", context), [Verdict::Supported]);
    let arabic = "مدة الضمان للجهاز الجديد ٢٤ شهرا من تاريخ الشراء.";
    assert_eq!(verdicts("مدة الضمان للجهاز الجديد 24 شهرا من تاريخ الشراء.", arabic), [Verdict::Supported]);
    assert_ne!(verdicts("مدة الضمان للجهاز الجديد 36 شهرا من تاريخ الشراء.", arabic), [Verdict::Supported]);
}

#[test]
fn sentences_end_at_the_stops_of_their_script_or_at_a_space_where_it_has_none() {
    for text in [
        "ضمانت دو سال تک ہے۔ بیٹریاں شامل نہیں ہیں۔",
        "ዋስትናው ለሁለት ዓመት ነው። ባትሪዎች አይካተቱም።",
        "ការធានាមានរយៈពេលពីរឆ្នាំ។ ថ្មមិនរាប់បញ្ចូលទេ។",
        "保证期为两年！电池不在保修范围内。",
        "彼は「保証は二年です。」と言った。電池は対象外です。",
        "การรับประกันสินค้ามีอายุสองปีนับจากวันที่ซื้อ แบตเตอรี่ไม่รวมอยู่ในการรับประกันของร้านค้า",
        "Is it covered? Wait…",
    ] {
        let points = u32::try_from(text.chars().count()).unwrap();
        let found = scores("", text, &[text]);
        let expected = if text.starts_with('彼') {
            3
        } else if text.starts_with("Is") {
            1
        } else {
            2
        };
        assert_eq!(found.sentences.len(), expected, "{text} {found:?}");
        assert_eq!(found.sentence_support, Some(Score::ONE), "{text} {found:?}");
        assert_eq!(found.sentences.last().map(|sentence| sentence.end), Some(points), "{text}");
        assert!(found.sentences.windows(2).all(|pair| pair[0].end <= pair[1].start), "{text} {found:?}");
    }
    assert_eq!(
        scores("", "彼は「保証は二年です。」と言った。", &["彼は"]).sentences.first().map(|sentence| sentence.end),
        Some(12)
    );
}

#[test]
fn an_answer_drawn_from_a_passage_about_the_question_is_more_relevant_than_one_from_elsewhere() {
    let question = "What is the Larkfield X200 warranty worth?";
    let drawn = scores(question, "Repairs are free of charge within that period.", &[WARRANTY]).answer_relevance;
    let foreign = scores(question, "Bananas ripen faster in a paper bag.", &[WARRANTY]).answer_relevance;
    let named = scores(question, "The Larkfield X200 warranty is worth its price.", &[WARRANTY]).answer_relevance;
    assert!(foreign < drawn && drawn < named, "{foreign:?} {drawn:?} {named:?}");
}

#[test]
fn passages_that_were_read_before_score_as_if_they_were_new() {
    let words = [
        "The",
        "warranty",
        "unhappy",
        "not",
        "24",
        "1.",
        "\n",
        "保証",
        "é",
        "[1]",
        "?",
        "I",
        "million",
        "```",
        "|",
        "Larkfield",
        ". ",
        "2018–",
        "Garantie",
        "für",
        "und",
        "source",
    ];
    let mut state = 7u64;
    let mut draw = |bound: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % bound
    };
    let passages: Vec<String> = (0..60)
        .map(|_| {
            let length = 1 + draw(60);
            (0..length).map(|_| [words[draw(words.len())], if draw(3) > 0 { " " } else { "" }].concat()).collect()
        })
        .collect();
    // None kept, some kept and soon forgotten, all kept.
    let mut scorers = [0, 30_000, 1 << 20].map(|passage_bytes| Scorer::new(Settings { passage_bytes, ..Settings::default() }));
    let mut outs = [Scores::default(), Scores::default(), Scores::default()];
    for round in 0..1_500 {
        let contexts: Vec<Context<'_>> =
            (0..draw(5)).map(|_| Context { id: None, text: &passages[draw(passages.len())] }).collect();
        let answer = Answer {
            prompt: Some(&passages[draw(passages.len())]).filter(|_| round % 3 > 0).map(String::as_str),
            response: Some(&passages[draw(passages.len())]),
            contexts: &contexts,
        };
        for (scorer, out) in scorers.iter_mut().zip(&mut outs) {
            scorer.score(&answer, out);
        }
        assert_eq!(outs[0], outs[1], "{answer:?}");
        assert_eq!(outs[0], outs[2], "{answer:?}");
    }
}

#[test]
fn what_one_passage_ends_with_changes_nothing_in_the_next() {
    for (first, second) in [
        ("The plant opened in 2018", "19 people work there."),
        ("It cost 1.3", "million people saw it."),
        ("This is the source", "7 devices are covered:"),
        ("It ends: [1,", "2 devices are covered."),
        ("```\ncode", "The plant employs people."),
    ] {
        assert_eq!(scores("", second, &[first, second]).sentence_support, Some(Score::ONE), "{first} {second}");
        assert_eq!(scores("", first, &[first, second]).sentence_support, scores("", first, &[first]).sentence_support);
    }
}

mod languages;
mod layouts;
