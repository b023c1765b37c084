//! Where a subcommand writes what it was asked for: stdout, a pager before a terminal, or a file.

use super::answer::{fail, refuse_closed_stdout};
use crate::exit_code;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

/// Shows text a page at a time, with its colors, and leaves at once if all of it fits on the screen.
const PAGER: &str = "less -FRX";

/// An output, with a name for messages.
pub struct AnswerSink {
    out: Option<BufWriter<Box<dyn Write>>>,
    name: String,
    pager: Option<Child>,
}

impl AnswerSink {
    /// Opens `file`, or stdout. `input`: what is read, which is not written over. `pages`: text for people, which a
    /// terminal gets page by page.
    ///
    /// # Errors
    /// The file cannot be created, or is the input; it was reported.
    pub fn open(file: Option<&Path>, input: &Path, pages: bool) -> Result<Self, ExitCode> {
        let Some(path) = file.filter(|path| path.as_os_str() != "-") else {
            refuse_closed_stdout()?;
            let mut pager = if pages && io::stdout().is_terminal() { start_pager() } else { None };
            let input = pager.as_mut().and_then(|pager| pager.stdin.take());
            let out: Box<dyn Write> = match input {
                Some(input) => Box::new(input),
                None => Box::new(io::stdout().lock()),
            };
            return Ok(Self { out: Some(BufWriter::new(out)), name: "stdout".to_owned(), pager });
        };
        let name = path.display().to_string();
        if is_input(path, input) {
            return Err(refuse_input(path));
        }
        match File::create(path) {
            Ok(file) => Ok(Self { out: Some(BufWriter::new(Box::new(file))), name, pager: None }),
            Err(error) => Err(fail(&format_args!("failed to create {name}: {error}"), exit_code::USAGE)),
        }
    }

    /// Ends the output, and says how the program exits. `written`: what became of it so far.
    pub fn finish(mut self, written: io::Result<()>) -> ExitCode {
        let written = written.and_then(|()| self.flush());
        // The pager reads on until its input is closed. What is left in a buffer after an error is lost anyway.
        drop(self.out.take());
        if let Some(mut pager) = self.pager.take() {
            // It may be gone already.
            let _ = pager.wait();
        }
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                fail(&format_args!("failed to write {}: {error}", self.name), exit_code::LOST)
            }
            // A reader that closed the pipe has read enough.
            _ => ExitCode::from(exit_code::DONE),
        }
    }
}

impl Write for AnswerSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.as_mut().map_or(Ok(bytes.len()), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// Whether what is written would be what is read.
pub fn is_input(output: &Path, input: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    identity(output).is_some_and(|output| identity(input) == Some(output))
}

/// Reports that the file that is read would be written over.
pub fn refuse_input(output: &Path) -> ExitCode {
    let name = output.display();
    fail(&format_args!("failed to write {name}: it is the file that is read; give another one"), exit_code::USAGE)
}

/// The pager of the user, or ours; `None` if there is none.
fn start_pager() -> Option<Child> {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| PAGER.to_owned());
    let mut words = pager.split_whitespace();
    // An empty one, or `cat`, asks for none.
    let program = words.next().filter(|program| *program != "cat")?;
    Command::new(program).args(words).stdin(Stdio::piped()).spawn().ok()
}
