//! `supervisor queue`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use clap::builder::OsStringValueParser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "queue";
pub const ABOUT: &str = "Items that a run with --keep-open takes: adds, lists, gives up, tries again.";

const USAGE: &str = "supervisor queue JOURNAL add [--null] [--] [ITEM]...
       supervisor queue JOURNAL ls [--all] [--output json]
       supervisor queue JOURNAL rm|cancel|retry NUMBER...";

const AFTER: &str = "\
  add     adds items, or those that it reads from stdin, a line each; prints their numbers
  ls      lists the items that are not done: number, state, attempts, text
  rm      gives items up that were not begun
  cancel  gives items up, also those that are in flight: what works on them is ended
  retry   has items tried again that failed, are dead, or were given up

The items are in the file JOURNAL.queue. They are safe from the end of the machine when add
returns, and `supervisor --journal JOURNAL --keep-open` takes them, at once if it runs, else when
it is started, with --resume if JOURNAL is there. What rm and cancel ask is done at once, too. An
item of retry is tried again when the run is started the next time.

Exit codes:
  0  it is recorded (ls: shown)
  2  wrong usage, or an item for which this cannot be asked; nothing is recorded
  4  the disk is full, and the like; the queue is as it was
  6  JOURNAL or its queue is no such file, or is not ours";

/// What is done with the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueVerb {
    Add,
    List,
    Remove,
    Cancel,
    Retry,
}

const VERBS: [(&str, QueueVerb); 5] = [
    ("add", QueueVerb::Add),
    ("ls", QueueVerb::List),
    ("rm", QueueVerb::Remove),
    ("cancel", QueueVerb::Cancel),
    ("retry", QueueVerb::Retry),
];

// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(about = ABOUT, override_usage = USAGE, after_help = AFTER, disable_version_flag = true)]
struct QueueFlags {
    /// The journal of the run, which need not be there yet
    #[arg(value_name = "JOURNAL")]
    file: PathBuf,
    /// add, ls, rm, cancel, retry
    #[arg(value_name = "WHAT", value_parser = choice(&VERBS), hide_possible_values = true)]
    verb: QueueVerb,
    /// Items to add, or the numbers of items
    #[arg(value_name = "ITEM", value_parser = OsStringValueParser::new())]
    words: Vec<OsString>,
    /// add: a NUL ends an item of stdin, not a newline
    #[arg(short = '0', long)]
    null: bool,
    /// ls: also items that are done, or were given up
    #[arg(long)]
    all: bool,
    /// ls: text, or json: one object for each item [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    output: Option<AnswerForm>,
}

/// What `queue` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCommand {
    pub file: PathBuf,
    pub request: QueueRequest,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueRequest {
    /// These items.
    Add(Vec<OsString>),
    /// Those that stdin has, each with this byte behind it.
    AddFromStdin {
        delimiter: u8,
    },
    List {
        all: bool,
        form: AnswerForm,
    },
    /// Items that were not begun.
    Remove(Vec<u64>),
    Cancel(Vec<u64>),
    Retry(Vec<u64>),
}

/// Reads the words behind `queue`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<QueueCommand>, UsageError> {
    Ok(match parser::read_subcommand::<QueueFlags>(NAME, words)? {
        Typed::Show(text) => Typed::Show(text),
        Typed::Flags(flags) => Typed::Flags(QueueCommand { request: request(&flags)?, file: flags.file }),
    })
}

fn request(flags: &QueueFlags) -> Result<QueueRequest, UsageError> {
    let stray = [
        ("--null", flags.null, flags.verb == QueueVerb::Add && flags.words.is_empty()),
        ("--all", flags.all, flags.verb == QueueVerb::List),
        ("--output", flags.output.is_some(), flags.verb == QueueVerb::List),
    ];
    if let Some((flag, ..)) = stray.into_iter().find(|(_, is_given, makes_sense)| *is_given && !makes_sense) {
        return Err(UsageError::QueueFlag { flag });
    }
    Ok(match flags.verb {
        QueueVerb::Add if flags.words.is_empty() => {
            QueueRequest::AddFromStdin { delimiter: if flags.null { 0 } else { b'\n' } }
        }
        QueueVerb::Add => QueueRequest::Add(flags.words.clone()),
        QueueVerb::List if flags.words.is_empty() => {
            QueueRequest::List { all: flags.all, form: flags.output.unwrap_or_default() }
        }
        QueueVerb::List => return Err(UsageError::QueueNumber { word: shown(&flags.words[0]) }),
        QueueVerb::Remove => QueueRequest::Remove(numbers(&flags.words)?),
        QueueVerb::Cancel => QueueRequest::Cancel(numbers(&flags.words)?),
        QueueVerb::Retry => QueueRequest::Retry(numbers(&flags.words)?),
    })
}

fn numbers(words: &[OsString]) -> Result<Vec<u64>, UsageError> {
    if words.is_empty() {
        return Err(UsageError::QueueNoNumber);
    }
    let number = |word: &OsString| {
        word.to_str().and_then(|word| word.parse().ok()).ok_or_else(|| UsageError::QueueNumber { word: shown(word) })
    };
    words.iter().map(number).collect()
}

fn shown(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<QueueRequest, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match read(&words) {
            Ok(Typed::Flags(command)) => Ok(command.request),
            Ok(Typed::Show(text)) => Err(text),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_request_has_its_words() {
        let items = vec!["a".into(), "-b".into()];
        assert_eq!(typed("j add -- a -b"), Ok(QueueRequest::Add(items)));
        assert_eq!(typed("j add"), Ok(QueueRequest::AddFromStdin { delimiter: b'\n' }));
        assert_eq!(typed("j add -0"), Ok(QueueRequest::AddFromStdin { delimiter: 0 }));
        assert_eq!(typed("j ls --all"), Ok(QueueRequest::List { all: true, form: AnswerForm::Text }));
        assert_eq!(typed("j rm 3 7"), Ok(QueueRequest::Remove(vec![3, 7])));
        assert_eq!(typed("j cancel 3"), Ok(QueueRequest::Cancel(vec![3])));
        assert_eq!(typed("j retry 3"), Ok(QueueRequest::Retry(vec![3])));
        for (line, error) in [
            ("j rm", "number"),
            ("j rm x", "\"x\""),
            ("j ls 3", "\"3\""),
            ("j add -0 x", "--null"),
            ("j rm --all 3", "--all"),
            ("j", "WHAT"),
            ("j mv", "mv"),
        ] {
            let found = typed(line).unwrap_err();
            assert!(found.contains(error), "{line}: {found}");
        }
    }
}
