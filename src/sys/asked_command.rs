//! A script that is asked again and again, on a thread of its own: how it ends is the answer.
//!
//! Invariant: one at a time runs; dropping the last handle ends the one that runs, its process group with it, and waits for that.
//! The guard knows the group from before the script runs until the script is reaped.

use super::guard::Groups;
use super::pidfd::Process;
use super::spawn::{SpawnError, SpawnPlan, Spawner};
use super::wake_fd::WakeFd;
use super::{fd, open_fds};
use crate::model::exit::ExitStatus;
use crate::model::signal::Signal;
use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

const SHELL: &CStr = c"/bin/sh";

/// The first descriptor behind stdin, stdout and stderr.
const BEHIND_STREAMS: i32 = 3;

/// What both threads know.
struct ScriptThread {
    wake: WakeFd,
    state: Mutex<State>,
    groups: Groups,
}

/// What each start of the script needs.
struct Shell {
    argv: [CString; 3],
    env: Vec<CString>,
    null: File,
}

#[derive(Default)]
struct State {
    /// Not reaped yet.
    running: Option<Arc<Process>>,
    answer: Option<io::Result<ExitStatus>>,
    /// Nobody wants an answer any more.
    is_over: bool,
}

/// A script of `/bin/sh`, without a stdin, whose stdout nobody reads. It inherits the other descriptors that a program of
/// ours inherits. Readable when there is an answer.
pub struct AskedCommand {
    shared: Arc<ScriptThread>,
    questions: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AskedCommand {
    /// Starts the thread, and not the script. Call it once the signals are caught ([`Spawner::new`]). The guard of these
    /// `groups` ends the script if the supervisor dies; one script at a time has a place there.
    ///
    /// # Errors
    /// The system is short of descriptors or of threads, or the script has a NUL.
    pub fn new(script: OsString, groups: &Groups) -> io::Result<Self> {
        let shared = Arc::new(ScriptThread { wake: WakeFd::new()?, state: Mutex::default(), groups: groups.clone() });
        let shell = Shell::new(script)?;
        let (questions, asked) = mpsc::channel();
        let own = Arc::clone(&shared);
        let thread = Builder::new().name("check".to_owned()).spawn(move || own.serve(&shell, &asked))?;
        Ok(Self { shared, questions: Some(questions), thread: Some(thread) })
    }

    /// Starts the script, once an earlier one has ended.
    pub fn ask(&self) {
        if let Some(questions) = &self.questions {
            // The thread lives as long as this does.
            let _ = questions.send(());
        }
    }

    /// How the script ended that was asked last; `None`: it has not.
    ///
    /// # Errors
    /// It could not be started.
    pub fn answer(&self) -> Option<io::Result<ExitStatus>> {
        self.shared.wake.clear();
        self.shared.state().answer.take()
    }
}

impl AsFd for AskedCommand {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }
}

impl Drop for AskedCommand {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.is_over = true;
            // While it is known here it is not reaped, so its number is not another's.
            if let Some(process) = &state.running {
                let _ = process.signal_all(Signal::KILL);
            }
        }
        drop(self.questions.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl ScriptThread {
    /// A thread that panicked leaves a state that is whole.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, shell: &Shell, asked: &Receiver<()>) {
        for () in asked {
            let answer = self.run(shell);
            self.state().answer = Some(answer);
            self.wake.wake();
        }
    }

    fn run(&self, shell: &Shell) -> io::Result<ExitStatus> {
        let process = Arc::new(shell.start(&self.groups)?);
        {
            let mut state = self.state();
            state.running = Some(Arc::clone(&process));
            if state.is_over {
                let _ = process.signal_all(Signal::KILL);
            }
        }
        let waited = loop {
            match process.wait_for_end(u16::MAX) {
                Ok(false) => {}
                ended => break ended,
            }
        };
        if waited.is_err() {
            process.end();
        }
        let mut state = self.state();
        state.running = None;
        // What it has left in its group goes with it. In this order: until it is reaped, the number of the group is its own.
        let _ = process.signal_group(Signal::KILL);
        self.groups.script().clear();
        Ok(process.reap()?.map_or(ExitStatus::Unknown, |(status, _)| status))
    }
}

impl Shell {
    fn new(script: OsString) -> io::Result<Self> {
        let script = CString::new(script.into_vec())?;
        let entry = |(name, value): (OsString, OsString)| [name.into_vec(), value.into_vec()].join(&b'=');
        // The system gives no variable with a NUL.
        let env = std::env::vars_os().filter_map(|variable| CString::new(entry(variable)).ok()).collect();
        Ok(Self { argv: [SHELL.to_owned(), c"-c".to_owned(), script], env, null: fd::dev_null()? })
    }

    /// Starts the script as the leader of a process group that the guard knows, on the thread that waits for its end.
    fn start(&self, groups: &Groups) -> io::Result<Process> {
        let stderr = io::stderr();
        let plan = SpawnPlan {
            program: SHELL,
            argv: &self.argv,
            env: &self.env,
            stdin: self.null.as_fd(),
            stdout: self.null.as_fd(),
            stderr: stderr.as_fd(),
            fds: &[],
            kept: &open_fds::inherited(BEHIND_STREAMS),
            new_group: true,
            folder: None,
            nice: None,
            ignored: &[],
            terminal: None,
            register: Some(groups.script()),
        };
        Spawner::new()?.spawn(&plan).map_err(|error: SpawnError| io::Error::other(error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::guard::Guard;
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    fn answer(command: &AskedCommand) -> io::Result<ExitStatus> {
        poll(&mut [PollFd::new(command.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
        command.answer().unwrap()
    }

    #[test]
    fn the_script_is_run_once_for_each_question() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("count");
        let script = format!("echo x >> {0}; exit $(wc -l < {0})", file.display());
        let guard = Guard::start(&[]).unwrap();
        let command = AskedCommand::new(script.into(), guard.groups()).unwrap();
        assert!(command.answer().is_none());
        for code in 1..4 {
            command.ask();
            assert_eq!(answer(&command).unwrap(), ExitStatus::Code(code));
        }
    }

    #[test]
    fn what_runs_is_ended_with_it() {
        let place = tempfile::tempdir().unwrap();
        let fifo = place.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let guard = Guard::start(&[]).unwrap();
        let script = format!("sleep 1000 > {}", fifo.display());
        let command = AskedCommand::new(script.into(), guard.groups()).unwrap();
        command.ask();
        // Open once the script runs, at its end once nobody has the other end.
        let mut output = std::fs::File::open(&fifo).unwrap();
        drop(command);
        assert_eq!(io::Read::read(&mut output, &mut [0]).unwrap(), 0);
    }

    #[test]
    fn the_guard_knows_the_script_until_it_is_reaped() {
        let place = tempfile::tempdir().unwrap();
        let [begun, ended] = ["begun", "ended"].map(|name| {
            let fifo = place.path().join(name);
            nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
            fifo
        });
        let guard = Guard::start(&[]).unwrap();
        let script = format!("echo $$ > {}; read x < {}", begun.display(), ended.display());
        let command = AskedCommand::new(script.into(), guard.groups()).unwrap();
        for _ in 0..2 {
            assert_eq!(guard.groups().script().pid(), 0);
            command.ask();
            let pid = std::fs::read_to_string(&begun).unwrap();
            assert_eq!(guard.groups().script().pid().to_string(), pid.trim());
            std::fs::write(&ended, "go\n").unwrap();
            assert_eq!(answer(&command).unwrap(), ExitStatus::Code(0));
        }
        assert_eq!(guard.groups().script().pid(), 0);
    }
}
