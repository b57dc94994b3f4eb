//! The statistics of windows, agreement by agreement: scipy and statsmodels to the digits they share, Evidently and `NannyML`
//! definition by definition. `docs/agreement.md` says why each difference is there.

use std::collections::BTreeMap;

use groundwire::evaluate::drift::{Drift, Shape, drift};
use groundwire::evaluate::interval;
use groundwire::measure::{Category, Measure, Partial, measures};
use serde_json::{Value, json};

use crate::support::chance::Chance;
use crate::support::python;

const SCRIPT: &str = include_str!("../agreement/windows.py");

impl Chance {
    /// A sum of uniform numbers: a bell from 0 to 1.
    fn bell(&mut self) -> f64 {
        (0..6).map(|_| self.below(1_000_000) as f64 / 1e6).sum::<f64>() / 6.0
    }
}

/// What a case draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Whole numbers that have a bin each.
    Short,
    /// Whole numbers in logarithmic bins, over three powers of ten.
    Long,
    /// Scores, of which a tenth is exactly 1.
    Score,
    /// Names.
    Category,
}

const KINDS: [Kind; 4] = [Kind::Short, Kind::Long, Kind::Score, Kind::Category];

impl Kind {
    fn measure(self) -> Measure {
        match self {
            Self::Short | Self::Long => measures::PROMPT_LENGTH,
            Self::Score => measures::GROUNDEDNESS,
            Self::Category => measures::PREDICTION,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "test")]
    fn draw(self, chance: &mut Chance, moved: f64) -> i64 {
        match self {
            Self::Short => ((chance.bell() + moved) * 100.0) as i64,
            Self::Long => 10_f64.powf(2.0 + 3.0 * (chance.bell() + moved)) as i64,
            Self::Score if chance.below(10) == 0 => 1_000_000_000,
            Self::Score => ((chance.bell() + moved).clamp(0.0, 1.0) * 1e9) as i64,
            Self::Category => {
                let mut name = 0;
                while name < 40 && chance.bell() + moved > 0.45 {
                    name += 1;
                }
                name
            }
        }
    }

    fn bin(self, value: i64) -> u16 {
        match self {
            Self::Category => Category::of(&format!("class {value}")).expect("a name of its own").bin(),
            _ => self.measure().info().edges.bin(value),
        }
    }

    /// The middle of a bin, in the measure's integer unit.
    fn middle(self, bin: u16) -> f64 {
        let (low, high) = self.measure().info().edges.range(bin);
        f64::midpoint(low as f64, high as f64)
    }

    /// Values in the published unit.
    fn published(self, value: f64) -> f64 {
        value / self.measure().info().scale as f64
    }
}

struct Case {
    kind: Kind,
    window: Vec<i64>,
    reference: Vec<i64>,
}

/// Every kind with few and many values, still and moved.
fn cases() -> Vec<Case> {
    let mut chance = Chance(20_260_504);
    let mut cases = Vec::new();
    for kind in KINDS {
        for (n, m, moved) in [(240, 3_000, 0.0), (300, 900, 0.02), (1_000, 5_000, 0.01), (2_000, 4_000, 0.05), (700, 700, 0.0)] {
            let window = (0..n).map(|_| kind.draw(&mut chance, moved)).collect();
            let reference = (0..m).map(|_| kind.draw(&mut chance, 0.0)).collect();
            cases.push(Case { kind, window, reference });
        }
    }
    cases
}

impl Case {
    fn partial(&self, values: &[i64]) -> Partial {
        let mut partial = Partial::default();
        let mut bins: BTreeMap<u16, u32> = BTreeMap::new();
        for value in values {
            *bins.entry(self.kind.bin(*value)).or_default() += 1;
            partial.n += 1;
            partial.sum += i128::from(*value);
            partial.sum_sq += i128::from(*value) * i128::from(*value);
        }
        partial.hist = bins.into_iter().collect();
        partial
    }

    fn ours(&self) -> Drift {
        let found = drift(self.kind.measure(), &self.partial(&self.window), &self.partial(&self.reference));
        found.expect("enough values to decide")
    }

    fn json(&self) -> Value {
        let sides = |each: &dyn Fn(i64) -> f64| {
            let side = |values: &[i64]| values.iter().map(|value| each(*value)).collect::<Vec<f64>>();
            json!({"window": side(&self.window), "reference": side(&self.reference)})
        };
        let bins = |values: &[i64]| values.iter().map(|value| self.kind.bin(*value)).collect::<Vec<u16>>();
        json!({
            "kind": if self.kind == Kind::Category { "category" } else { "number" },
            "values": sides(&|value| self.kind.published(value as f64)),
            "middles": sides(&|value| self.kind.published(self.kind.middle(self.kind.bin(value)))),
            "bins": {"window": bins(&self.window), "reference": bins(&self.reference)},
        })
    }
}

