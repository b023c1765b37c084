//! The thread of a launcher.

use super::launchers::{Launcher, LauncherConfig};
use super::messages::Report;
use crate::sys::mailbox::Mailbox;
use std::io;
use std::sync::Arc;

/// What the thread executes.
pub fn main(config: LauncherConfig) {
    let reports = Arc::clone(&config.reports);
    // The error is reported also if the thread panics.
    let mut loss = Loss { reports, error: Some(io::Error::other("it panicked")) };
    loss.error = Launcher::new(config).and_then(Launcher::run).err();
}

/// Reports the end of the thread, unless it had the order to leave.
struct Loss {
    reports: Arc<Mailbox<Report>>,
    error: Option<io::Error>,
}

impl Drop for Loss {
    fn drop(&mut self) {
        if let Some(error) = self.error.take() {
            self.reports.post(&mut vec![Report::Lost { error }]);
        }
    }
}
