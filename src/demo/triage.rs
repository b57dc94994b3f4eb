//! The ticket triage: e-mails to the service are sorted into classes.
//!
//! A part of the answers gets its true class with the request (from a labelled sample that is sent through), another part
//! later, when a person moves the ticket.

use super::chance::{Chance, real, tokens, whole};
use super::company::{Answer, App, Ending, Meter, end, ending, feedback, fill, request};
use super::library::Library;
use super::timetable::{TOKEN_SPIKE, TRIAGE};
use super::wire::{Feedback, Request};

const APP: App = App {
    name: TRIAGE,
    route: "/v1/triage",
    provider: "azure.ai.openai",
    deployment: "triage-weu-1",
    request_model: "gpt-4.1-nano",
    response_model: "gpt-4.1-nano-2025-04-14",
    prices: [0.1, 0.025, 0.4],
    limits: (80_000, 300),
};

/// The triage's traffic.
pub(super) struct Triage {
    chance: Chance,
    meter: Meter,
}

impl Triage {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed, 3), meter: Meter::default() }
    }

    /// One request that ends at `at_us` in the given minute, and what the back office says of the answer.
    pub(super) fn request(&mut self, library: &Library, at_us: i64, minute: u32) -> (Request, Vec<Feedback>) {
        let chance = &mut self.chance;
        let user = format!("mailbox-{}", chance.pick(&["service", "orders", "hello"]));
        let mut request = request(&APP, chance, at_us, user);
        let spike = TOKEN_SPIKE.holds(minute);
        request.prompt_version = if spike { "v13" } else { "v12" };
        let ticket = chance.one_of(&library.tickets);
        request.prompt = fill(ticket.text, chance, library);
        if chance.happens(0.2) {
            let signature = chance.pick(library.phrases("pii"));
            request.prompt.push(' ');
            request.prompt.push_str(&fill(signature, chance, library));
        }
        let truth = ticket.label;
        let guess = if chance.happens(0.92) { truth } else { chance.pick(&library.labels) };
        request.prediction = Some(guess);
        let sure = if guess == truth { 1.0 - chance.log_normal(0.08, 0.8).min(0.45) } else { chance.uniform(0.52, 0.85) };
        let permille = whole(sure * 1_000.0);
        let second = chance.pick(&library.labels);
        request.probability.insert(second, real(1_000 - permille) / 1_000.0);
        request.probability.insert(guess, real(if second == guess { 1_000 } else { permille }) / 1_000.0);
        if chance.happens(0.1) {
            request.label = Some(truth);
        }
        // The log shows the ticket; what the broken template sends is the ticket with its history, over and over.
        let once = 288 + tokens(&request.prompt);
        let input_tokens = if spike { once * 6 + chance.between(-40, 41) } else { once };
        let text = format!("{{\"label\": \"{guess}\"}}");
        let answer = Answer { text, input_tokens, cached_input_tokens: 256, first_token_ms: 210.0, token_ms: 6.0 };
        let ending = ending(chance, 0.004);
        end(&APP, chance, &mut self.meter, &mut request, answer, ending);
        let mut said = Vec::new();
        if ending != Ending::Answered {
            request.prediction = None;
            request.probability.clear();
        } else if chance.happens(0.08) {
            let delay = chance.log_normal(1_500.0, 0.5);
            let mut label = feedback(chance, &request, delay, "label", "human");
            label.label = Some(truth);
            label.score = Some(if guess == truth { 1.0 } else { 0.0 });
            said.push(label);
        }
        (request, said)
    }
}
