//! Reads as much of Rust as the rules need: words, paths, functions, and where tests begin.

/// A word or a sign, and the line that it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// What a file consists of, apart from its strings.
pub struct Source<'a> {
    pub code: Vec<Token<'a>>,
    /// The items behind `#[cfg(test)]`.
    pub tests: Vec<Token<'a>>,
    pub comments: Vec<Token<'a>>,
    /// Lines that belong to no test.
    pub code_lines: usize,
}

/// A path as it is named somewhere: `use a::{b, c::d}` are the paths `a::b` and `a::c::d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    pub names: Vec<&'a str>,
    pub line: usize,
}

pub struct Function<'a> {
    pub name: &'a str,
    pub line: usize,
    pub lines: usize,
}

impl<'a> Source<'a> {
    pub fn read(text: &'a str) -> Self {
        let (tokens, comments) = tokens(text);
        let mut source = Self { code: Vec::new(), tests: Vec::new(), comments, code_lines: text.lines().count() };
        let mut at = 0;
        while at < tokens.len() {
            let is_test = ["#", "[", "cfg", "(", "test", ")", "]"].iter().enumerate();
            if is_test.clone().all(|(ahead, sign)| tokens.get(at + ahead).is_some_and(|token| token.text == *sign)) {
                let end = end_of_item(&tokens, at + is_test.len());
                source.code_lines -= tokens[end - 1].line - tokens[at].line + 1;
                source.tests.extend(&tokens[at..end]);
                at = end;
            } else {
                source.code.push(tokens[at]);
                at += 1;
            }
        }
        source
    }
}

/// One past the brace that closes the item that begins at `start`, or past its semicolon.
pub fn end_of_item(tokens: &[Token<'_>], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" if depth <= 1 => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// All paths of two names or more. A single name does not show where it comes from.
pub fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = is_name(tokens[at].text)
            && tokens.get(at + 1).is_some_and(|next| next.text == "::")
            && (at == 0 || tokens[at - 1].text != "::");
        at = if begins { branches(tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// Adds the paths that begin with `prefix` and go on at `at`; returns where they end.
fn branches<'a>(tokens: &[Token<'a>], mut at: usize, prefix: &[&'a str], found: &mut Vec<Path<'a>>) -> usize {
    let mut names = prefix.to_vec();
    let line = tokens[at].line;
    while let Some(token) = tokens.get(at) {
        if token.text == "{" && !names.is_empty() {
            at += 1;
            while tokens.get(at).is_some_and(|token| token.text != "}") {
                at = if tokens[at].text == "," { at + 1 } else { branches(tokens, at, &names, found) };
            }
            return at + 1;
        }
        if !is_name(token.text) && token.text != "*" {
            // No path: continue behind this sign, or the loop never ends.
            at += 1;
            break;
        }
        names.push(token.text);
        at += 1;
        if tokens.get(at).is_none_or(|next| next.text != "::") {
            // `use a::b as c` names nothing new.
            at += if tokens.get(at).is_some_and(|next| next.text == "as") { 2 } else { 0 };
            break;
        }
        at += 1;
    }
    found.push(Path { names, line });
    at
}

pub fn functions<'a>(tokens: &[Token<'a>]) -> Vec<Function<'a>> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text == "fn" && is_name(pair[1].text) {
            let last = tokens[end_of_item(tokens, at) - 1].line;
            found.push(Function { name: pair[1].text, line: pair[0].line, lines: last - pair[0].line + 1 });
        }
    }
    found
}

pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words and signs without strings, characters and white space; and the comments.
fn tokens(text: &str) -> (Vec<Token<'_>>, Vec<Token<'_>>) {
    let (mut tokens, mut comments) = (Vec::new(), Vec::new());
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let rest = &text[at..];
        let (length, kind) = next(rest);
        let token = Token { text: &rest[..length], line };
        match kind {
            Kind::Token => tokens.push(token),
            Kind::Comment => comments.push(token),
            Kind::Silent => {}
        }
        line += token.text.matches('\n').count();
        at += length;
    }
    (tokens, comments)
}

enum Kind {
    Token,
    Comment,
    /// Strings, characters, lifetimes, white space.
    Silent,
}

/// Length and kind of what `rest`, which is not empty, begins with.
fn next(rest: &str) -> (usize, Kind) {
    let first = rest.chars().next().unwrap_or(' ');
    let word = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(rest.len());
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(rest.len(), |end| end + 2), Kind::Comment);
    }
    if ["r", "br", "cr"].contains(&&rest[..word]) && rest[word..].trim_start_matches('#').starts_with('"') {
        let hashes = rest[word..].find('"').unwrap_or(0);
        let close = format!("\"{}", &rest[word..word + hashes]);
        let start = word + hashes + 1;
        return (rest[start..].find(&close).map_or(rest.len(), |end| start + end + close.len()), Kind::Silent);
    }
    match first {
        '"' => (quoted(rest, '"'), Kind::Silent),
        // `'x'` and `'\n'` are characters, all else is a lifetime.
        '\'' if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => (quoted(rest, '\''), Kind::Silent),
        '\'' => (1, Kind::Silent),
        ':' if rest.starts_with("::") => (2, Kind::Token),
        _ if word > 0 => (word, Kind::Token),
        _ if first.is_whitespace() => (first.len_utf8(), Kind::Silent),
        _ => (first.len_utf8(), Kind::Token),
    }
}

/// The length of a quoted text with both its quotes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        if sign == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = sign == '\\' && !is_escaped;
    }
    rest.len()
}
