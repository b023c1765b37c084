//! Random choices that a variable repeats.

/// SplitMix64.
pub struct Random(u64);

impl Random {
    /// The seed is in this variable, or is drawn, and printed.
    pub fn new(variable: &str) -> Self {
        let drawn = || std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
        let seed = number_of(variable).unwrap_or_else(drawn);
        println!("{variable}={seed}");
        Self(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// The number in a variable, if it is there.
pub fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("a number"))
}
