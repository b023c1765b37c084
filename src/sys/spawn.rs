//! Starts processes with our own `clone3(CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND)`.
//!
//! Compared with a fork, no page table is copied; compared with `posix_spawn`, it takes 121 system calls fewer. The
//! same call returns the pidfd, and the errno of a failed exec arrives through the memory that both processes share
//! until the exec. The new process gets: the descriptors of its plan and no others, no blocked signal, no ignored
//! signal but those of its plan, a process group of its own, the soft limit of open files from before we raised it, and
//! SIGKILL when we die.
//!
//! Between clone and exec the child runs on a stack of its own in *our* memory (`child_area.rs`), while the calling
//! thread is suspended (`CLONE_VFORK`), or goes on: a launcher has other things to do meanwhile, and to wake it after each
//! exec costs more than a tenth of the start of a tiny program. So the child makes system calls only
//! (`child_setup.rs`). And no signal handler of the program may run in the child, because it would change our memory
//! as another process: the child begins without handlers. All signals but SIGCHLD are blocked in it until its exec, so that
//! one from the terminal, which was sent to our group, cannot stop it.
//!
//! Where the system has no `clone3`, the thread is suspended, all signals are blocked before the clone, and the child sets
//! its handlers to the default action before it lifts the mask. SIGCHLD stays as it is if it has no handler: blocked in one
//! thread alone it would interrupt another one at each exit of a child. Which signals have a handler is asked once, in
//! [`Spawner::new`], because 62 system calls are 5 % of the start of a small program (26 us of 500, 2026-11-26). For a
//! handler that a host program installs later there is a second line: a child that finds a signal pending resets all of
//! them. What remains is a signal that is sent to the child within the two system calls before its exec.
//!
//! Invariant: spawn only from a thread that lives as long as the run. The parent-death signal is sent when the *thread*
//! ends.

use super::child_area::ChildArea;
pub use super::child_area::PendingExec;
use super::child_setup::{SIGNALS_MAX, handler_of};
use super::guard::GuardPlace;
use super::interruption::retried;
use super::pidfd::Process;
pub use super::spawn_error::{SpawnError, SpawnStep, is_shortage};
use super::{limits, open_fds, raw_call};
use crate::model::signal::Signal;
use nix::errno::Errno;
use std::ffi::{CStr, CString, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::null;

/// What a spawn does: the program, its arguments and environment, its descriptors and its process group. It says how a
/// process is made and nothing of what the process is for.
#[derive(Debug)]
pub struct SpawnPlan<'a> {
    /// Path of the file; `PATH` is not searched.
    pub program: &'a CStr,
    /// The argument list, with the name of the program as its first element.
    pub argv: &'a [CString],
    /// The whole environment, each entry as `NAME=VALUE`.
    pub env: &'a [CString],
    pub stdin: BorrowedFd<'a>,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// In the child these become the descriptors 3, 4, ..., without the numbers in `kept` ([`numbers`]).
    pub fds: &'a [BorrowedFd<'a>],
    /// Descriptors of ours, from 3 on, that the child inherits under the same numbers. One that is not open is none
    /// there either.
    pub kept: &'a [RawFd],
    /// Whether the child leads a process group of its own; otherwise it stays in ours.
    pub new_group: bool,
    /// Its working directory; otherwise it is ours.
    pub folder: Option<&'a CStr>,
    /// Its nice value; otherwise it is ours ([`super::priority`]).
    pub nice: Option<c_int>,
    /// Signals that it ignores; all others have their default action.
    pub ignored: &'a [Signal],
    /// The child makes its own group the foreground group of this terminal before its program starts.
    pub terminal: Option<BorrowedFd<'a>>,
    /// The child registers itself here before its program starts, so that the guard knows it even if we die in between
    /// ([`super::guard::Groups::place`]).
    pub register: Option<&'a GuardPlace>,
}

/// The numbers that [`SpawnPlan::fds`] get beside these `kept` ones, in order.
pub fn numbers(kept: &[RawFd]) -> impl Iterator<Item = RawFd> + '_ {
    (3..).filter(|number| !kept.contains(number))
}

