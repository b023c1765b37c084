//! The control socket of a run: what clients ask becomes facts for the core, and what they want to know is answered.
//!
//! Invariant: without a client it costs one descriptor in the poll set and nothing in a turn. A client never makes the loop
//! wait, and what one asks of the core is a fact as any other.

mod view;

use super::fleet::Fleet;
use super::token::Port;
use super::turn::{Reaction, Turn};
use crate::control::answer::{ControlAnswer, ControlError, ErrorCode};
use crate::control::place::{self, PlaceVariables};
use crate::control::request::{ControlRequest, RequestLine};
use crate::control::server::{Connected, ControlServer};
use crate::control::{CLIENTS_MAX, EVENT_BYTES_MAX};
use crate::core::Core;
use crate::core::input::Input;
use crate::exit_code::{self, ProgramExit};
use crate::model::command::{Command, Origin};
use crate::model::config::Config;
use crate::model::event::Stage;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::RunOutcome;
use crate::model::signal::Signal;
use crate::model::spec::ExitCodeStyle;
use crate::model::status::SlotStatus;
use crate::model::time::{Duration, Instant};
use crate::reporter::Reporter;
use crate::reporter::event_tap::{EventTap, TapReporter};
use crate::sys::clock::monotonic_ns;
use crate::sys::poller::{Interest, Ready};
use crate::sys::stream_socket::wait_for;
use serde_json::Value;
use std::os::fd::AsFd;
use std::rc::Rc;
use view::RunFacts;

/// Connections that are accepted in a turn.
const ACCEPTED_PER_TURN: u32 = 16;
/// When no descriptor is left, none is accepted for this long.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long the end of a run waits for clients to take what they are told of it.
const FAREWELL_MAX: Duration = Duration::from_millis(250);
/// Items that clients may have given up and that have no outcome yet.
const GIVEN_UP_MAX: usize = 1 << 16;

/// A run that will listen.
pub struct ControlPlan {
    tap: Rc<EventTap>,
    facts: RunFacts,
    exit_codes: ExitCodeStyle,
}

impl ControlPlan {
    /// `None`: it is not asked for.
    pub fn of(config: &Config, exit_codes: ExitCodeStyle) -> Option<Self> {
        let tap = Rc::new(EventTap::new(EVENT_BYTES_MAX));
        config.control.then(|| Self { tap, facts: RunFacts::of(config), exit_codes })
    }

    /// What tells the events to those who watch.
    pub fn reporter(&self) -> Box<dyn Reporter> {
        Box::new(TapReporter(Rc::clone(&self.tap)))
    }

    /// Begins to listen. `spare_fds`: descriptors that the run does not need. A run goes on without control if that is not
    /// possible, and says so where `says` is set.
    pub fn open(self, spare_fds: u64, says: bool, turn: &mut Turn) -> Option<Control> {
        let refused = |why: &dyn std::fmt::Display, turn: &mut Turn| {
            if says {
                turn.notice(&format!("supervisor: runs without control: failed to {why}"));
            }
        };
        // The socket takes one of them.
        let clients_max = usize::try_from(spare_fds.saturating_sub(1)).unwrap_or(CLIENTS_MAX).min(CLIENTS_MAX);
        if clients_max == 0 {
            refused(&"make a socket: no descriptor is left", turn);
            return None;
        }
        let folder = place::folder_of_run(&PlaceVariables::of_this_process());
        let server = match ControlServer::open(&folder, std::process::id(), clients_max) {
            Ok(server) => server,
            Err(error) => {
                refused(&error, turn);
                return None;
            }
        };
        let watched = server.listener().map(|fd| turn.system.watch(fd, Interest::READ, Port::Control.token()));
        if let Some(Err(error)) = watched {
            refused(&format_args!("watch its socket: {error}"), turn);
            return None;
        }
        Some(Control { server, tap: self.tap, facts: self.facts, exit_codes: self.exit_codes, says, accept_at: None })
    }
}

