//! Command lines with placeholders for an item. No I/O.
//!
//! A placeholder may occur anywhere in any argument, any number of times. A command without a placeholder gets the item as
//! its last argument.
//!
//! Invariant: an item is data. It is never read as a placeholder, never becomes more than one argument, and never becomes a
//! part of a script: a shell gets it as an argument, and the script expands a variable.

use super::placeholder::{Placeholder, Values};
use super::script::{self, Misplaced, Quoting, ScriptPart};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;

/// The longest argument that Linux accepts, including its final NUL (`MAX_ARG_STRLEN`, `execve(2)`).
pub const ARGUMENT_BYTES_MAX: usize = 128 * 1024;

/// The shell of `--shell`.
pub const SHELL: &str = "/bin/sh";

/// A piece of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WordPart {
    Literal(Vec<u8>),
    Placeholder(Placeholder),
}

/// A command with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    arguments: Vec<Vec<WordPart>>,
    /// The script of `--shell` as it was typed.
    script: Option<Vec<ScriptPart>>,
}

impl Template {
    /// Parses the words of a command. `append`: if no word contains a placeholder, the item becomes the last argument.
    /// `shell`: the words, joined with spaces, become a script for [`SHELL`].
    ///
    /// # Errors
    /// With `shell`, a placeholder stands where the item would not be literal.
    pub fn new(argv: &[OsString], shell: bool, append: bool) -> Result<Self, Misplaced> {
        let mut arguments: Vec<Vec<WordPart>> = argv.iter().map(|word| parse(word.as_bytes())).collect();
        let has_placeholder = arguments.iter().flatten().any(|part| matches!(part, WordPart::Placeholder(_)));
        let appended = append && !has_placeholder;
        if appended {
            arguments.push(vec![WordPart::Placeholder(Placeholder::Item)]);
        }
        if !shell {
            return Ok(Self { arguments, script: None });
        }
        let mut text = argv.iter().map(|word| word.as_bytes()).collect::<Vec<_>>().join(&b' ');
        if appended {
            text.extend_from_slice(b" {}");
        }
        let script = match has_placeholder || appended {
            true => script::parse(&text, appended)?,
            false => vec![ScriptPart::Text(text)],
        };
        Ok(Self { arguments: shell_arguments(&script), script: Some(script) })
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
                    WordPart::Placeholder(placeholder) => placeholder.push_value(values, &mut line.bytes),
                }
            }
            line.ends.push(line.bytes.len());
        }
    }

    /// The command for one item, which is in `line`, as text that a shell parses to the same arguments: one line unless an
    /// argument contains a newline, and without a final newline. With `--shell`, the script with the item quoted in it.
    #[must_use]
    pub fn quoted(&self, values: &Values<'_>, line: &CommandLine) -> Vec<u8> {
        if let Some(text) = self.script.as_ref().and_then(|script| quoted_script(script, values)) {
            return text;
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

/// The shell, its script, and the values that the script's first words store in variables.
fn shell_arguments(script: &[ScriptPart]) -> Vec<Vec<WordPart>> {
    let mut used: Vec<Placeholder> = Vec::new();
    for part in script {
        if let ScriptPart::Placeholder(placeholder, _) = part
            && !used.contains(placeholder)
        {
            used.push(*placeholder);
        }
    }
    let mut text = String::new();
    for (index, placeholder) in used.iter().enumerate() {
        text.push_str(&format!("{}=${} ", variable(*placeholder), index + 1));
    }
    if !used.is_empty() {
        text.push_str(&format!("; shift {}; ", used.len()));
    }
    let mut text = text.into_bytes();
    for part in script {
        match part {
            ScriptPart::Text(own) => text.extend_from_slice(own),
            ScriptPart::Placeholder(placeholder, place) => {
                let (before, behind) = match place {
                    Quoting::Bare => ("\"", "\""),
                    Quoting::Single => ("'\"", "\"'"),
                    Quoting::Double | Quoting::Document | Quoting::Arithmetic => ("", ""),
                };
                text.extend_from_slice(format!("{before}${{{}}}{behind}", variable(*placeholder)).as_bytes());
            }
        }
    }
    let word = |text: &[u8]| vec![WordPart::Literal(text.to_vec())];
    let mut arguments = vec![word(SHELL.as_bytes()), word(b"-c"), word(&text)];
    if !used.is_empty() {
        // `$0`, as without further arguments.
        arguments.push(word(SHELL.as_bytes()));
        arguments.extend(used.iter().map(|placeholder| vec![WordPart::Placeholder(*placeholder)]));
    }
    arguments
}

/// The variable of a script that holds the value.
const fn variable(placeholder: Placeholder) -> &'static str {
    match placeholder {
        Placeholder::Item => "_supervisor_item",
        Placeholder::NoExtension => "_supervisor_no_extension",
        Placeholder::Basename => "_supervisor_basename",
        Placeholder::Dirname => "_supervisor_dirname",
        Placeholder::BasenameNoExtension => "_supervisor_basename_no_extension",
        Placeholder::Sequence => "_supervisor_sequence",
        Placeholder::Slot => "_supervisor_slot",
    }
}

/// The script with the item quoted in it; `None` where no quoting is right for every item.
fn quoted_script(script: &[ScriptPart], values: &Values<'_>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut value = Vec::new();
    for part in script {
        let (placeholder, place) = match part {
            ScriptPart::Text(own) => {
                text.extend_from_slice(own);
                continue;
            }
            ScriptPart::Placeholder(placeholder, place) => (placeholder, place),
        };
        value.clear();
        placeholder.push_value(values, &mut value);
        match place {
            Quoting::Bare => quote(&value, &mut text),
            Quoting::Single if value.contains(&b'\'') => {
                text.push(b'\'');
                quote(&value, &mut text);
                text.push(b'\'');
            }
            Quoting::Single | Quoting::Arithmetic => text.extend_from_slice(&value),
            Quoting::Double => {
                for &byte in &value {
                    if b"\\$`\"".contains(&byte) {
                        text.push(b'\\');
                    }
                    text.push(byte);
                }
            }
            // A line of the item could be the delimiter.
            Quoting::Document => return None,
        }
    }
    Some(text)
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
    let (mut literal_start, mut at) = (0, 0);
    while at < word.len() {
        let Some((text, placeholder)) = Placeholder::at_start(&word[at..]) else {
            at += 1;
            continue;
        };
        if literal_start < at {
            parts.push(WordPart::Literal(word[literal_start..at].to_vec()));
        }
        parts.push(WordPart::Placeholder(placeholder));
        at += text.len();
        literal_start = at;
    }
    if literal_start < word.len() {
        parts.push(WordPart::Literal(word[literal_start..].to_vec()));
    }
    parts
}

/// Appends `text` so that a POSIX shell parses it to one word. A newline is in single quotes, because a shell drops a
/// newline after a backslash.
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
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
        Template::new(&words.iter().map(OsString::from).collect::<Vec<_>>(), shell, append).unwrap()
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
    fn a_shell_gets_the_item_as_an_argument_and_the_script_expands_a_variable() {
        let script = template(&["echo", "{}", "|", "wc -c"], true, true);
        let expected =
            "/bin/sh|-c|_supervisor_item=$1 ; shift 1; echo \"${_supervisor_item}\" | wc -c|/bin/sh|a b;$(x)";
        assert_eq!(filled(&script, "a b;$(x)"), expected);
        assert!(!script.program_varies());
        let appended = filled(&template(&["echo", "hi"], true, true), "it's");
        assert!(appended.ends_with("; echo hi \"${_supervisor_item}\"|/bin/sh|it's"), "{appended}");
        assert_eq!(filled(&template(&["cat"], true, false), "x"), "/bin/sh|-c|cat");
    }

    #[test]
    fn a_quoted_line_is_what_a_user_may_paste() {
        let mut line = CommandLine::default();
        let mut quoted = |words: &[&str], shell, item: &str| {
            let values = Values { item: item.as_bytes(), sequence: 1, slot: 1 };
            let template = template(words, shell, true);
            template.fill(&values, &mut line);
            String::from_utf8(template.quoted(&values, &line)).unwrap()
        };
        assert_eq!(quoted(&["echo", "", "x y/{}"], false, "a b"), r"echo '' x\ y/a\ b");
        assert_eq!(quoted(&["echo", "{}", "| wc"], true, "a b"), r"echo a\ b | wc");
        assert_eq!(quoted(&["echo '<{}>' \"{}\" {#}"], true, "a b"), "echo '<a b>' \"a b\" 1");
        assert_eq!(quoted(&["echo '<{}>' \"{}\""], true, "it's $x"), r#"echo '<'it\'s\ \$x'>' "it's \$x""#);
        // The script of a here-document as it is: an item may contain the delimiter.
        let document = quoted(&["cat <<E\n{}\nE\n"], true, "a\nE\nid");
        assert!(
            document.starts_with(r"/bin/sh -c _supervisor_item\=\$1\ ") && document.ends_with("a'\n'E'\n'id"),
            "{document}"
        );
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

    /// Text that a shell would execute, expand or split, at some place of a script.
    const HOSTILE: [&str; 20] = [
        "x\nid\n",
        "$(id)",
        "`id`",
        "'; id; '",
        "\"; id; \"",
        "'\"$(id)\"'",
        "; id #",
        "\n id",
        "&& id",
        "| id",
        "> /dev/stderr",
        "$HOME ${HOME} $1 $#",
        "a[$(id >&2)]",
        ") ; id ; (",
        "E\nid\nE",
        "\\",
        "a  b\tc *  ? ~ [a-z]",
        "{} {#} {/}",
        "-n",
        "\u{1b}]0;grün\u{7}\r\n\\'\\\"\\$(id)\\`id`",
    ];

    /// Scripts that print the item between `<` and `>`, with the placeholder at each place where one may stand.
    const SCRIPTS: [&str; 12] = [
        "printf '<%s>' {}",
        "printf %s '<{}>'",
        "printf %s \"<{}>\"",
        "printf '<%s>' \"$(printf '%s.' {})\" | sed '$s/[.]>$/>/'",
        "printf '<%s>' \"$(printf %s '{}'; echo .)\" | sed '$s/[.]>$/>/'",
        "cat <<E | sed '$s/[.]$//'\n<{}>.\nE\n",
        "f() { printf '<%s>' \"$1\"; }; set -- other; f {}",
        "x={}; printf '<%s>' \"$x\"",
        "(printf '<'; (printf %s \"{}\"); printf '>') # the item {} isn't read here",
        "for x in {} ; do case $x in {}) printf '<%s>' \"{}\";; *) printf other;; esac; done",
        "printf %s '<'{}'>' | { cat; }",
        "[ {} = '{}' ] && printf '<%s>' {} || printf other",
    ];

    #[test]
    fn an_item_is_literal_at_every_place_of_a_script_of_every_shell() {
        let mut checked = 0;
        for shell in ["/bin/sh", "/bin/bash", "/bin/dash"] {
            if !std::path::Path::new(shell).exists() {
                println!("skipped: {shell} is not installed");
                continue;
            }
            for script in SCRIPTS {
                let template = template(&[script], true, true);
                for item in HOSTILE {
                    let mut line = CommandLine::default();
                    let values = Values { item: item.as_bytes(), sequence: 4, slot: 2 };
                    template.fill(&values, &mut line);
                    let arguments = line.arguments().skip(1).map(<std::ffi::OsStr as OsStrExt>::from_bytes);
                    let output = std::process::Command::new(shell).args(arguments).output().unwrap();
                    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                    let out = out.strip_suffix('\n').filter(|_| script.contains("sed")).unwrap_or(&out);
                    assert_eq!((out, &*err), (&*format!("<{item}>"), ""), "{shell}: {script}");
                    checked += 1;
                }
            }
        }
        assert!(checked >= SCRIPTS.len() * HOSTILE.len(), "at least /bin/sh is there");
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
