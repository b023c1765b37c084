//! The `supervisor` program.
fn main() {}
