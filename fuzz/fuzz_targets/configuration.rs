//! Any text read as configuration gives settings or mistakes with a place within the text, and never a panic.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match groundwire::config::parse("groundwire.toml", text, Path::new("/etc/groundwire")) {
        Ok(loaded) => {
            let again = groundwire::config::parse("groundwire.toml", text, Path::new("/etc/groundwire"));
            assert_eq!(again.map(|again| again.config), Ok(loaded.config));
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(mistake.line <= text.matches('\n').count() + 1, "{mistake}");
                assert!(!mistake.message.is_empty());
                assert!(mistake.to_string().ends_with('\n'));
            }
        }
    }
});
