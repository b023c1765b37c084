//! Lines out of bytes that arrive in pieces.
//!
//! Invariant: a line that is too long is told once and skipped up to its end; it never takes more memory than the limit and
//! one piece.

/// What the bytes so far hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadLine {
    /// Without its newline.
    Line(Vec<u8>),
    /// More bytes than allowed came without a newline.
    TooLong,
}

/// A stream of lines.
#[derive(Debug)]
pub struct LineReader {
    /// What was not read yet, from `begin` on.
    bytes: Vec<u8>,
    begin: usize,
    /// Up to here there is no newline.
    searched: usize,
    line_bytes_max: usize,
    /// The rest of a line that was too long.
    skips: bool,
}

impl LineReader {
    #[must_use]
    pub const fn new(line_bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), begin: 0, searched: 0, line_bytes_max, skips: false }
    }

    /// Takes a piece. The caller takes the lines out before it has the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let mut piece = piece;
        if self.skips {
            let Some(end) = memchr::memchr(b'\n', piece) else { return };
            self.skips = false;
            piece = &piece[end + 1..];
        }
        self.bytes.drain(..self.begin);
        self.searched -= self.begin;
        self.begin = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// Whether a whole line, or too much of one, is there.
    #[must_use]
    pub fn has_line(&self) -> bool {
        let rest = &self.bytes[self.searched..];
        memchr::memchr(b'\n', rest).is_some() || self.bytes.len() - self.begin > self.line_bytes_max
    }

    /// The next line, if it is there.
    pub fn next_line(&mut self) -> Option<ReadLine> {
        let Some(end) = memchr::memchr(b'\n', &self.bytes[self.searched..]).map(|end| self.searched + end) else {
            self.searched = self.bytes.len();
            if self.bytes.len() - self.begin <= self.line_bytes_max {
                return None;
            }
            self.clear();
            self.skips = true;
            return Some(ReadLine::TooLong);
        };
        let line = &self.bytes[self.begin..end];
        let line = if line.len() > self.line_bytes_max { ReadLine::TooLong } else { ReadLine::Line(line.to_vec()) };
        (self.begin, self.searched) = (end + 1, end + 1);
        if self.begin == self.bytes.len() {
            self.clear();
        }
        Some(line)
    }

    /// What is there without a newline, at the end of the stream.
    #[must_use]
    pub fn take_rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.bytes.split_off(self.begin);
        self.clear();
        (!rest.is_empty()).then_some(rest)
    }

    /// Bytes that wait for the end of their line.
    #[must_use]
    pub const fn unread_bytes(&self) -> usize {
        self.bytes.len() - self.begin
    }

    fn clear(&mut self) {
        self.bytes.clear();
        (self.begin, self.searched) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]], max: usize) -> Vec<String> {
        let mut reader = LineReader::new(max);
        let mut found = Vec::new();
        for piece in pieces {
            reader.push(piece);
            loop {
                let has_line = reader.has_line();
                match reader.next_line() {
                    Some(ReadLine::Line(line)) => found.push(String::from_utf8(line).unwrap()),
                    Some(ReadLine::TooLong) => found.push("!".to_owned()),
                    None => break assert!(!has_line),
                }
                assert!(has_line);
            }
            assert!(reader.unread_bytes() <= max);
        }
        found.extend(reader.take_rest().map(|rest| format!("{}$", String::from_utf8(rest).unwrap())));
        found
    }

    #[test]
    fn pieces_do_not_matter() {
        let text = b"one\n\nthree\nfour five six\nseven";
        let expected = ["one", "", "three", "!", "seven$"];
        for size in 1..text.len() + 1 {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(read(&pieces, 6), expected, "pieces of {size} bytes");
        }
    }

    #[test]
    fn a_line_that_is_too_long_takes_no_memory_and_what_follows_counts() {
        assert_eq!(read(&[b"123456"], 6), ["123456$"]);
        assert_eq!(read(&[b"1234567"], 6), ["!"]);
        assert_eq!(read(&[b"1234567", b"89", b"\nnext\n"], 6), ["!", "next"]);
        assert_eq!(read(&[b"1234567\nnext\n"], 6), ["!", "next"]);
    }
}
