//! Lines that a worker sends, found in the buffer that a channel fills. The protocols of text share it.
//!
//! Invariant: no byte is searched twice, and a line of more than [`LINE_BYTES_MAX`] is refused before memory for it is
//! allocated.

use super::error::ProtocolError;
use crate::model::spec::ITEM_BYTES_MAX;
use crate::wire::message::SMALL_BODY_BYTES_MAX;
use crate::wire::read_buffer::{BUFFER_BYTES, ReadBuffer};
use std::ops::Range;

/// Most bytes of one line, its newline aside: as many as a result in a frame.
pub const LINE_BYTES_MAX: usize = ITEM_BYTES_MAX;

/// Whole lines at the start of what was not taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WholeLines {
    pub count: u32,
    /// Newlines included.
    pub bytes: usize,
}

/// What has arrived of the lines of one worker.
#[derive(Default)]
pub(super) struct LineBuffer {
    buffer: ReadBuffer,
    /// Unread bytes that hold no newline.
    searched: usize,
}

impl LineBuffer {
    #[cfg(any(test, feature = "run"))]
    pub const fn new() -> Self {
        Self { buffer: ReadBuffer::new(), searched: 0 }
    }

    pub const fn incoming(&mut self) -> &mut ReadBuffer {
        &mut self.buffer
    }

    pub fn arrived(&self, place: &Range<usize>) -> &[u8] {
        self.buffer.arrived(place)
    }

    pub fn unread(&self) -> &[u8] {
        self.buffer.unread()
    }

    /// The next whole lines: at most `count_max`, and either one of any length or several that are small together.
    pub fn find(&mut self, count_max: u32) -> Result<WholeLines, ProtocolError> {
        let unread = self.buffer.unread();
        let mut found = WholeLines::default();
        if count_max == 0 {
            return Ok(found);
        }
        for at in memchr::memchr_iter(b'\n', &unread[self.searched..]) {
            let bytes = self.searched + at + 1;
            if found.count > 0 && bytes > SMALL_BODY_BYTES_MAX {
                break;
            }
            found = WholeLines { count: found.count + 1, bytes };
            if found.count == count_max {
                break;
            }
        }
        let line_bytes = if found.count == 0 { unread.len() } else { found.bytes - 1 };
        if (found.count < 2) && line_bytes > LINE_BYTES_MAX {
            return Err(ProtocolError::LongLine);
        }
        if found.count == 0 {
            self.searched = unread.len();
            // A long line doubles the buffer; it is copied a few times, not once for each read.
            if self.searched >= BUFFER_BYTES {
                self.buffer.make_room(2 * self.searched.min(LINE_BYTES_MAX));
            }
        }
        Ok(found)
    }

    /// Takes out lines that were found; where they are in [`LineBuffer::arrived`].
    pub fn take(&mut self, bytes: usize) -> Range<usize> {
        self.searched = 0;
        self.buffer.make_room(0);
        self.buffer.take_place(bytes)
    }

    #[cfg(feature = "run")]
    /// Bytes that were taken out since the last fill, to be decoded where they are.
    pub fn taken_mut(&mut self, place: &Range<usize>) -> &mut [u8] {
        self.buffer.arrived_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(text: &[u8]) -> LineBuffer {
        let mut lines = LineBuffer::new();
        lines.incoming().copy_in(text);
        lines
    }

    #[test]
    fn whole_lines_are_counted_up_to_the_limit() {
        let mut lines = holding(b"a\n\nccc\nd");
        assert_eq!(lines.find(0).unwrap(), WholeLines::default());
        assert_eq!(lines.find(2).unwrap(), WholeLines { count: 2, bytes: 3 });
        let taken = lines.take(3);
        assert_eq!(lines.arrived(&taken), b"a\n\n");
        assert_eq!(lines.find(9).unwrap(), WholeLines { count: 1, bytes: 4 });
        lines.take(4);
        assert_eq!(lines.find(9).unwrap(), WholeLines::default());
        lines.incoming().copy_in(b"dd\n");
        assert_eq!(lines.find(9).unwrap(), WholeLines { count: 1, bytes: 4 });
    }

    #[test]
    fn a_large_line_comes_alone() {
        let large = [vec![b'x'; SMALL_BODY_BYTES_MAX], b"\n".to_vec()].concat();
        let mut lines = holding(&[b"a\n", &large[..], b"b\n"].concat());
        assert_eq!(lines.find(9).unwrap(), WholeLines { count: 1, bytes: 2 });
        lines.take(2);
        assert_eq!(lines.find(9).unwrap(), WholeLines { count: 1, bytes: large.len() });
        lines.take(large.len());
        assert_eq!(lines.find(9).unwrap(), WholeLines { count: 1, bytes: 2 });
    }

    #[test]
    fn a_line_without_an_end_is_refused_at_the_limit() {
        let mut lines = holding(&vec![b'x'; LINE_BYTES_MAX]);
        assert_eq!(lines.find(1).unwrap(), WholeLines::default());
        lines.incoming().copy_in(b"y");
        assert_eq!(lines.find(1).unwrap_err(), ProtocolError::LongLine);
        let mut lines = holding(&[&vec![b'x'; LINE_BYTES_MAX][..], b"\n"].concat());
        assert_eq!(lines.find(1).unwrap().bytes, LINE_BYTES_MAX + 1);
    }
}
