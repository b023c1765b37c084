//! `supervisor run`, with real commands, and the same by the library.

mod support;

use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, Stdio};
use supervisor::config::{Duration, Signal as SignalNumber};
use supervisor::outcomes::ExitStatus;
use supervisor::process::{self, ProcessError, ProcessSpec};
use support::screen::Screen;
use support::{SUPERVISOR, alive, output, restore_default_signals, send, shell, wait_until_gone};

/// `supervisor run` with a script of the shell, which has written its first line.
struct Started {
    child: Child,
    stdout: BufReader<ChildStdout>,
    line: String,
}

impl Started {
    fn new(flags: &[&str], script: &str) -> Self {
        Self::of(Command::new(SUPERVISOR).arg("run").args(flags).args(["--", "bash", "-c", script]))
    }

    fn of(command: &mut Command) -> Self {
        restore_default_signals();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Self { child, stdout, line }
    }

    /// The pids of the first line.
    fn pids(&self) -> Vec<u32> {
        self.line.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// The exit code, or minus the signal, and what was written since.
    fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or_else(|| -status.signal().unwrap()), rest)
    }
}

/// To its end, with pipes as its streams.
fn run(flags: &[&str], command: &[&str], stdin: &[u8]) -> support::Finished {
    output(&[&["run"], flags, &["--"], command].concat(), stdin)
}

#[test]
fn its_end_is_the_end_of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "x").unwrap();
    let text = text.to_str().unwrap();
    for (command, code, stderr) in [
        (&["true"][..], 0, String::new()),
        (&["sh", "-c", "exit 7"], 7, String::new()),
        (&["sh", "-c", "exit 255"], 255, String::new()),
        (&["sh", "-c", "kill -USR2 $$"], 128 + 12, String::new()),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9, String::new()),
        (&["no-such-command"], 127, "failed to run no-such-command: command not found in PATH".to_owned()),
        (&["/no/such/command"], 127, "failed to run /no/such/command: no such file".to_owned()),
        (&["/"], 126, "failed to run /: is a directory".to_owned()),
        (&[text], 126, format!("failed to run {text}: is not executable: permission denied")),
        (
            &["echo a; echo b"],
            127,
            "failed to run echo a; echo b: command not found in PATH; a script goes to a shell: sh -c SCRIPT"
                .to_owned(),
        ),
    ] {
        let run = run(&[], command, b"");
        let expected = if stderr.is_empty() { stderr } else { format!("supervisor: {stderr}\n") };
        assert_eq!((run.code(), run.stderr, run.stdout.as_str()), (code, expected, ""), "{command:?}");
    }
    assert_eq!(run(&["--retries", "3"], &["no-such-command"], b"").stderr.lines().count(), 1);
}

#[test]
fn the_command_has_the_streams_of_the_caller_and_its_words_as_they_are() {
    let echoed = run(&[], &["sh", "-c", "cat; echo \"$@\" >&2", "sh", "{}", "--", ":::", "a  b"], b"abc\xff");
    assert_eq!((echoed.stdout.as_str(), echoed.stderr.as_str()), ("abc\u{fffd}", "{} -- ::: a  b\n"));
    let cut = shell("$SUPERVISOR run -- yes | head -n 1; echo ${PIPESTATUS[0]}");
    assert_eq!((cut.stdout.as_str(), cut.stderr.as_str()), ("y\n141\n", ""));
    // Its input is that of one attempt after the other.
    let script = "read line; echo $line; [ $line = c ]";
    let rest = run(&["--retries", "5"], &["sh", "-c", script], b"a\nb\nc\nd\n");
    assert_eq!((rest.stdout.as_str(), rest.code()), ("a\nb\nc\n", 0), "{}", rest.stderr);
}

#[test]
fn a_command_that_ignores_term_is_killed_at_the_timeout_with_all_that_it_has_started() {
    let script = "trap '' TERM; sleep 1000 & echo $$ $!; sleep 1000";
    // Time enough for the slowest shell to get as far as its trap.
    let started = Started::new(&["--timeout", "2s"], script);
    let pids = started.pids();
    assert_eq!((started.end(), pids.len()), ((124, String::new()), 2));
    wait_until_gone(&pids);
    // One that ends in good order at TERM is too late all the same.
    let script = "trap 'echo end; exit 0' TERM; echo start; sleep 1000 & wait";
    assert_eq!(Started::new(&["--timeout", "2s"], script).end(), (124, "end\n".to_owned()));
}

