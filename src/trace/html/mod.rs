//! A run as one HTML file that needs no network: [`write`] streams a history into it.
//!
//! The page is `page.html` with its style, its scripts and its data in place. Text of a trace is never markup in it:
//! `columns` escapes it, and the scripts make text nodes of it. A policy in the page forbids everything but the style and
//! the scripts that [`write`] put there, by their hashes.

mod assets;
mod columns;

use super::history::History;
use super::step::Step;
use std::io::{self, BufWriter, Write};

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes the page of a history, of whose steps it shows `steps`. Nothing more is held in memory than a buffer and the
/// pids of processes.
///
/// # Errors
/// Those of `out`.
pub fn write(history: &History, steps: &[&Step], out: &mut impl Write) -> io::Result<()> {
    let (style, script) = (assets::style(), assets::script());
    let policy = assets::policy(&style, &[assets::PLOT, &script]);
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
    let mut rest = assets::TEMPLATE;
    while let Some((before, (name, after))) = next_place(rest) {
        out.write_all(before.as_bytes())?;
        match name {
            "policy" => out.write_all(policy.as_bytes())?,
            "style" => out.write_all(style.as_bytes())?,
            "data" => columns::write(history, steps, &mut out)?,
            "licence" => out.write_all(assets::LICENCE.as_bytes())?,
            "plot" => out.write_all(assets::PLOT.as_bytes())?,
            "script" => out.write_all(script.as_bytes())?,
            _ => unreachable!("a test writes every place of the template"),
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())?;
    out.flush()
}

/// The text before the next `{{name}}`, the name, and the text behind it.
fn next_place(template: &str) -> Option<(&str, (&str, &str))> {
    let (before, from) = template.split_once("{{")?;
    Some((before, from.split_once("}}")?))
}
