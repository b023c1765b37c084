//! What the subcommands say of a journal, each of which is written here record by record.
//!
//! `JOURNAL_ITEMS=10000000 JOURNAL_FILE=PATH cargo test --test journal_reading many_items` keeps a large one.

mod support;

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::Command;
use supervisor::journal::layout;
use supervisor::journal::record::{
    Accepted, AttemptTime, ContentKind, ContentPiece, GivenAway, JournalHead, JournalMark, JournalRecord, RunFact,
    SettledItems,
};
use supervisor::model::exit::ExitStatus;
use supervisor::model::ids::{Attempt, ItemId, WorkerId};
use supervisor::model::outcome::{Cause, CauseKind, FailReason, Outcome};
use supervisor::model::signal::Signal;
use supervisor::model::time::Duration;
use support::{Finished, SUPERVISOR, output};

type Record = JournalRecord<'static>;

const MARK: JournalMark = JournalMark(0x7711_2233_4455_6677);

/// A journal in a folder of its own.
struct Journal {
    folder: tempfile::TempDir,
    path: PathBuf,
    /// Where its records begin.
    starts: Vec<u64>,
}

impl Journal {
    fn of(records: &[Record]) -> Self {
        let mut bytes = layout::head(JournalHead { mark: MARK }).to_vec();
        let mut starts = Vec::new();
        for record in records {
            starts.push(bytes.len() as u64);
            let at = bytes.len() as u64;
            layout::append(&mut bytes, MARK, at, record).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.journal");
        std::fs::write(&path, bytes).unwrap();
        Self { folder, path, starts }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(&self.path).unwrap();
        change(&mut bytes);
        std::fs::write(&self.path, bytes).unwrap();
    }

    fn tool(&self, name: &str, arguments: &[&str]) -> Finished {
        output(&[&[name, self.path.to_str().unwrap()], arguments].concat(), b"")
    }

    fn json(&self, name: &str, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.tool(name, &[arguments, &["--output", "json"]].concat()).stdout).unwrap()
    }
}

/// The session of all tests begins at 2023-11-14T22:13:20Z.
const STARTED_UNIX_NS: u64 = 1_700_000_000_000_000_000;

const SESSION: Record = JournalRecord::Session { started_unix_ns: STARTED_UNIX_NS, pid: 4321 };

fn opened() -> Record {
    JournalRecord::Opened { run_id: "run-1".into(), facts: Vec::new() }
}

fn accepted(first: u64, count: u32) -> Record {
    JournalRecord::Accepted(Accepted {
        first: ItemId(first),
        count,
        offset: first * 2,
        bytes: 2 * u64::from(count),
        hash: 0,
    })
}

fn begun(first: u64, count: u32, attempt: u32) -> Record {
    JournalRecord::Begun { first: ItemId(first), count, attempt: Attempt(attempt), at: Duration::from_millis(10) }
}

fn settlement(first: u64, count: u32, outcome: Outcome) -> SettledItems<'static> {
    SettledItems {
        first: ItemId(first),
        count,
        outcome,
        attempts: 1,
        worker: None,
        pid: None,
        at: Duration::from_millis(1500),
        time: None,
        exit: None,
        causes: Vec::new().into(),
        causes_omitted: 0,
    }
}

fn settled(first: u64, count: u32, outcome: Outcome) -> Record {
    JournalRecord::Settled(settlement(first, count, outcome))
}

fn content(item: u64, kind: ContentKind, at: u64, is_last: bool, bytes: &'static [u8]) -> Record {
    JournalRecord::Content(ContentPiece { first: ItemId(item), count: 1, kind, at, is_last, bytes: bytes.into() })
}

/// Ten items of which seven are settled.
fn crashed() -> Vec<Record> {
    vec![
        opened(),
        SESSION,
        accepted(0, 10),
        begun(0, 9, 1),
        settled(0, 5, Outcome::Done),
        settled(5, 1, Outcome::Failed),
        settled(6, 1, Outcome::Dead),
    ]
}

