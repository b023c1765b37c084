//! Command lines with placeholders for an item. No I/O.
//!
//! A placeholder may occur anywhere in any argument, any number of times. A command without a placeholder gets the item as
//! its last argument.
//!
//! Invariant: an item is data. It is never read as a placeholder, an argument of it never becomes more than one argument of
//! the command, and it never becomes a part of a script: a shell gets it as an argument, and the script expands a variable.

use super::line::{CommandLine, QuoteWord};
use super::list_script::{ListScript, SHELL};
use super::placeholder::{PathPart, Placeholder, PlaceholderSet, Values};
use super::quoted_script::QuotedScript;
use super::script::{self, Misplaced, Quoting, ScriptPart};
use super::words::Word;
use crate::model::arrangement::{ColumnName, ColumnNames, Insertion, ItemForm};
use crate::model::config::{ExecSpec, QuotingShell};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// A command with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    words: Vec<Word>,
    /// The script of `--shell` as it was typed.
    script: Option<ListScript>,
    /// The script depends on the number of arguments.
    by_list: bool,
    /// Instead of all that: a script as GNU parallel runs it.
    quoted: Option<QuotedScript>,
}

impl Template {
    /// Parses the words of a command. `append`: if no word contains a placeholder, the item becomes the last argument.
    /// `shell`: the words, joined with spaces, become a script for [`SHELL`]. `names` has the columns that have one.
    ///
    /// # Errors
    /// With `shell`, a placeholder stands where the item would not be literal.
    pub fn new(
        argv: &[OsString],
        (shell, append): (bool, bool),
        insertion: &Insertion,
        names: &[ColumnName],
    ) -> Result<Self, Misplaced> {
        let set = PlaceholderSet { replace: insertion.replace.clone(), names: names.to_vec() };
        let parse = |word: &OsString| Word::parse(word.as_bytes(), &set, insertion.repeats);
        let mut words: Vec<Word> = argv.iter().map(parse).collect();
        let has_placeholder = words.iter().any(Word::varies);
        let appended = append && !has_placeholder;
        if appended {
            words.push(Word::placeholder(Placeholder::Each(PathPart::Whole)));
        }
        if !shell {
            return Ok(Self { words, script: None, by_list: false, quoted: None });
        }
        let mut text = argv.iter().map(|word| word.as_bytes()).collect::<Vec<_>>().join(&b' ');
        if appended {
            text.push(b' ');
            text.extend_from_slice(set.item_text());
        }
        let script = match has_placeholder || appended {
            true => script::parse(&text, appended, &set)?,
            false => vec![ScriptPart::Text(text)],
        };
        let list = ListScript::new(&script, insertion.repeats)?;
        let by_list = insertion.form == ItemForm::List || list.has_numbered();
        let words = if by_list { Vec::new() } else { shell_words(&script) };
        Ok(Self { words, script: Some(list), by_list, quoted: None })
    }

    /// The words of a command as a script of this shell, as GNU parallel makes it.
    #[must_use]
    pub fn quoting(
        shell: &QuotingShell,
        argv: &[OsString],
        append: bool,
        insertion: &Insertion,
        names: &[ColumnName],
    ) -> Self {
        let set = PlaceholderSet { replace: insertion.replace.clone(), names: names.to_vec() };
        let quoted = QuotedScript::new(shell, argv, append, &set, insertion.repeats);
        Self { words: Vec::new(), script: None, by_list: false, quoted: Some(quoted) }
    }

    /// If the program depends on the item.
    #[must_use]
    pub fn program_varies(&self) -> bool {
        self.words.first().is_some_and(Word::varies)
    }

    /// Writes the command for one item to `line`, whose old content is lost.
    pub fn fill(&self, values: &Values<'_>, line: &mut CommandLine) {
        line.clear();
        if let Some(quoted) = &self.quoted {
            return quoted.fill(values, line);
        }
        match &self.script {
            Some(script) if self.by_list => script.fill(values, line),
            _ => self.words.iter().for_each(|word| word.push(values, line)),
        }
    }

    /// The command for one item, which is in `line`, as text that a shell parses to the same arguments: one line unless an
    /// argument contains a newline, and without a final newline. With `--shell`, the script with the item quoted in it.
    #[must_use]
    pub fn quoted(&self, values: &Values<'_>, line: &CommandLine, quote_word: QuoteWord) -> Vec<u8> {
        if let Some(quoted) = &self.quoted {
            let mut text = Vec::new();
            quoted.push_script(values, &mut text);
            return text;
        }
        if let Some(text) = self.script.as_ref().and_then(|script| script.quoted(values, quote_word)) {
            return text;
        }
        let mut text = Vec::new();
        for argument in line.arguments() {
            if !text.is_empty() {
                text.push(b' ');
            }
            quote_word(argument, &mut text);
        }
        text
    }
}

/// A template that may have to wait for the names of columns.
#[derive(Clone, Debug)]
pub struct LateTemplate {
    argv: Vec<OsString>,
    quoting_shell: Option<QuotingShell>,
    /// It runs in a shell; the item is appended if it has no placeholder.
    ways: (bool, bool),
    insertion: Insertion,
    names: ColumnNames,
    template: Option<Template>,
}

