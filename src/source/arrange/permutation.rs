//! An order by chance of the numbers below a count, without memory for them: a Feistel network over the next power of four,
//! which is walked until the number is below the count again.
//!
//! Invariant: for a seed each number comes once, and the same seed gives the same order.

/// Rounds of the network. Four hide all structure of a good round function; small counts need more to mix.
const ROUNDS: u64 = 8;

/// The least bits of one half: a smaller network has too few orders.
const HALF_BITS_MIN: u32 = 4;

/// An order of the numbers `0..count`.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    count: u64,
    seed: u64,
    half_bits: u32,
}

impl Permutation {
    /// The largest count.
    pub const COUNT_MAX: u64 = 1 << 62;

    /// `count`: at most [`Self::COUNT_MAX`].
    #[must_use]
    pub const fn new(count: u64, seed: u64) -> Self {
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        let half_bits = bits.div_ceil(2);
        let half_bits = if half_bits < HALF_BITS_MIN { HALF_BITS_MIN } else { half_bits };
        Self { count, seed, half_bits }
    }

    /// The number at a place, both below the count.
    #[must_use]
    pub const fn at(&self, place: u64) -> u64 {
        let mut number = place;
        loop {
            number = self.encrypt(number);
            if number < self.count {
                return number;
            }
        }
    }

    const fn encrypt(&self, number: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (number >> self.half_bits, number & mask);
        let mut round = 0;
        while round < ROUNDS {
            (left, right) = (right, left ^ (mix(right, self.seed, round) & mask));
            round += 1;
        }
        (left << self.half_bits) | right
    }
}

/// SplitMix64's finalizer over all three.
const fn mix(half: u64, seed: u64, round: u64) -> u64 {
    let mut z = half.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed.rotate_left(17 + 5 * round as u32);
    z = z.wrapping_add((round + 1).wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn order(count: u64, seed: u64) -> Vec<u64> {
        let permutation = Permutation::new(count, seed);
        (0..count).map(|place| permutation.at(place)).collect()
    }

    #[test]
    fn each_number_comes_once_in_an_order_that_the_seed_fixes() {
        for count in [1, 2, 3, 4, 5, 16, 255, 256, 257, 1000, 65_537] {
            let found = order(count, 7);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            assert!(sorted == (0..count).collect::<Vec<_>>(), "{count}");
            assert!(found == order(count, 7));
            assert!(count < 16 || found != order(count, 8));
            assert!(count < 16 || found != sorted);
        }
        assert!(order(0, 1).is_empty());
        let large = Permutation::new(Permutation::COUNT_MAX, 3);
        assert!(large.at(0) < Permutation::COUNT_MAX && large.at(0) != large.at(1));
    }

    #[test]
    fn every_order_of_a_few_numbers_is_about_as_likely() {
        for (count, orders) in [(2, 2), (3, 6), (4, 24)] {
            let mut found: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
            for seed in 0..24_000 {
                *found.entry(order(count, seed)).or_default() += 1;
            }
            assert_eq!(found.len(), orders);
            let expected = 24_000 / orders as u32;
            for (order, times) in found {
                assert!(times.abs_diff(expected) < expected / 5, "{order:?}: {times} of about {expected}");
            }
        }
    }
}
