//! Columns, combinations and lists of arguments through the real program, and beside GNU parallel and xargs where they are
//! installed: the same command lines print the same bytes and end with the same code.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_supervisor");

/// A folder with the files that the command lines name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("letters", "a\nb\nc\n"),
        ("numbers", "1\n2\n"),
        ("table", "name,size\nx.c, 10 \ny.h,20,more\n\nz,\n"),
        ("tabs", "first\tsecond one\nA\tB c\nD\tE\n"),
        ("blank", "a\n\n \t\nb\n"),
        ("goes_on", "a b \nc\nd\n\ne\t\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    // GNU parallel asks for citations unless this file is there.
    fs::create_dir(folder.path().join(".parallel")).unwrap();
    fs::write(folder.path().join(".parallel/will-cite"), "").unwrap();
    folder
}

fn run(program: &Path, words: &[&str], input: &str, folder: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).env("HOME", folder).env_remove("PARALLEL");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Shorter than the pipe's buffer. A program that does not read it is no failure.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn installed(name: &str) -> Option<PathBuf> {
    let found = ["/usr/bin", "/usr/local/bin", "/bin"].map(|folder| Path::new(folder).join(name));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        println!("skipped: {name} is not installed");
    }
    found
}

fn shown(output: &Output) -> (String, Option<i32>) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

