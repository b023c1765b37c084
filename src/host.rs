//! What a configuration takes from this process: cores, a seed, an id of the run.
//!
//! Invariant: the only code that asks the system for a configuration. `model` and `cli` get the answer as a value.

use crate::model::builder::{ConfigBuilder, Host};
use crate::model::config::Config;
use crate::sys::cores::{self, UsableCores};
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

impl Host {
    /// Asks the system. Each call gives another seed and another run id.
    #[must_use]
    pub fn of_this_process() -> Self {
        let UsableCores { count: cores, why: cores_why } = cores::usable();
        // The standard library draws the keys of its hash maps from the system's randomness: enough for jitter.
        let seed = RandomState::new().hash_one("seed");
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        Self { cores, cores_why, seed, run_id: format!("{now_ns:x}-{:x}", std::process::id()) }
    }
}

impl Config {
    /// A configuration for this machine, with nothing set yet.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::new(Host::of_this_process())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_this_process_has_cores_and_a_valid_id() {
        let config = Config::builder().command(["true"]).build().unwrap();
        assert!(config.policy.workers >= 1);
        assert!(config.run_id.ends_with(&format!("-{:x}", std::process::id())), "{}", config.run_id);
    }
}