/// What a library says about the cases, in their order.
fn theirs(environment: &str, library: &str, cases: &Value) -> Vec<BTreeMap<String, Value>> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cases.json");
    std::fs::write(&file, cases.to_string()).expect("cases can be written");
    let found = python::json_in(environment, SCRIPT, &[library, file.to_str().expect("a path in UTF-8")]);
    serde_json::from_value(found).expect("a list of objects")
}

fn all(cases: &[Case]) -> Value {
    cases.iter().map(Case::json).collect()
}

/// The greatest differences seen, by what was compared.
#[derive(Default)]
struct Greatest(BTreeMap<String, f64>);

impl Greatest {
    fn see(&mut self, what: &str, difference: f64, allowed: f64, place: &str) {
        assert!(difference <= allowed, "{what} differs by {difference:e} in {place}, allowed {allowed:e}");
        let known = self.0.entry(what.to_owned()).or_default();
        *known = known.max(difference);
    }
}

impl Drop for Greatest {
    fn drop(&mut self) {
        for (what, difference) in &self.0 {
            println!("{what}: at most {difference:.1e}");
        }
    }
}

fn relative(a: f64, b: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()).max(1e-12) }
}

#[test]
fn drift_has_the_agreement_of_scipy() {
    let cases = cases();
    let mut greatest = Greatest::default();
    for (case, theirs) in cases.iter().zip(theirs("venv", "scipy", &all(&cases))) {
        let (ours, place) = (case.ours(), format!("{:?}, n {}", case.kind, case.window.len()));
        let number = |name: &str| theirs[name].as_f64().expect("a number");
        greatest.see("bins", (ours.bins as f64 - number("bins")).abs(), 0.0, &place);
        greatest.see("psi", relative(ours.psi, number("psi")), 1e-9, &place);
        greatest.see("js", (ours.js - number("js")).abs(), 1e-9, &place);
        greatest.see("p of psi", relative(ours.p, number("p")), 1e-6, &place);
        match ours.shape {
            Shape::Numbers { ks, ks_p, wasserstein } => {
                greatest.see("ks", (ks - number("ks")).abs(), 1e-12, &place);
                greatest.see("p of ks", (ks_p - number("ks_p")).abs(), 5e-6, &place);
                greatest.see("p of ks, relative", relative(ks_p, number("ks_p")), 0.02, &place);
                greatest.see("wasserstein", relative(wasserstein, number("wasserstein")), 1e-9, &place);
                let widest = if case.kind == Kind::Short { 1e-9 } else { 0.02 };
                greatest.see(&format!("ks of {:?} values, not of bins", case.kind), (ks - number("ks_raw")).abs(), widest, &place);
                let moved = (wasserstein - number("wasserstein_raw")).abs();
                greatest.see(&format!("wasserstein of {:?} values, not of bins", case.kind), moved, widest, &place);
            }
            Shape::Categories { chi_square, chi_square_p } => {
                greatest.see("chi-square", relative(chi_square, number("chi_square")), 1e-9, &place);
                greatest.see("p of chi-square", relative(chi_square_p, number("chi_square_p")), 1e-6, &place);
            }
        }
    }
}

#[test]
fn drift_has_the_agreement_of_evidently_but_for_stated_differences() {
    let cases = cases();
    let mut greatest = Greatest::default();
    for (case, theirs) in cases.iter().zip(theirs("venv-evidently", "evidently", &all(&cases))) {
        let (ours, place) = (case.ours(), format!("{:?}, n {}", case.kind, case.window.len()));
        let number = |name: &str| theirs[name].as_f64().expect("a number");
        let base_two = number("js") / std::f64::consts::LN_2.sqrt();
        greatest.see("js in the same bins, in base 2", (ours.js - base_two).abs(), 1e-9, &place);
        let half_events = ours.bins as f64 / case.window.len().min(case.reference.len()) as f64;
        greatest.see("psi in the same bins, by bins / n", (ours.psi - number("psi")).abs() / half_events, 0.5, &place);
        match ours.shape {
            Shape::Numbers { ks_p, wasserstein, .. } => {
                let widest = if case.kind == Kind::Short { 1e-9 } else { 0.01 };
                greatest.see(
                    &format!("wasserstein of {:?}", case.kind),
                    (wasserstein - number("wasserstein")).abs(),
                    widest,
                    &place,
                );
                let widest = if case.kind == Kind::Short { 0.05 } else { 0.2 };
                greatest.see(&format!("p of ks of {:?}", case.kind), (ks_p - number("ks_p")).abs(), widest, &place);
                let psi = (ours.psi - number("psi_own_bins")).abs();
                greatest.see("psi in the bins of each", psi, 1.0, &place);
            }
            Shape::Categories { chi_square_p, .. } => {
                // Theirs takes the reference for the truth.
                greatest.see("p of chi-square, theirs above ours", (number("chi_square_p") - chi_square_p).max(0.0), 1e-6, &place);
            }
        }
    }
}

