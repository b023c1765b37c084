//! The control socket of the real program: what its subcommands show and do, who is let in, and what clients cannot do to a
//! run.

mod support;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use support::{Finished, PATIENCE, Run, SUPERVISOR, alive, pid_of, wait_until_gone, wait_until_idle};

/// A place with runs of its own, which no other test sees.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn name(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("supervisor")
    }

    fn socket(&self, run: &Run) -> PathBuf {
        self.folder().join(format!("{}.sock", run.pid()))
    }

    fn prepare(&self, command: &mut Command) {
        command.env("XDG_RUNTIME_DIR", self.dir.path()).env("TMPDIR", self.dir.path());
    }

    fn start(&self, arguments: &[&str]) -> Run {
        Run::start_with(arguments, b"", |command| self.prepare(command))
    }

    fn spawn(&self, words: &[&str]) -> Child {
        let mut command = Command::new(SUPERVISOR);
        self.prepare(command.args(words));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn steer(&self, words: &[&str]) -> Finished {
        ended(self.spawn(words))
    }

    /// What it is asked is done.
    fn does(&self, words: &[&str]) -> String {
        let done = self.steer(words);
        assert_eq!((done.code(), done.stderr.as_str()), (0, ""), "{words:?}");
        done.stdout
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.does(&[words, &["--output", "json"]].concat())).unwrap()
    }

    fn refused(&self, words: &[&str], code: i32, text: &str) {
        let refused = self.steer(words);
        assert_eq!(refused.code(), code, "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(text) && refused.stderr.lines().count() == 1, "{words:?}: {}", refused.stderr);
    }

    fn connect(&self, run: &Run) -> Wire {
        self.reach(run.pid())
    }

    /// A run that has begun, or is about to begin, to listen.
    fn reach(&self, pid: u32) -> Wire {
        let (socket, deadline) = (self.folder().join(format!("{pid}.sock")), Instant::now() + PATIENCE);
        loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => return Wire::new(stream),
                Err(error) => assert!(Instant::now() < deadline, "run {pid} does not listen: {error}"),
            }
            std::thread::yield_now();
        }
    }
}

fn ended(child: Child) -> Finished {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr), events: Vec::new() }
}

/// A connection that speaks the protocol itself.
struct Wire {
    lines: BufReader<UnixStream>,
}

impl Wire {
    fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { lines: BufReader::new(stream) }
    }

    fn send(&mut self, line: &str) {
        self.lines.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// `None`: the run has closed the connection.
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let count = self.lines.read_line(&mut line).unwrap();
        (count > 0).then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.send(&request.to_string());
        self.line().expect("an answer")
    }
}

fn started(run: &mut Run, item: u64) -> Value {
    run.wait_for(|event| event["event"] == "item_started" && event["item"] == item)
}

fn wait_for_settled(run: &mut Run, item: u64) -> Value {
    run.wait_for(|event| event["event"] == "item_settled" && event["item"] == item)
}

/// Two workers, and an item that lasts at each.
fn two_workers(place: &Place) -> (Run, [u32; 2]) {
    let mut run = place.start(&["-w", "2", "--credit", "1", "--task", "sleep", ":::", "1000", "1000"]);
    // In whatever order they begin.
    let mut pids = [0; 2];
    for _ in 0..2 {
        let begun = run.wait_for_event("item_started");
        pids[begun["item"].as_u64().unwrap() as usize] = pid_of(&begun);
    }
    (run, pids)
}

