//! `supervisor xargs` and xargs itself, on the same command lines and inputs: stdout, exit code, files made, and on stderr
//! what xargs says.
//!
//! A row is a command line in the words of a shell, behind the name of the program, and an input with the escapes of
//! Rust. Each runs in a folder of its own, twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const XARGS: &str = "/usr/bin/xargs";

/// What of a run is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// Everything, byte for byte.
    All,
    /// Several commands ran at a time: lines in any order.
    Sorted,
    /// stdout, exit code and files. stderr has the same meaning in other words, or comes at another moment.
    NotStderr,
}

use Compared::{All, NotStderr, Sorted};

type Row = (Compared, &'static str, &'static str);

/// How arguments are read.
const READING: &[Row] = &[
    (All, "", "a b\n"),
    (All, "", ""),
    (All, "echo hi", ""),
    (All, "echo hi", " \t \n\n"),
    (All, "-r echo hi", ""),
    (All, "-r echo hi", "\n \n"),
    (All, "--no-run-if-empty echo hi", "x"),
    (All, "-n1 echo", "a b\tc\nd\n"),
    (All, "-n1 echo", "a b"),
    (All, "-n1 echo", "'a b' \"c d\" e\\ f\n"),
    (All, "-n1 echo", "'a'b\"c\"d\\'e\n"),
    (All, "-n1 echo", "\"it's\" 'say \"x\"'\n"),
    (All, "-n1 echo x", "''"),
    (All, "-n1 echo x", "''\n"),
    (All, "-n1 echo x", "'' a\n"),
    (All, "-n1 echo x", "a ''\n"),
    (All, "-n1 echo x", "a ''"),
    (All, "-n1 echo", "a\\\nb\n"),
    (All, "-n1 echo", "a\\"),
    (All, "-n1 echo", "a \\"),
    (All, "-n1 echo", "a\\\\b\n"),
    (NotStderr, "-n1 echo", "a b 'c"),
    (NotStderr, "-n1 echo", "a b \"c\nd\n"),
    (All, "echo", "a b 'c"),
    (All, "echo", "a 'b"),
    (All, "echo", "a '"),
    (All, "echo", "'\n"),
    (All, "-n2 -x echo", "a 'b\n"),
    (All, "-n1 echo", "\u{b}a\u{c}b\rc\n\u{c}d\n"),
    (All, "-n1 echo", "\u{e9} \u{fc}\n"),
    (NotStderr, "-n1 echo", "a\0b c\n"),
    (All, "-0 -n1 echo", "a\0b c\0\0d"),
    (All, "-0 echo", "a\nb\0'c\0"),
    (All, "--null -n1 echo", "a\\b\0\"\0"),
    (All, "-d, -n1 echo", "a,b c,,d"),
    (All, "-d, -n1 echo", "a,b,"),
    (All, "-d , echo", "a,b\n"),
    (All, "--delimiter=: echo", "a:b:c"),
    (All, "-d '\\t' -n1 echo", "a b\tc\n"),
    (All, "-d '\\n' -n1 echo", "a b\n'c d\n"),
    (All, "-d '\\x78' -n1 echo", "axbxc"),
    (All, "-d '\\170' -n1 echo", "axbxc"),
    (All, "-d '\\0' -n1 echo", "a\0b\0"),
    (All, "-d '\\\\' -n1 echo", "a\\b"),
    (All, "-d '' echo", "a"),
    (All, "-d xx echo", "a"),
    (All, "-d '\\q' echo", "a"),
    (All, "-d '\\x1ff' echo", "a"),
    (All, "-0 -d, echo", "a,b\0c"),
    (All, "-d, -0 echo", "a,b\0c"),
    (All, "-E END echo", "a b\nEND\nc\n"),
    (All, "-E b echo", "a b c\n"),
    (All, "-E b echo", "a b"),
    (All, "-E b echo", "a\nb"),
    (All, "-E b -n1 echo", "a 'b' c\n"),
    (All, "-E '' echo", "a _ b\n"),
    (All, "-E a -r echo x", "a b\n"),
    (All, "-e echo", "a\n_\nb\n"),
    (All, "-eb echo", "a\nb\nc\n"),
    (All, "--eof=b echo", "a\nb\nc\n"),
    (All, "--eof echo", "a\nb\nc\n"),
    (All, "-E b -I{} echo {}", "a\nb\nc\n"),
    (All, "-E b -0 echo", "a\0b\0c"),
    (All, "-a in.txt echo", "not read\n"),
    (All, "-a in.txt cat -", "stdin is left\n"),
    (All, "-a in.txt -n1 sh -c 'head -c 4; echo $0'", "1234567890ab\n"),
    (All, "--arg-file=in.txt -n2 echo", ""),
    (All, "-a - echo", "a b\n"),
    (All, "-a no-such-file echo", ""),
    (All, "-a . echo x", ""),
    (All, "cat", ""),
    (All, "sh -c cat", "a\n"),
];

