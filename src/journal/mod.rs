//! The durable record of a run: what was accepted, what was begun, and what became of it.
//!
//! [`record`] is its vocabulary, [`layout`] turns that into bytes and back, [`reader`] finds the records in bytes that a
//! crash or a disk may have spoilt ([`file_reader`]: in a file of any size), and [`books`] checks that the records balance.
//! [`read_through`] reads all that a file holds, [`audit`] judges it, [`progress`] sums it up, and [`item_story`] tells what
//! became of one item.
//! [`writer`] appends records, and [`state`] is what a run goes on with; by [`fingerprint`]s it knows its input again.
//!
//! Invariant: nothing of it depends on a library's encoding. A journal outlives the program that wrote it.

pub mod audit;
pub mod books;
pub mod compact;
pub mod compact_plan;
pub mod content_order;
mod fields;
pub mod file_reader;
pub mod fingerprint;
pub mod index;
pub mod item_contents;
pub mod item_map;
pub mod item_story;
mod kept_marks;
pub mod layout;
pub mod locked;
pub mod progress;
pub mod read_through;
pub mod reader;
pub mod record;
pub mod repair;
pub mod repair_scan;
pub mod rewrite;
pub mod state;
pub mod writer;
