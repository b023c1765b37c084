//! `--results`: the files and tables of the real program, and beside them those of GNU parallel where it is installed, which
//! have to be the same to the byte.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use support::SUPERVISOR;

const PARALLEL: &str = "/usr/bin/parallel";

/// What a line of bash leaves in a new folder, and what it wrote.
struct Run {
    /// The content of each file, by its path; folders have none.
    tree: BTreeMap<String, String>,
    out: String,
    err: String,
    code: Option<i32>,
}

fn run(line: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", line]).current_dir(&folder).env("HOME", folder.path()).env("SUPERVISOR", SUPERVISOR);
    let output = command.env_remove("PARALLEL").stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut tree = BTreeMap::new();
    walk(folder.path(), folder.path(), &mut tree);
    Run { tree, out: text(&output.stdout), err: text(&output.stderr), code: output.status.code() }
}

fn walk(root: &Path, folder: &Path, tree: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        // What parallel keeps of itself in its home.
        if name == ".parallel" {
            continue;
        }
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            walk(root, &path, tree);
            tree.insert(format!("{name}/"), String::new());
        } else if kind.is_file() {
            tree.insert(name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned());
        }
    }
}

/// Runs the same with parallel; `None`: it is not installed.
fn of_parallel(words: &str) -> Option<Run> {
    if !Path::new(PARALLEL).exists() {
        println!("skipped: parallel is not installed");
        return None;
    }
    Some(run(&format!("{PARALLEL} --will-cite -j1 {words}")))
}

/// The files that parallel has, too.
fn common(tree: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let own = |name: &str| ["/exit", "/timing", ".exit", ".timing"].iter().any(|end| name.ends_with(end));
    tree.iter().filter(|(name, _)| !own(name)).map(|(name, text)| (name.clone(), text.clone())).collect()
}

#[test]
fn the_files_are_those_of_gnu_parallel() {
    let table = [
        "--results D 'echo {}; echo e{} >&2; exit {#}' ::: a 'b c' ::: x/y",
        "--results D/ echo ::: a",
        r"--results D 'echo {#}' ::: '' . .. 'a\b' $'t\tb' 'z\0' 'a+z_' -x '*'",
        "--results D 'echo {#}' ::: a a",
        "--header : --results D echo {v} {w} ::: v 1 2 ::: w/x 3",
        "--header : --colsep , --results D echo {1} < <(printf '11a,1b,1a,b,a\\n1,2,3,4,5\\n')",
        "--header : --results D echo {1} :::: <(printf 'v\\nw\\n')",
        "--header 0 --results D echo {1} :::: <(printf 'v\\nw\\n')",
        "--colsep , --results D echo {1} ::: 1,2,3",
        "-n 2 --results D echo ::: a b c",
        "-n 2 --results D echo {} ::: a b ::: c d",
        "--results T/{1}/{2}/ 'echo {}; echo {} >&2' ::: a b ::: c d",
        "--results F/{1}-{2} 'echo {}; echo {} >&2' ::: a b ::: c",
        "--results n-{#} echo ::: a b",
        "--results '{//}/r/{/.}/' echo ::: x/y.c",
        "--results D echo {#} ::: $(printf 'x%.0s' {1..300})",
        "--results D 'seq 100000; : {}' ::: large",
    ];
    for words in table {
        let (flags, rest) = words.split_at(words.find("echo").or_else(|| words.find("'seq")).unwrap());
        let (flags, rest) =
            flags.strip_suffix('\'').map_or((flags, rest.to_owned()), |flags| (flags, format!("'{rest}")));
        let own = run(&format!("$SUPERVISOR -q -j1 {flags} --shell -- {rest}"));
        assert_eq!((own.out.as_str(), own.err.as_str()), ("", ""), "{words}");
        assert!(own.tree.len() > 4, "{words}: {:?}", own.tree.keys());
        if let Some(theirs) = of_parallel(words) {
            assert_eq!(common(&own.tree), theirs.tree, "{words}: {}", theirs.err);
        }
    }
}

