//! The durable record of a run: what was accepted, what was begun, and what became of it.
//!
//! [`record`] is its vocabulary, [`layout`] turns that into bytes and back, [`reader`] finds the records in bytes that a
//! crash or a disk may have spoilt ([`file_reader`]: in a file of any size), and [`books`] checks that the records balance.
//!
//! Invariant: nothing of it depends on a library's encoding. A journal outlives the program that wrote it.

pub mod books;
pub mod file_reader;
pub mod item_map;
pub mod layout;
pub mod reader;
pub mod record;
