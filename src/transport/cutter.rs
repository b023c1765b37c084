//! Cuts a stream of bytes into messages of a limited size.
//!
//! Invariant: no message is empty, and what one call sends has the order of the stream.

use std::io::{self, ErrorKind, IoSlice};

/// Cuts written bytes into messages.
pub(super) struct Cutter {
    message_bytes: usize,
    /// Scratch space for a message of several slices.
    message: Vec<u8>,
}

impl Cutter {
    /// A cutter for messages of at most this many bytes.
    pub(super) const fn new(message_bytes: usize) -> Self {
        Self { message_bytes, message: Vec::new() }
    }

    /// Sends as many messages as `send` accepts, at least one, and returns how many bytes they had.
    pub(super) fn write(&self, bytes: &[u8], mut send: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<usize> {
        let mut sent = 0;
        for message in bytes.chunks(self.message_bytes) {
            match send(message) {
                Ok(()) => sent += message.len(),
                Err(error) if sent == 0 || error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    /// Sends whole messages from the first slice. If the first slice is shorter than a message, sends one message that is
    /// made of several slices.
    pub(super) fn write_vectored(
        &mut self,
        slices: &[IoSlice<'_>],
        send: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<usize> {
        let first = slices.first().map_or(&[][..], |slice| slice);
        let whole = first.len() - first.len() % self.message_bytes;
        if whole > 0 {
            return self.write(&first[..whole], send);
        }
        self.message.clear();
        for slice in slices {
            let taken = slice.len().min(self.message_bytes - self.message.len());
            self.message.extend_from_slice(&slice[..taken]);
        }
        self.write(&self.message, send)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_put_together_and_whole_messages_leave_by_themselves() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut cutter = Cutter::new(100);
        let mut lengths = Vec::new();
        let mut sent = Vec::new();
        let mut send = |message: &[u8]| {
            lengths.push(message.len());
            sent.extend_from_slice(message);
            if lengths.len() % 4 == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        let parts = [&bytes[..6], &bytes[6..250], &bytes[250..]].map(IoSlice::new);
        assert_eq!(cutter.write_vectored(&parts, &mut send).unwrap(), 100);
        assert_eq!(cutter.write_vectored(&[IoSlice::new(&bytes[100..])], &mut send).unwrap(), 100);
        assert_eq!(cutter.write(&bytes[200..], &mut send).unwrap(), 56);
        assert_eq!(cutter.write(&bytes, &mut send).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(cutter.write(&bytes[100..], &mut send).unwrap(), 156);
        assert_eq!(lengths, [100, 100, 56, 100, 100, 56]);
        assert!(sent == [&bytes[..], &bytes[..]].concat());
    }
}
