//! What an arrangement of items has to know of the run: the limits of a command line, the slots, the seed.

use crate::command::meter::{CommandMeter, LineLimits};
use crate::model::arrangement::{ColumnNames, ItemForm, LINE_BYTES_MAX};
use crate::model::config::{Config, SourceSpec, WorkerSpec};
use crate::source::arrange::{ArrangementFacts, LineMeter};
use crate::sys::limits;
use std::os::unix::ffi::OsStrExt;

/// Bytes of the environment that are left free, as xargs does, and for the variables that tell a command of its item.
const HEADROOM_BYTES: u64 = 2048 + 1024;

/// A variable of the environment has `=` and a NUL, and a pointer.
const VARIABLE_BYTES: usize = 2 + size_of::<usize>();

/// The facts, and where the names of columns become known.
pub fn facts(config: &Config) -> (ArrangementFacts, ColumnNames) {
    let names = ColumnNames::default();
    let facts = ArrangementFacts {
        slots: config.policy.workers,
        seed: config.policy.seed,
        meter: meter(config, &names),
        names: names.clone(),
    };
    (facts, names)
}

fn meter(config: &Config, names: &ColumnNames) -> Option<LineMeter> {
    let (SourceSpec::Arranged { arrangement, form: ItemForm::List, .. }, WorkerSpec::Exec(spec)) =
        (&config.source, &config.worker)
    else {
        return None;
    };
    // A single record fails alone where the system refuses it, unless it was given a limit.
    let several = arrangement.records_max.is_some() || arrangement.lines_max.is_some() || arrangement.fill.is_some();
    if !several && arrangement.line_bytes_max.is_none() {
        return None;
    }
    let given = arrangement.line_bytes_max.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let environment = std::env::vars_os().map(|(name, value)| name.len() + value.as_bytes().len() + VARIABLE_BYTES);
    let room = limits::argument_list_bytes_max().saturating_sub(environment.sum::<usize>() as u64 + HEADROOM_BYTES);
    let limits = LineLimits {
        line_bytes_max: given.unwrap_or(LINE_BYTES_MAX),
        system_bytes_max: usize::try_from(room).unwrap_or(usize::MAX),
    };
    let mut meter = CommandMeter::new(spec, names.clone(), limits);
    Some(Box::new(move |argument| match argument {
        Some(argument) => meter.push(argument),
        None => {
            meter.begin();
            true
        }
    }))
}
