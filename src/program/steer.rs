//! The subcommands that speak to a run over its control socket.

use super::answer::{fail, refuse_closed_stdout, say, show_bytes};
use super::control_client::{self, ask, choose};
use super::queue;
use super::run_table::{push_run, push_run_json};
use crate::cli::AnswerForm;
use crate::cli::run_choice::RunChoice;
use crate::cli::subcommand::queue::{QueueCommand, QueueRequest};
use crate::cli::subcommand::steering::{ScaleTo, Steering, SteeringCommand};
use crate::control::answer::ControlAnswer;
use crate::control::client::{ClientError, ControlClient, find_runs};
use crate::control::place::PlaceVariables;
use crate::control::request::ControlRequest;
use crate::exit_code;
use crate::model::words::counted;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Does what is asked.
pub fn run(command: SteeringCommand) -> ExitCode {
    let SteeringCommand { choice, what } = command;
    let done = match what {
        Steering::Ps => ps(choice),
        Steering::Add { items, null } => add(choice, items, null),
        Steering::Wait => wait(choice),
        Steering::Events => follow(choice),
        what => tell(choice, &what),
    };
    done.unwrap_or_else(|exit| exit)
}

/// Asks for one thing, and says what the run does.
fn tell(choice: RunChoice, what: &Steering) -> Result<ExitCode, ExitCode> {
    let Some(request) = request_of(what) else { return Ok(ExitCode::from(exit_code::USAGE)) };
    let mut client = choose(choice.run)?;
    let answer = ask(&mut client, &request)?;
    Ok(show_bytes(&match choice.output.unwrap_or_default() {
        AnswerForm::Text => told(&client, what, &answer).into_bytes(),
        AnswerForm::Json => line_of(answer),
    }))
}

/// An answer as a line, without the number that this program gave it.
fn line_of(answer: ControlAnswer) -> Vec<u8> {
    let mut line = Vec::new();
    ControlAnswer { id: None, ..answer }.write(&mut line);
    line
}

const fn request_of(what: &Steering) -> Option<ControlRequest> {
    Some(match *what {
        Steering::Kill { worker, signal } => ControlRequest::Signal { worker, signal },
        Steering::Cancel { item } => ControlRequest::Cancel { item },
        Steering::Scale(ScaleTo::Exactly(workers)) => ControlRequest::Scale { workers: Some(workers), by: None },
        Steering::Scale(ScaleTo::By(by)) => ControlRequest::Scale { workers: None, by: Some(by) },
        Steering::Pause => ControlRequest::Pause,
        Steering::Continue => ControlRequest::Continue,
        Steering::Drain => ControlRequest::Drain,
        Steering::Stop => ControlRequest::Stop,
        Steering::Terminate => ControlRequest::Terminate,
        Steering::KillAll => ControlRequest::KillAll,
        Steering::Restart { worker } => ControlRequest::Restart { worker },
        Steering::Ps | Steering::Add { .. } | Steering::Wait | Steering::Events => return None,
    })
}

/// What the run does now, in words.
fn told(client: &ControlClient, what: &Steering, answer: &ControlAnswer) -> String {
    let run = format!("run {}", client.pid());
    let number = |number: Option<u32>| number.unwrap_or(0);
    match what {
        Steering::Kill { signal, .. } => {
            format!("signal {signal} sent to worker {} (pid {})\n", number(answer.worker), number(answer.pid))
        }
        Steering::Cancel { item } => format!("item {item} is given up\n"),
        Steering::Scale(_) => {
            let to = counted(u64::from(number(answer.to)), "worker", "workers");
            format!("{run}: {to} instead of {}\n", number(answer.from))
        }
        Steering::Pause => format!("{run} pauses\n"),
        Steering::Continue => format!("{run} goes on\n"),
        Steering::Drain => format!("{run} drains\n"),
        Steering::Restart { .. } => match answer.worker {
            Some(worker) => format!("{run} restarts worker {worker}\n"),
            None => format!("{run} restarts its workers\n"),
        },
        _ => format!("{run} stops\n"),
    }
}