#[test]
fn an_attempt_that_failed_is_followed_by_another_one_and_a_line_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let script =
        "echo x >> $0; case $(wc -l < $0) in 1) exit 3;; 2) kill -KILL $$;; 3) exec sleep 1000;; esac; echo done";
    let ran = run(&["--retries", "9", "--timeout", "2s"], &["sh", "-c", script, count.to_str().unwrap()], b"");
    let told = "supervisor: sh failed: exit 3; will be tried again (attempt 2)
supervisor: sh failed: signal 9 (KILL); will be tried again (attempt 3)
supervisor: sh failed: timed out after 2s; will be tried again (attempt 4)
";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code()), ("done\n", told, 0));
    let failed = run(&["--retries", "1"], &["sh", "-c", "echo x; exit 4"], b"");
    assert_eq!((failed.stdout.as_str(), failed.code()), ("x\nx\n", 4));
}

#[test]
fn json_has_the_output_the_exit_and_what_was_used() {
    let json = |run: &support::Finished| -> serde_json::Value { serde_json::from_str(&run.stdout).unwrap() };
    let script = "cat; printf '\\377' >&2; exit 5";
    let ran = run(&["--output", "json", "--retries", "1"], &["sh", "-c", script], b"in\n");
    let object = json(&ran);
    assert_eq!((ran.code(), ran.stderr.lines().count()), (5, 1), "{}", ran.stderr);
    let fields: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["args", "exit", "stdout", "stderr_base64", "user", "system", "rss_max_kib", "runtime", "attempts"];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    assert_eq!(object["args"], serde_json::json!(["sh", "-c", script]));
    assert_eq!(object["exit"], serde_json::json!({"code": 5}));
    // The first attempt has read all of the input.
    assert_eq!(
        (&object["stdout"], &object["stderr_base64"], &object["attempts"]),
        (&"".into(), &"/w==".into(), &2.into())
    );
    assert!(object["runtime"].as_f64().unwrap() > 0.0 && object["rss_max_kib"].as_u64().unwrap() > 0, "{object}");
    let odd = OsString::from_vec(b"\xff".to_vec());
    let ran = Command::new(SUPERVISOR).args(["run", "--output", "json", "--", "echo"]).arg(odd).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&object["args_base64"], &object["stdout_base64"]),
        (&serde_json::json!(["ZWNobw==", "/w=="]), &"/wo=".into())
    );
    let late = run(&["--output", "json", "--timeout", "100ms"], &["sleep", "1000"], b"");
    assert_eq!((late.code(), &json(&late)["timed_out"]), (124, &true.into()));
    assert_eq!(json(&late)["exit"], serde_json::json!({"signal": 15, "name": "TERM", "core": false}));
    let killed = run(&["--output", "json"], &["sh", "-c", "echo out; kill -KILL $$"], b"");
    assert_eq!((killed.code(), &json(&killed)["stdout"]), (137, &"out\n".into()));
    // More than a pipe holds, on both streams.
    let script = "head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero | tr '\\0' x";
    let large = json(&run(&["--output", "json"], &["sh", "-c", script], b""));
    assert_eq!(large["stdout"].as_str().unwrap(), "x".repeat(3_000_000));
    assert_eq!(large["stderr"].as_str().unwrap().len(), 3_000_000);
    // What is left in the background may write on for a moment.
    let late = json(&run(&["--output", "json"], &["sh", "-c", "(sleep 0.2; echo late) & echo now"], b""));
    assert_eq!(late["stdout"], "now\nlate\n");
    let held = run(&["--output", "json"], &["sh", "-c", "echo now; sleep 1000 &"], b"");
    assert_eq!(json(&held)["stdout"], "now\n");
    let line = "supervisor: the output of sh was held open for 1s after its exit by a process in the background; what that \
                one still writes is not read\n";
    assert_eq!((held.stderr.as_str(), held.code()), (line, 0));
    for (line, code) in [(">&-", 5), (">/dev/full", 5)] {
        let lost = shell(&format!("$SUPERVISOR run --output json -- true {line}"));
        assert_eq!((lost.code(), lost.stderr.lines().count()), (code, 1), "{}", lost.stderr);
        assert!(lost.stderr.starts_with("supervisor: failed to write the result: "), "{}", lost.stderr);
    }
}

