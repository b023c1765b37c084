//! The real program where the system refuses calls, as old profiles of containers and emulators do, or interrupts them.
//! `strace` plays the system.

mod support;

use std::process::Command;
use support::{Finished, shell};

/// Where `strace` is missing, or may not trace, the tests say that they were skipped.
fn can_inject() -> bool {
    let traced =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "-e", "inject=getppid:error=EPERM", "true"]).status();
    let can = traced.is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: strace is missing, or may not trace here");
    }
    can
}

/// Items 1 to 3; `inject` is what comes behind `-e inject=`. A run that does not end is killed, and fails the test.
fn run(inject: &str, flags: &str) -> Finished {
    let calls = inject.split(':').next().unwrap_or_default();
    shell(&format!(
        "seq 3 | timeout -s KILL 60 strace -f -qq -o /dev/null -e trace={calls} -e inject={inject} \
         $SUPERVISOR -w 2 --summary never {flags}"
    ))
}

const RESIDENT: &str = "-a - -k --task echo";
const OVER_PIPES: &str = "-a - -k --task echo --transport pipe";
const COMMANDS: &str = "-k -- echo";

#[test]
fn the_program_does_without_calls_that_have_a_substitute() {
    if !can_inject() {
        return;
    }
    for errno in ["EPERM", "ENOSYS", "EINVAL"] {
        // The standard library takes no other answer of `getrandom` than the first two.
        let random = if errno == "EINVAL" { None } else { Some("getrandom") };
        // The C library makes no thread without `clone3` unless the system does not know it.
        let clone3 = if errno == "ENOSYS" { Some("clone3") } else { None };
        let calls = ["waitid", "prlimit64", "pidfd_open", "close_range"];
        for call in calls.into_iter().chain(random).chain(clone3) {
            for flags in [RESIDENT, OVER_PIPES, COMMANDS] {
                let run = run(&format!("{call}:error={errno}"), flags);
                assert_eq!(
                    (run.code(), run.stdout.as_str()),
                    (0, "1\n2\n3\n"),
                    "{call} {errno} {flags}: {}",
                    run.stderr
                );
                assert_eq!(run.stderr, "", "{call} {errno} {flags}");
            }
        }
    }
}

#[test]
fn shared_memory_that_the_system_refuses_gives_way_to_pipes_unless_it_was_named() {
    if !can_inject() {
        return;
    }
    for errno in ["EPERM", "ENOSYS"] {
        let inject = format!("memfd_create:error={errno}");
        let by_default = run(&inject, RESIDENT);
        assert_eq!((by_default.code(), by_default.stdout.as_str()), (0, "1\n2\n3\n"), "{}", by_default.stderr);
        assert_eq!(by_default.stderr.lines().count(), 1, "{}", by_default.stderr);
        let start = "supervisor: uses pipe instead of shm: failed to share memory with workers: the system refuses memfd_create (";
        assert!(by_default.stderr.starts_with(start), "{}", by_default.stderr);
        let unsized_ = run(&format!("ftruncate:error={errno}"), RESIDENT);
        assert_eq!((unsized_.code(), unsized_.stdout.as_str()), (0, "1\n2\n3\n"), "{}", unsized_.stderr);
        let over_pipes = run(&inject, OVER_PIPES);
        assert_eq!((over_pipes.code(), over_pipes.stdout.as_str()), (0, "1\n2\n3\n"), "{}", over_pipes.stderr);
        assert_eq!(over_pipes.stderr, "");
        let named = run(&inject, &format!("{RESIDENT} --transport shm"));
        assert_eq!((named.code(), named.stdout.as_str()), (6, ""), "{}", named.stderr);
        assert!(named.stderr.contains("the system refuses memfd_create ("), "{}", named.stderr);
    }
}

#[test]
fn a_refused_guard_is_a_warning() {
    if !can_inject() {
        return;
    }
    // The first one of the thread that starts resident workers is the guard's.
    for errno in ["EPERM", "ENOSYS", "EINVAL"] {
        let run = run(&format!("clone:error={errno}:when=1"), RESIDENT);
        assert_eq!((run.code(), run.stdout.as_str()), (0, "1\n2\n3\n"), "{errno}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{errno}: {}", run.stderr);
        assert!(run.stderr.starts_with("supervisor: runs without a guard, "), "{}", run.stderr);
        assert!(run.stderr.contains("the system refuses clone ("), "{}", run.stderr);
    }
}

#[test]
fn a_refused_call_without_a_substitute_ends_the_run_at_once_and_is_named() {
    if !can_inject() {
        return;
    }
    for (call, flags) in [
        ("epoll_create1", RESIDENT),
        ("epoll_create1", COMMANDS),
        ("epoll_ctl", RESIDENT),
        ("epoll_ctl", COMMANDS),
        ("epoll_wait", RESIDENT),
        ("epoll_wait", COMMANDS),
        ("fcntl", RESIDENT),
        ("pipe2", OVER_PIPES),
        ("pipe2", COMMANDS),
        ("eventfd2", COMMANDS),
    ] {
        let named = format!("refuses {call} (");
        refuse(call, &named, flags);
    }
    refuse("clone,clone3", "refuses clone (", RESIDENT);
    refuse("clone,clone3", "refuses clone3 or clone, for a thread (", COMMANDS);
}

/// The run ends without output, and one of a few lines names the call.
fn refuse(call: &str, named: &str, flags: &str) {
    for errno in ["EPERM", "ENOSYS"] {
        let run = run(&format!("{call}:error={errno}"), flags);
        assert!(run.code() > 0 && run.stdout.is_empty(), "{call} {errno} {flags}: {}", run.stderr);
        let refused = run.stderr.lines().find(|line| line.contains(named));
        let refused = refused.unwrap_or_else(|| panic!("{call} {errno} {flags}: {}", run.stderr));
        assert!(refused.contains("allow it in the profile of the container"), "{refused}");
        assert!(run.stderr.lines().count() < 10, "{call} {errno} {flags} is tried again: {}", run.stderr);
    }
}

#[test]
fn interrupted_calls_are_made_again() {
    if !can_inject() {
        return;
    }
    // The first calls are those of the system's loader. The writes of a run of commands are mostly wake-ups through
    // eventfds: one that is lost leaves the run waiting.
    for call in [
        "write:error=EINTR:when=1+2",
        "write:error=EINTR:when=2+2",
        "write:error=EINTR:when=1+3",
        "read:error=EINTR:when=30+2",
        "writev,pwritev,pwritev2,pwrite64,splice:error=EINTR:when=1+2",
        "waitid,wait4:error=EINTR:when=1+2",
        "epoll_wait:error=EINTR:when=1+2",
        "poll,ppoll:error=EINTR:when=2+2",
        "getrandom,ftruncate,fallocate:error=EINTR:when=3+2",
        "sendto,recvfrom,sendmsg,recvmsg,connect,accept4:error=EINTR:when=1+2",
    ] {
        // `echo` and its like take an interrupted write for a fault; this command writes nothing.
        let numbers = "1\n2\n3\n";
        let over_socket = "-a - -k --task echo --transport socket";
        for (flags, expected) in
            [(RESIDENT, numbers), (OVER_PIPES, numbers), (over_socket, numbers), ("-k -- true", "")]
        {
            let run = run(call, flags);
            assert_eq!((run.code(), run.stdout.as_str()), (0, expected), "{call} {flags}: {}", run.stderr);
            assert_eq!(run.stderr, "", "{call} {flags}");
        }
    }
}
