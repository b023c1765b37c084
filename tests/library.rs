//! The library from the point of view of a program that uses it: a run in the background, its handle, its
//! notifications, and the state of the process after it.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use supervisor::engine::{self, Run};
use supervisor::model::builder::ConfigBuilder;
use supervisor::model::config::{Config, OutputMode, SummaryMode};
use supervisor::model::event::RunEvent;
use supervisor::model::ids::ItemId;
use supervisor::model::notification::{ItemReport, Notification};
use supervisor::model::outcome::{Outcome, StopReason};
use supervisor::model::spec::TransportKind;
use supervisor::model::time::Duration;

/// A run changes the process, so these tests run one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A builder of a run that writes nothing itself.
fn quiet() -> ConfigBuilder {
    Config::builder().output(OutputMode::None).summary(SummaryMode::Never).quiet(true)
}

/// The package's worker program, named explicitly: it does not lie beside this test program.
fn built_in() -> ConfigBuilder {
    quiet().worker_program([env!("CARGO_BIN_EXE_supervisor-worker"), "--task", "square", "--delay", "0"])
}

fn commands(script: &str) -> ConfigBuilder {
    quiet().command(["sh", "-c", script, "sh"])
}

fn numbers(reports: &[ItemReport]) -> BTreeSet<u64> {
    reports.iter().map(|report| report.item.0).collect()
}

/// Takes notifications until one fits.
fn wait_for(run: &mut Run, mut fits: impl FnMut(&Notification) -> bool) -> Notification {
    run.notifications().find(|notification| fits(notification)).expect("the run ended without it")
}

fn is_ready(notification: &Notification) -> bool {
    matches!(notification, Notification::Event { event: RunEvent::WorkerReady { .. }, .. })
}

#[test]
fn results_come_to_the_caller_in_input_order_from_an_iterator() {
    let _alone = alone();
    let config = built_in().workers(3).keep_order(true).build().unwrap();
    let mut run = engine::start_with(config, (0..20_000_u64).map(|number| number.to_string())).unwrap();
    let reports: Vec<ItemReport> = run.items().collect();
    assert_eq!(reports.len(), 20_000);
    for (number, report) in (0_u64..).zip(&reports) {
        assert_eq!((report.item, &report.outcome), (ItemId(number), &Outcome::Done));
        assert_eq!(report.result, format!("{}\n", number * number).into_bytes());
    }
    let outcome = run.join().unwrap();
    assert_eq!((outcome.reason, outcome.totals.done), (StopReason::SourceEnded, 20_000));
}

#[test]
fn a_command_reports_both_its_outputs_and_its_exit() {
    let _alone = alone();
    let config = commands("echo out $1; echo err $1 >&2; exit $1").items(["0", "3"]).workers(1).build().unwrap();
    let mut run = engine::start(config).unwrap();
    let reports: Vec<ItemReport> = run.items().collect();
    let seen: Vec<_> = reports
        .iter()
        .map(|report| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(&report.result), text(&report.errors), report.exit.map(|exit| exit.to_string()), &report.outcome)
        })
        .collect();
    let expected = |number: u8, outcome| {
        (format!("out {number}\n"), format!("err {number}\n"), Some(format!("exit {number}")), outcome)
    };
    assert_eq!(seen, [expected(0, &Outcome::Done), expected(3, &Outcome::Failed)]);
    assert_eq!(run.join().unwrap().totals.failed, 1);
}

#[test]
fn workers_are_added_and_removed_while_the_run_lasts_and_no_item_is_lost() {
    let _alone = alone();
    for kind in TransportKind::ALL {
        let (sender, items) = std::sync::mpsc::channel::<String>();
        let config = built_in().transport(kind).workers(2).build().unwrap();
        let mut run = engine::start_with(config, items).unwrap();
        let mut up = 0;
        let pids =
            |run: &Run| -> BTreeSet<u32> { run.status().unwrap().slots.iter().filter_map(|slot| slot.pid).collect() };
        let mut settled = BTreeSet::new();
        let mut sent = 0_u64;
        let mut send = |count: u64| {
            for _ in 0..count {
                sender.send(sent.to_string()).unwrap();
                sent += 1;
            }
        };
        for (workers, items) in [(2, 100), (7, 5_000), (1, 5_000), (4, 1_000)] {
            run.scale(workers);
            // Added workers become ready; removed ones exit.
            send(items);
            while up != workers {
                let notification = wait_for(&mut run, |_| true);
                match notification {
                    Notification::Event { event: RunEvent::WorkerReady { .. }, .. } => up += 1,
                    Notification::Event { event: RunEvent::WorkerExited { exit, .. }, .. } => {
                        assert!(exit.is_success(), "{exit}");
                        up -= 1;
                    }
                    Notification::Item(report) => assert!(settled.insert(report.item.0), "{report:?}"),
                    _ => {}
                }
            }
            assert_eq!(pids(&run).len(), workers as usize, "over {}", kind.name());
        }
        drop(sender);
        settled.extend(numbers(&run.items().collect::<Vec<_>>()));
        assert_eq!(settled.len() as u64, sent, "over {}", kind.name());
        let outcome = run.join().unwrap();
        let totals = outcome.totals;
        assert_eq!((totals.done, totals.deaths, totals.retried), (sent, 0, 0), "over {}", kind.name());
    }
}

