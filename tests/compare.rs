//! `supervisor compare` on this machine: a small real comparison, what it writes, and what it refuses.

mod support;

use serde_json::Value;
use supervisor::compare::{self, Amounts, CompareSettings, Mechanism, Side};
use supervisor::config::TransportKind;
use support::{SUPERVISOR, output, shell};

/// Pipes, shared memory and threads, with a few items and one round.
fn small(mechanisms: &[Mechanism]) -> CompareSettings {
    CompareSettings {
        program: SUPERVISOR.into(),
        mechanisms: mechanisms.to_vec(),
        rounds: 1,
        amounts: Amounts { counted_items: 20_000, ..Amounts::SMALL },
    }
}

#[test]
fn a_small_comparison_finds_plausible_numbers() {
    let kinds = [TransportKind::Pipe, TransportKind::Shm].map(Mechanism::Process);
    let mechanisms = [kinds[0], kinds[1], Mechanism::Thread];
    let mut steps = 0;
    let report = compare::measure(&small(&mechanisms), |_| steps += 1);
    assert_eq!((steps, report.rounds, report.rows.len()), (3, 1, 3));
    assert!(report.took_s > 0.0 && report.machine.cores >= 1 && !report.machine.kernel.is_empty());
    for (row, mechanism) in report.rows.iter().zip(mechanisms) {
        assert_eq!(row.mechanism, mechanism);
        let found = row.measured.as_ref().unwrap_or_else(|error| panic!("{}: {error}", mechanism.name()));
        for figure in [found.items_per_s, found.messages_per_s, found.round_trip_us] {
            assert!(figure.median > 0.0 && figure.min <= figure.median && figure.median <= figure.max, "{row:?}");
        }
        assert!(found.round_trip_p99_us.median >= found.round_trip_us.median, "{row:?}");
        let copies = row.copies.unwrap();
        assert!(copies.message.there >= copies.batch.there && copies.batch.back >= 1, "{copies:?}");
        // Where tracing is forbidden, the report says so and has everything else.
        if let Ok(calls) = &found.calls {
            assert!(calls.supervisor.median >= 0.5 && calls.worker.median >= 0.5, "{calls:?}");
            // Hundreds of items share a message.
            assert!(calls.per_item.median < 0.5, "{calls:?}");
            assert!(!calls.named.is_empty());
        }
        let Some(kill) = found.kill else {
            assert_eq!(mechanism, Mechanism::Thread);
            continue;
        };
        assert_eq!((kill.kills, kill.items, kill.lost, kill.twice), (1, Amounts::SMALL.kill_items, 0, 0));
        assert!(kill.ran_again.median < kill.items as f64);
        if mechanism == kinds[1] {
            assert_eq!(kill.ran_again.median, 0.0, "shared memory keeps what was finished");
        }
    }
    // A pipe takes one read and one write on each side, and the supervisor one wait.
    if let Ok(Ok(calls)) = report.rows[0].measured.as_ref().map(|found| found.calls.as_ref()) {
        let count = |side, name| {
            calls
                .named
                .iter()
                .find(|call| (call.side, call.name) == (side, name))
                .map_or(0.0, |call| call.per_round_trip)
        };
        for side in [Side::Supervisor, Side::Worker] {
            assert!(count(side, "read") >= 0.9 && count(side, "write") >= 0.9, "{calls:?}");
        }
        assert!(count(Side::Supervisor, "epoll_wait") + count(Side::Supervisor, "epoll_pwait") >= 0.9, "{calls:?}");
    }
}

#[test]
fn the_program_writes_json_and_overwrites_a_plot() {
    let dir = tempfile::tempdir().unwrap();
    let plot = dir.path().join("plot.svg");
    std::fs::write(&plot, "x".repeat(1_000_000)).unwrap();
    let run = output(
        &["compare", "--transport", "file", "--rounds", "1", "--output", "json", "--plot", plot.to_str().unwrap()],
        b"",
    );
    assert_eq!((run.code(), run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    let rows = value["mechanisms"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["mechanism"], &rows[0]["kill"]["lost"]), (&"file".into(), &0.into()));
    let svg = std::fs::read_to_string(&plot).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.contains("file"), "{svg}");
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing/plot.svg");
    let folder = dir.path().join("folder.png");
    std::fs::create_dir(&folder).unwrap();
    for (arguments, part) in [
        (&["--transport", "pigeon"][..], "use some of pipe, socket, shm, file, mqueue, channel, thread"),
        (&["--rounds", "0"], "--rounds"),
        (&["--plot", "plot.gif"], "ends in .svg or .png"),
        (&["--plot", missing.to_str().unwrap()], "missing/plot.svg: No such file or directory"),
        (&["--plot", folder.to_str().unwrap()], "folder.png: Is a directory"),
    ] {
        let run = output(&[&["compare"], arguments].concat(), b"");
        assert_eq!((run.code(), run.stdout.as_str(), run.stderr.matches('\n').count()), (2, "", 1), "{}", run.stderr);
        assert!(run.stderr.starts_with("supervisor: ") && run.stderr.contains(part), "{}", run.stderr);
    }
    let closed = shell("$SUPERVISOR compare >&-");
    assert_eq!((closed.code(), closed.stderr.matches('\n').count()), (5, 1), "{}", closed.stderr);
}

#[test]
fn a_mechanism_that_the_machine_refuses_is_a_row_that_says_why_and_the_others_are_measured() {
    // Message queues of no bytes at all.
    let run = shell("ulimit -q 0; exec $SUPERVISOR compare --rounds 1 --transport mqueue,pipe --output json");
    assert_eq!(run.code(), 1, "one that was asked for by name: {}{}", run.stdout, run.stderr);
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    let [mqueue, pipe] = &value["mechanisms"].as_array().unwrap()[..] else { panic!("{value}") };
    assert!(mqueue["error"].as_str().unwrap().starts_with("failed to "), "{mqueue}");
    assert!(pipe["items_per_second"]["median"].as_f64().unwrap() > 0.0);
}
