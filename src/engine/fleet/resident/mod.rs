//! Workers that stay: started ahead, sent batches, read from, and watched until they end.
//!
//! Invariant: decides nothing. It carries out the core's orders and reports facts; which items a worker holds is known to
//! the core alone.

mod batches;
mod busy_polling;
mod changes;
mod giving_way;
mod link;
mod pauses;
mod polls;
mod silence;
mod slots;
mod spawn;
mod throttling;
mod worker_log;

pub use giving_way::GIVE_WAY_HELD_MIN;
pub use spawn::{Handshake, LaunchSpec, Program, ProgressSource, Stdio, WorkerStreams};
pub use worker_log::{LogFiles, WorkerLogs};

use super::super::answer::{Answer, ResidentReply};
use super::super::token::Part;
use super::super::turn::{Reaction, Turn};
use crate::core::input::Input;
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::signal::Signal;
use crate::model::spec::ProtocolKind;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::protocol::{Protocol, SessionConfig};
use crate::sys::block::BlockSlice;
use crate::sys::poller::Interest;
use crate::sys::spill::SpillFile;
use crate::trace::record::TracedStart;
use crate::transport::Flush;
use busy_polling::BusyPolling;
use giving_way::GivingWay;
use link::{Link, Read, WorkerIncarnation};
use silence::Silence;
use slots::{Body, Resident, Slots, Watched};
use spawn::Started;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use throttling::Throttling;
use worker_log::StderrRead;

/// What all conversations of a run have in common.
#[derive(Clone)]
pub struct Conversation {
    pub protocol: ProtocolKind,
    /// What ends each item in a body of several.
    pub delimiter: u8,
    /// Most items in one message to a worker.
    pub message_items_max: u32,
    /// It is said that a worker does not answer.
    pub tells_silence: bool,
    /// The loop gives its core away after answers of workers that held this many items. `None`: never.
    pub gives_way_from: Option<u64>,
    /// Where large results go.
    pub spill: Arc<SpillFile>,
}

/// The resident workers.
pub struct Residents {
    slots: Slots,
    program: Program,
    conversation: Conversation,
    polling: BusyPolling,
    throttling: Throttling,
    silence: Silence,
    giving_way: GivingWay,
    /// Slots whose channels have frames to write.
    unwritten: Vec<usize>,
    /// stdout and stderr take less than the workers give: results are not read.
    congested: bool,
    /// Nothing is written to workers any more.
    withholds: bool,
    /// Where the stderr of workers goes that is piped.
    logs: WorkerLogs,
}

impl Residents {
    /// `spin`: how long busy-polled channels are polled in vain before the loop waits.
    pub fn new(program: Program, conversation: Conversation, spin: Duration) -> Self {
        let silence = Silence::new(conversation.tells_silence);
        let giving_way = GivingWay::new(conversation.gives_way_from);
        Self {
            slots: Slots::default(),
            program,
            conversation,
            silence,
            giving_way,
            polling: BusyPolling::new(spin),
            throttling: Throttling::default(),
            unwritten: Vec::new(),
            congested: false,
            withholds: false,
            logs: WorkerLogs::Stderr { prefix: false },
        }
    }

    /// With another way for the stderr of workers than to our own, as it is.
    #[must_use]
    pub fn with_logs(self, logs: WorkerLogs) -> Self {
        Self { logs, ..self }
    }

    /// Starts a worker, and reports that it runs or why it does not.
    pub fn spawn(&mut self, worker: WorkerId, incarnation: Incarnation, turn: &mut Turn) {
        let spawned = self.program.start(worker, turn.trace.is_on(), &mut *turn.system);
        // Many starts take a while: the time that this worker has for its hello begins now.
        turn.refresh();
        let spawned =
            spawned.and_then(|started| Ok(self.add(WorkerIncarnation { worker, incarnation }, started, turn)?));
        turn.report(match spawned {
            Ok(pid) => Input::Spawned { worker, incarnation, pid },
            Err(error) => Input::SpawnFailed { worker, incarnation, error: self.program.failure(worker, &error) },
        });
    }

