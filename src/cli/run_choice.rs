//! Which run a subcommand is about, and in which form it answers.

use super::choices::{ANSWER_FORMS, AnswerForm, choice};
use clap::Args;

/// The flags that all subcommands have which speak to a run.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct RunChoice {
    /// The run, by the pid of its supervisor, if there are several
    #[arg(long, value_name = "PID")]
    pub run: Option<u32>,
    /// text: words for people; json: the answer of the run [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    pub output: Option<AnswerForm>,
}