/// What all spawns of a thread share: where their children are prepared, and the signals that are not at their default.
#[derive(Debug)]
pub struct Spawner {
    /// Areas that no child uses.
    #[expect(clippy::vec_box, reason = "an area that a child uses stays where it is")]
    idle: Vec<Box<ChildArea>>,
    /// Signals with a handler, which must not run in the child, and ignored signals, which the program would inherit.
    handled: Vec<c_int>,
    ignored: Vec<c_int>,
    open_files: Option<libc::rlimit>,
    /// The thread blocks every signal but SIGCHLD, always.
    is_deaf: bool,
    /// A child leaves this thread's memory alone but for its area, so the thread may go on.
    may_go_on: bool,
}

impl Spawner {
    /// Reads which signals are not at their default and which limit of open files children get: call it after
    /// [`super::signals::SignalPlane::install`] and [`limits::raise_open_files`].
    ///
    /// # Errors
    /// There is no memory for the stack.
    pub fn new() -> io::Result<Self> {
        let is_ignored = |signal: &c_int| handler_of(*signal) == libc::SIG_IGN;
        let (ignored, handled) = signals_not_default().into_iter().partition(is_ignored);
        Ok(Self {
            idle: vec![ChildArea::new()?],
            handled,
            ignored,
            open_files: limits::open_files_of_children(),
            is_deaf: false,
            may_go_on: false,
        })
    }

    /// The same for a thread that was started by [`super::signals::with_blocked`] and never changes its mask: the mask
    /// needs no change for each start.
    ///
    /// # Errors
    /// There is no memory for the stack.
    pub fn for_deaf_thread() -> io::Result<Self> {
        let is_deaf = super::signals::are_blocked_but_sigchld()?;
        let may_go_on = is_deaf && raw_call::IS_APART && open_fds::can_mark_at_once();
        Ok(Self { is_deaf, may_go_on, ..Self::new()? })
    }

    /// Starts a process and returns when its program runs or has failed to start.
    ///
    /// # Errors
    /// The step that failed and its errno. No process is left then.
    pub fn spawn(&mut self, plan: &SpawnPlan<'_>) -> Result<Process, SpawnError> {
        let mut area = self.area(plan)?;
        let cloned = area.clone_waiting(self.is_deaf, &self.handled);
        let failure = area.setup.failure;
        self.idle.push(area);
        let process = cloned.map_err(of_clone)?;
        match failure {
            None => Ok(process),
            Some(error) => {
                reap_failed_start(&process);
                Err(error)
            }
        }
    }

    /// Starts a process and returns before its program runs, if the thread may go on meanwhile: then what is returned tells
    /// when it runs or has failed to start. The place that the plan registers it in must live until then. Not for a plan with
    /// a terminal.
    ///
    /// # Errors
    /// As [`Spawner::spawn`].
    pub fn start(&mut self, plan: &SpawnPlan<'_>) -> Result<(Process, Option<PendingExec>), SpawnError> {
        if !self.may_go_on || plan.terminal.is_some() {
            return self.spawn(plan).map(|process| (process, None));
        }
        match PendingExec::clone(self.area(plan)?) {
            Ok(cloned) => cloned.map(|(process, pending)| (process, Some(pending))).map_err(of_clone),
            Err(refused) => {
                self.may_go_on = false;
                self.idle.push(refused);
                self.spawn(plan).map(|process| (process, None))
            }
        }
    }

    /// How a start came out, once its exec is over; waits for that.
    ///
    /// # Errors
    /// The step that failed and its errno. The process has been reaped then.
    pub fn outcome(&mut self, pending: PendingExec, process: &Process) -> Result<(), SpawnError> {
        let area = pending.wait();
        let failure = area.setup.failure;
        self.idle.push(area);
        failure.map_or(Ok(()), |error| {
            reap_failed_start(process);
            Err(error)
        })
    }