    /// Puts a worker that was started into its slot and into the poll set. Returns its pid.
    fn add(&mut self, peer: WorkerIncarnation, started: Started, turn: &mut Turn) -> io::Result<u32> {
        let index = peer.worker.index();
        let Started { body, channel, progress, token, mut stderr, fds } = started;
        let slot = self.slots.slot_of(peer.worker);
        slot.incarnation = peer.incarnation;
        let (process, frames) = (slot.token(index, Part::Process), slot.token(index, Part::Frames));
        let mut watched = turn.system.watch(body.as_fd(), Interest::READ, process);
        if watched.is_ok() {
            watched = turn.system.watch(channel.read_fd(), Interest::READ, frames);
        }
        if let (Ok(_), Some(stderr)) = (&watched, &mut stderr) {
            let token = slot.token(index, Part::Stderr);
            // Without a watch it is read when the worker has ended.
            stderr.is_watched = turn.system.watch(stderr.as_fd(), Interest::READ, token).is_ok();
        }
        if let Err(error) = watched {
            turn.system.unwatch(body.as_fd());
            if let Body::Process(process) = &body {
                mutant!(AbandonForgotten, turn.system.abandon(peer.worker, process), ());
            }
            return Err(error);
        }
        let Conversation { protocol, delimiter, message_items_max, ref spill, .. } = self.conversation;
        let waits_until_ready = self.program.says_ready();
        let session = SessionConfig { token, waits_until_ready, delimiter, message_items_max };
        let pid = body.pid();
        let link = Link::new(peer, channel, Protocol::new(protocol, session), Arc::clone(spill));
        slot.resident = Some(Box::new(Resident {
            body,
            link,
            progress,
            reading: Watched::Yes,
            writing: false,
            busy_polled: false,
            unwritten: false,
            leaving: false,
            held: 0,
            stderr,
        }));
        self.note_busy_polled(index);
        if turn.trace.is_on() {
            let WorkerIncarnation { worker, incarnation } = peer;
            turn.trace.started(TracedStart { at: turn.now, worker, incarnation, pid, fds });
        }
        Ok(pid)
    }

    /// A descriptor of a worker is ready.
    pub fn on_ready(&mut self, part: Part, index: u32, generation: u32, turn: &mut Turn) -> Reaction {
        if !self.slots.is_present(index, generation) {
            return Reaction::Done;
        }
        let index = index as usize;
        match part {
            Part::Process => return self.end(index, turn),
            Part::Frames => {
                self.read(index, turn);
                self.note_busy_polled(index);
            }
            // At the end of the turn, behind the barrier: new frames may be among what is written.
            Part::Writable => self.note_writable(index),
            Part::Stderr => self.read_stderr(index, turn),
            // Of commands.
            Part::CommandStdin | Part::CommandStdout => {}
        }
        Reaction::Done
    }

    fn read(&mut self, index: usize, turn: &mut Turn) -> Read {
        let Some(resident) = self.slots.resident(index) else { return Read::Finished };
        let facts_before = turn.facts.len();
        let read = resident.link.read(turn);
        resident.held = self.giving_way.note_facts(resident.held, turn.facts.range(facts_before..), turn.now);
        if read == Read::Finished && resident.reading != Watched::Gone {
            // A closed channel would be ready for ever.
            resident.reading = Watched::Gone;
            mutant!(EndStaysWatched, turn.system.unwatch(resident.link.channel().read_fd()), ());
        }
        self.throttle(index, turn);
        if self.congested {
            self.pause(index, turn);
        }
        read
    }

    fn read_stderr(&mut self, index: usize, turn: &mut Turn) {
        let Some(stderr) = self.slots.resident(index).and_then(|resident| resident.stderr.as_mut()) else { return };
        // A pipe whose end was reached would be ready for ever.
        if stderr.read(WorkerId::from_index(index), &mut self.logs, turn) == StderrRead::End {
            stderr.unwatch(turn);
        }
    }

    /// A worker has ended: reads what it sent, step by step, then reports how it ended.
    fn end(&mut self, index: usize, turn: &mut Turn) -> Reaction {
        let Some(resident) = self.slots.resident(index) else { return Reaction::Done };
        if mutant!(DrainForgotten, resident.link.drain(turn), false) {
            return Reaction::Again;
        }
        let worker = WorkerId::from_index(index);
        let Some(slot) = self.slots.at(index) else { return Reaction::Done };
        let incarnation = slot.incarnation;
        let Some(mut resident) = slot.resident.take() else { return Reaction::Done };
        let running = resident.progress.as_ref().and_then(|page| page.running()).or_else(|| resident.link.named());
        let running = mutant!(PageNotRead, running, None);
        let (status, usage) = match &resident.body {
            Body::Process(process) => {
                // The rest of its group ends with it. Its number is its own until it is reaped.
                if mutant!(LeftoversSpared, !self.program.spares_leftovers(), false) {
                    let _ = turn.system.signal(process, Signal::KILL);
                }
                mutant!(GroupForgottenLate, turn.system.forget_group(worker), ());
                let end = turn.system.reap(process);
                mutant!(SignalAfterReap, (), drop(turn.system.signal(process, Signal::KILL)));
                end
            }
            Body::Thread(thread) => thread.exit(),
        };
        mutant!(PidfdClosedWatched, turn.system.unwatch(resident.body.as_fd()), ());
        if mutant!(ChannelClosedWatched, resident.reading != Watched::Gone, false) {
            turn.system.unwatch(resident.link.channel().read_fd());
        }
        if resident.writing
            && let Some(fd) = resident.link.channel().write_fd()
        {
            turn.system.unwatch(fd);
        }
        if let Some(mut stderr) = resident.stderr.take() {
            stderr.unwatch(turn);
            let tail = stderr.end(worker, &mut self.logs, turn);
            self.slots.slot_of(worker).last_stderr = Some((incarnation, tail));
        }
        drop(resident);
        self.polling.forget(index);
        turn.report(Input::Exited { worker, incarnation, status, usage, running });
        Reaction::Done
    }

