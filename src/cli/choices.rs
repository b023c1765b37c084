//! Flags whose value is one word of a closed list.

use super::error::UsageError;
use crate::model::arrangement::NameSource;
use crate::model::config::{ColorMode, OutputMode, ProgressMode, ShowWhen, SummaryMode};
use crate::model::journal_spec::{Durability, ResumeBy};
use crate::model::spec::{ExitCodeStyle, Leftovers, QueueOrder, RestartStrategy, RestartType, TransportKind};
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// How COMMAND gets its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolChoice {
    Exec,
    Lines,
    Json,
    Frames,
}

/// Whose output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownOutput {
    All,
    Failed,
    Never,
    /// All, and that of failed items at the end again.
    Final,
}

/// Where workers live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    Process,
    /// Threads of the supervisor.
    Thread,
}

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

pub const PROTOCOLS: [(&str, ProtocolChoice); 4] = [
    ("exec", ProtocolChoice::Exec),
    ("lines", ProtocolChoice::Lines),
    ("json", ProtocolChoice::Json),
    ("frames", ProtocolChoice::Frames),
];
pub const TRANSPORTS: [(&str, TransportKind); TransportKind::ALL.len()] = [
    (TransportKind::Pipe.name(), TransportKind::Pipe),
    (TransportKind::Socket.name(), TransportKind::Socket),
    (TransportKind::Shm.name(), TransportKind::Shm),
    (TransportKind::File.name(), TransportKind::File),
    (TransportKind::Mqueue.name(), TransportKind::Mqueue),
    (TransportKind::Channel.name(), TransportKind::Channel),
];
pub const NAMES: [(&str, NameSource); 2] = [(":", NameSource::FirstLine), ("0", NameSource::Paths)];
pub const ISOLATIONS: [(&str, Isolation); 2] = [("process", Isolation::Process), ("thread", Isolation::Thread)];
pub const LEFTOVERS: [(&str, Leftovers); 2] = [("kill", Leftovers::Kill), ("leave", Leftovers::Leave)];
pub const QUEUES: [(&str, QueueOrder); 3] =
    [("fifo", QueueOrder::Fifo), ("lifo", QueueOrder::Lifo), ("priority", QueueOrder::Priority)];
pub const OUTPUTS: [(&str, OutputMode); 4] = [
    ("narrate", OutputMode::Narrate),
    ("results", OutputMode::Results),
    ("json", OutputMode::Json),
    ("none", OutputMode::None),
];
pub const SHOWN: [(&str, ShownOutput); 4] = [
    ("all", ShownOutput::All),
    ("failed", ShownOutput::Failed),
    ("never", ShownOutput::Never),
    ("final", ShownOutput::Final),
];
pub const SHOW_WHEN: [(&str, ShowWhen); 4] = [
    ("immediate", ShowWhen::Immediate),
    ("immediate-final", ShowWhen::ImmediateFinal),
    ("final", ShowWhen::Final),
    ("never", ShowWhen::Never),
];
pub const SUMMARIES: [(&str, SummaryMode); 3] =
    [("auto", SummaryMode::Auto), ("always", SummaryMode::Always), ("never", SummaryMode::Never)];
pub const PROGRESS: [(&str, ProgressMode); 5] = [
    ("auto", ProgressMode::Auto),
    ("bar", ProgressMode::Bar),
    ("plain", ProgressMode::Plain),
    ("json", ProgressMode::Json),
    ("none", ProgressMode::None),
];
pub const EXIT_CODES: [(&str, ExitCodeStyle); 3] =
    [("own", ExitCodeStyle::Own), ("count", ExitCodeStyle::Count), ("xargs", ExitCodeStyle::Xargs)];

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
