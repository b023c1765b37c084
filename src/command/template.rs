//! Command lines with placeholders for an item. No I/O.
//!
//! The placeholders and their meaning are those of GNU parallel: `{}` the item, `{.}` without its extension, `{/}` its last
//! path component, `{//}` its directory, `{/.}` its last component without extension, `{#}` the item's number from 1, `{%}`
//! the slot's number from 1. Each may occur anywhere in any argument, any number of times. A command without a placeholder
//! gets the item as its last argument.
//!
//! Invariant: an item is data. It is never read as a placeholder, and never becomes more than one argument; in a shell
//! script each of its bytes is quoted.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;

/// The longest argument that Linux accepts, including its final NUL (`MAX_ARG_STRLEN`, `execve(2)`).
pub const ARGUMENT_BYTES_MAX: usize = 128 * 1024;

/// The shell of `--shell`.
pub const SHELL: &str = "/bin/sh";

/// The meaning of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Item,
    NoExtension,
    Basename,
    Dirname,
    BasenameNoExtension,
    Sequence,
    Slot,
}

/// The text of each placeholder.
const PLACEHOLDERS: [(&[u8], Placeholder); 7] = [
    (b"{}", Placeholder::Item),
    (b"{.}", Placeholder::NoExtension),
    (b"{/}", Placeholder::Basename),
    (b"{//}", Placeholder::Dirname),
    (b"{/.}", Placeholder::BasenameNoExtension),
    (b"{#}", Placeholder::Sequence),
    (b"{%}", Placeholder::Slot),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum WordPart {
    Literal(Vec<u8>),
    Placeholder(Placeholder),
}

/// The values of the placeholders.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    pub item: &'a [u8],
    /// The item's number, from 1.
    pub sequence: u64,
    /// The slot's number, from 1.
    pub slot: u32,
}

/// A command with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    arguments: Vec<Vec<WordPart>>,
    shell: bool,
}

impl Template {
    /// Parses the words of a command. `append`: if no word contains a placeholder, the item becomes the last argument.
    /// `shell`: the words, joined with spaces, become a script for [`SHELL`].
    #[must_use]
    pub fn new(argv: &[OsString], shell: bool, append: bool) -> Self {
        let mut arguments: Vec<Vec<WordPart>> = argv.iter().map(|word| parse(word.as_bytes())).collect();
        let has_placeholder = arguments.iter().flatten().any(|part| matches!(part, WordPart::Placeholder(_)));
        if append && !has_placeholder {
            arguments.push(vec![WordPart::Placeholder(Placeholder::Item)]);
        }
        if shell {
            let script = arguments.join(&WordPart::Literal(b" ".to_vec()));
            let word = |text: &str| vec![WordPart::Literal(text.as_bytes().to_vec())];
            arguments = vec![word(SHELL), word("-c"), script];
        }
        Self { arguments, shell }
    }

    /// If the program depends on the item.
    #[must_use]
    pub fn program_varies(&self) -> bool {
        self.arguments
            .first()
            .is_some_and(|program| program.iter().any(|part| matches!(part, WordPart::Placeholder(_))))
    }

    /// Writes the command for one item to `line`, whose old content is lost.
    pub fn fill(&self, values: &Values<'_>, line: &mut CommandLine) {
        line.clear();
        for argument in &self.arguments {
            for part in argument {
                match part {
                    WordPart::Literal(text) => line.bytes.extend_from_slice(text),
                    WordPart::Placeholder(placeholder) => self.fill_placeholder(*placeholder, values, &mut line.bytes),
                }
            }
            line.ends.push(line.bytes.len());
        }
    }

