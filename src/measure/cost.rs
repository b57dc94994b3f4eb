//! What a request cost, from an effective-dated price table.
//!
//! `(in - cr - cw) p_in + cr p_cr + cw p_cw + (out - reas) p_out + reas p_reas`, in integers (trillionths of a dollar per token),
//! rounded half to even once, to billionths of a dollar. Unknown is never zero: the status says why there is no figure. Tiers by
//! service class and context length are not part of it.

use std::collections::BTreeMap;

use super::CostStatus;
use crate::event::{Timestamp, Usage, UsageSource};

/// What the tokens of one model cost from one time on, in US dollars per million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// The model.
    pub model: String,
    /// From when on; the price holds until the next one of the model.
    pub from: Timestamp,
    /// Input tokens.
    pub input: f64,
    /// Output tokens.
    pub output: f64,
    /// Input tokens read from the provider's cache; as `input` if absent.
    pub cached_input: Option<f64>,
    /// Input tokens written to the provider's cache; as `input` if absent.
    pub cache_write: Option<f64>,
    /// Reasoning tokens; as `output` if absent.
    pub reasoning: Option<f64>,
}

/// Prices of all models.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    by_model: BTreeMap<String, BTreeMap<Timestamp, PerToken>>,
}

/// Trillionths of a dollar per token.
#[derive(Clone, Copy, Debug)]
struct PerToken {
    input: i128,
    cached: i128,
    write: i128,
    output: i128,
    reasoning: i128,
}

impl Prices {
    /// The table of a list.
    #[must_use]
    pub fn new(prices: &[Price]) -> Self {
        let mut by_model: BTreeMap<String, BTreeMap<Timestamp, PerToken>> = BTreeMap::new();
        for price in prices {
            let input = per_token(price.input);
            let output = per_token(price.output);
            let per_token = PerToken {
                input,
                cached: price.cached_input.map_or(input, per_token),
                write: price.cache_write.map_or(input, per_token),
                output,
                reasoning: price.reasoning.map_or(output, per_token),
            };
            by_model.entry(price.model.clone()).or_default().insert(price.from, per_token);
        }
        Self { by_model }
    }

    /// Cost in billionths of a dollar of a request that ended at `at`, of the first of `models` that has a price then.
    #[must_use]
    pub fn cost(&self, models: [Option<&str>; 2], at: Timestamp, usage: &Usage) -> (Option<i64>, CostStatus) {
        let (Some(input), Some(output)) = (usage.input_tokens, usage.output_tokens) else {
            return (None, CostStatus::UsageMissing);
        };
        let price = |model: &str| self.by_model.get(model)?.range(..=at).next_back().map(|(_, price)| price);
        let Some(price) = models.into_iter().flatten().find_map(price) else { return (None, CostStatus::Unpriced) };
        let count = |tokens: Option<i64>| i128::from(tokens.unwrap_or(0));
        let (input, output) = (i128::from(input), i128::from(output));
        let (cached, write) = (count(usage.cached_input_tokens), count(usage.cache_write_tokens));
        let reasoning = count(usage.reasoning_tokens);
        // A producer that counts parts outside the whole would make the rest negative.
        let plain = (input - cached - write).max(0);
        let spoken = (output - reasoning).max(0);
        let trillionths =
            plain * price.input + cached * price.cached + write * price.write + spoken * price.output + reasoning * price.reasoning;
        let status = if usage.source == Some(UsageSource::Estimated) { CostStatus::Estimated } else { CostStatus::Exact };
        (i64::try_from(thousandth(trillionths)).ok(), status)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what an absurd price deserves")]
fn per_token(usd_per_million: f64) -> i128 {
    (usd_per_million * 1e6).round_ties_even() as i128
}

/// A thousandth, rounded half to even.
fn thousandth(value: i128) -> i128 {
    let (whole, rest) = (value.div_euclid(1_000), value.rem_euclid(1_000));
    whole + i128::from(rest > 500 || rest == 500 && whole % 2 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(model: &str, from: i64, input: f64, output: f64) -> Price {
        Price {
            model: model.to_owned(),
            from: Timestamp(from),
            input,
            output,
            cached_input: None,
            cache_write: None,
            reasoning: None,
        }
    }

    fn usage(input: i64, output: i64) -> Usage {
        Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let all = Price { cached_input: Some(0.3), cache_write: Some(3.75), reasoning: Some(20.0), ..price("m", 0, 3.0, 15.0) };
        let usage = Usage {
            cached_input_tokens: Some(1_000),
            cache_write_tokens: Some(500),
            reasoning_tokens: Some(40),
            ..usage(2_000, 100)
        };
        // 500 · 3 + 1000 · 0.3 + 500 · 3.75 + 60 · 15 + 40 · 20 = 5375 millionths of a dollar
        assert_eq!(Prices::new(&[all]).cost([Some("m"), None], Timestamp(1), &usage), (Some(5_375_000), CostStatus::Exact));
    }

    #[test]
    fn the_price_of_the_event_time_holds_and_the_first_known_model_counts() {
        let prices = Prices::new(&[price("old", 0, 1.0, 1.0), price("old", 100, 2.0, 2.0), price("later", 100, 5.0, 5.0)]);
        let cost = |models, at| prices.cost(models, Timestamp(at), &usage(1_000, 0)).0;
        assert_eq!(cost([Some("old"), None], 99), Some(1_000_000));
        assert_eq!(cost([Some("old"), None], 100), Some(2_000_000));
        assert_eq!(cost([Some("unknown"), Some("old")], 100), Some(2_000_000));
        assert_eq!(cost([Some("later"), Some("old")], 50), Some(1_000_000));
    }

    #[test]
    fn unknown_is_never_zero() {
        let prices = Prices::new(&[price("m", 0, 1.0, 1.0)]);
        let missing = Usage { output_tokens: Some(5), ..Usage::default() };
        assert_eq!(prices.cost([Some("m"), None], Timestamp(1), &missing), (None, CostStatus::UsageMissing));
        assert_eq!(prices.cost([Some("other"), None], Timestamp(1), &usage(1, 1)), (None, CostStatus::Unpriced));
        assert_eq!(prices.cost([None, None], Timestamp(1), &usage(1, 1)), (None, CostStatus::Unpriced));
        let estimated = Usage { source: Some(UsageSource::Estimated), ..usage(1, 1) };
        assert_eq!(prices.cost([Some("m"), None], Timestamp(1), &estimated), (Some(2_000), CostStatus::Estimated));
    }

    #[test]
    fn parts_beyond_the_whole_do_not_make_a_cost_negative() {
        let all = Price { cached_input: Some(0.5), ..price("m", 0, 1.0, 1.0) };
        let odd = Usage { cached_input_tokens: Some(900), ..usage(100, 0) };
        assert_eq!(Prices::new(&[all]).cost([Some("m"), None], Timestamp(1), &odd).0, Some(450_000));
    }

    #[test]
    fn rounding_is_half_to_even() {
        assert_eq!([1_500, 2_500, 2_501, 1_499, -1_500].map(thousandth), [2, 2, 3, 1, -2]);
    }
}
