//! Which source reads the input that the configuration names.

use super::arrange::{ArrangedSource, ArrangementFacts, OpenedInput};
use super::delivery::{Source, SourceError};
use super::{args, generator, lines};
use crate::model::config::{ArrangedInput, InputSpec, SourceSpec};
use std::os::unix::ffi::OsStrExt;

/// Opens the source of `spec`. Nothing is read yet. `maps`: a file is mapped instead of read, where that is possible.
/// `facts` is for a source that is arranged.
///
/// # Errors
/// The file is missing, unreadable or a directory.
pub fn open(spec: &SourceSpec, maps: bool, facts: ArrangementFacts) -> Result<Box<dyn Source>, SourceError> {
    let SourceSpec::Arranged { inputs, arrangement, form } = spec else { return open_input(spec, maps) };
    let opened = inputs.iter().map(|ArrangedInput { source, linked }| {
        let path = match source {
            SourceSpec::Lines { input: InputSpec::File(path), .. } => Some(path.as_os_str().as_bytes().to_vec()),
            _ => None,
        };
        Ok(OpenedInput { source: open_input(source, false)?, linked: *linked, path })
    });
    let opened = opened.collect::<Result<_, SourceError>>()?;
    Ok(Box::new(ArrangedSource::new(opened, arrangement, *form, facts)?))
}

/// Lets an opened source take the place of the inputs of `spec`.
///
/// # Errors
/// A regular expression of the arrangement is none.
pub fn replace(
    source: Box<dyn Source>,
    spec: &SourceSpec,
    facts: ArrangementFacts,
) -> Result<Box<dyn Source>, SourceError> {
    let SourceSpec::Arranged { arrangement, form, .. } = spec else { return Ok(source) };
    let input = OpenedInput { source, linked: false, path: None };
    Ok(Box::new(ArrangedSource::new(vec![input], arrangement, *form, facts)?))
}

fn open_input(spec: &SourceSpec, maps: bool) -> Result<Box<dyn Source>, SourceError> {
    Ok(match spec {
        SourceSpec::Arranged { .. } => open(spec, maps, ArrangementFacts::default())?,
        SourceSpec::Generate { count } => Box::new(generator::Generator::new(*count)),
        // The engine opens it, with the journal.
        SourceSpec::Queue => return Err(SourceError::NoQueue),
        SourceSpec::Args { items } => Box::new(args::ArgumentSource::new(items.clone())),
        SourceSpec::Lines { input, split, priority } => lines::open(input, split.clone(), *priority, maps)?,
    })
}
