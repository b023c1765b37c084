//! A run in the background, and the handle to it.

#![deny(missing_docs)]

use super::assembly::{self, Attached};
use super::commit::RESUME_BYTES;
use super::dry_run;
use super::error::EngineError;
use super::pace;
use super::requests::Requests;
use crate::model::command::Command;
use crate::model::config::Config;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::notification::{ItemReport, Notification};
use crate::model::outcome::RunOutcome;
use crate::model::signal::Signal;
use crate::model::spec::ExitCodeStyle;
use crate::model::status::Status;
use crate::reporter::caller::{Caller, UntakenBytes};
use crate::source::Source;
use crate::source::iterator::IteratorSource;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{Builder, JoinHandle};

/// A run in the background.
///
/// Take its notifications, or drop them with [`Run::ignore_notifications`]: a run whose notifications are not taken
/// waits, as it would for a reader of stdout. Dropping the handle terminates the run and does not wait for its end.
///
/// A request ([`stop`](Run::stop), [`drain`](Run::drain), [`terminate`](Run::terminate), [`kill`](Run::kill),
/// [`scale`](Run::scale), [`restart`](Run::restart), [`pause`](Run::pause) or [`go_on`](Run::go_on)) returns before it has any effect. Once the run has ended it does nothing, and neither in a dry
/// run, which has no workers.
pub struct Run {
    requests: Arc<Requests>,
    notifications: Option<Receiver<Notification>>,
    untaken: Arc<UntakenBytes>,
    thread: Option<JoinHandle<Result<RunOutcome, EngineError>>>,
}

/// Starts a run on a thread of its own. The thread outlives the workers: when the thread that started a process ends,
/// the kernel kills the process.
///
/// Signals to the process stay the program's own, unless the configuration says otherwise
/// ([`handle_signals`](crate::model::builder::ConfigBuilder::handle_signals)).
///
/// # Errors
/// What keeps the run from starting; see [`run`](super::run).
pub fn start(config: Config) -> Result<Run, EngineError> {
    begin(config, None)
}

/// The same, with the items of an iterator in place of the configuration's source. The iterator runs on a thread of its
/// own and may block; it is asked no further ahead than the run needs.
///
/// # Errors
/// As of [`start`].
pub fn start_with<I>(config: Config, items: I) -> Result<Run, EngineError>
where
    I: IntoIterator<Item: Into<Vec<u8>> + 'static, IntoIter: Send + 'static>,
{
    let items = items.into_iter().map(Into::into);
    let source = IteratorSource::start(items).map_err(EngineError::system("start the thread of the items"))?;
    begin(config, Some(Box::new(source)))
}

fn begin(mut config: Config, source: Option<Box<dyn Source + Send>>) -> Result<Run, EngineError> {
    // The caller gets all events.
    config.policy.report_starts = true;
    let requests = Arc::new(Requests::new().map_err(EngineError::system("open a mailbox"))?);
    let (sender, notifications) = mpsc::channel();
    let untaken = Arc::new(UntakenBytes::default());
    let caller = Caller::new(sender, Arc::clone(&untaken));
    let attached = Attached {
        source,
        caller: Some((caller, Arc::clone(&untaken))),
        requests: Some(Arc::clone(&requests)),
        reaps_orphans: false,
        plain: None,
        exit_codes: ExitCodeStyle::Own,
    };
    let ended = CloseAtEnd(Arc::clone(&requests));
    let (started, start) = mpsc::sync_channel(1);
    pace::resolve(&mut config)?;
    let run = move || {
        if config.output.dry_run {
            // No loop takes requests.
            drop(ended);
            let _ = started.send(());
            return dry_run::run(&config, attached.source);
        }
        let _ended = ended;
        let process = assembly::change_process(&config)?;
        let reactor = assembly::open(config, attached, &process)?;
        // It is received: `begin` waits for it.
        let _ = started.send(());
        reactor.run()
    };
    let thread = Builder::new().name("supervisor".to_owned()).spawn(run);
    let thread = thread.map_err(EngineError::system("start the thread of the run"))?;
    if start.recv().is_err() {
        // The thread has ended without a start, and so with an error.
        return Err(join(thread).err().unwrap_or(EngineError::Panicked));
    }
    Ok(Run { requests, notifications: Some(notifications), untaken, thread: Some(thread) })
}

fn join(thread: JoinHandle<Result<RunOutcome, EngineError>>) -> Result<RunOutcome, EngineError> {
    thread.join().unwrap_or(Err(EngineError::Panicked))
}

