//! What a readiness event is about, packed into the 64-bit token of the poll set.
//!
//! The generation keeps an event of a closed descriptor from being taken for one of the slot's next process: a child
//! between vfork and exec still holds a copy of the descriptor, so that closing it does not end its events.

/// Something that the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    Source,
    Signals,
    Stdout,
    Stderr,
    /// Requests from other threads of the program.
    Requests,
    /// Reports from launchers.
    Launchers,
    /// The guard has ended.
    Guard,
    /// Orders to a launcher, in the launcher's own poll set.
    Orders,
    /// Files of reporters.
    Files,
    /// Something has happened to a child.
    Children,
    /// The file with the number of workers may have changed.
    WorkersFile,
    /// The command that is asked before a start has answered.
    StartCheck,
    /// A place of a semaphore has come.
    SharedPlace,
    /// A person types at the terminal.
    Answers,
    /// Input for commands that run.
    Blocks,
    /// The queue of the journal may have changed.
    Queue,
    /// A client connects to the control socket.
    Control,
    /// The client of the control socket with this number.
    Client {
        id: u32,
    },
    /// A part of the process in the slot at `index`, whose incarnation ends in these 24 bits.
    Worker {
        part: Part,
        index: u32,
        generation: u32,
    },
}

/// A descriptor of a worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The pidfd.
    Process,
    /// Frames from a resident worker.
    Frames,
    /// The channel to a resident worker is writable.
    Writable,
    CommandStdin,
    CommandStdout,
    /// Of a command, or of a resident worker.
    Stderr,
}

const PARTS: [Part; 6] =
    [Part::Process, Part::Frames, Part::Writable, Part::CommandStdin, Part::CommandStdout, Part::Stderr];
const FIRST_PART: u64 = 8;
/// In the place of a part: a client.
const CLIENT: u64 = 0x40;
const GENERATION_BITS: u32 = 24;

/// The bits of an incarnation that a token carries.
#[must_use]
pub const fn generation(incarnation: u32) -> u32 {
    incarnation & ((1 << GENERATION_BITS) - 1)
}

impl Port {
    #[must_use]
    pub const fn token(self) -> u64 {
        match self {
            Self::Source => 0,
            Self::Signals => 1,
            Self::Stdout => 2,
            Self::Stderr => 3,
            Self::Launchers => 4,
            Self::Orders => 5,
            Self::Requests => 6,
            Self::Guard => 7,
            Self::Files => 8,
            Self::Children => 9,
            Self::WorkersFile => 10,
            Self::StartCheck => 11,
            Self::SharedPlace => 12,
            Self::Answers => 13,
            Self::Blocks => 14,
            Self::Queue => 15,
            Self::Control => 16,
            Self::Client { id } => CLIENT << 56 | id as u64,
            Self::Worker { part, index, generation } => {
                (FIRST_PART + part as u64) << 56 | (generation as u64) << 32 | index as u64
            }
        }
    }

    /// The port that `token` was made from; `None` for any other number.
    #[must_use]
    pub fn of(token: u64) -> Option<Self> {
        match token {
            0 => Some(Self::Source),
            1 => Some(Self::Signals),
            2 => Some(Self::Stdout),
            3 => Some(Self::Stderr),
            4 => Some(Self::Launchers),
            5 => Some(Self::Orders),
            6 => Some(Self::Requests),
            7 => Some(Self::Guard),
            8 => Some(Self::Files),
            9 => Some(Self::Children),
            10 => Some(Self::WorkersFile),
            11 => Some(Self::StartCheck),
            12 => Some(Self::SharedPlace),
            13 => Some(Self::Answers),
            14 => Some(Self::Blocks),
            15 => Some(Self::Queue),
            16 => Some(Self::Control),
            _ if token >> 32 == CLIENT << 24 => Some(Self::Client { id: token as u32 }),
            _ => {
                let part = *PARTS.get((token >> 56).checked_sub(FIRST_PART)? as usize)?;
                Some(Self::Worker { part, index: token as u32, generation: generation((token >> 32) as u32) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_survives_its_token() {
        let worker = PARTS.map(|part| Port::Worker { part, index: u32::MAX, generation: generation(0x1234_5678) });
        for port in [
            Port::Source,
            Port::Signals,
            Port::Stdout,
            Port::Stderr,
            Port::Launchers,
            Port::Orders,
            Port::Requests,
            Port::Guard,
            Port::Files,
            Port::Children,
            Port::WorkersFile,
            Port::StartCheck,
            Port::SharedPlace,
            Port::Answers,
            Port::Blocks,
            Port::Queue,
            Port::Control,
            Port::Client { id: 0 },
            Port::Client { id: u32::MAX },
        ]
        .into_iter()
        .chain(worker)
        {
            assert_eq!(Port::of(port.token()), Some(port));
        }
        assert_eq!(Port::of(17), None);
        assert_eq!(Port::of(CLIENT << 56 | 1 << 32), None);
        assert_eq!(Port::of(u64::MAX), None);
    }
}
