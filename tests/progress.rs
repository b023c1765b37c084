//! `--progress` on real terminals, whose screen a terminal emulator reads, and elsewhere; what the summary adds.

mod support;

use nix::sys::stat::Mode;
use std::num::NonZero;
use support::screen::Screen;
use support::{Run, SUPERVISOR, output, shell};

/// Prints a result, fails on `bad`, and on `hold` prints what is written to the FIFO that is its second argument.
const SCRIPT: &str = "case $1 in bad) exit 3;; hold) cat \"$2\";; *) echo \"result $1\";; esac";

/// A run on a terminal of its own.
struct OnTerminal {
    run: Run,
    screen: Screen,
    columns: u16,
    folder: tempfile::TempDir,
}

impl OnTerminal {
    /// `before` stands before the supervisor.
    fn start(columns: u16, before: &str, flags: &[&str], items: &[&str]) -> Self {
        let (screen, terminal) = Screen::with_columns(columns);
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let command = ["--", "sh", "-c", SCRIPT, "sh", "{}", fifo.to_str().unwrap(), ":::"];
        let script = format!("{before} \"$@\"; echo \"ended: $?\"");
        let run = Run::start_with(&[flags, &command, items].concat(), b"", |command| {
            terminal.give_to_shell_of(command, &script);
        });
        drop(terminal);
        Self { run, screen, columns, folder }
    }

    /// Lets the item `hold` end with this result.
    fn release(&self, result: &str) {
        std::fs::write(self.folder.path().join("fifo"), result).unwrap();
    }

    /// The lines of the screen, without those at the end that are empty.
    fn lines(&self) -> Vec<String> {
        let lines = lines_of(&self.screen.seen, self.columns);
        let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines[..end].to_vec()
    }

    fn wait_for_line(&mut self, part: &str) {
        let columns = self.columns;
        self.screen.wait_until(part, |seen| lines_of(seen, columns).iter().any(|line| line.contains(part)));
    }
}

/// What a terminal shows that got these bytes.
fn lines_of(bytes: &str, columns: u16) -> Vec<String> {
    let size = |number| NonZero::new(number).unwrap();
    let mut parser = vt100::Parser::new(size(24), size(columns), 0);
    parser.process(bytes.as_bytes());
    parser.screen().rows(0, columns).collect()
}

#[test]
fn results_and_notices_stay_whole_above_the_bar_and_at_the_end_it_is_gone() {
    let flags = ["-j1", "--progress", "bar", "--summary", "never"];
    let mut on = OnTerminal::start(100, "TERM=xterm", &flags, &["a", "bad", "b", "hold", "c"]);
    on.wait_for_line("2/5 done, 1 failed, 1 running");
    let lines = on.lines();
    assert_eq!(lines[..3], ["result a", "supervisor: item 1 (\"bad\") failed: exit 3", "result b"], "{lines:#?}");
    assert!(lines[3].starts_with("[====") && lines[3].contains(" left"), "{lines:#?}");
    // Once it has run for a second.
    on.wait_for_line("item 3 (\"hold\")");
    on.release("held\n");
    on.wait_for_line("ended: 1");
    let expected =
        ["result a", "supervisor: item 1 (\"bad\") failed: exit 3", "result b", "held", "result c", "ended: 1"];
    assert_eq!(on.lines(), expected);
    assert!(!on.screen.seen.contains("\x1b[?25"), "the cursor is never hidden");
    on.run.finish();
}

#[test]
fn ctrl_c_leaves_a_clean_screen() {
    let before = "exec env TERM=xterm";
    let mut on = OnTerminal::start(80, before, &["-j1", "--progress", "--grace", "0"], &["a", "hold"]);
    on.wait_for_line("1/2 done, 1 running");
    on.screen.press("\x03");
    on.wait_for_line("2 items: 1 done, 0 failed, 0 dead, 1 skipped");
    let lines = on.lines();
    assert!(!lines.iter().any(|line| line.contains("1/2 done")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("supervisor: INT: ")), "{lines:#?}");
    assert_eq!(on.run.finish().code(), 130);
}

#[test]
fn a_narrow_terminal_has_one_line() {
    let mut on = OnTerminal::start(44, "TERM=xterm", &["-j1", "--progress"], &["a", "hold", "b"]);
    on.wait_for_line("1/3 done");
    assert_eq!(on.lines(), ["result a", "1/3 done, 1 running, time left unknown"]);
    on.release("held\n");
    on.wait_for_line("ended: 0");
    assert_eq!(on.lines(), ["result a", "held", "result b", "ended: 0"]);
    on.run.finish();
}

