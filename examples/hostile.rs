//! A worker that breaks one rule, over any transport, to test what the supervisor does to it and whether other
//! workers suffer.
//!
//! `supervisor --protocol frames -- target/debug/examples/hostile RULE [MARK] ::: a b c`
//!
//! With the rule `strays` it is a command too.
//!
//! MARK is the path of a file that does not exist yet: with it, only the first process breaks the rule, and all
//! others echo their items. The rules are the strings in `main`, `before_the_hello` and `answer`.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl::set_pdeathsig;
use nix::unistd::{Pid, getpgid, setpgid};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use supervisor::model::ids::ItemId;
use supervisor::sys::fd::take_inherited;
use supervisor::transport::progress_page::ProgressWriter;
use supervisor::transport::{self, Connection, Endpoints};
use supervisor::wire::frame::{self, BODY_BYTES_MAX};
use supervisor::wire::message::{FromWorker, PROTOCOL_VERSION, ToWorker};
use supervisor::wire::{append, append_without_body, codec, names};

type Any = Box<dyn std::error::Error>;

/// A batch that was dispatched to this worker, and its items.
struct Work {
    first: u64,
    count: u32,
    attempt: u32,
    items: Vec<u8>,
}

fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let rule = arguments.next().ok_or("which rule?")?;
    let breaks = arguments.next().is_none_or(|mark| File::create_new(mark).is_ok());
    let rule = if breaks { &rule } else { "none" };
    if rule == "exits" {
        return Ok(());
    }
    if rule == "strays" {
        stray()?;
    }
    let (kind, endpoints, progress) = inherited()?;
    let kind = transport::by_name(&kind).ok_or("a transport of another version")?;
    if rule == "cuts" {
        cut()?;
    }
    let mut connection = transport::connect(kind, endpoints)?;
    before_the_hello(&mut connection, rule)?;
    while let Some(work) = next(&mut connection)? {
        if rule == "progress" && work.first > 0 {
            // Item 0 was dispatched to another worker.
            progress.begin(ItemId(0));
            std::process::abort();
        }
        if ["jams", "strays"].contains(&rule) {
            progress.begin(ItemId(work.first));
        }
        // With other rules the progress page names no item, so that no item is charged for what this worker does.
        connection = answer(connection, &work, rule)?;
    }
    Ok(())
}

