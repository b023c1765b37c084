//! One command, run to its end: what it wrote, how it ended, what it used. With it ends everything that it has started in
//! its process group, and it ends with this program, however that dies.
//!
//! ```
//! use supervisor::config::Duration;
//! use supervisor::process::{self, ProcessSpec};
//!
//! let spec = ProcessSpec::new(["wc", "-c"]).stdin_bytes("twelve bytes").capture().timeout(Duration::from_secs(10));
//! let done = process::run(&spec)?;
//! assert!(done.is_success());
//! assert_eq!(done.stdout.trim_ascii(), b"12");
//! # Ok::<(), supervisor::process::ProcessError>(())
//! ```
//!
//! [`run`] waits on the calling thread. While it does, SIGPIPE and SIGXFSZ are ignored in this process, and SIGCHLD is
//! not; all that is undone at the end.
//!
//! Floor 3. `spec` says what to run, `retries` makes its attempts, `attempt` is one of them, `ladder` decides which signal
//! comes next, `job` knows the terminal.
//!
//! Invariant: when a call returns, no process of the command's group is left, and this process is as it was.

mod attempt;
mod completed;
mod error;
mod job;
mod ladder;
mod outputs;
mod retries;
mod spec;
mod supervision;

pub use crate::sys::semaphore::{Semaphore, SemaphoreError, SemaphorePlace};
pub use completed::Completed;
pub use error::ProcessError;
pub use retries::{run, run_as_program};
pub use spec::ProcessSpec;
#[doc(hidden)]
pub use supervision::ProcessNotice;
