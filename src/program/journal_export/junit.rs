//! JUnit XML: one suite, with a test case per item.

use super::exported::{ExportedJournal, error_of};
use crate::journal::books::ItemStage;
use crate::journal::item_contents::{RecordedItem, RecordedItemsError};
use crate::journal::record::ContentKind;
use crate::model::time::Duration;
use std::io::{self, Write};

/// What stands for a character that XML has no place for.
const REPLACEMENT: char = '\u{fffd}';

/// Writes the suite. What is not settled counts as skipped.
pub fn write(journal: &ExportedJournal, out: &mut impl Write) -> Result<(), RecordedItemsError> {
    let totals = journal.index.books.totals();
    let skipped = totals.skipped + totals.waiting + totals.in_flight;
    let mut head = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"".to_vec();
    push_text(journal.index.run_id.as_bytes(), &mut head);
    head.extend_from_slice(
        format!(
            "\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\">\n",
            totals.accepted, totals.failed, totals.dead
        )
        .as_bytes(),
    );
    out.write_all(&head).map_err(RecordedItemsError::Given)?;
    let mut case = Vec::new();
    journal.each(
        &[ContentKind::Item, ContentKind::Output, ContentKind::Errors],
        |_| true,
        |item| {
            case.clear();
            push_case(journal, item, &mut case)?;
            out.write_all(&case)
        },
    )?;
    out.write_all(b"</testsuite>\n").map_err(RecordedItemsError::Given)
}

fn push_case(journal: &ExportedJournal, item: &RecordedItem<'_>, case: &mut Vec<u8>) -> io::Result<()> {
    case.extend_from_slice(b"  <testcase classname=\"supervisor\" name=\"");
    match item.text {
        Some(text) => push_text(text, case),
        None => write!(case, "item {}", item.item)?,
    }
    case.push(b'"');
    if let Some(time) = item.settled.as_ref().and_then(|settled| settled.time) {
        write!(case, " time=\"{}\"", milliseconds(time.runtime))?;
    }
    case.extend_from_slice(b">\n");
    let element = match item.state.stage {
        ItemStage::Done => None,
        ItemStage::Failed => Some("failure"),
        ItemStage::Dead => Some("error"),
        ItemStage::Skipped | ItemStage::Waiting | ItemStage::InFlight => Some("skipped"),
    };
    if let Some(element) = element {
        write!(case, "    <{element} message=\"")?;
        let message = error_of(item).unwrap_or_else(|| journal.outcome(item.state).to_owned());
        push_text(message.as_bytes(), case);
        case.extend_from_slice(b"\"/>\n");
    }
    for (element, content) in [("system-out", item.output), ("system-err", item.errors)] {
        let Some(content) = content.filter(|content| !content.is_empty()) else { continue };
        write!(case, "    <{element}>")?;
        push_text(content, case);
        writeln!(case, "</{element}>")?;
    }
    case.extend_from_slice(b"  </testcase>\n");
    Ok(())
}

/// Seconds with three digits behind the point.
fn milliseconds(length: Duration) -> String {
    format!("{}.{:03}", length.0 / 1_000_000_000, length.0 / 1_000_000 % 1000)
}

/// Appends text for an element or an attribute in quotes. What is no character of XML 1.0, and what is not UTF-8, is
/// replaced.
fn push_text(bytes: &[u8], out: &mut Vec<u8>) {
    for char in String::from_utf8_lossy(bytes).chars() {
        let escaped = match char {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '"' => "&quot;",
            // A reader makes blanks of these in an attribute.
            '\n' => "&#10;",
            '\t' => "&#9;",
            '\r' => "&#13;",
            _ => {
                let is_char = !char.is_control() && !matches!(char, '\u{fffe}' | '\u{ffff}') || char == '\u{85}';
                let char = if is_char { char } else { REPLACEMENT };
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        out.extend_from_slice(escaped.as_bytes());
    }
}
