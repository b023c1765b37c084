//! The recipes of `docs/from-xargs-and-parallel.md`: each is run as it stands there, beside the command line of xargs or GNU
//! parallel that it replaces, and both print the same, leave the same files and end with the same code.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_supervisor");

/// The files that the recipes speak of. A name that ends with a slash is a folder, one with `.gz` is compressed.
const FILES: &[(&str, &str)] = &[
    ("sub/", ""),
    ("old/", ""),
    // GNU parallel asks for citations unless this file is there.
    (".parallel/", ""),
    (".parallel/will-cite", ""),
    ("a.html", "FOO BAR a\n"),
    ("b.html", "b\nFOO BAR\n"),
    ("sub/c.html", "c FOO BAR\n"),
    ("x.log", "1\n2\n"),
    ("y.log", "1\n3\n"),
    ("z.log", "1\n2\n4\n"),
    ("1.jpg", "one"),
    ("2.jpg", "two"),
    ("notes.gz", "notes\n"),
    ("more.gz", "more\n"),
    ("list", "apple\npear tree\nfig\nplum\n"),
    ("numbers", "1\n2\n3\n"),
    ("table.tsv", "foo\tbar\nbaz \t quux\n"),
    ("addresses.tsv", "Name\tE-mail address\nAnn\tann@example.com\nBob\tbob@example.com\n"),
    ("books.csv", "title,author\n\"Pen, and ink\",Ann\nStones,\"Bob \"\"B\"\" Brown\"\n"),
    ("jobs", "echo one\nprintf '%s\\n' two three\ntest -d old && echo four; echo five\n"),
];

/// A recipe: the line that is replaced, with the program that it is for, and ours.
struct Recipe {
    title: String,
    program: String,
    theirs: String,
    ours: String,
}

impl Recipe {
    /// Both print in the order of the items.
    fn is_ordered(&self) -> bool {
        self.program == "xargs" || (self.theirs.contains(" -k") && self.ours.contains(" -k"))
    }
}

fn recipes() -> Vec<Recipe> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/from-xargs-and-parallel.md");
    let page = fs::read_to_string(page).unwrap();
    let recipe = |section: &str| {
        let (title, rest) = section.split_once('\n').unwrap();
        let block = rest.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
        let (theirs, ours) = block.split_once("# supervisor\n").unwrap();
        let (program, theirs) = theirs.strip_prefix("# ").unwrap().split_once('\n').unwrap();
        let [title, program, theirs, ours] = [title, program, theirs, ours].map(str::to_owned);
        Recipe { title, program, theirs, ours }
    };
    page.split("\n## ").skip(1).map(recipe).collect()
}

/// A folder with [`FILES`], all of one age, which gzip writes into its files.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name.strip_suffix(".gz").unwrap_or(name));
        if name.ends_with('/') { fs::create_dir(path).unwrap() } else { fs::write(path, text).unwrap() }
    }
    let prepared = "gzip -n notes more; find . -type f -exec touch -d @1000000000 {} +";
    assert!(Command::new("sh").args(["-c", prepared]).current_dir(&folder).status().unwrap().success());
    folder
}

/// What a command line leads to.
#[derive(Debug, PartialEq)]
struct Outcome {
    printed: String,
    code: Option<i32>,
    /// By path; a folder has no content.
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

/// Runs a command line in a folder of its own, by bash.
fn outcome(line: &str, is_ordered: bool) -> (Outcome, String) {
    let (folder, programs) = (folder(), tempfile::tempdir().unwrap());
    symlink(SUPERVISOR, programs.path().join("supervisor")).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.path().display());
    let mut command = Command::new("bash");
    command.args(["-c", line]).current_dir(&folder).env_clear().env("PATH", path).env("HOME", folder.path());
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output().unwrap();
    let mut printed = String::from_utf8(output.stdout).unwrap();
    if !is_ordered {
        let mut lines: Vec<&str> = printed.lines().collect();
        lines.sort_unstable();
        printed = lines.join("\n");
    }
    let mut files = BTreeMap::new();
    collect(folder.path(), folder.path(), &mut files);
    (Outcome { printed, code: output.status.code(), files }, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_owned();
        if name == Path::new(".parallel") {
            continue;
        }
        if path.is_dir() {
            files.insert(name, None);
            collect(root, &path, files);
        } else {
            files.insert(name, Some(fs::read(&path).unwrap()));
        }
    }
}

/// Whether a recipe can be compared; says why not.
fn is_installed(program: &str) -> bool {
    let question = match program {
        "xargs" => "xargs --version",
        "GNU parallel" => "parallel --version",
        "GNU parallel with Text::CSV" => "parallel --version && perl -MText::CSV -e 1",
        other => panic!("no program is called {other}"),
    };
    let status = Command::new("sh").args(["-c", question]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.unwrap().success()
}

#[test]
fn each_recipe_does_what_the_line_that_it_replaces_does() {
    let recipes = recipes();
    let mut installed = BTreeMap::new();
    for recipe in &recipes {
        let Recipe { title, program, theirs, ours } = recipe;
        let is_ordered = recipe.is_ordered();
        let (our, our_stderr) = outcome(ours, is_ordered);
        // A program that is not there, or wrong usage, unless two items failed.
        let counts = ours.contains("--exit-code count");
        let is_refused = matches!(our.code, None | Some(125..=127)) || (our.code == Some(2) && !counts);
        assert!(!is_refused, "{title}: {:?} {our_stderr}", our.code);
        if *installed.entry(program).or_insert_with(|| is_installed(program)) {
            let (their, their_stderr) = outcome(theirs, is_ordered);
            assert_eq!(our, their, "{title}: ours {our_stderr:?}, theirs {their_stderr:?}");
        }
    }
    for (program, _) in installed.iter().filter(|(_, is_installed)| !**is_installed) {
        println!("skipped: recipes were not compared with {program}, which is not installed");
    }
    assert!(recipes.len() >= 40, "only {} recipes were found", recipes.len());
}
