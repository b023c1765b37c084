//! Placeholders in a script for a POSIX shell.
//!
//! The item never becomes a part of the script. It is an argument of the shell, the script's first words store it in a
//! variable, and each placeholder becomes an expansion of that variable that fits its place: `"${v}"` outside quotes,
//! `${v}` in double quotes, `'"${v}"'` in single quotes. A shell does not parse the value of such an expansion again, so
//! that the item is literal even if this scanner were wrong about a place.
//!
//! In arithmetic it is not so: bash evaluates the value of a variable as an expression, and an expression can contain a
//! command. There, and where the shells differ, an item is refused before anything runs.
//!
//! Invariant: pure. A program that takes its argument for code (`eval`, `sh -c`, `awk`) is beyond its knowledge.

use super::placeholder::{Placeholder, PlaceholderSet};

const APPENDED: &str = "the appended {}";
const IN_ARITHMETIC: &str = "it stands in arithmetic, where bash would evaluate the item";

/// The place of a placeholder in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Outside quotes.
    Bare,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// In a here-document.
    Document,
    /// In arithmetic: a number.
    Arithmetic,
}

/// A piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptPart {
    Text(Vec<u8>),
    Placeholder(Placeholder, Quoting),
}

/// A place where no expansion is certain to be literal. The text completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("replace {what} in the script of --shell: {place}; {remedy}")]
pub struct Misplaced {
    what: String,
    place: &'static str,
    remedy: &'static str,
}

const PLACES: &str = "a placeholder may stand outside quotes, in '...', in \"...\", in $( ) and in a here-document whose \
     delimiter is not quoted";

impl Misplaced {
    /// With a placeholder its word is repeated for each argument, and it is not clear what that word is.
    pub(super) fn of_repeated_word() -> Self {
        let place = "-X or -L repeats the word around it, which has a quote or another special character";
        Self { what: "a placeholder".to_owned(), place, remedy: "use -m or -n, or write a plain word" }
    }
}

/// Cuts a script that contains a placeholder of `set`. `appended`: its last placeholder was not typed.
///
/// # Errors
/// A placeholder stands where it cannot be replaced, or the script is not understood.
pub fn parse(script: &[u8], appended: bool, set: &PlaceholderSet) -> Result<Vec<ScriptPart>, Misplaced> {
    if appended && ends_with_operator(script, set) {
        let place = "the script ends with an operator, behind which the item would be a command or a file; put {} where \
                     the item belongs";
        return Err(Misplaced { what: APPENDED.to_owned(), place, remedy: PLACES });
    }
    let mut scanner = Scanner {
        script,
        set,
        at: 0,
        end: script.len(),
        copied: 0,
        appended,
        enclosures: Vec::new(),
        documents: Vec::new(),
        closed_at: 0,
        in_test: false,
        parts: Vec::new(),
    };
    scanner.scan()?;
    if let Some(Enclosure::Double | Enclosure::Brace | Enclosure::Substitution | Enclosure::Arithmetic) =
        scanner.enclosures.last()
    {
        return Err(scanner.unsure("a quote or a $( is not closed"));
    }
    if !scanner.documents.is_empty() {
        return Err(scanner.unsure("a here-document does not end with its delimiter on a line of its own"));
    }
    scanner.copy_text();
    Ok(scanner.parts)
}

/// If the last byte in front of an appended placeholder is no part of a command's words.
fn ends_with_operator(script: &[u8], set: &PlaceholderSet) -> bool {
    let typed = script.strip_suffix(set.item_text()).unwrap_or(script);
    let last = typed.iter().rev().find(|byte| !b" \t".contains(byte));
    last.is_some_and(|byte| b";&|<>(\n\\".contains(byte))
}

/// What surrounds the present position; outside of all enclosures are the script's own commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enclosure {
    /// `( )`
    Group,
    /// `$( )`
    Substitution,
    /// A parenthesis of `$(( ))` or `(( ))`.
    Arithmetic,
    /// `" "`
    Double,
    /// `${ }`
    Brace,
    /// The lines of a here-document.
    Document,
}

/// A here-document whose lines are still to come.
struct Document {
    delimiter: Vec<u8>,
    /// Its delimiter is quoted, so nothing is expanded in its lines.
    raw: bool,
    /// `<<-`: tabs before the delimiter do not count.
    tabs: bool,
}

