//! A worker on the SDK: the item in capital letters.
//!
//! `supervisor --protocol frames -- target/debug/examples/upper ::: a b c`

use std::process::ExitCode;
use supervisor::worker::{self, Failure, Item, Output};

fn main() -> ExitCode {
    worker::run(|item: &Item<'_>, out: &mut Output| -> Result<(), Failure> {
        out.push(&item.bytes.to_ascii_uppercase());
        Ok(())
    })
}
