use proptest::prelude::*;

use super::*;

fn price(model: &str, from: i64, input: &str, output: &str) -> Price {
    Price {
        model: model.to_owned(),
        service_tier: STANDARD.to_owned(),
        from: Timestamp(from),
        above_tokens: 0,
        input: usd(input),
        output: usd(output),
        cached_input: None,
        cache_write: None,
        cache_write_1h: None,
        reasoning: None,
    }
}

fn usd(text: &str) -> UsdPerMillion {
    UsdPerMillion::parse(text).expect("a decimal")
}

fn usage(input: i64, output: i64) -> Usage {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
}

fn cost(prices: &[Price], models: [Option<&str>; 2], tier: Option<&str>, at: i64, usage: &Usage) -> (Option<i64>, CostStatus) {
    Prices::new("test", prices).cost(&Priceable { models, service_tier: tier, at: Timestamp(at), usage })
}

#[test]
fn decimals_are_read_exactly_or_not_at_all() {
    let parsed = |text| UsdPerMillion::parse(text).map(|price| price.0);
    assert_eq!(parsed("0.075"), Some(75_000_000));
    assert_eq!(parsed("15"), Some(15_000_000_000));
    assert_eq!(parsed("0.000000001"), Some(1));
    assert_eq!(parsed("1.2500000000000"), Some(1_250_000_000));
    for wrong in ["", ".5", "-1", "1e-3", "0.0000000001", "1,5", "1.5.2", "99999999999"] {
        assert_eq!(parsed(wrong), None, "{wrong}");
    }
}

#[test]
fn every_kind_of_token_has_its_price() {
    let all = Price {
        cached_input: Some(usd("0.3")),
        cache_write: Some(usd("3.75")),
        cache_write_1h: Some(usd("6")),
        reasoning: Some(usd("20")),
        ..price("m", 0, "3", "15")
    };
    let usage = Usage {
        cached_input_tokens: Some(1_000),
        cache_write_tokens: Some(500),
        cache_write_1h_tokens: Some(100),
        reasoning_tokens: Some(40),
        ..usage(2_000, 100)
    };
    // 500 · 3 + 1000 · 0.3 + 400 · 3.75 + 100 · 6 + 60 · 15 + 40 · 20 = 5600 millionths of a dollar
    assert_eq!(cost(&[all], [Some("m"), None], None, 1, &usage), (Some(5_600_000), CostStatus::Exact));
}

