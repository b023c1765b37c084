//! The durable record of a run: what was accepted, what was begun, and what became of it.
//!
//! [`record`] is its vocabulary, [`layout`] turns that into bytes and back, [`reader`] finds the records in bytes that a
//! crash or a disk may have spoilt ([`file_reader`]: in a file of any size), and [`books`] checks that the records balance.
//! [`read_through`] reads all that a file holds, [`audit`] judges it, [`progress`] sums it up, and [`item_story`] tells what
//! became of one item.
//! [`writer`] appends records to the file that [`locked`] has opened, and [`state`] is what a run goes on with; by
//! [`fingerprint`]s it knows its input again, or by [`item_hash`]es each of its items ([`known_items`]). [`amend`] changes a
//! journal between two sessions, [`queue_file`] is what others add to one, and [`single_item`] says how to run an item alone.
//!
//! Invariant: nothing of it depends on a library's encoding. A journal outlives the program that wrote it.

pub mod amend;
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
pub mod item_hash;
pub mod item_map;
pub mod item_stage;
pub mod item_story;
mod kept_marks;
pub mod known_items;
pub mod layout;
pub mod locked;
pub mod pending_outcome;
pub mod progress;
pub mod queue_file;
mod read_ahead;
pub mod read_through;
pub mod reader;
pub mod record;
pub mod repair;
pub mod repair_scan;
pub mod rewrite;
pub mod single_item;
pub mod state;
pub mod writer;
