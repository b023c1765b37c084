//! The `supervisor-worker` program.
fn main() {}
