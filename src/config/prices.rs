//! The price table: a TOML file of its own, read and reported like the configuration.
//!
//! Prices are decimals and stay exact. What the file must hold together is checked here: each row once, and for every model,
//! service tier and day a row for the shortest context. Which row a request gets is `measure`'s to say.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::describe::{Section, Setting, Shape, section};
use super::diagnostic::{Diagnostic, Severity};
use super::reader::{Place, Reader};
use super::value::Day;
use crate::event::Timestamp;
use crate::measure::{self, Prices, UsdPerMillion, tier_name};

section! {
    /// A price table.
    PriceTable {
        /// What tokens cost.
        prices: Vec<Price> = [],
    }
}

section! {
    /// What the tokens of one model cost from one day on, in US dollars per million tokens.
    Price {
        /// Model as the gateway names it in `response_model`, else in `request_model`.
        model: String = required,
        /// Service tier as the gateway names it in `service_tier`: `standard` (also `default`, `auto`, `on_demand`, and where none
        /// is named), `priority`, `batch`, `flex`, … A tier without a row is unpriced.
        service_tier: String = "standard",
        /// First day of this price, in UTC. All rows of a model and tier with the same day hold together, until the next day that
        /// has any. Absent: from the beginning.
        from: Option<Day> = none,
        /// The row is for requests whose whole input, cached tokens included, is longer than this many tokens; it prices all of
        /// their tokens.
        above_tokens: u64 = 0,
        /// Input tokens.
        input: UsdPerMillion = required in 0..1_000_000,
        /// Output tokens.
        output: UsdPerMillion = required in 0..1_000_000,
        /// Input tokens read from the provider's cache. Absent: as `input`.
        cached_input: Option<UsdPerMillion> = none in 0..1_000_000,
        /// Input tokens written to the provider's cache. Absent: as `input`.
        cache_write: Option<UsdPerMillion> = none in 0..1_000_000,
        /// Of these, the ones that the provider keeps for an hour. Absent: as `cache_write`.
        cache_write_1h: Option<UsdPerMillion> = none in 0..1_000_000,
        /// Reasoning tokens. Absent: as `output`.
        reasoning: Option<UsdPerMillion> = none in 0..1_000_000,
    }
}

impl Setting for UsdPerMillion {
    fn shape() -> Shape {
        Shape::Number
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return reader.wrong_type(place, value, "a decimal number", "write the number without quotes, for example 0.075"),
        };
        let Some(price) = Self::parse(&text.replace('_', "")) else {
            let expected = format!("a decimal number from 0 up with at most {} decimals", Self::DECIMALS);
            return reader.wrong_type(place, value, &expected, "write it out, in US dollars per million tokens, for example 0.075");
        };
        super::value::within(reader, place, value, price, |bound| Self::parse(&bound.replace('_', "")))
    }
}

/// Reads a price table.
///
/// # Errors
/// All mistakes, in the order of the file.
pub fn load_prices(path: &Path) -> Result<Prices, Vec<Diagnostic>> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the price table: {error}");
        vec![Diagnostic::of_file(&file, message, "a readable file in UTF-8", "correct its name or the permissions")]
    })?;
    parse_prices(&file, &text)
}

/// Reads the text of a price table.
///
/// # Errors
/// All mistakes, in the order of the file.
pub fn parse_prices(file: &str, text: &str) -> Result<Prices, Vec<Diagnostic>> {
    let mut reader = Reader::new(file, text, Path::new(""), Vec::new());
    let (table, errors) = DeTable::parse_recoverable(text);
    reader.incomplete = !errors.is_empty();
    for error in &errors {
        reader.syntax_error(error);
    }
    let root = Place { path: String::new(), bounds: None };
    let table = PriceTable::read_table(&mut reader, &root, table.get_ref());
    if let Some(table) = &table {
        check(&table.prices, &mut reader);
    }
    let mut found = reader.found;
    found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    found.dedup();
    match table {
        Some(table) if found.is_empty() => {
            Ok(Prices::new(&version(text), &table.prices.iter().map(Price::plain).collect::<Vec<_>>()))
        }
        _ => Err(found),
    }
}

