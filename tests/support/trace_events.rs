//! The rules of trace event JSON, as a viewer relies on them.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A process and a thread of the format.
type Row = (u64, u64);

/// What was seen of one arrow: the phases, each with its time.
type Arrow = Vec<(char, u64)>;

/// Behind this many nanoseconds a time is not exact: its number in the text is one of microseconds with a fraction.
const EXACT_NS: u64 = 1 << 50;

/// Checks a whole file, and returns its events. Panics with the event that breaks a rule.
pub fn check(json: &[u8]) -> Vec<Value> {
    let file: Value = serde_json::from_slice(json).unwrap();
    assert!(file["otherData"].is_object(), "{}", file["otherData"]);
    let events = file["traceEvents"].as_array().unwrap();
    let (mut parties, mut rows) = (BTreeSet::new(), BTreeMap::<u64, Row>::new());
    let mut open: BTreeMap<Row, Vec<u64>> = BTreeMap::new();
    let mut latest: BTreeMap<Row, u64> = BTreeMap::new();
    let mut arrows: BTreeMap<(String, String, u64), Arrow> = BTreeMap::new();
    for event in events {
        let phase = event["ph"].as_str().unwrap();
        let row = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
        assert!(row.0 > 0 && row.1 > 0, "{event}");
        if phase == "M" {
            match event["name"].as_str().unwrap() {
                "process_name" => assert!(parties.insert(row.0) && event["args"]["name"].is_string(), "{event}"),
                "thread_name" => {
                    assert!(rows.insert(row.1, row).is_none() && event["args"]["name"].is_string(), "{event}");
                }
                "process_sort_index" | "thread_sort_index" => assert!(event["args"]["sort_index"].is_u64(), "{event}"),
                _ => panic!("{event}"),
            }
            continue;
        }
        assert!(parties.contains(&row.0) && rows.get(&row.1) == Some(&row), "no name: {event}");
        let at = time(event);
        let open = open.entry(row).or_default();
        if phase != "C" {
            let latest = latest.entry(row).or_default();
            assert!(*latest <= at, "not in the order of time: {event}");
            *latest = at;
        }
        if phase != "E" {
            assert!(event["name"].is_string(), "{event}");
        }
        match phase {
            "B" => {
                assert!(event["cat"].is_string() && event["args"].is_object(), "{event}");
                open.push(at);
            }
            "E" => {
                let from = open.pop().unwrap_or_else(|| panic!("no slice is open: {event}"));
                assert!(from < at || at > EXACT_NS, "shorter than 1 ns: {event}");
            }
            "i" => assert!(["t", "p", "g"].contains(&event["s"].as_str().unwrap()), "{event}"),
            "C" => {
                let numbers = event["args"].as_object().unwrap();
                assert!(!numbers.is_empty() && numbers.values().all(Value::is_u64), "{event}");
            }
            "s" | "t" | "f" => {
                assert!(open.last().is_some_and(|from| *from <= at), "at no slice: {event}");
                assert_eq!(event["bp"] == "e", phase != "s", "{event}");
                let text = |key: &str| event[key].as_str().unwrap().to_owned();
                let arrow = arrows.entry((text("cat"), text("name"), event["id"].as_u64().unwrap())).or_default();
                arrow.push((phase.chars().next().unwrap(), at));
            }
            _ => panic!("{event}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "a slice has no end: {open:?}");
    for (id, mut arrow) in arrows {
        // In the order of time, and in that of the file where the times are the same.
        if arrow.iter().all(|(_, at)| *at <= EXACT_NS) {
            arrow.sort_by_key(|(_, at)| *at);
        } else {
            arrow.sort_by_key(|(phase, _)| "stf".find(*phase));
        }
        let phases: String = arrow.iter().map(|(phase, _)| *phase).collect();
        assert!(["sf", "stf"].contains(&phases.as_str()), "{id:?}: {arrow:?}");
    }
    events.clone()
}

/// The time of an event, in nanoseconds.
fn time(event: &Value) -> u64 {
    let us = event["ts"].as_f64().unwrap();
    assert!(us >= 0.0, "{event}");
    (us * 1e3).round() as u64
}