#[test]
fn what_the_command_leaves_in_its_group_ends_with_it() {
    let script = "sleep 1000 >&- 2>&- & echo $! $(setsid sh -c 'sleep 1000 >&- 2>&- & echo $!')";
    let started = Started::new(&[], script);
    let pids = started.pids();
    assert_eq!(started.end(), (0, String::new()));
    let (left, moved) = (pids[0], pids[1]);
    wait_until_gone(&[left]);
    assert!(alive(moved), "a process in a session of its own is left alone");
    send(moved, Signal::SIGKILL);
}

#[test]
fn kill_of_the_supervisor_ends_the_command_and_its_group() {
    let started = Started::new(&[], "sleep 1000 & echo $$ $!; wait");
    let pids = started.pids();
    started.signal(Signal::SIGKILL);
    assert_eq!(started.end(), (-9, String::new()));
    wait_until_gone(&pids);
}

#[test]
fn signals_are_passed_on_and_the_second_stop_ends_the_command() {
    // The answer of the command counts.
    let script = "trap 'echo HUP' HUP; trap 'echo USR1' USR1; trap 'exit 9' TERM; echo ready; \
                  while :; do sleep 1000 & wait; done";
    let mut started = Started::new(&["--retries", "3"], script);
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGHUP] {
        started.signal(signal);
        assert_eq!(started.next_line(), format!("{}\n", &signal.as_str()[3..]));
    }
    started.signal(Signal::SIGTERM);
    assert_eq!(started.end(), (9, String::new()));
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGHUP] {
        // Not tried again. (bash itself ignores QUIT.)
        let started = Started::new(&["--retries", "3"], "exec sh -c 'echo ready; exec sleep 1000'");
        started.signal(signal);
        assert_eq!(started.end(), (-(signal as i32), String::new()));
    }
    // It ignores both; the second signal is another one, so that it is no repetition of the first.
    let started = Started::new(&["--retries", "3"], "trap '' TERM INT; echo $$; sleep 1000");
    let pids = started.pids();
    started.signal(Signal::SIGINT);
    started.signal(Signal::SIGTERM);
    let code = started.end().0;
    assert!(code == -15 || code == -2, "{code}");
    wait_until_gone(&pids);
}

#[test]
fn what_is_ignored_at_the_start_stays_ignored_in_the_command_too() {
    let script = "grep SigIgn /proc/self/status; kill -HUP $PPID; kill -INT $PPID; echo alive";
    let line = format!("trap '' HUP INT USR2; {SUPERVISOR} run -- sh -c '{script}'");
    let ran = shell(&line);
    let mask = (1_u64 << 0) | (1 << 1) | (1 << 11);
    assert_eq!((ran.stdout.as_str(), ran.code()), (format!("SigIgn:\t{mask:016x}\nalive\n").as_str(), 0));
    assert_eq!(run(&[], &["grep", "SigIgn", "/proc/self/status"], b"").stdout, "SigIgn:\t0000000000000000\n");
}

#[test]
fn a_stop_of_the_supervisor_stops_the_command_and_counts_for_no_deadline() {
    let script = "trap 'echo on' CONT; echo $$; while :; do sleep 1000 & wait; done";
    // Long enough for the slowest machine to get as far as the stop, which then lasts longer than all of it.
    let mut command = Command::new(SUPERVISOR);
    command.args(["run", "--timeout", "6s", "--", "bash", "-c", script]);
    // The system stops no process by TSTP in a group that no other group of its session looks after, such as ours if no
    // shell with job control has started it.
    let mut started = Started::of(command.process_group(0));
    let pid = started.pids()[0];
    started.signal(Signal::SIGTSTP);
    support::wait_until_stopped(pid);
    support::wait_until_stopped(started.child.id());
    assert!(shell("sleep 6.2").status.success());
    started.signal(Signal::SIGCONT);
    assert_eq!(started.next_line(), "on\n");
    send(pid, Signal::SIGKILL);
    assert_eq!(started.end().0, -(Signal::SIGKILL as i32));
}

#[test]
fn orphans_that_a_subreaper_inherits_are_reaped() {
    let script = "setsid true & while ps --ppid $PPID -o stat= | grep -q Z; do :; done; echo reaped";
    let mut command = Command::new(SUPERVISOR);
    command.args(["run", "--timeout", "60s", "--", "sh", "-c", script]);
    // SAFETY: a system call.
    unsafe { command.pre_exec(|| Ok(nix::sys::prctl::set_child_subreaper(true)?)) };
    let started = Started::of(&mut command);
    assert_eq!(started.line, "reaped\n");
    assert_eq!(started.end().0, 0);
}