/// Flags, command and inputs; what they print is in the second part. The words are separated by blanks.
const LINES: &[(&str, &str)] = &[
    ("-- echo {1} {2} ::: a b ::: 1 2", "a 1\na 2\nb 1\nb 2\n"),
    ("-- echo ::: a b ::: 1 ::: x y", "a 1 x\na 1 y\nb 1 x\nb 1 y\n"),
    ("-- echo ::: a b c :::+ 1 2 ::: x y", "a 1 x\na 1 y\nb 2 x\nb 2 y\n"),
    ("-- echo ::: a b ::: 1 2 3 :::+ x y", "a 1 x\na 2 y\nb 1 x\nb 2 y\n"),
    ("-- echo :::: letters numbers", "a 1\na 2\nb 1\nb 2\nc 1\nc 2\n"),
    ("-- echo :::: letters ::::+ numbers ::: x", "a 1 x\nb 2 x\n"),
    ("-- echo :::: - ::: x y", "7 x\n7 y\n8 x\n8 y\n"),
    ("-- echo ::: x y :::: -", "x 7\nx 8\ny 7\ny 8\n"),
    ("-a letters -a numbers -- echo", "a 1\na 2\nb 1\nb 2\nc 1\nc 2\n"),
    ("-a numbers -- echo ::: x y", "1 x\n1 y\n2 x\n2 y\n"),
    ("-- echo ::: ::: a b", " a\n b\n"),
    ("-- echo ::: a b :::+", "a \n"),
    ("-- echo :::+ a b", "a\nb\n"),
    ("--arg-sep , -- echo , a b ,+ 1 2 , x", "a 1 x\nb 2 x\n"),
    ("-- echo {1/} {2//} {-1/.} {2.} ::: a/b.c ::: d/e.f", "b.c d e d/e\n"),
    ("-- echo {0} {3} x{3}y {01} ::: a ::: b", "a b xy a\n"),
    ("-- echo x{}y ::: a b ::: 1", "xa 1y\nxb 1y\n"),
    ("--tag -- echo x{}y ::: a b ::: 1", "a 1\txa 1y\nb 1\txb 1y\n"),
    ("-C , -a table -- echo {2} {1.} {-1}", "size name size\n10 x 10\n20 y more\n \n z \n"),
    (
        "--colsep , --header : -a table -- echo {size} {name.} {other}",
        "10 x {other}\n20 y {other}\n {other}\n z {other}\n",
    ),
    ("--header : -a tabs -- echo {second one}/{first}", "B c/A\nE/D\n"),
    ("--header : -- echo {b} {a} ::: a 1 2 ::: b 3", "3 1\n3 2\n"),
    ("--header : -- echo {nm} ::: name x", "{nm} x\n"),
    ("--header 0 -- echo {numbers} {letters} :::: letters numbers", "1 a\n2 a\n1 b\n2 b\n1 c\n2 c\n"),
    ("--colsep ; -- echo {1}-{2} ::: a;b c;d;e", "a-b\nc-d\n"),
    ("--colsep [;:]+ -- echo ::: a;:b c:d", "a b\nc d\n"),
    ("-n 2 -- echo x{}y ::: a b c", "xa by\nxcy\n"),
    ("-n 2 -- echo {2} {3} {-1} ::: a b c d", "b b\nd d\n"),
    ("-n 2 -- echo ::: a b c ::: 1 2", "a 1 a 2\nb 1 b 2\nc 1 c 2\n"),
    ("-n 0 --tag -- echo hi ::: a b", "\thi\n\thi\n"),
    ("-n 2 -- test {1} -lt {2} ::: 1 2 5 4 9 8", ""),
    ("-X -j2 -- echo x{}y ::: a b c d e", "xay xby xcy\nxdy xey\n"),
    ("-X -j1 -- echo {1}-{} {#}{} {#} ::: a b c", "a-a a-b a-c 1a 1b 1c 1\n"),
    ("-m -j3 -- echo x{}y ::: a b c d", "xa by\nxc dy\n"),
    ("-X -j2 -n3 -- echo ::: a b c d e", "a b c\nd\ne\n"),
    ("-m -j2 -n2 -- echo :::: -", "7\n8\n"),
    ("-s 12 -X -j1 -- echo ::: 1 2 3 4 5 6", "1 2 3\n4 5 6\n"),
    ("-s 12 -n2 -- echo ::: 111 222 3 4 5 6", "111\n222 3\n4 5\n6\n"),
    ("-s 25 -m -j1 -- echo a{}b {} ::: 1 2 3 4 5 6 7", "a1 2 3 4b 1 2 3 4\na5 6 7b 5 6 7\n"),
    ("-L 2 -- echo x{}y ::: a b c", "xay xby\nxcy\n"),
    ("-L 1 -a goes_on -- echo", "a b c\nd\n\ne\t\n"),
    ("-L 2 -m -j1 -a goes_on -- echo x{}y", "xa b c dy\nx e\ty\n"),
    ("-r -a blank -- echo x{}y", "xay\nxby\n"),
    ("-E b -- echo ::: a b c ::: 1 2", "a 1\na 2\n"),
    ("-E b -a letters -- echo", "a\n"),
    ("-I ,, -- echo ,, {} {1} {/} ::: d/a", "d/a {} {1} a\n"),
    ("-I {x} -- echo {x} {2x} {1} ::: a ::: b", "a b b {1}\n"),
    ("-I X -X -j1 -- echo aXb ::: 1 2", "a1b a2b\n"),
];

#[test]
fn items_become_arguments_as_in_gnu_parallel() {
    let folder = folder();
    let parallel = installed("parallel");
    for (line, printed) in LINES {
        let words = |name: &str| -> Vec<String> {
            // Words with a blank are written with an underscore here.
            let words = line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let words = words.iter().scan(String::new(), |open, word| {
                open.push_str(word);
                let is_open = open.matches('{').count() != open.matches('}').count();
                if is_open {
                    open.push(' ');
                }
                Some(if is_open { None } else { Some(std::mem::take(open)) })
            });
            let words = words.flatten().filter(|word| name != "parallel" || word != "--");
            words.collect()
        };
        let run_as = |program: &Path, name: &str, own: &[&str]| {
            let words = words(name);
            let words: Vec<&str> = own.iter().copied().chain(words.iter().map(String::as_str)).collect();
            run(program, &words, "7\n8\n", folder.path())
        };
        let ours = run_as(Path::new(SUPERVISOR), "supervisor", &["-k", "--exit-code", "count", "--summary", "never"]);
        assert_eq!(shown(&ours).0, *printed, "{line}: {}", String::from_utf8_lossy(&ours.stderr));
        if let Some(parallel) = &parallel {
            let theirs = run_as(parallel, "parallel", &["-k", "--will-cite"]);
            assert_eq!(shown(&ours), shown(&theirs), "{line}: {}", String::from_utf8_lossy(&theirs.stderr));
        }
    }
}

