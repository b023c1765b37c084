//! The ways in which a supervisor and a worker may talk, by name, for `compare`.

#![deny(missing_docs)]

use super::spec::TransportKind;

/// A mechanism that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The worker is a process.
    Process(TransportKind),
    /// The worker is a thread of the supervisor: what messages cost without a border between processes.
    Thread,
}

impl Mechanism {
    /// Every mechanism, in the order of a report.
    pub const ALL: [Self; 7] = [
        Self::Process(TransportKind::Pipe),
        Self::Process(TransportKind::Socket),
        Self::Process(TransportKind::Shm),
        Self::Process(TransportKind::File),
        Self::Process(TransportKind::Mqueue),
        Self::Process(TransportKind::Channel),
        Self::Thread,
    ];

    /// As `--transport` spells it; `thread` for the last one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process(kind) => kind.name(),
            Self::Thread => "thread",
        }
    }

    /// The mechanism of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transport_is_compared_and_found_by_its_name() {
        for kind in TransportKind::ALL {
            assert!(Mechanism::ALL.contains(&Mechanism::Process(kind)), "{}", kind.name());
        }
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::by_name(mechanism.name()), Some(mechanism));
        }
        assert_eq!(Mechanism::by_name("pigeon"), None);
    }
}
