//! `supervisor stats FILE`: what was typed.

use super::super::choices::choice;
use super::super::error::UsageError;
use super::super::parser::{self, Typed};
use super::super::values;
use crate::model::plot_file::PlotFile;
use clap::Parser;
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "stats";
pub const ABOUT: &str = "The numbers of a run, from its trace: throughput, percentiles, workers, batches.";

const AFTER: &str = "\
A trace is written by supervisor --trace FILE ...; with --trace-items the times of each item
are known. What a trace does not tell is left out, and named. A trace that is still being
written is shown as far as it goes. The fields of json are explained in docs/traces.md.

Exit code 2: FILE is no trace.";

/// How fast a run was, and what took how long.
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(about = ABOUT, after_help = AFTER)]
pub struct StatsCommand {
    /// The trace
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// text: tables; json: one object [text]
    #[arg(long, value_name = "FORMAT", value_parser = choice(&FORMATS), hide_possible_values = true)]
    pub format: Option<StatsFormat>,
    /// Also draws throughput and percentiles into FILE, which ends in .svg or .png; overwrites it
    #[arg(long, value_name = "FILE", value_parser = OsStringValueParser::new().try_map(values::plot_file))]
    pub plot: Option<PlotFile>,
}

/// The form of the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatsFormat {
    /// Tables for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

const FORMATS: [(&str, StatsFormat); 2] = [("text", StatsFormat::Text), ("json", StatsFormat::Json)];

/// Reads the words behind `stats`.
///
/// # Errors
/// They are wrong.
pub fn read(words: &[OsString]) -> Result<Typed<StatsCommand>, UsageError> {
    parser::read_subcommand(NAME, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Result<StatsCommand, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        match read(&words).map_err(|error| error.to_string())? {
            Typed::Flags(command) => Ok(command),
            Typed::Show(text) => panic!("{text}"),
        }
    }

    #[test]
    fn what_is_typed_is_read() {
        let none = StatsCommand { file: "a".into(), format: None, plot: None };
        assert_eq!(typed(&["a"]), Ok(none.clone()));
        assert_eq!(typed(&["--format=json", "a"]), Ok(StatsCommand { format: Some(StatsFormat::Json), ..none }));
        for (words, part) in [
            (&[][..], "FILE"),
            (&["a", "b"], "unexpected word \"b\""),
            (&["a", "--format", "xml"], "text, json"),
            (&["a", "--output", "json"], "--output"),
        ] {
            let error = typed(words).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{words:?}: {error}");
        }
    }

    #[test]
    #[cfg(feature = "plot")]
    fn a_plot_has_the_format_of_its_name() {
        let plot = typed(&["a", "--plot", "b.PNG"]).unwrap().plot;
        assert_eq!(plot, PlotFile::of("b.PNG".into()));
        assert!(typed(&["a", "--plot", "b.gif"]).unwrap_err().ends_with("the name of a plot ends in .svg or .png"));
    }
}