/// Costs that were worked out in public, each beside the false figure that a known mistake gives.
#[test]
fn public_check_values_are_met_to_the_last_digit() {
    let rounded = |billionths: i64, digits: u32| {
        let unit = 10_i64.pow(9 - digits);
        (billionths + unit / 2) / unit
    };
    // litellm#14849: 262,960 input tokens of which 257,955 cached, 1,744 output, at 1.25, 0.625 and 10 per million.
    let gemini = Price { cached_input: Some(usd("0.625")), ..price("gemini-2.5-pro", 0, "1.25", "10") };
    let seen = Usage { cached_input_tokens: Some(257_955), reasoning_tokens: Some(0), ..usage(262_960, 1_744) };
    let (found, status) = cost(&[gemini], [Some("gemini-2.5-pro"), None], None, 1, &seen);
    assert_eq!((found, status), (Some(184_918_125), CostStatus::Exact));
    assert_eq!(rounded(found.unwrap(), 6), 184_918);
    // langfuse#12996: 16 plain, 226,784 cached and 48,454 written input tokens, 2,621 output. The long-context rows of the first
    // day ended with the second day's.
    let standard =
        Price { cached_input: Some(usd("0.3")), cache_write: Some(usd("3.75")), ..price("claude-sonnet-4-6", 0, "3", "15") };
    let long = Price {
        above_tokens: 200_000,
        cached_input: Some(usd("0.6")),
        cache_write: Some(usd("7.5")),
        ..price("claude-sonnet-4-6", 0, "6", "22.5")
    };
    let later = Price { from: Timestamp(100), ..standard.clone() };
    let table = [standard, long, later];
    let seen =
        Usage { cached_input_tokens: Some(226_784), cache_write_tokens: Some(48_454), ..usage(16 + 226_784 + 48_454, 2_621) };
    let at = |time| cost(&table, [Some("claude-sonnet-4-6"), None], None, time, &seen).0.unwrap();
    assert_eq!((at(100), rounded(at(100), 6)), (289_100_700, 289_101));
    assert_eq!((at(99), rounded(at(99), 6)), (558_543_900, 558_544));
    // lmnr#2307: 563,883 input tokens of which 48,914 cached, 1,532 output, by the long-context rows; the stale table had 10, 1 and 45.
    let sol = |input, cached, output| {
        let long = Price { above_tokens: 272_000, cached_input: Some(usd(cached)), ..price("gpt-5.6-sol", 0, input, output) };
        let seen = Usage { cached_input_tokens: Some(48_914), ..usage(563_883, 1_532) };
        cost(&[price("gpt-5.6-sol", 0, "4", "20"), long], [Some("gpt-5.6-sol"), None], None, 1, &seen).0.unwrap()
    };
    assert_eq!((sol("8", "0.8", "30"), sol("10", "1", "45")), (4_204_843_200, 5_267_544_000));
    // logfire#1316: 538 plain and 2,208 cached input tokens, 197 output with reasoning, at 0.25, 0.025 and 2 per million.
    let mini = Price { cached_input: Some(usd("0.025")), ..price("gpt-5-mini", 0, "0.25", "2") };
    let seen = Usage { cached_input_tokens: Some(2_208), reasoning_tokens: Some(64), ..usage(538 + 2_208, 197) };
    let found = cost(&[mini], [Some("gpt-5-mini"), None], None, 1, &seen).0.unwrap();
    assert_eq!((found, rounded(found, 6)), (583_700, 584));
    // lmnr#622: 28,687 input tokens of which 28,544 cached, at 2.5 and 1.25; their input cost is right, their output cost was not.
    let gpt_4o = Price { cached_input: Some(usd("1.25")), ..price("gpt-4o", 0, "2.5", "10") };
    let at = |output| {
        let seen = Usage { cached_input_tokens: Some(28_544), ..usage(28_687, output) };
        cost(std::slice::from_ref(&gpt_4o), [Some("gpt-4o"), None], None, 1, &seen).0.unwrap()
    };
    assert_eq!((at(0), at(8_000)), (36_037_500, 36_037_500 + 80_000_000));
}

#[test]
fn the_price_of_the_event_time_holds_and_the_first_known_model_counts() {
    let table = [price("old", 0, "1", "1"), price("old", 100, "2", "2"), price("later", 100, "5", "5")];
    let at = |models, time| cost(&table, models, None, time, &usage(1_000, 0)).0;
    assert_eq!(at([Some("old"), None], 99), Some(1_000_000));
    assert_eq!(at([Some("old"), None], 100), Some(2_000_000));
    assert_eq!(at([Some("unknown"), Some("old")], 100), Some(2_000_000));
    assert_eq!(at([Some("later"), Some("old")], 50), Some(1_000_000));
}

#[test]
fn the_whole_input_chooses_the_context_tier_and_a_new_day_replaces_all_of_them() {
    let long = |above_tokens, from, input| Price { above_tokens, ..price("m", from, input, "1") };
    let table = [price("m", 0, "1", "1"), long(200, 0, "2"), long(1_000, 0, "3"), price("m", 50, "4", "1")];
    let at = |input, time| cost(&table, [Some("m"), None], None, time, &usage(input, 0)).0.unwrap() / input / 1_000;
    assert_eq!([at(200, 1), at(201, 1), at(1_000, 1), at(1_001, 1)], [1, 2, 2, 3]);
    assert_eq!(at(5_000, 50), 4);
}

