//! The journal of a run, before the run begins: opened and locked, read if the run goes on, and begun.
//!
//! Invariant: a file that is refused stays as it is, and one that was made for a run that did not begin is removed.

mod error;
mod facts;
mod output_file;
mod queue_source;
mod session;
#[cfg(test)]
mod tests;

pub use error::JournalError;
pub use session::{BegunSession, SessionPlan, SessionRules};

use super::commit::{Commit, Journaled, SessionOutput};
use super::feed::{Feed, InputCheck, InputDiffers};
use crate::journal::file_reader::JournalFileReader;
use crate::journal::fingerprint::RecordedInput;
use crate::journal::locked;
use crate::journal::queue_file;
use crate::journal::record::{JournalMark, RunFact};
use crate::journal::state::JournalState;
use crate::model::config::{Config, InputSpec, OutputMode, ResultsFormat, ShowWhen, SourceSpec};
use crate::model::journal_spec::{Durability, JournalSpec, ResumeBy, TriedAgain};
use crate::mutant::mutant;
use crate::source::Source;
use crate::sys::clock::{self, Clock};
use crate::sys::durable_file::{self, DurableFile};
use crate::sys::outbox::Outbox;
use crate::sys::random;
use crate::sys::spill::SpillFile;
use error::named;
pub use facts::facts_of;
use facts::{difference, of_output, resumed_by};
use output_file::OutputFile;
use queue_source::{AskedOfItems, QueueSource};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

/// A journal that is locked. If the run does not begin, one that was made for it is removed.
pub struct OpenedJournal {
    spec: JournalSpec,
    facts: Vec<RunFact<'static>>,
    file: Option<DurableFile>,
    /// What it says, if the run goes on.
    earlier: Option<JournalState>,
    /// It was made, or was empty.
    is_new: bool,
    /// Where results go in place of stdout.
    output: Option<OutputFile>,
    /// What is asked of items in its queue, if the run takes items from there.
    queue: Option<AskedOfItems>,
}

/// A journal in which the session has begun.
struct BegunJournal {
    journaled: Journaled,
    feed: Feed,
    /// What to say of it.
    notice: Option<String>,
}

/// What is there beside the file when the session begins.
pub struct SessionContext<'a> {
    config: &'a Config,
    /// Another source of the same items, if they can be read twice.
    same_source: Option<Box<dyn Source>>,
    spill: Arc<SpillFile>,
    /// Of the session.
    clock: &'a Clock,
}

impl<'a> SessionContext<'a> {
    /// `same_source`: another source of the same items, if they can be read twice. `clock`: of the session.
    pub const fn new(
        config: &'a Config,
        same_source: Option<Box<dyn Source>>,
        spill: Arc<SpillFile>,
        clock: &'a Clock,
    ) -> Self {
        Self { config, same_source, spill, clock }
    }
}

/// Begins the session of a journal, if there is one. Returns also what to say of it.
///
/// # Errors
/// As of [`OpenedJournal::begin`].
pub fn begin(
    journal: Option<OpenedJournal>,
    feed: Feed,
    commit: Commit,
    context: SessionContext<'_>,
) -> Result<(Feed, Commit, Option<String>), JournalError> {
    let Some(journal) = journal else { return Ok((feed, commit, None)) };
    let BegunJournal { journaled, feed, notice } = journal.begin(feed, context)?;
    Ok((feed, commit.with_record(journaled), notice))
}

/// Whether the run goes on where an earlier session stopped.
pub fn goes_on(journal: Option<&OpenedJournal>) -> bool {
    journal.is_some_and(|journal| journal.earlier.is_some())
}

