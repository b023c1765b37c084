use super::Bytes;
use supervisor::control::REQUEST_BYTES_MAX;
use supervisor::control::answer::ControlAnswer;
use supervisor::control::line_reader::{LineReader, ReadLine};
use supervisor::control::request::{self, RequestLine};

/// The requests in `bytes`, read in pieces of this size, each as the line that is made of it; an error as its text.
fn requests(bytes: &[u8], piece: usize) -> Vec<String> {
    let (mut reader, mut found) = (LineReader::new(REQUEST_BYTES_MAX), Vec::new());
    let mut take = |line: Option<ReadLine>| match line {
        Some(ReadLine::TooLong) => found.push("too long".to_owned()),
        Some(ReadLine::Line(line)) => found.push(judge(&line)),
        None => {}
    };
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while reader.has_line() {
            let line = reader.next_line();
            assert!(line.is_some());
            take(line);
        }
        assert!(reader.next_line().is_none() && reader.unread_bytes() <= REQUEST_BYTES_MAX);
    }
    take(reader.take_rest().map(ReadLine::Line));
    found
}

/// A request comes back from its own line; an error is an answer of one short line.
fn judge(line: &[u8]) -> String {
    match request::read(line) {
        Ok(RequestLine { request, .. }) => {
            let again = request::write(&request, 7);
            let read = request::read(again.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!((read.request, read.id), (request, Some(7.into())));
            String::from_utf8(again).unwrap()
        }
        Err(refused) => {
            let (text, mut out) = (refused.error.text.clone(), Vec::new());
            assert!(text.chars().count() < 300 && !text.chars().any(char::is_control), "{text}");
            ControlAnswer::refused(refused.id, refused.error).write(&mut out);
            let end = out.iter().position(|byte| *byte == b'\n');
            assert_eq!(end, Some(out.len() - 1), "an answer is one line");
            serde_json::from_slice::<ControlAnswer>(&out).unwrap();
            text
        }
    }
}

/// What a client sends. The first byte is the size of the pieces in which it arrives, which changes nothing.
pub fn control(data: &[u8]) {
    let mut data = Bytes(data);
    let piece = usize::from(data.byte()) + 1;
    assert_eq!(requests(data.0, piece), requests(data.0, data.0.len().max(1)), "pieces of {piece} bytes");
}
