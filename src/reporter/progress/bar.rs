//! The bar and the items below it, as lines that fit a terminal. indicatif draws each line into memory.
//!
//! Invariant: a line leaves room for the `^C` that a terminal writes behind it, so that it never begins another one by
//! itself.

use super::{Glance, LongItem, parts, rough};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle, TermLike};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use textwrap::core::display_width;

/// Columns that stay empty.
const ROOM_COLUMNS: usize = 3;
/// A bar that is narrower, brackets included, is left out.
const BAR_COLUMNS_MIN: usize = 12;
/// Items below the bar.
const ROWS_MAX: usize = 3;
/// On a narrower or lower terminal the items have no rows of their own.
const ROWS_COLUMNS_MIN: usize = 50;
const ROWS_LINES_MIN: u16 = 8;
/// Columns for the name of an item behind the bar.
const NAME_COLUMNS_MIN: usize = 24;

/// What a bar may take of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarSize {
    pub columns: u16,
    pub lines: u16,
    /// Nothing else writes to the terminal, so that lines above the last one are still where they were drawn.
    pub has_rows: bool,
}

/// The lines of a bar: one, or up to four with the items that have been running longest, which come first in `longest`.
#[must_use]
pub fn bar_lines(glance: &Glance, longest: &[LongItem], size: BarSize) -> Vec<String> {
    let columns = usize::from(size.columns).saturating_sub(ROOM_COLUMNS).max(1);
    if size.has_rows && columns >= ROWS_COLUMNS_MIN && size.lines >= ROWS_LINES_MIN {
        let rows = longest.iter().take(ROWS_MAX);
        let rows = rows.map(|item| cut(&format!("  {:>6}  {}", rough(item.running), item.name), columns));
        return std::iter::once(first_line(glance, None, columns)).chain(rows).collect();
    }
    vec![first_line(glance, longest.first(), columns)]
}

/// The columns that a line takes.
#[must_use]
pub fn line_columns(line: &str) -> usize {
    display_width(line)
}

/// `[=====>      ] 118/500 done, 2 failed, 8 running, 12.3/s, 31s left`: as much as fits. The bar is the first thing to
/// go, then the rate, the running items, the time left, the counts.
fn first_line(glance: &Glance, longest: Option<&LongItem>, columns: usize) -> String {
    let text = |most: u8| {
        let wanted = parts(glance).into_iter().filter(|(wanted, _)| *wanted <= most);
        wanted.map(|(_, part)| part).collect::<Vec<_>>().join(", ")
    };
    let fitting = (0..=5).rev().map(text).find(|text| display_width(text) <= columns);
    let text = fitting.unwrap_or_else(|| text(0));
    let free = columns.saturating_sub(display_width(&text) + 1);
    if let Some(item) = longest.filter(|_| free >= BAR_COLUMNS_MIN + NAME_COLUMNS_MIN) {
        // The bar keeps its smallest size.
        let name = format!("{text}; {} at {}", rough(item.running), item.name);
        return with_bar(glance, cut(&name, columns - BAR_COLUMNS_MIN - 1), columns);
    }
    if free >= BAR_COLUMNS_MIN { with_bar(glance, text, columns) } else { cut(&text, columns) }
}

fn with_bar(glance: &Glance, text: String, columns: usize) -> String {
    match glance.total {
        Some(total) => drawn("[{wide_bar}] {msg}", text, (glance.settled().min(total), total), columns),
        None => text,
    }
}

/// The beginning of a text that fits.
fn cut(text: &str, columns: usize) -> String {
    drawn("{wide_msg}", text.to_owned(), (0, 1), columns)
}

/// One line, as indicatif draws it.
fn drawn(template: &str, text: String, (position, length): (u64, u64), columns: usize) -> String {
    let canvas = Canvas { columns, line: Arc::default() };
    let line = Arc::clone(&canvas.line);
    // The templates are constants of this file, which its tests draw.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::term_like(Box::new(canvas)))
        .with_style(style.progress_chars("=> "))
        .with_message(text)
        .with_position(position)
        .with_finish(ProgressFinish::Abandon);
    bar.force_draw();
    let drawn = std::mem::take(&mut *line.lock().unwrap_or_else(PoisonError::into_inner));
    drawn.trim_end().to_owned()
}