/// The socket and its clients.
pub struct Control {
    server: ControlServer,
    tap: Rc<EventTap>,
    facts: RunFacts,
    exit_codes: ExitCodeStyle,
    /// With `--verbose`: what clients ask for is said.
    says: bool,
    /// No descriptor was left: when connections are accepted again.
    accept_at: Option<Instant>,
}

impl Control {
    /// Somebody connects.
    pub fn on_listener(&mut self, turn: &mut Turn) {
        for _ in 0..ACCEPTED_PER_TURN {
            match self.server.accept() {
                Ok(Connected::Client(id)) => self.watch(id, turn),
                Ok(Connected::Refused) => {}
                Ok(Connected::Nobody) => return,
                Err(_) => {
                    // Its readiness would keep the loop awake.
                    self.listen(false, turn);
                    self.accept_at = Some(turn.now + ACCEPT_AGAIN_AFTER);
                    return;
                }
            }
        }
    }

    fn listen(&self, listens: bool, turn: &mut Turn) {
        let interest = if listens { Interest::READ } else { Interest::NONE };
        if let Some(listener) = self.server.listener() {
            // It is in the set.
            let _ = turn.system.rewatch(listener, interest, Port::Control.token());
        }
    }

    fn watch(&mut self, id: u32, turn: &mut Turn) {
        let watched = self.server.peer(id).map(|peer| {
            let token = Port::Client { id }.token();
            turn.system.watch(peer.as_fd(), peer.interest, token)
        });
        if !matches!(watched, Some(Ok(_))) {
            self.server.remove(id);
        }
    }

    /// A client is ready: takes one request of it.
    pub fn on_client(&mut self, id: u32, event: Ready, core: &Core, fleet: &mut Fleet, turn: &mut Turn) -> Reaction {
        let Some(peer) = self.server.peer(id) else { return Reaction::Done };
        if !peer.has_request() && peer.read().is_err() {
            self.remove(id, turn);
            return Reaction::Done;
        }
        match peer.next_request() {
            Some(Ok(RequestLine { id: name, request })) => {
                self.say(id, &request, turn);
                self.answer(id, name, &request, core, fleet, turn);
            }
            Some(Err(refused)) => peer.answer(&ControlAnswer::refused(refused.id, refused.error)),
            None => {}
        }
        let Some(peer) = self.server.peer(id) else { return Reaction::Done };
        if peer.has_request() {
            return Reaction::Again;
        }
        // Nobody reads what it is told.
        if event.error || (event.hangup && peer.is_at_end()) {
            self.remove(id, turn);
        }
        Reaction::Done
    }

    fn say(&self, id: u32, request: &ControlRequest, turn: &mut Turn) {
        let is_view = matches!(
            request,
            ControlRequest::Ping | ControlRequest::Status | ControlRequest::Subscribe | ControlRequest::Wait
        );
        if self.says && !is_view {
            let who = self.server.pid_of(id).map_or_else(|| "a client".to_owned(), |pid| format!("pid {pid}"));
            turn.notice(&format!("supervisor: {who} asks: {request}"));
        }
    }

    fn answer(
        &mut self,
        client: u32,
        id: Option<Value>,
        request: &ControlRequest,
        core: &Core,
        fleet: &mut Fleet,
        turn: &mut Turn,
    ) {
        let done = || Ok(ControlAnswer::done(None));
        let answered = match *request {
            ControlRequest::Ping => done(),
            ControlRequest::Status => Ok(self.facts.status(core, fleet, turn.now)),
            ControlRequest::Signal { worker, signal } => signal_worker(worker, signal, core, turn),
            ControlRequest::Cancel { item } => give_up(ItemId(item), core, turn),
            ControlRequest::Scale { workers, by } => scale(workers, by, core, turn),
            ControlRequest::Drain => command(Command::Drain, turn),
            ControlRequest::Stop => command(Command::Stop, turn),
            ControlRequest::Terminate => command(Command::Terminate, turn),
            ControlRequest::KillAll => command(Command::Kill, turn),
            ControlRequest::Pause => pause(core, turn),
            ControlRequest::Continue => go_on(core, turn),
            ControlRequest::Restart { worker } => restart(worker, core, turn),
            ControlRequest::Subscribe => {
                if let Some(peer) = self.server.peer(client) {
                    peer.watch();
                }
                self.follow_watchers(turn);
                done()
            }
            ControlRequest::Wait => {
                let Some(peer) = self.server.peer(client) else { return };
                if peer.await_end(id.clone()) {
                    return;
                }
                Err(ControlError::new(ErrorCode::TooMany, "the client waits often enough".to_owned()))
            }
        };
        let answer = match answered {
            Ok(answer) => ControlAnswer { id, ..answer },
            Err(error) => ControlAnswer::refused(id, error),
        };
        if let Some(peer) = self.server.peer(client) {
            peer.answer(&answer);
        }
    }

