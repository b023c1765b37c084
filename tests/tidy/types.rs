//! Reads the types of a file: structs and the number of their fields, names of types, and the methods of traits with
//! their default bodies.

use super::source::{Token, end_of_item, is_name};

/// A struct, enum, union, trait or type alias. Associated types are none: their name belongs to their trait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName<'a> {
    pub name: &'a str,
    pub line: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Struct<'a> {
    pub name: &'a str,
    pub line: usize,
    pub fields: usize,
}

/// A trait's method whose default body depends on nothing, so that an implementation may forget it unnoticed.
#[derive(Debug, PartialEq, Eq)]
pub struct SilentDefault<'a> {
    pub of_trait: &'a str,
    pub method: &'a str,
    pub line: usize,
}

pub fn type_names<'a>(tokens: &[Token<'a>]) -> Vec<TypeName<'a>> {
    let mut found = Vec::new();
    // For each open brace, whether it belongs to an `impl` or a `trait`.
    let mut blocks = Vec::new();
    let mut statement = 0;
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).filter(|next| is_name(next.text));
        match (token.text, next) {
            ("{", _) => {
                blocks.push(matches!(head(&tokens[statement..at]), Some("impl" | "trait")));
                statement = at + 1;
            }
            ("}", _) => {
                blocks.pop();
                statement = at + 1;
            }
            (";", _) => statement = at + 1,
            ("type", Some(_)) if blocks.last() == Some(&true) => {}
            // `union` is a word of Rust only in front of a type.
            ("union", Some(_)) if head(&tokens[statement..=at]) != Some("union") => {}
            ("struct" | "enum" | "union" | "trait" | "type", Some(name)) => {
                found.push(TypeName { name: name.text, line: name.line });
            }
            _ => {}
        }
    }
    found
}

/// The first word of an item behind its attributes and its visibility.
fn head<'a>(item: &[Token<'a>]) -> Option<&'a str> {
    let mut at = 0;
    loop {
        match item.get(at)?.text {
            "#" => at = end_of_brackets(item, at + 1),
            "(" => at = end_of_brackets(item, at),
            "pub" | "unsafe" | "auto" => at += 1,
            word => return Some(word),
        }
    }
}

/// One past the bracket that closes the one at `start`.
fn end_of_brackets(tokens: &[Token<'_>], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

pub fn structs<'a>(tokens: &[Token<'a>]) -> Vec<Struct<'a>> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text == "struct" && is_name(pair[1].text) {
            let item = &tokens[at..end_of_item(tokens, at)];
            let fields = match item.iter().position(|token| ["{", "(", ";"].contains(&token.text)) {
                Some(open) => fields(&item[open..end_of_brackets(item, open)]),
                None => 0,
            };
            found.push(Struct { name: pair[1].text, line: pair[0].line, fields });
        }
    }
    found
}

/// The fields between two brackets. Each named one has one `:` of its own; unnamed ones are divided by commas.
fn fields(body: &[Token<'_>]) -> usize {
    let is_named = body[0].text == "{";
    let (mut brackets, mut angles, mut signs, mut last) = (0_usize, 0_usize, 0, "");
    for token in body {
        match token.text {
            "(" | "[" | "{" => brackets += 1,
            ")" | "]" | "}" => brackets -= 1,
            "<" => angles += 1,
            ">" if last != "-" => angles = angles.saturating_sub(1),
            ":" if is_named && brackets == 1 => signs += 1,
            "," if !is_named && brackets == 1 && angles == 0 => signs += 1,
            _ => {}
        }
        last = token.text;
    }
    let is_last_open = !is_named && body.len() > 2 && body[body.len() - 2].text != ",";
    signs + usize::from(is_last_open)
}

/// The methods of traits whose default body names neither `self`, nor a parameter, nor another item of the trait.
/// `let _ = parameter;` names nothing, and neither do `Self::default()` and `Self::new()`.
pub fn silent_defaults<'a>(tokens: &[Token<'a>]) -> Vec<SilentDefault<'a>> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text != "trait" || !is_name(pair[1].text) {
            continue;
        }
        let item = &tokens[at..end_of_item(tokens, at)];
        let mut from = item.iter().position(|token| token.text == "{").map_or(item.len(), |open| open + 1);
        while let Some(start) = item[from..].windows(2).position(|pair| pair[0].text == "fn" && is_name(pair[1].text)) {
            let start = from + start;
            let end = end_of_item(item, start);
            if is_silent(&item[start..end]) {
                let (method, line) = (item[start + 1].text, item[start].line);
                found.push(SilentDefault { of_trait: pair[1].text, method, line });
            }
            from = end;
        }
    }
    found
}

