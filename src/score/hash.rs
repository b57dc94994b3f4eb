//! Hashes of words and keys: fast, 64 bits wide, the same on every machine.
//!
//! A key stands for a word's stem everywhere in this module, so texts are compared without copying them. Two
//! different words sharing a key would need about 2³² distinct words. The maps here are keyed by values that are
//! hashed already, so their hasher passes them through. Not meant to withstand an attacker who crafts collisions:
//! the limits on text length bound what such text could cost.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER: u64 = 0xd6e8_feb8_6659_fd93;

/// Key of a byte string.
pub(super) fn bytes(text: &[u8]) -> u64 {
    let (chunks, rest) = text.as_chunks::<8>();
    let mut state = SEED ^ (text.len() as u64);
    for chunk in chunks {
        state = mix(state ^ u64::from_le_bytes(*chunk));
    }
    mix(state ^ fewer_than_eight(rest))
}

/// Little-endian value of at most seven bytes.
fn fewer_than_eight(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two overlap in equal bytes.
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4))
        }
        _ => bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)),
    }
}

/// Key of two keys in order.
pub(super) fn pair(first: u64, second: u64) -> u64 {
    mix(first.rotate_left(23) ^ mix(second))
}

fn mix(value: u64) -> u64 {
    let wide = u128::from(value ^ SEED) * u128::from(MULTIPLIER);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the product are folded on purpose")]
    let folded = (wide as u64) ^ ((wide >> 64) as u64);
    folded
}

/// Passes a key through unchanged.
#[derive(Default, Clone, Copy)]
pub(super) struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0 ^ u64::from(*byte));
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A map from keys.
pub(super) type KeyMap<V> = HashMap<u64, V, BuildHasherDefault<PassThrough>>;
