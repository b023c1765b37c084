//! Bytes on their way to stdout or stderr, written without ever blocking.

/// What waits to be written to one file descriptor.
#[derive(Default)]
pub struct Outbox {
    memory: Vec<u8>,
}

impl Outbox {
    /// The in-memory end of what waits: append to it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }
}