#[test]
fn ps_and_status_show_the_workers_and_what_they_are_at() {
    let place = Place::new();
    let (mut run, pids) = two_workers(&place);
    let shown = place.json(&["ps"]);
    assert_eq!(shown, {
        let mut status = place.json(&["status"]);
        // What goes on meanwhile.
        status["run"]["seconds"] = shown["run"]["seconds"].clone();
        for at in 0..2 {
            for name in ["seconds", "cpu_seconds", "rss_bytes"] {
                status["workers"][at][name] = shown["workers"][at][name].clone();
            }
        }
        status
    });
    let (view, workers) = (&shown["run"], shown["workers"].as_array().unwrap());
    assert_eq!((&view["pid"], &view["work"]), (&json!(run.pid()), &json!("task sleep")));
    assert_eq!((&view["at_workers"], &view["accepted"], &view["paused"]), (&json!(2), &json!(2), &json!(false)));
    assert!(view["seconds"].as_f64().unwrap() > 0.0 && view["started_unix_ms"].as_u64().unwrap() > 1_700_000_000_000);
    for worker in workers {
        let item = worker["item"].as_u64().unwrap();
        assert_eq!(worker["pid"], pids[item as usize], "{worker}");
        assert_eq!((&worker["state"], &worker["held"], &worker["restarts"]), (&json!("busy"), &json!(1), &json!(0)));
        assert!(worker["rss_bytes"].as_u64().unwrap() > 10_000 && worker["cpu_seconds"].is_number(), "{worker}");
        assert!(worker["seconds"].as_f64().unwrap() <= view["seconds"].as_f64().unwrap(), "{worker}");
    }
    let text = place.does(&["ps"]);
    assert!(text.starts_with(&format!("run {}: task sleep; 2 workers for ", run.pid())), "{text}");
    assert!(text.contains("  2 items: 0 done, 0 failed, 0 dead, 0 skipped, 2 at workers, 0 waiting\n"), "{text}");
    for pid in pids {
        assert!(text.lines().any(|line| line.contains(&pid.to_string()) && line.contains(" busy ")), "{text}");
    }
    assert_eq!(place.does(&["stop", "--kill"]), format!("run {} stops\n", run.pid()));
    run.wait_for_event("run_finished");
    assert_eq!(run.finish().code(), 1);
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 0, "the socket goes with the run");
}

#[test]
fn without_a_run_that_is_said() {
    let place = Place::new();
    let shown = place.steer(&["ps"]);
    assert_eq!((shown.code(), shown.stdout.as_str()), (0, ""));
    assert_eq!(shown.stderr, "supervisor: no run of yours listens\n");
    assert_eq!(place.steer(&["ps", "--output", "json"]).stderr, "");
    for words in [&["stop"][..], &["status"], &["wait"], &["events", "--follow"], &["add", "x"], &["kill", "1"]] {
        place.refused(words, 6, "failed to find a run of yours");
    }
    place.refused(&["drain", "--run", "7"], 6, "failed to find run 7 among yours");
    place.refused(&["ps", "--run", "7"], 6, "failed to find run 7 among yours");
}

#[test]
fn of_two_runs_one_is_named() {
    let place = Place::new();
    let (mut one, mut two) =
        (place.start(&["--task", "sleep", ":::", "1000"]), place.start(&["--task", "hang", ":::", "1"]));
    started(&mut one, 0);
    started(&mut two, 0);
    let refused = place.steer(&["stop"]);
    let mut named = [format!("{} (task sleep)", one.pid()), format!("{} (task hang)", two.pid())];
    named.sort_by_key(|name| name.split(' ').next().unwrap().parse::<u32>().unwrap());
    let expected = format!("supervisor: several runs are running: {}; choose one by --run PID\n", named.join(", "));
    assert_eq!((refused.code(), refused.stderr), (2, expected));
    assert_eq!(place.does(&["ps", "--output", "json"]).lines().count(), 2);
    let pid = two.pid().to_string();
    place.does(&["stop", "--run", &pid, "--kill"]);
    two.wait_for_event("run_finished");
    two.finish();
    place.does(&["stop", "--now"]);
    one.wait_for_event("run_finished");
    one.finish();
}

#[test]
fn a_worker_that_is_killed_by_its_number_loses_no_item() {
    let place = Place::new();
    let script = "[ $0$SUPERVISOR_ATTEMPT = a1 ] && exec sleep 1000; echo done $0";
    let mut run =
        place.start(&["-v", "-w", "1", "-k", "--crash-limit", "2", "--", "sh", "-c", script, "{}", ":::", "a", "b"]);
    let pid = pid_of(&started(&mut run, 0));
    assert_eq!(
        place.does(&["kill", "1", "--signal", "KILL"]),
        format!("signal 9 (KILL) sent to worker 1 (pid {pid})\n")
    );
    assert_eq!(run.wait_for_event("worker_signalled")["name"], "KILL");
    let finished = run.finish();
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "done a\ndone b\n"));
    let retried = finished.events("item_retried")[0];
    assert_eq!((&retried["item"], &retried["cause"]["exit"]["signal"]), (&json!(0), &json!(9)));
    for expected in [" asks: signal 9 (KILL) to worker 1", "sends signal 9 (KILL) to worker 1 (pid "] {
        assert!(finished.stderr.contains(expected), "{expected}: {}", finished.stderr);
    }
}

