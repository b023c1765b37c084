//! A worker process: how it is started, signalled, how it dies, and what the supervisor has done about that.

use crate::agenda::{Effect, End};
use crate::channel::PIPE;
use crate::check::hold;
use crate::descriptor;
use crate::marks::Mark;
use crate::poll_set::Object;
use crate::scenario::Fault;
use crate::worker::Worker;
use crate::world::World;
use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use supervisor::model::exit::{ExitStatus, Usage};
use supervisor::model::ids::WorkerId;
use supervisor::model::signal::Signal;
use supervisor::sys::pidfd;
use supervisor::sys::spawn::SpawnPlan;
use supervisor::transport::progress_page::ProgressWriter;
use supervisor::wire::names;

/// A process, by its place in the world's list.
pub type ProcessId = usize;

/// Pids follow from the index.
const FIRST_PID: u32 = 1000;
/// The first descriptor beyond stdin, stdout and stderr.
const FIRST_FD: usize = 3;

pub const fn pid_of(id: ProcessId) -> u32 {
    FIRST_PID + id as u32
}

/// The index of the process with this pid; commands have pids far above.
pub const fn place_of(pid: u32) -> ProcessId {
    pid.wrapping_sub(FIRST_PID) as usize
}

pub struct Process {
    pub slot: WorkerId,
    pub pipe: usize,
    pub fault: Option<Fault>,
    pub inner: Worker,
    /// It is at an item, or before its hello, and will not go on.
    pub hangs: bool,
    /// A signal has stopped it, and what it would have done since then.
    pub is_stopped: bool,
    waiting: Vec<Effect>,
    /// Its next step is planned.
    pub goes_on: bool,
    /// It has kept to the protocol so far, and its channel works.
    pub honest: bool,
    /// Its channel fails in one direction: it is ended for that, and its messages do not count any more.
    pub half_closed: bool,
    /// The supervisor has signalled it or closed its input, perhaps before it knew of its death.
    pub provoked: bool,
    signals_after_death: u32,
    pub death: Option<ExitStatus>,
    /// Its pidfd is readable.
    pub end_shows: bool,
    /// After its end: the rest of its group is killed, the guard has forgotten the group, it is reaped.
    pub group_killed: bool,
    pub forgotten: bool,
    pub reaped: bool,
    /// The item that is charged for its death; known once it is reaped.
    pub charge: Option<u64>,
    pub charged: bool,
}

impl Process {
    pub const fn is_alive(&self) -> bool {
        self.death.is_none()
    }
}

/// What the environment and the descriptors of a plan tell a worker.
struct Endowment {
    pipe: usize,
    token: Option<[u8; 16]>,
    page: Option<ProgressWriter>,
}

impl Endowment {
    fn read(plan: &SpawnPlan<'_>) -> Option<Self> {
        let variable = |name: &str| {
            let value = |entry: &CString| {
                let (found, value) = entry.to_str().ok()?.split_once('=')?;
                (found == name).then(|| value.to_owned())
            };
            plan.env.iter().rev().find_map(value)
        };
        let pipe = variable(PIPE)?.parse().ok()?;
        let token = variable(names::TOKEN).map(|hex| {
            let mut token = [0; 16];
            for (at, byte) in token.iter_mut().enumerate() {
                *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2).unwrap_or(""), 16).unwrap_or(0);
            }
            token
        });
        let page = variable(names::FD_PROGRESS).and_then(|number| {
            let at = number.parse::<usize>().ok()?.checked_sub(FIRST_FD)?;
            ProgressWriter::from_fd(plan.fds.get(at)?).ok()
        });
        Some(Self { pipe, token, page })
    }
}