/// How command lines are filled.
const FILLING: &[Row] = &[
    (All, "-n2 echo", "a b c d e\n"),
    (All, "-n 2 echo", "a\nb\n\nc\n"),
    (All, "--max-args=3 echo", "a b c d e\n"),
    (All, "--max-args 3 echo", "a b c d e\n"),
    (All, "--max-a=1 echo", "a b\n"),
    (All, "-n1 -n2 echo", "a b c\n"),
    (All, "-n9 echo", "a b\n"),
    (All, "-n0 echo", "a"),
    (All, "-n -1 echo", "a"),
    (All, "-n x echo", "a"),
    (All, "-n 3x echo", "a"),
    (All, "-n '' echo", "a"),
    (All, "-n ' 1' echo", "a b"),
    (All, "-n +1 echo", "a b"),
    (All, "-n 99999999999999999999 echo", "a b"),
    (All, "-L1 echo", "a b\nc\n"),
    (All, "-L1 echo", "a b \nc\nd\n"),
    (All, "-L1 echo", "a b\t\n\nc\nd\n"),
    (All, "-L2 echo", "a b\n\nc\n\nd\n"),
    (All, "-L2 echo", "a\nb\nc"),
    (All, "-L1 echo", "a\\ \nb\n"),
    (All, "-L1 echo", "'a '\nb\n"),
    (All, "-L 2 -0 echo", "a\0b\0c\0"),
    (All, "-L0 echo", "a"),
    (All, "-l echo", "a b\nc\n"),
    (All, "-l2 echo", "a b\nc\nd\n"),
    (All, "-l0 echo", "a"),
    (All, "-lx echo", "a"),
    (All, "--max-lines echo", "a\nb\n"),
    (All, "--max-lines=2 echo", "a\nb\nc\n"),
    (All, "-I{} echo '<{}>' x{}y", "a b\n c  \n\n d\n"),
    (All, "-I{} echo {} {}{} {", "a\n"),
    (All, "-I % echo % {}", "a\nb\n"),
    (All, "-I{} {} hi", "a\n"),
    (All, "-I{} echo hi", "a\nb\n"),
    (All, "-I{} echo {}", ""),
    (All, "-I{} echo '{}'", "'a  b' c\\ d\n"),
    (All, "-I '' echo x", "a\nb\n"),
    (All, "-I {} -0 echo '<{}>'", "a\nb\0c\0"),
    (All, "-I {} -d, echo '<{}>'", "a,b\n"),
    (All, "-I AB echo xABAB ABxAAB", "q\n"),
    (All, "-i echo {}", "a b\nc\n"),
    (All, "-iX echo X", "a b\nc\n"),
    (All, "--replace echo {}", "a\n"),
    (All, "--replace=R echo R", "a\n"),
    (All, "-I{} -I X echo {} X", "a\n"),
    (All, "-n2 -L1 echo", "a b c\n"),
    (All, "-L1 -n2 echo", "a b c\n"),
    (All, "-n2 -I{} echo {}", "a b c\n"),
    (All, "-n1 -I{} echo {}", "a b c\n"),
    (All, "-I{} -n2 echo {}", "a b c\n"),
    (All, "-I{} -n1 echo {}", "a b c\n"),
    (All, "-I{} -L1 echo {}", "a b c\n"),
    (All, "-L1 -I{} echo {}", "a b c\n"),
    (All, "-i -l1 echo {}", "a b c\n"),
    (All, "-n2 -l1 echo", "a b c\n"),
    (All, "-s 9 echo", "a b c d\n"),
    (All, "-s 7 echo", "a b c\n"),
    (All, "-s 6 echo", "a b c\n"),
    (All, "-s 5 echo", "a\n"),
    (All, "-s 5 echo", ""),
    (All, "-s 4 echo", "a\n"),
    (All, "-s 0 echo", "a\n"),
    (All, "-s x echo", "a\n"),
    (NotStderr, "-s 10 echo", "b aaaaaaaaaaa c\n"),
    (All, "-s 10 -x echo", "a b c d\n"),
    (All, "-s 10 -x -n4 echo", "a b c d\n"),
    (All, "-s 10 -n4 echo", "a b c d\n"),
    (All, "-s 10 -x -n2 echo", "a b c d\n"),
    (All, "-s 12 -L2 echo", "a b c d e\n"),
    (All, "-s 10 -I{} echo {}", "aaaa\n"),
    (All, "-s 10 -I{} echo {}", "aaaaa\n"),
    (All, "-s 10 -I{} echo {}", "aaaaaaaaa\n"),
    (All, "-s 10 -I{} echo {}", "aaaaaaaaaa\n"),
    (All, "-s 12 -I{} echo {} {}", "aa\n"),
    (All, "-s 12 -I{} echo {} {}", "aaa\n"),
    (All, "--max-chars=8 echo", "a bb c\n"),
];

