//! The machine that a comparison was made on.

use crate::sys::cores;
use serde::Serialize;
use std::fs;

/// What a reader has to know to compare two reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: u32,
    /// The release of the kernel; empty where it is not known.
    pub kernel: String,
    /// The processor, as the kernel names it; its architecture where it does not.
    pub processor: String,
    /// Processes that wanted a core in the minute before, on average; `None` where it is not known.
    pub load: Option<f64>,
    /// The program was built without optimisation for speed.
    #[serde(rename = "debug_build")]
    pub is_debug_build: bool,
}

impl Machine {
    /// This one, now.
    #[must_use]
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let model = processor(&read("/proc/cpuinfo"));
        Self {
            cores: cores::usable().count,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
            is_debug_build: cfg!(debug_assertions),
        }
    }
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"))?;
    let name = line.split_once(':')?.1.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_as_the_kernel_does() {
        let text = "processor\t: 0\nmodel name\t: Some  CPU @ 2.00GHz\nmodel name\t: other\n";
        assert_eq!(processor(text).as_deref(), Some("Some CPU @ 2.00GHz"));
        assert_eq!(processor("processor: 0\n"), None);
        let machine = Machine::this();
        assert!(machine.cores >= 1 && !machine.processor.is_empty());
    }
}
