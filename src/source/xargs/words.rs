//! Cuts bytes into arguments as xargs does: at blanks and newlines outside quotes, or at one byte. No I/O.

use crate::model::xargs::{XargsCut, XargsLimits, XargsSpec};

/// An argument that does not fit into the buffer of xargs.
const LINE_TOO_LONG: &str = "argument line too long";

const UNMATCHED: [&str; 2] = [
    "unmatched single quote; by default quotes are special to xargs unless you use the -0 option",
    "unmatched double quote; by default quotes are special to xargs unless you use the -0 option",
];

/// What a byte has made of the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordStep {
    /// It goes on.
    More,
    /// It is complete. `ends_line`: the line as well, which `counts` for `-L` unless it goes on in the next one.
    Argument { ends_line: bool, counts: bool },
    /// The input ends here.
    End,
    /// The input is wrong, and ends here.
    Wrong(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WordPlace {
    /// Between two arguments.
    Between,
    Within,
    Quoted(u8),
    Escaped,
}

/// One argument after the other.
pub struct WordCutter {
    cut: XargsCut,
    /// A line is one argument, blanks included.
    is_by_line: bool,
    bytes_max: usize,
    place: WordPlace,
    previous: u8,
    argument: Vec<u8>,
    /// No argument of this line has ended.
    is_first: bool,
    has_nul: bool,
}

impl WordCutter {
    #[must_use]
    pub fn new(spec: &XargsSpec, limits: XargsLimits) -> Self {
        let first_bytes: usize = spec.command.iter().map(|word| word.len() + 1).sum();
        let taken = if spec.replace.is_some() { 0 } else { first_bytes };
        let place = match spec.cut {
            XargsCut::Words { .. } => WordPlace::Between,
            XargsCut::At(_) => WordPlace::Within,
        };
        Self {
            cut: spec.cut.clone(),
            is_by_line: spec.replace.is_some(),
            bytes_max: limits.line_bytes_max.saturating_sub(taken + 1),
            place,
            previous: 0,
            argument: Vec::new(),
            is_first: true,
            has_nul: false,
        }
    }

    /// The argument that is complete.
    #[must_use]
    pub fn argument(&self) -> &[u8] {
        &self.argument
    }

    /// Begins another argument.
    pub fn begin(&mut self) {
        self.argument.clear();
    }

    /// A NUL was read as a part of a word.
    #[must_use]
    pub const fn has_nul(&self) -> bool {
        self.has_nul
    }

    /// Takes the next byte.
    pub fn push(&mut self, byte: u8) -> WordStep {
        if let XargsCut::At(delimiter) = self.cut {
            if byte == delimiter {
                return WordStep::Argument { ends_line: true, counts: true };
            }
            return self.add(byte);
        }
        let previous = std::mem::replace(&mut self.previous, byte);
        if self.place == WordPlace::Between {
            if byte.is_ascii_whitespace() || byte == b'\x0b' {
                return WordStep::More;
            }
            self.place = WordPlace::Within;
        }
        match (self.place, byte) {
            (WordPlace::Within, b'\n') => {
                self.place = WordPlace::Between;
                self.is_first = true;
                self.ended(WordStep::Argument { ends_line: true, counts: !matches!(previous, b' ' | b'\t') })
            }
            (WordPlace::Within, b' ' | b'\t') if !self.is_by_line => {
                self.place = WordPlace::Between;
                self.is_first = false;
                self.ended(WordStep::Argument { ends_line: false, counts: false })
            }
            (WordPlace::Within, b'\\') => self.at(WordPlace::Escaped),
            (WordPlace::Within, b'\'' | b'"') => self.at(WordPlace::Quoted(byte)),
            (WordPlace::Quoted(quote), b'\n') => Self::unmatched(quote),
            (WordPlace::Quoted(quote), _) if byte == quote => self.at(WordPlace::Within),
            (WordPlace::Escaped, _) => {
                self.place = WordPlace::Within;
                self.add_to_word(byte)
            }
            _ => self.add_to_word(byte),
        }
    }

    /// No byte follows.
    pub fn finish(&mut self) -> WordStep {
        let is_end = |end: &Vec<u8>| *end == self.argument;
        match (&self.cut, self.place) {
            _ if self.argument.is_empty() => WordStep::End,
            (_, WordPlace::Quoted(quote)) => Self::unmatched(quote),
            // A word that ends the input does so alone on its line.
            (XargsCut::Words { end: Some(end) }, _) if self.is_first && is_end(end) => WordStep::End,
            _ => WordStep::Argument { ends_line: false, counts: false },
        }
    }

    const fn at(&mut self, place: WordPlace) -> WordStep {
        self.place = place;
        WordStep::More
    }

    const fn unmatched(quote: u8) -> WordStep {
        WordStep::Wrong(UNMATCHED[(quote == b'"') as usize])
    }

    /// The argument is complete; it may be the word that ends the input.
    fn ended(&self, step: WordStep) -> WordStep {
        match &self.cut {
            XargsCut::Words { end: Some(end) } if *end == self.argument => WordStep::End,
            _ => step,
        }
    }

    fn add_to_word(&mut self, byte: u8) -> WordStep {
        self.has_nul |= byte == 0;
        self.add(byte)
    }

    fn add(&mut self, byte: u8) -> WordStep {
        if self.argument.len() >= self.bytes_max {
            return WordStep::Wrong(LINE_TOO_LONG);
        }
        self.argument.push(byte);
        WordStep::More
    }
}
