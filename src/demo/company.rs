//! What the three applications share: customers, ids, personal data in texts, how requests end, quotas and prices.

use super::chance::{Chance, real, tokens, whole};
use super::library::Library;
use super::timetable::{MINUTE_US, TENANT};
use super::wire::{Feedback, Quota, Request, Target, Usage};
use crate::event::Timestamp;

/// An application as its gateway sees it.
pub(super) struct App {
    pub(super) name: &'static str,
    pub(super) route: &'static str,
    pub(super) provider: &'static str,
    pub(super) deployment: &'static str,
    pub(super) request_model: &'static str,
    pub(super) response_model: &'static str,
    /// Dollars for a million input, cached input and output tokens.
    pub(super) prices: [f64; 3],
    /// Tokens and requests that the provider allows in a minute.
    pub(super) limits: (i64, i64),
}

/// How a request ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Answered,
    ContentFiltered,
    BadRequest,
    Cancelled,
    Throttled,
    Unavailable,
    Broken,
    TimedOut,
}

/// The usual way: nearly all are answered; `failing` is the share that the provider fails on.
pub(super) fn ending(chance: &mut Chance, failing: f64) -> Ending {
    if chance.happens(failing) {
        let which = chance.uniform(0.0, 1.0);
        return match which {
            ..0.55 => Ending::Throttled,
            ..0.82 => Ending::Unavailable,
            ..0.90 => Ending::Broken,
            _ => Ending::TimedOut,
        };
    }
    match chance.uniform(0.0, 1.0) {
        ..0.002 => Ending::ContentFiltered,
        ..0.005 => Ending::BadRequest,
        ..0.009 => Ending::Cancelled,
        _ => Ending::Answered,
    }
}

/// Tokens used in the current minute, for the quota headers.
#[derive(Default)]
pub(super) struct Meter {
    minute: i64,
    tokens: i64,
    requests: i64,
}

impl Meter {
    /// Counts a request and says what the headers of its answer say.
    fn count(&mut self, at_us: i64, used: i64, (limit_tokens, limit_requests): (i64, i64)) -> Quota {
        let minute = at_us.div_euclid(MINUTE_US);
        if minute != self.minute {
            *self = Self { minute, ..Self::default() };
        }
        self.tokens += used;
        self.requests += 1;
        Quota {
            limit_tokens,
            remaining_tokens: (limit_tokens - self.tokens).max(0),
            limit_requests,
            remaining_requests: (limit_requests - self.requests).max(0),
        }
    }
}

/// The fields that every request of an application has.
pub(super) fn request(app: &App, chance: &mut Chance, at_us: i64, user_id: String) -> Request {
    Request {
        schema: "groundwire.gateway_log.v1",
        event_time: Timestamp(at_us),
        request_id: format!("req_{}", chance.hex(20)),
        trace_id: chance.hex(32),
        tenant: TENANT,
        app: app.name,
        route: app.route,
        user_id,
        environment: "prod",
        gateway: "litellm",
        provider: app.provider,
        deployment: app.deployment,
        request_model: app.request_model,
        operation: "chat",
        attributes: [("region", "westeurope")].into(),
        ..Request::default()
    }
}

/// What the application would have got, had the provider answered.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) input_tokens: i64,
    pub(super) cached_input_tokens: i64,
    /// Median milliseconds to the first token.
    pub(super) first_token_ms: f64,
    /// Milliseconds for each further token.
    pub(super) token_ms: f64,
}

