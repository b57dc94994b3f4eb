//! Many series at once: Benjamini–Hochberg.
//!
//! Called screening, not proof: of the series that it marks at a level, on average no more than that share is marked by accident,
//! as long as the series are independent or rise and fall together.

/// The adjusted p of each p, in their order: the least level at which the procedure of Benjamini and Hochberg (1995) marks it.
#[must_use]
pub fn adjusted(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|left, right| p[*right].total_cmp(&p[*left]));
    let mut found = vec![0.0; p.len()];
    let mut least = 1.0_f64;
    for (behind, at) in order.into_iter().enumerate() {
        let rank = p.len() - behind;
        least = least.min(p[at] * p.len() as f64 / rank as f64);
        found[at] = least;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_p_agrees_with_scipy() {
        // scipy.stats.false_discovery_control([0.01, 0.04, 0.03, 0.005, 0.2, 0.04])
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005, 0.2, 0.04]);
        for (found, expected) in found.iter().zip([0.03, 0.048, 0.048, 0.03, 0.2, 0.048]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(adjusted(&[]), Vec::<f64>::new());
        assert_eq!(adjusted(&[0.7]), [0.7]);
    }
}