#[test]
fn a_worker_can_be_named_by_its_pid_and_one_that_is_not_there_is_refused() {
    let place = Place::new();
    let (mut run, pids) = two_workers(&place);
    place.refused(&["kill", "3"], 2, "there is no worker 3, and none with this pid; the run has workers 1 to 2");
    let answer = place.json(&["kill", &pids[1].to_string(), "-s", "STOP"]);
    assert_eq!((&answer["ok"], &answer["pid"]), (&json!(true), &json!(pids[1])));
    let stopped = run.wait_for_event("worker_stopped");
    assert_eq!(stopped["pid"], pids[1]);
    assert!(place.does(&["ps"]).contains("busy (STOP)"));
    place.does(&["kill", &pids[1].to_string(), "-s", "CONT"]);
    run.wait_for_event("worker_continued");
    place.does(&["stop", "--kill"]);
    run.finish();
}

#[test]
fn an_item_that_is_cancelled_is_skipped_wherever_it_is() {
    let place = Place::new();
    let mut run = place.start(&["-w", "1", "--credit", "1", "--task", "sleep", ":::", "1000", "1000", "0", "1000"]);
    started(&mut run, 0);
    // It waits.
    place.does(&["cancel", "1"]);
    assert_eq!(wait_for_settled(&mut run, 1)["outcome"], "skipped");
    // It is at a worker.
    assert_eq!(place.does(&["cancel", "0"]), "item 0 is given up\n");
    assert_eq!(wait_for_settled(&mut run, 0)["outcome"], "skipped");
    assert_eq!(wait_for_settled(&mut run, 2)["outcome"], "done");
    started(&mut run, 3);
    place.refused(&["cancel", "0"], 2, "item 0 has its outcome");
    place.refused(&["cancel", "2"], 2, "item 2 has its outcome");
    place.does(&["cancel", "3"]);
    let finished = run.finish();
    assert_eq!((finished.code(), finished.settled("done"), finished.settled("skipped")), (1, 1, 3));
}

#[test]
fn the_number_of_workers_changes_at_once() {
    let place = Place::new();
    let mut run = place.start(&["-w", "1", "--credit", "1", "--task", "sleep", ":::", "1000", "1000", "1000"]);
    started(&mut run, 0);
    let answer = place.json(&["scale", "3"]);
    assert_eq!((&answer["from"], &answer["to"]), (&json!(1), &json!(3)));
    run.wait_for_event("item_started");
    run.wait_for_event("item_started");
    assert_eq!(place.does(&["scale", "-1"]), format!("run {}: 2 workers instead of 3\n", run.pid()));
    assert_eq!(place.json(&["scale", "+4"])["to"], 6);
    assert_eq!(place.json(&["scale", "-99"])["to"], 1, "one worker stays");
    place.does(&["stop", "--kill"]);
    let events = run.finish().events;
    let told: Vec<_> = events.iter().filter(|event| event["event"] == "scaled").map(|event| &event["to"]).collect();
    assert_eq!(told, [3, 2, 6, 1]);
}

#[test]
fn a_run_pauses_and_goes_on() {
    let place = Place::new();
    let (mut run, pids) = two_workers(&place);
    place.refused(&["continue"], 2, "the run is not paused");
    assert_eq!(place.does(&["pause"]), format!("run {} pauses\n", run.pid()));
    run.wait_for_event("run_paused");
    pids.into_iter().for_each(support::wait_until_stopped);
    assert!(place.does(&["ps"]).contains("; paused, 2 workers"));
    place.does(&["continue"]);
    run.wait_for_event("run_continued");
    place.does(&["stop", "--kill"]);
    run.finish();
}

#[test]
fn workers_are_restarted_without_a_loss() {
    let place = Place::new();
    let pipe = place.name("items");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut run = place.start(&["-w", "2", "-k", "--task", "square", "-a", &pipe]);
    let mut items = File::options().write(true).open(&pipe).unwrap();
    items.write_all(b"1\n2\n").unwrap();
    wait_for_settled(&mut run, 1);
    place.does(&["restart", "1"]);
    assert_eq!(run.wait_for_event("restart_finished")["replaced"], 1);
    place.does(&["restart"]);
    assert_eq!(run.wait_for_event("restart_finished")["replaced"], 2);
    items.write_all(b"3\n").unwrap();
    drop(items);
    let finished = run.finish();
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, "1\n4\n9\n"));
    let mut run = place.start(&["--", "sleep", ":::", "1000"]);
    started(&mut run, 0);
    place.refused(&["restart"], 2, "each item has a process of its own");
    place.does(&["stop", "--kill"]);
    run.finish();
}

