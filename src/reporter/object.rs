//! JSON objects, written field by field into a buffer, fast enough for an object per item.

use crate::model::exit::ExitStatus;
use crate::model::outcome::{Cause, CauseKind, Settlement};
use crate::model::words;
use crate::sys::outbox::Rewrite;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A JSON object that is being written. Field names are constants that need no escaping.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    pub fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        words::push_number(self.out, number);
    }

    pub fn flag(&mut self, name: &str, flag: bool) {
        self.name(name);
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// A number field, left out for `None`.
    pub fn number_if(&mut self, name: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.number(name, number);
        }
    }

    pub fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        push_string(self.out, text);
    }

    /// A text field, or a field `NAME_base64` if the bytes are not UTF-8.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if let Ok(text) = std::str::from_utf8(bytes) {
            self.text(name, text);
        } else {
            self.name(&format!("{name}_base64"));
            self.out.push(b'"');
            self.out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            self.out.push(b'"');
        }
    }

    /// A list of texts, or a field `NAME_base64` if the bytes of one are not UTF-8.
    pub fn list(&mut self, name: &str, texts: &[&[u8]]) {
        let is_text = texts.iter().all(|bytes| std::str::from_utf8(bytes).is_ok());
        self.name(&if is_text { name.to_owned() } else { format!("{name}_base64") });
        self.out.push(b'[');
        for (index, bytes) in texts.iter().enumerate() {
            self.out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
            match is_text {
                true => push_escaped(self.out, bytes),
                false => self.out.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
            }
            self.out.push(b'"');
        }
        self.out.push(b']');
    }

    /// Begins a text field whose text is appended by other means; [`Object::resume`] goes on behind its closing quote.
    pub fn open_text(mut self, name: &str) {
        self.name(name);
        self.out.push(b'"');
    }

    /// Goes on with an object that has fields.
    pub const fn resume(out: &'a mut Vec<u8>) -> Self {
        Self { out, empty: false }
    }

    /// Nanoseconds as seconds, without rounding.
    pub fn seconds(&mut self, name: &str, ns: u64) {
        self.name(name);
        words::push_number(self.out, ns / 1_000_000_000);
        // A digit 1 in front of the fraction keeps its leading zeros; the point then overwrites it.
        let point = self.out.len();
        words::push_number(self.out, 1_000_000_000 + ns % 1_000_000_000);
        self.out[point] = b'.';
    }

    /// `{"code":3}`, `{"signal":9,"name":"KILL","core":false}` or `{"unknown":true}`
    pub fn exit(&mut self, name: &str, exit: ExitStatus) {
        self.name(name);
        let mut inner = Object::begin(self.out);
        match exit {
            ExitStatus::Code(code) => inner.number("code", u64::from(code)),
            ExitStatus::Signal { signal, core_dumped } => {
                inner.number("signal", u64::from(signal.0));
                inner.text("name", &signal.name());
                inner.literal("core", if core_dumped { "true" } else { "false" });
            }
            ExitStatus::Unknown => inner.literal("unknown", "true"),
        }
        inner.end();
    }

    pub fn cause(&mut self, name: &str, cause: &Cause) {
        self.name(name);
        push_cause(self.out, cause);
    }

    /// The list `causes`, written although it is empty, and `causes_omitted` unless it is 0.
    pub fn causes(&mut self, settlement: &Settlement) {
        self.cause_list(&settlement.causes, settlement.causes_omitted);
    }

    /// The same of causes that are not in a settlement.
    pub fn cause_list(&mut self, causes: &[Cause], causes_omitted: u64) {
        self.name("causes");
        self.out.push(b'[');
        for (index, cause) in causes.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            push_cause(self.out, cause);
        }
        self.out.push(b']');
        self.number_if("causes_omitted", Some(causes_omitted).filter(|omitted| *omitted > 0));
    }

    /// A list of objects, one for each member.
    pub fn objects<T>(
        &mut self,
        name: &str,
        members: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Object<'_>, T),
    ) {
        self.name(name);
        self.out.push(b'[');
        for (index, member) in members.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let mut object = Object::begin(self.out);
            write(&mut object, member);
            object.end();
        }
        self.out.push(b']');
    }

    pub fn end(self) {
        self.out.push(b'}');
    }

    pub fn end_line(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn literal(&mut self, name: &str, literal: &str) {
        self.name(name);
        self.out.extend_from_slice(literal.as_bytes());
    }

    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(if self.empty { b"\"" } else { b",\"" });
        self.empty = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// Appends an attempt that did not succeed: with `exit` if its process ended by itself, otherwise with `error`.
fn push_cause(out: &mut Vec<u8>, cause: &Cause) {
    let mut object = Object::begin(out);
    object.number("attempt", u64::from(cause.attempt.0));
    object.number_if("worker", cause.worker.map(|worker| u64::from(worker.number())));
    object.number_if("pid", cause.pid.map(u64::from));
    match exit_of(cause) {
        Some(exit) => object.exit("exit", exit),
        None => object.text("error", &words::cause(cause)),
    }
    object.end();
}

/// The exit of the process that ended this attempt by itself.
pub fn exit_of(cause: &Cause) -> Option<ExitStatus> {
    use crate::model::outcome::FailReason::Exited;
    match &cause.kind {
        CauseKind::Failed(Exited(code)) => Some(ExitStatus::Code(*code)),
        CauseKind::Interrupted(exit) => Some(*exit),
        kind => kind.death(),
    }
}

/// Appends a JSON string.
fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Appends a piece of a text, which may begin and end within a character, as a piece of a JSON string.
fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if text.iter().all(|byte| *byte >= b' ' && *byte != b'"' && *byte != b'\\') {
        return out.extend_from_slice(text);
    }
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..b' ' => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
}

