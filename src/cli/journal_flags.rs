//! What the flags of a journal mean together.

use super::args::Flags;
use super::error::UsageError;
use crate::model::journal_spec::{JournalSpec, ResumeSpec, TriedAgain};
use std::path::Path;

/// The journal that the flags ask for, if they do.
///
/// # Errors
/// They contradict each other, or name none.
pub fn journal(flags: &Flags) -> Result<Option<JournalSpec>, UsageError> {
    // Alone it means the one of --journal.
    let named = flags.resume.as_ref().filter(|file| !file.is_empty()).map(Path::new);
    let file = match (flags.journal.as_deref(), named) {
        (Some(journal), Some(resumed)) if journal != resumed => {
            let (journal, resumed) = (journal.display().to_string(), resumed.display().to_string());
            return Err(UsageError::TwoJournals { journal, resumed });
        }
        (Some(file), _) | (None, Some(file)) => file,
        (None, None) => return without_journal(flags),
    };
    if file.as_os_str() == "-" {
        return Err(UsageError::JournalOnStdout);
    }
    let again = match flags {
        Flags { retry_failed: true, .. } => TriedAgain::FailedAndDead,
        Flags { retry_dead: true, .. } => TriedAgain::Dead,
        _ => TriedAgain::None,
    };
    if flags.resume.is_none() && again != TriedAgain::None {
        let flag = if flags.retry_failed { "--retry-failed" } else { "--retry-dead" };
        return Err(UsageError::NeedsResume { flag });
    }
    Ok(Some(JournalSpec {
        durability: flags.durability.unwrap_or_default(),
        results: flags.journal_results,
        output_file: flags.output_file.clone(),
        resume: flags.resume.is_some().then_some(ResumeSpec { again }),
        resume_by: flags.resume_by.unwrap_or_default(),
        forced: flags.force,
        ..JournalSpec::new(file)
    }))
}

fn without_journal(flags: &Flags) -> Result<Option<JournalSpec>, UsageError> {
    let given = [
        ("--resume", flags.resume.is_some()),
        ("--resume-by", flags.resume_by.is_some()),
        ("--retry-failed", flags.retry_failed),
        ("--retry-dead", flags.retry_dead),
        ("--force", flags.force),
        ("--keep-open", flags.keep_open),
        ("--durability", flags.durability.is_some()),
        ("--journal-results", flags.journal_results),
        ("--output-file", flags.output_file.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(UsageError::NeedsJournal { flag }),
        None => Ok(None),
    }
}
