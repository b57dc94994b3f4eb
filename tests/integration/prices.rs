//! Costs against Python's `decimal`: the same made-up price table and requests, priced by both to the billionth of a dollar.

use std::fmt::Write as _;

use groundwire::config::parse_prices;
use groundwire::event::{Timestamp, Usage};
use groundwire::measure::Priceable;

use crate::support::{python, scratch};

/// Reads the table and the requests, shares nothing with the service: looks every row up slowly, adds in exact decimals.
const ORACLE: &str = r"
import datetime, decimal, json, sys, tomllib
decimal.getcontext().prec = 60
table = tomllib.load(open(sys.argv[1], 'rb'), parse_float=decimal.Decimal)['prices']
costs = []
for line in open(sys.argv[2]):
    r = json.loads(line)
    tier = r['tier'] if r['tier'] not in (None, 'default') else 'standard'
    day = datetime.date.fromisoformat(r['day'])
    rows = [p for p in table if p['model'] == r['model'] and p.get('service_tier', 'standard') == tier]
    start = lambda p: datetime.date.fromisoformat(p.get('from', '0001-01-01'))
    rows = [p for p in rows if start(p) <= day]
    rows = [p for p in rows if start(p) == max(map(start, rows))]
    rows = [p for p in rows if p.get('above_tokens', 0) == 0 or r['in'] > p['above_tokens']]
    if not rows:
        costs.append(None)
        continue
    p = max(rows, key=lambda p: p.get('above_tokens', 0))
    write = p.get('cache_write', p['input'])
    total = (
        (r['in'] - r['cr'] - r['cw']) * p['input'] + r['cr'] * p.get('cached_input', p['input'])
        + (r['cw'] - r['cw1h']) * write + r['cw1h'] * p.get('cache_write_1h', write)
        + (r['out'] - r['reas']) * p['output'] + r['reas'] * p.get('reasoning', p['output'])
    )
    costs.append(int((decimal.Decimal(total) * 1000).quantize(decimal.Decimal(1), decimal.ROUND_HALF_EVEN)))
print(json.dumps(costs))
";

const MODELS: [&str; 3] = ["small", "large", "unknown"];
const TIERS: [Option<&str>; 4] = [None, Some("default"), Some("batch"), Some("priority")];
const DAYS: [&str; 4] = ["2026-01-01", "2026-03-31", "2026-04-01", "2026-09-09"];

fn table(random: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    for model in &MODELS[..2] {
        for (tier, from, above) in [
            ("standard", "", 0),
            ("standard", "", 20_000),
            ("standard", "2026-04-01", 0),
            ("batch", "2026-02-01", 0),
            ("batch", "2026-02-01", 50_000),
        ] {
            let mut price = || format!("{}.{:0width$}", random.u32(0..40), random.u64(0..1_000_000_000), width = 9);
            let (input, output) = (price(), price());
            let mut row =
                format!("[[prices]]\nmodel = \"{model}\"\nservice_tier = \"{tier}\"\ninput = {input}\noutput = {output}\n");
            if !from.is_empty() {
                writeln!(row, "from = \"{from}\"").expect("writing to a string");
            }
            if above > 0 {
                writeln!(row, "above_tokens = {above}").expect("writing to a string");
            }
            for key in ["cached_input", "cache_write", "cache_write_1h", "reasoning"] {
                let price = price();
                if !price.ends_with(['0', '1', '2']) {
                    writeln!(row, "{key} = {price}").expect("writing to a string");
                }
            }
            text.push_str(&row);
        }
    }
    text
}

#[test]
fn costs_equal_those_of_exact_decimals() {
    let folder = scratch("prices");
    let mut random = fastrand::Rng::with_seed(20_260_504);
    let text = table(&mut random);
    let prices = parse_prices("prices.toml", &text).unwrap_or_else(|found| panic!("{found:?}"));
    let (mut requests, mut ours) = (String::new(), Vec::new());
    for _ in 0..5_000 {
        let (model, tier, day) = (MODELS[random.usize(0..3)], TIERS[random.usize(0..4)], DAYS[random.usize(0..4)]);
        let (cached, write, rest) = (random.i64(0..60_000), random.i64(0..9_000), random.i64(0..30_000));
        let (write_1h, output) = (random.i64(0..=write), random.i64(0..9_000));
        let (input, reasoning) = (cached + write + rest, random.i64(0..=output));
        let request = serde_json::json!({
            "model": model, "tier": tier, "day": day, "in": input, "cr": cached, "cw": write, "cw1h": write_1h, "out": output,
            "reas": reasoning,
        });
        writeln!(requests, "{request}").expect("writing to a string");
        let usage = Usage {
            input_tokens: Some(input),
            output_tokens: Some(output),
            cached_input_tokens: Some(cached),
            cache_write_tokens: Some(write),
            cache_write_1h_tokens: Some(write_1h),
            reasoning_tokens: Some(reasoning),
            source: None,
        };
        let at = Timestamp::parse(&format!("{day}T23:59:59Z")).expect("a time");
        ours.push(prices.cost(&Priceable { models: [None, Some(model)], service_tier: tier, at, usage: &usage }).0);
    }
    let (table, lines) = (folder.path().join("prices.toml"), folder.path().join("requests.jsonl"));
    std::fs::write(&table, text).expect("the folder is ours");
    std::fs::write(&lines, requests).expect("the folder is ours");
    let theirs = python::json(ORACLE, &[&table.display().to_string(), &lines.display().to_string()]);
    let theirs: Vec<Option<i64>> = serde_json::from_value(theirs).expect("a list of integers");
    assert!(ours.iter().filter(|cost| cost.is_some()).count() > 2_000);
    assert_eq!(ours, theirs);
}
