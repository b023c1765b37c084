//! What the subcommands that speak to a run have in common: which run it is, and how a failure is told.

use super::answer::{fail, say};
use crate::control::answer::{ControlAnswer, ErrorCode};
use crate::control::client::{ClientError, ControlClient, find_runs};
use crate::control::place::PlaceVariables;
use crate::control::request::ControlRequest;
use crate::exit_code;
use std::process::ExitCode;

/// Connects to the run of this pid, or to the only one.
///
/// # Errors
/// There is no such run, or there are several; that was reported, and this is how to exit.
pub fn choose(run: Option<u32>) -> Result<ControlClient, ExitCode> {
    let found = find_runs(&PlaceVariables::of_this_process());
    let mut clients = found.clients;
    if let Some(pid) = run {
        clients.retain(|client| client.pid() == pid);
    }
    match (clients.len(), run) {
        (1, _) => clients.pop().ok_or(ExitCode::from(exit_code::REFUSED)),
        (0, run) => {
            found.failures.iter().for_each(|failure| say(&format_args!("failed to {failure}")));
            let which = run.map_or_else(|| "a run of yours".to_owned(), |pid| format!("run {pid} among yours"));
            let text = format!("failed to find {which}: none listens; `supervisor ps` lists those that do");
            Err(fail(&text, exit_code::REFUSED))
        }
        _ => {
            let named: Vec<String> = clients.iter_mut().map(name_of).collect();
            let text = format!("several runs are running: {}; choose one by --run PID", named.join(", "));
            Err(fail(&text, exit_code::USAGE))
        }
    }
}

/// `4123 (gzip {})`.
fn name_of(client: &mut ControlClient) -> String {
    let pid = client.pid();
    match client.ask(&ControlRequest::Status).ok().and_then(|answer| answer.run) {
        Some(run) => format!("{pid} ({})", run.work),
        None => pid.to_string(),
    }
}

/// Asks a run.
///
/// # Errors
/// It does not answer, or refuses; that was reported, and this is how to exit.
pub fn ask(client: &mut ControlClient, request: &ControlRequest) -> Result<ControlAnswer, ExitCode> {
    client.ask(request).map_err(|error| report(&error))
}

/// Reports a failure, and says how to exit.
pub fn report(error: &ClientError) -> ExitCode {
    fail(&format_args!("failed to {error}"), code_of(error))
}

/// What the failure of a request means for a script.
pub const fn code_of(error: &ClientError) -> u8 {
    match error {
        ClientError::Ended { .. } => exit_code::REFUSED,
        ClientError::Silent { .. } | ClientError::Unclear { .. } | ClientError::System { .. } => exit_code::LOST,
        ClientError::Refused { error, .. } => match error.code {
            ErrorCode::Ending | ErrorCode::TooManyClients | ErrorCode::OtherUser | ErrorCode::TooMany => {
                exit_code::REFUSED
            }
            ErrorCode::TooSlow => exit_code::LOST,
            _ => exit_code::USAGE,
        },
    }
}
