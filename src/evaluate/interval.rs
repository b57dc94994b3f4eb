//! Confidence intervals of rates and means, 95 % two-sided.

/// 97.5 % quantile of the standard normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// Wilson's score interval of `bad` out of `n`, without continuity correction (Wilson, JASA 1927; statsmodels
/// `proportion_confint(method="wilson")`). `None` without trials, or with more successes than trials.
#[must_use]
pub fn wilson(bad: f64, n: f64) -> Option<(f64, f64)> {
    if n <= 0.0 || bad > n || bad < 0.0 {
        return None;
    }
    let p = bad / n;
    let denominator = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / denominator;
    let half = Z / denominator * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let lo = if bad == 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let hi = if bad >= n { 1.0 } else { (centre + half).min(1.0) };
    Some((lo, hi))
}

/// Newcombe's interval of the difference of two rates from their own intervals, each given as (rate, lower, upper): method 10
/// of Newcombe, Statistics in Medicine 1998 (statsmodels `confint_proportions_2indep(method="newcomb")`).
#[must_use]
pub fn newcombe(now: (f64, f64, f64), before: (f64, f64, f64)) -> (f64, f64) {
    let difference = now.0 - before.0;
    let down = ((now.0 - now.1).powi(2) + (before.2 - before.0).powi(2)).sqrt();
    let up = ((now.2 - now.0).powi(2) + (before.0 - before.1).powi(2)).sqrt();
    (difference - down, difference + up)
}

/// Welch's interval of the difference of two means, each given as (mean, standard deviation, values, factor by which its
/// variance is greater than that of independent values). `None` where either has fewer than two values.
#[must_use]
pub fn welch(now: (f64, f64, u64, f64), before: (f64, f64, u64, f64)) -> Option<(f64, f64)> {
    let part =
        |(_, stddev, n, factor): (f64, f64, u64, f64)| (n >= 2).then(|| (factor * stddev * stddev / n as f64, n as f64 - 1.0));
    let ((a, a_df), (b, b_df)) = (part(now)?, part(before)?);
    let difference = now.0 - before.0;
    if a + b <= 0.0 {
        return Some((difference, difference));
    }
    let df = (a + b).powi(2) / (a * a / a_df + b * b / b_df);
    let half = t_quantile(df) * (a + b).sqrt();
    Some((difference - half, difference + half))
}

/// Student's t interval of a mean with sample standard deviation `stddev` over `n` values. `None` below two values.
#[must_use]
pub fn student(mean: f64, stddev: f64, n: u64) -> Option<(f64, f64)> {
    let half = t_quantile(n.checked_sub(1).filter(|df| *df > 0)? as f64) * stddev / (n as f64).sqrt();
    Some((mean - half, mean + half))
}

/// 97.5 % quantile of Student's t for 1 to 30 degrees of freedom (scipy `t.ppf(0.975, df)`).
const T_SMALL: [f64; 30] = [
    12.706_204_736_174_7,
    4.302_652_729_749_46,
    3.182_446_305_283_71,
    2.776_445_105_197_79,
    2.570_581_835_636_31,
    2.446_911_851_144_97,
    2.364_624_251_592_78,
    2.306_004_135_204_17,
    2.262_157_162_798_2,
    2.228_138_851_986_27,
    2.200_985_160_091_64,
    2.178_812_829_667_23,
    2.160_368_656_462_79,
    2.144_786_687_917_8,
    2.131_449_545_559_78,
    2.119_905_299_221_25,
    2.109_815_577_833_32,
    2.100_922_040_241_04,
    2.093_024_054_408_31,
    2.085_963_447_265_86,
    2.079_613_844_727_68,
    2.073_873_067_904_03,
    2.068_657_610_419_05,
    2.063_898_561_628_03,
    2.059_538_552_753_3,
    2.055_529_438_642_87,
    2.051_830_516_480_29,
    2.048_407_141_795_25,
    2.045_229_642_132_71,
    2.042_272_456_301_24,
];

