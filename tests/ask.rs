//! `--interactive`: a person at the terminal says which commands start.

mod support;

use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::screen::Screen;
use support::{SUPERVISOR, restore_default_signals, send};

/// A program on a terminal of its own, run by a shell: `"$@" >out` in a script is the program with its arguments.
struct Asked {
    shell: Child,
    screen: Screen,
    folder: tempfile::TempDir,
    /// What was seen before the last question, that included.
    seen: String,
}

impl Asked {
    fn start(program: &str, arguments: &[&str], script: &str) -> Self {
        restore_default_signals();
        let (screen, terminal) = Screen::open();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(arguments);
        terminal.give_to_shell_of(&mut command, script);
        let shell = command.current_dir(folder.path()).spawn().unwrap();
        drop(terminal);
        Self { shell, screen, folder, seen: String::new() }
    }

    /// Types at the next question.
    fn answer_next(&mut self, keys: &str) {
        self.screen.wait_for("?...");
        self.seen += &std::mem::take(&mut self.screen.seen);
        self.screen.press(keys);
    }

    /// Answers the questions, then waits for the end of the shell.
    fn answer(mut self, answers: &[&str]) -> (String, String) {
        answers.iter().for_each(|keys| self.answer_next(keys));
        self.finish()
    }

    /// What was seen on the terminal, and what was written to the file `out`.
    fn finish(mut self) -> (String, String) {
        self.screen.wait_for("ended: ");
        self.screen.wait_for("\n.\r\n");
        self.shell.wait().unwrap();
        (self.seen + &self.screen.seen, read(&self.folder.path().join("out")))
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// `out` gets what the program writes to stdout.
const TO_FILE: &str = "\"$@\" >out; echo \"ended: $?\"; echo .";

#[test]
fn commands_with_a_yes_run_and_the_others_are_left_out() {
    let arguments = ["-p", "-j1", "--summary", "always", "--", "echo", "got", "{}", ":::", "a", "b c", "d", "e"];
    let (seen, out) = Asked::start(SUPERVISOR, &arguments, TO_FILE).answer(&["y\n", "n\n", " Yes\n", "\n"]);
    for question in ["echo got a ?...y", "\necho got 'b c' ?...n", "\necho got d ?... Yes", "\necho got e ?...\r\n"] {
        assert!(seen.contains(question), "{question:?} in {seen}");
    }
    assert_eq!(out, "got a\ngot d\n", "{seen}");
    assert!(seen.contains("4 items: 2 done, 0 failed, 0 dead, 2 skipped;") && seen.contains(", 2 left out"), "{seen}");
    assert!(seen.ends_with("ended: 0\r\n.\r\n"), "{seen}");
}

/// Those beside it go on while one is asked about.
#[test]
fn several_slots_ask_one_at_a_time() {
    let wait = "until [ -e go ]; do read -t 0.01 x <>pipe; done; echo $1";
    let script = "mkfifo pipe; \"$@\" >out; echo \"ended: $?\"; echo .";
    let arguments = ["-p", "-j2", "-k", "--", "bash", "-c", wait, "sh", ":::", "a", "b", "c"];
    let mut asked = Asked::start(SUPERVISOR, &arguments, script);
    asked.answer_next("y\n");
    asked.answer_next("n\n");
    asked.answer_next("y\n");
    fs::write(asked.folder.path().join("go"), "").unwrap();
    let (seen, out) = asked.finish();
    assert_eq!((out.as_str(), seen.contains("ended: 0")), ("a\nc\n", true), "{seen}");
}

/// A further attempt has a question of its own. Without it, the one that failed is what counts.
#[test]
fn a_further_attempt_that_is_left_out_does_not_make_up_for_the_first() {
    let arguments = ["-p", "-j1", "--retries", "1", "--", "sh", "-c", "exit 3", "{}", ":::", "a"];
    let mut asked = Asked::start(SUPERVISOR, &arguments, TO_FILE);
    asked.answer_next("y\n");
    asked.answer_next("n\n");
    let (seen, _) = asked.finish();
    assert!(seen.contains("ended: 1"), "{seen}");
    assert_eq!(seen.matches("?...").count(), 2, "{seen}");
}

#[test]
fn ctrl_c_at_a_question_stops_the_run_in_order() {
    let arguments = ["-p", "-j2", "--", "echo", "{}", ":::", "a", "b", "c"];
    // A shell would end with its job.
    let mut asked = Asked::start(SUPERVISOR, &arguments, "exec \"$@\" >out");
    asked.answer_next("\x03");
    asked.screen.wait_for("3 items: 0 done, 0 failed, 0 dead, 3 skipped;");
    assert_eq!(asked.shell.wait().unwrap().signal(), Some(2));
    let seen = asked.seen + &asked.screen.seen;
    assert!(seen.starts_with("echo a ?...^C\r\n"), "the next message stands on a line of its own: {seen}");
    assert!(seen.matches("?...").count() == 1 && read(&asked.folder.path().join("out")).is_empty(), "{seen}");
}

#[test]
fn the_end_of_the_terminal_stops_the_run() {
    let arguments = ["-p", "-j1", "--", "echo", "{}", ":::", "a", "b"];
    let (seen, out) = Asked::start(SUPERVISOR, &arguments, TO_FILE).answer(&["y\n", "\x04"]);
    assert_eq!(out, "a\n");
    assert!(seen.contains("read an answer from /dev/tty: it has ended") && seen.contains("ended: 4"), "{seen}");
}

/// The loop goes on: what runs is reaped, and a signal stops the run, while a question is open.
#[test]
fn a_question_holds_nothing_up() {
    let arguments = ["-p", "-j2", "--run-timeout", "1h", "--", "echo", "{}", ":::", "a", "b"];
    let mut asked = Asked::start(SUPERVISOR, &arguments, "exec \"$@\" >out 2>err");
    asked.screen.press("y\n");
    // The question for the second one is open when the first one has written.
    let (out, err) = (asked.folder.path().join("out"), asked.folder.path().join("err"));
    while read(&out) != "a\n" || !read(&err).ends_with("echo b ?...") {
        std::thread::yield_now();
    }
    send(asked.shell.id(), Signal::SIGTERM);
    assert_eq!(asked.shell.wait().unwrap().signal(), Some(15));
}

/// A program, our words in its place, the arguments of both, the script around them, and the answers.
type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a str, &'a [&'a str]);

