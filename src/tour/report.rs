//! What a lesson has measured, and what became of its claims: for `--output json`, and for its exit code.

use super::language::{Language, Text};
use serde_json::{Value, json};

/// In what a value is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Milliseconds,
    Microseconds,
    Bytes,
    PerSecond,
    /// Not a number: how a process ended, a signal, an order.
    Words,
}

impl Unit {
    /// As `--output json` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Bytes => "bytes",
            Self::PerSecond => "per_second",
            Self::Words => "text",
        }
    }
}

/// A measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredValue {
    pub name: String,
    pub value: Value,
    pub unit: Unit,
}

impl MeasuredValue {
    /// As a reader sees it: `12 ms`.
    #[must_use]
    pub fn shown(&self) -> String {
        let number = match &self.value {
            Value::String(text) => return text.clone(),
            value => value.to_string(),
        };
        match self.unit {
            Unit::Count | Unit::Words => number,
            Unit::Milliseconds => format!("{number} ms"),
            Unit::Microseconds => format!("{number} µs"),
            Unit::Bytes => format!("{number} B"),
            Unit::PerSecond => format!("{number}/s"),
        }
    }
}

/// Milliseconds with one decimal.
#[must_use]
pub fn millis(nanos: u64) -> f64 {
    (nanos as f64 / 1e5).round() / 10.0
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimCheck {
    Holds,
    Fails,
    /// This machine cannot check it, as the text says.
    NotChecked(Text),
}

/// The measured part of a lesson.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LessonReport {
    pub values: Vec<MeasuredValue>,
    pub claims: Vec<(Text, ClaimCheck)>,
}

impl LessonReport {
    /// Whether no claim fails, and each of `expected` was looked at.
    #[must_use]
    pub fn holds(&self, expected: &[Text]) -> bool {
        let is_looked_at = |text: &Text| self.claims.iter().any(|(claim, _)| claim == text);
        expected.iter().all(is_looked_at) && self.claims.iter().all(|(_, check)| *check != ClaimCheck::Fails)
    }

    /// One object: `lesson`, `lang`, `values` (`name`, `value`, `unit`), and `claims` (`text`, `holds`, which is null with a
    /// `why` for one that this machine cannot check).
    #[must_use]
    pub fn json(&self, lesson: &str, language: Language) -> Value {
        let value = |measured: &MeasuredValue| json!({ "name": measured.name, "value": measured.value, "unit": measured.unit.name() });
        let claim = |(text, check): &(Text, ClaimCheck)| {
            let text = text.in_language(language);
            match check {
                ClaimCheck::Holds => json!({ "text": text, "holds": true }),
                ClaimCheck::Fails => json!({ "text": text, "holds": false }),
                ClaimCheck::NotChecked(why) => {
                    json!({ "text": text, "holds": null, "why": why.in_language(language) })
                }
            }
        };
        json!({
            "lesson": lesson,
            "lang": language.code(),
            "values": self.values.iter().map(value).collect::<Vec<_>>(),
            "claims": self.claims.iter().map(claim).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Text = Text { en: "it holds", ko: "성립합니다" };
    const OTHER: Text = Text { en: "it too", ko: "이것도 성립합니다" };

    #[test]
    fn a_claim_that_fails_or_was_forgotten_makes_the_lesson_fail() {
        let with = |claims: &[(Text, ClaimCheck)]| LessonReport { claims: claims.to_vec(), ..LessonReport::default() };
        assert!(with(&[(CLAIM, ClaimCheck::Holds)]).holds(&[CLAIM]));
        assert!(with(&[(CLAIM, ClaimCheck::NotChecked(OTHER))]).holds(&[CLAIM]));
        assert!(!with(&[(CLAIM, ClaimCheck::Fails)]).holds(&[CLAIM]));
        assert!(!with(&[(CLAIM, ClaimCheck::Holds)]).holds(&[CLAIM, OTHER]));
    }

    #[test]
    fn the_object_has_names_units_and_claims_in_the_language() {
        let report = LessonReport {
            values: vec![MeasuredValue { name: "taken".into(), value: json!(20), unit: Unit::Count }],
            claims: vec![(CLAIM, ClaimCheck::Holds), (OTHER, ClaimCheck::NotChecked(CLAIM))],
        };
        assert_eq!(
            report.json("queue", Language::Korean).to_string(),
            r#"{"claims":[{"holds":true,"text":"성립합니다"},{"holds":null,"text":"이것도 성립합니다","why":"성립합니다"}],"lang":"ko","lesson":"queue","values":[{"name":"taken","unit":"count","value":20}]}"#
        );
    }

    #[test]
    fn values_are_shown_with_their_unit() {
        let shown = |value: Value, unit| MeasuredValue { name: String::new(), value, unit }.shown();
        assert_eq!(shown(json!(millis(12_340_000)), Unit::Milliseconds), "12.3 ms");
        assert_eq!(shown(json!("exit 3"), Unit::Words), "exit 3");
        assert_eq!(shown(json!(20), Unit::Count), "20");
    }
}
