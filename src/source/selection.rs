//! Which source reads the input that the configuration names.

use super::delivery::{Source, SourceError};
use super::{args, generator, lines};
use crate::model::config::SourceSpec;

/// Opens the source of `spec`. Nothing is read yet. `maps`: a file is mapped instead of read, where that is possible.
///
/// # Errors
/// The file is missing, unreadable or a directory.
pub fn open(spec: &SourceSpec, maps: bool) -> Result<Box<dyn Source>, SourceError> {
    Ok(match spec {
        SourceSpec::Generate { count } => Box::new(generator::Generator::new(*count)),
        SourceSpec::Args { items } => Box::new(args::ArgumentSource::new(items.clone())),
        SourceSpec::Lines { input, split, priority } => lines::open(input, *split, *priority, maps)?,
    })
}
