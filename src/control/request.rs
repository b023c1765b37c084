//! A line of a client: what it asks of the run.
//!
//! Invariant: pure. A line that is no request is answered with what is wrong about which field; no line makes it panic.

use super::PROTOCOL_VERSION;
use super::answer::{ControlError, ErrorCode};
use crate::model::signal::Signal;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt::{self, Display};

/// Most characters of an id that is a text.
const ID_CHARS_MAX: usize = 64;
/// As many characters of a client's own text are repeated in an error.
const SHOWN_CHARS_MAX: usize = 40;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum ControlRequest {
    /// Whether the run answers.
    Ping,
    /// The state of the run and of its workers.
    Status,
    /// Send a signal to one worker.
    Signal {
        /// The number of its slot, or the pid of its process.
        worker: u32,
        #[serde(serialize_with = "name_of_signal")]
        signal: Signal,
    },
    /// Give an item up.
    Cancel { item: u64 },
    /// Go on with so many workers, or with so many more or fewer.
    Scale {
        #[serde(skip_serializing_if = "Option::is_none")]
        workers: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<i64>,
    },
    /// Begin nothing more; what runs may finish.
    Drain,
    /// As a signal does: a further one is firmer.
    Stop,
    /// Send every worker through the term sequence.
    Terminate,
    /// Send KILL to every worker.
    KillAll,
    /// Stop the workers, and hand out nothing until `continue`.
    Pause,
    /// Go on after `pause`.
    Continue,
    /// Replace the process of a worker, or of all, one after another; nothing is lost.
    Restart {
        /// The number of its slot, or the pid of its process.
        #[serde(skip_serializing_if = "Option::is_none")]
        worker: Option<u32>,
    },
    /// Send the events of the run from now on.
    Subscribe,
    /// Answer when the run has ended.
    Wait,
}

fn name_of_signal<S: Serializer>(signal: &Signal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&signal.name())
}

/// As a person would say it.
impl fmt::Display for ControlRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("ping"),
            Self::Status => f.write_str("status"),
            Self::Signal { worker, signal } => write!(f, "signal {signal} to worker {worker}"),
            Self::Cancel { item } => write!(f, "cancel item {item}"),
            Self::Scale { workers, by } => match (workers, by) {
                (Some(workers), _) => write!(f, "scale to {workers}"),
                (None, by) => write!(f, "scale by {:+}", by.unwrap_or(0)),
            },
            Self::Drain => f.write_str("drain"),
            Self::Stop => f.write_str("stop"),
            Self::Terminate => f.write_str("terminate"),
            Self::KillAll => f.write_str("kill all"),
            Self::Pause => f.write_str("pause"),
            Self::Continue => f.write_str("continue"),
            Self::Restart { worker: None } => f.write_str("restart"),
            Self::Restart { worker: Some(worker) } => write!(f, "restart worker {worker}"),
            Self::Subscribe => f.write_str("subscribe"),
            Self::Wait => f.write_str("wait"),
        }
    }
}

/// A request, with the id that its answer repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLine {
    pub id: Option<Value>,
    pub request: ControlRequest,
}

/// A line that is no request.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedLine {
    pub id: Option<Value>,
    pub error: ControlError,
}