/// `supervisor run` on a terminal, by a shell with job control in which `"$@"` is the run of `command`.
fn on_terminal(script: &str, flags: &[&str], command: &[&str]) -> (Screen, Child) {
    restore_default_signals();
    let (screen, terminal) = Screen::open();
    let mut supervisor = Command::new(SUPERVISOR);
    supervisor.arg("run").args(flags).arg("--").args(command);
    terminal.give_to_shell_of(&mut supervisor, script);
    let child = supervisor.spawn().unwrap();
    (screen, child)
}

#[test]
fn at_the_terminal_the_command_is_in_the_foreground_and_ctrl_c_ends_it() {
    let script = "ps -o tpgid=,pgid= -p $$ | { read tpgid pgid; [ $tpgid = $pgid ] && echo foreground; }; \
                  stty -echo; read x; stty echo; echo \"got $x\"; exec sleep 1000";
    // The shell between them keeps bash from ending with a job that INT has ended.
    let (mut screen, mut child) = on_terminal(
        "sh -c '\"$@\"; exit $?' sh \"$@\"; echo \"ended: $?\"; read x; echo \"shell got $x\"",
        &["--retries", "3"],
        &["sh", "-c", script],
    );
    screen.wait_for("foreground");
    screen.press("one\n");
    screen.wait_for("got one");
    screen.press("\x03");
    screen.wait_for("ended: 130");
    screen.press("two\n");
    screen.wait_for("shell got two");
    assert!(child.wait().unwrap().success());
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    let script = "echo ready; read x; echo \"got $x\"";
    let (mut screen, mut child) =
        on_terminal("\"$@\"; echo \"stopped: $?\"; fg; echo \"ended: $?\"", &[], &["sh", "-c", script]);
    screen.wait_for("ready");
    screen.press("\x1a");
    screen.wait_for("stopped: 148");
    screen.press("one\n");
    screen.wait_for("got one");
    screen.wait_for("ended: 0");
    assert!(child.wait().unwrap().success());
}