/// How commands run, and what becomes of the run.
const RUNNING: &[Row] = &[
    (All, "-t -n1 echo", "a b\n"),
    (All, "-t echo 'x y' '$z' \"it's\" '' '{}'", "'a  b'\n"),
    (All, "-t -I{} echo {}", "a\\b?\n"),
    (All, "-0t echo", "a\nb\0\tc\0"),
    (All, "--verbose -n1 sh -c 'echo $0 >&2'", "a b\n"),
    (All, "-rt echo", ""),
    (All, "-t", ""),
    (All, "-n1 sh -c 'exit 1'", "a b\n"),
    (All, "-n1 sh -c 'echo $0; exit 75'", "a b\n"),
    (All, "-n1 sh -c 'echo $0; exit 65'", "a b\n"),
    (All, "-n1 sh -c 'echo $0; exit 126'", "a b\n"),
    (All, "-n1 sh -c 'echo $0; exit 127'", "a b\n"),
    (All, "-n1 sh -c 'echo $0; exit $0'", "0 3 0\n"),
    (All, "-n1 sh -c 'echo $0; exit $0'", "0 255 3\n"),
    (All, "-n1 sh -c 'echo $0; exit $0'", "3 255 3\n"),
    (All, "-n1 sh -c 'echo $0; exit $0'", "3 0 255\n"),
    (All, "-n1 sh -c 'test $0 -lt 9 && exit $0; kill -9 $$'", "3 9 1\n"),
    (All, "-n1 sh -c 'exit $0'", "3 0 'b"),
    (All, "-n1 sh -c 'exit $0'", "0 3 'b"),
    (All, "false <&-", ""),
    (All, "-n1 sh -c 'echo $0; kill -9 $$'", "a b\n"),
    (All, "-n1 sh -c 'echo $0; kill -TERM $$'", "a b\n"),
    (All, "-n1 false", "a b c d e f g h i j k l m n o p q r s t u v w x y z\n"),
    (All, "true", "a\n"),
    (All, "no-such-program", "a b\n"),
    (All, "-n1 no-such-program", "a b\n"),
    (All, "-r no-such-program", ""),
    (All, "no-such-program", ""),
    (All, "./no-such-program", "a\n"),
    (All, "/etc", "a\n"),
    (All, "/etc/passwd", "a\n"),
    (All, "/etc/passwd/x", "a\n"),
    (All, "''", "a\n"),
    (All, "./plain", "a\n"),
    (All, "./script", "a b\n"),
    (All, "./no-interpreter", "a\n"),
    (All, "-n1 sh -c 'echo out $0; echo err $0 >&2'", "a b\n"),
    (All, "-n1 touch", "f1 f2\n"),
    (All, "-n1 sh -c 'echo $0 >$0.txt'", "x y 'z w'\n"),
    (All, "sh -c 'printf \"<%s>\" \"$@\"; echo' sh", "a 'b c' d\n"),
    (All, "rm -f", "in.txt script\n"),
    (All, "-I{} mv {} {}.old", "in.txt\n"),
    (All, "-n2 mv", "in.txt x plain y\n"),
    (All, "-P1 -n1 echo", "a b c\n"),
    (Sorted, "-P2 -n1 echo", "a b c d e f\n"),
    (Sorted, "-P0 -n1 echo", "a b c d e f\n"),
    (Sorted, "-P 4 -n2 echo", "a b c d e f g\n"),
    (Sorted, "--max-procs=3 -n1 sh -c 'echo $0; exit 3'", "a b c d\n"),
    (Sorted, "-P2 -n1 touch", "a b c d\n"),
    (All, "-P -1 echo", "a"),
    (All, "-P x echo", "a"),
    (All, "-P 99999999999 echo", "a"),
    (All, "--process-slot-var=SLOT -n1 sh -c 'echo $0 $SLOT'", "a b\n"),
    (All, "--process-slot-var=A=B echo", "a"),
    (All, "sh -c 'echo ${SUPERVISOR_ITEM-none} ${PARALLEL_SEQ-none}'", ""),
    (All, "-n1 sh -c 'echo >&3' 3>made", "a\n"),
    (All, "echo <&-", ""),
    (All, "-n1 echo -n1 --", "a b\n"),
    (All, "-n1 -- echo -t", "a b\n"),
    (All, "-- echo", "-n a\n"),
    (All, "-z echo", "a"),
    (All, "-S echo", "a"),
    (All, "--foo echo", "a"),
    (All, "--foo=1 echo", "a"),
    (All, "--max echo", "a"),
    (All, "--null=1 echo", "a"),
    (All, "-n", "a"),
    (All, "--max-args", "a"),
    (All, "-tx -r0 echo", "a\0b"),
    (All, "--verb echo", "a"),
    (All, "--show-limits true", "a"),
    (All, "-s 1000 --show-limits true", "a"),
    (All, "-s 99999999999 echo", "a"),
    (All, "-n 5000 sh -c 'echo $#'", "LONG"),
    (All, "sh -c 'echo $#'", "LONG"),
    (All, "-s 2000 sh -c 'echo $#'", "LONG"),
    (All, "-s 2000 -x -n 100 sh -c 'echo $#'", "LONG"),
];