#[test]
fn commands_follow_the_number_of_workers_too() {
    let _alone = alone();
    let (sender, items) = std::sync::mpsc::channel::<String>();
    let config = commands("read line < $1").workers(1).build().unwrap();
    let mut run = engine::start_with(config, items).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let fifos: Vec<_> = (0..4).map(|number| folder.path().join(number.to_string())).collect();
    for fifo in &fifos {
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
        sender.send(fifo.to_str().unwrap().to_owned()).unwrap();
    }
    let started = |notification: &Notification| {
        matches!(notification, Notification::Event { event: RunEvent::ItemStarted { .. }, .. })
    };
    wait_for(&mut run, started);
    run.scale(4);
    // All four run at once: each waits for a writer.
    (0..3).for_each(|_| drop(wait_for(&mut run, started)));
    assert_eq!(run.status().unwrap().in_flight, 4);
    run.scale(1);
    for fifo in &fifos {
        std::fs::write(fifo, "go\n").unwrap();
    }
    drop(sender);
    assert_eq!(run.items().filter(|report| report.outcome == Outcome::Done).count(), 4);
    assert_eq!(run.join().unwrap().totals.deaths, 0);
}

#[test]
fn a_stop_by_the_caller_drains_and_then_ends_the_workers() {
    let _alone = alone();
    let mut run = engine::start(commands("exec sleep 1000").items(["a", "b"]).workers(1).build().unwrap()).unwrap();
    wait_for(&mut run, |notification| {
        matches!(notification, Notification::Event { event: RunEvent::ItemStarted { .. }, .. })
    });
    let status = run.status().unwrap();
    assert_eq!((status.in_flight, status.queued, status.slots.len()), (1, 1, 1));
    run.stop();
    run.stop();
    let reports: Vec<ItemReport> = run.items().collect();
    assert!(reports.iter().all(|report| report.outcome == Outcome::Skipped), "{reports:?}");
    assert!(run.status().is_none());
    let outcome = run.join().unwrap();
    assert_eq!((outcome.reason, outcome.totals.skipped), (StopReason::Requested, 2));
}

#[test]
fn another_thread_steers_the_run_while_this_one_waits_for_notifications() {
    let _alone = alone();
    let mut run = engine::start(commands("exec sleep 1000").items(["a", "b"]).workers(1).build().unwrap()).unwrap();
    let controls = run.controls();
    let (started, start) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        start.recv().unwrap();
        controls.kill();
        controls
    });
    while let Some(notification) = run.next() {
        if let Notification::Event { event: RunEvent::ItemStarted { .. }, .. } = notification {
            started.send(()).unwrap();
        }
    }
    assert_eq!(run.join().unwrap().reason, StopReason::Requested);
    // The run is over: its controls do nothing.
    let controls = other.join().unwrap();
    controls.scale(3);
    assert!(controls.status().is_none());
}

#[test]
fn a_caller_that_takes_no_notifications_stops_the_source_before_memory_grows() {
    let _alone = alone();
    let taken = std::sync::Arc::new(AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&taken);
    let items = (0..1_000_000_u32).inspect(move |_| _ = counted.fetch_add(1, SeqCst)).map(|_| vec![b'x'; 4096]);
    let config = quiet().worker_program([env!("CARGO_BIN_EXE_supervisor-worker"), "--task", "echo", "--delay", "0"]);
    let mut run = engine::start_with(config.workers(2).build().unwrap(), items).unwrap();
    wait_for(&mut run, is_ready);
    // The run waits when its totals stay the same over many status requests, each of which takes a turn of the loop.
    let mut before = None;
    let mut same = 0;
    while same < 200 {
        let now = run.status().map(|status| status.totals);
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
    let read = taken.load(SeqCst);
    assert!(read < 20_000, "{read} items of 4 KiB were read ahead");
    assert_eq!(run.items().take(30_000).count(), 30_000);
    run.kill();
    assert_eq!(run.join().unwrap().reason, StopReason::Requested);
}

#[test]
fn a_handle_that_is_dropped_ends_its_workers() {
    let _alone = alone();
    let mut run = engine::start(commands("exec sleep 1000").items(["a"]).workers(1).build().unwrap()).unwrap();
    let started = wait_for(&mut run, |notification| {
        matches!(notification, Notification::Event { event: RunEvent::WorkerSpawned { .. }, .. })
    });
    let Notification::Event { event: RunEvent::WorkerSpawned { pid, .. }, .. } = started else { unreachable!() };
    let process = supervisor::sys::pidfd::Process::open(pid).unwrap();
    drop(run);
    wait_readable(&process);
}

fn wait_readable(fd: impl std::os::fd::AsFd) {
    let mut fds = [nix::poll::PollFd::new(fd.as_fd(), nix::poll::PollFlags::POLLIN)];
    while nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE) == Err(nix::errno::Errno::EINTR) {}
}