struct Scanner<'a> {
    script: &'a [u8],
    set: &'a PlaceholderSet,
    at: usize,
    end: usize,
    /// Everything before is in `parts`.
    copied: usize,
    appended: bool,
    enclosures: Vec<Enclosure>,
    documents: Vec<Document>,
    /// The end of the last `$( )`, behind which a word goes on.
    closed_at: usize,
    /// Between `[[` and `]]`, where bash evaluates operands as arithmetic.
    in_test: bool,
    parts: Vec<ScriptPart>,
}

impl Scanner<'_> {
    fn rest(&self) -> &[u8] {
        &self.script[self.at..self.end]
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.rest().get(ahead).copied()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.end);
    }

    fn copy_text(&mut self) {
        if self.copied < self.at {
            self.parts.push(ScriptPart::Text(self.script[self.copied..self.at].to_vec()));
        }
        self.copied = self.at;
    }

    /// The error about the placeholder at the present position.
    fn misplaced(&self, place: &'static str) -> Misplaced {
        let text = self.set.at_start(self.rest()).map(|(bytes, _)| String::from_utf8_lossy(&self.rest()[..bytes]));
        Misplaced {
            what: text.map_or_else(|| "a placeholder".to_owned(), |text| text.into_owned()),
            place,
            remedy: PLACES,
        }
    }

    fn unsure(&self, place: &'static str) -> Misplaced {
        let what = if self.appended { APPENDED } else { "the placeholders" };
        Misplaced { what: what.to_owned(), place, remedy: PLACES }
    }

    /// Takes `bytes` bytes that have no further meaning.
    ///
    /// # Errors
    /// A placeholder begins among them.
    fn take_raw(&mut self, bytes: usize, place: &'static str) -> Result<(), Misplaced> {
        let end = (self.at + bytes).min(self.end);
        while self.at < end {
            if self.set.at_start(self.rest()).is_some() {
                return Err(self.misplaced(place));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn scan(&mut self) -> Result<(), Misplaced> {
        while self.at < self.end {
            if let Some((bytes, placeholder)) = self.set.at_start(self.rest()) {
                self.placeholder(bytes, placeholder)?;
                continue;
            }
            match (self.script[self.at], self.enclosures.last()) {
                (b'\\', _) => {
                    if self.set.at_start(&self.rest()[1..]).is_some() {
                        self.at += 1;
                        return Err(self.misplaced("it stands directly behind a backslash"));
                    }
                    self.skip(2);
                }
                (b'$', _) => self.dollar()?,
                (b'`', _) => self.backquotes()?,
                (b'"', Some(Enclosure::Double)) => self.close(),
                (b'"', Some(Enclosure::Document)) => self.at += 1,
                (b'"', _) => self.open(Enclosure::Double, 1),
                (b'}', Some(Enclosure::Brace)) => self.close(),
                (b'\'', Some(Enclosure::Brace)) if !self.is_in_double() => self.single_quotes()?,
                (_, Some(Enclosure::Double | Enclosure::Document | Enclosure::Brace)) => self.at += 1,
                (b'(', Some(Enclosure::Arithmetic)) => self.open(Enclosure::Arithmetic, 1),
                (b')', Some(_)) => self.close(),
                (_, Some(Enclosure::Arithmetic)) => self.at += 1,
                (byte, _) => self.command_text(byte)?,
            }
        }
        Ok(())
    }

    fn open(&mut self, enclosure: Enclosure, bytes: usize) {
        self.enclosures.push(enclosure);
        self.skip(bytes);
    }

    fn close(&mut self) {
        let enclosure = self.enclosures.pop();
        self.at += 1;
        if let Some(Enclosure::Substitution | Enclosure::Arithmetic) = enclosure {
            self.closed_at = self.at;
        }
    }

    /// If the innermost enclosure but braces is quoted as by double quotes.
    fn is_in_double(&self) -> bool {
        let enclosure = self.enclosures.iter().rev().find(|enclosure| **enclosure != Enclosure::Brace);
        matches!(enclosure, Some(Enclosure::Double | Enclosure::Document))
    }

    fn placeholder(&mut self, bytes: usize, placeholder: Placeholder) -> Result<(), Misplaced> {
        let place = if self.enclosures.contains(&Enclosure::Arithmetic) {
            if !placeholder.is_number() {
                return Err(self.misplaced(IN_ARITHMETIC));
            }
            Quoting::Arithmetic
        } else {
            match self.enclosures.last() {
                Some(Enclosure::Double) => Quoting::Double,
                Some(Enclosure::Document) => Quoting::Document,
                Some(Enclosure::Brace) => return Err(self.misplaced("it stands in ${ }")),
                _ => Quoting::Bare,
            }
        };
        self.push(bytes, placeholder, place)
    }

    fn push(&mut self, bytes: usize, placeholder: Placeholder, place: Quoting) -> Result<(), Misplaced> {
        if self.in_test && !placeholder.is_number() {
            return Err(self.misplaced("it stands in [[ ]], where bash may evaluate the item; use [ ] or case"));
        }
        self.copy_text();
        self.parts.push(ScriptPart::Placeholder(placeholder, place));
        self.at += bytes;
        self.copied = self.at;
        Ok(())
    }

    /// A byte outside quotes.
    fn command_text(&mut self, byte: u8) -> Result<(), Misplaced> {
        if self.begins_word() {
            self.word()?;
        }
        match byte {
            b'\'' => return self.single_quotes(),
            b'#' if self.begins_word() => return self.comment(),
            b'<' if self.rest().starts_with(b"<<<") => self.skip(3),
            b'<' if self.rest().starts_with(b"<<") => return self.document(),
            b'\n' => return self.line_end(),
            b'(' if self.byte(1) == Some(b'(') => {
                self.open(Enclosure::Arithmetic, 1);
                self.open(Enclosure::Arithmetic, 1);
            }
            b'(' => self.open(Enclosure::Group, 1),
            _ => self.at += 1,
        }
        Ok(())
    }

    fn begins_word(&self) -> bool {
        if self.at > 0 && self.at == self.closed_at {
            return false;
        }
        let before = self.at.checked_sub(1).map(|before| self.script[before]);
        before.is_none_or(|before| b" \t\n;&|()<>".contains(&before)) && !self.is_escaped_blank()
    }

    /// A blank behind a backslash is a part of its word.
    fn is_escaped_blank(&self) -> bool {
        let backslashes = self.script[..self.at.saturating_sub(1)].iter().rev().take_while(|byte| **byte == b'\\');
        backslashes.count() % 2 == 1
    }

    /// The words with a meaning here.
    fn word(&mut self) -> Result<(), Misplaced> {
        let rest = self.rest();
        let bytes = rest.iter().position(|byte| b" \t\n;&|()<>".contains(byte)).unwrap_or(rest.len());
        match &rest[..bytes] {
            b"[[" => self.in_test = true,
            b"]]" => self.in_test = false,
            // The parentheses of its patterns are not in pairs.
            b"case" if self.enclosures.contains(&Enclosure::Substitution) => {
                return Err(self.unsure("the word case stands in $( ); put it into a function"));
            }
            _ => {}
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Misplaced> {
        let bytes = self.rest().iter().position(|byte| *byte == b'\n').unwrap_or(self.rest().len());
        self.skip(bytes);
        // A placeholder here stays as it is: the shell does not read it.
        if self.appended && self.at == self.script.len() {
            return Err(self.unsure("the script ends with a comment; put {} where the item belongs"));
        }
        Ok(())
    }

    fn single_quotes(&mut self) -> Result<(), Misplaced> {
        self.at += 1;
        while let Some(byte) = self.byte(0) {
            if let Some((bytes, placeholder)) = self.set.at_start(self.rest()) {
                if self.enclosures.contains(&Enclosure::Arithmetic) {
                    return Err(self.misplaced(IN_ARITHMETIC));
                }
                if self.enclosures.last() == Some(&Enclosure::Brace) {
                    return Err(self.misplaced("it stands in ${ }"));
                }
                self.push(bytes, placeholder, Quoting::Single)?;
                continue;
            }
            self.at += 1;
            if byte == b'\'' {
                return Ok(());
            }
        }
        Err(self.unsure("a ' is not closed"))
    }

    fn dollar(&mut self) -> Result<(), Misplaced> {
        if self.set.at_start(&self.rest()[1..]).is_some() {
            self.at += 1;
            return Err(self.misplaced("it stands directly behind $"));
        }
        match self.byte(1) {
            Some(b'(') if self.byte(2) == Some(b'(') => {
                self.open(Enclosure::Arithmetic, 2);
                self.open(Enclosure::Arithmetic, 1);
            }
            Some(b'(') => self.open(Enclosure::Substitution, 2),
            Some(b'{') => self.open(Enclosure::Brace, 2),
            Some(b'[') => {
                let bytes = self.rest().iter().position(|byte| *byte == b']').unwrap_or(self.rest().len());
                self.take_raw(bytes, IN_ARITHMETIC)?;
            }
            // bash reads escapes in it, and dash does not.
            Some(b'\'') if !self.is_in_double() => {
                let rest = self.rest();
                let bytes = rest.iter().skip(2).position(|byte| *byte == b'\'').map_or(rest.len(), |bytes| bytes + 3);
                if rest[..bytes].contains(&b'\\') {
                    return Err(self.unsure("it has an escape in $'...', which not every shell knows"));
                }
                self.take_raw(bytes, "it stands in $'...'")?;
            }
            Some(b'$' | b'#') => self.skip(2),
            _ => self.at += 1,
        }
        Ok(())
    }

    fn backquotes(&mut self) -> Result<(), Misplaced> {
        let rest = self.rest();
        let mut bytes = 1;
        while bytes < rest.len() && rest[bytes] != b'`' {
            bytes += if rest[bytes] == b'\\' { 2 } else { 1 };
        }
        self.take_raw(bytes + 1, "it stands in `...`; write $( )")
    }

    /// `<<` or `<<-`, with the delimiter.
    fn document(&mut self) -> Result<(), Misplaced> {
        if self.enclosures.iter().any(|enclosure| *enclosure != Enclosure::Group) {
            return Err(self.unsure("a here-document begins in $( )"));
        }
        self.at += 2;
        let tabs = self.byte(0) == Some(b'-');
        self.at += usize::from(tabs);
        while let Some(b' ' | b'\t') = self.byte(0) {
            self.at += 1;
        }
        let mut document = Document { delimiter: Vec::new(), raw: false, tabs };
        let mut quote = None;
        while let Some(byte) = self.byte(0) {
            if self.set.at_start(self.rest()).is_some() {
                return Err(self.misplaced("it stands in the delimiter of a here-document"));
            }
            match (byte, quote) {
                (b'\'' | b'"', None) => {
                    quote = Some(byte);
                    document.raw = true;
                }
                (_, Some(open)) if byte == open => quote = None,
                (b'\\', None) => {
                    document.raw = true;
                    self.at += 1;
                    document.delimiter.extend(self.byte(0));
                }
                (b'$' | b'`' | b'\\', _) => {
                    return Err(self.unsure("the delimiter of a here-document is not a plain word"));
                }
                (b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>', None) => break,
                _ => document.delimiter.push(byte),
            }
            self.skip(1);
        }
        self.documents.push(document);
        Ok(())
    }

    /// A newline outside quotes: the lines of here-documents follow.
    fn line_end(&mut self) -> Result<(), Misplaced> {
        self.at += 1;
        if !self.documents.is_empty() && self.enclosures.iter().any(|enclosure| *enclosure != Enclosure::Group) {
            return Err(self.unsure("a here-document begins inside $( )"));
        }
        for document in std::mem::take(&mut self.documents) {
            self.document_lines(&document)?;
        }
        Ok(())
    }

    fn document_lines(&mut self, document: &Document) -> Result<(), Misplaced> {
        let (start, whole_end) = (self.at, self.end);
        let mut line_start = start;
        let line_end = loop {
            let line = &self.script[line_start..whole_end];
            let bytes = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
            let mut line = &line[..bytes];
            while let (true, [b'\t', rest @ ..]) = (document.tabs, line) {
                line = rest;
            }
            if line == document.delimiter {
                break line_start + bytes;
            }
            line_start += bytes + 1;
            if line_start > whole_end {
                return Err(self.unsure("a here-document does not end with its delimiter on a line of its own"));
            }
        };
        if document.raw {
            self.take_raw(line_start - start, "it stands in a here-document whose delimiter is quoted")?;
        } else {
            if self.script[start..line_start].ends_with(b"\\\n") {
                return Err(self.unsure("the last line of a here-document ends with a backslash"));
            }
            self.end = line_start;
            let depth = self.enclosures.len();
            self.enclosures.push(Enclosure::Document);
            self.scan()?;
            if self.enclosures.len() != depth + 1 {
                return Err(self.unsure("a $( or ${ is not closed in a here-document"));
            }
            self.enclosures.pop();
            self.end = whole_end;
        }
        self.at = line_end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(script: &str) -> Result<Vec<Quoting>, String> {
        let parts = parse(script.as_bytes(), false, &PlaceholderSet::default()).map_err(|error| error.to_string())?;
        let place = |part: &ScriptPart| match part {
            ScriptPart::Placeholder(_, place) => Some(*place),
            ScriptPart::Text(_) => None,
        };
        Ok(parts.iter().filter_map(place).collect())
    }

    #[test]
    fn each_placeholder_has_its_place() {
        use Quoting::{Arithmetic, Bare, Document, Double, Single};
        for (script, expected) in [
            ("echo {} a{.}b x={/} >{//}", vec![Bare; 4]),
            ("echo '{}' '' \"{}\" {}", vec![Single, Double, Bare]),
            ("echo \"it's {}\" 'a \" {}' \\\" {} \\' {}", vec![Double, Single, Bare, Bare]),
            ("echo $(cat {}) \"$(cat {} \"{}\" '{}')\" {}", vec![Bare, Bare, Double, Single, Bare]),
            ("(cd {} && (ls {})) # it's {}\necho {}", vec![Bare, Bare, Bare]),
            ("echo a#'{}' $(x)#{} \\ #{}\n{}", vec![Single, Bare, Bare, Bare]),
            ("cat <<E {}\n\"{} $(cat {})\n'{}'\nE\necho {}", vec![Bare, Document, Bare, Document, Bare]),
            ("cat <<-E; cat <<'F'\n\t{}\n\tE\n'$x`\nF\n{}", vec![Document, Bare]),
            ("cat <<<{}", vec![Bare]),
            ("echo $(( {#} % 2 + (1<<2) )) {#} ${x%'}'} ${x:-\"}\"} $$ $# {}", vec![Arithmetic, Bare, Bare]),
            ("case {} in a) echo {};; esac; f() { echo \"$1 {}\"; }", vec![Bare, Bare, Double]),
            ("if [ {} = b ]; then [[ $x -eq 1 ]]; echo {}; fi", vec![Bare, Bare]),
            ("echo `date` \"`date +\"%s\"`\" $'a' {}", vec![Bare]),
        ] {
            assert_eq!(places(script), Ok(expected), "{script}");
        }
    }

    #[test]
    fn a_place_that_is_not_certain_to_be_literal_is_refused() {
        for (script, why) in [
            ("echo `echo {}`", "{} in the script of --shell: it stands in `...`; write $( )"),
            ("echo $((1 + {/}))", "{/} in the script of --shell: it stands in arithmetic"),
            ("echo $(( $(echo '{}') ))", "it stands in arithmetic"),
            ("((x = {}))", "it stands in arithmetic"),
            ("echo $[1 + {}]", "it stands in arithmetic"),
            ("[[ \"{}\" -eq 1 ]]", "it stands in [[ ]]"),
            ("echo ${x:-{}}", "it stands in ${ }"),
            ("echo ${}", "it stands directly behind $"),
            ("echo \"${#}\"", "it stands directly behind $"),
            ("echo \\{}", "it stands directly behind a backslash"),
            ("echo \"\\{}\"", "it stands directly behind a backslash"),
            ("cat <<'E'\n{}\nE", "it stands in a here-document whose delimiter is quoted"),
            ("cat <<{}\nE", "it stands in the delimiter of a here-document"),
            ("cat <<E\n{}\nF", "a here-document does not end"),
            ("cat <<E {}", "a here-document does not end"),
            ("echo $(cat <<E\n{}\nE\n)", "a here-document begins in $( )"),
            ("echo $(case x in {}) ;; esac)", "the word case stands in $( )"),
            ("echo $'{}'", "it stands in $'...'"),
            ("echo $'it\\'s' {}", "it has an escape in $'...'"),
            ("echo '{}", "a ' is not closed"),
            ("echo \"{}", "a quote or a $( is not closed"),
            ("echo $(echo {}", "a quote or a $( is not closed"),
        ] {
            let error = places(script).expect_err(script);
            assert!(error.contains(why), "{script}: {error}");
            assert!(error.contains("outside quotes, in '...', in \"...\""), "{error}");
        }
    }

    #[test]
    fn an_item_is_not_appended_to_a_comment() {
        let set = PlaceholderSet::default();
        let error = parse(b"echo hi # then {}", true, &set).unwrap_err().to_string();
        assert!(error.contains("the appended {} in the script of --shell: the script ends with a comment"), "{error}");
        assert!(parse(b"echo hi # then\necho {}", true, &set).is_ok());
        for script in ["echo hi & {}", "echo hi; {}", "true && {}", "echo hi > {}", "echo hi\n {}", "echo \\ {}"] {
            let error = parse(script.as_bytes(), true, &set).expect_err(script).to_string();
            assert!(error.contains("the script ends with an operator"), "{error}");
        }
        assert!(parse(b"echo $(date) ${x} {}", true, &set).is_ok());
    }
}
