//! Transports that keep items in files, through the real program: where the files are, a full disk, and inputs that
//! are files of all kinds.

mod support;

use nix::sys::signal::Signal;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use supervisor::exit_code;
use supervisor::model::spec::TransportKind;
use supervisor::sys::block::BlockSlice;
use supervisor::transport::{self, Flush};
use supervisor::wire::message::ToWorker;
use supervisor::wire::prefix::Prefix;

/// The transports that give workers the input file itself.
const SHARING: [TransportKind; 2] = [TransportKind::File, TransportKind::Shm];

/// Runs the program on `input` as stdin, after `prepare`.
fn supervisor_with(arguments: &[&str], input: &[u8], prepare: impl FnOnce(&mut Command)) -> Output {
    supervisor_over(TransportKind::File, arguments, input, prepare)
}

fn supervisor_over(
    kind: TransportKind,
    arguments: &[&str],
    input: &[u8],
    prepare: impl FnOnce(&mut Command),
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    command.args(["-j2", "--transport", kind.name()]).args(arguments);
    let mut stdin = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut stdin, input).unwrap();
    std::io::Seek::rewind(&mut stdin).unwrap();
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    prepare(&mut command);
    command.output().unwrap()
}

fn supervisor(arguments: &[&str], input: &[u8]) -> Output {
    supervisor_with(arguments, input, |_| {})
}

fn numbers(count: u32) -> Vec<u8> {
    (0..count).map(|number| format!("{number}\n")).collect::<String>().into_bytes()
}

#[track_caller]
fn check_ends(output: &Output, code: u8, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code.into()), "{stderr}");
    assert!(stderr.contains(words), "{stderr}");
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn named_spools_stay_and_nameless_ones_leave_nothing() {
    let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().to_str().unwrap();
    let items = numbers(50_000);
    let in_temporary = |command: &mut Command| _ = command.env("TMPDIR", temporary.path());
    let output =
        supervisor_with(&["-a", "-", "-k", "--task", "echo", "--no-control", "--spool", path], &items, in_temporary);
    assert!(output.status.success() && output.stdout == items);
    let names = names_in(folder.path());
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        assert!(name.starts_with("supervisor-") && name.ends_with(".spool"), "{name}");
        let metadata = std::fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert!(metadata.len() < 4 << 20, "{} bytes", metadata.len());
    }
    // The folder of the control socket stays.
    let output = supervisor_with(&["-a", "-", "-k", "--task", "echo", "--no-control"], &items, in_temporary);
    assert!(output.status.success() && output.stdout == items);
    assert!(names_in(temporary.path()).is_empty());
}

#[test]
fn an_unsafe_folder_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o770)).unwrap();
    let output = supervisor(&["--spool", path, ":::", "1"], b"");
    check_ends(
        &output,
        exit_code::REFUSED,
        &format!("failed to take {path} as the folder for --spool: others may write"),
    );
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/tmp", &link).unwrap();
    let output = supervisor(&["--spool", link.to_str().unwrap(), ":::", "1"], b"");
    check_ends(&output, exit_code::REFUSED, "it is a symbolic link");
    let output = supervisor(&["--spool", "/nonexistent", ":::", "1"], b"");
    check_ends(&output, exit_code::USAGE, "failed to open /nonexistent, the folder for --spool: No such file");
    let nowhere = |command: &mut Command| _ = command.env("TMPDIR", "/nonexistent");
    let output = supervisor_with(&[":::", "1"], b"", nowhere);
    check_ends(&output, exit_code::STORAGE, "failed to make a spool in /nonexistent: No such file");
}

#[test]
fn a_full_disk_for_the_spool_ends_the_run_with_an_error() {
    // A limit on the size of files simulates a full disk without privileges.
    let limited = |arguments: &str| {
        let script = format!("ulimit -f 2048; exec \"$0\" -j2 --transport file {arguments}");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_supervisor")]);
        let mut input = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut input, &vec![b'x'; 4 << 20]).unwrap();
        std::io::Seek::rewind(&mut input).unwrap();
        command.stdin(input).output().unwrap()
    };
    let output = limited("-a - --block 2M -d '' --task hash");
    check_ends(&output, exit_code::STORAGE, "failed to write an item to the spool in ");
    assert_eq!(output.stdout, b"");
    // Items that fit pass, whatever their sum is.
    let output = limited("-a - --block 16K -d '' --credit 4 --task hash");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 257);
}

#[test]
fn the_largest_items_and_empty_ones_pass() {
    let mut items = b"first\n\n".to_vec();
    for byte in [b'x', b'y', b'z'] {
        items.resize(items.len() + supervisor::model::spec::ITEM_BYTES_MAX, byte);
        items.push(b'\n');
    }
    items.extend_from_slice(b"\nlast\n");
    let output = supervisor(&["-a", "-", "-k", "--task", "echo"], &items);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == items);
}