    /// Queues a batch for a worker; it leaves at the end of the turn.
    pub fn dispatch(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        body: &BlockSlice<'_>,
        turn: &mut Turn,
    ) {
        let Some(resident) = self.slots.get(worker, incarnation) else { return };
        match resident.link.queue(batch, body, turn) {
            Ok(()) => {
                resident.held += u64::from(batch.count);
                self.silence.note_sent(turn.now);
                self.note_unwritten(worker, incarnation);
            }
            Err(fact) => turn.report(fact),
        }
    }

    /// Closes a worker's input behind what it was sent.
    pub fn close_input(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if let Some(resident) = self.slots.get(worker, incarnation) {
            resident.leaving = true;
            self.note_unwritten(worker, incarnation);
        }
    }

    /// Asks a worker to leave after its present item.
    pub fn recall(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if let Some(progress) = self.slots.get(worker, incarnation).and_then(|resident| resident.progress.as_ref()) {
            progress.recall();
        }
        self.close_input(worker, incarnation);
    }

    fn note_unwritten(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if self.slots.get(worker, incarnation).is_some() {
            self.note_writable(worker.index());
        }
    }

    fn note_writable(&mut self, index: usize) {
        if let Some(resident) = self.slots.resident(index)
            && !std::mem::replace(&mut resident.unwritten, true)
        {
            self.unwritten.push(index);
        }
    }

    /// Signals a worker. A worker that has changed its user may not be ours to signal.
    pub fn kill(&mut self, worker: WorkerId, incarnation: Incarnation, signal: Signal, turn: &mut Turn) {
        let Some(resident) = self.slots.get(worker, incarnation) else { return };
        if signal == Signal::STOP {
            self.silence.end();
        }
        match &resident.body {
            Body::Process(process) => {
                if let Err(error) = turn.system.signal(process, signal) {
                    let pid = process.pid;
                    turn.notice(&format!(
                        "supervisor: failed to send {signal} to worker {worker} (pid {pid}): {error}"
                    ));
                }
            }
            // A thread cannot be held either.
            Body::Thread(_) if matches!(signal, Signal::STOP | Signal::CONT) => {}
            Body::Thread(thread) => {
                // A thread cannot be ended. It can be asked to leave, and the loop can stop waiting for it.
                if signal == Signal::KILL {
                    thread.abandon();
                }
                self.recall(worker, incarnation);
            }
        }
    }

    /// Reports which item a worker is at; while nothing is read, that its time does not count.
    pub fn probe(&mut self, worker: WorkerId, incarnation: Incarnation, turn: &mut Turn) {
        let congested = self.congested;
        let resident = self.slots.get(worker, incarnation);
        let running = resident.and_then(|resident| resident.progress.as_ref()?.running());
        turn.report(if congested {
            Input::TimeExcluded { worker, incarnation }
        } else {
            Input::ProbeResult { worker, incarnation, running }
        });
    }

