//! The whole source: from inputs to items.

use super::*;
use crate::model::arrangement::{ColumnSplit, LineFill};
use crate::model::config::{InputSpec, Split};
use crate::source::args::ArgumentSource;
use crate::source::lines;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::OsString;
use std::io::Write;
use std::os::fd::AsRawFd;

fn arguments(words: &str) -> OpenedInput {
    let source = Box::new(ArgumentSource::new(words.split('|').map(OsString::from).collect()));
    OpenedInput { source, linked: false, path: None }
}

fn list_source(inputs: Vec<OpenedInput>, arrangement: &Arrangement, names: &ColumnNames) -> ArrangedSource {
    let facts = ArrangementFacts { slots: 2, names: names.clone(), ..ArrangementFacts::default() };
    ArrangedSource::new(inputs, arrangement, ItemForm::List, facts).unwrap()
}

/// All items, with their arguments separated by `,`.
fn items(source: &mut ArrangedSource) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        match source.next(9).unwrap() {
            Delivery::Items(payload) => {
                assert_eq!(payload.count, 1, "a list comes alone");
                let text = String::from_utf8(payload.block[payload.range].to_vec()).unwrap();
                found.push(text.strip_suffix('\0').unwrap_or(&text).replace('\0', ","));
            }
            Delivery::Rejected(reason) => found.push(format!("({reason})")),
            Delivery::Idle => found.push("(idle)".to_owned()),
            Delivery::Ended => return found,
        }
    }
}

#[test]
fn records_are_combined_cut_and_packed() {
    let comma = || Some(ColumnSplit::Pattern { regex: b",".to_vec(), trims: true });
    let none = Arrangement::default();
    let table = [
        (vec!["a|b", "1|2"], none.clone(), "a,1 a,2 b,1 b,2"),
        (vec!["a,b|c", "1,2"], Arrangement { columns: comma(), ..none.clone() }, "a,b,1,2 c,1,2"),
        (vec!["a|b|c", "1"], Arrangement { records_max: Some(2), ..none.clone() }, "a,1,b,1 c,1"),
        (vec!["a|b|c|d|e"], Arrangement { fill: Some(LineFill::Join), ..none.clone() }, "a,b,c d,e"),
        (vec!["a |b|c"], Arrangement { lines_max: Some(1), ..none.clone() }, "a b c"),
        (
            vec!["a||b|stop|c"],
            {
                let end_of_file = Some(b"stop".to_vec());
                Arrangement { skips_blank: true, end_of_file, records_max: Some(1), ..none.clone() }
            },
            "a b",
        ),
    ];
    for (inputs, arrangement, expected) in table {
        let inputs = inputs.into_iter().map(arguments).collect();
        let found = items(&mut list_source(inputs, &arrangement, &ColumnNames::default()));
        assert_eq!(found.join(" "), expected, "{arrangement:?}");
    }
}

#[test]
fn names_are_known_before_the_first_item() {
    let csv = Some(ColumnSplit::Csv { separator: b',', trims: false });
    let arrangement = Arrangement { columns: csv, names: Some(NameSource::FirstLine), ..Arrangement::default() };
    let names = ColumnNames::default();
    let file = OpenedInput { path: Some(b"dir/f".to_vec()), ..arguments("c|3") };
    let mut source = list_source(vec![arguments("a,b,|1,2|x,y"), file], &arrangement, &names);
    assert_eq!(names.get(), None);
    assert_eq!(items(&mut source), ["1,2,3", "x,y,3"]);
    let expected =
        [("a", 1), ("b", 2), ("c", 3), ("dir/f", 2)].map(|(name, number)| (name.as_bytes().to_vec(), number));
    assert_eq!(names.get(), Some(&expected[..]));

    let arrangement = Arrangement { names: Some(NameSource::Paths), ..Arrangement::default() };
    let names = ColumnNames::default();
    let file = OpenedInput { path: Some(b"f".to_vec()), ..arguments("c|3") };
    assert_eq!(items(&mut list_source(vec![arguments("a"), file], &arrangement, &names)), ["a,c", "a,3"]);
    assert_eq!(names.get(), Some(&[(b"f".to_vec(), 2)][..]));
}

/// A pipe as an input, and its write end.
fn piped() -> (OpenedInput, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd()).into();
    let source = lines::open(&InputSpec::File(path), Split::Delimiter(b'\n'), false, false).unwrap();
    (OpenedInput { source, linked: false, path: None }, writer)
}

