//! The joblog that a run goes by.

use crate::reporter::job_log::HEADER;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a log begins with in each version of GNU parallel: its first two columns.
const START_BYTES: usize = b"Seq\tHost\t".len();

/// What a file holds, if it is a regular one that begins as a joblog does. Whoever reads it as something else judges any
/// other.
pub fn read(path: &Path) -> Option<Vec<u8>> {
    // A FIFO would be waited for.
    path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut file = File::open(path).ok()?;
    let mut content = vec![0; START_BYTES];
    file.read_exact(&mut content).ok()?;
    if content != HEADER[..START_BYTES] {
        return None;
    }
    file.read_to_end(&mut content).ok()?;
    Some(content)
}
