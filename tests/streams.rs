//! stdin, stdout and stderr that are slow or full, or whose other end is closed.

mod support;

use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use support::{Run, memory_kib, shell, wait_for_wakes, wait_until_idle};

/// A run whose stdout is not read.
fn unread(arguments: &[&str]) -> (Run, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    let run = Run::start_with(arguments, b"", |command| {
        command.stdout(writer);
    });
    (run, reader)
}

/// A run whose stdin is written piece by piece.
fn fed(arguments: &[&str]) -> (Run, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let run = Run::start_with(arguments, b"", |command| {
        command.stdin(reader);
    });
    (run, writer)
}

#[test]
fn the_supervisor_sleeps_while_its_source_is_idle() {
    for arguments in [&["-j2", "--", "echo"][..], &["-j2", "-a", "-", "--task", "square"]] {
        let (mut run, mut stdin) = fed(arguments);
        for item in ["1\n", "2\n"] {
            stdin.write_all(item.as_bytes()).unwrap();
            run.wait_for_event("item_settled");
            wait_until_idle(run.pid());
        }
        drop(stdin);
        assert_eq!(run.finish().code(), 0);
    }
}

#[test]
fn the_supervisor_sleeps_while_its_source_has_more_than_is_demanded() {
    let (mut run, mut stdin) = fed(&["-j1", "--queue-items-max", "1", "--", "sh", "-c", "exec sleep 1000"]);
    stdin.write_all(&b"x\n".repeat(100)).unwrap();
    run.wait_for_event("worker_spawned");
    wait_until_idle(run.pid());
    run.signal(Signal::SIGQUIT);
    assert_eq!(run.finish().code(), 131);
}

#[test]
fn a_loss_of_the_last_output_is_reported() {
    // The last item is settled and the run finished in one turn: no worker is left to be stopped.
    let run = shell("$SUPERVISOR -j1 -- echo {} ::: a > /dev/full");
    assert_eq!(run.code(), 5, "{}", run.stderr);
    assert!(run.stderr.contains("No space left on device"), "{}", run.stderr);
    let run = shell("$SUPERVISOR -j1 -q -- sh -c 'exec seq 100000' ::: a | true; echo ${PIPESTATUS[0]}");
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("141\n", ""));
    let run = shell("$SUPERVISOR -j1 --events /dev/full -- true ::: a");
    assert_eq!(run.code(), 4, "{}", run.stderr);
    assert!(run.stderr.contains("/dev/full"), "{}", run.stderr);
}

#[test]
fn a_finished_run_waits_for_its_reader_and_a_status_request_changes_nothing() {
    let (mut run, mut stdout) = unread(&["-j1", "--", "sh", "-c", "exec seq 100000", ":::", "x"]);
    run.wait_for_event("worker_exited");
    wait_until_idle(run.pid());
    run.signal(Signal::SIGUSR1);
    wait_until_idle(run.pid());
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let run = run.finish();
    assert_eq!((run.code(), text.lines().count()), (0, 100_000), "{}", run.stderr);
    assert!(run.stderr.contains("status: finished"), "{}", run.stderr);
}

#[test]
fn a_finished_run_stops_waiting_after_a_signal() {
    let (mut run, _stdout) = unread(&["-j1", "--", "sh", "-c", "exec seq 100000", ":::", "x"]);
    run.wait_for_event("worker_exited");
    wait_until_idle(run.pid());
    run.signal(Signal::SIGINT);
    let run = run.finish();
    assert_eq!(run.code(), 130, "{}", run.stderr);
    assert!(run.stderr.contains("not all output is written"), "{}", run.stderr);
    assert_eq!(run.events.last().unwrap()["event"], "run_finished");
}

#[test]
fn a_stopped_run_waits_for_its_reader_within_its_grace() {
    let (mut run, _stdout) =
        unread(&["-j1", "--grace", "100ms", "--", "sh", "-c", "seq 100000; sleep 1000", ":::", "x"]);
    run.wait_for_event("worker_spawned");
    run.signal(Signal::SIGTERM);
    let run = run.finish();
    assert_eq!(run.code(), 143, "{}", run.stderr);
    run.assert_no_process_left();
}

#[test]
fn an_unread_stdout_stops_the_work_and_not_the_supervisor() {
    let arguments = ["-j2", "--items", "300000", "--task", "square", "--output", "results"];
    let (mut run, mut stdout) = unread(&arguments);
    run.wait_for_event("item_settled");
    wait_until_idle(run.pid());
    let used = memory_kib(run.pid(), "VmHWM");
    assert!(used < 24 * 1024, "{used} KiB");
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let run = run.finish();
    assert_eq!((run.code(), text.lines().count()), (0, 300_000), "{}", run.stderr);
}

