//! How lessons are shown on this program's stdout: what kind of thing it is, and how wide.

use super::error::TourError;
use super::language::Language;
use super::stage::StageOptions;
use crate::sys::{stdio, window};
use std::io::{self, IsTerminal};

/// Longer lines are hard to read, however wide the window is.
const COLUMNS_MAX: usize = 100;

/// The options for stdout. `language` is the code that was asked for; without one the environment decides.
///
/// # Errors
/// stdout was closed when the program started.
pub fn options_of_stdout(language: Option<&str>, json: bool, auto: bool) -> Result<StageOptions, TourError> {
    if stdio::was_closed(1) {
        return Err(TourError::Write(io::Error::other("stdout is closed; send it to a file or a terminal")));
    }
    let variable = |name: &str| std::env::var(name).ok();
    let language = language.map_or_else(|| Language::of_environment(variable), Language::of_locale);
    let is_terminal = io::stdout().is_terminal();
    Ok(StageOptions {
        language,
        json,
        colour: stdio::shows_color(&io::stdout()),
        waits: !auto && !json && is_terminal && io::stdin().is_terminal(),
        width: window::text_columns().min(COLUMNS_MAX),
    })
}