#[test]
fn a_drain_lets_running_items_finish_and_a_stop_is_firmer_each_time() {
    let place = Place::new();
    let pipe = place.name("pipe");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (items, code) in [(&["x"][..], 0), (&["x", "y"], 1)] {
        let words = ["-w", "1", "--", "sh", "-c", "cat $1", "sh", &pipe, ":::"];
        let mut run = place.start(&[&words, items].concat());
        started(&mut run, 0);
        assert_eq!(place.does(&["drain"]), format!("run {} drains\n", run.pid()));
        run.wait_for_event("stopping");
        place.refused(&["scale", "3"], 6, "the run ends; the number of its workers stays");
        place.refused(&["cancel", "1"], 6, "the run ends; no item is given up any more");
        fs::write(&pipe, "there\n").unwrap();
        let finished = run.finish();
        assert_eq!((finished.code(), finished.stdout.as_str()), (code, "there\n"), "{}", finished.stderr);
    }
    let mut run = place.start(&["-w", "1", "--task", "sleep", ":::", "1000"]);
    started(&mut run, 0);
    for stage in ["draining", "terminating"] {
        place.does(&["stop"]);
        assert_eq!(run.wait_for_event("stopping")["stage"], stage);
    }
    assert_eq!(run.finish().code(), 1);
}

#[test]
fn whoever_waits_ends_as_the_run_does() {
    let place = Place::new();
    let pipe = place.name("pipe");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (flags, end, code) in [(&["-q"][..], "exit 0", 0), (&["-q", "--exit-code", "xargs"], "exit 3", 123)] {
        let mut run = place.start(&[flags, &["-w", "1", "--", "sh", "-c", ". $0", "{}", ":::", &pipe]].concat());
        let pid = started(&mut run, 0);
        let waits = place.spawn(&["wait"]);
        wait_until_idle(waits.id());
        wait_until_idle(pid_of(&pid));
        fs::write(&pipe, end).unwrap();
        assert_eq!(run.finish().code(), code);
        assert_eq!(ended(waits).code(), code);
    }
    let mut run = place.start(&["-q", "--task", "sleep", ":::", "1000"]);
    started(&mut run, 0);
    let waits = place.spawn(&["wait", "--output", "json"]);
    wait_until_idle(waits.id());
    run.signal(Signal::SIGTERM);
    run.signal(Signal::SIGTERM);
    run.wait_for_event("stopping");
    place.does(&["stop", "--kill"]);
    assert_eq!(run.finish().code(), 143);
    let waited = ended(waits);
    assert_eq!((waited.code(), waited.stdout.as_str()), (143, "{\"version\":1,\"ok\":true,\"exit\":143}\n"));
}

#[test]
fn a_run_that_is_killed_leaves_a_socket_which_is_removed_by_whoever_finds_it() {
    let place = Place::new();
    let (run, pids) = two_workers(&place);
    let (waits, follows) = (place.spawn(&["wait"]), place.spawn(&["events", "--follow"]));
    wait_until_idle(waits.id());
    wait_until_idle(follows.id());
    run.signal(Signal::SIGKILL);
    for child in [waits, follows] {
        let lost = ended(child);
        assert_eq!(lost.code(), 5);
        assert!(lost.stderr.contains(&format!("failed to learn how run {} ended", run.pid())), "{}", lost.stderr);
    }
    let socket = place.socket(&run);
    wait_until_gone(&pids);
    assert!(socket.exists());
    assert_eq!(place.steer(&["ps"]).stderr, "supervisor: no run of yours listens\n");
    assert!(!socket.exists(), "`ps` removes it");
    // A run that starts does it too.
    let (run, pids) = two_workers(&place);
    let socket = place.socket(&run);
    run.signal(Signal::SIGKILL);
    wait_until_gone(&[&pids[..], &[run.pid()]].concat());
    assert!(socket.exists());
    let mut next = place.start(&["--task", "sleep", ":::", "1000"]);
    started(&mut next, 0);
    assert!(!socket.exists() && place.socket(&next).exists());
    place.does(&["stop", "--kill"]);
    next.finish();
}