fn is_ready(source: &ArrangedSource) -> bool {
    poll(&mut [PollFd::new(source.fd().unwrap(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() > 0
}

#[test]
fn of_several_inputs_only_the_one_that_is_awaited_wakes() {
    let ((first, mut to_first), (second, mut to_second)) = (piped(), piped());
    let mut source = list_source(vec![first, second], &Arrangement::default(), &ColumnNames::default());
    let next = |source: &mut ArrangedSource| match source.next(9).unwrap() {
        Delivery::Items(payload) => String::from_utf8(payload.block[payload.range].to_vec()).unwrap(),
        Delivery::Idle => "(idle)".to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(next(&mut source), "(idle)");
    to_second.write_all(b"1\n").unwrap();
    assert!(!is_ready(&source), "the first input is awaited");
    to_first.write_all(b"a\nb\n").unwrap();
    assert!(is_ready(&source));
    assert_eq!(next(&mut source), "a\x001\0");
    assert_eq!(next(&mut source), "(idle)");
    assert!(!is_ready(&source), "the second input is awaited, though the first has more");
    to_second.write_all(b"2\n").unwrap();
    assert!(is_ready(&source));
    assert_eq!(next(&mut source), "a\x002\0");
    drop((to_first, to_second));
    // A child of another test may hold a copy of a write end for a moment.
    let rest: Vec<String> = items(&mut source).into_iter().filter(|item| item != "(idle)").collect();
    assert_eq!(rest, ["b,1", "b,2"]);
}

#[test]
fn an_input_of_what_is_no_item_lets_the_loop_go_on() {
    let (blank, mut writer) = piped();
    writer.write_all(&[b'\n'; 60_000]).unwrap();
    let arrangement = Arrangement { skips_blank: true, ..Arrangement::default() };
    let mut source = list_source(vec![blank], &arrangement, &ColumnNames::default());
    assert!(matches!(source.next(9), Ok(Delivery::Idle)));
    assert!(is_ready(&source), "there is more to do at once");
    writer.write_all(b"a\n").unwrap();
    drop(writer);
    let found: Vec<String> = items(&mut source).into_iter().filter(|item| item != "(idle)").collect();
    assert_eq!(found, ["a"]);
}

#[test]
fn an_argument_that_no_command_can_have_is_rejected_alone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"a\nb\0c\nd\n").unwrap();
    let input = InputSpec::File(file.path().to_owned());
    let source = lines::open(&input, Split::Delimiter(b'\n'), false, false).unwrap();
    let opened = OpenedInput { source, linked: false, path: None };
    let arrangement = Arrangement { records_max: Some(1), ..Arrangement::default() };
    let found = items(&mut list_source(vec![opened], &arrangement, &ColumnNames::default()));
    assert_eq!(found, ["a", "(item holds a NUL byte, which no argument can)", "d"]);
}

#[test]
fn items_for_workers_that_stay_come_in_batches_with_their_values_joined() {
    let whole = |inputs: Vec<OpenedInput>, arrangement: &Arrangement| {
        ArrangedSource::new(inputs, arrangement, ItemForm::Whole, ArrangementFacts::default()).unwrap()
    };
    let mut source = whole(vec![arguments("a|b"), arguments("1|2|3")], &Arrangement::default());
    let counts = |source: &mut ArrangedSource| {
        let mut found = Vec::new();
        while let Delivery::Items(payload) = source.next(4).unwrap() {
            found.push((payload.count, String::from_utf8(payload.block[payload.range].to_vec()).unwrap()));
        }
        found
    };
    let expected = [(4, "a 1\0a 2\0a 3\0b 1\0".to_owned()), (2, "b 2\0b 3\0".to_owned())];
    assert_eq!(counts(&mut source), expected);
    let ends = Arrangement { end_of_file: Some(b"c".to_vec()), ..Arrangement::default() };
    assert_eq!(counts(&mut whole(vec![arguments("a|c|b")], &ends)), [(1, "a".to_owned())]);
    // What holds the delimiter of several comes alone.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"a\nb\0c\nd\ne\n").unwrap();
    let input = InputSpec::File(file.path().to_owned());
    let source = lines::open(&input, Split::Delimiter(b'\n'), false, false).unwrap();
    let opened = OpenedInput { source, linked: false, path: None };
    let found = counts(&mut whole(vec![opened, arguments("1")], &Arrangement::default()));
    let expected = [(1, "a 1"), (1, "b\0c 1"), (2, "d 1\0e 1\0")].map(|(count, text)| (count, text.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn a_batch_is_no_larger_than_others() {
    let thousand: Vec<String> = (0..3000).map(|number| number.to_string()).collect();
    let inputs = vec![arguments(&thousand.join("|")), arguments(&thousand[..20].join("|"))];
    let facts = ArrangementFacts::default();
    let mut source = ArrangedSource::new(inputs, &Arrangement::default(), ItemForm::Whole, facts).unwrap();
    let mut count = 0;
    while let Delivery::Items(payload) = source.next(u64::MAX).unwrap() {
        assert!(payload.range.len() <= BATCH_BYTES_MAX);
        count += payload.count;
    }
    assert_eq!(count, 60_000);
}