#[test]
fn audit_shows_books_that_balance() {
    let run = Journal::of(&crashed()).tool("audit", &[]);
    let expected = "\
accepted   10
done        5
failed      1
dead        1
skipped     0
in flight   3
the books balance
";
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (0, expected, ""));
}

#[test]
fn audit_names_a_torn_end_and_is_content() {
    let journal = Journal::of(&crashed());
    let last = journal.starts[6];
    journal.change(|bytes| bytes.truncate(last as usize + 17));
    let run = journal.tool("audit", &[]);
    let line = format!("offset {last}: torn end: 17 bytes that are no whole record, as a crash leaves them\n");
    assert!(run.stdout.ends_with(&format!("in flight   4\nthe books balance\n{line}")), "{}", run.stdout);
    assert_eq!(run.code(), 0);
    let object = journal.json("audit", &[]);
    assert_eq!(object["damage"].as_array().unwrap().len(), 1);
    assert_eq!((&object["damage"][0]["offset"], &object["balanced"]), (&json!(last), &json!(true)));
}

#[test]
fn audit_goes_on_behind_damage() {
    let journal = Journal::of(&crashed());
    let (damaged, next) = (journal.starts[4], journal.starts[5]);
    journal.change(|bytes| bytes[damaged as usize + 20] ^= 1);
    let run = journal.tool("audit", &[]);
    let line = format!("offset {damaged}: damage: {} bytes that are no record; ", next - damaged);
    assert!(run.stdout.contains(&format!("\nthe books balance\n{line}the next record is at offset {next}\n")));
    assert!(run.stdout.contains("\nfailed      1\n"), "what follows is read: {}", run.stdout);
    assert_eq!(run.code(), 1);
}

#[test]
fn audit_names_each_fault_with_its_offset() {
    let faults = [
        settled(0, 1, Outcome::Failed),
        content(7, ContentKind::Output, 0, false, b"ab"),
        settled(7, 1, Outcome::Done),
        JournalRecord::Emitted { shown: GivenAway::RecordedBefore(100_000), output_bytes: 0 },
        accepted(12, 1),
    ];
    let journal = Journal::of(&[&crashed()[..], &faults].concat());
    let run = journal.tool("audit", &[]);
    let at = &journal.starts[7..];
    let expected = format!(
        "the books do not balance: 4 faults, the first one at offset {}\n\
         offset {}: item 0 got a second outcome\n\
         offset {}: item 7 got its outcome before the last piece of its content\n\
         offset {}: the output was recorded up to offset 100000, which lies behind that record\n\
         offset {}: item 12 was accepted out of order\n",
        at[0], at[0], at[2], at[3], at[4]
    );
    assert!(run.stdout.ends_with(&expected), "{}", run.stdout);
    assert_eq!(run.code(), 1);
    let object = journal.json("audit", &[]);
    assert_eq!(
        object["faults"][1],
        json!({"offset": at[2], "what": "item 7 got its outcome before the last piece of its content"})
    );
    for (name, count) in [("accepted", 10), ("done", 6), ("failed", 1), ("dead", 1), ("skipped", 0), ("in_flight", 2)] {
        assert_eq!(object[name], count, "{name}");
    }
    assert_eq!(
        (&object["balanced"], &object["damage"], &object["running"]),
        (&json!(false), &json!([]), &json!(false))
    );
}

#[test]
fn what_is_no_journal_is_refused_with_its_kind() {
    let journal = Journal::of(&crashed());
    let folder = journal.folder.path();
    std::os::unix::fs::symlink(&journal.path, folder.join("link")).unwrap();
    std::fs::write(folder.join("text"), "hello\n").unwrap();
    std::fs::write(folder.join("empty"), "").unwrap();
    for (name, why) in [
        ("link", "is a symbolic link; give the file itself"),
        ("text", "is no journal"),
        ("empty", "is empty"),
        (".", "is a folder; give the file itself"),
        ("none", "cannot be opened: No such file or directory (os error 2)"),
    ] {
        let path = folder.join(name);
        let line = format!("supervisor: failed to read the journal {}: the file {why}\n", path.display());
        for words in [&["audit"][..], &["status"], &["show", "0"], &["export", "--format", "csv"]] {
            let run = output(&[&words[..1], &[path.to_str().unwrap()], &words[1..]].concat(), b"");
            assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (6, "", line.as_str()), "{words:?}");
        }
    }
    assert_eq!(output(&["audit"], b"").code(), 2);
}