#[test]
fn events_are_followed_from_now_on_to_the_end() {
    let place = Place::new();
    let mut run = place.start(&["-w", "1", "--credit", "1", "--task", "sleep", ":::", "1000", "0"]);
    started(&mut run, 0);
    let mut follows = place.spawn(&["events", "--follow"]);
    wait_until_idle(follows.id());
    place.does(&["cancel", "0"]);
    let mut text = String::new();
    follows.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(ended(follows).code(), 0);
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.last().unwrap()["event"], "run_finished");
    let finished = run.finish();
    // They are those of the file.
    let from = finished.events.iter().position(|event| *event == told[0]).unwrap();
    assert_eq!(finished.events[from..], told[..], "{text}");
    assert!(told.iter().any(|event| event["event"] == "item_started" && event["item"] == 1), "{text}");
}

#[test]
fn starts_of_items_are_events_for_those_who_watch() {
    let place = Place::new();
    let pipe = place.name("items");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Without --events, the run itself reports no starts.
    let run = place.spawn(&["-w", "1", "--", "true", "::::", &pipe]);
    let mut items = File::options().write(true).open(&pipe).unwrap();
    let mut wire = place.reach(run.id());
    assert_eq!(wire.ask(&json!({"request": "subscribe"}))["ok"], true);
    items.write_all(b"x\n").unwrap();
    drop(items);
    let events: Vec<Value> = std::iter::from_fn(|| wire.line()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["worker_spawned", "item_started", "worker_exited", "item_settled", "run_finished"],
        "{events:?}"
    );
    assert_eq!(ended(run).code(), 0);
}

#[test]
fn items_are_added_to_a_run_that_stays_open_and_to_no_other() {
    let place = Place::new();
    let journal = place.name("journal");
    let mut run = place.start(&["-q", "-k", "--journal", &journal, "--keep-open", "--", "echo"]);
    run.wait_for_event("run_started");
    assert_eq!(place.does(&["add", "one", "two"]), "0-1\n");
    wait_for_settled(&mut run, 1);
    assert!(place.does(&["ps"]).contains(&format!("journal {journal}, takes items of `supervisor add`")));
    assert_eq!(place.does(&["add", "--", "-3"]), "2\n");
    wait_for_settled(&mut run, 2);
    place.does(&["drain"]);
    assert_eq!(run.finish().stdout, "one\ntwo\n-3\n");
    let mut run = place.start(&["--task", "sleep", ":::", "1000"]);
    started(&mut run, 0);
    place.refused(&["add", "x"], 2, "it takes no further items; start it with --journal FILE --keep-open");
    place.does(&["stop", "--kill"]);
    run.finish();
}

#[test]
fn the_folder_and_the_socket_are_the_users_own() {
    let place = Place::new();
    let (run, _) = two_workers(&place);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(place.folder()), mode(place.socket(&run))), (0o700, 0o600));
    assert!(fs::metadata(place.socket(&run)).unwrap().file_type().is_socket());
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1);
    place.does(&["stop", "--kill"]);
    run.finish();
}

#[test]
fn an_unsafe_folder_is_refused_in_words_and_the_run_goes_on() {
    let place = Place::new();
    let elsewhere = place.name("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let check = |why: &str, holds: &str| {
        let words = ["--items", "3", "--task", "square", "-k", "--output", "results"];
        let finished = place.steer(&[&["-v"][..], &words].concat());
        assert_eq!((finished.code(), finished.stdout.as_str()), (0, "0\n1\n4\n"), "{}", finished.stderr);
        let said =
            format!("supervisor: runs without control: failed to use the folder {}: {why}", place.folder().display());
        assert!(finished.stderr.contains(&said), "{}", finished.stderr);
        assert!(!place.steer(&words).stderr.contains("control"), "it is said with -v alone");
        let shown = place.steer(&["ps"]);
        assert_eq!((shown.code(), shown.stdout.as_str()), (5, ""));
        assert!(shown.stderr.contains(why), "{}", shown.stderr);
        assert_eq!(fs::read_dir(holds).unwrap().count(), 0, "nothing is made in it");
    };
    symlink(&elsewhere, place.folder()).unwrap();
    check("it is a symbolic link; remove it", &elsewhere);
    fs::remove_file(place.folder()).unwrap();
    fs::create_dir(place.folder()).unwrap();
    fs::set_permissions(place.folder(), PermissionsExt::from_mode(0o777)).unwrap();
    check("its mode is 0777 instead of 0700; take the rights of others away", place.folder().to_str().unwrap());
}

