//! Where the simulator's decisions come from: a seed, or a script that goes through every choice.

/// splitmix64: tiny, fast, good enough to pick faults with, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// Uniform in `0..bound`; `bound` is at least 1.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// Uniform in `min..=max`.
    pub const fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.below(max - min + 1)
    }

    /// True `chance` times in a thousand.
    pub const fn per_mille(&mut self, chance: u32) -> bool {
        self.below(1000) < chance as u64
    }

    pub const fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// A path through a tree of choices. Run the world, call [`Script::advance`], run it again: every
/// leaf is visited exactly once, without the tree ever being held in memory.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// At each branch: what is taken, and of how many.
    path: Vec<(u32, u32)>,
    at: usize,
}

impl Script {
    /// Chooses among `of` possibilities at this branch.
    pub fn choose(&mut self, of: usize) -> usize {
        if self.at == self.path.len() {
            self.path.push((0, of as u32));
        }
        let (taken, known) = self.path[self.at];
        assert_eq!(known as usize, of, "the world is not deterministic: branch {} changed its width", self.at);
        self.at += 1;
        taken as usize
    }

    /// Goes on to the next path; false once all were taken.
    pub fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((taken, of)) = self.path.pop() {
            if taken + 1 < of {
                self.path.push((taken + 1, of));
                return true;
            }
        }
        false
    }

    /// The path so far, to print with a failure.
    pub fn taken(&self) -> Vec<u32> {
        self.path[..self.at].iter().map(|&(taken, _)| taken).collect()
    }
}