fn ps(choice: RunChoice) -> Result<ExitCode, ExitCode> {
    refuse_closed_stdout()?;
    let form = choice.output.unwrap_or_default();
    if choice.run.is_some() {
        return status_of(choice.run, form);
    }
    let found = find_runs(&PlaceVariables::of_this_process());
    let mut exit = ExitCode::from(exit_code::DONE);
    for failure in &found.failures {
        exit = fail(&format_args!("failed to {failure}"), exit_code::LOST);
    }
    let mut out = Vec::new();
    for mut client in found.clients {
        match client.ask(&ControlRequest::Status) {
            Ok(answer) => push_status(&mut out, &answer, form),
            // It has ended since it was found.
            Err(ClientError::Ended { .. }) => {}
            Err(error) => exit = control_client::report(&error),
        }
    }
    if out.is_empty() && form == AnswerForm::Text && exit == ExitCode::from(exit_code::DONE) {
        say(&"no run of yours listens");
    }
    let shown = show_bytes(&out);
    Ok(if shown == ExitCode::from(exit_code::DONE) { exit } else { shown })
}

/// Shows one run.
///
/// # Errors
/// There is no such run, or it does not answer; that was reported.
pub fn status_of(run: Option<u32>, form: AnswerForm) -> Result<ExitCode, ExitCode> {
    refuse_closed_stdout()?;
    let mut client = choose(run)?;
    let answer = ask(&mut client, &ControlRequest::Status)?;
    let mut out = Vec::new();
    push_status(&mut out, &answer, form);
    Ok(show_bytes(&out))
}

fn push_status(out: &mut Vec<u8>, answer: &ControlAnswer, form: AnswerForm) {
    let (Some(run), Some(workers)) = (&answer.run, &answer.workers) else { return };
    match form {
        AnswerForm::Text => {
            if !out.is_empty() {
                out.push(b'\n');
            }
            push_run(out, run, workers);
        }
        AnswerForm::Json => push_run_json(out, run, workers),
    }
}

/// Adds items to the queue of the run's journal, as `supervisor queue` does.
fn add(choice: RunChoice, items: Vec<OsString>, null: bool) -> Result<ExitCode, ExitCode> {
    let mut client = choose(choice.run)?;
    let answer = ask(&mut client, &ControlRequest::Status)?;
    let journal = answer.run.as_ref().filter(|run| run.keep_open).and_then(|run| {
        let encoded = || STANDARD.decode(run.journal_base64.as_ref()?).ok().map(OsString::from_vec);
        run.journal.clone().map(OsString::from).or_else(encoded).map(PathBuf::from)
    });
    let Some(file) = journal else {
        let text = format!(
            "failed to add to run {}: it takes no further items; start it with --journal FILE --keep-open",
            client.pid()
        );
        return Err(fail(&text, exit_code::USAGE));
    };
    let request = match items.is_empty() {
        true => QueueRequest::AddFromStdin { delimiter: if null { 0 } else { b'\n' } },
        false => QueueRequest::Add(items),
    };
    Ok(queue::run(&QueueCommand { file, request }))
}

fn wait(choice: RunChoice) -> Result<ExitCode, ExitCode> {
    let mut client = choose(choice.run)?;
    let pid = client.pid();
    let sent = client.send(&ControlRequest::Wait);
    let answer = sent.and_then(|()| client.answer(None)).map_err(|error| match error {
        ClientError::Ended { .. } => ended_silently(pid),
        error => control_client::report(&error),
    })?;
    let code = answer.exit.unwrap_or(exit_code::INTERNAL);
    if choice.output.unwrap_or_default() == AnswerForm::Json {
        show_bytes(&line_of(answer));
    }
    Ok(ExitCode::from(code))
}

fn ended_silently(pid: u32) -> ExitCode {
    let text = format!("failed to learn how run {pid} ended: it was killed, or failed itself");
    fail(&text, exit_code::LOST)
}

/// Shows events as they come, until the run has ended or nobody reads them.
fn follow(choice: RunChoice) -> Result<ExitCode, ExitCode> {
    refuse_closed_stdout()?;
    let mut client = choose(choice.run)?;
    ask(&mut client, &ControlRequest::Subscribe)?;
    let (pid, mut has_finished) = (client.pid(), false);
    loop {
        let line = match client.next_line(None) {
            Ok(line) => line,
            Err(ClientError::Ended { .. }) if has_finished => return Ok(ExitCode::from(exit_code::DONE)),
            Err(ClientError::Ended { .. }) => return Err(ended_silently(pid)),
            Err(error) => return Err(control_client::report(&error)),
        };
        if !line.starts_with(b"{\"event\":") {
            // Nothing else comes but the reason why no further event does.
            client.read_answer(&line).map_err(|error| control_client::report(&error))?;
            continue;
        }
        has_finished |= line.starts_with(b"{\"event\":\"run_finished\"");
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&line).and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush());
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::from(exit_code::DONE)),
            Err(error) => return Err(fail(&format_args!("failed to write stdout: {error}"), exit_code::LOST)),
        }
    }
}