/// What a command line has done.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    stdout: String,
    stderr: String,
    code: Option<i32>,
    files: BTreeMap<PathBuf, String>,
}

fn is_gnu() -> bool {
    let version = Command::new(XARGS).arg("--version").output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).starts_with("xargs (GNU findutils) 4.9."))
}

/// Runs `program` with the words of a row in a folder that holds a few files.
fn run(program: &str, words: &str, input: &str) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("in.txt", "one two\nthree\n", 0o644);
    file("plain", "echo plain \"$@\"\n", 0o755);
    file("script", "#!/bin/sh\necho script \"$@\"\n", 0o755);
    file("no-interpreter", "#!/no/such/interpreter\n", 0o755);
    let long: String = (0..30_000).map(|number| format!("{number}\n")).collect();
    let input = if input == "LONG" { &long } else { input };
    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!("exec {program} {words}")])
        .current_dir(folder.path())
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("HOME", "/nowhere")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads nothing has ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().into(), fs::read_to_string(&path).unwrap())
    });
    Done {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
        files: files.collect(),
    }
}

/// In the form that is compared.
fn comparable(done: Done, compared: Compared) -> Done {
    let sorted = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    match compared {
        All => done,
        Sorted => Done { stdout: sorted(&done.stdout), stderr: sorted(&done.stderr), ..done },
        NotStderr => Done { stderr: String::new(), ..done },
    }
}

