//! A worker without the SDK, which speaks the protocol by hand: it echoes one item and aborts at once.
//!
//! `supervisor --protocol frames --transport socket -- target/debug/examples/last_words ::: a b c`

use std::fs::File;
use std::io::{Read, Write};
use supervisor::sys::fd::take_inherited;
use supervisor::wire::frame::FrameDecoder;
use supervisor::wire::message::{FromWorker, PROTOCOL_VERSION, ToWorker};
use supervisor::wire::{append, codec};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (fd_in, fd_out) = (std::env::var("SUPERVISOR_FD_IN")?, std::env::var("SUPERVISOR_FD_OUT")?);
    let mut input = File::from(take_inherited(fd_in.parse()?)?);
    // A socket is one descriptor for both directions.
    let mut output = if fd_out == fd_in { input.try_clone()? } else { take_inherited(fd_out.parse()?)?.into() };
    let token = u128::from_str_radix(&std::env::var("SUPERVISOR_TOKEN")?, 16)?.to_be_bytes();

    let mut frames = Vec::new();
    append(&FromWorker::Hello { protocol: PROTOCOL_VERSION, pid: std::process::id(), token }, &[], &mut frames)?;
    output.write_all(&frames)?;

    let mut decoder = FrameDecoder::new();
    loop {
        if let Some(frame) = decoder.next()? {
            let ToWorker::Batch { first, count: 1, attempt } = codec::decode(frame.head)? else {
                return Err("it takes one item at a time".into());
            };
            let result = [frame.body, b"\n"].concat();
            frames.clear();
            append(&FromWorker::Done { first, count: 1, attempt, busy_ns: 0, timed: false }, &result, &mut frames)?;
            output.write_all(&frames)?;
            std::process::abort();
        }
        let read = input.read(decoder.buffer().spare())?;
        if read == 0 {
            return Ok(());
        }
        decoder.buffer().filled(read);
    }
}
