//! n-grams of all orders at once: windows of symbols packed into integers and sorted, so that two texts are compared by merging.
//!
//! A window starts at each symbol and is packed with its first symbol on top, so the n-grams of every order are prefixes of
//! the same sorted list. Packing is exact: no two n-grams share a number.

/// Windows of up to `128 / BITS` symbols of `BITS` bits.
pub(super) struct Windows<const BITS: u32> {
    sorted: Vec<u128>,
}

/// Windows of four words.
pub(super) type Words = Windows<32>;
/// Windows of six code points.
pub(super) type Letters = Windows<21>;

impl<const BITS: u32> Windows<BITS> {
    const ORDERS: u32 = 128 / BITS;

    /// Reads symbols, each less than 2^BITS − 1.
    pub(super) fn read(symbols: impl DoubleEndedIterator<Item = u32>) -> Self {
        let mut window = 0_u128;
        let mut sorted: Vec<u128> = symbols
            .rev()
            .map(|symbol| {
                // Zero stands for what lies beyond the end.
                window = (u128::from(symbol) + 1) << (BITS * (Self::ORDERS - 1)) | window >> BITS;
                window
            })
            .collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    /// Number of n-grams.
    pub(super) fn count(&self, n: u32) -> u64 {
        (self.sorted.len() as u64 + 1).saturating_sub(u64::from(n))
    }

    /// n-grams in common, each as often as it stands in both.
    pub(super) fn shared(&self, other: &Self, n: u32) -> u64 {
        let drop = BITS * (Self::ORDERS - n);
        let is_whole = |gram: u128| gram & ((1 << BITS) - 1) != 0;
        let (mut left, mut right) = (self.sorted.iter().peekable(), other.sorted.iter().peekable());
        let mut shared = 0;
        while let (Some(one), Some(two)) = (left.peek(), right.peek()) {
            let (one, two) = (**one >> drop, **two >> drop);
            if one <= two {
                left.next();
            }
            if two <= one {
                right.next();
            }
            shared += u64::from(one == two && is_whole(one));
        }
        shared
    }
}