#[test]
fn a_program_that_cannot_start_is_an_error_of_start() {
    let _alone = alone();
    let Err(error) = engine::start(quiet().command(["/no/such/program"]).items(["a"]).build().unwrap()) else {
        panic!("it started")
    };
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

/// Signals that a run may change, with what each does now.
fn dispositions() -> Vec<(i32, usize)> {
    [
        libc::SIGCHLD,
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGPIPE,
        libc::SIGXFSZ,
        libc::SIGBUS,
    ]
    .into_iter()
    .map(|signal| {
        // SAFETY: asks for the present action, changes nothing; zeroes are a valid value.
        let action = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action);
            action
        };
        (signal, action.sa_sigaction)
    })
    .collect()
}

#[test]
fn a_run_gives_back_what_it_changes_and_another_one_may_follow() {
    let _alone = alone();
    let limit = || nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let before = (dispositions(), limit());
    for _ in 0..3 {
        let config = built_in().workers(2).handle_signals(true).generate(1000).build().unwrap();
        let mut run = engine::start(config).unwrap();
        assert_eq!(run.items().count(), 1000);
        assert_eq!(run.join().unwrap().totals.done, 1000);
        assert_eq!((dispositions(), limit()), before);
    }
}

#[test]
fn two_runs_go_on_at_the_same_time_on_two_threads() {
    let _alone = alone();
    let before = dispositions();
    let one = |kind: TransportKind| {
        let config = built_in().transport(kind).workers(2).handle_signals(true).generate(50_000).build().unwrap();
        let mut run = engine::start(config).unwrap();
        let settled = numbers(&run.items().collect::<Vec<_>>());
        (settled.len(), run.join().unwrap().totals.done)
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> = [TransportKind::Shm, TransportKind::Pipe, TransportKind::File, TransportKind::Channel]
            .map(|kind| scope.spawn(move || one(kind)))
            .into();
        for run in runs {
            assert_eq!(run.join().unwrap(), (50_000, 50_000));
        }
    });
    assert_eq!(dispositions(), before);
}

static CHILDREN_SEEN: AtomicU32 = AtomicU32::new(0);
static FOREIGN_PIDS: AtomicU32 = AtomicU32::new(0);
static OWN_PID: AtomicU32 = AtomicU32::new(0);

extern "C" fn note_child(_: libc::c_int) {
    CHILDREN_SEEN.fetch_add(1, SeqCst);
    // SAFETY: a system call that cannot fail, allowed in a handler.
    let pid = unsafe { libc::getpid() };
    if pid.cast_unsigned() != OWN_PID.load(SeqCst) {
        FOREIGN_PIDS.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_host_with_a_handler_for_sigchld_keeps_it_and_its_handler_runs_in_no_child() {
    let _alone = alone();
    OWN_PID.store(std::process::id(), SeqCst);
    // SAFETY: installs a handler that makes a system call and changes atomics; the old action is put back below.
    let old = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note_child as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        let mut old: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(libc::SIGCHLD, &raw const action, &raw mut old), 0);
        old
    };
    let mut run = engine::start(quiet().command(["true"]).generate(500).workers(4).build().unwrap()).unwrap();
    assert_eq!(run.items().filter(|report| report.outcome == Outcome::Done).count(), 500);
    assert_eq!(run.join().unwrap().totals.done, 500);
    assert_eq!(dispositions()[0], (libc::SIGCHLD, note_child as *const () as usize));
    // A child of the host's own is still seen.
    let seen = CHILDREN_SEEN.load(SeqCst);
    assert!(Command::new("true").status().unwrap().success());
    assert!(CHILDREN_SEEN.load(SeqCst) > seen);
    assert_eq!(FOREIGN_PIDS.load(SeqCst), 0);
    // SAFETY: puts the former action back.
    unsafe { libc::sigaction(libc::SIGCHLD, &raw const old, std::ptr::null_mut()) };
}

#[test]
fn a_run_inside_a_tokio_program_disturbs_neither() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let supervised = tokio::task::spawn_blocking(|| {
            let config = quiet().command(["true"]).generate(300).workers(3).build().unwrap();
            let mut run = engine::start(config).unwrap();
            (run.items().filter(|report| report.outcome == Outcome::Done).count(), run.join().unwrap().totals.deaths)
        });
        // The runtime's own children are its own: it learns of their ends by SIGCHLD.
        for _ in 0..50 {
            assert!(tokio::process::Command::new("true").status().await.unwrap().success());
        }
        assert_eq!(supervised.await.unwrap(), (300, 0));
        assert!(tokio::process::Command::new("true").status().await.unwrap().success());
    });
}

#[test]
fn a_deadline_of_the_run_is_its_outcome() {
    let _alone = alone();
    let config = commands("exec sleep 1000").items(["a"]).run_timeout(Duration::from_millis(50)).build().unwrap();
    let run = engine::start(config).unwrap();
    assert_eq!(run.join().unwrap().reason, StopReason::RunTimeout);
}
