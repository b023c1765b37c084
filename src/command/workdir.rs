//! The working directory of a command: one for all items, or one that depends on the item.
//!
//! Invariant: no folder is created here.

use super::line::CommandLine;
use super::placeholder::{PlaceholderSet, Values};
use super::search::CommandError;
use super::words::Word;
use crate::model::arrangement::{ColumnName, Insertion};
use crate::sys::access;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A working directory as it was given.
#[derive(Clone, Debug)]
pub struct Workdir {
    text: OsString,
    insertion: Insertion,
    /// Of the text, once the names of columns are known.
    word: Option<Word>,
    may_vary: bool,
    // A buffer that is reused.
    line: CommandLine,
}

impl Workdir {
    /// `insertion`: which texts are placeholders.
    #[must_use]
    pub fn new(text: &OsStr, insertion: &Insertion) -> Self {
        let mut workdir = Self {
            text: text.to_owned(),
            insertion: insertion.clone(),
            word: None,
            may_vary: insertion.has_names && text.as_bytes().contains(&b'{'),
            line: CommandLine::default(),
        };
        workdir.may_vary |= workdir.parsed(&[]).varies();
        if insertion.has_names {
            workdir.word = None;
        }
        workdir
    }

    /// The folder of all items; `None`: it may depend on the item.
    #[must_use]
    pub fn fixed(&self) -> Option<&Path> {
        (!self.may_vary).then(|| Path::new(&self.text))
    }

    /// The folder of an item. `names` has the columns that have one. Several arguments of the item stand in it with a
    /// space between, as in GNU parallel.
    pub fn of_item(&mut self, values: &Values<'_>, names: &[ColumnName]) -> PathBuf {
        if !self.may_vary {
            return PathBuf::from(&self.text);
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        self.parsed(names).push(values, &mut line);
        let path = line.arguments().collect::<Vec<_>>().join(&b' ');
        self.line = line;
        PathBuf::from(OsString::from_vec(path))
    }

    fn parsed(&mut self, names: &[ColumnName]) -> &Word {
        self.word.get_or_insert_with(|| {
            let set = PlaceholderSet { replace: self.insertion.replace.clone(), names: names.to_vec() };
            Word::parse(self.text.as_bytes(), &set, self.insertion.repeats)
        })
    }
}

/// Checks that processes can be started in a folder.
///
/// # Errors
/// [`CommandError::Workdir`].
pub fn check(folder: &Path) -> Result<(), CommandError> {
    let checked = folder.metadata().and_then(|metadata| match metadata.is_dir() {
        true => access::may_execute(folder),
        false => Err(io::ErrorKind::NotADirectory.into()),
    });
    checked.map_err(|error| CommandError::Workdir { folder: folder.display().to_string(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arrangement::ItemForm;

    fn of(text: &str, insertion: &Insertion, item: &[u8], form: ItemForm, names: &[ColumnName]) -> (bool, String) {
        let mut workdir = Workdir::new(OsStr::new(text), insertion);
        let values = Values { item, form, sequence: 4, slot: 2 };
        let path = workdir.of_item(&values, names);
        assert_eq!(workdir.of_item(&values, names), path);
        (workdir.fixed().is_some(), path.into_os_string().into_string().unwrap())
    }

    #[test]
    fn a_folder_has_the_placeholders_of_its_command() {
        let none = Insertion::default();
        for (text, is_fixed, path) in [
            ("/tmp", true, "/tmp"),
            ("{}", false, "a b/c.d"),
            ("x/{//}/{#}-{%}", false, "x/a b/4-2"),
            ("{/.}", false, "c"),
            ("{x}", true, "{x}"),
        ] {
            assert_eq!(of(text, &none, b"a b/c.d", ItemForm::Whole, &[]), (is_fixed, path.to_owned()), "{text}");
        }
        let own = Insertion { replace: Some(b",,".to_vec()), ..Insertion::default() };
        assert_eq!(of("d/,,", &own, b"i", ItemForm::Whole, &[]), (false, "d/i".to_owned()));
        assert_eq!(of("d/{}", &own, b"i", ItemForm::Whole, &[]), (true, "d/{}".to_owned()));
    }

    #[test]
    fn a_column_has_its_name_once_that_is_known() {
        let named = Insertion { has_names: true, ..Insertion::default() };
        let names = [(b"x".to_vec(), 1)];
        assert_eq!(of("d/{x}", &named, b"i", ItemForm::Whole, &names), (false, "d/i".to_owned()));
        assert_eq!(of("d", &named, b"i", ItemForm::Whole, &names), (true, "d".to_owned()));
    }

    #[test]
    fn what_is_no_folder_is_named() {
        assert!(check(Path::new("/")).is_ok());
        for (folder, why) in [("/no/such", "No such file or directory"), ("/etc/passwd", "not a directory")] {
            let error = check(Path::new(folder)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("run workers in {folder}: ")) && error.contains(why), "{error}");
        }
    }
}
