//! JSON objects, written field by field into a buffer, fast enough for an object per item.

use crate::model::exit::ExitStatus;
use crate::model::outcome::{Cause, CauseKind, Settlement};
use crate::reporter::words;
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
        self.name("causes");
        self.out.push(b'[');
        for (index, cause) in settlement.causes.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            push_cause(self.out, cause);
        }
        self.out.push(b']');
        self.number_if("causes_omitted", Some(settlement.causes_omitted).filter(|omitted| *omitted > 0));
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
        kind => kind.death(),
    }
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
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
    out.push(b'"');
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
        object.seconds("t", 12_000_000_345);
        object.end();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["text"], all);
        assert_eq!(value["bytes_base64"], "/wBh");
        assert!(String::from_utf8(out).unwrap().ends_with("\"t\":12.000000345}"));
    }
}