#[test]
fn in_a_pipeline_the_terminal_stays_with_the_job_until_the_command_wants_it() {
    // The other side of the pipeline reads from the terminal, and the command does not. Keys reach both.
    let reader = "{ trap '' INT; read x </dev/tty; echo \"reader got $x\"; cat; }";
    let script = "trap 'echo INT; exit 3' INT; echo ready >&2; while :; do sleep 1000 & wait; done";
    let (mut screen, mut child) = on_terminal(
        &format!("\"$@\" | {reader}; echo \"stopped: $?\"; fg; echo \"ended: $?\""),
        &[],
        &["bash", "-c", script],
    );
    screen.wait_for("ready");
    screen.press("\x1a");
    screen.wait_for("stopped: 148");
    screen.press("one\n");
    screen.wait_for("reader got one");
    screen.press("\x03");
    screen.wait_for("INT\r\nended: 0");
    assert!(child.wait().unwrap().success());
    // The command asks on the terminal although its output is collected.
    let (mut screen, mut child) = on_terminal(
        "\"$@\" | cat; echo \"ended: ${PIPESTATUS[0]}\"",
        &["--output", "json"],
        &["sh", "-c", "stty -echo </dev/tty; read x </dev/tty; stty echo </dev/tty; echo \"got $x\""],
    );
    screen.press("secret\n");
    screen.wait_for("ended: 0");
    assert!(screen.seen.contains(r#""stdout":"got secret\n""#), "{}", screen.seen);
    assert!(child.wait().unwrap().success());
}

#[test]
fn in_the_background_a_command_that_wants_the_terminal_stops_the_job() {
    let (mut screen, mut child) = on_terminal(
        "\"$@\" & wait %1; echo stopped; fg; echo \"ended: $?\"",
        &[],
        &["sh", "-c", "read x; echo \"got $x\""],
    );
    screen.wait_for("stopped");
    screen.press("one\n");
    screen.wait_for("ended: 0");
    assert!(screen.seen.contains("got one"), "{}", screen.seen);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_program_runs_a_command_by_the_library() {
    // Far more than the pipes hold, in both directions at once.
    let input: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let done = process::run(&ProcessSpec::new(["cat"]).stdin_bytes(input.clone()).capture()).unwrap();
    assert!(done.is_success() && done.stdout == input && done.stderr.is_empty());
    assert_eq!((done.args, done.attempts, done.exit), (vec!["cat".into()], 1, ExitStatus::Code(0)));
    assert!(done.usage.rss_max_kib > 0 && done.runtime > Duration::ZERO);
    // A command that does not read it all is no error.
    let cut = process::run(&ProcessSpec::new(["head", "-c", "1"]).stdin_bytes(input).capture()).unwrap();
    assert_eq!((cut.exit, cut.stdout.len()), (ExitStatus::Code(0), 1));
    let folder = tempfile::tempdir().unwrap();
    let spec = ProcessSpec::new(["sh", "-c", "pwd; echo $A $HOME; grep SigIgn /proc/self/status >&2; exit 3"])
        .folder(folder.path())
        .env("A", "1")
        .env_remove("HOME")
        .retries(2)
        .capture();
    let failed = process::run(&spec).unwrap();
    assert_eq!(String::from_utf8(failed.stdout).unwrap(), format!("{}\n1\n", folder.path().display()));
    assert_eq!(
        (failed.exit, failed.attempts, failed.stderr),
        (ExitStatus::Code(3), 3, b"SigIgn:\t0000000000000000\n".to_vec())
    );
    let spec = ProcessSpec::new(["/usr/bin/env"]).env_clear().env("B", "2").capture();
    assert_eq!(process::run(&spec).unwrap().stdout, b"B=2\n");
    let late = process::run(&ProcessSpec::new(["sleep", "1000"]).timeout(Duration::from_millis(50))).unwrap();
    assert!(late.timed_out && !late.is_success(), "{late:?}");
    let ExitStatus::Signal { signal, .. } = late.exit else { panic!("{late:?}") };
    assert_eq!((signal, late.stopped_by), (SignalNumber::TERM, None));
}

#[test]
fn what_keeps_a_command_from_running_is_an_error_with_its_class() {
    let error = |spec: ProcessSpec| process::run(&spec.retries(3)).unwrap_err();
    let none = error(ProcessSpec::new(Vec::<String>::new()));
    assert!(matches!(none, ProcessError::Empty), "{none}");
    let missing = error(ProcessSpec::new(["no-such-command"]));
    assert!(matches!(missing, ProcessError::NotFound { .. }), "{missing}");
    let path = error(ProcessSpec::new(["sh"]).env("PATH", "/no/such"));
    assert!(matches!(path, ProcessError::NotFound { .. }), "{path}");
    let folder = error(ProcessSpec::new(["/"]));
    assert!(matches!(folder, ProcessError::NotExecutable { .. }), "{folder}");
    let nul = error(ProcessSpec::new(["echo", "a\0b"]));
    assert_eq!(nul.to_string(), "run echo: argument 1 holds a NUL byte");
    let gone = error(ProcessSpec::new(["true"]).folder("/no/such"));
    assert_eq!(gone.to_string(), "run true in /no/such: No such file or directory (os error 2)");
    let long = error(ProcessSpec::new(["echo".to_owned(), "x".repeat(1 << 18)]));
    assert!(long.to_string().ends_with("are longer than the system takes; give fewer"), "{long}");
}

#[test]
fn a_call_leaves_this_process_as_it_was() {
    let state = || {
        let fields = fs::read_to_string("/proc/thread-self/status").unwrap();
        let lines =
            fields.lines().filter(|line| line.starts_with("Sig") && !line.contains("Pnd") && !line.contains("SigQ"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // In a process of its own, where no other test changes signals at the same time.
    if std::env::var_os("ALONE").is_some() {
        let (before, fds) = (state(), fs::read_dir("/proc/self/fd").unwrap().count());
        for handles_signals in [true, false] {
            process::run(&ProcessSpec::new(["true"]).handle_signals(handles_signals)).unwrap();
            process::run(&ProcessSpec::new(["no-such-command"]).handle_signals(handles_signals)).unwrap_err();
        }
        assert_eq!((state(), fs::read_dir("/proc/self/fd").unwrap().count()), (before, fds));
        return;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", "a_call_leaves_this_process_as_it_was"]).env("ALONE", "1");
    let output = alone.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