    /// The item that a worker is at, if it says so: on its progress page, or in its last message of progress.
    pub fn running(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<ItemId> {
        let resident = self.slots.get(worker, incarnation)?;
        resident.progress.as_ref().and_then(|page| page.running()).or_else(|| resident.link.named())
    }

    /// The end of what a process of a slot wrote to stderr, once it has ended and until the next one has.
    pub fn last_stderr(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<Box<str>> {
        let (of, tail) = self.slots.at(worker.index())?.last_stderr.as_ref()?;
        worker_log::text_of(tail).filter(|_| *of == incarnation)
    }

    /// The item that a worker said it is at, and the share of it that is done.
    pub fn progress(&self, worker: WorkerId) -> Option<(ItemId, f64)> {
        self.slots.link(worker.index())?.progress()
    }

    /// The results of a fact.
    pub fn answer<'a>(&'a self, reply: &'a mut ResidentReply) -> Option<Answer<'a>> {
        self.slots.link(reply.index).map(|link| link.answer(reply))
    }

    /// Workers get nothing any more: their inputs end, also behind a part of a frame.
    pub fn withhold(&mut self) {
        if !std::mem::replace(&mut self.withholds, true) {
            self.unwritten = (0..self.slots.len()).collect();
        }
    }

    /// Writes all frames of this turn.
    pub fn end_turn(&mut self, turn: &mut Turn) {
        while let Some(index) = self.unwritten.pop() {
            self.write(index, turn);
        }
    }

    /// The loop is about to wait: first it may give its core to the workers.
    pub fn give_way(&mut self, turn: &mut Turn) {
        if let Some(sleep) = self.giving_way.take_due() {
            let from = turn.system.now();
            turn.system.give_way(sleep);
            self.giving_way.note_taken(turn.system.now().since(from));
        }
    }

    pub fn has_unsent(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Writes what a worker's channel takes; the poll set tells when it takes more.
    fn write(&mut self, index: usize, turn: &mut Turn) {
        let Some(slot) = self.slots.at(index) else { return };
        let (token, incarnation) = (slot.token(index, Part::Writable), slot.incarnation);
        let Some(resident) = slot.resident.as_deref_mut() else { return };
        resident.unwritten = false;
        let link = &mut resident.link;
        if link.channel().write_fd().is_none() {
            return;
        }
        let flushed = if self.withholds { Ok(Flush::All) } else { link.flush(turn) };
        // A busy-polled channel is polled, and once armed it reports by its other descriptor.
        let blocked = matches!(flushed, Ok(Flush::Blocked)) && !link.channel().is_busy_polled();
        let blocked = mutant!(BlockedWriteUnwatched, blocked, false);
        if blocked != resident.writing
            && let Some(fd) = link.channel().write_fd()
        {
            if blocked {
                resident.writing = turn.system.watch(fd, Interest::WRITE, token).is_ok();
            } else {
                turn.system.unwatch(fd);
                resident.writing = false;
            }
        }
        // A channel that cannot be waited for is of no use.
        let flushed = if blocked && !resident.writing { Ok(Flush::Closed) } else { flushed };
        match flushed {
            Ok(Flush::Blocked) => mutant!(ClosedBeforeWritten, (), {
                if resident.leaving {
                    link.channel().close_input();
                }
            }),
            Ok(Flush::All) if resident.leaving || self.withholds => link.channel().close_input(),
            Ok(Flush::All) => {}
            Ok(Flush::Closed) | Err(_) => {
                // The worker closed its end. Either it is ending, or it will never take an item again.
                link.channel().close_input();
                turn.report(Input::ChannelClosed { worker: WorkerId::from_index(index), incarnation });
            }
        }
        self.note_busy_polled(index);
    }

    /// Reads again from channels whose pause is over, and looks at workers that owe an answer.
    pub fn begin_turn(&mut self, turn: &mut Turn) {
        if self.silence.next().is_some_and(|next| next <= turn.now)
            && let Some(worker) = self.silence.check(&self.slots, turn.now)
            && let Some(resident) = self.slots.resident(worker.index())
        {
            turn.notice(&silence::notice(worker, resident.body.pid()));
        }
        while let Some(index) = self.throttling.pop_due(turn.now) {
            let Some(slot) = self.slots.at(index) else { continue };
            let token = slot.token(index, Part::Frames);
            let Some(resident) = slot.resident.as_deref_mut().filter(|resident| resident.reading == Watched::Throttled)
            else {
                continue;
            };
            resident.reading = Watched::Yes;
            let interest = mutant!(ThrottledForEver, Interest::READ, Interest::NONE);
            let _ = turn.system.rewatch(resident.link.channel().read_fd(), interest, token);
            self.pause(index, turn);
            self.note_busy_polled(index);
        }
    }

    /// When a throttled channel is to be read again, or workers that owe an answer are to be looked at.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.throttling.next().into_iter().chain(self.silence.next()).min()
    }

    /// A channel was read from, or written to: if it has to be busy-polled, it is from now on.
    fn note_busy_polled(&mut self, index: usize) {
        let Some(resident) = self.slots.resident(index) else { return };
        let is_busy = resident.link.channel().is_busy_polled();
        if is_busy && !resident.busy_polled && !resident.link.is_finished() && resident.reading == Watched::Yes {
            resident.busy_polled = true;
            resident.link.quiet_polls = 0;
            self.polling.slots.push(index);
        }
    }
}