/// Ends a request in the given way: status, latency, tokens, cost, quota, and the answer where there is one.
pub(super) fn end(app: &App, chance: &mut Chance, meter: &mut Meter, request: &mut Request, answer: Answer, ending: Ending) {
    let first_token = chance.log_normal(answer.first_token_ms, 0.35);
    let mut output_tokens = tokens(&answer.text);
    if ending == Ending::Cancelled {
        output_tokens /= 3;
    }
    let whole_ms = first_token + real(output_tokens) * chance.log_normal(answer.token_ms, 0.18);
    let (status, http_status, error_type, finish_reason, latency) = match ending {
        Ending::Answered => ("ok", 200, None, Some("stop"), whole_ms),
        Ending::ContentFiltered => ("filtered", 400, Some("content_filter"), Some("content_filter"), chance.log_normal(210.0, 0.3)),
        Ending::BadRequest => ("error", 422, Some("invalid_request"), None, chance.log_normal(35.0, 0.4)),
        Ending::Cancelled => ("cancelled", 499, Some("client_disconnected"), None, whole_ms),
        Ending::Throttled => ("throttled", 429, Some("rate_limit_exceeded"), None, chance.log_normal(90.0, 0.5)),
        Ending::Unavailable => ("error", 503, Some("service_unavailable"), None, chance.log_normal(1_900.0, 0.6)),
        Ending::Broken => ("error", 500, Some("server_error"), None, chance.log_normal(800.0, 0.7)),
        Ending::TimedOut => ("timeout", 504, Some("timeout"), None, 60_000.0 + chance.uniform(0.0, 250.0)),
    };
    let mut used = 0;
    if matches!(ending, Ending::Answered | Ending::Cancelled) {
        let cached = if chance.happens(0.6) { answer.cached_input_tokens } else { 0 };
        let usage = Usage { input_tokens: answer.input_tokens, output_tokens, cached_input_tokens: cached, source: "reported" };
        used = usage.input_tokens + usage.output_tokens;
        let [input, cache, output] = app.prices;
        let dollars = real(usage.input_tokens - cached) * input + real(cached) * cache + real(output_tokens) * output;
        request.cost_usd = Some(real(whole(dollars * 1_000.0)) / 1e9);
        request.usage = Some(usage);
        request.response_model = Some(app.response_model);
        request.time_to_first_token_ms = Some(whole(first_token));
    }
    request.quota = meter.count(request.event_time.0, used, app.limits);
    if ending == Ending::Throttled {
        request.quota.remaining_tokens = 0;
    }
    if ending == Ending::Answered {
        request.response = Some(answer.text);
    }
    request.status = status;
    request.http_status = http_status;
    request.error_type = error_type;
    request.finish_reason = finish_reason;
    request.latency_ms = whole(latency);
}

/// Feedback about a request, given `delay_s` seconds after its answer.
pub(super) fn feedback(chance: &mut Chance, request: &Request, delay_s: f64, name: &'static str, source: &'static str) -> Feedback {
    Feedback {
        schema: "groundwire.user_feedback.v1",
        event_time: Timestamp(request.event_time.0 + whole(delay_s.clamp(4.0, 5_400.0) * 1_000.0) * 1_000),
        feedback_id: format!("fb_{}", chance.hex(16)),
        target: Target { request_id: request.request_id.clone() },
        name,
        score: None,
        label: None,
        comment: None,
        source,
        user_id: request.user_id.clone(),
        tenant: request.tenant,
        app: request.app,
    }
}

/// Card numbers that payment providers publish for tests.
const CARDS: [&str; 3] = ["4111 1111 1111 1111", "5555 5555 5555 4444", "4012 8888 8888 1881"];
/// Account numbers from the IBAN registry's examples.
const IBANS: [&str; 3] = ["DE89 3704 0044 0532 0130 00", "GB33 BUKB 2020 1555 5555 55", "FR14 2004 1010 0505 0001 3M02 606"];

/// Fills the slots of a phrase: `{n}` first name, `{s}` surname, `{e}` e-mail, `{t}` phone, `{o}` order, `{c}` card, `{b}` IBAN,
/// `{p}` product, `{d}` a small number. Numbers and addresses are those reserved for examples.
pub(super) fn fill(phrase: &str, chance: &mut Chance, library: &Library) -> String {
    let mut text = String::with_capacity(phrase.len() + 32);
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((slot, tail)) = after.split_once('}') else { break };
        text.push_str(before);
        let first = chance.pick(library.phrases("first_name"));
        let last = chance.pick(library.phrases("last_name"));
        match slot {
            "n" => text.push_str(first),
            "s" => text.push_str(last),
            "e" => text.extend([&first.to_lowercase(), ".", &last.to_lowercase(), "@example.com"]),
            "t" => text.extend(["+44 20 7946 0", &chance.between(100, 1_000).to_string()]),
            "o" => text.extend(["LF-", &chance.between(204_000, 219_000).to_string()]),
            "c" => text.push_str(chance.pick(&CARDS)),
            "b" => text.push_str(chance.pick(&IBANS)),
            "p" => text.push_str(chance.pick(library.phrases("product"))),
            _ => text.push_str(&chance.between(2, 29).to_string()),
        }
        rest = tail;
    }
    text.push_str(rest);
    text
}

/// A customer, some of whom come back often.
pub(super) fn customer(chance: &mut Chance) -> String {
    let rank = whole(chance.log_normal(60.0, 1.3)).clamp(0, 4_999);
    format!("cust-{}", 41_000 + rank * 7)
}
