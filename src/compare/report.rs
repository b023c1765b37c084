//! What a comparison found. Plain values: [`super::measure()`] makes them, `table`, `json` and `chart` write them down.
//! Their names in JSON are stated here.

use super::{Figure, Machine, Mechanism};
use crate::transport::Copies;
use serde::{Serialize, Serializer};
use std::fmt;

/// A comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparisonReport {
    pub machine: Machine,
    /// How often each number was measured.
    pub rounds: u32,
    /// How long the comparison took, in seconds.
    pub took_s: f64,
    pub rows: Vec<Comparison>,
}

/// What was found of one mechanism.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub mechanism: Mechanism,
    /// By design: stated beside the code of the transport, not measured. `None`: this build has no such code.
    pub copies: Option<Copies>,
    /// Or why it has no numbers.
    pub measured: Result<Measured, NotMeasured>,
}

/// Why a mechanism has no numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotMeasured {
    /// "failed to ...", on one line.
    pub reason: String,
    /// A run ended without all of its items done: a defect. Else this machine or this build cannot do it.
    pub is_unfinished: bool,
}

impl fmt::Display for NotMeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// What was measured of one mechanism.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Items a second, in batches as large as the supervisor makes them.
    #[serde(rename = "items_per_second")]
    pub items_per_s: Figure,
    /// Items a second with one item in each message, any number of messages in flight.
    #[serde(rename = "messages_per_second")]
    pub messages_per_s: Figure,
    /// With one item in flight: the median time from one result to the next, in microseconds.
    pub round_trip_us: Figure,
    /// The time that 99 of 100 round trips do not exceed.
    pub round_trip_p99_us: Figure,
    /// Or why system calls cannot be counted here.
    #[serde(rename = "system_calls", serialize_with = "calls_or_error")]
    pub calls: Result<CallCosts, String>,
    #[serde(rename = "context_switches")]
    pub switches: SwitchCosts,
    /// `None` for a thread: it cannot be killed alone.
    pub kill: Option<KillFindings>,
}

/// System calls.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallCosts {
    /// Of the supervisor in a round trip with one item in flight.
    pub supervisor: Figure,
    /// Of the worker in that round trip.
    pub worker: Figure,
    /// Of both for an item in batches.
    pub per_item: Figure,
    /// Which ones in a round trip, most frequent first.
    #[serde(rename = "calls")]
    pub named: Vec<NamedCall>,
}

/// One side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Supervisor,
    Worker,
}

/// How often a side makes a system call in a round trip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedCall {
    pub side: Side,
    #[serde(rename = "call")]
    pub name: &'static str,
    #[serde(rename = "count")]
    pub per_round_trip: f64,
}

/// Context switches of both sides in a round trip with one item in flight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SwitchCosts {
    /// To wait for the other side.
    pub voluntary: Figure,
    /// The system took the processor away.
    pub involuntary: Figure,
}

/// What a KILL of the worker, in the middle of a batch, did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KillFindings {
    /// Kills, one in a run.
    pub kills: u32,
    /// Items of these runs.
    pub items: u64,
    /// Items without a right result, of all runs. Has to be 0.
    pub lost: u64,
    /// Items with more than one result, of all runs. Has to be 0.
    pub twice: u64,
    /// Items that were finished and then ran a second time, for a kill.
    pub ran_again: Figure,
}

/// Why something is missing, in its place.
#[derive(Serialize)]
pub(super) struct ErrorObject<'a> {
    pub error: &'a str,
}

fn calls_or_error<S: Serializer>(calls: &Result<CallCosts, String>, serializer: S) -> Result<S::Ok, S::Error> {
    match calls {
        Ok(calls) => calls.serialize(serializer),
        Err(error) => ErrorObject { error }.serialize(serializer),
    }
}

/// A report with fixed numbers, for the tests of those who write reports down.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::config::TransportKind;
    use crate::transport::{copies, in_process};

    fn figure(median: f64, min: f64, max: f64) -> Figure {
        Figure { median, min, max }
    }

    fn exactly(number: f64) -> Figure {
        figure(number, number, number)
    }

    fn pipe() -> Measured {
        Measured {
            items_per_s: figure(21_300_000.0, 21_000_000.0, 21_500_000.0),
            messages_per_s: figure(2_412_000.0, 2_300_000.0, 2_500_000.0),
            round_trip_us: figure(48.13, 47.0, 53.0),
            round_trip_p99_us: figure(71.2, 65.0, 140.0),
            calls: Ok(CallCosts {
                supervisor: exactly(3.0),
                worker: exactly(2.0),
                per_item: figure(0.000_68, 0.000_66, 0.000_71),
                named: vec![NamedCall { side: Side::Supervisor, name: "read", per_round_trip: 1.0 }],
            }),
            switches: SwitchCosts { voluntary: exactly(2.0), involuntary: figure(0.002, 0.0, 0.01) },
            kill: Some(KillFindings {
                kills: 3,
                items: 300_000,
                lost: 0,
                twice: 0,
                ran_again: figure(1_203.0, 0.0, 7_000.0),
            }),
        }
    }

    pub fn report() -> ComparisonReport {
        let row = |mechanism, copies, measured| Comparison { mechanism, copies, measured };
        let of = |kind, measured| row(Mechanism::Process(kind), copies(kind), measured);
        let shm = Measured {
            items_per_s: exactly(57_000_000.0),
            kill: pipe().kill.map(|kill| KillFindings { ran_again: exactly(0.0), ..kill }),
            ..pipe()
        };
        let refused = "failed to open the message queues of 1 worker: they need 655,360 bytes, and ulimit -q allows \
                       4,096; raise it, or give another --transport";
        ComparisonReport {
            machine: Machine {
                cores: 2,
                kernel: "6.18.44".to_owned(),
                processor: "Some CPU @ 2.00GHz".to_owned(),
                load: Some(0.3),
                is_debug_build: false,
            },
            rounds: 3,
            took_s: 14.25,
            rows: vec![
                of(TransportKind::Pipe, Ok(pipe())),
                of(TransportKind::Shm, Ok(shm)),
                of(TransportKind::Mqueue, Err(NotMeasured { reason: refused.to_owned(), is_unfinished: false })),
                row(Mechanism::Thread, Some(in_process::COPIES), Ok(Measured { kill: None, ..pipe() })),
            ],
        }
    }
}