#[test]
fn a_command_line_is_filled_as_far_as_gnu_parallel_does() {
    let folder = folder();
    let numbers: String = (1..=9000).map(|number| format!("{number:04}\n")).collect();
    fs::write(folder.path().join("many"), numbers.repeat(4)).unwrap();
    let sizes = |output: &Output| output.stdout.split(|byte| *byte == b'\n').map(<[u8]>::len).collect::<Vec<_>>();
    for flags in [&["-m"][..], &["-X"], &["-m", "-s", "2000"], &["-X", "-n", "500"]] {
        let words =
            |before: &[&'static str], own: &[&'static str]| [before, &["-k", "-j2", "-a", "many"], flags, own].concat();
        let ours = run(Path::new(SUPERVISOR), &words(&[], &["--", "echo", "x{}y"]), "", folder.path());
        assert_eq!(ours.status.code(), Some(0), "{}", String::from_utf8_lossy(&ours.stderr));
        assert!(sizes(&ours).len() > 4);
        if let Some(parallel) = installed("parallel") {
            let theirs = run(&parallel, &words(&["--will-cite"], &["echo", "x{}y"]), "", folder.path());
            assert_eq!(sizes(&ours), sizes(&theirs), "{flags:?}");
            assert!(ours.stdout == theirs.stdout, "{flags:?}");
        }
    }
}

#[test]
fn lists_of_arguments_are_those_of_xargs() {
    let folder = folder();
    let Some(xargs) = installed("xargs") else { return };
    let input: String = (1..=40).map(|number| format!("{number}\n")).collect();
    for flags in [
        &["-n", "1"][..],
        &["-n", "3"],
        &["-n", "100"],
        &["-n", "7", "-s", "20"],
        &["-r", "-n", "2"],
        &["-E", "9", "-n", "4"],
        &["-0", "-n", "2"],
    ] {
        let input = if flags[0] == "-0" { input.replace('\n', "\0") } else { input.clone() };
        let theirs = run(&xargs, &[flags, &["echo", "x"]].concat(), &input, folder.path());
        let own = ["-k", "-j1", "--exit-code", "xargs"];
        let ours = run(Path::new(SUPERVISOR), &[&own[..], flags, &["--", "echo", "x"]].concat(), &input, folder.path());
        assert_eq!(shown(&ours), shown(&theirs), "{flags:?}: {}", String::from_utf8_lossy(&ours.stderr));
    }
}

fn supervisor(words: &[&str], input: &str) -> Output {
    let folder = folder();
    run(Path::new(SUPERVISOR), words, input, folder.path())
}

#[test]
fn an_argument_is_never_cut_and_never_read_by_a_shell() {
    let hostile = ["a b", "$(id)", "'", "\"", "*", "", "{}", "{1}", "-n", "x\ny"];
    let mut words = vec!["-k", "-j1", "-n", "99", "--", "printf", "<%s>", "{}", ":::"];
    words.extend(hostile);
    let output = supervisor(&words, "");
    let expected: String = hostile.iter().map(|argument| format!("<{argument}>")).collect();
    assert_eq!(shown(&output), (expected.clone(), Some(0)));
    // A script gets each of them in a variable.
    let mut words = vec!["-j1", "-n", "99", "--shell", "--", "printf '<%s>' {}", ":::"];
    words.extend(hostile);
    assert_eq!(shown(&supervisor(&words, "")), (expected, Some(0)));
    let output = supervisor(&["-k", "--shell", "--", "echo {2}-\"{1}\" {#}", ":::", "a b", "c", ":::", "$x"], "");
    assert_eq!(shown(&output), ("$x-a b 1\n$x-c 2\n".to_owned(), Some(0)));
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    let folder = folder();
    let odd = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let words = ["-k", "-n2", "--", "printf", "%s."].map(OsString::from);
    let inputs = [odd(b":::"), odd(b"\xff"), odd(b"a\xfe"), odd(b"b")];
    let mut command = Command::new(SUPERVISOR);
    let output = command.args(words).args(inputs).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.stdout, b"\xff.a\xfe.b.");
}

