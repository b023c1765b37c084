//! `supervisor sem`, on the real program. Tests wait for pipes and for the ends of processes, and never sleep.

mod support;

use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use support::{SUPERVISOR, restore_default_signals, send, wait_until_gone, wait_until_idle};

/// A folder of semaphores for one test, and pipes that hold commands up until they are written to.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        restore_default_signals();
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn sem(&self, words: &[&str]) -> Command {
        let mut command = Command::new(SUPERVISOR);
        command.arg("sem").args(words).env("XDG_RUNTIME_DIR", self.0.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A call whose command says that it runs, and ends when the pipe `name` is written to. Returns once the command runs.
    fn holder(&self, name: &str, flags: &[&str]) -> (Child, BufReader<ChildStdout>) {
        nix::unistd::mkfifo(&self.path(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let script = format!("echo $$; read line <{}", self.path(name).display());
        let mut child = self.sem(&[flags, &["--", "sh", "-c", &script]].concat()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.trim().parse::<u32>().is_ok(), "the command does not run: {line:?}");
        (child, stdout)
    }

    /// Lets the holder go.
    fn release(&self, name: &str) {
        fs::write(self.path(name), "x\n").unwrap();
    }
}

fn ends_with(mut child: Child, code: i32) {
    assert_eq!(child.wait().unwrap().code(), Some(code));
}

fn stderr_of(child: Child) -> String {
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn a_command_waits_until_another_one_has_ended() {
    let fixture = Fixture::new();
    let (holder, _) = fixture.holder("one", &["--id", "x"]);
    let waiter = fixture.sem(&["--id", "x", "--", "echo", "in"]).spawn().unwrap();
    let other = fixture.sem(&["--id", "y", "--", "echo", "other name"]).output().unwrap();
    assert_eq!(other.stdout, b"other name\n");
    wait_until_idle(waiter.id());
    fixture.release("one");
    ends_with(holder, 0);
    assert_eq!(waiter.wait_with_output().unwrap().stdout, b"in\n");
}

#[test]
fn as_many_run_as_there_are_places() {
    let fixture = Fixture::new();
    let names = ["one", "two", "three"];
    let holders = names.map(|name| fixture.holder(name, &["--id", "x", "-j", "3"]).0);
    let refused = fixture.sem(&["--id", "x", "-j3", "--st", "-0.01", "--", "echo", "in"]).output().unwrap();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(stderr, "supervisor: no place under the name \"x\" was given back in time, so the command is not run\n");
    let anyway =
        fixture.sem(&["--id", "x", "-j3", "--semaphoretimeout", "0.01", "--", "sh", "-c", "exit 7"]).spawn().unwrap();
    assert!(stderr_of(anyway).contains("so the command runs without one"));
    let more = fixture.sem(&["--id", "x", "-j", "4", "--", "echo", "in"]).output().unwrap();
    assert_eq!(more.stdout, b"in\n", "each call has its own number");
    for (name, holder) in names.into_iter().zip(holders) {
        fixture.release(name);
        ends_with(holder, 0);
    }
    let free = fixture.sem(&["--id", "x", "--wait"]).output().unwrap();
    assert_eq!((free.status.code(), free.stderr.len()), (Some(0), 0));
}

#[test]
fn a_killed_holder_gives_its_place_back() {
    let fixture = Fixture::new();
    let (mut holder, mut stdout) = fixture.holder("one", &["--id", "x"]);
    let waiter = fixture.sem(&["--id", "x", "--", "echo", "in"]).spawn().unwrap();
    wait_until_idle(waiter.id());
    send(holder.id(), Signal::SIGKILL);
    assert_eq!(waiter.wait_with_output().unwrap().stdout, b"in\n");
    holder.wait().unwrap();
    // Its command ends with it: nobody holds the other end of the pipe.
    stdout.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_signal_ends_a_wait_quietly() {
    let fixture = Fixture::new();
    let (holder, _) = fixture.holder("one", &["--id", "x"]);
    let waiters = [Signal::SIGINT, Signal::SIGTERM]
        .map(|signal| (signal, fixture.sem(&["--id", "x", "--", "true"]).spawn().unwrap()));
    for (_, waiter) in &waiters {
        wait_until_idle(waiter.id());
    }
    for (signal, waiter) in waiters {
        send(waiter.id(), signal);
        let ended = waiter.wait_with_output().unwrap();
        assert_eq!((ended.status.signal(), ended.stderr.len()), (Some(signal as i32), 0));
    }
    fixture.release("one");
    ends_with(holder, 0);
}

#[test]
fn the_command_ends_as_it_likes_and_what_is_unsafe_is_refused() {
    let fixture = Fixture::new();
    let code = |words: &[&str]| fixture.sem(words).output().unwrap().status.code();
    assert_eq!(code(&["--id", "x", "--", "sh", "-c", "exit 9"]), Some(9));
    assert_eq!(code(&["--id", "x", "--", "/nonexistent/program"]), Some(127));
    assert_eq!(code(&["--id", "a/b", "--", "true"]), Some(2));
    std::os::unix::fs::symlink("/tmp", fixture.path("supervisor/sem/link")).unwrap();
    assert_eq!(code(&["--id", "link", "--", "true"]), Some(6));
    // Something that was started in the background and lives on does not hold the place.
    let script = "(setsid sh -c 'echo $$; exec sleep 1000 >&- 2>&-' &) | head -n 1";
    let daemon = fixture.sem(&["--id", "x", "--", "sh", "-c", script]);
    let left = left_behind(daemon);
    assert_eq!(code(&["--id", "x", "--", "true"]), Some(0));
    send(left, Signal::SIGKILL);
    wait_until_gone(&[left]);
    assert!(Path::new(&fixture.path("supervisor/sem/x/1")).is_file());
    assert!(File::open(fixture.path("supervisor/sem/x/2")).is_err(), "one place was enough");
}

/// Runs a command that leaves a process in a session of its own and prints its number, which is returned.
fn left_behind(mut command: Command) -> u32 {
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Each command makes a folder and removes it, which fails while another command has made it.
#[test]
fn runs_under_one_name_start_no_more_processes_than_one_of_them_may() {
    let fixture = Fixture::new();
    let script = format!("mkdir {0} && rmdir {0} && : {{}}", fixture.path("alone").display());
    let items: Vec<String> = (0..60).map(|item| item.to_string()).collect();
    let run = || {
        let mut command = Command::new(SUPERVISOR);
        command.args(["--sem", "name", "-j", "1", "--shell", "--", &script, ":::"]).args(&items);
        command.env("XDG_RUNTIME_DIR", fixture.0.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    for run in [run(), run(), run()] {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_run_that_is_killed_gives_its_places_back() {
    let fixture = Fixture::new();
    nix::unistd::mkfifo(&fixture.path("hold"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("echo $$; read line <{}", fixture.path("hold").display());
    let mut run = Command::new(SUPERVISOR);
    run.args(["--sem", "name", "-j", "2", "-u", "--", "sh", "-c", &script, ":::", "a", "b"]);
    run.env("XDG_RUNTIME_DIR", fixture.0.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let mut stdout = BufReader::new(run.stdout.take().unwrap());
    for _ in 0..2 {
        stdout.read_line(&mut String::new()).unwrap();
    }
    let code = |words: &[&str]| fixture.sem(words).status().unwrap().code();
    assert_eq!(code(&["--id", "name", "--wait", "--semaphore-timeout", "-0.01"]), Some(1), "two places are held");
    send(run.id(), Signal::SIGKILL);
    assert_eq!(run.wait().unwrap().signal(), Some(9));
    assert_eq!(code(&["--id", "name", "--wait"]), Some(0));
}
