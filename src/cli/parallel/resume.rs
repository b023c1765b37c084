//! What a log of GNU parallel's format says of an earlier run: `--resume`, `--resume-failed`, `--retry-failed`.
//!
//! Invariant: pure. Lines are judged as GNU parallel 20221122 judges them.

use super::error::ParallelError;
use crate::model::ids::ItemId;
use crate::model::item_set::ItemSet;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Which jobs of the log are not run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resumption {
    /// All.
    Unfinished,
    /// Those that were done.
    Failed,
    /// Those that were done; and the commands are the log's, whatever was typed.
    CommandsOfLog,
}

/// What the log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlierLog {
    /// It has a header, so that lines are appended to it.
    pub has_header: bool,
    /// Jobs that are not run again.
    pub finished: ItemSet,
    /// For `CommandsOfLog`: the command of each job, up to the last one in the log.
    pub commands: Vec<OsString>,
}

/// Columns before the command, and which of them tell how a job ended.
const COLUMNS: usize = 8;
const EXIT: usize = 6;
const SIGNAL: usize = 7;

/// How much of a line is shown that is none.
const SHOWN_CHARS: usize = 60;

/// What stands for a job that is not in the log, or not run again.
const NO_COMMAND: &[u8] = b"true";

/// Reads a log. `name`: of its file, for errors.
///
/// # Errors
/// A line is none of a log.
pub fn read(text: &[u8], resumption: Resumption, name: &str) -> Result<EarlierLog, ParallelError> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let has_header = lines.next().is_some();
    let (mut finished, mut commands) = (Vec::new(), BTreeMap::new());
    for line in lines {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let columns: Vec<&[u8]> = line.splitn(COLUMNS + 1, |byte| *byte == b'\t').collect();
        let number = leading_number(line);
        let is_done = is_whole(&columns) && columns[EXIT] == b"0" && columns[SIGNAL] == b"0";
        match (number, resumption) {
            (Some(number), Resumption::Unfinished) => finished.push(number),
            (Some(number), _) if is_done => finished.push(number),
            (Some(number), Resumption::CommandsOfLog) if is_whole(&columns) => {
                let command = columns[COLUMNS].iter().map(|byte| if *byte == 0 { b'\n' } else { *byte });
                commands.insert(number, command.collect::<Vec<u8>>());
            }
            _ if is_whole(&columns) => {}
            _ => {
                let line = String::from_utf8_lossy(line).chars().take(SHOWN_CHARS).collect();
                return Err(ParallelError::LogFormat { file: name.to_owned(), line });
            }
        }
    }
    // Jobs are counted from 1.
    let items = finished.iter().filter_map(|number| number.checked_sub(1)).map(ItemId);
    let last =
        finished.iter().chain(commands.keys()).max().copied().filter(|_| resumption == Resumption::CommandsOfLog);
    let command = |number| OsString::from_vec(commands.remove(&number).unwrap_or_else(|| NO_COMMAND.to_vec()));
    Ok(EarlierLog { has_header, finished: items.collect(), commands: (1..=last.unwrap_or(0)).map(command).collect() })
}

fn leading_number(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&line[..digits]).ok()?.parse().ok()
}

/// Whether the columns of a line are those of a job: a number, a host, six numbers and a command.
fn is_whole(columns: &[&[u8]]) -> bool {
    let is_number = |column: &&[u8]| {
        let column = column.trim_ascii();
        !column.is_empty() && column.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
    };
    columns.len() > COLUMNS && !columns[1].is_empty() && columns[2..COLUMNS].iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n\
        3\t:\t1.0\t     0.003\t0\t7\t0\t0\techo c\n\
        1\t:\t1.0\t     0.003\t0\t7\t4\t0\texit 4\n\
        5\t:\t1.0\t     0.003\t0\t7\t-1\t15\techo 'a\0b'\tx\n";

    fn finished(resumption: Resumption) -> Vec<u64> {
        let log = read(LOG, resumption, "log").unwrap();
        assert!(log.has_header);
        (0..9).filter(|item| log.finished.contains(ItemId(*item))).collect()
    }

    #[test]
    fn a_job_in_the_log_is_finished_or_only_one_that_was_done() {
        assert_eq!(finished(Resumption::Unfinished), [0, 2, 4]);
        assert_eq!(finished(Resumption::Failed), [2]);
        assert_eq!(finished(Resumption::CommandsOfLog), [2]);
        let commands = read(LOG, Resumption::CommandsOfLog, "log").unwrap().commands;
        assert_eq!(commands, ["exit 4", "true", "true", "true", "echo 'a\nb'\tx"]);
        assert_eq!(read(b"", Resumption::Failed, "log"), Ok(EarlierLog::default()));
    }

    #[test]
    fn what_is_no_line_of_a_log_is_refused() {
        for (line, resumption) in [
            ("no number", Resumption::Unfinished),
            ("", Resumption::Unfinished),
            ("2 and more", Resumption::Failed),
            ("2\t:\tx\t0\t0\t0\t1\t0\ta", Resumption::Failed),
            ("\t\t\t\t\t\t\t\t", Resumption::CommandsOfLog),
        ] {
            let text = format!("header\n{line}\n");
            let error = read(text.as_bytes(), resumption, "my.log").unwrap_err();
            assert!(error.to_string().contains("my.log"), "{line}: {error}");
        }
        // As GNU parallel: a number is enough there.
        assert!(read(b"header\n2\n18446744073709551616\t\n", Resumption::Unfinished, "log").is_err());
        assert!(read(b"header\n0\n2", Resumption::Unfinished, "log").unwrap().finished.contains(ItemId(1)));
    }
}