/// An item that is tried twice, in two sessions.
fn retried() -> Vec<Record> {
    let cause = Cause {
        attempt: Attempt(1),
        worker: Some(WorkerId::from_index(1)),
        pid: Some(77),
        kind: CauseKind::Crashed(ExitStatus::Signal { signal: Signal::SEGV, core_dumped: false }),
    };
    let (after, at) = (Duration::from_millis(500), Duration::from_millis(20));
    vec![
        opened(),
        SESSION,
        accepted(0, 3),
        content(1, ContentKind::Item, 0, true, b"the \x1b[2J item"),
        begun(0, 3, 1),
        JournalRecord::Retried { item: ItemId(1), after, at, causes: vec![cause.clone()].into() },
        settled(0, 1, Outcome::Done),
        JournalRecord::Closed { exit_code: 130, all: false },
        JournalRecord::Session { started_unix_ns: STARTED_UNIX_NS + 60_000_000_000, pid: 4400 },
        begun(1, 1, 2),
        JournalRecord::Returned { first: ItemId(1), count: 1, attempt: Attempt(2), at: Duration::from_millis(11) },
        begun(1, 1, 2),
        content(1, ContentKind::Output, 0, false, b"one "),
        content(1, ContentKind::Output, 4, true, b"two\n"),
        JournalRecord::Settled(SettledItems {
            attempts: 2,
            worker: Some(WorkerId::from_index(0)),
            pid: Some(80),
            time: Some(AttemptTime { started: Duration::from_millis(11), runtime: Duration::from_millis(250) }),
            exit: Some(ExitStatus::Code(0)),
            causes: vec![cause].into(),
            ..settlement(1, 1, Outcome::Done)
        }),
        JournalRecord::Emitted { shown: GivenAway::Before(ItemId(2)), output_bytes: 8 },
    ]
}

#[test]
fn show_tells_all_that_happened_to_an_item() {
    let journal = Journal::of(&retried());
    let run = journal.tool("show", &["1"]);
    let expected = "\
item 1 (\"the \\u{1b}[2J item\"): done after 2 attempts
0.000000  Session 1 began, as pid 4321. It was 2023-11-14T22:13:20Z.
0.000000  It was accepted, at bytes 0 to 6 of the input, together with 2 others.
0.000000  Its text was recorded: 13 bytes, \"the \\u{1b}[2J item\".
0.010000  Attempt 1 began, together with 2 others.
0.020000  Attempt 1 failed: signal 11 (SEGV), at worker 2 (pid 77); it is tried
          again after 0.5s.
1.500000  Session 1 ended with exit code 130.
0.000000  Session 2 began, as pid 4400. It was 2023-11-14T22:14:20Z.
0.010000  Attempt 2 began.
0.011000  Attempt 2 was taken back, and does not count.
0.011000  Attempt 2 began.
0.011000  Its output was recorded: 8 bytes, \"one two\\n\".
1.500000  It is done after 2 attempts, by worker 1 (pid 80), with exit 0; the
          last attempt began at 0.011s and took 0.25s.
1.500000  Attempt 1 did not succeed: signal 11 (SEGV), at worker 2 (pid 77).
1.500000  Its output was given away.
";
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (0, expected, ""));
    let object = journal.json("show", &["1"]);
    assert_eq!(
        (&object["outcome"], &object["result"], &object["given_away"]),
        (&json!("done"), &json!("one two\n"), &json!(true))
    );
    assert_eq!(object["events"].as_array().unwrap().len(), 14);
    assert_eq!(journal.json("show", &["2"])["outcome"], "in_flight");
    let run = journal.tool("show", &["3"]);
    let error = "supervisor: failed to find item 3 in the journal: it has items 0-2\n";
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (2, "", error));
}

