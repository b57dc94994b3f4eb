//! How answers are laid out: lists, tables, citations, data, markup. What is said counts, not how it is set.

use super::*;

fn supported(response: &str, context: &str, sentences: usize) {
    let found = scores("", response, &[context]);
    assert_eq!((found.state, found.sentences.len()), (State::Scored, sentences), "{response} {found:?}");
    assert_eq!(found.sentence_support, Some(Score::ONE), "{response} {found:?}");
}

#[test]
fn items_of_nested_lists_are_sentences() {
    supported(
        "- The X200 comes with a warranty of 24 months:\n  - Repairs are free of charge\n    1. Returns are accepted within 30 days\n    2) \
         Batteries are not covered\n  * [x] Repairs are free of charge",
        WARRANTY,
        5,
    );
    supported("1️⃣ Repairs are free of charge 2️⃣ Returns are accepted within 30 days", WARRANTY, 2);
}

#[test]
fn rows_of_a_table_are_sentences_and_its_head_is_none() {
    let context = "The Basic plan costs 10 EUR per month. The Pro plan costs 25 EUR per month.";
    supported("| Tariff | Amount |\n|:---|---:|\n| Basic plan | 10 EUR |\n| Pro plan | 25 EUR |", context, 2);
    supported("Tariff | Amount\n --- | ---\nBasic plan | 10 EUR\nPro plan | 25 EUR", context, 2);
    let wrong = scores("", "| Tariff | Amount |\n|:---|---:|\n| Basic plan | 12 EUR |\n| Pro plan | 25 EUR |", &[context]);
    let verdicts: Vec<Verdict> = wrong.sentences.iter().map(|sentence| sentence.verdict).collect();
    assert!(verdicts[0] != Verdict::Supported && verdicts[1] == Verdict::Supported, "{wrong:?}");
}

#[test]
fn footnotes_and_citations_of_assistants_say_nothing() {
    let (first, second) = ("The X200 comes with a warranty of 24 months", "Returns are accepted within 30 days of purchase");
    for response in [
        format!("{first}.[^1] {second}.[^2]"),
        format!("{first}[^7]. {second}[^12]."),
        format!("{first}【1】. {second}【4:0†source】."),
        format!("{first}.【1】 {second}.【4:0†source】【2†L3-L5】"),
        format!("{first} [1][2]. {second} [3, 4]."),
        format!("{first}.¹ {second}.²"),
    ] {
        supported(&response, WARRANTY, 2);
    }
    supported(&format!("{first}.[^1]\n\n[^1]: Returns within 30 days"), WARRANTY, 2);
}

#[test]
fn data_is_read_as_text_with_or_without_a_fence() {
    supported("{\n  \"warranty\": \"24 months\",\n  \"returns\": \"within 30 days of purchase\"\n}", WARRANTY, 2);
    supported("```json\n{\n  \"warranty\": \"24 months\"\n}\n```\nRepairs are free of charge.", WARRANTY, 2);
    assert_ne!(verdicts("```json\n{\"warranty_months\": 36}\n```", WARRANTY), [Verdict::Supported]);
    assert_eq!(scores("", "```rust\nlet zorbax = 36;\n```", &[WARRANTY]).state, State::NoClaims);
}

#[test]
fn lines_end_as_in_any_system_and_markup_is_layout() {
    supported(
        "The X200 comes with a warranty of 24 months.\r\n\r\n- Repairs are free of charge\r\n- Returns are accepted\r\n",
        WARRANTY,
        3,
    );
    supported(
        "<b>The X200</b> comes with a warranty of 24&nbsp;months.<br>Returns are accepted within 30 days of purchase.</p>",
        WARRANTY,
        2,
    );
    supported(
        "> Repairs are free of charge within that period.\n\n---\n\nReturns\n=======\n***Returns*** are accepted.",
        WARRANTY,
        3,
    );
    supported("👩‍👩‍👧‍👦 Repairs are free of charge 👍🏽. 🇩🇪 Returns are accepted within 30 days! ✅", WARRANTY, 2);
    // What only looks like markup is read.
    let context = "Use Vec<u8> where a < b and the price is <36> or A&B.";
    supported("Use Vec<u8> where a < b.", context, 1);
    assert!(support("Use Vec<zorbax> where a < b.", context) < support("Use Vec<u8> where a < b.", context));
}

#[test]
fn formulas_are_compared_by_their_letters_and_figures() {
    let context = "The energy is $E = mc^2$, and the ratio of the two is \\(\\frac{1}{2}\\) at 300 K.";
    supported("The energy is E = mc^2, and the ratio is \\frac{1}{2}.", context, 1);
    assert_ne!(verdicts("The energy is E = mc^2 at 450 K.", context), [Verdict::Supported]);
}

#[test]
fn turned_roles_of_two_names_are_a_contradiction() {
    let context = "In 2019 Brill acquired Karlin for two million euros. Mount Hoss is higher than Mount Tarn. Dorn met Falk in Rome. \
        The minutes were signed by Ebba Lund and sent by the board.";
    for contradicted in [
        "In 2019 Karlin acquired Brill for two million euros.",
        "Karlin acquired Brill in 2019.",
        "In 2019 Brill was acquired by Karlin for two million euros.",
        "Mount Tarn is higher than Mount Hoss.",
    ] {
        assert_eq!(verdicts(contradicted, context), [Verdict::Contradicted], "{contradicted}");
    }
    for supported in [
        "In 2019 Brill acquired Karlin for two million euros.",
        "In 2019 Karlin was acquired by Brill for two million euros.",
        "Mount Hoss is higher than Mount Tarn.",
        "In Rome Falk met Dorn.",
        "Ebba Lund signed the minutes.",
    ] {
        assert_eq!(verdicts(supported, context), [Verdict::Supported], "{supported}");
    }
}