    fn fill_placeholder(&self, placeholder: Placeholder, values: &Values<'_>, out: &mut Vec<u8>) {
        let text = match placeholder {
            Placeholder::Item => values.item,
            Placeholder::NoExtension => without_extension(values.item),
            Placeholder::Basename => basename(values.item),
            Placeholder::Dirname => dirname(values.item),
            Placeholder::BasenameNoExtension => without_extension(basename(values.item)),
            Placeholder::Sequence => {
                return out.extend_from_slice(itoa::Buffer::new().format(values.sequence).as_bytes());
            }
            Placeholder::Slot => return out.extend_from_slice(itoa::Buffer::new().format(values.slot).as_bytes()),
        };
        if self.shell { quote(text, out) } else { out.extend_from_slice(text) }
    }

    /// The command in `line` as text that a shell parses to the same arguments: one line unless an argument contains a
    /// newline, and without a final newline. With `--shell`, the script itself.
    #[must_use]
    pub fn quoted(&self, line: &CommandLine) -> Vec<u8> {
        if self.shell {
            return line.arguments().last().unwrap_or_default().to_vec();
        }
        let mut text = Vec::new();
        for argument in line.arguments() {
            if !text.is_empty() {
                text.push(b' ');
            }
            quote(argument, &mut text);
        }
        text
    }
}

/// A command line, in a buffer that is reused.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The arguments, without separators.
    bytes: Vec<u8>,
    /// The end of each argument.
    ends: Vec<usize>,
}

impl CommandLine {
    /// Memory that a large item needed is freed.
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(ARGUMENT_BYTES_MAX);
        self.ends.clear();
    }

    /// The arguments; the first is the program.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }

    /// Copies the arguments to `argv`, whose old content is lost, in the format of `execve`.
    ///
    /// # Errors
    /// A text cannot be passed as an argument.
    pub fn copy_checked(&self, argv: &mut Vec<CString>) -> Result<(), CommandLineError> {
        argv.clear();
        for argument in self.arguments() {
            if argument.len() >= ARGUMENT_BYTES_MAX {
                return Err(CommandLineError::TooLong { bytes: argument.len() });
            }
            argv.push(CString::new(argument).map_err(|_| CommandLineError::Nul)?);
        }
        Ok(())
    }
}

/// Why an item cannot be passed to a program as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    #[error("the item holds a NUL byte, which no argument can; --stdin hands it over whole")]
    Nul,
    #[error(
        "an argument of {bytes} bytes is longer than the system takes ({} bytes); --stdin hands the item over whole",
        ARGUMENT_BYTES_MAX - 1
    )]
    TooLong { bytes: usize },
}

fn parse(word: &[u8]) -> Vec<WordPart> {
    let mut parts = Vec::new();
    let mut literal_start = 0;
    let mut at = 0;
    while at < word.len() {
        let Some((text, placeholder)) = PLACEHOLDERS.iter().find(|(text, _)| word[at..].starts_with(text)) else {
            at += 1;
            continue;
        };
        if literal_start < at {
            parts.push(WordPart::Literal(word[literal_start..at].to_vec()));
        }
        parts.push(WordPart::Placeholder(*placeholder));
        at += text.len();
        literal_start = at;
    }
    if literal_start < word.len() {
        parts.push(WordPart::Literal(word[literal_start..].to_vec()));
    }
    parts
}

/// The path without its extension: a final dot and at least one byte that is neither a dot nor a slash.
fn without_extension(path: &[u8]) -> &[u8] {
    match memchr::memrchr2(b'.', b'/', path) {
        Some(at) if path[at] == b'.' && at + 1 < path.len() => &path[..at],
        _ => path,
    }
}

/// The part after the last slash; empty if the path ends with one.
fn basename(path: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..])
}

/// The directory, as `dirname(1)` prints it: without the final slashes, `.` if there is none, and `/` for an entry of the
/// root.
fn dirname(path: &[u8]) -> &[u8] {
    let without_final_slashes = |path: &[u8]| path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let named = without_final_slashes(path);
    let Some(slash) = memchr::memrchr(b'/', &path[..named]) else {
        // A name without a directory, or only slashes.
        return if named == 0 && !path.is_empty() { b"/" } else { b"." };
    };
    match without_final_slashes(&path[..slash]) {
        0 => b"/",
        end => &path[..end],
    }
}

