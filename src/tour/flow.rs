//! The flow of a real run: this program is started with `--flow`, as a reader would start it, and its lines are shown as
//! they come. Its events say what became of the run.

use super::actor::{Actor, PROGRAM_PART, part_command};
use super::error::TourError;
use super::frame;
use super::stage::LessonStage;
use crate::outcomes::ExitStatus;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::process::Stdio;
use std::thread;

/// Lines that are shown of a flow: its beginning and its end.
const FIRST_LINES: usize = 24;
const LAST_LINES: usize = 8;

/// What a run has reported.
#[derive(Debug)]
pub struct SeenFlow {
    pub events: Vec<Value>,
    pub exit: ExitStatus,
}

impl SeenFlow {
    /// The events of this name.
    pub fn events(&self, name: &str) -> impl Iterator<Item = &Value> {
        let name = name.to_owned();
        self.events.iter().filter(move |event| event["event"] == name.as_str())
    }

    /// How many items have this outcome.
    #[must_use]
    pub fn settled(&self, outcome: &str) -> usize {
        self.events("item_settled").filter(|event| event["outcome"] == outcome).count()
    }

    /// The pids of all its workers, in the order of their start.
    #[must_use]
    pub fn worker_pids(&self) -> Vec<u32> {
        self.events("worker_spawned").filter_map(pid_of).collect()
    }
}

/// The pid in an event.
#[must_use]
pub fn pid_of(event: &Value) -> Option<u32> {
    event["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
}

/// Starts the program with these arguments; its events come on its stdout, and its results go nowhere. It dies with us.
///
/// # Errors
/// The system refuses another process.
pub fn start_program(arguments: &[&str], stderr: Stdio) -> Result<Actor, TourError> {
    let mut all = vec!["--quiet", "--output", "none", "--events", "/dev/stdout"];
    all.extend(arguments);
    let mut command = part_command(PROGRAM_PART, &all);
    command.stderr(stderr);
    Actor::of_command(PROGRAM_PART, command)
}

/// Runs the program with these arguments, and shows its flow as it comes: a line for each message, decision and death.
///
/// # Errors
/// The program cannot be started, or stdout takes no more.
pub fn show_flow(stage: &mut LessonStage<'_>, arguments: &[&str]) -> Result<SeenFlow, TourError> {
    stage.say(&frame::FLOW, &[])?;
    let shown: Vec<&str> = std::iter::once("--flow").chain(arguments.iter().copied()).collect();
    stage.command(&shown_command(&shown))?;
    let mut program = start_program(&shown, Stdio::piped())?;
    let flow = program.take_errors();
    // Both outputs are read at once, or a full one would make the program wait.
    let (mut program, events) = {
        let reading = thread::spawn(move || {
            let events = events_of(&mut program);
            (program, events)
        });
        show_lines(stage, flow)?;
        reading.join().map_err(|_| TourError::system("read the events")(io::Error::other("the thread panicked")))?
    };
    Ok(SeenFlow { events: events?, exit: program.wait()? })
}

fn events_of(program: &mut Actor) -> Result<Vec<Value>, TourError> {
    let mut events = Vec::new();
    while let Some(line) = program.hear_if_any()? {
        events.push(serde_json::from_str(&line).map_err(|error| program.problem(&error.to_string()))?);
    }
    Ok(events)
}

/// Shows the beginning of a flow as it comes, and its end.
fn show_lines(stage: &mut LessonStage<'_>, flow: Option<impl Read>) -> Result<(), TourError> {
    let Some(flow) = flow else { return Ok(()) };
    let mut last = VecDeque::new();
    let mut left_out = 0;
    for (at, line) in BufReader::new(flow).lines().enumerate() {
        let line = line.map_err(TourError::system("read the flow"))?;
        if at < FIRST_LINES {
            stage.line(line.trim_start())?;
            continue;
        }
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
            left_out += 1;
        }
    }
    if left_out > 0 {
        stage.show(&frame::MORE_LINES, &[("count", &left_out)])?;
    }
    last.iter().try_for_each(|line| stage.line(line.trim_start()))
}

/// A command line as a shell reads it back.
#[must_use]
pub fn shown_command(arguments: &[&str]) -> String {
    let is_plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./,:=%@{}".contains(c));
    let shown = |word: &&str| if is_plain(word) { (*word).to_owned() } else { format!("'{word}'") };
    std::iter::once("supervisor".to_owned()).chain(arguments.iter().map(shown)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_reads_it() {
        assert_eq!(shown_command(&["--", "sh", "-c", "exit 1", ":::", ""]), "supervisor -- sh -c 'exit 1' ::: ''");
    }
}
