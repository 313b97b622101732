//! Numbers that nobody can guess and everybody can have again.

/// A generator of numbers that a seed repeats (xorshift64*, Vigna 2016).
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        // Zero is the one state that stays.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The next number below `limit`.
    pub const fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * limit as u64) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_stay_below_their_limit(seed: u64, limit in 1_u32..) {
            let mut random = Random::new(seed);
            prop_assert!((0..20).all(|_| random.below(limit) < limit));
        }
    }

    #[test]
    fn seeds_differ_from_the_first_number_on() {
        let first: std::collections::BTreeSet<u64> = (0..1000).map(|seed| Random::new(2 * seed).next()).collect();
        assert_eq!(first.len(), 1000);
    }
}