#[test]
fn status_tells_how_far_the_run_has_come() {
    let run = Journal::of(&retried()).tool("status", &[]);
    let expected = "\
accepted   3
done       2
failed     0
dead       0
skipped    0
in flight  1
no run writes the journal; the last session was session 2, pid 4400, from 2023-11-14T22:14:20Z on
1 item was settled in 1.5s of this session, 0.7 items/s
it did not end orderly: its process died, or could not write any more
";
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (0, expected, ""));
}

#[test]
fn status_sees_the_run_that_writes_the_journal() {
    let closed = [
        JournalRecord::Closed { exit_code: 1, all: true },
        SESSION,
        JournalRecord::Reopened { first: ItemId(0), count: 1 },
    ];
    let failed = [opened(), SESSION, accepted(0, 4), settled(0, 2, Outcome::Failed), settled(2, 2, Outcome::Done)];
    let journal = Journal::of(
        &[
            &failed[..],
            &closed,
            &[settled(0, 1, Outcome::Done), JournalRecord::Reopened { first: ItemId(1), count: 1 }],
        ]
        .concat(),
    );
    let writer = File::options().write(true).open(&journal.path).unwrap();
    let (l_type, l_whence) = (nix::libc::F_WRLCK as i16, nix::libc::SEEK_SET as i16);
    let whole = nix::libc::flock { l_type, l_whence, l_start: 0, l_len: 0, l_pid: 0 };
    nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole)).unwrap();
    let text = journal.tool("status", &[]).stdout;
    assert!(text.contains("\na run writes the journal: pid 4321, session 2, since 2023-11-14T22:13:20Z\n"), "{text}");
    assert!(text.trim_end().ends_with("s left"), "{text}");
    let object = journal.json("status", &[]);
    assert_eq!((&object["running"], &object["in_flight"], &object["sessions"]), (&json!(true), &json!(1), &json!(2)));
    assert!(
        journal
            .tool("audit", &[])
            .stdout
            .ends_with("a run writes the journal at the moment; it was read as far as it went\n")
    );
    // A child that another test starts at this moment holds the open file until it executes its program.
    let none = nix::libc::flock { l_type: nix::libc::F_UNLCK as i16, ..whole };
    nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_OFD_SETLK(&none)).unwrap();
    assert_eq!(journal.json("status", &[])["running"], false);
}

