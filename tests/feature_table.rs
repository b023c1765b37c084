//! The tables of `docs/compared.md`: each row that says what this program has names tests, and they exist. The table of the
//! README has the same cells.

use std::fs;
use std::path::Path;

const COLUMNS: &str = "| | supervisor | xargs | GNU parallel | rust-parallel | rush | ProcessPoolExecutor |";

/// The cells of each row of the tables with this head, without those of the head.
fn rows(text: &str, head: &str) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<String>>();
    let tables = text.split(head).skip(1);
    tables.flat_map(|table| table.lines().skip(2).take_while(|line| line.starts_with('|')).map(cells)).collect()
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()
}

/// Whether a file has a test of this name.
fn is_a_test(named: &str) -> bool {
    let Some((file, name)) = named.split_once("::") else { return false };
    let Some(text) = read(file) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_marked = |at: usize| lines[at.saturating_sub(4)..at].contains(&"#[test]");
    lines.iter().enumerate().any(|(at, line)| line.starts_with(&format!("fn {name}(")) && is_marked(at))
}

/// What is wrong with a row of the page.
fn fault(row: &[String]) -> Option<String> {
    let [what, ours, .., tests] = row else { return Some(format!("a row of {} cells", row.len())) };
    if row.len() != 8 || row[..7].iter().any(String::is_empty) {
        return Some(format!("{what}: a cell is missing"));
    }
    let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
    let has_it = ours != "no" && ours != "Linux";
    if has_it && named.is_empty() {
        return Some(format!("{what}: no test shows it"));
    }
    named.iter().find(|named| !is_a_test(named)).map(|named| format!("{what}: no test is {named}"))
}

#[test]
fn each_row_of_ours_names_tests_that_exist() {
    let page = read("docs/compared.md").unwrap();
    let rows = rows(&page, &format!("{COLUMNS} shown by |"));
    assert!(rows.len() >= 25, "only {} rows", rows.len());
    let faults: Vec<String> = rows.iter().filter_map(|row| fault(row)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_of_the_readme_is_a_part_of_it() {
    let (readme, page) = (read("README.md").unwrap(), read("docs/compared.md").unwrap());
    let (short, long) = (rows(&readme, COLUMNS), rows(&page, &format!("{COLUMNS} shown by |")));
    assert!(short.len() >= 10, "only {} rows", short.len());
    for row in short {
        assert!(long.iter().any(|other| other[..7] == row[..]), "{row:?} is not in docs/compared.md");
    }
}

#[test]
fn a_row_without_its_test_is_found() {
    let row = |ours: &str, tests: &str| {
        let cells = ["what", ours, "no", "no", "no", "no", "no", tests];
        fault(&cells.map(str::to_owned))
    };
    let own = "`tests/feature_table.rs::a_row_without_its_test_is_found`";
    assert_eq!(row("yes", own), None);
    assert_eq!(row("no", ""), None);
    assert_eq!(row("yes", "").unwrap(), "what: no test shows it");
    assert!(
        row("yes", &format!("{own}, `tests/feature_table.rs::is_a_test`")).is_some(),
        "a function without the mark"
    );
    assert!(row("yes", "`tests/nowhere.rs::a_test`").is_some());
    assert!(row("", own).is_some());
}