#[test]
fn on_a_dumb_terminal_no_cursor_is_moved() {
    let mut on = OnTerminal::start(80, "TERM=dumb", &["-j1", "--progress"], &["a", "hold"]);
    on.screen.wait_for("result a");
    on.release("held\n");
    on.wait_for_line("ended: 0");
    assert!(!on.screen.seen.contains('\x1b'), "{:?}", on.screen.seen);
    on.run.finish();
    let mut on = OnTerminal::start(80, "TERM=dumb", &["--progress", "bar"], &["a"]);
    on.wait_for_line("ended: 2");
    assert!(on.screen.seen.contains("failed to show a bar: stderr is no terminal that can move its cursor"));
}

#[test]
fn without_a_terminal_a_short_run_shows_nothing_and_a_bar_is_refused() {
    for how in ["auto", "plain", "none"] {
        let run = output(&["--progress", how, "--", "true", ":::", "a"], b"");
        assert_eq!((run.code(), run.stderr.as_str()), (0, ""), "{how}");
    }
    let run = output(&["--progress", "bar", "--", "true", ":::", "a"], b"");
    assert_eq!((run.code(), run.stdout.as_str()), (2, ""));
    assert!(run.stderr.ends_with("use --progress auto, which writes lines then\n"), "{}", run.stderr);
}

#[test]
fn json_is_an_object_for_each_second_and_one_for_the_end() {
    let items =
        ["--progress", "json", "--summary", "never", "-j1", "--", "sh", "-c", "test $1 = a", "sh", ":::", "a", "b"];
    let run = output(&items, b"");
    let objects: Vec<serde_json::Value> =
        run.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let last = objects.last().unwrap();
    let counts = ["done", "failed", "dead", "skipped", "running", "queued", "total"].map(|name| last[name].as_u64());
    assert_eq!(counts, [1, 1, 0, 0, 0, 0, 2].map(Some), "{}", run.stderr);
    assert_eq!(last["eta_seconds"], 0.0);
    // While it lasts, and of an input whose end is not known.
    let line = format!(
        "{{ echo a; read x <\"$0\"; }} | {SUPERVISOR} --progress json -- echo 2>&1 >/dev/null | \
         {{ read line; echo \"$line\"; echo >\"$0\"; cat >/dev/null; }}"
    );
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let run = shell(&line.replace("$0", fifo.to_str().unwrap()));
    let object: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (object["done"].as_u64(), object["total"].as_u64(), object["eta_seconds"].as_f64()),
        (Some(1), None, None)
    );
    assert!(object["t"].as_f64().is_some_and(|t| t >= 1.0), "{object}");
}

#[test]
fn the_summary_lists_what_failed_with_the_command_that_runs_it_alone() {
    let script = "test -e \"$2/$1\" && exit 0; touch \"$2/$1\"; test \"$1\" = flaky || exit 9; exit 75";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut arguments = vec!["-j1", "--retry-delay", "0", "--", "sh", "-c", script, "a b", "{}", path, ":::", "flaky"];
    let names: Vec<String> = (0..12).map(|number| format!("bad {number}")).collect();
    arguments.extend(names.iter().map(String::as_str));
    let run = output(&arguments, b"");
    assert_eq!(run.code(), 1);
    let summary: Vec<&str> = run.stderr.lines().skip_while(|line| !line.starts_with("item 1 ")).collect();
    assert!(summary[0].starts_with("item 1 (\"bad 0\") failed: attempt 1, worker 1 (pid "), "{}", run.stderr);
    assert!(summary[0].ends_with("): exit 9") && summary[9].starts_with("item 10 "), "{}", run.stderr);
    assert_eq!(summary[10], "and 2 more failed or dead items");
    let alone = summary[11].strip_prefix("to run item 1 alone: ").unwrap_or_else(|| panic!("{}", run.stderr));
    assert_eq!(summary[12], "1 item was done after more than one attempt; most: item 0 (\"flaky\"), 2 attempts");
    assert!(summary[13].starts_with("13 items: 1 done, 12 failed, "), "{}", run.stderr);
    // It is that command: its file is there by now, so it succeeds.
    assert_eq!(shell(alone).code(), 0, "{alone}");
    std::fs::remove_file(folder.path().join("bad 0")).unwrap();
    assert_eq!(shell(alone).code(), 9, "{alone}");
}

#[test]
fn the_summary_names_the_slowest_items_if_it_was_asked_for() {
    let items = ["0", "1", "0", "0", "0", "0", "0"];
    let run = output(&[&["--summary", "always", "--", "sleep", "{}", ":::"], &items[..]].concat(), b"");
    let slowest: Vec<&str> = run.stderr.lines().skip_while(|line| *line != "slowest items:").collect();
    assert!(slowest[1].ends_with(" s  item 1 (\"1\")") && slowest.len() == 7, "{}", run.stderr);
    let stdin = shell(&format!("printf 'a b' | {SUPERVISOR} --stdin -- sh -c 'read x; exit 4'"));
    assert!(
        stdin.stderr.contains("\nto run item 0 alone: printf %s 'a b' | sh -c 'read x; exit 4'\n"),
        "{}",
        stdin.stderr
    );
}