/// Memory that indicatif takes for a terminal of one line.
#[derive(Debug)]
struct Canvas {
    columns: usize,
    line: Arc<Mutex<String>>,
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        u16::try_from(self.columns).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        1
    }

    /// Nothing was drawn before, so the cursor is where it has to be.
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::time::Duration;

    /// 118 of 500 items done, 2 failed.
    pub fn glance() -> Glance {
        Glance {
            elapsed: Duration::from_millis(9756),
            done: 118,
            failed: 2,
            dead: 0,
            skipped: 0,
            running: 8,
            queued: 17,
            total: Some(500),
            rate: Some(12.3),
            left: Some(Duration::from_secs(31)),
            stopping: false,
        }
    }

    fn long(name: &str, seconds: u64) -> LongItem {
        LongItem { name: name.to_owned(), running: Duration::from_secs(seconds) }
    }

    fn lines(glance: &Glance, longest: &[LongItem], columns: u16, has_rows: bool) -> Vec<String> {
        let lines = bar_lines(glance, longest, BarSize { columns, lines: 24, has_rows });
        assert!(lines.iter().all(|line| line_columns(line) < usize::from(columns)), "{lines:?}");
        lines
    }

    #[test]
    fn a_narrow_terminal_has_the_counts_and_a_wide_one_a_bar() {
        let at = |columns| lines(&glance(), &[], columns, true).concat();
        assert_eq!(at(2), "1");
        assert_eq!(at(15), "118/500 done");
        assert_eq!(at(20), "118/500 done");
        assert_eq!(at(40), "118/500 done, 2 failed, 31s left");
        assert_eq!(at(80), "[=====>                 ] 118/500 done, 2 failed, 8 running, 12.3/s, 31s left");
        let wide = at(200);
        assert!(wide.starts_with("[=====") && wide.ends_with("] 118/500 done, 2 failed, 8 running, 12.3/s, 31s left"));
        assert_eq!(line_columns(&wide), 197);
    }

    #[test]
    fn the_items_that_run_longest_have_rows_where_there_is_room() {
        let longest = [long("item 7 (\"/etc/b.conf\")", 75), long("item 9", 12), long("item 8", 9), long("item 3", 1)];
        let shown = lines(&glance(), &longest, 80, true);
        let rows = ["   1m15s  item 7 (\"/etc/b.conf\")", "     12s  item 9", "      9s  item 8"];
        assert_eq!(shown[1..], rows);
        assert_eq!(lines(&glance(), &longest, 40, true).len(), 1, "too narrow");
        let low = BarSize { columns: 80, lines: 7, has_rows: true };
        assert_eq!(bar_lines(&glance(), &longest, low).len(), 1, "too low");
        let shared = lines(&glance(), &longest, 120, false).concat();
        assert!(shared.ends_with("12.3/s, 31s left; 1m15s at item 7 (\"/etc/b.conf\")"), "{shared}");
    }

    #[test]
    fn a_long_or_wide_name_is_cut() {
        let longest = [long(&"\u{d55c}".repeat(200), 5)];
        for (columns, has_rows) in [(60, true), (80, true), (130, false), (200, false)] {
            assert!(lines(&glance(), &longest, columns, has_rows).concat().contains('\u{d55c}'), "{columns}");
        }
    }

    #[test]
    fn without_a_total_there_is_no_bar() {
        let unknown = Glance { total: None, left: None, ..glance() };
        let shown = lines(&unknown, &[], 80, true).concat();
        assert_eq!(shown, "118 done, 2 failed, 8 running, 12.3/s, time left unknown");
    }

    #[test]
    fn the_end_and_the_beginning_have_a_bar_too() {
        let end = Glance { done: 500, failed: 0, running: 0, left: Some(Duration::ZERO), ..glance() };
        let shown = lines(&end, &[], 60, true).concat();
        assert_eq!(shown, "[==============] 500/500 done, 0 running, 12.3/s, 0s left");
        let nothing = Glance { done: 0, failed: 0, total: Some(0), ..end };
        assert!(lines(&nothing, &[], 60, true).concat().ends_with("] 0/0 done, 0 running, 12.3/s, 0s left"));
    }
}