/// What this process was started with: the name of its transport, the transport's endpoints, its progress page.
fn inherited() -> Result<(String, Endpoints, ProgressWriter), Any> {
    let mut endpoints = Endpoints::new();
    let mut known: Vec<(RawFd, Vec<&'static str>)> = Vec::new();
    for name in names::TRANSPORT_FDS {
        let Ok(number) = std::env::var(name) else { continue };
        let number = number.parse()?;
        match known.iter_mut().find(|(fd, _)| *fd == number) {
            Some((_, names)) => names.push(name),
            None => known.push((number, vec![name])),
        }
    }
    for (number, names) in known {
        endpoints = endpoints.fd(&names, take_inherited(number)?);
    }
    for name in names::TRANSPORT_VARIABLES {
        if let Ok(word) = std::env::var(name) {
            endpoints = endpoints.variable(name, word);
        }
    }
    let progress = ProgressWriter::from_fd(take_inherited(std::env::var(names::FD_PROGRESS)?.parse()?)?)?;
    Ok((std::env::var(names::TRANSPORT)?, endpoints, progress))
}

fn hello(wrong: bool) -> Result<FromWorker, Any> {
    let token = u128::from_str_radix(&std::env::var(names::TOKEN)?, 16)? ^ u128::from(wrong);
    Ok(FromWorker::Hello { protocol: PROTOCOL_VERSION, pid: std::process::id(), token: token.to_be_bytes() })
}

fn done(first: u64, count: u32, attempt: u32) -> FromWorker {
    FromWorker::Done { first, count, attempt, busy_ns: 1000, timed: false }
}

fn before_the_hello(connection: &mut Connection, rule: &str) -> Result<(), Any> {
    match rule {
        "silent" => wait_for_ever(),
        "garbage" => say_bytes(connection, b"HTTP/1.1 200 OK\r\n\r\n")?,
        "early" => say(connection, &done(0, 1, 1), b"x\n")?,
        "token" => say(connection, &hello(true)?, b"")?,
        "slow" => write_bytewise(connection, &hello(false)?, b"")?,
        "talks" => say(connection, &hello(false)?, b"and a word on myself")?,
        _ => say(connection, &hello(false)?, b"")?,
    }
    match rule {
        "hello" => say(connection, &hello(false)?, b"")?,
        "unread" => wait_for_ever(),
        _ => {}
    }
    Ok(())
}

/// Answers, or breaks the rule. Returns the connection unless the rule ends it.
fn answer(mut connection: Connection, work: &Work, rule: &str) -> Result<Connection, Any> {
    let Work { first, count, attempt, .. } = *work;
    let to = &mut connection;
    match rule {
        "foreign" => say(to, &done(first + 1_000_000, count, attempt), &work.items)?,
        "skipped" => say(to, &done(first + 1, 1, attempt), b"x\n")?,
        "endless" => say(to, &done(first, u32::MAX, attempt), b"x\n")?,
        "wrapped" => say(to, &done(u64::MAX, 1, attempt), b"x\n")?,
        "nothing" => say(to, &done(first, 0, attempt), b"")?,
        "future" => say(to, &done(first, 1, attempt + 1), b"x\n")?,
        "past" => say(to, &done(first, 1, attempt - 1), b"x\n")?,
        "lines" => say(to, &done(first, 1 + count, attempt), b"one\n")?,
        "direction" => say(to, &ToWorker::Batch { first, count, attempt }, &work.items)?,
        "empty" => say_bytes(to, &[1, 2, 0, 0, 0, 0, 0, 0])?,
        "length" => say_bytes(to, &announcing(u32::MAX))?,
        "half" => say_bytes(to, &announcing(1 << 31))?,
        "over" => say_bytes(to, &announcing(BODY_BYTES_MAX as u32 + 1))?,
        "head" => say_bytes(to, &[1, 2, 0xff, 0xff, 0, 0, 0, 0])?,
        "max" if count == 1 => say(to, &done(first, 1, attempt), &vec![b'x'; BODY_BYTES_MAX])?,
        "swells" => {
            let mut frame = Vec::new();
            append(&done(first, 1, attempt), &vec![b'x'; BODY_BYTES_MAX], &mut frame)?;
            say_bytes(to, &frame[..frame.len() - 1])?;
            wait_for_ever();
        }
        // Large frames that are refused once their head is read.
        "boasts" => begin(to, &done(first + 1_000_000, 1, attempt), BODY_BYTES_MAX)?,
        "expired" => begin(to, &done(first, 1, attempt - 1), BODY_BYTES_MAX)?,
        "bulky" => begin(to, &done(first, 2, attempt), BODY_BYTES_MAX)?,
        "twice" => {
            say(to, &done(first, count, attempt), &work.items)?;
            say(to, &done(first, count, attempt), &work.items)?;
        }
        "dribble" => write_bytewise(to, &done(first, count, attempt), &work.items)?,
        "mumbles" => write_bytewise(to, &done(first + 1_000_000, count, attempt), &work.items)?,
        "torn" => {
            say_bytes(to, &[1, 2, 8, 0, 0, 0, 1, 0, 5])?;
            std::process::abort();
        }
        "closes" => {
            drop(connection);
            wait_for_ever();
        }
        "deafens" => {
            let Connection { items, results: _results } = connection;
            drop(items);
            wait_for_ever();
        }
        "prints" => print(1000)?,
        "floods" => print(u64::MAX)?,
        "cuts" => {
            cut()?;
            say(to, &done(first, count, attempt), &work.items)?;
        }
        "scribbles" => {
            scribble()?;
            say(to, &done(first, count, attempt), &work.items)?;
            wait_for_ever();
        }
        _ => harm(rule)?,
    }
    if ["none", "prints", "progress", "max", "slow"].contains(&rule) && (rule != "max" || count > 1) {
        say(&mut connection, &done(first, count, attempt), &work.items)?;
    }
    Ok(connection)
}

/// Breaks the rules about descriptors, if it is one of them.
fn harm(rule: &str) -> Result<(), Any> {
    match rule {
        "blocks" => {
            block(false)?;
            std::process::abort();
        }
        "strays" => wait_for_ever(),
        "jams" => {
            block(true)?;
            wait_for_ever();
        }
        "raw" => {
            for_each_fd(|fd| _ = nix::unistd::write(fd, &[0xa5; 4096]))?;
            wait_for_ever();
        }
        _ => {}
    }
    Ok(())
}

/// Sends a frame with the first 1000 bytes of its body only, and then nothing more.
fn begin(to: &mut Connection, message: &FromWorker, body_bytes: usize) -> Result<(), Any> {
    let mut frame = Vec::new();
    append_without_body(message, body_bytes, &mut frame)?;
    frame.extend_from_slice(&[b'x'; 1000]);
    say_bytes(to, &frame)?;
    wait_for_ever();
}

/// The start of a frame: a header that announces a short head and a body of this many bytes, and 4 KiB more.
fn announcing(bytes: u32) -> Vec<u8> {
    let mut header = vec![frame::FRAME_VERSION, frame::FrameDirection::FromWorker as u8, 4, 0];
    header.extend_from_slice(&bytes.to_le_bytes());
    header.extend_from_slice(&[1; 4096]);
    header
}

/// Calls `each` with every descriptor except stdin, stdout and stderr.
fn for_each_fd(each: impl Fn(BorrowedFd<'_>)) -> Result<(), Any> {
    let entries: Vec<_> = std::fs::read_dir("/proc/self/fd")?.collect::<Result<_, _>>()?;
    for entry in entries {
        let number: RawFd = entry.file_name().to_string_lossy().parse()?;
        if number > 2 && entry.path().exists() {
            // SAFETY: if it is closed meanwhile this call fails; nothing is owned or kept.
            each(unsafe { BorrowedFd::borrow_raw(number) });
        }
    }
    Ok(())
}

/// Truncates every open file, since others may have mapped it.
fn cut() -> Result<(), Any> {
    for_each_fd(|fd| _ = nix::unistd::ftruncate(fd, 0))
}

/// Leaves the process group for its parent's, and lives on when its parent dies. As a command it does nothing more.
fn stray() -> Result<(), Any> {
    setpgid(Pid::from_raw(0), getpgid(Some(Pid::parent()))?)?;
    set_pdeathsig(None)?;
    if std::env::var_os(names::TRANSPORT).is_none() {
        println!("astray");
        wait_for_ever();
    }
    Ok(())
}

/// Takes away what is there to read, by every descriptor and by each that can be opened again, or fills the counters.
/// Then makes all descriptors blocking, stdin, stdout and stderr too: a process that shares an open file and relies on
/// its flag waits for ever.
fn block(fills: bool) -> Result<(), Any> {
    let wait_for_nothing = |fd: BorrowedFd<'_>| fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
    let drain = |fd: BorrowedFd<'_>| while nix::unistd::read(fd, &mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {};
    for_each_fd(|fd| {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        if wait_for_nothing(fd).is_ok() {
            drain(fd);
        }
        if let Ok(again) = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path) {
            drain(again.as_fd());
        }
        if fills && std::fs::read_link(&path).is_ok_and(|name| name.as_os_str() == "anon_inode:[eventfd]") {
            let _ = nix::unistd::write(fd, &(u64::MAX - 1).to_ne_bytes());
        }
        let _ = fcntl(fd, FcntlArg::F_SETFL(OFlag::empty()));
    })?;
    fcntl(io::stdin(), FcntlArg::F_SETFL(OFlag::empty()))?;
    fcntl(io::stdout(), FcntlArg::F_SETFL(OFlag::empty()))?;
    fcntl(io::stderr(), FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(())
}

/// Overwrites all memory that this process shares with garbage.
fn scribble() -> Result<(), Any> {
    let memory = OpenOptions::new().write(true).open("/proc/self/mem")?;
    let garbage: Vec<u8> = (0..4096u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    for line in std::fs::read_to_string("/proc/self/maps")?.lines().filter(|line| line.contains(" rw-s ")) {
        let (start, rest) = line.split_once('-').ok_or("no mapping")?;
        let end = u64::from_str_radix(rest.split(' ').next().unwrap_or_default(), 16)?;
        for at in (u64::from_str_radix(start, 16)?..end).step_by(garbage.len()) {
            let _ = memory.write_all_at(&garbage, at);
        }
    }
    Ok(())
}

fn print(lines: u64) -> io::Result<()> {
    let line = [b'x'; 8191].iter().copied().chain([b'\n']).collect::<Vec<u8>>();
    (0..lines).try_for_each(|_| io::stdout().write_all(&line))
}

fn say<M: codec::Message>(to: &mut Connection, message: &M, body: &[u8]) -> Result<(), Any> {
    let mut frame = Vec::new();
    append(message, body, &mut frame)?;
    say_bytes(to, &frame)
}

fn write_bytewise(to: &mut Connection, message: &FromWorker, body: &[u8]) -> Result<(), Any> {
    let mut frame = Vec::new();
    append(message, body, &mut frame)?;
    frame.iter().try_for_each(|byte| say_bytes(to, &[*byte]))
}

fn say_bytes(to: &mut Connection, bytes: &[u8]) -> Result<(), Any> {
    Ok(to.results.send(bytes)?)
}

fn next(connection: &mut Connection) -> Result<Option<Work>, Any> {
    loop {
        if let Some(frame) = connection.items.next()? {
            let ToWorker::Batch { first, count, attempt } = codec::decode(frame.head)?;
            let mut items = frame.body.to_vec();
            if count == 1 {
                items.push(b'\n');
            }
            return Ok(Some(Work { first, count, attempt, items }));
        }
        if !connection.items.fill()? {
            return Ok(None);
        }
    }
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}
