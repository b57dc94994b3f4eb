use super::*;

fn scores(prompt: &str, response: &str, contexts: &[&str]) -> Scores {
    let contexts: Vec<Context<'_>> = contexts.iter().map(|text| Context { id: None, text }).collect();
    let mut out = Scores::default();
    Scorer::new(Settings::default())
        .score(&Answer { prompt: Some(prompt), response: Some(response), contexts: &contexts }, &mut out);
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