#[test]
fn a_worker_whose_output_is_not_read_does_not_time_out() {
    let arguments = ["-j1", "--items", "300000", "--task", "square", "--output", "results", "--timeout", "2s"];
    let (mut run, mut stdout) = unread(&arguments);
    run.wait_for_event("item_settled");
    // After a while it wakes only to check the worker's deadline: eight times within the limit.
    wait_until_idle(run.pid());
    wait_for_wakes(run.pid(), 10);
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    let run = run.finish();
    assert_eq!((run.code(), run.events("worker_exited").len()), (0, 1), "{}", run.stderr);
}

#[test]
fn an_unread_stderr_costs_no_memory() {
    let (mut stderr, writer) = pipe().unwrap();
    let line = "exec head -c 60000 /dev/zero >&2";
    let mut run = Run::start_with(&["-j2", "--items", "400", "--", "sh", "-c", line], b"", |command| {
        command.stderr(writer);
    });
    run.wait_for_event("worker_exited");
    wait_until_idle(run.pid());
    let used = memory_kib(run.pid(), "VmHWM");
    assert!(used < 20 * 1024, "{used} KiB");
    let mut bytes = Vec::new();
    stderr.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.iter().filter(|byte| **byte == 0).count(), 400 * 60_000);
    assert_eq!(run.finish().code(), 0);
}

#[test]
fn a_folder_for_long_outputs_that_is_missing_or_full_ends_the_run_at_once() {
    let line = "$SUPERVISOR -j2 -- sh -c 'head -c 3000000 /dev/zero; exec sleep 1000' ::: a b";
    let run = shell(&format!("TMPDIR=/missing {line}"));
    assert_eq!(run.code(), 4, "{}", run.stderr);
    assert!(run.stderr.contains("a temporary file in /missing: No such file"), "{}", run.stderr);
    // The same holds for results of resident workers, over every transport.
    let large = "head -c 3000000 /dev/zero | $SUPERVISOR -j2 -a - --task echo";
    for how in ["--transport pipe", "--transport shm", "--transport socket -k", "--isolation thread --tag"] {
        let run = shell(&format!("TMPDIR=/missing; export TMPDIR; {large} {how}"));
        assert_eq!((run.code(), run.stdout.len()), (4, 0), "{how}: {}", run.stderr);
        let words = "failed to keep a result in a temporary file in /missing: No such file";
        assert!(run.stderr.contains(words), "{how}: {}", run.stderr);
        if how.contains("shm") {
            // The limit on file sizes applies to its shared memory too.
            continue;
        }
        let run = shell(&format!("ulimit -f 2048; {large} {how}"));
        assert_eq!((run.code(), run.stdout.len()), (4, 0), "{how}: {}", run.stderr);
        assert!(run.stderr.contains("File too large"), "{how}: {}", run.stderr);
    }
    // Output that fits into memory needs no file.
    assert_eq!(shell("TMPDIR=/missing $SUPERVISOR -- echo {} ::: a").stdout, "a\n");
    // A small file system that is unmounted when the shell ends.
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display();
    let mount = format!("mount -t tmpfs -o size=200k none {place} 2>/dev/null || exit 99");
    let run = shell(&format!(
        "exec unshare -rm bash -c '{mount}; TMPDIR={place}; export TMPDIR; {}'",
        line.replace('\'', "\"")
    ));
    if run.code() == 99 || run.stderr.contains("unshare") {
        println!("no full disk was tried: this user may not mount one");
        return;
    }
    assert_eq!(run.code(), 4, "{}", run.stderr);
    assert!(run.stderr.contains("No space left on device"), "{}", run.stderr);
}

#[test]
fn no_command_starts_while_stdout_is_not_read() {
    for order in ["fifo", "lifo"] {
        for script in ["exec head -c 60000 /dev/zero", "exec head -c 60000 /dev/zero >&2"] {
            let (reader, writer) = pipe().unwrap();
            let arguments = ["-j2", "--queue", order, "--items", "400", "--", "sh", "-c", script];
            let mut run = Run::start_with(&arguments, b"", |command| {
                command.stdout(writer.try_clone().unwrap()).stderr(writer);
            });
            // A MiB waits by then.
            for _ in 0..18 {
                run.wait_for_event("item_settled");
            }
            wait_until_idle(run.pid());
            run.signal(Signal::SIGQUIT);
            drop(reader);
            let run = run.finish();
            let started = run.events("worker_spawned").len();
            assert!((18..30).contains(&started), "{order}: {started} commands started");
        }
    }
}

