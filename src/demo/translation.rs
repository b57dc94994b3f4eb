//! The translation of product texts and letters into German and French.
//!
//! A tenth of the requests come from the nightly check set and carry a reference translation.

use super::chance::{Chance, real, tokens};
use super::company::{Answer, App, Ending, Meter, end, ending, feedback, request};
use super::library::Library;
use super::timetable::{HARMLESS_DEPLOY, OUTAGE, TRANSLATION};
use super::wire::{Feedback, Request};

const APP: App = App {
    name: TRANSLATION,
    route: "/v1/translate",
    provider: "openai",
    deployment: "translate-shared",
    request_model: "gpt-4o",
    response_model: "gpt-4o-2024-11-20",
    prices: [2.5, 1.25, 10.0],
    limits: (90_000, 300),
};

/// The translation's traffic.
pub(super) struct Translating {
    chance: Chance,
    meter: Meter,
}

impl Translating {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed, 2), meter: Meter::default() }
    }

    /// One request that ends at `at_us` in the given minute, and what the translator says of the answer.
    pub(super) fn request(&mut self, library: &Library, at_us: i64, minute: u32) -> (Request, Vec<Feedback>) {
        let chance = &mut self.chance;
        let user = format!("translator-{:02}", chance.between(1, 34));
        let mut request = request(&APP, chance, at_us, user);
        request.prompt_version = if minute < HARMLESS_DEPLOY { "t4" } else { "t5" };
        let german = chance.happens(0.6);
        let (mut source, mut target) = (String::new(), String::new());
        let mut at = chance.between(0, 36);
        for _ in 0..chance.between(1, 6) {
            // Steps of less than a sixth of the corpus: no sentence comes twice.
            at += chance.between(1, 7);
            let Some(sentence) = library.translations.get(usize::try_from(at).unwrap_or(0) % library.translations.len()) else {
                continue;
            };
            for (text, part) in
                [(&mut source, sentence.english), (&mut target, if german { sentence.german } else { sentence.french })]
            {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(part);
            }
        }
        let language = if german { "German" } else { "French" };
        request.prompt = format!("Translate into {language}. Keep product names and numbers. Text: {source}");
        if chance.happens(0.1) {
            request.reference = Some(target.clone());
        }
        let input_tokens = 212 + tokens(&request.prompt);
        let down = OUTAGE.holds(minute);
        let answer = Answer {
            text: target,
            input_tokens,
            cached_input_tokens: 128,
            first_token_ms: if down { 2_100.0 } else { 520.0 },
            token_ms: 14.0,
        };
        // The provider fails step by step, not all at once.
        let failing = if down { 0.25 + 0.1 * f64::from((minute - OUTAGE.from).min(3)) } else { 0.008 };
        let ending = ending(chance, failing);
        end(&APP, chance, &mut self.meter, &mut request, answer, ending);
        let mut said = Vec::new();
        if ending == Ending::Answered && chance.happens(0.12) {
            let delay = chance.log_normal(240.0, 0.7);
            let mut rating = feedback(chance, &request, delay, "rating", "human");
            let stars = 4.5 + 0.7 * chance.normal();
            rating.score = Some(stars.round().clamp(1.0, 5.0));
            if stars < 3.5 {
                rating.comment = Some(chance.pick(library.phrases("correction")));
            }
            said.push(rating);
        }
        (request, said)
    }

    /// Requests per minute: clients try again while the provider is down.
    pub(super) fn rate(minute: u32) -> f64 {
        let retries = if OUTAGE.holds(minute) { 1.3 } else { 1.0 };
        22.0 * retries * (1.0 + 0.05 * (real(i64::from(minute)) / 60.0).sin())
    }
}