/// 97.5 % quantile of Student's t for at least one degree of freedom; beyond the table by the Cornish–Fisher expansion
/// (Abramowitz & Stegun 26.7.5), whose error there is below 1e-7; between the table's lines by interpolation in 1 / df (error
/// below 1e-3 of the quantile from 4 on).
pub(super) fn t_quantile(df: f64) -> f64 {
    let at = |df: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 30")]
        let line = df as usize - 1;
        T_SMALL.get(line).copied().unwrap_or(Z)
    };
    if df >= T_SMALL.len() as f64 {
        return if df > T_SMALL.len() as f64 { cornish_fisher(df) } else { at(df) };
    }
    let below = df.max(1.0).floor();
    let share = (1.0 / below - 1.0 / df.max(1.0)) / (1.0 / below - 1.0 / (below + 1.0));
    if share > 0.0 { at(below) + share * (at(below + 1.0) - at(below)) } else { at(below) }
}

fn cornish_fisher(v: f64) -> f64 {
    let (z2, z) = (Z * Z, Z);
    let g1 = z * (z2 + 1.0) / 4.0;
    let g2 = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let g3 = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    let g4 = z * ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) / 92_160.0;
    z + (g1 + (g2 + (g3 + g4 / v) / v) / v) / v
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, StudentsT};

    use super::*;

    #[test]
    fn t_agrees_with_an_independent_library() {
        for df in (1..=60).chain([100, 250, 1_000_u32]) {
            let df = f64::from(df);
            let theirs = StudentsT::new(0.0, 1.0, df).unwrap().inverse_cdf(0.975);
            assert!((t_quantile(df) - theirs).abs() < 2e-7 * theirs, "{df}: {} {theirs}", t_quantile(df));
        }
        for df in [4.5, 7.25, 12.8, 29.5, 30.5, 77.7] {
            let theirs = StudentsT::new(0.0, 1.0, df).unwrap().inverse_cdf(0.975);
            assert!((t_quantile(df) - theirs).abs() < 2e-3 * theirs, "{df}: {} {theirs}", t_quantile(df));
        }
    }

    #[test]
    fn t_agrees_with_scipy_where_it_is_an_expansion() {
        // scipy.stats.t.ppf(0.975, df)
        for (df, expected) in [
            (31.0, 2.039_513_446_396_408),
            (60.0, 2.000_297_822_014_260_4),
            (250.0, 1.969_498_393_421_153_2),
            (1_000.0, 1.962_339_080_826_408_3),
            (100_000.0, 1.959_987_707_534_609_5),
        ] {
            assert!((t_quantile(df) - expected).abs() < 3e-8, "{df}: {}", t_quantile(df));
        }
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        for (bad, n, lo, hi) in [
            (0.0, 10.0, 0.0, 0.277_532_799_862_889_8),
            (1.0, 10.0, 0.017_876_213_095_072_9, 0.404_150_026_795_238_5),
            (15.0, 50.0, 0.191_035_535_008_809_5, 0.437_503_504_645_334_1),
            (10.0, 10.0, 0.722_467_200_137_110_2, 1.0),
        ] {
            let (found_lo, found_hi) = wilson(bad, n).unwrap();
            assert!((found_lo - lo).abs() < 1e-9 && (found_hi - hi).abs() < 1e-9, "{bad}/{n}: {found_lo} {found_hi}");
        }
        assert_eq!(wilson(0.0, 0.0), None);
        assert_eq!(wilson(3.0, 2.0), None);
    }

    #[test]
    fn a_single_value_has_no_interval() {
        assert_eq!(student(0.5, 0.1, 1), None);
        assert_eq!(student(0.5, 0.1, 0), None);
        let (lo, hi) = student(0.5, 0.1, 4).unwrap();
        assert!((hi - lo - 2.0 * 3.182_446_305_283_71 * 0.1 / 2.0).abs() < 1e-12);
    }
}
