//! Drift by hand-made histograms: what is decided, what is not, at which level and with which power.

use super::*;
use crate::event::Timestamp;
use crate::measure::measures::{EMBEDDING, GROUNDEDNESS, LANGUAGE, PROMPT_LENGTH};
use crate::measure::{Accumulator, Embedding};

/// A partial of values that stand for their bins. Lengths below 128 have a bin each.
fn lengths(counts: &[(u16, u32)]) -> Partial {
    let mut partial = Partial { hist: counts.to_vec(), ..Partial::default() };
    for (value, count) in counts {
        partial.n += u64::from(*count);
        partial.sum += i128::from(*value) * i128::from(*count);
        partial.sum_sq += i128::from(*value) * i128::from(*value) * i128::from(*count);
    }
    partial
}

fn compared(window: &[(u16, u32)], reference: &[(u16, u32)]) -> Option<Drift> {
    drift(PROMPT_LENGTH, &lengths(window), &lengths(reference))
}

/// Ten equal bins, as counts.
fn uniform(per_bin: u32) -> Vec<(u16, u32)> {
    (0..10).map(|bin| (bin, per_bin)).collect()
}

#[test]
fn equal_distributions_do_not_drift() {
    let found = compared(&uniform(50), &uniform(500)).unwrap();
    assert!(found.psi < 1e-6 && found.js < 1e-9 && found.p > 0.999_999, "{found:?}");
    assert_eq!(found.bins, 10);
    assert!((found.psi_expected - 9.0 * (1.0 / 500.0 + 1.0 / 5_000.0)).abs() < 1e-15);
    assert_eq!(found.shape, Shape::Numbers { ks: 0.0, ks_p: 1.0, wasserstein: 0.0 });
}

#[test]
fn a_shift_agrees_with_an_independent_computation() {
    let window: Vec<(u16, u32)> = (0_u16..10).map(|bin| (bin, 20 + 10 * u32::from(bin))).collect();
    let found = compared(&window, &uniform(500)).unwrap();
    // numpy: p = (w + .5) / (650 + 5), q = (500 + .5) / 5005; psi = sum((p - q) ln(p / q));
    // scipy: chi2.sf(psi / (1/650 + 1/5000), 9), distance.jensenshannon(w / 650, q / 5000, base=2)
    assert!((found.psi - 0.221_987_735_058_773_56).abs() < 1e-12, "{found:?}");
    assert!((found.js - 0.199089760612623).abs() < 1e-12, "{found:?}");
    assert!((found.p / 3.535_311_949_621_925e-23 - 1.0).abs() < 1e-6, "{found:?}");
}

#[test]
fn tied_deciles_make_one_bin_and_leaving_a_single_value_is_seen() {
    let mostly_zero = [(0, 800), (5, 100), (9, 100)];
    assert_eq!(compared(&mostly_zero, &mostly_zero).unwrap().bins, 3);
    let moved = compared(&[(50, 60), (60, 60)], &[(40, 1_000)]).unwrap();
    assert!(moved.p < 1e-9 && moved.js > 0.9, "{moved:?}");
    let still = compared(&[(40, 500)], &[(40, 1_000)]).unwrap();
    assert_eq!((still.psi, still.psi_expected, still.p, still.bins), (0.0, 0.0, 1.0, 1));
}

#[test]
fn nothing_is_decided_on_few_values() {
    assert_eq!(compared(&uniform(19), &uniform(500)), None);
    assert_eq!(compared(&uniform(500), &uniform(19)), None);
    assert_eq!(compared(&[], &uniform(500)), None);
    assert_eq!(compared(&uniform(500), &[]), None);
    let few = [(3, 30), (9, 9)];
    assert_eq!(drift(LANGUAGE, &lengths(&few), &lengths(&[(3, 900), (9, 100)])), None);
}