    /// Events become lines, and starts of attempts events, as long as somebody watches.
    fn follow_watchers(&self, turn: &mut Turn) {
        let wanted = self.server.is_watched();
        if wanted != self.tap.is_open() {
            self.tap.set_open(wanted);
            if !self.facts.reports_starts {
                let command = Command::ReportStarts { wanted };
                turn.report(Input::Command { command, origin: Origin::Caller });
            }
        }
    }

    fn remove(&mut self, id: u32, turn: &mut Turn) {
        if let Some(peer) = self.server.remove(id) {
            turn.system.unwatch(peer.as_fd());
        }
        self.follow_watchers(turn);
    }

    /// Sends what has come up for clients.
    pub fn end_turn(&mut self, turn: &mut Turn) {
        if self.accept_at.is_some_and(|at| at <= turn.now) {
            self.accept_at = None;
            self.listen(true, turn);
        }
        if !self.server.has_clients() {
            return;
        }
        self.push_events();
        let (now, mut gone) = (turn.now, Vec::new());
        for (id, peer) in self.server.peers() {
            let is_late = peer.deadline().is_some_and(|deadline| deadline <= now);
            if is_late || peer.flush(now).is_err() {
                gone.push(id);
                continue;
            }
            let wanted = peer.wanted_interest();
            if wanted != peer.interest {
                peer.interest = wanted;
                let _ = turn.system.rewatch(peer.as_fd(), wanted, Port::Client { id }.token());
            }
        }
        gone.into_iter().for_each(|id| self.remove(id, turn));
    }

    fn push_events(&mut self) {
        if !self.tap.is_open() {
            return;
        }
        let lines = self.tap.take();
        for (_, peer) in self.server.peers().filter(|(_, peer)| peer.watches()) {
            match &lines {
                Some(lines) => peer.push_events(lines),
                None => peer.drop_slow(),
            }
        }
    }

    /// When it has something to do by itself.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.accept_at.into_iter().chain(self.server.deadline()).min()
    }

    /// The last worker has ended: nothing is asked of the run any more, and nobody finds it. What is written meanwhile takes
    /// its time, in which no client keeps the loop awake.
    pub fn close(&mut self, turn: &mut Turn) {
        if let Some(listener) = self.server.listener() {
            turn.system.unwatch(listener);
        }
        for (_, peer) in self.server.peers() {
            turn.system.unwatch(peer.as_fd());
        }
        self.server.close();
    }

    /// The run has ended. Clients that read get to know how; others are not waited for long.
    pub fn finish(mut self, outcome: &RunOutcome, now: Instant) {
        self.push_events();
        let exit = match exit_code::of(outcome, self.exit_codes) {
            ProgramExit::Code(code) => code,
            ProgramExit::Raise(_) => exit_code::number(outcome),
        };
        let until = monotonic_ns().saturating_add(FAREWELL_MAX.0);
        for (_, peer) in self.server.peers() {
            peer.tell_end(exit);
            while peer.flush(now).is_ok() {
                let left = Duration(until.saturating_sub(monotonic_ns()));
                if left == Duration::ZERO || !wait_for(peer.as_fd(), Interest::WRITE, Some(left)).unwrap_or(false) {
                    break;
                }
            }
        }
    }
}

type Answered = Result<ControlAnswer, ControlError>;