/// A run of a command for five lines of a file, which was stopped: a result, a failure, a death, an item that is reopened
/// and done, and one that waits.
fn exported(facts: &[(&'static str, Vec<u8>)]) -> Vec<Record> {
    let facts = facts.iter().map(|(name, value)| RunFact { name: (*name).into(), value: value.clone().into() });
    let cause = |kind| Cause { attempt: Attempt(1), worker: Some(WorkerId::from_index(0)), pid: Some(77), kind };
    let ended = |first, outcome, exit: ExitStatus, causes: Vec<Cause>| {
        JournalRecord::Settled(SettledItems {
            worker: Some(WorkerId::from_index(0)),
            pid: Some(77),
            time: Some(AttemptTime { started: Duration::from_millis(10), runtime: Duration::from_millis(1250) }),
            exit: Some(exit),
            causes: causes.into(),
            ..settlement(first, 1, outcome)
        })
    };
    let crash = ExitStatus::Signal { signal: Signal::SEGV, core_dumped: false };
    let failed = cause(CauseKind::Failed(FailReason::Exited(3)));
    vec![
        JournalRecord::Opened { run_id: "run <1>".into(), facts: facts.collect() },
        SESSION,
        accepted(0, 5),
        content(0, ContentKind::Item, 0, true, b"a"),
        content(1, ContentKind::Item, 0, true, b"b \"<&\x01"),
        content(2, ContentKind::Item, 0, true, b"c\xff"),
        begun(0, 4, 1),
        content(2, ContentKind::Output, 0, false, b"not this"),
        content(0, ContentKind::Output, 0, false, b"one,"),
        content(0, ContentKind::Output, 4, true, b"two\n"),
        ended(0, Outcome::Done, ExitStatus::Code(0), Vec::new()),
        content(1, ContentKind::Errors, 0, true, b"oh\n"),
        ended(1, Outcome::Failed, ExitStatus::Code(3), vec![failed.clone()]),
        JournalRecord::Session { started_unix_ns: STARTED_UNIX_NS + 60_000_000_000, pid: 1 },
        ended(2, Outcome::Dead, crash, vec![cause(CauseKind::Crashed(crash))]),
        ended(3, Outcome::Failed, ExitStatus::Code(3), vec![failed]),
        JournalRecord::Reopened { first: ItemId(3), count: 1 },
        settled(3, 1, Outcome::Done),
    ]
}

fn exec_facts() -> Vec<(&'static str, Vec<u8>)> {
    vec![("worker", b"exec".to_vec()), ("command", b"sh\0-c\0echo {} $HOME\0".to_vec())]
}

/// What `export` writes.
fn export(journal: &Journal, format: &str) -> (i32, String, String) {
    let run = journal.tool("export", &["--format", format]);
    (run.code(), run.stdout, run.stderr)
}

#[test]
fn export_writes_an_object_per_item() {
    let journal = Journal::of(&exported(&exec_facts()));
    let expected = "\
{\"item\":0,\"input\":\"a\",\"outcome\":\"done\",\"result\":\"one,two\\n\",\"attempts\":1,\"worker\":1,\"pid\":77,\
\"started\":0.010000000,\"runtime\":1.250000000,\"exit\":{\"code\":0},\"causes\":[]}
{\"item\":1,\"input\":\"b \\\"<&\\u0001\",\"outcome\":\"failed\",\"attempts\":1,\"worker\":1,\"pid\":77,\
\"started\":0.010000000,\"runtime\":1.250000000,\"exit\":{\"code\":3},\"error\":\"exit 3\",\
\"causes\":[{\"attempt\":1,\"worker\":1,\"pid\":77,\"exit\":{\"code\":3}}]}
{\"item\":2,\"input_base64\":\"Y/8=\",\"outcome\":\"dead\",\"attempts\":1,\"worker\":1,\"pid\":77,\
\"started\":0.010000000,\"runtime\":1.250000000,\"exit\":{\"signal\":11,\"name\":\"SEGV\",\"core\":false},\
\"error\":\"signal 11 (SEGV)\",\"causes\":[{\"attempt\":1,\"worker\":1,\"pid\":77,\
\"exit\":{\"signal\":11,\"name\":\"SEGV\",\"core\":false}}]}
{\"item\":3,\"outcome\":\"done\",\"attempts\":1,\"causes\":[]}
{\"item\":4,\"outcome\":\"waiting\",\"attempts\":0}
";
    assert_eq!(export(&journal, "jsonl"), (0, expected.to_owned(), String::new()));
}

#[test]
fn export_writes_a_table() {
    let journal = Journal::of(&exported(&exec_facts()));
    let bytes =
        Command::new(SUPERVISOR).arg("export").arg(&journal.path).args(["--format", "csv"]).output().unwrap().stdout;
    let expected = b"\
item,input,outcome,result,attempts,worker,pid,started,runtime,exit,error,causes\r\n\
0,a,done,\"one,two\n\",1,1,77,0.010000000,1.250000000,0,,\r\n\
1,\"b \"\"<&\x01\",failed,,1,1,77,0.010000000,1.250000000,3,exit 3,1: exit 3\r\n\
2,c\xff,dead,,1,1,77,0.010000000,1.250000000,signal 11 (SEGV),signal 11 (SEGV),1: signal 11 (SEGV)\r\n\
3,,done,,1,,,,,,,\r\n\
4,,waiting,,0,,,,,,,\r\n";
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn export_writes_the_log_of_gnu_parallel() {
    let header = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";
    let mut facts = exec_facts();
    let (_, lines, _) = export_lossy(&Journal::of(&exported(&facts)), "joblog");
    let expected = format!(
        "{header}\
         1\t:\t1700000000.010\t     1.250\t0\t8\t0\t0\tsh -c 'echo a $HOME'\n\
         2\t:\t1700000000.010\t     1.250\t0\t0\t3\t0\tsh -c 'echo b \"<&\u{1} $HOME'\n\
         3\t:\t1700000060.010\t     1.250\t0\t0\t0\t11\tsh -c 'echo c\u{fffd} $HOME'\n\
         4\t:\t1700000061.500\t     0.000\t0\t0\t0\t0\tsh -c echo {{}} $HOME\n"
    );
    assert_eq!(lines, expected);
    facts[1].1 = b"cat\0".to_vec();
    let (_, lines, _) = export_lossy(&Journal::of(&exported(&facts)), "joblog");
    assert!(lines.contains("\tcat a\n") && lines.ends_with("\tcat\n"), "{lines}");
    let (_, lines, _) = export_lossy(&Journal::of(&exported(&[("worker", b"task".to_vec())])), "joblog");
    assert!(lines.contains("\t0\t0\ta\n") && lines.ends_with("\t0\t0\t\n"), "{lines}");
}

/// [`export`] of what need not be UTF-8.
fn export_lossy(journal: &Journal, format: &str) -> (Option<i32>, String, String) {
    let run = Command::new(SUPERVISOR).arg("export").arg(&journal.path).args(["--format", format]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (run.status.code(), text(run.stdout), text(run.stderr))
}

#[test]
fn export_writes_a_suite_of_tests() {
    let expected = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuite name=\"run &lt;1&gt;\" tests=\"5\" failures=\"1\" errors=\"1\" skipped=\"1\">
  <testcase classname=\"supervisor\" name=\"a\" time=\"1.250\">
    <system-out>one,two&#10;</system-out>
  </testcase>
  <testcase classname=\"supervisor\" name=\"b &quot;&lt;&amp;\u{fffd}\" time=\"1.250\">
    <failure message=\"exit 3\"/>
    <system-err>oh&#10;</system-err>
  </testcase>
  <testcase classname=\"supervisor\" name=\"c\u{fffd}\" time=\"1.250\">
    <error message=\"signal 11 (SEGV)\"/>
  </testcase>
  <testcase classname=\"supervisor\" name=\"item 3\">
  </testcase>
  <testcase classname=\"supervisor\" name=\"item 4\">
    <skipped message=\"waiting\"/>
  </testcase>
</testsuite>
";
    assert_eq!(export(&Journal::of(&exported(&[])), "junit"), (0, expected.to_owned(), String::new()));
}

#[test]
fn export_lists_failed_items_and_misses_the_text_of_none() {
    let journal = Journal::of(&exported(&[]));
    let all = (Some(0), "b \"<&\u{1}\nc\u{fffd}\n".to_owned(), String::new());
    assert_eq!(export_lossy(&journal, "failed"), all);
    let unknown = [&exported(&[])[..], &[settled(4, 1, Outcome::Failed)]].concat();
    let error = "supervisor: item 4 is failed, and the journal does not have its text\n".to_owned();
    assert_eq!(export_lossy(&Journal::of(&unknown), "failed"), (Some(1), all.1, error));
}

/// Results of items that came together are told apart.
#[test]
fn export_finds_the_lines_of_several_items() {
    let several = |kind, bytes: &'static [u8]| {
        JournalRecord::Content(ContentPiece {
            first: ItemId(1),
            count: 3,
            kind,
            at: 0,
            is_last: true,
            bytes: bytes.into(),
        })
    };
    let records = [
        JournalRecord::Opened {
            run_id: "r".into(),
            facts: vec![RunFact { name: "delimiter".into(), value: b"\0".into() }],
        },
        SESSION,
        accepted(0, 4),
        several(ContentKind::Item, b"x\n\0y\0z"),
        several(ContentKind::Output, b"1\n\n333\n"),
        settled(0, 4, Outcome::Done),
    ];
    let (code, text, _) = export(&Journal::of(&records), "jsonl");
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = objects.iter().map(|object| (object["input"].as_str(), object["result"].as_str())).collect();
    let expected = [(None, None), (Some("x\n"), Some("1")), (Some("y"), Some("")), (Some("z"), Some("333"))];
    assert_eq!((code, &shown[..]), (0, &expected[..]));
}

#[test]
fn export_reads_what_remains_from_the_input_again() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    std::fs::write(&list, "a\nb\nc\nd\ne\nf\n\nlast").unwrap();
    let file = [b"file\0", list.to_str().unwrap().as_bytes()].concat();
    let delimiter = || ("delimiter", b"\n".to_vec());
    let journal = Journal::of(&exported(&[("input", file.clone()), delimiter()]));
    assert_eq!(export(&journal, "remaining"), (0, "b\nc\ne\nf\n\nlast\n".to_owned(), String::new()));
    std::fs::write(&list, "a\nb\nc").unwrap();
    let error =
        format!("supervisor: {} has 3 items, and the run accepted 5: it is not the run's input\n", list.display());
    assert_eq!(export(&journal, "remaining"), (1, "b\nc\n".to_owned(), error));
    let run = journal.tool("export", &["--format", "remaining", "-o", list.to_str().unwrap()]);
    assert_eq!((run.code(), std::fs::read_to_string(&list).unwrap().as_str()), (2, "a\nb\nc"));

    let journal = Journal::of(&exported(&[("input", b"stdin".to_vec()), ("delimiter", b"\0".to_vec())]));
    let run = output(&["export", journal.path.to_str().unwrap(), "--format", "remaining"], b"a\0b\0c\0d\0e\0f\0");
    assert_eq!((run.code(), run.stdout.as_str()), (0, "b\0c\0e\0f\0"));

    for (facts, why) in [
        (vec![], "the journal names no input"),
        (vec![("input", b"stdin".to_vec())], "the journal does not tell what ends an item of the input"),
        (vec![("input", b"numbers".to_vec())], "the items of the run come neither from a file nor from stdin"),
        (vec![("input", b"stdin".to_vec()), ("input", file), delimiter()], "the items come from several inputs"),
    ] {
        let line = format!("supervisor: failed to list what remains: {why}\n");
        assert_eq!(export(&Journal::of(&exported(&facts)), "remaining"), (2, String::new(), line));
    }
}

#[test]
fn export_refuses_the_other_kind_of_file() {
    let journal = Journal::of(&exported(&[]));
    let path = journal.path.display().to_string();
    let line = format!(
        "supervisor: failed to export {path}: it is a journal, and the format perfetto is of a trace; \
         give --format jsonl, csv, joblog, failed, remaining, junit\n"
    );
    assert_eq!(export(&journal, "perfetto"), (2, String::new(), line));
    journal.change(|bytes| bytes[..8].copy_from_slice(b"SVTRACE\n"));
    let line = format!(
        "supervisor: failed to export {path}: it is a trace, and the format csv is of a journal; give --format perfetto\n"
    );
    assert_eq!(export(&journal, "csv"), (2, String::new(), line));
}

/// Records in any order with any numbers, which a fixed generator draws. Each reader tells what it finds.
#[test]
fn no_records_make_a_reader_fail_by_itself() {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..15 {
        let mut records = vec![opened(), SESSION, accepted(0, 3)];
        for _ in 0..60 {
            let first = [0, 1, 2, 3, 4, u64::MAX - 3, u64::MAX / 2][draw(7) as usize];
            let (count, number) = (1 + draw(3) as u32, [0, 1, 2, 5, u64::MAX][draw(5) as usize]);
            let (at, kind) =
                (Duration(number), [ContentKind::Item, ContentKind::Output, ContentKind::Errors][draw(3) as usize]);
            let first_item = ItemId(first);
            records.push(match draw(12) {
                0 => JournalRecord::Session { started_unix_ns: number, pid: 0 },
                1 => accepted(draw(6), count),
                2 => begun(first, count, 1 + draw(3) as u32),
                3 => JournalRecord::Returned { first: first_item, count, attempt: Attempt(u32::MAX), at },
                4 => JournalRecord::Retried { item: ItemId(number), after: at, at, causes: Vec::new().into() },
                5 | 6 => JournalRecord::Settled(SettledItems {
                    attempts: draw(4) as u32,
                    at,
                    time: Some(AttemptTime { started: at, runtime: at }),
                    ..settlement(
                        first,
                        count,
                        [Outcome::Done, Outcome::Failed, Outcome::Skipped][draw(3) as usize].clone(),
                    )
                }),
                7 => JournalRecord::Reopened { first: first_item, count },
                11 => JournalRecord::Dropped { first: first_item, count },
                8 => JournalRecord::Content(ContentPiece {
                    first: first_item,
                    count,
                    kind,
                    at: number,
                    is_last: draw(2) == 0,
                    bytes: b"a\x1b\n\xff".into(),
                }),
                9 => JournalRecord::Emitted {
                    shown: if draw(2) == 0 { GivenAway::Before(first_item) } else { GivenAway::RecordedBefore(number) },
                    output_bytes: number,
                },
                _ => JournalRecord::Closed { exit_code: 0, all: draw(2) == 0 },
            });
        }
        let journal = Journal::of(&records);
        let formats =
            ["jsonl", "csv", "joblog", "failed", "junit", "remaining"].map(|format| ["export", "--format", format]);
        let tools = [&["audit"][..], &["status"], &["show", "1"], &["show", "18446744073709551615"]].map(<[_]>::to_vec);
        for words in tools.into_iter().chain(formats.map(|words| words.to_vec())) {
            let run = Command::new(SUPERVISOR).arg(words[0]).arg(&journal.path).args(&words[1..]).output().unwrap();
            let told = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(matches!(run.status.code(), Some(0..=2)) && !told.contains("panicked"), "{words:?}: {told}");
        }
    }
}

#[test]
fn many_items_in_runs_of_a_thousand_are_audited() {
    let of_run = |first| vec![accepted(first, 1000), begun(first, 1000, 1), settled(first, 1000, Outcome::Done)];
    audit_many("JOURNAL_FILE", of_run);
}

/// As commands make it: several are in flight, and end in another order. `JOURNAL_FILE_OF_COMMANDS` keeps it.
#[test]
fn many_items_with_an_outcome_each_are_audited() {
    audit_many("JOURNAL_FILE_OF_COMMANDS", |first| {
        let mut records = vec![accepted(first, 1000)];
        for group in (first..first + 1000).step_by(4) {
            records.extend((group..group + 4).map(|item| begun(item, 1, 1)));
            for item in [group + 2, group, group + 1, group + 3] {
                records.push(content(item, ContentKind::Output, 0, true, b"a line\n"));
                let time = Some(AttemptTime { started: Duration(item), runtime: Duration(1_000_000) });
                let (pid, exit) = (Some(item as u32), Some(ExitStatus::Code(0)));
                let outcome = settlement(item, 1, Outcome::Done);
                records.push(JournalRecord::Settled(SettledItems { pid, time, exit, ..outcome }));
            }
            let shown = GivenAway::Before(ItemId(group + 4));
            records.push(JournalRecord::Emitted { shown, output_bytes: group });
        }
        records
    });
}

/// Audits a journal of many items. `of_run`: the records of a thousand of them.
fn audit_many(file_variable: &str, of_run: impl Fn(u64) -> Vec<Record>) {
    let items: u64 = std::env::var("JOURNAL_ITEMS").map_or(100_000, |items| items.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var(file_variable).map_or_else(|_| folder.path().join("large"), PathBuf::from);
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let mut bytes = layout::head(JournalHead { mark: MARK }).to_vec();
    let mut at = 0;
    let runs = (0..items / 1000).flat_map(|run| of_run(run * 1000));
    for record in [opened(), SESSION].into_iter().chain(runs) {
        let offset = at + bytes.len() as u64;
        layout::append(&mut bytes, MARK, offset, &record).unwrap();
        file.write_all(&bytes).unwrap();
        at += bytes.len() as u64;
        bytes.clear();
    }
    file.flush().unwrap();
    let run = output(&["audit", path.to_str().unwrap(), "--output", "json"], b"");
    let object: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code(), &object["accepted"], &object["done"]), (0, &json!(items), &json!(items)));
}
