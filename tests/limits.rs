//! The real program where the system has little: low limits, full disks, no `/proc`.

mod support;

use support::{example, shell};

/// One hundred items through four workers, under a limit of the shell.
fn run_under(limit: &str, flags: &str) -> support::Finished {
    shell(&format!("{limit}; seq 100 | $SUPERVISOR -w 4 -a - -k --task echo --summary never {flags}"))
}

fn numbers() -> String {
    (1..=100).map(|number| format!("{number}\n")).collect()
}

#[test]
fn shared_memory_that_was_not_named_gives_way_to_pipes_under_a_limit_with_the_numbers() {
    for (limit, name, value) in
        [("ulimit -f 1000", "`ulimit -f`", "1000 KiB"), ("ulimit -v 100000", "`ulimit -v`", "100000 KiB")]
    {
        let run = run_under(limit, "");
        assert_eq!((run.code(), run.stdout), (0, numbers()), "{limit}: {}", run.stderr);
        let lines: Vec<&str> = run.stderr.lines().filter(|line| line.contains("instead of shm")).collect();
        assert_eq!(lines.len(), 1, "{limit}: {}", run.stderr);
        assert!(lines[0].starts_with("supervisor: uses pipe instead of shm: failed to share memory with workers: "));
        assert!(lines[0].contains(" KiB ") && lines[0].contains(" are needed and "), "{}", lines[0]);
        assert!(lines[0].contains(name) && lines[0].contains(value), "{}", lines[0]);
        let run = run_under(limit, "-q");
        assert_eq!((run.code(), run.stdout, run.stderr), (0, numbers(), String::new()), "{limit}");
    }
}

#[test]
fn shared_memory_that_was_named_is_refused_at_once_under_a_limit_with_the_numbers() {
    for (limit, name, value) in
        [("ulimit -f 1000", "`ulimit -f`", "1000 KiB"), ("ulimit -v 100000", "`ulimit -v`", "100000 KiB")]
    {
        let run = run_under(limit, "--transport shm");
        assert_eq!((run.code(), run.stdout.as_str(), run.stderr.lines().count()), (6, "", 1), "{}", run.stderr);
        assert!(run.stderr.starts_with("supervisor: failed to share memory with workers: "), "{}", run.stderr);
        assert!(run.stderr.contains(" are needed and ") && run.stderr.contains("raise it"), "{}", run.stderr);
        assert!(run.stderr.contains(name) && run.stderr.contains(value), "{}", run.stderr);
    }
}

#[test]
fn limits_that_shared_memory_does_not_meet_leave_it_alone() {
    for limit in ["ulimit -l 0", "ulimit -v 400000", "ulimit -f 100000"] {
        for flags in ["", "--transport shm"] {
            let run = run_under(limit, flags);
            assert_eq!((run.code(), run.stdout), (0, numbers()), "{limit} {flags}: {}", run.stderr);
            assert!(!run.stderr.contains("instead of"), "{limit} {flags}: {}", run.stderr);
        }
    }
}

#[test]
fn a_program_on_the_sdk_names_the_limit_that_leaves_it_no_room_for_shared_memory() {
    // The program alone is limited, which its supervisor cannot know.
    let worker = format!("ulimit -v 30000; exec {}", example("upper").display());
    let run = shell(&format!("seq 100 | $SUPERVISOR -w 1 --max-restarts 1/1s --protocol frames -- bash -c '{worker}'"));
    assert_eq!(run.code(), 3, "{}", run.stderr);
    let expected = "failed to connect to the supervisor: ";
    let line = run.stderr.lines().find(|line| line.contains(expected)).unwrap_or_else(|| panic!("{}", run.stderr));
    assert!(line.contains("KiB of address space are needed and `ulimit -v` allows 30000 KiB"), "{line}");
}

#[test]
fn a_spool_that_a_limit_stops_from_growing_ends_the_run_with_the_limit() {
    let run = shell(
        "ulimit -f 100; head -c 1000000 /dev/zero | tr '\\0' x | fold -w 200000 | \
         $SUPERVISOR -w 2 -a - --transport file --task hash",
    );
    assert_eq!(run.code(), 4, "{}", run.stderr);
    assert!(run.stderr.contains("failed to write an item to the spool in "), "{}", run.stderr);
    assert!(run.stderr.contains("raise `ulimit -f`"), "{}", run.stderr);
}

/// A script without `/proc`, as root of a user namespace. `None`: the system does not allow that.
fn without_proc(script: &str) -> Option<support::Finished> {
    let enter = "unshare -Urm --fork sh -c 'mount -t tmpfs none /proc && ! test -e /proc/self'";
    if shell(enter).code() != 0 {
        eprintln!("skipped: /proc cannot be hidden here");
        return None;
    }
    Some(shell(&format!("unshare -Urm --fork sh -c 'mount -t tmpfs none /proc; {script}'")))
}

#[test]
fn commands_and_built_in_workers_run_without_proc() {
    let flags = "--summary never -w 2 -k";
    for (run, expected) in [
        ("-a - --task echo", "1\n2\n3\n"),
        ("-a - --task echo --transport pipe", "1\n2\n3\n"),
        ("-a - --task echo --transport file", "1\n2\n3\n"),
        ("-- echo", "1\n2\n3\n"),
    ] {
        let Some(found) = without_proc(&format!("seq 3 | \"$SUPERVISOR\" {flags} {run}")) else { return };
        assert_eq!((found.code(), found.stdout.as_str(), found.stderr.as_str()), (0, expected, ""), "{run}");
    }
    // The supervisor is its own worker where no other program is beside it; PATH finds it.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(support::SUPERVISOR, folder.path().join("supervisor")).unwrap();
    let path = folder.path().display();
    let Some(found) = without_proc(&format!("PATH=\"{path}:$PATH\"; seq 3 | supervisor {flags} -a - --task identity"))
    else {
        return;
    };
    assert_eq!((found.code(), found.stdout.lines().count(), found.stderr.as_str()), (0, 3, ""), "{}", found.stdout);
    let Some(found) = without_proc(&format!("\"$SUPERVISOR\" {flags} --verbose -- echo ::: a")) else { return };
    assert_eq!((found.code(), found.stdout.as_str()), (0, "a\n"));
    assert!(found.stderr.contains("supervisor: /proc does not show this process: "), "{}", found.stderr);
}
