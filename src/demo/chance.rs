//! Seeded chance: the few distributions that make traffic look like traffic.
//!
//! Guarantees that one seed gives one sequence. Deliberately knows no entropy source.

use std::f64::consts::TAU;

/// A seeded source of numbers.
pub(super) struct Chance {
    rng: fastrand::Rng,
}

impl Chance {
    /// A source for one purpose: the same seed and purpose give the same numbers, whatever the other purposes draw.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(purpose));
        Self { rng }
    }

    /// True with probability `share`.
    pub(super) fn happens(&mut self, share: f64) -> bool {
        self.rng.f64() < share
    }

    /// A whole number with `low <= n < high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.rng.i64(low..high)
    }

    /// A number with `low <= x < high`.
    pub(super) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.rng.f64()
    }

    /// One item of a list, which must not be empty.
    pub(super) fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.rng.usize(..items.len())]
    }

    /// A copy of one item of a list, which must not be empty.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        *self.one_of(items)
    }

    /// A standard normal number (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.f64()).ln()).sqrt();
        radius * (TAU * self.rng.f64()).cos()
    }

    /// A log-normal number with the given median and the given standard deviation of its logarithm.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// How many arrive in a minute at a mean `rate`; a normal approximation of Poisson's law, never negative.
    pub(super) fn arrivals(&mut self, rate: f64) -> i64 {
        whole(rate + rate.sqrt() * self.normal()).max(0)
    }

    /// `length` hexadecimal digits.
    pub(super) fn hex(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from_digit(self.rng.u32(..16), 16).unwrap_or('0')).collect()
    }
}

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, reason = "the simulator's numbers are far below 2^53")]
pub(super) fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// A count as a number with a fraction.
pub(super) fn real(value: i64) -> f64 {
    value as f64
}

/// Tokens that a text of this length is worth to a provider: about one for every 4.2 bytes of English.
pub(super) fn tokens(text: &str) -> i64 {
    whole(real(i64::try_from(text.len()).unwrap_or(i64::MAX)) / 4.2).max(1)
}