#[test]
fn the_tables_are_those_of_gnu_parallel() {
    let table = [
        "'echo {}; echo {}, >&2; exit {#}' ::: a 'b c' 'q\"' ::: x",
        r"'printf '\''a\0b\tc\\\n'\''; : {}' ::: $'t\tb' 'é' 'a,b'",
        "--header : 'echo {v}' ::: v 1 2 ::: w 3",
        "-n 2 'echo {}' ::: a b c",
        "-n 11 'echo {1}' ::: 1 2 3 4 5 6 7 8 9 10 11",
        "--header : -n 2 'echo {v}' ::: v 1 2",
        "'seq 30000; : {}' ::: large",
        "'kill -9 $$; : {}' ::: a",
    ];
    // Times become words.
    let times = r#"sed -E 's/[0-9]{9,}\.[0-9]{3}/START/; s/(START[^0-9]+)[0-9]+\.[0-9]{3}/\1TIME/'"#;
    for end in ["csv", "tsv", "json", "CSV"] {
        for words in table {
            let (flags, rest) = words.split_at(words.find('\'').unwrap());
            let line = |program: &str, rest: &str| {
                run(&format!("{program} --results o.{end} {flags} {rest}; {times} -i o.{end}"))
            };
            let own = line("$SUPERVISOR -q -j1 --crash-limit 1 --shell", &format!("-- {rest}"));
            assert_eq!((own.out.as_str(), own.err.as_str(), own.tree.len()), ("", "", 1), "{end} {words}");
            if Path::new(PARALLEL).exists() {
                let theirs = line(&format!("{PARALLEL} --will-cite -j1"), rest);
                assert_eq!(own.tree, theirs.tree, "{end} {words}");
            }
        }
        let line = format!("--results -.{} echo ::: a | {times}", end.to_lowercase());
        let own = run(&format!("$SUPERVISOR -q -j1 --shell {}", line.replace("echo", "-- echo")));
        assert!(own.out.contains("START") && own.out.contains("TIME"), "{}", own.out);
        if let Some(theirs) = of_parallel(&line) {
            assert_eq!(own.out, theirs.out, "{end}");
        }
    }
}

#[test]
fn exit_and_timing_are_beside_them() {
    let line = "$SUPERVISOR -q -j1 --crash-limit 1 --timeout 0.3 --results D -- sh -c {} ::: \
                'exit 0' 'exit 3' 'kill -9 $$' 'exec sleep 100'; for i in D/1/*; do cat \"$i/exit\"; done; cat D/1/*/timing";
    let found = run(line);
    let lines: Vec<&str> = found.out.lines().collect();
    // As the shell sorts them: exec sleep, exit 0, exit 3, kill.
    assert_eq!(lines[..4], ["124", "0", "3", "137"], "{}{}", found.out, found.err);
    for timing in &lines[4..] {
        let (started, runtime) = timing.split_once('\t').unwrap();
        assert!(started.parse::<f64>().unwrap() > 1e9 && runtime.parse::<f64>().unwrap() < 60.0, "{timing}");
    }
    let named = run("$SUPERVISOR -q --results r-{} --shell -- 'exit {}' ::: 5");
    assert_eq!(named.tree["r-5.exit"], "5\n");
    assert!(named.tree.contains_key("r-5.timing") && named.tree.contains_key("r-5.err"));
}

#[test]
fn what_is_stored_is_shown_if_asked_for() {
    let script = "--results D --shell -- 'echo o{}; echo e{} >&2; exit {}' ::: 0 3";
    for (flags, out, err) in [
        ("", "", ""),
        ("--show all", "o0\no3\n", "e0\ne3\n"),
        ("--show failed", "o3\n", "e3\n"),
        ("--output results", "o0\no3\n", "e0\ne3\n"),
        ("--output results --show failed", "o3\n", "e3\n"),
    ] {
        let found = run(&format!("$SUPERVISOR -q -k -j1 {flags} {script}"));
        assert_eq!((found.out.as_str(), found.err.as_str()), (out, err), "{flags}");
        assert_eq!(found.tree["D/1/3/stdout"], "o3\n", "{flags}");
    }
    let json = run(&format!("$SUPERVISOR -q -j1 --output json {script}"));
    assert_eq!(json.out.lines().count(), 2);
}