fn compare(rows: &[Row]) {
    if !is_gnu() {
        println!("skipped: {XARGS} is not xargs of GNU findutils 4.9");
        return;
    }
    let ours = format!("{} xargs", env!("CARGO_BIN_EXE_supervisor"));
    let mut failures = Vec::new();
    for (compared, words, input) in rows {
        let expected = comparable(run(XARGS, words, input), *compared);
        // Xargs names itself as it was called.
        let expected = Done { stderr: expected.stderr.replace(&format!("{XARGS}: "), "xargs: "), ..expected };
        let expected =
            Done { stderr: expected.stderr.replace(&format!("'{XARGS} --help'"), "'xargs --help'"), ..expected };
        let found = comparable(run(&ours, words, input), *compared);
        if found != expected {
            failures.push(format!("xargs {words}  of {input:?}\n  xargs: {expected:?}\n  ours:  {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} differ\n{}", failures.len(), rows.len(), failures.join("\n"));
}

#[test]
fn arguments_are_read_as_by_xargs() {
    compare(READING);
}

#[test]
fn command_lines_are_filled_as_by_xargs() {
    compare(FILLING);
}

#[test]
fn commands_run_as_by_xargs() {
    compare(RUNNING);
}

#[test]
fn there_are_enough_rows() {
    assert!(READING.len() + FILLING.len() + RUNNING.len() >= 150);
}

/// The next number of a sequence that a seed fixes (xorshift64).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 33) as usize
}

#[test]
fn any_input_is_read_as_by_xargs() {
    if !is_gnu() {
        println!("skipped: {XARGS} is not xargs of GNU findutils 4.9");
        return;
    }
    const PIECES: [&str; 14] = ["a", "b", " ", " ", "\n", "\n", "'", "\"", "\\", "\t", "E", "''", "c d", "\u{c}"];
    const OPTIONS: [&str; 7] = ["-n1", "-n2", "-L1", "-I{}", "-E E -n1", "-d ' ' -n1", "-s 12"];
    let ours = format!("{} xargs", env!("CARGO_BIN_EXE_supervisor"));
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..150 {
        let count = next(&mut state) % 10;
        let input: String = (0..count).map(|_| PIECES[next(&mut state) % PIECES.len()]).collect();
        let words =
            format!("{} sh -c 'printf \"<%s>\" \"$@\"; echo' x {{}}", OPTIONS[next(&mut state) % OPTIONS.len()]);
        let words = if words.starts_with("-s") { "-s 12 echo".to_owned() } else { words };
        let expected = comparable(run(XARGS, &words, &input), NotStderr);
        let found = comparable(run(&ours, &words, &input), NotStderr);
        assert_eq!(found, expected, "xargs {words}  of {input:?}");
    }
}

#[test]
fn a_link_of_the_name_xargs_is_xargs() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("xargs");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_supervisor"), &link).unwrap();
    let done = run(link.to_str().unwrap(), "-n2 echo", "a b c\n");
    assert_eq!((done.stdout.as_str(), done.stderr.as_str(), done.code), ("a b\nc\n", "", Some(0)));
    let other = folder.path().join("another-name");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_supervisor"), &other).unwrap();
    assert_eq!(run(other.to_str().unwrap(), "-- echo", "a b\n").stdout, "a b\n");
}

#[test]
fn a_stdout_that_nobody_reads_is_the_matter_of_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = Command::new(env!("CARGO_BIN_EXE_supervisor"))
        .args(["xargs", "-n1", "touch"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(writer)
        .spawn()
        .unwrap();
    let names: String = (0..100).map(|number| format!("f{number}\n")).collect();
    child.stdin.take().unwrap().write_all(names.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 100);
}

/// The processes that are left when the supervisor is killed: none.
#[test]
fn nothing_is_left_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_supervisor"))
        .args(["xargs", "-n1", "sh", "-c"])
        // It holds the FIFO open for as long as it lives.
        .arg(format!("exec 3>{}; sleep 1000", fifo.display()))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(b"a\n").unwrap();
    // Returns when the command has opened it.
    let mut reader = fs::File::open(Path::new(&fifo)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // Returns when nobody holds it any more.
    assert_eq!(std::io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
}