/// Appends `text` so that a POSIX shell parses it to one word.
///
/// With backslashes, not with quotes: if the user has put quotes around a placeholder, a quoted item would end them, and
/// the shell would execute its text; after a backslash it executes nothing. Only a newline is quoted, because a shell drops
/// a newline after a backslash.
fn quote(text: &[u8], out: &mut Vec<u8>) {
    if text.is_empty() {
        out.extend_from_slice(b"''");
    }
    for &byte in text {
        match byte {
            b'\n' => out.extend_from_slice(b"'\n'"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/' | b',' | b':' | b'+' | b'@' | b'%' => {
                out.push(byte);
            }
            // Bytes of a UTF-8 character.
            0x80.. => out.push(byte),
            _ => out.extend_from_slice(&[b'\\', byte]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(words: &[&str], shell: bool, append: bool) -> Template {
        Template::new(&words.iter().map(OsString::from).collect::<Vec<_>>(), shell, append)
    }

    /// The command for the fourth item in slot 2, its arguments joined by `|`.
    fn filled(template: &Template, item: &str) -> String {
        let mut line = CommandLine::default();
        template.fill(&Values { item: item.as_bytes(), sequence: 4, slot: 2 }, &mut line);
        let arguments: Vec<_> = line.arguments().map(String::from_utf8_lossy).collect();
        arguments.join("|")
    }

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quote(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_placeholder_means_what_gnu_parallel_says() {
        let all = template(&["c", "{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}"], false, true);
        // Item, without extension, basename, dirname, basename without extension.
        for (item, expected) in [
            ("dir/a.tar.gz", "dir/a.tar.gz|dir/a.tar|a.tar.gz|dir|a.tar"),
            ("plain", "plain|plain|plain|.|plain"),
            ("/etc/passwd", "/etc/passwd|/etc/passwd|passwd|/etc|passwd"),
            ("/root.txt", "/root.txt|/root|root.txt|/|root"),
            ("dir.d/name", "dir.d/name|dir.d/name|name|dir.d|name"),
            ("a//b.c", "a//b.c|a//b|b.c|a|b"),
            ("a/b/", "a/b/|a/b/||a|"),
            ("a/", "a/|a/||.|"),
            ("/", "/|/||/|"),
            ("//x", "//x|//x|x|/|x"),
            (".bashrc", ".bashrc||.bashrc|.|"),
            ("dir/.profile", "dir/.profile|dir/|.profile|dir|"),
            ("dot.", "dot.|dot.|dot.|.|dot."),
            ("", "|||.|"),
        ] {
            assert_eq!(filled(&all, item), format!("c|{expected}|4|2"), "of {item:?}");
        }
    }

    #[test]
    fn placeholders_stand_anywhere_and_as_often_as_one_likes() {
        let mixed = template(&["run-{#}", "--in={}:{}", "{}{.}", "{", "{}}", "{{}", "{x}", "{1}"], false, true);
        assert_eq!(filled(&mixed, "a.b"), "run-4|--in=a.b:a.b|a.ba|{|a.b}|{a.b|{x}|{1}");
        assert!(mixed.program_varies());
    }

    #[test]
    fn an_item_is_never_read_as_a_placeholder() {
        assert_eq!(filled(&template(&["c", "<{}>"], false, true), "{#}{}"), "c|<{#}{}>");
    }

    #[test]
    fn without_a_placeholder_the_item_is_appended_unless_it_goes_to_stdin() {
        let appended = template(&["gzip", "-t"], false, true);
        assert_eq!(filled(&appended, "a b"), "gzip|-t|a b");
        assert!(!appended.program_varies());
        assert_eq!(filled(&template(&["gzip", "-t"], false, false), "a b"), "gzip|-t");
        assert_eq!(filled(&template(&["echo", "{%}"], false, true), "a b"), "echo|2");
    }

    #[test]
    fn a_shell_gets_one_script_with_the_item_quoted() {
        let script = template(&["echo", "{}", "|", "wc -c"], true, true);
        assert_eq!(filled(&script, "a b;$(x)"), r"/bin/sh|-c|echo a\ b\;\$\(x\) | wc -c");
        assert!(!script.program_varies());
        assert_eq!(filled(&template(&["echo {#};", "cat"], true, true), "x"), "/bin/sh|-c|echo 4; cat");
        assert_eq!(filled(&template(&["echo", "hi"], true, true), "it's"), r"/bin/sh|-c|echo hi it\'s");
    }

    #[test]
    fn a_quoted_line_is_what_a_user_may_paste() {
        let mut line = CommandLine::default();
        let values = Values { item: b"a b", sequence: 1, slot: 1 };
        let direct = template(&["echo", "", "x y/{}"], false, true);
        direct.fill(&values, &mut line);
        assert_eq!(String::from_utf8(direct.quoted(&line)).unwrap(), r"echo '' x\ y/a\ b");
        let script = template(&["echo", "{}", "| wc"], true, true);
        script.fill(&values, &mut line);
        assert_eq!(String::from_utf8(script.quoted(&line)).unwrap(), r"echo a\ b | wc");
    }

    #[test]
    fn quoting_leaves_plain_words_alone_and_nothing_else() {
        assert_eq!(quoted("dir/file-1_2.txt,a:b+c@d%e"), "dir/file-1_2.txt,a:b+c@d%e");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("~a=b*?[c]"), r"\~a\=b\*\?\[c\]");
        assert_eq!(quoted("a\nb"), "a'\n'b");
        assert_eq!(quoted("grün"), "grün");
    }

    #[test]
    fn a_shell_reads_every_byte_back() {
        let item: Vec<u8> = (1..=255).collect();
        let mut script = b"printf %s ".to_vec();
        quote(&item, &mut script);
        let script = <std::ffi::OsStr as OsStrExt>::from_bytes(&script);
        let output = std::process::Command::new(SHELL).arg("-c").arg(script).env("LC_ALL", "C").output().unwrap();
        assert_eq!(output.stdout, item);
    }

    #[test]
    fn quotes_around_a_placeholder_do_not_let_an_item_run() {
        for words in [r"printf %s {}", "printf %s \"{}\"", "printf %s '{}' ''"] {
            for item in ["$(echo broken)", "';echo broken;'", "\";echo broken;\"", "`echo broken`", "''echo broken"] {
                let script = filled(&template(&[words], true, true), item);
                let script = script.strip_prefix("/bin/sh|-c|").unwrap();
                let output = std::process::Command::new(SHELL).arg("-c").arg(script).output().unwrap();
                let text = String::from_utf8(output.stdout).unwrap();
                assert!(!text.lines().any(|line| line == "broken"), "{script} gave {text}");
            }
        }
    }

    #[test]
    fn what_no_argument_can_hold_is_refused() {
        let command = template(&["c", "{}"], false, true);
        let check = |item: &[u8]| {
            let mut line = CommandLine::default();
            command.fill(&Values { item, sequence: 1, slot: 1 }, &mut line);
            let mut argv = Vec::new();
            line.copy_checked(&mut argv).map(|()| argv.len())
        };
        assert_eq!(check(b"fine"), Ok(2));
        assert_eq!(check(b"a\0b"), Err(CommandLineError::Nul));
        let longest = vec![b'x'; ARGUMENT_BYTES_MAX - 1];
        assert_eq!(check(&longest), Ok(2));
        let too_long = vec![b'x'; ARGUMENT_BYTES_MAX];
        assert_eq!(check(&too_long), Err(CommandLineError::TooLong { bytes: ARGUMENT_BYTES_MAX }));
    }

    #[test]
    fn a_line_is_used_again() {
        let mut line = CommandLine::default();
        let command = template(&["c", "{}"], false, true);
        for item in ["a long item", "b"] {
            command.fill(&Values { item: item.as_bytes(), sequence: 1, slot: 1 }, &mut line);
            assert_eq!(line.arguments().collect::<Vec<_>>(), [b"c", item.as_bytes()]);
        }
    }
}