#[test]
fn no_control_means_no_socket() {
    let place = Place::new();
    let mut run = place.start(&["--no-control", "--task", "sleep", ":::", "1000"]);
    started(&mut run, 0);
    assert!(!place.folder().exists());
    place.refused(&["stop"], 6, "failed to find a run of yours");
    run.signal(Signal::SIGKILL);
    wait_until_gone(&[run.pid()]);
}

#[test]
fn one_client_too_many_is_told_so_and_the_others_stay() {
    let place = Place::new();
    let (run, _) = two_workers(&place);
    let mut clients: Vec<Wire> = (0..64).map(|_| place.connect(&run)).collect();
    for client in &mut clients {
        assert_eq!(client.ask(&json!({"request": "ping"}))["ok"], true);
    }
    let mut late = place.connect(&run);
    let told = late.line().unwrap();
    assert_eq!((&told["ok"], &told["error"]["code"]), (&json!(false), &json!("too_many_clients")));
    assert_eq!(late.line(), None);
    place.refused(&["stop"], 6, "the run has 64 clients, which is the most");
    assert_eq!(
        clients[63].ask(&json!({"request": "kill-all", "id": "x"})),
        json!({"version": 1, "id": "x", "ok": true})
    );
    assert_eq!(run.finish().code(), 1);
}

/// Another user is refused, whatever the rights of the file say. Only root can try.
#[test]
fn another_user_is_refused_even_where_the_rights_were_loosened() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    let (run, _) = two_workers(&place);
    let open = |path: &std::path::Path| fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
    open(place.dir.path());
    open(&place.folder());
    open(&place.socket(&run));
    let socket = place.socket(&run);
    let told = std::thread::spawn(move || {
        // The identity of this thread alone: the call by its number does not change that of the others.
        // SAFETY: plain numbers.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, -1, 65534, -1) }, 0);
        let mut wire = Wire::new(UnixStream::connect(socket).unwrap());
        // A request may be refused by a closed connection already.
        let _ = wire.lines.get_mut().write_all(b"{\"request\":\"kill-all\"}\n");
        (wire.line().unwrap(), wire.lines.read_line(&mut String::new()).is_err_and(|_| true))
    });
    let (told, _) = told.join().unwrap();
    assert_eq!((&told["ok"], &told["error"]["code"]), (&json!(false), &json!("other_user")));
    let mut wire = place.connect(&run);
    assert_eq!(wire.ask(&json!({"request": "ping"}))["ok"], true, "the run goes on");
    assert!(alive(run.pid()));
    wire.send(&json!({"request": "kill-all"}).to_string());
    run.finish();
}