    /// An area that holds the plan.
    fn area(&mut self, plan: &SpawnPlan<'_>) -> Result<Box<ChildArea>, SpawnError> {
        let mut area = match self.idle.pop() {
            Some(area) => area,
            None => ChildArea::new().map_err(|_| of_clone(Errno::ENOMEM))?,
        };
        let setup = &mut area.setup;
        setup.set_texts(plan.program, plan.folder, plan.argv, plan.env);
        setup.sources.clear();
        setup.sources.extend([plan.stdin, plan.stdout, plan.stderr].iter().map(AsRawFd::as_raw_fd));
        for (number, fd) in numbers(plan.kept).zip(plan.fds) {
            // A number that is kept is its own source.
            setup.sources.extend(setup.sources.len() as RawFd..number);
            setup.sources.push(fd.as_raw_fd());
        }
        setup.kept.clear();
        setup.kept.extend(plan.kept);
        setup.reset.clear();
        setup.reset.extend(&self.ignored);
        setup.ignored.clear();
        setup.ignored.extend(plan.ignored);
        setup.open_files = self.open_files;
        setup.new_group = plan.new_group;
        setup.nice = plan.nice;
        setup.terminal = plan.terminal.map(|terminal| terminal.as_raw_fd());
        setup.register = plan.register.map_or(null(), std::ptr::from_ref);
        setup.failure = None;
        Ok(area)
    }
}

fn of_clone(errno: Errno) -> SpawnError {
    SpawnError { step: SpawnStep::Clone, errno: errno as i32 }
}

/// Reaps a child that has exited without starting its program.
fn reap_failed_start(process: &Process) {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: waits for our own child by its pidfd; the pointer is to memory of the right type.
    let mut wait = || unsafe {
        libc::waitid(libc::P_PIDFD, process.pidfd.as_raw_fd().cast_unsigned(), info.as_mut_ptr(), libc::WEXITED)
    };
    // If it fails, other code has reaped the child.
    let _ = retried(|| Errno::result(wait()));
}