/// Drops the requests that come when the run has ended, however it ends.
struct CloseAtEnd(Arc<Requests>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What steers a run from any thread. Clones steer the same run; once the run has ended, they do nothing.
#[derive(Clone)]
pub struct Controls(Arc<Requests>);

impl Controls {
    /// Stops the run, more firmly each time: the first call drains, the second terminates, the third kills.
    pub fn stop(&self) {
        self.0.command(Command::Stop);
    }

    /// Starts nothing new, and lets the items at workers finish within the grace. Items without a worker are skipped.
    pub fn drain(&self) {
        self.0.command(Command::Drain);
    }

    /// Sends every worker through the term sequence.
    pub fn terminate(&self) {
        self.0.command(Command::Terminate);
    }

    /// Sends KILL to every worker. Items at workers are skipped.
    pub fn kill(&self) {
        self.0.command(Command::Kill);
    }

    /// Goes on with this many workers; 0 counts as 1. A worker that is removed finishes the items that it holds. A run that
    /// stops ignores the request.
    pub fn scale(&self, workers: u32) {
        self.0.command(Command::Scale { workers });
    }

    /// Replaces the process of a worker, or of each (`None`), one after another: the next one is ready before the one that
    /// it stands in for is asked to leave. No item is lost or charged. A process per item has nothing to replace.
    pub fn restart(&self, worker: Option<WorkerId>) {
        self.0.command(Command::Restart { worker });
    }

    /// Stops the processes of all workers; nothing is started or handed out, and no time limit advances, until
    /// [`go_on`](Self::go_on). A stop of the run goes on first.
    pub fn pause(&self) {
        self.0.command(Command::Pause);
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn go_on(&self) {
        self.0.command(Command::Continue);
    }

    /// Sends a signal to the process of a worker (from 1), and to its group. What it leads to is what the same signal from
    /// anywhere else leads to. A worker without a process gets none, and threads get none that stops or continues them.
    pub fn signal_worker(&self, worker: u32, signal: Signal) {
        if let Some(index) = worker.checked_sub(1) {
            let worker = WorkerId::from_index(index as usize);
            self.0.command(Command::SignalWorker { worker, signal });
        }
    }

    /// Gives an item up: it is not begun any more, what works on it is ended, and it is skipped. An item that has its outcome
    /// keeps it, and a run that stops ignores the request.
    pub fn cancel(&self, item: ItemId) {
        self.0.give_up(item);
    }

    /// The state of the run; `None` once it has ended, and in a dry run. Waits for one turn of the run's loop.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.0.status()
    }
}

impl Run {
    /// What steers this run, for other threads.
    #[must_use]
    pub fn controls(&self) -> Controls {
        Controls(Arc::clone(&self.requests))
    }

    /// Stops the run, more firmly each time: the first call drains, the second terminates, the third kills.
    pub fn stop(&self) {
        self.controls().stop();
    }

    /// Starts nothing new, and lets the items at workers finish within the grace. Items without a worker are skipped.
    pub fn drain(&self) {
        self.controls().drain();
    }

    /// Sends every worker through the term sequence.
    pub fn terminate(&self) {
        self.controls().terminate();
    }

    /// Sends KILL to every worker. Items at workers are skipped.
    pub fn kill(&self) {
        self.controls().kill();
    }

    /// Goes on with this many workers; 0 counts as 1. A worker that is removed finishes the items that it holds. A run that
    /// stops ignores the request.
    pub fn scale(&self, workers: u32) {
        self.controls().scale(workers);
    }

    /// Replaces the process of a worker, or of each (`None`), one after another. See [`Controls::restart`].
    pub fn restart(&self, worker: Option<WorkerId>) {
        self.controls().restart(worker);
    }

    /// Pauses the run until [`go_on`](Self::go_on). See [`Controls::pause`].
    pub fn pause(&self) {
        self.controls().pause();
    }

    /// Goes on after [`pause`](Self::pause).
    pub fn go_on(&self) {
        self.controls().go_on();
    }

    /// Sends a signal to the process of a worker (from 1), and to its group. What it leads to is what the same signal from
    /// anywhere else leads to. A worker without a process gets none, and threads get none that stops or continues them.
    pub fn signal_worker(&self, worker: u32, signal: Signal) {
        self.controls().signal_worker(worker, signal);
    }

    /// Gives an item up: it is not begun any more, what works on it is ended, and it is skipped. An item that has its outcome
    /// keeps it, and a run that stops ignores the request.
    pub fn cancel(&self, item: ItemId) {
        self.controls().cancel(item);
    }

    /// The state of the run; `None` once it has ended, and in a dry run. Waits for one turn of the run's loop.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.controls().status()
    }

    /// The next thing that the run reports. Waits for it; `None` once the run has ended and everything was taken, or after
    /// [`ignore_notifications`](Self::ignore_notifications).
    #[expect(clippy::should_implement_trait, reason = "a handle is no iterator; `notifications` returns one")]
    pub fn next(&mut self) -> Option<Notification> {
        self.notifications().next()
    }

    /// Everything that the run reports, in order, as it comes. Each call of `next` waits for a notification; the iterator
    /// ends with the run, or at once after [`ignore_notifications`](Self::ignore_notifications). An iterator that is
    /// dropped loses nothing: a later one goes on after the last notification.
    pub fn notifications(&mut self) -> impl Iterator<Item = Notification> + '_ {
        let (receiver, untaken, requests) = (self.notifications.as_ref(), &self.untaken, &self.requests);
        receiver.into_iter().flat_map(Receiver::iter).inspect(move |taken| {
            let (before, now) = untaken.taken(taken);
            if before >= RESUME_BYTES && now < RESUME_BYTES {
                requests.resume();
            }
        })
    }

    /// The settled items alone, in the order in which their results become visible. Other notifications are dropped.
    pub fn items(&mut self) -> impl Iterator<Item = ItemReport> + '_ {
        self.notifications().filter_map(|notification| match notification {
            Notification::Item(report) => Some(report),
            Notification::Event { .. } => None,
        })
    }

    /// Drops the notifications that wait and all that follow. The run no longer waits for the program to take them.
    pub fn ignore_notifications(&mut self) {
        while let Some(Ok(taken)) = self.notifications.as_ref().map(Receiver::try_recv) {
            self.untaken.taken(&taken);
        }
        // What came meanwhile goes with the receiver.
        self.notifications = None;
        self.untaken.clear();
        self.requests.resume();
    }

    /// Waits for the end of the run. Notifications that were not taken are dropped.
    ///
    /// # Errors
    /// A failure of the supervisor itself.
    pub fn join(mut self) -> Result<RunOutcome, EngineError> {
        self.ignore_notifications();
        self.thread.take().map_or(Err(EngineError::Panicked), join)
    }
}

/// Terminates the run. Does not wait for its end.
impl Drop for Run {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.ignore_notifications();
            self.terminate();
        }
    }
}
