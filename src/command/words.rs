//! The words of a command that is executed directly, and what they become for the arguments of an item. No I/O.
//!
//! With several arguments a placeholder becomes several words, as a shell would cut them: `a{}b` becomes `a1` and `2b`, or,
//! where the words of a command are repeated, `a1b` and `a2b`. In a word with blanks it is the part between them that is
//! repeated, as by `parallel -q -X`.
//!
//! Invariant: a blank in an argument never cuts a word.

use super::line::CommandLine;
use super::placeholder::{Placeholder, PlaceholderSet, Values};

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordPart {
    Literal(Vec<u8>),
    Placeholder(Placeholder),
}

/// What is repeated together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RepeatGroup {
    parts: Vec<WordPart>,
    /// It holds a placeholder for each argument.
    has_each: bool,
}

/// A word of a command, with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    groups: Vec<RepeatGroup>,
}

impl Word {
    /// Cuts a word as it was typed. `repeats`: what stands around a placeholder is repeated with it.
    #[must_use]
    pub fn parse(text: &[u8], set: &PlaceholderSet, repeats: bool) -> Self {
        let parts = parts(text, set);
        Self {
            groups: if repeats { between_blanks(parts) } else { parts.into_iter().map(RepeatGroup::of_one).collect() },
        }
    }

    /// A word without placeholders.
    #[must_use]
    pub fn literal(text: &[u8]) -> Self {
        Self { groups: vec![RepeatGroup::of_one(WordPart::Literal(text.to_vec()))] }
    }

    /// A word that is a placeholder.
    #[must_use]
    pub fn placeholder(placeholder: Placeholder) -> Self {
        Self { groups: vec![RepeatGroup::of_one(WordPart::Placeholder(placeholder))] }
    }

    /// The pieces of the word, in their order.
    pub fn parts(&self) -> impl Iterator<Item = &WordPart> {
        self.groups.iter().flat_map(|group| &group.parts)
    }

    /// The pieces that are repeated together, and if they are.
    pub fn groups(&self) -> impl Iterator<Item = (&[WordPart], bool)> {
        self.groups.iter().map(|group| (group.parts.as_slice(), group.has_each))
    }

    /// If the word depends on the item.
    #[must_use]
    pub fn varies(&self) -> bool {
        self.parts().any(|part| matches!(part, WordPart::Placeholder(_)))
    }

    /// Appends what the word becomes: most often one argument; several for several arguments of the item; none where all
    /// of it is placeholders for arguments that the item does not have.
    pub fn push(&self, values: &Values<'_>, line: &mut CommandLine) {
        let mut is_word = self.groups.is_empty();
        for group in &self.groups {
            is_word |= group.push(values, line);
        }
        if is_word {
            line.end_argument();
        }
    }
}

impl RepeatGroup {
    fn of_one(part: WordPart) -> Self {
        Self::new(vec![part])
    }

    fn new(parts: Vec<WordPart>) -> Self {
        let has_each = parts.iter().any(|part| matches!(part, WordPart::Placeholder(Placeholder::Each(_))));
        Self { parts, has_each }
    }

    /// Appends its bytes, of all words but the last with their end. `false`: there was nothing, not even an empty
    /// argument.
    fn push(&self, values: &Values<'_>, line: &mut CommandLine) -> bool {
        let mut arguments = values.arguments();
        let first = if self.has_each { arguments.next() } else { None };
        let mut is_word = self.push_once(first, values, line);
        if first.is_some() {
            for argument in arguments {
                line.end_argument();
                is_word |= self.push_once(Some(argument), values, line);
            }
        }
        is_word
    }

    fn push_once(&self, argument: Option<&[u8]>, values: &Values<'_>, line: &mut CommandLine) -> bool {
        let mut is_word = false;
        for part in &self.parts {
            is_word |= match (part, argument) {
                (WordPart::Literal(text), _) => {
                    line.bytes().extend_from_slice(text);
                    true
                }
                (WordPart::Placeholder(Placeholder::Each(_)), None) => false,
                (WordPart::Placeholder(placeholder), argument) => {
                    placeholder.push_value(argument.unwrap_or_default(), values, line.bytes())
                }
            };
        }
        is_word
    }
}