/// The signals that have a handler or are ignored now.
fn signals_not_default() -> Vec<c_int> {
    let is_changed = |number: &c_int| handler_of(*number) != libc::SIG_DFL;
    let fixed = [i32::from(Signal::KILL.0), libc::SIGSTOP];
    (1..=SIGNALS_MAX).filter(|number| !fixed.contains(number)).filter(is_changed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, lines_of, play, text, wait};
    use super::*;
    use crate::model::exit::{ExitStatus, Usage};
    use nix::sys::signal::SigSet;
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::atomic::{AtomicI32, AtomicUsize};

    /// A spawned program with its output.
    struct StartedProgram {
        process: Process,
        output: File,
    }

    impl StartedProgram {
        fn end(mut self) -> (ExitStatus, String) {
            let mut output = String::new();
            self.output.read_to_string(&mut output).unwrap();
            (wait(&self.process).0, output)
        }
    }

    /// A program without environment, whose streams are all this file.
    fn plan_of<'a>(argv: &'a [CString], null: &'a File, place: Option<&'a GuardPlace>) -> SpawnPlan<'a> {
        SpawnPlan {
            program: &argv[0],
            argv,
            env: &[],
            stdin: null.as_fd(),
            stdout: null.as_fd(),
            stderr: null.as_fd(),
            fds: &[],
            kept: &[],
            new_group: true,
            folder: None,
            nice: None,
            ignored: &[],
            terminal: None,
            register: place,
        }
    }

    fn start(
        argv: &[&str],
        fds: &[BorrowedFd<'_>],
        register: Option<&GuardPlace>,
    ) -> Result<StartedProgram, SpawnError> {
        let argv: Vec<CString> = argv.iter().map(|argument| CString::new(*argument).unwrap()).collect();
        let env = [c"MARK=7".to_owned()];
        let null = super::super::fd::dev_null().unwrap();
        let (output, writer) = super::super::fd::pipe().unwrap();
        let plan = SpawnPlan { env: &env, stdout: writer.as_fd(), fds, ..plan_of(&argv, &null, register) };
        let process = Spawner::new().unwrap().spawn(&plan)?;
        Ok(StartedProgram { process, output: output.into() })
    }

    fn shell(script: &str) -> (ExitStatus, String) {
        start(&["/bin/sh", "-c", script], &[], None).unwrap().end()
    }

    #[test]
    fn the_program_gets_its_arguments_and_its_environment_only() {
        assert_eq!(shell("echo $0 $MARK").1, "/bin/sh 7\n");
        let (status, output) = start(&["/usr/bin/env"], &[], None).unwrap().end();
        assert_eq!((status, output.as_str()), (ExitStatus::Code(0), "MARK=7\n"));
    }

    #[test]
    fn every_exit_status_is_reported() {
        assert_eq!(shell("exit 3").0, ExitStatus::Code(3));
        assert_eq!(shell("exit 255").0, ExitStatus::Code(255));
        for name in ["KILL", "SEGV", "TERM", "PIPE"] {
            let (status, _) = shell(&format!("kill -{name} $$"));
            let ExitStatus::Signal { signal, .. } = status else { panic!("{status}") };
            assert_eq!(signal.name(), name);
        }
    }

    #[test]
    fn a_process_is_reaped_once_with_its_usage() {
        let started = start(&["/bin/true"], &[], None).unwrap();
        let (status, usage) = wait(&started.process);
        assert_eq!(status, ExitStatus::Code(0));
        assert!(usage.rss_max_kib > 0);
        let (again, usage) = started.process.reap().unwrap().unwrap();
        assert!([status, ExitStatus::Unknown].contains(&again) && usage == Usage::default());
        started.process.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn a_running_process_is_not_reaped_and_its_group_can_be_signalled() {
        // The pipe ends with the last process of the group: the one in the background is killed too.
        let started = start(&["/bin/sh", "-c", "/bin/sleep 1000 & exec /bin/sleep 1000"], &[], None).unwrap();
        assert_eq!(started.process.reap().unwrap(), None);
        started.process.signal_group(Signal::KILL).unwrap();
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        assert_eq!(started.end(), (killed, String::new()));
    }

    #[test]
    fn the_process_leads_a_group_of_its_own() {
        let started = start(&["/usr/bin/cut", "-d ", "-f1,5", "/proc/self/stat"], &[], None).unwrap();
        let pid = started.process.pid;
        assert_eq!(started.end().1, format!("{pid} {pid}\n"));
    }

    #[test]
    fn the_process_blocks_and_ignores_no_signal() {
        // As a caller may leave it behind. std ignores PIPE in any case.
        let mut blocked = SigSet::empty();
        blocked.add(nix::sys::signal::Signal::SIGUSR1);
        blocked.thread_block().unwrap();
        super::super::signals::ignore(Signal(29)).unwrap();
        let status = ["/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"];
        let (_, output) = start(&status, &[], None).unwrap().end();
        assert_eq!(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
        // The caller's own mask is unchanged.
        assert!(SigSet::thread_get_mask().unwrap().contains(nix::sys::signal::Signal::SIGUSR1));
    }

    #[test]
    fn only_the_plans_files_are_inherited() {
        // Files without close-on-exec, as a caller may leave them behind.
        let null = super::super::fd::dev_null().unwrap();
        let leaks: Vec<OwnedFd> = (0..40)
            .map(|_| nix::fcntl::fcntl(&null, nix::fcntl::FcntlArg::F_DUPFD(3)).unwrap())
            // SAFETY: new fds without an owner.
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
            .collect();
        let started = start(&["/bin/ls", "/proc/self/fd"], &[null.as_fd(), leaks[7].as_fd()], None).unwrap();
        // The five of the plan, and that of the folder which `ls` reads.
        assert_eq!(started.end().1, "0\n1\n2\n3\n4\n5\n");
    }

    #[test]
    fn a_kept_file_has_its_own_number_also_among_those_of_the_plan() {
        const TEST: &str = "sys::spawn::tests::a_kept_file_has_its_own_number_also_among_those_of_the_plan";
        if is_role(TEST) {
            let (null, stdout) = (super::super::fd::dev_null().unwrap(), io::stdout());
            // 4 and 60 are kept; the files of the plan become 3 and 5.
            for number in [4, 60] {
                // SAFETY: nothing of this process uses these numbers, which nobody owns afterwards.
                assert_eq!(unsafe { libc::dup2(1, number) }, number);
            }
            let argv =
                [c"/bin/bash".to_owned(), c"-c".to_owned(), c"for n in 3 4 5 6 60; do echo @$n >&$n; done".to_owned()];
            let fds = [stdout.as_fd(), stdout.as_fd()];
            let plan = SpawnPlan { fds: &fds, kept: &[4, 60, 61], ..plan_of(&argv, &null, None) };
            wait(&Spawner::new().unwrap().spawn(&plan).unwrap());
            return;
        }
        assert_eq!(lines_of(&play(TEST).output().unwrap().stdout, '@'), ["@3", "@4", "@5", "@60"]);
    }

    #[test]
    fn a_failed_exec_returns_its_errno_and_leaves_no_process() {
        let place = GuardPlace::default();
        let cases = [("/nonexistent", libc::ENOENT), ("/etc/passwd", libc::EACCES), ("/etc", libc::EACCES)];
        for (program, errno) in cases {
            let error = start(&[program], &[], Some(&place)).err().unwrap();
            assert_eq!(error, SpawnError { step: SpawnStep::Exec, errno });
            assert_eq!(place.pid(), 0);
        }
        let error = start(&["/nonexistent"], &[], None).err().unwrap();
        assert_eq!(error.to_string(), "execute the program: No such file or directory");
    }

    /// Runs a function in a thread whose children may be started while it goes on.
    fn in_launcher<T: Send>(function: impl FnOnce(Spawner) -> T + Send) -> T {
        let run = || function(Spawner::for_deaf_thread().unwrap());
        std::thread::scope(|scope| {
            let spawn = || std::thread::Builder::new().spawn_scoped(scope, run);
            super::super::signals::with_blocked(spawn).unwrap().join().unwrap()
        })
    }

    #[test]
    fn many_programs_are_started_before_one_is_asked_for() {
        let null = super::super::fd::dev_null().unwrap();
        let places: Vec<GuardPlace> = (0..50).map(|_| GuardPlace::default()).collect();
        let codes = in_launcher(|mut spawner| {
            let start = |(code, place): (usize, &GuardPlace)| {
                // What the plan is made of is gone before the program runs.
                let argv = [c"/bin/sh".to_owned(), c"-c".to_owned(), CString::new(format!("exit {code}")).unwrap()];
                let (process, pending) = spawner.start(&plan_of(&argv, &null, Some(place))).unwrap();
                assert!(pending.is_some() || !spawner.may_go_on, "the thread was suspended");
                (process, pending)
            };
            let started: Vec<_> = places.iter().enumerate().map(start).collect();
            let code_of = |(process, pending): (Process, Option<PendingExec>)| {
                pending.map_or(Ok(()), |pending| spawner.outcome(pending, &process)).unwrap();
                wait(&process).0
            };
            started.into_iter().map(code_of).collect::<Vec<_>>()
        });
        assert_eq!(codes, (0..50).map(ExitStatus::Code).collect::<Vec<_>>());
        assert!(places.iter().all(|place| place.pid() != 0));
    }

    #[test]
    fn a_start_fails_beside_its_thread_without_its_errno() {
        let (null, place) = (super::super::fd::dev_null().unwrap(), GuardPlace::default());
        in_launcher(|mut spawner| {
            for (program, errno) in [(c"/nonexistent", libc::ENOENT), (c"/etc/passwd", libc::EACCES)] {
                let argv = [program.to_owned()];
                Errno::set_raw(77);
                let (process, Some(pending)) = spawner.start(&plan_of(&argv, &null, Some(&place))).unwrap() else {
                    assert!(!spawner.may_go_on, "the thread was suspended");
                    return;
                };
                while !pending.is_over() {
                    std::hint::spin_loop();
                }
                assert_eq!(Errno::last_raw(), 77);
                let error = spawner.outcome(pending, &process).unwrap_err();
                assert_eq!(error, SpawnError { step: SpawnStep::Exec, errno });
                assert_eq!(place.pid(), 0);
                let id = nix::sys::wait::Id::PIDFd(process.pidfd.as_fd());
                let again = nix::sys::wait::waitid(id, nix::sys::wait::WaitPidFlag::WEXITED);
                assert_eq!(again, Err(Errno::ECHILD), "it was reaped");
            }
        });
    }

    #[test]
    fn a_start_that_nobody_asks_for_goes_on() {
        let null = super::super::fd::dev_null().unwrap();
        let argv = [c"/bin/sh".to_owned(), c"-c".to_owned(), c"exit 7".to_owned()];
        let status = in_launcher(|mut spawner| {
            let (process, pending) = spawner.start(&plan_of(&argv, &null, None)).unwrap();
            drop(pending);
            wait(&process).0
        });
        assert_eq!(status, ExitStatus::Code(7));
    }

    #[test]
    fn the_pid_is_registered_before_the_program_runs() {
        let place = GuardPlace::default();
        let started = start(&["/bin/true"], &[], Some(&place)).unwrap();
        assert_eq!(place.pid().cast_unsigned(), started.process.pid);
        wait(&started.process);
    }

    #[test]
    fn a_script_without_a_first_line_is_run_by_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        // Another process writes it: a file that is open for writing here, or in a child of another test, is busy.
        let make = format!("echo 'echo $0 $1' > {0}; chmod +x {0}", script.display());
        assert!(std::process::Command::new("/bin/sh").args(["-c", &make]).status().unwrap().success());
        let program = script.to_str().unwrap();
        let (status, output) = start(&[program, "hello"], &[], None).unwrap().end();
        assert_eq!((status, output), (ExitStatus::Code(0), format!("{program} hello\n")));
    }

    #[test]
    fn descriptors_can_swap_their_numbers() {
        const TEST: &str = "sys::spawn::tests::descriptors_can_swap_their_numbers";
        if is_role(TEST) {
            let argv =
                [c"/bin/sh".to_owned(), c"-c".to_owned(), c"echo @1; echo @2 >&2; echo @4 >&4; cat <&5".to_owned()];
            let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
            let null = super::super::fd::dev_null().unwrap();
            let fds = [null.as_fd(), stdout.as_fd(), stdin.as_fd()];
            let (out, err) = (stderr.as_fd(), stdout.as_fd());
            let plan = SpawnPlan { stdout: out, stderr: err, fds: &fds, ..plan_of(&argv, &null, None) };
            wait(&Spawner::new().unwrap().spawn(&plan).unwrap());
            return;
        }
        let input = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(input.path(), "@5\n").unwrap();
        let output = play(TEST).stdin(File::open(input.path()).unwrap()).output().unwrap();
        assert_eq!(lines_of(&output.stdout, '@'), ["@2", "@4"]);
        assert_eq!(lines_of(&output.stderr, '@'), ["@1", "@5"]);
    }

    #[test]
    fn a_raised_limit_of_open_files_is_not_passed_on() {
        const TEST: &str = "sys::spawn::tests::a_raised_limit_of_open_files_is_not_passed_on";
        if is_role(TEST) {
            let _raised = limits::raise_open_files().unwrap();
            print!("@{}", shell("ulimit -n").1);
            println!("@{}", nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().0);
            return;
        }
        let program = play(TEST);
        let mut limited = std::process::Command::new("/bin/sh");
        limited.args(["-c", "ulimit -Sn 64; ulimit -Hn 80; exec \"$0\" \"$@\""]).arg(program.get_program());
        limited.args(program.get_args()).envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = limited.output().unwrap();
        assert_eq!(lines_of(&output.stdout, '@'), ["@64", "@80"], "{}", text(&output.stderr));
    }

    static HOST: AtomicI32 = AtomicI32::new(0);
    static RUNS_IN_HOST: AtomicUsize = AtomicUsize::new(0);
    static RUNS_IN_CHILD: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn record_pid(_: c_int) {
        // SAFETY: returns a number.
        let is_host = unsafe { libc::getpid() } == HOST.load(Relaxed);
        (if is_host { &RUNS_IN_HOST } else { &RUNS_IN_CHILD }).fetch_add(1, Relaxed);
    }

    extern "C" fn reap_all(_: c_int) {
        // SAFETY: reaps children of this process; a null pointer means that the status is not wanted.
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
    }

    fn handle(signal: c_int, handler: extern "C" fn(c_int)) {
        // SAFETY: the handlers of these tests make atomic accesses and system calls only.
        unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
    }

    #[test]
    fn a_handler_of_the_host_never_runs_in_a_child() {
        const TEST: &str = "sys::spawn::tests::a_handler_of_the_host_never_runs_in_a_child";
        const SPAWNS: usize = 2000;
        if !is_role(TEST) {
            let output = play(TEST).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stdout));
            return;
        }
        HOST.store(nix::unistd::getpid().as_raw(), Relaxed);
        handle(libc::SIGUSR1, record_pid);
        handle(libc::SIGCHLD, record_pid);
        let (place, sent, done) = (GuardPlace::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let null = super::super::fd::dev_null().unwrap();
        let argv = [c"/bin/true".to_owned()];
        let plan = plan_of(&argv, &null, Some(&place));
        let check = |process: Process| {
            place.clear();
            let (status, _) = wait(&process);
            let killed = ExitStatus::Signal { signal: Signal::USR1, core_dumped: false };
            assert!([ExitStatus::Code(0), killed].contains(&status), "{status}");
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while done.load(Relaxed) == 0 {
                    let group = place.pid();
                    if group > 0 {
                        // SAFETY: sends signals, accesses no memory.
                        let both = unsafe { libc::kill(-group, libc::SIGUSR1) + libc::kill(-group, libc::SIGCHLD) };
                        sent.fetch_add(usize::from(both == 0), Relaxed);
                    }
                }
            });
            let mut spawner = Spawner::new().unwrap();
            for _ in 0..SPAWNS {
                check(spawner.spawn(&plan).unwrap());
            }
            in_launcher(|mut spawner| {
                for _ in 0..SPAWNS {
                    let (process, pending) = spawner.start(&plan).unwrap();
                    pending.map_or(Ok(()), |pending| spawner.outcome(pending, &process)).unwrap();
                    check(process);
                }
            });
            done.store(1, Relaxed);
        });
        assert_eq!(RUNS_IN_CHILD.load(Relaxed), 0);
        assert!(RUNS_IN_HOST.load(Relaxed) > 0 && sent.load(Relaxed) > SPAWNS);
    }

    #[test]
    fn a_host_that_reaps_every_child_costs_no_more_than_the_exit_status() {
        const TEST: &str = "sys::spawn::tests::a_host_that_reaps_every_child_costs_no_more_than_the_exit_status";
        if !is_role(TEST) {
            let output = play(TEST).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stdout));
            return;
        }
        handle(libc::SIGCHLD, reap_all);
        let guard = super::super::guard::Guard::start(&[]).unwrap();
        for _ in 0..100 {
            let (status, output) = shell("echo x; exit 3");
            assert_eq!(output, "x\n");
            assert!([ExitStatus::Code(3), ExitStatus::Unknown].contains(&status), "{status}");
            let error = start(&["/nonexistent"], &[], None).err().unwrap();
            assert_eq!(error, SpawnError { step: SpawnStep::Exec, errno: libc::ENOENT });
        }
        guard.dismiss();
    }

    #[test]
    fn a_child_dies_with_the_thread_that_spawned_it() {
        let started = std::thread::spawn(|| start(&["/bin/sleep", "1000"], &[], None).unwrap()).join().unwrap();
        assert_eq!(started.end().0, ExitStatus::Signal { signal: Signal::KILL, core_dumped: false });
    }
}
