//! Pseudo-random numbers by a formula that fits on two lines (xorshift64*), so that simulations with a seed stay as published whatever
//! becomes of a library's generator.

/// The state; not 0.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}