/// The pieces of a text as it was typed.
#[must_use]
pub fn parts(text: &[u8], set: &PlaceholderSet) -> Vec<WordPart> {
    let mut parts = Vec::new();
    let (mut literal_start, mut at) = (0, 0);
    while at < text.len() {
        let Some((bytes, placeholder)) = set.at_start(&text[at..]) else {
            at += 1;
            continue;
        };
        if literal_start < at {
            parts.push(WordPart::Literal(text[literal_start..at].to_vec()));
        }
        parts.push(WordPart::Placeholder(placeholder));
        at += bytes;
        literal_start = at;
    }
    if literal_start < text.len() {
        parts.push(WordPart::Literal(text[literal_start..].to_vec()));
    }
    parts
}

/// Groups that a blank ends. A space belongs to none of them, a tab to the next one, as in GNU parallel.
fn between_blanks(parts: Vec<WordPart>) -> Vec<RepeatGroup> {
    let (mut groups, mut open) = (Vec::new(), Vec::new());
    let mut close = |open: &mut Vec<WordPart>| {
        if !open.is_empty() {
            groups.push(RepeatGroup::new(std::mem::take(open)));
        }
    };
    for part in parts {
        let WordPart::Literal(text) = part else {
            open.push(part);
            continue;
        };
        let mut start = 0;
        for at in text.iter().enumerate().filter(|(_, byte)| b" \t".contains(byte)).map(|(at, _)| at) {
            if start < at {
                open.push(WordPart::Literal(text[start..at].to_vec()));
            }
            close(&mut open);
            start = at;
            if text[at] == b' ' {
                open.push(WordPart::Literal(b" ".to_vec()));
                close(&mut open);
                start = at + 1;
            }
        }
        if start < text.len() {
            open.push(WordPart::Literal(text[start..].to_vec()));
        }
    }
    close(&mut open);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arrangement::ItemForm;

    /// What a word becomes for the arguments that are separated by `,`; its words separated by `|`, or `none`.
    fn pushed(word: &str, repeats: bool, arguments: &str) -> String {
        let item: Vec<u8> = arguments.split_terminator(',').flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
        let mut line = CommandLine::default();
        let values = Values { item: &item, form: ItemForm::List, sequence: 4, slot: 2 };
        Word::parse(word.as_bytes(), &PlaceholderSet::default(), repeats).push(&values, &mut line);
        let words: Vec<_> = line.arguments().map(String::from_utf8_lossy).collect();
        if words.is_empty() { "none".to_owned() } else { words.join("|") }
    }

    #[test]
    fn several_arguments_become_several_words() {
        for (word, arguments, joined, repeated) in [
            // As GNU parallel does it with -n and with -X.
            ("{}", "a,b,c,", "a|b|c", "a|b|c"),
            ("a{}b", "1,2,", "a1|2b", "a1b|a2b"),
            ("{1}-{}", "a,b,c,", "a-a|b|c", "a-a|a-b|a-c"),
            ("{#}{}", "a,b,", "4a|b", "4a|4b"),
            ("{}{}", "a,b,", "a|ba|b", "aa|bb"),
            ("{.}{/}", "d/x.c,y.h,", "d/x|yx.c|y.h", "d/xx.c|yy.h"),
            ("{#}", "a,b,", "4", "4"),
            ("{%}-{2}", "a,b,", "2-b", "2-b"),
            ("{-1}{-2}{-3}", "a,b,", "ba", "ba"),
            ("{3}", "a,b,", "none", "none"),
            ("{3}{4}", "a,b,", "none", "none"),
            ("x{3}y", "a,b,", "xy", "xy"),
            ("{2}", "a,,", "", ""),
            ("{}", ",,", "|", "|"),
            ("{}", "a b,c\td,", "a b|c\td", "a b|c\td"),
            ("", "a,b,", "", ""),
            ("plain", "a,b,", "plain", "plain"),
            // No argument at all: -n 0.
            ("{}", "", "none", "none"),
            ("x{}y", "", "xy", "xy"),
            // As `parallel -q`.
            ("a {}", "1,2,", "a 1|2", "a 1|2"),
            ("a\t{}\tb c{}d", "1,2,", "a\t1|2\tb c1|2d", "a\t1|\t2\tb c1d|c2d"),
        ] {
            assert_eq!(pushed(word, false, arguments), joined, "{word} {arguments}");
            assert_eq!(pushed(word, true, arguments), repeated, "{word} {arguments}");
        }
    }
}
