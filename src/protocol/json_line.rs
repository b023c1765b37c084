//! One line of the protocol `json`: the object that a worker sent, and the one that it is sent.
//!
//! Invariant: what a line holds is decoded within the bytes of the line, and becomes no longer. Nothing that a worker
//! sends makes it panic, or recurse: what a value contains is skipped, not built.

use super::error::ProtocolError;
use crate::model::ids::{Attempt, ItemId};
use crate::model::outcome::RetryHint;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::ops::Range;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    pub id: Option<u64>,
    pub attempt: Option<u32>,
    pub content: LineContent,
}

/// Ranges are within the line.
#[derive(Debug, PartialEq)]
pub(super) enum LineContent {
    /// With its final newline.
    Result(Range<usize>),
    Error {
        text: Range<usize>,
        hint: RetryHint,
    },
    /// The share of the item that is done.
    Progress(f64),
    Log(Range<usize>),
    Ready,
}

/// The keys of a line.
#[derive(Deserialize)]
struct Keys<'a> {
    id: Option<u64>,
    attempt: Option<u32>,
    #[serde(default, borrow, deserialize_with = "raw")]
    result: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    result_base64: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    error: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    log: Option<&'a RawValue>,
    retry: Option<bool>,
    progress: Option<f64>,
    ready: Option<bool>,
}

/// A value that may be `null`, which is a value here.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A key that holds text, and where its value is in the line.
enum Key {
    Result(Range<usize>),
    Base64(Range<usize>),
    Error(Range<usize>, RetryHint),
    Log(Range<usize>),
    Progress(f64),
    Ready,
}

/// Reads a line, with or without its newline, and decodes what it holds in place.
pub(super) fn read(line: &mut [u8]) -> Result<Said, ProtocolError> {
    let keys: Keys<'_> = match serde_json::from_slice(line) {
        Ok(keys) => keys,
        Err(error) => return Err(ProtocolError::not_json(line, &error.to_string())),
    };
    let (id, attempt) = (keys.id, keys.attempt);
    let Some(key) = only_key(&keys, line.as_ptr().addr()) else { return Err(ProtocolError::not_one_key(line)) };
    let content = match key {
        Key::Result(value) => LineContent::Result(end_line(line, value)),
        Key::Base64(value) => LineContent::Result(decode(line, value)?),
        Key::Error(value, hint) => LineContent::Error { text: unquote(line, value), hint },
        Key::Log(value) => LineContent::Log(unquote(line, value)),
        Key::Progress(share) => LineContent::Progress(share),
        Key::Ready => LineContent::Ready,
    };
    Ok(Said { id, attempt, content })
}