impl LateTemplate {
    /// Parses the command, unless the names of columns have yet to come.
    ///
    /// # Errors
    /// See [`Template::new`].
    pub fn new(spec: &ExecSpec) -> Result<Self, Misplaced> {
        let (argv, ways, insertion) = (spec.argv.clone(), (spec.shell, !spec.stdin), spec.insertion.clone());
        let quoting_shell = spec.quoting_shell.clone();
        let mut late = Self { argv, quoting_shell, ways, insertion, names: ColumnNames::default(), template: None };
        if !late.insertion.has_names {
            late.get()?;
        }
        Ok(late)
    }

    /// The names of columns will be found here.
    pub fn wait_for(&mut self, names: ColumnNames) {
        self.names = names;
    }

    /// The template; asked for when an item is there, and so the names are known.
    ///
    /// # Errors
    /// See [`Template::new`].
    pub fn get(&mut self) -> Result<&Template, Misplaced> {
        let template = match self.template.take() {
            Some(template) => template,
            None => self.parse(self.names.get().unwrap_or_default())?,
        };
        Ok(self.template.insert(template))
    }

    /// The columns that have a name, as far as they are known.
    #[must_use]
    pub fn names(&self) -> &[ColumnName] {
        self.names.get().unwrap_or_default()
    }

    fn parse(&self, names: &[ColumnName]) -> Result<Template, Misplaced> {
        match &self.quoting_shell {
            Some(shell) => Ok(Template::quoting(shell, &self.argv, self.ways.1, &self.insertion, names)),
            None => Template::new(&self.argv, self.ways, &self.insertion, names),
        }
    }

    /// If the program may depend on the item.
    #[must_use]
    pub fn program_may_vary(&self) -> bool {
        match &self.template {
            Some(template) => template.program_varies(),
            None => {
                !self.ways.0
                    && self.quoting_shell.is_none()
                    && self.argv.first().is_some_and(|program| program.as_bytes().contains(&b'{'))
            }
        }
    }
}

/// The shell, its script, and the values that the script's first words store in variables, for an item of one argument.
fn shell_words(script: &[ScriptPart]) -> Vec<Word> {
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
    let mut words = vec![Word::literal(SHELL.as_bytes()), Word::literal(b"-c"), Word::literal(&text)];
    if !used.is_empty() {
        // `$0`, as without further arguments.
        words.push(Word::literal(SHELL.as_bytes()));
        words.extend(used.into_iter().map(Word::placeholder));
    }
    words
}

/// The variable of a script that holds the value.
const fn variable(placeholder: Placeholder) -> &'static str {
    match placeholder {
        Placeholder::Each(PathPart::Whole) => "_supervisor_item",
        Placeholder::Each(PathPart::NoExtension) => "_supervisor_no_extension",
        Placeholder::Each(PathPart::Basename) => "_supervisor_basename",
        Placeholder::Each(PathPart::Dirname) => "_supervisor_dirname",
        Placeholder::Each(PathPart::BasenameNoExtension) => "_supervisor_basename_no_extension",
        Placeholder::Sequence => "_supervisor_sequence",
        Placeholder::Slot => "_supervisor_slot",
        // Scripts with one of these are a `ListScript`.
        Placeholder::At(..) => "_supervisor_argument",
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::quote;
    use super::super::line::{ARGUMENT_BYTES_MAX, CommandLineError};
    use super::*;

    fn template(words: &[&str], shell: bool, append: bool) -> Template {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        Template::new(&words, (shell, append), &Insertion::default(), &[]).unwrap()
    }

    /// The command for the fourth item in slot 2, its arguments joined by `|`.
    fn filled(template: &Template, item: &str) -> String {
        let mut line = CommandLine::default();
        template.fill(&Values { item: item.as_bytes(), form: ItemForm::Whole, sequence: 4, slot: 2 }, &mut line);
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
        let mixed = template(&["run-{#}", "--in={}:{}", "{}{.}", "{", "{}}", "{{}", "{x}", "{1.}{2}"], false, true);
        assert_eq!(filled(&mixed, "a.b"), "run-4|--in=a.b:a.b|a.ba|{|a.b}|{a.b|{x}|a");
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
            let values = Values { item: item.as_bytes(), form: ItemForm::Whole, sequence: 1, slot: 1 };
            let template = template(words, shell, true);
            template.fill(&values, &mut line);
            String::from_utf8(template.quoted(&values, &line, quote)).unwrap()
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
                    let values = Values { item: item.as_bytes(), form: ItemForm::Whole, sequence: 4, slot: 2 };
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
            command.fill(&Values { item, form: ItemForm::Whole, sequence: 1, slot: 1 }, &mut line);
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
            command.fill(&Values { item: item.as_bytes(), form: ItemForm::Whole, sequence: 1, slot: 1 }, &mut line);
            assert_eq!(line.arguments().collect::<Vec<_>>(), [b"c", item.as_bytes()]);
        }
    }
}
