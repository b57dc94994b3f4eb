//! Redacting any text settles, redacting twice changes nothing, JSON and plain text agree, and spans stay within the text.
#![no_main]

use std::sync::LazyLock;

use groundwire::decode::redact::{Pattern, Redactor, Settings};
use libfuzzer_sys::fuzz_target;

static PLAIN: LazyLock<Redactor> =
    LazyLock::new(|| Redactor::new(&Settings { key: [7; 32], patterns: Vec::new() }).expect("no patterns"));
static PATTERNED: LazyLock<Redactor> = LazyLock::new(|| {
    let patterns = vec![Pattern { name: "STAFF".to_owned(), regex: r"\bE\d{3,}|x.y".to_owned() }];
    Redactor::new(&Settings { key: [7; 32], patterns }).expect("a valid pattern")
});

fuzz_target!(|text: &str| {
    for redactor in [&*PLAIN, &*PATTERNED] {
        let redacted = redactor.redact_with_spans(text).expect("settles");
        assert_eq!(redactor.redact(&redacted.text).expect("settles"), redacted.text);
        let points = redacted.text.chars().count();
        let given = text.chars().count();
        assert_eq!(redacted.given_span(0..points), 0..given);
        for start in [0, points / 3, points / 2] {
            let span = redacted.given_span(start..points.min(start + 7));
            assert!(span.start <= span.end && span.end <= given, "{span:?}");
        }
        let json = serde_json::to_string(text).expect("text is JSON");
        let back: String = serde_json::from_str(&redactor.redact_json(&json).expect("JSON")).expect("still JSON");
        assert_eq!(back, redacted.text);
        redactor.excerpt(text.as_bytes(), 64).expect("settles");
    }
});
