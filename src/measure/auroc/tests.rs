use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::measure::hundredths;

fn bins(scores: &[i64]) -> Vec<(u16, u32)> {
    let mut bins = BTreeMap::new();
    for score in scores {
        *bins.entry(u16::from(hundredths(*score))).or_insert(0) += 1;
    }
    bins.into_iter().collect()
}

/// Pair by pair: the area, and `DeLong`'s variance from its definition.
fn slowly(positive: &[i64], negative: &[i64]) -> (f64, f64) {
    let won = |x: i64, y: i64| match x.cmp(&y) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    };
    let (m, n) = (positive.len() as f64, negative.len() as f64);
    let of_positive: Vec<f64> = positive.iter().map(|x| negative.iter().map(|y| won(*x, *y)).sum::<f64>() / n).collect();
    let of_negative: Vec<f64> = negative.iter().map(|y| positive.iter().map(|x| won(*x, *y)).sum::<f64>() / m).collect();
    let area = of_positive.iter().sum::<f64>() / m;
    let spread = |all: &[f64]| all.iter().map(|one| (one - area).powi(2)).sum::<f64>() / (all.len() as f64 - 1.0);
    (area, spread(&of_positive) / m + spread(&of_negative) / n)
}

proptest! {
    #[test]
    fn agrees_with_all_pairs_and_bins_cost_at_most_half_of_what_they_tie(
        positive in prop::collection::vec(0_i64..=1_000_000_000, 30..120),
        negative in prop::collection::vec(0_i64..=700_000_000, 30..120),
    ) {
        let found = auroc(&bins(&positive), &bins(&negative)).unwrap();
        let binned = |scores: &[i64]| scores.iter().map(|score| i64::from(hundredths(*score))).collect::<Vec<_>>();
        let (area, variance) = slowly(&binned(&positive), &binned(&negative));
        prop_assert!((found.value - area).abs() < 1e-12);
        let (lo, hi) = found.bounds.unwrap();
        let logit = |p: f64| (p / (1.0 - p)).ln();
        prop_assert!((logit(hi) - logit(lo) - 2.0 * Z * variance.sqrt() / (area * (1.0 - area))).abs() < 1e-9);
        prop_assert!((logit(hi) + logit(lo) - 2.0 * logit(area)).abs() < 1e-9);
        // Against the scores as they are.
        let (exact, _) = slowly(&positive, &negative);
        let (positive_bins, negative_bins) = (binned(&positive), binned(&negative));
        let tied = positive_bins.iter().flat_map(|x| negative_bins.iter().filter(move |y| *y == x)).count();
        let pairs = (positive.len() * negative.len()) as f64;
        prop_assert!((found.value - exact).abs() <= tied as f64 / pairs / 2.0 + 1e-12);
    }
}

#[test]
fn the_worked_example_and_the_limits() {
    let found = auroc(&[(40, 10), (90, 30)], &[(40, 20), (90, 10)]).unwrap();
    let (lo, hi) = found.bounds.unwrap();
    assert!((found.value - 850.0 / 1_200.0).abs() < 1e-12);
    assert!((lo - 0.588_458_322_291_640_9).abs() < 1e-12 && (hi - 0.804_869_342_388_944_4).abs() < 1e-12, "{lo} {hi}");
    assert_eq!(auroc(&[(40, 29)], &[(90, 3_000)]), None);
    assert_eq!(auroc(&[(40, 3_000)], &[]), None);
    assert_eq!(auroc(&[(90, 30)], &[(40, 30)]), Some(Auroc { value: 1.0, bounds: None }));
    assert_eq!(auroc(&[(90, 30)], &[(90, 30)]), Some(Auroc { value: 0.5, bounds: None }));
}