#[test]
fn items_that_do_not_run_have_no_files() {
    let found = run("$SUPERVISOR -q -j1 --fail-fast --results D --shell -- 'exit {}' ::: 1 2 3");
    assert_eq!(found.tree.keys().filter(|name| name.ends_with("/seq")).collect::<Vec<_>>(), ["D/1/1/seq"]);
    let empty = run("$SUPERVISOR -q --results D -- echo :::: /dev/null");
    assert!(empty.tree.is_empty() && empty.code == Some(0));
}

#[test]
fn a_failure_to_store_is_one_line_and_exit_4() {
    let table = [
        ("touch D; ", "--results D", "D/1/a"),
        ("mkdir -p D/1/a/stdout; ", "--results D", "D/1/a/stdout"),
        // Neither a link nor a FIFO without a reader is written to.
        ("mkdir -p D/1/a; touch kept; ln -s ../../../kept D/1/a/stdout; ", "--results D", "D/1/a/stdout"),
        ("mkdir -p D/1/a; mkfifo D/1/a/stderr; ", "--results D", "D/1/a/stderr"),
        ("ln -s /dev/full o.csv; ", "--results o.csv", "o.csv"),
        ("", "--results '/proc/{}/'", "/proc/a"),
    ];
    for (before, flags, named) in table {
        let found = run(&format!(
            "{before}timeout 60 $SUPERVISOR -q -j1 {flags} -- echo ::: a b; code=$?; rm -rf D; exit $code"
        ));
        assert_eq!(found.code, Some(4), "{before}{flags}: {}", found.err);
        assert!(found.err.lines().count() == 1 && found.err.contains(named), "{before}{flags}: {}", found.err);
        assert!(found.tree.get("kept").is_none_or(String::is_empty), "{before}");
    }
}

#[test]
fn a_file_that_cannot_grow_ends_the_run() {
    for (flags, named) in [("--results D", "D/1/a/stdout"), ("--results o.csv", "o.csv")] {
        let found = run(&format!(
            "(ulimit -f 10; timeout 60 $SUPERVISOR -q -j1 {flags} --shell -- 'seq 8000; : {{}}' ::: a b)"
        ));
        assert_eq!((found.code, found.err.lines().count()), (Some(4), 1), "{flags}: {}", found.err);
        assert!(found.err.contains(named), "{flags}: {}", found.err);
    }
}

#[test]
fn what_results_cannot_heed_is_refused() {
    for (flags, named) in [
        ("--results ''", "--results"),
        ("--results x -u", "--ungroup"),
        ("--results x --lb", "--line-buffer"),
        ("--results -.csv --output json", "--output"),
        ("--results -.csv --show all", "--show"),
        ("--protocol lines --results x", "--results"),
    ] {
        let found = run(&format!("$SUPERVISOR {flags} -- cat ::: a"));
        assert_eq!((found.code, found.err.lines().count()), (Some(2), 1), "{flags}: {}", found.err);
        assert!(found.err.contains(named), "{flags}: {}", found.err);
    }
    let missing = run("$SUPERVISOR --results /nonexistent/o.json -- echo ::: a");
    assert_eq!((missing.code, missing.err.lines().count()), (Some(2), 1), "{}", missing.err);
    let input = run("echo a >o.csv; $SUPERVISOR --results o.csv -a o.csv -- echo");
    assert_eq!((input.code, input.tree["o.csv"].as_str()), (Some(2), "a\n"), "{}", input.err);
}
