//! What commands inherit, and what they leave behind.

mod support;

use nix::sys::signal::Signal;
use std::process::Command;
use support::{SUPERVISOR, output, send, shell, wait_until_gone, wait_until_stopped};

#[test]
fn a_descriptor_is_passed_on_only_if_asked_and_under_its_number() {
    let script = "for n in 3 5 9; do echo @$n >&$n && echo $n; done 2>/dev/null; true";
    for (flags, inherited) in [("", ""), ("--pass-fd 5 --pass-fd 9", "5\n9\n")] {
        let run = shell(&format!(
            "exec 3>/dev/null 5>/dev/null 9>/dev/null; $SUPERVISOR {flags} -j1 --stdin -- bash -c '{script}' ::: x"
        ));
        assert_eq!((run.code(), run.stdout.as_str()), (0, inherited), "{flags}: {}", run.stderr);
    }
    // Among the descriptors of a resident worker, whose own ones get other numbers.
    for transport in ["pipe", "socket", "shm", "file", "mqueue"] {
        let line = format!("$SUPERVISOR --pass-fd 4 --transport {transport} -k -j2 ::: 2 3 4</dev/null");
        let run = shell(&line);
        assert_eq!((run.code(), run.stdout.as_str()), (0, "4\n9\n"), "{transport}: {}", run.stderr);
    }
    let refused = output(&["--pass-fd", "7", "--", "true", ":::", "x"], b"");
    assert_eq!((refused.code(), refused.stderr.contains("pass descriptor 7 on: it is not open here")), (2, true));
    let refused = output(&["--pass-fd", "2", "--", "true", ":::", "x"], b"");
    assert_eq!((refused.code(), refused.stderr.contains("--pass-fd 2: 0, 1 and 2 are")), (2, true));
}

#[test]
fn a_make_under_a_make_takes_part_in_the_outer_jobserver() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("inner.mk"), "all: ; @echo made\n").unwrap();
    let outer = format!("all:\n\t+@{SUPERVISOR} -j1 -- make -f inner.mk ::: all\n");
    std::fs::write(dir.path().join("outer.mk"), outer).unwrap();
    let made = Command::new("make").args(["-j2", "-f", "outer.mk"]).current_dir(dir.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
    // Without the descriptors: "warning: jobserver unavailable: using -j1".
    assert!(made.status.success() && out.contains("made") && !(out + err.clone()).contains("jobserver"), "{err}");
}

#[test]
fn what_a_command_leaves_in_its_group_is_ended_unless_it_may_stay() {
    for (flags, stays) in [(&["--leftovers", "leave"][..], true), (&["--leftovers", "kill"], false), (&[], false)] {
        let script = "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
        let run = output(&[flags, &["-j1", "--", "sh", "-c", script, "{}", ":::", "x"]].concat(), b"");
        let pid = run.stdout.trim().parse().unwrap();
        assert_eq!(run.code(), 0, "{flags:?}: {}", run.stderr);
        if stays {
            // A process that has got a KILL before is never stopped.
            send(pid, Signal::SIGSTOP);
            wait_until_stopped(pid);
            send(pid, Signal::SIGKILL);
        }
        wait_until_gone(&[pid]);
    }
}