/// The name of a table in priced rows: the first twelve hex digits of the SHA-256 of its text.
fn version(text: &str) -> String {
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

impl Price {
    fn plain(&self) -> measure::Price {
        measure::Price {
            model: self.model.clone(),
            service_tier: self.service_tier.clone(),
            from: self.from.map_or(Timestamp(i64::MIN), |day| day.0),
            above_tokens: i64::try_from(self.above_tokens).unwrap_or(i64::MAX),
            input: self.input,
            output: self.output,
            cached_input: self.cached_input,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            reasoning: self.reasoning,
        }
    }
}

fn check(prices: &[Price], reader: &mut Reader<'_>) {
    let mut seen: BTreeMap<(&str, String, Option<Day>), BTreeMap<u64, usize>> = BTreeMap::new();
    for (number, price) in prices.iter().enumerate() {
        let tier = tier_name(Some(&price.service_tier)).to_ascii_lowercase();
        let steps = seen.entry((&price.model, tier, price.from)).or_default();
        if let Some(first) = steps.insert(price.above_tokens, number) {
            let path = format!("prices[{number}]");
            let message = format!("{path}: this price of {:?} is given twice (also prices[{first}])", price.model);
            let remedy = "remove one, or tell them apart by from, service_tier or above_tokens";
            reader.report(&path, Severity::Mistake, message, "one row per model, service tier, day and context length", remedy);
        }
    }
    for ((model, tier, _), steps) in &seen {
        if steps.contains_key(&0) {
            continue;
        }
        let Some((above, number)) = steps.first_key_value() else { continue };
        let path = format!("prices[{number}].above_tokens");
        let message = format!("prices[{number}]: {model:?} in tier {tier:?} has no price for requests of up to {above} tokens");
        let expected = "a row without above_tokens for every model, service tier and day";
        reader.report(&path, Severity::Mistake, message, expected, "add it: a new day replaces all rows of the day before");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Usage;
    use crate::measure::Priceable;

    fn mistakes(text: &str) -> Vec<(usize, usize, String)> {
        let found = parse_prices("prices.toml", text).expect_err("there are mistakes");
        for diagnostic in &found {
            assert!(!diagnostic.remedy.is_empty() && diagnostic.file == "prices.toml", "{diagnostic}");
        }
        found.into_iter().map(|found| (found.line, found.column, found.message)).collect()
    }

    #[test]
    fn the_shipped_example_is_right_and_prices_by_day_tier_and_context() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("prices.example.toml");
        let prices = load_prices(&path).unwrap_or_else(|found| panic!("{found:?}"));
        let cost = |model, tier, day: &str, input, output| {
            let usage = Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() };
            let at = Timestamp::parse(&format!("{day}T12:00:00Z")).expect("a day");
            prices.cost(&Priceable { models: [Some(model), None], service_tier: tier, at, usage: &usage }).0
        };
        assert_eq!(cost("example-large", None, "2026-01-15", 1_000, 100), Some(4_500_000));
        assert_eq!(cost("example-large", None, "2026-06-01", 1_000, 100), Some(3_600_000));
        assert_eq!(cost("example-large", None, "2026-01-15", 200_001, 0), Some(1_200_006_000));
        assert_eq!(cost("example-large", Some("batch"), "2026-01-15", 1_000, 100), Some(2_250_000));
        assert_eq!(cost("example-large", Some("priority"), "2026-01-15", 1_000, 100), None);
        assert_eq!(cost("example-small", Some("default"), "2020-01-01", 1_000, 0), Some(75_000));
        assert_eq!(prices.version().len(), 12);
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_their_places() {
        let text = "\
[[prices]]
model = \"a\"
input = \"3\"
output = 15
[[prices]]
model = \"b\"
input = 1e-3
outptu = 2
[[prices]]
model = \"c\"
input = 0.0000000001
output = 2_000_000
from = \"yesterday\"
";
        let found = mistakes(text);
        let places: Vec<_> = found.iter().map(|(line, column, _)| (*line, *column)).collect();
        assert_eq!(places, [(3, 9), (5, 1), (7, 9), (8, 1), (11, 9), (12, 10), (13, 8)], "{found:?}");
    }

    #[test]
    fn rows_that_do_not_hold_together_are_reported() {
        let row = |rest: &str| format!("[[prices]]\nmodel = \"m\"\ninput = 1\noutput = 1\n{rest}\n");
        let twice = mistakes(&[row(""), row("service_tier = \"Default\"")].concat());
        assert_eq!((twice[0].0, twice.len()), (6, 1), "{twice:?}");
        let only_long = mistakes(&[row(""), row("from = \"2026-01-01\"\nabove_tokens = 200_000")].concat());
        assert_eq!((only_long[0].0, only_long.len()), (11, 1), "{only_long:?}");
        assert!(parse_prices("p", &[row(""), row("service_tier = \"batch\""), row("above_tokens = 9")].concat()).is_ok());
    }

    #[test]
    fn the_version_changes_with_the_text() {
        let of = |text: &str| parse_prices("p", text).expect("right").version().to_owned();
        assert_eq!(of(""), of(""));
        assert_ne!(of(""), of("# one more line\n"));
    }
}