#[test]
fn drift_has_the_agreement_of_nannyml_but_for_stated_differences() {
    let cases = cases();
    let mut greatest = Greatest::default();
    for (case, theirs) in cases.iter().zip(theirs("venv-nannyml", "nannyml", &all(&cases))) {
        let (ours, place) = (case.ours(), format!("{:?}, n {}", case.kind, case.window.len()));
        let number = |name: &str| theirs[name].as_f64().expect("a number");
        greatest.see("js in the same bins", (ours.js - number("js")).abs(), 1e-9, &place);
        match ours.shape {
            Shape::Numbers { ks, wasserstein, .. } => {
                let widest = if case.kind == Kind::Short { 1e-9 } else { 0.02 };
                greatest.see(&format!("ks of {:?}", case.kind), (ks - number("ks")).abs(), widest, &place);
                greatest.see(
                    &format!("wasserstein of {:?}", case.kind),
                    (wasserstein - number("wasserstein")).abs(),
                    widest,
                    &place,
                );
                greatest.see("js in the bins of each", (ours.js - number("js_own_bins")).abs(), 1.0, &place);
            }
            Shape::Categories { chi_square, .. } => {
                greatest.see("chi-square", relative(chi_square, number("chi_square")), 1e-9, &place);
            }
        }
    }
}

#[test]
fn intervals_have_the_agreement_of_statsmodels_and_scipy() {
    let mut chance = Chance(7);
    let cases: Vec<Value> = (0..200)
        .map(|_| {
            let (n, m) = (30 + chance.below(5_000), 30 + chance.below(5_000));
            let factor = |chance: &mut Chance| 1.0 + chance.below(300) as f64 / 100.0;
            let (f, g) = (factor(&mut chance), factor(&mut chance));
            json!({
                "n": n, "b": chance.below(n + 1), "f": f, "m": m, "c": chance.below(m + 1), "g": g,
                "mean": chance.bell(), "sd": chance.bell() / 2.0 + 0.01, "mean2": chance.bell(), "sd2": chance.bell() / 2.0 + 0.01,
            })
        })
        .collect();
    let mut greatest = Greatest::default();
    let list = Value::from(cases.clone());
    for (case, theirs) in cases.iter().zip(theirs("venv-evidently", "intervals", &list)) {
        let number = |name: &str| case[name].as_f64().expect("a number");
        let (b, n, c, m) = (number("b"), number("n"), number("c"), number("m"));
        let (n_whole, m_whole) = (case["n"].as_u64().expect("whole"), case["m"].as_u64().expect("whole"));
        let rate = |b: f64, n: f64| {
            let (lo, hi) = interval::wilson(b, n).expect("trials");
            (b / n, lo, hi)
        };
        let widened = interval::wilson(b / number("f"), n / number("f"));
        let student = interval::student(number("mean"), number("sd") * number("f").sqrt(), n_whole);
        let now = (number("mean"), number("sd"), n_whole, number("f"));
        let welch = interval::welch(now, (number("mean2"), number("sd2"), m_whole, number("g")));
        let ours = [
            ("wilson", widened, 1e-9),
            ("newcombe", Some(interval::newcombe(rate(b, n), rate(c, m))), 1e-9),
            ("t", student, 1e-8),
            ("welch", welch, 1e-8),
        ];
        for (name, ours, allowed) in ours {
            let (lo, hi) = ours.expect("an interval");
            let bound = |at: usize| theirs[name][at].as_f64().expect("a number");
            greatest.see(name, (lo - bound(0)).abs().max((hi - bound(1)).abs()), allowed, &case.to_string());
        }
    }
}