impl World {
    /// Starts a worker process, or fails as the system may.
    pub fn start(&mut self, slot: WorkerId, plan: &SpawnPlan<'_>) -> io::Result<pidfd::Process> {
        self.moved = true;
        self.starts += 1;
        if self.scenario.program_gone_at.is_some_and(|starts| self.starts > starts) {
            self.marks.hit(Mark::StartFailedForGood);
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        if self.chance(self.scenario.calls.start_shortage) {
            self.marks.hit(Mark::StartShortage);
            let errno = self.rng.pick(&[libc::EAGAIN, libc::EMFILE, libc::ENOMEM]);
            return Err(io::Error::from_raw_os_error(errno));
        }
        let Some(Endowment { pipe, token, page }) = Endowment::read(plan) else {
            self.violate(crate::check::Check::Channel, "a worker cannot find its channel".to_owned());
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        hold!(self, plan.new_group, Signals, "worker {slot} does not lead a group of its own");
        hold!(self, token.is_some() == self.scenario.hello, Channel, "worker {slot} has a needless token, or none");
        hold!(self, page.is_some() == self.scenario.page, Channel, "worker {slot} has a needless page, or none");
        let id = self.processes.len();
        let fault = self.chance(self.scenario.fault_chance).then(|| self.rng.pick(&self.scenario.faults));
        self.note(&[10, id as u64], || format!("start process {id} in slot {slot}, fault {fault:?}"));
        if page.is_some() {
            self.marks.hit(Mark::Pages);
        }
        self.processes.push(Process {
            slot,
            pipe,
            fault,
            inner: Worker::new(token, page, self.rng.below(3) as u32),
            hangs: false,
            is_stopped: false,
            waiting: Vec::new(),
            goes_on: true,
            honest: true,
            half_closed: false,
            provoked: false,
            signals_after_death: 0,
            death: None,
            end_shows: false,
            group_killed: false,
            forgotten: false,
            reaped: false,
            charge: None,
            charged: false,
        });
        self.pipes[pipe].process = Some(id);
        let wait = self.rng.below(200_000);
        self.after(wait, Effect::WorkerGoesOn(id));
        self.note_start();
        let pidfd = descriptor::real();
        self.check_pidfds();
        hold!(self, self.poll_set.position(pidfd.as_raw_fd()).is_none(), PollSet, "a pidfd was closed while watched");
        self.poll_set.opened(pidfd.as_raw_fd(), Object::Process(id));
        // The start takes a while.
        self.now += self.rng.below(300_000);
        Ok(pidfd::Process { pid: pid_of(id), pidfd })
    }

    /// The shell signals the group of a process.
    pub fn signal(&mut self, id: ProcessId, signal: Signal) -> io::Result<()> {
        let process = &mut self.processes[id];
        let (reaped, alive) = (process.reaped, process.is_alive());
        if matches!(signal, Signal::STOP | Signal::CONT) && process.fault != Some(Fault::ChangedUser) {
            hold!(self, !reaped, Signals, "{signal} is sent to process {id}, which was reaped");
            self.stops(id, signal);
            return Ok(());
        }
        process.group_killed |= !alive && signal == Signal::KILL;
        process.signals_after_death += u32::from(!alive);
        // One signal after its death is for the rest of its group.
        process.provoked |= alive || process.signals_after_death > 1;
        self.note(&[11, id as u64, u64::from(signal.0)], || format!("signal {signal} to process {id}"));
        hold!(self, !reaped, Signals, "{signal} is sent to process {id}, which was reaped");
        if alive && signal != Signal::KILL && self.processes[id].fault == Some(Fault::ChangedUser) {
            self.marks.hit(Mark::SignalRefused);
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        if alive {
            let wait = self.rng.below(100_000);
            self.after(wait, Effect::Hit(id, signal));
        }
        Ok(())
    }

    /// A signal reaches a process.
    pub fn hit(&mut self, id: ProcessId, signal: Signal) {
        if signal != Signal::KILL && self.processes[id].fault == Some(Fault::IgnoresSignals) {
            self.marks.hit(Mark::IgnoredSignal);
            return;
        }
        self.dies(id, ExitStatus::Signal { signal, core_dumped: false });
    }

    /// STOP reaches a process, or CONT.
    fn stops(&mut self, id: ProcessId, signal: Signal) {
        self.note(&[14, id as u64, u64::from(signal.0)], || format!("signal {signal} to process {id}"));
        let process = &mut self.processes[id];
        let was_stopped = std::mem::replace(&mut process.is_stopped, signal == Signal::STOP);
        if signal == Signal::STOP {
            return self.marks.hit(Mark::WorkerHeld);
        }
        for effect in std::mem::take(&mut process.waiting) {
            let wait = self.rng.below(100_000);
            self.after(wait, effect);
        }
        if was_stopped {
            self.let_go();
        }
    }

    /// Whether what happens has to wait until its process goes on. KILL ends one that is stopped.
    pub fn waits_to_go_on(&mut self, effect: Effect) -> bool {
        let id = match effect {
            Effect::Hit(_, Signal::KILL) => return false,
            Effect::WorkerGoesOn(id) | Effect::ItemEnds(id) | Effect::Hit(id, _) | Effect::Dies(id, _) => id,
            Effect::CommandEnds(index) => return self.commands.waits_to_go_on(index),
            _ => return false,
        };
        let process = &mut self.processes[id];
        let waits = process.is_stopped && process.is_alive();
        if waits {
            process.waiting.push(effect);
        }
        waits
    }

    /// Some worker dies in the middle of a call of the shell.
    pub fn kill_any(&mut self) {
        let alive = self.processes.iter().filter(|process| process.is_alive()).count();
        if alive == 0 {
            return;
        }
        let chosen = self.rng.below(alive as u64) as usize;
        let all = self.processes.iter().enumerate().filter(|(_, process)| process.is_alive());
        if let Some((id, _)) = all.clone().nth(chosen) {
            self.marks.hit(Mark::DiedInCall);
            self.dies(id, ExitStatus::Signal { signal: Signal::KILL, core_dumped: false });
        }
    }

    pub fn dies(&mut self, id: ProcessId, status: ExitStatus) {
        let process = &mut self.processes[id];
        if process.death.is_some() {
            return;
        }
        process.death = Some(status);
        let (pipe, held_open) = (process.pipe, process.fault == Some(Fault::HeldOpen));
        self.note(&[12, id as u64], || format!("process {id} dies: {status}"));
        self.leave_behind(id);
        let pipe = &mut self.pipes[pipe];
        pipe.worker_reads = false;
        pipe.worker_writes &= held_open;
        if held_open {
            self.marks.hit(Mark::HeldOpen);
        }
        for at in 0..pipe.unanswered.len() {
            let item = pipe.unanswered[at];
            if let Some(item) = self.items.get(item) {
                item.returns += 1;
            }
        }
        if self.rng.per_mille(500) {
            self.processes[id].end_shows = true;
        } else {
            let wait = self.rng.below(100_000);
            self.after(wait, Effect::EndShows(id));
        }
    }

    pub fn plan_death(&mut self, id: ProcessId, wait: u64) {
        let end = if self.rng.per_mille(500) { End::Signal(11) } else { End::Code(3) };
        let wait = self.rng.below(wait + 1);
        self.after(wait, Effect::Dies(id, end));
    }

    pub fn reap(&mut self, id: ProcessId) -> (ExitStatus, Usage) {
        let process = &self.processes[id];
        let (death, reaped) = (process.death, process.reaped);
        let (killed, forgotten) = (process.group_killed, process.forgotten);
        self.note(&[13, id as u64], || format!("reap process {id}"));
        hold!(self, death.is_some(), Reaping, "process {id} is reaped while it runs");
        hold!(self, !reaped, Reaping, "process {id} is reaped twice");
        hold!(self, killed, Signals, "process {id} is reaped before the rest of its group is killed");
        hold!(self, forgotten, Reaping, "process {id} is reaped before the guard has forgotten its group");
        self.moved = true;
        self.charge_death(id);
        self.processes[id].reaped = true;
        let unknown = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        (death.unwrap_or(unknown), Usage::default())
    }

    /// Which item is charged for the death of a process: the one that its page names, if it holds it; without a page
    /// the oldest one that it holds.
    fn charge_death(&mut self, id: ProcessId) {
        let process = &self.processes[id];
        let unanswered = &self.pipes[process.pipe].unanswered;
        let charge = if self.scenario.page {
            process.inner.page_item().filter(|item| unanswered.contains(item))
        } else {
            unanswered.front().copied()
        };
        let certain = !process.provoked && process.honest && !process.half_closed;
        self.processes[id].charge = charge;
        if let Some(item) = charge.filter(|_| certain).and_then(|item| self.items.get(item)) {
            item.charges += 1;
        }
    }

    pub fn forget_group(&mut self, slot: WorkerId) {
        let unreaped = self.processes.iter().rposition(|process| process.slot == slot && !process.reaped);
        let Some(id) = unreaped else {
            let is_late = self.processes.iter().any(|process| process.slot == slot);
            hold!(self, !is_late, Reaping, "the group of slot {slot} is forgotten after its leader was reaped");
            return;
        };
        let alive = self.processes[id].is_alive();
        hold!(self, !alive, Reaping, "the guard forgets the group of process {id}, which runs");
        self.processes[id].forgotten = true;
    }

    pub fn abandon(&mut self, id: ProcessId) {
        self.marks.hit(Mark::Abandoned);
        self.dies(id, ExitStatus::Signal { signal: Signal::KILL, core_dumped: false });
        let process = &mut self.processes[id];
        process.forgotten = true;
        process.reaped = true;
    }
}