/// A request as a line.
#[must_use]
pub fn write(request: &ControlRequest, id: u64) -> Vec<u8> {
    let mut fields = match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.insert("version".to_owned(), PROTOCOL_VERSION.into());
    fields.insert("id".to_owned(), id.into());
    let mut line = Value::Object(fields).to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Reads a line, without its newline.
///
/// # Errors
/// It is no request; the error names the field.
pub fn read(line: &[u8]) -> Result<RequestLine, RefusedLine> {
    let without_id = |error| RefusedLine { id: None, error };
    let value = serde_json::from_slice(line)
        .map_err(|error| without_id(ControlError::new(ErrorCode::NotJson, format!("the line is no JSON: {error}"))))?;
    let Value::Object(map) = value else {
        return Err(without_id(ControlError::new(ErrorCode::NotJson, "the line is no object".to_owned())));
    };
    let mut fields = RequestFields { map };
    let id = fields.id().map_err(without_id)?;
    match fields.request() {
        Ok(request) => Ok(RequestLine { id, request }),
        Err(error) => Err(RefusedLine { id, error }),
    }
}

/// The fields of a line that were not read yet.
struct RequestFields {
    map: Map<String, Value>,
}

impl RequestFields {
    fn id(&mut self) -> Result<Option<Value>, ControlError> {
        match self.map.remove("id") {
            None | Some(Value::Null) => Ok(None),
            Some(id @ Value::Number(_)) => Ok(Some(id)),
            Some(Value::String(text)) if text.chars().count() <= ID_CHARS_MAX => Ok(Some(Value::String(text))),
            Some(_) => Err(wrong("id", format_args!("a number, or a text of at most {ID_CHARS_MAX} characters"))),
        }
    }

    fn request(&mut self) -> Result<ControlRequest, ControlError> {
        match self.map.remove("version") {
            None => {}
            Some(version) if version.as_u64() == Some(PROTOCOL_VERSION) => {}
            Some(_) => {
                let text = format!("this run speaks version {PROTOCOL_VERSION} of the protocol");
                return Err(ControlError::of_field(ErrorCode::Version, "version", text));
            }
        }
        let name = match self.map.remove("request") {
            Some(Value::String(name)) => name,
            Some(_) => return Err(wrong("request", "the name of a request")),
            None => return Err(missing("request")),
        };
        let request = self.named(&name)?;
        match self.map.keys().next() {
            None => Ok(request),
            Some(field) => {
                let (field, name) = (shown(field), shown(&name));
                let text = format!("`{name}` has no field `{field}`");
                Err(ControlError::of_field(ErrorCode::UnknownField, &field, text))
            }
        }
    }

    fn named(&mut self, name: &str) -> Result<ControlRequest, ControlError> {
        Ok(match name {
            "ping" => ControlRequest::Ping,
            "status" => ControlRequest::Status,
            "signal" => ControlRequest::Signal { worker: self.worker()?, signal: self.signal()? },
            "cancel" => ControlRequest::Cancel { item: self.item()? },
            "scale" => self.scale()?,
            "drain" => ControlRequest::Drain,
            "stop" => ControlRequest::Stop,
            "terminate" => ControlRequest::Terminate,
            "kill-all" => ControlRequest::KillAll,
            "pause" => ControlRequest::Pause,
            "continue" => ControlRequest::Continue,
            "restart" if !self.map.contains_key("worker") => ControlRequest::Restart { worker: None },
            "restart" => ControlRequest::Restart { worker: Some(self.worker()?) },
            "subscribe" => ControlRequest::Subscribe,
            "wait" => ControlRequest::Wait,
            other => {
                let text = format!("there is no request `{}`", shown(other));
                return Err(ControlError::of_field(ErrorCode::UnknownRequest, "request", text));
            }
        })
    }

    fn worker(&mut self) -> Result<u32, ControlError> {
        let Some(value) = self.map.remove("worker") else { return Err(missing("worker")) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
        number.ok_or_else(|| wrong("worker", "the number of a worker, from 1, or a pid"))
    }

    fn signal(&mut self) -> Result<Signal, ControlError> {
        let signal = match self.map.remove("signal") {
            None => return Err(missing("signal")),
            Some(Value::String(name)) => Signal::parse(&name),
            Some(number) => number.as_u64().and_then(|number| u8::try_from(number).ok()).map(Signal),
        };
        let known = signal.filter(|signal| signal.is_known());
        known.ok_or_else(|| wrong("signal", "the name of a signal, such as KILL, or its number"))
    }

    fn item(&mut self) -> Result<u64, ControlError> {
        let Some(value) = self.map.remove("item") else { return Err(missing("item")) };
        value.as_u64().ok_or_else(|| wrong("item", "the number of an item, from 0"))
    }

    fn scale(&mut self) -> Result<ControlRequest, ControlError> {
        match (self.map.remove("workers"), self.map.remove("by")) {
            (None, None) => Err(missing("workers")),
            (Some(_), Some(_)) => Err(wrong("by", "absent where `workers` is given")),
            (Some(workers), None) => {
                let number = workers.as_u64().and_then(|number| u32::try_from(number).ok());
                let workers = number.filter(|number| *number > 0);
                let workers = workers.ok_or_else(|| wrong("workers", "a number of workers, at least 1"))?;
                Ok(ControlRequest::Scale { workers: Some(workers), by: None })
            }
            (None, Some(by)) => {
                let by = by.as_i64().filter(|by| by.unsigned_abs() <= u64::from(u32::MAX));
                let by = by.ok_or_else(|| wrong("by", "a number of workers, such as 2 or -1"))?;
                Ok(ControlRequest::Scale { workers: None, by: Some(by) })
            }
        }
    }
}

fn missing(field: &str) -> ControlError {
    ControlError::of_field(ErrorCode::MissingField, field, format!("the field `{field}` is missing"))
}

fn wrong(field: &str, what: impl Display) -> ControlError {
    ControlError::of_field(ErrorCode::WrongField, field, format!("`{field}` has to be {what}"))
}

/// The beginning of a text, without what moves a terminal.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).map(|char| if char.is_control() { '?' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_comes_back_from_its_line() {
        let signal = ControlRequest::Signal { worker: 3, signal: Signal::KILL };
        let requests = [
            ControlRequest::Ping,
            ControlRequest::Status,
            signal.clone(),
            ControlRequest::Cancel { item: u64::MAX },
            ControlRequest::Scale { workers: Some(4), by: None },
            ControlRequest::Scale { workers: None, by: Some(-2) },
            ControlRequest::Drain,
            ControlRequest::Stop,
            ControlRequest::Terminate,
            ControlRequest::KillAll,
            ControlRequest::Pause,
            ControlRequest::Continue,
            ControlRequest::Restart { worker: None },
            ControlRequest::Restart { worker: Some(2) },
            ControlRequest::Subscribe,
            ControlRequest::Wait,
        ];
        for request in requests {
            let line = write(&request, 9);
            let read = read(line.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!(read, RequestLine { id: Some(9.into()), request });
        }
        let line = br#"{"request":"signal","worker":3,"signal":9,"id":"a"}"#;
        assert_eq!(read(line).unwrap(), RequestLine { id: Some("a".into()), request: signal });
    }

    #[test]
    fn an_error_names_the_field_and_what_belongs_there() {
        let long = format!(r#"{{"request":"ping","id":"{}"}}"#, "x".repeat(65));
        for (line, field, text) in [
            ("", None, "the line is no JSON"),
            ("[]", None, "the line is no object"),
            ("{", None, "the line is no JSON"),
            ("{}", Some("request"), "the field `request` is missing"),
            (r#"{"request":3}"#, Some("request"), "`request` has to be the name of a request"),
            (r#"{"request":"fly"}"#, Some("request"), "there is no request `fly`"),
            (r#"{"request":"ping","version":2}"#, Some("version"), "this run speaks version 1"),
            (r#"{"request":"ping","x":2}"#, Some("x"), "`ping` has no field `x`"),
            (r#"{"request":"ping","id":[]}"#, Some("id"), "`id` has to be a number, or a text"),
            (&long, Some("id"), "`id` has to be"),
            (r#"{"request":"signal"}"#, Some("worker"), "the field `worker` is missing"),
            (r#"{"request":"signal","worker":0,"signal":9}"#, Some("worker"), "`worker` has to be the number"),
            (r#"{"request":"signal","worker":1}"#, Some("signal"), "the field `signal` is missing"),
            (r#"{"request":"signal","worker":1,"signal":"NO"}"#, Some("signal"), "the name of a signal"),
            (r#"{"request":"signal","worker":1,"signal":0}"#, Some("signal"), "the name of a signal"),
            (r#"{"request":"cancel","item":-1}"#, Some("item"), "`item` has to be the number of an item"),
            (r#"{"request":"scale"}"#, Some("workers"), "the field `workers` is missing"),
            (r#"{"request":"scale","workers":0}"#, Some("workers"), "at least 1"),
            (r#"{"request":"scale","workers":1,"by":1}"#, Some("by"), "absent"),
            (r#"{"request":"scale","by":1.5}"#, Some("by"), "such as 2 or -1"),
        ] {
            let error = read(line.as_bytes()).unwrap_err().error;
            assert_eq!(error.field.as_deref(), field, "{line}");
            assert!(error.text.contains(text), "{line}: {}", error.text);
        }
    }

    #[test]
    fn an_error_repeats_little_of_a_line_and_moves_no_terminal() {
        let line = format!(r#"{{"request":"{}\u001b[2J","id":7}}"#, "y".repeat(30));
        let refused = read(line.as_bytes()).unwrap_err();
        assert_eq!(refused.id, Some(7.into()));
        assert!(refused.error.text.contains("?[2J") && refused.error.text.len() < 80, "{}", refused.error.text);
        let deep = "[".repeat(4000);
        assert!(read(deep.as_bytes()).is_err());
    }
}
