//! A run and its workers, as a table for people and as JSON.

use crate::control::answer::{RunView, WorkerView};
use crate::model::text::escaped;
use crate::model::words::counted;
use serde_json::json;
use std::fmt::Write;

const HEAD: [&str; 9] = ["SLOT", "PID", "STATE", "ITEM", "FOR", "ITEMS", "RESTARTS", "RSS", "CPU"];
/// Words stand at the left of their column, numbers at the right.
const WORDS_AT: usize = 2;

/// Appends a run and its workers.
pub fn push_run(out: &mut Vec<u8>, run: &RunView, workers: &[WorkerView]) {
    let mut text = String::new();
    let state = match (run.paused, run.stage.as_str()) {
        (true, _) => "paused, ",
        (false, "running") => "",
        (false, stage) => &format!("{stage}, "),
    };
    // To write into a text cannot fail.
    let _ = writeln!(
        text,
        "run {}: {}; {state}{} for {}",
        run.pid,
        escaped(&run.work),
        counted(u64::from(run.workers), "worker", "workers"),
        length(run.seconds)
    );
    if let Some(reason) = &run.reason {
        let _ = writeln!(text, "  stops: {}", escaped(reason));
    }
    let _ = write!(
        text,
        "  {}: {} done, {} failed, {} dead, {} skipped",
        counted(run.accepted, "item", "items"),
        run.done,
        run.failed,
        run.dead,
        run.skipped
    );
    let _ = write!(text, ", {} at workers, {} waiting", run.at_workers, run.waiting + run.delayed);
    text.push_str(if run.source_ended { "\n" } else { "; more may come\n" });
    if let Some(journal) = &run.journal {
        let takes = if run.keep_open { ", takes items of `supervisor add`" } else { "" };
        let _ = writeln!(text, "  journal {}{takes}", escaped(journal));
    }
    push_workers(&mut text, workers);
    if run.workers_left_out > 0 {
        let _ = writeln!(text, "  and {} workers more", run.workers_left_out);
    }
    out.extend_from_slice(text.as_bytes());
}

fn push_workers(text: &mut String, workers: &[WorkerView]) {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(workers.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    for row in &rows {
        let mut line = String::from(" ");
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                WORDS_AT => write!(line, " {cell:<width$}"),
                _ => write!(line, " {cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn row(worker: &WorkerView) -> [String; HEAD.len()] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let state = match &worker.stopped {
        Some(signal) => format!("{} ({signal})", worker.state),
        None => worker.state.clone(),
    };
    let item = worker.item.map(|item| match worker.progress {
        Some(share) => format!("{item} ({:.0}%)", (share.clamp(0.0, 1.0) * 100.0).floor()),
        None => item.to_string(),
    });
    // Of several items it is not always known which one it is at.
    let item = item.or_else(|| (worker.held > 0).then(|| format!("{} held", worker.held)));
    [
        worker.worker.to_string(),
        or_none(worker.pid.map(|pid| pid.to_string())),
        escaped(&state).into_owned(),
        or_none(item),
        or_none(worker.seconds.map(length)),
        worker.items.to_string(),
        or_none(worker.restarts.map(|restarts| restarts.to_string())),
        or_none(worker.rss_bytes.map(size)),
        or_none(worker.cpu_seconds.map(|seconds| format!("{seconds:.2}s"))),
    ]
}

/// `0.3s`, `12s`, `3m07s`, `2h05m`.
fn length(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..10 => format!("{:.1}s", seconds.max(0.0)),
        10..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}

/// `512K`, `3.1M`.
fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    match kib {
        ..1024.0 => format!("{kib:.0}K"),
        ..1_048_576.0 => format!("{:.1}M", kib / 1024.0),
        _ => format!("{:.1}G", kib / 1_048_576.0),
    }
}

/// Appends one object on a line: the run, with its workers.
pub fn push_run_json(out: &mut Vec<u8>, run: &RunView, workers: &[WorkerView]) {
    out.extend_from_slice(json!({ "run": run, "workers": workers }).to_string().as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_table_in_columns() {
        let run = RunView {
            pid: 4100,
            work: "gzip {}".to_owned(),
            seconds: 754.2,
            stage: "running".to_owned(),
            workers: 2,
            accepted: 120,
            done: 100,
            failed: 1,
            at_workers: 2,
            waiting: 17,
            ..RunView::default()
        };
        let busy = WorkerView {
            worker: 1,
            pid: Some(4123),
            state: "busy".to_owned(),
            stopped: Some("STOP".to_owned()),
            item: Some(17),
            seconds: Some(2.34),
            held: 1,
            items: 50,
            restarts: Some(3),
            rss_bytes: Some(3_250_000),
            cpu_seconds: Some(0.416),
            ..WorkerView::default()
        };
        let down = WorkerView { worker: 12, state: "waiting".to_owned(), ..WorkerView::default() };
        let mut out = Vec::new();
        push_run(&mut out, &run, &[busy, down]);
        let expected = "\
run 4100: gzip {}; 2 workers for 12m34s
  120 items: 100 done, 1 failed, 0 dead, 0 skipped, 2 at workers, 17 waiting; more may come
  SLOT  PID STATE       ITEM  FOR ITEMS RESTARTS  RSS   CPU
     1 4123 busy (STOP)   17 2.3s    50        3 3.1M 0.42s
    12    - waiting        -    -     0        -    -     -
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn lengths_and_sizes_are_short() {
        let lengths = [0.04, 9.96, 10.0, 59.9, 60.0, 3599.0, 7500.0].map(length);
        assert_eq!(lengths, ["0.0s", "10.0s", "10s", "59s", "1m00s", "59m59s", "2h05m"]);
        assert_eq!([0, 1024 * 600, 1 << 20, 5 << 30].map(size), ["0K", "600K", "1.0M", "5.0G"]);
    }
}
