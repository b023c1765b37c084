//! From an arrangement that was asked for to one that is checked and complete, with what the command has to know of it.
//!
//! Invariant: pure, as all of `defaults`.

use super::arrangement::{Arrangement, ColumnSplit, Insertion, ItemForm};
use super::config::{ArrangedInput, InputSpec, SourceSpec};
use super::config_error::{ConfigError, Setting};

/// The settings that are made, in the order of the help; `lists`: of those alone that make lists of arguments.
fn settings(arrangement: &Arrangement, inputs: usize, lists: bool) -> Option<Setting> {
    let made = [
        (Setting::Columns, arrangement.columns.is_some()),
        (Setting::Names, arrangement.names.is_some()),
        (Setting::RecordsMax, arrangement.records_max.is_some()),
        (Setting::LineFill, arrangement.fill.is_some()),
        (Setting::LinesMax, arrangement.lines_max.is_some()),
        (Setting::LineBytesMax, arrangement.line_bytes_max.is_some()),
        (Setting::Shuffles, arrangement.shuffles && !lists),
        (Setting::SkipsBlank, arrangement.skips_blank && !lists),
        (Setting::EndOfFile, arrangement.end_of_file.is_some() && !lists),
        (Setting::Inputs, inputs > 1),
    ];
    made.into_iter().find(|(_, is_made)| *is_made).map(|(setting, _)| setting)
}

/// The first setting that makes other items of what is read.
pub(super) fn first_setting(arrangement: &Arrangement) -> Option<Setting> {
    settings(arrangement, 1, false)
}

/// The first setting that makes sense for commands alone.
pub(super) fn of_commands(arrangement: &Arrangement) -> Option<Setting> {
    settings(arrangement, 1, true).or_else(|| arrangement.replace.is_some().then_some(Setting::Replace))
}

/// The source with its arrangement, if it has anything to do.
pub(super) fn source(spec: SourceSpec, arrangement: Arrangement, is_command: bool) -> SourceSpec {
    let inputs = match spec {
        SourceSpec::Arranged { inputs, .. } => inputs,
        single if !arrangement.is_needed() => return single,
        single => vec![ArrangedInput { source: single, linked: false }],
    };
    let is_list = is_command && (inputs.len() > 1 || arrangement.makes_lists());
    let form = if is_list { ItemForm::List } else { ItemForm::Whole };
    // As in GNU parallel: what has names has columns.
    let tabs = || ColumnSplit::Pattern { regex: b"\t".to_vec(), trims: false };
    let columns = arrangement.columns.or_else(|| arrangement.names.map(|_| tabs()));
    SourceSpec::Arranged { inputs, arrangement: Arrangement { columns, ..arrangement }, form }
}

/// Refuses what an arrangement cannot heed. `as_read`: a setting for items as they are read.
pub(super) fn check(spec: &SourceSpec, as_read: Option<Setting>, stdin: bool) -> Result<(), ConfigError> {
    let SourceSpec::Arranged { inputs, arrangement, form } = spec else { return Ok(()) };
    if let (Some(setting), Some(other)) = (settings(arrangement, inputs.len(), false), as_read) {
        return Err(ConfigError::ArrangedAsRead { setting, other });
    }
    if spec.inputs().filter(|input| **input == InputSpec::Stdin).count() > 1 {
        return Err(ConfigError::StdinTwice);
    }
    match settings(arrangement, inputs.len(), true) {
        Some(setting) if stdin && *form == ItemForm::List => Err(ConfigError::ListToStdin { setting }),
        _ => Ok(()),
    }
}

/// What a command has to know of its items. `asked`: the arrangement that was asked for, whose replacement counts also
/// where nothing is arranged.
pub(super) fn insertion(source: &SourceSpec, asked: Option<&Arrangement>) -> Insertion {
    let replace = asked.and_then(|arrangement| arrangement.replace.clone());
    match source {
        SourceSpec::Arranged { arrangement, form, .. } => {
            let has_names = arrangement.names.is_some();
            Insertion { form: *form, repeats: arrangement.repeats(), replace, has_names, ..Insertion::default() }
        }
        _ => Insertion { replace, ..Insertion::default() },
    }
}