#[test]
fn the_output_of_a_command_takes_bounded_memory_however_it_is_shown() {
    // Control characters become six bytes each in JSON, and each empty line the item when it is tagged.
    let item = "i".repeat(100_000);
    let table: [(&[&str], &str, &str, u64); 3] = [
        (&["--output", "json", "-q"], "exec head -c 30000000 /dev/zero", "x", 180_000_000),
        (&["--output", "json", "-q"], "head -c 30000000 /dev/zero; printf '\\377'", "x", 40_000_000),
        (&["--tag"], "yes '' | exec head -n 3000", &item, 300_000_000),
    ];
    for (output, script, item, bytes_min) in table {
        let arguments = [output, &["-j1", "--", "sh", "-c", script, ":::", item]].concat();
        let (mut run, mut stdout) = unread(&arguments);
        run.wait_for_event("item_settled");
        // Half of it, so that the rest waits.
        let half = std::io::copy(&mut (&mut stdout).take(bytes_min / 2), &mut std::io::sink()).unwrap();
        wait_until_idle(run.pid());
        let used = memory_kib(run.pid(), "VmHWM");
        assert!(used < 24 * 1024, "{used} KiB: {script}");
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).unwrap();
        assert!(half + rest.len() as u64 >= bytes_min && rest.ends_with(b"\n"), "{script}");
        let run = run.finish();
        assert_eq!(run.code(), 0, "{}", run.stderr);
    }
}

/// The path of a FIFO that is not open.
fn fifo(dir: &tempfile::TempDir) -> String {
    let path = dir.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A program whose events go to a FIFO, with its stderr.
fn with_events_to(path: &str, arguments: &[&str]) -> (std::process::Child, BufReader<PipeReader>) {
    let (stderr, writer) = pipe().unwrap();
    let mut command = std::process::Command::new(support::SUPERVISOR);
    command.args(["--events", path]).args(arguments).stdout(std::process::Stdio::null()).stderr(writer);
    (command.spawn().unwrap(), BufReader::new(stderr))
}

#[test]
fn events_for_a_fifo_wait_for_its_first_reader() {
    let dir = tempfile::tempdir().unwrap();
    let path = fifo(&dir);
    let (mut run, mut stderr) = with_events_to(&path, &["-j1", "--summary", "never", "--", "true", ":::", "a", "b"]);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, format!("supervisor: {path} takes no more; the run waits until it is read\n"));
    let events = std::fs::read_to_string(&path).unwrap();
    assert!(events.contains("run_started") && events.contains("run_finished"), "{events}");
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_ends_a_run_whose_events_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = fifo(&dir);
    for reader in [false, true] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let arguments = ["-j2", "--items", "100000", "--output", "none", "--grace", "1000s"];
            // One that opens it and does not read.
            let open = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
            let held = reader.then(open);
            let (mut run, mut stderr) = with_events_to(&path, &arguments);
            let mut line = String::new();
            while !line.contains("takes no more; the run waits until it is read") {
                line.clear();
                assert_ne!(stderr.read_line(&mut line).unwrap(), 0);
            }
            wait_until_idle(run.id());
            let used = memory_kib(run.id(), "VmHWM");
            assert!(used < 24 * 1024, "{used} KiB");
            support::send(run.id(), signal);
            let status = run.wait().unwrap();
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(signal as i32), "{reader}");
            drop(held);
        }
    }
}

#[test]
fn a_run_whose_input_has_no_writer_yet_is_deaf_to_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = fifo(&dir);
    for flag in ["::::", "-a"] {
        let mut run = Run::start(&["-j1", "--task", "echo", flag, &path]);
        run.wait_for_event("run_started");
        wait_until_idle(run.pid());
        run.signal(Signal::SIGTERM);
        assert_eq!(run.finish().code(), 143, "{flag}");
        let mut run = Run::start(&["-j1", "--task", "echo", flag, &path]);
        run.wait_for_event("run_started");
        std::fs::write(&path, "x\ny\n").unwrap();
        let run = run.finish();
        assert_eq!((run.code(), run.stdout.as_str()), (0, "x\ny\n"), "{flag}");
    }
}

#[test]
fn events_never_empty_the_input() {
    let dir = tempfile::tempdir().unwrap();
    let names = "cd $DIR; seq 3 > F; ln -f F H; ln -sf F L";
    let table = ["--events F -a F", "--events H -a F", "--events L -a F", "--events F -a L", "--events F -a - < F"];
    for how in table.iter().chain(&["--events F -a H --transport file --spool ."]) {
        let line = format!("DIR={}; {names}; $SUPERVISOR --task echo {how}; echo $?; wc -c < F", dir.path().display());
        let run = shell(&line);
        assert_eq!(run.stdout, "2\n6\n", "{how}: {}", run.stderr);
        assert!(
            run.stderr.contains("failed to write events to ") && run.stderr.contains(": it is the input "),
            "{how}"
        );
    }
}

#[test]
fn a_limit_of_open_files_below_what_the_supervisor_needs_is_refused_with_the_numbers() {
    for limit in [8, 12] {
        let run = shell(&format!("ulimit -n {limit}; $SUPERVISOR -j1 -- true ::: a"));
        assert_eq!(run.code(), 6, "{limit}: {}", run.stderr);
        assert!(run.stderr.contains(&format!("the limit is {limit};")), "{}", run.stderr);
    }
}
