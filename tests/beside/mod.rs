//! A command line in a folder of its own, by bash, and what it leads to: to compare ours with another program's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_supervisor");

/// The files of the folder. A name that ends with a slash is a folder, one with `.gz` is compressed.
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
    ("letters", "a\nb\nc\n"),
    ("names.tsv", "name\tage\nann\t3\nbob\t4\n"),
    ("jobs", "echo one\nprintf '%s\\n' two three\ntest -d old && echo four; echo five\n"),
];

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
pub struct Outcome {
    pub printed: String,
    pub code: Option<i32>,
    /// By path; a folder has no content.
    pub files: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Outcome {
    /// What differs from another one, as text.
    pub fn difference(&self, other: &Self) -> String {
        let text =
            |content: &Option<Vec<u8>>| content.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let of_others = |(path, content): &(&PathBuf, &Option<Vec<u8>>)| other.files.get(*path) != Some(*content);
        let files = self.files.iter().filter(of_others).map(|(path, content)| (path, text(content)));
        format!("{:?} {:?} {:?}", self.printed, self.code, files.collect::<BTreeMap<_, _>>())
    }
}

/// Runs a command line in a folder of its own, by bash.
pub fn outcome(line: &str, is_ordered: bool) -> (Outcome, String) {
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

/// Whether a program is installed that command lines are compared with.
pub fn is_installed(program: &str) -> bool {
    let question = match program {
        "xargs" => "xargs --version",
        "GNU parallel" => "parallel --version",
        "GNU parallel with Text::CSV" => "parallel --version && perl -MText::CSV -e 1",
        other => panic!("no program is called {other}"),
    };
    let status = Command::new("sh").args(["-c", question]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.unwrap().success()
}
