//! Any text as a rule file: it is read or every mistake points into it, and a rule that is read can be judged and mailed.
#![no_main]

use groundwire::alert::{Recipients, Rules, Vocabulary, duration, expr, judge};
use groundwire::evaluate::Observation;
use groundwire::measure::Registry;
use libfuzzer_sys::fuzz_target;

std::thread_local! {
    static VOCABULARY: Vocabulary = Vocabulary::of(&Registry::builtin().expect("the registry of the program"));
}

fuzz_target!(|text: &str| {
    let _length = duration::parse(text);
    if let Err(mistake) = expr::parse(text) {
        assert!(text.get(mistake.offset..mistake.offset + mistake.len).is_some(), "{mistake:?}");
    }
    let files = [("fuzz.yaml".to_owned(), text.to_owned())];
    match VOCABULARY.with(|vocabulary| Rules::parse(&files, vocabulary, Recipients::default())) {
        Ok(rules) => {
            let window = Observation { value: Some(0.5), n: 1_000, stddev: Some(0.1), ..Observation::default() };
            for rule in &rules.rules {
                let _verdict = judge(rule, Some(&window), Some(&window));
                let _verdict = judge(rule, Some(&Observation::default()), None);
                assert!(!rule.describe().is_empty());
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(mistake.line >= 1 && mistake.column >= 1 && mistake.width >= 1 && !mistake.to_string().is_empty());
            }
        }
    }
});
