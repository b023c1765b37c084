//! Steps as a sequence diagram in SVG: a column per party, a row per step, in one file without scripts.

use super::lines;
use super::step::{Party, Step};
use crate::model::text::escaped;
use std::io;

/// Widths and heights, in pixels.
const TIME_WIDTH: usize = 90;
const COLUMN_WIDTH: usize = 190;
const HEAD_HEIGHT: usize = 50;
const ROW_HEIGHT: usize = 26;

/// Colors of workers, in turn: Okabe and Ito's, which people with any color vision tell apart.
const WORKER_COLORS: [&str; 6] = ["#0072b2", "#009e73", "#b35900", "#a63d7c", "#3d6bb3", "#5b6100"];
const BAD: &str = "#c1121f";

const STYLE: &str = "svg{background:#fff;font:13px system-ui,sans-serif}.t{fill:#555}.h{font-weight:600}\
.l{stroke:#bbb}@media (prefers-color-scheme:dark){svg{background:#111}text{fill:#eee}.t{fill:#aaa}.l{stroke:#555}}";

/// Writes the whole picture.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl io::Write, parties: &[Party], steps: &[&Step]) -> io::Result<()> {
    let width = TIME_WIDTH + COLUMN_WIDTH * parties.len().max(1) + COLUMN_WIDTH / 2;
    let height = HEAD_HEIGHT + ROW_HEIGHT * (steps.len() + 1);
    let middle = |party: Party| {
        let column = parties.iter().position(|known| *known == party).unwrap_or(0);
        TIME_WIDTH + COLUMN_WIDTH * column + COLUMN_WIDTH / 2
    };
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Messages between the supervisor and its workers\">\n<style>{STYLE}</style>"
    )?;
    for party in parties {
        let x = middle(*party);
        writeln!(out, "<text class=\"h\" x=\"{x}\" y=\"24\" text-anchor=\"middle\">{party}</text>")?;
        writeln!(out, "<line class=\"l\" x1=\"{x}\" y1=\"34\" x2=\"{x}\" y2=\"{height}\"/>")?;
    }
    for (row, step) in steps.iter().enumerate() {
        let y = HEAD_HEIGHT + ROW_HEIGHT * row + ROW_HEIGHT / 2;
        let color = match step.worker {
            _ if step.is_bad => BAD,
            Some(worker) => WORKER_COLORS[worker.index() % WORKER_COLORS.len()],
            None => "#666",
        };
        writeln!(out, "<text class=\"t\" x=\"8\" y=\"{}\">{:.6}</text>", y + 4, step.at.as_secs_f64())?;
        let (from, to) = (middle(step.from), middle(step.to));
        let because = step.because.as_ref().map(|because| format!(" ({because})")).unwrap_or_default();
        writeln!(out, "<g><title>{}</title>", text(&format!("{}{because}", lines::text(step))))?;
        if from == to {
            writeln!(out, "<circle cx=\"{from}\" cy=\"{y}\" r=\"4\" fill=\"{color}\"/>")?;
            let label = text(&lines::text(step));
            writeln!(out, "<text x=\"{}\" y=\"{}\">{label}</text></g>", from + 10, y + 4)?;
        } else {
            let tip = if to > from { to - 7 } else { to + 7 };
            writeln!(
                out,
                "<line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\" stroke=\"{color}\" stroke-width=\"1.5\"/>\
                 <polygon points=\"{to},{y} {tip},{} {tip},{}\" fill=\"{color}\"/>",
                y - 4,
                y + 4
            )?;
            let label = text(&lines::text(step));
            writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{label}</text></g>",
                usize::midpoint(from, to),
                y - 5
            )?;
        }
    }
    out.write_all(b"</svg>\n")
}

/// Text of an element: no markup, and no character that XML forbids.
fn text(text: &str) -> String {
    escaped(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::step::StepKind;
    use super::*;
    use crate::model::ids::WorkerId;
    use crate::model::time::Instant;

    #[test]
    fn text_from_outside_is_no_markup() {
        let worker = Party::Worker(WorkerId::from_index(0));
        let label = "</text><script>&\u{0}\u{1b}".to_owned();
        let step = Step { to: worker, label, ..Step::new(Instant(1), StepKind::Order, "") };
        let mut out = Vec::new();
        write(&mut out, &[Party::Supervisor, worker], &[&step]).unwrap();
        let svg = String::from_utf8(out).unwrap();
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&amp;\\u{0}\\u{1b}") && !svg.contains("<script"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    }
}
