//! A script that is asked again and again, on a thread of its own: how it ends is the answer.
//!
//! Invariant: one at a time runs; dropping the last handle ends the one that runs, its process group with it, and waits for that.

use super::pidfd::Process;
use super::wake_fd::WakeFd;
use crate::model::exit::ExitStatus;
use crate::model::signal::Signal;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// What both threads know.
struct ScriptThread {
    wake: WakeFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Not reaped yet.
    running: Option<Arc<Process>>,
    answer: Option<io::Result<ExitStatus>>,
    /// Nobody wants an answer any more.
    is_over: bool,
}

/// A script of `/bin/sh`, without a stdin, whose stdout nobody reads. Readable when there is an answer.
pub struct AskedCommand {
    shared: Arc<ScriptThread>,
    questions: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AskedCommand {
    /// Starts the thread, and not the script.
    ///
    /// # Errors
    /// The system is short of descriptors or of threads.
    pub fn new(script: OsString) -> io::Result<Self> {
        let shared = Arc::new(ScriptThread { wake: WakeFd::new()?, state: Mutex::default() });
        let (questions, asked) = mpsc::channel();
        let own = Arc::clone(&shared);
        let thread = Builder::new().name("check".to_owned()).spawn(move || own.serve(&script, &asked))?;
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

    fn serve(&self, script: &OsString, asked: &Receiver<()>) {
        for () in asked {
            let answer = self.run(script);
            self.state().answer = Some(answer);
            self.wake.wake();
        }
    }

    fn run(&self, script: &OsString) -> io::Result<ExitStatus> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        let child = command.spawn()?;
        // It is our child and not reaped: the number is its own.
        let process = Arc::new(Process::open(child.id())?);
        {
            let mut state = self.state();
            state.running = Some(Arc::clone(&process));
            if state.is_over {
                let _ = process.signal_all(Signal::KILL);
            }
        }
        while !process.wait_for_end(u16::MAX)? {}
        let mut state = self.state();
        state.running = None;
        // What it has left in its group goes with it.
        let _ = process.signal_group(Signal::KILL);
        Ok(process.reap()?.map_or(ExitStatus::Unknown, |(status, _)| status))
    }
}

#[cfg(test)]
mod tests {
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
        let command = AskedCommand::new(script.into()).unwrap();
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
        let command = AskedCommand::new(format!("sleep 1000 > {}", fifo.display()).into()).unwrap();
        command.ask();
        // Open once the script runs, at its end once nobody has the other end.
        let mut output = std::fs::File::open(&fifo).unwrap();
        drop(command);
        assert_eq!(io::Read::read(&mut output, &mut [0]).unwrap(), 0);
    }
}
