//! What a request cost, from an effective-dated price table.
//!
//! `(in - cr - cw) p_in + cr p_cr + cw p_cw + (out - reas) p_out + reas p_reas`, in integers (millionths of a billionth of a dollar per
//! token), rounded half to even once, to billionths of a dollar. Unknown is never zero: the status says why there is no figure.
//! A service tier that the table does not name is unpriced, not standard. Discounts and commitments are not part of it.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::CostStatus;
use crate::event::{Timestamp, Usage, UsageSource};

/// The service tier of requests that name none.
pub const STANDARD: &str = "standard";
/// Names by which providers mean the standard tier.
const STANDARD_NAMES: [&str; 5] = [STANDARD, "default", "auto", "on_demand", "on-demand"];

/// US dollars per million tokens, in billionths: nine decimals, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsdPerMillion(pub i64);

impl UsdPerMillion {
    /// Decimals that are kept.
    pub const DECIMALS: usize = 9;

    /// Reads a decimal number such as `0.075`, exactly; `None` for anything else, and for more than nine decimals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let decimals = decimals.trim_end_matches('0');
        if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > Self::DECIMALS {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let fraction: i64 = format!("{decimals:0<width$}", width = Self::DECIMALS).parse().ok()?;
        whole.checked_mul(1_000_000_000)?.checked_add(fraction).map(Self)
    }
}

/// What the tokens of one model cost from one time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The model.
    pub model: String,
    /// The service tier; any of the names of the standard tier means that one.
    pub service_tier: String,
    /// From when on. Rows of a model and tier with the same time hold together, until the next time that has any.
    pub from: Timestamp,
    /// For requests whose whole input is longer than this many tokens; of several rows the greatest that fits counts.
    pub above_tokens: i64,
    /// Input tokens.
    pub input: UsdPerMillion,
    /// Output tokens.
    pub output: UsdPerMillion,
    /// Input tokens read from the provider's cache; as `input` if absent.
    pub cached_input: Option<UsdPerMillion>,
    /// Input tokens written to the provider's cache; as `input` if absent.
    pub cache_write: Option<UsdPerMillion>,
    /// Of these, the ones kept for an hour; as `cache_write` if absent.
    pub cache_write_1h: Option<UsdPerMillion>,
    /// Reasoning tokens; as `output` if absent.
    pub reasoning: Option<UsdPerMillion>,
}

/// What there is to price of a request.
#[derive(Clone, Copy, Debug)]
pub struct Priceable<'a> {
    /// The models under which the price is looked for, in this order.
    pub models: [Option<&'a str>; 2],
    /// The service tier that served the request.
    pub service_tier: Option<&'a str>,
    /// End of the request.
    pub at: Timestamp,
    /// Its token counts.
    pub usage: &'a Usage,
}

/// Prices of all models.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    version: String,
    by_model: HashMap<String, Vec<Tier>>,
}

/// The prices of one model in one service tier.
#[derive(Clone, Debug)]
struct Tier {
    name: String,
    /// By start: the longest context first.
    dated: BTreeMap<Timestamp, Vec<(i64, PerToken)>>,
}

/// Millionths of a billionth of a dollar per token.
#[derive(Clone, Copy, Debug)]
struct PerToken {
    input: i128,
    cached: i128,
    write: i128,
    write_1h: i128,
    output: i128,
    reasoning: i128,
}

impl Prices {
    /// The table of a list; `version` names it in rows that are priced by it.
    #[must_use]
    pub fn new(version: &str, prices: &[Price]) -> Self {
        let mut by_model: HashMap<String, Vec<Tier>> = HashMap::new();
        for price in prices {
            let per = |price: UsdPerMillion| i128::from(price.0);
            let write = price.cache_write.unwrap_or(price.input);
            let per_token = PerToken {
                input: per(price.input),
                cached: per(price.cached_input.unwrap_or(price.input)),
                write: per(write),
                write_1h: per(price.cache_write_1h.unwrap_or(write)),
                output: per(price.output),
                reasoning: per(price.reasoning.unwrap_or(price.output)),
            };
            let name = tier_name(Some(&price.service_tier));
            let tiers = by_model.entry(price.model.clone()).or_default();
            let at = tiers.iter().position(|tier| tier.name.eq_ignore_ascii_case(name)).unwrap_or_else(|| {
                tiers.push(Tier { name: name.to_owned(), dated: BTreeMap::new() });
                tiers.len() - 1
            });
            if let Some(tier) = tiers.get_mut(at) {
                let rows = tier.dated.entry(price.from).or_default();
                rows.push((price.above_tokens, per_token));
                rows.sort_by_key(|(above, _)| std::cmp::Reverse(*above));
            }
        }
        Self { version: version.to_owned(), by_model }
    }

    /// The name of this table; empty if it holds nothing.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether no model has a price.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_model.is_empty()
    }

    /// Cost in billionths of a dollar, by the first of the models that has a price for that tier and time.
    #[must_use]
    pub fn cost(&self, request: &Priceable<'_>) -> (Option<i64>, CostStatus) {
        let usage = request.usage;
        let (Some(input), Some(output)) = (usage.input_tokens, usage.output_tokens) else {
            return (None, CostStatus::UsageMissing);
        };
        let tier = tier_name(request.service_tier);
        let found = request.models.into_iter().flatten().find_map(|model| self.price(model, tier, request.at, input));
        let Some(price) = found else { return (None, CostStatus::Unpriced) };
        let count = |tokens: Option<i64>| i128::from(tokens.unwrap_or(0));
        let (input, output) = (i128::from(input), i128::from(output));
        let (cached, write) = (count(usage.cached_input_tokens), count(usage.cache_write_tokens));
        let write_1h = count(usage.cache_write_1h_tokens);
        let reasoning = count(usage.reasoning_tokens);
        // A producer that counts parts outside the whole would make the rest negative.
        let plain = (input - cached - write).max(0);
        let spoken = (output - reasoning).max(0);
        let millionths = plain * price.input
            + cached * price.cached
            + (write - write_1h).max(0) * price.write
            + write_1h * price.write_1h
            + spoken * price.output
            + reasoning * price.reasoning;
        let status = if usage.source == Some(UsageSource::Estimated) { CostStatus::Estimated } else { CostStatus::Exact };
        (i64::try_from(millionth(millionths)).ok(), status)
    }

    fn price(&self, model: &str, tier: &str, at: Timestamp, input: i64) -> Option<&PerToken> {
        let tier = self.by_model.get(model)?.iter().find(|known| known.name.eq_ignore_ascii_case(tier))?;
        let (_, rows) = tier.dated.range(..=at).next_back()?;
        rows.iter().find(|(above, _)| *above == 0 || input > *above).map(|(_, price)| price)
    }
}

/// The one name of a service tier.
#[must_use]
pub fn tier_name(tier: Option<&str>) -> &str {
    match tier {
        Some(tier) if !STANDARD_NAMES.iter().any(|name| name.eq_ignore_ascii_case(tier)) => tier,
        _ => STANDARD,
    }
}

/// A millionth, rounded half to even.
fn millionth(value: i128) -> i128 {
    let (whole, rest) = (value.div_euclid(1_000_000), value.rem_euclid(1_000_000));
    whole + i128::from(rest > 500_000 || rest == 500_000 && whole % 2 != 0)
}

#[cfg(test)]
mod tests;