/// The inside of a JSON string, for a text that is too large for memory.
#[derive(Debug)]
pub struct EscapedText {
    /// Bytes that the string still takes; what follows them is dropped.
    left: u64,
}

impl EscapedText {
    /// For the first bytes of a text.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        Self { left: bytes }
    }
}

impl Rewrite for EscapedText {
    fn rewrite(&mut self, bytes: &[u8], into: &mut Vec<u8>, full_bytes: usize) -> usize {
        // A byte becomes six at most; the piece is a small multiple of what is free.
        let piece = &bytes[..bytes.len().min(full_bytes.saturating_sub(into.len()).max(1))];
        let taken = cut_to(piece, &mut self.left);
        push_escaped(into, taken);
        piece.len()
    }

    fn finish(&mut self, _: &mut Vec<u8>) {}
}

/// The inside of a JSON string in base64.
#[derive(Debug)]
pub struct Base64 {
    left: u64,
    /// Bytes behind the last group of three.
    carried: Vec<u8>,
}

impl Base64 {
    /// For the first bytes of some content.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        Self { left: bytes, carried: Vec::new() }
    }

    fn push(bytes: &[u8], into: &mut Vec<u8>) {
        into.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    }
}

impl Rewrite for Base64 {
    fn rewrite(&mut self, bytes: &[u8], into: &mut Vec<u8>, full_bytes: usize) -> usize {
        let piece = &bytes[..bytes.len().min(full_bytes.saturating_sub(into.len()).max(1))];
        self.carried.extend_from_slice(cut_to(piece, &mut self.left));
        let whole = self.carried.len() / 3 * 3;
        Self::push(&self.carried[..whole], into);
        self.carried.drain(..whole);
        piece.len()
    }

    fn finish(&mut self, into: &mut Vec<u8>) {
        Self::push(&self.carried, into);
    }
}

/// The first bytes, of which `left` are wanted.
fn cut_to<'a>(bytes: &'a [u8], left: &mut u64) -> &'a [u8] {
    let wanted = &bytes[..(bytes.len() as u64).min(*left) as usize];
    *left -= wanted.len() as u64;
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_from_json() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        object.bytes("text", all.as_bytes());
        object.bytes("bytes", b"\xff\x00a");
        object.list("none", &[]);
        object.list("words", &[b"a\"b", b""]);
        object.list("odd", &[b"\xff\x00a", b"b"]);
        object.seconds("t", 12_000_000_345);
        object.end();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["text"], all);
        assert_eq!(value["bytes_base64"], "/wBh");
        assert_eq!(value["none"], serde_json::json!([]));
        assert_eq!(value["words"], serde_json::json!(["a\"b", ""]));
        assert_eq!(value["odd_base64"], serde_json::json!(["/wBh", "Yg=="]));
        assert!(String::from_utf8(out).unwrap().ends_with("\"t\":12.000000345}"));
    }

    /// What becomes of some bytes that come in pieces.
    fn rewritten(mut rewrite: impl Rewrite, bytes: &[u8], piece_bytes: usize) -> Vec<u8> {
        let mut out = b"\"".to_vec();
        for mut piece in bytes.chunks(piece_bytes) {
            while !piece.is_empty() {
                let full_bytes = out.len() + 2;
                piece = &piece[rewrite.rewrite(piece, &mut out, full_bytes)..];
            }
        }
        rewrite.finish(&mut out);
        out.push(b'"');
        out
    }

    #[test]
    fn bytes_that_come_in_pieces_become_the_same_string() {
        let text: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let bytes: Vec<u8> = (0..=255).collect();
        for piece_bytes in [1, 2, 3, 5, 1000] {
            for left in [0, 1, 2, 3, 4, 128] {
                let out = rewritten(EscapedText::of(left), text.as_bytes(), piece_bytes);
                // All of the first 128 characters are a byte.
                let shown = serde_json::from_slice::<String>(&out).unwrap_or_else(|_| panic!("{out:?}"));
                assert!(text.starts_with(&shown) && shown.len() as u64 == left, "{left}");
                let out = rewritten(Base64::of(left), &bytes, piece_bytes);
                assert_eq!(out, format!("\"{}\"", STANDARD.encode(&bytes[..left as usize])).into_bytes());
            }
        }
    }
}