#[test]
fn an_item_of_several_arguments_is_one_item() {
    let output =
        supervisor(&["-k", "-n", "2", "--output", "json", "-q", "--", "test", "1", "-eq", ":::", "1", "1"], "");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((object["input"].as_str(), object["item"].as_u64()), (Some("1 1"), Some(0)));
    assert_eq!(object["args"], serde_json::json!(["1", "1"]));
    // It is tried again as a whole, and told as it is shown.
    let output = supervisor(&["-j1", "-n", "2", "--retries", "1", "-v", "--", "false", ":::", "a", "b c"], "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("false a b\\ c") && stderr.contains("item 0 (\"a b c\")"), "{stderr}");
    let dry = supervisor(&["--dry-run", "-n", "2", "--", "echo", "x{}y", ":::", "a", "b c", "d"], "");
    assert_eq!(shown(&dry), ("echo xa b\\ cy\necho xdy\n".to_owned(), Some(0)));
}

#[test]
fn the_built_in_worker_gets_combinations_as_text() {
    let output = supervisor(&["-k", "-w", "1", "--task", "echo", ":::", "a", "b", ":::", "1", "2"], "");
    assert_eq!(shown(&output), ("a 1\na 2\nb 1\nb 2\n".to_owned(), Some(0)));
    let output = supervisor(&["-k", "-r", "-E", "9", "-a", "-"], "\n3\n\n4\n9\n5\n");
    assert_eq!(shown(&output), ("9\n16\n".to_owned(), Some(0)));
}

#[test]
fn a_shuffled_order_is_fixed_by_its_seed() {
    let shuffled = |seed: &str| {
        let words = ["-k", "--shuf", "--seed", seed, "--", "echo", ":::", "1", "2", "3", "4", "5", ":::", "a", "b"];
        shown(&supervisor(&words, "")).0
    };
    let (once, again) = (shuffled("7"), shuffled("7"));
    assert_eq!(once, again);
    assert_ne!(once, shuffled("8"));
    let mut lines: Vec<&str> = once.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1 a", "1 b", "2 a", "2 b", "3 a", "3 b", "4 a", "4 b", "5 a", "5 b"]);
}

#[test]
fn comma_separated_values_have_names_quotes_and_newlines() {
    let csv = "name,\"the size\"\n\"a, b\",1\n\"two\nlines \"\"x\"\"\",2\n";
    let output = supervisor(&["-k", "--csv", "--header", ":", "--", "printf", "<%s|%s>", "{the size}", "{name}"], csv);
    assert_eq!(shown(&output), ("<1|a, b><2|two\nlines \"x\">".to_owned(), Some(0)));
}

#[test]
fn an_item_that_fits_no_command_line_fails_alone() {
    let output = supervisor(&["-k", "-s", "12", "--", "echo", ":::", "1", "123456789", "2"], "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(shown(&output), ("1\n2\n".to_owned(), Some(1)));
    assert!(stderr.contains("item 1") && stderr.contains("--max-chars"), "{stderr}");
}

#[test]
fn an_endless_input_is_read_as_it_is_needed() {
    // `yes` ends by PIPE when the run has stopped at its fifth item.
    let script = "yes | \"$0\" -n 3 --halt soon,success=5 -j1 --summary never -- echo {} :::: - ::: a b | head -n 4";
    let output = Command::new("sh").args(["-c", script, SUPERVISOR]).output().unwrap();
    assert_eq!(shown(&output), ("y a y b y a\ny b y a y b\n".repeat(2), Some(0)));
}
