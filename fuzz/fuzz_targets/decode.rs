//! Any bytes give an event or a reason with a short detail; what is accepted is JSON whose kept parts can be redacted.
#![no_main]

use groundwire::decode::redact::{Redactor, Settings};
use groundwire::decode::{Event, Limits, Rejected, decode, decode_answer};
use groundwire::event::{Input, Reason};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_bytes: 32 << 10, ..Limits::default() };
    let redactor = Redactor::new(&Settings { key: [7; 32], patterns: Vec::new() }).expect("no patterns");
    for format in [None, Some(Input::Gateway), Some(Input::Feedback), Some(Input::Pipeline)] {
        match decode(bytes, format, &limits) {
            Err(Rejected { reason, detail, unquoted }) => {
                assert!(!unquoted.is_empty());
                assert!(!detail.is_empty() && detail.len() <= Rejected::MAX_DETAIL_BYTES + 3);
                assert_ne!(reason, Reason::RedactionFailed);
            }
            Ok(event) => {
                let json = if bytes.first() == Some(&0) { &bytes[5..] } else { bytes };
                serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("only JSON is accepted");
                let attributes = match &event {
                    Event::Gateway(log) => &log.attributes,
                    Event::Feedback(feedback) => &feedback.attributes,
                    Event::Pipeline(pipeline) => &pipeline.attributes,
                };
                for attribute in attributes {
                    let redacted = redactor.redact_json(attribute.value.get()).expect("kept JSON can be redacted");
                    serde_json::from_str::<serde::de::IgnoredAny>(&redacted).expect("redacted JSON is JSON");
                }
                if let Event::Gateway(_) = event {
                    assert!(decode_answer(bytes, &limits).is_ok(), "scoring asks for less");
                }
            }
        }
    }
});
