//! A worker that breaks one rule of the protocol, to see what becomes of it, and of the others.
//!
//! `supervisor --protocol frames -- target/debug/examples/hostile RULE [MARK] ::: a b c`
//!
//! With a MARK, a path where no file is yet, only the first process breaks the rule, and all others
//! echo their items.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use supervisor::wire::frame::FrameDecoder;
use supervisor::wire::message::{FromWorker, PROTOCOL_VERSION, ToWorker};
use supervisor::wire::{append, codec};

type Any = Box<dyn std::error::Error>;

const IN: i32 = 3;
const OUT: i32 = 4;

/// A run that was handed out, and its items.
struct Work {
    first: u64,
    count: u32,
    attempt: u32,
    items: Vec<u8>,
}

struct Worker {
    input: File,
    output: File,
    decoder: FrameDecoder,
}

fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let rule = arguments.next().ok_or("which rule?")?;
    let breaks = arguments.next().is_none_or(|mark| File::create_new(mark).is_ok());
    // Anew, so that 3 and 4 can be closed.
    let input = File::open(format!("/dev/fd/{IN}"))?;
    let output = OpenOptions::new().write(true).open(format!("/dev/fd/{OUT}"))?;
    let mut worker = Worker { input, output, decoder: FrameDecoder::new() };
    worker.serve(if breaks { &rule } else { "none" })
}

fn hello(wrong: bool) -> Result<FromWorker, Any> {
    let token = u128::from_str_radix(&std::env::var("SUPERVISOR_TOKEN")?, 16)? ^ u128::from(wrong);
    Ok(FromWorker::Hello { protocol: PROTOCOL_VERSION, pid: std::process::id(), token: token.to_be_bytes() })
}

fn done(first: u64, count: u32, attempt: u32) -> FromWorker {
    FromWorker::Done { first, count, attempt, busy_ns: 1000, timed: false }
}

impl Worker {
    fn serve(&mut self, rule: &str) -> Result<(), Any> {
        match rule {
            "exits" => return Ok(()),
            "mute" => return wait_for_ever(),
            "garbage" => return self.say_bytes(b"HTTP/1.1 200 OK\r\n\r\n"),
            "early" => self.say(&done(0, 1, 1), b"x\n")?,
            "token" => self.say(&hello(true)?, b"")?,
            "slow" => {
                let mut frame = Vec::new();
                append(&hello(false)?, b"", &mut frame)?;
                frame.iter().try_for_each(|byte| self.output.write_all(&[*byte]))?;
            }
            _ => self.say(&hello(false)?, b"")?,
        }
        if rule == "hello" {
            self.say(&hello(false)?, b"")?;
        }
        while let Some(work) = self.next()? {
            self.answer(&work, rule)?;
        }
        Ok(())
    }

    fn answer(&mut self, work: &Work, rule: &str) -> Result<(), Any> {
        let Work { first, count, attempt, .. } = *work;
        let honest = done(first, count, attempt);
        match rule {
            "foreign" => self.say(&done(first + 1_000_000, count, attempt), &work.items),
            "skipped" => self.say(&done(first + 1, 1, attempt), b"x\n"),
            "endless" => self.say(&done(first, u32::MAX, attempt), b"x\n"),
            "wrapped" => self.say(&done(u64::MAX, 1, attempt), b"x\n"),
            "nothing" => self.say(&done(first, 0, attempt), b""),
            "future" => self.say(&done(first, 1, attempt + 1), b"x\n"),
            "twice" => {
                self.say(&honest, &work.items)?;
                self.say(&honest, &work.items)
            }
            "lines" => self.say(&done(first, 1 + count, attempt), b"one\n"),
            "length" => self.say_bytes(&[1, 2, 4, 0, 0xff, 0xff, 0xff, 0xff]),
            "head" => self.say_bytes(&[1, 2, 0xff, 0xff, 0, 0, 0, 0]),
            "torn" => {
                self.say_bytes(&[1, 2, 8, 0, 0, 0, 1, 0, 5])?;
                std::process::abort();
            }
            "direction" => self.say(&ToWorker::Run { first, count, attempt }, &work.items),
            "closes" => {
                nix::unistd::close(OUT)?;
                self.output = File::open("/dev/null")?;
                wait_for_ever()
            }
            "deafens" => {
                nix::unistd::close(IN)?;
                self.input = File::open("/dev/null")?;
                wait_for_ever()
            }
            "prints" => {
                let line = [b'x'; 8191].iter().copied().chain([b'\n']).collect::<Vec<u8>>();
                for _ in 0..1000 {
                    io::stdout().write_all(&line)?;
                }
                self.say(&honest, &work.items)
            }
            _ => self.say(&honest, &work.items),
        }
    }

    fn say<M: codec::Message>(&mut self, message: &M, body: &[u8]) -> Result<(), Any> {
        let mut frame = Vec::new();
        append(message, body, &mut frame)?;
        self.say_bytes(&frame)
    }

    fn say_bytes(&mut self, bytes: &[u8]) -> Result<(), Any> {
        Ok(self.output.write_all(bytes)?)
    }

    fn next(&mut self) -> Result<Option<Work>, Any> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                let ToWorker::Run { first, count, attempt } = codec::decode(frame.head)?;
                let mut items = frame.body.to_vec();
                if count == 1 {
                    items.push(b'\n');
                }
                return Ok(Some(Work { first, count, attempt, items }));
            }
            let read = self.input.read(self.decoder.spare())?;
            if read == 0 {
                return Ok(None);
            }
            self.decoder.filled(read);
        }
    }
}

fn wait_for_ever() -> Result<(), Any> {
    loop {
        std::thread::park();
    }
}