#[test]
fn what_clients_send_changes_nothing_in_the_result() {
    const ITEMS: u64 = 20_000;
    let place = Place::new();
    let pipe = place.name("items");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let run = place.start(&["-q", "-w", "2", "-k", "--task", "square", "-a", &pipe]);
    let mut items = File::options().write(true).open(&pipe).unwrap();
    let half: String = (0..ITEMS / 2).map(|item| format!("{item}\n")).collect();
    items.write_all(half.as_bytes()).unwrap();
    let lines = [
        "x",
        "{}",
        "[1,2,3]",
        "{\"request\":\"fly\"}",
        "{\"request\":\"signal\",\"worker\":99,\"signal\":\"KILL\"}",
        "{\"request\":\"cancel\",\"item\":\"x\"}",
        "{\"request\":\"scale\",\"workers\":0}",
        "{\"request\":\"ping\",\"version\":9}",
        "\u{0}\u{1}\u{ff}",
    ];
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let mut wire = place.connect(&run);
            std::thread::spawn(move || {
                let mut refused = 0;
                for round in 0..2500 {
                    wire.send(lines[round % lines.len()]);
                    refused += u32::from(wire.line().unwrap()["ok"] == false);
                }
                // A line that is too long, and one that never ends.
                wire.send(&"y".repeat(100_000));
                assert_eq!(wire.line().unwrap()["error"]["code"], "too_long");
                let _ = wire.lines.get_mut().write_all(&[b'z'; 3000]);
                refused
            })
        })
        .collect();
    // A slow one, a byte at a time, and one that goes in the middle of a request.
    let mut slow = place.connect(&run);
    for byte in b"{\"request\":\"ping\",\"id\":5}\n" {
        slow.lines.get_mut().write_all(&[*byte]).unwrap();
    }
    assert_eq!(slow.line().unwrap()["id"], 5);
    place.connect(&run).lines.get_mut().write_all(b"{\"requ").unwrap();
    let refused: Vec<u32> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(refused, [2500; 4]);
    let rest: String = (ITEMS / 2..ITEMS).map(|item| format!("{item}\n")).collect();
    items.write_all(rest.as_bytes()).unwrap();
    drop(items);
    let finished = run.finish();
    let expected: String = (0..ITEMS).map(|item| format!("{}\n", item * item)).collect();
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert!(finished.stdout == expected, "the result is whole");
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_the_run_ends_in_time() {
    const ITEMS: u64 = 200_000;
    let place = Place::new();
    let pipe = place.name("items");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let run = place.start(&["-q", "-w", "2", "--task", "square", "--output", "none", "-a", &pipe]);
    let mut items = File::options().write(true).open(&pipe).unwrap();
    let [mut late, mut never] = [place.connect(&run), place.connect(&run)];
    for wire in [&mut late, &mut never] {
        assert_eq!(wire.ask(&json!({"request": "subscribe"}))["ok"], true);
    }
    // Far more than is kept for a client.
    let lines: String = (0..ITEMS).map(|item| format!("{item}\n")).collect();
    items.write_all(lines.as_bytes()).unwrap();
    let mut looks = place.connect(&run);
    while looks.ask(&json!({"request": "status"}))["run"]["done"] != ITEMS {
        std::thread::yield_now();
    }
    // One that reads again is told why it gets no more.
    let (mut events, mut last) = (0, Value::Null);
    while let Some(line) = late.line() {
        events += u64::from(line["event"].is_string());
        last = line;
    }
    assert!(events > 1 && events < ITEMS, "{events} events");
    assert_eq!(last["error"]["code"], "too_slow", "{last}");
    drop(items);
    let finished = run.finish();
    assert_eq!((finished.code(), finished.settled("done") as u64), (0, ITEMS), "{}", finished.stderr);
}

/// The exchanges of the page, with a run that is the one of the page.
#[test]
fn the_page_of_the_protocol_shows_what_happens() {
    let page = include_str!("../docs/control.md");
    let (_, block) = page.split_once("```text\n").expect("an exchange");
    let (block, _) = block.split_once("```").unwrap();
    let place = Place::new();
    let run = place.spawn(&["-q", "-w", "1", "--credit", "1", "--task", "sleep", ":::", "1000", "1000"]);
    let mut wire = place.reach(run.id());
    // The item has left for the worker, which sleeps as soon as it has begun it.
    let worker = loop {
        let worker = wire.ask(&json!({"request": "status"}))["workers"][0].clone();
        if worker["item"].is_number() {
            break worker;
        }
        std::thread::yield_now();
    };
    wait_until_idle(pid_of(&worker));
    for line in block.lines() {
        match line.split_at_checked(2) {
            Some(("> ", request)) => wire.send(request),
            Some(("< ", answer)) => {
                let shown: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
                let got = wire.line().unwrap_or_else(|| panic!("no line for {answer}"));
                assert!(is_alike(&shown, &got), "shown: {shown}\ngot:   {got}");
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!(wire.line(), None, "the page shows all of it");
    assert_eq!(ended(run).code(), 1);
}

/// Equal, but for numbers and names that differ from run to run.
fn is_alike(shown: &Value, got: &Value) -> bool {
    const OWN: [&str; 9] =
        ["pid", "run_id", "started_unix_ms", "seconds", "rss_bytes", "cpu_seconds", "t", "user", "system"];
    match (shown, got) {
        (Value::Object(shown), Value::Object(got)) => {
            let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            let alike = |key: &String| {
                let is_own = OWN.contains(&key.as_str()) || key == "rss_max_kib";
                (is_own && shown[key].is_number() == got[key].is_number()) || is_alike(&shown[key], &got[key])
            };
            keys(shown) == keys(got) && shown.keys().all(alike)
        }
        (Value::Array(shown), Value::Array(got)) => {
            shown.len() == got.len() && shown.iter().zip(got).all(|(shown, got)| is_alike(shown, got))
        }
        (shown, got) => shown == got,
    }
}