fn command(command: Command, turn: &mut Turn) -> Answered {
    turn.report(Input::Command { command, origin: Origin::Caller });
    Ok(ControlAnswer::done(None))
}

fn ending(text: &str) -> ControlError {
    ControlError::new(ErrorCode::Ending, format!("the run ends; {text}"))
}

/// A worker by the number of its slot, or by the pid of its process.
fn worker(number: u32, core: &Core) -> Result<SlotStatus, ControlError> {
    let slots = core.status().slots;
    let by_number = slots.iter().find(|slot| slot.worker.number() == number);
    let found = by_number.or_else(|| slots.iter().find(|slot| slot.pid == Some(number)));
    found.cloned().ok_or_else(|| {
        let has = match core.wanted_workers() {
            1 => "worker 1".to_owned(),
            count => format!("workers 1 to {count}"),
        };
        let text = format!("there is no worker {number}, and none with this pid; the run has {has}");
        ControlError::of_field(ErrorCode::NoWorker, "worker", text)
    })
}

fn signal_worker(number: u32, signal: Signal, core: &Core, turn: &mut Turn) -> Answered {
    let slot = worker(number, core)?;
    let Some(pid) = slot.pid else {
        let text = format!("worker {} has no process at the moment: it is {}", slot.worker, slot.state);
        return Err(ControlError::of_field(ErrorCode::NoWorker, "worker", text));
    };
    command(Command::SignalWorker { worker: slot.worker, signal }, turn)?;
    Ok(ControlAnswer { worker: Some(slot.worker.number()), pid: Some(pid), ..ControlAnswer::done(None) })
}

fn restart(number: Option<u32>, core: &Core, turn: &mut Turn) -> Answered {
    if core.is_ending() {
        return Err(ending("no worker is replaced any more"));
    }
    if core.policy().worker.starts_with_item() {
        let text = "each item has a process of its own; there is nothing to replace".to_owned();
        return Err(ControlError::new(ErrorCode::NotPossible, text));
    }
    let slot = number.map(|number| worker(number, core)).transpose()?;
    let worker = slot.map(|slot| slot.worker);
    command(Command::Restart { worker }, turn)?;
    Ok(ControlAnswer { worker: worker.map(WorkerId::number), ..ControlAnswer::done(None) })
}

fn pause(core: &Core, turn: &mut Turn) -> Answered {
    if core.stage() > Stage::Draining {
        return Err(ending("its workers are ended"));
    }
    command(Command::Pause, turn)
}

fn go_on(core: &Core, turn: &mut Turn) -> Answered {
    if !core.status().is_paused {
        return Err(ControlError::new(ErrorCode::NotPossible, "the run is not paused".to_owned()));
    }
    command(Command::Continue, turn)
}

fn give_up(item: ItemId, core: &Core, turn: &mut Turn) -> Answered {
    let refused = |code, text| Err(ControlError::of_field(code, "item", text));
    if core.is_ending() {
        return Err(ending("no item is given up any more"));
    }
    if core.is_settled(item) {
        return refused(ErrorCode::Settled, format!("item {item} has its outcome"));
    }
    if core.given_up_items() >= GIVEN_UP_MAX {
        return refused(ErrorCode::TooMany, format!("{GIVEN_UP_MAX} items that are still to come were given up"));
    }
    turn.report(Input::GivenUp { item });
    Ok(ControlAnswer::done(None))
}

fn scale(workers: Option<u32>, by: Option<i64>, core: &Core, turn: &mut Turn) -> Answered {
    if core.is_ending() {
        return Err(ending("the number of its workers stays"));
    }
    let from = u32::try_from(core.wanted_workers()).unwrap_or(u32::MAX);
    let relative = || i64::from(from).saturating_add(by.unwrap_or(0)).clamp(1, i64::from(u32::MAX));
    let asked = workers.unwrap_or_else(|| u32::try_from(relative()).unwrap_or(u32::MAX));
    let to = core.workers_possible(asked);
    command(Command::Scale { workers: to }, turn)?;
    Ok(ControlAnswer { from: Some(from), to: Some(to), ..ControlAnswer::done(None) })
}