impl OpenedJournal {
    /// Opens the journal that the run asks for, and reads it if the run goes on; the run has its id then.
    ///
    /// # Errors
    /// It is refused.
    pub fn open(config: &mut Config) -> Result<Option<Self>, JournalError> {
        let Some(spec) = config.journal.clone() else { return Ok(None) };
        let path = spec.file.clone();
        let file =
            locked::open(&path, spec.forced).map_err(|error| JournalError::File { path: path.clone(), error })?;
        if let Some(what) = written_too(config, &file) {
            return Err(JournalError::SameFile { path, what });
        }
        let facts = facts_of(config);
        let is_new = file.end() == 0;
        let mut opened = Self { spec, facts, file: Some(file), earlier: None, is_new, output: None, queue: None };
        if !is_new {
            opened.read()?;
        }
        if let Some(path) = &opened.spec.output_file {
            opened.output = Some(OutputFile::open(path, opened.earlier.as_ref(), opened.spec.forced)?);
        }
        if let Some(run) = opened.earlier.as_ref().and_then(|earlier| earlier.opened.as_ref()) {
            config.run_id.clone_from(&run.run_id);
        }
        Ok(Some(opened))
    }

    fn read(&mut self) -> Result<(), JournalError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let path = self.spec.file.clone();
        match JournalState::read(file.file()) {
            Ok(_) if self.spec.resume.is_none() => return Err(JournalError::Exists { path }),
            Ok(earlier) => {
                let opened = earlier.opened.as_ref();
                let by = self.spec.resume_by;
                match opened.map_or(by, |opened| resumed_by(&opened.facts)) {
                    recorded if recorded == by => {}
                    ResumeBy::Position => return Err(JournalError::ByPosition { path }),
                    ResumeBy::Item => return Err(JournalError::ByItem { path }),
                }
                let differs = opened.and_then(|opened| match by {
                    ResumeBy::Position => difference(&opened.facts, &self.facts),
                    ResumeBy::Item => difference(&of_output(&opened.facts), &of_output(&self.facts)),
                });
                let differs = mutant!(FactsIgnored, differs, None);
                if let Some(difference) = differs.filter(|_| !self.spec.forced) {
                    return Err(JournalError::Fact { path, difference });
                }
                self.earlier = Some(earlier);
            }
            // It holds nothing yet.
            Err(error) if self.spec.resume.is_some() && JournalState::is_cut_head(&error, file.end()) => {
                file.cut(0).map_err(|error| JournalError::Write { error })?;
                self.is_new = true;
            }
            Err(error) => return Err(JournalError::State { path, error }),
        }
        Ok(())
    }

    /// The source of a run that takes the items of the journal's queue.
    ///
    /// # Errors
    /// The queue is refused, or does not have the items that the journal has.
    pub fn queue(&mut self, source: &SourceSpec) -> Result<Option<QueueSource>, JournalError> {
        if *source != SourceSpec::Queue {
            return Ok(None);
        }
        let path = queue_file::path_of(&self.spec.file);
        let refused = |error| JournalError::Queue { path: path.clone(), error };
        let queue = QueueSource::open(&path, self.spec.durability == Durability::Power).map_err(refused)?;
        let at = queue.items().map_err(refused)?;
        let end = self.earlier.as_ref().map_or(0, |earlier| earlier.books.next_item().0);
        if at < end && !self.spec.forced {
            return Err(JournalError::Input { path: self.spec.file.clone(), error: InputDiffers::Short { at, end } });
        }
        self.queue = Some(queue.requests().map_err(refused)?);
        Ok(Some(queue))
    }

    /// What takes the place of stdout, if results go to a file.
    pub fn outbox(&self) -> io::Result<Option<Outbox>> {
        self.output.as_ref().map(OutputFile::outbox).transpose()
    }

    /// The name of that file.
    pub fn output_name(&self) -> Option<String> {
        self.spec.output_file.as_ref().map(|path| path.display().to_string())
    }

    /// A descriptor of the file: as long as one is open, the file is locked.
    pub fn lock(&self) -> io::Result<Option<OwnedFd>> {
        self.file.as_ref().map(|file| file.as_fd().try_clone_to_owned()).transpose()
    }

    /// Begins the session: from now on the journal is written.
    ///
    /// # Errors
    /// The input is not the one of the journal, or the disk is full.
    fn begin(mut self, feed: Feed, context: SessionContext<'_>) -> Result<BegunJournal, JournalError> {
        let path = self.spec.file.clone();
        let of_read = |error| JournalError::State { path: path.clone(), error };
        let Some(file) = self.file.take() else {
            return Err(JournalError::Write { error: io::ErrorKind::Other.into() });
        };
        let shared = Arc::new(file.file().try_clone().map_err(|error| of_read(error.into()))?);
        let reader = || JournalFileReader::new(Arc::clone(&shared)).map_err(|error| of_read(error.into()));
        let takes_any_input = self.spec.forced || self.spec.resume_by == ResumeBy::Item;
        if let (Some(earlier), Some(mut source), false) = (&self.earlier, context.same_source, takes_any_input) {
            let mut check = InputCheck::new(RecordedInput::new(reader()?), earlier.books.next_item());
            let same = feed.compare(source.as_mut(), &mut check);
            same.map_err(|error| JournalError::Input { path: path.clone(), error })?;
        }
        let config = context.config;
        let mark = random::bytes().map_err(|error| JournalError::Write { error: named(&path, &error) })?;
        let plan = SessionPlan {
            path: &path,
            run_id: &config.run_id,
            facts: &self.facts,
            new_mark: JournalMark(u64::from_le_bytes(mark)),
            earlier: self.earlier.take(),
            resume_by: self.spec.resume_by,
            queue: self.queue.take(),
            again: self.spec.resume.map_or(TriedAgain::None, |resume| resume.again),
            rules: SessionRules {
                syncs: self.spec.durability == Durability::Power,
                is_forced: self.spec.forced,
                keeps_results: keeps_results(config, &self.spec),
                results_stay: self.spec.results,
                keeps_order: config.policy.keep_order,
            },
            started_unix_ns: clock::unix_ns().saturating_sub(context.clock.now().0),
        };
        let session = plan.begin(file, &shared, feed, context.spill)?;
        if self.is_new && self.spec.durability == Durability::Power {
            let synced = durable_file::sync_folder_of(&path);
            synced.map_err(|error| JournalError::Write { error: named(&path, &error) })?;
        }
        self.is_new = false;
        let output = match self.output.take() {
            Some(output) => SessionOutput::of_file(output.begin()?, self.spec.durability == Durability::Power),
            None => SessionOutput::default(),
        };
        let BegunSession { recording, in_order, pending, feed, notice } = session;
        let journaled = Journaled::new(Box::new(recording), in_order, pending).with_output(output);
        Ok(BegunJournal { journaled, feed, notice })
    }
}