const PARALLEL: &str = "/usr/bin/parallel";

/// The terminal, the exit code and the output of `parallel` and `xargs` and of ours in their place.
#[test]
fn it_asks_as_gnu_parallel_and_xargs_do() {
    let xargs = "printf 'a\\nb*c\\nd\\n' | \"$@\" >out; echo \"ended: $?\"; echo .";
    let table: [Row<'_>; 4] = [
        ("/usr/bin/xargs", &["xargs"], &["-n1", "-p", "test", "x", "="], xargs, &["y\n", "no\n", " y\n"]),
        ("/usr/bin/xargs", &["xargs"], &["-I{}", "-t", "-p", "test", "x", "=", "{}"], xargs, &["\n", "Yes\n", "y\n"]),
        (
            PARALLEL,
            &["parallel"],
            &["--will-cite", "-j1", "-p", "echo", ":::", "a", "b c", "d"],
            TO_FILE,
            &["y\n", "n\n", " Y\n"],
        ),
        (
            PARALLEL,
            &["parallel"],
            &["--will-cite", "-j1", "-t", "-p", "echo {}|cat", ":::", "a", "c'", "d"],
            TO_FILE,
            &["n\n", "y\n", "n\n"],
        ),
    ];
    for (program, place, arguments, script, answers) in table {
        if !Path::new(program).exists() {
            eprintln!("left out: {program} is not installed");
            continue;
        }
        let theirs = Asked::start(program, arguments, script).answer(answers);
        let ours = Asked::start(SUPERVISOR, &[place, arguments].concat(), script).answer(answers);
        assert_eq!(ours, theirs, "{arguments:?}");
    }
}

#[test]
fn without_a_terminal_there_is_nobody_to_ask() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new("setsid");
        let output = command.args(["-w", SUPERVISOR]).args(arguments).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = run(&["-p", "--", "echo", ":::", "a"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("this process has no terminal (open /dev/tty: ") && stderr.lines().count() == 1,
        "{stderr}"
    );
    let (code, stderr) = run(&["parallel", "-p", "echo", ":::", "a"]);
    assert!(code == Some(255) && stderr.contains("no terminal"), "{stderr}");
    let (code, stderr) = run(&["xargs", "-p"]);
    let expected = "echoxargs: failed to open /dev/tty for reading: No such device or address\n";
    assert_eq!((code, stderr.as_str()), (Some(1), expected));
    let (code, stderr) = run(&["-p", "--dry-run", "--", "echo", ":::", "a"]);
    assert!(code == Some(2) && stderr.contains("so --interactive has nothing to do"), "{stderr}");
    let (code, stderr) = run(&["-p", "--protocol", "lines", "--", "cat"]);
    assert!(code == Some(2) && stderr.contains("--interactive is for a command that runs once per item"), "{stderr}");
}
