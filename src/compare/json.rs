//! A report for programs: one JSON object. Pure.

use super::{CallCosts, Comparison, ComparisonReport, Figure, KillFindings, Machine, Measured, Side};
use crate::reporter::object::push_string;
use crate::transport::{Copies, RoundTrip};

/// The report as one line of JSON, with a newline at its end.
#[must_use]
pub fn text(report: &ComparisonReport) -> String {
    let rows = report.rows.iter().map(row);
    let fields = [
        ("rounds", report.rounds.to_string()),
        ("took", number(report.took_s)),
        ("machine", machine(&report.machine)),
        ("mechanisms", list(rows)),
    ];
    object(&fields) + "\n"
}

fn machine(machine: &Machine) -> String {
    object(&[
        ("cores", machine.cores.to_string()),
        ("kernel", string(&machine.kernel)),
        ("processor", string(&machine.processor)),
        ("load", machine.load.map_or_else(null, number)),
        ("debug_build", machine.is_debug_build.to_string()),
    ])
}

fn row(row: &Comparison) -> String {
    let mut fields =
        vec![("mechanism", string(row.mechanism.name())), ("copies", row.copies.map_or_else(null, copies))];
    match &row.measured {
        Ok(found) => measured(found, &mut fields),
        Err(error) => fields.push(("error", string(error))),
    }
    object(&fields)
}

fn measured(found: &Measured, fields: &mut Vec<(&'static str, String)>) {
    fields.extend([
        ("items_per_second", figure(found.items_per_s)),
        ("messages_per_second", figure(found.messages_per_s)),
        ("round_trip_us", figure(found.round_trip_us)),
        ("round_trip_p99_us", figure(found.round_trip_p99_us)),
        ("system_calls", found.calls.as_ref().map_or_else(|error| object(&[("error", string(error))]), calls)),
        (
            "context_switches",
            object(&[
                ("voluntary", figure(found.switches.voluntary)),
                ("involuntary", figure(found.switches.involuntary)),
            ]),
        ),
        ("kill", found.kill.as_ref().map_or_else(null, kill)),
    ]);
}

fn calls(calls: &CallCosts) -> String {
    let named = calls.named.iter().map(|call| {
        let side = match call.side {
            Side::Supervisor => "supervisor",
            Side::Worker => "worker",
        };
        object(&[("side", string(side)), ("call", string(call.name)), ("count", number(call.per_round_trip))])
    });
    object(&[
        ("supervisor", figure(calls.supervisor)),
        ("worker", figure(calls.worker)),
        ("per_item", figure(calls.per_item)),
        ("calls", list(named)),
    ])
}

fn kill(kill: &KillFindings) -> String {
    object(&[
        ("kills", kill.kills.to_string()),
        ("items", kill.items.to_string()),
        ("lost", kill.lost.to_string()),
        ("twice", kill.twice.to_string()),
        ("ran_again", figure(kill.ran_again)),
    ])
}

fn copies(copies: Copies) -> String {
    let trip = |trip: RoundTrip| object(&[("there", trip.there.to_string()), ("back", trip.back.to_string())]);
    object(&[("message", trip(copies.message)), ("batch", trip(copies.batch))])
}

fn figure(figure: Figure) -> String {
    object(&[("median", number(figure.median)), ("min", number(figure.min)), ("max", number(figure.max))])
}

/// A finite number; JSON has no other.
fn number(number: f64) -> String {
    if number.is_finite() { number.to_string() } else { null() }
}

fn null() -> String {
    "null".to_owned()
}

fn string(text: &str) -> String {
    let mut out = Vec::new();
    push_string(&mut out, text);
    String::from_utf8_lossy(&out).into_owned()
}

fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

/// The names are constants that need no escaping.
fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_number_of_a_report_is_there_and_every_text_is_escaped() {
        let mut report = sample::report();
        report.machine.processor = "a \"quoted\" \\ name".to_owned();
        let text = text(&report);
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["machine"]["processor"], "a \"quoted\" \\ name");
        assert_eq!((&value["rounds"], &value["took"]), (&json!(3), &json!(14.25)));
        let pipe = &value["mechanisms"][0];
        assert_eq!(pipe["mechanism"], "pipe");
        assert_eq!(pipe["items_per_second"], json!({"median": 21_300_000, "min": 21_000_000, "max": 21_500_000}));
        assert_eq!(pipe["system_calls"]["supervisor"]["median"], json!(3));
        assert_eq!(pipe["system_calls"]["calls"][0], json!({"side": "supervisor", "call": "read", "count": 1}));
        assert_eq!(pipe["context_switches"]["voluntary"]["median"], json!(2));
        assert_eq!(pipe["copies"], json!({"message": {"there": 3, "back": 3}, "batch": {"there": 2, "back": 2}}));
        assert_eq!(pipe["kill"]["lost"], json!(0));
        assert_eq!(pipe["kill"]["ran_again"]["median"], json!(1203));
        let rows = value["mechanisms"].as_array().unwrap();
        let mqueue = rows.iter().find(|row| row["mechanism"] == "mqueue").unwrap();
        assert!(mqueue["error"].as_str().unwrap().starts_with("failed to "));
        assert!(mqueue.get("items_per_second").is_none());
        assert_eq!(rows.last().unwrap()["kill"], Value::Null);
    }

    #[test]
    fn what_is_no_number_is_null() {
        assert_eq!(number(f64::NAN), "null");
        assert_eq!(number(0.25), "0.25");
    }
}