impl Drop for OpenedJournal {
    fn drop(&mut self) {
        let is_empty = self.file.as_ref().is_none_or(|file| file.end() == 0);
        if self.is_new && is_empty {
            // It is still locked, so it is ours.
            let _ = std::fs::remove_file(&self.spec.file);
        }
        if let Some(output) = self.output.take() {
            output.remove_if_new();
        }
    }
}

/// Whether results have to be recorded: they are shown, so that what was not given away can be shown again, or asked for.
fn keeps_results(config: &Config, spec: &JournalSpec) -> bool {
    let show = config.output.show;
    let is_shown = [show.success, show.failure].iter().any(|when| *when != ShowWhen::Never);
    spec.results || (config.output.mode != OutputMode::None && is_shown)
}

/// What else the run writes to this file.
fn written_too(config: &Config, journal: &DurableFile) -> Option<&'static str> {
    let results = config.output.results.as_ref().filter(|spec| spec.format != ResultsFormat::Files);
    let others = [
        ("events", config.output.events.clone()),
        ("its joblog", config.output.joblog.as_ref().map(|log| log.file.clone())),
        ("its dead letters", config.output.dead_letters.clone()),
        ("its results", results.map(|spec| PathBuf::from(&spec.name))),
        ("its trace", config.trace.file.clone()),
    ];
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let own = journal.file().metadata().ok().map(identity)?;
    let is_same = |other: PathBuf| other.metadata().is_ok_and(|metadata| identity(metadata) == own);
    others.into_iter().find_map(|(what, file)| file.filter(|file| is_same(file.clone())).map(|_| what))
}

/// Whether the items of a source can be read a second time.
pub fn is_repeatable(source: &SourceSpec) -> bool {
    if *source == SourceSpec::Queue {
        return false;
    }
    let is_file = |input: &InputSpec| match input {
        InputSpec::Stdin => false,
        InputSpec::File(path) => path.metadata().is_ok_and(|metadata| metadata.is_file()),
    };
    source.inputs().all(is_file)
}
