//! `supervisor compare`: what was typed.

use super::super::error::UsageError;
use super::super::parser::{self, Typed};
use super::super::values;
use crate::model::mechanism::Mechanism;
use crate::model::plot_file::PlotFile;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Parser};
use std::ffi::OsString;

/// Its name.
pub const NAME: &str = "compare";

/// For the list of subcommands.
pub const ABOUT: &str = "What each transport costs on this machine, side by side.";

/// What a comparison is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompareOutput {
    /// Tables for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// What to compare, as it is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareOptions {
    /// In the order of the report; `None`: all.
    pub mechanisms: Option<Vec<Mechanism>>,
    /// `None`: as many as are usual.
    pub rounds: Option<u32>,
    pub output: CompareOutput,
    pub plot: Option<PlotFile>,
}

/// Every flag.
#[derive(Clone, Debug, Parser)]
#[command(
    about = "Holds the same conversation over each transport of this machine, and shows what it costs: \
             throughput, round trip, system calls, context switches, copies, and what a KILL does.",
    override_usage = "supervisor compare [OPTIONS]",
    after_help = "Takes about five seconds a round on two cores; leave the machine alone meanwhile. No privilege needed.\n\
                  Exit code 1: a transport that was asked for could not be measured, or an item was lost.",
    disable_version_flag = true
)]
struct CompareFlags {
    /// Only these: pipe,socket,shm,file,mqueue,channel,thread [all]
    #[arg(long, value_name = "LIST", value_parser = mechanisms)]
    transport: Option<Mechanisms>,
    /// Measures each number N times and shows the median [3]
    #[arg(long, value_name = "N", value_parser = values::positive_u32)]
    rounds: Option<u32>,
    /// text: tables; json: one object, with the spread of each number [text]
    #[arg(long, value_name = "MODE", value_parser = output(), hide_possible_values = true, action = ArgAction::Set)]
    output: Option<CompareOutput>,
    /// Also draws bars into FILE, which ends in .svg or .png; overwrites it
    #[arg(long, value_name = "FILE", value_parser = OsStringValueParser::new().try_map(values::plot_file))]
    plot: Option<PlotFile>,
}

/// A list that was typed. (A vector would be read as a flag that may be repeated.)
#[derive(Clone, Debug)]
struct Mechanisms(Vec<Mechanism>);

fn mechanisms(text: &str) -> Result<Mechanisms, String> {
    let mut list = Vec::new();
    for name in text.split(',') {
        let mechanism = Mechanism::by_name(name).ok_or_else(|| {
            let known = Mechanism::ALL.map(Mechanism::name).join(", ");
            format!("no transport is called {name:?}; use some of {known}")
        })?;
        if !list.contains(&mechanism) {
            list.push(mechanism);
        }
    }
    Ok(Mechanisms(list))
}

fn output() -> impl TypedValueParser<Value = CompareOutput> {
    PossibleValuesParser::new(["text", "json"]).map(|word| match word.as_str() {
        "json" => CompareOutput::Json,
        _ => CompareOutput::Text,
    })
}

/// Reads the words behind the name.
///
/// # Errors
/// They are no flags of this subcommand.
pub fn read(words: &[OsString]) -> Result<Typed<CompareOptions>, UsageError> {
    let typed = parser::read_subcommand::<CompareFlags>(NAME, words)?;
    Ok(typed.map(|CompareFlags { transport, rounds, output, plot }| {
        let mechanisms = transport.map(|Mechanisms(list)| list);
        CompareOptions { mechanisms, rounds, output: output.unwrap_or_default(), plot }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plot_file::PlotFormat;
    use crate::model::spec::TransportKind;

    fn options(words: &[&str]) -> Result<CompareOptions, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        match read(&words).map_err(|error| error.to_string())? {
            Typed::Flags(options) => Ok(options),
            Typed::Show(text) => panic!("{text}"),
        }
    }

    #[test]
    fn what_is_typed_is_read() {
        let none = CompareOptions { mechanisms: None, rounds: None, output: CompareOutput::Text, plot: None };
        assert_eq!(options(&[]), Ok(none));
        let found = options(&["--transport", "thread,pipe,thread", "--rounds=5", "--output", "json"]).unwrap();
        assert_eq!(found.mechanisms, Some(vec![Mechanism::Thread, Mechanism::Process(TransportKind::Pipe)]));
        assert_eq!((found.rounds, found.output), (Some(5), CompareOutput::Json));
        assert_eq!(options(&["--rounds", "2", "--rounds", "4"]).unwrap().rounds, Some(4));
    }

    #[test]
    #[cfg(feature = "plot")]
    fn a_plot_has_the_format_of_its_name() {
        let plot = options(&["--plot", "a b.svg"]).unwrap().plot.unwrap();
        assert_eq!((plot.path.to_str(), plot.format), (Some("a b.svg"), PlotFormat::Svg));
        let error = options(&["--plot", "plot.gif"]).unwrap_err();
        assert!(error.contains("'plot.gif'") && error.ends_with("the name of a plot ends in .svg or .png"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_right() {
        let error = options(&["--transport", "pipe,pigeon"]).unwrap_err();
        let known = "no transport is called \"pigeon\"; use some of pipe, socket, shm, file, mqueue, channel, thread";
        assert!(error.ends_with(known), "{error}");
        for (words, part) in [
            (&["--transport", ""][..], "no transport is called \"\""),
            (&["--rounds", "0"], "--rounds"),
            (&["--rounds", "-1"], "-1"),
            (&["--output", "xml"], "text, json"),
            (&["--plots", "x"], "--plot"),
            (&["pipe"], "pipe"),
        ] {
            let error = options(words).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{words:?}: {error}");
        }
    }
}
