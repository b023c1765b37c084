//! Commands that are stopped, and commands on a terminal.

mod support;

use nix::sys::signal::Signal;
use support::screen::Screen;
use support::{Run, SUPERVISOR, output, pid_of, send, shell};

/// A run on a terminal of its own, and the keyboard and screen of that.
struct OnTerminal {
    run: Run,
    screen: Screen,
}

impl OnTerminal {
    /// Runs `script` by a shell with job control, in which `"$@"` is the supervisor with these arguments.
    fn start(script: &str, arguments: &[&str]) -> Self {
        let (screen, terminal) = Screen::open();
        let run = Run::start_with(arguments, b"", |command| terminal.give_to_shell_of(command, script));
        drop(terminal);
        Self { run, screen }
    }

    fn press(&mut self, keys: &str) {
        self.screen.press(keys);
    }

    /// Waits until the screen shows this text.
    fn wait_for(&mut self, text: &str) {
        self.screen.wait_for(text);
    }
}

#[test]
fn a_command_that_wants_the_terminal_is_reported_with_the_remedy() {
    for (script, signal) in [("read x </dev/tty", "TTIN"), ("stty sane </dev/tty", "TTOU")] {
        let mut on = OnTerminal::start("exec \"$@\"", &["-j1", "--", "sh", "-c", script, "{}", ":::", "a"]);
        let stopped = on.run.wait_for_event("worker_stopped");
        assert_eq!((stopped["name"].as_str(), stopped["item"].as_u64()), (Some(signal), Some(0)));
        on.wait_for(&format!(
            "item 0 (\"a\"): its command is stopped ({signal}): it wants the terminal; use --tty with -j 1"
        ));
        on.run.signal(Signal::SIGQUIT);
        on.wait_for(&format!("busy, stopped ({signal})"));
        assert_eq!(on.run.finish().code(), 131);
    }
}

#[test]
fn with_tty_each_command_in_turn_has_the_terminal_and_it_comes_back() {
    let command = "stty -echo </dev/tty && read x && stty echo </dev/tty && echo \"$1 got $x\"";
    let arguments = ["--tty", "--", "sh", "-c", command, "sh", ":::", "a", "b"];
    let mut on = OnTerminal::start("\"$@\"; read x; echo \"shell got $x\"", &arguments);
    // All three are typed at once: nobody may read the line of another.
    on.press("one\ntwo\nthree\n");
    on.wait_for("shell got three");
    assert!(on.screen.seen.contains("a got one") && on.screen.seen.contains("b got two"), "{}", on.screen.seen);
    let run = on.run.finish();
    assert_eq!((run.code(), run.events("worker_stopped").len()), (0, 0));
}

#[test]
fn ctrl_c_ends_the_command_that_has_the_terminal_and_stops_the_run() {
    let arguments = ["--tty", "--", "sleep", "{}", ":::", "1000", "1001"];
    let mut on = OnTerminal::start("exec \"$@\"", &arguments);
    on.run.wait_for_event("item_started");
    on.press("\x03");
    let run = on.run.finish();
    assert_eq!(run.code(), 130, "{:#?}", run.events);
    assert_eq!((run.events("worker_spawned").len(), run.settled("skipped")), (1, 1));
    assert_eq!(run.events("stopping")[0]["signal"], 2);
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    let arguments = ["--tty", "--", "sh", "-c", "echo ready; read x; echo \"got $x\"", "sh", ":::", "a"];
    let mut on = OnTerminal::start("\"$@\"; echo \"stopped: $?\"; fg; echo \"ended: $?\"", &arguments);
    on.wait_for("ready");
    on.press("\x1a");
    on.wait_for("stopped: 148");
    on.press("one\n");
    on.wait_for("ended: 0");
    assert!(on.screen.seen.contains("got one"), "{}", on.screen.seen);
    assert_eq!(on.run.finish().code(), 0);
}

#[test]
fn in_the_background_a_command_that_wants_the_terminal_stops_the_job() {
    let arguments = ["--tty", "--", "sh", "-c", "read x; echo \"got $x\"", "sh", ":::", "a"];
    // This `wait` returns when the state of the job changes.
    let mut on = OnTerminal::start("\"$@\" & wait %1; echo \"stopped\"; fg; echo \"ended: $?\"", &arguments);
    on.wait_for("stopped");
    on.press("one\n");
    on.wait_for("ended: 0");
    assert!(on.screen.seen.contains("got one"), "{}", on.screen.seen);
    assert_eq!(on.run.finish().code(), 0);
}

#[test]
fn a_stop_from_elsewhere_is_reported_and_shown_until_the_command_goes_on() {
    let mut run = Run::start(&["-j1", "--", "sh", "-c", "read x <\"$1\"", "sh", ":::", "/dev/zero"]);
    let pid = pid_of(&run.wait_for_event("worker_spawned"));
    send(pid, Signal::SIGSTOP);
    let stopped = run.wait_for_event("worker_stopped");
    assert_eq!((stopped["name"].as_str(), stopped["worker"].as_u64()), (Some("STOP"), Some(1)));
    run.signal(Signal::SIGUSR1);
    send(pid, Signal::SIGCONT);
    run.wait_for_event("worker_continued");
    run.signal(Signal::SIGUSR1);
    run.signal(Signal::SIGQUIT);
    let run = run.finish();
    assert!(run.stderr.contains("item 0 (\"/dev/zero\"): its command is stopped (STOP)\n"), "{}", run.stderr);
    let rows = run.stderr.lines().filter(|line| line.contains(": busy")).collect::<Vec<_>>();
    assert!(rows[0].contains("busy, stopped (STOP)") && !rows[rows.len() - 1].contains("stopped"), "{}", run.stderr);
}

#[test]
fn a_resident_worker_that_is_stopped_is_reported() {
    let mut run = Run::start(&["-j1", "--task", "hang", ":::", "x"]);
    let pid = pid_of(&run.wait_for_event("item_started"));
    send(pid, Signal::SIGSTOP);
    run.wait_for_event("worker_stopped");
    send(pid, Signal::SIGCONT);
    run.wait_for_event("worker_continued");
    run.signal(Signal::SIGQUIT);
    let run = run.finish();
    assert!(run.stderr.contains(&format!("worker 1 (pid {pid}) is stopped (STOP)\n")), "{}", run.stderr);
}

#[test]
fn tty_is_refused_without_a_terminal_and_with_more_than_one_command_at_a_time() {
    let refused = output(&["--tty", "-j2", "--", "true", ":::", "x"], b"");
    assert_eq!(refused.code(), 2);
    assert_eq!(
        refused.stderr,
        "supervisor: --tty lends the terminal to one command at a time; give -j 1, or leave -j out\n"
    );
    let refused = shell(&format!("setsid -w {SUPERVISOR} --tty -- true ::: x"));
    assert_eq!(refused.code(), 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("lend commands the terminal: this process has none"), "{}", refused.stderr);
    let refused = output(&["--tty", ":::", "1"], b"");
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr.contains("--tty is for a command"), "{}", refused.stderr);
}