#[test]
fn rare_and_new_categories_count_together() {
    let reference = lengths(&[(7, 500), (100, 5), (200, 480), (300, 15)]);
    let window = lengths(&[(7, 100), (150, 40), (200, 60)]);
    let found = drift(LANGUAGE, &window, &reference).unwrap();
    // scipy.stats.chi2_contingency([[100, 60, 40], [500, 480, 20]], correction=False)
    let Shape::Categories { chi_square, chi_square_p } = found.shape else { panic!("{found:?}") };
    assert_eq!(found.bins, 3);
    assert!(
        (chi_square - 120.000000000000000).abs() < 1e-9 && (chi_square_p / 8.756510762696494e-27 - 1.0).abs() < 1e-6,
        "{found:?}"
    );
}

#[test]
fn shares_without_a_value_are_compared_apart() {
    let some = |n: u64, n_null: u64| Partial { n, n_null, ..Partial::default() };
    let found = nulls(&some(90, 30), &some(950, 50));
    // scipy.stats.chi2_contingency([[90, 30], [950, 50]], correction=False)
    assert_eq!((found.n, found.missing), (120, 30));
    assert!((found.p.unwrap() / 9.104172982156765e-16 - 1.0).abs() < 1e-6, "{found:?}");
    assert_eq!(nulls(&some(10, 10), &some(950, 50)).p, None);
    assert_eq!(nulls(&some(100, 0), &some(950, 0)).p, Some(1.0));
}

#[test]
fn scores_have_distances_in_their_own_unit() {
    let scores = |values: &[i64]| {
        let mut partial = Partial::default();
        for value in values {
            partial.merge(&Partial {
                n: 1,
                sum: i128::from(*value),
                sum_sq: i128::from(*value) * i128::from(*value),
                hist: vec![(Edges::Linear.bin(*value), 1)],
                ..Partial::default()
            });
        }
        partial
    };
    let reference: Vec<i64> = (0..400).map(|at| 205_000_000 + at % 40 * 10_000_000).collect();
    let window: Vec<i64> = reference.iter().map(|value| value + 100_000_000).collect();
    let found = drift(GROUNDEDNESS, &scores(&window), &scores(&reference)).unwrap();
    // numpy: 0.1 / std(0.205, 0.215, …, 0.595)
    let Shape::Numbers { ks, wasserstein, .. } = found.shape else { panic!("{found:?}") };
    assert!((wasserstein - 0.1 / 0.115_433_963_805_953_74).abs() < 1e-9 && (ks - 0.25).abs() < 1e-12, "{found:?}");
}

#[test]
fn means_of_vectors_are_compared_by_their_angle() {
    let of = |vectors: &[[f64; 3]], copies: u64| {
        let mut accumulator = Accumulator::default();
        for _ in 0..copies {
            for vector in vectors {
                let embedding = Embedding::parse(&format!("{vector:?}")).unwrap();
                accumulator.at(Timestamp(0), 0).add_vector(EMBEDDING, &embedding);
            }
        }
        accumulator.take(Vec::new()).rows.remove(0).partial
    };
    let reference = of(&[[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]], 100);
    assert_eq!(cosine(&of(&[[1.0, 0.0, 0.0]], 29), &reference), None);
    // numpy: a = mean of (1, 0, 0), (.6, .8, 0) = (.8, .4, 0); b = (.6, 0, .8); 1 - a @ b / |a| / |b|
    let found = cosine(&of(&[[0.6, 0.0, 0.8]], 50), &reference).unwrap();
    assert!((found.distance - 0.463_343_685_400_050_5).abs() < 2e-3, "{found:?}");
    assert!((found.expected - 0.2 / 1.6 * (1.0 / 50.0 + 1.0 / 200.0)).abs() < 1e-4, "{found:?}");
    let same = cosine(&of(&[[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]], 25), &reference).unwrap();
    assert!(same.distance < 1e-9, "{same:?}");
}

/// A pseudo-random number below `below` (xorshift64*).
fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
}

/// `n` values made one by one.
fn sample(state: &mut u64, n: u64, mut one: impl FnMut(&mut u64) -> u16) -> Partial {
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..n {
        *counts.entry(one(state)).or_insert(0) += 1;
    }
    lengths(&counts.into_iter().collect::<Vec<_>>())
}

