//! stdout and stderr: how much they take and when, and whether stdout gets what was shown.

use crate::agenda::Effect;
use crate::marks::Mark;
use crate::scenario::{Scenario, StreamPlan};
use crate::world::World;
use std::io;
use std::os::fd::RawFd;
use supervisor::sys::outbox::{Flushed, Outbox};

/// The output is congested above twice as many waiting bytes, until no more than this wait.
const CONGESTED_BYTES: u64 = 1 << 19;

/// Why a stream takes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Closed,
    Full,
}

pub struct Stream {
    plan: StreamPlan,
    pub fd: RawFd,
    blocked_until: u64,
    pub lost: Option<Lost>,
    /// A write has failed: the shell knows.
    pub failed: bool,
    pub waiting: u64,
    pub received: u64,
}

impl Stream {
    const fn new(plan: StreamPlan) -> Self {
        Self { plan, fd: -1, blocked_until: 0, lost: None, failed: false, waiting: 0, received: 0 }
    }

    /// Whether a write makes progress or fails, instead of blocking.
    pub fn is_writable(&self, now: u64) -> bool {
        self.lost.is_some() || (now >= self.blocked_until && self.plan.stuck_at.is_none_or(|at| now < at))
    }

    fn is_stuck(&self, now: u64) -> bool {
        self.waiting > 0 && self.lost.is_none() && self.plan.stuck_at.is_some_and(|at| now >= at)
    }
}

/// Both streams, and what stdout has to get.
pub struct OutputStreams {
    pub out: Stream,
    pub err: Stream,
    /// What was shown and stdout has not got yet, in order.
    pub expected: Vec<u8>,
    taken: usize,
    /// Results that were shown.
    pub shown: usize,
    /// Where what was shown in each turn ends, and how many results there were.
    turns: Vec<(usize, usize)>,
}

impl OutputStreams {
    pub const fn new(scenario: &Scenario) -> Self {
        let (out, err) = (Stream::new(scenario.stdout), Stream::new(scenario.stderr));
        Self { out, err, expected: Vec::new(), taken: 0, shown: 0, turns: Vec::new() }
    }

    pub fn is_stuck(&self, now: u64) -> bool {
        self.out.is_stuck(now) || self.err.is_stuck(now)
    }

    /// Whether the shell may hold its workers back.
    pub const fn may_be_congested(&self) -> bool {
        self.out.waiting + self.err.waiting > CONGESTED_BYTES
    }

    /// Bytes that were shown and did not leave.
    pub const fn left(&self) -> usize {
        self.expected.len() - self.taken
    }

    /// Bytes that stdout has got.
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Results of the turns of which all have left.
    pub fn told(&self) -> usize {
        self.turns.iter().filter(|(end, _)| *end <= self.taken).map(|(_, shown)| *shown).max().unwrap_or(0)
    }

    /// Takes bytes; `false`: they are not those that were shown.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let rest = &self.expected[self.taken..];
        let same = rest.starts_with(bytes);
        self.taken += bytes.len().min(rest.len());
        same
    }
}

impl World {
    pub fn stdout_closes(&mut self) {
        self.marks.hit(Mark::StdoutClosed);
        self.output.out.lost.get_or_insert(Lost::Closed);
    }

    /// The shell writes what waits in an outbox.
    pub fn flush(&mut self, fd: RawFd, outbox: &mut Outbox) -> io::Result<Flushed> {
        outbox.move_to_memory()?;
        let is_out = fd == self.output.out.fd;
        if !is_out && fd != self.output.err.fd && !outbox.is_empty() {
            self.marks.hit(Mark::BarDrawn);
        }
        let shown = (self.output.expected.len(), self.output.shown);
        // Out of order nothing is told before all of an earlier session is shown.
        let in_order = self.scenario.policy.keep_order;
        let is_told = in_order || !self.items.known_items().any(|(_, item)| item.pending && !item.shown);
        if is_out && is_told && self.output.turns.last() != Some(&shown) {
            self.output.turns.push(shown);
        }
        let now = self.now;
        let stream = if is_out { &mut self.output.out } else { &mut self.output.err };
        let there = outbox.buffer().len() as u64;
        self.trace.add(now, &[32, there], || {
            let text = String::from_utf8_lossy(&outbox.buffer()[..there.min(40) as usize]).into_owned();
            format!("flush; stdout: {is_out}, {there} bytes: {text:?}")
        });
        stream.waiting = there;
        if there == 0 {
            return Ok(Flushed::All);
        }
        if let Some(lost) = stream.lost {
            stream.failed = true;
            return Err(io::Error::from_raw_os_error(if lost == Lost::Closed { libc::EPIPE } else { libc::ENOSPC }));
        }
        if !stream.is_writable(now) {
            let stuck = stream.is_stuck(now);
            self.mark_blocked(is_out, stuck);
            return Ok(Flushed::Blocked);
        }
        let plan = stream.plan;
        let free = plan.full_at.map_or(u64::MAX, |at| at.saturating_sub(stream.received));
        let bytes = there.min(plan.bytes_max).min(free);
        stream.received += bytes;
        stream.waiting -= bytes;
        self.moved = true;
        let left = stream.waiting;
        if left > 0 && bytes == free {
            stream.lost = Some(Lost::Full);
        }
        let buffer = outbox.buffer();
        let same = !is_out || self.output.take(&buffer[..bytes as usize]);
        if !same {
            let text = String::from_utf8_lossy(&buffer[..(bytes as usize).min(200)]).into_owned();
            self.violate(crate::check::Check::Stdout, format!("stdout gets {text:?}, which is not what comes next"));
        }
        outbox.drop_written(bytes as usize);
        self.note(&[31, u64::from(is_out), bytes], || format!("write {bytes} bytes, {left} left; stdout: {is_out}"));
        if left == 0 {
            return Ok(Flushed::All);
        }
        if is_out {
            self.marks.hit(Mark::StdoutShortWrite);
        }
        self.block_stream(is_out, plan.blocked_ns);
        Ok(Flushed::Blocked)
    }

    fn block_stream(&mut self, is_out: bool, wait: u64) {
        let until = self.now + wait;
        let stream = if is_out { &mut self.output.out } else { &mut self.output.err };
        stream.blocked_until = until;
        let lost = stream.lost;
        self.after(wait, Effect::StreamOpens);
        if lost == Some(Lost::Full) {
            self.marks.hit(if is_out { Mark::StdoutFull } else { Mark::StderrLost });
        }
    }

    fn mark_blocked(&mut self, is_out: bool, stuck: bool) {
        self.marks.hit(match (is_out, stuck) {
            (true, true) => Mark::StdoutStuck,
            (true, false) => Mark::StdoutBlocked,
            (false, _) => Mark::StderrBlocked,
        });
        if self.output.may_be_congested() {
            self.marks.hit(Mark::Congested);
        }
    }

    /// While bytes wait for a stream, the shell waits for it to be writable, or tries again `soon`.
    pub fn check_streams(&mut self, soon: bool) {
        for is_out in [true, false] {
            let (stream, name) = if is_out { (&self.output.out, "stdout") } else { (&self.output.err, "stderr") };
            let watched = self.poll_set.position(stream.fd).is_some_and(|at| self.poll_set.watches[at].interest.write);
            let waiting = stream.waiting;
            if waiting > 0 && stream.lost.is_none() && !watched && !soon {
                let text = format!("{waiting} bytes wait for {name}, and it is not watched for writing");
                return self.violate(crate::check::Check::LostWakeUp, text);
            }
        }
    }
}