/// The one key that says what the line is, if it has exactly one. `base`: the address of the line.
fn only_key(keys: &Keys<'_>, base: usize) -> Option<Key> {
    let place = |value: &RawValue| {
        let start = value.get().as_ptr().addr() - base;
        start..start + value.get().len()
    };
    let hint = match keys.retry {
        None => RetryHint::Default,
        Some(true) => RetryHint::Always,
        Some(false) => RetryHint::Never,
    };
    let mut found = [
        keys.result.map(|value| Key::Result(place(value))),
        keys.result_base64.map(|value| Key::Base64(place(value))),
        keys.error.map(|value| Key::Error(place(value), hint)),
        keys.log.map(|value| Key::Log(place(value))),
        keys.progress.map(Key::Progress),
        keys.ready.filter(|ready| *ready).map(|_| Key::Ready),
    ]
    .into_iter()
    .flatten();
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The text of a string, decoded where it is; of any other value its JSON.
fn unquote(line: &mut [u8], value: Range<usize>) -> Range<usize> {
    let Some(b'"') = line.get(value.start) else { return value };
    let text = value.start + 1..value.end - 1;
    if memchr::memchr(b'\\', &line[text.clone()]).is_none() {
        return text;
    }
    // It was checked as a part of the line. No escape is shorter than what it stands for.
    let decoded: String = serde_json::from_slice(&line[value.clone()]).unwrap_or_default();
    let place = value.start..value.start + decoded.len();
    line[place.clone()].copy_from_slice(decoded.as_bytes());
    place
}

/// The same, ending with a newline. There is room for it: a string has lost its quotes, and another byte of the object
/// follows any other value.
fn end_line(line: &mut [u8], value: Range<usize>) -> Range<usize> {
    let text = unquote(line, value);
    if line[text.clone()].ends_with(b"\n") {
        return text;
    }
    line[text.end] = b'\n';
    text.start..text.end + 1
}

/// The bytes that a string in base64 stands for, which are fewer.
fn decode(line: &mut [u8], value: Range<usize>) -> Result<Range<usize>, ProtocolError> {
    let text = unquote(line, value);
    let Ok(decoded) = STANDARD.decode(&line[text.clone()]) else {
        return Err(ProtocolError::not_base64(&line[text]));
    };
    let place = text.start..text.start + decoded.len();
    line[place.clone()].copy_from_slice(&decoded);
    Ok(place)
}

/// Appends the line that gives an item to a worker.
pub(super) fn push(id: ItemId, attempt: Attempt, item: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"id\":{id},\"attempt\":{attempt},").as_bytes());
    match std::str::from_utf8(item) {
        Ok(text) => {
            out.extend_from_slice(b"\"item\":");
            // To write into a `Vec` does not fail.
            let _ = serde_json::to_writer(&mut *out, text);
        }
        Err(_) => {
            out.extend_from_slice(b"\"item_base64\":\"");
            out.extend_from_slice(STANDARD.encode(item).as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b"}\n");
}

/// Most bytes of the line that gives this item to a worker, its newline aside, whatever its id and its attempt are.
#[must_use]
pub fn json_line_bytes_max(item: &[u8]) -> usize {
    let (mut line, largest) = (Vec::new(), (ItemId(u64::MAX), Attempt(u32::MAX)));
    push(largest.0, largest.1, item, &mut line);
    line.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line says, with the bytes of its text.
    fn said(text: &str) -> Result<(Said, Vec<u8>), String> {
        let mut line = text.as_bytes().to_vec();
        let said = read(&mut line).map_err(|error| error.to_string())?;
        let bytes = match &said.content {
            LineContent::Result(range) | LineContent::Log(range) | LineContent::Error { text: range, .. } => {
                line[range.clone()].to_vec()
            }
            LineContent::Progress(_) | LineContent::Ready => Vec::new(),
        };
        Ok((said, bytes))
    }

    #[test]
    fn a_result_is_text_or_the_json_of_another_value_and_ends_its_line() {
        for (value, expected) in [
            (r#""49""#, "49\n"),
            (r#""a\nb\n""#, "a\nb\n"),
            (r#""""#, "\n"),
            (r#""\u0041\ud83d\ude00\t\"\\""#, "A😀\t\"\\\n"),
            ("49", "49\n"),
            (" 4.5 ", "4.5\n"),
            ("null", "null\n"),
            (r#"{"a":[1,"b"]}"#, "{\"a\":[1,\"b\"]}\n"),
        ] {
            for line in [
                format!(r#"{{"id":7,"result":{value}}}"#),
                format!("{{\"result\":{value},\"id\":7 , \"more\":{{}}}}\n"),
            ] {
                let (said, bytes) = said(&line).unwrap();
                assert_eq!((said.id, String::from_utf8(bytes).unwrap()), (Some(7), expected.to_owned()), "{line}");
            }
        }
        let (_, bytes) = said(r#"{"id":1,"result_base64":"/wAK"}"#).unwrap();
        assert_eq!(bytes, b"\xff\0\n");
    }

    #[test]
    fn an_error_says_whether_another_attempt_is_worth_it() {
        for (more, hint) in
            [("", RetryHint::Default), (r#","retry":true"#, RetryHint::Always), (r#","retry":false"#, RetryHint::Never)]
        {
            let (said, bytes) = said(&format!(r#"{{"id":7,"attempt":2,"error":"no such \"file\""{more}}}"#)).unwrap();
            assert_eq!((said.attempt, bytes.as_slice()), (Some(2), &b"no such \"file\""[..]));
            assert!(matches!(said.content, LineContent::Error { hint: found, .. } if found == hint));
        }
    }

    #[test]
    fn a_line_that_says_nothing_or_two_things_is_refused() {
        for (line, words) in [
            ("", "it sent a line that is no JSON object of this protocol: \"\": EOF"),
            ("hello", "it sent a line that is no JSON object of this protocol: \"hello\": expected value"),
            ("[1]", "it sent a line that is no JSON object of this protocol: \"[1]\": "),
            (r#"{"id":-1,"result":1}"#, "it sent a line that is no JSON object of this protocol: "),
            (r#"{"id":1,"id":2,"result":1}"#, "it sent a line that is no JSON object of this protocol: "),
            (r#"{"id":1,"result":1} x"#, "it sent a line that is no JSON object of this protocol: "),
            (r#"{"id":1}"#, "it sent an object that has not exactly one of the keys"),
            (r#"{"ready":false}"#, "it sent an object that has not exactly one of the keys"),
            (r#"{"id":1,"result":1,"error":"x"}"#, "it sent an object that has not exactly one of the keys"),
            (r#"{"id":1,"result_base64":"~"}"#, "its result_base64 is no base64: \"~\""),
            (r#"{"id":1,"result_base64":7}"#, "its result_base64 is no base64: \"7\""),
        ] {
            let error = said(line).unwrap_err();
            assert!(error.starts_with(words), "{line}: {error}");
        }
        let deep = format!(r#"{{"id":1,"result":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(said(&deep).unwrap().1.len(), 200_001);
        let garbage = [0xff, 0x1b, b'[', b'2', b'J'];
        assert!(!read(&mut garbage.to_vec()).unwrap_err().to_string().contains('\x1b'));
    }

    #[test]
    fn an_item_is_text_or_base64() {
        let line = |item: &[u8]| {
            let mut out = Vec::new();
            push(ItemId(7), Attempt(2), item, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(line("a\n\"b\" é\0".as_bytes()), "{\"id\":7,\"attempt\":2,\"item\":\"a\\n\\\"b\\\" é\\u0000\"}\n");
        assert_eq!(line(b"\xff"), "{\"id\":7,\"attempt\":2,\"item_base64\":\"/w==\"}\n");
    }
}
