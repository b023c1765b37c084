//! Flags whose value is one word of a closed list.

use super::error::UsageError;
use crate::model::config::ColorMode;
use crate::model::journal_spec::{Durability, ResumeBy};
use crate::model::spec::{RestartStrategy, RestartType};
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// When text has colors.
pub const COLORS: [(&str, ColorMode); 3] =
    [("auto", ColorMode::Auto), ("always", ColorMode::Always), ("never", ColorMode::Never)];

pub const RESUMED_BY: [(&str, ResumeBy); 2] = [("position", ResumeBy::Position), ("item", ResumeBy::Item)];
pub const DURABILITIES: [(&str, Durability); 2] = [("process", Durability::Process), ("power", Durability::Power)];
pub const RESTARTS: [(&str, RestartType); 3] = [
    ("permanent", RestartType::Permanent),
    ("transient", RestartType::Transient),
    ("temporary", RestartType::Temporary),
];
pub const STRATEGIES: [(&str, RestartStrategy); 3] = [
    ("one-for-one", RestartStrategy::OneForOne),
    ("one-for-all", RestartStrategy::OneForAll),
    ("rest-for-one", RestartStrategy::RestForOne),
];

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerForm {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

pub const ANSWER_FORMS: [(&str, AnswerForm); 2] = [("text", AnswerForm::Text), ("json", AnswerForm::Json)];

/// Accepts one word of a closed list. (The model's enums do not know how the command line spells them.)
pub fn choice<T: Copy + Send + Sync>(words: &'static [(&'static str, T)]) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).try_map(|typed: String| {
        words.iter().find(|(word, _)| *word == typed).map(|(_, value)| *value).ok_or(UsageError::Flags(typed))
    })
}