#[test]
fn a_service_tier_has_its_own_prices_or_none() {
    let priority = Price { service_tier: "priority".to_owned(), ..price("m", 0, "2", "2") };
    let batch = Price { service_tier: "Batch".to_owned(), ..price("m", 0, "0.5", "0.5") };
    let table = [price("m", 0, "1", "1"), priority, batch];
    let of = |tier| cost(&table, [Some("m"), None], tier, 1, &usage(1_000, 0));
    for standard in [None, Some("default"), Some("auto"), Some("STANDARD")] {
        assert_eq!(of(standard).0, Some(1_000_000));
    }
    assert_eq!(of(Some("priority")).0, Some(2_000_000));
    assert_eq!(of(Some("batch")).0, Some(500_000));
    assert_eq!(of(Some("flex")), (None, CostStatus::Unpriced));
}

#[test]
fn unknown_is_never_zero() {
    let table = [price("m", 0, "1", "1")];
    let of = |models, usage: &Usage| cost(&table, models, None, 1, usage);
    let missing = Usage { output_tokens: Some(5), ..Usage::default() };
    assert_eq!(of([Some("m"), None], &missing), (None, CostStatus::UsageMissing));
    assert_eq!(of([Some("other"), None], &usage(1, 1)), (None, CostStatus::Unpriced));
    assert_eq!(of([None, None], &usage(1, 1)), (None, CostStatus::Unpriced));
    assert_eq!(cost(&table, [Some("m"), None], None, -1, &usage(1, 1)), (None, CostStatus::Unpriced));
    let estimated = Usage { source: Some(UsageSource::Estimated), ..usage(1, 1) };
    assert_eq!(of([Some("m"), None], &estimated), (Some(2_000), CostStatus::Estimated));
}

#[test]
fn parts_beyond_the_whole_do_not_make_a_cost_negative() {
    let all = Price { cached_input: Some(usd("0.5")), ..price("m", 0, "1", "1") };
    let odd = Usage { cached_input_tokens: Some(900), ..usage(100, 0) };
    assert_eq!(cost(&[all], [Some("m"), None], None, 1, &odd).0, Some(450_000));
}

#[test]
fn rounding_is_half_to_even() {
    assert_eq!([1_500_000, 2_500_000, 2_500_001, 1_499_999, -1_500_000].map(millionth), [2, 2, 3, 1, -2]);
}

proptest! {
    #[test]
    fn the_order_of_the_rows_and_rows_of_others_do_not_matter(
        rows in prop::collection::vec((0..3_usize, 0..4_i64, 0..3_i64, 1..1_000_i64), 1..24),
        seed in any::<u64>(), input in 1..5_000_i64, at in 0..5_i64,
    ) {
        let tiers = ["standard", "priority", "batch"];
        let mut seen = std::collections::BTreeSet::new();
        let mut table: Vec<Price> = rows.into_iter().filter(|(tier, from, above, _)| seen.insert((*tier, *from, *above))).map(|(tier, from, above, micros)| {
            Price { service_tier: tiers[tier].to_owned(), above_tokens: above * 1_000, input: UsdPerMillion(micros * 1_000), ..price("m", from, "0", "0") }
        }).collect();
        // Slowly: the latest day of the tier, in it the greatest step below the input.
        let day = table.iter().filter(|row| row.service_tier == "priority" && row.from.0 <= at).map(|row| row.from).max();
        let row = table.iter().filter(|row| row.service_tier == "priority" && Some(row.from) == day)
            .filter(|row| row.above_tokens == 0 || input > row.above_tokens).max_by_key(|row| row.above_tokens);
        let expected = row.map(|row| i64::try_from(millionth(i128::from(row.input.0) * i128::from(input))).unwrap());
        fastrand::Rng::with_seed(seed).shuffle(&mut table);
        prop_assert_eq!(cost(&table, [Some("m"), None], Some("priority"), at, &usage(input, 0)).0, expected);
    }
}
