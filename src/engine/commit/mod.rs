//! Outcomes on their way to the user: the durable record, the barrier, reporters, stdout and stderr.
//!
//! Invariant: nothing else in the engine writes to stdout or stderr, and nothing else shows an outcome.

mod digest;
mod early;
mod job_log;
mod journaled;
mod live;
mod output;
mod pending;
mod pipeline;
mod recording;
mod reorder;
mod shown;
#[cfg(test)]
pub(super) mod testing;

pub use early::EarlyOutput;
pub use journaled::{DurableRecord, Journaled};
pub use live::{LiveRegion, REDRAW_EVERY};
pub use output::{OutputStreams, RESUME_BYTES, Stream};
pub use pending::PendingResults;
pub use pipeline::Commit;
pub use recording::Recording;
pub use shown::SessionOutput;
