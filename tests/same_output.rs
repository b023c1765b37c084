//! The same input gives the same output, byte for byte, over every transport.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use supervisor::model::spec::{ITEM_BYTES_MAX, TransportKind};
use support::SUPERVISOR;

/// The stdout of the program over this transport.
fn output(kind: TransportKind, arguments: &[&str], stdin: &[u8]) -> Vec<u8> {
    let mut child = Command::new(SUPERVISOR)
        .args(["-j", "2", "--transport", kind.name()])
        .args(if arguments.contains(&"--output") { &[][..] } else { &["--output", "results"] })
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || drop(input.write_all(stdin)));
        child.wait_with_output().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{} {arguments:?}: {said}", kind.name());
    output.stdout
}

/// Expects these bytes over every transport, in order.
fn check(arguments: &[&str], stdin: &[u8], expected: &[u8]) {
    for kind in TransportKind::ALL {
        let found = output(kind, &[arguments, &["-k"]].concat(), stdin);
        assert!(found == expected, "{} -k {arguments:?}: {}", kind.name(), difference(&found, expected));
    }
}

fn check_unordered(arguments: &[&str], stdin: &[u8], expected: &[u8]) {
    let sorted = |bytes: &[u8]| {
        let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort();
        lines.concat()
    };
    for kind in TransportKind::ALL {
        let (found, expected) = (sorted(&output(kind, arguments, stdin)), sorted(expected));
        assert!(found == expected, "{} {arguments:?}: {}", kind.name(), difference(&found, &expected));
    }
}

fn difference(found: &[u8], expected: &[u8]) -> String {
    let at = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    format!("{} bytes and not {}, different from byte {at} on", found.len(), expected.len())
}

/// xorshift64*: the same bytes in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Any bytes except `without`.
    fn bytes(&mut self, count: usize, without: u8) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(4)).flat_map(|_| (self.next() as u32).to_le_bytes()).collect();
        bytes.truncate(count);
        bytes.iter_mut().filter(|byte| **byte == without).for_each(|byte| *byte ^= 1);
        bytes
    }
}

/// Items of all sizes up to `largest`, mostly small, each with a newline behind it.
fn mixed_lines(largest: usize) -> Vec<u8> {
    let mut random = Random(42);
    let mut lines = Vec::new();
    for number in 0..3000 {
        let size = match random.next() % 100 {
            0..20 => 0,
            20..90 => random.next() % 40,
            90..99 => random.next() % 5000,
            _ => random.next() % 200_000,
        };
        let large = [65_535, 65_536, 131_072, 1 << 20, largest][number / 600];
        let size = if number % 600 == 599 { large } else { size as usize };
        lines.extend(random.bytes(size, b'\n'));
        lines.push(b'\n');
    }
    lines
}

#[test]
fn small_items_give_the_same_over_every_transport() {
    let numbers: Vec<u8> = (0..20_000u64).flat_map(|number| format!("{number}\n").into_bytes()).collect();
    let squares: Vec<u8> = (0..20_000u64).flat_map(|number| format!("{}\n", number * number).into_bytes()).collect();
    let generated = ["--items", "20000", "--task", "square"];
    check(&generated, b"", &squares);
    check_unordered(&generated, b"", &squares);
    let read = ["-a", "-", "--task", "square"];
    check(&read, &numbers, &squares);
    check(&[&read[..], &["--batch-max", "1"]].concat(), &numbers, &squares);
    check(&[&read[..], &["--credit", "3"]].concat(), &numbers, &squares);
}

#[test]
fn items_of_all_sizes_and_of_any_bytes_come_back_over_every_transport() {
    let lines = mixed_lines(ITEM_BYTES_MAX);
    let echo = ["-a", "-", "--task", "echo"];
    check(&echo, &lines, &lines);
    check_unordered(&echo, &lines, &lines);
    check(&[&echo[..], &["--batch-max", "1"]].concat(), &lines, &lines);
}

/// Such results are spilled to a file before they are shown.
#[test]
fn the_largest_results_are_whole_in_every_output_mode() {
    let items = [b'a', b'\xff', b'c'].map(|byte| vec![byte; ITEM_BYTES_MAX]);
    let lines = items.each_ref().map(|item| [item, &b"\n"[..]].concat()).concat();
    for kind in TransportKind::ALL {
        let shown = |mode: &str| output(kind, &["-k", "-a", "-", "--task", "echo", "--output", mode], &lines);
        for line in shown("json").split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let object: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert!(object["runtime"].is_f64() && object["outcome"] == "done", "{}", kind.name());
            let fields =
                if object["input"].is_string() { ["input", "result"] } else { ["input_base64", "result_base64"] };
            assert!(object[fields[0]].is_string() && object[fields[0]] == object[fields[1]], "{}", kind.name());
        }
        let narrated = String::from_utf8(shown("narrate")).unwrap();
        for line in narrated.lines() {
            assert!(line.ends_with(&format!("... ({ITEM_BYTES_MAX} bytes)")) && line.len() < 20_000, "{}", kind.name());
        }
        assert_eq!((narrated.lines().count(), shown("none")), (3, Vec::new()));
        let tagged = output(kind, &["-k", "-a", "-", "--task", "echo", "--tag"], &lines);
        let expected = items.each_ref().map(|item| [item, &b"\t"[..], item, b"\n"].concat()).concat();
        assert!(tagged == expected, "{}: {}", kind.name(), difference(&tagged, &expected));
    }
}

#[test]
fn files_and_blocks_come_back_over_every_transport() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("input");
    // A block is one item of whole lines.
    let lines = mixed_lines(ITEM_BYTES_MAX / 2);
    std::fs::write(&path, &lines).unwrap();
    let path = path.to_str().unwrap();
    check(&["-a", path, "--task", "echo"], b"", &lines);
    check(&["-a", path, "--task", "echo", "--block", "100k"], b"", &lines);
    check(&["-a", "-", "--task", "echo", "--block", "1M"], &lines, &lines);
    std::fs::write(path, b"no newline at its end").unwrap();
    check(&["-a", path, "--task", "echo"], b"", b"no newline at its end\n");
    std::fs::write(path, b"").unwrap();
    check(&["-a", path, "--task", "echo"], b"", b"");
}