fn is_silent(method: &[Token<'_>]) -> bool {
    let Some(parameters) = method.iter().position(|token| token.text == "(") else { return false };
    let after = end_of_brackets(method, parameters);
    let Some(open) = method[after..].iter().position(|token| token.text == "{") else { return false };
    let mut names = vec!["self"];
    names.extend(method[parameters..after].windows(2).filter(|pair| pair[1].text == ":").map(|pair| pair[0].text));
    let mut body = method[after + open..].iter().peekable();
    while let Some(token) = body.next() {
        let ahead: Vec<&str> = body.clone().take(3).map(|token| token.text).collect();
        match token.text {
            "let" if matches!(ahead[..], ["_", "=", _]) => while body.next_if(|token| token.text != ";").is_some() {},
            "Self" if !matches!(ahead[..], ["::", "default" | "new", "("]) => return false,
            name if names.contains(&name) => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    #[test]
    fn types_are_found_wherever_they_are_declared_but_no_associated_ones() {
        let text = "pub struct A; enum B<T> { C(T) } trait D { type E; fn f() { struct F; } }
            #[derive(Debug)] pub(crate) type G = u8;
            impl D for A { type E = u8; } mod m { type H = u8; }
            union I { a: u8 } fn g(union: u8) { let x = union as usize; }";
        let source = Source::read(text);
        let names: Vec<&str> = type_names(&source.code).iter().map(|found| found.name).collect();
        assert_eq!(names, ["A", "B", "D", "F", "G", "H", "I"]);
    }

    #[test]
    fn fields_are_counted_in_every_shape_of_a_struct() {
        let text =
            "struct A; struct B {} struct C<T: Copy> { #[serde(x)] a: Option<Box<dyn Fn(u8) -> u8>>, pub b: a::B }
            struct D(); struct E(u8); struct F(pub Map<u8, u8>, [u8; 2],); struct G<T>(T) where T: Copy;
            struct H { a: fn(x: u8, y: u8) -> u8 }";
        let source = Source::read(text);
        let counts: Vec<_> = structs(&source.code).iter().map(|found| (found.name, found.fields)).collect();
        assert_eq!(counts, [("A", 0), ("B", 0), ("C", 2), ("D", 0), ("E", 1), ("F", 2), ("G", 1), ("H", 1)]);
    }

    #[test]
    fn a_default_is_silent_if_it_depends_on_nothing() {
        let text = "trait T {
            fn declared(&self) -> u8;
            fn empty(&mut self, _: &u8) {}
            fn ignores(&mut self, input: &Arc<File>) { let _ = input; }
            fn constant(&self) -> bool { false }
            fn ok(&mut self, x: u8) -> Result<(), E> { Ok(()) }
            fn value() -> Self { Self::default() }
            fn delegates(&self) -> u8 { self.declared() + 1 }
            fn uses(x: u8) -> u8 { x }
            fn other(&self) -> u8 { Self::LIMIT }
        }
        impl T for U { fn empty(&mut self, _: &u8) {} }";
        let source = Source::read(text);
        let found: Vec<_> = silent_defaults(&source.code).iter().map(|found| (found.method, found.line)).collect();
        assert_eq!(found, [("empty", 3), ("ignores", 4), ("constant", 5), ("ok", 6), ("value", 7)]);
    }
}