/// 32 MiB of lines in which all blocks of 64 KiB are equal.
fn write_alike(path: &Path) -> std::fs::File {
    std::fs::write(path, "0123456789abcde\n".repeat(2 << 20)).unwrap();
    std::fs::OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn an_input_that_is_truncated_while_it_is_mapped_is_lost_and_kills_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("input");
    let name = path.to_str().unwrap();
    let hash: Vec<_> = "--task hash --output results --block 64K -a".split(' ').chain([name]).collect();
    write_alike(&path);
    let whole = supervisor(&hash, b"");
    let alike = String::from_utf8(whole.stdout).unwrap().lines().next().unwrap().to_owned();
    for kind in SHARING {
        // Directly after the first items, and in the middle of an item and of a page.
        for left in [0, 100_000, (1 << 20) + 100] {
            for delimiter in ["", "\\n"] {
                let input = write_alike(&path);
                let arguments = ["-j2", "--transport", kind.name(), "--credit", "8", "--delay", "1ms", "-d", delimiter];
                let mut run = support::Run::start(&[&arguments[..], &hash].concat());
                run.wait_for_event("item_settled");
                input.set_len(left).unwrap();
                let finished = run.finish();
                assert_eq!(finished.code(), i32::from(exit_code::LOST), "{kind:?}: {}", finished.stderr);
                let words = format!("failed to read {name}: it was cut short meanwhile, from 33554432 to {left} bytes");
                assert!(finished.stderr.contains(&words), "{kind:?}: {}", finished.stderr);
                for exit in finished.events("worker_exited") {
                    assert_eq!(exit["exit"]["code"], 0, "{kind:?}: {exit}");
                }
                // The truncated items have no result.
                assert!(finished.stdout.lines().all(|line| line == alike), "{kind:?}: {}", finished.stdout);
                if left == 0 {
                    assert!(finished.settled("failed") > 0, "{kind:?}");
                    assert!(finished.stderr.contains("its bytes are lost"), "{kind:?}: {}", finished.stderr);
                }
            }
        }
    }
}

/// No truncated bytes become a result, also when a worker dies meanwhile.
#[test]
fn a_worker_that_is_killed_leaves_no_result_of_bytes_that_were_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("input");
    let name = path.to_str().unwrap();
    for kind in SHARING {
        let input = write_alike(&path);
        let arguments = "--task hash --output results --block 64K --credit 8 --delay 1ms -j2 -d  -a";
        let arguments: Vec<_> = arguments.split(' ').chain([name, "--transport", kind.name()]).collect();
        let mut run = support::Run::start(&arguments);
        run.wait_for_event("item_settled");
        input.set_len(0).unwrap();
        support::send(support::pid_of(&run.wait_for_event("item_settled")), Signal::SIGKILL);
        let finished = run.finish();
        assert_eq!(finished.code(), i32::from(exit_code::LOST), "{kind:?}: {}", finished.stderr);
        let mut lines: Vec<_> = finished.stdout.lines().collect();
        lines.dedup();
        assert_eq!(lines.len(), 1, "{kind:?}: {lines:?}");
    }
}

#[test]
fn inputs_of_all_kinds_are_read_as_far_as_they_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let echo = |input: &str| supervisor(&["-k", "--task", "echo", "-a", input], b"");
    for kind in SHARING {
        std::fs::write(place("empty"), "").unwrap();
        std::fs::write(place("unfinished"), "a\n\nlast").unwrap();
        let blocks = |input: &str| {
            supervisor_over(kind, &["-k", "--task", "echo", "--block", "64K", "-a", input], b"", |_| ()).stdout
        };
        assert_eq!((blocks(&place("empty")), blocks("/dev/null")), (Vec::new(), Vec::new()));
        assert_eq!(blocks("/proc/version"), std::fs::read("/proc/version").unwrap());
        assert_eq!(blocks(&place("unfinished")), b"a\n\nlast\n");
    }
    check_ends(&echo(&place("missing")), exit_code::USAGE, "No such file");
    check_ends(&echo(dir.path().to_str().unwrap()), exit_code::USAGE, "is a directory");
    std::fs::write(place("empty"), "").unwrap();
    assert_eq!((echo(&place("empty")).stdout, echo("/dev/null").stdout), (Vec::new(), Vec::new()));
    // Its size is 0, but it is not empty.
    let version = std::fs::read("/proc/version").unwrap();
    assert_eq!(echo("/proc/version").stdout, version);
    std::fs::write(place("unfinished"), "a\n\nlast").unwrap();
    assert_eq!(echo(&place("unfinished")).stdout, b"a\n\nlast\n");
    nix::unistd::mkfifo(place("fifo").as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = place("fifo");
    let writer = std::thread::spawn(move || std::fs::write(fifo, numbers(10_000)).unwrap());
    assert!(echo(&place("fifo")).stdout == numbers(10_000));
    writer.join().unwrap();
}

#[test]
fn a_worker_that_truncates_its_spool_harms_no_other_worker() {
    let mut transport = transport::transport(&TransportKind::File.into(), 1).unwrap();
    let (mut channel, endpoints) = transport.open().unwrap();
    let (_, spool) = endpoints.fds().find(|(names, _)| names.contains(&"SUPERVISOR_FD_SPOOL")).unwrap();
    // Its descriptor is read-only, but it may open the file again.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&spool));
    let spool = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let mut connection = transport::connect(TransportKind::File, endpoints).unwrap();
    let mut queue = |first: u64, byte: u8| {
        let block = Arc::new(vec![byte; 300_000].into());
        let message = ToWorker::Batch { first, count: 1, attempt: 1 };
        channel.queue(&Prefix::new(&message, 300_000), 1, BlockSlice::whole(&block)).unwrap();
        assert_eq!(channel.flush().unwrap(), Flush::All);
    };
    queue(1, b'x');
    assert!(connection.items.fill().unwrap());
    let integrity = connection.items.integrity();
    let body = connection.items.next().unwrap().unwrap().body;
    assert!(body[0] == b'x' && integrity.is_whole());
    spool.set_len(0).unwrap();
    assert!(body[200_000] == 0 && !integrity.is_whole());
    // The supervisor survives, this worker does not.
    queue(2, b'y');
    assert!(connection.items.fill().unwrap());
    let error = connection.items.next().unwrap_err();
    assert_eq!(error.to_string(), "read an item: the spool was cut short during the run");
}