/// A skewed distribution with ties: the product of two uniform numbers.
fn skewed(state: &mut u64) -> u16 {
    u16::try_from(random(state, 30) * random(state, 30) / 10).unwrap()
}

/// The sum of four uniform numbers, standard deviation 17.3, moved.
fn bell(shift: u16) -> impl FnMut(&mut u64) -> u16 {
    move |state| (0..4).map(|_| u16::try_from(random(state, 30)).unwrap()).sum::<u16>() + shift
}

/// Twelve categories, each two thirds as frequent as the one before; `more` per cent go to the fifth.
fn categories(more: u64) -> impl FnMut(&mut u64) -> u16 {
    move |state| {
        if random(state, 100) < more {
            return 4;
        }
        let mut category = 0;
        while category < 11 && random(state, 3) > 0 {
            category += 1;
        }
        category * 31
    }
}

/// Counts and levels of the table in `docs/agreement.md`.
const WINDOWS: [u64; 6] = [50, 200, 500, 1_000, 2_000, 5_000];
const REFERENCE: u64 = 5_000;
const LEVEL: f64 = 0.01;

/// Share of windows whose p is below the level, and share of windows that are decided: by PSI, and by KS or chi-square.
fn marked(measure: Measure, n: u64, rounds: u32, seed: u64, mut draw: impl FnMut(&mut u64, u64, bool) -> Partial) -> [f64; 3] {
    let mut state = seed;
    let (mut psi, mut other, mut decided) = (0, 0, 0);
    for _ in 0..rounds {
        let reference = draw(&mut state, REFERENCE, true);
        let window = draw(&mut state, n, false);
        let Some(found) = drift(measure, &window, &reference) else { continue };
        decided += 1;
        psi += u32::from(found.p < LEVEL);
        let p = match found.shape {
            Shape::Numbers { ks_p, .. } => ks_p,
            Shape::Categories { chi_square_p, .. } => chi_square_p,
        };
        other += u32::from(p < LEVEL);
    }
    [psi, other, decided].map(|count| f64::from(count) / f64::from(rounds))
}

#[test]
fn without_drift_the_share_of_windows_called_drift_stays_at_the_level() {
    for (number, n) in (0..).zip(WINDOWS) {
        let numbers = marked(PROMPT_LENGTH, n, 200, 41 + number, |state, n, _| sample(state, n, skewed));
        let named = marked(LANGUAGE, n, 200, 97 + number, |state, n, _| sample(state, n, categories(0)));
        // Of 200 windows at a level of 0.01, 8 or more are marked in one of 1,000 such tests.
        for share in [numbers[0], numbers[1], named[0], named[1]] {
            assert!(share < 8.0 / 200.0, "n {n}: {numbers:?} {named:?}");
        }
        let enough = if n >= 200 { 1.0 } else { 0.0 };
        assert!((numbers[2] - enough).abs() < 1e-9, "n {n}: {numbers:?}");
    }
}

#[test]
fn shifts_are_found_with_the_power_stated() {
    // (values, shift by 1/17.3 of a standard deviation each, power of PSI, of KS)
    let shifts = [(200, 9, 0.95, 0.95), (500, 4, 0.75, 0.8), (500, 6, 0.95, 0.95), (1_000, 4, 0.9, 0.95), (5_000, 2, 0.85, 0.9)];
    for (n, shift, psi, ks) in shifts {
        let found = marked(PROMPT_LENGTH, n, 100, 7, |state, n, past| sample(state, n, bell(if past { 0 } else { shift })));
        assert!(found[0] >= psi && found[1] >= ks, "n {n}, shift {shift}: {found:?}");
    }
    // (values, points added to a category of 7 %, power of PSI, of chi-square)
    for (n, more, psi, chi_square) in [(500, 5, 0.6, 0.7), (500, 7, 0.85, 0.9), (1_000, 5, 0.95, 0.95), (5_000, 2, 0.95, 0.95)] {
        let found = marked(LANGUAGE, n, 100, 11, |state, n, past| sample(state, n, categories(if past { 0 } else { more })));
        assert!(found[0] >= psi && found[1] >= chi_square, "n {n}, more {more}: {found:?}");
    }
}
