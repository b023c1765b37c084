//! A report for programs: one JSON object. Pure.

use super::report::ErrorObject;
use super::{Comparison, ComparisonReport, Machine, Measured};
use crate::transport::Copies;
use serde::Serialize;

#[derive(Serialize)]
struct ReportObject<'a> {
    rounds: u32,
    took: f64,
    machine: &'a Machine,
    mechanisms: Vec<RowObject<'a>>,
}

#[derive(Serialize)]
struct RowObject<'a> {
    mechanism: &'static str,
    copies: Option<Copies>,
    #[serde(flatten)]
    found: FoundObject<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FoundObject<'a> {
    Measured(&'a Measured),
    Failed(ErrorObject<'a>),
}

/// The report as one line of JSON, with a newline at its end. What is no finite number is null.
///
/// # Errors
/// None is known: every value of a report has a form in JSON.
pub fn text(report: &ComparisonReport) -> serde_json::Result<String> {
    let mechanisms = report.rows.iter().map(row).collect();
    let (rounds, took, machine) = (report.rounds, report.took_s, &report.machine);
    Ok(serde_json::to_string(&ReportObject { rounds, took, machine, mechanisms })? + "\n")
}

fn row(row: &Comparison) -> RowObject<'_> {
    let found = match &row.measured {
        Ok(found) => FoundObject::Measured(found),
        Err(why) => FoundObject::Failed(ErrorObject { error: &why.reason }),
    };
    RowObject { mechanism: row.mechanism.name(), copies: row.copies, found }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_number_of_a_report_is_there_and_every_text_is_escaped() {
        let mut report = sample::report();
        report.machine.processor = "a \"quoted\" \\ name".to_owned();
        let text = text(&report).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["machine"]["processor"], "a \"quoted\" \\ name");
        assert_eq!((&value["rounds"], &value["took"]), (&json!(3), &json!(14.25)));
        let pipe = &value["mechanisms"][0];
        assert_eq!(pipe["mechanism"], "pipe");
        assert_eq!(pipe["items_per_second"], json!({"median": 21_300_000.0, "min": 21_000_000.0, "max": 21_500_000.0}));
        assert_eq!(pipe["system_calls"]["supervisor"]["median"], json!(3.0));
        assert_eq!(pipe["system_calls"]["calls"][0], json!({"side": "supervisor", "call": "read", "count": 1.0}));
        assert_eq!(pipe["context_switches"]["voluntary"]["median"], json!(2.0));
        assert_eq!(pipe["copies"], json!({"message": {"there": 3, "back": 3}, "batch": {"there": 2, "back": 2}}));
        assert_eq!(pipe["kill"]["lost"], json!(0));
        assert_eq!(pipe["kill"]["ran_again"]["median"], json!(1203.0));
        let rows = value["mechanisms"].as_array().unwrap();
        let mqueue = rows.iter().find(|row| row["mechanism"] == "mqueue").unwrap();
        assert!(mqueue["error"].as_str().unwrap().starts_with("failed to "));
        assert!(mqueue.get("items_per_second").is_none());
        assert_eq!(rows.last().unwrap()["kill"], Value::Null);
    }

    #[test]
    fn what_is_no_finite_number_is_null_and_what_cannot_be_counted_says_why() {
        let mut report = sample::report();
        report.took_s = f64::NAN;
        let Ok(pipe) = &mut report.rows[0].measured else { panic!("the sample has a pipe") };
        pipe.calls = Err("failed to count system calls by ptrace: EPERM".to_owned());
        let value: Value = serde_json::from_str(&text(&report).unwrap()).unwrap();
        assert_eq!(value["took"], Value::Null);
        let calls = &value["mechanisms"][0]["system_calls"];
        assert_eq!(calls, &json!({"error": "failed to count system calls by ptrace: EPERM"}));
    }
}
