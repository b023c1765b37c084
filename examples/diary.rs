//! A worker on the SDK that keeps a diary: it echoes each item after half a millisecond, and records the start
//! and the end of each item at once in a file of its own, which is right even if the worker is killed.
//!
//! `supervisor --protocol frames -- target/debug/examples/diary FOLDER ::: a b c`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use supervisor::worker::{self, Failure, Item, Output};

const WORK: Duration = Duration::from_micros(500);

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else { return ExitCode::from(2) };
    let path = Path::new(&folder).join(std::process::id().to_string());
    // A line is one appending write: it is in the file as a whole or not at all.
    let Ok(mut diary) = OpenOptions::new().create(true).append(true).open(path) else { return ExitCode::from(2) };
    worker::run(move |item: &Item<'_>, out: &mut Output| -> Result<(), Failure> {
        diary.write_all(format!("start {}\n", item.id.0).as_bytes())?;
        std::thread::sleep(WORK);
        out.push(item.bytes);
        diary.write_all(format!("end {}\n", item.id.0).as_bytes())?;
        Ok(())
    })
}
