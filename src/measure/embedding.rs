//! The first components of an embedding, as whole numbers that add up.
//!
//! Embeddings are long, and most modern models put what matters into the first components (Kusupati et al., Matryoshka
//! representation learning, 2022). The first 64, scaled to length 1, are kept as 2,048 steps from -1 to 1, so that means over any
//! events are exact sums. Deliberately not the whole vector: parsing and keeping it costs more than all else of an event.

/// Components that are kept.
pub const COMPONENTS: usize = 64;
/// Steps from 0 to 1.
const STEPS: f64 = 1_024.0;

/// The first components of one embedding, each as its number of steps above -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding([u16; COMPONENTS]);

impl Embedding {
    /// From a JSON list of numbers. `None` if it is something else, or if the components have no length.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2,048")]
    pub fn parse(json: &str) -> Option<Self> {
        let mut values = [0.0_f64; COMPONENTS];
        let list = json.trim().strip_prefix('[')?;
        for (value, text) in values.iter_mut().zip(list.split([',', ']'])) {
            let text = text.trim();
            if text.is_empty() {
                break;
            }
            *value = text.parse().ok()?;
        }
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        if !(length.is_finite() && length > 0.0) {
            return None;
        }
        Some(Self(values.map(|value| (value / length * STEPS + STEPS).round_ties_even() as u16)))
    }

    /// Steps by component.
    #[must_use]
    pub const fn steps(&self) -> &[u16; COMPONENTS] {
        &self.0
    }
}

/// The mean of `n` embeddings from the sums of their steps, (component, sum).
#[must_use]
pub fn mean(sums: &[(u16, u32)], n: u64) -> [f64; COMPONENTS] {
    let mut mean = [-1.0; COMPONENTS];
    for (component, sum) in sums {
        if let Some(slot) = mean.get_mut(usize::from(*component)) {
            *slot = f64::from(*sum) / n as f64 / STEPS - 1.0;
        }
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_scaled_to_length_one_and_kept_in_steps() {
        let found = Embedding::parse(" [3, -4.0 ,0]").unwrap();
        assert_eq!(found.steps()[..4], [1_638, 205, 1_024, 1_024]);
        let long: Vec<String> = (0..100).map(|at| if at == 63 { "1" } else { "0e0" }.to_owned()).collect();
        assert_eq!(Embedding::parse(&format!("[{}]", long.join(","))).unwrap().steps()[63], 2_048);
        for nothing in ["[]", "[0, 0]", "null", "[1, null]", "{}", "[1e400]"] {
            assert_eq!(Embedding::parse(nothing), None, "{nothing}");
        }
        let sums: Vec<(u16, u32)> = (0..64).map(|at| (at, 2 * u32::from(found.steps()[usize::from(at)]))).collect();
        assert!((mean(&sums, 2)[0] - 0.6).abs() < 1e-3 && (mean(&sums, 2)[1] + 0.8).abs() < 1e-3);
    }
}
