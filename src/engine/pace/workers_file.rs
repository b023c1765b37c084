//! The number of workers that a file holds (`-j FILE`). It is read again when it changes.
//!
//! Invariant: a content that is no number changes nothing after the start.

use super::super::error::{EngineError, WorkersFileError};
use super::super::system::System;
use super::super::token::Port;
use super::super::turn::Turn;
use crate::core::input::Input;
use crate::model::command::{Command, Origin};
use crate::model::config::{Config, WorkersFileSpec};
use crate::model::worker_count::WorkerCount;
use crate::sys::file_watch::FileWatch;
use crate::sys::poller::Interest;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

/// More than any number has, with its line.
const CONTENT_BYTES_MAX: u64 = 4096;

/// Reads the number that the configuration names a file for, and puts it into the policy.
pub fn resolve(config: &mut Config) -> Result<(), EngineError> {
    if let Some(spec) = &config.workers_file {
        let number = read(spec);
        config.policy.workers = number.map_err(|error| EngineError::WorkersFile { file: spec.file.clone(), error })?;
    }
    Ok(())
}

fn read(spec: &WorkersFileSpec) -> Result<u32, WorkersFileError> {
    // A file without content, such as a pipe without a writer, would hold the run up.
    if !std::fs::metadata(&spec.file)?.is_file() {
        return Err(WorkersFileError::NotRegular);
    }
    let mut content = Vec::new();
    File::open(&spec.file)?.take(CONTENT_BYTES_MAX).read_to_end(&mut content)?;
    let content = String::from_utf8_lossy(&content);
    let count = WorkerCount::parse(content.trim()).map_err(|error| {
        let content = content.chars().take(40).collect();
        WorkersFileError::Content { content, error }
    })?;
    Ok(count.of(spec.cores))
}

/// The file while a run lasts.
pub struct WorkersFile {
    spec: WorkersFileSpec,
    watch: FileWatch,
    quiet: bool,
    /// The number that was read last.
    number: u32,
    /// Why there was none since. One change of a file has several events, and is told once.
    complaint: Option<String>,
}

impl WorkersFile {
    /// Watches the file.
    ///
    /// # Errors
    /// The system has no watch left.
    pub fn start(config: &Config, system: &mut dyn System) -> io::Result<Option<Self>> {
        let Some(spec) = config.workers_file.clone() else { return Ok(None) };
        let watch = FileWatch::start(&spec.file)?;
        system.watch(watch.as_fd(), Interest::READ, Port::WorkersFile.token())?;
        Ok(Some(Self { spec, watch, quiet: config.output.quiet, number: config.policy.workers, complaint: None }))
    }

    /// The file may have changed.
    pub fn on_ready(&mut self, turn: &mut Turn) {
        if !self.watch.has_changed() {
            return;
        }
        match read(&self.spec) {
            Ok(number) if number == self.number => self.complaint = None,
            Ok(workers) => {
                (self.number, self.complaint) = (workers, None);
                turn.report(Input::Command { command: Command::Scale { workers }, origin: Origin::Caller });
            }
            // Between a removal and the new file there is none.
            Err(WorkersFileError::Read(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if self.quiet => {}
            Err(error) => {
                let (file, number, error) = (self.spec.file.display(), self.number, error.to_string());
                if self.complaint.as_ref() != Some(&error) {
                    turn.notice(&format!("supervisor: goes on with {number} workers: failed to read {file}: {error}"));
                    self.complaint = Some(error);
                }
            }
        }
    }
}
